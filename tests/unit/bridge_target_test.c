/* SPDX-License-Identifier: MIT */
/* bridge_target_test.c -- what an Alertmanager is told next, and when again after it failed */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/alertmanager/target.h"

enum { MIN = 60000, T = 1000000 };

static struct alerts alerts;
static struct target target;

static void
fire(int from, int to)
{
	char labels[32];

	for (int i = from; i < to; i++) {
		snprintf(labels, sizeof labels, "{\"alertname\":\"a%d\"}", i);
		alerts_fire(&alerts, labels, "{}", 5);
	}
}

static int
set_up(void **state)
{
	(void)state;
	memset(&alerts, 0, sizeof alerts);
	target = (struct target){.url = "http://am"};
	alerts_begin(&alerts);
	fire(0, 1200);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	alerts_free(&alerts);
	return 0;
}

/* The size of the next batch, 0: nothing is due. */
static size_t
next(int64_t mono_ms)
{
	char *body = target_next(&target, &alerts, mono_ms, T, MIN);
	size_t n = 0;

	for (const char *p = body; p && (p = strstr(p, "alertname")); p++)
		n++;
	assert_int_equal(body ? target.batch : 0, n);
	free(body);
	return n;
}

static enum target_news
answer(long status, int64_t mono_ms)
{
	return target_answer(&target, status, mono_ms, 0.0);
}

static void
tell_all(int64_t mono_ms)
{
	while (next(mono_ms))
		assert_int_equal(answer(200, mono_ms), TARGET_SAME);
	assert_true(target_is_current(&target, &alerts));
}

static void
test_batches_then_news_then_all_again(void **state)
{
	(void)state;
	assert_int_equal(next(T), 500);
	assert_int_equal(next(T), 0); /* one at a time */
	assert_int_equal(target_due_ms(&target, &alerts), INT64_MAX);
	assert_int_equal(answer(200, T), TARGET_SAME);
	assert_int_equal(next(T), 500);
	answer(200, T);
	assert_int_equal(next(T), 200);
	answer(200, T);
	assert_int_equal(next(T), 0);
	assert_int_equal(target_due_ms(&target, &alerts), T + MIN);
	fire(1200, 1203);
	assert_true(target_due_ms(&target, &alerts) <= T);
	assert_int_equal(next(T + 1), 3);
	answer(202, T + 1);
	assert_int_equal(next(T + MIN - 1), 0);
	assert_int_equal(next(T + MIN), 500);
}

static void
test_pauses_after_failures(void **state)
{
	static const int64_t pauses[] = {500, 1000, 2000, 4000, 8000, 15000, 15000};
	int64_t mono_ms = T;

	(void)state;
	for (size_t i = 0; i < sizeof pauses / sizeof pauses[0]; i++) {
		assert_int_equal(next(mono_ms), 500);
		assert_int_equal(answer(i % 2 ? 503 : 0, mono_ms), i ? TARGET_SAME : TARGET_FAILED);
		assert_int_equal(next(mono_ms + pauses[i] - 1), 0);
		assert_int_equal(target_due_ms(&target, &alerts), mono_ms + pauses[i]);
		mono_ms += pauses[i];
	}
	assert_int_equal(next(mono_ms), 500);
	assert_int_equal(answer(200, mono_ms), TARGET_HEALED);
	assert_int_equal(target.posts, 8);
	assert_int_equal(target.failed, 7);
}

/* It may have been restarted meanwhile, and forgets all alerts then. */
static void
test_all_is_told_after_a_failure(void **state)
{
	(void)state;
	tell_all(T);
	fire(1200, 1201);
	assert_int_equal(next(T + 1), 1);
	answer(0, T + 1);
	assert_int_equal(next(T + 501), 1);
	assert_int_equal(answer(200, T + 501), TARGET_HEALED);
	assert_int_equal(next(T + 501), 500);
}

static void
test_one_bad_alert_is_left_out_alone(void **state)
{
	size_t told = 0, n;
	int refused = 0;

	(void)state;
	while ((n = next(T))) {
		/* the 700th alert, which has version 700 */
		bool bad = target.done < 700 && target.asked >= 700;
		refused += answer(bad ? 400 : 200, T) == TARGET_REFUSED;
		told += bad ? 0 : n;
		assert_true(target.posts < 100);
	}
	assert_int_equal(refused, 1);
	assert_int_equal(target.refused, 1);
	assert_int_equal(told, 1199);
	assert_true(target_is_current(&target, &alerts));
	fire(1200, 2400);
	assert_int_equal(next(T), 500); /* it takes big ones again */
}

/* The newest was forgotten: there is nothing left to tell. */
static void
test_current_without_the_newest(void **state)
{
	(void)state;
	tell_all(T);
	free(((struct alert *)alerts.all.last)->notes);
	map_remove(&alerts.all, alerts.all.last);
	target.done = 0;
	tell_all(T);
	assert_true(target_due_ms(&target, &alerts) > T);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_batches_then_news_then_all_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pauses_after_failures, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_all_is_told_after_a_failure, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_one_bad_alert_is_left_out_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_current_without_the_newest, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
