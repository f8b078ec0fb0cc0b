/* SPDX-License-Identifier: MIT */
/* numbers.c -- (topic, epoch, seq) names a record for ever; what will never come is announced
 *
 * An event's number is kept in the transaction that keeps the event, so it never jumps. Telemetry
 * reserves numbers by the block: after a crash a topic goes on behind its block, and one gap tells
 * which numbers may be missing. The epoch is the same until numbers could be given twice: state.db
 * was lost, or the disk does not take what is said now.
 */
#include "daemon/gateway.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/clock.h"

#define BLOCK 1000u
#define CALM_US (3600 * 1000000LL) /* the alarm of a dead letter */

static struct topic *
topic_of(const char *text)
{
	return (struct topic *)(uintptr_t)(text - offsetof(struct topic, text));
}

/* ---- drawing -------------------------------------------------------------------------------- */

static void
keep_numbers(struct gateway *g, const struct topic *t)
{
	char text[48];
	snprintf(text, sizeof(text), "%llu %llu", (unsigned long long)t->safe,
		(unsigned long long)t->reserved);
	journal_keep(g, "seq", t->text, text);
}

static bool
parse_numbers(const char *text, uint64_t *safe, uint64_t *reserved)
{
	unsigned long long a, b;
	if (!text || sscanf(text, "%llu %llu", &a, &b) != 2)
		return false;
	*safe = a;
	*reserved = b;
	return true;
}

void
numbers_recall(struct gateway *g, struct topic *t)
{
	if (g->journal && parse_numbers(journal_kept(g, "seq", t->text), &t->safe, &t->reserved))
		t->seq = t->reserved;
}

void
numbers_used(struct gateway *g, const char *topic)
{
	struct topic *t = topic_of(topic);
	t->safe = t->reserved = t->seq;
	keep_numbers(g, t);
}

void
numbers_reserve(struct gateway *g, const char *topic)
{
	struct topic *t = topic_of(topic);
	t->live = true;
	if (t->seq + BLOCK / 2 <= t->reserved)
		return;
	t->reserved = t->seq + BLOCK;
	keep_numbers(g, t);
}

/* With the broker, or on the disk. */
void
numbers_safe(struct gateway *g, const struct message *m, bool acknowledged)
{
	struct topic *t = topic_of(m->topic);
	if (strcmp(m->epoch, g->epoch) != 0)
		return;
	if (m->seq > t->safe)
		t->safe = m->seq;
	if (acknowledged && m->seq > t->acked)
		t->acked = m->seq;
}

/* ---- the epoch ------------------------------------------------------------------------------ */

static void
make_epoch(struct gateway *g)
{
	uint32_t random;
	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		random = (uint32_t)clock_wall_ms();
	snprintf(g->epoch, sizeof(g->epoch), "%08x", random);
	journal_keep(g, "run", "epoch", g->epoch);
}

/* An event that the disk refused gets the new epoch, too: its number may be given again. */
static void
rename_epoch(void *arg, struct message *m)
{
	struct gateway *g = arg;
	char old[32];
	if (m->disk != DISK_NOT || m->flying || strlen(m->epoch) != strlen(g->epoch))
		return;
	int n = snprintf(old, sizeof(old), "\"epoch\":\"%s\"", m->epoch);
	char *at = memmem(m->payload, m->len, old, (size_t)n);
	if (!at)
		return;
	memcpy(at + strlen("\"epoch\":\""), g->epoch, strlen(g->epoch));
	memcpy(m->epoch, g->epoch, sizeof(m->epoch));
}

void
numbers_renew_epoch(struct gateway *g)
{
	make_epoch(g);
	outbox_each(g->outbox, LANE_EVENT, rename_epoch, g);
	outbox_mark(g->outbox, &g->info);
}

/* ---- gaps ----------------------------------------------------------------------------------- */

void
numbers_gap(struct gateway *g, const struct gap *gap)
{
	struct envelope e = gateway_numbered(g, clock_wall_ms(), g->gap_topic);
	size_t root = strlen(g->config->mqtt.topic_root) + strlen(g->config->park) + 2;
	journal_event(g, g->gap_topic, &e, payload_gap(g->scratch, GATEWAY_SCRATCH, &e, gap, root));
}

static void
tell_loss(struct gateway *g, struct topic *t)
{
	if (t->loss.count > 0)
		numbers_gap(g, &t->loss);
	t->loss.count = 0;
}

void
numbers_lost(struct gateway *g, const char *topic, const char *epoch, uint64_t seq, int64_t ts_ms,
	const char *reason)
{
	struct topic *t = topic_of(topic);
	struct gap *l = &t->loss;
	if (topic == g->gap_topic) /* nothing can tell of it */
		return;
	bool next = l->count > 0 && seq == l->to_seq + 1 && strcmp(l->epoch, epoch) == 0 &&
		    strcmp(l->reason, reason) == 0;
	if (!next) {
		tell_loss(g, t);
		*l = (struct gap){
			.topic = t->text, .reason = reason, .from_seq = seq, .from_ts_ms = ts_ms};
		snprintf(l->epoch, sizeof(l->epoch), "%.8s", epoch);
	}
	l->to_seq = seq;
	l->to_ts_ms = ts_ms;
	l->count++;
}

