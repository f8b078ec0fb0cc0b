/* SPDX-License-Identifier: MIT */
/* evaluate_test.c -- conditions against readings: three answers, windows, exit levels, words */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>

#include <cmocka.h>

#include "daemon/evaluate.h"
#include "daemon/window.h"
#include "tests/unit/small_lab.h"

static struct source *sources[2];
static const struct scope machine_scope = {.sources = sources, .n_sources = 2};
static struct lab_reading l;
static char words[256];

static int
set_up(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++)
		sources[i] = source_create(&lab_sources[i], &lab_config.buses[i], 0);
	return sources[0] && sources[1] ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	source_destroy(sources[0]);
	source_destroy(sources[1]);
	lab_sources[0].interval_ms = 0;
	return 0;
}

static void
give(size_t source, double at, double power, int64_t count, const char *mode)
{
	source_take(sources[source], lab_answer(&l, at, power, count, mode), lab_fast,
		(int64_t)(at * LAB_S));
}

/* The meter says this in place of its count. */
static void
give_value(double at, struct value v)
{
	lab_answer(&l, at, 0, 0, "heat");
	l.values[LAB_COUNT] = v;
	source_take(sources[0], &l.r, lab_fast, (int64_t)(at * LAB_S));
}

static enum truth
ask_held(struct evaluator *e, double at, bool held)
{
	const struct circumstances now = {
		.now_us = (int64_t)(at * LAB_S), .activity = ACTIVITY_BUSY};

	return evaluate_test(e, &now, held);
}

static enum truth
ask(struct evaluator *e, double at)
{
	return ask_held(e, at, false);
}

static struct evaluator *
bind(const struct condition *c)
{
	struct evaluator *e = evaluate_create(c, &machine_scope);

	assert_non_null(e);
	return e;
}

/* One question, then nothing remembered. */
static enum truth
once(const struct condition *c, double at)
{
	struct evaluator *e = bind(c);
	enum truth t = ask(e, at);

	evaluate_words(e, words, sizeof(words));
	evaluate_destroy(e);
	return t;
}

#define NUMBER(x)                                                                                  \
	(struct operand[])                                                                         \
	{                                                                                          \
		{                                                                                  \
			.kind = OPERAND_NUMBER, .number = (x)                                      \
		}                                                                                  \
	}
#define YES(x)                                                                                     \
	(struct operand[])                                                                         \
	{                                                                                          \
		{                                                                                  \
			.kind = OPERAND_BOOL, .yes = (x)                                           \
		}                                                                                  \
	}
#define WORD(x)                                                                                    \
	(struct operand[])                                                                         \
	{                                                                                          \
		{                                                                                  \
			.kind = OPERAND_WORD, .word = (x)                                          \
		}                                                                                  \
	}
#define POINT(name, how, what)                                                                     \
	{                                                                                          \
		.point = (name), .test = (how), .operands = (what), .n_operands = 1                \
	}

/* ---- one comparison ---------------------------------------------------------------------- */

static void
a_level(void **state)
{
	const struct condition above = POINT("meter.power_w", TEST_ABOVE, NUMBER(120));
	const struct condition below = POINT("meter.power_w", TEST_BELOW, NUMBER(120));

	(void)state;
	give(0, 1, 143.2, 0, "heat");
	assert_int_equal(once(&above, 1), TRUTH_TRUE);
	assert_string_equal(words, "meter.power_w 143.2 above 120");
	assert_int_equal(once(&below, 1), TRUTH_FALSE);
	assert_string_equal(words, "meter.power_w 143.2 not below 120");
	give(0, 2, 120, 0, "heat");
	assert_int_equal(once(&above, 2), TRUTH_FALSE);
	assert_int_equal(once(&below, 2), TRUTH_FALSE);
}

