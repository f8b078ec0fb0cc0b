/* SPDX-License-Identifier: MIT */
/* alarm_test.c -- an alarm's life, step by step */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/alarm_steps.h"

/* ---- step by step -------------------------------------------------------------------------- */

struct step {
	double s;
	int what; /* F, U, T: the condition; T_AGAIN: of the same reading; OUT: withdrawn */
	const char *by;
	unsigned want;
	const char *life; /* as describe() has it */
};

static const char *
describe(const struct alarm *a, char *buf, size_t size)
{
	const struct alarm_life *l = &a->life;

	snprintf(buf, size, "%s %u%s%s%s%s%s%s", l->active ? "active" : "normal", l->count,
		alarm_is_held(a) ? " held" : "", l->stale ? " stale" : "",
		l->flapping ? " flapping" : "", l->acked ? " acked" : "",
		l->suppressed_by[0] ? " by " : "", l->suppressed_by);
	return buf;
}

static unsigned
take(struct alarm *a, const struct step *step, int64_t sampled_us, struct flood *flood)
{
	struct alarm_input in = {
		.condition = step->what == T_AGAIN ? TRUTH_TRUE : (enum truth)step->what,
		.suppressor = step->by,
		.sampled_us = sampled_us,
		.has_value = true,
		.value = {.kind = VALUE_DOUBLE, .u.num = step->s},
		.has_limit = true,
		.limit = 30};

	if (step->what == ACK)
		return alarm_ack(a, at(step->s));
	if (step->what == OUT)
		return alarm_withdraw(a, at(step->s));
	return alarm_update(a, &in, flood, at(step->s));
}

static struct alarm
run(const struct alarm_spec *spec, const struct step *steps, size_t n)
{
	struct alarm a = {.spec = *spec};
	struct flood flood = {0};
	int64_t sampled_us = 0;
	char is[200];

	for (size_t i = 0; i < n; i++) {
		sampled_us = steps[i].what == T_AGAIN ? sampled_us : at(steps[i].s).us;
		unsigned t = take(&a, &steps[i], sampled_us, &flood);
		if (t != steps[i].want || strcmp(describe(&a, is, sizeof is), steps[i].life) != 0)
			fail_msg("at %g s: transitions %u, \"%s\", not %u, \"%s\"", steps[i].s, t,
				describe(&a, is, sizeof is), steps[i].want, steps[i].life);
	}
	return a;
}
#define RUN(spec, steps) run(spec, steps, sizeof(steps) / sizeof((steps)[0]))

static const struct alarm_spec plain = {
	.code = "hot", .severity = SEVERITY_WARNING, .for_ms = 10000, .clear_for_ms = 5000};

static void
is_raised_and_cleared_after_its_delays(void **state)
{
	static const struct step steps[] = {
		{0, F, NULL, 0, "normal 0"},
		{1, T, NULL, 0, "normal 0"},
		{10.9, T, NULL, 0, "normal 0"},
		{11, T, NULL, RAISED, "active 1 held"},
		{20, T, NULL, 0, "active 1 held"},
		{21, F, NULL, 0, "active 1"},
		{25.9, F, NULL, 0, "active 1"},
		{26, F, NULL, CLEARED, "normal 1"},
		{27, F, NULL, 0, "normal 1"},
	};

	(void)state;
	struct alarm a = RUN(&plain, steps);
	assert_int_equal(a.life.raised_ms, WALL + 11000);
	assert_int_equal(a.life.cleared_ms, WALL + 26000);
	assert_true(a.life.has_value && a.life.value.u.num == 11);
	assert_true(a.life.has_limit && a.life.limit == 30);
}

static void
a_moment_of_the_opposite_begins_anew(void **state)
{
	static const struct step steps[] = {
		{1, T, NULL, 0, "normal 0"},
		{10, F, NULL, 0, "normal 0"},
		{11, T, NULL, 0, "normal 0"},
		{20, T, NULL, 0, "normal 0"},
		{21, T, NULL, RAISED, "active 1 held"},
		{22, F, NULL, 0, "active 1"},
		{26, T, NULL, 0, "active 1 held"},
		{27, F, NULL, 0, "active 1"},
		{31, F, NULL, 0, "active 1"},
		{32, F, NULL, CLEARED, "normal 1"},
	};

	(void)state;
	RUN(&plain, steps);
}

