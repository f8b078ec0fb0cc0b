/* SPDX-License-Identifier: MIT */
/* activity_test.c -- usage rules against traces of seconds: what the machine does, since when, why
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/activity_rules.h"

/* ---- rules --------------------------------------------------------------------------------- */

static struct operand w140[] = {{.kind = OPERAND_NUMBER, .number = 140}};
static struct operand w100[] = {{.kind = OPERAND_NUMBER, .number = 100}};
static struct operand w40[] = {{.kind = OPERAND_NUMBER, .number = 40}};
static struct operand zero[] = {{.kind = OPERAND_NUMBER, .number = 0}};

static const struct usage_rule laser[] = {
	{BUSY_RULE, .for_ms = 10000, .hold_ms = 60000},
	{.activity = ACTIVITY_IDLE, LEVEL("meter.power_w", TEST_ABOVE, w8), .for_ms = 5000},
	{.activity = ACTIVITY_OFF, .always = true},
};

static const struct usage_rule printer_mean[] = {
	{.activity = ACTIVITY_BUSY,
		.when = {.point = "meter.power_w",
			.test = TEST_ABOVE,
			.operands = w40,
			.n_operands = 1,
			.stat = STAT_MEAN,
			.window_ms = 60000}},
	{.activity = ACTIVITY_IDLE, .always = true},
};

static const struct usage_rule printer_p90[] = {
	{.activity = ACTIVITY_BUSY,
		.when = {.point = "meter.power_w",
			.test = TEST_ABOVE,
			.operands = w100,
			.n_operands = 1,
			.stat = STAT_P90,
			.window_ms = 60000}},
	{.activity = ACTIVITY_IDLE, .always = true},
};

static const struct usage_rule printer_last[] = {
	{.activity = ACTIVITY_BUSY, LEVEL("meter.power_w", TEST_ABOVE, w40)},
	{.activity = ACTIVITY_IDLE, .always = true},
};

/* Between 120 W (held: 80 W) and 140 W. */
static struct condition band_parts[] = {{.point = "meter.power_w",
						.test = TEST_ABOVE,
						.operands = w120,
						.n_operands = 1,
						.has_exit = true,
						.exit = 80},
	{.point = "meter.power_w", .test = TEST_BELOW, .operands = w140, .n_operands = 1}};
static const struct usage_rule band[] = {
	{.activity = ACTIVITY_BUSY,
		.when = {.kind = CONDITION_ALL, .parts = band_parts, .n_parts = 2}},
	{.activity = ACTIVITY_IDLE, .always = true},
};

static const struct usage_rule input[] = {
	{.activity = ACTIVITY_BUSY, LEVEL("meter.mode", TEST_EQUALS, heat), .for_ms = 2000},
	{.activity = ACTIVITY_IDLE, .always = true},
};

/* Three rules that ask two sources. */
static const struct usage_rule both[] = {
	{.activity = ACTIVITY_BUSY, LEVEL("meter.power_w", TEST_ABOVE, w120)},
	{.activity = ACTIVITY_PAUSED, LEVEL("io.count", TEST_ABOVE, zero)},
	{.activity = ACTIVITY_OFF, .always = true},
};

/* ---- traces: each second one reading and one update ------------------------------------------ */

enum { SILENT = -1, HEAT = -2 }; /* in place of the power: no answer; mode "heat" */

struct stretch {
	int seconds;
	double power; /* or SILENT, HEAT */
};

struct change {
	int at;
	enum activity activity;
	int since;
};

struct trace {
	const char *name;
	const struct usage_rule *rules;
	size_t n;
	enum activity stored;
	struct stretch said[12];
	struct change expected[8];
};

#define RULES(r) (r), COUNT(r)
#define FROM_NOTHING ACTIVITY_UNKNOWN

