/* SPDX-License-Identifier: MIT */
/* fill_backlog.c -- a spool.db as after a long outage: fill_backlog DIRECTORY RECORDS TOPIC... */
#include <stdio.h>
#include <stdlib.h>

#include "daemon/backlog.h"

enum { STEP = 1000 };

static int
fill(struct backlog *b, int64_t from, int64_t n, char **topics, int n_topics)
{
	static struct row rows[STEP];
	static char texts[STEP][160];
	for (int64_t i = 0; i < n; i++) {
		int64_t id = from + i, seq = id / n_topics + 1, ts = 1767225600000 + id * 50;
		int len = snprintf(texts[i], sizeof(texts[i]),
			"{\"ts\":%lld,\"clock\":\"synced\",\"seq\":%lld,\"source\":\"s1\",\"values\":"
			"{\"power_w\":%lld.5,\"count\":%lld},\"errors\":{}}",
			(long long)ts, (long long)seq, (long long)(id * 7919 % 4000),
			(long long)id);
		rows[i] = (struct row){.id = id + 1,
			.topic = topics[id % n_topics],
			.epoch = "0badcafe",
			.seq = (uint64_t)seq,
			.ts_ms = ts,
			.text = texts[i],
			.len = (size_t)len};
	}
	int rc = backlog_store(b, rows, (size_t)n, NULL, 0);
	while (rc == 0 && backlog_fold(b, INT64_MAX, NULL) > 0)
		continue;
	return rc;
}

int
main(int argc, char **argv)
{
	struct opened how;
	if (argc < 4) {
		fprintf(stderr, "usage: fill_backlog DIRECTORY RECORDS TOPIC...\n");
		return 64;
	}
	struct backlog *b = backlog_open(argv[1], "an-earlier-boot", INT64_C(1) << 31, &how);
	int64_t n = atoll(argv[2]);
	int rc = b ? 0 : how.rc;
	for (int64_t i = 0; rc == 0 && i < n; i += STEP)
		rc = fill(b, i, n - i < STEP ? n - i : STEP, argv + 3, argc - 3);
	backlog_close(b);
	return rc == 0 ? 0 : 1;
}
