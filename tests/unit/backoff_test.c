/* SPDX-License-Identifier: MIT */
/* backoff_test.c -- the pause before the next connection, for every code */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/backoff.h"

#define MIN 1000
#define MAX 30000
#define ALMOST_ONE 0.999999

static void
test_full_jitter_grows_to_the_limit(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 1000; n++) {
		int64_t top = n < 5 ? MIN << n : MAX;
		top = top < MAX ? top : MAX;
		assert_int_equal(backoff_ms(MIN, MAX, n, 0, 0.0), MIN / 2);
		assert_in_range(backoff_ms(MIN, MAX, n, 0, ALMOST_ONE), top * 99 / 100, top);
		int64_t half = backoff_ms(MIN, MAX, n, 0, 0.5);
		assert_int_equal(half, top / 2);
	}
}

static void
test_the_busy_and_the_refusing_wait_long(void **state)
{
	static const int codes[] = {
		0x81, 0x82, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x96, 0x97, 0x98, 0x9F};
	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		assert_int_equal(backoff_ms(MIN, MAX, 0, codes[i], 0.0), MAX);
		assert_in_range(
			backoff_ms(MIN, MAX, 0, codes[i], ALMOST_ONE), MAX * 199 / 100, 2 * MAX);
	}
}

static void
test_a_second_client_waits_longer(void **state)
{
	(void)state;
	assert_int_equal(backoff_ms(MIN, MAX, 0, 0x8E, 0.0), 2 * MAX);
	assert_in_range(backoff_ms(MIN, MAX, 0, 0x8E, ALMOST_ONE), MAX * 299 / 100, 3 * MAX);
}

/* Its clients do not come back together. */
static void
test_a_broker_that_shuts_down(void **state)
{
	(void)state;
	assert_int_equal(backoff_ms(MIN, MAX, 0, 0x8B, 0.0), MIN / 2);
	assert_int_equal(backoff_ms(MIN, MAX, 0, 0x8B, 0.5), MAX / 2);
	assert_in_range(backoff_ms(MIN, MAX, 0, 0x8B, ALMOST_ONE), MAX * 99 / 100, MAX);
}

static void
test_other_codes_are_normal(void **state)
{
	static const int codes[] = {0x80, 0x84, 0x8D, 0x93, 0x95, 0x9C, 0x9D, 0xEE};
	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		assert_int_equal(backoff_ms(MIN, MAX, 1, codes[i], 0.75), 2 * MIN * 3 / 4);
}

static void
test_one_value_for_both(void **state)
{
	(void)state;
	assert_int_equal(backoff_ms(2000, 2000, 9, 0, 0.0), 1000);
	assert_int_equal(backoff_ms(2000, 2000, 9, 0, 0.75), 1500);
}

static void
test_words(void **state)
{
	(void)state;
	assert_string_equal(backoff_reason_text(0x88), "server unavailable");
	assert_string_equal(backoff_reason_text(0x8B), "server shutting down");
	assert_string_equal(backoff_reason_text(0x77), "unknown reason");
	assert_int_equal(backoff_reason_of_311(1), 0x84);
	assert_int_equal(backoff_reason_of_311(4), 0x86);
	assert_int_equal(backoff_reason_of_311(5), 0x87);
	assert_int_equal(backoff_reason_of_311(99), 0x80);
	assert_int_equal(backoff_reason_of_311(-1), 0x80);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full_jitter_grows_to_the_limit),
		cmocka_unit_test(test_the_busy_and_the_refusing_wait_long),
		cmocka_unit_test(test_a_second_client_waits_longer),
		cmocka_unit_test(test_a_broker_that_shuts_down),
		cmocka_unit_test(test_other_codes_are_normal),
		cmocka_unit_test(test_one_value_for_both),
		cmocka_unit_test(test_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
