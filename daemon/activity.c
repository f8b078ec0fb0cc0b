/* SPDX-License-Identifier: MIT */
/* activity.c -- usage rules -> what a machine is doing
 *
 * All rules are asked on every update, because their windows and beginnings must go on; then they
 * are walked in order up to the one that settles it. Where the walk stopped is kept: its end is
 * the beginning of what a later rule finds.
 */
#include "daemon/activity.h"

#include <stdio.h>
#include <stdlib.h>

#define PATIENCE_US 30000000LL /* for points that are unread at the start, at least */

enum standing {
	STANDING_NO,
	STANDING_PENDING, /* true, but not yet for `for` */
	STANDING_MISSING,
	STANDING_HOLDS
};

struct rule_state {
	const struct usage_rule *rule;
	struct evaluator *when; /* NULL: always */
	enum truth truth;
	int64_t since_us; /* of `truth` */
	bool held;        /* its exit level counts */
	bool won;         /* was true for `for`; ends with `hold` */
};

struct judge {
	struct rule_state *rules;
	size_t n;
	size_t stop; /* where the walk ended; n: no rule holds */
	enum activity activity;
	int64_t start_us, last_us, since_us, patience_us, period_us;
	bool decided;
	bool settled; /* by a rule that holds; false at the start and after `unknown` */
};

static bool
bind_rules(struct judge *j, const struct usage_rule *rules, const struct scope *scope)
{
	for (size_t i = 0; i < j->n; i++) {
		struct rule_state *r = &j->rules[i];
		r->rule = &rules[i];
		r->truth = rules[i].always ? TRUTH_TRUE : TRUTH_UNKNOWN;
		r->since_us = j->start_us;
		r->held = j->activity == rules[i].activity;
		if (rules[i].always)
			continue;
		r->when = evaluate_create(&rules[i].when, scope);
		if (!r->when)
			return false;
		int64_t patience = evaluate_patience_us(r->when);
		int64_t period = evaluate_period_us(r->when);
		j->patience_us = patience > j->patience_us ? patience : j->patience_us;
		j->period_us = period > j->period_us ? period : j->period_us;
	}
	return true;
}

struct judge *
activity_create(const struct usage_rule *rules, size_t n, const struct scope *scope,
	enum activity stored, int64_t now_us)
{
	struct judge *j = calloc(1, sizeof(*j));
	if (!j)
		return NULL;
	j->activity = stored;
	j->start_us = j->last_us = j->since_us = now_us;
	j->patience_us = PATIENCE_US;
	j->rules = calloc(n + 1, sizeof(*j->rules));
	j->n = j->rules ? n : 0;
	if (j->rules && bind_rules(j, rules, scope))
		return j;
	activity_destroy(j);
	return NULL;
}

void
activity_destroy(struct judge *j)
{
	if (!j)
		return;
	for (size_t i = 0; i < j->n; i++)
		evaluate_destroy(j->rules[i].when);
	free(j->rules);
	free(j);
}

/* ---- one rule ------------------------------------------------------------------------------ */

/* A change is as old as the reading that brought it, if one did: updates may come later. */
static int64_t
change_us(const struct rule_state *r, int64_t last_us, int64_t now_us)
{
	int64_t sampled_us = evaluate_sampled_us(r->when);

	return sampled_us > last_us && sampled_us < now_us ? sampled_us : now_us;
}

static void
ask(struct rule_state *r, const struct judge *j, int64_t now_us)
{
	const struct circumstances now = {.now_us = now_us, .activity = j->activity};

	if (!r->when)
		return;
	enum truth t = evaluate_test(r->when, &now, r->held);
	if (t != r->truth)
		r->since_us = change_us(r, j->last_us, now_us);
	r->truth = t;
	int64_t lasted_us = now_us - r->since_us;
	if (t == TRUTH_TRUE && (r->won || lasted_us >= r->rule->for_ms * 1000))
		r->won = r->held = true;
	else if (t == TRUTH_FALSE && lasted_us >= r->rule->hold_ms * 1000)
		r->won = false;
	else if (t == TRUTH_UNKNOWN)
		r->won = false;
	if (t == TRUTH_FALSE)
		r->held = false;
}

static enum standing
standing_of(const struct rule_state *r)
{
	if (!r->when || r->won)
		return STANDING_HOLDS;
	if (r->truth == TRUTH_UNKNOWN)
		return STANDING_MISSING;
	return r->truth == TRUTH_TRUE ? STANDING_PENDING : STANDING_NO;
}

/* ---- all of them --------------------------------------------------------------------------- */

