/* SPDX-License-Identifier: MIT */
/* reading_test.c -- peek finds what the display shows, and names of lines are understood */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/line.h"
#include "cli/reading.h"

static const struct interpretation *
best(const uint16_t *words, uint16_t count, double expect)
{
	static struct interpretation list[1000];
	struct request req = {TABLE_INPUT, 100, count, 0};
	size_t n = reading_all(&req, words, list, 1000);

	assert_true(n > 0);
	reading_sort(list, n, expect);
	return &list[0];
}

static void
test_expected_first(void **state)
{
	const struct interpretation *it;

	(void)state;
	it = best((uint16_t[]){0x4366, 0x3334}, 2, 230.2);
	assert_int_equal(it->type, REG_F32);
	assert_int_equal(it->order, ORDER_ABCD);
	it = best((uint16_t[]){7, 0x3334, 0x4366}, 3, 230.2);
	assert_int_equal(it->type, REG_F32);
	assert_int_equal(it->order, ORDER_CDAB);
	assert_int_equal(it->address, 101);
	it = best((uint16_t[]){0x08D1}, 1, 225.7);
	assert_int_equal(it->type, REG_U16);
	assert_float_equal(it->scale, 0.1, 1e-12);
	it = best((uint16_t[]){0x1DC0, 0xFFFE}, 2, -123456);
	assert_int_equal(it->type, REG_S32);
	assert_int_equal(it->order, ORDER_CDAB);
}

static void
test_room_is_kept(void **state)
{
	static struct interpretation list[10];
	uint16_t words[125] = {0x4366};
	struct request req = {TABLE_INPUT, 0, 125, 0};

	(void)state;
	assert_int_equal(reading_all(&req, words, list, 10), 10);
}

static void
test_lines(void **state)
{
	static const struct {
		const char *text;
		bool tcp;
		const char *device, *format;
		int baud, port;
	} good[] = {
		{"rtu:/dev/ttyUSB0", false, "/dev/ttyUSB0", "8N1", 9600, 502},
		{"rtu:/dev/ttyUSB0:19200", false, "/dev/ttyUSB0", "8N1", 19200, 502},
		{"rtu:/dev/ttyUSB0:19200:8E1", false, "/dev/ttyUSB0", "8E1", 19200, 502},
		{"rtu:/dev/serial/by-path/pci-0000:00:14.0-usb-0:2:1.0-port0", false,
			"/dev/serial/by-path/pci-0000:00:14.0-usb-0:2:1.0-port0", "8N1", 9600, 502},
		{"rtu:/dev/serial/by-path/pci-0000:00:14.0-usb-0:2:1.0-port0:9600:8N2", false,
			"/dev/serial/by-path/pci-0000:00:14.0-usb-0:2:1.0-port0", "8N2", 9600, 502},
		{"tcp:10.0.0.5", true, "10.0.0.5", "8N1", 9600, 502},
		{"tcp:plc.example.org:1502", true, "plc.example.org", "8N1", 9600, 1502},
		{"tcp:[::1]:1502", true, "::1", "8N1", 9600, 1502},
		{"tcp:::1", true, "::1", "8N1", 9600, 502},
	};
	static const char *const bad[] = {"", "rtu:", "rtu:ttyUSB0", "tcp:", "tcp:host:0",
		"tcp:host:99999", "udp:host", "/dev/ttyUSB0", "tcp:host:x", "rtu:/dev/ttyUSB0:8E1"};
	struct line_spec spec;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		assert_int_equal(line_parse(good[i].text, &spec), 0);
		assert_int_equal(spec.tcp, good[i].tcp);
		assert_string_equal(spec.device, good[i].device);
		assert_string_equal(spec.format, good[i].format);
		assert_int_equal(spec.baud, good[i].baud);
		assert_int_equal(spec.port, good[i].port);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(line_parse(bad[i], &spec), -EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expected_first),
		cmocka_unit_test(test_room_is_kept),
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
