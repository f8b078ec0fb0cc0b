/* SPDX-License-Identifier: MIT */
/* store_test.c -- what store_apply() said is on the disk is there again, whole */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

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

static void
test_last_number_survives(void **state)
{
	struct store_stats stats;
	(void)state;
	struct store *s = open_store("b1");
	struct change c[] = {record(41, "x"), {.what = CHANGE_FORGET, .record = 41}};
	assert_int_equal(apply(s, c, 2), 0);
	store_close(s);
	s = open_store("b1");
	assert_int_equal(store_stats(s, &stats), 0);
	assert_int_equal(stats.last_record, 41);
	assert_int_equal(stats.records, 0);
	assert_int_equal(stats.oldest_ts_ms, 0);
	store_close(s);
}

static void
test_archiver_forgets(void **state)
{
	(void)state;
	struct store *s = open_store("b1");
	struct change c[] = {record(1, "1"), record(2, "2"), record(3, "3"), record(4, "4")};
	c[1].topic = "machines/other/event";
	c[2].epoch = "e2";
	assert_int_equal(apply(s, c, 4), 0);
	assert_int_equal(store_forget_upto(s, "machines/m/event", "e1", 3), 1);
	assert_int_equal(store_forget_upto(s, "machines/m/event", "e1", 3), 0);
	assert_int_equal(store_oldest_record(s), 2); /* of another topic */
	assert_string_equal(records(s, 0), "2 machines/other/event e1 2 2000 2;"
					   "3 machines/m/event e2 3 3000 3;"
					   "4 machines/m/event e1 4 4000 4;");
	store_close(s);
}

static void
test_evicts_the_oldest(void **state)
{
	struct store_stats stats;
	(void)state;
	struct store *s = open_store("b1");
	struct change c[] = {record(1, "1234"), record(2, "1234"), record(3, "1234")};
	assert_int_equal(apply(s, c, 3), 0);
	seen[0] = '\0';
	assert_int_equal(store_evict(s, 5, NULL, see_record, NULL), 0);
	assert_string_equal(seen, "1 machines/m/event e1 1 1000 1234;"
				  "2 machines/m/event e1 2 2000 1234;");
	assert_string_equal(records(s, 0), "3 machines/m/event e1 3 3000 1234;");
	assert_int_equal(store_stats(s, &stats), 0);
	assert_int_equal(stats.records, 1);
	assert_int_equal(stats.bytes, 4);
	seen[0] = '\0';
	assert_int_equal(store_evict(s, 0, NULL, see_record, NULL), 0);
	assert_string_equal(seen, "");
	store_close(s);
}

/* ---- dead letters --------------------------------------------------------------------------- */

static bool
see_letter(void *arg, const struct store_record *r)
{
	int *n = arg;
	++*n;
	size_t at = strlen(seen);
	if (*n <= 3)
		snprintf(seen + at, sizeof(seen) - at, "%s %llu %d %.*s;", r->topic,
			(unsigned long long)r->seq, r->reason, (int)r->len, r->payload);
	return true;
}

static void
test_dead_letters(void **state)
{
	int n = 0;
	(void)state;
	struct store *s = open_store("b1");
	struct change c[] = {record(1, "one"), record(2, "two"),
		{.what = CHANGE_REJECT, .record = 1, .reason = 0x87},
		{.what = CHANGE_REJECT,
			.topic = "machines/m/job",
			.epoch = "e1",
			.seq = 9,
			.ts_ms = 1,
			.text = "never kept",
			.len = 10,
			.reason = 0x95},
		{.what = CHANGE_REJECT, .record = 77, .reason = 1}}; /* gone already */
	assert_int_equal(apply(s, c, 5), 0);
	store_close(s);
	s = open_store("b1");
	assert_string_equal(records(s, 0), "2 machines/m/event e1 2 2000 two;");
	seen[0] = '\0';
	assert_int_equal(store_dead_letters(s, 0, see_letter, &n), 0);
	assert_string_equal(seen, "machines/m/event 1 135 one;machines/m/job 9 149 never kept;");
	store_close(s);
}

