/* SPDX-License-Identifier: MIT */
/* database_test.c -- whatever lies there is opened, set aside or told; nothing is fatal */
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

#include "daemon/database.h"
#include "tests/unit/temp_dir.h"

enum { KIB = 1024, MIB = 1024 * 1024 };

static const char *const migrations[] = {
	"ALTER TABLE t RENAME COLUMN old TO x", "ALTER TABLE t ADD COLUMN y INTEGER", NULL};

static const struct database_plan plan = {.name = "x.db",
	.version = 2,
	.full = false,
	.schema = "CREATE TABLE t (id INTEGER PRIMARY KEY, x BLOB, y INTEGER)",
	.migrations = migrations,
	.max_bytes = 2 * MIB};

static struct database *
must_open(enum set_aside aside)
{
	struct opened how;
	struct database *d = database_open(dir, &plan, &how);
	if (!d)
		print_error("%s\n", how.error);
	assert_non_null(d);
	assert_int_equal(how.rc, 0);
	assert_string_equal(how.error, "");
	assert_int_equal(how.aside, aside);
	return d;
}

static int
insert(struct database *d, int64_t id, size_t len)
{
	static char bytes[256 * KIB];
	return database_run(
		d, "INSERT INTO t (id, x) VALUES (?, ?)", "ib", id, (const void *)bytes, len);
}

static int64_t
count(struct database *d)
{
	struct query *q = database_query(d, "SELECT count(*) FROM t", "");
	int64_t n = q && database_row(q) == 1 ? database_int(q, 0) : -1;
	database_done(q);
	return n;
}

