/* SPDX-License-Identifier: MIT */
/* payload_test.c -- the exact text of each payload, and that none is written past its buffer */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "daemon/openmetrics.h"
#include "daemon/payload.h"
#include "tests/unit/small_lab.h"

#define HEAD "{\"v\":1,\"ts\":1767225600123,\"clock\":\"synced\",\"gw\":\"gw1\","
#define NUMBERED HEAD "\"epoch\":\"7f3a91c2\",\"seq\":184467,"

static const struct envelope plain = {.ts_ms = 1767225600123, .clock = CLOCK_SYNCED, .gw = "gw1"};
static const struct envelope numbered = {.ts_ms = 1767225600123,
	.clock = CLOCK_SYNCED,
	.gw = "gw1",
	.epoch = "7f3a91c2",
	.seq = 184467};

static char buf[16384];
static struct machine *m;
static struct lab_reading l;

static int
set_up(void **state)
{
	(void)state;
	memset(buf, '#', sizeof(buf));
	m = machine_create(&lab_machine, &lab_config, (struct moment){0});
	return m ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	machine_destroy(m);
	return 0;
}

/* `call` with `size` for every size: right, or 0 and nothing beyond the buffer. */
#define CHECK(expected, call)                                                                      \
	do {                                                                                       \
		size_t size = sizeof(buf), full = call;                                            \
		assert_string_equal(buf, expected);                                                \
		assert_int_equal(full, strlen(expected));                                          \
		for (size = 0; size < full; size++) {                                              \
			memset(buf, '#', full + 1);                                                \
			assert_int_equal(call, 0);                                                 \
			assert_int_equal(buf[size], '#');                                          \
		}                                                                                  \
	} while (0)

static void
test_telemetry(void **state)
{
	struct source *s = m->sources[0];
	(void)state;
	lab_answer(&l, 1, (double)229.8f, 7, "heat");
	CHECK(NUMBERED "\"source\":\"meter\",\"values\":{\"power_w\":229.8,\"count\":7,"
		       "\"mode\":\"heat\"},\"errors\":{}}",
		payload_telemetry(buf, size, &numbered, s, &l.r, lab_fast));
	l.values[0] = (struct value){.fail = FAIL_UNSUPPORTED};
	l.values[1] = (struct value){.fail = FAIL_EXCEPTION, .exception = 4};
	CHECK(NUMBERED "\"source\":\"meter\",\"values\":{\"mode\":\"heat\"},"
		       "\"errors\":{\"power_w\":\"unsupported\",\"count\":\"exception-4\"}}",
		payload_telemetry(buf, size, &numbered, s, &l.r, lab_fast));
}

static void
test_clock_event(void **state)
{
	(void)state;
	CHECK(NUMBERED "\"type\":\"clock\",\"step_ms\":-1500}",
		payload_clock_event(buf, size, &numbered, -1500));
}

static void
test_numbers(void **state)
{
	static const struct {
		struct value value;
		const char *text;
	} cases[] = {
		{{.kind = VALUE_REAL, .decimals = 1, .u.num = 143.2}, "143.2"},
		{{.kind = VALUE_REAL, .decimals = 2, .u.num = 143.2}, "143.20"},
		{{.kind = VALUE_UINT, .u.u = UINT64_MAX}, "18446744073709551615"},
		{{.kind = VALUE_INT, .u.i = -7}, "-7"},
		{{.kind = VALUE_BOOL, .u.b = true}, "true"},
	};
	char expected[512];
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		lab_answer(&l, 1, 0, 0, "heat");
		l.values[0] = cases[i].value;
		l.r.n = 1;
		payload_telemetry(buf, sizeof(buf), &numbered, m->sources[0], &l.r, lab_fast);
		snprintf(expected, sizeof(expected),
			NUMBERED "\"source\":\"meter\",\"values\":{\"power_w\":%s},\"errors\":{}}",
			cases[i].text);
		assert_string_equal(buf, expected);
	}
}

static void
test_silence(void **state)
{
	struct source *s = m->sources[0];
	(void)state;
	source_take(s, lab_failure(&l, 1, FAIL_CRC), lab_fast, LAB_S);
	CHECK(NUMBERED "\"source\":\"meter\",\"values\":{},\"errors\":{\"power_w\":\"crc\","
		       "\"count\":\"crc\",\"mode\":\"crc\",\"energy_import_wh\":\"crc\"}}",
		payload_silence(buf, size, &numbered, s));
}