static int64_t
bury_many(struct store *s, int n, size_t len)
{
	struct store_stats stats;
	char *text = calloc(1, len + 1);
	memset(text, 'x', len);
	for (int i = 0; i < n; i++) {
		struct change c = record(0, text);
		c.what = CHANGE_REJECT;
		c.seq = (uint64_t)i;
		assert_int_equal(store_apply(s, &c), 0);
	}
	free(text);
	assert_int_equal(store_stats(s, &stats), 0);
	return stats.dead;
}

static void
test_dead_letters_are_bounded(void **state)
{
	int n = 0;
	(void)state;
	struct store *s = open_store("b1");
	assert_int_equal(bury_many(s, 1010, 3), 1000);
	seen[0] = '\0';
	assert_int_equal(store_dead_letters(s, 0, see_letter, &n), 0);
	assert_int_equal(n, 1000);
	assert_non_null(strstr(seen, "event 10 0 xxx;")); /* the oldest went */
	assert_int_equal(bury_many(s, 30, 200 * 1024), 20);
	store_close(s);
	assert_true(temp_bytes("state.db") < 6 * 1024 * 1024);
}

/* ---- times of a clock that was not set ------------------------------------------------------- */

static void
test_times_are_mended(void **state)
{
	(void)state;
	struct store *s = open_store("b1");
	struct change c[] = {record(1, "{\"v\":1,\"ts\":5000,\"clock\":\"unsynced\",\"a\":1}"),
		record(2, "{\"v\":1,\"ts\":6000,\"clock\":\"synced\"}")};
	c[0].stamp = (struct stamp){.unsynced = true, .offset_ms = 4000};
	c[0].ts_ms = 5000;
	c[1].ts_ms = 6000;
	assert_int_equal(apply(s, c, 2), 0);
	assert_non_null(
		strstr(records(s, 0), "1 5000 {\"v\":1,\"ts\":5000,\"clock\":\"unsynced\""));
	store_close(s);
	s = open_store("b2"); /* another boot knows nothing of the first's clock */
	assert_int_equal(store_synced(s, 77), 0);
	assert_non_null(
		strstr(records(s, 0), "1 5000 {\"v\":1,\"ts\":5000,\"clock\":\"unsynced\""));
	store_close(s);
	s = open_store("b1");
	int64_t offset;
	assert_false(store_is_synced(s, &offset));
	assert_int_equal(store_synced(s, 1704000), 0);
	store_close(s);
	s = open_store("b3");
	assert_string_equal(records(s, 0),
		"1 machines/m/event e1 1 1705000 "
		"{\"v\":1,\"ts\":1705000,\"clock\":\"synced\",\"a\":1};"
		"2 machines/m/event e1 2 6000 {\"v\":1,\"ts\":6000,\"clock\":\"synced\"};");
	struct store_stats stats;
	assert_int_equal(store_stats(s, &stats), 0);
	assert_int_equal(stats.oldest_ts_ms, 1705000);
	store_close(s);
}

/* ---- a file of version 0 --------------------------------------------------------------------- */

static void
test_version_0(void **state)
{
	static const char old[] =
		"CREATE TABLE IF NOT EXISTS identity ("
		"  source TEXT PRIMARY KEY, place TEXT NOT NULL, plugged TEXT NOT NULL,"
		"  device TEXT NOT NULL) WITHOUT ROWID;"
		"CREATE TABLE IF NOT EXISTS kept (kind TEXT NOT NULL, key TEXT NOT NULL,"
		"  text TEXT NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID;"
		"CREATE TABLE IF NOT EXISTS record ("
		"  id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, payload BLOB NOT NULL);";
	static const struct database_plan plan = {.name = "state.db", .schema = old};
	static const char payload[] =
		"{\"v\":1,\"ts\":1767225600123,\"epoch\":\"7f3a\",\"seq\":184467}";
	struct opened how;
	(void)state;
	struct database *d = database_open(dir, &plan, &how);
	assert_non_null(d);
	assert_int_equal(
		database_run(d, "INSERT INTO identity VALUES ('m/s', 'usb:1', 'p', 'd')", ""), 0);
	assert_int_equal(database_run(d, "INSERT INTO kept VALUES ('usage', 'A', '{}')", ""), 0);
	assert_int_equal(database_run(d, "INSERT INTO record VALUES (7, 'machines/m/job', ?)", "b",
				 (const void *)payload, sizeof(payload) - 1),
		0);
	assert_int_equal(database_run(d, "INSERT INTO record VALUES (8, 'odd', 'no JSON')", ""), 0);
	assert_int_equal(database_run(d, "INSERT INTO record VALUES (9, 'gone', '')", ""), 0);
	assert_int_equal(database_run(d, "DELETE FROM record WHERE id = 9", ""), 0);
	database_close(d);
	struct store *s = open_store("b1");
	assert_string_equal(texts(s), "identity m/s usb:1 p\nd;usage A {};");
	assert_string_equal(records(s, 0),
		"7 machines/m/job 7f3a 184467 1767225600123 {\"v\":1,\"ts\":1767225600123,"
		"\"epoch\":\"7f3a\",\"seq\":184467};8 odd  0 0 no JSON;");
	struct store_stats stats;
	assert_int_equal(store_stats(s, &stats), 0);
	assert_int_equal(stats.last_record, 9);
	store_close(s);
	s = open_store("b1");
	assert_non_null(strstr(records(s, 0), "7 machines/m/job 7f3a 184467"));
	store_close(s);
}

