/* SPDX-License-Identifier: MIT */
/* usage_trace_test.c -- what holds of jobs and running hours whatever happens: random traces, with
 * crashes at any moment and a wall clock that is set */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/usage_world.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { TRACES = 400, TRACE_S = 4 * 3600, JOBS_MAX = 600 };

struct seen {
	bool open, steps; /* steps: the wall clock is set now and then */
	char id[27];
	int64_t free_ms; /* the last one's end */
	struct usage_kept last;
	struct job jobs[JOBS_MAX];
	size_t n, began;
};

static void
see(struct world *w, const struct job *j, bool ended)
{
	struct seen *s = w->arg;

	assert_true(s->open == ended);
	s->open = !ended;
	if (!ended) {
		assert_true(s->steps || j->started_ms >= s->free_ms);
		assert_true(j->span_us >= 30 * WORLD_US);
		memcpy(s->id, j->id, sizeof(s->id));
		for (size_t i = 0; i < s->n; i++)
			assert_string_not_equal(s->jobs[i].id, j->id);
		s->began++;
		return;
	}
	assert_string_equal(s->id, j->id);
	assert_true(j->ended_ms >= j->started_ms);
	assert_int_equal(j->ended_ms - j->started_ms, j->span_us / 1000);
	assert_true(j->busy_us >= 0 && j->paused_us >= 0);
	assert_true(j->busy_us + j->paused_us <= j->span_us);
	assert_int_not_equal(j->result, END_NONE);
	s->free_ms = j->ended_ms;
	assert_true(s->n < JOBS_MAX);
	s->jobs[s->n++] = *j;
}

/* What is stored is what is published: it adds up and never goes back. */
static void
see_kept(struct world *w)
{
	struct seen *s = w->arg;
	const struct usage_kept *k = &w->stored;

	for (size_t b = 0; b < BUCKET_COUNT; b++)
		assert_true(k->in_us[b] >= s->last.in_us[b]);
	assert_true(k->fault_us >= s->last.fault_us);
	assert_true(k->jobs_started >= s->last.jobs_started);
	assert_true(k->jobs_finished >= s->last.jobs_finished);
	assert_true(k->jobs_failed >= s->last.jobs_failed);
	assert_true(k->energy_wh >= s->last.energy_wh);
	assert_int_equal(sum_us(k), w->us - WORLD_BEGIN_US);
	assert_int_equal(k->since_ms, WORLD_WALL_MS);
	s->last = *k;
}

/* Its own numbers, so that a trace is the same with and without a clock that is set. */
static unsigned
pick(uint32_t *seed, unsigned n)
{
	*seed = *seed * 1664525 + 1013904223;
	return (unsigned)((uint64_t)*seed * n >> 32);
}

static const struct tally_rules energy = {0, 0, 10, true};

static void
change_something(struct world *w, uint32_t *seed)
{
	static const enum activity often[] = {ACTIVITY_OFF, ACTIVITY_IDLE, ACTIVITY_IDLE,
		ACTIVITY_BUSY, ACTIVITY_BUSY, ACTIVITY_BUSY, ACTIVITY_PAUSED, ACTIVITY_UNKNOWN};
	int64_t began_us = w->us - pick(seed, 30) * WORLD_US;

	w->in.activity = often[pick(seed, COUNT(often))];
	w->in.since_us = began_us > w->in.since_us ? began_us : w->in.since_us;
	w->in.online = pick(seed, 10) > 0;
	w->in.fault = pick(seed, 10) == 0;
	w->in.lost_power = pick(seed, 20) == 0;
	w->in.decided = true;
	if (pick(seed, 3) == 0)
		w->in.result = (enum job_result)pick(seed, JOB_FAULT + 1);
}

/* How long it stays so: mostly short, sometimes longer than any of the limits. */
static unsigned
pick_stay_s(uint32_t *seed)
{
	static const unsigned stays[] = {3, 20, 60, 130, 310, 1000};

	return 1 + pick(seed, stays[pick(seed, COUNT(stays))]);
}

static void
live(struct world *w, struct seen *s, uint32_t seed)
{
	double meter = 100;

	for (int64_t end_us = w->us + TRACE_S * WORLD_US; w->us < end_us;) {
		unsigned stay_s = pick_stay_s(&seed), crash = pick(&seed, 8) ? 0 : pick(&seed, 500);
		int64_t set_ms = ((int64_t)pick(&seed, 7200) - 3600) * 1000;
		if (pick(&seed, 10) == 0 && s->steps)
			w->wall_ms += set_ms;
		change_something(w, &seed);
		for (unsigned i = 0; i < stay_s; i++) {
			w->us += 250000 + pick(&seed, 1000) * 1000;
			meter += pick(&seed, 3);
			usage_count(
				&w->u, QUANTITY_ENERGY_WH, "meter", &energy, meter, world_now(w));
			world_update(w);
		}
		if (!crash)
			continue;
		world_crash(w, crash * WORLD_US);
		w->in.decided = pick(&seed, 2); /* at first */
		w->in.since_us = w->us;
	}
}

static void
run_trace(struct world *w, struct seen *s, uint32_t seed, bool steps)
{
	*s = (struct seen){.steps = steps};
	world_init(w, seed % 2);
	s->last.energy_wh = -1;
	w->arg = s;
	w->told = see;
	w->kept = see_kept;
	live(w, s, seed);
	world_leave(w);
	assert_false(s->open);
	assert_int_equal(s->began, s->n);
	assert_int_equal(s->last.jobs_started, s->n);
}

static void
test_anything(void **state)
{
	static struct world w;
	static struct seen plain, stepped;
	size_t jobs = 0, results[END_UNKNOWN + 1] = {0};
	(void)state;
	for (uint32_t seed = 1; seed <= TRACES; seed++) {
		run_trace(&w, &plain, seed, false);
		run_trace(&w, &stepped, seed, true);
		assert_int_equal(plain.n, stepped.n);
		for (size_t i = 0; i < plain.n; i++) {
			const struct job *a = &plain.jobs[i], *b = &stepped.jobs[i];
			assert_int_equal(a->span_us, b->span_us);
			assert_int_equal(a->busy_us, b->busy_us);
			assert_int_equal(a->paused_us, b->paused_us);
			assert_int_equal(a->accuracy_s, b->accuracy_s);
			results[a->result]++;
		}
		jobs += plain.n;
	}
	assert_true(jobs > 10 * TRACES);
	for (size_t r = END_FINISHED; r < END_UNKNOWN; r++)
		assert_true(results[r] > 20); /* the traces get everywhere */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_anything),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
