/* SPDX-License-Identifier: MIT */
/* schedule_test.c -- deadlines, priorities and silent units, on a fake clock
 *
 * struct line plays the poller: it asks schedule.c what is next, lets fake time pass as a line of
 * that speed would, and keeps count.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/schedule.h"

#define MS 1000LL
#define S 1000000LL
#define MAX 64

struct line {
	struct schedule s;
	struct schedule_entry entries[MAX];
	struct schedule_unit units[MAX];
	size_t n_entries, n_units;
	int64_t now;
	/* how the line behaves */
	int64_t cost[MAX];    /* of a poll that is answered, per entry */
	bool dead[MAX];       /* per unit */
	int64_t timeout[MAX]; /* of a poll of a dead unit */
	int64_t probe[MAX];   /* of a probe of one */
	unsigned full_every;  /* every so many-th probe takes the full time-out; 0: none */
	unsigned probes[MAX];
	int64_t latency_us; /* a dead unit may be asked again only so long after a request */
	int64_t jitter;     /* added to each poll, at random */
	/* what was seen */
	unsigned polls[MAX];            /* per entry */
	int64_t started[MAX], gap[MAX]; /* per entry: last start, longest time between two */
	int64_t dead_time, found[MAX], waited;
	unsigned kinds[3];
};

static void
add(struct line *l, unsigned unit, enum schedule_kind kind, int64_t period, int64_t cost)
{
	size_t i = l->n_entries++;
	l->entries[i] = (struct schedule_entry){.unit = unit,
		.kind = kind,
		.period_us = period,
		.priority = 1,
		.pending = kind == SCHEDULE_ONCE};
	l->cost[i] = cost;
	l->timeout[unit] = 500 * MS;
	l->probe[unit] = 60 * MS;
	if (unit + 1 > l->n_units)
		l->n_units = unit + 1;
}

static void
begin(struct line *l)
{
	schedule_init(&l->s, l->entries, l->n_entries, l->units, l->n_units, l->now);
}

static int64_t
probe_cost(void *arg, size_t unit)
{
	const struct line *l = arg;
	bool full = l->full_every && l->probes[unit] % l->full_every == l->full_every - 1;
	return full ? l->timeout[unit] : l->probe[unit];
}

static void
poll_entry(struct line *l, size_t i)
{
	unsigned unit = l->entries[i].unit;
	int64_t start = l->now;
	assert_true(start >= l->entries[i].due_us);
	assert_true(start >= l->units[unit].free_us);
	if (l->polls[i]++ && start - l->started[i] > l->gap[i])
		l->gap[i] = start - l->started[i];
	l->started[i] = start;
	l->now += l->dead[unit] ? l->timeout[unit] : l->cost[i];
	l->now += l->jitter ? rand() % l->jitter : 0;
	if (l->dead[unit])
		l->dead_time += l->now - start;
	schedule_polled(
		&l->s, i, l->now, !l->dead[unit], l->dead[unit] ? start + l->latency_us : 0);
}

static void
probe_unit(struct line *l, size_t unit)
{
	int64_t start = l->now;
	assert_true(start >= l->units[unit].free_us);
	l->now += l->dead[unit] ? probe_cost(l, unit) : 10 * MS;
	l->probes[unit]++;
	if (l->dead[unit])
		l->dead_time += l->now - start;
	else
		l->found[unit] = l->now;
	schedule_probed(&l->s, unit, start, l->now, !l->dead[unit],
		l->dead[unit] ? start + l->latency_us : 0);
}

static void
step(struct line *l, int64_t until)
{
	struct schedule_next next = schedule_next(&l->s, l->now, probe_cost, l);
	l->kinds[next.what]++;
	if (next.what == SCHEDULE_POLL) {
		poll_entry(l, next.index);
	} else if (next.what == SCHEDULE_PROBE) {
		probe_unit(l, next.index);
	} else {
		int64_t to = next.until_us < until ? next.until_us : until;
		assert_true(to > l->now); /* else the poller would spin */
		l->waited += to - l->now;
		l->now = to;
	}
}

static void
run_until(struct line *l, int64_t until)
{
	while (l->now < until)
		step(l, until);
}

/* Forgets what was seen: after the line has settled. */
static void
look_from_here(struct line *l)
{
	memset(l->gap, 0, sizeof(l->gap));
	memset(l->polls, 0, sizeof(l->polls));
	l->dead_time = 0;
}

/* ---- the grid -------------------------------------------------------------------------------- */

