/* SPDX-License-Identifier: MIT */
/* condition.c -- reads the condition of a usage rule or alarm */
#include "config/condition.h"

#include <string.h>

#include "config/scalar.h"

enum { PARTS_MAX = 64 };

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

static bool
read_part(const struct where *w, const struct node *node, struct condition *c)
{
	struct condition_draft d = {.activity = -1};
	struct where inner = *w;

	inner.at = node;
	size_t errors = w->r->problems->errors;
	keys_read(w->r, &condition_table, node, &d);
	return w->r->problems->errors == errors && condition_read(&inner, &d, c);
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

int
condition_kinds(const struct condition_draft *d)
{
	return (d->point || has_test(d)) + (d->source || d->ok) + (d->all != NULL) +
	       (d->any != NULL) + (d->activity >= 0);
}

bool
condition_read(const struct where *w, const struct condition_draft *d, struct condition *c)
{
	int kinds = condition_kinds(d);

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
