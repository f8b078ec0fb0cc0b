/* SPDX-License-Identifier: MIT */
/* store.h -- what must survive a restart: state.db
 *
 * Kept texts, one per kind and key ("usage" INV-00123); records, the messages that announce what
 * changed, until they are acknowledged; dead letters, which no broker will take. Each transaction
 * is on the disk when store_apply() returns. The spool's thread only, or the one that starts it.
 */
#ifndef DAEMON_STORE_H
#define DAEMON_STORE_H

#include "daemon/change.h"
#include "daemon/database.h"

struct store;

struct store_stats {
	int64_t records, bytes; /* that wait, and their payloads */
	int64_t oldest_ts_ms;   /* 0: none */
	int64_t last_record;    /* the highest number ever used */
	int64_t dead;           /* letters */
	int64_t disk_bytes;
};

struct store_record {
	int64_t record;
	const char *topic, *epoch;
	uint64_t seq;
	int64_t ts_ms;
	int reason;          /* dead letters: of the PUBACK */
	const char *payload; /* with its times mended, if the clock was set later in that boot */
	size_t len;
};

/* `boot`: this boot's id. NULL: how->rc says why. */
struct store *store_open(const char *directory, const char *boot, struct opened *how);
void store_close(struct store *s); /* NULL is fine */
const char *store_error(const struct store *s);
int store_failure(const struct store *s);     /* the same as -errno; 0: none */
bool store_is_corrupt(const struct store *s); /* close it: that sets it aside */
/* All in one transaction. 0 or -errno (database.h); then nothing of it is on the disk. */
int store_apply(struct store *s, const struct change *first);
/* This boot's clock has been set: wall time = CLOCK_BOOTTIME + offset_ms. 0 or -errno. */
int store_synced(struct store *s, int64_t offset_ms);
bool store_is_synced(const struct store *s, int64_t *offset_ms);
/* An archiver has all of this topic and epoch up to seq. The number of records forgotten, or
 * -errno. */
int64_t store_forget_upto(struct store *s, const char *topic, const char *epoch, uint64_t seq);
/* The number of the oldest record, 0: there is none; or -errno. */
int64_t store_oldest_record(struct store *s);
/* Forgets the oldest records until `bytes` of payload went; tells each before. Those of topic `but`
 * stay: they tell what went (NULL: none). 0 or -errno. */
typedef bool store_record_fn(void *arg, const struct store_record *r);
int store_evict(struct store *s, int64_t bytes, const char *but, store_record_fn *each, void *arg);

typedef void store_text_fn(void *arg, const char *kind, const char *key, const char *text);
int store_each(struct store *s, store_text_fn *each, void *arg);
/* Records after `after`, oldest first, until `each` returns false. 0 or -errno. */
int store_records(struct store *s, int64_t after, store_record_fn *each, void *arg);
int store_dead_letters(struct store *s, int64_t after, store_record_fn *each, void *arg);
int store_stats(struct store *s, struct store_stats *out);

#endif