static void
test_no_drift(void **state)
{
	struct line l = {.jitter = 300 * MS};
	(void)state;
	add(&l, 0, SCHEDULE_PERIODIC, S, 5 * MS);
	begin(&l);
	for (int64_t k = 0; k < 10000; k++) {
		while (l.polls[0] == k)
			step(&l, INT64_MAX - 1);
		assert_int_equal(l.started[0], k * S);
	}
	assert_int_equal(l.entries[0].missed, 0);
}

static void
test_missed_is_counted_not_made_up(void **state)
{
	struct line l = {0};
	(void)state;
	add(&l, 0, SCHEDULE_PERIODIC, S, 10 * MS);
	begin(&l);
	run_until(&l, 10 * S);
	assert_int_equal(l.polls[0], 10);
	l.cost[0] = 3500 * MS; /* begins at 10 s, ends at 13.5 s: 11 and 12 are lost, 13 is late */
	while (l.polls[0] == 10)
		step(&l, 20 * S);
	l.cost[0] = 10 * MS;
	assert_int_equal(l.entries[0].missed, 2);
	run_until(&l, 20 * S);
	assert_int_equal(l.polls[0], 11 + 1 + 6); /* 13 late, 14 .. 19 */
	assert_int_equal(l.entries[0].missed, 2);
	assert_int_equal(l.started[0], 19 * S);
}

static void
test_after_a_wake_it_returns_to_the_grid(void **state)
{
	struct line l = {0};
	(void)state;
	add(&l, 0, SCHEDULE_PERIODIC, S, 10 * MS);
	l.entries[0].grid_us = 250 * MS;
	begin(&l);
	schedule_wake(&l.s, l.now);
	run_until(&l, 100 * MS);
	assert_int_equal(l.polls[0], 1); /* at once */
	run_until(&l, 10 * S);
	assert_int_equal((l.started[0] - 250 * MS) % S, 0);
	assert_true(l.gap[0] >= S / 2 && l.gap[0] <= 3 * S / 2);
	assert_int_equal(l.entries[0].missed, 0);
}

/* ---- who is first -----------------------------------------------------------------------------
 */

static void
test_overload_is_shared_fairly(void **state)
{
	struct line l = {0};
	unsigned least = UINT32_MAX, most = 0;
	(void)state;
	for (unsigned i = 0; i < 10; i++)
		add(&l, i, SCHEDULE_PERIODIC, S, 200 * MS); /* twice what the line can do */
	begin(&l);
	run_until(&l, 1000 * S);
	for (unsigned i = 0; i < 10; i++) {
		least = l.polls[i] < least ? l.polls[i] : least;
		most = l.polls[i] > most ? l.polls[i] : most;
		assert_true(l.gap[i] <= 3 * S); /* the line needs 2 s for a round */
		assert_true(l.entries[i].missed > 0);
	}
	assert_int_equal(l.waited, 0);
	assert_true(most - least <= 2);
}

static void
test_earliest_deadline_first(void **state)
{
	struct line l = {0};
	(void)state;
	add(&l, 0, SCHEDULE_PERIODIC, 1000 * MS, 60 * MS);
	add(&l, 1, SCHEDULE_PERIODIC, 200 * MS, 60 * MS);
	add(&l, 2, SCHEDULE_PERIODIC, 300 * MS, 60 * MS); /* 56 % in all */
	begin(&l);
	run_until(&l, 600 * S);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(l.entries[i].missed, 0);
	assert_int_equal(l.polls[0], 600);
	assert_int_equal(l.polls[1], 3000);
	assert_int_equal(l.polls[2], 2000);
}

static void
test_priority_yields_but_does_not_starve(void **state)
{
	struct line l = {0};
	(void)state;
	add(&l, 0, SCHEDULE_PERIODIC, S, 20 * MS);
	add(&l, 1, SCHEDULE_PERIODIC, S, 20 * MS);
	l.entries[0].priority = 2;
	begin(&l);
	step(&l, S);
	assert_int_equal(l.polls[1], 1);
	assert_int_equal(l.polls[0], 0);

	struct line full = {0};
	add(&full, 0, SCHEDULE_PERIODIC, S, 300 * MS);
	for (unsigned i = 1; i < 8; i++)
		add(&full, i, SCHEDULE_PERIODIC, S, 300 * MS);
	full.entries[0].priority = 2;
	begin(&full);
	run_until(&full, 100 * S);
	assert_true(full.polls[0] > 20);
}

