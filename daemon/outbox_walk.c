/* SPDX-License-Identifier: MIT */
/* outbox_walk.c -- what is done with all messages of a lane, wherever they are */
#include "daemon/outbox_impl.h"

#include <string.h>

void
outbox_each(struct outbox *o, enum message_lane lane, outbox_each_fn *each, void *arg)
{
	for (struct message *m = o->flying.first; m; m = m->next)
		if (m->lane == lane)
			each(arg, m);
	for (struct parked *p = o->parked; p; p = p->next)
		for (struct message *m = p->lane == lane ? p->waiting.first : NULL; m; m = m->next)
			each(arg, m);
	for (struct message *m = o->lanes[lane].waiting.first; m; m = m->next)
		each(arg, m);
}

static int64_t
release_queue(struct outbox *o, struct queue *q, int64_t from, int64_t upto, int64_t before_us)
{
	int64_t lowest = INT64_MAX;
	for (struct message **at = &q->first; *at;) {
		struct message *m = *at;
		if (m->disk != DISK_YES || m->record < from || m->record > upto ||
			m->born_us >= before_us) {
			at = &m->next;
			continue;
		}
		if (m->record < lowest)
			lowest = m->record;
		queue_take_out(q, at);
		o->lanes[m->lane].bytes -= m->cap;
		pool_give(&o->pool, m);
	}
	return lowest;
}

int64_t
outbox_release(
	struct outbox *o, enum message_lane lane, int64_t from, int64_t upto, int64_t before_us)
{
	int64_t lowest = release_queue(o, &o->lanes[lane].waiting, from, upto, before_us);
	for (struct parked *p = o->parked; p; p = p->next) {
		int64_t low = p->lane == lane ? release_queue(o, &p->waiting, from, upto, before_us)
					      : INT64_MAX;
		if (low < lowest)
			lowest = low;
	}
	return lowest;
}

static void
mend(void *arg, struct message *m)
{
	int64_t delta_ms = *(const int64_t *)arg - m->stamp.offset_ms;
	if (!m->stamp.unsynced || m->flying)
		return;
	size_t len = stamp_mend_here(m->payload, m->len, m->cap, m->stamp.offset_ms, delta_ms);
	if (len == 0)
		return; /* it stays `unsynced`, which is true */
	m->len = (uint32_t)len;
	m->ts_ms += delta_ms;
	m->stamp.unsynced = false;
}

void
outbox_mend(struct outbox *o, int64_t lead_ms)
{
	outbox_each(o, LANE_EVENT, mend, &lead_ms);
	outbox_each(o, LANE_LIVE, mend, &lead_ms);
}

static void
add_to_number(void *arg, struct message *m)
{
	const int64_t *by = arg;
	m->record += *by;
}

void
outbox_renumber(struct outbox *o, enum message_lane lane, int64_t by)
{
	outbox_each(o, lane, add_to_number, &by);
	o->lanes[lane].waiting.newest += by;
	for (struct parked *p = o->parked; p; p = p->next)
		if (p->lane == lane)
			p->waiting.newest += by;
}

struct wanted {
	int64_t record;
	bool found;
};

static void
look(void *arg, struct message *m)
{
	struct wanted *w = arg;
	w->found |= m->record == w->record;
}

bool
outbox_has_record(const struct outbox *o, enum message_lane lane, int64_t record)
{
	struct wanted w = {.record = record};
	outbox_each((struct outbox *)(uintptr_t)o, lane, look, &w);
	return w.found;
}
