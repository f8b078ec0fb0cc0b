/* SPDX-License-Identifier: MIT */
/* backlog_fold.c -- rows become batches, and dead rows go
 *
 * Rows of all streams lie mixed, as they came. Deleting those of one stream would write every page
 * anew, so a fold only moves the stream's mark. When most rows are dead, those that live are set
 * aside in memory, the table is emptied, which writes none of its pages, and they come back.
 */
#include <errno.h>
#include <stdlib.h>

#include "daemon/backlog_impl.h"

#define DEAD_MIN (64 * 1024LL)
#define FOLD_MAX (1024 * 1024LL) /* 50 devices, a poll a second: 21 KiB of each, once a minute */
#define BATCH_MIN (16 * 1024)    /* below that a batch compresses less well */
#define SHRINK_ABOVE (4 * 1024 * 1024LL)

int64_t
backlog_fold_bytes(const struct backlog *b)
{
	int64_t bytes = backlog_step_bytes(b) / 2;
	return bytes > FOLD_MAX ? FOLD_MAX : bytes;
}

/* ---- which streams -------------------------------------------------------------------------- */

/* Bytes below `floor` per stream; not of one whose rows are on their way. */
static int
look(struct backlog *b, int64_t floor, const struct unit *busy)
{
	for (size_t i = 0; i < b->n_streams; i++)
		b->streams[i].wanted = 0;
	struct query *q = database_query(b->db,
		"SELECT id, stream, length(text) FROM sample WHERE id < ? ORDER BY id", "i", floor);
	int rc = q ? 1 : database_failure(b->db);
	while (rc == 1 && (rc = database_row(q)) == 1) {
		struct stream *s = backlog_stream(b, database_int(q, 1));
		bool is_busy = s && busy && !busy->batch && busy->stream == s->id;
		if (!is_busy && !stream_is_dead(s, database_int(q, 0)))
			s->wanted += database_int(q, 2);
	}
	database_done(q);
	return rc;
}

/* As many streams as are work for once. */
static bool
choose(struct backlog *b, int64_t least)
{
	int64_t work = 0;
	for (size_t i = 0; i < b->n_streams; i++) {
		struct stream *s = &b->streams[i];
		if (s->wanted < least || work >= backlog_fold_bytes(b))
			s->wanted = 0;
		work += s->wanted;
	}
	return work > 0;
}

/* ---- folding -------------------------------------------------------------------------------- */

static bool
is_plain(const struct pack *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->items[i].boot || p->items[i].seq != p->items[0].seq + i)
			return false;
	return true;
}

static void
count_new_batch(struct backlog *b, struct stream *s)
{
	int64_t n = (int64_t)s->pack.n, bytes = (int64_t)s->pack.len;
	s->records += n;
	s->bytes += bytes;
	s->rows -= n;
	s->row_bytes -= bytes;
	s->mark = s->last;
	b->totals.rows -= n;
	b->totals.row_bytes -= bytes;
	b->totals.dead_bytes += bytes;
}

/* What has gathered of a stream goes into a batch. */
static int
write_batch(struct backlog *b, struct stream *s)
{
	struct pack *p = &s->pack;
	const struct item *first = &p->items[0], *last = &p->items[p->n - 1];
	size_t len;
	void *z = pack_encode(p, &len);
	if (!z)
		return -ENOMEM;
	int rc = database_run(b->db,
		"INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, nullif(?, 0), ?, ?)",
		"iiiiiiiiiiib", s->first, s->id, (int64_t)p->n, (int64_t)p->len,
		(int64_t)is_plain(p), (int64_t)first->seq, (int64_t)last->seq, first->ts_ms,
		last->ts_ms, first->boot, first->offset_ms, (const void *)z, len);
	free(z);
	if (rc < 0)
		return rc;
	count_new_batch(b, s);
	p->n = p->len = 0;
	return stream_save(b, s);
}

static int
take_row(struct backlog *b, struct stream *s, struct query *q)
{
	struct item item = {.seq = (uint64_t)database_int(q, 2),
		.ts_ms = database_int(q, 3),
		.boot = database_int(q, 4),
		.offset_ms = database_int(q, 5)};
	const char *text = database_blob(q, 6, &item.len);
	struct pack *p = &s->pack;
	bool full = p->n == BACKLOG_RECORDS_MAX || p->len + item.len > BACKLOG_BYTES_MAX;
	int rc = p->n && full ? write_batch(b, s) : 0;
	if (rc < 0)
		return rc;
	if (p->n == 0)
		s->first = database_int(q, 0);
	s->last = database_int(q, 0);
	return pack_add(p, &item, text);
}

static int
gather(struct backlog *b, int64_t floor)
{
	int64_t work = 0;
	struct query *q = database_query(b->db,
		"SELECT id, stream, seq, ts, boot, offset, text FROM sample WHERE id < ?"
		"  ORDER BY id",
		"i", floor);
	int rc = q ? 1 : database_failure(b->db);
	while (rc == 1 && work < backlog_fold_bytes(b) && (rc = database_row(q)) == 1) {
		struct stream *s = backlog_stream(b, database_int(q, 1));
		if (!s || s->wanted == 0 || stream_is_dead(s, database_int(q, 0)))
			continue;
		size_t before = s->pack.len;
		int taken = take_row(b, s, q);
		work += (int64_t)(s->pack.len > before ? s->pack.len - before : s->pack.len);
		if (taken < 0)
			rc = taken;
	}
	database_done(q);
	return rc < 0 ? rc : 0;
}

