/* SPDX-License-Identifier: MIT */
/* state.c -- state.db: what must survive a restart
 *
 * WAL and FULL: what was said to be kept is on the disk
 * (sqlite.org/pragma.html#pragma_synchronous).
 */
#include "daemon/state.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum statement { PUT, DROP, RECORD, FORGET, STATEMENTS };

struct state {
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENTS];
	bool gathering, urgent,
		failed; /* a transaction is open; with news; one of its steps failed */
	char error[128];
};

static const char schema[] =
	"PRAGMA journal_mode = WAL;"
	"PRAGMA synchronous = FULL;"
	"CREATE TABLE IF NOT EXISTS identity ("
	"  source TEXT PRIMARY KEY, place TEXT NOT NULL, plugged TEXT NOT NULL, device TEXT NOT NULL"
	") WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS kept ("
	"  kind TEXT NOT NULL, key TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (kind, key)"
	") WITHOUT ROWID;"
	/* AUTOINCREMENT: a number is never used twice, also when the table was empty meanwhile. */
	"CREATE TABLE IF NOT EXISTS record ("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, payload BLOB NOT NULL);";

static const char *const sql[STATEMENTS] = {
	[PUT] = "INSERT OR REPLACE INTO kept (kind, key, text) VALUES (?, ?, ?)",
	[DROP] = "DELETE FROM kept WHERE kind = ? AND key = ?",
	[RECORD] = "INSERT INTO record (topic, payload) VALUES (?, ?)",
	[FORGET] = "DELETE FROM record WHERE id = ?",
};

static int
prepare_all(struct state *s)
{
	for (int i = 0; i < STATEMENTS; i++) {
		int rc = sqlite3_prepare_v3(
			s->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &s->statements[i], NULL);
		if (rc != SQLITE_OK)
			return rc;
	}
	return SQLITE_OK;
}

struct state *
state_open(const char *directory, char *error, size_t size)
{
	struct state *s = calloc(1, sizeof(*s));
	char path[4096];
	snprintf(path, sizeof(path), "%s/state.db", directory);
	if (!s)
		return NULL;
	mkdir(directory, 0750); /* of a `spool.path` that is new; where it fails, opening tells */
	int rc = sqlite3_open_v2(path, &s->db,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc == SQLITE_OK) {
		sqlite3_busy_timeout(s->db, 1000);
		rc = sqlite3_exec(s->db, schema, NULL, NULL, NULL);
	}
	if (rc == SQLITE_OK)
		rc = prepare_all(s);
	if (rc == SQLITE_OK)
		return s;
	snprintf(error, size, "%s: %s", path, s->db ? sqlite3_errmsg(s->db) : "out of memory");
	state_close(s);
	return NULL;
}