static void
never_read_and_too_old_are_not_false(void **state)
{
	const struct condition c = POINT("meter.power_w", TEST_ABOVE, NUMBER(120));
	const struct condition slow = POINT("meter.energy_import_wh", TEST_ABOVE, NUMBER(1));
	struct value energy = {.kind = VALUE_INT, .u.i = 7};

	(void)state;
	assert_int_equal(once(&c, 0), TRUTH_UNKNOWN);
	assert_string_equal(words, "meter.power_w not known");
	give(0, 10, 5, 0, "heat");
	assert_int_equal(once(&c, 40), TRUTH_FALSE);
	assert_int_equal(once(&c, 40.1), TRUTH_UNKNOWN); /* read each second: good for 30 s */
	struct reading r = {.group = 1, .mono_us = 10 * LAB_S, .n = 1, .values = &energy};
	source_take(sources[0], &r, lab_slow, 10 * LAB_S);
	assert_int_equal(once(&slow, 190), TRUTH_TRUE); /* each minute: three polls */
	assert_int_equal(once(&slow, 190.1), TRUTH_UNKNOWN);
}

static void
a_failed_poll_keeps_the_value_for_a_while(void **state)
{
	const struct condition c = POINT("meter.power_w", TEST_ABOVE, NUMBER(120));

	(void)state;
	give(0, 10, 143.2, 0, "heat");
	source_take(sources[0], lab_failure(&l, 11, FAIL_TIMEOUT), lab_fast, 11 * LAB_S);
	assert_int_equal(once(&c, 12), TRUTH_TRUE);
	assert_int_equal(once(&c, 41), TRUTH_UNKNOWN);
}

static void
a_point_that_is_left_out_is_never_known(void **state)
{
	const struct condition gone = POINT("meter.flow_lpm", TEST_ABOVE, NUMBER(1));
	const struct condition other = POINT("chiller.power_w", TEST_NOT, NUMBER(1));

	(void)state;
	give(0, 1, 143.2, 0, "heat");
	assert_int_equal(once(&gone, 1), TRUTH_UNKNOWN);
	assert_int_equal(once(&other, 1), TRUTH_UNKNOWN);
	assert_string_equal(words, "chiller.power_w not known");
}

static void
not_a_number_is_not_known(void **state)
{
	const struct condition c = POINT("meter.power_w", TEST_BELOW, NUMBER(1));

	(void)state;
	give(0, 1, (double)NAN, 0, "heat");
	assert_int_equal(once(&c, 1), TRUTH_UNKNOWN);
}

static void
words_and_strings(void **state)
{
	const struct condition equals = POINT("meter.mode", TEST_EQUALS, WORD("heat"));
	const struct condition is_not = POINT("meter.mode", TEST_NOT, WORD("cool"));
	const struct condition number = POINT("meter.mode", TEST_EQUALS, NUMBER(0));
	const struct condition any = {.point = "meter.mode",
		.test = TEST_ANY_OF,
		.operands = (struct operand[]){{.kind = OPERAND_WORD, .word = "dry"},
			{.kind = OPERAND_WORD, .word = "heat"}},
		.n_operands = 2};

	(void)state;
	give(0, 1, 0, 0, "heat");
	assert_int_equal(once(&equals, 1), TRUTH_TRUE);
	assert_string_equal(words, "meter.mode equals heat");
	assert_int_equal(once(&is_not, 1), TRUTH_TRUE);
	assert_string_equal(words, "meter.mode heat not cool");
	assert_int_equal(once(&any, 1), TRUTH_TRUE);
	assert_string_equal(words, "meter.mode heat any of dry, heat");
	assert_int_equal(once(&number, 1), TRUTH_FALSE);
	give(0, 2, 0, 0, "cool");
	assert_int_equal(once(&equals, 2), TRUTH_FALSE);
	assert_string_equal(words, "meter.mode cool not equals heat");
	assert_int_equal(once(&is_not, 2), TRUTH_FALSE);
	assert_int_equal(once(&any, 2), TRUTH_FALSE);
}