void
numbers_refused(struct gateway *g, const struct message *m)
{
	numbers_lost(g, m->topic, m->epoch, m->seq, m->ts_ms, "refused");
	g->refused_us = clock_mono_us();
	trouble_raise(g, "dead-letter");
}

void
numbers_tick(struct gateway *g, int64_t now_us)
{
	for (struct topic *t = g->topics; t; t = t->next)
		tell_loss(g, t);
	if (g->refused_us && now_us - g->refused_us > CALM_US) {
		g->refused_us = 0;
		trouble_clear(g, "dead-letter");
	}
}

/* Events that were on the disk only. Which of them the broker got before is known as far back as
 * this run goes, so the range may begin too early. */
void
numbers_records_lost(struct gateway *g)
{
	for (struct topic *t = g->topics; t; t = t->next) {
		struct gap gap = {.topic = t->text,
			.reason = "corrupt",
			.from_seq = t->acked + 1,
			.to_seq = t->seq,
			.count = -1};
		memcpy(gap.epoch, g->epoch, sizeof(gap.epoch));
		if (!t->live && t->acked < t->seq && t->text != g->gap_topic)
			numbers_gap(g, &gap);
	}
}

/* ---- telemetry on the disk ------------------------------------------------------------------ */

void
numbers_stored(struct gateway *g, const struct message *m)
{
	struct topic *t = topic_of(m->topic);
	char text[40];
	if (t->stored_to == 0) {
		t->stored_from = m->seq;
		memcpy(t->stored_epoch, m->epoch, sizeof(t->stored_epoch));
		snprintf(text, sizeof(text), "%s %llu", m->epoch, (unsigned long long)m->seq);
		journal_keep(g, "backlog", t->text, text);
	}
	if (m->seq > t->stored_to)
		t->stored_to = m->seq;
}

void
numbers_unstored(struct gateway *g, const char *topic, uint64_t from, uint64_t upto)
{
	struct topic *t = topic_of(topic);
	if (t->stored_to && from <= t->stored_from && t->stored_from <= upto)
		t->stored_from = upto + 1;
	if (t->stored_to && t->stored_from > t->stored_to) {
		t->stored_from = t->stored_to = 0;
		journal_drop(g, "backlog", t->text);
	}
}

/* spool.db was begun anew. */
void
numbers_backlog_lost(struct gateway *g)
{
	for (struct topic *t = g->topics; t; t = t->next) {
		struct gap gap = {.topic = t->text,
			.reason = "corrupt",
			.from_seq = t->stored_from,
			.to_seq = t->stored_to,
			.count = -1};
		memcpy(gap.epoch, t->stored_epoch, sizeof(gap.epoch));
		if (!t->stored_to)
			continue;
		numbers_gap(g, &gap);
		numbers_unstored(g, t->text, t->stored_from, t->stored_to);
	}
}

static void
recall_stored(void *arg, const char *topic, const char *text)
{
	struct gateway *g = arg;
	unsigned long long from;
	char epoch[16];
	const char *interned = gateway_intern(g, topic);
	if (!interned || sscanf(text, "%15s %llu", epoch, &from) != 2)
		return;
	struct topic *t = topic_of(interned);
	t->stored_from = from;
	t->stored_to = t->seq > from ? t->seq : from;
	snprintf(t->stored_epoch, sizeof(t->stored_epoch), "%.8s", epoch);
}

/* ---- over a restart ------------------------------------------------------------------------- */

static void
recover(void *arg, const char *topic, const char *text)
{
	struct gateway *g = arg;
	uint64_t safe, reserved;
	struct spool_files *files = spool_files(g->spool);
	const char *interned =
		parse_numbers(text, &safe, &reserved) ? gateway_intern(g, topic) : NULL;
	if (!interned || reserved <= safe)
		return;
	uint64_t spooled = files->backlog ? backlog_last_seq(files->backlog, topic, g->epoch) : 0;
	struct gap gap = {.topic = interned,
		.reason = "restart",
		.from_seq = (spooled > safe ? spooled : safe) + 1,
		.to_seq = reserved,
		.to_ts_ms = clock_wall_ms(),
		.count = -1};
	memcpy(gap.epoch, g->epoch, sizeof(gap.epoch));
	if (gap.from_seq <= gap.to_seq)
		numbers_gap(g, &gap);
	topic_of(interned)->safe = reserved;
	keep_numbers(g, topic_of(interned));
}

void
numbers_start(struct gateway *g)
{
	const char *epoch = journal_kept(g, "run", "epoch");
	if (epoch && strlen(epoch) == 8)
		memcpy(g->epoch, epoch, 9);
	else
		make_epoch(g);
	journal_each(g, "seq", recover, g);
	journal_each(g, "backlog", recall_stored, g);
}

void
numbers_close(struct gateway *g)
{
	for (struct topic *t = g->topics; t; t = t->next) {
		tell_loss(g, t);
		if (t->reserved == t->seq && t->safe == t->seq)
			continue;
		t->safe = t->reserved = t->seq;
		keep_numbers(g, t);
	}
}
