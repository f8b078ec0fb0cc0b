/* SPDX-License-Identifier: MIT */
/* alarm_words_test.c -- labpulse's own alarms: found by their codes, told in two languages */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "config/alarm_words.h"

#include <cmocka.h>
#include <string.h>

static bool
has_cyrillic(const char *s)
{
	return strstr(s, "\xD0") || strstr(s, "\xD1");
}

static bool
is_bilingual(const struct text *t)
{
	return t->ru && has_cyrillic(t->ru) && t->en && *t->en && !has_cyrillic(t->en);
}

static void
each_has_text_and_hint_in_both_languages(void **state)
{
	const struct alarm_words *words;
	size_t i = 0;

	(void)state;
	for (; (words = alarm_words_at(i)); i++) {
		if (!is_bilingual(&words->text) || !is_bilingual(&words->hint))
			fail_msg("%s needs text and hint in both languages", words->code);
		if (words->severity == SEVERITY_NONE)
			fail_msg("%s has no severity", words->code);
	}
	assert_true(i >= 8);
}

static void
codes_are_found(void **state)
{
	static const char *const known[][2] = {{"mqtt311", "mqtt311"},
		{"config-refused", "config-refused"}, {"disk", "disk"}, {"test", "test"},
		{"identity", "identity"}, {"alarm-flood", "alarm-flood"},
		{"bus-rs485-down", "bus-<id>-down"}, {"bus-line-2-down", "bus-<id>-down"},
		{"meter-silent", "<source>-silent"}, {"a-b-silent", "<source>-silent"}};
	static const char *const unknown[] = {"", "-silent", "bus--down", "bus-down", "line-a-down",
		"silent", "disk-2", "bus-a-downs", "hot"};

	(void)state;
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		const struct alarm_words *words = alarm_words_find(known[i][0]);
		assert_non_null(words);
		assert_string_equal(words->code, known[i][1]);
	}
	for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
		assert_null(alarm_words_find(unknown[i]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_has_text_and_hint_in_both_languages),
		cmocka_unit_test(codes_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
