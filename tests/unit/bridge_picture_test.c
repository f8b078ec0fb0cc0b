/* SPDX-License-Identifier: MIT */
/* bridge_picture_test.c -- what retained topics say, and what they cannot do */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/alertmanager/picture.h"

enum { T = 1000000 };

static struct picture picture;

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
	return 0;
}

static enum picture_verdict
take_at(int64_t now_ms, const char *topic, const char *payload)
{
	return picture_take(&picture, topic, payload, strlen(payload), now_ms);
}

static enum picture_verdict
take(const char *topic, const char *payload)
{
	return take_at(T, topic, payload);
}

static const struct picture_alarm *
alarm_with(const char *life)
{
	char payload[512];

	snprintf(payload, sizeof payload,
		"{\"v\":1,\"gw\":\"gw1\",\"severity\":\"error\",\"text\":\"Hot\",%s}", life);
	assert_int_equal(take("parks/p1/machines/m1/alarm/hot", payload), PICTURE_TAKEN);
	assert_int_equal(picture.alarms.n, 1);
	return (const struct picture_alarm *)picture.alarms.first;
}

static const struct picture_gateway *
gateway(void)
{
	assert_int_equal(picture.gateways.n, 1);
	return (const struct picture_gateway *)picture.gateways.first;
}

static void
test_an_alarm(void **state)
{
	(void)state;
	const struct picture_alarm *a = alarm_with("\"active\":true,\"raised\":5,\"value\":31.2");

	assert_string_equal(a->park, "p1");
	assert_string_equal(a->machine, "m1");
	assert_string_equal(a->gateway, "gw1");
	assert_string_equal(a->code, "hot");
	assert_string_equal(a->severity, "error");
	assert_string_equal(a->notes, "\"summary\":\"Hot\",\"value\":\"31.2\"");
	assert_true(a->firing);
	assert_int_equal(a->raised_ms, 5);
	assert_int_equal(take("parks/p1/machines/m1/alarm/hot", ""), PICTURE_TAKEN);
	assert_int_equal(picture.alarms.n, 0);
	assert_int_equal(picture.parks.n, 0);
	assert_int_equal(take("parks/p1/machines/m1/alarm/hot", ""), PICTURE_IGNORED);
}

