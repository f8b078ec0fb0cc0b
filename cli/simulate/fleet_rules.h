/* SPDX-License-Identifier: MIT */
/* fleet_rules.h -- how a gateway behaves towards its broker: when it connects again, how fast its
 * backlog goes
 *
 * The rules of daemon/backoff.c and daemon/pace.c, which the tools may not include;
 * tests/unit/fleet_test.c holds them against those. Pure. Any thread.
 */
#ifndef CLI_SIMULATE_FLEET_RULES_H
#define CLI_SIMULATE_FLEET_RULES_H

#include <stddef.h>
#include <stdint.h>

/* Milliseconds before the n-th attempt (n >= 0) in a row after a connection that ended with this
 * code of CONNACK or DISCONNECT (0: none). `random` is uniform in [0, 1). */
int64_t fleet_backoff_ms(int64_t min_ms, int64_t max_ms, unsigned n, int reason, double random);

struct fleet_pace {
	double rate, tokens; /* bytes a second, bytes */
	int64_t last_us, least_us, block_us;
	unsigned pieces;
};

void fleet_pace_init(struct fleet_pace *p, int64_t now_us);
/* How long a piece of history may be now; 0: not yet. */
size_t fleet_pace_piece(struct fleet_pace *p, int64_t now_us);
void fleet_pace_spend(struct fleet_pace *p, size_t bytes);
void fleet_pace_answered(struct fleet_pace *p, int64_t took_us);

#endif
