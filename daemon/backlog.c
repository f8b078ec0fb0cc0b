/* SPDX-License-Identifier: MIT */
/* backlog.c -- spool.db: what stands in memory of it, and rows in */
#include "daemon/backlog.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/backlog_impl.h"

static const char schema[] =
	"CREATE TABLE stream (id INTEGER PRIMARY KEY, topic TEXT NOT NULL, epoch TEXT NOT NULL,"
	"  mark INTEGER NOT NULL, sent INTEGER NOT NULL, last INTEGER NOT NULL,"
	"  records INTEGER NOT NULL, bytes INTEGER NOT NULL);"
	"CREATE TABLE sample (id INTEGER PRIMARY KEY, stream INTEGER NOT NULL, seq INTEGER NOT NULL,"
	"  ts INTEGER NOT NULL, boot INTEGER, offset INTEGER, text BLOB NOT NULL);"
	/* plain: all of from_seq to to_seq, of a clock that was set. boot, offset: of the first. */
	"CREATE TABLE batch (id INTEGER PRIMARY KEY, stream INTEGER NOT NULL, n INTEGER NOT NULL,"
	"  bytes INTEGER NOT NULL, plain INTEGER NOT NULL, from_seq INTEGER NOT NULL,"
	"  to_seq INTEGER NOT NULL, from_ts INTEGER NOT NULL, to_ts INTEGER NOT NULL,"
	"  boot INTEGER, offset INTEGER, z BLOB NOT NULL);"
	"CREATE TABLE boot (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, offset INTEGER);"
	"CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;";

/* Where live rows wait while the table is emptied; in memory. */
static const char keep[] = "CREATE TEMP TABLE keep (id, stream, seq, ts, boot, offset, text)";

/* ---- streams -------------------------------------------------------------------------------- */

struct stream *
backlog_stream(struct backlog *b, int64_t id)
{
	size_t from = 0, to = b->n_streams;
	while (from < to) {
		size_t middle = (from + to) / 2;
		if (b->streams[middle].id < id)
			from = middle + 1;
		else
			to = middle;
	}
	return from < b->n_streams && b->streams[from].id == id ? &b->streams[from] : NULL;
}

bool
stream_is_dead(const struct stream *s, int64_t row)
{
	return !s || row <= s->mark;
}

int
stream_save(struct backlog *b, const struct stream *s)
{
	return database_run(b->db,
		"UPDATE stream SET mark = ?, sent = ?, last = ?, records = ?, bytes = ?"
		"  WHERE id = ?",
		"iiiiii", s->mark, s->sent, (int64_t)s->last_seq, s->records, s->bytes, s->id);
}

static void
free_streams(struct backlog *b)
{
	for (size_t i = 0; i < b->n_streams; i++) {
		free(b->streams[i].topic);
		free(b->streams[i].epoch);
	}
	free(b->streams);
	b->streams = NULL;
	b->n_streams = b->room = b->hint = 0;
}

static struct stream *
append_stream(struct backlog *b, int64_t id, const char *topic, const char *epoch)
{
	if (b->n_streams == b->room) {
		size_t room = b->room ? 2 * b->room : 16;
		struct stream *grown = realloc(b->streams, room * sizeof(*grown));
		if (!grown)
			return NULL;
		b->streams = grown;
		b->room = room;
	}
	struct stream *s = &b->streams[b->n_streams];
	*s = (struct stream){.id = id, .topic = strdup(topic), .epoch = strdup(epoch)};
	if (s->topic && s->epoch) {
		b->n_streams++;
		return s;
	}
	free(s->topic);
	free(s->epoch);
	return NULL;
}

/* Rows come topic after topic, in the same order each second. */
static struct stream *
find_stream(struct backlog *b, const char *topic, const char *epoch)
{
	for (size_t i = 0; i < b->n_streams; i++) {
		size_t at = (b->hint + i) % b->n_streams;
		struct stream *s = &b->streams[at];
		if (strcmp(s->topic, topic) == 0 && strcmp(s->epoch, epoch) == 0) {
			b->hint = at + 1;
			return s;
		}
	}
	return NULL;
}

static int
use_stream(struct backlog *b, const char *topic, const char *epoch, struct stream **out)
{
	*out = find_stream(b, topic, epoch);
	if (*out)
		return 0;
	int64_t id = b->n_streams ? b->streams[b->n_streams - 1].id + 1 : 1;
	*out = append_stream(b, id, topic, epoch);
	if (!*out)
		return -ENOMEM;
	return database_run(b->db, "INSERT INTO stream VALUES (?, ?, ?, 0, 0, 0, 0, 0)", "itt", id,
		topic, epoch);
}

