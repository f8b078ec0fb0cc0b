/* SPDX-License-Identifier: MIT */
/* notify.h -- tells systemd how we are (sd_notify(3)); does nothing elsewhere */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include <stdint.h>

/* Lines such as "READY=1\nSTATUS=…". */
void notify_send(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Around something at the start that may last, the recovery of a database say: a thread asks for
 * more time (EXTEND_TIMEOUT_USEC) every 10 s, for half an hour at most. `why` is the status. */
void notify_patience_begin(const char *why);
void notify_patience_end(void);
/* Half of WATCHDOG_USEC in milliseconds, 0 if no watchdog is asked of this process. */
int64_t notify_watchdog_ms(void);

#endif