static void
test_continuous_takes_what_is_left(void **state)
{
	struct line l = {0};
	(void)state;
	add(&l, 0, SCHEDULE_PERIODIC, 100 * MS, 40 * MS);
	for (unsigned i = 1; i < 4; i++)
		add(&l, i, SCHEDULE_CONTINUOUS, 0, 10 * MS);
	begin(&l);
	run_until(&l, 60 * S);
	assert_int_equal(l.entries[0].missed, 0);
	assert_in_range(l.polls[0], 600, 601);
	for (unsigned i = 1; i < 4; i++)
		assert_in_range(l.polls[i], 1180, 1201); /* 60 ms of each 100, a third each */
	assert_true(l.gap[0] <= 110 * MS);               /* one continuous poll may be in the way */
	assert_int_equal(l.waited, 0);
}

static void
test_continuous_starves_on_a_full_line(void **state)
{
	struct line l = {0};
	(void)state;
	add(&l, 0, SCHEDULE_PERIODIC, 100 * MS, 100 * MS);
	add(&l, 1, SCHEDULE_CONTINUOUS, 0, 10 * MS);
	begin(&l);
	run_until(&l, 10 * S);
	assert_in_range(l.polls[0], 90, 101);
	assert_in_range(l.polls[1], 0, 10);
}

static void
test_once(void **state)
{
	struct line l = {0};
	(void)state;
	add(&l, 0, SCHEDULE_ONCE, 0, 10 * MS);
	add(&l, 0, SCHEDULE_PERIODIC, S, 10 * MS);
	begin(&l);
	run_until(&l, 10 * S);
	assert_int_equal(l.polls[0], 1);
	schedule_wake(&l.s, l.now);
	run_until(&l, 20 * S);
	assert_int_equal(l.polls[0], 2);
	assert_in_range(l.polls[1], 20, 22);
}

static void
test_nothing_to_do(void **state)
{
	struct line l = {0};
	(void)state;
	begin(&l);
	struct schedule_next next = schedule_next(&l.s, 0, probe_cost, &l);
	assert_int_equal(next.what, SCHEDULE_WAIT);
	assert_true(next.until_us == INT64_MAX);
}

/* ---- silent units -----------------------------------------------------------------------------
 */

/* Ten units of which seven fill the line, some of them dead. 9600 baud: 23.4 transactions
 * a second; 115200: 136 (docs/benchmarks.md). */
static void
ten_units(struct line *l, int64_t cost, unsigned dead)
{
	for (unsigned i = 0; i < 10; i++) {
		add(l, i, SCHEDULE_PERIODIC, 7 * cost, cost);
		l->dead[i] = i >= 10 - dead;
	}
	l->full_every = 6;
	l->latency_us = S;
	begin(l);
	run_until(l, 20 * S);
	look_from_here(l);
}

static void
check_dead_units(int64_t cost)
{
	struct line l = {0};
	const int64_t seconds = 300;
	ten_units(&l, cost, 3);
	int64_t from = l.now;
	run_until(&l, from + seconds * S);
	assert_true(l.dead_time <= seconds * S / 20 + 500 * MS);
	int64_t live = 0;
	for (unsigned i = 0; i < 7; i++) {
		assert_true(l.gap[i] < S);
		live += l.polls[i] * cost;
	}
	/* Whatever the dead do not take is the live ones': at least 95 % of the line. */
	assert_true(live >= seconds * S * 945 / 1000);
}

static void
test_three_dead_of_ten(void **state)
{
	(void)state;
	check_dead_units(42700);
	check_dead_units(7350);
}

/* Two live units that leave the line not a moment of rest, beside eight dead ones. */
static void
test_dead_units_on_a_full_line_cost_five_per_cent(void **state)
{
	struct line l = {.full_every = 6, .latency_us = S};
	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		add(&l, i, SCHEDULE_PERIODIC, 80 * MS, 42700);
		l.dead[i] = i >= 2;
	}
	begin(&l);
	run_until(&l, 20 * S);
	look_from_here(&l);
	run_until(&l, l.now + 200 * S);
	assert_true(l.dead_time <= 200 * S / 20 + 500 * MS);
	assert_true(l.gap[0] < S && l.gap[1] < S);
}

