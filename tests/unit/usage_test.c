/* SPDX-License-Identifier: MIT */
/* usage_test.c -- jobs and running hours of machines that work, rest, go silent and lose power,
 * under a gateway that does, too
 *
 * A trace: "i10 b90F c30" is ten seconds idle, ninety busy with the driver's word "finished", a
 * crash whose restart takes 30 s. o off, i idle, b busy, p paused, ? unknown, - offline, _ offline
 * while what it did stands. Behind the seconds F S X: the driver says finished, stopped, fault;
 * ! a fault holds; l power was lost; u not decided yet; <20 it really began 20 s earlier. c: crash
 * and restart, w: the wall clock is set forward, W: back, L: leaves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>

#include "tests/unit/usage_world.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- traces --------------------------------------------------------------------------------- */

/* One step of a trace. */
static void
world_step(struct world *w, const char *step)
{
	static const char states[] = "?oibp";
	char *rest;
	long n = strtol(step + 1, &rest, 10);
	const char *state = strchr(states, step[0]), *since = strchr(rest, '<');

	if (step[0] == 'c')
		world_crash(w, n * WORLD_US);
	if (step[0] == 'w' || step[0] == 'W')
		w->wall_ms += step[0] == 'w' ? n * 1000 : -n * 1000;
	if (step[0] == 'L')
		world_leave(w);
	if (strchr("cwWL", step[0]))
		return;
	w->in.online = step[0] != '-' && step[0] != '_';
	if (step[0] != '_') {
		w->in.activity = state ? (enum activity)(state - states) : ACTIVITY_UNKNOWN;
		w->in.since_us = w->us - (since ? atoi(since + 1) * WORLD_US : 0);
	}
	w->in.result = strchr(rest, 'F')   ? JOB_FINISHED
		       : strchr(rest, 'S') ? JOB_STOPPED
		       : strchr(rest, 'X') ? JOB_FAULT
					   : JOB_NONE;
	w->in.fault = strchr(rest, '!') != NULL;
	w->in.lost_power = strchr(rest, 'l') != NULL;
	w->in.decided = !strchr(rest, 'u');
	for (long i = 0; i < n; i++, w->us += WORLD_US)
		world_update(w);
}

static void
world_run(struct world *w, const char *trace)
{
	for (char step[32]; sscanf(trace, "%31s", step) == 1;) {
		world_step(w, step);
		trace += strspn(trace, " ");
		trace += strcspn(trace, " ");
	}
}

/* ---- jobs -----------------------------------------------------------------------------------
 * A job is announced after 30 s and over after 120 s of rest. */

