/* SPDX-License-Identifier: MIT */
/* activity.h -- usage rules -> what a machine is doing
 *
 * The first rule that holds wins. A rule holds when its condition was true for `for`, and on for
 * `hold` after it became false; with an exit level it stays true until that is passed, also across
 * a time in which nothing was known, and across a restart for the rules of the stored activity. A
 * rule whose point is not known makes `unknown`, unless an earlier rule holds. At the start, and
 * after `unknown`, nothing is decided before every rule ahead of the winner is false or its `for`
 * has passed; until then the stored activity, or `unknown`, stands (at the start unread points
 * count as known to come for the longest source_stale_us() of all points, at least 30 s). `hold`
 * does not bridge a time in which nothing was known. Pure. Loop thread.
 */
#ifndef DAEMON_ACTIVITY_H
#define DAEMON_ACTIVITY_H

#include "daemon/evaluate.h"

struct judge;

/* `stored`: what it was before a restart or reload; ACTIVITY_UNKNOWN: nothing is known. `rules`
 * must outlive it. NULL: no memory. */
struct judge *activity_create(const struct usage_rule *rules, size_t n, const struct scope *scope,
	enum activity stored, int64_t now_us);
void activity_destroy(struct judge *j); /* NULL is fine */

/* On each reading of the machine and once a second. Returns the activity now. */
enum activity activity_update(struct judge *j, int64_t now_us);
enum activity activity_now(const struct judge *j);
/* False: only the stored one stands, nothing has been decided yet, not even that it is not known.
 */
bool activity_decided(const struct judge *j);
/* When the machine began to do this, which is before it could be known by `for` or `hold`: the
 * condition's own beginning, or the end of the condition that won before (or was not known). Never
 * later than the last update, never before the beginning of the activity ahead of it; of the stored
 * one: of activity_create(). */
int64_t activity_since_us(const struct judge *j);
/* As of the last update. "meter.power_w 143.2 above 120 for 10 s"; "meter.power_w 12 was above 120,
 * held for 60 s"; "no other rule holds" for a rule without condition; "chiller.flow_lpm not known";
 * "busy as before the start; meter.power_w not known". */
void activity_reason(const struct judge *j, char *buf, size_t size);
/* The point that tells (job.evidence): "meter.power_w"; "" if there is none, or none decided. */
void activity_evidence(const struct judge *j, char *buf, size_t size);
/* One of the rules is for this activity. */
bool activity_has(const struct judge *j, enum activity activity);
/* How exactly beginnings and ends are known: the longest period of the points that the rules look
 * at, in whole seconds, at least 1. */
int activity_accuracy_s(const struct judge *j);

#endif
