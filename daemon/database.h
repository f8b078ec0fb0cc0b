/* SPDX-License-Identifier: MIT */
/* database.h -- one SQLite file that is opened whatever state it is in; the only <sqlite3.h>
 *
 * WAL, locked by this process alone. A file that is corrupt, or that a newer version wrote, is set
 * aside under a name that says so ("state.db.corrupt-20261122T101500", "state.db.newer-…"; only
 * the youngest of its kind is kept) and a new one is begun. Any one thread at a time.
 */
#ifndef DAEMON_DATABASE_H
#define DAEMON_DATABASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct database;
struct query; /* a prepared statement */

struct database_plan {
	const char *name;   /* "state.db" */
	int version;        /* PRAGMA user_version */
	bool full;          /* synchronous = FULL, else NORMAL */
	const char *schema; /* of a new file */
	/* From each older version to the next: migrations[0] makes version 0 of a file that has
	 * tables into 1. NULL-terminated; NULL: none. */
	const char *const *migrations;
	int64_t max_bytes; /* of the file; 0: no bound. See database_wal_bytes() for the WAL. */
};

enum set_aside { ASIDE_NOT, ASIDE_CORRUPT, ASIDE_NEWER };

struct opened {
	enum set_aside aside;
	int rc;          /* 0; -ENOSPC, -EROFS, -EACCES, -EIO … : it could not be opened */
	char error[160]; /* "PATH: words" */
};

/* Makes the directory if it is not there. NULL: how->rc says why. */
struct database *database_open(
	const char *directory, const struct database_plan *plan, struct opened *how);
void database_close(struct database *d);               /* NULL is fine */
const char *database_error(const struct database *d);  /* of the last failure; "" since a commit */
int database_failure(const struct database *d);        /* the same as -errno; 0 */
int64_t database_bytes(const struct database *d);      /* in use, without free pages */
int64_t database_disk_bytes(const struct database *d); /* of the files as they are, WAL included */
/* It was found corrupt: database_close() sets it aside. */
bool database_is_corrupt(const struct database *d);
/* Gives free pages and the WAL back to the file system. */
void database_shrink(struct database *d);
/* The file may grow to max_bytes from now on; free pages above that are given back. */
void database_limit(struct database *d, int64_t max_bytes);
/* What the WAL of a file of max_bytes may take beside it, 1/8 within 256 KiB and 8 MiB, as long as
 * no transaction changes more than a quarter of that. */
int64_t database_wal_bytes(int64_t max_bytes);
/* A file NAME.corrupt-* or NAME.newer-* lies there. */
bool database_has_aside(const char *directory, const char *name);

/* 0 or -errno: -ENOSPC, -EROFS, -EIO, -EILSEQ (the file is corrupt: it must be opened anew, which
 * sets it aside). */
int database_begin(struct database *d);
int database_commit(struct database *d);
void database_rollback(struct database *d);

/* A statement by its text, prepared once per database. `types`: i (int64_t), t (const char *,
 * NULL-terminated), b (const void *, size_t) for each `?`. Runs a statement without rows: 0 or
 * -errno. */
int database_run(struct database *d, const char *sql, const char *types, ...);
/* Rows: while (database_row(q) == 1) … ; then database_done(q), always. NULL: failed. */
struct query *database_query(struct database *d, const char *sql, const char *types, ...);
int database_row(struct query *q); /* 1: a row, 0: no more, -errno */
int64_t database_int(struct query *q, int column);
const char *database_text(struct query *q, int column); /* "" for NULL; until the next row */
const void *database_blob(struct query *q, int column, size_t *len);
bool database_is_null(struct query *q, int column);
void database_done(struct query *q);

#endif
