/* SPDX-License-Identifier: MIT */
/* rule_check.c -- rules that are well formed and still cannot mean what they say
 *
 * What is told as an error is so for every value that the point can have; nothing here guesses.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config/rules.h"

/* Files may be hostile: steps that looking for covered rules may take. */
enum { LEAVES_MAX = 64, STEPS_MAX = 1000000 };

/* ---- what a condition lets through --------------------------------------------------------- */

static bool
same_operand(const struct operand *a, const struct operand *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == OPERAND_NUMBER)
		return a->number == b->number;
	return a->kind == OPERAND_BOOL ? a->yes == b->yes : strcmp(a->word, b->word) == 0;
}

static bool
names_operand(const struct condition *c, const struct operand *o)
{
	for (size_t i = 0; i < c->n_operands; i++)
		if (same_operand(&c->operands[i], o))
			return true;
	return false;
}

/* Whether `c` holds for a value that equals `o`. */
static bool
admits(const struct condition *c, const struct operand *o)
{
	bool number = o->kind == OPERAND_NUMBER;
	double level = c->operands[0].number;

	switch (c->test) {
	case TEST_ABOVE:
		return number && o->number > level;
	case TEST_BELOW:
		return number && o->number < level;
	case TEST_EQUALS:
	case TEST_ANY_OF:
		return names_operand(c, o);
	case TEST_NOT:
		return !names_operand(c, o);
	case TEST_BIT:
		break;
	}
	return number && o->number >= 0 && o->number < 9007199254740992.0 &&
	       ((uint64_t)o->number >> (unsigned)level & 1);
}

static bool
is_list(const struct condition *c)
{
	return c->test == TEST_EQUALS || c->test == TEST_ANY_OF;
}

/* They compare the same number, or word. */
static bool
same_subject(const struct condition *a, const struct condition *b)
{
	return a->kind == CONDITION_POINT && b->kind == CONDITION_POINT &&
	       strcmp(a->point, b->point) == 0 && a->stat == b->stat &&
	       (a->stat == STAT_LAST || a->window_ms == b->window_ms);
}

/* ---- parts of `all` that exclude each other ------------------------------------------------ */

static bool
admits_none(const struct condition *c, const struct condition *list)
{
	for (size_t i = 0; i < list->n_operands; i++)
		if (admits(c, &list->operands[i]))
			return false;
	return true;
}

static bool
points_exclude(const struct condition *a, const struct condition *b)
{
	if (is_list(b))
		return admits_none(a, b);
	if (is_list(a))
		return admits_none(b, a);
	if (a->test == TEST_ABOVE && b->test == TEST_BELOW)
		return a->operands[0].number >= b->operands[0].number;
	if (a->test == TEST_BELOW && b->test == TEST_ABOVE)
		return a->operands[0].number <= b->operands[0].number;
	return false;
}

static bool
exclude(const struct condition *a, const struct condition *b)
{
	if (same_subject(a, b))
		return points_exclude(a, b);
	if (a->kind != b->kind)
		return false;
	if (a->kind == CONDITION_ACTIVITY)
		return a->activity != b->activity;
	return a->kind == CONDITION_SOURCE && strcmp(a->source, b->source) == 0 && a->ok != b->ok;
}

struct leaf {
	const struct node *node;
	const struct condition *c;
};

struct leaves { /* of one `all`, those of an `all` in it included */
	struct leaf list[LEAVES_MAX];
	size_t n;
};

static void
write_operand(const struct operand *o, char *buf, size_t size)
{
	if (o->kind == OPERAND_NUMBER)
		snprintf(buf, size, "%.9g", o->number);
	else
		snprintf(buf, size, "%.40s",
			o->kind == OPERAND_WORD ? o->word
			: o->yes                ? "true"
						: "false");
}

/* The condition as it is written, a list by its first word. */
static void
write_leaf(const struct condition *c, char *buf, size_t size)
{
	static const char *const tests[] = {[TEST_ABOVE] = "above",
		[TEST_BELOW] = "below",
		[TEST_EQUALS] = "equals",
		[TEST_NOT] = "not",
		[TEST_ANY_OF] = "any_of",
		[TEST_BIT] = "bit"};
	char operand[48] = "";

	if (c->kind == CONDITION_POINT) {
		write_operand(c->operands, operand, sizeof operand);
		snprintf(buf, size, "%.80s %s %s%s", c->point, tests[c->test], operand,
			c->n_operands > 1 ? ", …" : "");
	} else if (c->kind == CONDITION_SOURCE) {
		snprintf(buf, size, "source %.32s ok %s", c->source, c->ok ? "true" : "false");
	} else {
		snprintf(buf, size, "activity %s", activity_name(c->activity));
	}
}

