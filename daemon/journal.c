/* SPDX-License-Identifier: MIT */
/* journal.c -- what happened and what follows from it, on the disk before it is told
 *
 * In one pass of the loop changes and the events that announce them gather; journal_commit() posts
 * them to the spool's thread as one transaction, one at a time, so that what comes meanwhile is the
 * next. Events wait in the outbox until theirs is on the disk, and so do the retained topics that
 * show such a change. A crash before it: nothing happened. A crash after it: the events are read
 * again at the next start, with the epoch and number that they had. The outbox holds a part of them
 * that fits its memory; more is fetched when that has gone, so that they keep their order however
 * many wait.
 *
 * If the disk refuses: events go as they are, under a new epoch, because their numbers may be
 * given again after a crash; what is in memory is offered to the disk again every 10 s.
 */
#include "daemon/journal_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/kept.h"
#include "daemon/log.h"

#define SETTLE_US 1000000LL /* what is not urgent goes with something that is, or this late */
#define RETRY_US 10000000LL
#define STUCK_US 5000000LL /* a disk that is silent for so long holds up no picture any more */

struct commit { /* a transaction under way */
	struct spool_job job;
	struct change *changes;
	uint64_t generation;
	bool look;            /* writes nothing: what is there? */
	struct change *found; /* kept texts */
	int rc;
	struct store_stats stats;
};

/* ---- life ----------------------------------------------------------------------------------- */

static void
load(void *arg, const char *kind, const char *key, const char *text)
{
	kept_load(arg, kind, key, text);
}

int
journal_start(struct gateway *g)
{
	struct journal *j = g->journal = calloc(1, sizeof(*j));
	struct spool_files *files = spool_files(g->spool);
	if (!j || !(j->kept = kept_create()))
		return -1;
	j->gathering = 1;
	j->next_record = 1;
	if (files->store) {
		store_each(files->store, load, j->kept);
		store_stats(files->store, &j->disk);
		j->next_record = j->disk.last_record + 1;
		j->behind = j->disk.records > 0; /* what a former run left */
	}
	j->blind = !files->store;
	outbox_generation(g->outbox, j->gathering, j->written);
	outbox_gate_events(g->outbox, j->behind ? j->fed : INT64_MAX, false);
	return 0;
}

void
journal_free(struct gateway *g)
{
	struct journal *j = g->journal;
	if (!j)
		return;
	change_free_all(j->forgotten);
	kept_destroy(j->kept);
	free(j);
	g->journal = NULL;
}

/* ---- gathering ------------------------------------------------------------------------------ */

void
journal_keep(struct gateway *g, const char *kind, const char *key, const char *text)
{
	kept_put(g->journal->kept, kind, key, text);
}

void
journal_drop(struct gateway *g, const char *kind, const char *key)
{
	kept_drop(g->journal->kept, kind, key);
}

const char *
journal_kept(const struct gateway *g, const char *kind, const char *key)
{
	return kept_get(g->journal->kept, kind, key);
}

void
journal_each(struct gateway *g, const char *kind, kept_fn *each, void *arg)
{
	kept_each(g->journal->kept, kind, each, arg);
}

void
journal_event(struct gateway *g, const char *topic, const struct envelope *e, size_t len)
{
	struct journal *j = g->journal;
	struct draft d = {.lane = LANE_EVENT,
		.topic = topic,
		.record = j->next_record,
		.epoch = e->epoch,
		.seq = e->seq,
		.ts_ms = e->ts_ms,
		.stamp = clock_stamp(),
		.payload = g->scratch,
		.len = len};
	if (!len || !outbox_append(g->outbox, &d, clock_mono_us())) {
		log_error("%s: an event could not be written", topic);
		return;
	}
	j->next_record++;
	j->unwritten++;
	numbers_used(g, topic);
}

static void
add_lazily(struct journal *j, const struct change *c)
{
	struct change *copy = change_copy(c);
	if (!copy)
		return;
	copy->next = j->forgotten;
	j->forgotten = copy;
	if (!j->lazy_us)
		j->lazy_us = clock_mono_us();
}

static void
reject(struct gateway *g, const struct message *m)
{
	char *text = strndup(m->payload, m->len);
	struct change c = {.what = CHANGE_REJECT,
		.record = m->disk == DISK_NOT ? 0 : m->record,
		.topic = m->topic,
		.epoch = m->epoch,
		.seq = m->seq,
		.ts_ms = m->ts_ms,
		.text = text,
		.len = m->len,
		.reason = m->reason};
	if (text)
		add_lazily(g->journal, &c);
	free(text);
}

