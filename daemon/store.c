/* SPDX-License-Identifier: MIT */
/* store.c -- state.db: kept texts, records, dead letters
 *
 * A record's wall times stay as they were written; where they came from a clock that was not set
 * yet, they are mended when they are read.
 */
#include "daemon/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEAD_LETTERS_MAX = 1000, DEAD_BYTES_MAX = 4 * 1024 * 1024 };

struct totals {
	int64_t records, bytes, dead, dead_bytes;
};

struct store {
	struct database *db;
	int64_t boot, last_record;
	bool is_synced;
	int64_t offset_ms;
	struct totals totals;
	bool stale; /* totals: a transaction failed */
};

#define BOOT                                                                                       \
	"CREATE TABLE boot (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, offset INTEGER);"
#define DEAD                                                                                       \
	"CREATE TABLE dead (id INTEGER PRIMARY KEY, topic TEXT NOT NULL, epoch TEXT NOT NULL,"     \
	"  seq INTEGER NOT NULL, ts INTEGER NOT NULL, boot INTEGER, offset INTEGER,"               \
	"  reason INTEGER NOT NULL, payload BLOB NOT NULL);"

/* AUTOINCREMENT: sqlite_sequence knows the highest number when the table is empty again. */
static const char schema[] =
	"CREATE TABLE kept (kind TEXT NOT NULL, key TEXT NOT NULL, text TEXT NOT NULL,"
	"  PRIMARY KEY (kind, key)) WITHOUT ROWID;"
	"CREATE TABLE record (id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL,"
	"  epoch TEXT NOT NULL, seq INTEGER NOT NULL, ts INTEGER NOT NULL, boot INTEGER,"
	"  offset INTEGER, payload BLOB NOT NULL);" DEAD BOOT;

/* What a record says of itself was only in its payload. */
static const char *const migrations[] = {
	"INSERT OR REPLACE INTO kept (kind, key, text)"
	"  SELECT 'identity', source || ' ' || place, plugged || char(10) || device FROM identity;"
	"DROP TABLE identity;"
	"ALTER TABLE record ADD COLUMN epoch TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE record ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE record ADD COLUMN ts INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE record ADD COLUMN boot INTEGER;"
	"ALTER TABLE record ADD COLUMN offset INTEGER;"
	"UPDATE record SET"
	"  epoch = coalesce(json_extract(CAST(payload AS TEXT), '$.epoch'), ''),"
	"  seq = coalesce(CAST(json_extract(CAST(payload AS TEXT), '$.seq') AS INTEGER), 0),"
	"  ts = coalesce(CAST(json_extract(CAST(payload AS TEXT), '$.ts') AS INTEGER), 0)"
	"  WHERE json_valid(CAST(payload AS TEXT));" DEAD BOOT,
	NULL};

/* ---- opening -------------------------------------------------------------------------------- */

static int
load_boot(struct store *s, const char *boot)
{
	struct query *q =
		database_query(s->db, "SELECT id, offset FROM boot WHERE name = ?", "t", boot);
	int rc = q ? database_row(q) : database_failure(s->db);
	if (rc == 1) {
		s->boot = database_int(q, 0);
		s->is_synced = !database_is_null(q, 1);
		s->offset_ms = database_int(q, 1);
	}
	database_done(q);
	return rc;
}

/* Boots that nothing waits from are forgotten. */
static int
begin_boot(struct store *s, const char *boot)
{
	int rc = load_boot(s, boot);
	if (rc == 0)
		rc = database_run(s->db, "INSERT INTO boot (name) VALUES (?)", "t", boot);
	if (rc == 0)
		rc = load_boot(s, boot);
	if (rc < 0)
		return rc;
	return database_run(s->db,
		"DELETE FROM boot WHERE id != ? AND NOT EXISTS (SELECT 1 FROM record"
		"  WHERE record.boot = boot.id) AND NOT EXISTS (SELECT 1 FROM dead"
		"  WHERE dead.boot = boot.id)",
		"i", s->boot);
}

/* Up to two numbers of one row. */
static int
numbers(struct store *s, const char *sql, int64_t *a, int64_t *b)
{
	struct query *q = database_query(s->db, sql, "");
	int rc = q ? database_row(q) : database_failure(s->db);
	if (rc == 1) {
		*a = database_int(q, 0);
		if (b)
			*b = database_int(q, 1);
	}
	database_done(q);
	return rc < 0 ? rc : 0;
}