static void
tell_exclusion(struct reader *r, const struct leaf *a, const struct leaf *b)
{
	char first[160], second[160];

	write_leaf(a->c, first, sizeof first);
	write_leaf(b->c, second, sizeof second);
	reader_error(r, b->node, NULL, "P041",
		"\"%s\" (line %d) and \"%s\" never hold together; all parts of \"all\" must", first,
		a->node->line, second);
}

static void
collect(const struct node *node, const struct condition *c, struct leaves *out)
{
	const struct node *child = node_get(node, "all");

	if (c->kind != CONDITION_ALL) {
		if (out->n < LEAVES_MAX)
			out->list[out->n++] = (struct leaf){node, c};
		return;
	}
	child = child ? child->first : NULL;
	for (size_t i = 0; i < c->n_parts && child; i++, child = child->next)
		collect(child, &c->parts[i], out);
}

static void
check_all(struct reader *r, const struct node *node, const struct condition *c)
{
	struct leaves leaves = {.n = 0};

	collect(node, c, &leaves);
	for (size_t i = 0; i < leaves.n; i++)
		for (size_t k = 0; k < i; k++)
			if (exclude(leaves.list[k].c, leaves.list[i].c)) {
				tell_exclusion(r, &leaves.list[k], &leaves.list[i]);
				return;
			}
}

/* ---- one point ----------------------------------------------------------------------------- */

static void
check_range(struct reader *r, const struct node *node, const struct condition *c,
	const struct point_facts *facts)
{
	double level = c->operands[0].number, min = facts->range_min, max = facts->range_max;
	bool above = c->test == TEST_ABOVE, below = c->test == TEST_BELOW;
	bool outside = is_list(c) && c->n_operands == 1 && c->operands[0].kind == OPERAND_NUMBER &&
		       (level < min || level > max);
	const char *what = NULL;

	if (!facts->has_range)
		return;
	if (outside || (above && level >= max) || (below && level <= min))
		what = "never holds";
	else if ((above && level < min) || (below && level > max))
		what = "always holds";
	else if (c->has_exit && (above ? c->exit <= min : c->exit >= max))
		what = "never ends";
	if (what)
		reader_warning(r, node, NULL, "P043",
			"%s: %.80s is between %.9g and %.9g; levels belong between them", what,
			c->point, min, max);
}

static void
check_window(struct reader *r, const struct node *node, const struct condition *c,
	const struct point_facts *facts)
{
	if (c->stat == STAT_LAST || c->window_ms >= 2 * facts->period_ms)
		return;
	reader_warning(r, node, NULL, "P043",
		"window of %" PRId64 " s, but %.80s is read every %.9g s; a window needs two polls",
		c->window_ms / 1000, c->point, (double)facts->period_ms / 1000);
}

static void
check_point(struct reader *r, const struct rule_scope *scope, const struct node *node,
	const struct condition *c)
{
	struct point_facts facts = {.shape = SHAPE_UNKNOWN};

	if (!scope->find_point(scope->self, c->point, &facts))
		return;
	check_range(r, node, c, &facts);
	check_window(r, node, c, &facts);
}

/* ---- all of a condition -------------------------------------------------------------------- */

static void
check_parts(struct reader *r, const struct rule_scope *scope, const struct node *node,
	const struct condition *c, bool is_usage)
{
	const char *key = c->kind == CONDITION_ALL ? "all" : "any";
	const struct node *list = node_get(node, key);
	const struct node *child = list ? list->first : NULL;
	struct path path;

	for (size_t i = 0; i < c->n_parts && child; i++, child = child->next) {
		reader_push(r, &path, key, i);
		rule_check_condition(r, scope, child, &c->parts[i], is_usage);
		reader_pop(r);
	}
}

