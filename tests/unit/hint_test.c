/* SPDX-License-Identifier: MIT */
/* hint_test.c -- every fail has a text in both languages that names the thing to touch */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config/hint.h"

static const struct bus_config rtu = {.id = "rs485",
	.type = BUS_MODBUS_RTU,
	.device = "/dev/ttyUSB7",
	.baud = 9600,
	.format = "8N1"};
static const struct bus_config tcp = {
	.id = "plc", .type = BUS_MODBUS_TCP, .host = "192.168.10.20", .port = 502};
static const struct source_config source = {.id = "meter", .unit = 5};
static const struct source_config board = {.id = "board", .unit = 1, .device = "usb:1a86:7523"};
static const struct bus_config plug = {
	.id = "printer/board", .type = BUS_SERIAL, .device = "usb:1a86:7523"};
static const struct bus_config hid = {
	.id = "charger/usb", .type = BUS_HID, .device = "usb:1a86:7523"};

static const char *
hint(enum language language, enum fail fail, unsigned exception, const struct bus_config *bus,
	const struct source_config *src)
{
	static char buf[512];
	struct hint_facts f = {.fail = fail,
		.exception = exception,
		.bus = bus,
		.source = src,
		.holder = "octoprint (pid 812)",
		.detail = "SDM230"};

	hint_write(buf, sizeof buf, language, &f);
	return buf;
}

static void
test_every_fail(void **state)
{
	char en[512];

	(void)state;
	for (int fail = FAIL_NONE + 1; fail < FAIL_COUNT; fail++)
		for (int wire = 0; wire < 3; wire++) {
			const struct bus_config *bus = wire == 0 ? &rtu : wire == 1 ? &tcp : NULL;
			const struct source_config *src = bus ? &source : &board;
			const char *place = wire == 0   ? "/dev/ttyUSB7"
					    : wire == 1 ? "192.168.10.20:502"
							: "usb:1a86:7523";
			snprintf(en, sizeof en, "%s",
				hint(LANGUAGE_EN, (enum fail)fail, 4, bus, src));
			assert_non_null(strstr(en, place));
			assert_null(strchr(en, '{'));
			assert_null(strstr(en, "  "));
			const char *ru = hint(LANGUAGE_RU, (enum fail)fail, 4, bus, src);
			assert_non_null(strstr(ru, place));
			assert_string_not_equal(ru, en);
		}
	assert_string_equal(hint(LANGUAGE_EN, FAIL_NONE, 0, &rtu, &source), "");
}

/* A USB machine has no unit, no register and no terminator. */
static void
test_usb_machines(void **state)
{
	static const enum fail fails[] = {FAIL_TIMEOUT, FAIL_UNSUPPORTED, FAIL_OUT_OF_RANGE,
		FAIL_NOT_AVAILABLE, FAIL_SENSOR_ERROR, FAIL_LINK_DOWN, FAIL_PROTOCOL, FAIL_STALE,
		FAIL_IN_USE, FAIL_PERMISSION, FAIL_IDENTITY, FAIL_AMBIGUOUS};

	(void)state;
	for (size_t i = 0; i < sizeof fails / sizeof fails[0]; i++) {
		const char *text = hint(LANGUAGE_EN, fails[i], 0, &plug, &board);
		assert_non_null(strstr(text, "usb:1a86:7523"));
		assert_null(strstr(text, "nit 1"));
		assert_null(strstr(text, "Modbus"));
	}
	assert_non_null(strstr(hint(LANGUAGE_EN, FAIL_TIMEOUT, 0, &hid, &board), "USB HID"));
	assert_non_null(strstr(hint(LANGUAGE_RU, FAIL_PERMISSION, 0, &hid, &board), "70-labpulse"));
	assert_non_null(strstr(hint(LANGUAGE_EN, FAIL_PERMISSION, 0, &plug, &board), "dialout"));
	assert_non_null(strstr(hint(LANGUAGE_EN, FAIL_LINK_DOWN, 0, &hid, &board), "plugged in"));
}

static void
test_every_exception(void **state)
{
	char number[16];

	(void)state;
	for (unsigned n = 1; n < 256; n++) {
		snprintf(number, sizeof number, "%u", n);
		assert_non_null(
			strstr(hint(LANGUAGE_EN, FAIL_EXCEPTION, n, &rtu, &source), number));
		assert_non_null(
			strstr(hint(LANGUAGE_RU, FAIL_EXCEPTION, n, &tcp, &source), number));
	}
	assert_non_null(
		strstr(hint(LANGUAGE_EN, FAIL_EXCEPTION, 2, &rtu, &source), "labpulse peek"));
	assert_non_null(
		strstr(hint(LANGUAGE_EN, FAIL_EXCEPTION, 11, &tcp, &source), "behind the gateway"));
}

static void
test_wires_differ(void **state)
{
	(void)state;
	assert_non_null(strstr(hint(LANGUAGE_EN, FAIL_TIMEOUT, 0, &rtu, &source), "terminator"));
	assert_null(strstr(hint(LANGUAGE_EN, FAIL_TIMEOUT, 0, &tcp, &source), "terminator"));
	assert_non_null(strstr(hint(LANGUAGE_EN, FAIL_TIMEOUT, 0, &rtu, &source), "unit 5"));
	assert_non_null(
		strstr(hint(LANGUAGE_RU, FAIL_LINK_DOWN, 0, &tcp, &source), "сетевой кабель"));
	assert_non_null(strstr(hint(LANGUAGE_RU, FAIL_LINK_DOWN, 0, &rtu, &source), "адаптер"));
}

static void
test_facts_are_named(void **state)
{
	char buf[512];
	struct hint_facts nobody = {.fail = FAIL_IN_USE, .bus = &rtu, .holder = ""};

	(void)state;
	assert_non_null(
		strstr(hint(LANGUAGE_EN, FAIL_IN_USE, 0, &rtu, &source), "octoprint (pid 812)"));
	assert_non_null(strstr(hint(LANGUAGE_RU, FAIL_IDENTITY, 0, &rtu, &source), "SDM230"));
	hint_write(buf, sizeof buf, LANGUAGE_EN, &nobody);
	assert_non_null(strstr(buf, "holder not known"));
}

/* Short buffers: cut, ended, and still UTF-8. */
static void
test_bounds(void **state)
{
	struct hint_facts f = {.fail = FAIL_TIMEOUT, .bus = &rtu, .source = &source};
	char buf[128];

	(void)state;
	for (size_t size = 0; size < sizeof buf; size++) {
		memset(buf, '#', sizeof buf);
		hint_write(buf, size, LANGUAGE_RU, &f);
		for (size_t i = size; i < sizeof buf; i++)
			assert_int_equal(buf[i], '#');
		size_t n = size ? strlen(buf) : 0;
		size_t tail = 0;
		while (tail < n && ((unsigned char)buf[n - 1 - tail] & 0xC0) == 0x80)
			tail++;
		if (n && (unsigned char)buf[n - 1] >= 0x80)
			assert_int_equal(tail, 1); /* Cyrillic: lead and one more */
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_fail),
		cmocka_unit_test(test_usb_machines),
		cmocka_unit_test(test_every_exception),
		cmocka_unit_test(test_wires_differ),
		cmocka_unit_test(test_facts_are_named),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
