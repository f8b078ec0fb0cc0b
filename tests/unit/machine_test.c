/* SPDX-License-Identifier: MIT */
/* machine_test.c -- when a source is not ok, what is published of it, and what that makes of its
 * machine; time comes as an argument */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/small_lab.h"

static struct machine *m;
static struct source *meter, *io; /* on RTU and on TCP */
static struct lab_reading l;

static int
set_up(void **state)
{
	(void)state;
	m = machine_create(&lab_machine, &lab_config, (struct moment){0});
	if (!m)
		return -1;
	meter = m->sources[0];
	io = m->sources[1];
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	machine_destroy(m);
	lab_sources[0].interval_ms = 0;
	lab_sources[0].deadbands = NULL;
	lab_sources[0].n_deadbands = 0;
	return 0;
}

static unsigned
good(struct source *s, double at)
{
	return source_take(
		s, lab_answer(&l, at, 143.2, 7, "heat"), lab_fast, (int64_t)(at * LAB_S));
}

static unsigned
bad(struct source *s, double at, enum fail fail)
{
	return source_take(s, lab_failure(&l, at, fail), lab_fast, (int64_t)(at * LAB_S));
}

/* ---- ok or not ---------------------------------------------------------------------------------
 */

static void
test_an_answer_decides_at_once(void **state)
{
	(void)state;
	assert_false(meter->decided);
	assert_int_equal(good(meter, 1), OUTCOME_TELEMETRY | OUTCOME_SOURCE | OUTCOME_STATE);
	assert_true(meter->ok);
	assert_int_equal(good(meter, 2), OUTCOME_TELEMETRY);
	assert_int_equal(meter->at_ms, 2000);
}

static void
test_three_failures_and_three_seconds(void **state)
{
	(void)state;
	good(meter, 10);
	assert_int_equal(bad(meter, 11, FAIL_TIMEOUT), OUTCOME_ERRORS); /* one message, once */
	assert_int_equal(bad(meter, 11.5, FAIL_TIMEOUT), 0);
	assert_int_equal(bad(meter, 12, FAIL_TIMEOUT), 0); /* three, but only 2 s */
	assert_true(meter->ok);
	assert_int_equal(bad(meter, 12.9, FAIL_TIMEOUT), 0);
	assert_int_equal(bad(meter, 13, FAIL_TIMEOUT), OUTCOME_SOURCE | OUTCOME_STATE);
	assert_false(meter->ok);
	assert_int_equal(meter->since_ms, 13000);
	assert_int_equal(bad(meter, 14, FAIL_TIMEOUT), 0);
	assert_int_equal(good(meter, 20), OUTCOME_TELEMETRY | OUTCOME_SOURCE | OUTCOME_STATE);
	assert_int_equal(bad(meter, 21, FAIL_TIMEOUT), OUTCOME_ERRORS);
}

static void
test_two_failures_are_a_hiccup(void **state)
{
	(void)state;
	good(meter, 10);
	bad(meter, 12, FAIL_CRC);
	assert_int_equal(bad(meter, 12.9, FAIL_CRC), 0);
	assert_true(meter->ok);
	assert_int_equal(good(meter, 14), OUTCOME_TELEMETRY);
	bad(meter, 15, FAIL_CRC); /* counts from the start */
	bad(meter, 16, FAIL_CRC);
	assert_true(meter->ok);
}

static void
test_tcp_has_ten_seconds(void **state)
{
	(void)state;
	good(io, 10);
	for (double t = 11; t < 20; t += 1)
		assert_false(bad(io, t, FAIL_TIMEOUT) & OUTCOME_SOURCE);
	assert_int_equal(bad(io, 20, FAIL_TIMEOUT), OUTCOME_SOURCE | OUTCOME_STATE);
}

static void
test_a_device_node_that_is_gone(void **state)
{
	(void)state;
	good(meter, 10);
	assert_int_equal(
		bad(meter, 10.1, FAIL_LINK_DOWN), OUTCOME_ERRORS | OUTCOME_SOURCE | OUTCOME_STATE);
	good(io, 10);
	assert_int_equal(bad(io, 10.1, FAIL_LINK_DOWN), OUTCOME_ERRORS); /* it may be restarting */
	assert_true(io->ok);
}