void
rule_check_condition(struct reader *r, const struct rule_scope *scope, const struct node *node,
	const struct condition *c, bool is_usage)
{
	size_t errors = r->problems->errors;

	if (c->kind == CONDITION_POINT)
		check_point(r, scope, node, c);
	else if (c->kind == CONDITION_ACTIVITY && is_usage)
		reader_error(r, node, NULL, "P042",
			"a usage rule decides the activity, so it cannot ask for it; ask for points "
			"or sources");
	check_parts(r, scope, node, c, is_usage);
	/* Once, for the innermost `all` that it is about. */
	if (c->kind == CONDITION_ALL && r->problems->errors == errors)
		check_all(r, node, c);
}

/* ---- rules that an earlier one covers ------------------------------------------------------ */

static bool implies(const struct condition *a, const struct condition *b, int *steps);

static bool
admits_all(const struct condition *c, const struct condition *list)
{
	for (size_t i = 0; i < list->n_operands; i++)
		if (!admits(c, &list->operands[i]))
			return false;
	return true;
}

/* Whatever `a` holds for, `b` does. */
static bool
point_implies(const struct condition *a, const struct condition *b)
{
	double from = a->operands[0].number, to = b->operands[0].number;

	if (is_list(a))
		return admits_all(b, a);
	if (b->test == TEST_NOT && b->operands[0].kind == OPERAND_NUMBER &&
		(a->test == TEST_ABOVE || a->test == TEST_BELOW))
		return a->test == TEST_ABOVE ? to <= from : to >= from;
	if (a->test != b->test)
		return false;
	if (a->test == TEST_ABOVE)
		return from >= to;
	if (a->test == TEST_BELOW)
		return from <= to;
	return same_operand(a->operands, b->operands);
}

static bool
leaf_implies(const struct condition *a, const struct condition *b)
{
	if (same_subject(a, b))
		return point_implies(a, b);
	if (a->kind != b->kind)
		return false;
	if (a->kind == CONDITION_ACTIVITY)
		return a->activity == b->activity;
	return a->kind == CONDITION_SOURCE && strcmp(a->source, b->source) == 0 && a->ok == b->ok;
}

static bool
each_part_implies(const struct condition *a, const struct condition *b, int *steps)
{
	for (size_t i = 0; i < a->n_parts; i++)
		if (!implies(&a->parts[i], b, steps))
			return false;
	return true;
}

static bool
implies_each_part(const struct condition *a, const struct condition *b, int *steps)
{
	for (size_t i = 0; i < b->n_parts; i++)
		if (!implies(a, &b->parts[i], steps))
			return false;
	return true;
}

/* Not every implication is found, but what is found is one. */
static bool
implies(const struct condition *a, const struct condition *b, int *steps)
{
	if (--*steps < 0)
		return false;
	if (a->kind == CONDITION_ANY)
		return each_part_implies(a, b, steps);
	if (b->kind == CONDITION_ALL)
		return implies_each_part(a, b, steps);
	for (size_t i = 0; a->kind == CONDITION_ALL && i < a->n_parts; i++)
		if (implies(&a->parts[i], b, steps))
			return true;
	for (size_t i = 0; b->kind == CONDITION_ANY && i < b->n_parts; i++)
		if (implies(a, &b->parts[i], steps))
			return true;
	return leaf_implies(a, b);
}

static bool
covers(const struct usage_rule *earlier, const struct usage_rule *later, int *steps)
{
	return !earlier->always && !later->always && earlier->for_ms <= later->for_ms &&
	       implies(&later->when, &earlier->when, steps);
}

void
rule_check_order(
	struct reader *r, const struct node *list, const struct usage_rule *rules, size_t n)
{
	const struct node *node = list->first;
	struct path path;
	int steps = STEPS_MAX;

	if (n != list->n)
		return;
	for (size_t i = 0; i < n; i++, node = node->next) {
		const struct node *earlier = list->first;
		for (size_t k = 0; k < i; k++, earlier = earlier->next) {
			if (!covers(&rules[k], &rules[i], &steps))
				continue;
			reader_push(r, &path, "usage", i);
			reader_error(r, node, NULL, "P042",
				"never wins: usage[%zu] (line %d) holds whenever this one does; put "
				"the narrower rule first, or leave one out",
				k, earlier->line);
			reader_pop(r);
			break;
		}
	}
}