/* The rule that settles it. One whose `for` runs lets later rules win, but only in a machine of
 * which it is known that it did something else before. */
static size_t
walk(const struct judge *j)
{
	for (size_t i = 0; i < j->n; i++) {
		enum standing s = standing_of(&j->rules[i]);
		if (s != STANDING_NO && (s != STANDING_PENDING || !j->settled))
			return i;
	}
	return j->n;
}

/* A later rule could not win before the one that was ahead of it had ended. */
static int64_t
beginning_us(const struct judge *j, size_t winner, size_t before)
{
	int64_t own_us = j->start_us, ahead_us = j->start_us;

	if (winner < j->n && j->rules[winner].when)
		own_us = j->rules[winner].since_us;
	if (before < winner)
		ahead_us = j->rules[before].since_us;
	return own_us > ahead_us ? own_us : ahead_us;
}

static void
decide(struct judge *j, enum activity activity, int64_t since_us)
{
	j->decided = true;
	if (activity == j->activity)
		return;
	j->activity = activity;
	j->since_us = since_us > j->since_us ? since_us : j->since_us;
}

enum activity
activity_update(struct judge *j, int64_t now_us)
{
	size_t before = j->stop;

	for (size_t i = 0; i < j->n; i++)
		ask(&j->rules[i], j, now_us);
	j->last_us = now_us;
	j->stop = walk(j);
	enum standing s = j->stop < j->n ? standing_of(&j->rules[j->stop]) : STANDING_MISSING;
	int64_t since_us = beginning_us(j, j->stop, before);
	if (s == STANDING_HOLDS) {
		decide(j, j->rules[j->stop].rule->activity, since_us);
		j->settled = true;
	} else if (s == STANDING_MISSING) {
		j->settled = false;
		if (j->decided || now_us - j->start_us > j->patience_us)
			decide(j, ACTIVITY_UNKNOWN, since_us);
	}
	return j->activity;
}

enum activity
activity_now(const struct judge *j)
{
	return j->activity;
}

bool
activity_decided(const struct judge *j)
{
	return j->decided;
}

int64_t
activity_since_us(const struct judge *j)
{
	return j->since_us;
}

/* ---- in words ------------------------------------------------------------------------------ */

/* " for 10 s" */
static void
add_duration(char *buf, size_t size, const char *word, int64_t ms)
{
	char number[48];
	const struct value v = {.kind = VALUE_DOUBLE, .u.num = (double)ms / 1000};

	if (value_print(&v, number, sizeof(number)))
		snprintf(buf, size, "%s %s s", word, number);
}

static void
explain(const struct rule_state *r, char *buf, size_t size)
{
	char words[256] = "no other rule holds", tail[64] = "";
	enum standing s = standing_of(r);
	bool ended = s == STANDING_HOLDS && r->truth == TRUTH_FALSE;

	if (ended)
		evaluate_words_past(r->when, words, sizeof(words));
	else if (r->when)
		evaluate_words(r->when, words, sizeof(words));
	if (ended)
		add_duration(tail, sizeof(tail), ", held for", r->rule->hold_ms);
	else if (s == STANDING_PENDING)
		add_duration(tail, sizeof(tail), " not yet for", r->rule->for_ms);
	else if (r->when && s == STANDING_HOLDS && r->rule->for_ms)
		add_duration(tail, sizeof(tail), " for", r->rule->for_ms);
	snprintf(buf, size, "%s%s", words, tail);
}

void
activity_reason(const struct judge *j, char *buf, size_t size)
{
	char text[320] = "no rule holds";
	bool stored = !j->decided && j->activity != ACTIVITY_UNKNOWN;

	if (j->stop < j->n)
		explain(&j->rules[j->stop], text, sizeof(text));
	snprintf(buf, size, "%s%s%s", stored ? activity_name(j->activity) : "",
		stored ? " as before the start; " : "", text);
}

void
activity_evidence(const struct judge *j, char *buf, size_t size)
{
	const struct rule_state *r = j->stop < j->n ? &j->rules[j->stop] : NULL;

	snprintf(buf, size, "%s", "");
	if (r && r->when && standing_of(r) == STANDING_HOLDS)
		evaluate_point(r->when, buf, size);
}

bool
activity_has(const struct judge *j, enum activity activity)
{
	for (size_t i = 0; i < j->n; i++)
		if (j->rules[i].rule->activity == activity)
			return true;
	return false;
}

int
activity_accuracy_s(const struct judge *j)
{
	return j->period_us > 1000000 ? (int)((j->period_us + 999999) / 1000000) : 1;
}