void
journal_ended(struct gateway *g, const struct message *m, enum message_end how)
{
	struct journal *j = g->journal;
	if (m->disk == DISK_NOT && j->unwritten > 0)
		j->unwritten--;
	if (how == END_REJECTED) {
		reject(g, m);
		numbers_refused(g, m);
	} else if (how == END_DROPPED) {
		numbers_lost(g, m->topic, m->epoch, m->seq, m->ts_ms, "write-error");
	} else if (g->config->mqtt.ack_archiver) {
		if (!j->unarchived_us)
			j->unarchived_us = clock_mono_us();
	} else if (m->disk != DISK_NOT) {
		add_lazily(j, &(struct change){.what = CHANGE_FORGET, .record = m->record});
	}
}

void
journal_reject(struct gateway *g, const struct message *m)
{
	reject(g, m);
	numbers_refused(g, m);
}

void
journal_then(struct gateway *g, struct spool_job *job)
{
	g->journal->behind_it = job;
}

/* ---- committing ----------------------------------------------------------------------------- */

struct gathering {
	struct journal *j;
	struct commit *commit;
};

static void
gather_one(void *arg, struct message *m)
{
	struct gathering *x = arg;
	if (m->disk != DISK_NOT)
		return;
	struct change *c = change_copy(&(struct change){.what = CHANGE_RECORD,
		.record = m->record,
		.topic = m->topic,
		.epoch = m->epoch,
		.seq = m->seq,
		.ts_ms = m->ts_ms,
		.stamp = m->stamp,
		.text = m->payload,
		.len = m->len});
	if (!c)
		return;
	c->next = x->commit->changes;
	x->commit->changes = c;
	m->disk = DISK_WRITING;
	x->j->unwritten--;
}

static void
find_text(void *arg, const char *kind, const char *key, const char *text)
{
	struct commit *c = arg;
	struct change *found = change_copy(
		&(struct change){.what = CHANGE_PUT, .kind = kind, .key = key, .text = text});
	if (!found)
		return;
	found->next = c->found;
	c->found = found;
}

static void
run_commit(struct spool_job *job, struct spool_files *files)
{
	struct commit *c = (struct commit *)job;
	if (!files->store)
		c->rc = -EIO;
	else if (c->look)
		c->rc = store_each(files->store, find_text, c);
	else
		c->rc = store_apply(files->store, c->changes);
	if (c->rc == 0)
		store_stats(files->store, &c->stats);
}

static void
note_written(void *arg, struct message *m)
{
	(void)arg;
	if (m->disk == DISK_WRITING)
		m->disk = DISK_YES;
}

static void
note_refused(void *arg, struct message *m)
{
	struct gateway *g = arg;
	if (m->disk != DISK_WRITING)
		return;
	m->disk = DISK_NOT;
	g->journal->unwritten++;
}

/* The disk refused, or takes again. */
static void
tell_disk(struct gateway *g, bool broken)
{
	struct journal *j = g->journal;
	struct spool_health h;
	if (j->broken == broken)
		return;
	j->broken = broken;
	journal_gate(g);
	spool_health(g->spool, &h);
	if (broken) {
		log_error(
			"state.db: %s; what happens now is lost if the power goes", h.store_error);
		numbers_renew_epoch(g);
	} else {
		log_info("state.db: can be written again");
	}
}

/* The file was set aside: everything that is known is written into the new one, and the records
 * that were there only are gone. */
static void
notice_loss(struct gateway *g)
{
	struct journal *j = g->journal;
	struct spool_health h;
	spool_health(g->spool, &h);
	if (h.store_losses == j->losses)
		return;
	j->losses = h.store_losses;
	kept_all_dirty(j->kept);
	numbers_renew_epoch(g);
	if (j->behind)
		numbers_records_lost(g);
	j->behind = false;
	journal_gate(g);
}

/* What the broker has, or never takes, is still to be told to the disk. */
static void
keep_forgotten(struct journal *j, struct commit *c)
{
	for (struct change **at = &c->changes; *at;) {
		struct change *x = *at;
		if (x->what != CHANGE_FORGET && x->what != CHANGE_REJECT) {
			at = &x->next;
			continue;
		}
		*at = x->next;
		x->next = j->forgotten;
		j->forgotten = x;
	}
}