static void
test_what_waiting_does_not_mend(void **state)
{
	static const enum fail fails[] = {
		FAIL_IDENTITY, FAIL_IN_USE, FAIL_PERMISSION, FAIL_AMBIGUOUS};
	(void)state;
	for (size_t i = 0; i < sizeof(fails) / sizeof(fails[0]); i++) {
		good(io, 10 * (double)(i + 1));
		assert_true(bad(io, 10 * (double)(i + 1) + 1, fails[i]) & OUTCOME_SOURCE);
		assert_int_equal(io->fail, fails[i]);
	}
}

static void
test_another_reason_is_shown(void **state)
{
	(void)state;
	bad(meter, 1, FAIL_LINK_DOWN);
	assert_int_equal(bad(meter, 2, FAIL_LINK_DOWN), 0);
	assert_int_equal(bad(meter, 3, FAIL_PERMISSION), OUTCOME_STATE);
}

static void
test_never_heard_of(void **state)
{
	(void)state;
	assert_int_equal(bad(meter, 1, FAIL_TIMEOUT), OUTCOME_ERRORS);
	bad(meter, 2, FAIL_TIMEOUT);
	assert_false(meter->decided);
	assert_int_equal(bad(meter, 3, FAIL_TIMEOUT), OUTCOME_SOURCE | OUTCOME_STATE);
}

/* On a loaded line a silent unit is probed so seldom that three failures take long. */
static void
test_time_decides_too(void **state)
{
	(void)state;
	good(meter, 10);
	assert_int_equal(source_tick(meter, 60 * LAB_S, 60000), 0); /* nothing failed */
	bad(meter, 11, FAIL_TIMEOUT);
	assert_int_equal(source_tick(meter, 12900000, 12900), 0);
	assert_int_equal(source_tick(meter, 13 * LAB_S, 13000), OUTCOME_SOURCE | OUTCOME_STATE);
	assert_int_equal(source_tick(meter, 14 * LAB_S, 14000), 0);
	lab_sources[0].interval_ms = 20000;
	struct source *slow = source_create(&lab_sources[0], &lab_buses[0], 0);
	slow->machine = m;
	good(slow, 10);
	bad(slow, 30, FAIL_TIMEOUT);
	assert_int_equal(source_tick(slow, 40 * LAB_S, 40000), 0); /* one failed poll of 20 s */
	assert_true(slow->ok);
	source_destroy(slow);
}

static void
test_values_go_with_the_answer(void **state)
{
	(void)state;
	good(meter, 1);
	assert_int_equal(meter->states[0].value.kind, VALUE_FLOAT);
	assert_string_equal(meter->states[2].value.u.s, "heat");
	assert_ptr_not_equal(meter->states[2].value.u.s, l.values[2].u.s); /* a copy of its own */
	bad(meter, 2, FAIL_TIMEOUT);
	for (size_t i = 0; i < meter->n_points; i++) {
		assert_int_equal(meter->states[i].value.kind, VALUE_NONE);
		assert_int_equal(meter->states[i].fail, FAIL_TIMEOUT);
	}
}

/* ---- what is published -------------------------------------------------------------------------
 */

static unsigned
value(double at, double power, int64_t count, const char *mode)
{
	return source_take(
		meter, lab_answer(&l, at, power, count, mode), lab_fast, (int64_t)(at * LAB_S));
}

static void
with_deadband(const char *point, double band)
{
	static struct deadband one;
	one = (struct deadband){.point = point, .value = band};
	lab_sources[0].deadbands = &one;
	lab_sources[0].n_deadbands = 1;
	machine_destroy(m);
	set_up(NULL);
}

static void
test_without_a_deadband_every_poll(void **state)
{
	(void)state;
	value(1, 1, 1, "heat");
	for (int i = 2; i < 10; i++)
		assert_int_equal(value(i, 1, 1, "heat"), OUTCOME_TELEMETRY);
}

static void
test_deadband(void **state)
{
	(void)state;
	with_deadband("power_w", 5);
	assert_true(value(1, 100, 7, "heat") & OUTCOME_TELEMETRY);
	assert_int_equal(value(2, 104, 7, "heat"), 0);
	assert_int_equal(value(3, 105, 7, "heat"), 0); /* inside, just */
	assert_int_equal(value(4, 105.1, 7, "heat"), OUTCOME_TELEMETRY);
	assert_int_equal(value(5, 100.2, 7, "heat"), 0); /* from what was published */
	assert_int_equal(
		value(6, 100.2, 8, "heat"), OUTCOME_TELEMETRY); /* another point, no band */
	assert_int_equal(value(7, 100.2, 8, "cool"), OUTCOME_TELEMETRY);
	assert_int_equal(value(8, 100.2, 8, "cool"), 0);
}