static void
test_info(void **state)
{
	(void)state;
	lab_machine.n_sources = 1;
	machine_destroy(m);
	set_up(NULL);
	lab_machine.n_sources = 2;
	CHECK(HEAD "\"class\":\"laser-cutter\",\"title\":{\"ru\":\"Лазер\",\"en\":\"Laser\"},"
		   "\"asset\":\"INV-1\",\"sources\":{\"meter\":{\"driver\":\"modbus\",\"profile\":"
		   "\"probe\",\"bus\":\"rs485\",\"unit\":5,\"identity\":null}},\"points\":{"
		   "\"meter.power_w\":{\"unit\":\"W\",\"class\":\"power_active_w\",\"title\":"
		   "{\"ru\":\"Мощность\",\"en\":\"Power\"}},"
		   "\"meter.count\":{\"unit\":null,\"class\":null,\"title\":{}},"
		   "\"meter.mode\":{\"unit\":null,\"class\":null,\"title\":{}},"
		   "\"meter.energy_import_wh\":{\"unit\":\"Wh\",\"class\":null,\"title\":{}}}}",
		payload_machine_info(buf, size, &plain, m));
}

static void
no_alarm(void *arg, struct alarm *a, unsigned bits)
{
	(void)arg;
	(void)a;
	(void)bits;
	fail_msg("nothing is wrong");
}

static void
test_state(void **state)
{
	char hint[512], expected[2048];
	(void)state;
	source_take(m->sources[0], lab_answer(&l, 5, 2.5, 7, "heat"), lab_fast, 5 * LAB_S);
	struct machine_news news;
	const struct alarmset_context at = {.now = {.us = 5000000, .wall_ms = 5000}};
	machine_update(m, &at, no_alarm, NULL, &news);
	m->sources[1]->decided = true;
	m->sources[1]->ok = false;
	m->sources[1]->fail = FAIL_TIMEOUT;
	m->sources[1]->since_ms = 6000;
	payload_hint(hint, sizeof(hint), m->sources[1], LANGUAGE_EN);
	assert_non_null(strstr(hint, "192.0.2.7"));
	snprintf(expected, sizeof(expected),
		HEAD
		"\"state\":\"unknown\",\"availability\":\"online\",\"activity\":\"unknown\","
		"\"condition\":\"normal\",\"since\":5000,\"reason\":\"io: timeout\",\"job\":null,"
		"\"progress\":null,\"alarms\":[],\"maintenance\":null,\"values\":{"
		"\"meter.power_w\":2.5,\"meter.count\":7,\"meter.mode\":\"heat\"},\"sources\":{"
		"\"meter\":{\"ok\":true,\"at\":5000},"
		"\"io\":{\"ok\":false,\"error\":\"timeout\",\"since\":6000,\"hint\":\"%s\"}}}",
		hint);
	CHECK(expected, payload_machine_state(buf, size, &plain, m, LANGUAGE_EN));
}

static void
test_events(void **state)
{
	struct alarm a = {.spec = {.code = "hot", .severity = SEVERITY_WARNING},
		.life = {.active = true,
			.has_value = true,
			.value = {.kind = VALUE_FLOAT, .u.num = 31.2F},
			.has_limit = true,
			.limit = 30}};
	(void)state;
	CHECK(NUMBERED "\"type\":\"state\",\"from\":null,\"to\":\"unknown\",\"reason\":"
		       "\"all sources answer\"}",
		payload_state_event(buf, size, &numbered, NULL, "unknown", "all sources answer"));
	CHECK(NUMBERED
		"\"type\":\"identity\",\"source\":\"meter\",\"was\":\"SDM120\",\"now\":null}",
		payload_identity_event(buf, size, &numbered, "meter", "SDM120", ""));
	CHECK(NUMBERED
		"\"type\":\"config\",\"hash\":\"0123\",\"ok\":false,\"error\":\"a \\\"b\\\"\"}",
		payload_config_event(buf, size, &numbered, "0123", false, "a \"b\""));
	CHECK(NUMBERED "\"type\":\"config\",\"hash\":\"0123\",\"ok\":true,\"error\":null}",
		payload_config_event(buf, size, &numbered, "0123", true, NULL));
	CHECK(NUMBERED "\"type\":\"alarm\",\"code\":\"hot\",\"transition\":\"raised\","
		       "\"severity\":\"warning\",\"value\":31.2,\"limit\":30}",
		payload_alarm_event(buf, size, &numbered, &a, "raised"));
	CHECK(NUMBERED "\"type\":\"counters\",\"field\":\"busy_s\",\"was\":12,\"now\":3600,"
		       "\"note\":\"old book\"}",
		payload_counters_event(buf, size, &numbered, "busy_s", 12, 3600, "old book"));
}

