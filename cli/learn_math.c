/* SPDX-License-Identifier: MIT */
/* learn_math.c -- from readings of a machine that is off, idle and busy to thresholds */
#include "cli/learn_math.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Of few windows that overlap chance makes a small gap. */
#define WINDOW_GAP 0.1

enum { CYCLES = 2, PERIODS = 3, LEAST_WINDOW_S = 10 };

static const char *const state_names[LEARN_STATES] = {"off", "idle", "busy"};
static const char *const stat_names[LEARN_STATS] = {"last", "mean", "p90"};

const char *
learn_state_name(enum learn_state s)
{
	return state_names[s];
}

const char *
learn_stat_name(enum learn_stat s)
{
	return stat_names[s];
}

/* ---- numbers -------------------------------------------------------------------------------- */

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Of sorted values: the smallest that so many of them are not above. */
static double
quantile(const double *sorted, size_t n, double part)
{
	size_t rank = (size_t)ceil(part * (double)n);

	return sorted[rank > 0 ? rank - 1 : 0];
}

void
learn_summarize(const double *values, size_t n, struct learn_summary *out)
{
	double sorted[LEARN_SAMPLES_MAX];

	*out = (struct learn_summary){.n = n};
	if (n == 0)
		return;
	memcpy(sorted, values, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), compare);
	out->min = sorted[0];
	out->p10 = quantile(sorted, n, 0.1);
	out->p50 = quantile(sorted, n, 0.5);
	out->p95 = quantile(sorted, n, 0.95);
	out->max = sorted[n - 1];
}

static double
mean(const double *values, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += values[i];
	return sum / (double)n;
}

static double
p90(const double *values, size_t n)
{
	double sorted[LEARN_SAMPLES_MAX];

	memcpy(sorted, values, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), compare);
	return quantile(sorted, n, 0.9);
}

/* Up through three quarters of its range, after it was below one quarter: from the first such
 * moment to the last. Noise alone does that, too, but then the window is short. */
double
learn_cycle_s(const struct learn_trace *t)
{
	struct learn_summary s;
	size_t first = 0, last = 0, rises = 0;
	bool low = false;

	learn_summarize(t->values, t->n, &s);
	for (size_t i = 0; i < t->n && s.max > s.min; i++) {
		double level = (t->values[i] - s.min) / (s.max - s.min);
		if (low && level >= 0.75) {
			last = i;
			first = rises++ ? first : i;
		}
		low = level <= 0.25 || (low && level < 0.75);
	}
	return rises < 2 ? 0 : (double)(last - first) / (double)(rises - 1) * t->period_s;
}

/* ---- a pair of states ----------------------------------------------------------------------- */

/* The statistic over a window that slides along the trace; only where all of it is recorded. */
static void
slide(const struct learn_trace *t, enum learn_stat stat, size_t width, struct learn_trace *out)
{
	*out = (struct learn_trace){.state = t->state, .period_s = t->period_s};
	for (size_t i = 0; i + width <= t->n; i++)
		out->values[out->n++] = stat == LEARN_MEAN  ? mean(t->values + i, width)
					: stat == LEARN_P90 ? p90(t->values + i, width)
							    : t->values[i];
}

/* To a number that people like, off by no more than a tenth of the gap around it. */
static double
round_in(double value, double gap)
{
	double step = pow(10, floor(log10(gap / 5)));

	return round(value / step) * step;
}

/* A supply's own use grows with the mains: where there is room, stay well above `off`. */
static void
place_limits(struct learn_rule *r)
{
	double low = r->lower_p95, high = r->upper_p10, gap = high - low;
	double limit = low + gap / 2;

	if (r->lower == LEARN_OFF && low * 1.5 > limit && low * 1.5 < low + gap * 0.9)
		limit = low * 1.5;
	r->above = round_in(limit, gap);
	r->has_below = r->upper == LEARN_BUSY;
	r->below = round_in(low + gap / 4, gap);
}

/* The longest time that a trace is on the wrong side of a level. */
static double
longest_s(const struct learn_trace *t, double level, bool above)
{
	size_t run = 0, most = 0;

	for (size_t i = 0; i < t->n; i++) {
		run = (t->values[i] > level) == above ? run + 1 : 0;
		most = run > most ? run : most;
	}
	return (double)most * t->period_s;
}

