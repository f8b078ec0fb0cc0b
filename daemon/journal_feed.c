/* SPDX-License-Identifier: MIT */
/* journal_feed.c -- events that are on the disk only: they are read back in their order, sent again
 * for an archiver, and the last to go when there is no room
 */
#include "daemon/journal_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/clock.h"

#define FEED_BYTES (2u * 1024 * 1024)  /* of the outbox's memory for events */
#define FEED_STEP (256u * 1024)        /* read from the disk at a time */
#define RESEND_US (5 * 60 * 1000000LL) /* without a word of the archiver */
#define LATE_US 60000000LL             /* records of an outage are not in a hurry */

struct feed { /* records that are fetched */
	struct spool_job job;
	int64_t after;
	struct change *first, **last;
	size_t bytes;
	bool more;
	int rc;
};

/* ---- more of them on the disk --------------------------------------------------------------- */

static bool
fetch_one(void *arg, const struct store_record *r)
{
	struct feed *f = arg;
	if (f->bytes >= FEED_STEP) {
		f->more = true;
		return false;
	}
	struct change *c = change_copy(&(struct change){.what = CHANGE_RECORD,
		.record = r->record,
		.topic = r->topic,
		.epoch = r->epoch,
		.seq = r->seq,
		.ts_ms = r->ts_ms,
		.text = r->payload,
		.len = r->len});
	if (!c)
		return false;
	*f->last = c;
	f->last = &c->next;
	f->bytes += sizeof(*c) + r->len;
	return true;
}

static void
run_feed(struct spool_job *job, struct spool_files *files)
{
	struct feed *f = (struct feed *)job;
	f->rc = files->store ? store_records(files->store, f->after, fetch_one, f) : -EIO;
}

void
journal_gate(struct gateway *g)
{
	const struct journal *j = g->journal;
	outbox_gate_events(g->outbox, j->behind ? j->fed : INT64_MAX, j->broken);
}

static void
feed_done(struct gateway *g, struct spool_job *job)
{
	struct journal *j = g->journal;
	struct feed *f = (struct feed *)job;
	for (const struct change *c = f->first; c; c = c->next) {
		const char *topic = gateway_intern(g, c->topic);
		struct draft d = {.lane = LANE_EVENT,
			.topic = topic,
			.record = c->record,
			.disk = DISK_YES,
			.epoch = c->epoch,
			.seq = c->seq,
			.ts_ms = c->ts_ms,
			.payload = c->text,
			.len = c->len};
		if (topic && !outbox_has_record(g->outbox, LANE_EVENT, c->record))
			outbox_append(g->outbox, &d, clock_mono_us() - LATE_US);
		j->fed = c->record;
	}
	j->behind = f->more || f->rc < 0;
	j->feeding = false;
	journal_gate(g);
	change_free_all(f->first);
	free(f);
}

void
journal_feed(struct gateway *g)
{
	struct journal *j = g->journal;
	struct outbox_stats stats;
	if (!j->behind || j->feeding || !g->mqtt.up)
		return;
	outbox_stats(g->outbox, &stats);
	if (stats.lanes[LANE_EVENT].bytes >= FEED_BYTES)
		return;
	struct feed *f = calloc(1, sizeof(*f));
	if (!f)
		return;
	f->job = (struct spool_job){.run = run_feed, .done = feed_done};
	f->after = j->fed;
	f->last = &f->first;
	j->feeding = true;
	spool_post(g->spool, &f->job);
}

struct budget {
	size_t bytes;
	int64_t cut; /* the first record beyond it */
};

static void
spend(void *arg, struct message *m)
{
	struct budget *b = arg;
	b->bytes += m->cap;
	if (b->bytes > FEED_BYTES && m->record < b->cut)
		b->cut = m->record;
}

/* What the memory does not hold, or what comes behind such, is on the disk only. */
void
journal_spill(struct gateway *g)
{
	struct journal *j = g->journal;
	struct budget b = {.cut = INT64_MAX};
	int64_t from = j->fed + 1;
	if (!j->behind) {
		outbox_each(g->outbox, LANE_EVENT, spend, &b);
		if (b.cut == INT64_MAX)
			return;
		from = b.cut;
	}
	int64_t lowest = outbox_release(g->outbox, LANE_EVENT, from, INT64_MAX, INT64_MAX);
	if (!j->behind && lowest != INT64_MAX) {
		j->fed = lowest - 1;
		j->behind = true;
	}
	journal_gate(g);
}

