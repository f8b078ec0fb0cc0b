/* SPDX-License-Identifier: MIT */
/* alarmset.c -- all alarms of one machine: where they come from and what becomes of them
 *
 * The set is made in layers: what profiles and drivers state, then the machine's own rules, which
 * replace or re-word those of equal code. An entry never moves, so pointers to its alarm stay good
 * until the set goes.
 */
#include "daemon/alarmset.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/alarm_words.h"

#define SILENT_AFTER_MS 60000
#define CLEAR_FOR_MS 2000

enum origin {
	ORIGIN_CONDITION, /* of a machine or profile */
	ORIGIN_FAULT,     /* of a driver: a bit of its status */
	ORIGIN_SILENT,
	ORIGIN_TEST,
	ORIGIN_GONE /* was active, and is not configured any more */
};

struct entry {
	struct alarm alarm;
	char code[80];
	enum origin origin;
	struct evaluator *evaluator;
	const struct source *source;
	unsigned bit;
	int64_t until_us; /* ORIGIN_TEST */
	/* ORIGIN_SILENT: its bus's alarm, and when that was last active */
	char bus_alarm[96];
	int64_t bus_alarm_us;
};

struct alarmset {
	struct entry **entries;
	size_t n;
};

/* ---- making the set ------------------------------------------------------------------------ */

static void
entry_destroy(struct entry *e)
{
	if (e)
		evaluate_destroy(e->evaluator);
	free(e);
}

static struct entry *
find(const struct alarmset *s, const char *code)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->entries[i]->code, code) == 0)
			return s->entries[i];
	return NULL;
}

static struct entry *
add(struct alarmset *s, const char *code, enum origin origin)
{
	struct entry **more = realloc(s->entries, (s->n + 1) * sizeof(struct entry *));
	struct entry *e = more ? calloc(1, sizeof(*e)) : NULL;
	if (more)
		s->entries = more;
	if (!e)
		return NULL;
	snprintf(e->code, sizeof e->code, "%s", code);
	e->origin = origin;
	e->alarm.spec.code = e->code;
	s->entries[s->n++] = e;
	return e;
}

/* Alarms of equal code change places; of none, they go. */
static void
drop(struct alarmset *s, struct entry *e)
{
	size_t i = 0;

	while (i < s->n && s->entries[i] != e)
		i++;
	if (i == s->n)
		return;
	entry_destroy(e);
	s->n--;
	memmove(&s->entries[i], &s->entries[i + 1], (s->n - i) * sizeof(struct entry *));
}

static void
apply_rule(struct entry *e, const struct alarm_rule *rule)
{
	e->alarm.spec = (struct alarm_spec){.code = e->code,
		.severity = rule->severity,
		.for_ms = rule->for_ms,
		.clear_for_ms = rule->clear_for_ms,
		.hits = rule->hits,
		.latch = rule->latch,
		.source = e->source ? e->source->config->id : NULL,
		.text = rule->text,
		.hint = rule->hint};
}

static int
bind_condition(struct entry *e, const struct alarm_rule *rule, const struct scope *scope)
{
	e->evaluator = evaluate_create(&rule->when, scope);
	if (!e->evaluator)
		return -ENOMEM;
	if (rule->has_clear)
		evaluate_set_exit(e->evaluator, rule->clear);
	e->source = scope->own ? scope->own : evaluate_source(e->evaluator);
	apply_rule(e, rule);
	return 0;
}

/* An alarm of a profile, or the fault of that index of a driver. */
static int
add_profile_alarm(struct alarmset *s, const struct scope *scope, size_t i)
{
	const struct alarm_rule *rule = &scope->own->config->profile->faults[i];
	char code[80];

	alarm_code(code, sizeof code, scope->own->config->id, rule->code);
	if (rule->severity == SEVERITY_NONE || find(s, code))
		return 0;
	struct entry *e = add(s, code, rule->silent ? ORIGIN_FAULT : ORIGIN_CONDITION);
	if (!e)
		return -ENOMEM;
	if (!rule->silent)
		return bind_condition(e, rule, scope);
	e->source = scope->own;
	e->bit = (unsigned)i;
	apply_rule(e, rule);
	return 0;
}

