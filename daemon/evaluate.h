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
	enum activity activity; /* of the machine; ACTIVITY_UNKNOWN makes `activity:` unknown */
};

/* `c` and the sources must outlive it. NULL: no memory. A point that is not there (the
 * configuration was checked, but `points:` may leave it out) is never known. */
struct evaluator *evaluate_create(const struct condition *c, const struct scope *scope);
void evaluate_destroy(struct evaluator *e); /* NULL is fine */

/* `held`: it was found to hold and acted on, so the exit level counts: `exit` of the condition, or
 * the one of evaluate_set_exit(). Takes samples for mean, max and p90 as a side effect: to be
 * called at least on each reading of the machine. A window of which less than half is covered is
 * unknown. */
enum truth evaluate_test(struct evaluator *e, const struct circumstances *now, bool held);
/* The level an alarm must come back past to be over (`clear`). */
void evaluate_set_exit(struct evaluator *e, double exit);

/* Of the first point that decides: its value now (for stat: the statistic), and the level it is
 * compared with. False: it has none that is a number. `source` (may be NULL) gets the source's id.
 */
bool evaluate_value(
	const struct evaluator *e, struct value *value, double *limit, const char **source);
/* The source of its first point or `source:` part; NULL: none. */
const struct source *evaluate_source(const struct evaluator *e);
/* When the youngest value that it looked at was read; 0: never. Tells one reading from the next. */
int64_t evaluate_sampled_us(const struct evaluator *e);
/* In words, as the technician wrote it, with the value beside it: "meter.power_w 143.2 above 120".
 * All parts of `all`, joined by "and"; of `any` the ones that hold, joined by "or"; with nothing
 * known: "meter.power_w not known". */
void evaluate_words(const struct evaluator *e, char *buf, size_t size);

#endif
