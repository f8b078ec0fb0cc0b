/* SPDX-License-Identifier: MIT */
/* replay.c -- telemetry that the broker did not take at once: to the disk, and back as history
 *
 * Live telemetry stays in memory. As soon as the oldest without a PUBACK is a second old, all of it
 * is written, once a second; what is on the disk and was not sent within a few seconds, or before a
 * connect, leaves the memory and becomes the backlog. While we are connected the backlog goes out
 * beside live, a unit (one topic and epoch) at a time, in pieces that the line bears, and each unit
 * leaves the disk when all its pieces were acknowledged.
 */
#include "daemon/gateway.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/clock.h"
#include "daemon/log.h"
#include "daemon/pace.h"

#define S 1000000LL
#define STORE_AFTER_US (1 * S) /* without a PUBACK */
#define LIVE_FOR_US (5 * S)    /* then what is on the disk is backlog */
#define RETRY_US (10 * S)
#define LOOK_AGAIN_US (1 * S)
#define SPREAD_US (5 * S) /* gateways that come back together do not all begin at once */
#define RESERVE_MOST (1 << 20)
#define FULL_FOR_US (300 * S) /* the alarm after the last eviction */

struct store_job {
	struct spool_job job;
	struct row *rows;
	size_t n_rows;
	int64_t *gone;
	size_t n_gone;
	int64_t floor, reserve; /* reserve: for what state.db grows by meanwhile */
	const struct unit *busy;
	bool look;                 /* writes nothing: what is there? */
	bool quiet;                /* an eviction is under way: nothing else may move */
	struct eviction *eviction; /* what has to go */
	struct backlog_stats stats;
	bool more; /* to fold */
	int rc;
};

struct fetch_job {
	struct spool_job job;
	int64_t floor;
	struct unit *sent; /* to be dropped; ours */
	struct unit *next;
	struct backlog_stats stats;
	int rc;
};

struct evict_job {
	struct spool_job job;
	struct eviction *eviction;
	int rc;
};

struct replay {
	int64_t next_row;
	struct backlog_stats disk;
	bool storing, fetching, evicting, broken, more;
	bool blind;        /* spool.db could not be opened at the start */
	int64_t stored_us; /* when it was last tried */
	int64_t *gone;
	size_t n_gone, cap_gone;
	uint64_t losses;
	int64_t full_us; /* of the last eviction; 0: long ago */
	/* the unit that is sent */
	struct unit *unit;
	size_t next; /* its first record that was not sent */
	struct piece {
		int64_t number; /* the message's; 0: none is on its way */
		size_t from, to, bytes;
	} piece;
	int64_t pieces;
	int64_t not_before_us;
	struct pace pace;
};

/* ---- life ----------------------------------------------------------------------------------- */

int
replay_start(struct gateway *g)
{
	struct replay *r = g->replay = calloc(1, sizeof(*r));
	struct spool_files *files = spool_files(g->spool);
	if (!r)
		return -1;
	r->next_row = 1;
	pace_init(&r->pace, clock_mono_us());
	r->blind = !files->backlog;
	if (files->backlog) {
		backlog_stats(files->backlog, &r->disk);
		r->next_row = r->disk.last_row + 1;
	}
	return 0;
}

void
replay_free(struct gateway *g)
{
	struct replay *r = g->replay;
	if (!r)
		return;
	unit_free(r->unit);
	free(r->gone);
	free(r);
	g->replay = NULL;
}

void
replay_telemetry(struct gateway *g, const char *topic, const struct envelope *e, size_t len)
{
	struct draft d = {.lane = LANE_LIVE,
		.topic = topic,
		.record = g->replay->next_row++,
		.epoch = e->epoch,
		.seq = e->seq,
		.ts_ms = e->ts_ms,
		.stamp = clock_stamp(),
		.payload = g->scratch,
		.len = len};
	numbers_reserve(g, topic);
	if (!len || !outbox_append(g->outbox, &d, clock_mono_us()))
		log_error("%s: a reading could not be written", topic);
}

/* Whoever waits for the backlog to be gone is told when it is. */
static void
note_stats(struct gateway *g, const struct backlog_stats *now)
{
	struct replay *r = g->replay;
	if (r->disk.records > 0 && now->records == 0)
		health_changed(g);
	r->disk = *now;
}

