/* SPDX-License-Identifier: MIT */
/* backlog.h -- telemetry that could not be sent yet: spool.db
 *
 * Rows, one per message, written once a second while the broker does not answer; later folded into
 * compressed batches (zlib) of at least 16 KiB of one topic and epoch, in the transaction that
 * deletes the rows. Numbers of rows are chosen by the loop and only grow. Those from `floor` on
 * are still in its memory, so they are neither sent from here nor folded nor evicted; nor is
 * anything of the unit that is on its way. The spool's thread only, or the one that starts it.
 */
#ifndef DAEMON_BACKLOG_H
#define DAEMON_BACKLOG_H

#include "daemon/database.h"
#include "daemon/stamp.h"

enum { BACKLOG_RECORDS_MAX = 256, BACKLOG_BYTES_MAX = 60 * 1024 }; /* of a unit */

struct backlog;

struct row {
	int64_t id;
	const char *topic, *epoch;
	uint64_t seq;
	int64_t ts_ms;
	struct stamp stamp;
	const char *text; /* the record as it stands in `history` */
	size_t len;
};

struct unit_record {
	uint64_t seq;
	int64_t ts_ms; /* mended, as is the text */
	const char *text;
	size_t len;
};

struct unit { /* what one or several history messages carry: one topic and epoch, in order */
	const char *topic, *epoch;
	size_t n;
	struct unit_record *records;
	bool batch; /* it is batch `id`; else rows of that stream up to `id` */
	int64_t id, stream;
};

struct lost { /* what an eviction takes, per topic and epoch */
	const char *topic, *epoch;
	uint64_t from_seq, to_seq;
	int64_t from_ts_ms, to_ts_ms, count;
};

struct eviction { /* the plan; made once, carried out or thrown away */
	size_t n;
	struct lost *lost;
	bool corrupt; /* a batch that cannot be read any more, not for want of room */
	size_t n_batches;
	int64_t *batches;
	int64_t row_upto; /* 0: no rows */
	int64_t busy_stream, busy_row;
};

struct backlog_stats {
	int64_t records, bytes, disk_bytes; /* records: in rows and batches */
	int64_t oldest_ts_ms;               /* 0: empty */
	int64_t last_row;                   /* the highest id ever used */
};

/* NULL: how->rc says why. `max_bytes`: of both databases together. */
struct backlog *backlog_open(
	const char *directory, const char *boot, int64_t max_bytes, struct opened *how);
void backlog_close(struct backlog *b); /* NULL is fine */
const char *backlog_error(const struct backlog *b);
int backlog_failure(const struct backlog *b);     /* the same as -errno; 0: none */
bool backlog_is_corrupt(const struct backlog *b); /* close it: that sets it aside */
/* One transaction (several if it is large for max_bytes): the broker has `gone` (ids that are no
 * rows are fine); `rows` are new (those that are there already are fine). 0 or -errno
 * (database.h). */
int backlog_store(struct backlog *b, const struct row *rows, size_t n_rows, const int64_t *gone,
	size_t n_gone);
/* The oldest below `floor`, at most BACKLOG_RECORDS_MAX and BACKLOG_BYTES_MAX (one record at
 * least); *out is NULL if there is none, else to be freed with unit_free(). 0 or -errno. */
int backlog_next(struct backlog *b, int64_t floor, struct unit **out);
int backlog_drop(struct backlog *b, const struct unit *u); /* the broker has all of it */
void unit_free(struct unit *u);
/* Folds rows, a bounded piece of work. `busy`: the unit that is on its way, or NULL. 1: there is
 * more to fold, 0: not now, -errno. */
int backlog_fold(struct backlog *b, int64_t floor, const struct unit *busy);
/* What has to go so that both databases (state.db has `other_bytes`) stay below max_bytes, oldest
 * first; *out NULL: nothing. To be freed. 0 or -errno. */
int backlog_plan(struct backlog *b, int64_t floor, const struct unit *busy, int64_t other_bytes,
	struct eviction **out);
int backlog_evict(struct backlog *b, const struct eviction *e);
void eviction_free(struct eviction *e);
int backlog_synced(struct backlog *b, int64_t offset_ms); /* as store_synced() */
bool backlog_is_synced(const struct backlog *b, int64_t *offset_ms);
/* The highest ever stored, also if it has gone since; 0: none is known. */
uint64_t backlog_last_seq(struct backlog *b, const char *topic, const char *epoch);
void backlog_stats(const struct backlog *b, struct backlog_stats *out);
/* All records from row or batch `after` on, oldest first, until `each` returns false (then what is
 * in the same batch still comes); `*at` is where to go on. 0 or -errno. */
typedef bool backlog_record_fn(
	void *arg, const char *topic, const char *epoch, const struct unit_record *r);
int backlog_export(
	struct backlog *b, int64_t after, int64_t *at, backlog_record_fn *each, void *arg);

#endif
