/* SPDX-License-Identifier: MIT */
/* json_test.c -- what the JSON writer writes, and that it never writes past its buffer */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "config/json.h"
#include "drivers/driver.h"

static const char *
string_of(const char *s)
{
	static char buf[256];
	struct json j;

	json_init(&j, buf, sizeof buf);
	json_put_string(&j, NULL, s);
	assert_int_not_equal(json_end(&j), 0);
	return buf;
}

static void
test_nesting(void **state)
{
	char buf[256];
	struct json j;

	(void)state;
	json_init(&j, buf, sizeof buf);
	json_open(&j, NULL, '{');
	json_put_int(&j, "v", 1);
	json_open(&j, "list", '[');
	json_put_string(&j, NULL, "a");
	json_open(&j, NULL, '{');
	json_close(&j, '}');
	json_put_null(&j, NULL);
	json_close(&j, ']');
	json_put_bool(&j, "yes", true);
	json_put_bool(&j, "no", false);
	json_put_string(&j, "none", NULL);
	json_close(&j, '}');
	assert_int_equal(json_end(&j), strlen(buf));
	assert_string_equal(
		buf, "{\"v\":1,\"list\":[\"a\",{},null],\"yes\":true,\"no\":false,\"none\":null}");
}

static void
test_numbers(void **state)
{
	char buf[256];
	struct json j;

	(void)state;
	json_init(&j, buf, sizeof buf);
	json_open(&j, NULL, '[');
	json_put_int(&j, NULL, INT64_MIN);
	json_put_int(&j, NULL, INT64_MAX);
	json_put_uint(&j, NULL, UINT64_MAX);
	json_put_real(&j, NULL, 143.25, 1);
	json_put_real(&j, NULL, -0.5, 3);
	json_put_real(&j, NULL, (double)NAN, 1);
	json_put_real(&j, NULL, (double)INFINITY, 1);
	json_close(&j, ']');
	json_end(&j);
	assert_string_equal(buf, "[-9223372036854775808,9223372036854775807,18446744073709551615,"
				 "143.2,-0.500,null,null]");
}

static void
test_escapes(void **state)
{
	(void)state;
	assert_string_equal(string_of("a\"b\\c/"), "\"a\\\"b\\\\c/\"");
	assert_string_equal(string_of("\b\f\n\r\t\x01\x1f"), "\"\\b\\f\\n\\r\\t\\u0001\\u001f\"");
	assert_string_equal(string_of("Чиллер ✓ 😀"), "\"Чиллер ✓ 😀\"");
	assert_string_equal(string_of(""), "\"\"");
}

static void
test_invalid_utf8(void **state)
{
	(void)state;
	assert_string_equal(string_of("a\xFF"
				      "b"),
		"\"a\xEF\xBF\xBD"
		"b\"");
	assert_string_equal(string_of("\xC0\xAF"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\""); /* overlong */
	assert_string_equal(string_of("\xED\xA0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
	assert_string_equal(string_of("\xE2\x82"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\""); /* cut */
	assert_string_equal(string_of("\xF4\x90\x80\x80") + 1,
		"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

static void
test_value(void **state)
{
	char buf[64];
	struct json j;
	struct value number = {.kind = VALUE_INT, .u.i = -5};
	struct value missing = {.kind = VALUE_NONE, .fail = FAIL_CRC};
	struct value nan_value = {.kind = VALUE_FLOAT, .u.num = (double)NAN};

	(void)state;
	json_init(&j, buf, sizeof buf);
	json_open(&j, NULL, '[');
	json_put_value(&j, NULL, &number);
	json_put_value(&j, NULL, &missing);
	json_put_value(&j, NULL, &nan_value);
	json_close(&j, ']');
	assert_int_not_equal(json_end(&j), 0);
	assert_string_equal(buf, "[-5,null,null]");
}

/* In a buffer of every size from 0 up: whole or refused, and nothing behind the end touched. */
static void
test_bounds(void **state)
{
	static const char want[] = "{\"key\":\"a\\n\xEF\xBF\xBD\",\"n\":-12,\"x\":[1.50,7]}";
	struct value seven = {.kind = VALUE_INT, .u.i = 7};

	(void)state;
	for (size_t size = 0; size < sizeof want + 8; size++) {
		char buf[sizeof want + 16];
		struct json j;

		memset(buf, '#', sizeof buf);
		json_init(&j, buf, size);
		json_open(&j, NULL, '{');
		json_put_string(&j, "key", "a\n\xFE");
		json_put_int(&j, "n", -12);
		json_open(&j, "x", '[');
		json_put_real(&j, NULL, 1.5, 2);
		json_put_value(&j, NULL, &seven);
		json_close(&j, ']');
		json_close(&j, '}');
		size_t n = json_end(&j);
		assert_int_equal(n, size >= sizeof want ? sizeof want - 1 : 0);
		for (size_t i = size; i < sizeof buf; i++)
			assert_int_equal(buf[i], '#');
		if (n)
			assert_string_equal(buf, want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nesting),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_invalid_utf8),
		cmocka_unit_test(test_value),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
