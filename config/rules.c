/* SPDX-License-Identifier: MIT */
/* rules.c -- reads conditions, usage rules and alarms of a machine or a profile */
#include "config/rules.h"

#include <stdio.h>
#include <string.h>

#include "config/condition.h"
#include "config/scalar.h"

enum { RULES_MAX = 1000 };

const char *
activity_name(enum activity a)
{
	static const char *const names[] = {"unknown", "off", "idle", "busy", "paused"};

	return names[a];
}

const char *
severity_name(enum severity s)
{
	static const char *const names[] = {"none", "info", "warning", "error", "critical"};

	return names[s];
}

void
alarm_code(char *buf, size_t size, const char *source, const char *code)
{
	snprintf(buf, size, "%s-%s", source, code);
	for (char *c = buf; *c; c++)
		if (*c == '_')
			*c = '-';
}

struct point_facts
rules_point_facts(const struct reg_point *p)
{
	struct point_facts facts = {.shape = SHAPE_NUMBER,
		.enums = p->enums,
		.n_enums = p->n_enums,
		.has_range = p->has_range,
		.range_min = p->range_min,
		.range_max = p->range_max};
	bool raw = p->scale == 1 && p->offset == 0 && p->scale_from < 0 && p->type < REG_F32;

	if (p->type == REG_STRING)
		facts.shape = SHAPE_TEXT;
	else if (p->type == REG_BOOL)
		facts.shape = SHAPE_BOOL;
	else if (p->n_enums)
		facts.shape = SHAPE_WORD;
	else if (raw)
		facts.bits = p->width ? p->width : p->type <= REG_U8L ? 8 : p->count * 16;
	return facts;
}

static bool
read_usage_rule(struct reader *r, const struct rule_scope *scope, const struct node *node,
	struct usage_rule *rule)
{
	struct usage_draft d = {.when.activity = -1};
	struct where w = {.r = r, .scope = scope, .at = node, .exits = true};
	size_t errors = r->problems->errors;

	keys_read(r, &usage_table, node, &d);
	*rule = d.rule;
	rule->always = condition_kinds(&d.when) == 0;
	if (r->problems->errors != errors)
		return false;
	if (rule->always)
		return true;
	if (!condition_read(&w, &d.when, &rule->when))
		return false;
	rule_check_condition(r, scope, node, &rule->when, true);
	return true;
}

/* What follows a rule that always holds is never reached; without one nothing is. */
static void
check_last(struct reader *r, const struct node *list, const struct usage_rule *rules, size_t n)
{
	const struct node *child = list->first;

	if (n != list->n || n == 0)
		return;
	for (size_t i = 0; i + 1 < n; i++, child = child->next)
		if (rules[i].always)
			reader_error(r, child, NULL, "P030",
				"a rule without condition always wins; it must be the last");
	if (!rules[n - 1].always)
		reader_error(r, child, NULL, "P030",
			"usage has no final rule without condition; add for example - {activity: \"off\"}");
}

static bool
is_too_long(struct reader *r, const struct node *list, const char *key)
{
	if (list->n > RULES_MAX)
		reader_error(r, list, key, NULL, "too many; at most %d are read", RULES_MAX);
	return list->n > RULES_MAX;
}

void
rules_read_usage(struct reader *r, const struct rule_scope *scope, const struct node *list,
	struct usage_rule **out, size_t *n)
{
	struct path path;
	size_t i = 0;

	if (!list || is_too_long(r, list, "usage"))
		return;
	*out = arena_array(r->arena, list->n + 1, sizeof **out);
	for (const struct node *child = list->first; child; child = child->next) {
		reader_push(r, &path, "usage", i++);
		*n += read_usage_rule(r, scope, child, &(*out)[*n]);
		reader_pop(r);
	}
	reader_push(r, &path, "usage", SIZE_MAX);
	check_last(r, list, *out, *n);
	reader_pop(r);
	rule_check_order(r, list, *out, *n);
}

static bool
is_code(const char *s, size_t max)
{
	return scalar_matches(s, SCALAR_LOWER SCALAR_DIGIT, SCALAR_LOWER SCALAR_DIGIT "-", 1, max);
}

static void
check_code(const struct where *w, const struct alarm_rule *rule)
{
	/* A profile's code is published behind the source's id and a "-". */
	size_t max = w->scope->profile ? 31 : 64;

	if (!is_code(rule->code, max))
		reader_error(w->r, node_get(w->at, "code"), "code",
			w->scope->profile ? "P004" : NULL,
			"\"%.80s\" is not an alarm code; 1 to %zu of a-z 0-9 -, beginning with a-z 0-9",
			rule->code, max);
}

static void
check_clear(const struct where *w, const struct alarm_draft *d, struct alarm_rule *rule)
{
	const struct condition *c = &rule->when;
	bool level = c->kind == CONDITION_POINT && (c->test == TEST_ABOVE || c->test == TEST_BELOW);

	if (!d->clear)
		return;
	if (!level) {
		reader_error(w->r, d->clear, "clear", "P029", "belongs to above or below only");
		return;
	}
	if (!reader_number(w->r, d->clear, "clear", NULL, &rule->clear))
		return;
	rule->has_clear = true;
	double entry = c->operands->number;
	if (c->test == TEST_ABOVE ? rule->clear > entry : rule->clear < entry)
		reader_error(w->r, d->clear, "clear", "P029", "clear %s must not be %s than %s %g",
			d->clear->text, c->test == TEST_ABOVE ? "greater" : "less",
			c->test == TEST_ABOVE ? "above" : "below", entry);
}

static bool
read_alarm(struct reader *r, const struct rule_scope *scope, const struct node *node,
	struct alarm_rule *rule)
{
	struct alarm_draft d = {.when.activity = -1};
	struct where w = {.r = r, .scope = scope, .at = node};
	size_t errors = r->problems->errors;

	keys_read(r, &alarm_table, node, &d);
	*rule = d.rule;
	if (r->problems->errors != errors)
		return false;
	rule->silent = condition_kinds(&d.when) == 0;
	check_code(&w, rule);
	if (scope->profile && !rule->text.ru)
		reader_error(r, node, NULL, "P028", "alarm \"%.64s\" has no text.ru", rule->code);
	if (rule->silent && scope->profile)
		reader_error(r, node, NULL, "P003", "alarm \"%.64s\" has no condition", rule->code);
	if (!rule->silent && condition_read(&w, &d.when, &rule->when)) {
		check_clear(&w, &d, rule);
		rule_check_condition(r, scope, node, &rule->when, false);
	}
	return r->problems->errors == errors;
}

static void
check_unique(struct reader *r, const struct node *list, const struct alarm_rule *rules, size_t n)
{
	const struct node *child = list->first;

	for (size_t i = 0; n == list->n && i < n; i++, child = child->next)
		for (size_t k = 0; k < i; k++)
			if (strcmp(rules[i].code, rules[k].code) == 0)
				reader_error(r, child, NULL, r->codes ? "P005" : NULL,
					"alarm \"%.64s\" is defined twice", rules[i].code);
}

void
rules_read_alarms(struct reader *r, const struct rule_scope *scope, const struct node *list,
	struct alarm_rule **out, size_t *n)
{
	struct path path;
	size_t i = 0;

	if (!list || is_too_long(r, list, "alarms"))
		return;
	*out = arena_array(r->arena, list->n + 1, sizeof **out);
	for (const struct node *child = list->first; child; child = child->next) {
		reader_push(r, &path, "alarms", i++);
		*n += read_alarm(r, scope, child, &(*out)[*n]);
		reader_pop(r);
	}
	check_unique(r, list, *out, *n);
}