/* What is left of each stream, if it is enough; else it stays rows. */
static int
write_rest(struct backlog *b, int64_t least)
{
	int rc = 0;
	for (size_t i = 0; i < b->n_streams; i++) {
		struct stream *s = &b->streams[i];
		if (rc == 0 && s->pack.n && (int64_t)s->pack.len >= least)
			rc = write_batch(b, s);
		pack_free(&s->pack);
	}
	return rc;
}

int
backlog_fold(struct backlog *b, int64_t floor, const struct unit *busy)
{
	int rc = backlog_ready(b);
	if (rc < 0 || b->totals.row_bytes <= backlog_fold_bytes(b))
		return rc;
	int64_t least = b->totals.row_bytes > 2 * backlog_fold_bytes(b) ? 1 : BATCH_MIN;
	int64_t before = b->totals.rows;
	rc = backlog_begin(b);
	if (rc < 0)
		return rc;
	rc = look(b, floor, busy);
	if (rc == 0 && choose(b, least)) {
		rc = gather(b, floor);
		int rest = write_rest(b, rc < 0 ? INT64_MAX : least);
		rc = rc < 0 ? rc : rest;
	}
	rc = backlog_end(b, rc);
	if (rc < 0)
		return rc;
	bool folded = b->totals.rows < before;
	backlog_purge(b, false);
	return folded && b->totals.row_bytes > backlog_fold_bytes(b);
}

/* ---- what is dead --------------------------------------------------------------------------- */

static int
purge_rows(struct backlog *b)
{
	static const char *const steps[] = {
		("INSERT INTO keep SELECT * FROM sample WHERE id > "
		 "  (SELECT mark FROM stream WHERE stream.id = sample.stream)"),
		"DELETE FROM sample", "INSERT INTO sample SELECT * FROM keep ORDER BY id",
		"DELETE FROM keep"};
	int rc = backlog_begin(b);
	if (rc < 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < sizeof(steps) / sizeof(steps[0]); i++)
		rc = database_run(b->db, steps[i], "");
	b->totals.dead_bytes = 0;
	return backlog_end(b, rc);
}

void
backlog_count_batch(struct backlog *b, struct stream *s, int64_t n, int64_t bytes)
{
	s->records -= n;
	s->bytes -= bytes;
	b->totals.records -= n;
	b->totals.bytes -= bytes;
}

int
backlog_delete_batch(struct backlog *b, int64_t id)
{
	struct query *q = database_query(
		b->db, "DELETE FROM batch WHERE id = ? RETURNING stream, n, bytes", "i", id);
	int rc = q ? database_row(q) : database_failure(b->db);
	struct stream *s = rc == 1 ? backlog_stream(b, database_int(q, 0)) : NULL;
	bool lived = s && id > s->sent;
	if (lived)
		backlog_count_batch(b, s, database_int(q, 1), database_int(q, 2));
	database_done(q);
	return rc < 0 || !lived ? rc < 0 ? rc : 0 : stream_save(b, s);
}

/* The oldest go first, so that those that live end the search. */
static int
purge_batches(struct backlog *b)
{
	int64_t sent = 0;
	for (size_t i = 0; i < b->n_streams; i++)
		sent = b->streams[i].sent > sent ? b->streams[i].sent : sent;
	int rc = backlog_begin(b);
	if (rc < 0)
		return rc;
	rc = database_run(b->db,
		"DELETE FROM batch WHERE id <= ?"
		"  AND id <= (SELECT sent FROM stream WHERE stream.id = batch.stream)",
		"i", sent);
	b->totals.dead_batches = b->totals.dead_batch_bytes = 0;
	return backlog_end(b, rc);
}

/* Nothing is left that lives. */
static int
empty(struct backlog *b)
{
	int rc = backlog_begin(b);
	if (rc < 0)
		return rc;
	rc = database_run(b->db, "DELETE FROM sample", "");
	if (rc == 0)
		rc = database_run(b->db, "DELETE FROM batch", "");
	b->totals.dead_bytes = b->totals.dead_batches = b->totals.dead_batch_bytes = 0;
	rc = backlog_end(b, rc);
	if (rc == 0 && database_disk_bytes(b->db) > SHRINK_ABOVE)
		database_shrink(b->db);
	return rc;
}

int
backlog_purge(struct backlog *b, bool all)
{
	const struct totals *t = &b->totals;
	int64_t step = backlog_step_bytes(b);
	int rc = backlog_ready(b);
	if (rc < 0)
		return rc;
	if (t->records == 0)
		return t->dead_bytes || t->dead_batches || database_disk_bytes(b->db) > SHRINK_ABOVE
			       ? empty(b)
			       : 0;
	bool many = t->dead_bytes > DEAD_MIN && t->dead_bytes > 2 * t->row_bytes;
	if (t->dead_bytes > 0 && (all || many) && t->row_bytes <= step + step / 2)
		rc = purge_rows(b);
	many = t->dead_batches >= backlog_step_batches(b) || t->dead_batch_bytes > step / 2;
	if (rc == 0 && t->dead_batches && (all || many))
		rc = purge_batches(b);
	return rc;
}