static void
test_deadband_creep(void **state)
{
	(void)state;
	unsigned published = 0;
	with_deadband(NULL, 5);
	for (int i = 0; i < 50; i++)
		published += (value(i, i, 7, "heat") & OUTCOME_TELEMETRY) != 0;
	assert_int_equal(published, 9); /* 0, 6, 12, … 48: slow drift is not lost */
}

static void
test_heartbeat(void **state)
{
	unsigned published = 0;
	(void)state;
	with_deadband(NULL, 5);
	for (int i = 0; i <= 300; i++)
		published += (value(i, 100, 7, "heat") & OUTCOME_TELEMETRY) != 0;
	assert_int_equal(published, 6); /* one a minute */
}

static void
test_a_missing_point_leaves_the_deadband(void **state)
{
	(void)state;
	with_deadband(NULL, 5);
	value(1, 100, 7, "heat");
	lab_answer(&l, 2, 100, 7, "heat");
	l.values[0] = (struct value){.fail = FAIL_SENSOR_ERROR};
	assert_int_equal(source_take(meter, &l.r, lab_fast, 2 * LAB_S), OUTCOME_TELEMETRY);
	l.r.mono_us += LAB_S;
	assert_int_equal(source_take(meter, &l.r, lab_fast, 3 * LAB_S), 0);
	assert_int_equal(value(4, 100, 7, "heat"), OUTCOME_TELEMETRY);
}

/* Two sources of one unit: it is read as often as the faster wants. */
static void
test_a_slower_source_of_a_shared_unit(void **state)
{
	unsigned published = 0;
	(void)state;
	lab_sources[0].interval_ms = 5000;
	machine_destroy(m);
	set_up(NULL);
	meter->shares = true;
	for (int i = 0; i < 60; i++)
		published += (value(i + (i % 3) * 0.01, i, i, "heat") & OUTCOME_TELEMETRY) != 0;
	assert_int_equal(published, 12);
}

/* Whatever the computer delays: each reading of a unit of its own is published. */
static void
test_an_early_reading_of_an_own_unit(void **state)
{
	(void)state;
	lab_sources[0].interval_ms = 5000;
	machine_destroy(m);
	set_up(NULL);
	value(0, 1, 7, "heat");
	value(6, 2, 7, "heat");
	assert_true(value(10, 3, 7, "heat") & OUTCOME_TELEMETRY);
}

static void
test_a_change_between_two_publications_is_not_lost(void **state)
{
	(void)state;
	lab_sources[0].interval_ms = 5000;
	with_deadband("power_w", 5);
	meter->shares = true;
	value(0, 100, 7, "heat");
	assert_int_equal(value(1, 100, 7, "cool"), 0); /* too early for this source */
	assert_int_equal(value(5, 100, 7, "cool"), OUTCOME_TELEMETRY);
}

static void
test_subset_of_points(void **state)
{
	static uint8_t wanted[LAB_POINTS] = {[LAB_COUNT] = 1};
	(void)state;
	lab_sources[0].wanted = wanted;
	machine_destroy(m);
	set_up(NULL);
	assert_int_equal(meter->n_points, 1);
	assert_int_equal(meter->points[0], LAB_COUNT);
	assert_true(good(meter, 1) & OUTCOME_TELEMETRY);
	assert_int_equal(meter->states[0].value.u.i, 7);
	lab_sources[0].wanted = NULL;
}

/* ---- the machine -------------------------------------------------------------------------------
 */

static struct machine_news news;
static char transitions[256]; /* "hot raised, hot cleared" */

static void
note(void *arg, struct alarm *a, unsigned bits)
{
	size_t len = strlen(transitions);
	(void)arg;
	if (bits & (ALARM_RAISED | ALARM_CLEARED))
		snprintf(transitions + len, sizeof(transitions) - len, "%s%s %s", len ? ", " : "",
			a->spec.code, bits & ALARM_RAISED ? "raised" : "cleared");
}

/* At this millisecond of both clocks. */
static bool
changes(int64_t ms)
{
	const struct alarmset_context context = {.now = {.us = ms * 1000, .wall_ms = ms}};
	machine_update(m, &context, note, NULL, &news);
	return news.state;
}

