/* SPDX-License-Identifier: MIT */
/* yaml_test.c -- places of nodes, everything that is refused, and scalars */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "config/scalar.h"
#include "config/yaml.h"

static void
nodes_know_their_places(void **state)
{
	static const char text[] = "a: 1\nb:\n  - {x: \"2\", y: z}\n  - last\n";
	struct problems problems = {0};
	struct yaml y;

	(void)state;
	assert_int_equal(yaml_parse(&y, "f", text, strlen(text), &problems), 0);
	const struct node *b = node_get(y.root, "b"), *x = node_get(b->first, "x");
	assert_int_equal(b->n, 2);
	assert_int_equal(x->line, 3);
	assert_int_equal(x->column, 9);
	assert_int_equal(x->key->column, 6);
	assert_false(x->plain);
	assert_true(node_get(y.root, "a")->plain);
	assert_string_equal(b->first->next->text, "last");
	assert_null(node_get(y.root, "c"));
	yaml_finish(&y);
}

struct refusal {
	const char *text;
	size_t len; /* 0: strlen */
	int line, column;
	const char *says;
};

static const struct refusal refusals[] = {
	{"", 0, 1, 1, "empty"},
	{"# nothing\n", 0, 1, 1, "empty"},
	{"a: &x 1\n", 0, 1, 4, "anchors"},
	{"a: 1\nb: *x\n", 0, 2, 4, "anchors"},
	{"a: {<<: {b: 1}}\n", 0, 1, 5, "merge"},
	{"a: !!str 1\n", 0, 1, 4, "tags"},
	{"a: 1\n---\nb: 1\n", 0, 2, 1, "second document"},
	{"%TAG !a! x\n---\na: 1\n", 0, 1, 1, "directives"},
	{"a: 1\0\n", 6, 1, 5, "NUL"},
	{"a: \"\\0\"\n", 0, 1, 4, "NUL"},
	{"a:\n b: \xff\n", 0, 2, 5, "UTF-8"},
	{"a: \xed\xa0\x80\n", 0, 1, 4, "UTF-8"},
	{"a:\n\tb: 2\n", 0, 2, 1, "spaces"},
	{"a: 1\nb: 2\na: 3\n", 0, 3, 1, "lines 1 and 3"},
	{"[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]\n", 0, 1, 17, "deep"},
	{"{[a]: 1}\n", 0, 1, 2, "a key must be"},
	{"a: [1\n", 0, 2, 1, ""},
};

static void
what_is_not_our_yaml_is_told_with_its_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
		const struct refusal *r = &refusals[i];
		struct problems problems = {0};
		struct yaml y;
		yaml_parse(&y, "f", r->text, r->len ? r->len : strlen(r->text), &problems);
		yaml_finish(&y);
		problems_print(&problems, stdout);
		assert_true(problems.errors > 0);
		assert_non_null(strstr(problems.list[0].text, r->says));
		assert_int_equal(problems.list[0].line, r->line);
		assert_int_equal(problems.list[0].column, r->column);
		assert_string_equal(problems.list[0].code, "P037");
		problems_free(&problems);
	}
}

static void
only_regular_files_are_read(void **state)
{
	char dir[] = "/tmp/yaml_test.XXXXXX", fifo[64];
	struct problems problems = {0};
	struct yaml y;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(fifo, sizeof fifo, "%s/fifo", dir);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	const char *const files[] = {dir, fifo, "/dev/zero", "/nonexistent"};
	for (size_t i = 0; i < 4; i++) {
		assert_true(yaml_read(&y, files[i], 1000, &problems) < 0);
		yaml_finish(&y);
		assert_int_equal(problems.n, i + 1);
		assert_int_equal(problems.list[i].line, 0);
	}
	assert_non_null(strstr(problems.list[0].text, "directory"));
	problems_free(&problems);
	unlink(fifo);
	rmdir(dir);
}

