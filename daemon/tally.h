/* SPDX-License-Identifier: MIT */
/* tally.h -- a device's own counter -> what was added since we look
 *
 * Counters wrap, are reset, and change with the meter they are in; a total made of what they add
 * never goes back and never takes a jump that cannot be. Pure. Loop thread.
 */
#ifndef DAEMON_TALLY_H
#define DAEMON_TALLY_H

#include <stdbool.h>
#include <stdint.h>

struct tally { /* survives a restart */
	bool known;
	double last;     /* the device's reading */
	int64_t last_ms; /* wall time of it */
};

struct tally_rules {
	double wraps_at;   /* goes on from 0 there; 0: never */
	double max_step;   /* more between two readings is not believed; 0: no limit */
	double per_second; /* no machine of this kind is faster; 0: no limit */
	bool resets;       /* may be set back to 0 */
};

/* Takes a reading. Returns what it added, 0 or more. A drop is a wrap where that is plausible,
 * else a reset (what stands there now was added since), else another meter: it starts anew from
 * the reading and adds nothing; so does a jump that is not believed. */
double tally_take(struct tally *t, const struct tally_rules *rules, double reading, int64_t now_ms);
/* Another device is there now: the next reading is only a beginning. */
void tally_rebase(struct tally *t);

#endif