/* state.db could be opened after all: what a former run left there comes before what is new. */
static void
take_found(struct gateway *g, const struct commit *c)
{
	struct journal *j = g->journal;
	for (const struct change *x = c->found; x; x = x->next)
		kept_load(j->kept, x->kind, x->key, x->text);
	outbox_renumber(g->outbox, LANE_EVENT, c->stats.last_record);
	j->next_record += c->stats.last_record;
	j->behind = c->stats.records > 0;
	j->blind = false;
	journal_gate(g);
}

static void
commit_done(struct gateway *g, struct spool_job *job)
{
	struct journal *j = g->journal;
	struct commit *c = (struct commit *)job;
	j->posted = false;
	if (c->look && c->rc == 0)
		take_found(g, c);
	kept_written(j->kept, c->rc == 0);
	outbox_each(g->outbox, LANE_EVENT, c->rc == 0 ? note_written : note_refused, g);
	if (c->rc == 0)
		j->disk = c->stats;
	else
		keep_forgotten(j, c);
	if (j->written < c->generation)
		j->written = c->generation;
	notice_loss(g);
	tell_disk(g, c->rc < 0);
	journal_spill(g);
	change_free_all(c->changes);
	change_free_all(c->found);
	free(c);
}

static bool
is_due(const struct journal *j, int64_t now_us)
{
	bool news = j->unwritten > 0 || kept_is_dirty(j->kept);
	if (j->posted)
		return false;
	if (j->broken)
		return now_us - j->posted_us >= RETRY_US;
	return news || (j->lazy_us && now_us - j->lazy_us >= SETTLE_US) || j->behind_it;
}

static void
gather(struct gateway *g, struct commit *c)
{
	struct journal *j = g->journal;
	c->changes = j->forgotten;
	j->forgotten = NULL;
	j->lazy_us = 0;
	outbox_each(g->outbox, LANE_EVENT, gather_one, &(struct gathering){j, c});
	c->changes = kept_take(j->kept, c->changes);
}

static void
post(struct gateway *g, int64_t now_us)
{
	struct journal *j = g->journal;
	struct commit *c = calloc(1, sizeof(*c));
	if (!c)
		return;
	c->job = (struct spool_job){.run = run_commit, .done = commit_done};
	c->generation = j->gathering++;
	c->look = j->blind;
	if (!c->look)
		gather(g, c);
	j->posted = true;
	j->posted_us = now_us;
	spool_post(g->spool, &c->job);
	if (j->behind_it)
		spool_post(g->spool, j->behind_it);
	j->behind_it = NULL;
}

void
journal_commit(struct gateway *g)
{
	struct journal *j = g->journal;
	int64_t now_us = clock_mono_us();
	if (is_due(j, now_us))
		post(g, now_us);
	bool news = j->unwritten > 0 || kept_is_dirty(j->kept);
	bool stuck = j->posted && now_us - j->posted_us > STUCK_US;
	if ((!news && !j->posted) || j->broken || stuck)
		j->written = j->gathering++; /* what comes next is another one */
	outbox_generation(g->outbox, j->gathering, j->written);
	journal_feed(g);
}

void
journal_close(struct gateway *g)
{
	post(g, clock_mono_us());
}

/* ---- the clock was set ----------------------------------------------------------------------- */

void
journal_synced(struct gateway *g, int64_t lead_ms)
{
	outbox_mend(g->outbox, lead_ms);
	replay_synced(g, lead_ms);
}

/* ---- how it is ------------------------------------------------------------------------------- */

void
journal_tick(struct gateway *g, int64_t now_us)
{
	struct spool_health h;
	bool broken = g->journal->broken || replay_is_broken(g);
	spool_health(g->spool, &h);
	trouble_set(g, "disk", broken ? TRUTH_TRUE : TRUTH_FALSE);
	trouble_set(
		g, "spool-corrupt", h.store_aside || h.backlog_aside ? TRUTH_TRUE : TRUTH_FALSE);
	journal_resend(g, now_us);
	journal_evict(g);
}

void
journal_stats(const struct gateway *g, struct store_stats *out)
{
	const struct journal *j = g->journal;
	*out = j->disk;
	out->records += (int64_t)j->unwritten;
}

bool
journal_is_idle(const struct gateway *g)
{
	const struct journal *j = g->journal;
	return !j->posted && (j->broken || (j->unwritten == 0 && !kept_is_dirty(j->kept))) &&
	       !j->behind;
}
