/* SPDX-License-Identifier: MIT */
/* database.c -- SQLite: opening whatever lies there, statements, and errno for its result codes
 *
 * WAL with locking_mode EXCLUSIVE needs no shared memory file and keeps others out
 * (sqlite.org/wal.html#noshm).
 */
#include "daemon/database.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096 };

#define WAL_MIN (256 * 1024LL)
#define WAL_MAX (8 * 1024 * 1024LL)
#define CHECK_BELOW                                                                                \
	(8 * 1024 * 1024LL) /* reading a larger file as a whole would hold the start up */

struct query {
	struct query *next;
	struct database *d;
	sqlite3_stmt *stmt;
	bool busy;
	char sql[];
};

struct database {
	sqlite3 *db;
	struct query *queries;
	const char *name;
	int64_t limit;
	int failure; /* 0: none since the last commit */
	bool corrupt;
	char directory[3584], path[3840], error[160];
};

/* ---- errors --------------------------------------------------------------------------------- */

/* What the system said; SQLite does not note it for each failed write. */
static int
system_error(struct database *d)
{
	int now = errno, noted = d->db ? sqlite3_system_errno(d->db) : 0;
	int e = noted ? noted : now;
	if (e == EFBIG || e == EDQUOT)
		return ENOSPC;
	return noted || e == ENOSPC ? e : 0;
}

static int
to_errno(struct database *d, int rc)
{
	int e = system_error(d);
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
	case SQLITE_ROW:
		return 0;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EILSEQ;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_PERM:
		return -EACCES;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_TOOBIG:
		return -EMSGSIZE;
	case SQLITE_IOERR:
		return e == ENOSPC ? -e : -EIO;
	case SQLITE_CANTOPEN:
		return e ? -e : -EACCES;
	default:
		return -EIO;
	}
}

/* Notes what the last call on d->db said. */
static int
failed(struct database *d, int rc)
{
	int e = to_errno(d, rc), kind = rc & 0xff, sys = 0;
	const char *words = d->db && sqlite3_extended_errcode(d->db) == rc ? sqlite3_errmsg(d->db)
									   : sqlite3_errstr(rc);
	if (e == 0)
		return 0;
	if (kind == SQLITE_IOERR || kind == SQLITE_CANTOPEN)
		sys = system_error(d);
	snprintf(d->error, sizeof(d->error), "%.100s: %s%s%s", d->path, words, sys ? ": " : "",
		sys ? strerror(sys) : "");
	d->failure = e;
	d->corrupt |= e == -EILSEQ;
	return e;
}

/* Our statements are right: where one cannot be understood, it is the schema that is wrong. */
static int
failed_schema(struct database *d, int rc)
{
	return failed(d, (rc & 0xff) == SQLITE_ERROR ? SQLITE_CORRUPT : rc);
}

static int
failed_errno(struct database *d, int e)
{
	snprintf(d->error, sizeof(d->error), "%.100s: %s", d->path, strerror(e));
	return d->failure = -e;
}

static void
forget_failure(struct database *d)
{
	d->error[0] = '\0';
	d->failure = 0;
}

int
database_failure(const struct database *d)
{
	return d->failure;
}

const char *
database_error(const struct database *d)
{
	return d->error;
}

bool
database_is_corrupt(const struct database *d)
{
	return d->corrupt;
}

/* ---- setting aside -------------------------------------------------------------------------- */

static bool
is_aside(const char *file, const char *name, const char *kind)
{
	size_t n = strlen(name), k = strlen(kind);
	return strncmp(file, name, n) == 0 && file[n] == '.' &&
	       strncmp(file + n + 1, kind, k) == 0 && file[n + 1 + k] == '-';
}

bool
database_has_aside(const char *directory, const char *name)
{
	bool found = false;
	DIR *dir = opendir(directory);
	if (!dir)
		return false;
	for (struct dirent *e; !found && (e = readdir(dir));)
		found = is_aside(e->d_name, name, "corrupt") || is_aside(e->d_name, name, "newer");
	closedir(dir);
	return found;
}

/* Only the youngest of a kind is kept. */
static void
remove_older(const struct database *d, const char *kind, const char *keep)
{
	DIR *dir = opendir(d->directory);
	if (!dir)
		return;
	for (struct dirent *e; (e = readdir(dir));)
		if (is_aside(e->d_name, d->name, kind) &&
			strncmp(e->d_name, keep, strlen(keep)) != 0)
			unlinkat(dirfd(dir), e->d_name, 0);
	closedir(dir);
}