static void
test_alarm(void **state)
{
	struct alarm a = {.spec = {.code = "mqtt311",
				  .severity = SEVERITY_WARNING,
				  .text = {.ru = "Старый", .en = "Old"},
				  .hint = {.en = "New one"}},
		.life = {.active = true, .raised_ms = 7, .count = 2}};
	(void)state;
	CHECK(HEAD "\"code\":\"mqtt311\",\"severity\":\"warning\",\"active\":true,\"raised\":7,"
		   "\"cleared\":null,\"count\":2,\"source\":null,\"value\":null,\"limit\":null,"
		   "\"text\":\"Старый\",\"hint\":\"New one\",\"texts\":{\"ru\":\"Старый\",\"en\":"
		   "\"Old\"},\"stale\":false,\"flapping\":false,\"acked\":false,"
		   "\"suppressed_by\":null}",
		payload_alarm(buf, size, &plain, &a, LANGUAGE_RU));
	a.life = (struct alarm_life){.raised_ms = 7,
		.cleared_ms = 9,
		.count = 2,
		.stale = true,
		.suppressed_by = "maintenance"};
	a.spec.source = "meter";
	payload_alarm(buf, sizeof(buf), &plain, &a, LANGUAGE_EN);
	assert_non_null(strstr(buf, "\"active\":false,\"raised\":7,\"cleared\":9"));
	assert_non_null(strstr(buf, "\"source\":\"meter\""));
	assert_non_null(strstr(buf, "\"stale\":true"));
	assert_non_null(strstr(buf, "\"suppressed_by\":\"maintenance\""));
}

static void
test_job(void **state)
{
	struct job job = {.id = "01JGF0000000000000000000AB",
		.started_ms = 1000,
		.accuracy_s = 2,
		.evidence = "meter.power_w",
		.used = {512.46, -1, 0}};
	(void)state;
	CHECK(NUMBERED
		"\"type\":\"started\",\"job\":\"01JGF0000000000000000000AB\",\"asset\":"
		"\"INV-1\",\"started\":1000,\"accuracy_s\":2,\"evidence\":\"meter.power_w\"}",
		payload_job(buf, size, &numbered, &job, "INV-1"));
	job.result = END_POWER_LOSS;
	job.ended_ms = 3601000;
	job.span_us = 3600 * LAB_S;
	job.busy_us = 3400 * LAB_S;
	job.paused_us = 200 * LAB_S;
	snprintf(job.name, sizeof(job.name), "a\"b.gcode");
	CHECK(NUMBERED
		"\"type\":\"ended\",\"job\":\"01JGF0000000000000000000AB\",\"asset\":"
		"\"INV-1\",\"started\":1000,\"ended\":3601000,\"duration_s\":3600,"
		"\"busy_s\":3400,\"paused_s\":200,\"result\":\"power-loss\",\"accuracy_s\":2,"
		"\"evidence\":\"meter.power_w\",\"energy_wh\":512.5,\"charge_mah\":0,"
		"\"name\":\"a\\\"b.gcode\"}",
		payload_job(buf, size, &numbered, &job, "INV-1"));
}

static void
test_usage(void **state)
{
	struct usage_kept u = usage_nothing;
	(void)state;
	u.since_ms = 17;
	u.in_us[IN_BUSY] = 3 * LAB_S + 999999;
	u.in_us[IN_OFFLINE] = 5 * LAB_S;
	u.fault_us = LAB_S;
	u.jobs_started = 4;
	u.jobs_finished = 2;
	u.jobs_failed = 1;
	u.alarms_raised = 7;
	const char *expected = HEAD
		"\"asset\":\"INV-1\",\"since\":17,\"off_s\":0,\"idle_s\":0,\"busy_s\":3,"
		"\"paused_s\":0,\"unknown_s\":0,\"offline_s\":5,\"fault_s\":1,"
		"\"jobs_started\":4,\"jobs_finished\":2,\"jobs_failed\":1,\"alarms_raised\":7}";
	CHECK(expected, payload_usage(buf, size, &plain, &u, "INV-1"));
	u.energy_wh = 12.34;
	payload_usage(buf, sizeof(buf), &plain, &u, "INV-1");
	assert_non_null(strstr(buf, "\"energy_wh\":12.3}"));
}

