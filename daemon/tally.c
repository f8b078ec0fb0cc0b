/* SPDX-License-Identifier: MIT */
/* tally.c -- a device's own counter -> what was added since we look */
#include "daemon/tally.h"

#include <math.h>

/* Two close readings of a coarse counter may differ by a whole step. */
#define LEAST_S 60.0

static bool
is_plausible(const struct tally *t, const struct tally_rules *rules, double step, int64_t now_ms)
{
	double elapsed_s = (double)(now_ms - t->last_ms) / 1000;

	if (elapsed_s < LEAST_S)
		elapsed_s = LEAST_S;
	if (rules->max_step > 0 && step > rules->max_step)
		return false;
	return rules->per_second <= 0 || step <= rules->per_second * elapsed_s;
}

/* What the reading adds; 0 where it tells nothing of what was before. */
static double
step_to(const struct tally *t, const struct tally_rules *rules, double reading, int64_t now_ms)
{
	double step = reading - t->last;

	if (step >= 0)
		return is_plausible(t, rules, step, now_ms) ? step : 0;
	step = rules->wraps_at - t->last + reading;
	if (rules->wraps_at > 0 && t->last <= rules->wraps_at &&
		is_plausible(t, rules, step, now_ms))
		return step;
	return rules->resets && is_plausible(t, rules, reading, now_ms) ? reading : 0;
}

double
tally_take(struct tally *t, const struct tally_rules *rules, double reading, int64_t now_ms)
{
	double step = 0;

	if (!isfinite(reading) || reading < 0)
		return 0;
	if (t->known)
		step = step_to(t, rules, reading, now_ms);
	t->known = true;
	t->last = reading;
	t->last_ms = now_ms;
	return step;
}

void
tally_rebase(struct tally *t)
{
	t->known = false;
}