static void
test_when_it_ended(void **state)
{
	static const struct {
		const char *life;
		bool firing;
		int64_t raised, ended;
	} cases[] = {
		{"\"active\":true,\"raised\":5", true, 5, 0},
		{"\"active\":true,\"raised\":5,\"suppressed_by\":null", true, 5, 0},
		{"\"active\":true,\"raised\":5,\"suppressed_by\":\"flood\"", false, 5, T},
		{"\"active\":false,\"raised\":5,\"cleared\":9", false, 5, 9},
		{"\"active\":false,\"raised\":5,\"cleared\":null", false, 5, T},
		{"\"active\":false,\"raised\":5,\"cleared\":1", false, 5, 5},
		{"\"active\":false,\"raised\":5,\"cleared\":9000000000", false, 5, T},
		{"\"active\":true,\"raised\":9000000000", true, T, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct picture_alarm *a = alarm_with(cases[i].life);
		assert_int_equal(a->firing, cases[i].firing);
		assert_int_equal(a->raised_ms, cases[i].raised);
		assert_int_equal(a->ended_ms, cases[i].ended);
		take("parks/p1/machines/m1/alarm/hot", "");
	}
}

/* What is told again while it is suppressed did not end again. */
static void
test_it_ends_once(void **state)
{
	static const char suppressed[] =
		"{\"v\":1,\"gw\":\"gw1\",\"severity\":\"info\",\"active\":true,"
		"\"raised\":5,\"suppressed_by\":\"maintenance\"}";

	(void)state;
	take_at(100, "parks/p1/machines/m1/alarm/hot", suppressed);
	take_at(200, "parks/p1/machines/m1/alarm/hot", suppressed);
	assert_int_equal(((const struct picture_alarm *)picture.alarms.first)->ended_ms, 100);
}

static void
test_since_when_a_gateway_is_offline(void **state)
{
	(void)state;
	take_at(T, "parks/p1/gateways/g1/availability", "offline");
	assert_int_equal(gateway()->since_ms, T);
	take_at(T + 5000, "parks/p1/gateways/g1/availability", "offline");
	assert_int_equal(gateway()->since_ms, T);
	take_at(T, "parks/p1/gateways/g1/availability", "");
	/* it was alive at 100,000 and told its health no more a minute later */
	take_at(T, "parks/p1/gateways/g1/health", "{\"ts\":100000}");
	assert_false(gateway()->told);
	take_at(T, "parks/p1/gateways/g1/availability", "offline");
	assert_int_equal(gateway()->since_ms, 160000);
	take_at(T, "parks/p1/gateways/g1/availability", "online");
	assert_false(gateway()->offline);
	take_at(T, "parks/p1/gateways/g1/health", "{\"ts\":990000}");
	take_at(T, "parks/p1/gateways/g1/availability", "offline");
	assert_int_equal(gateway()->since_ms, T);
}

static void
test_what_a_new_connection_does_not_tell(void **state)
{
	(void)state;
	alarm_with("\"active\":true,\"raised\":5");
	take("parks/p1/gateways/g1/availability", "online");
	picture_settled(&picture, T, 300);
	assert_false(picture_tick(&picture, T + 300)); /* all is of this connection */
	picture_settled(&picture, T, 300);
	picture_connected(&picture);
	assert_false(picture_tick(&picture, T + 1000)); /* nothing is known yet */
	picture_settled(&picture, T + 1000, 300);
	assert_true(gateway()->offline);
	assert_int_equal(gateway()->since_ms, T + 1000);
	assert_false(picture_tick(&picture, T + 1299));
	assert_int_equal(picture.alarms.n, 1);
	assert_true(picture_tick(&picture, T + 1300));
	assert_int_equal(picture.alarms.n, 0);
	assert_int_equal(picture.gateways.n, 1);
}

static void
test_invalid(void **state)
{
	static const char good[] =
		"{\"v\":1,\"gw\":\"gw1\",\"severity\":\"info\",\"active\":true,\"raised\":5}";
	static const struct {
		const char *topic, *payload;
	} cases[] = {
		{"parks/p1/machines/m1/alarm/UP", good},
		{"parks/p1/machines/m1/alarm/", good},
		{"parks/p1/machines/m1/alarm", good},
		{"parks/p1/machines/m1/alarm/a/b", good},
		{"parks/p1/machines/m 1/alarm/a", good},
		{"parks/p\"/machines/m1/alarm/a", good},
		{"parks/p1/machines//alarm/a", good},
		{"parks/p1/things/m1/alarm/a", good},
		{"parks/p1", good},
		{"parks/p1/machines/m1/alarm/a", "{"},
		{"parks/p1/machines/m1/alarm/a", "null"},
		{"parks/p1/machines/m1/alarm/a",
			"{\"v\":2,\"gw\":\"gw1\",\"severity\":\"info\",\"raised\":5}"},
		{"parks/p1/machines/m1/alarm/a",
			"{\"v\":1,\"gw\":\"\",\"severity\":\"info\",\"raised\":5}"},
		{"parks/p1/machines/m1/alarm/a",
			"{\"v\":1,\"gw\":\"gw1\",\"severity\":\"bad\",\"raised\":5}"},
		{"parks/p1/machines/m1/alarm/a",
			"{\"v\":1,\"gw\":\"gw1\",\"severity\":\"info\",\"raised\":-5}"},
		{"parks/p1/machines/m1/info", "{\"class\":\"a b\"}"},
		{"parks/p1/gateways/g1/availability", "on"},
		{"parks/p1/gateways/g1/health", "[]"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (take(cases[i].topic, cases[i].payload) != PICTURE_INVALID)
			fail_msg("%s %s", cases[i].topic, cases[i].payload);
	assert_int_equal(picture.alarms.n + picture.machines.n + picture.gateways.n, 0);
	assert_int_equal(take("parks/p1/machines/m1/alarm/a", good), PICTURE_TAKEN);
}

static void
test_texts_are_bounded(void **state)
{
	char payload[4096], text[2001];

	(void)state;
	/* two-byte characters, so that the cut at 512 falls between two or into one */
	for (size_t i = 0; i < 2000; i += 2)
		memcpy(text + i, "\xD1\x8F", 3);
	snprintf(payload, sizeof payload,
		"{\"class\":\"other\",\"title\":{\"ru\":\"%s\",\"en\":\"x%s\"}}", text, text);
	assert_int_equal(take("parks/p1/machines/m1/info", payload), PICTURE_TAKEN);
	const struct picture_machine *m = picture_machine(&picture, "p1", "m1");
	assert_string_equal(m->class, "other");
	assert_int_equal(
		strlen(m->notes), strlen("\"title_ru\":\"\",\"title_en\":\"\"") + 512 + 511);
}

static void
test_room_of_a_park(void **state)
{
	char topic[64], longer[700], text[401];
	enum picture_verdict verdict = PICTURE_TAKEN;
	int n = 0;

	(void)state;
	const struct picture_alarm *a = alarm_with("\"active\":true,\"raised\":5");
	for (; verdict == PICTURE_TAKEN && n < PICTURE_PARK_BYTES / 100; n++) {
		snprintf(topic, sizeof topic, "parks/p1/gateways/g%d/availability", n);
		verdict = take(topic, "online");
	}
	assert_int_equal(verdict, PICTURE_FULL);
	assert_in_range(n, 8000, PICTURE_PARK_BYTES / 100);
	assert_true(picture.full);
	/* the end of an alarm is taken, its longer text is not */
	memset(text, 'x', 400);
	text[400] = '\0';
	snprintf(longer, sizeof longer,
		"{\"v\":1,\"gw\":\"gw1\",\"severity\":\"error\",\"active\":false,\"raised\":5,"
		"\"cleared\":9,\"text\":\"%s\"}",
		text);
	assert_int_equal(take("parks/p1/machines/m1/alarm/hot", longer), PICTURE_FULL);
	assert_false(a->firing);
	assert_string_equal(a->notes, "\"summary\":\"Hot\"");
	assert_int_equal(take("parks/p1/gateways/g1/availability", "offline"), PICTURE_TAKEN);
	assert_int_equal(take("parks/p2/gateways/more/availability", "online"), PICTURE_TAKEN);
	assert_int_equal(take("parks/p1/gateways/g1/availability", ""), PICTURE_TAKEN);
	assert_int_equal(take("parks/p1/gateways/gg/availability", "online"), PICTURE_TAKEN);
	/* what was refused is worth another look when an eighth is free again, not before */
	int freed = 0;
	for (; !picture_has_room_again(&picture) && freed < n; freed++) {
		snprintf(topic, sizeof topic, "parks/p1/gateways/g%d/availability", freed);
		take(topic, "");
	}
	assert_in_range(freed, n / 9, n / 7);
	picture_connected(&picture);
	assert_false(picture.full);
	assert_false(picture_has_room_again(&picture));
}

/* Its own text counts, and is given back. */
static void
test_room_of_texts(void **state)
{
	char payload[600], text[501];

	(void)state;
	memset(text, 'x', 500);
	text[500] = '\0';
	snprintf(payload, sizeof payload, "{\"class\":\"other\",\"title\":{\"ru\":\"%s\"}}", text);
	take("parks/p1/machines/m1/info", "{\"class\":\"other\"}");
	size_t before = picture.bytes;
	take("parks/p1/machines/m1/info", payload);
	assert_int_equal(picture.bytes, before + 500 + strlen("\"title_ru\":\"\""));
	take("parks/p1/machines/m1/info", "");
	assert_int_equal(picture.bytes, 0);
	assert_int_equal(picture.parks.n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_an_alarm, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_when_it_ended, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_it_ends_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_since_when_a_gateway_is_offline, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_what_a_new_connection_does_not_tell, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_invalid, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_texts_are_bounded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_room_of_a_park, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_room_of_texts, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