static const struct trace traces[] = {
	{"levels, for and hold of a laser", RULES(laser), FROM_NOTHING,
		{{20, 1}, {30, 143.2}, {30, 100}, {120, 12}, {20, 1}},
		{{0, ACTIVITY_OFF, 0}, {25, ACTIVITY_IDLE, 20}, {30, ACTIVITY_BUSY, 20},
			{140, ACTIVITY_IDLE, 80}, {200, ACTIVITY_OFF, 200}}},
	{"what is at its exit level has not ended", RULES(laser), FROM_NOTHING,
		{{20, 143.2}, {100, 80}, {70, 79}},
		{{10, ACTIVITY_BUSY, 0}, {180, ACTIVITY_IDLE, 120}}},
	{"between the levels it does not begin", RULES(laser), FROM_NOTHING, {{100, 119}},
		{{5, ACTIVITY_IDLE, 0}}},
	{"pauses shorter than hold", RULES(laser), FROM_NOTHING,
		{{20, 143.2}, {59, 12}, {5, 143.2}, {59, 12}, {20, 143.2}, {61, 12}},
		{{10, ACTIVITY_BUSY, 0}, {223, ACTIVITY_IDLE, 163}}},
	{"while hold runs it is back at once, with its exit level", RULES(laser), FROM_NOTHING,
		{{20, 143.2}, {30, 12}, {2, 143.2}, {100, 100}}, {{10, ACTIVITY_BUSY, 0}}},
	{"shorter than for", RULES(laser), FROM_NOTHING,
		{{30, 12}, {10, 143.2}, {30, 12}, {11, 143.2}},
		{{5, ACTIVITY_IDLE, 0}, {80, ACTIVITY_BUSY, 70}}},
	{"hold ends in what began meanwhile", RULES(laser), FROM_NOTHING,
		{{20, 143.2}, {20, 1}, {100, 12}},
		{{10, ACTIVITY_BUSY, 0}, {80, ACTIVITY_IDLE, 40}}},

	{"a heater that cycles, by its last value", RULES(printer_last), FROM_NOTHING,
		{{10, 150}, {20, 10}, {10, 150}, {20, 10}},
		{{0, ACTIVITY_BUSY, 0}, {10, ACTIVITY_IDLE, 10}, {30, ACTIVITY_BUSY, 30},
			{40, ACTIVITY_IDLE, 40}}},
	/* 10 s of 150 W, 20 s of 10 W: 56.7 W. Less than 40 W is less than 12.9 s of 150 W in the
	 * last minute: of those from 60 to 70 and of less than 3 s before 40. */
	{"by its mean", RULES(printer_mean), FROM_NOTHING,
		{{10, 150}, {20, 10}, {10, 150}, {20, 10}, {10, 150}, {120, 10}},
		{{30, ACTIVITY_BUSY, 30}, {98, ACTIVITY_IDLE, 98}}},
	/* Until less than a tenth of the minute had 150 W. */
	{"by its 90th percentile", RULES(printer_p90), FROM_NOTHING,
		{{10, 150}, {20, 10}, {10, 150}, {20, 10}, {10, 150}, {120, 10}},
		{{30, ACTIVITY_BUSY, 30}, {124, ACTIVITY_IDLE, 124}}},

	{"the exit level is of the whole condition", RULES(band), FROM_NOTHING,
		{{10, 130}, {10, 100}, {10, 150}, {10, 100}, {10, 130}},
		{{0, ACTIVITY_BUSY, 0}, {20, ACTIVITY_IDLE, 20}, {40, ACTIVITY_BUSY, 40}}},

	{"a digital input", RULES(input), FROM_NOTHING,
		{{10, 0}, {1, HEAT}, {10, 0}, {10, HEAT}, {10, 0}},
		{{0, ACTIVITY_IDLE, 0}, {23, ACTIVITY_BUSY, 21}, {31, ACTIVITY_IDLE, 31}}},

	{"nothing was ever read", RULES(laser), FROM_NOTHING, {{100, SILENT}}, {{0}}},
	{"silence is not off", RULES(laser), FROM_NOTHING, {{20, 143.2}, {100, SILENT}},
		{{10, ACTIVITY_BUSY, 0}, {50, ACTIVITY_UNKNOWN, 50}}},
	{"off is not off for ever", RULES(laser), FROM_NOTHING, {{20, 1}, {100, SILENT}},
		{{0, ACTIVITY_OFF, 0}, {50, ACTIVITY_UNKNOWN, 50}}},
	{"after silence busy needs its for again", RULES(laser), FROM_NOTHING,
		{{20, 143.2}, {80, SILENT}, {20, 143.2}},
		{{10, ACTIVITY_BUSY, 0}, {50, ACTIVITY_UNKNOWN, 50}, {110, ACTIVITY_BUSY, 100}}},
	{"but is not forgotten between its levels", RULES(laser), FROM_NOTHING,
		{{20, 143.2}, {80, SILENT}, {20, 100}},
		{{10, ACTIVITY_BUSY, 0}, {50, ACTIVITY_UNKNOWN, 50}, {110, ACTIVITY_BUSY, 100}}},
	{"after silence off is known at once", RULES(laser), FROM_NOTHING,
		{{20, 143.2}, {80, SILENT}, {20, 1}},
		{{10, ACTIVITY_BUSY, 0}, {50, ACTIVITY_UNKNOWN, 50}, {100, ACTIVITY_OFF, 100}}},
	{"after silence idle is not taken for off while its for runs", RULES(laser), FROM_NOTHING,
		{{20, 1}, {80, SILENT}, {20, 12}},
		{{0, ACTIVITY_OFF, 0}, {50, ACTIVITY_UNKNOWN, 50}, {105, ACTIVITY_IDLE, 100}}},
	{"hold does not bridge silence", RULES(laser), FROM_NOTHING,
		{{20, 143.2}, {20, 12}, {35, SILENT}, {20, 12}},
		{{10, ACTIVITY_BUSY, 0}, {70, ACTIVITY_UNKNOWN, 70}, {80, ACTIVITY_IDLE, 75}}},
	{"short silence is nothing", RULES(laser), FROM_NOTHING,
		{{20, 143.2}, {30, SILENT}, {20, 143.2}}, {{10, ACTIVITY_BUSY, 0}}},

	{"stored, and it goes on", RULES(laser), ACTIVITY_BUSY, {{5, SILENT}, {100, 143.2}}, {{0}}},
	{"stored, and between its levels", RULES(laser), ACTIVITY_BUSY, {{5, SILENT}, {100, 100}},
		{{0}}},
	{"another was stored", RULES(laser), ACTIVITY_IDLE, {{5, SILENT}, {30, 100}}, {{0}}},
	{"stored busy is idle", RULES(laser), ACTIVITY_BUSY, {{5, SILENT}, {30, 12}},
		{{10, ACTIVITY_IDLE, 5}}},
	{"stored busy is off", RULES(laser), ACTIVITY_BUSY, {{5, SILENT}, {30, 1}},
		{{5, ACTIVITY_OFF, 5}}},
	{"stored off is busy, and was not idle before", RULES(laser), ACTIVITY_OFF,
		{{5, SILENT}, {30, 143.2}}, {{15, ACTIVITY_BUSY, 5}}},
	{"stored, and never heard again", RULES(laser), ACTIVITY_BUSY, {{100, SILENT}},
		{{31, ACTIVITY_UNKNOWN, 0}}},

	{"an earlier rule that holds needs no later point", RULES(both), FROM_NOTHING,
		{{50, 143.2}}, {{0, ACTIVITY_BUSY, 0}}},
	{"a later rule that cannot be asked is not off", RULES(both), FROM_NOTHING,
		{{50, 143.2}, {50, 1}}, {{0, ACTIVITY_BUSY, 0}, {50, ACTIVITY_UNKNOWN, 50}}},
};

