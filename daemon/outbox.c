/* SPDX-License-Identifier: MIT */
/* outbox.c -- four lanes and a window */
#include "daemon/outbox.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/outbox_impl.h"
#include "daemon/puback.h"

#define RENDER_MAX (1024 * 1024)
#define S 1000000LL
#define MINUTE_US (60 * S)
#define LATE_US (10 * S) /* an event that waited so long lets live telemetry go first */

/* ---- life ---------------------------------------------------------------------------------- */

struct outbox *
outbox_create(const struct outbox_ops *ops, size_t live_bytes, size_t event_bytes)
{
	struct outbox *o = calloc(1, sizeof(*o));
	if (!o)
		return NULL;
	o->render_buf = malloc(RENDER_MAX);
	if (!o->render_buf) {
		free(o);
		return NULL;
	}
	o->ops = *ops;
	o->events_upto = INT64_MAX;
	for (size_t i = 0; i < LANE_COUNT; i++)
		queue_init(&o->lanes[i].waiting);
	queue_init(&o->flying);
	o->lanes[LANE_LIVE].max_bytes = live_bytes;
	o->lanes[LANE_EVENT].max_bytes = event_bytes;
	o->lanes[LANE_HISTORY].max_bytes = SIZE_MAX; /* its owner hands over a unit at a time */
	o->all_last = &o->all;
	o->changed_last = &o->changed;
	return o;
}

void
outbox_destroy(struct outbox *o)
{
	if (!o)
		return;
	for (size_t i = 0; i < LANE_COUNT; i++)
		queue_free(&o->lanes[i].waiting);
	while (o->parked) {
		struct parked *next = o->parked->next;
		queue_free(&o->parked->waiting);
		free(o->parked);
		o->parked = next;
	}
	pool_finish(&o->pool);
	free(o->render_buf);
	free(o);
}

static void
leave(struct outbox *o, struct message *m, enum message_end how)
{
	if (m->lane != LANE_RETAINED && o->ops.ended)
		o->ops.ended(o->ops.arg, m, how);
	pool_give(&o->pool, m);
}

/* ---- parked topics ------------------------------------------------------------------------- */

static struct parked *
parked_find(const struct outbox *o, const struct message *m)
{
	for (struct parked *p = o->parked; p; p = p->next)
		if (p->lane == m->lane && strcmp(p->topic, m->topic) == 0)
			return p;
	return NULL;
}

/* False: no memory; then it is asked again at once. */
static bool
park(struct outbox *o, const struct message *m, int64_t until_us)
{
	struct parked *p = parked_find(o, m);
	if (!p) {
		p = calloc(1, sizeof(*p));
		if (!p)
			return false;
		p->topic = m->topic;
		p->lane = m->lane;
		queue_init(&p->waiting);
		p->next = o->parked;
		o->parked = p;
	}
	if (until_us > p->until_us)
		p->until_us = until_us;
	return true;
}

static void
unpark(struct outbox *o, struct parked **at)
{
	struct parked *p = *at;
	struct queue *lane = &o->lanes[p->lane].waiting;
	*at = p->next;
	for (struct message *m; (m = queue_pop(&p->waiting)) != NULL;)
		queue_insert(lane, m);
	free(p);
}

static void
unpark_due(struct outbox *o, int64_t now_us)
{
	for (struct parked **at = &o->parked; *at;) {
		if ((*at)->until_us <= now_us)
			unpark(o, at);
		else
			at = &(*at)->next;
	}
}

/* ---- queued messages ----------------------------------------------------------------------- */

/* The oldest that may be dropped for want of memory; of events those that are not on the disk,
 * because the others are read again from there. */
static struct message **
find_oldest(struct queue *q, bool unwritten_only)
{
	for (struct message **at = &q->first; *at; at = &(*at)->next)
		if (!unwritten_only || (*at)->disk == DISK_NOT)
			return at;
	return NULL;
}

static void
trim(struct outbox *o, enum message_lane lane)
{
	struct lane *l = &o->lanes[lane];
	while (l->bytes > l->max_bytes) {
		struct queue *q = &l->waiting;
		struct message **at = find_oldest(q, lane == LANE_EVENT);
		for (struct parked *p = o->parked; p; p = p->next) {
			struct message **other =
				p->lane == lane ? find_oldest(&p->waiting, lane == LANE_EVENT)
						: NULL;
			if (other && (!at || (*other)->record < (*at)->record)) {
				at = other;
				q = &p->waiting;
			}
		}
		if (!at)
			return;
		struct message *m = queue_take_out(q, at);
		l->bytes -= m->cap;
		leave(o, m, END_DROPPED);
	}
}

