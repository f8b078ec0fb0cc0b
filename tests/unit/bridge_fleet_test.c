/* SPDX-License-Identifier: MIT */
/* bridge_fleet_test.c -- what is counted for a park, and what is not */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/alertmanager/fleet.h"
#include "config/exposition.h"

enum { T = 1000000, GRACE = 5000 };

static struct picture picture;
static struct fleet fleet;

static int
set_up(void **state)
{
	(void)state;
	memset(&picture, 0, sizeof picture);
	picture_connected(&picture);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	picture_finish(&picture);
	fleet_finish(&fleet);
	return 0;
}

static enum picture_verdict
take_at(int64_t now_ms, const char *topic, const char *payload)
{
	return picture_take(&picture, topic, payload, strlen(payload), now_ms);
}

static void
take(const char *topic, const char *payload)
{
	assert_in_range(take_at(T, topic, payload), PICTURE_TAKEN, PICTURE_IGNORED);
}

static void
take_state(const char *machine, const char *gateway, const char *word, const char *job)
{
	char topic[64], payload[128];

	snprintf(topic, sizeof topic, "parks/p1/machines/%s/state", machine);
	snprintf(payload, sizeof payload,
		"{\"v\":1,\"ts\":5,\"gw\":\"%s\",\"state\":\"%s\",\"job\":%s}", gateway, word, job);
	take(topic, payload);
}

static void
take_usage(const char *machine, const char *asset, int started, int finished, int failed)
{
	char topic[64], payload[160];

	snprintf(topic, sizeof topic, "parks/p1/machines/%s/usage", machine);
	snprintf(payload, sizeof payload,
		"{\"v\":1,\"asset\":\"%s\",\"jobs_started\":%d,\"jobs_finished\":%d,"
		"\"jobs_failed\":%d}",
		asset, started, finished, failed);
	take(topic, payload);
}

/* Of park p1, the only one. */
static const struct fleet_row *
count(void)
{
	fleet_finish(&fleet);
	fleet = fleet_count(&picture);
	assert_int_equal(fleet.n, 1);
	assert_string_equal(fleet.rows[0].park, "p1");
	return fleet.rows;
}

static void
assert_machines(const size_t wanted[PICTURE_STATES])
{
	const struct fleet_row *row = count();

	for (size_t i = 0; i < PICTURE_STATES; i++)
		assert_int_equal(row->machines[i], wanted[i]);
}

static void
test_machines_by_state(void **state)
{
	(void)state;
	take("parks/p1/gateways/gw1/availability", "online");
	take_state("a", "gw1", "busy", "\"01JGFJJZ00000000000000000A\"");
	take_state("b", "gw1", "busy", "null");
	take_state("c", "gw1", "fault", "null");
	take_state("d", "gw1", "offline", "null");
	take("parks/p1/machines/e/info", "{\"class\":\"cnc\"}"); /* says nothing of its state */
	assert_machines((size_t[PICTURE_STATES]){
		[PICTURE_BUSY] = 2, [PICTURE_FAULT] = 1, [PICTURE_OFFLINE] = 1});
	assert_int_equal(fleet.rows->jobs_running, 1);
	take_state("a", "gw1", "idle", "null");
	take("parks/p1/machines/c/state", "");
	assert_machines((size_t[PICTURE_STATES]){
		[PICTURE_BUSY] = 1, [PICTURE_IDLE] = 1, [PICTURE_OFFLINE] = 1});
	assert_int_equal(fleet.rows->jobs_running, 0);
	assert_int_equal(
		take_at(T, "parks/p1/machines/a/state", "{\"gw\":\"gw1\",\"state\":\"x\"}"),
		PICTURE_INVALID);
	assert_int_equal(
		take_at(T, "parks/p1/machines/a/state", "{\"gw\":\"\\\"\",\"state\":\"idle\"}"),
		PICTURE_INVALID);
}

/* Nobody knows of a machine behind a gateway that is not there. */
static void
test_unreachable_is_offline(void **state)
{
	(void)state;
	take("parks/p1/gateways/gw1/availability", "online");
	take_state("a", "gw1", "busy", "\"01JGFJJZ00000000000000000A\"");
	take_state("b", "gw2", "idle", "null"); /* of a gateway that never spoke */
	take_state("c", "gw1", "idle", "null");
	assert_machines((size_t[PICTURE_STATES]){
		[PICTURE_BUSY] = 1, [PICTURE_IDLE] = 1, [PICTURE_OFFLINE] = 1});
	assert_int_equal(fleet.rows->gateways[1], 1);
	take("parks/p1/gateways/gw1/availability", "offline");
	assert_machines((size_t[PICTURE_STATES]){[PICTURE_OFFLINE] = 3});
	assert_int_equal(fleet.rows->jobs_running, 0);
	assert_int_equal(fleet.rows->gateways[0], 1);
	assert_int_equal(fleet.rows->gateways[1], 0);
}

