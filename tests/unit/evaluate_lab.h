/* SPDX-License-Identifier: MIT */
/* evaluate_lab.h -- conditions on the sources of the small lab; for tests */
#ifndef TESTS_EVALUATE_LAB_H
#define TESTS_EVALUATE_LAB_H

#include "daemon/evaluate.h"
#include "tests/unit/small_lab.h"

static struct source *sources[2];
static const struct scope machine_scope = {.sources = sources, .n_sources = 2};
static struct lab_reading l;
static char words[256];

static inline int
set_up(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++)
		sources[i] = source_create(&lab_sources[i], &lab_config.buses[i], 0);
	return sources[0] && sources[1] ? 0 : -1;
}

static inline int
tear_down(void **state)
{
	(void)state;
	source_destroy(sources[0]);
	source_destroy(sources[1]);
	lab_sources[0].interval_ms = 0;
	return 0;
}

static inline void
give(size_t source, double at, double power, int64_t count, const char *mode)
{
	source_take(sources[source], lab_answer(&l, at, power, count, mode), lab_fast,
		(int64_t)(at * LAB_S));
}

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
