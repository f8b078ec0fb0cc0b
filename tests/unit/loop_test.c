/* SPDX-License-Identifier: MIT */
/* loop_test.c -- a turn of the loop ends when its time is over */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/clock.h"
#include "daemon/loop.h"

enum { HANGS_S = 5 };

static void
woken(void *arg)
{
	++*(int *)arg;
}

static void
test_turn_ends(void **state)
{
	int woke = 0;
	struct loop *l = loop_create(woken, &woke);
	(void)state;
	assert_non_null(l);
	alarm(HANGS_S); /* ends the process */
	loop_run_once(l, 0);
	int64_t from_us = clock_mono_us();
	while (clock_mono_us() - from_us < 20000) /* the loop's own idea of now is old by then */
		;
	loop_run_once(l, 10);
	assert_int_equal(woke, 0);
	loop_wake(l);
	loop_run_once(l, 10000);
	assert_int_equal(woke, 1);
	alarm(0);
	assert_int_equal(loop_destroy(l), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_turn_ends)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
