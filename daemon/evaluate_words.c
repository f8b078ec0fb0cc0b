/* SPDX-License-Identifier: MIT */
/* evaluate_words.c -- what a condition found, in words for people */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/evaluate_impl.h"

struct line {
	char *buf;
	size_t size, len;
	bool past;
};

static void __attribute__((format(printf, 2, 3))) add(struct line *l, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	int n = vsnprintf(l->buf + l->len, l->size - l->len, fmt, args);
	va_end(args);
	if (n > 0)
		l->len += (size_t)n;
	if (l->len >= l->size)
		l->len = l->size - 1;
}

static void
add_number(struct line *l, double x)
{
	char buf[48];
	const struct value v = {.kind = VALUE_DOUBLE, .u.num = x};

	if (value_print(&v, buf, sizeof(buf)))
		add(l, "%s", buf);
}

static void
add_operand(struct line *l, const struct operand *o)
{
	if (o->kind == OPERAND_WORD)
		add(l, "%s", o->word);
	else if (o->kind == OPERAND_BOOL)
		add(l, "%s", o->yes ? "true" : "false");
	else
		add_number(l, o->number);
}

static void
add_name(struct line *l, const struct part *p)
{
	bool full = strchr(p->c->point, '.') != NULL || !p->source;

	add(l, "%s%s%s", full ? "" : p->source->config->id, full ? "" : ".", p->c->point);
}

/* Not what a string says: it is a person's, or the machine's. */
static void
add_value(struct line *l, const struct part *p)
{
	static const char *const stats[] = {"", " mean", " max", " p90"};
	char buf[48];

	add(l, "%s", stats[p->c->stat]);
	if (p->seen.kind == VALUE_ENUM)
		add(l, " %s", p->seen.u.s);
	else if (p->seen.kind != VALUE_STRING && value_print(&p->seen, buf, sizeof(buf)))
		add(l, " %s", buf);
}

static void
add_list(struct line *l, const struct condition *c)
{
	for (size_t i = 0; i < c->n_operands; i++) {
		add(l, "%s", i ? ", " : "");
		add_operand(l, &c->operands[i]);
	}
}

static void
add_bit(struct line *l, const struct part *p, bool holds)
{
	add(l, " bit %u %s", (unsigned)p->c->operands[0].number,
		l->past ? "was set"
		: holds ? "set"
			: "not set");
}

static void
add_level(struct line *l, const struct part *p, bool holds)
{
	bool above = p->c->test == TEST_ABOVE;

	add_value(l, p);
	if (p->by_exit && holds) { /* still, by the other level */
		add(l, " not yet %s ", above ? "below" : "above");
		add_number(l, p->exit);
		return;
	}
	add(l, "%s %s ", l->past ? " was" : holds ? "" : " not", above ? "above" : "below");
	add_number(l, p->c->operands[0].number);
}

/* "is" what it equals; the value stands there only where the test does not say it. */
static void
add_equality(struct line *l, const struct part *p, bool holds)
{
	static const char *const said[] = {
		[TEST_EQUALS] = " equals ", [TEST_NOT] = " not ", [TEST_ANY_OF] = " any of "};
	bool said_by_test = p->c->test == TEST_EQUALS && holds;

	if (!said_by_test)
		add_value(l, p);
	add(l, "%s%s", l->past ? " was" : holds ? "" : " not", said[p->c->test]);
	add_list(l, p->c);
}

static void
add_point(struct line *l, const struct part *p)
{
	bool holds = p->truth == TRUTH_TRUE;

	add_name(l, p);
	if (p->truth == TRUTH_UNKNOWN)
		add(l, " not known");
	else if (p->c->test == TEST_BIT)
		add_bit(l, p, holds);
	else if (p->c->test == TEST_ABOVE || p->c->test == TEST_BELOW)
		add_level(l, p, holds);
	else
		add_equality(l, p, holds);
}

static void
add_source(struct line *l, const struct part *p)
{
	bool answers = p->c->ok == (p->truth == TRUTH_TRUE);

	if (p->truth == TRUTH_UNKNOWN)
		add(l, "source %s not known", p->c->source);
	else
		add(l, "source %s %s", p->c->source, answers ? "answers" : "does not answer");
}

static void
add_activity(struct line *l, const struct part *p)
{
	add(l, "activity %s%s", p->truth == TRUTH_FALSE ? "not " : "",
		p->truth == TRUTH_UNKNOWN ? "not known" : activity_name(p->c->activity));
}

static void
add_part(struct line *l, const struct part *p)
{
	bool more = false;

	if (p->c->kind == CONDITION_POINT)
		add_point(l, p);
	else if (p->c->kind == CONDITION_SOURCE)
		add_source(l, p);
	else if (p->c->kind == CONDITION_ACTIVITY)
		add_activity(l, p);
	for (size_t i = 0; i < p->n_parts; i++) {
		if (p->parts[i].truth != p->truth)
			continue;
		if (more)
			add(l, "%s", p->c->kind == CONDITION_ALL ? " and " : " or ");
		add_part(l, &p->parts[i]);
		more = true;
	}
}

static void
write_words(const struct evaluator *e, bool past, char *buf, size_t size)
{
	struct line l = {.buf = buf, .size = size, .past = past};

	if (!size)
		return;
	buf[0] = '\0';
	add_part(&l, &e->root);
}

void
evaluate_words(const struct evaluator *e, char *buf, size_t size)
{
	write_words(e, false, buf, size);
}

void
evaluate_words_past(const struct evaluator *e, char *buf, size_t size)
{
	write_words(e, true, buf, size);
}

void
evaluate_point(const struct evaluator *e, char *buf, size_t size)
{
	const struct part *p = evaluate_decider(&e->root);
	struct line l = {.buf = buf, .size = size};

	if (!size)
		return;
	buf[0] = '\0';
	if (p)
		add_name(&l, p);
}