/* Whether the change is the expected one; tells if it is not. */
static bool
is_expected(const struct trace *t, size_t k, const struct judge *j, int at)
{
	const struct change *c = &t->expected[k];

	if (k < COUNT(t->expected) && c->at == at && c->activity == activity_now(j) &&
		c->since * LAB_S == activity_since_us(j))
		return true;
	printf("%s: %s at %d since %g\n", t->name, activity_name(activity_now(j)), at,
		(double)activity_since_us(j) / LAB_S);
	return false;
}

static bool
follows(const struct trace *t)
{
	struct judge *j = activity_create(t->rules, t->n, &machine_scope, t->stored, 0);
	enum activity before = t->stored;
	size_t k = 0;
	int at = 0;
	bool good = true;

	assert_non_null(j);
	for (const struct stretch *s = t->said; s->seconds; s++)
		for (int end = at + s->seconds; at < end; at++) {
			if (s->power != SILENT)
				give(0, at, s->power, 0, s->power == HEAT ? "heat" : "cool");
			activity_update(j, at * LAB_S);
			if (activity_now(j) != before)
				good = is_expected(t, k++, j, at) && good;
			before = activity_now(j);
		}
	if (k < COUNT(t->expected) && (t->expected[k].at || t->expected[k].activity)) {
		printf("%s: no change at %d\n", t->name, t->expected[k].at);
		good = false;
	}
	activity_destroy(j);
	return good;
}

