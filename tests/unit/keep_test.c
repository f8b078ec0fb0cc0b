/* SPDX-License-Identifier: MIT */
/* keep_test.c -- what is read back is what was kept, whole or not at all */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/keep.h"

static char text[KEEP_SIZE];

/* ---- texts ---------------------------------------------------------------------------------- */

static struct usage_kept
full_usage(void)
{
	struct usage_kept u = usage_nothing;
	u.whole = true;
	u.since_ms = 1767225600123;
	for (int i = 0; i < BUCKET_COUNT; i++)
		u.in_us[i] = 1000000007LL * (i + 1);
	u.fault_us = 5;
	u.jobs_started = 9;
	u.jobs_finished = 7;
	u.jobs_failed = 1;
	u.alarms_raised = 12;
	u.energy_wh = 0.1 + 0.2;
	for (int i = 0; i < METERS_MAX; i++) {
		snprintf(
			u.meters[i].name, sizeof(u.meters[i].name), "m%d.energy \"A\\B\" %d", i, i);
		u.meters[i].tally = (struct tally){true, 1e9 / 3 + i, 1767225600000 + i};
	}
	for (int q = 0; q < QUANTITY_COUNT; q++) {
		u.totals[q] = 1.0 / (q + 3);
		u.job.base[q] = 10 + q;
		u.job.used[q] = -1 + q;
	}
	snprintf(u.job.id, sizeof(u.job.id), "01JGF0000000000000000000AB");
	u.job.announced = true;
	u.job.started_ms = 1767225600000;
	u.job.busy_us = 1;
	u.job.paused_us = 2;
	u.job.span_us = 3;
	u.job.last_ms = 4;
	u.job.accuracy_s = 8;
	snprintf(u.job.evidence, sizeof(u.job.evidence), "meter.power_w");
	snprintf(u.job.name, sizeof(u.job.name), "Дракон \"2\".gcode");
	u.at_ms = 1767225601000;
	return u;
}

static void
test_usage(void **state)
{
	const struct usage_kept u = full_usage();
	struct usage_kept back = {0};
	(void)state;
	assert_true(keep_usage(&u, text, sizeof(text)) > 0);
	assert_true(keep_read_usage(text, &back));
	assert_memory_equal(&u.in_us, &back.in_us, sizeof(u.in_us));
	assert_memory_equal(&u.totals, &back.totals, sizeof(u.totals));
	for (int i = 0; i < METERS_MAX; i++) {
		assert_string_equal(u.meters[i].name, back.meters[i].name);
		assert_true(u.meters[i].tally.last == back.meters[i].tally.last);
		assert_int_equal(u.meters[i].tally.last_ms, back.meters[i].tally.last_ms);
	}
	assert_memory_equal(&u.job, &back.job, offsetof(struct job, evidence));
	assert_string_equal(u.job.evidence, back.job.evidence);
	assert_string_equal(u.job.name, back.job.name);
	assert_true(u.energy_wh == back.energy_wh);
	assert_int_equal(u.at_ms, back.at_ms);
	assert_true(back.whole);
	assert_int_equal(u.since_ms, back.since_ms);
	assert_int_equal(u.jobs_started, back.jobs_started);
	assert_int_equal(u.jobs_finished, back.jobs_finished);
	assert_int_equal(u.jobs_failed, back.jobs_failed);
	assert_int_equal(u.alarms_raised, back.alarms_raised);
	assert_int_equal(u.fault_us, back.fault_us);
}

static void
test_an_alarm_with_every_kind_of_value(void **state)
{
	static const struct value values[] = {{.kind = VALUE_FLOAT, .u.num = 31.2F},
		{.kind = VALUE_REAL, .decimals = 1, .u.num = -4.5}, {.kind = VALUE_INT, .u.i = -7},
		{.kind = VALUE_UINT, .u.u = UINT32_MAX}, {.kind = VALUE_BOOL, .u.b = true}};
	char was[32], now[32];
	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		const struct alarm_life a = {.active = true,
			.severity = SEVERITY_CRITICAL,
			.raised_ms = 5,
			.count = 3,
			.has_value = true,
			.value = values[i],
			.told = true,
			.flapping = true,
			.suppressed_by = "bus-rs485-down"};
		struct alarm_life back = {0};
		assert_true(keep_alarm(&a, text, sizeof(text)) > 0);
		assert_true(keep_read_alarm(text, &back));
		assert_true(back.active && back.has_value && back.told && back.flapping);
		assert_int_equal(back.severity, SEVERITY_CRITICAL);
		assert_int_equal(back.count, 3);
		value_print(&a.value, was, sizeof(was));
		value_print(&back.value, now, sizeof(now));
		assert_string_equal(was, now);
		assert_string_equal(back.suppressed_by, "bus-rs485-down");
	}
}

/* A file may have been damaged, or made up. */
static void
test_a_hostile_text(void **state)
{
	static const char *const kinds[] = {"0", "1", "7", "8", "255", "-1", "264", "\"a\""};
	struct usage_kept u = usage_nothing;
	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct alarm_life a = {0};
		snprintf(text, sizeof(text),
			"{\"has_value\":true,\"value.kind\":%s,\"value\":31.2}", kinds[i]);
		assert_true(keep_read_alarm(text, &a));
		assert_false(a.has_value);
		assert_int_equal(a.value.kind, VALUE_NONE);
	}
	struct alarm_life a = {0};
	assert_false(keep_read_alarm("{\"severity\":5}", &a));
	assert_false(keep_read_alarm("{\"severity\":-1}", &a));
	u.since_ms = 7;
	u.energy_wh = 3;
	assert_true(keep_read_usage("{\"since_ms\":9223372036854775807,\"jobs_started\":-1,"
				    "\"job.accuracy_s\":4294967296,\"energy_wh\":1e300}",
		&u));
	assert_int_equal(u.since_ms, 7);
	assert_int_equal(u.jobs_started, 0);
	assert_int_equal(u.job.accuracy_s, 0);
	assert_true(u.energy_wh == 3);
}

static void
test_what_is_no_such_text(void **state)
{
	struct usage_kept u = usage_nothing;
	struct kept_machine m = {0};
	(void)state;
	assert_false(keep_read_usage(NULL, &u));
	assert_false(keep_read_usage("", &u));
	assert_false(keep_read_usage("[1]", &u));
	assert_false(keep_read_machine("{\"activity\":77}", &m));
	/* An older daemon knew less, a newer one knows more. */
	assert_true(keep_read_usage("{\"jobs_started\":3,\"new\":{\"a\":1}}", &u));
	assert_int_equal(u.jobs_started, 3);
	assert_true(u.energy_wh < 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_an_alarm_with_every_kind_of_value),
		cmocka_unit_test(test_a_hostile_text),
		cmocka_unit_test(test_what_is_no_such_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