static void
test_one_source_is_enough(void **state)
{
	(void)state;
	assert_false(changes(1));
	bad(meter, 1, FAIL_LINK_DOWN);
	assert_false(changes(1000)); /* the other may answer yet */
	good(io, 2);
	assert_true(changes(2000));
	assert_string_equal(machine_availability(m), "online");
	assert_int_equal(m->since_ms, 2000);
	good(meter, 3);
	assert_false(changes(3000));
	bad(io, 4, FAIL_IDENTITY);
	assert_false(changes(4000));
	bad(meter, 5, FAIL_IDENTITY);
	assert_true(changes(5000));
	assert_string_equal(machine_state(m), "offline");
	assert_int_equal(m->since_ms, 5000);
}

static void
test_reason(void **state)
{
	char buf[256];
	(void)state;
	good(meter, 1);
	good(io, 1);
	machine_reason(m, buf, sizeof(buf));
	assert_string_equal(buf, "all sources answer");
	bad(io, 2, FAIL_IDENTITY);
	machine_reason(m, buf, sizeof(buf));
	assert_string_equal(buf, "io: identity");
	bad(meter, 2, FAIL_IN_USE);
	machine_reason(m, buf, sizeof(buf));
	assert_string_equal(buf, "meter: in-use, io: identity");
	machine_reason(m, buf, 10);
	assert_string_equal(buf, "meter: in");
}

/* ---- rules, alarms and jobs together --------------------------------------------------------- */

static struct operand limit = {.kind = OPERAND_NUMBER, .number = 120};
static struct usage_rule rules[] = {
	{.activity = ACTIVITY_BUSY,
		.when = {.kind = CONDITION_POINT,
			.point = "meter.power_w",
			.test = TEST_ABOVE,
			.operands = &limit,
			.n_operands = 1}},
	{.activity = ACTIVITY_IDLE, .always = true},
};
static struct alarm_rule alarms[] = {
	{.code = "hot",
		.when = {.kind = CONDITION_POINT,
			.point = "meter.count",
			.test = TEST_ABOVE,
			.operands = &limit,
			.n_operands = 1},
		.hits = 1,
		.severity = SEVERITY_ERROR},
};

static void
entropy(uint8_t out[10])
{
	memset(out, 7, 10);
}

static void
with_rules(void)
{
	const struct usage_rules jobs = {.end_after_ms = 5000, .min_ms = 3000, .entropy = entropy};
	machine_destroy(m);
	lab_machine.usage = rules;
	lab_machine.n_usage = 2;
	lab_machine.alarms = alarms;
	lab_machine.n_alarms = 1;
	set_up(NULL);
	usage_init(&m->usage, &jobs, (struct moment){0});
	transitions[0] = '\0';
}

static void
without_rules(void)
{
	lab_machine.n_usage = lab_machine.n_alarms = 0;
}

static bool
measures(double at, double power, int64_t count)
{
	source_take(
		meter, lab_answer(&l, at, power, count, "heat"), lab_fast, (int64_t)(at * LAB_S));
	return changes((int64_t)(at * 1000));
}

static void
test_a_job_from_start_to_end(void **state)
{
	char buf[256];
	(void)state;
	with_rules();
	measures(1, 20, 0);
	assert_string_equal(machine_state(m), "idle");
	assert_true(measures(2, 300, 0));
	assert_string_equal(machine_state(m), "busy");
	machine_reason(m, buf, sizeof(buf));
	assert_string_equal(buf, "meter.power_w 300 above 120, io: not read yet");
	measures(4, 300, 0);
	assert_false(news.usage.started); /* too short yet */
	assert_null(machine_job(m));
	measures(5, 300, 0);
	assert_true(news.usage.started);
	assert_int_equal(news.usage.start.started_ms, 2000);
	assert_string_equal(news.usage.start.evidence, "meter.power_w");
	assert_string_equal(machine_job(m), news.usage.start.id);
	measures(20, 20, 0);
	assert_non_null(machine_job(m)); /* it may go on */
	for (int t = 21; t < 26; t++)
		measures(t, 20, 0);
	assert_true(news.usage.ended);
	assert_int_equal(news.usage.end.result, END_FINISHED);
	assert_int_equal(news.usage.end.ended_ms, 20000);
	assert_null(machine_job(m));
	without_rules();
}