/* ---- what stands in memory, from the file -----------------------------------------------------
 */

static int
load_streams(struct backlog *b)
{
	struct query *q = database_query(b->db,
		"SELECT id, topic, epoch, mark, sent, last, records, bytes FROM stream"
		"  ORDER BY id",
		"");
	int rc = q ? 1 : database_failure(b->db);
	free_streams(b);
	while (rc == 1 && (rc = database_row(q)) == 1) {
		struct stream *s = append_stream(
			b, database_int(q, 0), database_text(q, 1), database_text(q, 2));
		if (!s) {
			rc = -ENOMEM;
			break;
		}
		s->mark = database_int(q, 3);
		s->sent = database_int(q, 4);
		s->last_seq = (uint64_t)database_int(q, 5);
		s->records = database_int(q, 6);
		s->bytes = database_int(q, 7);
		b->totals.records += s->records;
		b->totals.bytes += s->bytes;
	}
	database_done(q);
	return rc;
}

void
backlog_count_row(struct backlog *b, struct stream *s, int64_t id, int64_t bytes, int sign)
{
	if (stream_is_dead(s, id)) {
		b->totals.dead_bytes += sign * bytes;
		return;
	}
	s->rows += sign;
	s->row_bytes += sign * bytes;
	b->totals.rows += sign;
	b->totals.row_bytes += sign * bytes;
	b->totals.records += sign;
	b->totals.bytes += sign * bytes;
}

static int
load_rows(struct backlog *b)
{
	struct query *q = database_query(
		b->db, "SELECT id, stream, seq, length(text) FROM sample ORDER BY id", "");
	int rc = q ? 1 : database_failure(b->db);
	while (rc == 1 && (rc = database_row(q)) == 1) {
		struct stream *s = backlog_stream(b, database_int(q, 1));
		int64_t id = database_int(q, 0);
		uint64_t seq = (uint64_t)database_int(q, 2);
		if (s && seq > s->last_seq)
			s->last_seq = seq;
		backlog_count_row(b, s, id, database_int(q, 3), 1);
		b->last_row = id > b->last_row ? id : b->last_row;
	}
	database_done(q);
	return rc;
}

static int
load_boots(struct backlog *b)
{
	struct query *q = database_query(b->db, "SELECT id, offset FROM boot", "");
	int rc = q ? 1 : database_failure(b->db);
	b->n_boots = 0;
	while (rc == 1 && (rc = database_row(q)) == 1) {
		struct known_boot *grown = realloc(b->boots, (b->n_boots + 1) * sizeof(*b->boots));
		if (!grown) {
			rc = -ENOMEM;
			break;
		}
		b->boots = grown;
		b->boots[b->n_boots++] = (struct known_boot){.id = database_int(q, 0),
			.offset_ms = database_int(q, 1),
			.is_synced = !database_is_null(q, 1)};
	}
	database_done(q);
	return rc;
}

static int
load_last_row(struct backlog *b)
{
	struct query *q =
		database_query(b->db, "SELECT value FROM counter WHERE name = 'last_row'", "");
	int rc = q ? database_row(q) : database_failure(b->db);
	if (rc == 1)
		b->kept_last_row = b->last_row = database_int(q, 0);
	database_done(q);
	return rc < 0 ? rc : 0;
}

static int
load(struct backlog *b)
{
	b->stale = true;
	b->totals = (struct totals){.dead_batches = 1}; /* not known */
	int rc = load_last_row(b);
	if (rc == 0)
		rc = load_streams(b);
	if (rc == 0)
		rc = load_rows(b);
	if (rc == 0)
		rc = load_boots(b);
	b->stale = rc < 0;
	return rc;
}

int
backlog_ready(struct backlog *b)
{
	return b->stale ? load(b) : 0;
}

/* Before the row with the highest id goes, that id is written down. */
static int
save_last_row(struct backlog *b)
{
	if (b->kept_last_row == b->last_row)
		return 0;
	struct query *q = database_query(b->db, "SELECT coalesce(max(id), 0) FROM sample", "");
	int rc = q ? database_row(q) : database_failure(b->db);
	bool there = rc == 1 && database_int(q, 0) >= b->last_row;
	database_done(q);
	if (rc < 0 || there)
		return rc < 0 ? rc : 0;
	b->kept_last_row = b->last_row;
	return database_run(
		b->db, "INSERT OR REPLACE INTO counter VALUES ('last_row', ?)", "i", b->last_row);
}

