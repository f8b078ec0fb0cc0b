/* SPDX-License-Identifier: MIT */
/* rules.c -- reads conditions, usage rules and alarms of a machine or a profile */
#include "config/rules.h"

#include <string.h>

#include "config/config_keys.h"
#include "config/scalar.h"

enum { PARTS_MAX = 64, RULES_MAX = 1000 };

struct where { /* what every check here needs */
	struct reader *r;
	const struct rule_scope *scope;
	const struct node *at; /* the rule's map */
	bool exits;            /* above and below together: entry and exit level */
};

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

struct point_facts
rules_point_facts(const struct reg_point *p)
{
	struct point_facts facts = {
		.shape = SHAPE_NUMBER, .enums = p->enums, .n_enums = p->n_enums};
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

static const struct node *
either(const struct node *a, const struct node *b)
{
	return a ? a : b;
}

/* The one comparison of a point condition; usage rules may add the exit level. */
static const struct node *
main_test(const struct where *w, const struct condition_draft *d, enum test *test)
{
	const struct {
		const struct node *node;
		enum test test;
	} all[] = {{d->above, TEST_ABOVE}, {d->below, TEST_BELOW}, {d->equals, TEST_EQUALS},
		{d->is_not, TEST_NOT}, {d->any_of, TEST_ANY_OF}, {d->bit, TEST_BIT}};
	const struct node *first = NULL;
	size_t n = 0;

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		n += all[i].node != NULL;
		if (all[i].node && !first) {
			first = all[i].node;
			*test = all[i].test;
		}
	}
	bool pair = n == 2 && d->above && d->below;
	if (n == 1 || (pair && w->exits))
		return first;
	reader_error(w->r, w->at, NULL, NULL,
		pair ? "above and below together; an alarm's other level is \"clear\""
		     : "a point needs exactly one of above, below, equals, not, any_of, bit");
	return NULL;
}

static bool
comes_first(const struct node *a, const struct node *b)
{
	return a->line < b->line || (a->line == b->line && a->column < b->column);
}

static bool
read_operand(const struct where *w, const struct node *node, const char *key, struct operand *out)
{
	if (node->kind != NODE_SCALAR || !*node->text) {
		reader_error(w->r, node, key, NULL, "must be one value");
		return false;
	}
	out->kind = OPERAND_WORD;
	if (node->plain && scalar_bool(node->text, &out->yes))
		out->kind = OPERAND_BOOL;
	else if (node->plain && scalar_number(node->text, &out->number))
		out->kind = OPERAND_NUMBER;
	else
		out->word = arena_text(w->r->arena, node->text);
	return true;
}

static void
check_word(const struct where *w, const struct node *node, const char *key,
	const struct point_facts *facts, const char *word)
{
	const char **words = arena_array(w->r->arena, facts->n_enums + 1, sizeof *words);

	for (size_t i = 0; i < facts->n_enums; i++) {
		words[i] = facts->enums[i].key;
		if (strcmp(words[i], word) == 0)
			return;
	}
	reader_error(w->r, node, key, "P031", "\"%.40s\" is not a word of this point%s", word,
		reader_hint(w->r, word, words));
}

static void
check_operand(const struct where *w, const struct node *node, const char *key,
	const struct point_facts *facts, const struct operand *o)
{
	static const char *const wanted[] = {
		[SHAPE_NUMBER] = "a number",
		[SHAPE_BOOL] = "true or false",
		[SHAPE_WORD] = "a word of its enum",
		[SHAPE_TEXT] = "a text",
	};
	static const int kinds[] = {
		[SHAPE_NUMBER] = OPERAND_NUMBER,
		[SHAPE_BOOL] = OPERAND_BOOL,
		[SHAPE_WORD] = OPERAND_WORD,
		[SHAPE_TEXT] = OPERAND_WORD,
	};

	if (facts->shape == SHAPE_UNKNOWN)
		return;
	if ((int)o->kind != kinds[facts->shape])
		reader_error(w->r, node, key, "P031",
			"\"%.40s\": this point can only be compared with %s", node->text,
			wanted[facts->shape]);
	else if (facts->shape == SHAPE_WORD)
		check_word(w, node, key, facts, o->word);
}