/* ---- too many -------------------------------------------------------------------------------- */

struct eviction_of_events {
	struct spool_job job;
	int64_t bytes;
	const char *but;
	struct change *gone, **last;
};

static bool
note_gone(void *arg, const struct store_record *r)
{
	struct eviction_of_events *e = arg;
	struct change *c = change_copy(&(struct change){.what = CHANGE_RECORD,
		.record = r->record,
		.topic = r->topic,
		.epoch = r->epoch,
		.seq = r->seq,
		.ts_ms = r->ts_ms});
	if (!c)
		return false;
	*e->last = c;
	e->last = &c->next;
	return true;
}

static void
run_eviction(struct spool_job *job, struct spool_files *files)
{
	struct eviction_of_events *e = (struct eviction_of_events *)job;
	if (files->store)
		store_evict(files->store, e->bytes, e->but, note_gone, e);
}

static void
eviction_done(struct gateway *g, struct spool_job *job)
{
	struct eviction_of_events *e = (struct eviction_of_events *)job;
	for (const struct change *c = e->gone; c; c = c->next) {
		const char *topic = gateway_intern(g, c->topic);
		outbox_release(g->outbox, LANE_EVENT, c->record, c->record, INT64_MAX);
		if (topic)
			numbers_lost(g, topic, c->epoch, c->seq, c->ts_ms, "spool-full");
	}
	trouble_raise(g, "spool-full");
	g->journal->evicting = false;
	change_free_all(e->gone);
	free(e);
}

/* No telemetry is left that could go, and the events alone are more than there is room for. */
void
journal_evict(struct gateway *g)
{
	struct journal *j = g->journal;
	struct backlog_stats backlog;
	int64_t limit = g->config->spool_max_bytes / 8 * 3; /* of payload: the file is larger */
	replay_stats(g, &backlog);
	if (j->evicting || backlog.records > 0 || j->disk.bytes <= limit)
		return;
	struct eviction_of_events *e = calloc(1, sizeof(*e));
	if (!e)
		return;
	e->job = (struct spool_job){.run = run_eviction, .done = eviction_done};
	e->bytes = g->config->spool_max_bytes / 16;
	e->but = g->gap_topic;
	e->last = &e->gone;
	j->evicting = true;
	spool_post(g->spool, &e->job);
}

/* ---- the archiver ---------------------------------------------------------------------------- */

struct archived {
	struct spool_job job;
	char topic[256]; /* a copy: whoever confirms can name topics without end */
	char epoch[16];
	uint64_t seq;
	int64_t oldest; /* record that is left */
};

static void
run_archived(struct spool_job *job, struct spool_files *files)
{
	struct archived *a = (struct archived *)job;
	if (!files->store)
		return;
	store_forget_upto(files->store, a->topic, a->epoch, a->seq);
	a->oldest = store_oldest_record(files->store);
}

/* An archiver that missed one record confirms others all the time: its word counts as one only if
 * it is about the oldest. */
static void
archived_done(struct gateway *g, struct spool_job *job)
{
	const struct archived *a = (struct archived *)job;
	struct journal *j = g->journal;
	if (a->oldest <= 0 || a->oldest != j->unarchived)
		j->unarchived_us = clock_mono_us();
	j->unarchived = a->oldest;
	if (!j->lazy_us) /* an empty commit, for the new figures */
		j->lazy_us = clock_mono_us();
	free(job);
}

void
journal_archived(struct gateway *g, const char *topic, const char *epoch, uint64_t seq)
{
	struct archived *a = calloc(1, sizeof(*a));
	if (!a)
		return;
	a->job = (struct spool_job){.run = run_archived, .done = archived_done};
	snprintf(a->topic, sizeof(a->topic), "%s", topic);
	a->seq = seq;
	snprintf(a->epoch, sizeof(a->epoch), "%s", epoch);
	spool_post(g->spool, &a->job);
}

/* Everything that the archiver has not confirmed is sent again, in its order. */
void
journal_resend(struct gateway *g, int64_t now_us)
{
	struct journal *j = g->journal;
	if (!j->unarchived_us || now_us - j->unarchived_us < RESEND_US || j->feeding || !g->mqtt.up)
		return;
	j->unarchived_us = 0;
	j->fed = 0;
	j->behind = true;
	journal_gate(g);
}
