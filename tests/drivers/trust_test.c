/* SPDX-License-Identifier: MIT */
/* trust_test.c -- mistrust of a line begins with a proof and ends by itself */
#include "drivers/trust.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { UNIT = 7, OTHER = 8, LATENCY_US = 200000 };

static const int64_t second_us = 1000000;
static const uint8_t frame[] = {UNIT, 3, 2, 0x12, 0x34};

static void
accept(struct trust *t, int64_t now_us)
{
	trust_accepted(t, UNIT, frame, sizeof(frame), now_us, now_us + LATENCY_US);
}

static void
a_healthy_unit_is_never_held_back(void **state)
{
	static struct trust t;

	(void)state;
	for (int64_t now_us = 1; now_us < 10 * second_us; now_us += 100000) {
		accept(&t, now_us);
		assert_true(trust_free_us(&t, UNIT) <= now_us);
		assert_false(trust_is_strict(&t, UNIT, now_us));
	}
}

static void
a_frame_is_a_copy_only_while_one_can_be_under_way(void **state)
{
	static struct trust t;

	(void)state;
	accept(&t, 1);
	assert_true(trust_is_copy(&t, UNIT, frame, sizeof(frame), LATENCY_US));
	assert_false(trust_is_copy(&t, UNIT, frame, sizeof(frame), 1 + LATENCY_US));
	assert_false(trust_is_copy(&t, OTHER, frame, sizeof(frame), LATENCY_US));
}

static void
a_unit_that_owes_an_answer_is_left_alone_until_it_cannot_come(void **state)
{
	static struct trust t;

	(void)state;
	trust_timed_out(&t, UNIT, LATENCY_US);
	assert_int_equal(trust_free_us(&t, UNIT), LATENCY_US);
	assert_int_equal(trust_free_us(&t, OTHER), 0);
	trust_stray(&t, UNIT, LATENCY_US / 2); /* the answer that it owed */
	assert_false(trust_is_strict(&t, UNIT, LATENCY_US / 2));
}

static void
a_second_answer_makes_the_line_strict_for_ten_minutes(void **state)
{
	static struct trust t;

	(void)state;
	accept(&t, 1);
	trust_stray(&t, UNIT, second_us);
	assert_true(trust_is_strict(&t, UNIT, 600 * second_us));
	assert_true(trust_is_strict(&t, OTHER, 600 * second_us));
	assert_false(trust_is_strict(&t, UNIT, 601 * second_us));
	assert_false(trust_is_strict(&t, OTHER, 601 * second_us));
}

static void
a_refused_copy_spaces_its_unit_for_a_minute(void **state)
{
	static struct trust t;
	int64_t now_us = second_us;

	(void)state;
	trust_refused(&t, UNIT, now_us, now_us + LATENCY_US);
	accept(&t, 60 * second_us);
	assert_int_equal(trust_free_us(&t, UNIT), 60 * second_us + LATENCY_US);
	now_us = 61 * second_us;
	accept(&t, now_us);
	assert_true(trust_free_us(&t, UNIT) <= now_us);
	assert_int_equal(trust_free_us(&t, OTHER), 0);
}

static void
a_broken_frame_costs_a_pause_and_on_a_strict_line_the_latency(void **state)
{
	static struct trust t;

	(void)state;
	trust_broken(&t, UNIT, second_us, second_us + LATENCY_US);
	assert_int_equal(trust_free_us(&t, UNIT), second_us + 50000);
	trust_stray(&t, OTHER, second_us);
	trust_broken(&t, UNIT, 2 * second_us, 2 * second_us + LATENCY_US);
	assert_int_equal(trust_free_us(&t, UNIT), 2 * second_us + LATENCY_US);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_healthy_unit_is_never_held_back),
		cmocka_unit_test(a_frame_is_a_copy_only_while_one_can_be_under_way),
		cmocka_unit_test(a_unit_that_owes_an_answer_is_left_alone_until_it_cannot_come),
		cmocka_unit_test(a_second_answer_makes_the_line_strict_for_ten_minutes),
		cmocka_unit_test(a_refused_copy_spaces_its_unit_for_a_minute),
		cmocka_unit_test(a_broken_frame_costs_a_pause_and_on_a_strict_line_the_latency),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