static void
test_gateway_info(void **state)
{
	char expected[512];
	(void)state;
	snprintf(expected, sizeof(expected),
		HEAD "\"version\":\"%s\",\"boot\":\"b-1\",\"epoch\":\"7f3a91c2\",\"config_hash\":"
		     "\"0123456789abcdef\",\"language\":\"en\",\"machines\":[\"laser-1\"],"
		     "\"limits\":{\"window\":16,\"spool_bytes\":2147483648}}",
		LABPULSE_VERSION);
	CHECK(expected, payload_gateway_info(buf, size, &plain, &lab_config, "b-1", "7f3a91c2"));
}

static struct health
some_health(struct bus_health *bus)
{
	*bus = (struct bus_health){.id = "rs485", .state = "up", .busy_pct = 12.34};
	bus->stats.up = true;
	bus->stats.link.requests = 100;
	bus->stats.link.timeouts = 3;
	bus->stats.link.crc_errors = 2;
	bus->stats.link.protocol_errors = 1;
	bus->stats.link.exceptions = 4;
	bus->stats.link.stale_frames = 5;
	bus->stats.link.noise_bytes = 6;
	bus->stats.link.reopens = 7;
	bus->stats.missed = 8;
	bus->stats.busy_us = 1500000;
	bus->stats.latency_p50_us = 11000;
	bus->stats.latency_p95_us = 22150;
	bus->stats.latency_max_us = 33000;
	return (struct health){.uptime_s = 60,
		.version = "0.1.0",
		.clock = CLOCK_HOLDOVER,
		.clock_offset_ms = 0.25,
		.mqtt_state = "connected",
		.broker = "b:1883",
		.protocol = "5",
		.mqtt_error = "",
		.mqtt_since_ms = 9,
		.reconnects = 1,
		.in_flight = 2,
		.spool = {.records = 3, .bytes = 768, .oldest_ts_ms = 77, .evicted = 5},
		.buses = bus,
		.n_buses = 1,
		.config_hash = "0123456789abcdef",
		.config_error = "",
		.config_loaded_ms = 10,
		.rss_bytes = 4096,
		.disk_free_bytes = 1000000,
		.cpu_s = 0.5};
}

static void
test_gap(void **state)
{
	struct gap gap = {.topic = "parks/p1/machines/m1/telemetry",
		.reason = "spool-full",
		.epoch = "00c0ffee",
		.from_seq = 10,
		.to_seq = 19,
		.from_ts_ms = 1000,
		.to_ts_ms = 2000,
		.count = 10};
	struct envelope e = {
		.ts_ms = 5, .clock = CLOCK_SYNCED, .gw = "gw1", .epoch = "7f3a91c2", .seq = 3};
	(void)state;
	assert_true(payload_gap(buf, sizeof(buf), &e, &gap, strlen("parks/p1/")) > 0);
	assert_string_equal(buf,
		"{\"v\":1,\"ts\":5,\"clock\":\"synced\",\"gw\":\"gw1\",\"epoch\":\"7f3a91c2\",\"seq\":3,"
		"\"topic\":\"machines/m1/telemetry\",\"of_epoch\":\"00c0ffee\",\"from_seq\":10,\"to_seq\":19,"
		"\"from_ts\":1000,\"to_ts\":2000,\"count\":10,\"reason\":\"spool-full\"}");
	gap.from_ts_ms = 0;
	gap.count = -1;
	assert_true(payload_gap(buf, sizeof(buf), &e, &gap, strlen("parks/p1/")) > 0);
	assert_non_null(strstr(buf, "\"from_ts\":null,\"to_ts\":2000,\"count\":null"));
}