int
backlog_begin(struct backlog *b)
{
	int rc = backlog_ready(b);
	return rc < 0 ? rc : database_begin(b->db);
}

int
backlog_end(struct backlog *b, int rc)
{
	if (rc == 0)
		rc = save_last_row(b);
	if (rc == 0)
		rc = database_commit(b->db);
	else
		database_rollback(b->db);
	b->stale |= rc < 0;
	return rc;
}

int64_t
backlog_step_bytes(const struct backlog *b)
{
	return database_wal_bytes(b->max_bytes) / 4;
}

int64_t
backlog_step_batches(const struct backlog *b)
{
	int64_t n = backlog_step_bytes(b) / 4096;
	return n < 64 ? n : 64;
}

/* ---- opening -------------------------------------------------------------------------------- */

static int
remove_idle(struct backlog *b, const char *boot)
{
	if (b->totals.dead_bytes) /* the number of a stream may be given again */
		return 0;
	int rc = backlog_begin(b);
	for (size_t i = 0; rc == 0 && i < b->n_streams; i++)
		if (b->streams[i].rows + b->streams[i].records == 0)
			rc = database_run(
				b->db, "DELETE FROM stream WHERE id = ?", "i", b->streams[i].id);
	if (rc == 0 && b->totals.records == 0)
		rc = database_run(b->db, "DELETE FROM boot WHERE name != ?", "t", boot);
	return backlog_end(b, rc);
}

static int
begin_boot(struct backlog *b, const char *boot)
{
	int rc = database_run(b->db, "INSERT OR IGNORE INTO boot (name) VALUES (?)", "t", boot);
	struct query *q =
		rc < 0 ? NULL
		       : database_query(b->db, "SELECT id FROM boot WHERE name = ?", "t", boot);
	rc = q ? database_row(q) : database_failure(b->db);
	if (rc == 1)
		b->boot = database_int(q, 0);
	database_done(q);
	return rc < 0 ? rc : load(b);
}

static int
open_once(struct backlog *b, const char *directory, const char *boot, struct opened *how)
{
	struct database_plan plan = {.name = "spool.db",
		.version = 1,
		.full = true,
		.schema = schema,
		.max_bytes = b->max_bytes - database_wal_bytes(b->max_bytes)};
	b->db = database_open(directory, &plan, how);
	if (!b->db)
		return how->rc;
	int rc = database_run(b->db, keep, "");
	if (rc == 0)
		rc = load(b);
	if (rc == 0)
		rc = backlog_purge(b, true);
	if (rc == 0)
		rc = remove_idle(b, boot);
	if (rc == 0 || rc == -ENOSPC) /* it is full of what can go later */
		rc = begin_boot(b, boot);
	if (rc < 0) {
		how->rc = rc;
		snprintf(how->error, sizeof(how->error), "%s", database_error(b->db));
		database_close(b->db);
		b->db = NULL;
	}
	return rc;
}

struct backlog *
backlog_open(const char *directory, const char *boot, int64_t max_bytes, struct opened *how)
{
	struct backlog *b = calloc(1, sizeof(*b));
	*how = (struct opened){.rc = -ENOMEM, .error = "out of memory"};
	if (!b)
		return NULL;
	b->max_bytes = max_bytes;
	int rc = open_once(b, directory, boot, how);
	if (rc == -EILSEQ) { /* found only now; closing has set it aside */
		rc = open_once(b, directory, boot, how);
		how->aside = ASIDE_CORRUPT;
	}
	if (rc == 0)
		return b;
	backlog_close(b);
	return NULL;
}

void
backlog_close(struct backlog *b)
{
	if (!b)
		return;
	database_close(b->db);
	free_streams(b);
	free(b->boots);
	free(b);
}

const char *
backlog_error(const struct backlog *b)
{
	return database_error(b->db);
}

int
backlog_failure(const struct backlog *b)
{
	return database_failure(b->db);
}

bool
backlog_is_corrupt(const struct backlog *b)
{
	return database_is_corrupt(b->db);
}

/* ---- rows in -------------------------------------------------------------------------------- */

static int
insert(struct backlog *b, const struct row *r)
{
	struct stream *s;
	int64_t boot = r->stamp.unsynced ? b->boot : 0;
	int rc = use_stream(b, r->topic, r->epoch, &s);
	if (rc < 0)
		return rc;
	struct query *q = database_query(b->db,
		"INSERT OR IGNORE INTO sample VALUES (?, ?, ?, ?, nullif(?, 0), ?, ?)"
		"  RETURNING 1",
		"iiiiiib", r->id, s->id, (int64_t)r->seq, r->ts_ms, boot, r->stamp.offset_ms,
		(const void *)r->text, r->len);
	rc = q ? database_row(q) : database_failure(b->db);
	database_done(q);
	if (rc != 1)
		return rc;
	backlog_count_row(b, s, r->id, (int64_t)r->len, 1);
	s->last_seq = r->seq > s->last_seq ? r->seq : s->last_seq;
	b->last_row = r->id > b->last_row ? r->id : b->last_row;
	return 0;
}

