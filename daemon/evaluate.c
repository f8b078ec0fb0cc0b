/* SPDX-License-Identifier: MIT */
/* evaluate.c -- does a condition of the configuration hold? */
#include "daemon/evaluate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/evaluate_impl.h"

/* ---- binding a condition to its sources -------------------------------------------------- */

static const struct source *
find_source(const struct scope *scope, const char *id, size_t len)
{
	for (size_t i = 0; i < scope->n_sources; i++) {
		const char *own = scope->sources[i]->config->id;
		if (strncmp(own, id, len) == 0 && own[len] == '\0')
			return scope->sources[i];
	}
	return NULL;
}

static bool
bind_point(struct part *p, const struct scope *scope)
{
	const struct condition *c = p->c;
	const char *dot = scope->own ? NULL : strchr(c->point, '.');

	p->source = scope->own;
	if (dot)
		p->source = find_source(scope, c->point, (size_t)(dot - c->point));
	if (p->source)
		p->slot = source_slot(p->source, dot ? dot + 1 : c->point);
	p->has_exit = c->has_exit;
	p->exit = c->exit;
	if (c->stat == STAT_LAST || c->test == TEST_BIT) /* a mean has no bits */
		return true;
	p->window = window_create(c->window_ms * 1000, c->stat);
	return p->window != NULL;
}

static bool
bind_part(struct part *p, const struct condition *c, const struct scope *scope)
{
	p->c = c;
	p->slot = -1;
	p->entered = true;
	p->truth = TRUTH_UNKNOWN;
	if (c->kind == CONDITION_POINT)
		return bind_point(p, scope);
	if (c->kind == CONDITION_SOURCE)
		p->source = find_source(scope, c->source, strlen(c->source));
	if (c->n_parts == 0)
		return true;
	p->parts = calloc(c->n_parts, sizeof(*p->parts));
	if (!p->parts)
		return false;
	p->n_parts = c->n_parts;
	bool good = true;
	for (size_t i = 0; i < c->n_parts; i++)
		good = bind_part(&p->parts[i], &c->parts[i], scope) && good;
	return good;
}

static void
release_part(struct part *p)
{
	for (size_t i = 0; i < p->n_parts; i++)
		release_part(&p->parts[i]);
	free(p->parts);
	window_destroy(p->window);
}

struct evaluator *
evaluate_create(const struct condition *c, const struct scope *scope)
{
	struct evaluator *e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	if (bind_part(&e->root, c, scope))
		return e;
	evaluate_destroy(e);
	return NULL;
}

void
evaluate_destroy(struct evaluator *e)
{
	if (!e)
		return;
	release_part(&e->root);
	free(e);
}

void
evaluate_set_exit(struct evaluator *e, double exit)
{
	e->root.has_exit = true;
	e->root.exit = exit;
}

/* ---- a value against an operand ---------------------------------------------------------- */

static bool
equals_number(const struct value *v, double wanted)
{
	double n;

	if (!value_number(v, &n))
		return false;
	if (v->kind == VALUE_FLOAT) /* 0.1 as a person writes it is not a float32 */
		return (float)n == (float)wanted;
	if (v->kind == VALUE_REAL) /* raw times scale is not exactly the decimal number it means */
		return fabs(n - wanted) <= 1e-9 * fmax(fabs(wanted), 1);
	return n == wanted;
}

static bool
equals_operand(const struct value *v, const struct operand *o)
{
	bool is_text = v->kind == VALUE_ENUM || v->kind == VALUE_STRING;

	switch (o->kind) {
	case OPERAND_NUMBER:
		return equals_number(v, o->number);
	case OPERAND_BOOL:
		if (is_text)
			return strcmp(v->u.s, o->yes ? "true" : "false") == 0;
		return equals_number(v, o->yes ? 1 : 0);
	case OPERAND_WORD:
		if (v->kind == VALUE_BOOL)
			return strcmp(o->word, v->u.b ? "true" : "false") == 0;
		return is_text && strcmp(v->u.s, o->word) == 0;
	}
	return false;
}