bool
outbox_append(struct outbox *o, const struct draft *d, int64_t born_us)
{
	struct message *m = pool_take(&o->pool, d->len + (d->stamp.unsynced ? STAMP_ROOM : 0));
	if (!m)
		return false;
	m->len = (uint32_t)d->len;
	m->lane = d->lane;
	m->topic = d->topic;
	m->record = d->record;
	m->disk = d->disk;
	m->seq = d->seq;
	m->ts_ms = d->ts_ms;
	m->born_us = born_us;
	m->stamp = d->stamp;
	if (d->epoch)
		strncpy(m->epoch, d->epoch, sizeof(m->epoch) - 1);
	memcpy(m->payload, d->payload, d->len);
	queue_insert(&o->lanes[d->lane].waiting, m);
	o->lanes[d->lane].bytes += m->cap;
	trim(o, d->lane);
	return true;
}

void
outbox_gate_events(struct outbox *o, int64_t upto, bool anyway)
{
	o->events_upto = upto;
	o->events_anyway = anyway;
}

/* ---- retained topics ----------------------------------------------------------------------- */

static void
changed_append(struct outbox *o, struct retained *r)
{
	r->next = NULL;
	*o->changed_last = r;
	o->changed_last = &r->next;
	r->queued = true;
}

void
outbox_generation(struct outbox *o, uint64_t gathering, uint64_t written)
{
	o->gathering = gathering;
	o->written = written;
}

void
outbox_mark(struct outbox *o, struct retained *r)
{
	if (!r->listed)
		return;
	r->dirty = true;
	r->held_for = o->gathering;
	if (!r->queued && !r->in_flight)
		changed_append(o, r);
}

void
outbox_add(struct outbox *o, struct retained *r)
{
	if (!r->listed) {
		if (o->ops.listed)
			o->ops.listed(o->ops.arg, r->topic, true);
		r->listed = true;
		r->all_next = NULL;
		r->all_prev = o->all_last;
		*o->all_last = r;
		o->all_last = &r->all_next;
	}
	r->leaving = false;
	outbox_mark(o, r);
}

void
outbox_forget(struct outbox *o, struct retained *r)
{
	r->leaving = true;
	outbox_mark(o, r);
}

static void
unlist(struct outbox *o, struct retained *r)
{
	*r->all_prev = r->all_next;
	if (r->all_next)
		r->all_next->all_prev = r->all_prev;
	else
		o->all_last = r->all_prev;
	r->listed = false;
	if (o->ops.listed)
		o->ops.listed(o->ops.arg, r->topic, false);
}

static struct retained *
changed_pop(struct outbox *o, int64_t now_us)
{
	for (struct retained **at = &o->changed; *at; at = &(*at)->next) {
		struct retained *r = *at;
		if (r->paused_until_us > now_us || r->held_for > o->written)
			continue;
		*at = r->next;
		if (!r->next)
			o->changed_last = at;
		r->queued = false;
		return r;
	}
	return NULL;
}

static struct message *
picture(struct outbox *o, struct retained *r)
{
	size_t len = r->leaving ? 0 : r->render(r, o->render_buf, RENDER_MAX);
	r->dirty = false;
	if (len == 0 && !r->leaving) { /* must not look like a removal */
		o->ops.trouble(o->ops.arg, r->topic, 0x95, "too large to be written");
		return NULL;
	}
	struct message *m = pool_take(&o->pool, len ? len : 1);
	if (!m)
		return NULL;
	memcpy(m->payload, o->render_buf, len);
	m->len = (uint32_t)len;
	m->lane = LANE_RETAINED;
	m->retained = r;
	m->topic = r->topic;
	m->retain = true;
	m->json = r->json && len > 0;
	r->in_flight = true;
	return m;
}

/* ---- the window ---------------------------------------------------------------------------- */

/* Whether the first of a queued lane may go; what is parked steps aside. */
static bool
is_ready(struct outbox *o, enum message_lane lane, int64_t now_us)
{
	struct lane *l = &o->lanes[lane];
	struct parked *p;
	if (l->paused_until_us > now_us)
		return false;
	while (o->parked && l->waiting.first && (p = parked_find(o, l->waiting.first)) != NULL)
		queue_append(&p->waiting, queue_pop(&l->waiting));
	struct message *m = l->waiting.first;
	if (!m || lane != LANE_EVENT)
		return m != NULL;
	return m->record <= o->events_upto && (m->disk == DISK_YES || o->events_anyway);
}

/* After a connect what is so now goes first, and in its order: what waits for the disk holds up the
 * rest, for the 5 s at most that journal.c gives a disk. */
