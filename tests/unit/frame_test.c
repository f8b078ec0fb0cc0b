/* SPDX-License-Identifier: MIT */
/* frame_test.c -- how wide text is, where it is cut and where it is wrapped */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/columns.h"
#include "cli/frame.h"

static void
test_columns(void **state)
{
	static const struct {
		const char *text;
		size_t columns, bytes_of_3; /* all of it; bytes that three columns take */
	} rows[] = {
		{"", 0, 0}, {"abcd", 4, 3}, {"Станок", 6, 6},
		{"切割机", 6, 3},        /* two columns each: the second does not fit */
		{"Cafe\xCC\x81s", 5, 3}, /* e and a combining accent are one column */
		{"a\xFF\xFE"
		 "b",
			4, 3},    /* no UTF-8: a column a byte */
		{"ab\xD0", 3, 3}, /* ends in half a letter */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t used;
		assert_int_equal(columns_of(rows[i].text), rows[i].columns);
		assert_int_equal(columns_fit(rows[i].text, 3, &used), rows[i].bytes_of_3);
		assert_true(used <= 3);
	}
}

static void
is(struct frame *f, const char *expected)
{
	assert_int_equal(f->len, strlen(expected));
	assert_memory_equal(f->buf, expected, f->len);
}

static void
test_cells(void **state)
{
	struct frame f = {.width = 12};

	(void)state;
	frame_begin(&f);
	frame_cell(&f, INK_RED, "Станок", 4); /* no colours: none */
	frame_cell(&f, INK_PLAIN, "ab", 3);
	frame_cell(&f, INK_PLAIN, "gone", 0);
	assert_int_equal(frame_room(&f), 3);
	frame_put(&f, "value", SIZE_MAX);
	frame_end_line(&f);
	is(&f, "Ста… ab  va…\n");
	frame_finish(&f);
}

static void
test_colours_and_place(void **state)
{
	struct frame f = {.width = 20, .colours = true, .in_place = true};

	(void)state;
	frame_begin(&f);
	frame_put_in(&f, INK_RED, "fault", SIZE_MAX);
	assert_int_equal(frame_room(&f), 15); /* a colour takes no room */
	frame_end_line(&f);
	is(&f, "\033[H\033[31mfault\033[0m\033[K\n");
	frame_finish(&f);
}

static void
wraps(size_t width, size_t indent, const char *text, const char *expected)
{
	struct frame f = {.width = width};

	frame_begin(&f);
	frame_wrap(&f, INK_PLAIN, text, indent);
	is(&f, expected);
	frame_finish(&f);
}

static void
test_wrap(void **state)
{
	(void)state;
	wraps(0, 4, "no limit, no line", "no limit, no line");
	wraps(16, 2, "check its filter and fan", "check its filter\n  and fan");
	wraps(16, 2, "проверьте фильтр и вентилятор", "проверьте фильтр\n  и вентилятор");
	wraps(12, 2, "a /very/long/path/name", "a\n  /very/long\n  /path/name");
	wraps(4, 4, "to be", "to\nbe"); /* an indent never takes the whole line */
	wraps(1, 0, "切割", "…\n…");    /* what has no room at all does not hang it */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_columns),
		cmocka_unit_test(test_cells),
		cmocka_unit_test(test_colours_and_place),
		cmocka_unit_test(test_wrap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
