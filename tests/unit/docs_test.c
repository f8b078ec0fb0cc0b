/* SPDX-License-Identifier: MIT */
/* docs_test.c -- what docs/ takes from the code is what the code says
 *
 * Run from the top of the tree. If a schema or a table is not: `make docs`.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/simulate/plug.h"

#define main gen_docs_main
int gen_docs_main(int argc, char **argv);
#include "tests/tools/gen_docs.c"
#undef main

static char *
read_all(FILE *f)
{
	char *text = calloc(1, 1 << 20);

	assert_non_null(f);
	assert_non_null(text);
	assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
	fclose(f);
	return text;
}

/* What gen_docs prints, through a file in place of standard output. */
static char *
generated(const char *what)
{
	char name[] = "gen_docs", arg[32], *argv[] = {name, arg, NULL};
	FILE *f = tmpfile();

	assert_non_null(f);
	snprintf(arg, sizeof arg, "%s", what);
	fflush(stdout);
	int saved = dup(1);
	assert_true(dup2(fileno(f), 1) == 1);
	assert_int_equal(gen_docs_main(2, argv), 0);
	fflush(stdout);
	assert_true(dup2(saved, 1) == 1);
	close(saved);
	rewind(f);
	return read_all(f);
}

/* A schema is all of its file, a table all that stands between its markers. */
static void
is_inside(const char *page, const char *what)
{
	char *text = read_all(fopen(page, "r")), *part = generated(what), end[64];
	char *at = strstr(text, part);

	snprintf(end, sizeof end, "<!-- end: %s -->\n", what);
	if (!strstr(page, ".md"))
		end[0] = '\0';
	if (!at || strncmp(at + strlen(part), end, strlen(end)) != 0)
		fail_msg("%s does not hold what the tables say; run make docs", page);
	free(text);
	free(part);
}

static void
schemas_are_fresh(void **state)
{
	(void)state;
	is_inside("docs/schemas/config.schema.json", "config-schema");
	is_inside("docs/schemas/profile.schema.json", "profile-schema");
}

static void
key_tables_are_fresh(void **state)
{
	(void)state;
	is_inside("docs/configuration.md", "config-keys");
	is_inside("docs/profiles.md", "profile-keys");
}

static void
driver_tables_are_fresh(void **state)
{
	const struct driver *d;
	char what[48];

	(void)state;
	for (size_t i = 0; (d = registry_at(i)); i++) {
		snprintf(what, sizeof what, "driver-%s", d->name);
		if (!d->needs_profile)
			is_inside("docs/usb.md", what);
	}
}

static void
alarm_tables_are_fresh(void **state)
{
	(void)state;
	is_inside("docs/alarms.md", "alarms-own");
	is_inside("docs/alarms.md", "alarms-drivers");
	is_inside("docs/alarms.md", "alarms-profiles");
}

/* A block that begins with ```LANGUAGE FILE is a part of that file. */
static size_t
check_quotes(const char *page)
{
	char *text = read_all(fopen(page, "r")), *at = text, file[128];
	size_t quotes = 0;

	while ((at = strstr(at, "\n```"))) {
		char *begin = strchr(at + 1, '\n'), *end = begin ? strstr(begin, "\n```") : NULL;
		if (!end)
			fail_msg("%s: a block has no end", page);
		if (sscanf(at, "\n```%*[a-z]%*[ ]%127[^ \n]", file) == 1) {
			end[1] = '\0';
			char *whole = read_all(fopen(file, "r"));
			if (!strstr(whole, begin + 1))
				fail_msg("%s quotes what %s does not hold:%s", page, file, begin);
			free(whole);
			quotes++;
		}
		at = end + 2;
	}
	free(text);
	return quotes;
}

static void
quotes_are_true(void **state)
{
	(void)state;
	assert_true(check_quotes("docs/adding-a-driver.md") > 8);
}

/* The words of each, as its error message has them. */
static void
simulated_kinds_are_described(void **state)
{
	char *text = read_all(fopen("docs/simulate.md", "r")), row[40];
	const struct plug_kind *kind;

	(void)state;
	for (size_t i = 0; (kind = plug_kind_at(i)); i++) {
		snprintf(row, sizeof row, "\n| `%s` | ", kind->name);
		if (!strstr(text, row) || !strstr(text, kind->words))
			fail_msg("docs/simulate.md does not tell what %s can do: %s", kind->name,
				kind->words);
	}
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(schemas_are_fresh),
		cmocka_unit_test(key_tables_are_fresh),
		cmocka_unit_test(driver_tables_are_fresh),
		cmocka_unit_test(alarm_tables_are_fresh),
		cmocka_unit_test(quotes_are_true),
		cmocka_unit_test(simulated_kinds_are_described),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
