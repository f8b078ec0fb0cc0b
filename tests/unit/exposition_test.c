/* SPDX-License-Identifier: MIT */
/* exposition_test.c -- the two formats, to the letter */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "config/exposition.h"

struct line {
	const char *name;
	double volts, frames;
};

EXPOSITION_VALUE(volts, struct line, l, l->volts)
EXPOSITION_VALUE(frames, struct line, l, l->frames)

static const struct exposition_family families[] = {
	{"line_volts", EXPOSITION_GAUGE, "Tension.", volts},
	{"line_frames", EXPOSITION_COUNTER, "Frames seen.", frames},
};

static const struct line lines[] = {
	{"plain", 0.25, 3}, {"a\\b\"c\nd", 1767225600.123, 9007199254740992}};

static const char *
name_of(const void *line)
{
	return ((const struct line *)line)->name;
}

static char *
print(bool openmetrics)
{
	struct exposition e;

	exposition_begin(&e, openmetrics);
	exposition_family(&e, "line_build", EXPOSITION_INFO, "Version.");
	exposition_sample(
		&e, (struct exposition_label[]){{"version", "1"}, {"host", "h"}, {NULL, NULL}}, 1);
	exposition_table(&e, families, 1, lines, 1, sizeof lines[0], NULL, NULL);
	exposition_table(&e, families + 1, 1, lines, 2, sizeof lines[0], "line", name_of);
	exposition_table(&e, families, 1, lines + 1, 1, sizeof lines[0], "line", name_of);
	return exposition_end(&e);
}

#define NAME "a\\\\b\\\"c\\nd"
#define VOLTS(labels, value)                                                                       \
	"# HELP line_volts Tension.\n# TYPE line_volts gauge\nline_volts" labels " " value "\n"
#define FRAMES(labels, value) "line_frames_total{line=\"" labels "\"} " value "\n"

static void
test_openmetrics(void **state)
{
	char *text = print(true);

	(void)state;
	assert_string_equal(text,
		"# HELP line_build Version.\n# TYPE line_build info\n"
		"line_build_info{version=\"1\",host=\"h\"} 1\n" VOLTS("",
			"0.25") "# HELP line_frames Frames seen.\n# TYPE line_frames counter\n" FRAMES("plain",
			"3") FRAMES(NAME, "9007199254740992")
			VOLTS("{line=\"" NAME "\"}", "1767225600.123") "# EOF\n");
	free(text);
}

static void
test_text_format(void **state)
{
	char *text = print(false);

	(void)state;
	assert_string_equal(text,
		"# HELP line_build_info Version.\n# TYPE line_build_info gauge\n"
		"line_build_info{version=\"1\",host=\"h\"} 1\n" VOLTS("",
			"0.25") "# HELP line_frames_total Frames seen.\n# TYPE line_frames_total counter\n" FRAMES("plain",
			"3") FRAMES(NAME, "9007199254740992")
			VOLTS("{line=\"" NAME "\"}", "1767225600.123"));
	free(text);
}

static void
test_who_asks_for_what(void **state)
{
	/* as Prometheus 2.42 sends it */
	static const char prometheus[] =
		"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0."
		"0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

	(void)state;
	assert_true(exposition_is_openmetrics(prometheus));
	assert_false(exposition_is_openmetrics("*/*"));
	assert_false(exposition_is_openmetrics(NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_openmetrics),
		cmocka_unit_test(test_text_format),
		cmocka_unit_test(test_who_asks_for_what),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