static void
hits_are_readings_not_seconds(void **state)
{
	static const struct alarm_spec spec = {
		.code = "hot", .severity = SEVERITY_WARNING, .hits = 3, .for_ms = 1000};
	static const struct step steps[] = {
		{1, T, NULL, 0, "normal 0"},
		{2, T_AGAIN, NULL, 0, "normal 0"},
		{3, T_AGAIN, NULL, 0, "normal 0"},
		{4, T, NULL, 0, "normal 0"},
		{5, F, NULL, 0, "normal 0"},
		{6, T, NULL, 0, "normal 0"},
		{6.2, T, NULL, 0, "normal 0"},
		{6.4, T, NULL, 0, "normal 0"}, /* three, but not for a second */
		{7, T_AGAIN, NULL, RAISED, "active 1 held"},
		{8, F, NULL, CLEARED, "normal 1"},
	};

	(void)state;
	RUN(&spec, steps);
}

static void
not_known_keeps_the_state_and_stops_the_timers(void **state)
{
	static const struct step steps[] = {
		{1, U, NULL, 0, "normal 0"},
		{2, T, NULL, 0, "normal 0"},
		{11, U, NULL, 0, "normal 0"},
		{13, T, NULL, 0, "normal 0"},
		{22, T, NULL, 0, "normal 0"},
		{23, T, NULL, RAISED, "active 1 held"},
		{24, U, NULL, PICTURE, "active 1 held stale"},
		{99, U, NULL, 0, "active 1 held stale"},
		{100, T, NULL, PICTURE, "active 1 held"},
		{101, F, NULL, 0, "active 1"},
		{104, U, NULL, PICTURE, "active 1 stale"},
		{110, F, NULL, PICTURE, "active 1"},
		{114, F, NULL, 0, "active 1"},
		{115, F, NULL, CLEARED, "normal 1"},
		{116, U, NULL, 0, "normal 1"},
	};

	(void)state;
	RUN(&plain, steps);
}

static void
a_latched_one_waits_for_a_person(void **state)
{
	static const struct alarm_spec spec = {
		.code = "hot", .severity = SEVERITY_ERROR, .clear_for_ms = 2000, .latch = true};
	static const struct step steps[] = {
		{0, ACK, NULL, 0, "normal 0"},
		{1, T, NULL, RAISED, "active 1 held"},
		{2, F, NULL, 0, "active 1"},
		{4, F, NULL, 0, "active 1"},
		{900, F, NULL, 0, "active 1"},
		{901, T, NULL, PICTURE, "active 2 held"}, /* again, and still unseen */
		{902, F, NULL, 0, "active 2"},
		{904, F, NULL, 0, "active 2"},
		{905, ACK, NULL, ACKED | CLEARED, "normal 2 acked"},
		{906, ACK, NULL, 0, "normal 2 acked"},
		{910, T, NULL, RAISED, "active 3 held"}, /* a new one is not seen yet */
		{911, ACK, NULL, ACKED, "active 3 held acked"},
		{912, ACK, NULL, 0, "active 3 held acked"},
		{913, F, NULL, 0, "active 3 acked"},
		{915, F, NULL, CLEARED, "normal 3 acked"},
	};

	(void)state;
	RUN(&spec, steps);
}

static void
nobody_clears_what_is_not_known(void **state)
{
	static const struct alarm_spec spec = {
		.code = "hot", .severity = SEVERITY_ERROR, .latch = true};
	static const struct step steps[] = {
		{1, T, NULL, RAISED, "active 1 held"},
		{2, F, NULL, 0, "active 1"},
		{3, U, NULL, PICTURE, "active 1 stale"},
		{4, ACK, NULL, ACKED, "active 1 stale acked"},
		{5, F, NULL, CLEARED, "normal 1 acked"},
	};

	(void)state;
	RUN(&spec, steps);
}

static void
acknowledged_without_a_latch(void **state)
{
	static const struct step steps[] = {
		{1, T, NULL, 0, "normal 0"},
		{11, T, NULL, RAISED, "active 1 held"},
		{12, ACK, NULL, ACKED, "active 1 held acked"},
		{13, F, NULL, 0, "active 1 acked"},
		{18, F, NULL, CLEARED, "normal 1 acked"},
	};

	(void)state;
	RUN(&plain, steps);
}

