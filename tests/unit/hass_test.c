/* SPDX-License-Identifier: MIT */
/* hass_test.c -- what a point is in Home Assistant's words, and what is left out where room is
 * short */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "daemon/hass_kind.h"
#include "daemon/payload_hass.h"
#include "tests/unit/small_lab.h"

/* ---- kinds --------------------------------------------------------------------------------- */

static void
is(const struct reg_point *p, const char *device_class, const char *unit, const char *state_class)
{
	const struct hass_kind kind = hass_kind_of(p);
	const char *const told[] = {kind.device_class, kind.unit, kind.state_class},
			  *const expected[] = {device_class, unit, state_class};
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(told[i] ? told[i] : "-", expected[i] ? expected[i] : "-");
}

static struct reg_point
number(const char *unit, const char *class, bool counter)
{
	return (struct reg_point){
		.type = REG_F32, .point = {.unit = unit, .class = class}, .counter = counter};
}

static void
test_numbers(void **state)
{
	static const struct {
		const char *unit, *class;
		bool counter;
		const char *device_class, *shown, *state_class;
	} rows[] = {
		{"W", "power_active_w", false, "power", "W", "measurement"},
		{"Wh", "energy_import_wh", true, "energy", "Wh", "total_increasing"},
		/* energy is never measured, and power is never counted */
		{"Wh", NULL, false, NULL, "Wh", "measurement"},
		{"W", NULL, true, NULL, "W", "total_increasing"},
		{"C", "temperature_c", false, "temperature", "°C", "measurement"},
		{"s", "run_time_s", true, "duration", "s", "total_increasing"},
		{"s", NULL, false, "duration", "s", "measurement"},
		{"mm", NULL, true, "distance", "mm", "total_increasing"},
		{"pct", "humidity_pct", false, "humidity", "%", "measurement"},
		{"pct", "load_pct", false, NULL, "%", "measurement"},
		{"ppm", "co2_ppm", false, "carbon_dioxide", "ppm", "measurement"},
		{"ppm", NULL, false, NULL, "ppm", "measurement"},
		{"", "power_factor", false, "power_factor", NULL, "measurement"},
		{"mAh", "charge_mah", true, NULL, "mAh", "total_increasing"},
		{"ohm", "resistance_ohm", false, NULL, "Ω", "measurement"},
		{"", "count_total", true, NULL, NULL, "total_increasing"},
		{"", NULL, false, NULL, NULL, "measurement"},
		{"", "fault_code", false, NULL, NULL, NULL},
		{"mm/min", NULL, false, NULL, "mm/min", "measurement"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct reg_point p = number(rows[i].unit, rows[i].class, rows[i].counter);
		is(&p, rows[i].device_class, rows[i].shown, rows[i].state_class);
	}
}

static void
test_switches_words_and_text(void **state)
{
	const struct reg_point fault = {.type = REG_BOOL, .point = {.class = "di_fault"}},
			       plain = {.type = REG_BOOL, .point = {.unit = ""}},
			       text = {.type = REG_STRING, .point = {.class = "device_fw"}};

	(void)state;
	is(&fault, "problem", NULL, NULL);
	is(&plain, NULL, NULL, NULL);
	is(&text, NULL, NULL, NULL);
	is(&lab_points[LAB_MODE], "enum", NULL, NULL); /* words of a bit are words */
	assert_int_equal(hass_kind_of(&plain).platform, HASS_BINARY_SENSOR);
	assert_int_equal(hass_kind_of(&text).platform, HASS_SENSOR);
	assert_true(hass_kind_of(&lab_points[LAB_MODE]).words);
}

/* ---- the message --------------------------------------------------------------------------- */

static char buf[64 * 1024];
static struct machine *m;

static int
set_up(void **state)
{
	(void)state;
	lab_points[LAB_POWER].type = lab_points[LAB_ENERGY].type = REG_F32;
	lab_config.mqtt.topic_root = "parks";
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

static size_t
count(const char *what)
{
	size_t n = 0;
	for (const char *at = buf; (at = strstr(at, what)) != NULL; at++)
		n++;
	return n;
}

static void
test_message(void **state)
{
	size_t left_out = 1, len = payload_hass(buf, sizeof(buf), &lab_config, m, &left_out);

	(void)state;
	assert_int_equal(len, strlen(buf));
	assert_int_equal(left_out, 0);
	assert_non_null(strstr(buf, "{\"device\":{\"identifiers\":[\"labpulse-p1-M-laser-1\"],"
				    "\"name\":\"Laser\",\"model\":\"laser-cutter\","
				    "\"suggested_area\":\"p1\"},\"origin\":"));
	assert_non_null(strstr(buf,
		"\"availability\":[{\"topic\":\"parks/p1/gateways/gw1/availability\"},"
		"{\"topic\":\"parks/p1/machines/laser-1/availability\"}],"
		"\"availability_mode\":\"all\",\"state_topic\":\"parks/p1/machines/laser-1/state\","
		"\"qos\":1,\"components\":{\"S-state\":"));
	assert_non_null(strstr(buf,
		"\"P-meter-power_w\":{\"platform\":\"sensor\","
		"\"unique_id\":\"labpulse-p1-M-laser-1-P-meter-power_w\","
		"\"default_entity_id\":\"sensor.p1_laser_1_meter_power_w\",\"name\":\"meter: Power\","
		"\"value_template\":\"{{ value_json['values'].get('meter.power_w') }}\","
		"\"device_class\":\"power\",\"unit_of_measurement\":\"W\","
		"\"state_class\":\"measurement\"}"));
	assert_non_null(strstr(buf, "\"options\":[\"heat\",\"cool\"]}"));
	assert_non_null(
		strstr(buf, "\"value_template\":\"{{ 'ON' if 'meter-silent' in "
			    "value_json['alarms'] else 'OFF' }}\",\"json_attributes_topic\":"
			    "\"parks/p1/machines/laser-1/alarm/meter-silent\","));
}

/* With whatever room there is: whole entities or nothing, and nothing beyond the buffer. */
static void
test_short_of_room(void **state)
{
	size_t left_out, full = payload_hass(buf, sizeof(buf), &lab_config, m, &left_out);
	size_t all = count("\"platform\""), fewest = all;

	(void)state;
	for (size_t size = 0; size <= full; size++) {
		memset(buf, '#', full + 1);
		size_t len = payload_hass(buf, size, &lab_config, m, &left_out);
		assert_int_equal(buf[size], '#');
		if (!len)
			continue;
		assert_string_equal(buf + len - 2, "}}");
		assert_int_equal(count("\"platform\"") + left_out, all);
		if (count("\"platform\"") < fewest)
			fewest = count("\"platform\"");
	}
	assert_int_equal(left_out, 1);
	assert_int_equal(fewest, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_switches_words_and_text),
		cmocka_unit_test_setup_teardown(test_message, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_short_of_room, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