static void
test_found_again_within_ten_seconds(void **state)
{
	const int64_t costs[] = {42700, 7350};
	(void)state;
	for (size_t c = 0; c < 2; c++) {
		for (int64_t offset = 0; offset < 10; offset++) {
			struct line l = {0};
			ten_units(&l, costs[c], 3);
			l.full_every = 0;
			run_until(&l, l.now + 30 * S + offset * 970 * MS);
			int64_t back = l.now;
			l.dead[8] = false;
			run_until(&l, back + 10 * S);
			assert_true(l.found[8] > back);
			unsigned polls = l.polls[8];
			run_until(&l, back + 20 * S);
			assert_true(l.polls[8] > polls);
		}
	}
}

static void
test_found_at_once_on_an_idle_line(void **state)
{
	struct line l = {.latency_us = S};
	(void)state;
	add(&l, 0, SCHEDULE_PERIODIC, S, 10 * MS);
	for (unsigned i = 1; i < 9; i++) {
		add(&l, i, SCHEDULE_PERIODIC, S, 10 * MS);
		l.dead[i] = true;
	}
	begin(&l);
	run_until(&l, 30 * S);
	look_from_here(&l);
	run_until(&l, 60 * S);
	assert_true(l.gap[0] <= 1100 * MS); /* eight dead ones: nothing to notice */
	int64_t back = l.now;
	l.dead[3] = false;
	run_until(&l, back + 2 * S);
	assert_true(l.found[3] > back && l.found[3] - back <= 1700 * MS);
}

static void
test_all_dead(void **state)
{
	struct line l = {.latency_us = S};
	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		add(&l, i, SCHEDULE_PERIODIC, S, 10 * MS);
		l.dead[i] = true;
	}
	begin(&l);
	run_until(&l, 60 * S);
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(l.polls[i], 1);
		assert_in_range(l.probes[i], 40, 60);
		assert_int_equal(l.entries[i].missed, 0); /* a dead unit misses nothing */
	}
}

/* A late answer must not meet the next question: neither polls nor probes before `free`. */
static void
test_free_time_is_respected(void **state)
{
	struct line l = {.latency_us = 5 * S};
	(void)state;
	add(&l, 0, SCHEDULE_PERIODIC, 100 * MS, 10 * MS);
	add(&l, 1, SCHEDULE_PERIODIC, 100 * MS, 10 * MS);
	l.dead[1] = true;
	begin(&l);
	run_until(&l, 60 * S); /* poll_entry() and probe_unit() assert it */
	assert_in_range(l.probes[1], 10, 12);
	assert_true(l.gap[0] <= 600 * MS);

	struct line one = {0};
	add(&one, 0, SCHEDULE_PERIODIC, 100 * MS, 10 * MS);
	begin(&one);
	one.now += 10 * MS;
	schedule_polled(&one.s, 0, one.now, true, 730 * MS);
	struct schedule_next next = schedule_next(&one.s, one.now, probe_cost, &one);
	assert_int_equal(next.what, SCHEDULE_WAIT);
	assert_int_equal(next.until_us, 730 * MS);
}

static void
test_back_means_due_at_once(void **state)
{
	struct line l = {.latency_us = 0};
	(void)state;
	add(&l, 0, SCHEDULE_PERIODIC, 60 * S, 10 * MS);
	add(&l, 0, SCHEDULE_ONCE, 0, 10 * MS);
	l.dead[0] = true;
	begin(&l);
	run_until(&l, 10 * S);
	l.dead[0] = false;
	run_until(&l, 12 * S);
	assert_int_equal(l.polls[0] + l.polls[1], 1 + 2);
}

/* ---- jobs -------------------------------------------------------------------------------------
 */

static void
test_jobs_take_a_fifth(void **state)
{
	struct line l = {0};
	int64_t job_time = 0;
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		add(&l, i, SCHEDULE_PERIODIC, 100 * MS, 50 * MS); /* a line that is never idle */
	begin(&l);
	while (l.now < 300 * S) {
		if (schedule_job_may_run(&l.s, l.now, 80 * MS)) {
			int64_t start = l.now;
			l.now += 80 * MS;
			job_time += 80 * MS;
			schedule_job_ran(&l.s, start, l.now);
		}
		step(&l, 300 * S);
	}
	assert_in_range(job_time / MS, 300 * 150, 300 * 200);
}