static const struct alarm_spec quick = {.code = "door", .severity = SEVERITY_WARNING};

static void
the_third_within_a_minute_flaps(void **state)
{
	static const struct step steps[] = {
		{1, T, NULL, RAISED, "active 1 held"},
		{5, F, NULL, CLEARED, "normal 1"},
		{10, T, NULL, RAISED, "active 2 held"},
		{15, F, NULL, CLEARED, "normal 2"},
		{61, T, NULL, RAISED | CHANGED, "active 3 held flapping"},
		{70, F, NULL, 0, "active 3 flapping"},
		{75, T, NULL, PICTURE, "active 4 held flapping"},
		{80, F, NULL, 0, "active 4 flapping"},
		{300, T, NULL, PICTURE, "active 5 held flapping"},
		{301, F, NULL, 0, "active 5 flapping"},
		{302, ACK, NULL, ACKED, "active 5 flapping acked"},
		{600.9, F, NULL, 0, "active 5 flapping acked"},
		{601, F, NULL, CHANGED | CLEARED, "normal 5 acked"},
		{602, T, NULL, RAISED, "active 6 held"}, /* counted from the start again */
		{603, F, NULL, CLEARED, "normal 6"},
	};

	(void)state;
	RUN(&quick, steps);
}

static void
slower_than_that_is_no_flapping(void **state)
{
	static const struct step steps[] = {
		{1, T, NULL, RAISED, "active 1 held"},
		{2, F, NULL, CLEARED, "normal 1"},
		{30, T, NULL, RAISED, "active 2 held"},
		{31, F, NULL, CLEARED, "normal 2"},
		{62, T, NULL, RAISED, "active 3 held"},
		{63, F, NULL, CLEARED, "normal 3"},
	};

	(void)state;
	RUN(&quick, steps);
}

static void
flapping_ends_while_it_holds_too(void **state)
{
	static const struct step steps[] = {
		{1, T, NULL, RAISED, "active 1 held"},
		{2, F, NULL, CLEARED, "normal 1"},
		{3, T, NULL, RAISED, "active 2 held"},
		{4, F, NULL, CLEARED, "normal 2"},
		{5, T, NULL, RAISED | CHANGED, "active 3 held flapping"},
		{200, U, NULL, PICTURE, "active 3 held stale flapping"},
		{305, T, NULL, PICTURE, "active 3 held flapping"}, /* unseen is not quiet */
		{499, T, NULL, 0, "active 3 held flapping"},
		{500, T, NULL, CHANGED, "active 3 held"},
		{501, F, NULL, CLEARED, "normal 3"},
	};

	(void)state;
	RUN(&quick, steps);
}

static void
maintenance_suppresses(void **state)
{
	static const char m[] = "maintenance";
	static const struct step steps[] = {
		{1, T, m, SUPPRESSED, "active 1 held by maintenance"},
		{2, T, m, 0, "active 1 held by maintenance"},
		{3, F, m, CLEARED, "normal 1"},
		{100, T, m, SUPPRESSED, "active 2 held by maintenance"},
		{101, T, "bus-a-down", CHANGED, "active 2 held by bus-a-down"},
		{102, T, NULL, RAISED, "active 2 held"},
		{103, T, m, SUPPRESSED, "active 2 held by maintenance"},
		{104, T, NULL, CHANGED, "active 2 held"},
		{105, F, m, CLEARED, "normal 2"},
	};

	(void)state;
	struct alarm a = RUN(&quick, steps);
	assert_false(alarm_counts(&a));
}

static void
maintenance_does_not_suppress_what_is_critical(void **state)
{
	static const struct alarm_spec spec = {.code = "fire", .severity = SEVERITY_CRITICAL};
	static const struct step steps[] = {
		{1, T, "maintenance", RAISED, "active 1 held"},
		{2, T, "bus-a-down", SUPPRESSED, "active 1 held by bus-a-down"},
		{3, T, "maintenance", CHANGED, "active 1 held"},
		{4, F, "maintenance", CLEARED, "normal 1"},
	};

	(void)state;
	RUN(&spec, steps);
}