/* Up to a duration that people like. */
static int
round_up_s(double s)
{
	static const int steps[] = {1, 2, 3, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600};

	for (size_t i = 0; i < COUNT(steps); i++)
		if (s <= steps[i])
			return steps[i];
	return (int)ceil(s / 600) * 600;
}

/* Longer than what was seen to mislead, by two readings; never less than three. */
static void
place_times(struct learn_rule *r, const struct learn_trace *lower, const struct learn_trace *upper)
{
	double period_s = fmax(lower->period_s, upper->period_s);
	double high_s = longest_s(lower, r->above, true);
	double low_s = longest_s(upper, r->has_below ? r->below : r->above, false);

	r->for_s = round_up_s(fmax(high_s + 2 * period_s, PERIODS * period_s));
	r->hold_s = low_s > 0 ? round_up_s(low_s + 2 * period_s) : 0;
}

static bool
try_stat(const struct learn_trace *lower, const struct learn_trace *upper, enum learn_stat stat,
	int window_s, struct learn_rule *r)
{
	static const size_t few = LEARN_SAMPLES_MIN;
	struct learn_trace *low = malloc(sizeof(*low)), *high = malloc(sizeof(*high));
	struct learn_summary l, h;
	bool apart = false;

	if (low && high) {
		slide(lower, stat, (size_t)ceil(fmax(window_s / lower->period_s, 1)), low);
		slide(upper, stat, (size_t)ceil(fmax(window_s / upper->period_s, 1)), high);
		learn_summarize(low->values, low->n, &l);
		learn_summarize(high->values, high->n, &h);
		apart = low->n >= few && high->n >= few && h.p10 > l.p95 &&
			(stat == LEARN_LAST || h.p10 - l.p95 >= WINDOW_GAP * fabs(h.p10));
	}
	if (apart) {
		*r = (struct learn_rule){.upper = upper->state,
			.lower = lower->state,
			.stat = stat,
			.window_s = window_s,
			.lower_p95 = l.p95,
			.upper_p10 = h.p10};
		place_limits(r);
		place_times(r, low, high);
	}
	free(low);
	free(high);
	return apart;
}

/* Of the one that swings more: it makes them overlap. The other may only be noisy. */
static double
common_cycle_s(const struct learn_trace *a, const struct learn_trace *b)
{
	struct learn_summary x, y;
	double cycle_s;

	learn_summarize(a->values, a->n, &x);
	learn_summarize(b->values, b->n, &y);
	cycle_s = learn_cycle_s(x.max - x.min > y.max - y.min ? a : b);
	return cycle_s > 0 ? fmax(cycle_s, fmax(learn_cycle_s(a), learn_cycle_s(b))) : 0;
}

bool
learn_rule(const struct learn_trace *lower, const struct learn_trace *upper, struct learn_rule *out)
{
	double cycle_s = common_cycle_s(lower, upper);
	int window_s = round_up_s(fmax(CYCLES * cycle_s, LEAST_WINDOW_S));

	if (try_stat(lower, upper, LEARN_LAST, 0, out))
		return true;
	return cycle_s > 0 && (try_stat(lower, upper, LEARN_MEAN, window_s, out) ||
				      try_stat(lower, upper, LEARN_P90, window_s, out));
}

/* ---- words ---------------------------------------------------------------------------------- */

const char *
learn_yaml(const struct learn_rule *r, const char *point, char *buf, size_t size)
{
	char stat[64] = "", below[48] = "", hold[32] = "";

	if (r->stat != LEARN_LAST)
		snprintf(stat, sizeof(stat), ", stat: %s, window: %ds", stat_names[r->stat],
			r->window_s);
	if (r->has_below)
		snprintf(below, sizeof(below), ", below: %.10g", r->below);
	if (r->hold_s > 0)
		snprintf(hold, sizeof(hold), ", hold: %ds", r->hold_s);
	snprintf(buf, size, "- {activity: %s, point: %s%s, above: %.10g%s, for: %ds%s}",
		state_names[r->upper], point, stat, r->above, below, r->for_s, hold);
	return buf;
}

const char *
learn_margin(const struct learn_rule *r)
{
	double part = (r->upper_p10 - r->lower_p95) / fmax(fabs(r->upper_p10), fabs(r->lower_p95));

	return part >= 0.5 ? "wide" : part >= 0.2 ? "fair" : "narrow";
}