static void
size_is_bounded(void **state)
{
	char path[] = "/tmp/yaml_test.XXXXXX";
	struct problems problems = {0};
	struct yaml y;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 1 << 30), 0);
	assert_int_equal(yaml_read(&y, path, 1000, &problems), -EFBIG);
	yaml_finish(&y);
	/* /proc files say they are empty and are not. */
	assert_int_equal(yaml_read(&y, "/proc/self/maps", 100, &problems), -EFBIG);
	yaml_finish(&y);
	problems_free(&problems);
	close(fd);
	unlink(path);
}

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Fills `size` bytes by repeating `piece`; "%d" in it counts. */
static char *
repeat(const char *piece, size_t size)
{
	char *text = malloc(size + 64);
	size_t len = 0;

	assert_non_null(text);
	for (int i = 0; len < size; i++)
		len += (size_t)sprintf(text + len, "%s%d:\n", piece, i);
	return text;
}

static void
hostile_files_end_soon(void **state)
{
	static const char *const pieces[] = {"k", "[", "- ", "? ", "{a: ", "'", "\n"};

	(void)state;
	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		char *text = repeat(pieces[i], YAML_MAX_CONFIG - 64);
		struct problems problems = {0};
		struct yaml y;
		double begin = seconds();
		yaml_parse(&y, "f", text, strlen(text), &problems);
		yaml_finish(&y);
		/* Generous for sanitizers; a quadratic reader would take minutes. */
		assert_true(seconds() - begin < 10);
		problems_free(&problems);
		free(text);
	}
}

static void
numbers_have_one_meaning(void **state)
{
	int64_t i;
	double d;
	bool b;

	(void)state;
	assert_true(scalar_int("0", &i) && i == 0);
	assert_true(scalar_int("-12", &i) && i == -12);
	assert_true(scalar_int("0x1F", &i) && i == 31);
	assert_true(scalar_int("9223372036854775807", &i) && i == INT64_MAX);
	static const char *const bad[] = {"", "-", "010", "1_0", "1.5", "+1", " 1", "1 ", "0x",
		"0xG", "9223372036854775808", "-0x"};
	for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
		assert_false(scalar_int(bad[k], &i));
	assert_true(scalar_number("1.5", &d) && d == 1.5);
	assert_true(scalar_number("-2e-3", &d) && d == -2e-3);
	assert_false(scalar_number("010.5", &d));
	assert_false(scalar_number("nan", &d));
	assert_false(scalar_number("1e999", &d));
	assert_false(scalar_number(".5", &d));
	assert_true(scalar_bool("true", &b) && b);
	assert_false(scalar_bool("yes", &b));
	uint64_t raw;
	assert_true(scalar_raw("0xFFFFFFFFFFFFFFFF", &raw, &b) && raw == UINT64_MAX);
	assert_true(scalar_raw("-1", &raw, &b) && raw == UINT64_MAX && b);
}

static void
durations_and_sizes_need_their_unit(void **state)
{
	int64_t v;

	(void)state;
	assert_true(scalar_duration("500ms", &v) && v == 500);
	assert_true(scalar_duration("5min", &v) && v == 300000);
	assert_true(scalar_duration("14d", &v) && v == 14 * 86400000LL);
	assert_true(scalar_size("2GiB", &v) && v == 2LL << 30);
	static const char *const bad[] = {"5", "s", "-1s", "1.5s", "5 s", "5m", "010s", "1h30min",
		"99999999999999999999d", "9223372036854775807d", "1KB"};
	for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
		assert_false(scalar_duration(bad[k], &v));
		assert_false(scalar_size(bad[k], &v));
	}
}

static void
near_words_are_found(void **state)
{
	static const char *const words[] = {"address", "count", "enabled", NULL};

	(void)state;
	assert_string_equal(scalar_nearest("adress", words), "address");
	assert_string_equal(scalar_nearest("coutn", words), "count");
	assert_null(scalar_nearest("xyz", words));
	assert_int_equal(scalar_distance("kitten", "sitting", 5), 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_know_their_places),
		cmocka_unit_test(what_is_not_our_yaml_is_told_with_its_place),
		cmocka_unit_test(only_regular_files_are_read),
		cmocka_unit_test(size_is_bounded),
		cmocka_unit_test(hostile_files_end_soon),
		cmocka_unit_test(numbers_have_one_meaning),
		cmocka_unit_test(durations_and_sizes_need_their_unit),
		cmocka_unit_test(near_words_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