static bool
read_level(const struct where *w, const struct node *node, const char *key,
	const struct point_facts *facts, struct operand *out)
{
	out->kind = OPERAND_NUMBER;
	if (facts->shape > SHAPE_NUMBER) {
		reader_error(w->r, node, key, "P031",
			"only numbers can be compared with above and below");
		return false;
	}
	return reader_number(w->r, node, key, NULL, &out->number);
}

static bool
read_bit(const struct where *w, const struct node *node, const struct point_facts *facts,
	struct operand *out)
{
	int64_t bit;

	if (!reader_int(w->r, node, "bit", 0, 63, "P027", &bit))
		return false;
	out->kind = OPERAND_NUMBER;
	out->number = (double)bit;
	if (facts->shape == SHAPE_UNKNOWN || bit < facts->bits)
		return true;
	if (facts->bits)
		reader_error(w->r, node, "bit", "P027", "bit %d of a point of %d bits", (int)bit,
			facts->bits);
	else
		reader_error(w->r, node, "bit", "P027",
			"this point has no bits; bits are of unscaled "
			"integers without enum");
	return false;
}

static bool
read_any_of(const struct where *w, const struct node *node, const struct point_facts *facts,
	struct condition *c)
{
	if (node->kind != NODE_LIST || node->n == 0) {
		reader_error(w->r, node, "any_of", NULL, "must be a list of values");
		return false;
	}
	c->operands = arena_array(w->r->arena, node->n, sizeof *c->operands);
	for (const struct node *child = node->first; child; child = child->next) {
		struct operand *o = &c->operands[c->n_operands];
		if (!read_operand(w, child, "any_of", o))
			return false;
		check_operand(w, child, "any_of", facts, o);
		c->n_operands++;
	}
	return true;
}

static bool
read_test(const struct where *w, const struct node *node, const struct point_facts *facts,
	struct condition *c)
{
	if (c->test == TEST_ANY_OF)
		return read_any_of(w, node, facts, c);
	c->operands = arena_alloc(w->r->arena, sizeof *c->operands);
	c->n_operands = 1;
	if (c->test == TEST_ABOVE || c->test == TEST_BELOW)
		return read_level(w, node, node->key->text, facts, c->operands);
	if (c->test == TEST_BIT)
		return read_bit(w, node, facts, c->operands);
	if (!read_operand(w, node, node->key->text, c->operands))
		return false;
	check_operand(w, node, node->key->text, facts, c->operands);
	return true;
}

/* `above: 120, below: 80` enters above 120 and leaves below 80; `below: 2, above: 3` the other way
 * round. What is written first is the entry. */
static bool
read_exit(const struct where *w, const struct condition_draft *d, struct condition *c)
{
	if (!d->above || !d->below)
		return true;
	bool above_first = comes_first(d->above, d->below);
	const struct node *entry = above_first ? d->above : d->below;
	const struct node *leave = above_first ? d->below : d->above;
	c->test = above_first ? TEST_ABOVE : TEST_BELOW;
	if (!reader_number(w->r, entry, entry->key->text, NULL, &c->operands->number) ||
		!reader_number(w->r, leave, leave->key->text, NULL, &c->exit))
		return false;
	c->has_exit = true;
	double above = above_first ? c->operands->number : c->exit;
	double below = above_first ? c->exit : c->operands->number;
	if (below < above)
		return true;
	reader_error(w->r, d->below, "below", "P029", "below %s must be less than above %s",
		d->below->text, d->above->text);
	return false;
}

static bool
read_point(const struct where *w, const struct condition_draft *d, struct condition *c)
{
	struct point_facts facts = {.shape = SHAPE_UNKNOWN};
	const struct node *at = node_get(w->at, "point");
	const char *code = w->exits ? "P031" : "P027";

	c->kind = CONDITION_POINT;
	c->point = d->point;
	c->stat = d->stat;
	c->window_ms = d->window_ms ? d->window_ms : d->stat == STAT_LAST ? 0 : 60000;
	if (!w->scope->find_point(w->scope->self, d->point, &facts)) {
		const char *const *names = w->scope->names(w->scope->self, w->r, d->point);
		reader_error(w->r, at, "point", code, "there is no point \"%.80s\"%s%s", d->point,
			w->scope->profile || strchr(d->point, '.')
				? ""
				: " (points of a machine are written source.point)",
			reader_hint(w->r, d->point, names));
		return false;
	}
	if (d->stat != STAT_LAST && facts.shape > SHAPE_NUMBER) {
		reader_error(w->r, at, "stat", "P031", "only numbers have a mean, max or p90");
		return false;
	}
	const struct node *node = main_test(w, d, &c->test);
	return node && read_test(w, node, &facts, c) && read_exit(w, d, c);
}

