/* SPDX-License-Identifier: MIT */
/* pace.h -- how fast the backlog may go beside live telemetry
 *
 * A token bucket whose rate follows the line, as in LEDBAT (RFC 6817): while the answer to a piece
 * of history takes hardly longer than it ever took, the line has room and the rate grows; as soon
 * as it takes 100 ms longer, a queue builds up that live telemetry would wait in, and the rate
 * halves. Pieces are what the line carries in 100 ms; each sixteenth is a small one, which tells
 * how quick an answer can be. Pure.
 */
#ifndef DAEMON_PACE_H
#define DAEMON_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pace {
	double rate; /* bytes a second */
	double tokens;
	int64_t last_us;
	int64_t least_us, block_us; /* the quickest answer of late, and of the pieces since then */
	unsigned pieces;
	size_t most; /* a piece; smaller after the broker said `too large` */
};

void pace_init(struct pace *p, int64_t now_us);
/* How long a piece may be now; 0: not yet. */
size_t pace_piece(struct pace *p, int64_t now_us);
void pace_spend(struct pace *p, size_t bytes);
void pace_answered(struct pace *p, int64_t took_us);
/* The broker took no piece of this length. False: it cannot be made smaller. */
bool pace_shrink(struct pace *p, size_t bytes);

#endif
