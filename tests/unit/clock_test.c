/* SPDX-License-Identifier: MIT */
/* clock_test.c -- what counts as a step of the clock, and what holds between the clocks */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/clock.h"

static void
test_step(void **state)
{
	static const struct {
		int64_t lead_ms, now_ms, step_ms;
	} cases[] = {
		{1000, 1000, 0},
		{1000, 1099, 0},
		{1000, 901, 0},
		{1000, 1100, 100},
		{1000, 900, -100},
		{1000, 1767225600000, 1767225599000},
		{1767225600000, 0, -1767225600000},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t lead_ms = cases[i].lead_ms;
		assert_int_equal(clock_step(&lead_ms, cases[i].now_ms), cases[i].step_ms);
		assert_int_equal(lead_ms, cases[i].step_ms ? cases[i].now_ms : cases[i].lead_ms);
	}
}

/* Many small ones are one step in the end. */
static void
test_creeping(void **state)
{
	int64_t lead_ms = 0, steps_ms = 0;
	(void)state;
	for (int64_t now_ms = 0; now_ms <= 1000; now_ms += 30)
		steps_ms += clock_step(&lead_ms, now_ms);
	assert_int_equal(steps_ms, lead_ms);
	assert_in_range(lead_ms, 901, 1000);
}

static void
test_lead(void **state)
{
	int64_t lead_ms = clock_lead_ms();
	(void)state;
	assert_in_range(clock_wall_ms() - clock_boot_ms() - lead_ms + 1000, 998, 1100);
	assert_in_range(clock_lead_ms() - lead_ms + 1000, 998, 1002);
}

static void
test_stamp(void **state)
{
	(void)state;
	assert_true(clock_stamp().unsynced); /* nobody has looked yet */
	clock_update(CLOCK_SOURCE_TRUST);
	assert_false(clock_stamp().unsynced);
	assert_in_range(clock_stamp().offset_ms - clock_lead_ms() + 1000, 998, 1002);
}

/* Nobody sets the clock here; but it can be opened without privileges, and does not block. */
static void
test_alarm(void **state)
{
	int fd = clock_alarm_open();
	(void)state;
	assert_true(fd >= 0);
	clock_alarm_read(fd);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_step),
		cmocka_unit_test(test_creeping),
		cmocka_unit_test(test_lead),
		cmocka_unit_test(test_stamp),
		cmocka_unit_test(test_alarm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