static void
assert_jobs(uint64_t started, uint64_t finished, uint64_t failed)
{
	const struct fleet_row *row = count();

	assert_int_equal(row->jobs[PICTURE_STARTED], started);
	assert_int_equal(row->jobs[PICTURE_FINISHED], finished);
	assert_int_equal(row->jobs[PICTURE_FAILED], failed);
}

/* A sum of totals would fall, or jump, when a machine comes, goes or gets another asset. */
static void
test_jobs_only_grow(void **state)
{
	(void)state;
	take_usage("a", "INV-1", 1000, 900, 100);
	assert_jobs(0, 0, 0);
	take_usage("a", "INV-1", 1003, 901, 101);
	take_usage("b", "INV-2", 50, 50, 0);
	assert_jobs(3, 1, 1);
	take_usage("a", "INV-2", 50, 50, 0); /* they change places */
	take_usage("b", "INV-1", 1003, 901, 101);
	assert_jobs(3, 1, 1);
	take_usage("b", "INV-1", 2, 1, 0); /* set back */
	assert_jobs(3, 1, 1);
	take_usage("b", "INV-1", 4, 2, 0);
	assert_jobs(5, 2, 1);
	take_state("b", "gw1", "idle", "null"); /* so that it is not forgotten */
	take("parks/p1/machines/b/usage", "");
	take_usage("b", "INV-1", 9, 9, 9); /* it was away: nobody knows since when */
	assert_jobs(5, 2, 1);
	assert_int_equal(
		take_at(T, "parks/p1/machines/b/usage", "{\"asset\":\"x\",\"jobs_started\":-1}"),
		PICTURE_INVALID);
	assert_int_equal(take_at(T, "parks/p1/machines/b/usage", "[]"), PICTURE_INVALID);
}

static void
test_alarms_that_fire(void **state)
{
	static const char *const lives[] = {
		"\"severity\":\"error\",\"active\":true",
		"\"severity\":\"error\",\"active\":true",
		"\"severity\":\"info\",\"active\":true",
		"\"severity\":\"critical\",\"active\":false,\"cleared\":9",
		"\"severity\":\"error\",\"active\":true,\"suppressed_by\":\"maintenance\"",
	};

	(void)state;
	for (size_t i = 0; i < sizeof lives / sizeof lives[0]; i++) {
		char topic[64], payload[160];
		snprintf(topic, sizeof topic, "parks/p1/gateways/gw1/alarm/c%zu", i);
		snprintf(payload, sizeof payload, "{\"v\":1,\"raised\":5,%s}", lives[i]);
		take(topic, payload);
	}
	const struct fleet_row *row = count();
	assert_int_equal(row->alarms[0], 1);
	assert_int_equal(row->alarms[1], 0);
	assert_int_equal(row->alarms[2], 2);
	assert_int_equal(row->alarms[3], 0);
}

/* Retained messages come with the connection: then only the time in them counts. */
static void
test_last_message(void **state)
{
	(void)state;
	take_at(T, "parks/p1/gateways/gw1/availability", "online");
	assert_int_equal(count()->heard_ms, 0);
	take_at(T, "parks/p1/gateways/gw1/health", "{\"ts\":700}");
	take_at(T, "parks/p1/machines/a/state", "{\"ts\":600,\"gw\":\"gw1\",\"state\":\"idle\"}");
	assert_int_equal(count()->heard_ms, 700);
	take_at(T, "parks/p1/gateways/gw1/health", "{\"ts\":9000000000}"); /* its clock is wrong */
	assert_int_equal(count()->heard_ms, T);
	picture_settled(&picture, T + 1, GRACE);
	take_at(T + 2, "parks/p1/gateways/gw1/health", "{\"ts\":5}"); /* so it is again */
	assert_int_equal(count()->heard_ms, T + 2);
	take_at(T + 3, "parks/p1/gateways/gw1/availability", "offline"); /* says the broker */
	take_at(T + 4, "parks/p1/machines/b/state", "");                 /* somebody tidies up */
	take_at(T + 5, "parks/p1/machines/b/state", "rubbish");
	assert_int_equal(count()->heard_ms, T + 2);
	take_at(T + 6, "parks/p1/gateways/gw1/availability", "online");
	assert_int_equal(count()->heard_ms, T + 6);
	picture_connected(&picture);
	take_at(T + 9, "parks/p1/gateways/gw1/availability", "online");
	assert_int_equal(count()->heard_ms, T + 6);
}

