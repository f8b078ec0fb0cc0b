/* SPDX-License-Identifier: MIT */
/* bridge_alerts_test.c -- what fires, what ended, and for how long that is told */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/alertmanager/judge.h"

enum { MIN = 60000, T = 100 * MIN };

static struct alerts alerts;
static struct picture picture;
static int64_t now_ms, next_ms, away_ms;

static int
set_up(void **state)
{
	(void)state;
	memset(&alerts, 0, sizeof alerts);
	memset(&picture, 0, sizeof picture);
	picture_connected(&picture);
	now_ms = T;
	away_ms = 0;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	alerts_free(&alerts);
	picture_finish(&picture);
	return 0;
}

static void
take(const char *topic, const char *payload)
{
	assert_int_equal(
		picture_take(&picture, topic, payload, strlen(payload), now_ms), PICTURE_TAKEN);
}

static void
alarm(const char *severity, const char *life)
{
	char payload[512];

	snprintf(payload, sizeof payload, "{\"v\":1,\"gw\":\"g1\",\"severity\":\"%s\",%s}",
		severity, life);
	take("parks/p1/machines/m1/alarm/hot", payload);
}

/* Time passes, and all is judged. */
static void
after(int64_t ms)
{
	now_ms += ms;
	picture_tick(&picture, now_ms);
	next_ms = judge(&picture,
		&(struct judge_facts){
			.now_ms = now_ms, .started_ms = T, .hold_ms = 5 * MIN, .away_ms = away_ms},
		&alerts);
}

static const struct alert *
find(const char *words)
{
	for (const struct map_node *i = alerts.all.first; i; i = i->next)
		if (strstr(i->key, words))
			return (const struct alert *)i;
	return NULL;
}

static void
assert_fires(const char *words)
{
	assert_non_null(find(words));
	assert_int_equal(find(words)->ends_ms, 0);
}

static void
assert_ended(const char *words, int64_t ends_ms)
{
	assert_non_null(find(words));
	assert_int_equal(find(words)->ends_ms, ends_ms);
}

static void
test_an_end_is_told_for_15_minutes(void **state)
{
	(void)state;
	alarm("error", "\"active\":true,\"raised\":5");
	after(0);
	assert_fires("hot");
	assert_int_equal(find("hot")->starts_ms, 5);
	alarm("error", "\"active\":false,\"raised\":5,\"cleared\":6000000");
	after(MIN);
	assert_ended("hot", 6000000);
	after(14 * MIN);
	assert_ended("hot", 6000000);
	after(MIN);
	assert_null(find("hot"));
	after(MIN); /* its topic is still there */
	assert_null(find("hot"));
}

static void
test_an_end_before_our_start_is_told_too(void **state)
{
	(void)state;
	alarm("error", "\"active\":false,\"raised\":5,\"cleared\":5500000"); /* 500 s ago */
	after(0);
	assert_ended("hot", 5500000);
	tear_down(NULL);
	set_up(NULL);
	alarm("error", "\"active\":false,\"raised\":5,\"cleared\":5000000"); /* over 15 min ago */
	after(0);
	assert_null(find("hot"));
}

static void
test_what_is_named_no_more_ends(void **state)
{
	(void)state;
	alarm("error", "\"active\":true,\"raised\":5");
	after(0);
	take("parks/p1/machines/m1/alarm/hot", "");
	after(MIN);
	assert_ended("hot", now_ms);
	alarm("error", "\"active\":true,\"raised\":7");
	after(MIN);
	assert_fires("hot");
	assert_int_equal(find("hot")->starts_ms, 7);
}

static void
test_other_labels_are_another_alert(void **state)
{
	(void)state;
	alarm("warning", "\"active\":true,\"raised\":5");
	after(0);
	alarm("critical", "\"active\":true,\"raised\":5");
	take("parks/p1/machines/m1/info", "{\"class\":\"cnc\"}");
	after(1);
	assert_ended("warning", now_ms);
	assert_fires(
		"\"machine\":\"m1\",\"class\":\"cnc\",\"code\":\"hot\",\"severity\":\"critical\"");
	assert_int_equal(alerts.n_firing, 2); /* with the bridge's own */
}

