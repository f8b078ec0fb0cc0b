/* SPDX-License-Identifier: MIT */
/* value_test.c -- values as JSON: shortest, exact, and never NaN */
#include "drivers/driver.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { RANDOM_FLOATS = 1000000, RANDOM_DOUBLES = 300000 };

static const char *
print(enum value_kind kind, double num, unsigned decimals)
{
	static char buf[64];
	struct value v = {.kind = (uint8_t)kind, .decimals = (uint8_t)decimals, .u.num = num};

	if (value_print(&v, buf, sizeof(buf)) != strlen(buf) || !buf[0])
		return "";
	return buf;
}

static void
floats_print_short(void **state)
{
	static const struct {
		float f;
		const char *text;
	} cases[] = {
		{229.8f, "229.8"},
		{0.0f, "0"},
		{-0.0f, "0"},
		{1.0f, "1"},
		{-12.5f, "-12.5"},
		{50.01f, "50.01"},
		{0.1f, "0.1"},
		{16777216.0f, "16777216"},
		{0.001f, "0.001"},
		{3.4028235e38f, "3.4028235e+38"},
		{1e-10f, "1e-10"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(print(VALUE_FLOAT, (double)cases[i].f, 0), cases[i].text);
}

static uint64_t seed = 88172645463325252u;

static uint64_t
next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static void
every_float_reads_back(void **state)
{
	(void)state;
	for (unsigned i = 0; i < RANDOM_FLOATS; i++) {
		uint32_t bits = (uint32_t)next_random();
		char buf[64];
		struct value v = {.kind = VALUE_FLOAT};
		float f;

		memcpy(&f, &bits, sizeof(f));
		if (i % 3 == 0) /* what meters say */
			f = (float)(int32_t)(bits % 4000000) / (i % 2 ? 10.0f : 1000.0f);
		if (!isfinite(f))
			continue;
		v.u.num = (double)f;
		assert_true(value_print(&v, buf, sizeof(buf)) > 0);
		if (strtof(buf, NULL) != f)
			fail_msg("%a printed as %s", (double)f, buf);
	}
}

static void
every_double_reads_back(void **state)
{
	(void)state;
	for (unsigned i = 0; i < RANDOM_DOUBLES; i++) {
		uint64_t bits = next_random();
		char buf[64];
		struct value v = {.kind = VALUE_DOUBLE};

		memcpy(&v.u.num, &bits, sizeof(v.u.num));
		if (!isfinite(v.u.num))
			continue;
		assert_true(value_print(&v, buf, sizeof(buf)) > 0);
		if (strtod(buf, NULL) != v.u.num)
			fail_msg("%a printed as %s", v.u.num, buf);
	}
}

static void
scaled_integers_keep_their_decimals(void **state)
{
	(void)state;
	assert_string_equal(print(VALUE_REAL, 230.0, 1), "230.0");
	assert_string_equal(print(VALUE_REAL, 2257 / 10.0, 1), "225.7");
	assert_string_equal(print(VALUE_REAL, -0.04, 1), "0.0");
	assert_string_equal(print(VALUE_REAL, -1.005, 3), "-1.005");
	assert_string_equal(print(VALUE_REAL, 0.108, 3), "0.108");
	assert_string_equal(print(VALUE_REAL, 4294967295.0, 0), "4294967295");
	assert_string_equal(print(VALUE_REAL, 1e300, 2), "1e+300");
}

static void
whole_numbers_are_exact(void **state)
{
	char buf[32];
	struct value min = {.kind = VALUE_INT, .u.i = INT64_MIN};
	struct value max = {.kind = VALUE_UINT, .u.u = UINT64_MAX};

	(void)state;
	assert_int_equal(value_print(&min, buf, sizeof(buf)), 20);
	assert_string_equal(buf, "-9223372036854775808");
	assert_int_equal(value_print(&max, buf, sizeof(buf)), 20);
	assert_string_equal(buf, "18446744073709551615");
	assert_int_equal(value_print(&max, buf, 20), 0);
}

static void
what_is_no_number_is_not_printed(void **state)
{
	struct value none = {.kind = VALUE_NONE};
	char buf[8];
	double num;

	(void)state;
	assert_string_equal(print(VALUE_FLOAT, (double)NAN, 0), "");
	assert_string_equal(print(VALUE_DOUBLE, (double)INFINITY, 0), "");
	assert_string_equal(print(VALUE_REAL, (double)NAN, 1), "");
	assert_int_equal(value_print(&none, buf, sizeof(buf)), 0);
	assert_false(value_number(&none, &num));
}

static void
strings_are_escaped(void **state)
{
	struct value v = {.kind = VALUE_STRING, .u.s = "a\"b\\c\n\x01\xd0\xaf"};
	char buf[64];

	(void)state;
	value_print(&v, buf, sizeof(buf));
	assert_string_equal(buf, "\"a\\\"b\\\\c\\u000a\\u0001\xd0\xaf\"");
	assert_int_equal(value_print(&v, buf, 10), 0);
}

static void
fails_have_their_words(void **state)
{
	char buf[32];

	(void)state;
	assert_string_equal(fail_text(FAIL_EXCEPTION, 2, buf, sizeof(buf)), "exception-2");
	assert_string_equal(fail_text(FAIL_OUT_OF_RANGE, 0, buf, sizeof(buf)), "out-of-range");
	for (int f = 1; f < FAIL_COUNT; f++)
		assert_true(fail_name((enum fail)f)[0]);
	assert_string_equal(fail_name(FAIL_COUNT), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(floats_print_short),
		cmocka_unit_test(every_float_reads_back),
		cmocka_unit_test(every_double_reads_back),
		cmocka_unit_test(scaled_integers_keep_their_decimals),
		cmocka_unit_test(whole_numbers_are_exact),
		cmocka_unit_test(what_is_no_number_is_not_printed),
		cmocka_unit_test(strings_are_escaped),
		cmocka_unit_test(fails_have_their_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