/* A broker that lost its memory: what nobody tells again is gone after the grace. */
static void
test_states_of_an_older_connection(void **state)
{
	(void)state;
	take("parks/p1/gateways/gw1/availability", "online");
	take_state("stays", "gw1", "idle", "null");
	take_state("goes", "gw1", "idle", "null");
	picture_connected(&picture);
	take("parks/p1/gateways/gw1/availability", "online");
	take_state("stays", "gw1", "idle", "null");
	picture_settled(&picture, T, GRACE);
	picture_tick(&picture, T + GRACE - 1);
	assert_machines((size_t[PICTURE_STATES]){[PICTURE_IDLE] = 2});
	picture_tick(&picture, T + GRACE);
	assert_machines((size_t[PICTURE_STATES]){[PICTURE_IDLE] = 1});
	assert_int_equal(picture.machines.n, 1);
}

/* A machine is known by any of its topics, and its park is gone with the last of them. */
static void
test_nothing_stays_behind(void **state)
{
	static const char *const topics[] = {"info", "state", "usage"};

	(void)state;
	for (size_t first = 0; first < 3; first++) {
		take("parks/p1/machines/a/info", "{\"class\":\"cnc\",\"title\":{\"en\":\"A\"}}");
		size_t bytes = picture.bytes;
		take_state("a", "gw1", "busy", "null");
		take_usage("a", "INV-1", 1, 1, 0);
		assert_int_equal(picture.bytes, bytes); /* its titles among them */
		for (size_t i = 0; i < 3; i++) {
			char topic[64];
			assert_int_equal(picture.machines.n, 1);
			snprintf(topic, sizeof topic, "parks/p1/machines/a/%s",
				topics[(first + i) % 3]);
			take(topic, "");
			take(topic, "");
		}
		assert_int_equal(picture.machines.n, 0);
		assert_int_equal(picture.parks.n, 0);
		assert_int_equal(picture.bytes, 0);
	}
}

static void
test_parks_are_limited(void **state)
{
	char topic[64];

	(void)state;
	for (int i = 0; i <= PICTURE_PARKS; i++) {
		snprintf(topic, sizeof topic, "parks/p%d/gateways/gw1/availability", i);
		assert_int_equal(take_at(T, topic, "online"),
			i < PICTURE_PARKS ? PICTURE_TAKEN : PICTURE_FULL);
	}
	assert_true(picture.full);
	assert_int_equal(picture.parks.n, PICTURE_PARKS);
	take("parks/p1/gateways/gw2/availability", "online"); /* of one that is there */
}

static bool
has_line(const char *text, const char *line)
{
	const char *at = strstr(text, line);

	return at && at[-1] == '\n' && at[strlen(line)] == '\n';
}

static void
test_print(void **state)
{
	static const char *const lines[] = {
		"# TYPE labpulse_fleet_machines gauge",
		"labpulse_fleet_machines{park=\"p1\",state=\"busy\"} 1",
		"labpulse_fleet_machines{park=\"p1\",state=\"off\"} 0",
		"labpulse_fleet_alarms{park=\"p1\",severity=\"critical\"} 0",
		"labpulse_fleet_gateways{park=\"p1\",state=\"online\"} 1",
		"labpulse_fleet_jobs_running{park=\"p1\"} 0",
		"# TYPE labpulse_fleet_jobs_started_total counter",
		"labpulse_fleet_jobs_started_total{park=\"p1\"} 0",
		"labpulse_fleet_last_message_timestamp_seconds{park=\"p1\"} 0.005",
	};
	struct exposition e;
	size_t n = 0;

	(void)state;
	take("parks/p1/gateways/gw1/availability", "online");
	take_state("a", "gw1", "busy", "null");
	count();
	exposition_begin(&e, false);
	fleet_print(&e, &fleet);
	char *text = exposition_end(&e);
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
		if (!has_line(text, lines[i]))
			fail_msg("no line %s in\n%s", lines[i], text);
	for (const char *c = text; (c = strstr(c, "{park=\"p1\"")); c++)
		n++;
	assert_int_equal(n, 18); /* as fleet.h says */
	free(text);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_machines_by_state),
		TEST(test_unreachable_is_offline),
		TEST(test_jobs_only_grow),
		TEST(test_alarms_that_fire),
		TEST(test_last_message),
		TEST(test_states_of_an_older_connection),
		TEST(test_nothing_stays_behind),
		TEST(test_parks_are_limited),
		TEST(test_print),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
