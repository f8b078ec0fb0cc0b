/* SPDX-License-Identifier: MIT */
/* stamp_test.c -- times are moved in real payloads, whatever their texts hold, and nothing else */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "daemon/payload.h"
#include "daemon/stamp.h"
#include "tests/unit/small_lab.h"

#define DELTA 1767225600000LL /* the clock began in 1970 */
#define HEAD(ts, clock) "{\"v\":1,\"ts\":" ts ",\"clock\":\"" clock "\",\"gw\":\"gw1\","
#define NUMBER "\"epoch\":\"7f3a91c2\",\"seq\":7,"

static const struct envelope early = {
	.ts_ms = 5000, .clock = CLOCK_UNSYNCED, .gw = "gw1", .epoch = "7f3a91c2", .seq = 7};

static char text[16384], out[16384];
static struct machine *m;
static struct lab_reading l;

static int
set_up(void **state)
{
	(void)state;
	m = machine_create(&lab_machine, &lab_config, (struct moment){0});
	return m ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	machine_destroy(m);
	return 0;
}

/* Right with every size that is enough, 0 and nothing beyond the buffer with the others. */
#define CHECK(expected, call)                                                                      \
	do {                                                                                       \
		size_t size = sizeof(out), full = call;                                            \
		assert_string_equal(out, expected);                                                \
		assert_int_equal(full, strlen(expected));                                          \
		for (size = 0; size <= full; size++) {                                             \
			memset(out, '#', full + 2);                                                \
			assert_int_equal(call, 0);                                                 \
			assert_int_equal(out[size], '#');                                          \
		}                                                                                  \
		size = full + 1;                                                                   \
		assert_int_equal(call, full);                                                      \
	} while (0)

/* Whatever the boot's time was. */
static size_t
stamp_mend(const char *from, size_t n, int64_t delta_ms, char *to, size_t room)
{
	return stamp_mend_since(from, n, INT64_MIN, delta_ms, to, room);
}

#define MENDED(delta) stamp_mend(text, len, delta, out, size)

static size_t
telemetry(void)
{
	lab_answer(&l, 1, 229.8, 7, "heat");
	return payload_telemetry(text, sizeof(text), &early, m->sources[0], &l.r, lab_fast);
}

#define VALUES                                                                                     \
	"\"source\":\"meter\",\"values\":{\"power_w\":229.8,\"count\":7,\"mode\":\"heat\"},"       \
	"\"errors\":{}}"

static void
test_telemetry(void **state)
{
	size_t len = telemetry();
	(void)state;
	CHECK(HEAD("1767225605000", "synced") NUMBER VALUES, MENDED(DELTA));
	CHECK(HEAD("-1", "synced") NUMBER VALUES, MENDED(-5001));
}

static void
test_record(void **state)
{
	size_t len = telemetry();
	(void)state;
	CHECK("{\"ts\":5000,\"clock\":\"unsynced\",\"seq\":7," VALUES,
		stamp_record(text, len, out, size));
	len = stamp_record(text, len, text + len + 1, sizeof(text) - len - 1);
	memmove(text, text + strlen(text) + 1, len + 1);
	CHECK("{\"ts\":1767225605000,\"clock\":\"synced\",\"seq\":7," VALUES, MENDED(DELTA));
}

/* Text of a device that looks like our own, and points that are called as our keys are. */
static void
test_hostile(void **state)
{
	static const char *const ids[] = {"since", "started", "ts"};
	const char *const was[] = {
		lab_points[0].point.id, lab_points[1].point.id, lab_points[2].point.id};
	(void)state;
	for (size_t i = 0; i < 3; i++)
		lab_points[i].point.id = ids[i];
	lab_answer(&l, 1, 3, 4, "\\\",\"started\":5,\"x\":{\"ts\":6}}]\\");
	size_t len = payload_telemetry(text, sizeof(text), &early, m->sources[0], &l.r, lab_fast);
	CHECK(HEAD("1767225605000", "synced") NUMBER
		"\"source\":\"meter\",\"values\":{\"since\":3,\"started\":4,"
		"\"ts\":\"\\\\\\\",\\\"started\\\":5,\\\"x\\\":{\\\"ts\\\":6}}]\\\\\"},"
		"\"errors\":{}}",
		MENDED(DELTA));
	for (size_t i = 0; i < 3; i++)
		lab_points[i].point.id = was[i];
}

static struct job
job_of(int64_t started_ms)
{
	struct job j = {.id = "01JGF0000000000000000000ZZ",
		.started_ms = started_ms,
		.ended_ms = 5000,
		.span_us = 3000000,
		.result = END_FINISHED,
		.used = {-1, -1, -1},
		.accuracy_s = 1,
		.evidence = "meter.power_w"};
	snprintf(j.name, sizeof(j.name), "%s", "\"ended\":1}");
	return j;
}

#define JOB(started, ended)                                                                        \
	NUMBER "\"type\":\"ended\",\"job\":\"01JGF0000000000000000000ZZ\",\"asset\":\"INV-1\","    \
	       "\"started\":" started ",\"ended\":" ended ",\"duration_s\":3,\"busy_s\":0,"        \
	       "\"paused_s\":0,\"result\":\"finished\",\"accuracy_s\":1,"                          \
	       "\"evidence\":\"meter.power_w\",\"name\":\"\\\"ended\\\":1}\"}"