static bool
read_source(const struct where *w, const struct condition_draft *d, struct condition *c)
{
	c->kind = CONDITION_SOURCE;
	c->source = d->source;
	if (!w->scope->find_source) {
		reader_error(w->r, w->at, "source", NULL, "only a machine has sources");
		return false;
	}
	if (!d->ok || d->ok->kind != NODE_SCALAR || !scalar_bool(d->ok->text, &c->ok)) {
		reader_error(w->r, either(d->ok, w->at), "ok", NULL,
			"needs true or false beside source");
		return false;
	}
	if (w->scope->find_source(w->scope->self, d->source))
		return true;
	reader_error(w->r, node_get(w->at, "source"), "source", NULL,
		"this machine has no source \"%.32s\"", d->source);
	return false;
}

static bool read_condition(
	const struct where *w, const struct condition_draft *d, struct condition *c);

static bool
read_part(const struct where *w, const struct node *node, struct condition *c)
{
	struct condition_draft d = {.activity = -1};
	struct where inner = *w;

	inner.at = node;
	size_t errors = w->r->problems->errors;
	keys_read(w->r, &condition_table, node, &d);
	return w->r->problems->errors == errors && read_condition(&inner, &d, c);
}

static bool
read_parts(const struct where *w, const struct node *list, struct condition *c)
{
	bool good = list->n > 0 && list->n <= PARTS_MAX;
	struct path path;

	if (!good)
		reader_error(
			w->r, list, list->key->text, NULL, "needs 1 to %d conditions", PARTS_MAX);
	else
		c->parts = arena_array(w->r->arena, list->n, sizeof *c->parts);
	for (const struct node *child = list->first; child && c->parts; child = child->next) {
		reader_push(w->r, &path, list->key->text, c->n_parts);
		good = read_part(w, child, &c->parts[c->n_parts++]) && good;
		reader_pop(w->r);
	}
	return good;
}

static bool
has_test(const struct condition_draft *d)
{
	return d->above || d->below || d->equals || d->is_not || d->any_of || d->bit;
}

/* How many kinds of condition a map names; one is right. */
static int
count_kinds(const struct condition_draft *d)
{
	return (d->point || has_test(d)) + (d->source || d->ok) + (d->all != NULL) +
	       (d->any != NULL) + (d->activity >= 0);
}

static bool
read_condition(const struct where *w, const struct condition_draft *d, struct condition *c)
{
	int kinds = count_kinds(d);

	if (kinds != 1 || (has_test(d) && !d->point) || (d->ok && !d->source)) {
		reader_error(w->r, w->at, NULL, NULL,
			"%s; a condition is one of point (with above, below, equals, not, any_of or "
			"bit), activity, source (with ok), all, any",
			kinds > 1 ? "more than one condition" : "no condition");
		return false;
	}
	if (d->point)
		return read_point(w, d, c);
	if (d->source)
		return read_source(w, d, c);
	if (d->activity >= 0) {
		c->kind = CONDITION_ACTIVITY;
		c->activity = (enum activity)d->activity;
		return true;
	}
	c->kind = d->all ? CONDITION_ALL : CONDITION_ANY;
	return read_parts(w, either(d->all, d->any), c);
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
	rule->always = count_kinds(&d.when) == 0;
	if (r->problems->errors != errors)
		return false;
	return rule->always || read_condition(&w, &d.when, &rule->when);
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
	rule->silent = count_kinds(&d.when) == 0;
	check_code(&w, rule);
	if (scope->profile && !rule->text.ru)
		reader_error(r, node, NULL, "P028", "alarm \"%.64s\" has no text.ru", rule->code);
	if (rule->silent && scope->profile)
		reader_error(r, node, NULL, "P003", "alarm \"%.64s\" has no condition", rule->code);
	if (!rule->silent && read_condition(&w, &d.when, &rule->when))
		check_clear(&w, &d, rule);
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