static const struct {
	const char *what;
	bool driver;
	const char *trace, *log;
} cases[] = {
	{"a job", false, "i10 b90 i130", "+40 10, -220 finished 10..100 b90 p0"},
	{"too short", false, "i10 b29 i300", ""},
	{"just long enough", false, "i10 b31 i300", "+40 10, -161 finished 10..41 b31 p0"},
	{"began before it was known", false, "i10 b90<10 i130",
		"+30 0, -220 finished 0..100 b100 p0"},
	{"says that it will begin", false, "i10 b90<-5 i130",
		"+40 10, -220 finished 10..100 b90 p0"},
	{"ended before it was known", false, "i10 b90 i130<60",
		"+40 10, -160 finished 10..40 b30 p0"},
	{"a rest that is part of it", false, "i10 b40 i119 b40 i130",
		"+40 10, -329 finished 10..209 b80 p0"},
	{"short runs make a job", false, "i10 b20 i60 b20 i130",
		"+90 10, -230 finished 10..110 b40 p0"},
	{"two jobs", false, "b40 i121 b40 i121",
		"+30 0, -160 finished 0..40 b40 p0, +191 161, -321 finished 161..201 b40 p0"},
	{"paused", false, "b40 p500 b40 i121", "+30 0, -700 finished 0..580 b80 p500"},
	{"paused from before it was known", false, "b40 p500<10 b40<5 i121",
		"+30 0, -700 finished 0..580 b75 p505"},
	{"a pause is no beginning", false, "i10 p100 i200", ""},
	{"ends in a pause", false, "b40 p100 i121", "+30 0, -260 finished 0..140 b40 p100"},
	{"off at once: no power", false, "b40 o121", "+30 0, -160 power-loss 0..40 b40 p0"},
	{"off after a while", false, "b40 i5 o121", "+30 0, -160 finished 0..40 b40 p0"},
	{"it is known to have had no power", false, "b40 i60 i60l i2",
		"+30 0, -160 power-loss 0..40 b40 p0"},
	{"ends in a fault", false, "b40 b5! i121!", "+30 0, -165 fault 0..45 b45 p0"},
	{"a fault that goes with it", false, "b40 b5! i121", "+30 0, -165 fault 0..45 b45 p0"},
	{"a fault while it runs", false, "b40 b5! b5 i121", "+30 0, -170 finished 0..50 b50 p0"},
	{"a fault long after", false, "b40 i60 i61!", "+30 0, -160 finished 0..40 b40 p0"},
	/* the driver's word */
	{"the driver ends it", true, "b90 i5F", "+30 0, -90 finished 0..90 b90 p0"},
	{"stopped", true, "b90 i5S", "+30 0, -90 stopped 0..90 b90 p0"},
	{"failed", true, "b90 i5X", "+30 0, -90 fault 0..90 b90 p0"},
	{"the word wins over the rest", true, "b90 b5! o5Fl", "+30 0, -95 finished 0..95 b95 p0"},
	{"a word that comes later", true, "b90 i10 i5S", "+30 0, -100 stopped 0..90 b90 p0"},
	{"a word that came earlier", true, "b90 b10F i5F", "+30 0, -100 finished 0..100 b100 p0"},
	{"no word", true, "b90 i121", "+30 0, -210 finished 0..90 b90 p0"},
	{"the word on the last job", true, "i10S b90S i121S",
		"+40 10, -220 finished 10..100 b90 p0"},
	{"without a driver there is none", false, "b90 i121S", "+30 0, -210 finished 0..90 b90 p0"},
	{"one after the other", true, "b90 b5F b90 i5F",
		"+30 0, -95 finished 0..95 b95 p0, +125 95, -185 finished 95..185 b90 p0"},
	{"the next one begins soon", true, "b90 i5F b40 i5F",
		"+30 0, -90 finished 0..90 b90 p0, +125 95, -135 finished 95..135 b40 p0"},
	{"the word, then nothing", true, "b90 -5F", "+30 0, -90 finished 0..90 b90 p0"},
	/* nothing is known */
	{"a short silence", false, "b90 ?299 b90 i121", "+30 0, -599 finished 0..479 b180 p0"},
	{"a long one", false, "b90 ?400", "+30 0, -390 comm-lost 0..90 b90 p0"},
	{"offline, too", false, "b90 -200 ?200", "+30 0, -390 comm-lost 0..90 b90 p0"},
	{"silent from before it was known", false, "b90 ?400<20",
		"+30 0, -370 comm-lost 0..70 b70 p0"},
	{"silent, then over", false, "b90 ?200 i10", "+30 0, -290 finished 0..90 b90 p0"},
	{"silent, then off", false, "b90 ?200 o10", "+30 0, -290 power-loss 0..90 b90 p0"},
	{"silent, then at rest, then busy", false, "b90 ?20 i20 b10 i121",
		"+30 0, -260 finished 0..140 b100 p0"},
	{"two silences", false, "b90 ?80 i20 ?250 b10 i121", "+30 0, -570 finished 0..450 b100 p0"},
	{"silent without power", false, "b90 ?100 ?300l", "+30 0, -390 comm-lost 0..90 b90 p0"},
	{"offline, and what it did stands", false, "b90 _400",
		"+30 0, -389 comm-lost 0..89 b89 p0"},
	{"what stands does not make it busy", false, "b90 _100 b60<190 i121",
		"+30 0, -370 finished 0..250 b149 p0"},
	{"busy again after it was lost", false, "b90 ?400 b60<490 i121",
		"+30 0, -390 comm-lost 0..90 b90 p0, +520 490, -670 finished 490..550 b60 p0"},
	{"nothing known at first", false, "?60 b60<50 i121",
		"+60 10, -240 finished 10..120 b110 p0"},
	/* the gateway restarts; its last checkpoint is at 90, 80 … or at the last news */
	{"goes on", false, "b95 c30 ?5u b60 i121", "+30 0, -310 finished 0..190 b150 p0"},
	{"goes on with a pause", false, "b95 c30 ?5u p60 i121",
		"+30 0, -310 finished 0..190 b90 p60"},
	{"does not go on", false, "b95 c30 ?5u i60", "+30 0, -130 gateway-restart 0..90 b90 p0"},
	{"what stands is no sample", false, "b95 c30 b60u i60",
		"+30 0, -185 gateway-restart 0..90 b90 p0"},
	{"down for days", false, "b95 c300000 b60 i121",
		"+30 0, -300275 finished 0..300155 b150 p0"},
	{"never seen again", false, "b95 c30 b400u", "+30 0, -425 comm-lost 0..90 b90 p0"},
	{"silent after it", false, "b95 c30 ?400", "+30 0, -425 comm-lost 0..90 b90 p0"},
	{"crashed at rest", false, "b55 i40 c30 ?5u b60 i121",
		"+30 0, -310 finished 0..190 b115 p0"},
	{"crashed at rest, and at rest", false, "b55 i40 c30 i60",
		"+30 0, -125 gateway-restart 0..55 b55 p0"},
	{"crashed twice", false, "b95 c30 b5u c30 b60 i121", "+30 0, -340 finished 0..220 b150 p0"},
	{"crashed before it was announced", false, "i5 b15 c30 b20 i121",
		"+50 5, -190 finished 5..70 b30 p0"},
	{"… and over", false, "i5 b15 c30 i300", ""},
	{"crashed after it was announced", false, "b31 c30 b20 i121",
		"+30 0, -201 finished 0..81 b50 p0"},
	{"crashed after its end", false, "b40 i121 c30 b40u b5 i300",
		"+30 0, -160 finished 0..40 b40 p0"},
	{"a word of before is no word", true, "b40 c10 b40S i121S",
		"+30 0, -210 finished 0..90 b70 p0"},
	/* the wall clock is set; a beginning is told as that clock told it */
	{"set forward", false, "b40 w3600 b40 i121", "+30 0, -200 finished -3600..-3520 b80 p0"},
	{"set back", false, "b40 W3600 b40 i121", "+30 0, -200 finished 3600..3680 b80 p0"},
	{"set back at rest", false, "b40 i60 W3600 i61", "+30 0, -160 finished 3600..3640 b40 p0"},
	/* it leaves */
	{"leaves", false, "b40 L0", "+30 0, -40 unknown 0..40 b40 p0"},
	{"leaves at rest", false, "b40 i60 L0", "+30 0, -100 unknown 0..40 b40 p0"},
	{"leaves early", false, "b20 L0", ""},
	{"leaves after a restart", false, "b45 c30 L0", "+30 0, -75 unknown 0..40 b40 p0"},
};