static int
add_silent(struct alarmset *s, const struct source *source)
{
	const struct alarm_words *words = alarm_words_find("<source>-silent");
	const struct alarm_rule rule = {.severity = words->severity,
		.for_ms = SILENT_AFTER_MS,
		.clear_for_ms = CLEAR_FOR_MS,
		.hits = 1,
		.text = words->text,
		.hint = words->hint};
	char code[80];

	alarm_code(code, sizeof code, source->config->id, "silent");
	drop(s, find(s, code)); /* a driver's own of that name means the same, but needs an answer
				 */
	struct entry *e = add(s, code, ORIGIN_SILENT);
	if (!e)
		return -ENOMEM;
	e->source = source;
	apply_rule(e, &rule);
	return 0;
}

static int
add_source(struct alarmset *s, const struct scope *scope, bool always_on)
{
	const struct source_config *c = scope->own->config;
	int rc = 0;

	for (size_t i = 0; rc == 0 && c->profile && i < c->profile->n_faults; i++)
		rc = add_profile_alarm(s, scope, i);
	/* People switch USB machines off. */
	if (rc == 0 && (c->driver->needs_profile || always_on))
		rc = add_silent(s, scope->own);
	return rc;
}

static bool
says_something(const struct text *t)
{
	return t->ru || t->en;
}

/* An alarm of the machine without a condition. */
static void
change(struct alarmset *s, const struct alarm_rule *rule)
{
	struct entry *e = find(s, rule->code);

	if (!e)
		return;
	e->alarm.spec.severity = rule->severity;
	if (says_something(&rule->text))
		e->alarm.spec.text = rule->text;
	if (says_something(&rule->hint))
		e->alarm.spec.hint = rule->hint;
	if (rule->severity == SEVERITY_NONE)
		drop(s, e);
}

static int
add_machine_alarm(struct alarmset *s, const struct scope *scope, const struct alarm_rule *rule)
{
	if (rule->silent) {
		change(s, rule);
		return 0;
	}
	drop(s, find(s, rule->code));
	if (rule->severity == SEVERITY_NONE)
		return 0;
	struct entry *e = add(s, rule->code, ORIGIN_CONDITION);
	return e ? bind_condition(e, rule, scope) : -ENOMEM;
}

struct alarmset *
alarmset_create(
	const struct machine_config *config, struct source *const *sources, size_t n_sources)
{
	struct alarmset *s = calloc(1, sizeof(*s));
	struct scope scope = {.sources = sources, .n_sources = n_sources};
	int rc = s ? 0 : -ENOMEM;

	for (size_t i = 0; rc == 0 && i < n_sources; i++) {
		scope.own = sources[i];
		rc = add_source(s, &scope, config->always_on);
	}
	scope.own = NULL;
	for (size_t i = 0; rc == 0 && i < config->n_alarms; i++)
		rc = add_machine_alarm(s, &scope, &config->alarms[i]);
	if (rc == 0)
		return s;
	alarmset_destroy(s);
	return NULL;
}

void
alarmset_destroy(struct alarmset *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++)
		entry_destroy(s->entries[i]);
	free(s->entries);
	free(s);
}

size_t
alarmset_size(const struct alarmset *s)
{
	return s->n;
}

struct alarm *
alarmset_at(struct alarmset *s, size_t i)
{
	return &s->entries[i]->alarm;
}

struct alarm *
alarmset_find(struct alarmset *s, const char *code)
{
	struct entry *e = find(s, code);

	return e ? &e->alarm : NULL;
}

int
alarmset_restore(
	struct alarmset *s, const char *code, const struct alarm_life *life, struct moment now)
{
	struct entry *e = find(s, code);

	if (!e && !life->active)
		return 0;
	if (!e)
		e = add(s, code, ORIGIN_GONE);
	if (!e)
		return -ENOMEM;
	alarm_restore(&e->alarm, life, now);
	if (e->origin == ORIGIN_GONE)
		e->alarm.spec.severity = life->severity;
	return 0;
}

bool
alarmset_is_gone(struct alarmset *s, const char *code)
{
	const struct entry *e = find(s, code);

	return !e || (e->origin == ORIGIN_GONE && !e->alarm.life.active);
}

