/* SPDX-License-Identifier: MIT */
/* outbox.c -- three lanes and a window */
#include "daemon/outbox.h"

#include <stdlib.h>
#include <string.h>

#define RENDER_MAX (1024 * 1024)
#define SIZE_CLASSES 13 /* up to RENDER_MAX */
#define SIZE_MIN 256u
#define MINUTE_US 60000000LL

struct lane {
	struct message *first, **last;
	size_t n, bytes, max_bytes;
	int64_t paused_until_us;
	int64_t quota_until_us, pause_us; /* the broker's quota: until then, and how long */
	uint64_t dropped;
};

struct outbox {
	struct outbox_ops ops;
	bool connected;
	unsigned window, in_flight;
	uint64_t serial;
	struct lane lanes[LANE_COUNT];            /* LANE_RETAINED's is not used: see changed */
	struct retained *all, **all_last;         /* in order of outbox_add() */
	struct retained *changed, **changed_last; /* dirty ones, in order */
	size_t burst;                       /* retained topics to be sent before anything else */
	struct message *free[SIZE_CLASSES]; /* SIZE_MIN << class */
	uint64_t published, acknowledged, refused;
	char *render_buf;
};

/* ---- what a PUBACK means (MQTT 5.0, 3.4.2.1; Mosquitto sends 0x95 too) --------------------- */

enum verdict {
	VERDICT_ACCEPTED,
	VERDICT_RETRY,     /* three times, then it is given up */
	VERDICT_PAUSE,     /* not allowed: the same again in 15 minutes or after a reconnect */
	VERDICT_QUOTA,     /* later: 30 s, doubling to 10 minutes */
	VERDICT_NEVER,     /* can never be accepted */
	VERDICT_RECONNECT, /* the two ends disagree about packet ids */
};

static const struct {
	int reason;
	enum verdict verdict;
	const char *what;
} verdicts[] = {
	{0x00, VERDICT_ACCEPTED, "accepted"},
	{0x10, VERDICT_ACCEPTED, "no matching subscribers"},
	{0x80, VERDICT_RETRY, "unspecified error"},
	{0x83, VERDICT_RETRY, "implementation specific error"},
	{0x87, VERDICT_PAUSE, "not authorized"},
	{0x90, VERDICT_NEVER, "topic name invalid"},
	{0x91, VERDICT_RECONNECT, "packet identifier in use"},
	{0x95, VERDICT_NEVER, "packet too large"},
	{0x97, VERDICT_QUOTA, "quota exceeded"},
	{0x99, VERDICT_NEVER, "payload format invalid"},
};

static enum verdict
judge(const struct message *m, const char **what)
{
	int reason = m->result == RESULT_TOO_BIG ? 0x95 : m->reason;
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		if (verdicts[i].reason == reason) {
			*what = verdicts[i].what;
			return verdicts[i].verdict;
		}
	}
	*what = reason < 0x80 ? "accepted" : "unknown reason";
	return reason < 0x80 ? VERDICT_ACCEPTED : VERDICT_RETRY;
}

/* ---- memory -------------------------------------------------------------------------------- */

static unsigned
size_class(size_t len)
{
	unsigned c = 0;
	while (c < SIZE_CLASSES && (SIZE_MIN << c) < len)
		c++;
	return c;
}

static struct message *
message_new(struct outbox *o, size_t len)
{
	unsigned c = size_class(len);
	if (c == SIZE_CLASSES)
		return NULL;
	struct message *m = o->free[c];
	if (m) {
		o->free[c] = m->next;
	} else {
		m = malloc(sizeof(*m) + (SIZE_MIN << c));
		if (!m)
			return NULL;
	}
	*m = (struct message){.mail = {.kind = MAIL_MESSAGE},
		.serial = ++o->serial,
		.json = true,
		.len = (uint32_t)len,
		.cap = SIZE_MIN << c};
	return m;
}

static void
message_free(struct outbox *o, struct message *m)
{
	unsigned c = size_class(m->cap);
	m->next = o->free[c];
	o->free[c] = m;
}

