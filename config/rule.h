/* SPDX-License-Identifier: MIT */
/* rule.h -- conditions, usage rules and alarms as the configuration states them
 *
 * One grammar for machines, profiles and drivers (contract: docs/configuration.md). Here it is
 * only structure; who evaluates it is the daemon. Points are named, not resolved: in a machine
 * "meter.power_w" (source.point), in a profile "power_w".
 */
#ifndef CONFIG_RULE_H
#define CONFIG_RULE_H

#include "drivers/driver.h"

enum statistic { STAT_LAST, STAT_MEAN, STAT_MAX, STAT_P90 };
enum test { TEST_ABOVE, TEST_BELOW, TEST_EQUALS, TEST_NOT, TEST_ANY_OF, TEST_BIT };
enum condition_kind {
	CONDITION_POINT,
	CONDITION_ACTIVITY,
	CONDITION_SOURCE,
	CONDITION_ALL,
	CONDITION_ANY
};

struct operand { /* what a point is compared with: a number, true/false, or an enum's key */
	enum { OPERAND_NUMBER, OPERAND_BOOL, OPERAND_WORD } kind;
	double number;
	bool yes;
	const char *word;
};

struct condition {
	enum condition_kind kind;
	/* CONDITION_POINT */
	const char *point;
	enum test test;
	struct operand *operands; /* one, or several for TEST_ANY_OF */
	size_t n_operands;
	bool has_exit; /* usage rules: `below` beside `above` (or the reverse) is the exit level */
	double exit;
	enum statistic stat;
	int64_t window_ms;
	/* CONDITION_ACTIVITY */
	enum activity activity;
	/* CONDITION_SOURCE */
	const char *source;
	bool ok;
	/* CONDITION_ALL, CONDITION_ANY */
	struct condition *parts;
	size_t n_parts;
};

struct usage_rule {
	enum activity activity;
	bool always; /* no condition: the last resort */
	struct condition when;
	int64_t for_ms, hold_ms;
};

struct alarm_rule {
	const char *code;
	struct condition when;
	bool silent; /* no condition: only severity or texts of a profile's or driver's alarm change
		      */
	int64_t for_ms, clear_for_ms;
	bool has_clear;
	double clear;
	int hits;
	bool latch;
	enum severity severity;
	struct text text, hint;
};

const char *activity_name(enum activity a);
const char *severity_name(enum severity s);
/* The code under which a source's alarm is published: "meter" and "over-power" are
 * "meter-over-power"; `_` becomes `-`. */
void alarm_code(char *buf, size_t size, const char *source, const char *code);

#endif
