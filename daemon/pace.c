/* SPDX-License-Identifier: MIT */
/* pace.c -- a token bucket that listens to the line */
#include "daemon/pace.h"

#define START_RATE (64.0 * 1024)
#define LEAST_RATE (4.0 * 1024)
#define MOST_RATE (2.0 * 1024 * 1024)
#define LEAST_PIECE 2048u
#define MOST_PIECE 60000u
enum { PROBE = 16 };
#define QUEUE_US 100000 /* of delay that live telemetry may see */

static double
clamp(double x, double low, double high)
{
	return x < low ? low : x > high ? high : x;
}

void
pace_init(struct pace *p, int64_t now_us)
{
	size_t most = p->most ? p->most : MOST_PIECE;
	*p = (struct pace){.rate = START_RATE, .last_us = now_us, .most = most};
}

size_t
pace_piece(struct pace *p, int64_t now_us)
{
	double most = clamp(p->rate / 10, p->most < LEAST_PIECE ? (double)p->most : LEAST_PIECE,
		(double)p->most);
	p->tokens = clamp(p->tokens + p->rate * (double)(now_us - p->last_us) / 1e6, -MOST_RATE,
		p->rate > most ? p->rate : most);
	p->last_us = now_us;
	if (p->tokens < most / 2)
		return 0;
	return p->pieces % PROBE == 0 && most > LEAST_PIECE ? LEAST_PIECE : (size_t)most;
}

void
pace_spend(struct pace *p, size_t bytes)
{
	p->tokens -= (double)bytes;
}

void
pace_answered(struct pace *p, int64_t took_us)
{
	if (!p->block_us || took_us < p->block_us)
		p->block_us = took_us;
	if (!p->least_us || took_us < p->least_us)
		p->least_us = took_us;
	if (++p->pieces % (2 * PROBE) == 0) { /* the line may have changed */
		p->least_us = p->block_us;
		p->block_us = 0;
	}
	int64_t queue_us = took_us - p->least_us;
	if (queue_us > QUEUE_US)
		p->rate = clamp(p->rate / 2, LEAST_RATE, MOST_RATE);
	else if (queue_us < QUEUE_US / 2)
		p->rate = clamp(p->rate * 1.2, LEAST_RATE, MOST_RATE);
}

bool
pace_shrink(struct pace *p, size_t bytes)
{
	if (bytes / 2 < p->most)
		p->most = bytes / 2;
	return p->most > 0;
}