static enum truth
truth_of(bool yes)
{
	return yes ? TRUTH_TRUE : TRUTH_FALSE;
}

static enum truth
test_bit(const struct value *v, unsigned bit)
{
	if (v->kind == VALUE_BOOL)
		return truth_of(bit == 0 && v->u.b);
	if (v->kind == VALUE_INT)
		return truth_of(((uint64_t)v->u.i >> bit) & 1);
	if (v->kind == VALUE_UINT)
		return truth_of((v->u.u >> bit) & 1);
	return TRUTH_UNKNOWN;
}

/* `above: 120, below: 80`: over when it is below 80, so 80 still counts. */
static bool
is_inside_exit(const struct part *p, double n)
{
	return p->c->test == TEST_ABOVE ? n >= p->exit : n <= p->exit;
}

static enum truth
test_level(struct part *p, const struct value *v, bool held)
{
	double n, level = p->c->operands[0].number;

	if (!value_number(v, &n))
		return TRUTH_UNKNOWN;
	bool entry = p->c->test == TEST_ABOVE ? n > level : n < level;
	p->by_exit = !entry && held && p->entered && p->has_exit && is_inside_exit(p, n);
	return truth_of(entry || p->by_exit);
}

static enum truth
compare(struct part *p, const struct value *v, bool held)
{
	const struct condition *c = p->c;
	bool equal = false;

	if (c->test == TEST_ABOVE || c->test == TEST_BELOW)
		return test_level(p, v, held);
	if (c->test == TEST_BIT)
		return test_bit(v, (unsigned)c->operands[0].number);
	for (size_t i = 0; i < c->n_operands; i++)
		equal |= equals_operand(v, &c->operands[i]);
	return truth_of(equal == (c->test != TEST_NOT));
}

/* ---- parts --------------------------------------------------------------------------------- */

static const struct point_state *
state_of(const struct part *p)
{
	return p->source && p->slot >= 0 ? &p->source->states[p->slot] : NULL;
}

/* A statistic has no decimals of its own: four digits tell enough. */
static struct value
statistic(double x)
{
	int lead = x == 0 ? 0 : (int)floor(log10(fabs(x)));
	int decimals = lead >= 3 ? 0 : lead <= -3 ? 6 : 3 - lead;

	return (struct value){.kind = VALUE_REAL, .decimals = (uint8_t)decimals, .u.num = x};
}

/* The value to compare; VALUE_NONE if there is none, or none that is fresh. */
static struct value
look(const struct part *p, int64_t now_us)
{
	const struct point_state *s = state_of(p);
	const struct value none = {.kind = VALUE_NONE};
	double x;

	if (!s || s->good.kind == VALUE_NONE)
		return none;
	int64_t stale_us = source_stale_us(p->source, p->slot);
	if (p->window && value_number(&s->good, &x))
		window_add(p->window, s->good_us, x, stale_us);
	if (now_us - s->good_us > stale_us)
		return none;
	if (!p->window)
		return s->good;
	return window_value(p->window, now_us, &x) ? statistic(x) : none;
}

static enum truth
test_point(struct part *p, int64_t now_us, bool held)
{
	p->seen = look(p, now_us);
	if (p->seen.kind == VALUE_NONE)
		return TRUTH_UNKNOWN;
	enum truth t = compare(p, &p->seen, held);
	if (t != TRUTH_UNKNOWN)
		p->entered = t == TRUTH_TRUE;
	return t;
}

static enum truth
test_activity(enum activity wanted, enum activity now)
{
	if (now == ACTIVITY_UNKNOWN && wanted != ACTIVITY_UNKNOWN)
		return TRUTH_UNKNOWN;
	return truth_of(now == wanted);
}

