/* SPDX-License-Identifier: MIT */
/* evaluate_test.c -- conditions against readings: three answers, exit levels */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/evaluate_lab.h"

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
		struct evaluator *e = bound(&c);
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
	struct evaluator *e = bound(&c);
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
	struct evaluator *e = bound(&c);

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
	struct evaluator *e = bound(&c);
	give(0, 1, 143.2, 0, "heat");
	give(1, 1, 100, 0, "heat");
	assert_int_equal(ask(e, 1), TRUTH_TRUE);
	give(0, 2, 10, 0, "heat");
	assert_int_equal(ask_held(e, 2, true), TRUTH_FALSE);
	evaluate_destroy(e);
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
		TEST(true_and_false),
		TEST(equal_numbers_as_people_write_them),
		TEST(bits),
		TEST(a_source_that_answers),
		TEST(what_the_machine_does),
		TEST(kleene),
		TEST(the_exit_level_counts_only_while_held),
		TEST(held_from_before_counts_at_once),
		TEST(a_part_that_did_not_hold_is_not_held),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