static int64_t
floor_of(const struct gateway *g)
{
	struct outbox_stats stats;
	outbox_stats(g->outbox, &stats);
	int64_t floor = stats.lanes[LANE_LIVE].floor;
	return floor < g->replay->next_row ? floor : g->replay->next_row;
}

/* ---- to the disk ---------------------------------------------------------------------------- */

static void
add_gone(struct replay *r, int64_t row)
{
	if (r->n_gone == r->cap_gone) {
		size_t cap = r->cap_gone ? r->cap_gone * 2 : 64;
		int64_t *more = realloc(r->gone, cap * sizeof(*more));
		if (!more)
			return; /* it is sent twice, which is allowed */
		r->gone = more;
		r->cap_gone = cap;
	}
	r->gone[r->n_gone++] = row;
}

static void
add_row(void *arg, struct message *m)
{
	struct store_job *s = arg;
	struct row *row = &s->rows[s->n_rows];
	char *text = m->disk == DISK_NOT ? malloc(m->len) : NULL;
	size_t len = text ? stamp_record(m->payload, m->len, text, m->len) : 0;
	if (len == 0) {
		free(text);
		return;
	}
	*row = (struct row){.id = m->record,
		.topic = m->topic,
		.seq = m->seq,
		.ts_ms = m->ts_ms,
		.stamp = m->stamp,
		.epoch = strdup(m->epoch),
		.text = text,
		.len = len};
	m->disk = DISK_WRITING;
	s->n_rows++;
}

static void
store_free(struct store_job *s)
{
	for (size_t i = 0; i < s->n_rows; i++) {
		free((char *)(uintptr_t)s->rows[i].epoch);
		free((char *)(uintptr_t)s->rows[i].text);
	}
	free(s->rows);
	free(s->gone);
	eviction_free(s->eviction);
	free(s);
}

static void
run_store(struct spool_job *job, struct spool_files *files)
{
	struct store_job *s = (struct store_job *)job;
	struct backlog *b = files->backlog;
	struct store_stats state = {.records = 0};
	s->rc = !b ? -EIO : s->look ? 0 : backlog_store(b, s->rows, s->n_rows, s->gone, s->n_gone);
	if (b)
		backlog_stats(b, &s->stats);
	if (!b || s->look)
		return;
	if (files->store)
		store_stats(files->store, &state);
	if (!s->quiet) { /* also after a refusal: what has to go makes room */
		s->more = backlog_fold(b, s->floor, s->busy) > 0;
		backlog_plan(b, s->floor, s->busy, state.disk_bytes + s->reserve, &s->eviction);
	}
	backlog_stats(b, &s->stats);
}

static void
note_stored(void *arg, struct message *m)
{
	if (m->disk != DISK_WRITING)
		return;
	m->disk = DISK_YES;
	numbers_safe(arg, m, false);
	numbers_stored(arg, m);
}

static void
note_refused(void *arg, struct message *m)
{
	(void)arg;
	if (m->disk == DISK_WRITING)
		m->disk = DISK_NOT;
}

/* The file was set aside, and with it what waited there. */
static void
notice_loss(struct gateway *g)
{
	struct replay *r = g->replay;
	struct spool_health h;
	spool_health(g->spool, &h);
	if (h.backlog_losses != r->losses)
		numbers_backlog_lost(g);
	r->losses = h.backlog_losses;
}

static void
tell_disk(struct gateway *g, bool broken)
{
	struct replay *r = g->replay;
	struct spool_health h;
	spool_health(g->spool, &h);
	notice_loss(g);
	if (r->broken == broken)
		return;
	r->broken = broken;
	if (broken)
		log_error("spool.db: %s; telemetry that cannot be sent is in memory only",
			h.backlog_error);
	else
		log_info("spool.db: can be written again");
}

static void
run_evict(struct spool_job *job, struct spool_files *files)
{
	struct evict_job *e = (struct evict_job *)job;
	e->rc = files->backlog ? backlog_evict(files->backlog, e->eviction) : -1;
}

static void
evict_done(struct gateway *g, struct spool_job *job)
{
	struct evict_job *e = (struct evict_job *)job;
	g->replay->evicting = false;
	g->replay->more = true; /* there may be more that has to go */
	eviction_free(e->eviction);
	free(e);
}