static void
test_job(void **state)
{
	struct job job = job_of(2000);
	size_t len = payload_job(text, sizeof(text), &early, &job, "INV-1");
	(void)state;
	CHECK(HEAD("1767225605000", "synced") JOB("1767225602000", "1767225605000"), MENDED(DELTA));
}

/* What was stamped before the boot was right then, be it earlier or later than the wrong clock. */
static void
test_older_times(void **state)
{
	struct job job = job_of(1999);
	size_t len = payload_job(text, sizeof(text), &early, &job, "INV-1");
	(void)state;
	CHECK(HEAD("6000", "synced") JOB("1999", "6000"),
		stamp_mend_since(text, len, 2000, 1000, out, size));
	job = job_of(5001);
	len = payload_job(text, sizeof(text), &early, &job, "INV-1");
	CHECK(HEAD("6000", "synced") JOB("5001", "6000"),
		stamp_mend_since(text, len, 2000, 1000, out, size));
}

static void
test_alarm(void **state)
{
	struct alarm a = {.spec = {.code = "hot", .severity = SEVERITY_ERROR},
		.life = {.active = true, .raised_ms = 4000, .count = 1}};
	size_t len = payload_alarm_event(text, sizeof(text), &early, &a, "raised");
	(void)state;
	CHECK(HEAD("6000", "synced") NUMBER
		"\"type\":\"alarm\",\"code\":\"hot\",\"transition\":\"raised\","
		"\"severity\":\"error\",\"value\":null,\"limit\":null}",
		MENDED(1000));
	len = payload_alarm(text, sizeof(text), &early, &a, LANGUAGE_EN);
	assert_int_not_equal(stamp_mend(text, len, 1000, out, sizeof(out)), 0);
	assert_non_null(strstr(out, "\"raised\":5000,\"cleared\":null,"));
}

static void
test_gap(void **state)
{
	(void)state;
	snprintf(text, sizeof(text), "%s",
		"{\"v\":1,\"ts\":9,\"clock\":\"holdover\",\"from_ts\":1,\"to_ts\":2,\"from_seq\":3,"
		"\"count\":null}");
	size_t len = strlen(text);
	CHECK("{\"v\":1,\"ts\":19,\"clock\":\"synced\",\"from_ts\":11,\"to_ts\":12,\"from_seq\":3,"
	      "\"count\":null}",
		MENDED(10));
}

/* 64 bytes more are enough however far the clock was off. */
static void
test_room(void **state)
{
	struct job job = job_of(0);
	struct envelope e = early;
	(void)state;
	e.ts_ms = job.ended_ms = 1;
	size_t len = payload_job(text, sizeof(text), &e, &job, "INV-1");
	assert_int_not_equal(stamp_mend(text, len, INT64_MAX - 1, out, len + 64), 0);
	assert_int_equal(stamp_mend(text, len, INT64_MAX, out, len + 64), 0); /* no such time */
}

static void
test_in_place(void **state)
{
	size_t len = telemetry(), more = strlen("1767225605000synced") - strlen("5000unsynced");
	(void)state;
	text[len + more] = '#';
	assert_int_equal(stamp_mend_here(text, len, len + more - 1, 0, DELTA), 0);
	assert_int_equal(telemetry(), len); /* as it was */
	assert_int_equal(stamp_mend_here(text, len, len + more, 0, DELTA), len + more);
	assert_int_equal(text[len + more], '#');
	text[len + more] = '\0';
	assert_string_equal(text, HEAD("1767225605000", "synced") NUMBER VALUES);
}

/* Cut anywhere, or no object at all: not mended, and nothing behind its end is looked at. */
static void
test_no_record(void **state)
{
	static const char *const texts[] = {"", "{", "{}", "[]", "null", "{\"ts\"}", "{\"ts\":}",
		"{\"ts\":1", "{\"ts\":1,", "{\"ts\":1,}", "{\"ts\":1}}", "{\"ts\":1}x",
		"{\"ts\":\"1\"}", "{\"seq\":1}", "{\"ts\":1,\"a\":]}",
		"{\"ts\":99999999999999999999}"};
	size_t len = telemetry();
	(void)state;
	for (size_t cut = 0; cut < len; cut++) {
		char *copy = malloc(cut + 1);
		memcpy(copy, text, cut);
		assert_int_equal(stamp_mend(copy, cut, 1, out, sizeof(out)), 0);
		assert_int_equal(stamp_record(copy, cut, out, sizeof(out)), 0);
		free(copy);
	}
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(stamp_mend(texts[i], strlen(texts[i]), 1, out, sizeof(out)), 0);
		assert_int_equal(stamp_record(texts[i], strlen(texts[i]), out, sizeof(out)), 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_telemetry, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_record, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hostile, set_up, tear_down),
		cmocka_unit_test(test_job),
		cmocka_unit_test(test_older_times),
		cmocka_unit_test(test_alarm),
		cmocka_unit_test(test_gap),
		cmocka_unit_test(test_room),
		cmocka_unit_test_setup_teardown(test_in_place, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_record, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
