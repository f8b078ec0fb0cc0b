/* SPDX-License-Identifier: MIT */
/* activity_trace_test.c -- usage rules against long random traces: laws that hold whatever comes */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/activity_rules.h"

enum { SEEDS = 40, STEPS = 3000 };

static const struct usage_rule mixed[] = {
	{BUSY_RULE, .for_ms = 3000, .hold_ms = 4000},
	{.activity = ACTIVITY_PAUSED,
		LEVEL("io.mode", TEST_EQUALS, heat),
		.for_ms = 2000,
		.hold_ms = 1000},
	{.activity = ACTIVITY_IDLE, LEVEL("meter.power_w", TEST_ABOVE, w8), .for_ms = 2000},
	{.activity = ACTIVITY_OFF, .always = true},
};

static uint32_t
next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

struct world {
	uint32_t seed;
	double power;
	const char *mode;
	int silent[2];  /* seconds yet */
	int last_at[2]; /* of the last reading; -1: never */
};

/* Levels stand for some seconds; now and then a source is silent, sometimes for long. */
static void
step_world(struct world *w, int at)
{
	static const double powers[] = {1, 12, 100, 143.2};

	if (next_random(&w->seed) % 5 == 0)
		w->power = powers[next_random(&w->seed) % 4];
	if (next_random(&w->seed) % 7 == 0)
		w->mode = next_random(&w->seed) % 3 ? "cool" : "heat";
	for (size_t i = 0; i < 2; i++) {
		if (w->silent[i] > 0) {
			w->silent[i]--;
			continue;
		}
		if (next_random(&w->seed) % 40 == 0)
			w->silent[i] = (int)(next_random(&w->seed) % 60);
		if (w->silent[i] == 30) /* too old for less than a second: not all would see it */
			w->silent[i]++;
		give(i, at, w->power, 0, w->mode);
		w->last_at[i] = at;
	}
}

static bool
is_known(const struct world *w, size_t source, int at)
{
	return w->last_at[source] >= 0 && at - w->last_at[source] <= 30;
}

/* One judge as it is now; `was` and `since` are of its last update. */
static void
check_laws(const struct world *w, const struct judge *j, int at, enum activity was, int64_t since)
{
	enum activity now = activity_now(j);

	if (activity_decided(j) && !is_known(w, 0, at)) /* the first rule's point */
		assert_int_equal(now, ACTIVITY_UNKNOWN);
	if (activity_decided(j) && !is_known(w, 1, at)) /* the second's; the first may hold */
		assert_true(now == ACTIVITY_UNKNOWN || now == ACTIVITY_BUSY);
	assert_true(activity_since_us(j) >= since);
	assert_true(activity_since_us(j) <= at * LAB_S + LAB_S);
	if (now == was)
		assert_int_equal(activity_since_us(j), since);
}

/* Asked on each reading, four times a second, and late in the second: the same story. */
static void
tell_story(uint32_t seed, enum activity stored, unsigned seen[5])
{
	struct world w = {.seed = seed, .power = 1, .mode = "cool", .last_at = {-1, -1}};
	struct judge *seldom = activity_create(mixed, COUNT(mixed), &machine_scope, stored, 0);
	struct judge *often = activity_create(mixed, COUNT(mixed), &machine_scope, stored, 0);
	struct judge *late = activity_create(mixed, COUNT(mixed), &machine_scope, stored, 0);
	enum activity was = stored;

	for (int at = 0; at < STEPS; at++) {
		int64_t since = activity_since_us(seldom);
		step_world(&w, at);
		activity_update(seldom, at * LAB_S);
		activity_update(often, at * LAB_S);
		assert_int_equal(activity_now(seldom), activity_now(often));
		check_laws(&w, seldom, at, was, since);
		was = activity_now(seldom);
		seen[was]++;
		activity_update(often, at * LAB_S + LAB_S / 4);
		activity_update(often, at * LAB_S + LAB_S / 2);
		activity_update(late, at * LAB_S + LAB_S * 7 / 10);
		assert_int_equal(activity_now(late), activity_now(often));
		activity_update(often, at * LAB_S + LAB_S * 3 / 4);
	}
	activity_destroy(seldom);
	activity_destroy(often);
	activity_destroy(late);
}

static void
random_traces_keep_the_laws(void **state)
{
	static const enum activity stored[] = {
		ACTIVITY_UNKNOWN, ACTIVITY_OFF, ACTIVITY_IDLE, ACTIVITY_BUSY, ACTIVITY_PAUSED};
	unsigned seen[5] = {0};

	(void)state;
	for (uint32_t seed = 1; seed <= SEEDS; seed++) {
		tear_down(NULL);
		set_up(NULL);
		tell_story(seed * 2654435761U, stored[seed % COUNT(stored)], seen);
	}
	for (size_t i = 0; i < COUNT(seen); i++) /* or it would prove nothing */
		assert_true(seen[i] > STEPS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(random_traces_keep_the_laws, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