/* ---- failures -------------------------------------------------------------------------------- */

static void
test_all_or_nothing(void **state)
{
	(void)state;
	struct store *s = open_store("b1");
	struct change c[] = {record(1, "one"), {.what = CHANGE_PUT, .kind = "k", .key = "k"}};
	assert_true(apply(s, c, 2) < 0); /* a text that is none */
	assert_string_equal(records(s, 0), "");
	store_close(s);
	s = open_store("b1");
	assert_string_equal(records(s, 0), "");
	store_close(s);
}

static int
check_full(struct store *s)
{
	struct store_stats before, after;
	static char text[20000];
	int rc = 0;
	memset(text, 'x', sizeof(text) - 1);
	for (int64_t i = 1; rc == 0 && i < 200; i++) {
		struct change c[] = {record(i, text),
			{.what = CHANGE_PUT, .kind = "k", .key = "last", .text = text}};
		c[0].next = &c[1];
		store_stats(s, &before);
		rc = store_apply(s, c);
	}
	if (rc != -ENOSPC || !store_error(s)[0] || store_is_corrupt(s))
		return 2;
	return store_stats(s, &after) == 0 && after.records == before.records &&
			       after.bytes == before.bytes
		       ? 0
		       : 3;
}

static void
test_a_full_disk(void **state)
{
	int status;
	(void)state;
	pid_t pid = fork();
	if (pid == 0) {
		struct rlimit limit = {.rlim_cur = 200000, .rlim_max = 1 << 30};
		struct store *s = open_store("b1");
		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &limit);
		int rc = check_full(s);
		limit.rlim_cur = limit.rlim_max; /* there is room again */
		setrlimit(RLIMIT_FSIZE, &limit);
		struct change c = record(1000, "then");
		if (rc == 0 && (store_apply(s, &c) != 0 || store_error(s)[0]))
			rc = 4;
		_exit(rc);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	struct store *s = open_store("b1");
	assert_non_null(strstr(records(s, 999), "then"));
	store_close(s);
}

/* Each transaction has record n and says so in a kept text. */
static void
apply_for_ever(int out)
{
	struct opened how;
	struct store *s = store_open(dir, "b1", &how);
	struct store_stats stats;
	char text[700];
	if (!s || store_stats(s, &stats) < 0)
		_exit(1);
	for (int64_t n = stats.last_record + 1;; n++) {
		memset(text, 'a' + (int)(n % 26), sizeof(text) - 1);
		text[sizeof(text) - 1] = '\0';
		struct change c[] = {record(n, text),
			{.what = CHANGE_PUT, .kind = "n", .key = "n", .text = text},
			{.what = CHANGE_FORGET, .record = n - 20}};
		snprintf(text, 21, "%lld", (long long)n);
		if (apply(s, c, 3) < 0 || write(out, &n, sizeof(n)) != sizeof(n))
			_exit(1);
	}
}

static bool
note_last(void *arg, const struct store_record *r)
{
	int64_t *last = arg;
	assert_true(*last == 0 || r->record == *last + 1);
	*last = r->record;
	return true;
}

