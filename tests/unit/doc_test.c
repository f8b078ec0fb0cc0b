/* SPDX-License-Identifier: MIT */
/* doc_test.c -- JSON of others: its texts are fit for a terminal */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/doc.h"

static void
test_controls_are_blanks(void **state)
{
	static const struct {
		const char *json, *text;
	} cases[] = {{"\"a\\u001b[2Jb\"", "a [2Jb"}, {"\"a\\nb\\tc\"", "a  b  c"},
		{"\"\\u007f\\u009b\\u0041\"", "  A"}, {"\"\x7f\xC2\x9B\xC2\xB0\"", "   \xC2\xB0"},
		{"\"\\\\u001b\\\\n\"", "\\u001b\\n"}, {"\"\\u0416 \\\"x\\\"\"", "\xD0\x96 \"x\""},
		{"\n\"a\"\n", "a"}};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct doc *d = doc_parse(cases[i].json, strlen(cases[i].json));
		assert_string_equal(doc_string(d), cases[i].text);
		doc_free(d);
	}
	struct doc *d = doc_parse("{\"a\\u001b\":1}", 13);
	assert_int_equal(doc_int(d, "a ", 0), 1); /* of keys, too */
	doc_free(d);
	assert_null(doc_parse("\"a\\u001", 7));
	assert_null(doc_parse("\"a\\", 3));
	assert_null(doc_parse("\"a\"\0", 4));
}

static void
test_quote(void **state)
{
	char *quoted = doc_quote("a\"b\\");
	(void)state;
	assert_string_equal(quoted, "\"a\\\"b\\\\\"");
	free(quoted);
	quoted = doc_quote("\xFF");
	assert_string_equal(quoted, "\"\"");
	free(quoted);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_controls_are_blanks), cmocka_unit_test(test_quote)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