static void
free_list(struct message *m)
{
	while (m) {
		struct message *next = m->next;
		free(m);
		m = next;
	}
}

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
	for (size_t i = 0; i < LANE_COUNT; i++)
		o->lanes[i].last = &o->lanes[i].first;
	o->lanes[LANE_LIVE].max_bytes = live_bytes;
	o->lanes[LANE_EVENT].max_bytes = event_bytes;
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
		free_list(o->lanes[i].first);
	for (size_t i = 0; i < SIZE_CLASSES; i++)
		free_list(o->free[i]);
	free(o->render_buf);
	free(o);
}

/* ---- queues -------------------------------------------------------------------------------- */

static struct message *
lane_pop(struct lane *l)
{
	struct message *m = l->first;
	if (!m)
		return NULL;
	l->first = m->next;
	if (!l->first)
		l->last = &l->first;
	l->n--;
	l->bytes -= m->cap;
	return m;
}

/* A message that came back goes to where its age puts it: before all younger ones. */
static void
lane_insert(struct lane *l, struct message *m)
{
	struct message **at = &l->first;
	while (*at && (*at)->serial < m->serial)
		at = &(*at)->next;
	m->next = *at;
	*at = m;
	if (!m->next)
		l->last = &m->next;
	l->n++;
	l->bytes += m->cap;
}

static void
lane_append(struct lane *l, struct message *m)
{
	m->next = NULL;
	*l->last = m;
	l->last = &m->next;
	l->n++;
	l->bytes += m->cap;
}

static void
lane_trim(struct outbox *o, struct lane *l)
{
	while (l->bytes > l->max_bytes && l->n > 1) {
		message_free(o, lane_pop(l));
		l->dropped++;
	}
}

static void
append(struct outbox *o, enum message_lane lane, int64_t record, const char *topic,
	const char *payload, size_t len)
{
	struct lane *l = &o->lanes[lane];
	struct message *m = message_new(o, len);
	if (!m) {
		l->dropped++;
		return;
	}
	m->lane = lane;
	m->topic = topic;
	m->record = record;
	memcpy(m->payload, payload, len);
	lane_append(l, m);
	lane_trim(o, l);
}

void
outbox_append(struct outbox *o, enum message_lane lane, const char *topic, const char *payload,
	size_t len)
{
	append(o, lane, 0, topic, payload, len);
}

