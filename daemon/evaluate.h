/* SPDX-License-Identifier: MIT */
/* evaluate.h -- does a condition of the configuration hold?
 *
 * A condition is bound once to the sources it names; after that it is asked on each reading and
 * once a second. Three answers: a point that was never read, or not for longer than
 * source_stale_us(), makes `unknown` and never `false`; `all` is false if one part is, `any` true
 * if one part is, whatever is not known (Kleene's logic). Pure. Loop thread.
 */
#ifndef DAEMON_EVALUATE_H
#define DAEMON_EVALUATE_H

#include "config/rule.h"
#include "daemon/source.h"

enum truth { TRUTH_FALSE, TRUTH_UNKNOWN, TRUTH_TRUE };

struct evaluator;

/* Where the names of a condition are looked up. */
struct scope {
	struct source *const *sources; /* of the machine: "meter.power_w" */
	size_t n_sources;
	const struct source *own; /* of a profile's rule: "power_w"; NULL for a machine's rules */
};

/* What else a condition may ask for. */
struct circumstances {
	int64_t now_us;
	/* Of the machine; ACTIVITY_UNKNOWN makes `activity:` unknown, except `activity: unknown`,
	 * which then holds. */
	enum activity activity;
};

/* `c` and the sources must outlive it. NULL: no memory. A point that is not there (the
 * configuration was checked, but `points:` may leave it out) is never known. */
struct evaluator *evaluate_create(const struct condition *c, const struct scope *scope);
void evaluate_destroy(struct evaluator *e); /* NULL is fine */

/* `held`: it was found to hold and acted on, so the exit level counts: `exit` of the condition, or
 * the one of evaluate_set_exit(). In `all` and `any` it counts only for the parts that held
 * themselves; asked for the first time, for all. Takes samples for mean, max and p90 as a side
 * effect: to be called at least on each reading of the machine. A window of which less than half is
 * covered is unknown. */
enum truth evaluate_test(struct evaluator *e, const struct circumstances *now, bool held);
/* The level an alarm must come back past to be over (`clear`). */
void evaluate_set_exit(struct evaluator *e, double exit);

/* The following tell what the last evaluate_test() found. */

/* Of the first point that decides: its value (for stat: the statistic), and the level it is
 * compared with (the entry level, also while held). False: they are no numbers. `source` (may be
 * NULL) gets the source's id in any case, NULL if no point decides. */
bool evaluate_value(
	const struct evaluator *e, struct value *value, double *limit, const char **source);
/* The first point that decides, "meter.power_w"; "": none. */
void evaluate_point(const struct evaluator *e, char *buf, size_t size);
/* The source of its first point or `source:` part; NULL: none. */
const struct source *evaluate_source(const struct evaluator *e);
/* When the youngest value that it looked at was read; 0: never. Tells one reading from the next. */
int64_t evaluate_sampled_us(const struct evaluator *e);
/* The longest period at which one of its points is read; 0: none, or it is not known. */
int64_t evaluate_period_us(const struct evaluator *e);
/* The longest source_stale_us() of its points, those that are read once left out; 0: none. */
int64_t evaluate_patience_us(const struct evaluator *e);
/* In words, as the technician wrote it, with the value beside it: "meter.power_w 143.2 above 120".
 * Of `all` and `any` the parts that make it so, joined by "and" or "or"; what is not known:
 * "meter.power_w not known"; what does not hold: "meter.power_w 12 not above 120". Strings that a
 * device or a file supplied are left out: these words are published. */
void evaluate_words(const struct evaluator *e, char *buf, size_t size);
/* The same for what held before: "meter.power_w 12 was above 120". */
void evaluate_words_past(const struct evaluator *e, char *buf, size_t size);

#endif