static void
write_file(const char *name, const char *bytes, size_t len)
{
	FILE *f = fopen(in_dir(name), "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	fclose(f);
}

static void
begin_with(int64_t rows)
{
	struct database *d = must_open(ASIDE_NOT);
	assert_int_equal(database_begin(d), 0);
	for (int64_t i = 1; i <= rows; i++)
		assert_int_equal(insert(d, i, 1000), 0);
	assert_int_equal(database_commit(d), 0);
	database_close(d);
}

/* ---- what lies there ------------------------------------------------------------------------ */

static void
test_values_come_back(void **state)
{
	(void)state;
	struct database *d = must_open(ASIDE_NOT);
	assert_int_equal(database_run(d, "INSERT INTO t (id, x, y) VALUES (?, ?, ?)", "itb",
				 INT64_C(-5), "text", (const void *)"a\0b", (size_t)3),
		0);
	assert_int_equal(database_run(d, "INSERT INTO t (id, x) VALUES (?, ?)", "it", INT64_C(7),
				 (const char *)NULL),
		0);
	database_close(d);
	d = must_open(ASIDE_NOT);
	assert_int_equal(access(in_dir("x.db-shm"), F_OK), -1);
	struct query *q = database_query(d, "SELECT id, x, y FROM t ORDER BY id", "");
	size_t len;
	assert_int_equal(database_row(q), 1);
	assert_int_equal(database_int(q, 0), -5);
	assert_string_equal(database_text(q, 1), "text");
	assert_memory_equal(database_blob(q, 2, &len), "a\0b", 3);
	assert_int_equal(len, 3);
	assert_int_equal(database_row(q), 1);
	assert_true(database_is_null(q, 1));
	assert_string_equal(database_text(q, 1), "");
	assert_int_equal(database_row(q), 0);
	database_done(q);
	database_close(d);
}

static void
test_a_transaction_is_whole(void **state)
{
	(void)state;
	struct database *d = must_open(ASIDE_NOT);
	assert_int_equal(database_begin(d), 0);
	assert_int_equal(insert(d, 1, 10), 0);
	assert_int_equal(insert(d, 1, 10), -EIO); /* twice the same key */
	assert_string_not_equal(database_error(d), "");
	database_rollback(d);
	assert_int_equal(count(d), 0);
	assert_int_equal(database_begin(d), 0);
	assert_int_equal(insert(d, 1, 10), 0);
	assert_int_equal(database_commit(d), 0);
	assert_string_equal(database_error(d), "");
	assert_int_equal(count(d), 1);
	database_close(d);
}

static void
test_garbage_is_set_aside(void **state)
{
	char garbage[20000];
	(void)state;
	for (size_t i = 0; i < sizeof(garbage); i++)
		garbage[i] = (char)(i * 31 + i / 7);
	write_file("x.db", garbage, sizeof(garbage));
	assert_false(database_has_aside(dir, "x.db"));
	struct database *d = must_open(ASIDE_CORRUPT);
	assert_int_equal(insert(d, 1, 10), 0);
	database_close(d);
	assert_true(database_has_aside(dir, "x.db"));
	assert_int_equal(temp_count("x.db.corrupt-2"), 1);
	d = must_open(ASIDE_NOT);
	assert_int_equal(count(d), 1);
	database_close(d);
}

static void
test_an_empty_file_is_new(void **state)
{
	(void)state;
	write_file("x.db", "", 0);
	struct database *d = must_open(ASIDE_NOT);
	assert_int_equal(insert(d, 1, 10), 0);
	database_close(d);
}

static void
test_truncated(void **state)
{
	(void)state;
	begin_with(200);
	for (int i = 0; i < 40; i++) {
		struct opened how;
		struct stat st;
		assert_int_equal(stat(in_dir("x.db"), &st), 0);
		assert_int_equal(truncate(in_dir("x.db"), st.st_size - 4321), 0);
		struct database *d = database_open(dir, &plan, &how);
		assert_non_null(d);
		assert_int_equal(how.aside, ASIDE_CORRUPT);
		database_close(d);
		assert_int_equal(temp_count("x.db.corrupt-"), 1); /* the youngest */
		begin_with(200);
	}
}

static void
test_newer_is_set_aside(void **state)
{
	static struct database_plan later;
	struct opened how;
	(void)state;
	begin_with(3);
	later = plan;
	later.version = 1;
	struct database *d = database_open(dir, &later, &how);
	assert_non_null(d);
	assert_int_equal(how.aside, ASIDE_NEWER);
	assert_int_equal(temp_count("x.db.newer-2"), 1);
	assert_int_equal(count(d), 0);
	database_close(d);
}

static void
make_version(int version, const char *schema)
{
	struct database_plan old = {.name = "x.db", .version = version, .schema = schema};
	struct opened how;
	struct database *d = database_open(dir, &old, &how);
	assert_non_null(d);
	assert_int_equal(database_run(d, "INSERT INTO t (id) VALUES (1)", ""), 0);
	database_close(d);
}

/* SQLite calls that a mere error: "unsupported file format". */
static void
test_a_damaged_header_is_corrupt(void **state)
{
	struct opened how;
	(void)state;
	begin_with(3);
	FILE *f = fopen(in_dir("x.db"), "r+");
	assert_non_null(f);
	assert_int_equal(fseek(f, 44, SEEK_SET), 0); /* schema format number, fileformat2.html */
	assert_int_equal(fwrite("////", 1, 4, f), 4);
	fclose(f);
	struct database *d = database_open(dir, &plan, &how);
	assert_non_null(d);
	assert_int_equal(how.aside, ASIDE_CORRUPT);
	assert_int_equal(count(d), 0);
	database_close(d);
}

/* It would be the number of a migration. */
static void
test_a_negative_version_is_corrupt(void **state)
{
	struct opened how;
	(void)state;
	struct database *d = database_open(dir, &plan, &how);
	assert_non_null(d);
	assert_int_equal(database_run(d, "PRAGMA user_version = -100000", ""), 0);
	database_close(d);
	d = database_open(dir, &plan, &how);
	assert_non_null(d);
	assert_int_equal(how.aside, ASIDE_CORRUPT);
	assert_int_equal(count(d), 0);
	database_close(d);
}

static void
test_migrates(void **state)
{
	(void)state;
	make_version(0, "CREATE TABLE t (id INTEGER PRIMARY KEY, old BLOB)");
	struct database *d = must_open(ASIDE_NOT);
	assert_int_equal(count(d), 1);
	assert_int_equal(database_run(d, "UPDATE t SET x = 1, y = 2", ""), 0);
	database_close(d);
}

static void
test_what_cannot_be_migrated_is_set_aside(void **state)
{
	(void)state;
	make_version(0, "CREATE TABLE t (id INTEGER PRIMARY KEY, other BLOB)");
	struct database *d = must_open(ASIDE_CORRUPT);
	assert_int_equal(count(d), 0);
	database_close(d);
}

static void
test_another_schema_is_corrupt(void **state)
{
	(void)state;
	make_version(2, "CREATE TABLE t (id INTEGER PRIMARY KEY, other BLOB)");
	struct database *d = must_open(ASIDE_NOT);
	assert_int_equal(insert(d, 1, 10), -EILSEQ);
	assert_true(database_is_corrupt(d));
	database_close(d);
	assert_int_equal(temp_count("x.db.corrupt-"), 1);
	d = must_open(ASIDE_NOT);
	assert_int_equal(insert(d, 1, 10), 0);
	database_close(d);
}

static void
test_wal_goes_with_its_file(void **state)
{
	(void)state;
	begin_with(10);
	write_file("x.db-wal", "something", 9);
	write_file("x.db-shm", "something", 9);
	write_file("x.db", "no database, but long enough to be looked at", 44);
	struct database *d = must_open(ASIDE_CORRUPT);
	assert_int_equal(count(d), 0);
	assert_int_equal(access(in_dir("x.db-shm"), F_OK), -1);
	database_close(d);
}

/* ---- what cannot be opened ------------------------------------------------------------------ */

static void
expect_error(int rc)
{
	struct opened how;
	struct database *d = database_open(dir, &plan, &how);
	assert_null(d);
	assert_int_equal(how.rc, rc);
	assert_non_null(strstr(how.error, "x.db: "));
	assert_int_equal(how.aside, ASIDE_NOT);
}

static void
test_a_directory_in_its_place(void **state)
{
	(void)state;
	assert_int_equal(mkdir(in_dir("x.db"), 0755), 0);
	expect_error(-EISDIR);
}

static void
test_no_directory_can_be_made(void **state)
{
	struct opened how;
	(void)state;
	write_file("file", "", 0);
	assert_null(database_open(in_dir("file"), &plan, &how));
	assert_int_equal(how.rc, -ENOTDIR);
}

/* Runs `test` as a user who owns nothing; 0 if it passed. */
static int
as_nobody(int (*test)(void))
{
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		if (getuid() == 0 && setuid(65534) != 0)
			_exit(99);
		_exit(test());
	}
	waitpid(pid, &status, 0);
	return status;
}