static int
set_aside(struct database *d, const char *kind)
{
	char name[128], to[4096], from[4096], stamp[24];
	time_t now = time(NULL);
	struct tm tm;
	gmtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%S", &tm);
	snprintf(name, sizeof(name), "%s.%s-%s", d->name, kind, stamp);
	snprintf(to, sizeof(to), "%s/%s", d->directory, name);
	if (rename(d->path, to) != 0 && errno != ENOENT)
		return failed_errno(d, errno);
	snprintf(from, sizeof(from), "%s-wal", d->path);
	snprintf(to, sizeof(to), "%s/%s-wal", d->directory, name);
	if (rename(from, to) != 0 && errno == ENOENT)
		unlink(to); /* of one that was set aside in the same second */
	snprintf(from, sizeof(from), "%s-shm", d->path);
	unlink(from);
	snprintf(from, sizeof(from), "%s-journal", d->path);
	unlink(from);
	remove_older(d, kind, name);
	return 0;
}

/* ---- opening -------------------------------------------------------------------------------- */

static void
close_file(struct database *d)
{
	while (d->queries) {
		struct query *next = d->queries->next;
		sqlite3_finalize(d->queries->stmt);
		free(d->queries);
		d->queries = next;
	}
	sqlite3_close(d->db);
	d->db = NULL;
}

/* One number that a statement says; it may say none. */
static int
number(struct database *d, const char *sql, int64_t *out)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(d->db, sql, -1, &stmt, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int64(stmt, 0);
	int e = failed_schema(d, rc);
	sqlite3_finalize(stmt);
	return e;
}

static int
execute(struct database *d, const char *sql)
{
	return failed(d, sqlite3_exec(d->db, sql, NULL, NULL, NULL));
}

static int
set_up(struct database *d, const struct database_plan *plan)
{
	char sql[512];
	int64_t wal = database_wal_bytes(plan->max_bytes);
	sqlite3_extended_result_codes(d->db, 1);
	snprintf(sql, sizeof(sql),
		"PRAGMA locking_mode = EXCLUSIVE;" /* before anything is read */
		"PRAGMA page_size = %d; PRAGMA auto_vacuum = INCREMENTAL;"
		"PRAGMA journal_mode = WAL;"
		/* Debian's default overwrites what is deleted: each freed page, once more. */
		"PRAGMA secure_delete = OFF;"
		"PRAGMA synchronous = %s; PRAGMA journal_size_limit = %lld;"
		"PRAGMA wal_autocheckpoint = %lld; PRAGMA temp_store = MEMORY;"
		"PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF",
		PAGE, plan->full ? "FULL" : "NORMAL", (long long)wal, (long long)(wal / 2 / PAGE));
	int rc = failed_schema(d, sqlite3_exec(d->db, sql, NULL, NULL, NULL));
	if (rc == 0)
		database_limit(d, plan->max_bytes);
	return rc;
}

/* May we write it, or begin it? SQLite would open it for reading only, or say less clearly why
 * not. */
static int
look(struct database *d)
{
	struct stat st;
	bool there = stat(d->path, &st) == 0;
	if (!there && errno != ENOENT)
		return failed_errno(d, errno);
	if (there && !S_ISREG(st.st_mode))
		return failed_errno(d, S_ISDIR(st.st_mode) ? EISDIR : EINVAL);
	if (there && faccessat(AT_FDCWD, d->path, R_OK | W_OK, AT_EACCESS) != 0)
		return failed_errno(d, errno);
	if (faccessat(AT_FDCWD, d->directory, W_OK | X_OK, AT_EACCESS) != 0)
		return failed_errno(d, errno);
	return 0;
}

static int
check(struct database *d)
{
	int64_t n = 0;
	int rc = number(d, "SELECT count(*) FROM sqlite_schema", &n);
	if (rc < 0 || database_disk_bytes(d) >= CHECK_BELOW)
		return rc;
	n = 1;
	rc = number(d, "SELECT quick_check = 'ok' FROM pragma_quick_check(1)", &n);
	return rc < 0 || n == 1 ? rc : failed(d, SQLITE_CORRUPT);
}

static int
migrate(struct database *d, const char *sql)
{
	return failed_schema(d, sql ? sqlite3_exec(d->db, sql, NULL, NULL, NULL) : SQLITE_NOTADB);
}

