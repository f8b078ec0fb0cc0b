/* SPDX-License-Identifier: MIT */
/* words.h -- what people read about machines, jobs and alarms, in Russian and English */
#ifndef CLI_WORDS_H
#define CLI_WORDS_H

#include "cli/doc.h"
#include "config/config.h"

const char *words_state(const char *state, enum language language);
/* How a job ended, to be followed by "after 32 s". */
const char *words_result(const char *result, enum language language);
/* "32 s", "5 min", "2 h 05 min"; returns buf. */
const char *words_duration(int64_t seconds, enum language language, char *buf, size_t size);
/* An alarm's text in that language, else as its gateway says it; "" if it has none. */
const char *words_alarm(const struct doc *alarm, enum language language);
/* Time of day; before it the date, if it is not today's. Returns buf. */
const char *words_clock(int64_t ms, char *buf, size_t size);
/* When the job of this id began, ms since 1970: a ULID (github.com/ulid/spec) begins with the time.
 * 0: it is none. */
int64_t words_job_start(const char *id);
int64_t words_now_ms(void);

#endif