static int
load_totals(struct store *s)
{
	struct totals *t = &s->totals;
	int rc = numbers(s, "SELECT count(*), coalesce(sum(length(payload)), 0) FROM record",
		&t->records, &t->bytes);
	if (rc == 0)
		rc = numbers(s, "SELECT count(*), coalesce(sum(length(payload)), 0) FROM dead",
			&t->dead, &t->dead_bytes);
	if (rc == 0)
		rc = numbers(s, "SELECT seq FROM sqlite_sequence WHERE name = 'record'",
			&s->last_record, NULL);
	s->stale = rc < 0;
	return rc;
}

static int
open_once(struct store *s, const char *directory, const char *boot, struct opened *how)
{
	static const struct database_plan plan = {.name = "state.db",
		.version = 1,
		.full = true,
		.schema = schema,
		.migrations = migrations};
	s->db = database_open(directory, &plan, how);
	if (!s->db)
		return how->rc;
	how->rc = begin_boot(s, boot);
	if (how->rc == 0)
		how->rc = load_totals(s);
	if (how->rc < 0) {
		snprintf(how->error, sizeof(how->error), "%s", database_error(s->db));
		database_close(s->db);
		s->db = NULL;
	}
	return how->rc;
}

struct store *
store_open(const char *directory, const char *boot, struct opened *how)
{
	struct store *s = calloc(1, sizeof(*s));
	*how = (struct opened){.rc = -ENOMEM, .error = "out of memory"};
	if (!s)
		return NULL;
	int rc = open_once(s, directory, boot, how);
	if (rc == -EILSEQ) { /* found only now; closing has set it aside */
		rc = open_once(s, directory, boot, how);
		how->aside = ASIDE_CORRUPT;
	}
	if (rc == 0)
		return s;
	free(s);
	return NULL;
}

void
store_close(struct store *s)
{
	if (!s)
		return;
	database_close(s->db);
	free(s);
}

const char *
store_error(const struct store *s)
{
	return database_error(s->db);
}

int
store_failure(const struct store *s)
{
	return database_failure(s->db);
}

bool
store_is_corrupt(const struct store *s)
{
	return database_is_corrupt(s->db);
}

/* ---- changes -------------------------------------------------------------------------------- */

/* A statement that deletes and returns the length of what it deleted. */
static int
delete_counting(struct query *q, struct store *s, int64_t *n, int64_t *bytes)
{
	int rc = q ? 1 : database_failure(s->db);
	while (rc == 1 && (rc = database_row(q)) == 1) {
		*n -= 1;
		*bytes -= database_int(q, 0);
	}
	database_done(q);
	return rc;
}

static int
forget(struct store *s, int64_t record)
{
	struct query *q = database_query(
		s->db, "DELETE FROM record WHERE id = ? RETURNING length(payload)", "i", record);
	return delete_counting(q, s, &s->totals.records, &s->totals.bytes);
}

static int
record(struct store *s, const struct change *c)
{
	int64_t boot = c->stamp.unsynced ? s->boot : 0;
	int rc = forget(s, c->record); /* one that comes twice stands once */
	if (rc == 0)
		rc = database_run(s->db,
			"INSERT INTO record (id, topic, epoch, seq, ts, boot, offset, payload)"
			"  VALUES (?, ?, ?, ?, ?, nullif(?, 0), ?, ?)",
			"ittiiiib", c->record, c->topic, c->epoch ? c->epoch : "", (int64_t)c->seq,
			c->ts_ms, boot, c->stamp.offset_ms, c->text, c->len);
	s->totals.records++;
	s->totals.bytes += (int64_t)c->len;
	if (c->record > s->last_record)
		s->last_record = c->record;
	return rc;
}

static int
bury(struct store *s, const struct change *c)
{
	int64_t boot = c->stamp.unsynced ? s->boot : 0;
	if (!c->topic || !c->text)
		return 0;
	int rc = database_run(s->db,
		"INSERT INTO dead (topic, epoch, seq, ts, boot, offset, reason, payload)"
		"  VALUES (?, ?, ?, ?, nullif(?, 0), ?, ?, ?)",
		"ttiiiiib", c->topic, c->epoch ? c->epoch : "", (int64_t)c->seq, c->ts_ms, boot,
		c->stamp.offset_ms, (int64_t)c->reason, c->text, c->len);
	s->totals.dead++;
	s->totals.dead_bytes += (int64_t)c->len;
	return rc;
}

