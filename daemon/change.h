/* SPDX-License-Identifier: MIT */
/* change.h -- one line of a transaction of state.db, made on the loop, written on the spool's
 * thread
 *
 * Each is one block of memory that holds copies of its texts. Whoever holds the list frees it.
 */
#ifndef DAEMON_CHANGE_H
#define DAEMON_CHANGE_H

#include "daemon/stamp.h"

enum change_kind {
	CHANGE_PUT,    /* kept text `kind`, `key` */
	CHANGE_DROP,   /* no text there any more */
	CHANGE_RECORD, /* a message that is not to be lost, until CHANGE_FORGET */
	CHANGE_FORGET, /* the broker has that record, or the archiver */
	/* It can never be accepted: a dead letter. Of a record that is on the disk (`record`), or
	 * of one that never was (record 0: then topic, epoch, seq, ts_ms and text say it). */
	CHANGE_REJECT
};

struct change {
	struct change *next;
	enum change_kind what;
	const char *kind, *key, *text; /* PUT, DROP; `text` of RECORD, REJECT: the payload */
	size_t len;                    /* of text */
	int64_t record;                /* its number, which only grows; chosen by the loop */
	const char *topic, *epoch;     /* RECORD, REJECT */
	uint64_t seq;
	int64_t ts_ms;
	struct stamp stamp; /* RECORD */
	int reason;         /* REJECT: of the PUBACK */
};

/* A copy of *from with texts of its own; NULL: no memory. */
struct change *change_copy(const struct change *from);
void change_free_all(struct change *first); /* NULL is fine */

#endif
