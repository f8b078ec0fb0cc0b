/* SPDX-License-Identifier: MIT */
/* journal.c -- what happened and what follows from it, on the disk before it is told
 *
 * In one pass of the loop changes and the events that announce them gather; journal_commit() puts
 * them into state.db in one transaction, and only then the events go to the outbox. A crash before
 * it: nothing happened. A crash after it: the events are read again at the next start, with the
 * epoch and number that they had. The outbox holds a part of them that fits its memory; more is
 * fetched when that has gone, so that they keep their order however many wait.
 */
#include "daemon/gateway.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/log.h"

#define FEED_BYTES (2u * 1024 * 1024) /* of the outbox's memory for events */
#define SETTLE_US 1000000LL /* what is not urgent goes with something that is, or this late */

struct gathered { /* an event that waits for its transaction */
	struct gathered *next;
	const char *topic;
	int64_t record;
	size_t len;
	char payload[];
};

struct journal {
	struct gathered *first, **last;
	int64_t fed;     /* the last record that the outbox was given */
	bool behind;     /* there are later ones on the disk only */
	bool broken;     /* the disk refused the last commit */
	int64_t lazy_us; /* since when something that is not urgent waits; 0: nothing does */
};

int
journal_start(struct gateway *g)
{
	g->journal = calloc(1, sizeof(*g->journal));
	if (!g->journal)
		return -1;
	g->journal->last = &g->journal->first;
	g->journal->behind = g->state != NULL; /* what a former run left */
	return 0;
}

void
journal_free(struct gateway *g)
{
	struct journal *j = g->journal;
	while (j && j->first) {
		struct gathered *next = j->first->next;
		free(j->first);
		j->first = next;
	}
	free(j);
	g->journal = NULL;
}

void
journal_keep(struct gateway *g, const char *kind, const char *key, const char *text)
{
	state_put(g->state, kind, key, text);
}

void
journal_drop(struct gateway *g, const char *kind, const char *key)
{
	state_drop(g->state, kind, key);
}

void
journal_event(struct gateway *g, const char *topic, size_t len)
{
	struct journal *j = g->journal;
	struct gathered *e = len ? malloc(sizeof(*e) + len) : NULL;
	if (!e) {
		log_error("%s: an event could not be written", topic);
		return;
	}
	*e = (struct gathered){.topic = topic, .len = len};
	memcpy(e->payload, g->scratch, len);
	e->record = state_record(g->state, topic, g->scratch, len);
	*j->last = e;
	j->last = &e->next;
}

void
journal_settled(struct gateway *g, int64_t record)
{
	state_forget(g->state, record);
	if (!g->journal->lazy_us)
		g->journal->lazy_us = clock_mono_us();
}

/* ---- to the outbox -------------------------------------------------------------------------- */

static bool
has_room(const struct gateway *g)
{
	struct outbox_stats stats;
	outbox_stats(g->outbox, &stats);
	return stats.event_bytes < FEED_BYTES;
}

static bool
feed_one(void *arg, int64_t record, const char *topic, const char *payload, size_t len)
{
	struct gateway *g = arg;
	if (!has_room(g))
		return false;
	const char *interned = gateway_intern(g, topic);
	if (interned)
		outbox_append_record(g->outbox, record, interned, payload, len);
	g->journal->fed = record;
	return true;
}

/* What waits on the disk only, as far as there is room. */
static void
feed(struct gateway *g)
{
	struct journal *j = g->journal;
	if (!j->behind || !has_room(g))
		return;
	state_records(g->state, j->fed, feed_one, g);
	j->behind = !has_room(g);
}

static void
hand_over(struct gateway *g, bool on_disk)
{
	struct journal *j = g->journal;
	while (j->first) {
		struct gathered *e = j->first;
		j->first = e->next;
		if (!on_disk || !e->record) {
			outbox_append(g->outbox, LANE_EVENT, e->topic, e->payload, e->len);
		} else if (j->behind || !has_room(g)) {
			j->behind = true;
		} else {
			outbox_append_record(g->outbox, e->record, e->topic, e->payload, e->len);
			j->fed = e->record;
		}
		free(e);
	}
	j->last = &j->first;
}

static void
tell_disk(struct gateway *g, int rc)
{
	struct journal *j = g->journal;
	if (j->broken == (rc < 0))
		return;
	j->broken = rc < 0;
	if (rc < 0) {
		log_error("state.db: %s; what happens now is lost if the power goes",
			state_error(g->state));
		trouble_raise(g, "disk");
	} else {
		log_info("state.db: can be written again");
		trouble_clear(g, "disk");
		remember_everything(g); /* the next commit may not be the one that was refused */
	}
}

static bool
is_due(const struct journal *j, const struct state *s)
{
	if (j->first || state_is_urgent(s))
		return true;
	return j->lazy_us && clock_mono_us() - j->lazy_us >= SETTLE_US;
}

void
journal_commit(struct gateway *g)
{
	struct journal *j = g->journal;
	for (int pass = 0; pass < 2 && is_due(j, g->state); pass++) {
		int rc = state_commit(g->state);
		j->lazy_us = 0;
		hand_over(g, rc == 0);
		if (g->state)
			tell_disk(g, rc); /* may itself have something to tell */
	}
	feed(g);
}

bool
journal_is_broken(const struct gateway *g)
{
	return g->journal->broken;
}