static enum truth
test_part(struct part *p, const struct circumstances *now, bool held)
{
	bool all = p->c->kind == CONDITION_ALL;

	switch (p->c->kind) {
	case CONDITION_POINT:
		return p->truth = test_point(p, now->now_us, held);
	case CONDITION_ACTIVITY:
		return p->truth = test_activity(p->c->activity, now->activity);
	case CONDITION_SOURCE:
		p->truth = TRUTH_UNKNOWN;
		if (p->source && p->source->decided)
			p->truth = truth_of(p->source->ok == p->c->ok);
		return p->truth;
	case CONDITION_ALL:
	case CONDITION_ANY:
		break;
	}
	/* Every part is asked, because its window wants the sample. */
	p->truth = all ? TRUTH_TRUE : TRUTH_FALSE;
	for (size_t i = 0; i < p->n_parts; i++) {
		enum truth t = test_part(&p->parts[i], now, held);
		if (all ? t < p->truth : t > p->truth)
			p->truth = t;
	}
	return p->truth;
}

enum truth
evaluate_test(struct evaluator *e, const struct circumstances *now, bool held)
{
	return test_part(&e->root, now, held);
}

/* ---- what it found ------------------------------------------------------------------------- */

const struct part *
evaluate_decider(const struct part *p)
{
	const struct part *found = p->c->kind == CONDITION_POINT ? p : NULL;

	for (size_t i = 0; i < p->n_parts && !found; i++)
		if (p->parts[i].truth == p->truth)
			found = evaluate_decider(&p->parts[i]);
	return found;
}

static bool
has_level(const struct condition *c)
{
	return c->operands[0].kind == OPERAND_NUMBER && c->test != TEST_BIT &&
	       c->test != TEST_ANY_OF;
}

bool
evaluate_value(const struct evaluator *e, struct value *value, double *limit, const char **source)
{
	const struct part *p = evaluate_decider(&e->root);
	double number;

	if (source)
		*source = p && p->source ? p->source->config->id : NULL;
	if (!p || !has_level(p->c) || !value_number(&p->seen, &number))
		return false;
	*value = p->seen;
	*limit = p->c->operands[0].number;
	return true;
}

static const struct source *
first_source(const struct part *p)
{
	const struct source *found = p->source;

	for (size_t i = 0; i < p->n_parts && !found; i++)
		found = first_source(&p->parts[i]);
	return found;
}

const struct source *
evaluate_source(const struct evaluator *e)
{
	return first_source(&e->root);
}

/* The greatest of what `of` says of each point. */
static int64_t
greatest(const struct part *p, int64_t (*of)(const struct part *))
{
	int64_t most = state_of(p) ? of(p) : 0;

	for (size_t i = 0; i < p->n_parts; i++) {
		int64_t other = greatest(&p->parts[i], of);
		most = other > most ? other : most;
	}
	return most;
}

static int64_t
sampled_us(const struct part *p)
{
	const struct point_state *s = state_of(p);

	return s->good.kind == VALUE_NONE ? 0 : s->good_us;
}

int64_t
evaluate_sampled_us(const struct evaluator *e)
{
	return greatest(&e->root, sampled_us);
}

/* The source's interval replaces the period of its fastest group only. */
static int64_t
period_us(const struct part *p)
{
	const struct profile *regs = &p->source->config->profile->regs;
	const struct reg_point *point = &regs->points[p->source->points[p->slot]];
	int64_t period_ms = regs->groups[point->point.group].period_ms;

	for (size_t i = 0; i < regs->n_groups; i++)
		if (regs->groups[i].period_ms > 0 && regs->groups[i].period_ms < period_ms)
			return period_ms * 1000;
	return period_ms ? p->source->period_us : 0;
}

int64_t
evaluate_period_us(const struct evaluator *e)
{
	return greatest(&e->root, period_us);
}

static int64_t
patience_us(const struct part *p)
{
	int64_t stale_us = source_stale_us(p->source, p->slot);

	return stale_us == INT64_MAX ? 0 : stale_us;
}

int64_t
evaluate_patience_us(const struct evaluator *e)
{
	return greatest(&e->root, patience_us);
}
