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
#include "daemon/state.h"

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

/* ---- the database --------------------------------------------------------------------------- */

static char directory[] = "/tmp/keep_test.XXXXXX";
static int n_records;
static int64_t last_record;
static char last_topic[64];

/* Takes the database and its directory away. */
static int
tear_down(void **state)
{
	static const char *const names[] = {"state.db", "state.db-wal", "state.db-shm"};
	char path[64];
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
		unlink(path);
	}
	rmdir(directory);
	return 0;
}

static struct state *
reopen(struct state *s)
{
	char error[256] = "";
	state_close(s);
	s = state_open(directory, error, sizeof(error));
	assert_string_equal(error, "");
	assert_non_null(s);
	return s;
}

static bool
count_record(void *arg, int64_t record, const char *topic, const char *payload, size_t len)
{
	(void)arg;
	assert_true(record > last_record);
	assert_int_equal(len, strlen(payload));
	last_record = record;
	snprintf(last_topic, sizeof(last_topic), "%s", topic);
	n_records++;
	return true;
}

static int
records(struct state *s)
{
	n_records = 0;
	last_record = 0;
	state_records(s, 0, count_record, NULL);
	return n_records;
}

static void
test_a_change_and_its_record_are_one(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(directory));
	struct state *s = reopen(NULL);
	state_put(s, "usage", "INV-1", "{\"a\":1}");
	assert_true(state_record(s, "machines/m/job", "{}", 2) > 0);
	assert_true(state_is_urgent(s));
	s = reopen(s); /* the power went before the commit */
	assert_null(state_get(s, "usage", "INV-1"));
	assert_int_equal(records(s), 0);
	state_put(s, "usage", "INV-1", "{\"a\":1}");
	int64_t first = state_record(s, "machines/m/job", "{}", 2);
	assert_int_equal(state_commit(s), 0);
	s = reopen(s);
	char *kept = state_get(s, "usage", "INV-1");
	assert_string_equal(kept, "{\"a\":1}");
	free(kept);
	assert_int_equal(records(s), 1);
	state_forget(s, first);
	assert_false(state_is_urgent(s)); /* it can wait for others */
	assert_int_equal(state_commit(s), 0);
	s = reopen(s);
	assert_int_equal(records(s), 0);
	assert_true(state_record(s, "t", "{}", 2) > first); /* also of an empty table */
	state_drop(s, "usage", "INV-1");
	assert_int_equal(state_commit(s), 0);
	assert_null(state_get(s, "usage", "INV-1"));
	state_close(s);
}

static void
test_without_a_database_nothing_is_kept(void **state)
{
	char error[256] = "";
	(void)state;
	assert_null(state_open("/proc/none", error, sizeof(error)));
	assert_non_null(strstr(error, "/proc/none/state.db"));
	state_put(NULL, "usage", "a", "b");
	assert_int_equal(state_record(NULL, "t", "{}", 2), 0);
	assert_int_equal(state_commit(NULL), 0);
	assert_null(state_get(NULL, "usage", "a"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_an_alarm_with_every_kind_of_value),
		cmocka_unit_test(test_what_is_no_such_text),
		cmocka_unit_test_teardown(test_a_change_and_its_record_are_one, tear_down),
		cmocka_unit_test(test_without_a_database_nothing_is_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