static void
it_is_withdrawn_with_its_configuration(void **state)
{
	static const struct step steps[] = {
		{0, OUT, NULL, 0, "normal 0"},
		{1, T, NULL, RAISED, "active 1 held"},
		{2, OUT, NULL, CLEARED, "normal 1"},
		{3, OUT, NULL, 0, "normal 1"},
		{4, T, NULL, RAISED, "active 2 held"},
		{5, F, NULL, CLEARED, "normal 2"},
		{6, T, NULL, RAISED | CHANGED, "active 3 held flapping"},
		{7, OUT, NULL, CLEARED, "normal 3"},
	};

	(void)state;
	RUN(&quick, steps);
}

/* ---- what is not a trace of one alarm ------------------------------------------------------ */

static unsigned
holds(struct alarm *a, enum truth condition, struct flood *flood, struct moment now)
{
	const struct alarm_input in = {.condition = condition, .sampled_us = now.us};

	return alarm_update(a, &in, flood, now);
}

static void
a_flood_is_dammed(void **state)
{
	struct alarm alarms[40] = {0}, critical = {.spec.severity = SEVERITY_CRITICAL};
	struct flood flood = {0};
	unsigned raised = 0, suppressed = 0;

	(void)state;
	for (size_t i = 0; i < 40; i++) {
		alarms[i].spec = quick;
		unsigned t = holds(&alarms[i], TRUTH_TRUE, &flood, at(1));
		raised += t == RAISED;
		suppressed += t == SUPPRESSED;
	}
	assert_int_equal(raised, 30);
	assert_int_equal(suppressed, 10);
	assert_string_equal(alarms[30].life.suppressed_by, "flood");
	assert_int_equal(holds(&critical, TRUTH_TRUE, &flood, at(1)), RAISED);
	for (double s = 1.1; s < 10.9; s += 0.1) /* asking often does not help, nor lose anything */
		assert_int_equal(holds(&alarms[30], TRUTH_TRUE, &flood, at(s)), 0);
	assert_int_equal(holds(&alarms[30], TRUTH_TRUE, &flood, at(11)), RAISED);
	assert_int_equal(holds(&alarms[31], TRUTH_TRUE, &flood, at(11)), 0);
	assert_int_equal(holds(&alarms[31], TRUTH_FALSE, &flood, at(12)), CLEARED);
	assert_int_equal(holds(&alarms[32], TRUTH_TRUE, &flood, at(21)), RAISED);
	assert_int_equal(holds(&alarms[0], TRUTH_TRUE, &flood, at(21)), 0);
	for (raised = 0; flood_take(&flood, SEVERITY_INFO, at(86400).us); raised++)
		;
	assert_int_equal(raised, 30); /* a quiet day saves nothing up */
}

static void
two_since_the_computer_started_are_no_flapping(void **state)
{
	struct alarm a = {.spec = quick};

	(void)state;
	assert_int_equal(holds(&a, TRUTH_TRUE, NULL, at(-990)), RAISED);
	assert_int_equal(holds(&a, TRUTH_FALSE, NULL, at(-985)), CLEARED);
	assert_int_equal(holds(&a, TRUTH_TRUE, NULL, at(-980)), RAISED);
}

static void
another_severity_is_told(void **state)
{
	struct alarm before = {.spec = quick};

	(void)state;
	assert_int_equal(holds(&before, TRUTH_TRUE, NULL, at(1)), RAISED);
	struct alarm after = {.spec = quick, .life = before.life};
	after.spec.severity = SEVERITY_ERROR;
	assert_int_equal(holds(&after, TRUTH_TRUE, NULL, at(2)), CHANGED);
	assert_int_equal(holds(&after, TRUTH_TRUE, NULL, at(3)), 0);
	after.spec.severity = SEVERITY_CRITICAL;
	assert_int_equal(holds(&after, TRUTH_FALSE, NULL, at(4)), CLEARED);
}

static void
a_restart_tells_nothing_twice(void **state)
{
	struct alarm before = {.spec = plain};

	(void)state;
	holds(&before, TRUTH_TRUE, NULL, at(1));
	assert_int_equal(holds(&before, TRUTH_TRUE, NULL, at(11)), RAISED);
	struct alarm after = {.spec = plain, .life = before.life};
	assert_true(alarm_is_held(&after)); /* 29 degrees with `above: 30, clear: 28` holds on */
	assert_int_equal(holds(&after, TRUTH_TRUE, NULL, at(19)), PICTURE); /* maybe re-worded */
	assert_int_equal(holds(&after, TRUTH_UNKNOWN, NULL, at(20)), PICTURE);
	assert_true(after.life.stale);
	assert_int_equal(holds(&after, TRUTH_FALSE, NULL, at(30)), PICTURE);
	assert_int_equal(holds(&after, TRUTH_FALSE, NULL, at(34)), 0);
	assert_int_equal(holds(&after, TRUTH_FALSE, NULL, at(35)), CLEARED);
}