static int
bury_record(struct store *s, const struct change *c, bool *found)
{
	struct query *q = database_query(s->db,
		"INSERT INTO dead (topic, epoch, seq, ts, boot, offset, reason, payload)"
		"  SELECT topic, epoch, seq, ts, boot, offset, ?, payload FROM record WHERE id = ?"
		"  RETURNING length(payload)",
		"ii", (int64_t)c->reason, c->record);
	int rc = q ? database_row(q) : database_failure(s->db);
	*found = rc == 1;
	if (*found) {
		s->totals.dead++;
		s->totals.dead_bytes += database_int(q, 0);
	}
	database_done(q);
	return rc < 0 ? rc : forget(s, c->record);
}

static int
reject(struct store *s, const struct change *c)
{
	bool found = false;
	int rc = c->record ? bury_record(s, c, &found) : 0;
	if (rc == 0 && !found)
		rc = bury(s, c);
	while (rc == 0 &&
		(s->totals.dead > DEAD_LETTERS_MAX || s->totals.dead_bytes > DEAD_BYTES_MAX)) {
		int64_t before = s->totals.dead;
		struct query *q = database_query(s->db,
			"DELETE FROM dead WHERE id = (SELECT min(id) FROM dead)"
			"  RETURNING length(payload)",
			"");
		rc = delete_counting(q, s, &s->totals.dead, &s->totals.dead_bytes);
		if (s->totals.dead == before)
			break;
	}
	return rc;
}

static int
apply_one(struct store *s, const struct change *c)
{
	switch (c->what) {
	case CHANGE_PUT:
		return database_run(s->db,
			"INSERT OR REPLACE INTO kept (kind, key, text) VALUES (?, ?, ?)", "ttt",
			c->kind, c->key, c->text);
	case CHANGE_DROP:
		return database_run(s->db, "DELETE FROM kept WHERE kind = ? AND key = ?", "tt",
			c->kind, c->key);
	case CHANGE_RECORD:
		return record(s, c);
	case CHANGE_FORGET:
		return forget(s, c->record);
	case CHANGE_REJECT:
		return reject(s, c);
	}
	return -EINVAL;
}

static int
begin(struct store *s)
{
	int rc = s->stale ? load_totals(s) : 0;
	return rc < 0 ? rc : database_begin(s->db);
}

static int
end(struct store *s, int rc)
{
	if (rc < 0)
		database_rollback(s->db);
	else
		rc = database_commit(s->db);
	s->stale |= rc < 0;
	return rc;
}

int
store_apply(struct store *s, const struct change *first)
{
	int rc = begin(s);
	if (rc < 0)
		return rc;
	for (const struct change *c = first; c && rc == 0; c = c->next)
		rc = apply_one(s, c);
	return end(s, rc);
}

int
store_synced(struct store *s, int64_t offset_ms)
{
	if (s->is_synced && s->offset_ms == offset_ms)
		return 0;
	int rc = database_run(
		s->db, "UPDATE boot SET offset = ? WHERE id = ?", "ii", offset_ms, s->boot);
	if (rc == 0) {
		s->is_synced = true;
		s->offset_ms = offset_ms;
	}
	return rc;
}

bool
store_is_synced(const struct store *s, int64_t *offset_ms)
{
	*offset_ms = s->offset_ms;
	return s->is_synced;
}

int64_t
store_forget_upto(struct store *s, const char *topic, const char *epoch, uint64_t seq)
{
	int rc = begin(s);
	if (rc < 0)
		return rc;
	int64_t before = s->totals.records;
	struct query *q = database_query(s->db,
		"DELETE FROM record WHERE topic = ? AND epoch = ? AND seq <= ?"
		"  RETURNING length(payload)",
		"tti", topic, epoch, (int64_t)seq);
	rc = end(s, delete_counting(q, s, &s->totals.records, &s->totals.bytes));
	return rc < 0 ? rc : before - s->totals.records;
}