void
outbox_append_record(
	struct outbox *o, int64_t record, const char *topic, const char *payload, size_t len)
{
	append(o, LANE_EVENT, record, topic, payload, len);
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
outbox_mark(struct outbox *o, struct retained *r)
{
	if (!r->listed)
		return;
	r->dirty = true;
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
		if (r->paused_until_us > now_us)
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
	struct message *m = message_new(o, len ? len : 1);
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

static bool
lane_may_go(const struct lane *l, int64_t now_us)
{
	return l->first && l->paused_until_us <= now_us;
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
next_message(struct outbox *o, int64_t now_us)
{
	struct message *m = NULL;
	if (o->burst)
		m = next_retained(o, now_us);
	if (!m && lane_may_go(&o->lanes[LANE_EVENT], now_us))
		m = lane_pop(&o->lanes[LANE_EVENT]);
	if (!m)
		m = next_retained(o, now_us);
	if (!m && lane_may_go(&o->lanes[LANE_LIVE], now_us))
		m = lane_pop(&o->lanes[LANE_LIVE]);
	return m;
}

void
outbox_pump(struct outbox *o, int64_t now_us)
{
	while (o->connected && o->in_flight < o->window) {
		struct message *m = next_message(o, now_us);
		if (!m)
			break;
		o->in_flight++;
		o->published++;
		o->ops.send(o->ops.arg, m);
	}
}

void
outbox_connected(struct outbox *o, unsigned window)
{
	o->connected = true;
	o->window = window ? window : 1;
	o->burst = 0;
	for (size_t i = 0; i < LANE_COUNT; i++)
		o->lanes[i].paused_until_us = o->lanes[i].quota_until_us = o->lanes[i].pause_us = 0;
	/* Listed anew, so that they go in the order in which they were added. */
	o->changed = NULL;
	o->changed_last = &o->changed;
	for (struct retained *r = o->all; r; r = r->all_next) {
		r->paused_until_us = 0;
		r->queued = false;
		outbox_mark(o, r);
		o->burst += r->queued; /* one that is still on its way follows when it is back */
	}
}

void
outbox_disconnected(struct outbox *o)
{
	o->connected = false;
}

static void
pause_lane(struct outbox *o, struct message *m, int64_t now_us, int64_t pause_us)
{
	if (m->retained)
		m->retained->paused_until_us = now_us + pause_us;
	else
		o->lanes[m->lane].paused_until_us = now_us + pause_us;
}

/* It stays in the outbox: a retained topic is drawn again, the rest goes back to its place. */
static void
keep(struct outbox *o, struct message *m)
{
	if (m->retained) {
		outbox_mark(o, m->retained);
		message_free(o, m);
		return;
	}
	lane_insert(&o->lanes[m->lane], m);
	lane_trim(o, &o->lanes[m->lane]);
}

static void
settled(struct outbox *o, struct message *m)
{
	struct retained *r = m->retained;
	bool was_clearing = m->retain && m->len == 0;
	if (m->record && o->ops.settled)
		o->ops.settled(o->ops.arg, m->record);
	message_free(o, m);
	if (!r)
		return;
	if (r->leaving && was_clearing) {
		unlist(o, r);
		if (r->gone)
			r->gone(r);
		return;
	}
	if (r->dirty || r->leaving)
		outbox_mark(o, r);
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

static void
refuse(struct outbox *o, struct message *m, enum verdict verdict, const char *what, int64_t now_us)
{
	bool give_up = verdict == VERDICT_NEVER || (verdict == VERDICT_RETRY && ++m->tries > 3);
	o->refused++;
	o->ops.trouble(o->ops.arg, m->topic, m->result == RESULT_TOO_BIG ? 0x95 : m->reason, what);
	if (give_up) {
		if (m->lane == LANE_EVENT || m->lane == LANE_LIVE)
			o->lanes[m->lane].dropped++;
		else
			m->retained->dirty = false; /* drawn again when it changes */
		settled(o, m);
		return;
	}
	if (verdict == VERDICT_PAUSE)
		pause_lane(o, m, now_us, 15 * MINUTE_US);
	else if (verdict == VERDICT_QUOTA)
		pause_lane(o, m, now_us, quota_pause(&o->lanes[m->lane], now_us));
	else if (verdict == VERDICT_RETRY)
		pause_lane(o, m, now_us, m->retained ? MINUTE_US : m->tries * MINUTE_US / 12);
	keep(o, m);
}

bool
outbox_done(struct outbox *o, struct message *m, int64_t now_us)
{
	const char *what;
	o->in_flight--;
	if (m->retained)
		m->retained->in_flight = false;
	if (m->result == RESULT_UNSENT) {
		keep(o, m);
		return false;
	}
	enum verdict verdict = judge(m, &what);
	if (verdict == VERDICT_ACCEPTED) {
		o->acknowledged++;
		o->lanes[m->lane].pause_us = 0;
		settled(o, m);
		return false;
	}
	refuse(o, m, verdict, what, now_us);
	return verdict == VERDICT_RECONNECT;
}

bool
outbox_idle(const struct outbox *o)
{
	return o->in_flight == 0 && !o->changed && !o->lanes[LANE_EVENT].first &&
	       !o->lanes[LANE_LIVE].first;
}

void
outbox_stats(const struct outbox *o, struct outbox_stats *out)
{
	const struct lane *live = &o->lanes[LANE_LIVE], *events = &o->lanes[LANE_EVENT];
	*out = (struct outbox_stats){.published = o->published,
		.acknowledged = o->acknowledged,
		.refused = o->refused,
		.dropped_live = live->dropped,
		.dropped_events = events->dropped,
		.waiting = live->n + events->n,
		.waiting_bytes = live->bytes + events->bytes,
		.event_bytes = events->bytes,
		.in_flight = o->in_flight};
}
