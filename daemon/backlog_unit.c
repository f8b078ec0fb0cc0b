/* SPDX-License-Identifier: MIT */
/* backlog_unit.c -- the oldest of the backlog on its way out */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/backlog_impl.h"

bool
backlog_delta(const struct backlog *b, const struct item *item, int64_t *delta_ms)
{
	for (size_t i = 0; item->boot && i < b->n_boots; i++)
		if (b->boots[i].id == item->boot && b->boots[i].is_synced) {
			*delta_ms = b->boots[i].offset_ms - item->offset_ms;
			return true;
		}
	return false;
}

int
backlog_read_batch(struct backlog *b, int64_t id, struct pack *p)
{
	struct query *q = database_query(b->db, "SELECT z FROM batch WHERE id = ?", "i", id);
	int rc = q ? database_row(q) : database_failure(b->db);
	if (rc == 1) {
		size_t len;
		const void *z = database_blob(q, 0, &len);
		rc = pack_decode(p, z, len);
	}
	database_done(q);
	return rc;
}

/* One record from a pack, mended if it can be. Returns where the next text may begin. */
static char *
place(const struct backlog *b, const struct item *item, const char *text, char *to,
	struct unit_record *r)
{
	int64_t delta;
	*r = (struct unit_record){
		.seq = item->seq, .ts_ms = item->ts_ms, .text = to, .len = item->len};
	if (backlog_delta(b, item, &delta)) {
		r->ts_ms += delta;
		r->len = stamp_mend_since(
			text, item->len, item->offset_ms, delta, to, item->len + 64);
		if (r->len)
			return to + r->len;
		r->len = item->len;
	}
	memcpy(to, text, item->len);
	return to + item->len;
}

/* All in one block of memory. */
static struct unit *
make_unit(const struct backlog *b, const struct stream *s, const struct pack *p)
{
	size_t topic = strlen(s->topic) + 1, epoch = strlen(s->epoch) + 1;
	struct unit *u =
		malloc(sizeof(*u) + p->n * (sizeof(*u->records) + 64) + topic + epoch + p->len);
	if (!u)
		return NULL;
	const char *from = p->text;
	struct unit_record *records = (struct unit_record *)(u + 1);
	char *to = (char *)(records + p->n);
	*u = (struct unit){.n = p->n, .records = records, .stream = s->id};
	u->topic = memcpy(to, s->topic, topic);
	u->epoch = memcpy(to + topic, s->epoch, epoch);
	to += topic + epoch;
	for (size_t i = 0; i < p->n; i++) {
		to = place(b, &p->items[i], from, to, &records[i]);
		from += p->items[i].len;
	}
	return u;
}

void
unit_free(struct unit *u)
{
	free(u);
}

/* The first live batch after `after`, and its stream. 1, 0: none, -errno. */
static int
next_batch(struct backlog *b, int64_t after, int64_t *id, int64_t *stream)
{
	struct query *q = database_query(b->db,
		"SELECT id, stream FROM batch WHERE id > ?"
		"  AND id > (SELECT sent FROM stream WHERE stream.id = batch.stream)"
		"  ORDER BY id LIMIT 1",
		"i", after);
	int rc = q ? database_row(q) : database_failure(b->db);
	*id = rc == 1 ? database_int(q, 0) : INT64_MAX;
	*stream = rc == 1 ? database_int(q, 1) : 0;
	database_done(q);
	return rc;
}

int
backlog_next_row(struct backlog *b, int64_t after, int64_t floor, int64_t *id, int64_t *stream)
{
	struct query *q = database_query(b->db,
		"SELECT id, stream FROM sample WHERE id > ? AND id < ? ORDER BY id", "ii", after,
		floor);
	int rc = q ? 1 : database_failure(b->db);
	*id = INT64_MAX;
	while (rc == 1 && (rc = database_row(q)) == 1) {
		*stream = database_int(q, 1);
		if (stream_is_dead(backlog_stream(b, *stream), database_int(q, 0)))
			continue;
		*id = database_int(q, 0);
		break;
	}
	database_done(q);
	return rc;
}

static int
collect_rows(struct backlog *b, int64_t stream, int64_t from, int64_t floor, struct pack *p,
	int64_t *last)
{
	struct query *q = database_query(b->db,
		"SELECT id, seq, ts, boot, offset, text FROM sample"
		"  WHERE stream = ? AND id >= ? AND id < ? ORDER BY id",
		"iii", stream, from, floor);
	int rc = q ? 1 : database_failure(b->db);
	while (rc == 1 && p->n < BACKLOG_RECORDS_MAX && (rc = database_row(q)) == 1) {
		struct item item = {.seq = (uint64_t)database_int(q, 1),
			.ts_ms = database_int(q, 2),
			.boot = database_int(q, 3),
			.offset_ms = database_int(q, 4)};
		const char *text = database_blob(q, 5, &item.len);
		if (p->n && p->len + item.len > BACKLOG_BYTES_MAX)
			break;
		*last = database_int(q, 0);
		if (pack_add(p, &item, text) < 0)
			rc = -ENOMEM;
	}
	database_done(q);
	return rc < 0 ? rc : 0;
}

