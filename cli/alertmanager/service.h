/* SPDX-License-Identifier: MIT */
/* service.h -- what the service manager hears: log lines on stderr and sd_notify(3). Any thread.
 *
 * The tools never include the daemon (tests/arrows.sh), so its log.c and notify.c are out of reach;
 * these few lines are not worth a folder below both.
 */
#ifndef CLI_ALERTMANAGER_SERVICE_H
#define CLI_ALERTMANAGER_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

/* error: we are broken; warning: a broker or Alertmanager is; info: a state changed. */
enum service_level { SERVICE_ERROR, SERVICE_WARNING, SERVICE_INFO, SERVICE_DEBUG };

/* false: not one of error, warning, info, debug. Before any thread starts. */
bool service_set_level(const char *word);
/* One line; the journal reads its severity from "<N>" (sd-daemon(3)). */
void service_log(enum service_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Lines such as "READY=1\nSTATUS=..." to systemd; does nothing elsewhere. */
void service_notify(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Half of WATCHDOG_USEC in milliseconds, 0 if no watchdog is asked of this process. */
int64_t service_watchdog_ms(void);

#endif