int
alarmset_test(struct alarmset *s, enum severity severity, int64_t ms, struct moment now)
{
	const struct alarm_words *words = alarm_words_find("test");
	struct entry *e = find(s, words->code);

	if (e && e->origin != ORIGIN_TEST && e->origin != ORIGIN_GONE)
		return -EEXIST;
	if (!e)
		e = add(s, words->code, ORIGIN_TEST);
	if (!e)
		return -ENOMEM;
	e->origin = ORIGIN_TEST;
	e->alarm.spec = (struct alarm_spec){.code = e->code,
		.severity = severity,
		.test = true,
		.text = words->text,
		.hint = words->hint};
	/* Who tries it three times does not want to be told that it flaps. */
	memset(e->alarm.recent_us, 0, sizeof e->alarm.recent_us);
	e->until_us = now.us + ms * 1000;
	return 0;
}

/* ---- an update ----------------------------------------------------------------------------- */

static void
ask_condition(struct entry *e, const struct alarmset_context *context, struct alarm_input *in)
{
	const struct circumstances now = {.now_us = context->now.us, .activity = context->activity};

	in->condition = evaluate_test(e->evaluator, &now, alarm_is_held(&e->alarm));
	in->has_value = evaluate_value(e->evaluator, &in->value, &in->limit, NULL);
	in->has_limit = in->has_value;
	in->sampled_us = evaluate_sampled_us(e->evaluator);
}

static enum truth
ask_fault(const struct entry *e)
{
	const struct source *s = e->source;

	if (s->faults_since >> e->bit & 1) /* that it is silent is a driver's word, too */
		return TRUTH_TRUE;
	if (!s->ok)
		return TRUTH_UNKNOWN;
	return s->status.faults >> e->bit & 1 ? TRUTH_TRUE : TRUTH_FALSE;
}

/* When its bus is back, a device has as long to answer again as it has at any other time. */
static void
ask_silent(struct entry *e, const struct alarmset_context *context, struct alarm_input *in)
{
	const struct source *s = e->source;
	int64_t now_us = context->now.us;

	in->condition = !s->decided ? TRUTH_UNKNOWN : s->ok ? TRUTH_FALSE : TRUTH_TRUE;
	if (s->bus_alarm) {
		snprintf(e->bus_alarm, sizeof e->bus_alarm, "%s", s->bus_alarm);
		e->bus_alarm_us = now_us;
	} else if (now_us - e->bus_alarm_us >= SILENT_AFTER_MS * 1000LL) {
		e->bus_alarm[0] = '\0';
	}
	if (e->bus_alarm[0])
		in->suppressor = e->bus_alarm;
}

static unsigned
update_entry(struct entry *e, const struct alarmset_context *context)
{
	struct alarm_input in = {.suppressor = context->maintenance ? "maintenance" : NULL};

	switch (e->origin) {
	case ORIGIN_CONDITION:
		ask_condition(e, context, &in);
		break;
	case ORIGIN_FAULT:
		in.condition = ask_fault(e);
		break;
	case ORIGIN_SILENT:
		ask_silent(e, context, &in);
		break;
	case ORIGIN_TEST:
		in.condition = context->now.us < e->until_us ? TRUTH_TRUE : TRUTH_FALSE;
		break;
	case ORIGIN_GONE:
		return alarm_withdraw(&e->alarm, context->now);
	}
	return alarm_update(&e->alarm, &in, context->flood, context->now);
}

void
alarmset_update(
	struct alarmset *s, const struct alarmset_context *context, alarmset_fn *each, void *arg)
{
	for (size_t i = 0; i < s->n; i++) {
		unsigned transitions = update_entry(s->entries[i], context);
		if (transitions)
			each(arg, &s->entries[i]->alarm, transitions);
	}
}

enum severity
alarmset_worst(const struct alarmset *s)
{
	enum severity worst = SEVERITY_NONE;

	for (size_t i = 0; i < s->n; i++) {
		const struct entry *e = s->entries[i];
		if (e->origin != ORIGIN_TEST && alarm_counts(&e->alarm) &&
			e->alarm.spec.severity > worst)
			worst = e->alarm.spec.severity;
	}
	return worst;
}
