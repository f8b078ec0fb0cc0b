/* SPDX-License-Identifier: MIT */
/* alarm_words.h -- what the alarms that labpulse makes by itself say, in Russian and English
 *
 * Those of machines, profiles and drivers bring their own words. Constant; any thread.
 */
#ifndef CONFIG_ALARM_WORDS_H
#define CONFIG_ALARM_WORDS_H

#include "drivers/driver.h"

struct alarm_words {
	const char *code; /* as published; "<...>" stands for any id: "bus-<id>-down" */
	enum severity severity;
	struct text text, hint;
};

/* NULL: it is none of these. */
const struct alarm_words *alarm_words_find(const char *code);
const struct alarm_words *alarm_words_at(size_t i); /* NULL: no more */

#endif