/* What is lost is announced before it goes. */
static void
evict(struct gateway *g, struct store_job *s)
{
	struct replay *r = g->replay;
	struct evict_job *e = calloc(1, sizeof(*e));
	if (!e)
		return;
	for (size_t i = 0; i < s->eviction->n; i++) {
		const struct lost *l = &s->eviction->lost[i];
		const char *topic = gateway_intern(g, l->topic);
		struct gap gap = {.topic = topic,
			.reason = s->eviction->corrupt ? "corrupt" : "spool-full",
			.from_seq = l->from_seq,
			.to_seq = l->to_seq,
			.from_ts_ms = l->from_ts_ms,
			.to_ts_ms = l->to_ts_ms,
			.count = l->count};
		snprintf(gap.epoch, sizeof(gap.epoch), "%.8s", l->epoch);
		if (!topic)
			continue;
		numbers_gap(g, &gap);
		numbers_unstored(g, topic, l->from_seq, l->to_seq);
		g->evicted += (uint64_t)l->count;
	}
	e->job = (struct spool_job){.run = run_evict, .done = evict_done};
	e->eviction = s->eviction;
	s->eviction = NULL;
	r->evicting = true;
	r->full_us = clock_mono_us();
	trouble_raise(g, "spool-full");
	journal_then(g, &e->job);
}

/* Our own bound was reached before the eviction had made room, which is no fault of the disk. */
static bool
is_full(struct gateway *g, const struct store_job *s)
{
	struct spool_health h;
	spool_health(g->spool, &h);
	return s->rc == -ENOSPC && !h.backlog_error[0];
}

static void
store_done(struct gateway *g, struct spool_job *job)
{
	struct replay *r = g->replay;
	struct store_job *s = (struct store_job *)job;
	r->storing = false;
	outbox_each(g->outbox, LANE_LIVE, s->rc < 0 ? note_refused : note_stored, g);
	if (s->look && s->rc == 0) { /* what is there comes before what is new */
		outbox_renumber(g->outbox, LANE_LIVE, s->stats.last_row);
		r->next_row += s->stats.last_row;
		r->blind = false;
	}
	bool full = is_full(g, s);
	if (full) { /* what is in memory, too, can be evicted as soon as it is not */
		outbox_release(g->outbox, LANE_LIVE, 0, INT64_MAX, INT64_MAX);
		r->more = true;
	}
	tell_disk(g, s->rc < 0 && !full);
	if (s->rc == 0) {
		note_stats(g, &s->stats);
		r->more = s->more;
	}
	for (size_t i = 0; s->rc < 0 && i < s->n_gone; i++)
		add_gone(r, s->gone[i]);
	if (s->eviction && !g->stopping) /* the next life plans it again */
		evict(g, s);
	outbox_release(g->outbox, LANE_LIVE, 0, INT64_MAX, clock_mono_us() - LIVE_FOR_US);
	store_free(s);
}

static int64_t
reserve_of(const struct config *c)
{
	int64_t sixteenth = c->spool_max_bytes / 16;
	return sixteenth < RESERVE_MOST ? sixteenth : RESERVE_MOST;
}

static void
post_store(struct gateway *g, size_t n, int64_t now_us)
{
	struct replay *r = g->replay;
	struct store_job *s = calloc(1, sizeof(*s));
	if (!s)
		return;
	s->job = (struct spool_job){.run = run_store, .done = store_done};
	s->rows = calloc(n + 1, sizeof(*s->rows));
	if (!s->rows) {
		free(s);
		return;
	}
	s->look = r->blind;
	if (n && !s->look)
		outbox_each(g->outbox, LANE_LIVE, add_row, s);
	s->gone = r->gone;
	s->n_gone = r->n_gone;
	r->gone = NULL;
	r->n_gone = r->cap_gone = 0;
	s->floor = floor_of(g);
	s->reserve = reserve_of(g->config);
	s->busy = r->unit;
	s->quiet = r->evicting;
	r->storing = true;
	r->more = false;
	r->stored_us = now_us;
	spool_post(g->spool, &s->job);
}