static bool
burst_is_held(struct outbox *o, int64_t now_us)
{
	if (o->burst == 0)
		return false;
	for (struct retained *r = o->changed; r; r = r->next)
		if (r->paused_until_us <= now_us)
			return r->held_for > o->written;
	o->burst = 0;
	return false;
}

static struct message *
next_retained(struct outbox *o, int64_t now_us)
{
	struct retained *r = changed_pop(o, now_us);
	if (!r)
		return NULL;
	if (o->burst)
		o->burst--;
	return picture(o, r);
}

static struct message *
take(struct outbox *o, enum message_lane lane)
{
	struct message *m = queue_pop(&o->lanes[lane].waiting);
	o->lanes[lane].bytes -= m->cap;
	return m;
}

/* Fresh events, what is so now, live telemetry, late events of an outage, history. Whoever waits
 * behind another gets a share of the turns, so that nothing starves. */
static struct message *
next_message(struct outbox *o, int64_t now_us)
{
	if (burst_is_held(o, now_us))
		return NULL;
	struct message *m = o->burst ? next_retained(o, now_us) : NULL;
	if (m)
		return m;
	bool event = is_ready(o, LANE_EVENT, now_us), live = is_ready(o, LANE_LIVE, now_us);
	bool history = is_ready(o, LANE_HISTORY, now_us) &&
		       o->lanes[LANE_HISTORY].in_flight < (o->window + 2) / 3;
	bool late = event && now_us - o->lanes[LANE_EVENT].waiting.first->born_us > LATE_US;
	o->turn++;
	if (event && !late && !(live && o->turn % 4 == 0))
		return take(o, LANE_EVENT);
	m = next_retained(o, now_us);
	if (m)
		return m;
	if (live && !(late && o->turn % 4 == 0) && !(history && !event && o->turn % 16 == 0))
		return take(o, LANE_LIVE);
	if (event)
		return take(o, LANE_EVENT);
	return history ? take(o, LANE_HISTORY) : NULL;
}

void
outbox_pump(struct outbox *o, int64_t now_us)
{
	unpark_due(o, now_us);
	while (o->connected && o->in_flight < o->window) {
		struct message *m = next_message(o, now_us);
		if (!m)
			break;
		o->in_flight++;
		o->lanes[m->lane].in_flight++;
		o->published++;
		m->flying = true;
		queue_append(&o->flying, m);
		o->ops.send(o->ops.arg, m);
	}
}

void
outbox_connected(struct outbox *o, unsigned window)
{
	o->connected = true;
	o->window = window ? window : 1;
	o->burst = 0;
	while (o->parked)
		unpark(o, &o->parked);
	for (size_t i = 0; i < LANE_COUNT; i++)
		o->lanes[i].paused_until_us = o->lanes[i].quota_until_us = o->lanes[i].pause_us = 0;
	/* Listed anew, so that they go in the order in which they were added. */
	o->changed = NULL;
	o->changed_last = &o->changed;
	for (struct retained *r = o->all; r; r = r->all_next) {
		uint64_t held_for = r->held_for;
		bool dirty = r->dirty;
		r->paused_until_us = 0;
		r->queued = false;
		outbox_mark(o, r);
		r->held_for = dirty ? held_for : 0; /* what it shows has not changed */
		o->burst += r->queued; /* one that is still on its way follows when it is back */
	}
}

void
outbox_disconnected(struct outbox *o)
{
	o->connected = false;
}

/* ---- what came back ------------------------------------------------------------------------ */

/* It stays in the outbox: a retained topic is drawn again, the rest goes back to its place. */
static void
keep(struct outbox *o, struct message *m)
{
	if (m->retained) {
		uint64_t held_for = m->retained->held_for;
		bool dirty = m->retained->dirty;
		outbox_mark(o, m->retained);
		m->retained->held_for = dirty ? held_for : 0;
		pool_give(&o->pool, m);
		return;
	}
	queue_insert(&o->lanes[m->lane].waiting, m);
	o->lanes[m->lane].bytes += m->cap;
	trim(o, m->lane);
}

static void
settled(struct outbox *o, struct message *m, enum message_end how)
{
	struct retained *r = m->retained;
	bool was_clearing = m->retain && m->len == 0;
	leave(o, m, how);
	if (!r)
		return;
	if (r->leaving && was_clearing) {
		unlist(o, r);
		if (r->gone)
			r->gone(r);
		return;
	}
	if (r->leaving || r->dirty) {
		uint64_t held_for = r->held_for;
		outbox_mark(o, r);
		r->held_for = held_for;
	}
}