static void
test_a_version_for_each_change(void **state)
{
	(void)state;
	alarm("error", "\"active\":true,\"raised\":5");
	take("parks/p1/gateways/g1/alarm/disk",
		"{\"v\":1,\"severity\":\"error\",\"active\":true,\"raised\":5}");
	after(0);
	uint64_t version = alerts.version;
	after(MIN);
	assert_int_equal(alerts.version, version);
	alarm("error", "\"active\":true,\"raised\":5,\"value\":3");
	after(MIN);
	assert_int_equal(alerts.version, version + 1);
	assert_ptr_equal(alerts.all.last, find("hot"));
}

static void
test_the_hold_of_a_gateway(void **state)
{
	(void)state;
	take("parks/p1/gateways/g1/availability", "offline");
	after(0);
	assert_null(find("GatewayOffline"));
	assert_int_equal(next_ms, T + 5 * MIN);
	after(5 * MIN - 1);
	assert_null(find("GatewayOffline"));
	after(1);
	assert_fires("GatewayOffline\",\"park\":\"p1\",\"gateway\":\"g1\"");
	assert_int_equal(find("GatewayOffline")->starts_ms, T);
	assert_int_equal(next_ms, INT64_MAX);
	take("parks/p1/gateways/g1/availability", "online");
	after(1);
	assert_ended("GatewayOffline", now_ms);
}

static void
test_the_bridge_itself(void **state)
{
	(void)state;
	after(0);
	assert_fires("LabpulseBridgeAlive");
	assert_null(find("LabpulseBrokerAway"));
	away_ms = now_ms;
	after(5 * MIN);
	assert_fires("LabpulseBrokerAway");
	away_ms = 0;
	picture.full = true;
	after(1);
	assert_ended("LabpulseBrokerAway", now_ms);
	assert_fires("LabpulseBridgeFull");
}

/* Who raises and clears without end takes no more memory than this. */
static void
test_ends_are_bounded(void **state)
{
	char labels[64];

	(void)state;
	alerts_begin(&alerts);
	for (int i = 0; i < ALERTS_ENDED_MAX + 5; i++) {
		snprintf(labels, sizeof labels, "{\"alertname\":\"a%d\"}", i);
		alerts_fire(&alerts, labels, "{}", 5);
	}
	alerts_finish_round(&alerts, T);
	for (int i = 0; i < 2; i++) {
		alerts_begin(&alerts);
		alerts_fire(&alerts, "{\"alertname\":\"fires\"}", "{}", 5);
		alerts_finish_round(&alerts, T);
	}
	assert_int_equal(alerts.all.n, ALERTS_ENDED_MAX + 1);
	assert_null(map_find(&alerts.all, "{\"alertname\":\"a4\"}"));
	assert_ended("\"a5\"", T);
	assert_fires("fires");
}

static void
test_the_body(void **state)
{
	uint64_t version = 0;
	size_t n;

	(void)state;
	alerts_begin(&alerts);
	alerts_fire(&alerts, "{\"alertname\":\"a\"}", "{\"summary\":\"x\"}", 1767225600123);
	alerts_end(&alerts, "{\"alertname\":\"b\"}", "{}", 5, 1500, 2000);
	char *body = alerts_body(&alerts, &version, 1, 1767225660000, MIN, &n);
	assert_string_equal(body,
		"[{\"labels\":{\"alertname\":\"a\"},\"annotations\":{\"summary\":\"x\"},"
		"\"startsAt\":\"2026-01-01T00:00:00.123Z\",\"endsAt\":\"2026-01-01T00:05:00.000Z\"}]");
	assert_int_equal(n, 1);
	free(body);
	body = alerts_body(&alerts, &version, 500, 1767225660000, MIN, &n);
	assert_string_equal(body,
		"[{\"labels\":{\"alertname\":\"b\"},\"annotations\":{},"
		"\"startsAt\":\"1970-01-01T00:00:00.005Z\",\"endsAt\":\"1970-01-01T00:00:01.500Z\"}]");
	free(body);
	assert_null(alerts_body(&alerts, &version, 500, 1767225660000, MIN, &n));
	assert_int_equal(n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_an_end_is_told_for_15_minutes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_an_end_before_our_start_is_told_too, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_named_no_more_ends, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_other_labels_are_another_alert, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_version_for_each_change, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_hold_of_a_gateway, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_bridge_itself, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ends_are_bounded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_body, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