static void
store(struct gateway *g, int64_t now_us, bool all)
{
	struct replay *r = g->replay;
	struct outbox_stats stats;
	outbox_stats(g->outbox, &stats);
	const struct lane_stats *live = &stats.lanes[LANE_LIVE];
	bool old = all || now_us - live->oldest_us >= STORE_AFTER_US;
	size_t most = old ? live->waiting + live->in_flight : 0;
	if (most || r->n_gone || r->more || r->blind)
		post_store(g, most, now_us);
}

/* ---- live telemetry came home --------------------------------------------------------------- */

static void
live_ended(struct gateway *g, const struct message *m, enum message_end how)
{
	if (how == END_DROPPED && m->disk != DISK_NOT)
		return; /* it is backlog now */
	if (m->disk != DISK_NOT)
		add_gone(g->replay, m->record);
	numbers_safe(g, m, how == END_ACKNOWLEDGED);
	numbers_unstored(g, m->topic, m->seq, m->seq);
	if (how == END_DROPPED) {
		g->evicted++;
		numbers_lost(g, m->topic, m->epoch, m->seq, m->ts_ms, "write-error");
	} else if (how == END_REJECTED) {
		journal_reject(g, m);
	}
}

/* ---- history -------------------------------------------------------------------------------- */

static void
run_fetch(struct spool_job *job, struct spool_files *files)
{
	struct fetch_job *f = (struct fetch_job *)job;
	struct backlog *b = files->backlog;
	f->rc = b ? 0 : -1;
	if (b && f->sent)
		f->rc = backlog_drop(b, f->sent);
	if (f->rc == 0)
		f->rc = backlog_next(b, f->floor, &f->next);
	if (b)
		backlog_stats(b, &f->stats);
}

static void
fetch_done(struct gateway *g, struct spool_job *job)
{
	struct replay *r = g->replay;
	struct fetch_job *f = (struct fetch_job *)job;
	r->fetching = false;
	tell_disk(g, f->rc < 0);
	if (f->rc == 0)
		note_stats(g, &f->stats);
	if (f->rc < 0 || !f->next) /* what is on the disk may still be in memory, too */
		r->not_before_us = clock_mono_us() + (f->rc < 0 ? RETRY_US : LOOK_AGAIN_US);
	r->unit = f->next;
	r->next = 0;
	unit_free(f->sent);
	free(f);
}

static void
fetch(struct gateway *g)
{
	struct replay *r = g->replay;
	struct fetch_job *f = calloc(1, sizeof(*f));
	if (!f)
		return;
	f->job = (struct spool_job){.run = run_fetch, .done = fetch_done};
	f->floor = floor_of(g);
	f->sent = r->unit;
	r->unit = NULL;
	r->fetching = true;
	spool_post(g->spool, &f->job);
}

/* The records from `from` on that fit into `most` bytes, one at least. */
static size_t
cut(const struct unit *u, size_t from, size_t most)
{
	size_t to = from, bytes = 0;
	while (to < u->n && (to == from || bytes + u->records[to].len <= most))
		bytes += u->records[to++].len + 1;
	return to;
}

static void
send_piece(struct gateway *g, size_t most, int64_t now_us)
{
	struct replay *r = g->replay;
	const struct unit *u = r->unit;
	size_t to = cut(u, r->next, most);
	char topic[256];
	const char *slash = strrchr(u->topic, '/');
	snprintf(topic, sizeof(topic), "%.*s/history", slash ? (int)(slash - u->topic) : 0,
		u->topic);
	size_t root = strlen(g->config->mqtt.topic_root) + strlen(g->config->park) + 2;
	struct draft d = {.lane = LANE_HISTORY,
		.topic = gateway_intern(g, topic),
		.record = ++r->pieces,
		.payload = g->scratch};
	d.len = payload_history(
		g->scratch, GATEWAY_SCRATCH, g->config->gateway, u, r->next, to, root);
	if (!d.topic || !d.len || !outbox_append(g->outbox, &d, now_us))
		return;
	r->piece = (struct piece){.number = d.record, .from = r->next, .to = to, .bytes = d.len};
	r->next = to;
	pace_spend(&r->pace, d.len);
}