static void
test_jobs_fill_an_idle_line(void **state)
{
	struct line l = {0};
	(void)state;
	add(&l, 0, SCHEDULE_PERIODIC, S, 10 * MS);
	begin(&l);
	run_until(&l, 100 * MS); /* the next deadline is at 1 s */
	schedule_job_ran(&l.s, 50 * MS, 100 * MS);
	assert_true(schedule_job_may_run(&l.s, 100 * MS, 900 * MS));
	assert_false(schedule_job_may_run(&l.s, 100 * MS, 901 * MS));
	assert_false(schedule_job_may_run(&l.s, 299 * MS, 800 * MS));
	assert_true(
		schedule_job_may_run(&l.s, 300 * MS, 800 * MS)); /* it waited four times 50 ms */
}

/* ---- news ------------------------------------------------------------------------------- */

static void
test_news_hurry_but_the_grid_stays(void **state)
{
	struct line l = {0};
	(void)state;
	add(&l, 0, SCHEDULE_PERIODIC, S, 10 * MS);
	begin(&l);
	run_until(&l, 100 * MS);
	assert_int_equal(l.polls[0], 1);
	schedule_hurry(&l.s, 0, 300 * MS);
	run_until(&l, 900 * MS);
	assert_int_equal(l.polls[0], 2); /* at once, not at 1 s */
	run_until(&l, 1100 * MS);
	assert_int_equal(l.polls[0], 3); /* and at 1 s all the same */
	assert_int_equal(l.entries[0].missed, 0);
}

static void
test_a_silent_one_that_speaks_is_asked(void **state)
{
	struct line l = {0};
	(void)state;
	add(&l, 0, SCHEDULE_PERIODIC, S, 10 * MS);
	l.dead[0] = true;
	begin(&l);
	run_until(&l, 5 * S + 100 * MS);
	assert_true(l.units[0].silent);
	l.dead[0] = false;
	schedule_hurry(&l.s, 0, l.now);
	run_until(&l, l.now + 50 * MS);
	assert_false(l.units[0].silent);
}

/* ---- phases ----------------------------------------------------------------------------- */

static void
test_slots(void **state)
{
	(void)state;
	assert_int_equal(schedule_slot_us(S, 50), 480 * MS);
	assert_int_equal(schedule_slot_us(S, 1000), 24 * MS);
	assert_int_equal(schedule_slot_us(S, 100000), 10 * MS);
	assert_int_equal(schedule_slot_us(S, 1), 500 * MS);
	assert_int_equal(schedule_slot_us(S, 0), 500 * MS);
	assert_int_equal(schedule_slot_us(60 * S, 100), 500 * MS);
}

/* A thousand polls a second share 41 instants, 24 or 25 each. */
static void
test_phases(void **state)
{
	int64_t before = -1;
	unsigned instants = 0, here = 0;
	(void)state;
	for (size_t i = 0; i < 1000; i++) {
		int64_t phase = schedule_phase_us(S, i, 1000);
		assert_true(phase >= before && phase >= 0 && phase < S);
		here = phase == before ? here + 1 : 1;
		instants += phase != before;
		before = phase;
		assert_true(here <= 25);
	}
	assert_int_equal(instants, 41);
	assert_int_equal(schedule_phase_us(S, 0, 1), 0);
	assert_int_equal(schedule_phase_us(S, 0, 0), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_drift),
		cmocka_unit_test(test_missed_is_counted_not_made_up),
		cmocka_unit_test(test_after_a_wake_it_returns_to_the_grid),
		cmocka_unit_test(test_overload_is_shared_fairly),
		cmocka_unit_test(test_earliest_deadline_first),
		cmocka_unit_test(test_priority_yields_but_does_not_starve),
		cmocka_unit_test(test_continuous_takes_what_is_left),
		cmocka_unit_test(test_continuous_starves_on_a_full_line),
		cmocka_unit_test(test_once),
		cmocka_unit_test(test_nothing_to_do),
		cmocka_unit_test(test_three_dead_of_ten),
		cmocka_unit_test(test_dead_units_on_a_full_line_cost_five_per_cent),
		cmocka_unit_test(test_found_again_within_ten_seconds),
		cmocka_unit_test(test_found_at_once_on_an_idle_line),
		cmocka_unit_test(test_all_dead),
		cmocka_unit_test(test_free_time_is_respected),
		cmocka_unit_test(test_back_means_due_at_once),
		cmocka_unit_test(test_jobs_take_a_fifth),
		cmocka_unit_test(test_jobs_fill_an_idle_line),
		cmocka_unit_test(test_news_hurry_but_the_grid_stays),
		cmocka_unit_test(test_a_silent_one_that_speaks_is_asked),
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_phases),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