/* A job's name would get into `reason`, which everybody reads. */
static void
strings_are_compared_but_not_told(void **state)
{
	const struct condition c = POINT("meter.count", TEST_NOT, WORD("idle"));

	(void)state;
	static char room[32];
	sources[0]->states[LAB_COUNT].text = room;
	sources[0]->states[LAB_COUNT].text_size = sizeof(room);
	give_value(1, (struct value){.kind = VALUE_STRING, .u.s = "secret.gcode"});
	assert_int_equal(once(&c, 1), TRUTH_TRUE);
	assert_string_equal(words, "meter.count not idle");
	give_value(2, (struct value){.kind = VALUE_STRING, .u.s = "idle"});
	assert_int_equal(once(&c, 2), TRUTH_FALSE);
	sources[0]->states[LAB_COUNT].text = NULL;
}

static void
true_and_false(void **state)
{
	const struct condition yes = POINT("meter.count", TEST_EQUALS, YES(true));
	const struct condition no = POINT("meter.count", TEST_EQUALS, YES(false));
	const struct condition one = POINT("meter.count", TEST_EQUALS, NUMBER(1));

	(void)state;
	give_value(1, (struct value){.kind = VALUE_BOOL, .u.b = true});
	assert_int_equal(once(&yes, 1), TRUTH_TRUE);
	assert_string_equal(words, "meter.count equals true");
	assert_int_equal(once(&no, 1), TRUTH_FALSE);
	assert_string_equal(words, "meter.count true not equals false");
	assert_int_equal(once(&one, 1), TRUTH_TRUE);
}

static void
equal_numbers_as_people_write_them(void **state)
{
	const struct condition c = POINT("meter.count", TEST_EQUALS, NUMBER(0.3));
	const struct condition big = POINT("meter.count", TEST_EQUALS, NUMBER(5000000001));

	(void)state;
	give_value(1, (struct value){.kind = VALUE_FLOAT, .u.num = (double)0.3f});
	assert_int_equal(once(&c, 1), TRUTH_TRUE);
	give_value(2, (struct value){.kind = VALUE_REAL, .decimals = 1, .u.num = 3 * 0.1});
	assert_int_equal(once(&c, 2), TRUTH_TRUE);
	give_value(3, (struct value){.kind = VALUE_INT, .u.i = 5000000000});
	assert_int_equal(once(&big, 3), TRUTH_FALSE);
}

static void
bits(void **state)
{
	const struct condition two = POINT("meter.count", TEST_BIT, NUMBER(2));
	const struct condition top = POINT("meter.count", TEST_BIT, NUMBER(63));
	const struct condition power = POINT("meter.power_w", TEST_BIT, NUMBER(0));

	(void)state;
	give(0, 1, 1, 4, "heat");
	assert_int_equal(once(&two, 1), TRUTH_TRUE);
	assert_string_equal(words, "meter.count bit 2 set");
	assert_int_equal(once(&top, 1), TRUTH_FALSE);
	assert_string_equal(words, "meter.count bit 63 not set");
	assert_int_equal(once(&power, 1), TRUTH_UNKNOWN);
	give_value(2, (struct value){.kind = VALUE_UINT, .u.u = UINT64_C(1) << 63});
	assert_int_equal(once(&top, 2), TRUTH_TRUE);
	give_value(3, (struct value){.kind = VALUE_BOOL, .u.b = true});
	assert_int_equal(once(&two, 3), TRUTH_FALSE);
}

/* ---- what is not a point ------------------------------------------------------------------- */

static void
a_source_that_answers(void **state)
{
	const struct condition silent = {.kind = CONDITION_SOURCE, .source = "io", .ok = false};
	const struct condition none = {.kind = CONDITION_SOURCE, .source = "x", .ok = false};

	(void)state;
	assert_int_equal(once(&silent, 1), TRUTH_UNKNOWN);
	assert_string_equal(words, "source io not known");
	give(1, 1, 0, 0, "heat");
	assert_int_equal(once(&silent, 1), TRUTH_FALSE);
	assert_string_equal(words, "source io answers");
	source_take(sources[1], lab_failure(&l, 2, FAIL_IDENTITY), lab_fast, 2 * LAB_S);
	assert_int_equal(once(&silent, 2), TRUTH_TRUE);
	assert_string_equal(words, "source io does not answer");
	assert_int_equal(once(&none, 2), TRUTH_UNKNOWN);
}

