/* SPDX-License-Identifier: MIT */
/* fleet_rules.c -- when a gateway connects again, how fast its backlog goes */
#include "cli/simulate/fleet_rules.h"

#include <stdbool.h>

/* ---- daemon/backoff.c ---------------------------------------------------------------------- */

enum { SHUTTING_DOWN = 0x8B, TAKEN_OVER = 0x8E };

/* It is busy, or a person has to do something. */
static bool
is_long(int reason)
{
	static const unsigned char codes[] = {
		0x81, 0x82, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x96, 0x97, 0x98, 0x9F};

	for (size_t i = 0; i < sizeof codes; i++)
		if (codes[i] == reason)
			return true;
	return false;
}

int64_t
fleet_backoff_ms(int64_t min_ms, int64_t max_ms, unsigned n, int reason, double random)
{
	int64_t top = min_ms;

	if (reason == TAKEN_OVER)
		return 2 * max_ms + (int64_t)((double)max_ms * random);
	if (is_long(reason))
		return max_ms + (int64_t)((double)max_ms * random);
	while (n-- > 0 && top < max_ms)
		top *= 2;
	if (top > max_ms || reason == SHUTTING_DOWN)
		top = max_ms;
	int64_t ms = (int64_t)((double)top * random);
	return ms < min_ms / 2 ? min_ms / 2 : ms;
}

/* ---- daemon/pace.c ------------------------------------------------------------------------- */

#define START_RATE (64.0 * 1024)
#define LEAST_RATE (4.0 * 1024)
#define MOST_RATE (2.0 * 1024 * 1024)
#define LEAST_PIECE 2048.0
#define MOST_PIECE 60000.0
#define QUEUE_US 100000 /* of delay that live telemetry may see */
enum { PROBE = 16 };

static double
clamp(double x, double low, double high)
{
	return x < low ? low : x > high ? high : x;
}

void
fleet_pace_init(struct fleet_pace *p, int64_t now_us)
{
	*p = (struct fleet_pace){.rate = START_RATE, .last_us = now_us};
}

size_t
fleet_pace_piece(struct fleet_pace *p, int64_t now_us)
{
	double most = clamp(p->rate / 10, LEAST_PIECE, MOST_PIECE);

	p->tokens = clamp(p->tokens + p->rate * (double)(now_us - p->last_us) / 1e6, -MOST_RATE,
		p->rate > most ? p->rate : most);
	p->last_us = now_us;
	if (p->tokens < most / 2)
		return 0;
	return (size_t)(p->pieces % PROBE == 0 ? LEAST_PIECE : most);
}

void
fleet_pace_spend(struct fleet_pace *p, size_t bytes)
{
	p->tokens -= (double)bytes;
}

void
fleet_pace_answered(struct fleet_pace *p, int64_t took_us)
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
