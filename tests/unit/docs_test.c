/* SPDX-License-Identifier: MIT */
/* docs_test.c -- the committed schemas and key tables are what the tables say
 *
 * Run from the top of the tree. If it fails: `make docs`.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static void
is_inside(const char *page, const char *what)
{
	char *text = read_all(fopen(page, "r")), *part = generated(what);

	if (!strstr(text, part))
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(schemas_are_fresh),
		cmocka_unit_test(key_tables_are_fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