static void
what_the_machine_does(void **state)
{
	static const struct {
		enum activity wanted, now;
		enum truth truth;
	} table[] = {
		{ACTIVITY_BUSY, ACTIVITY_BUSY, TRUTH_TRUE},
		{ACTIVITY_BUSY, ACTIVITY_IDLE, TRUTH_FALSE},
		{ACTIVITY_BUSY, ACTIVITY_UNKNOWN, TRUTH_UNKNOWN},
		{ACTIVITY_UNKNOWN, ACTIVITY_UNKNOWN, TRUTH_TRUE}, /* "unknown for 10 min" */
		{ACTIVITY_UNKNOWN, ACTIVITY_OFF, TRUTH_FALSE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct condition c = {
			.kind = CONDITION_ACTIVITY, .activity = table[i].wanted};
		struct evaluator *e = bind(&c);
		const struct circumstances now = {.now_us = LAB_S, .activity = table[i].now};
		assert_int_equal(evaluate_test(e, &now, false), table[i].truth);
		evaluate_destroy(e);
	}
}

/* Three parts, each false, unknown or true: meter's power, io's power, the activity. */
static void
kleene(void **state)
{
	static struct operand ten[] = {{.kind = OPERAND_NUMBER, .number = 10}};
	static const enum truth truths[] = {TRUTH_FALSE, TRUTH_UNKNOWN, TRUTH_TRUE};
	struct condition parts[] = {POINT("meter.power_w", TEST_ABOVE, ten),
		POINT("io.power_w", TEST_ABOVE, ten), POINT("io.count", TEST_ABOVE, ten)};
	struct condition c = {.parts = parts, .n_parts = 3};

	(void)state;
	for (int i = 0; i < 27; i++) {
		const enum truth a = truths[i % 3], b = truths[i / 3 % 3], d = truths[i / 9];
		const enum truth least = a < b ? (a < d ? a : d) : (b < d ? b : d);
		const enum truth most = a > b ? (a > d ? a : d) : (b > d ? b : d);
		tear_down(NULL);
		set_up(NULL);
		parts[0].point = a == TRUTH_UNKNOWN ? "x.y" : "meter.power_w";
		parts[1].point = b == TRUTH_UNKNOWN ? "x.y" : "io.power_w";
		parts[2].point = d == TRUTH_UNKNOWN ? "x.y" : "io.count";
		give(0, 1, a == TRUTH_TRUE ? 11 : 9, 0, "heat");
		give(1, 1, b == TRUTH_TRUE ? 11 : 9, d == TRUTH_TRUE ? 11 : 9, "heat");
		c.kind = CONDITION_ALL;
		assert_int_equal(once(&c, 1), least);
		c.kind = CONDITION_ANY;
		assert_int_equal(once(&c, 1), most);
	}
}

static void
words_of_the_parts_that_make_it_so(void **state)
{
	struct condition parts[] = {POINT("meter.power_w", TEST_ABOVE, NUMBER(120)),
		POINT("io.count", TEST_ABOVE, NUMBER(5))};
	struct condition c = {.kind = CONDITION_ALL, .parts = parts, .n_parts = 2};

	(void)state;
	give(0, 1, 143.2, 0, "heat");
	assert_int_equal(once(&c, 1), TRUTH_UNKNOWN);
	assert_string_equal(words, "io.count not known");
	give(1, 1, 0, 7, "heat");
	assert_int_equal(once(&c, 1), TRUTH_TRUE);
	assert_string_equal(words, "meter.power_w 143.2 above 120 and io.count 7 above 5");
	c.kind = CONDITION_ANY;
	assert_int_equal(once(&c, 1), TRUTH_TRUE);
	assert_string_equal(words, "meter.power_w 143.2 above 120 or io.count 7 above 5");
	give(0, 2, 1, 0, "heat");
	assert_int_equal(once(&c, 2), TRUTH_TRUE);
	assert_string_equal(words, "io.count 7 above 5");
	struct evaluator *e = bind(&c);
	ask(e, 2);
	evaluate_words(e, words, 12);
	assert_string_equal(words, "io.count 7 ");
	evaluate_words_past(e, words, sizeof(words));
	assert_string_equal(words, "io.count 7 was above 5");
	evaluate_destroy(e);
}

static void
the_rules_of_a_profile_name_points_only(void **state)
{
	const struct scope scope = {.sources = sources, .n_sources = 2, .own = sources[1]};
	const struct condition c = POINT("power_w", TEST_ABOVE, NUMBER(120));
	struct evaluator *e = evaluate_create(&c, &scope);

	(void)state;
	give(1, 1, 143.2, 0, "heat");
	assert_int_equal(ask(e, 1), TRUTH_TRUE);
	assert_ptr_equal(evaluate_source(e), sources[1]);
	evaluate_point(e, words, sizeof(words));
	assert_string_equal(words, "io.power_w");
	evaluate_words(e, words, sizeof(words));
	assert_string_equal(words, "io.power_w 143.2 above 120");
	evaluate_destroy(e);
}

/* ---- exit levels --------------------------------------------------------------------------- */

static void
the_exit_level_counts_only_while_held(void **state)
{
	struct condition c = POINT("meter.power_w", TEST_ABOVE, NUMBER(120));
	static const struct {
		double power;
		bool held;
		enum truth truth;
	} table[] = {{100, false, TRUTH_FALSE}, {121, false, TRUTH_TRUE}, {100, true, TRUTH_TRUE},
		{80, true, TRUTH_TRUE}, {79.9, true, TRUTH_FALSE}, {100, true, TRUTH_FALSE},
		{121, true, TRUTH_TRUE}, {100, false, TRUTH_FALSE}};

	(void)state;
	c.has_exit = true;
	c.exit = 80;
	struct evaluator *e = bind(&c);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		give(0, (double)i, table[i].power, 0, "heat");
		assert_int_equal(ask_held(e, (double)i, table[i].held), table[i].truth);
		evaluate_words(e, words, sizeof(words));
		if (i == 3)
			assert_string_equal(words, "meter.power_w 80 not yet below 80");
	}
	evaluate_destroy(e);
}

