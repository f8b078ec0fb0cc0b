/* SPDX-License-Identifier: MIT */
/* store_test.c -- what store_apply() said is on the disk is there again, whole */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/store.h"
#include "tests/unit/temp_dir.h"

static struct store *
open_store(const char *boot)
{
	struct opened how;
	struct store *s = store_open(dir, boot, &how);
	if (!s)
		print_error("%s\n", how.error);
	assert_non_null(s);
	assert_int_equal(how.aside, ASIDE_NOT);
	return s;
}

static int
apply(struct store *s, struct change *changes, size_t n)
{
	for (size_t i = 0; i + 1 < n; i++)
		changes[i].next = &changes[i + 1];
	return store_apply(s, changes);
}

static struct change
record(int64_t number, const char *text)
{
	return (struct change){.what = CHANGE_RECORD,
		.record = number,
		.topic = "machines/m/event",
		.epoch = "e1",
		.seq = (uint64_t)number,
		.ts_ms = 1000 * number,
		.text = text,
		.len = strlen(text)};
}

static char seen[4096];

static void
see_text(void *arg, const char *kind, const char *key, const char *text)
{
	(void)arg;
	size_t n = strlen(seen);
	snprintf(seen + n, sizeof(seen) - n, "%s %s %s;", kind, key, text);
}

static bool
see_record(void *arg, const struct store_record *r)
{
	(void)arg;
	size_t n = strlen(seen);
	snprintf(seen + n, sizeof(seen) - n, "%lld %s %s %llu %lld %.*s;", (long long)r->record,
		r->topic, r->epoch, (unsigned long long)r->seq, (long long)r->ts_ms, (int)r->len,
		r->payload);
	return true;
}

static const char *
texts(struct store *s)
{
	seen[0] = '\0';
	assert_int_equal(store_each(s, see_text, NULL), 0);
	return seen;
}

static const char *
records(struct store *s, int64_t after)
{
	seen[0] = '\0';
	assert_int_equal(store_records(s, after, see_record, NULL), 0);
	return seen;
}

static void
test_comes_back(void **state)
{
	(void)state;
	struct store *s = open_store("b1");
	struct change c[] = {{.what = CHANGE_PUT, .kind = "usage", .key = "INV-1", .text = "{1}"},
		{.what = CHANGE_PUT, .kind = "alarm", .key = "m/hot", .text = "{2}"},
		{.what = CHANGE_PUT, .kind = "usage", .key = "INV-1", .text = "{3}"},
		{.what = CHANGE_PUT, .kind = "usage", .key = "gone", .text = "{}"},
		{.what = CHANGE_DROP, .kind = "usage", .key = "gone"}, record(5, "five"),
		record(6, "six"), record(7, "seven"), {.what = CHANGE_FORGET, .record = 6}};
	assert_int_equal(apply(s, c, sizeof(c) / sizeof(c[0])), 0);
	store_close(s);
	s = open_store("b1");
	assert_string_equal(texts(s), "alarm m/hot {2};usage INV-1 {3};");
	assert_string_equal(records(s, 0), "5 machines/m/event e1 5 5000 five;"
					   "7 machines/m/event e1 7 7000 seven;");
	assert_string_equal(records(s, 5), "7 machines/m/event e1 7 7000 seven;");
	struct store_stats stats;
	assert_int_equal(store_stats(s, &stats), 0);
	assert_int_equal(stats.records, 2);
	assert_int_equal(stats.bytes, 9);
	assert_int_equal(stats.oldest_ts_ms, 5000);
	assert_int_equal(stats.last_record, 7);
	store_close(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_comes_back, temp_setup, temp_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