static int
refuses(void)
{
	struct opened how;
	struct database *d = database_open(dir, &plan, &how);
	return !d && how.rc == -EACCES && strstr(how.error, "ermission denied") ? 0 : 1;
}

static void
test_read_only(void **state)
{
	(void)state;
	assert_int_equal(chmod(dir, 0555), 0);
	assert_int_equal(as_nobody(refuses), 0);
	assert_int_equal(chmod(dir, 0755), 0);
	begin_with(3);
	assert_int_equal(chmod(in_dir("x.db"), 0444), 0);
	assert_int_equal(as_nobody(refuses), 0);
}

/* Everything that is written from here on is refused. */
static int
fills_up(void)
{
	struct opened how;
	struct database *d = database_open(dir, &plan, &how);
	struct rlimit limit = {.rlim_cur = 100 * KIB, .rlim_max = 100 * KIB};
	int rc = 0, i;
	signal(SIGXFSZ, SIG_IGN);
	if (!d || setrlimit(RLIMIT_FSIZE, &limit) != 0)
		return 1;
	for (i = 1; i < 1000 && rc == 0; i++)
		rc = insert(d, i, 1000);
	if (rc != -ENOSPC || !database_error(d)[0] || i < 5)
		return 2;
	if (count(d) != i - 2) /* those that were told to be there are */
		return 3;
	database_close(d);
	return 0;
}