/* Only rules that know idle can tell that a machine went off without it. */
static void
test_off_is_the_end_where_there_is_no_idle(void **state)
{
	(void)state;
	rules[1].activity = ACTIVITY_OFF;
	with_rules();
	measures(1, 300, 0);
	measures(5, 300, 0);
	for (int t = 6; t < 13 && !news.usage.ended; t++)
		measures(t, 2, 0);
	assert_true(news.usage.ended);
	assert_int_equal(news.usage.end.result, END_FINISHED);
	rules[1].activity = ACTIVITY_IDLE;
	without_rules();
}

static void
test_an_alarm_makes_a_fault(void **state)
{
	char buf[256];
	(void)state;
	with_rules();
	measures(1, 300, 0);
	assert_true(measures(2, 300, 121));
	assert_string_equal(machine_state(m), "fault");
	assert_string_equal(machine_condition(m), "fault");
	machine_reason(m, buf, sizeof(buf));
	assert_string_equal(buf, "alarm hot, meter.power_w 300 above 120, io: not read yet");
	assert_false(measures(2.4, 20, 121)); /* idle now, and in fault as before */
	assert_true(news.shown);
	assert_int_equal(m->since_ms, 2000);
	measures(2.6, 300, 121);
	m->maintenance = (struct maintenance){.until_ms = 9000, .until_us = 9000000};
	measures(3, 300, 121);
	assert_string_equal(machine_state(m), "busy"); /* known, and worked on */
	m->maintenance.until_ms = 0;
	measures(4, 300, 0);
	measures(7, 300, 0);
	assert_string_equal(transitions, "hot raised, hot cleared");
	without_rules();
}

static void
test_a_reload_changes_nothing(void **state)
{
	(void)state;
	with_rules();
	measures(1, 300, 121);
	measures(5, 300, 121);
	char id[27];
	snprintf(id, sizeof(id), "%s", machine_job(m));
	assert_int_equal(machine_rebind(m, (struct moment){.us = 5500000, .wall_ms = 5500}), 0);
	assert_false(measures(6, 300, 121));
	assert_string_equal(transitions, "hot raised");
	assert_string_equal(machine_job(m), id);
	without_rules();
}

static void
test_a_reload_delays_no_end(void **state)
{
	(void)state;
	with_rules();
	measures(1, 300, 121);
	measures(2, 300, 7);
	assert_string_equal(transitions, "hot raised, hot cleared");
	assert_int_equal(machine_rebind(m, (struct moment){.us = 5500000, .wall_ms = -3600000}), 0);
	const struct alarm *hot = alarmset_find(m->alarms, "hot");
	assert_false(alarm_is_past(hot, (struct moment){.us = 901 * LAB_S}));
	assert_true(alarm_is_past(hot, (struct moment){.us = 902 * LAB_S}));
	without_rules();
}

static const struct shift set_forward = {.from_ms = 1000, .to_ms = 10000, .delta_ms = 5000000};
static const struct moment set_now = {.us = 10000000, .wall_ms = 5010000};

static void
test_times_move_with_the_clock(void **state)
{
	(void)state;
	good(meter, 2);
	changes(2000);
	bad(io, 3, FAIL_IDENTITY);
	m->maintenance =
		(struct maintenance){.since_ms = 4000, .until_ms = 64000, .until_us = 64000000};
	m->former_since_ms = 999; /* before the boot */
	machine_clock_moved(m, &set_forward, set_now);
	assert_int_equal(m->since_ms, 5002000);
	assert_int_equal(m->former_since_ms, 999);
	assert_int_equal(meter->at_ms, 5002000);
	assert_int_equal(meter->since_ms, 5002000);
	assert_int_equal(io->since_ms, 5003000);
	assert_int_equal(io->at_ms, 0);
	assert_int_equal(m->maintenance.since_ms, 5004000);
	assert_int_equal(m->maintenance.until_ms, 5064000);
	assert_int_equal(m->maintenance.until_us, 64000000); /* a minute is a minute */
}