/* Doubles once per pause: a whole window that is refused is one refusal. */
static int64_t
quota_pause(struct lane *l, int64_t now_us)
{
	if (now_us < l->quota_until_us)
		return l->quota_until_us - now_us;
	l->pause_us = l->pause_us ? l->pause_us * 2 : MINUTE_US / 2;
	if (l->pause_us > 10 * MINUTE_US)
		l->pause_us = 10 * MINUTE_US;
	l->quota_until_us = now_us + l->pause_us;
	return l->pause_us;
}

/* Its topic waits, or its lane where there is but one kind of thing in it. */
static void
pause_topic(struct outbox *o, struct message *m, int64_t now_us, int64_t pause_us)
{
	if (m->retained)
		m->retained->paused_until_us = now_us + pause_us;
	else if (m->lane == LANE_HISTORY || !park(o, m, now_us + pause_us))
		o->lanes[m->lane].paused_until_us = now_us + pause_us;
}

static void
pause_lane(struct outbox *o, struct message *m, int64_t now_us)
{
	int64_t pause_us = quota_pause(&o->lanes[m->lane], now_us);
	if (m->retained)
		m->retained->paused_until_us = now_us + pause_us;
	else
		o->lanes[m->lane].paused_until_us = now_us + pause_us;
}

static void
refuse(struct outbox *o, struct message *m, enum verdict verdict, const char *what, int64_t now_us)
{
	m->reason = puback_reason(m);
	o->refused++;
	o->ops.trouble(o->ops.arg, m->topic, m->reason, what);
	if (verdict == VERDICT_NEVER || verdict == VERDICT_TOO_BIG ||
		(verdict == VERDICT_RETRY && ++m->tries > 3)) {
		if (m->retained)
			m->retained->dirty = false; /* drawn again when it changes */
		settled(o, m, END_REJECTED);
		return;
	}
	if (verdict == VERDICT_PAUSE)
		pause_topic(o, m, now_us, 15 * MINUTE_US);
	else if (verdict == VERDICT_RETRY)
		pause_topic(o, m, now_us, m->retained ? MINUTE_US : m->tries * 5 * S);
	else if (verdict == VERDICT_QUOTA)
		pause_lane(o, m, now_us);
	keep(o, m);
}

static void
land(struct outbox *o, struct message *m)
{
	struct message **at = &o->flying.first;
	while (*at != m)
		at = &(*at)->next;
	queue_take_out(&o->flying, at);
	m->flying = false;
	o->in_flight--;
	o->lanes[m->lane].in_flight--;
	if (m->retained)
		m->retained->in_flight = false;
}

bool
outbox_done(struct outbox *o, struct message *m, int64_t now_us)
{
	const char *what;
	land(o, m);
	if (m->result == RESULT_UNSENT) {
		keep(o, m);
		return false;
	}
	enum verdict verdict = puback_judge(m, &what);
	if (verdict == VERDICT_ACCEPTED) {
		o->acknowledged++;
		o->lanes[m->lane].pause_us = 0;
		settled(o, m, END_ACKNOWLEDGED);
		return false;
	}
	refuse(o, m, verdict, what, now_us);
	return verdict == VERDICT_RECONNECT;
}

/* ---- how it is ----------------------------------------------------------------------------- */

bool
outbox_idle(const struct outbox *o)
{
	return o->in_flight == 0 && !o->changed && !o->parked &&
	       !o->lanes[LANE_EVENT].waiting.first && !o->lanes[LANE_LIVE].waiting.first &&
	       !o->lanes[LANE_HISTORY].waiting.first;
}

/* Queues are in the order of numbers, so their first is their oldest. */
static void
count(struct lane_stats *s, const struct message *m)
{
	if (!m || m->record >= s->floor)
		return;
	s->floor = m->record;
	s->oldest_us = m->born_us;
	s->oldest_ts_ms = m->ts_ms;
}

void
outbox_stats(const struct outbox *o, struct outbox_stats *out)
{
	*out = (struct outbox_stats){.published = o->published,
		.acknowledged = o->acknowledged,
		.refused = o->refused,
		.in_flight = o->in_flight};
	for (int i = LANE_EVENT; i < LANE_COUNT; i++) {
		const struct lane *l = &o->lanes[i];
		out->lanes[i] = (struct lane_stats){.waiting = l->waiting.n,
			.bytes = l->bytes,
			.in_flight = l->in_flight,
			.oldest_us = INT64_MAX,
			.floor = INT64_MAX};
		count(&out->lanes[i], l->waiting.first);
	}
	for (const struct parked *p = o->parked; p; p = p->next) {
		out->lanes[p->lane].waiting += p->waiting.n;
		count(&out->lanes[p->lane], p->waiting.first);
	}
	for (const struct message *m = o->flying.first; m; m = m->next)
		if (m->lane != LANE_RETAINED)
			count(&out->lanes[m->lane], m);
}