static int
cannot_begin(void)
{
	struct opened how;
	struct rlimit limit = {.rlim_cur = 5000, .rlim_max = 5000};
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &limit);
	struct database *d = database_open(dir, &plan, &how);
	return !d && how.rc == -ENOSPC && how.error[0] ? 0 : 1;
}

static void
test_a_full_disk(void **state)
{
	(void)state;
	assert_int_equal(chmod(dir, 0777), 0);
	assert_int_equal(as_nobody(cannot_begin), 0);
	unlink(in_dir("x.db"));
	unlink(in_dir("x.db-wal"));
	assert_int_equal(as_nobody(fills_up), 0);
	assert_int_equal(chown(in_dir("x.db"), getuid(), getgid()), 0);
	struct database *d = must_open(ASIDE_NOT);
	assert_true(count(d) > 3);
	database_close(d);
}

/* ---- bounds --------------------------------------------------------------------------------- */

static void
test_file_and_wal_are_bounded(void **state)
{
	int64_t wal = database_wal_bytes(plan.max_bytes), largest = 0, i = 0;
	int rc = 0;
	(void)state;
	assert_int_equal(wal, 256 * KIB);
	struct database *d = must_open(ASIDE_NOT);
	while (rc == 0) {
		rc = insert(d, ++i, 20 * KIB);
		largest = temp_bytes("x.db-wal") > largest ? temp_bytes("x.db-wal") : largest;
		assert_true(temp_bytes("x.db") <= plan.max_bytes + wal);
	}
	assert_int_equal(rc, -ENOSPC);
	assert_true(largest > 100 * KIB && largest <= wal);
	assert_in_range(i, 90, 103);
	/* Room for others comes from what goes. */
	for (int64_t k = 1; k <= 50; k++)
		assert_int_equal(database_run(d, "DELETE FROM t WHERE id = ?", "i", k), 0);
	assert_true(database_bytes(d) < 1100 * KIB);
	assert_int_equal(insert(d, i, 20 * KIB), 0);
	database_limit(d, 1536 * KIB);
	assert_true(temp_bytes("x.db") <= 1536 * KIB + wal);
	assert_int_equal(database_disk_bytes(d), temp_bytes("x.db"));
	assert_int_equal(database_run(d, "DELETE FROM t", ""), 0);
	database_shrink(d);
	assert_true(temp_bytes("x.db") <= 32 * KIB);
	assert_int_equal(insert(d, 1, 20 * KIB), 0);
	database_close(d);
}

static void
test_damage_while_it_runs(void **state)
{
	char page[4096];
	(void)state;
	begin_with(2000);
	struct database *d = must_open(ASIDE_NOT);
	memset(page, 0xa5, sizeof(page));
	int fd = open(in_dir("x.db"), O_WRONLY);
	for (int i = 3; i < 500; i++)
		assert_int_equal(pwrite(fd, page, sizeof(page), i * 4096L), sizeof(page));
	close(fd);
	int rc = 0;
	for (int64_t i = 1; rc == 0 && i < 2000; i++)
		rc = database_run(d, "DELETE FROM t WHERE id = ?", "i", i);
	assert_int_equal(rc, -EILSEQ);
	database_close(d);
	d = must_open(ASIDE_NOT);
	assert_int_equal(count(d), 0);
	database_close(d);
	assert_int_equal(temp_count("x.db.corrupt-"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, temp_setup, temp_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_values_come_back),
		TEST(test_a_transaction_is_whole),
		TEST(test_garbage_is_set_aside),
		TEST(test_an_empty_file_is_new),
		TEST(test_truncated),
		TEST(test_newer_is_set_aside),
		TEST(test_a_negative_version_is_corrupt),
		TEST(test_a_damaged_header_is_corrupt),
		TEST(test_migrates),
		TEST(test_what_cannot_be_migrated_is_set_aside),
		TEST(test_another_schema_is_corrupt),
		TEST(test_wal_goes_with_its_file),
		TEST(test_a_directory_in_its_place),
		TEST(test_no_directory_can_be_made),
		TEST(test_read_only),
		TEST(test_a_full_disk),
		TEST(test_file_and_wal_are_bounded),
		TEST(test_damage_while_it_runs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
