/* SPDX-License-Identifier: MIT */
/* fleet_test.c -- simulated gateways: the daemon's own rules, machines that are a function of time
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/simulate/fleet_impl.h"
#include "daemon/backoff.h"
#include "daemon/pace.h"

#define DAY_MS 86400000LL

/* ---- the daemon's rules ---------------------------------------------------------------------- */

static void
test_back_off_is_the_daemons(void **state)
{
	(void)state;
	for (int reason = 0; reason < 256; reason++)
		for (unsigned n = 0; n < 9; n++)
			for (int k = 0; k < 8; k++)
				assert_int_equal(fleet_backoff_ms(1000, 30000, n, reason, k / 8.0),
					backoff_ms(1000, 30000, n, reason, k / 8.0));
}

/* Lines that answer at once, slowly, and worse and worse. */
static void
test_pace_is_the_daemons(void **state)
{
	(void)state;
	for (int64_t line = 1; line <= 1000; line *= 10) {
		struct fleet_pace ours;
		struct pace theirs = {.most = 0};
		fleet_pace_init(&ours, 0);
		pace_init(&theirs, 0);
		for (int64_t k = 1; k < 2000; k++) {
			int64_t now_us = k * 10000, took_us = 1000 * line + k % 500 * 900;
			size_t piece = fleet_pace_piece(&ours, now_us);
			assert_int_equal(piece, pace_piece(&theirs, now_us));
			if (!piece)
				continue;
			fleet_pace_spend(&ours, piece);
			pace_spend(&theirs, piece);
			fleet_pace_answered(&ours, took_us);
			pace_answered(&theirs, took_us);
		}
	}
}

/* ---- machines -------------------------------------------------------------------------------- */

static const struct fleet_orders nothing;

static struct fleet_model
model_of(size_t k, int alarms)
{
	return (struct fleet_model){fleet_kind_of(k), fleet_hash(7, k), alarms};
}

static bool
same(const struct fleet_sample *a, const struct fleet_sample *b)
{
	return a->activity == b->activity && a->silent == b->silent && a->alarms == b->alarms &&
	       a->job == b->job && a->job_start_ms == b->job_start_ms &&
	       !memcmp(a->values, b->values, sizeof a->values);
}

/* Any moment can be asked for again, in any order. */
static void
test_a_moment_is_always_the_same(void **state)
{
	struct fleet_sample there[100], back;
	struct fleet_model m = model_of(1, 50);

	(void)state;
	for (int k = 0; k < 100; k++)
		fleet_sample(&m, &nothing, k * 10000, &there[k]);
	for (int k = 99; k >= 0; k--) {
		fleet_sample(&m, &nothing, k * 10000, &back);
		assert_true(same(&there[k], &back));
	}
}

/* In a day of a hundred machines: jobs of minutes that begin and end, about as many alarms as asked
 * for, values in their range, and no state that is never seen. */
static void
test_machines_behave(void **state)
{
	unsigned seen[4] = {0}, alarms = 0, silences = 0, jobs = 0;

	(void)state;
	for (size_t k = 0; k < 100; k++) {
		struct fleet_model m = model_of(k, 6);
		struct fleet_sample s, was = {0};
		for (int64_t t = 0; t < DAY_MS; t += 10000, was = s) {
			fleet_sample(&m, &nothing, t, &s);
			seen[s.activity]++;
			alarms += t && s.alarms & ~was.alarms;
			silences += t && s.silent && !was.silent;
			jobs += s.job_over && !was.job_over;
			if (s.job_over)
				assert_in_range(s.job_end_ms - s.job_start_ms, 60000, 7200000);
			assert_true(s.activity == FLEET_BUSY || s.activity == FLEET_PAUSED
					    ? s.progress >= 0 && s.progress <= 1
					    : s.progress < 0);
			for (size_t p = 0; p < FLEET_POINTS; p++)
				assert_true(s.values[p] >= 0 && s.values[p] < 1e8);
		}
	}
	for (int k = 0; k < 4; k++)
		assert_true(seen[k] > 2000); /* of 864,000 */
	assert_in_range(alarms, 300, 700);   /* of 600, less silence of printers and chargers */
	assert_true(silences > 50);
	assert_in_range(jobs, 2000, 9000);
}

static void
test_a_counter_only_grows(void **state)
{
	struct fleet_model m = model_of(4, 1);
	double last = 0;

	(void)state;
	for (int64_t t = 0; t < DAY_MS; t += 10000) {
		struct fleet_sample s;
		fleet_sample(&m, &nothing, t, &s);
		assert_true(s.values[2] >= last);
		last = s.values[2];
	}
	assert_true(last > 0);
}

static void
test_orders_win(void **state)
{
	struct fleet_model m = model_of(1, 0);
	struct fleet_orders orders = {.on = 1};
	struct fleet_sample s;

	(void)state;
	fleet_sample(&m, &orders, 5000, &s);
	assert_int_equal(s.alarms, 1);
	assert_true(s.values[1] > m.kind->alarms[0].limit); /* the value shows it, too */
	orders = (struct fleet_orders){.on = 4};            /* plc-silent */
	fleet_sample(&m, &orders, 5000, &s);
	assert_true(s.silent);
	orders = (struct fleet_orders){.off = 7};
	m.alarms_per_day = 100000;
	for (int64_t t = 0; t < DAY_MS; t += 10000) {
		fleet_sample(&m, &orders, t, &s);
		assert_int_equal(s.alarms, 0);
		assert_false(s.silent);
	}
}

