/* SPDX-License-Identifier: MIT */
/* control_spool_test.c -- a copy of all that waits, in pages */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "daemon/control_spool.c"
#include "tests/unit/temp_dir.h"

#define TOPIC "parks/p1/machines/m1/event"
enum { N = 3000 };

static struct spool_files files;

static int
set_up(void **state)
{
	struct opened how;
	if (temp_setup(state) < 0)
		return -1;
	files.store = store_open(dir, "boot-1", &how);
	files.backlog = backlog_open(dir, "boot-1", 1 << 30, &how);
	return files.store && files.backlog ? 0 : -1;
}

static int
tear_down(void **state)
{
	store_close(files.store);
	backlog_close(files.backlog);
	return temp_teardown(state);
}

/* Keeps this payload n times, or makes n dead letters of it. */
static void
put(enum change_kind what, const char *payload, int first, int n)
{
	for (int i = first; i < first + n; i++) {
		const struct change c = {.what = what,
			.record = what == CHANGE_RECORD ? i : 0,
			.topic = TOPIC,
			.epoch = "7f3a91c2",
			.seq = (uint64_t)i,
			.ts_ms = 1767225600000 + i,
			.reason = 0x99,
			.text = payload,
			.len = strlen(payload)};
		assert_int_equal(store_apply(files.store, &c), 0);
	}
}

static void
put_rows(int n)
{
	struct row *rows = calloc((size_t)n, sizeof(*rows));
	for (int i = 1; i <= n; i++)
		rows[i - 1] = (struct row){.id = i,
			.topic = TOPIC,
			.epoch = "7f3a91c2",
			.seq = (uint64_t)i,
			.ts_ms = 1767225600000 + i,
			.text = "{\"ts\":1,\"clock\":\"synced\",\"seq\":1,\"values\":{\"power_w\":229.80}}",
			.len = 61};
	assert_int_equal(rows[0].len, strlen(rows[0].text));
	assert_int_equal(backlog_store(files.backlog, rows, (size_t)n, NULL, 0), 0);
	free(rows);
}

static struct inquiry q;

static json_t *
page(enum what what, json_int_t after)
{
	q = (struct inquiry){.what = what, .after = after};
	run_export(&q.job, &files);
	assert_int_equal(q.rc, 0);
	size_t len = json_end(&q.out);
	assert_in_range(len, 1, PAGE_ROOM - 1);
	json_t *root = json_loadb(q.page, len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(root);
	return root;
}

/* Every record once, in order; the number of pages. */
static int
read_all(enum what what, int first, int n)
{
	json_t *next = json_integer(0);
	int pages = 0, seen = first - 1;
	while (json_is_integer(next)) {
		size_t i;
		json_t *line, *root = page(what, json_integer_value(next));
		json_t *result = json_object_get(root, "result");
		json_array_foreach(json_object_get(result, "lines"), i, line)
		{
			json_t *r =
				json_loads(json_string_value(line), JSON_REJECT_DUPLICATES, NULL);
			assert_int_equal(json_integer_value(json_object_get(r, "seq")), ++seen);
			assert_int_equal(
				json_integer_value(json_object_get(r, "ts")), 1767225600000 + seen);
			assert_string_equal(json_string_value(json_object_get(r, "topic")), TOPIC);
			assert_int_equal(json_integer_value(json_object_get(r, "reason")),
				what == DEAD ? 0x99 : 0);
			json_decref(r);
		}
		json_decref(next);
		next = json_incref(json_object_get(result, "next"));
		json_decref(root);
		pages++;
	}
	json_decref(next);
	assert_int_equal(seen, first + n - 1);
	return pages;
}

static const char payload[] = "{\"v\":1,\"text\":\""
			      "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
			      "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
			      "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}";

static void
test_events(void **state)
{
	(void)state;
	assert_int_equal(read_all(EVENTS, 1, 0), 1);
	put(CHANGE_RECORD, payload, 1, N);
	assert_in_range(read_all(EVENTS, 1, N), 2, 4);
	assert_int_equal(read_all(DEAD, 1, 0), 1);
}

static void
test_dead_letters(void **state)
{
	(void)state;
	put(CHANGE_REJECT, payload, 1, N);
	store_stats(files.store, &q.store);
	int kept = (int)q.store.dead; /* the youngest */
	assert_in_range(kept, 1000, N);
	assert_int_equal(read_all(DEAD, N - kept + 1, kept), 1);
}

static void
test_telemetry(void **state)
{
	(void)state;
	put_rows(N + 1000);
	assert_in_range(read_all(TELEMETRY, 1, N + 1000), 2, 4);
	while (backlog_fold(files.backlog, INT64_MAX, NULL) == 1)
		;
	assert_in_range(read_all(TELEMETRY, 1, N + 1000), 2, 4); /* now as batches */
	assert_non_null(strstr(q.page, "229.80"));               /* as it was written */
}

/* The largest record on a page that is nearly full, and all of it has to be escaped. */
static void
test_large(void **state)
{
	static char large[GATEWAY_SCRATCH];
	(void)state;
	large[0] = '"';
	for (size_t i = 1; i < sizeof(large) - 3; i += 2)
		memcpy(large + i, "\\\"", 2);
	memcpy(large + sizeof(large) - 3, "x\"", 3);
	put(CHANGE_RECORD, payload, 1, 1200);
	put(CHANGE_RECORD, large, 1201, 2);
	read_all(EVENTS, 1, 1202);
}

/* A file that cannot be opened is said to be so. */
static void
test_no_file(void **state)
{
	const enum what whats[] = {EVENTS, TELEMETRY, DEAD};
	struct spool_files none = {NULL, NULL};
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		q = (struct inquiry){.what = whats[i]};
		run_export(&q.job, &none);
		assert_int_equal(q.rc, -EIO);
	}
	q = (struct inquiry){.rc = 0};
	run_spool(&q.job, &none);
	assert_int_equal(q.store.dead, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_events, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_dead_letters, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_telemetry, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_large, set_up, tear_down),
		cmocka_unit_test(test_no_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
