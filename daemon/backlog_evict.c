/* SPDX-License-Identifier: MIT */
/* backlog_evict.c -- what goes, oldest first, when there is no more room
 *
 * First a plan, so that what is lost can be told before it goes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/backlog_impl.h"

#define PIECE_MIN (64 * 1024LL)

/* ---- a plan --------------------------------------------------------------------------------- */

struct planning {
	struct backlog *b;
	struct eviction *e;
	size_t lost_room, batch_room;
	const struct unit *busy;
	int64_t left; /* bytes that have to go */
};

static int
new_lost(struct planning *p, struct stream *s)
{
	struct eviction *e = p->e;
	if (e->n == p->lost_room) {
		size_t room = p->lost_room ? 2 * p->lost_room : 16;
		struct lost *grown = realloc(e->lost, room * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		e->lost = grown;
		p->lost_room = room;
	}
	struct lost *l = &e->lost[e->n];
	*l = (struct lost){.topic = strdup(s->topic), .epoch = strdup(s->epoch)};
	s->lost = ++e->n;
	return l->topic && l->epoch ? 0 : -ENOMEM;
}

/* A run of records; it continues what is lost of this stream so far, or a new range begins. */
static int
lose(struct planning *p, struct stream *s, const struct lost *run)
{
	struct lost *l = s->lost ? &p->e->lost[s->lost - 1] : NULL;
	if (!l || l->to_seq + 1 != run->from_seq) {
		int rc = new_lost(p, s);
		if (rc < 0)
			return rc;
		l = &p->e->lost[s->lost - 1];
		l->from_seq = run->from_seq;
		l->from_ts_ms = run->from_ts_ms;
	}
	l->to_seq = run->to_seq;
	l->to_ts_ms = run->to_ts_ms;
	l->count += run->count;
	return 0;
}

static int
lose_item(struct planning *p, struct stream *s, const struct item *item)
{
	int64_t delta = 0;
	backlog_delta(p->b, item, &delta);
	const struct lost run = {.from_seq = item->seq,
		.to_seq = item->seq,
		.from_ts_ms = item->ts_ms + delta,
		.to_ts_ms = item->ts_ms + delta,
		.count = 1};
	return lose(p, s, &run);
}

/* Where one cannot be read, what stands beside it has to do. */
static int
lose_batch_items(struct planning *p, struct stream *s, int64_t id, const struct lost *run)
{
	struct pack pack = {0};
	int rc = backlog_read_batch(p->b, id, &pack);
	if (rc == -EILSEQ && !backlog_is_corrupt(p->b))
		rc = lose(p, s, run);
	for (size_t i = 0; rc == 0 && i < pack.n; i++)
		rc = lose_item(p, s, &pack.items[i]);
	pack_free(&pack);
	return rc;
}

/* q: id, stream, n, plain, from_seq, to_seq, from_ts, to_ts, length. */
static int
lose_batch(struct planning *p, struct query *q)
{
	struct eviction *e = p->e;
	struct stream *s = backlog_stream(p->b, database_int(q, 1));
	const struct lost run = {.from_seq = (uint64_t)database_int(q, 4),
		.to_seq = (uint64_t)database_int(q, 5),
		.from_ts_ms = database_int(q, 6),
		.to_ts_ms = database_int(q, 7),
		.count = database_int(q, 2)};
	if (e->n_batches == p->batch_room) {
		size_t room = p->batch_room ? 2 * p->batch_room : 64;
		int64_t *grown = realloc(e->batches, room * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		e->batches = grown;
		p->batch_room = room;
	}
	e->batches[e->n_batches++] = database_int(q, 0);
	p->left -= database_int(q, 8);
	if (!s)
		return 0;
	return database_int(q, 3) ? lose(p, s, &run)
				  : lose_batch_items(p, s, database_int(q, 0), &run);
}

/* q: id, stream, seq, ts, boot, offset, length. */
static int
lose_row(struct planning *p, struct query *q)
{
	const struct item item = {.seq = (uint64_t)database_int(q, 2),
		.ts_ms = database_int(q, 3),
		.boot = database_int(q, 4),
		.offset_ms = database_int(q, 5)};
	p->e->row_upto = database_int(q, 0);
	p->left -= database_int(q, 6);
	return lose_item(p, backlog_stream(p->b, database_int(q, 1)), &item);
}

static bool
is_kept_row(const struct planning *p, struct query *q)
{
	int64_t id = database_int(q, 0), stream = database_int(q, 1);
	return (p->e->busy_stream == stream && id <= p->e->busy_row) ||
	       stream_is_dead(backlog_stream(p->b, stream), id);
}

static bool
is_kept_batch(const struct planning *p, struct query *q)
{
	int64_t id = database_int(q, 0);
	const struct stream *s = backlog_stream(p->b, database_int(q, 1));
	return (p->busy && p->busy->batch && p->busy->id == id) || (s && id <= s->sent);
}

/* The next that may go: 1, 0: no more, -errno. */
static int
step_batch(const struct planning *p, struct query *q)
{
	int rc;
	do
		rc = database_row(q);
	while (rc == 1 && is_kept_batch(p, q));
	return rc;
}

static int
step_row(const struct planning *p, struct query *q)
{
	int rc;
	do
		rc = database_row(q);
	while (rc == 1 && is_kept_row(p, q));
	return rc;
}

static int
walk(struct planning *p, struct query *batches, struct query *rows)
{
	int batch = step_batch(p, batches), row = step_row(p, rows), rc = 0;
	while (rc == 0 && batch >= 0 && row >= 0 && p->left > 0 && batch + row > 0) {
		if (batch && (!row || database_int(batches, 0) < database_int(rows, 0))) {
			rc = lose_batch(p, batches);
			batch = step_batch(p, batches);
		} else {
			rc = lose_row(p, rows);
			row = step_row(p, rows);
		}
	}
	return rc < 0 ? rc : batch < 0 ? batch : row < 0 ? row : 0;
}

#define BATCH_COLUMNS "id, stream, n, plain, from_seq, to_seq, from_ts, to_ts, length(z)"

static int
plan_oldest(struct planning *p, int64_t floor)
{
	struct query *batches = database_query(p->b->db,
		"SELECT " BATCH_COLUMNS " FROM batch WHERE id < ? ORDER BY id", "i", floor);
	struct query *rows = database_query(p->b->db,
		"SELECT id, stream, seq, ts, boot, offset, length(text) FROM sample WHERE id < ?"
		"  ORDER BY id",
		"i", floor);
	int rc = batches && rows ? walk(p, batches, rows) : database_failure(p->b->db);
	database_done(batches);
	database_done(rows);
	return rc;
}

static int
plan_bad(struct planning *p)
{
	struct query *q = database_query(
		p->b->db, "SELECT " BATCH_COLUMNS " FROM batch WHERE id = ?", "i", p->b->bad_batch);
	int rc = q ? database_row(q) : database_failure(p->b->db);
	if (rc == 1)
		rc = lose_batch(p, q);
	database_done(q);
	p->e->corrupt = true;
	p->b->bad_batch = 0;
	return rc;
}

/* How much has to go. Beside what is there, two seconds' rows and a fold need room, and what a
 * fold leaves dead. */
static int64_t
surplus(struct backlog *b, int64_t other_bytes)
{
	int64_t file = b->max_bytes - database_wal_bytes(b->max_bytes) - other_bytes;
	int64_t store = 2 * b->largest_store > PIECE_MIN ? 2 * b->largest_store : PIECE_MIN;
	int64_t limit = file - store - backlog_fold_bytes(b);
	database_limit(b->db, file > PIECE_MIN ? file : PIECE_MIN);
	if (database_bytes(b->db) > limit)
		backlog_purge(b, true);
	return database_bytes(b->db) - limit;
}

int
backlog_plan(struct backlog *b, int64_t floor, const struct unit *busy, int64_t other_bytes,
	struct eviction **out)
{
	int64_t piece = b->max_bytes / 32 > PIECE_MIN ? b->max_bytes / 32 : PIECE_MIN;
	int rc = backlog_ready(b);
	*out = NULL;
	if (rc < 0)
		return rc;
	int64_t over = surplus(b, other_bytes);
	if ((over <= 0 && !b->bad_batch) || b->totals.records == 0)
		return 0;
	struct planning p = {.b = b, .busy = busy, .left = over > piece ? over : piece};
	p.e = calloc(1, sizeof(*p.e));
	if (!p.e)
		return -ENOMEM;
	if (busy && !busy->batch) {
		p.e->busy_stream = busy->stream;
		p.e->busy_row = busy->id;
	}
	for (size_t i = 0; i < b->n_streams; i++)
		b->streams[i].lost = 0;
	rc = b->bad_batch ? plan_bad(&p) : plan_oldest(&p, floor);
	if (rc == 0 && p.e->n > 0)
		*out = p.e;
	else
		eviction_free(p.e);
	return rc;
}

void
eviction_free(struct eviction *e)
{
	if (!e)
		return;
	for (size_t i = 0; i < e->n; i++) {
		free((char *)e->lost[i].topic);
		free((char *)e->lost[i].epoch);
	}
	free(e->lost);
	free(e->batches);
	free(e);
}

/* ---- carried out ---------------------------------------------------------------------------- */

static int
evict_batches(struct backlog *b, const struct eviction *e)
{
	int64_t n = backlog_step_batches(b);
	int rc = 0;
	for (size_t at = 0; rc == 0 && at < e->n_batches;) {
		rc = backlog_begin(b);
		if (rc < 0)
			return rc;
		for (int64_t i = 0; rc == 0 && i < n && at < e->n_batches; i++)
			rc = backlog_delete_batch(b, e->batches[at++]);
		rc = backlog_end(b, rc);
	}
	return rc;
}

static int
evict_rows(struct backlog *b, const struct eviction *e)
{
	int begun = backlog_begin(b);
	if (begun < 0)
		return begun;
	struct query *q = database_query(b->db,
		"DELETE FROM sample WHERE id <= ? AND NOT (stream = ? AND id <= ?)"
		"  RETURNING id, stream, length(text)",
		"iii", e->row_upto, e->busy_stream, e->busy_row);
	int rc = q ? 1 : database_failure(b->db);
	while (rc == 1 && (rc = database_row(q)) == 1)
		backlog_count_row(b, backlog_stream(b, database_int(q, 1)), database_int(q, 0),
			database_int(q, 2), -1);
	database_done(q);
	return backlog_end(b, rc);
}

int
backlog_evict(struct backlog *b, const struct eviction *e)
{
	int rc = evict_batches(b, e);
	if (rc == 0 && e->row_upto)
		rc = evict_rows(b, e);
	if (rc == 0)
		backlog_purge(b, false);
	return rc;
}
