/* SPDX-License-Identifier: MIT */
/* backlog_test.c -- each record comes out once, in order, or is told as lost */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/backlog.h"
#include "tests/unit/temp_dir.h"

enum { MIB = 1024 * 1024 };

static struct backlog *
open_backlog(const char *boot, int64_t max_bytes)
{
	struct opened how;
	struct backlog *b = backlog_open(dir, boot, max_bytes, &how);
	if (!b)
		print_error("%s\n", how.error);
	assert_non_null(b);
	assert_int_equal(how.aside, ASIDE_NOT);
	return b;
}

static void
store_rows(struct backlog *b, int topics, int from, int to)
{
	for (int seq = from; seq < to; seq++) {
		struct row rows[50];
		char topic[50][32], text[50][400];
		for (int i = 0; i < topics; i++) {
			snprintf(topic[i], sizeof(topic[i]), "machines/m%d/telemetry", i);
			int n = snprintf(text[i], sizeof(text[i]),
				"{\"ts\":%d,\"clock\":\"synced\",\"seq\":%d,\"source\":\"meter\","
				"\"values\":{\"power_w\":%d.%d,\"voltage_v\":%d.4,\"current_a\":1.%d,"
				"\"energy_import_wh\":%d}}",
				1000 * seq, seq, seq % 71 * 13, i % 10, 220 + seq % 17, seq % 97,
				seq * 3);
			rows[i] = (struct row){.id = (int64_t)(seq - 1) * topics + i + 1,
				.topic = topic[i],
				.epoch = "e1",
				.seq = (uint64_t)seq,
				.ts_ms = 1000 * seq,
				.text = text[i],
				.len = (size_t)n};
		}
		assert_int_equal(backlog_store(b, rows, (size_t)topics, NULL, 0), 0);
	}
}

static void
test_round_trip(void **state)
{
	(void)state;
	struct backlog *b = open_backlog("b1", 64 * MIB);
	uint64_t next[50] = {0};
	size_t n = 0, batches = 0;
	store_rows(b, 20, 1, 501);
	while (backlog_fold(b, INT64_MAX, NULL) == 1)
		;
	backlog_close(b);
	b = open_backlog("b1", 64 * MIB);
	struct backlog_stats stats;
	backlog_stats(b, &stats);
	assert_int_equal(stats.records, 20 * 500);
	assert_int_equal(stats.last_row, 20 * 500);
	assert_int_equal(stats.oldest_ts_ms, 1000);
	assert_int_equal(backlog_last_seq(b, "machines/m3/telemetry", "e1"), 500);
	for (;;) {
		struct unit *u;
		int machine;
		assert_int_equal(backlog_next(b, INT64_MAX, &u), 0);
		if (!u)
			break;
		assert_int_equal(sscanf(u->topic, "machines/m%d/telemetry", &machine), 1);
		for (size_t i = 0; i < u->n; i++) {
			assert_int_equal(u->records[i].seq, ++next[machine]);
			assert_int_equal(u->records[i].ts_ms, 1000 * u->records[i].seq);
		}
		n += u->n;
		batches += u->batch;
		assert_int_equal(backlog_drop(b, u), 0);
		unit_free(u);
	}
	assert_int_equal(n, 20 * 500);
	assert_true(batches > 20);
	backlog_stats(b, &stats);
	assert_int_equal(stats.records, 0);
	assert_int_equal(stats.bytes, 0);
	backlog_close(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, temp_setup, temp_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
