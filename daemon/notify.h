/* SPDX-License-Identifier: MIT */
/* notify.h -- tells systemd how we are (sd_notify(3)); does nothing elsewhere. Loop thread. */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include <stdint.h>

/* Lines such as "READY=1\nSTATUS=…". */
void notify_send(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Half of WATCHDOG_USEC in milliseconds, 0 if no watchdog is asked of this process. */
int64_t notify_watchdog_ms(void);

#endif
