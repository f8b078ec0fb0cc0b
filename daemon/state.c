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

struct state {
	sqlite3 *db;
};

static const char schema[] =
	"PRAGMA journal_mode = WAL;"
	"PRAGMA synchronous = FULL;"
	"CREATE TABLE IF NOT EXISTS identity ("
	"  source TEXT PRIMARY KEY, place TEXT NOT NULL, plugged TEXT NOT NULL, device TEXT NOT NULL"
	") WITHOUT ROWID;";

struct state *
state_open(const char *directory, char *error, size_t size)
{
	struct state *s = calloc(1, sizeof(*s));
	char path[4096];
	snprintf(path, sizeof(path), "%s/state.db", directory);
	if (!s)
		return NULL;
	int rc = sqlite3_open_v2(path, &s->db,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc == SQLITE_OK) {
		sqlite3_busy_timeout(s->db, 1000);
		rc = sqlite3_exec(s->db, schema, NULL, NULL, NULL);
	}
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
	sqlite3_close(s->db);
	free(s);
}

static sqlite3_stmt *
prepare(struct state *s, const char *sql, const char *const *texts, int n)
{
	sqlite3_stmt *stmt = NULL;
	if (!s || sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL) != SQLITE_OK)
		return NULL;
	for (int i = 0; i < n; i++)
		sqlite3_bind_text(stmt, i + 1, texts[i], -1, SQLITE_STATIC);
	return stmt;
}

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
	return rc == SQLITE_DONE ? 0 : -EIO;
}
