/* SPDX-License-Identifier: MIT */
/* learn_test.c -- thresholds proposed from traces of a laser, a printer whose heaters cycle, and a
 * machine that looks the same at rest and at work */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "cli/learn_math.h"

static struct learn_trace traces[LEARN_STATES];

/* A noise without chance: the same at each run, from -1 to 1. */
static double
noise(size_t i)
{
	return sin((double)i * 12.9898) * cos((double)i * 78.233);
}

/* `level` with noise; every `cycle` samples it is at `high` for `on` of them. */
static const struct learn_trace *
make(enum learn_state state, size_t n, double level, double around, double high, size_t on,
	size_t cycle)
{
	struct learn_trace *t = &traces[state];

	*t = (struct learn_trace){.state = state, .n = n, .period_s = 1};
	for (size_t i = 0; i < n; i++)
		t->values[i] = (cycle && i % cycle < on ? high : level) + around * noise(i);
	return t;
}

static void
check_rule(const struct learn_trace *lower, const struct learn_trace *upper, const char *yaml)
{
	struct learn_rule r;
	char buf[256];

	assert_true(learn_rule(lower, upper, &r));
	assert_string_equal(learn_yaml(&r, "meter.power_w", buf, sizeof(buf)), yaml);
}

static void
test_summary(void **state)
{
	double values[100];
	struct learn_summary s;
	(void)state;
	for (int i = 0; i < 100; i++)
		values[i] = 100 - i;
	learn_summarize(values, 100, &s);
	assert_true(s.n == 100 && s.min == 1 && s.max == 100);
	assert_true(s.p10 == 10 && s.p50 == 50 && s.p95 == 95);
	learn_summarize(values, 11, &s); /* 90 … 100 */
	assert_true(s.p10 == 91 && s.p50 == 95);
	learn_summarize(values, 1, &s);
	assert_true(s.p10 == 100 && s.p95 == 100);
	learn_summarize(values, 0, &s);
	assert_int_equal(s.n, 0);
}

static void
test_laser(void **state)
{
	const struct learn_trace *off = make(LEARN_OFF, 60, 1.5, 0.5, 0, 0, 0);
	const struct learn_trace *idle = make(LEARN_IDLE, 60, 34, 3, 0, 0, 0);
	const struct learn_trace *busy = make(LEARN_BUSY, 60, 300, 40, 0, 0, 0);
	struct learn_rule r;
	(void)state;
	check_rule(idle, busy,
		"- {activity: busy, point: meter.power_w, above: 150, below: 100, for: 3s}");
	check_rule(off, idle, "- {activity: idle, point: meter.power_w, above: 17, for: 3s}");
	assert_true(learn_rule(idle, busy, &r));
	assert_string_equal(learn_margin(&r), "wide");
	assert_true(r.lower_p95 < r.below && r.below < r.above && r.above < r.upper_p10);
}

/* It moves without cutting now and then, and the door's motor runs for two seconds while idle. */
static void
test_laser_that_wavers(void **state)
{
	const struct learn_trace *idle = make(LEARN_IDLE, 120, 34, 3, 320, 2, 60);
	const struct learn_trace *busy = make(LEARN_BUSY, 120, 300, 40, 36, 3, 60);
	(void)state;
	check_rule(idle, busy,
		"- {activity: busy, point: meter.power_w, above: 150, below: 90, for: 5s, hold: 5s}");
}

static void
test_slow_meter(void **state)
{
	struct learn_trace *idle = (struct learn_trace *)make(LEARN_IDLE, 12, 34, 3, 0, 0, 0);
	struct learn_trace *busy = (struct learn_trace *)make(LEARN_BUSY, 12, 300, 40, 0, 0, 0);
	struct learn_rule r;
	(void)state;
	idle->period_s = busy->period_s = 5;
	assert_true(learn_rule(idle, busy, &r));
	assert_int_equal(r.for_s, 15);
	idle->n = LEARN_SAMPLES_MIN;
	assert_true(learn_rule(idle, busy, &r));
	idle->n--;
	assert_false(learn_rule(idle, busy, &r));
}