/* An alarm that was active before a restart. */
static void
held_from_before_counts_at_once(void **state)
{
	const struct condition c = POINT("meter.power_w", TEST_BELOW, NUMBER(2));
	struct evaluator *e = bind(&c);

	(void)state;
	evaluate_set_exit(e, 3);
	give(0, 1, 2.5, 0, "heat");
	assert_int_equal(ask_held(e, 1, true), TRUTH_TRUE);
	give(0, 2, 3.5, 0, "heat");
	assert_int_equal(ask_held(e, 2, true), TRUTH_FALSE);
	evaluate_destroy(e);
}

static void
a_part_that_did_not_hold_is_not_held(void **state)
{
	struct condition parts[] = {POINT("meter.power_w", TEST_ABOVE, NUMBER(120)),
		POINT("io.power_w", TEST_ABOVE, NUMBER(120))};
	const struct condition c = {.kind = CONDITION_ANY, .parts = parts, .n_parts = 2};

	(void)state;
	parts[0].has_exit = parts[1].has_exit = true;
	parts[0].exit = parts[1].exit = 80;
	struct evaluator *e = bind(&c);
	give(0, 1, 143.2, 0, "heat");
	give(1, 1, 100, 0, "heat");
	assert_int_equal(ask(e, 1), TRUTH_TRUE);
	give(0, 2, 10, 0, "heat");
	assert_int_equal(ask_held(e, 2, true), TRUTH_FALSE);
	evaluate_destroy(e);
}

/* ---- what it is about ---------------------------------------------------------------------- */

