/* SPDX-License-Identifier: MIT */
/* activity.h -- usage rules -> what a machine is doing
 *
 * The first rule that holds wins. A rule holds when its condition was true for `for`, and on for
 * `hold` after it became false; with an exit level it stays true until that is passed. A rule
 * whose point is not known makes `unknown`, unless an earlier rule holds. At the start, and after
 * `unknown`, nothing is decided before every rule ahead of the winner is false or its `for` has
 * passed; until then the stored activity stands (at first for as long as source_stale_us() lets
 * points be unread). Pure. Loop thread.
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
/* False: only the stored one stands, no sample has decided yet. */
bool activity_decided(const struct judge *j);
/* When the machine began to do this, which is before it could be known by `for` or `hold`: the
 * condition's own beginning, or the end of the condition that won before. Never later than the
 * last update, never before the beginning of the activity ahead of it. */
int64_t activity_since_us(const struct judge *j);
/* "meter.power_w 143.2 above 120 for 10 s"; "no other rule holds" for a rule without condition;
 * "chiller.flow_lpm not known". */
void activity_reason(const struct judge *j, char *buf, size_t size);
/* The point that tells (job.evidence): "meter.power_w"; "" if there is none. */
void activity_evidence(const struct judge *j, char *buf, size_t size);
/* How exactly beginnings and ends are known: the longest period of the points that the rules look
 * at, in whole seconds, at least 1. */
int activity_accuracy_s(const struct judge *j);

#endif
