/* SPDX-License-Identifier: MIT */
/* journal_impl.h -- the journal's inside; for journal.c (to the disk) and journal_feed.c (what is
 * there only) alone
 */
#ifndef DAEMON_JOURNAL_IMPL_H
#define DAEMON_JOURNAL_IMPL_H

#include "daemon/gateway.h"

struct journal {
	struct kept *kept;
	int64_t next_record;
	int64_t fed;              /* the last record that the outbox was given */
	bool behind, feeding;     /* there are later ones on the disk only; and they are fetched */
	size_t unwritten;         /* events in the outbox that the disk does not have yet */
	struct change *forgotten; /* not urgent */
	int64_t lazy_us;          /* since when; 0: nothing */
	bool posted, broken;
	bool evicting;
	bool blind; /* state.db could not be opened at the start; what is in it is not known */
	int64_t posted_us;
	uint64_t gathering, written;
	uint64_t losses;             /* of the file, as far as we have noticed */
	struct store_stats disk;     /* as of the last commit */
	struct spool_job *behind_it; /* to be posted after the next commit */
	int64_t unarchived_us; /* since when the archiver owes a word for it; 0: it does not */
	int64_t unarchived;    /* the oldest record that it has not confirmed; 0: not known */
};

/* Which events may go, after `behind`, `fed` or `broken` has changed. */
void journal_gate(struct gateway *g);
/* Fetches records that are on the disk only, if there is room for them. */
void journal_feed(struct gateway *g);
/* What the memory does not hold, or what comes behind such, is on the disk only. */
void journal_spill(struct gateway *g);
/* Sends again what the archiver owes a word for. */
void journal_resend(struct gateway *g, int64_t now_us);
/* Lets the oldest events go, if there is no telemetry left that could. */
void journal_evict(struct gateway *g);

#endif