static void
its_topic_goes_after_a_quarter_of_an_hour(void **state)
{
	struct alarm a = {.spec = quick};

	(void)state;
	assert_false(alarm_is_past(&a, at(0)));
	holds(&a, TRUTH_TRUE, NULL, at(1));
	assert_false(alarm_is_past(&a, at(5000)));
	holds(&a, TRUTH_FALSE, NULL, at(10));
	assert_false(alarm_is_past(&a, at(909)));
	assert_true(alarm_is_past(&a, at(910)));
	struct moment stepped = at(20); /* the wall clock was set meanwhile */
	stepped.wall_ms += 3600000;
	assert_false(alarm_is_past(&a, stepped));
	struct alarm restored = {.spec = quick};
	struct alarm_life life = a.life;
	life.cleared_ms += 86400000; /* it had been ahead */
	alarm_restore(&restored, &life, at(20));
	holds(&restored, TRUTH_FALSE, NULL, at(21));
	assert_false(alarm_is_past(&restored, at(919)));
	assert_true(alarm_is_past(&restored, at(920)));
	struct alarm young = {.spec = quick};
	alarm_restore(&young, &a.life, at(610)); /* ten minutes of it were before the restart */
	assert_false(alarm_is_past(&young, at(909)));
	assert_true(alarm_is_past(&young, at(910)));
	stepped = at(700); /* one that nobody looks at any more */
	stepped.wall_ms += 3600000;
	assert_false(alarm_is_past(&young, stepped));
	stepped = at(911);
	stepped.wall_ms -= 3600000;
	assert_true(alarm_is_past(&young, stepped));
	alarm_restore(&young, &a.life, at(86400));
	assert_true(alarm_is_past(&young, at(86400)));
}

static void
its_times_move_with_the_clock(void **state)
{
	const struct shift by = {.from_ms = WALL, .to_ms = WALL + 60000, .delta_ms = 3600000};
	struct alarm a = {.spec = quick};

	(void)state;
	holds(&a, TRUTH_TRUE, NULL, at(-10));
	holds(&a, TRUTH_FALSE, NULL, at(10));
	alarm_clock_moved(&a, &by);
	assert_int_equal(a.life.raised_ms, WALL - 10000); /* before the boot the clock was right */
	assert_int_equal(a.life.cleared_ms, WALL + 10000 + 3600000);
	assert_false(alarm_is_past(&a, at(909)));
	assert_true(alarm_is_past(&a, at(910)));
	struct alarm never = {.spec = quick};
	alarm_clock_moved(&never, &(struct shift){-1000, 1000, 5});
	assert_int_equal(never.life.raised_ms, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_raised_and_cleared_after_its_delays),
		cmocka_unit_test(a_moment_of_the_opposite_begins_anew),
		cmocka_unit_test(hits_are_readings_not_seconds),
		cmocka_unit_test(not_known_keeps_the_state_and_stops_the_timers),
		cmocka_unit_test(a_latched_one_waits_for_a_person),
		cmocka_unit_test(nobody_clears_what_is_not_known),
		cmocka_unit_test(acknowledged_without_a_latch),
		cmocka_unit_test(the_third_within_a_minute_flaps),
		cmocka_unit_test(slower_than_that_is_no_flapping),
		cmocka_unit_test(flapping_ends_while_it_holds_too),
		cmocka_unit_test(maintenance_suppresses),
		cmocka_unit_test(maintenance_does_not_suppress_what_is_critical),
		cmocka_unit_test(it_is_withdrawn_with_its_configuration),
		cmocka_unit_test(a_flood_is_dammed),
		cmocka_unit_test(two_since_the_computer_started_are_no_flapping),
		cmocka_unit_test(another_severity_is_told),
		cmocka_unit_test(a_restart_tells_nothing_twice),
		cmocka_unit_test(its_topic_goes_after_a_quarter_of_an_hour),
		cmocka_unit_test(its_times_move_with_the_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
