/* SPDX-License-Identifier: MIT */
/* log.h -- lines on stderr; the journal reads their severity from "<N>" (sd-daemon(3))
 *
 * A severity says whose fault it is: error -- we or this machine are broken and someone must act;
 * warning -- a device, a line or the broker misbehaves; info -- a state changed. Any thread.
 */
#ifndef DAEMON_LOG_H
#define DAEMON_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_set_level(enum log_level level);
/* false: not one of error, warning, info, debug. */
bool log_parse_level(const char *word, enum log_level *level);
bool log_enabled(enum log_level level);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
