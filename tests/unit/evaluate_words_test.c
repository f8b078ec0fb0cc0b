/* SPDX-License-Identifier: MIT */
/* evaluate_words_test.c -- what a condition tells of itself: words, value, source, periods */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/evaluate_lab.h"

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
	struct evaluator *e = bound(&c);
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

static void
value_limit_and_source(void **state)
{
	struct condition parts[] = {POINT("meter.mode", TEST_EQUALS, WORD("cool")),
		POINT("io.power_w", TEST_ABOVE, NUMBER(120))};
	const struct condition c = {.kind = CONDITION_ANY, .parts = parts, .n_parts = 2};
	struct evaluator *e = bound(&c);
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
	struct evaluator *e = bound(&c);

	(void)state;
	assert_int_equal(evaluate_period_us(e), LAB_S);
	assert_int_equal(evaluate_patience_us(e), 30 * LAB_S);
	evaluate_destroy(e);
	c.n_parts = 2;
	e = bound(&c);
	assert_int_equal(evaluate_period_us(e), 60 * LAB_S);
	assert_int_equal(evaluate_patience_us(e), 180 * LAB_S);
	evaluate_destroy(e);
	lab_groups[1].period_ms = 0; /* once: no age, no period */
	e = bound(&c);
	assert_int_equal(evaluate_period_us(e), LAB_S);
	assert_int_equal(evaluate_patience_us(e), 30 * LAB_S);
	evaluate_destroy(e);
	lab_groups[1].period_ms = 60000;
	tear_down(NULL);
	lab_sources[0].interval_ms = 20000;
	set_up(NULL);
	c.n_parts = 1;
	e = bound(&c);
	assert_int_equal(evaluate_period_us(e), 20 * LAB_S);
	evaluate_destroy(e);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(strings_are_compared_but_not_told),
		TEST(words_of_the_parts_that_make_it_so),
		TEST(the_rules_of_a_profile_name_points_only),
		TEST(value_limit_and_source),
		TEST(periods),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
