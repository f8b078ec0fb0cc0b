/* SPDX-License-Identifier: MIT */
/* alarm_steps.h -- short words for tables of alarms' lives; for tests */
#ifndef TESTS_ALARM_STEPS_H
#define TESTS_ALARM_STEPS_H

#include "daemon/alarm.h"

#define S 1000000LL
#define WALL 1700000000000LL

enum { F = TRUTH_FALSE, U = TRUTH_UNKNOWN, T = TRUTH_TRUE, T_AGAIN, ACK, OUT };
enum {
	RAISED = ALARM_RAISED,
	CLEARED = ALARM_CLEARED,
	CHANGED = ALARM_CHANGED,
	ACKED = ALARM_ACKED,
	SUPPRESSED = ALARM_SUPPRESSED,
	PICTURE = ALARM_PICTURE
};

/* Second `s` of the trace. */
static inline struct moment
at(double s)
{
	return (struct moment){(int64_t)((s + 1000) * S), WALL + (int64_t)(s * 1000)};
}

#endif