static void
test_killed_at_any_time(void **state)
{
	int64_t acked = 0;
	(void)state;
	for (int round = 0; round < 25; round++) {
		int out[2];
		assert_int_equal(pipe(out), 0);
		pid_t pid = fork();
		if (pid == 0)
			apply_for_ever(out[1]);
		close(out[1]);
		int wanted = 1 + round * 7 % 40;
		for (int i = 0; i < wanted; i++)
			assert_int_equal(read(out[0], &acked, sizeof(acked)), sizeof(acked));
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		while (read(out[0], &acked, sizeof(acked)) == sizeof(acked))
			;
		close(out[0]);
		struct store *s = open_store("b1");
		int64_t last = 0;
		assert_int_equal(store_records(s, 0, note_last, &last), 0);
		assert_true(last == acked || last == acked + 1);
		assert_int_equal(atoll(texts(s) + 4), last); /* "n n 123…" */
		store_close(s);
	}
}

/* ---- damage ---------------------------------------------------------------------------------- */

static unsigned seed;

static unsigned
dice(unsigned n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

static void
damage(const char *name)
{
	struct stat st;
	int fd = open(in_dir(name), O_RDWR);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size == 0)
		return;
	for (unsigned i = 0, n = 1 + dice(30); i < n; i++) {
		unsigned char bytes[64];
		size_t len = 1 + dice(sizeof(bytes));
		for (size_t k = 0; k < len; k++)
			bytes[k] = (unsigned char)(dice(3) ? dice(256) : 0xff * dice(2));
		assert_true(pwrite(fd, bytes, len, dice((unsigned)st.st_size)) > 0);
	}
	close(fd);
}

/* As the daemon does: what is corrupt is closed and opened anew. */
static bool
work(struct store **s, int64_t n)
{
	struct change c[] = {record(n, "text"),
		{.what = CHANGE_PUT, .kind = "a", .key = "b", .text = "c"},
		{.what = CHANGE_FORGET, .record = n - 3}, {.what = CHANGE_REJECT, .record = n - 2}};
	struct store_stats stats;
	int letters = 0, rc = apply(*s, c, 4);
	seen[0] = '\0';
	store_each(*s, see_text, NULL);
	store_records(*s, 0, see_record, NULL);
	store_dead_letters(*s, 0, see_letter, &letters);
	store_evict(*s, dice(3) ? 0 : 2000, NULL, see_record, NULL);
	store_forget_upto(*s, "machines/m/event", "e1", dice(400));
	store_stats(*s, &stats);
	if (store_is_corrupt(*s)) {
		struct opened how;
		store_close(*s);
		*s = store_open(dir, "b1", &how);
		assert_non_null(*s);
		return true;
	}
	return rc == 0;
}

static void
test_any_damage(void **state)
{
	int aside = 0;
	(void)state;
	for (unsigned round = 1; round <= 150; round++) {
		struct opened how;
		seed = round;
		struct store *s = store_open(dir, "b1", &how);
		assert_non_null(s);
		for (int64_t n = 1; n <= 300; n += 10) {
			struct change c[10];
			for (int i = 0; i < 10; i++)
				c[i] = record(n + i, "some text that is not so short");
			assert_int_equal(apply(s, c, 10), 0);
		}
		if (dice(2)) {
			store_close(s);
			damage("state.db");
			s = store_open(dir, "b1", &how);
			aside += how.aside == ASIDE_CORRUPT;
			assert_non_null(s);
		} else {
			damage("state.db"); /* under its feet */
		}
		for (int64_t n = 1000; n < 1030; n++)
			work(&s, n);
		assert_true(work(&s, 2000));
		store_close(s);
		assert_true(temp_count("state.db.corrupt-") <= 2); /* and its WAL */
		unlink(in_dir("state.db"));
	}
	assert_true(aside > 20);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, temp_setup, temp_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_comes_back),
		TEST(test_last_number_survives),
		TEST(test_archiver_forgets),
		TEST(test_evicts_the_oldest),
		TEST(test_dead_letters),
		TEST(test_dead_letters_are_bounded),
		TEST(test_times_are_mended),
		TEST(test_version_0),
		TEST(test_all_or_nothing),
		TEST(test_a_full_disk),
		TEST(test_killed_at_any_time),
		TEST(test_any_damage),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