static void
test_history(void **state)
{
	struct unit_record records[] = {{.seq = 1, .text = "{\"seq\":1}", .len = 9},
		{.seq = 2, .text = "{\"seq\":2}", .len = 9},
		{.seq = 3, .text = "{\"seq\":3}", .len = 9}};
	struct unit u = {.topic = "parks/p1/machines/m1/telemetry",
		.epoch = "7f3a91c2",
		.n = 3,
		.records = records};
	(void)state;
	assert_true(payload_history(buf, sizeof(buf), "gw1", &u, 1, 3, strlen("parks/p1/")) > 0);
	assert_string_equal(buf,
		"{\"v\":1,\"gw\":\"gw1\",\"epoch\":\"7f3a91c2\",\"topic\":\"machines/m1/telemetry\","
		"\"records\":[{\"seq\":2},{\"seq\":3}]}");
	assert_int_equal(payload_history(buf, 60, "gw1", &u, 1, 3, strlen("parks/p1/")), 0);
}

static void
test_health(void **state)
{
	struct bus_health bus;
	struct health h = some_health(&bus);
	(void)state;
	CHECK("{\"v\":1,\"ts\":1767225600123,\"gw\":\"gw1\",\"uptime_s\":60,\"version\":\"0.1.0\","
	      "\"clock\":{\"state\":\"holdover\",\"offset_ms\":0.250},"
	      "\"mqtt\":{\"state\":\"connected\",\"broker\":\"b:1883\",\"protocol\":\"5\",\"since\":9,"
	      "\"reconnects\":1,\"in_flight\":2,\"last_error\":null},"
	      "\"spool\":{\"records\":3,\"bytes\":768,\"oldest_ts\":77,\"evicted\":5},"
	      "\"buses\":[{\"id\":\"rs485\",\"state\":\"up\",\"requests\":100,\"errors\":10,"
	      "\"timeouts\":3,\"crc_errors\":2,\"stale_frames\":5,\"noise_bytes\":6,\"reopens\":7,"
	      "\"echo\":false,\"latency_ms\":{\"p50\":11.0,\"p95\":22.1,\"max\":33.0},"
	      "\"busy_pct\":12.3,\"missed\":8}],"
	      "\"config\":{\"hash\":\"0123456789abcdef\",\"loaded\":10,\"error\":null},"
	      "\"process\":{\"rss_bytes\":4096,\"cpu_s\":0.50},\"disk\":{\"free_bytes\":1000000}}",
		payload_health(buf, size, &plain, &h));
}

static bool
has_line(const char *line)
{
	const char *at = strstr(buf, line);
	return at && (at == buf || at[-1] == '\n') && at[strlen(line)] == '\n';
}

static void
print_metrics(const struct health *h, bool openmetrics)
{
	char *text = openmetrics_print(h, openmetrics);
	assert_non_null(text);
	assert_true(strlen(text) < sizeof(buf));
	strcpy(buf, text);
	free(text);
}

static void
test_openmetrics(void **state)
{
	static const char *const lines[] = {
		"labpulse_uptime_seconds 60",
		"# TYPE labpulse_uptime_seconds gauge",
		"labpulse_mqtt_connected 1",
		"labpulse_bus_requests_total{bus=\"rs485\"} 100",
		"labpulse_bus_busy_seconds_total{bus=\"rs485\"} 1.5",
		"labpulse_spool_evicted_total 5",
		"labpulse_build_info{version=\"0.1.0\"} 1",
	};
	struct bus_health bus;
	struct health h = some_health(&bus);
	(void)state;
	for (int openmetrics = 0; openmetrics < 2; openmetrics++) {
		print_metrics(&h, openmetrics);
		for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
			assert_true(has_line(lines[i]));
		assert_int_equal(has_line("# EOF"), openmetrics);
		assert_int_equal(has_line("# TYPE labpulse_build info"), openmetrics);
		assert_int_equal(has_line("# TYPE labpulse_build_info gauge"), !openmetrics);
		assert_int_equal(has_line("# TYPE labpulse_bus_requests counter"), openmetrics);
		assert_int_equal(
			has_line("# TYPE labpulse_bus_requests_total counter"), !openmetrics);
	}
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_telemetry),
		TEST(test_clock_event),
		TEST(test_numbers),
		TEST(test_silence),
		TEST(test_info),
		TEST(test_state),
		TEST(test_events),
		TEST(test_alarm),
		TEST(test_job),
		TEST(test_usage),
		TEST(test_gateway_info),
		TEST(test_gap),
		TEST(test_history),
		TEST(test_health),
		TEST(test_openmetrics),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