/* The unit that begins with batch or row `id`. -EILSEQ: that batch cannot be read. */
static int
get_unit(
	struct backlog *b, bool batch, int64_t id, int64_t stream, int64_t floor, struct unit **out)
{
	struct pack p = {0};
	int64_t last = id;
	const struct stream *s = backlog_stream(b, stream);
	int rc = !s      ? -EILSEQ
		 : batch ? backlog_read_batch(b, id, &p)
			 : collect_rows(b, stream, id, floor, &p, &last);
	*out = rc < 0 ? NULL : make_unit(b, s, &p);
	if (*out) {
		(*out)->batch = batch;
		(*out)->id = last;
	}
	pack_free(&p);
	return rc < 0 ? rc : *out ? 0 : -ENOMEM;
}

int
backlog_next(struct backlog *b, int64_t floor, struct unit **out)
{
	int64_t skipped = INT64_MIN, batch, row, batch_stream, row_stream;
	int rc = backlog_ready(b);
	*out = NULL;
	while (rc >= 0) {
		rc = next_batch(b, skipped, &batch, &batch_stream);
		if (rc >= 0)
			rc = backlog_next_row(b, INT64_MIN, floor, &row, &row_stream);
		if (rc < 0 || (row == INT64_MAX && batch >= floor))
			break;
		if (row < batch)
			return get_unit(b, false, row, row_stream, floor, out);
		rc = get_unit(b, true, batch, batch_stream, floor, out);
		if (rc != -EILSEQ || backlog_is_corrupt(b))
			return rc;
		b->bad_batch = b->bad_batch ? b->bad_batch : batch; /* backlog_plan() tells it */
		skipped = batch;
		rc = 0;
	}
	return rc < 0 ? rc : 0;
}

static int
drop_batch(struct backlog *b, int64_t id, int64_t stream)
{
	struct stream *s = backlog_stream(b, stream);
	struct query *q = database_query(
		b->db, "SELECT n, bytes, length(z) FROM batch WHERE id = ?", "i", id);
	int rc = q ? database_row(q) : database_failure(b->db);
	bool found = rc == 1 && s && id > s->sent;
	if (found) {
		backlog_count_batch(b, s, database_int(q, 0), database_int(q, 1));
		b->totals.dead_batches++;
		b->totals.dead_batch_bytes += database_int(q, 2);
		s->sent = id;
	}
	database_done(q);
	return rc < 0 || !found ? rc < 0 ? rc : 0 : stream_save(b, s);
}

static int
drop_rows(struct backlog *b, int64_t stream, int64_t upto)
{
	struct stream *s = backlog_stream(b, stream);
	if (stream_is_dead(s, upto))
		return 0;
	struct query *q = database_query(b->db,
		"SELECT id, length(text) FROM sample WHERE stream = ? AND id > ? AND id <= ?",
		"iii", stream, s->mark, upto);
	int rc = q ? 1 : database_failure(b->db);
	while (rc == 1 && (rc = database_row(q)) == 1) {
		backlog_count_row(b, s, database_int(q, 0), database_int(q, 1), -1);
		b->totals.dead_bytes += database_int(q, 1);
	}
	database_done(q);
	s->mark = upto;
	return rc < 0 ? rc : stream_save(b, s);
}

int
backlog_drop(struct backlog *b, const struct unit *u)
{
	int rc = backlog_begin(b);
	if (rc < 0)
		return rc;
	rc = u->batch ? drop_batch(b, u->id, u->stream) : drop_rows(b, u->stream, u->id);
	rc = backlog_end(b, rc);
	if (rc == 0)
		backlog_purge(b, false);
	return rc;
}

int
backlog_export(struct backlog *b, int64_t after, int64_t *at, backlog_record_fn *each, void *arg)
{
	bool more = true;
	int rc = backlog_ready(b);
	for (*at = after; rc >= 0 && more;) {
		int64_t batch, row, batch_stream, row_stream;
		struct unit *u = NULL;
		rc = next_batch(b, *at - 1, &batch, &batch_stream);
		if (rc >= 0)
			rc = backlog_next_row(b, *at - 1, INT64_MAX, &row, &row_stream);
		if (rc < 0 || (row == INT64_MAX && batch == INT64_MAX))
			break;
		*at = (row < batch ? row : batch) + 1;
		rc = row < batch ? get_unit(b, false, row, row_stream, row + 1, &u)
				 : get_unit(b, true, batch, batch_stream, 0, &u);
		if (rc == -EILSEQ && !backlog_is_corrupt(b)) {
			rc = 0; /* a batch that cannot be read */
			continue;
		}
		for (size_t i = 0; u && i < u->n; i++)
			more = each(arg, u->topic, u->epoch, &u->records[i]) && more;
		unit_free(u);
	}
	return rc < 0 ? rc : 0;
}