/* Schema and version in one transaction, so that a crash leaves the one or the other. */
static int
bring_up(struct database *d, const struct database_plan *plan, int64_t version, bool is_new)
{
	char sql[64];
	int rc = database_begin(d);
	if (rc == 0 && is_new)
		rc = execute(d, plan->schema);
	for (int64_t v = version; rc == 0 && !is_new && v < plan->version; v++)
		rc = migrate(d, plan->migrations ? plan->migrations[v] : NULL);
	snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", plan->version);
	if (rc == 0)
		rc = execute(d, sql);
	if (rc < 0) {
		database_rollback(d);
		return rc;
	}
	return database_commit(d);
}

static int
open_file(struct database *d, const struct database_plan *plan, bool *newer)
{
	int64_t version = 0, tables = 0;
	int rc = look(d);
	if (rc < 0)
		return rc;
	rc = failed(
		d, sqlite3_open_v2(d->path, &d->db,
			   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL));
	if (rc == 0)
		rc = set_up(d, plan);
	if (rc == 0)
		rc = number(d, "PRAGMA user_version", &version);
	if (rc == 0 && version < 0) /* nobody ever wrote that */
		rc = failed(d, SQLITE_CORRUPT);
	if (rc == 0)
		rc = check(d);
	if (rc == 0)
		rc = number(d, "SELECT count(*) FROM sqlite_schema", &tables);
	*newer = rc == 0 && version > plan->version;
	if (rc < 0 || *newer || (version == plan->version && tables))
		return rc;
	return bring_up(d, plan, version, tables == 0);
}

static void
report(const struct database *d, int rc, struct opened *how)
{
	how->rc = rc;
	snprintf(how->error, sizeof(how->error), "%s", rc ? d->error : "");
}

struct database *
database_open(const char *directory, const struct database_plan *plan, struct opened *how)
{
	struct database *d = calloc(1, sizeof(*d));
	*how = (struct opened){.rc = -ENOMEM, .error = "out of memory"};
	if (!d)
		return NULL;
	d->name = plan->name;
	snprintf(d->directory, sizeof(d->directory), "%s", directory);
	snprintf(d->path, sizeof(d->path), "%s/%s", d->directory, plan->name);
	mkdir(directory, 0750); /* where that fails, opening tells */
	bool newer = false;
	int rc = open_file(d, plan, &newer);
	if (newer || rc == -EILSEQ) {
		close_file(d);
		d->corrupt = false;
		how->aside = newer ? ASIDE_NEWER : ASIDE_CORRUPT;
		rc = set_aside(d, newer ? "newer" : "corrupt");
		if (rc == 0)
			rc = open_file(d, plan, &newer);
	}
	report(d, rc, how);
	if (rc == 0) {
		forget_failure(d);
		return d;
	}
	close_file(d);
	free(d);
	return NULL;
}

void
database_close(struct database *d)
{
	if (!d)
		return;
	close_file(d);
	if (d->corrupt)
		set_aside(d, "corrupt");
	free(d);
}

/* ---- sizes ---------------------------------------------------------------------------------- */

int64_t
database_wal_bytes(int64_t max_bytes)
{
	int64_t wal = max_bytes / 8;
	return wal < WAL_MIN ? WAL_MIN : wal > WAL_MAX ? WAL_MAX : wal;
}

static int64_t
pragma(const struct database *d, const char *sql)
{
	struct query *q = database_query((struct database *)d, sql, "");
	int64_t n = q && database_row(q) == 1 ? database_int(q, 0) : 0;
	database_done(q);
	return n;
}

int64_t
database_bytes(const struct database *d)
{
	return PAGE * (pragma(d, "PRAGMA page_count") - pragma(d, "PRAGMA freelist_count"));
}

static int64_t
file_bytes(const char *path, const char *suffix)
{
	char name[4096];
	struct stat st;
	snprintf(name, sizeof(name), "%s%s", path, suffix);
	return stat(name, &st) == 0 ? (int64_t)st.st_size : 0;
}

int64_t
database_disk_bytes(const struct database *d)
{
	return file_bytes(d->path, "") + file_bytes(d->path, "-wal");
}

/* In steps that the WAL has room for. */
static void
vacuum(struct database *d, int64_t pages)
{
	int64_t step = database_wal_bytes(d->limit) / PAGE / 8;
	char sql[64];
	snprintf(sql, sizeof(sql), "PRAGMA incremental_vacuum(%lld)", (long long)step);
	for (; pages > 0 && pragma(d, "PRAGMA freelist_count") > 0; pages -= step)
		if (execute(d, sql) < 0)
			return;
}

