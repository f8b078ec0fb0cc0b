/* SPDX-License-Identifier: MIT */
/* backlog_impl.h -- what the files of backlog share
 *
 * spool.db: `sample`, one row per record in the order of arrival; `batch`, records of one stream,
 * compressed, whose id is that of the first of its rows; `stream`, a topic and epoch. Rows of a
 * stream up to its `mark` are dead: they were sent, or folded into a batch. So are its batches up
 * to `sent`. Neither touches the pages where what is dead lies mixed with what lives; that goes
 * later, all at once.
 */
#ifndef DAEMON_BACKLOG_IMPL_H
#define DAEMON_BACKLOG_IMPL_H

#include "daemon/backlog.h"

/* ---- records in memory: between rows, batches and units -------------------------------------- */

struct item {
	uint64_t seq;
	int64_t ts_ms;
	int64_t boot; /* 0: of a clock that was set; else the boot it is from, and … */
	int64_t offset_ms;
	size_t len;
};

struct pack {
	size_t n, room;
	struct item *items;
	size_t len, size;
	char *text; /* of all items, one after the other */
};

void pack_free(struct pack *p); /* what it holds */
int pack_add(struct pack *p, const struct item *item, const char *text);
/* Compressed, to be freed; NULL: no memory. */
void *pack_encode(const struct pack *p, size_t *len);
/* 0, -ENOMEM, or -EILSEQ: that is no batch. `p` is empty before. */
int pack_decode(struct pack *p, const void *z, size_t len);

/* ---- the streams ----------------------------------------------------------------------------- */

struct stream {
	int64_t id;
	char *topic, *epoch;
	int64_t mark, sent;     /* rows, batches up to this one are dead */
	uint64_t last_seq;      /* the highest ever stored */
	int64_t records, bytes; /* in batches, and their texts */
	int64_t rows, row_bytes;
	int64_t wanted; /* while folding: bytes to fold; 0: not now */
	size_t lost;    /* while planning: its last entry + 1 */
	struct pack pack;
	int64_t first, last; /* ids of the rows in `pack` */
};

struct known_boot {
	int64_t id, offset_ms;
	bool is_synced;
};

struct backlog {
	struct database *db;
	int64_t max_bytes;
	size_t n_streams, room;
	struct stream *streams; /* by id, which only grows */
	size_t hint;
	size_t n_boots;
	struct known_boot *boots;
	int64_t boot; /* this one's id */
	struct totals {
		int64_t records, bytes; /* live ones, in rows and batches */
		int64_t rows, row_bytes;
		int64_t dead_bytes; /* of rows */
		int64_t dead_batches, dead_batch_bytes;
	} totals;
	int64_t last_row, kept_last_row; /* the highest id ever used; as it stands in the file */
	int64_t largest_store;           /* room is kept for two of that */
	int64_t bad_batch;               /* cannot be read; 0: none */
	bool stale;                      /* what stands here: a transaction failed */
};

struct stream *backlog_stream(struct backlog *b, int64_t id); /* NULL: no such */
bool stream_is_dead(const struct stream *s, int64_t row);     /* a NULL stream's is */
int stream_save(struct backlog *b, const struct stream *s);
/* What stands in memory is right; else it is read anew. */
int backlog_ready(struct backlog *b);
/* Every change happens between these. */
int backlog_begin(struct backlog *b);
int backlog_end(struct backlog *b, int rc); /* commits, or rolls back if rc < 0 */
/* What one transaction may change, so that the WAL keeps its bound. */
int64_t backlog_step_bytes(const struct backlog *b);
int64_t backlog_step_batches(const struct backlog *b); /* to delete: each is a page */
/* A row came (sign 1) or went (-1). */
void backlog_count_row(struct backlog *b, struct stream *s, int64_t id, int64_t bytes, int sign);
/* A batch of a stream went. */
void backlog_count_batch(struct backlog *b, struct stream *s, int64_t n, int64_t bytes);
/* The first live row after `after` and below `floor`; its id is INT64_MAX if there is none. */
int backlog_next_row(struct backlog *b, int64_t after, int64_t floor, int64_t *id, int64_t *stream);
int backlog_read_batch(struct backlog *b, int64_t id, struct pack *p);
/* Takes batch `id` away, now. */
int backlog_delete_batch(struct backlog *b, int64_t id);
/* How much the clock that stamped this was wrong; false: it was right, or it is not known. */
bool backlog_delta(const struct backlog *b, const struct item *item, int64_t *delta_ms);
/* Rows may hold this before they are folded; twice that, and small streams are folded too. */
int64_t backlog_fold_bytes(const struct backlog *b);
/* Deletes what is dead when it is much (or any, if `all`), and gives space back when there is
 * nothing left. */
int backlog_purge(struct backlog *b, bool all);

#endif