/* "Until three", somebody said before the power went; then the clock was behind. */
static void
test_maintenance_of_before_the_boot(void **state)
{
	(void)state;
	m->maintenance =
		(struct maintenance){.since_ms = 900, .until_ms = 5020000, .until_us = INT64_MAX};
	m->since_ms = 5000000; /* of before the boot, later than its clock */
	m->former_since_ms = 1000;
	machine_clock_moved(m, &set_forward, set_now);
	assert_int_equal(m->since_ms, 5000000);
	assert_int_equal(m->former_since_ms, 5001000);
	assert_int_equal(m->maintenance.since_ms, 900);
	assert_int_equal(m->maintenance.until_ms, 5020000);
	assert_true(machine_in_maintenance(m, (struct moment){.us = 19999999}));
	assert_false(machine_in_maintenance(m, (struct moment){.us = 20000000}));
	machine_clock_stepped(m, -20000); /* and is set again: it lasts no longer for that */
	assert_int_equal(m->maintenance.until_ms, 5000000);
	assert_false(machine_in_maintenance(m, (struct moment){.us = 20000000}));
}

static void
test_energy_is_counted_once(void **state)
{
	struct lab_reading slow = {.r = {.group = 1, .n = 1, .ts_ms = 1000, .mono_us = LAB_S},
		.values = {{.kind = VALUE_INT, .u.i = 1000}}};
	(void)state;
	lab_points[LAB_ENERGY].point.class = "energy_import_wh";
	with_rules();
	slow.r.values = slow.values;
	source_take(meter, &slow.r, lab_slow, LAB_S);
	source_take(io, &slow.r, lab_slow, LAB_S); /* its own meter is not this machine's */
	changes(1000);
	assert_true(m->usage.kept.energy_wh == 0);
	slow.values[0].u.i = 1005;
	slow.r.mono_us = 61 * LAB_S;
	source_take(meter, &slow.r, lab_slow, 61 * LAB_S);
	changes(61000);
	changes(62000);
	assert_true(m->usage.kept.energy_wh == 5);
	lab_points[LAB_ENERGY].point.class = NULL;
	without_rules();
}

static void
test_one_lost_answer_of_a_driver(void **state)
{
	static const struct driver board = {.name = "board"};
	(void)state;
	lab_sources[0].driver = &board;
	machine_destroy(m);
	set_up(NULL);
	usage_init(&m->usage, &(struct usage_rules){.entropy = entropy}, (struct moment){0});
	lab_answer(&l, 1, 1, 1, "heat")->status.activity = ACTIVITY_BUSY;
	source_take(meter, &l.r, lab_fast, LAB_S);
	changes(1000);
	assert_string_equal(machine_state(m), "busy");
	bad(meter, 2, FAIL_TIMEOUT);
	assert_false(changes(2000)); /* it still prints */
	bad(meter, 3, FAIL_TIMEOUT);
	lab_failure(&l, 4, FAIL_TIMEOUT)->status.faults = 1; /* "went silent while busy" */
	source_take(meter, &l.r, lab_fast, 4 * LAB_S);
	assert_true(changes(4000));
	assert_string_equal(machine_state(m), "offline");
	assert_int_equal(m->activity, ACTIVITY_UNKNOWN);
	assert_int_equal(meter->faults_since, 1);
	good(meter, 5);
	assert_int_equal(meter->faults_since, 0);
	lab_sources[0].driver = &lab_driver;
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_an_answer_decides_at_once),
		TEST(test_three_failures_and_three_seconds),
		TEST(test_two_failures_are_a_hiccup),
		TEST(test_tcp_has_ten_seconds),
		TEST(test_a_device_node_that_is_gone),
		TEST(test_what_waiting_does_not_mend),
		TEST(test_another_reason_is_shown),
		TEST(test_never_heard_of),
		TEST(test_time_decides_too),
		TEST(test_values_go_with_the_answer),
		TEST(test_without_a_deadband_every_poll),
		TEST(test_deadband),
		TEST(test_deadband_creep),
		TEST(test_heartbeat),
		TEST(test_a_missing_point_leaves_the_deadband),
		TEST(test_a_slower_source_of_a_shared_unit),
		TEST(test_an_early_reading_of_an_own_unit),
		TEST(test_a_change_between_two_publications_is_not_lost),
		TEST(test_subset_of_points),
		TEST(test_one_source_is_enough),
		TEST(test_reason),
		TEST(test_a_job_from_start_to_end),
		TEST(test_off_is_the_end_where_there_is_no_idle),
		TEST(test_an_alarm_makes_a_fault),
		TEST(test_a_reload_changes_nothing),
		TEST(test_a_reload_delays_no_end),
		TEST(test_times_move_with_the_clock),
		TEST(test_maintenance_of_before_the_boot),
		TEST(test_energy_is_counted_once),
		TEST(test_one_lost_answer_of_a_driver),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
