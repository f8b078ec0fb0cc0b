/* SPDX-License-Identifier: MIT */
/* moment.h -- an instant by both clocks: one to measure with, one to tell people
 *
 * Pure modules get it as an argument and never ask for the time.
 */
#ifndef DAEMON_MOMENT_H
#define DAEMON_MOMENT_H

#include <stdbool.h>
#include <stdint.h>

struct moment {
	int64_t us;      /* CLOCK_MONOTONIC: durations */
	int64_t wall_ms; /* CLOCK_REALTIME, ms UTC: what is published */
};

/* The wall time of an earlier instant of the monotonic clock. */
static inline int64_t
moment_wall_ms(const struct moment *now, int64_t us)
{
	return now->wall_ms - (now->us - us) / 1000;
}

/* The wall clock has been wrong and was set: what it said from from_ms to to_ms was delta_ms later.
 * Times outside were told by a clock that was right, before the boot. */
struct shift {
	int64_t from_ms, to_ms, delta_ms;
};

/* false: the time stays; 0 is no time. */
static inline bool
shift_time(const struct shift *by, int64_t *ms)
{
	int64_t moved;
	if (*ms == 0 || *ms < by->from_ms || *ms > by->to_ms ||
		__builtin_add_overflow(*ms, by->delta_ms, &moved))
		return false;
	*ms = moved;
	return true;
}

#endif