void
database_limit(struct database *d, int64_t max_bytes)
{
	char sql[64];
	int64_t pages = max_bytes > 0 ? max_bytes / PAGE : 4294967294LL;
	int64_t over = pragma(d, "PRAGMA page_count") - pages;
	if (over > 0) { /* some more, so that a limit that moves a little costs nothing */
		vacuum(d, over + pages / 32);
		sqlite3_wal_checkpoint_v2(d->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	}
	if (over <= 0 && max_bytes == d->limit)
		return;
	d->limit = max_bytes;
	snprintf(sql, sizeof(sql), "PRAGMA max_page_count = %lld", (long long)pages);
	execute(d, sql);
}

void
database_shrink(struct database *d)
{
	vacuum(d, pragma(d, "PRAGMA freelist_count"));
	sqlite3_wal_checkpoint_v2(d->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
}

/* ---- transactions and statements ------------------------------------------------------------ */

int
database_begin(struct database *d)
{
	return database_run(d, "BEGIN IMMEDIATE", "");
}

int
database_commit(struct database *d)
{
	int rc = database_run(d, "COMMIT", "");
	if (rc < 0)
		database_rollback(d);
	else
		forget_failure(d);
	return rc;
}

void
database_rollback(struct database *d)
{
	if (!sqlite3_get_autocommit(d->db)) /* some failures have done it already */
		sqlite3_exec(d->db, "ROLLBACK", NULL, NULL, NULL);
}

static struct query *
prepared(struct database *d, const char *sql)
{
	for (struct query *q = d->queries; q; q = q->next)
		if (!q->busy && strcmp(q->sql, sql) == 0)
			return q;
	struct query *q = calloc(1, sizeof(*q) + strlen(sql) + 1);
	if (!q) {
		failed(d, SQLITE_NOMEM);
		return NULL;
	}
	int rc = sqlite3_prepare_v3(d->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &q->stmt, NULL);
	if (failed_schema(d, rc) < 0) {
		free(q);
		return NULL;
	}
	strcpy(q->sql, sql);
	q->d = d;
	q->next = d->queries;
	d->queries = q;
	return q;
}

static int
bind(struct query *q, const char *types, va_list args)
{
	int rc = SQLITE_OK;
	for (int i = 1; *types && rc == SQLITE_OK; types++, i++) {
		if (*types == 'i') {
			rc = sqlite3_bind_int64(q->stmt, i, va_arg(args, int64_t));
		} else if (*types == 't') {
			const char *text = va_arg(args, const char *);
			rc = sqlite3_bind_text(q->stmt, i, text, -1, SQLITE_STATIC);
		} else {
			const void *blob = va_arg(args, const void *);
			rc = sqlite3_bind_blob64(
				q->stmt, i, blob, va_arg(args, size_t), SQLITE_STATIC);
		}
	}
	return rc;
}

static struct query *
start(struct database *d, const char *sql, const char *types, va_list args)
{
	struct query *q = prepared(d, sql);
	if (!q)
		return NULL;
	q->busy = true;
	if (failed(d, bind(q, types, args)) == 0)
		return q;
	database_done(q);
	return NULL;
}

int
database_run(struct database *d, const char *sql, const char *types, ...)
{
	va_list args;
	va_start(args, types);
	struct query *q = start(d, sql, types, args);
	va_end(args);
	int rc = q ? database_row(q) : database_failure(d);
	database_done(q);
	return rc < 0 ? rc : 0;
}

struct query *
database_query(struct database *d, const char *sql, const char *types, ...)
{
	va_list args;
	va_start(args, types);
	struct query *q = start(d, sql, types, args);
	va_end(args);
	return q;
}

int
database_row(struct query *q)
{
	int rc = sqlite3_step(q->stmt);
	return rc == SQLITE_ROW ? 1 : failed(q->d, rc);
}

int64_t
database_int(struct query *q, int column)
{
	return sqlite3_column_int64(q->stmt, column);
}

const char *
database_text(struct query *q, int column)
{
	const unsigned char *text = sqlite3_column_text(q->stmt, column);
	return text ? (const char *)text : "";
}

const void *
database_blob(struct query *q, int column, size_t *len)
{
	const void *blob = sqlite3_column_blob(q->stmt, column);
	*len = blob ? (size_t)sqlite3_column_bytes(q->stmt, column) : 0;
	return blob ? blob : "";
}

bool
database_is_null(struct query *q, int column)
{
	return sqlite3_column_type(q->stmt, column) == SQLITE_NULL;
}

void
database_done(struct query *q)
{
	if (!q)
		return;
	sqlite3_reset(q->stmt);
	sqlite3_clear_bindings(q->stmt);
	q->busy = false;
}