/* Off, it draws nearly what it draws when idle: half as much again would be too much. */
static void
test_standby(void **state)
{
	const struct learn_trace *off = make(LEARN_OFF, 60, 7, 0.2, 0, 0, 0);
	const struct learn_trace *idle = make(LEARN_IDLE, 60, 9, 0.2, 0, 0, 0);
	struct learn_rule r;
	(void)state;
	assert_true(learn_rule(off, idle, &r));
	assert_true(fabs(r.above - 8) < 0.2);
	assert_string_equal(learn_margin(&r), "narrow");
	idle = make(LEARN_IDLE, 60, 11.5, 0.2, 0, 0, 0);
	assert_true(learn_rule(off, idle, &r));
	assert_true(fabs(r.above - 7.2 * 1.5) < 0.2); /* not 9.2, the middle */
}

/* Bed and hotend: only the whole swing counts. */
static void
test_cycle_of_two_heaters(void **state)
{
	struct learn_trace *t = (struct learn_trace *)make(LEARN_BUSY, 240, 0, 0, 0, 0, 0);
	(void)state;
	assert_true(learn_cycle_s(t) == 0);
	for (size_t i = 0; i < t->n; i++)
		t->values[i] = i % 30 < 5 ? 100 : i % 30 >= 15 && i % 30 < 20 ? 60 : 0;
	assert_true(fabs(learn_cycle_s(t) - 30) < 0.01);
	for (size_t i = 0; i < t->n; i++)
		t->values[i] = i % 30 < 5 ? 0 : i % 30 >= 15 && i % 30 < 20 ? 40 : 100;
	assert_true(fabs(learn_cycle_s(t) - 30) < 0.01);
}

static void
test_printer_heaters(void **state)
{
	const struct learn_trace *idle = make(LEARN_IDLE, 120, 10, 2, 0, 0, 0);
	const struct learn_trace *busy = make(LEARN_BUSY, 240, 11, 2, 220, 10, 30);
	struct learn_rule r;
	(void)state;
	assert_true(fabs(learn_cycle_s(busy) - 30) < 0.01);
	check_rule(idle, busy,
		"- {activity: busy, point: meter.power_w, stat: mean, window: 60s, above: 50, "
		"below: 30, for: 3s}");
	/* at rest it keeps warm: the mean is the same, but not the peaks */
	idle = make(LEARN_IDLE, 240, 80, 2, 0, 0, 0);
	busy = make(LEARN_BUSY, 240, 11, 2, 220, 9, 30);
	assert_true(learn_rule(idle, busy, &r));
	assert_int_equal(r.stat, LEARN_P90);
	assert_int_equal(r.window_s, 60);
	assert_true(r.above > 82 && r.above < 218);
}

static void
test_too_short_for_its_cycles(void **state)
{
	const struct learn_trace *idle = make(LEARN_IDLE, 60, 10, 2, 0, 0, 0);
	const struct learn_trace *busy = make(LEARN_BUSY, 60, 11, 2, 220, 10, 30);
	struct learn_rule r;
	(void)state;
	assert_false(learn_rule(idle, busy, &r));
	busy = make(LEARN_BUSY, 60, 220, 2, 9, 9, 60); /* one pause: who knows how often? */
	assert_false(learn_rule(idle, busy, &r));
}

static void
test_inseparable(void **state)
{
	const struct learn_trace *idle = make(LEARN_IDLE, 120, 30, 10, 0, 0, 0);
	const struct learn_trace *busy = make(LEARN_BUSY, 120, 30, 10, 0, 0, 0);
	struct learn_rule r;
	(void)state;
	assert_false(learn_rule(idle, busy, &r));
	busy = make(LEARN_BUSY, 120, 32, 10, 0, 0, 0); /* by so little that it may be chance */
	assert_false(learn_rule(idle, busy, &r));
	busy = make(LEARN_BUSY, 120, 10, 0, 0, 0, 0); /* less at work than at rest */
	assert_false(learn_rule(idle, busy, &r));
	idle = make(LEARN_IDLE, 120, 10, 0, 0, 0, 0); /* nothing moves at all */
	assert_false(learn_rule(idle, busy, &r));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_summary),
		cmocka_unit_test(test_laser),
		cmocka_unit_test(test_laser_that_wavers),
		cmocka_unit_test(test_slow_meter),
		cmocka_unit_test(test_standby),
		cmocka_unit_test(test_cycle_of_two_heaters),
		cmocka_unit_test(test_printer_heaters),
		cmocka_unit_test(test_too_short_for_its_cycles),
		cmocka_unit_test(test_inseparable),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