static void
traces_are_followed(void **state)
{
	int wrong = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(traces); i++) {
		tear_down(NULL);
		set_up(NULL);
		wrong += !follows(&traces[i]);
	}
	assert_int_equal(wrong, 0);
}

/* ---- what it tells --------------------------------------------------------------------------- */

static void
assert_told(const struct judge *j, const char *reason, const char *evidence)
{
	char buf[256];

	activity_reason(j, buf, sizeof(buf));
	assert_string_equal(buf, reason);
	activity_evidence(j, buf, sizeof(buf));
	assert_string_equal(buf, evidence);
}

static void
run(struct judge *j, int from, int to, double power)
{
	for (int at = from; at < to; at++) {
		give(0, at, power, 0, "cool");
		activity_update(j, at * LAB_S);
	}
}

static void
reasons_and_evidence(void **state)
{
	struct judge *j = activity_create(laser, COUNT(laser), &machine_scope, ACTIVITY_BUSY, 0);

	(void)state;
	activity_update(j, 0);
	assert_told(j, "busy as before the start; meter.power_w not known", "");
	assert_false(activity_decided(j));
	run(j, 1, 11, 143.2);
	assert_told(
		j, "busy as before the start; meter.power_w 143.2 above 120 not yet for 10 s", "");
	assert_false(activity_decided(j));
	run(j, 11, 12, 143.2);
	assert_true(activity_decided(j));
	assert_told(j, "meter.power_w 143.2 above 120 for 10 s", "meter.power_w");
	run(j, 12, 20, 100);
	assert_told(j, "meter.power_w 100 not yet below 80 for 10 s", "meter.power_w");
	run(j, 20, 30, 12);
	assert_told(j, "meter.power_w 12 was above 120, held for 60 s", "meter.power_w");
	run(j, 30, 90, 12);
	assert_told(j, "meter.power_w 12 above 8 for 5 s", "meter.power_w");
	run(j, 90, 91, 1);
	assert_told(j, "no other rule holds", "");
	activity_update(j, 200 * LAB_S);
	assert_told(j, "meter.power_w not known", "");
	run(j, 200, 201, 12);
	assert_told(j, "meter.power_w 12 above 8 not yet for 5 s", "");
	assert_int_equal(activity_now(j), ACTIVITY_UNKNOWN);
	activity_destroy(j);
}

