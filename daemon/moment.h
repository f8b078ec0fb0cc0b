/* SPDX-License-Identifier: MIT */
/* moment.h -- an instant by both clocks: one to measure with, one to tell people
 *
 * Pure modules get it as an argument and never ask for the time.
 */
#ifndef DAEMON_MOMENT_H
#define DAEMON_MOMENT_H

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

#endif