static void
value_limit_and_source(void **state)
{
	struct condition parts[] = {POINT("meter.mode", TEST_EQUALS, WORD("cool")),
		POINT("io.power_w", TEST_ABOVE, NUMBER(120))};
	const struct condition c = {.kind = CONDITION_ANY, .parts = parts, .n_parts = 2};
	struct evaluator *e = bind(&c);
	struct value v;
	double limit;
	const char *source = "?";

	(void)state;
	assert_int_equal(evaluate_sampled_us(e), 0);
	assert_ptr_equal(evaluate_source(e), sources[0]);
	give(0, 1, 0, 0, "heat");
	give(1, 2, 143.2, 0, "heat");
	assert_int_equal(ask(e, 2), TRUTH_TRUE);
	assert_true(evaluate_value(e, &v, &limit, &source));
	assert_true(v.u.num == 143.2 && limit == 120);
	assert_string_equal(source, "io");
	assert_int_equal(evaluate_sampled_us(e), 2 * LAB_S);
	give(0, 3, 0, 0, "cool");
	assert_int_equal(ask(e, 3), TRUTH_TRUE);
	assert_false(evaluate_value(e, &v, &limit, &source)); /* a word */
	assert_string_equal(source, "meter");
	evaluate_destroy(e);
}

static void
periods(void **state)
{
	struct condition parts[] = {POINT("meter.power_w", TEST_ABOVE, NUMBER(1)),
		POINT("io.energy_import_wh", TEST_ABOVE, NUMBER(1))};
	struct condition c = {.kind = CONDITION_ALL, .parts = parts, .n_parts = 1};
	struct evaluator *e = bind(&c);

	(void)state;
	assert_int_equal(evaluate_period_us(e), LAB_S);
	assert_int_equal(evaluate_patience_us(e), 30 * LAB_S);
	evaluate_destroy(e);
	c.n_parts = 2;
	e = bind(&c);
	assert_int_equal(evaluate_period_us(e), 60 * LAB_S);
	assert_int_equal(evaluate_patience_us(e), 180 * LAB_S);
	evaluate_destroy(e);
	lab_groups[1].period_ms = 0; /* once: no age, no period */
	e = bind(&c);
	assert_int_equal(evaluate_period_us(e), LAB_S);
	assert_int_equal(evaluate_patience_us(e), 30 * LAB_S);
	evaluate_destroy(e);
	lab_groups[1].period_ms = 60000;
	tear_down(NULL);
	lab_sources[0].interval_ms = 20000;
	set_up(NULL);
	c.n_parts = 1;
	e = bind(&c);
	assert_int_equal(evaluate_period_us(e), 20 * LAB_S);
	evaluate_destroy(e);
}

/* ---- mean, max, p90 -------------------------------------------------------------------------- */

struct stat_row {
	double at, power;
	enum truth truth;
};

static void
check_stat(enum statistic stat, const struct stat_row *rows, size_t n)
{
	struct condition c = POINT("meter.power_w", TEST_ABOVE, NUMBER(80));

	c.stat = stat;
	c.window_ms = 10000;
	struct evaluator *e = bind(&c);
	for (size_t i = 0; i < n; i++) {
		if (rows[i].power >= 0)
			give(0, rows[i].at, rows[i].power, 0, "heat");
		ask(e, rows[i].at); /* called again, nothing new: the sample counts once */
		if (ask(e, rows[i].at) != rows[i].truth)
			fail_msg("row %zu at %g", i, rows[i].at);
	}
	evaluate_words(e, words, sizeof(words));
	evaluate_destroy(e);
}

static void
mean_is_known_when_half_the_window_is(void **state)
{
	static const struct stat_row rows[] = {{0, 100, TRUTH_UNKNOWN}, {4.9, -1, TRUTH_UNKNOWN},
		{5, 0, TRUTH_TRUE}, {6, -1, TRUTH_TRUE}, {6.5, -1, TRUTH_FALSE},
		{10, -1, TRUTH_FALSE}};

	(void)state;
	check_stat(STAT_MEAN, rows, 6);
	assert_string_equal(words, "meter.power_w mean 50.00 not above 80");
}