static void
unknown_is_decided_when_patience_ends(void **state)
{
	struct judge *j = activity_create(laser, COUNT(laser), &machine_scope, ACTIVITY_BUSY, 0);

	(void)state;
	assert_int_equal(activity_update(j, 30 * LAB_S), ACTIVITY_BUSY);
	assert_false(activity_decided(j));
	assert_int_equal(activity_update(j, 30 * LAB_S + 1), ACTIVITY_UNKNOWN);
	assert_true(activity_decided(j));
	assert_told(j, "meter.power_w not known", "");
	activity_destroy(j);
}

static const struct usage_rule slow[] = {
	{.activity = ACTIVITY_IDLE, LEVEL("io.energy_import_wh", TEST_BELOW, zero)},
	{.activity = ACTIVITY_BUSY, LEVEL("meter.power_w", TEST_ABOVE, w120)},
	{.activity = ACTIVITY_OFF, .always = true}};

static int
accuracy_of(const struct usage_rule *rules, size_t n)
{
	struct judge *j = activity_create(rules, n, &machine_scope, ACTIVITY_BUSY, 0);
	int s = activity_accuracy_s(j);

	activity_destroy(j);
	return s;
}

static void
accuracy_is_the_slowest_point(void **state)
{
	(void)state;
	assert_int_equal(accuracy_of(laser, COUNT(laser)), 1);
	assert_int_equal(accuracy_of(slow, COUNT(slow)), 60);
	lab_groups[0].period_ms = 300;
	tear_down(NULL);
	set_up(NULL);
	assert_int_equal(accuracy_of(laser, COUNT(laser)), 1);
	lab_groups[0].period_ms = 1500;
	tear_down(NULL);
	set_up(NULL);
	assert_int_equal(accuracy_of(laser, COUNT(laser)), 2);
	lab_groups[0].period_ms = 1000;
}

static void
the_start_waits_for_the_slowest_point(void **state)
{
	struct judge *j = activity_create(slow, COUNT(slow), &machine_scope, ACTIVITY_BUSY, 0);
	struct value energy = {.kind = VALUE_INT, .u.i = 7};
	const struct reading r = {.group = 1, .n = 1, .values = &energy};

	(void)state;
	assert_int_equal(activity_update(j, 180 * LAB_S), ACTIVITY_BUSY);
	assert_int_equal(activity_update(j, 181 * LAB_S), ACTIVITY_UNKNOWN);
	activity_destroy(j);
	/* What was decided once does not wait for anything. */
	j = activity_create(slow, COUNT(slow), &machine_scope, ACTIVITY_BUSY, 0);
	source_take(sources[1], &r, lab_slow, 0);
	give(0, 0, 143.2, 0, "cool");
	assert_int_equal(activity_update(j, 0), ACTIVITY_BUSY);
	assert_true(activity_decided(j));
	assert_int_equal(activity_update(j, 31 * LAB_S), ACTIVITY_UNKNOWN);
	activity_destroy(j);
}

/* Updates come with the loop's delay; the readings know better. */
static void
a_late_update_does_not_move_the_beginning(void **state)
{
	struct judge *j = activity_create(input, COUNT(input), &machine_scope, ACTIVITY_UNKNOWN, 0);

	(void)state;
	give(0, 1, 0, 0, "cool");
	activity_update(j, 1 * LAB_S);
	give(0, 2, 0, 0, "heat");
	activity_update(j, 2 * LAB_S + 700000);
	assert_int_equal(activity_update(j, 4 * LAB_S), ACTIVITY_BUSY);
	assert_int_equal(activity_since_us(j), 2 * LAB_S);
	activity_destroy(j);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(traces_are_followed),
		TEST(reasons_and_evidence),
		TEST(unknown_is_decided_when_patience_ends),
		TEST(accuracy_is_the_slowest_point),
		TEST(the_start_waits_for_the_slowest_point),
		TEST(a_late_update_does_not_move_the_beginning),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
