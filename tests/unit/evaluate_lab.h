/* SPDX-License-Identifier: MIT */
/* evaluate_lab.h -- conditions on the sources of the small lab; for tests */
#ifndef TESTS_EVALUATE_LAB_H
#define TESTS_EVALUATE_LAB_H

#include "tests/unit/two_sources.h"

static char words[256];

/* The meter says this in place of its count. */
static inline void
give_value(double at, struct value v)
{
	lab_answer(&l, at, 0, 0, "heat");
	l.values[LAB_COUNT] = v;
	source_take(sources[0], &l.r, lab_fast, (int64_t)(at * LAB_S));
}

static inline enum truth
ask_held(struct evaluator *e, double at, bool held)
{
	const struct circumstances now = {
		.now_us = (int64_t)(at * LAB_S), .activity = ACTIVITY_BUSY};

	return evaluate_test(e, &now, held);
}

static inline enum truth
ask(struct evaluator *e, double at)
{
	return ask_held(e, at, false);
}

static inline struct evaluator *
bound(const struct condition *c)
{
	struct evaluator *e = evaluate_create(c, &machine_scope);

	assert_non_null(e);
	return e;
}

/* One question, then nothing remembered. */
static inline enum truth
once(const struct condition *c, double at)
{
	struct evaluator *e = bound(c);
	enum truth t = ask(e, at);

	evaluate_words(e, words, sizeof(words));
	evaluate_destroy(e);
	return t;
}

#define NUMBER(x) ((struct operand[]){{.kind = OPERAND_NUMBER, .number = (x)}})
#define YES(x) ((struct operand[]){{.kind = OPERAND_BOOL, .yes = (x)}})
#define WORD(x) ((struct operand[]){{.kind = OPERAND_WORD, .word = (x)}})
#define POINT(name, how, what)                                                                     \
	{                                                                                          \
		.point = (name), .test = (how), .operands = (what), .n_operands = 1                \
	}

#endif
