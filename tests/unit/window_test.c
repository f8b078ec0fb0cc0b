/* SPDX-License-Identifier: MIT */
/* window_test.c -- mean, max and 90th percentile: what is in the window, when it is known */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "daemon/evaluate.h"
#include "daemon/window.h"
#include "tests/unit/small_lab.h"

static struct source *meter;
static char words[256];

static int
set_up(void **state)
{
	(void)state;
	meter = source_create(&lab_sources[0], &lab_config.buses[0], 0);
	return meter ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	source_destroy(meter);
	return 0;
}

static void
give(double at, double power)
{
	struct lab_reading l;

	source_take(meter, lab_answer(&l, at, power, 0, "heat"), lab_fast, (int64_t)(at * LAB_S));
}

static enum truth
ask(struct evaluator *e, double at)
{
	const struct circumstances now = {.now_us = (int64_t)(at * LAB_S)};

	return evaluate_test(e, &now, false);
}

struct stat_row {
	double at, power;
	enum truth truth;
};

static void
check_stat(enum statistic stat, const struct stat_row *rows, size_t n)
{
	struct operand level = {.kind = OPERAND_NUMBER, .number = 80};
	const struct condition c = {.point = "meter.power_w",
		.test = TEST_ABOVE,
		.operands = &level,
		.n_operands = 1,
		.stat = stat,
		.window_ms = 10000};
	const struct scope scope = {.sources = &meter, .n_sources = 1};
	struct evaluator *e = evaluate_create(&c, &scope);

	assert_non_null(e);
	for (size_t i = 0; i < n; i++) {
		if (rows[i].power >= 0)
			give(rows[i].at, rows[i].power);
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
		TEST(mean_is_known_when_half_the_window_is),
		TEST(max_forgets_what_left_the_window),
		TEST(p90_by_time_not_by_number),
		TEST(a_gap_begins_the_window_anew),
		TEST(many_values_are_merged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