static void
test_jobs(void **state)
{
	static struct world w;
	unsigned wrong = 0;
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		world_init(&w, cases[i].driver);
		world_run(&w, cases[i].trace);
		if (!strcmp(w.log, cases[i].log))
			continue;
		print_error("%s: %s\n  %s, not\n  %s\n", cases[i].what, cases[i].trace, w.log,
			cases[i].log);
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

static struct job last_told[2]; /* started, ended */

static void
remember(struct world *w, const struct job *j, bool ended)
{
	(void)w;
	last_told[ended] = *j;
}

static void
begin_world(struct world *w, bool driver)
{
	world_init(w, driver);
	w->told = remember;
}

static void
test_what_is_told(void **state)
{
	static struct world w;
	(void)state;
	begin_world(&w, false);
	w.in.name = "gear.gcode";
	world_run(&w, "i10 b90 i121");
	assert_string_equal(last_told[0].id, last_told[1].id);
	assert_int_equal(strlen(last_told[0].id), 26);
	assert_string_equal(last_told[1].evidence, "meter.power_w");
	assert_string_equal(last_told[1].name, "gear.gcode");
	assert_int_equal(last_told[1].accuracy_s, 1);
	assert_int_equal(last_told[0].started_ms, WORLD_WALL_MS + 10000);
	assert_int_equal(last_told[1].ended_ms, WORLD_WALL_MS + 100000);
	assert_int_equal(last_told[0].result, END_NONE);
}

static void
test_a_hole_is_told(void **state)
{
	static struct world w;
	(void)state;
	begin_world(&w, false);
	world_run(&w, "b95 c30 ?5u");
	w.us += WORLD_US / 10;
	world_run(&w, "b60 i121"); /* kept at 90, seen again at 130.1 */
	assert_int_equal(last_told[1].accuracy_s, 42);
	begin_world(&w, false);
	world_run(&w, "b95 c30 b25u c30 b60 i121"); /* 90 … 180, with a checkpoint in between */
	assert_int_equal(last_told[1].accuracy_s, 91);
}

static void
test_both_at_once(void **state)
{
	static struct world w;
	struct usage_news news;
	(void)state;
	begin_world(&w, true);
	w.u.rules.min_ms = 0;
	world_run(&w, "b90 b5F");
	w.in.result = JOB_NONE;
	usage_update(&w.u, &w.in, world_now(&w), &news);
	assert_true(news.ended && news.started);
	assert_int_equal(news.end.result, END_FINISHED);
	assert_int_equal(news.end.ended_ms, news.start.started_ms);
	assert_string_not_equal(news.end.id, news.start.id);
}

/* "the timestamp 1469918176385 is 01ARYZ6S41" (github.com/ulid/spec), 80 bits of 1 are 16 Z */
static void
all_ones(uint8_t out[10])
{
	memset(out, 0xFF, 10);
}

static void
test_id(void **state)
{
	static struct world w;
	(void)state;
	begin_world(&w, false);
	w.wall_ms = 1469918176385;
	w.u.rules.entropy = all_ones;
	world_run(&w, "b40");
	assert_string_equal(last_told[0].id, "01ARYZ6S41ZZZZZZZZZZZZZZZZ");
	memset(last_told, 0, sizeof(last_told));
	begin_world(&w, false);
	w.wall_ms = 281474976710655;
	w.u.rules.entropy = all_ones;
	world_run(&w, "b40");
	assert_string_equal(last_told[0].id, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
}

static void
test_names(void **state)
{
	(void)state;
	assert_string_equal(job_end_name(END_POWER_LOSS), "power-loss");
	assert_string_equal(job_end_name(END_GATEWAY_RESTART), "gateway-restart");
	assert_string_equal(job_end_name((enum job_end)99), "unknown");
	assert_string_equal(quantity_names[QUANTITY_CHARGE_MAH], "charge_mah");
}

/* ---- counters ------------------------------------------------------------------------------- */

static const struct tally_rules energy = {0, 0, 10, true};

static void
test_what_a_job_uses(void **state)
{
	static struct world w;
	(void)state;
	begin_world(&w, false);
	usage_count(&w.u, QUANTITY_ENERGY_WH, "meter.energy A", &energy, 5000, world_now(&w));
	assert_true(w.u.kept.energy_wh == 0);
	world_run(&w, "i60");
	usage_count(&w.u, QUANTITY_ENERGY_WH, "meter.energy A", &energy, 5003, world_now(&w));
	world_run(&w, "b60");
	usage_count(&w.u, QUANTITY_ENERGY_WH, "meter.energy A", &energy, 5013, world_now(&w));
	world_run(&w, "b60");
	usage_count(&w.u, QUANTITY_ENERGY_WH, "meter.energy B", &energy, 100, world_now(&w));
	usage_count(&w.u, QUANTITY_ENERGY_WH, "meter.energy B", &energy, 104, world_now(&w));
	world_run(&w, "i1");
	usage_count(&w.u, QUANTITY_ENERGY_WH, "meter.energy B", &energy, 105, world_now(&w));
	world_run(&w, "i121");
	assert_true(last_told[0].used[QUANTITY_ENERGY_WH] == 0);
	assert_true(last_told[1].used[QUANTITY_ENERGY_WH] == 14);
	assert_true(last_told[1].used[QUANTITY_FILAMENT_MM] < 0);
	assert_true(w.u.kept.energy_wh == 18);
}

static void
test_no_counter(void **state)
{
	static struct world w;
	(void)state;
	begin_world(&w, false);
	usage_count(&w.u, QUANTITY_ENERGY_WH, "meter.energy A", &energy, NAN, world_now(&w));
	usage_count(&w.u, QUANTITY_FILAMENT_MM, "board.filament", &energy, 7, world_now(&w));
	assert_true(w.u.kept.energy_wh < 0);
	usage_count(&w.u, QUANTITY_FILAMENT_MM, "board.filament", &energy, 9, world_now(&w));
	assert_true(w.u.kept.energy_wh < 0);
	assert_true(w.u.kept.totals[QUANTITY_FILAMENT_MM] == 2);
}

static void
test_set(void **state)
{
	static struct world w;
	double was;
	(void)state;
	begin_world(&w, false);
	world_run(&w, "i10 b90 i130! i1");
	assert_int_equal(usage_set(&w.u, "busy_s", 1000.5, &was), 0);
	assert_true(was == 90);
	assert_int_equal(w.u.kept.since_ms, WORLD_WALL_MS - 910500);
	assert_int_equal(sum_us(&w.u.kept) / 1000, WORLD_WALL_MS + 230000 - w.u.kept.since_ms);
	assert_int_equal(usage_set(&w.u, "idle_s", 0, &was), 0);
	assert_int_equal(sum_us(&w.u.kept) / 1000, WORLD_WALL_MS + 230000 - w.u.kept.since_ms);
	int64_t since_ms = w.u.kept.since_ms;
	assert_int_equal(usage_set(&w.u, "fault_s", 5, &was), 0);
	assert_true(was == 130);
	assert_int_equal(w.u.kept.since_ms, since_ms);
	assert_int_equal(usage_set(&w.u, "jobs_started", 77, &was), 0);
	assert_true(was == 1 && w.u.kept.jobs_started == 77);
	assert_int_equal(usage_set(&w.u, "energy_wh", 12.5, &was), 0);
	assert_true(was < 0 && w.u.kept.energy_wh == 12.5);
}

static void
test_set_nonsense(void **state)
{
	static const char *const all[] = {"off_s", "idle_s", "busy_s", "paused_s", "unknown_s",
		"offline_s", "fault_s", "jobs_started", "jobs_finished", "jobs_failed",
		"alarms_raised", "energy_wh"};
	static const double nonsense[] = {-1, NAN, INFINITY, 1e300};
	static struct world w;
	double was;
	(void)state;
	begin_world(&w, false);
	for (size_t i = 0; i < COUNT(all); i++) {
		for (size_t k = 0; k < COUNT(nonsense); k++)
			assert_int_equal(usage_set(&w.u, all[i], nonsense[k], &was), -EINVAL);
		assert_int_equal(usage_set(&w.u, all[i], 3, &was), 0);
		assert_int_equal(usage_set(&w.u, all[i], 4, &was), 0);
		assert_true(was == 3);
	}
	assert_int_equal(usage_set(&w.u, "since", 1, &was), -ENOENT);
}

/* ---- a day ----------------------------------------------------------------------------------
 * Each crash costs the 10 s since the last checkpoint, too. */

static const struct day {
	bool driver;
	const char *trace;
	double in_s[BUCKET_COUNT], fault_s;
	unsigned started, finished, failed;
} days[] = {
	/* A laser behind a power meter: three jobs, one of them in two runs; focusing; the line is
	 * broken for ten minutes in a job, for one in another; two restarts, one in a job. */
	{false,
		"o28800 i600 b3000 i1800 b20 i580 b1200 i60 b1200 i1740 "
		"b1800 ?600 b600 i1200 b900 c105 b1000 ?60 b540 i595 b15 i1785 "
		"b1200! o600! o10000 c300 o26100",
		{[IN_OFF] = 65490, [IN_IDLE] = 8360, [IN_BUSY] = 11465, [IN_UNKNOWN] = 1085}, 1800,
		6, 4, 1},
	/* A printer: finished, paused and finished, stopped at the machine, failed; switched off in
	 * between; two restarts, one in a print. */
	{true,
		"-25200 i1800 b7200 i600F b3600F p600 b3600 i1200F b1800 i600S "
		"b25 i575S b5000 c100 b4900 b100! i1000X! i3500X c500 i4500 -20000",
		{[IN_IDLE] = 13765,
			[IN_BUSY] = 26215,
			[IN_PAUSED] = 600,
			[IN_UNKNOWN] = 620,
			[IN_OFFLINE] = 45200},
		1100, 4, 2, 1},
};

static void
test_a_day(void **state)
{
	static struct world w;
	(void)state;
	for (size_t i = 0; i < COUNT(days); i++) {
		const struct day *d = &days[i];
		world_init(&w, d->driver);
		world_run(&w, d->trace);
		usage_keep(&w.u, world_now(&w), &w.stored);
		assert_int_equal((w.us - WORLD_BEGIN_US) / WORLD_US, 86400);
		for (size_t b = 0; b < BUCKET_COUNT; b++)
			assert_true(w.stored.in_us[b] == (int64_t)(d->in_s[b] * WORLD_US));
		assert_true(w.stored.fault_us == (int64_t)(d->fault_s * WORLD_US));
		assert_int_equal(w.stored.jobs_started, d->started);
		assert_int_equal(w.stored.jobs_finished, d->finished);
		assert_int_equal(w.stored.jobs_failed, d->failed);
	}
}

/* ---- a clock that is set --------------------------------------------------------------------- */

#define HOUR_MS 3600000LL

/* The clock of this boot, which began at WORLD_BEGIN_US, is set delta_ms on. */
static void
set_clock(struct world *w, int64_t delta_ms)
{
	const struct shift by = {
		.from_ms = w->wall_ms, .to_ms = world_now(w).wall_ms, .delta_ms = delta_ms};
	w->wall_ms += delta_ms;
	usage_clock_moved(&w->u, &by, world_now(w));
}

static int64_t
elapsed_s(const struct world *w)
{
	return (world_now(w).wall_ms - w->u.kept.since_ms) / 1000;
}

static int64_t
sum_s(struct world *w)
{
	usage_keep(&w->u, world_now(w), &w->stored);
	return sum_us(&w->stored) / WORLD_US;
}

/* An asset and a job that this boot saw for the first time move as a whole. */
static void
test_first_sync_of_a_new_asset(void **state)
{
	struct world w;
	const struct tally_rules rules = {.per_second = 1};
	(void)state;
	world_init(&w, false);
	world_run(&w, "i60 b100");
	usage_count(&w.u, QUANTITY_ENERGY_WH, "m.e X", &rules, 5, world_now(&w));
	set_clock(&w, 9 * HOUR_MS);
	assert_int_equal(w.u.kept.since_ms, WORLD_WALL_MS + 9 * HOUR_MS);
	assert_int_equal(sum_s(&w), 160);
	assert_int_equal(elapsed_s(&w), 160);
	assert_int_equal(w.stored.in_us[IN_UNKNOWN], 0);
	/* 60 Wh in a second are no more believed than before: only a second has passed */
	w.us += WORLD_US;
	usage_count(&w.u, QUANTITY_ENERGY_WH, "m.e X", &rules, 66, world_now(&w));
	assert_true(w.u.kept.energy_wh == 0);
	world_run(&w, "i200");
	assert_string_equal(w.log, "+90 60, -281 finished 60..161 b101 p0");
}

/* Its last boot was long ago, this clock does not know. */
static void
test_first_sync_of_an_old_asset(void **state)
{
	static const struct {
		int64_t wall_s, delta_s, unknown_s;
	} clocks[] = {
		{1060, 3600, 4500},      /* 900 s after it stopped, said the clock */
		{-500000, 505160, 5000}, /* long before: nothing was known of the pause */
		{1060, 0, 900},
		{5000, -3940, 4840}, /* it was ahead; what is counted does not go back */
	};
	(void)state;
	for (size_t i = 0; i < COUNT(clocks); i++) {
		struct world w;
		world_init(&w, false);
		world_run(&w, "i160");
		usage_keep(&w.u, world_now(&w), &w.stored);
		/* another boot */
		w.us = WORLD_BEGIN_US;
		w.wall_ms = WORLD_WALL_MS + clocks[i].wall_s * 1000;
		int64_t gap_ms = w.wall_ms - w.stored.at_ms;
		usage_init(&w.u, &w.rules, world_now(&w));
		usage_restore(&w.u, &w.stored, (gap_ms > 0 ? gap_ms : 0) * 1000, world_now(&w));
		world_run(&w, "o60");
		set_clock(&w, clocks[i].delta_s * 1000);
		assert_int_equal(sum_s(&w), elapsed_s(&w));
		assert_int_equal(w.stored.in_us[IN_UNKNOWN] / WORLD_US, clocks[i].unknown_s);
		assert_int_equal(w.u.kept.since_ms - WORLD_WALL_MS,
			clocks[i].delta_s < 0 ? clocks[i].delta_s * 1000 : 0);
	}
}

/* The time that passed is known without the wall clock. */
static void
test_later_steps(void **state)
{
	struct world w;
	(void)state;
	const struct tally_rules rules = {.per_second = 1};
	world_init(&w, false);
	world_run(&w, "i60 b100");
	usage_count(&w.u, QUANTITY_ENERGY_WH, "m.e X", &rules, 5, world_now(&w));
	for (int i = 0; i < 2; i++) {
		int64_t step_ms = i ? -50000 : 3000000;
		w.wall_ms += step_ms;
		usage_clock_stepped(&w.u, step_ms);
		assert_int_equal(sum_s(&w), 160);
		assert_int_equal(elapsed_s(&w), 160);
		usage_count(&w.u, QUANTITY_ENERGY_WH, "m.e X", &rules, i ? 5 : 66, world_now(&w));
		assert_true(w.u.kept.energy_wh == 0); /* not in no time */
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_jobs),
		cmocka_unit_test(test_what_is_told),
		cmocka_unit_test(test_a_hole_is_told),
		cmocka_unit_test(test_both_at_once),
		cmocka_unit_test(test_id),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_what_a_job_uses),
		cmocka_unit_test(test_no_counter),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_set_nonsense),
		cmocka_unit_test(test_a_day),
		cmocka_unit_test(test_first_sync_of_a_new_asset),
		cmocka_unit_test(test_first_sync_of_an_old_asset),
		cmocka_unit_test(test_later_steps),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