static void
max_forgets_what_left_the_window(void **state)
{
	static const struct stat_row rows[] = {{0, 100, TRUTH_UNKNOWN}, {2, 0, TRUTH_UNKNOWN},
		{11.9, 0, TRUTH_TRUE}, {12, -1, TRUTH_FALSE}, {13, 90, TRUTH_TRUE},
		{13.5, 0, TRUTH_TRUE}};

	(void)state;
	check_stat(STAT_MAX, rows, 6);
	assert_string_equal(words, "meter.power_w max 90.00 above 80");
}

static void
p90_by_time_not_by_number(void **state)
{
	static const struct stat_row rows[] = {{0, 0, TRUTH_UNKNOWN}, {8.5, 100, TRUTH_FALSE},
		{9.4, -1, TRUTH_FALSE}, {9.6, 0, TRUTH_TRUE}, {9.7, 0, TRUTH_TRUE},
		{9.8, 0, TRUTH_TRUE}, {9.9, 0, TRUTH_TRUE}, {18.5, -1, TRUTH_TRUE},
		{18.7, -1, TRUTH_FALSE}};

	(void)state;
	check_stat(STAT_P90, rows, 9);
}

static void
a_gap_begins_the_window_anew(void **state)
{
	static const struct stat_row rows[] = {{0, 100, TRUTH_UNKNOWN}, {6, 100, TRUTH_TRUE},
		{36, -1, TRUTH_TRUE}, {36.1, -1, TRUTH_UNKNOWN}, {37, 100, TRUTH_UNKNOWN},
		{41.9, -1, TRUTH_UNKNOWN}, {42, -1, TRUTH_TRUE}};

	(void)state;
	check_stat(STAT_MEAN, rows, 7);
}

/* Thousands of values in a window that keeps 256 steps. */
static void
many_values_are_merged(void **state)
{
	struct window *w[] = {window_create(3600 * LAB_S, STAT_MEAN),
		window_create(3600 * LAB_S, STAT_MAX), window_create(3600 * LAB_S, STAT_P90)};
	double x;

	(void)state;
	for (int64_t i = 0; i < 200000; i++) /* 1000 one in five, 0 else; one spike */
		for (size_t k = 0; k < 3; k++)
			window_add(w[k], i * LAB_S / 10,
				i == 190000         ? 9999
				: i / 1000 % 5 == 0 ? 1000
						    : 0,
				30 * LAB_S);
	assert_true(window_value(w[0], 20000 * LAB_S, &x));
	assert_float_equal(x, 194.7, 1); /* 7 of the last 36 thousand, and the spike */
	assert_true(window_value(w[1], 20000 * LAB_S, &x));
	assert_true(x == 9999);
	assert_true(window_value(w[1], 22700 * LAB_S, &x));
	assert_true(x < 9999);
	assert_true(window_value(w[2], 20000 * LAB_S, &x));
	assert_true(x == 1000);
	for (size_t k = 0; k < 3; k++)
		window_destroy(w[k]);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_level),
		TEST(never_read_and_too_old_are_not_false),
		TEST(a_failed_poll_keeps_the_value_for_a_while),
		TEST(a_point_that_is_left_out_is_never_known),
		TEST(not_a_number_is_not_known),
		TEST(words_and_strings),
		TEST(strings_are_compared_but_not_told),
		TEST(true_and_false),
		TEST(equal_numbers_as_people_write_them),
		TEST(bits),
		TEST(a_source_that_answers),
		TEST(what_the_machine_does),
		TEST(kleene),
		TEST(words_of_the_parts_that_make_it_so),
		TEST(the_rules_of_a_profile_name_points_only),
		TEST(the_exit_level_counts_only_while_held),
		TEST(held_from_before_counts_at_once),
		TEST(a_part_that_did_not_hold_is_not_held),
		TEST(value_limit_and_source),
		TEST(periods),
		TEST(mean_is_known_when_half_the_window_is),
		TEST(max_forgets_what_left_the_window),
		TEST(p90_by_time_not_by_number),
		TEST(a_gap_begins_the_window_anew),
		TEST(many_values_are_merged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
