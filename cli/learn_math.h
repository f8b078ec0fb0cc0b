/* SPDX-License-Identifier: MIT */
/* learn_math.h -- from readings of a machine that is off, idle and busy to thresholds
 *
 * A limit lies between what 95 % of the readings of the lower state are below and what 90 % of the
 * readings of the higher one are above. Where the two overlap (a heater that switches on and off)
 * a mean or the 90th percentile over at least two of its cycles may keep them apart. Pure.
 */
#ifndef CLI_LEARN_MATH_H
#define CLI_LEARN_MATH_H

#include <stdbool.h>
#include <stddef.h>

enum learn_state { LEARN_OFF, LEARN_IDLE, LEARN_BUSY, LEARN_STATES };
enum learn_stat { LEARN_LAST, LEARN_MEAN, LEARN_P90, LEARN_STATS };

enum { LEARN_SAMPLES_MAX = 3600, LEARN_SAMPLES_MIN = 5 };

struct learn_trace { /* readings of one state, at about equal intervals */
	enum learn_state state;
	double values[LEARN_SAMPLES_MAX];
	size_t n;
	double period_s;
};

struct learn_summary {
	size_t n;
	double min, p10, p50, p95, max;
};

struct learn_rule { /* `upper` holds above the limit; what is not above is `lower` */
	enum learn_state upper, lower;
	enum learn_stat stat;
	int window_s;                /* with mean and p90 */
	double above, below;         /* below: the exit level */
	bool has_below;              /* of busy only */
	int for_s, hold_s;           /* hold_s 0: none is needed */
	double lower_p95, upper_p10; /* of the statistic: what the limit lies between */
};

const char *learn_state_name(enum learn_state s);
const char *learn_stat_name(enum learn_stat s);

void learn_summarize(const double *values, size_t n, struct learn_summary *out);
/* How long one cycle of what switches on and off takes; 0: it does not. */
double learn_cycle_s(const struct learn_trace *t);
/* False: this point cannot tell the two apart. */
bool learn_rule(
	const struct learn_trace *lower, const struct learn_trace *upper, struct learn_rule *out);
/* The rule as a line of `usage:`, without indentation; returns buf. */
const char *learn_yaml(const struct learn_rule *r, const char *point, char *buf, size_t size);
/* "wide", "fair" or "narrow". */
const char *learn_margin(const struct learn_rule *r);

#endif