void
state_close(struct state *s)
{
	if (!s)
		return;
	for (int i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(s->statements[i]);
	sqlite3_close(s->db);
	free(s);
}

const char *
state_error(const struct state *s)
{
	return s ? s->error : "";
}

/* ---- gathering ------------------------------------------------------------------------------ */

static void
fail(struct state *s)
{
	if (!s->failed)
		snprintf(s->error, sizeof(s->error), "%s", sqlite3_errmsg(s->db));
	s->failed = true;
}

static sqlite3_stmt *
gather(struct state *s, enum statement which, bool urgent)
{
	if (!s)
		return NULL;
	if (!s->gathering && sqlite3_exec(s->db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
		fail(s);
	s->gathering = true;
	s->urgent |= urgent;
	return s->failed ? NULL : s->statements[which];
}

static bool
run(struct state *s, sqlite3_stmt *stmt)
{
	bool done = sqlite3_step(stmt) == SQLITE_DONE;
	if (!done)
		fail(s);
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	return done;
}

void
state_put(struct state *s, const char *kind, const char *key, const char *text)
{
	sqlite3_stmt *stmt = gather(s, PUT, true);
	if (!stmt)
		return;
	sqlite3_bind_text(stmt, 1, kind, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 2, key, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 3, text, -1, SQLITE_STATIC);
	run(s, stmt);
}

void
state_drop(struct state *s, const char *kind, const char *key)
{
	sqlite3_stmt *stmt = gather(s, DROP, true);
	if (!stmt)
		return;
	sqlite3_bind_text(stmt, 1, kind, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 2, key, -1, SQLITE_STATIC);
	run(s, stmt);
}

int64_t
state_record(struct state *s, const char *topic, const char *payload, size_t len)
{
	sqlite3_stmt *stmt = gather(s, RECORD, true);
	if (!stmt)
		return 0;
	sqlite3_bind_text(stmt, 1, topic, -1, SQLITE_STATIC);
	sqlite3_bind_blob64(stmt, 2, payload, len, SQLITE_STATIC);
	return run(s, stmt) ? sqlite3_last_insert_rowid(s->db) : 0;
}

void
state_forget(struct state *s, int64_t record)
{
	sqlite3_stmt *stmt = gather(s, FORGET, false);
	if (!stmt)
		return;
	sqlite3_bind_int64(stmt, 1, record);
	run(s, stmt);
}

bool
state_is_urgent(const struct state *s)
{
	return s && s->urgent;
}

int
state_commit(struct state *s)
{
	if (!s || !s->gathering)
		return 0;
	if (!s->failed && sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
		fail(s);
	int rc = s->failed ? -EIO : 0;
	if (s->failed && !sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	s->gathering = s->urgent = s->failed = false;
	return rc;
}

/* ---- reading -------------------------------------------------------------------------------- */

static sqlite3_stmt *
prepare(struct state *s, const char *text, const char *const *texts, int n)
{
	sqlite3_stmt *stmt = NULL;
	if (!s || sqlite3_prepare_v2(s->db, text, -1, &stmt, NULL) != SQLITE_OK)
		return NULL;
	for (int i = 0; i < n; i++)
		sqlite3_bind_text(stmt, i + 1, texts[i], -1, SQLITE_STATIC);
	return stmt;
}

char *
state_get(struct state *s, const char *kind, const char *key)
{
	const char *const texts[] = {kind, key};
	char *text = NULL;
	sqlite3_stmt *stmt =
		prepare(s, "SELECT text FROM kept WHERE kind = ? AND key = ?", texts, 2);
	if (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		text = strdup((const char *)sqlite3_column_text(stmt, 0));
	sqlite3_finalize(stmt);
	return text;
}

void
state_each(struct state *s, const char *kind, state_text_fn *each, void *arg)
{
	sqlite3_stmt *stmt =
		prepare(s, "SELECT key, text FROM kept WHERE kind = ? ORDER BY key", &kind, 1);
	while (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		each(arg, (const char *)sqlite3_column_text(stmt, 0),
			(const char *)sqlite3_column_text(stmt, 1));
	sqlite3_finalize(stmt);
}

void
state_records(struct state *s, int64_t after, state_record_fn *each, void *arg)
{
	sqlite3_stmt *stmt = prepare(
		s, "SELECT id, topic, payload FROM record WHERE id > ? ORDER BY id", NULL, 0);
	bool more = stmt != NULL;
	if (stmt)
		sqlite3_bind_int64(stmt, 1, after);
	while (more && sqlite3_step(stmt) == SQLITE_ROW)
		more = each(arg, sqlite3_column_int64(stmt, 0),
			(const char *)sqlite3_column_text(stmt, 1), sqlite3_column_blob(stmt, 2),
			(size_t)sqlite3_column_bytes(stmt, 2));
	sqlite3_finalize(stmt);
}

/* ---- identity ------------------------------------------------------------------------------- */

static void
column(sqlite3_stmt *stmt, int i, char *to, size_t size)
{
	const unsigned char *text = sqlite3_column_text(stmt, i);
	snprintf(to, size, "%s", text ? (const char *)text : "");
}

void
state_identity(struct state *s, const char *source, const char *place, struct identity *out)
{
	const char *const texts[] = {source, place};
	*out = (struct identity){{0}, {0}};
	sqlite3_stmt *stmt = prepare(
		s, "SELECT plugged, device FROM identity WHERE source = ? AND place = ?", texts, 2);
	if (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
		column(stmt, 0, out->plugged, sizeof(out->plugged));
		column(stmt, 1, out->device, sizeof(out->device));
	}
	sqlite3_finalize(stmt);
}

int
state_set_identity(
	struct state *s, const char *source, const char *place, const struct identity *now)
{
	const char *const texts[] = {source, place, now->plugged, now->device};
	sqlite3_stmt *stmt = prepare(s,
		"INSERT OR REPLACE INTO identity (source, place, plugged, device) VALUES (?,?,?,?)",
		texts, 4);
	int rc = stmt ? sqlite3_step(stmt) : SQLITE_ERROR;
	sqlite3_finalize(stmt);
	if (s && s->gathering) /* it went into that transaction */
		s->urgent = true;
	return rc == SQLITE_DONE ? 0 : -EIO;
}