/* ---- what waits ------------------------------------------------------------------------------ */

static struct fleet the_fleet;
static struct fleet_machine machine;
static struct fleet_backlog backlog;

static struct fleet_gateway
make_gateway(void)
{
	memset(&machine, 0, sizeof machine);
	memset(&backlog, 0, sizeof backlog);
	return (struct fleet_gateway){.fleet = &the_fleet,
		.machines = &machine,
		.backlogs = &backlog,
		.n = 1,
		.names = {.interval_ms = 1000, .started_ms = 1000000}};
}

static void
owe(struct fleet_gateway *g, uint64_t from, uint64_t to)
{
	for (uint64_t seq = from; seq <= to; seq++)
		fleet_queue_owe(g, &(struct fleet_record){(int64_t)seq * 1000, seq, 0});
}

static void
test_an_outage_is_one_run(void **state)
{
	struct fleet_gateway g = make_gateway();

	(void)state;
	owe(&g, 5, 1004);
	assert_int_equal(backlog.n, 1);
	assert_int_equal(g.waiting, 1000);
	assert_int_equal(fleet_queue_oldest_ms(&g), 1005000);
	struct fleet_flight piece = {.record = {5000, 5, 0}, .count = 256};
	fleet_queue_paid(&g, &piece);
	assert_int_equal(g.waiting, 744);
	assert_int_equal(backlog.runs[0].seq, 261);
	assert_int_equal(backlog.runs[0].t_ms, 261000);
	fleet_queue_paid(&g, &piece); /* told twice: counts once */
	assert_int_equal(g.waiting, 744);
	piece = (struct fleet_flight){.record = {261000, 261, 0}, .count = 744};
	fleet_queue_paid(&g, &piece);
	assert_int_equal(g.waiting, 0);
	assert_int_equal(backlog.n, 0);
}

/* More outages than are remembered: the oldest is told as a gap with its exact range. */
static void
test_what_is_given_up_is_a_gap(void **state)
{
	struct fleet_gateway g = make_gateway();

	(void)state;
	for (uint64_t k = 0; k <= FLEET_RUNS; k++)
		owe(&g, 100 * k + 1, 100 * k + 10);
	assert_int_equal(backlog.n, FLEET_RUNS);
	assert_int_equal(g.waiting, FLEET_RUNS * 10);
	assert_int_equal(g.evicted, 10);
	assert_int_equal(g.events.end, 1);
	assert_int_equal(g.events.ring[0].kind, FLEET_GAP);
	assert_int_equal(g.events.ring[0].from_seq, 1);
	assert_int_equal(g.events.ring[0].to_seq, 10);
	assert_int_equal(g.events.ring[0].ended_ms - g.events.ring[0].started_ms, 9000);
	free(g.events.ring);
}

/* In order, numbered without a hole, forgotten as far as acknowledged without one. */
static void
test_events_keep_their_order(void **state)
{
	struct fleet_gateway g = make_gateway();
	struct fleet_events *q = &g.events;

	(void)state;
	for (int k = 0; k < 200; k++)
		fleet_queue_event(&g, &(struct fleet_event){.kind = FLEET_STATE_EVENT, .ts_ms = k});
	for (uint64_t k = 0; k < 200; k++) {
		assert_int_equal(q->ring[k & (q->cap - 1)].seq, k + 1);
		assert_int_equal(q->ring[k & (q->cap - 1)].ts_ms, k);
	}
	q->next = 3;
	fleet_events_acknowledged(q, 1);
	assert_int_equal(q->first, 0);
	fleet_events_acknowledged(q, 0);
	assert_int_equal(q->first, 2);
	free(q->ring);
}

/* One that finds no room takes no number, so that none is missing. */
static void
test_no_room_no_number(void **state)
{
	struct fleet_gateway g = make_gateway();

	(void)state;
	the_fleet.stats.dropped = 0;
	for (int k = 0; k < FLEET_EVENTS + 5; k++)
		fleet_queue_event(&g, &(struct fleet_event){.kind = FLEET_JOB_STARTED});
	assert_int_equal(the_fleet.stats.dropped, 5);
	assert_int_equal(machine.job_seq, FLEET_EVENTS);
	free(g.events.ring);
}

static void
test_a_ulid_carries_its_time(void **state)
{
	char early[FLEET_JOB], late[FLEET_JOB];

	(void)state;
	fleet_ulid(early, 1735670104064, 1);
	fleet_ulid(late, 1735670104065, 0);
	assert_memory_equal(early, "01JGF00000", 10);
	assert_int_equal(strlen(early), 26);
	assert_true(strcmp(early, late) < 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_back_off_is_the_daemons),
		cmocka_unit_test(test_pace_is_the_daemons),
		cmocka_unit_test(test_a_moment_is_always_the_same),
		cmocka_unit_test(test_machines_behave),
		cmocka_unit_test(test_a_counter_only_grows),
		cmocka_unit_test(test_orders_win),
		cmocka_unit_test(test_an_outage_is_one_run),
		cmocka_unit_test(test_what_is_given_up_is_a_gap),
		cmocka_unit_test(test_events_keep_their_order),
		cmocka_unit_test(test_no_room_no_number),
		cmocka_unit_test(test_a_ulid_carries_its_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