int64_t
store_oldest_record(struct store *s)
{
	struct query *q = database_query(s->db, "SELECT coalesce(min(id), 0) FROM record", "");
	int64_t oldest = 0;
	int rc;
	if (!q)
		return -EIO;
	rc = database_row(q);
	if (rc == 1)
		oldest = database_int(q, 0);
	database_done(q);
	return rc < 0 ? rc : oldest;
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Columns id, topic, epoch, seq, ts, reason, payload, delta (NULL: nothing to mend), the wrong
 * clock's time of the boot. */
#define LETTER(table, reason)                                                                      \
	"SELECT x.id, topic, epoch, seq, ts, " reason ", payload, boot.offset - x.offset,"         \
	"  x.offset FROM " table                                                                   \
	" x LEFT JOIN boot ON boot.id = x.boot WHERE x.id > ? ORDER BY x.id"

static int
tell(struct query *q, store_record_fn *each, void *arg, bool *more)
{
	struct store_record r = {.record = database_int(q, 0),
		.topic = database_text(q, 1),
		.epoch = database_text(q, 2),
		.seq = (uint64_t)database_int(q, 3),
		.ts_ms = database_int(q, 4),
		.reason = (int)database_int(q, 5)};
	char *mended = NULL;
	r.payload = database_blob(q, 6, &r.len);
	if (!database_is_null(q, 7)) {
		int64_t delta = database_int(q, 7);
		mended = malloc(r.len + 64);
		if (!mended)
			return -ENOMEM;
		size_t len = stamp_mend_since(
			r.payload, r.len, database_int(q, 8), delta, mended, r.len + 64);
		r.ts_ms += delta;
		r.payload = len ? mended : r.payload;
		r.len = len ? len : r.len;
	}
	*more = each(arg, &r);
	free(mended);
	return 0;
}

static int
each_letter(struct store *s, const char *sql, int64_t after, store_record_fn *each, void *arg)
{
	struct query *q = database_query(s->db, sql, "i", after);
	int rc = q ? 1 : database_failure(s->db);
	bool more = true;
	while (rc == 1 && more && (rc = database_row(q)) == 1) {
		int told = tell(q, each, arg, &more);
		if (told < 0)
			rc = told;
	}
	database_done(q);
	return rc < 0 ? rc : 0;
}

int
store_records(struct store *s, int64_t after, store_record_fn *each, void *arg)
{
	return each_letter(s, LETTER("record", "0"), after, each, arg);
}

int
store_dead_letters(struct store *s, int64_t after, store_record_fn *each, void *arg)
{
	return each_letter(s, LETTER("dead", "reason"), after, each, arg);
}

int
store_each(struct store *s, store_text_fn *each, void *arg)
{
	struct query *q =
		database_query(s->db, "SELECT kind, key, text FROM kept ORDER BY kind, key", "");
	int rc = q ? 1 : database_failure(s->db);
	while (rc == 1 && (rc = database_row(q)) == 1)
		each(arg, database_text(q, 0), database_text(q, 1), database_text(q, 2));
	database_done(q);
	return rc;
}

struct evicting {
	const char *but;
	store_record_fn *each;
	void *arg;
	int64_t left, upto;
};

static bool
evict_one(void *arg, const struct store_record *r)
{
	struct evicting *e = arg;
	if (strcmp(r->topic, e->but) == 0)
		return true;
	if (!e->each(e->arg, r))
		return false;
	e->upto = r->record;
	e->left -= (int64_t)r->len;
	return e->left > 0;
}

int
store_evict(struct store *s, int64_t bytes, const char *but, store_record_fn *each, void *arg)
{
	struct evicting e = {.but = but ? but : "", .each = each, .arg = arg, .left = bytes};
	int rc = bytes > 0 ? store_records(s, INT64_MIN, evict_one, &e) : 0;
	if (rc < 0 || e.left == bytes)
		return rc;
	rc = begin(s);
	if (rc < 0)
		return rc;
	struct query *q = database_query(s->db,
		"DELETE FROM record WHERE id <= ? AND topic <> ? RETURNING length(payload)", "it",
		e.upto, e.but);
	return end(s, delete_counting(q, s, &s->totals.records, &s->totals.bytes));
}

int
store_stats(struct store *s, struct store_stats *out)
{
	int rc = s->stale ? load_totals(s) : 0;
	*out = (struct store_stats){.records = s->totals.records,
		.bytes = s->totals.bytes,
		.last_record = s->last_record,
		.dead = s->totals.dead,
		.disk_bytes = database_disk_bytes(s->db)};
	return rc < 0 ? rc
		      : numbers(s,
				"SELECT coalesce(x.ts + coalesce(boot.offset - x.offset, 0), 0)"
				"  FROM record x LEFT JOIN boot ON boot.id = x.boot"
				"  ORDER BY x.id LIMIT 1",
				&out->oldest_ts_ms, NULL);
}