void
replay_pump(struct gateway *g, int64_t now_us)
{
	struct replay *r = g->replay;
	bool working = r->storing || r->fetching;
	if (!working && now_us - r->stored_us >= (r->broken ? RETRY_US : STORE_AFTER_US))
		store(g, now_us, false);
	if (!g->mqtt.up || r->fetching || now_us < r->not_before_us)
		return;
	bool all_sent = !r->unit || (r->next == r->unit->n && !r->piece.number);
	if (all_sent && !r->storing && !r->evicting && (r->unit || r->disk.records > 0))
		fetch(g);
	if (r->unit && r->next < r->unit->n && !r->piece.number) {
		size_t most = pace_piece(&r->pace, now_us);
		if (most)
			send_piece(g, most, now_us);
	}
}

/* The broker will not have these records. */
static void
refuse(struct gateway *g, const struct piece *p, int reason)
{
	const struct unit *u = g->replay->unit;
	for (size_t i = p->from; i < p->to; i++) {
		const struct unit_record *record = &u->records[i];
		struct message *m = calloc(1, sizeof(*m) + record->len);
		if (!m)
			return;
		m->topic = gateway_intern(g, u->topic);
		m->seq = record->seq;
		m->ts_ms = record->ts_ms;
		m->reason = reason;
		m->len = (uint32_t)record->len;
		memcpy(m->payload, record->text, record->len);
		snprintf(m->epoch, sizeof(m->epoch), "%.8s", u->epoch);
		if (m->topic)
			journal_reject(g, m);
		free(m);
	}
}

static void
piece_ended(struct gateway *g, const struct message *m, enum message_end how)
{
	struct replay *r = g->replay;
	struct piece p = r->piece;
	if (!r->unit || p.number != m->record)
		return;
	r->piece.number = 0;
	if (how == END_ACKNOWLEDGED) {
		pace_answered(&r->pace, clock_mono_us() - m->born_us);
		numbers_unstored(g, gateway_intern(g, r->unit->topic), r->unit->records[p.from].seq,
			r->unit->records[p.to - 1].seq);
	} else if (m->reason == 0x95 && p.to - p.from > 1) {
		pace_shrink(&r->pace, p.bytes);
		r->next = p.from; /* once more, in smaller pieces */
	} else {
		refuse(g, &p, m->reason);
	}
}

void
replay_ended(struct gateway *g, const struct message *m, enum message_end how)
{
	if (m->lane == LANE_LIVE)
		live_ended(g, m, how);
	else
		piece_ended(g, m, how);
}

/* ---- the broker, the clock, the end --------------------------------------------------------- */

void
replay_connected(struct gateway *g, int64_t now_us)
{
	struct replay *r = g->replay;
	uint32_t random = 0;
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		random = (uint32_t)now_us * 2654435761u;
	outbox_release(g->outbox, LANE_LIVE, 0, INT64_MAX, INT64_MAX);
	pace_init(&r->pace, now_us);
	r->not_before_us = now_us + (int64_t)(random / 4294967296.0 * SPREAD_US);
}

struct synced {
	struct spool_job job;
	int64_t lead_ms;
};

static void
run_synced(struct spool_job *job, struct spool_files *files)
{
	const struct synced *s = (struct synced *)job;
	if (files->store)
		store_synced(files->store, s->lead_ms);
	if (files->backlog)
		backlog_synced(files->backlog, s->lead_ms);
}

static void
synced_done(struct gateway *g, struct spool_job *job)
{
	(void)g;
	free(job);
}

void
replay_synced(struct gateway *g, int64_t lead_ms)
{
	struct synced *s = calloc(1, sizeof(*s));
	if (!s)
		return;
	s->job = (struct spool_job){.run = run_synced, .done = synced_done};
	s->lead_ms = lead_ms;
	spool_post(g->spool, &s->job);
}

void
replay_tick(struct gateway *g, int64_t now_us)
{
	struct replay *r = g->replay;
	struct spool_health h;
	spool_health(g->spool, &h);
	notice_loss(g);
	r->more |= h.store_aside || h.backlog_aside; /* a job looks whether it is still there */
	if (r->full_us && now_us - r->full_us > FULL_FOR_US) {
		r->full_us = 0;
		trouble_clear(g, "spool-full");
	}
}

void
replay_close(struct gateway *g)
{
	store(g, clock_mono_us(), true);
}

bool
replay_is_broken(const struct gateway *g)
{
	return g->replay->broken;
}

void
replay_stats(const struct gateway *g, struct backlog_stats *out)
{
	*out = g->replay->disk;
}