static int delete (struct backlog *b, int64_t id)
{
	struct query *q = database_query(
		b->db, "DELETE FROM sample WHERE id = ? RETURNING stream, length(text)", "i", id);
	int rc = q ? database_row(q) : database_failure(b->db);
	if (rc == 1)
		backlog_count_row(
			b, backlog_stream(b, database_int(q, 0)), id, database_int(q, 1), -1);
	database_done(q);
	return rc < 0 ? rc : 0;
}

/* Rows until a transaction is as large as it may be. */
static int
insert_some(struct backlog *b, const struct row *rows, size_t n, size_t *at)
{
	int64_t bytes = 0;
	int rc = 0;
	for (; rc == 0 && *at < n && bytes < backlog_step_bytes(b); ++*at) {
		rc = insert(b, &rows[*at]);
		bytes += (int64_t)rows[*at].len;
	}
	return rc;
}

int
backlog_store(struct backlog *b, const struct row *rows, size_t n_rows, const int64_t *gone,
	size_t n_gone)
{
	size_t at = 0;
	int64_t before = b->totals.row_bytes;
	int rc = backlog_begin(b);
	if (rc < 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < n_gone; i++)
		rc = delete (b, gone[i]);
	if (rc == 0)
		rc = insert_some(b, rows, n_rows, &at);
	rc = backlog_end(b, rc);
	while (rc == 0 && at < n_rows) {
		rc = backlog_begin(b);
		if (rc == 0)
			rc = backlog_end(b, insert_some(b, rows, n_rows, &at));
	}
	if (b->totals.row_bytes - before > b->largest_store)
		b->largest_store = b->totals.row_bytes - before;
	if (rc == 0 && n_gone)
		backlog_purge(b, false);
	return rc;
}

/* ---- the rest ------------------------------------------------------------------------------- */

int
backlog_synced(struct backlog *b, int64_t offset_ms)
{
	int64_t known;
	int rc = backlog_ready(b);
	if (rc < 0 || (backlog_is_synced(b, &known) && known == offset_ms))
		return rc;
	rc = database_run(
		b->db, "UPDATE boot SET offset = ? WHERE id = ?", "ii", offset_ms, b->boot);
	return rc < 0 ? rc : load_boots(b);
}

bool
backlog_is_synced(const struct backlog *b, int64_t *offset_ms)
{
	for (size_t i = 0; i < b->n_boots; i++)
		if (b->boots[i].id == b->boot) {
			*offset_ms = b->boots[i].offset_ms;
			return b->boots[i].is_synced;
		}
	return false;
}

uint64_t
backlog_last_seq(struct backlog *b, const char *topic, const char *epoch)
{
	const struct stream *s = backlog_ready(b) < 0 ? NULL : find_stream(b, topic, epoch);
	return s ? s->last_seq : 0;
}

static int64_t
oldest_ts(struct backlog *b)
{
	int64_t row = INT64_MAX, stream, delta = 0;
	struct query *q = NULL;
	if (backlog_next_row(b, INT64_MIN, INT64_MAX, &row, &stream) >= 0)
		q = database_query(b->db,
			"SELECT from_ts AS ts, boot, offset, id FROM batch WHERE id < ?1"
			"  AND id > (SELECT sent FROM stream WHERE stream.id = batch.stream)"
			"  UNION ALL SELECT ts, boot, offset, id FROM sample WHERE id = ?1"
			"  ORDER BY id LIMIT 1",
			"i", row);
	int64_t ts = 0;
	if (q && database_row(q) == 1) {
		struct item item = {.boot = database_int(q, 1), .offset_ms = database_int(q, 2)};
		ts = database_int(q, 0) + (backlog_delta(b, &item, &delta) ? delta : 0);
	}
	database_done(q);
	return ts;
}

void
backlog_stats(const struct backlog *b, struct backlog_stats *out)
{
	*out = (struct backlog_stats){.records = b->totals.records,
		.bytes = b->totals.bytes,
		.disk_bytes = database_disk_bytes(b->db),
		.last_row = b->last_row,
		.oldest_ts_ms = b->totals.records ? oldest_ts((struct backlog *)b) : 0};
}
