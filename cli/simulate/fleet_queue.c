/* SPDX-License-Identifier: MIT */
/* fleet_queue.c -- what of a gateway waits for its broker, in bounded memory */
#include <stdlib.h>

#include "cli/simulate/fleet_impl.h"

/* ---- retained topics ------------------------------------------------------------------------ */

void
fleet_mark(struct fleet_gateway *g, size_t machine, enum fleet_topic topic)
{
	struct fleet_machine *m = &g->machines[machine];

	g->n_dirty += m->dirty == 0;
	m->dirty |= 1u << topic;
}

/* ---- events ---------------------------------------------------------------------------------- */

static bool
make_room(struct fleet_events *q)
{
	size_t cap = q->cap ? q->cap * 2 : 64;

	if (q->end - q->first < q->cap)
		return true;
	struct fleet_event *ring = cap <= FLEET_EVENTS ? calloc(cap, sizeof *ring) : NULL;
	if (!ring)
		return false;
	for (uint64_t k = q->first; k < q->end; k++)
		ring[k & (cap - 1)] = q->ring[k & (q->cap - 1)];
	free(q->ring);
	q->ring = ring;
	q->cap = cap;
	return true;
}

/* The number that it gets; only what has a place gets one, so none is ever missing. */
static uint64_t
take_number(struct fleet_gateway *g, const struct fleet_event *e)
{
	struct fleet_machine *m = &g->machines[e->machine];

	if (e->kind == FLEET_GAP)
		return ++g->gap_seq;
	if (e->kind == FLEET_JOB_STARTED || e->kind == FLEET_JOB_ENDED)
		return ++m->job_seq;
	return ++m->event_seq;
}

void
fleet_queue_event(struct fleet_gateway *g, const struct fleet_event *e)
{
	struct fleet_events *q = &g->events;

	if (!make_room(q)) {
		g->fleet->stats.dropped++;
		return;
	}
	struct fleet_event *slot = &q->ring[q->end++ & (q->cap - 1)];
	*slot = *e;
	slot->seq = take_number(g, e);
}

void
fleet_events_acknowledged(struct fleet_events *q, uint64_t place)
{
	if (place >= q->first)
		q->ring[place & (q->cap - 1)].done = true;
	while (q->first < q->next && q->ring[q->first & (q->cap - 1)].done)
		q->first++;
}

/* ---- telemetry that was not sent live ------------------------------------------------------- */

static void
evict(struct fleet_gateway *g, size_t machine)
{
	struct fleet_backlog *b = &g->backlogs[machine];
	const struct fleet_run *run = &b->runs[0];
	int64_t ts_ms = g->names.started_ms + run->t_ms;

	fleet_queue_event(g, &(struct fleet_event){.kind = FLEET_GAP,
				     .machine = (uint16_t)machine,
				     .ts_ms = fleet_wall_ms(),
				     .from_seq = run->seq,
				     .to_seq = run->seq + run->count - 1,
				     .started_ms = ts_ms,
				     .ended_ms = ts_ms + (run->count - 1) * g->names.interval_ms});
	g->evicted += run->count;
	g->waiting -= run->count;
	for (unsigned k = 1; k < b->n; k++)
		b->runs[k - 1] = b->runs[k];
	b->n--;
}

void
fleet_queue_owe(struct fleet_gateway *g, const struct fleet_record *r)
{
	struct fleet_backlog *b = &g->backlogs[r->machine];
	struct fleet_run *last = b->n ? &b->runs[b->n - 1] : NULL;

	g->waiting++;
	if (last && last->seq + last->count == r->seq &&
		last->t_ms + last->count * g->names.interval_ms == r->t_ms) {
		last->count++;
		return;
	}
	if (b->n == FLEET_RUNS)
		evict(g, r->machine);
	b->runs[b->n++] = (struct fleet_run){.t_ms = r->t_ms, .seq = r->seq, .count = 1};
}

void
fleet_queue_paid(struct fleet_gateway *g, const struct fleet_flight *flight)
{
	struct fleet_backlog *b = &g->backlogs[flight->record.machine];
	struct fleet_run *run = &b->runs[0];

	if (!b->n || run->seq != flight->record.seq)
		return; /* it was given up meanwhile */
	g->waiting -= flight->count;
	run->seq += flight->count;
	run->t_ms += flight->count * g->names.interval_ms;
	run->count -= flight->count;
	if (run->count)
		return;
	b->n--;
	for (unsigned k = 0; k < b->n; k++)
		b->runs[k] = b->runs[k + 1];
}

/* ---- live telemetry ------------------------------------------------------------------------- */

static void
age_one(struct fleet_gateway *g)
{
	fleet_queue_owe(g, &g->live[g->live_first]);
	g->live_first = (g->live_first + 1) % FLEET_LIVE;
	g->n_live--;
}

void
fleet_queue_live(struct fleet_gateway *g, const struct fleet_record *r)
{
	if (!fleet_link_is_up(g->link)) {
		fleet_queue_owe(g, r);
		return;
	}
	if (g->n_live == FLEET_LIVE)
		age_one(g);
	g->live[(g->live_first + g->n_live++) % FLEET_LIVE] = *r;
}

void
fleet_queue_age(struct fleet_gateway *g, int64_t t_ms)
{
	while (g->n_live && g->live[g->live_first].t_ms < t_ms)
		age_one(g);
}

/* ---- the connection is gone ----------------------------------------------------------------- */

void
fleet_queue_return(struct fleet_gateway *g)
{
	for (unsigned k = 0; k < g->n_flights; k++)
		if (g->flights[k].lane == FLEET_LIVE_LANE)
			fleet_queue_owe(g, &g->flights[k].record);
	while (g->n_live)
		age_one(g);
	g->n_flights = 0;
	g->history_flies = false;
	g->events.next = g->events.first;
}

int64_t
fleet_queue_oldest_ms(const struct fleet_gateway *g)
{
	int64_t oldest = INT64_MAX;

	for (size_t k = 0; g->waiting && k < g->n; k++)
		if (g->backlogs[k].n && g->backlogs[k].runs[0].t_ms < oldest)
			oldest = g->backlogs[k].runs[0].t_ms;
	return oldest == INT64_MAX ? 0 : g->names.started_ms + oldest;
}
