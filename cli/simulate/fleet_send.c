/* SPDX-License-Identifier: MIT */
/* fleet_send.c -- what a gateway publishes next: the order of daemon/outbox.c, and its window
 *
 * After a connect all that is so now: the gateway, then machine by machine. From then on events,
 * changed pictures, live telemetry, history; late events and live telemetry share.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/simulate/fleet_impl.h"

#define LATE_MS 10000 /* an event that waited so long lets live telemetry go first */
enum { OWN_AVAILABILITY, OWN_INFO, OWN_HEALTH };
enum { REFUSED = 0x80 };

const char *
fleet_path(const struct fleet_gateway *g, char *buf, size_t size, const char *fmt, ...)
{
	va_list args;
	int n = snprintf(buf, size, "%s/%s/", g->names.root, g->names.park);

	va_start(args, fmt);
	if (n > 0 && (size_t)n < size)
		vsnprintf(buf + n, size - (size_t)n, fmt, args);
	va_end(args);
	return buf;
}

/* ---- one message ---------------------------------------------------------------------------- */

struct message {
	char topic[256];
	size_t len; /* of what is in the scratch */
	bool retain, text;
};

/* False: the connection is about to end. */
static bool
publish(struct fleet_gateway *g, const struct message *m, struct fleet_flight *flight)
{
	struct fleet_stats *stats = &g->fleet->stats;
	uint64_t *const counters[FLEET_LANES] = {
		&stats->pictures, &stats->events, &stats->telemetry, &stats->history};

	flight->mid = fleet_link_publish(
		g->link, m->topic, g->fleet->scratch, m->len, m->retain, !m->text && m->len > 0);
	if (flight->mid < 0)
		return false;
	flight->sent_us = reactor_now_us();
	g->flights[g->n_flights++] = *flight;
	stats->published++;
	++*counters[flight->lane];
	return true;
}

static size_t
put_text(struct fleet_gateway *g, const char *text)
{
	return (size_t)snprintf(g->fleet->scratch, sizeof g->fleet->scratch, "%s", text);
}

/* ---- pictures: what is so now --------------------------------------------------------------- */

static void
draw_health(struct fleet_gateway *g, struct message *m)
{
	const struct fleet_health health = {.ts_ms = fleet_wall_ms(),
		.since_ms = g->up_since_ms,
		.uptime_s = (reactor_now_us() - g->fleet->started_us) / 1000000,
		.broker = g->fleet->options->urls.items[g->url],
		.error = g->error[0] ? g->error : NULL,
		.reconnects = g->reconnects,
		.polls = g->polls,
		.waiting = g->waiting + g->n_live + (g->events.end - g->events.first),
		.evicted = g->evicted,
		.oldest_ms = fleet_queue_oldest_ms(g),
		.in_flight = g->n_flights};

	m->len = fleet_put_health(g->fleet->scratch, sizeof g->fleet->scratch, &g->names, &health);
}

static bool
send_own(struct fleet_gateway *g, struct fleet_flight *flight)
{
	static const char *const leaves[] = {"availability", "info", "health"};
	unsigned topic = 0;
	struct message m = {.retain = true};

	while (!(g->dirty & 1u << topic))
		topic++;
	g->dirty &= ~(1u << topic);
	m.text = topic == OWN_AVAILABILITY;
	if (topic == OWN_AVAILABILITY)
		m.len = put_text(g, g->leaving ? "offline" : "online");
	else if (topic == OWN_INFO)
		m.len = fleet_put_gateway(g->fleet->scratch, sizeof g->fleet->scratch, &g->names,
			g->machines, g->n, fleet_wall_ms());
	else
		draw_health(g, &m);
	fleet_path(g, m.topic, sizeof m.topic, "gateways/" FLEET_GATEWAY "/%s", leaves[topic]);
	return publish(g, &m, flight);
}

static void
draw_alarm(struct fleet_gateway *g, const struct fleet_machine *machine, unsigned alarm,
	struct message *m)
{
	fleet_path(g, m->topic, sizeof m->topic, "machines/%s/alarm/%s", machine->id,
		machine->model.kind->alarms[alarm].code);
	m->len = machine->alarms[alarm].listed
			 ? fleet_put_alarm(g->fleet->scratch, sizeof g->fleet->scratch, machine,
				   alarm, fleet_wall_ms())
			 : 0;
}

static void
draw(struct fleet_gateway *g, struct fleet_machine *machine, unsigned topic, struct message *m)
{
	static const char *const leaves[] = {"availability", "info", "state", "usage"};
	char *buf = g->fleet->scratch;
	size_t size = sizeof g->fleet->scratch;
	int64_t now_ms = fleet_wall_ms();

	if (topic >= FLEET_ALARM) {
		draw_alarm(g, machine, topic - FLEET_ALARM, m);
		return;
	}
	fleet_path(g, m->topic, sizeof m->topic, "machines/%s/%s", machine->id, leaves[topic]);
	if (topic == FLEET_AVAILABILITY) {
		m->text = true;
		m->len = put_text(g, machine->now.silent ? "offline" : "online");
	} else if (topic == FLEET_INFO) {
		m->len = fleet_put_info(buf, size, machine, now_ms);
	} else if (topic == FLEET_USAGE) {
		m->len = fleet_put_usage(buf, size, &g->names, machine, now_ms);
	} else {
		m->len = fleet_put_state(buf, size, machine, now_ms);
	}
}

static bool
send_picture(struct fleet_gateway *g, struct fleet_flight *flight)
{
	struct message m = {.retain = true};
	unsigned topic = FLEET_TOPICS - 1;

	while (!g->machines[g->cursor].dirty)
		g->cursor = (g->cursor + 1) % g->n;
	struct fleet_machine *machine = &g->machines[g->cursor];
	/* In their order after a connect; else an alarm before the state that shows it. */
	if (g->burst)
		topic = (unsigned)__builtin_ctz(machine->dirty);
	else
		while (!(machine->dirty & 1u << topic))
			topic--;
	machine->dirty &= ~(1u << topic);
	g->n_dirty -= machine->dirty == 0;
	draw(g, machine, topic, &m);
	if (!publish(g, &m, flight))
		return false;
	if (topic >= FLEET_ALARM && machine->alarms[topic - FLEET_ALARM].asked_ms) {
		struct fleet_life *life = &machine->alarms[topic - FLEET_ALARM];
		fleet_say_published(g, g->cursor, topic - FLEET_ALARM, life->asked_ms);
		life->asked_ms = 0;
	}
	return true;
}

static bool
send_stray(struct fleet_gateway *g, struct fleet_flight *flight)
{
	struct fleet_stray *stray = g->strays;
	struct message m = {.retain = true};

	g->strays = stray->next;
	snprintf(m.topic, sizeof m.topic, "%s", stray->topic);
	free(stray);
	return publish(g, &m, flight);
}

static bool
is_picture_due(const struct fleet_gateway *g)
{
	return g->dirty || g->n_dirty || g->strays;
}

static bool
send_any_picture(struct fleet_gateway *g)
{
	struct fleet_flight flight = {.lane = FLEET_PICTURE};

	return g->dirty     ? send_own(g, &flight)
	       : g->n_dirty ? send_picture(g, &flight)
			    : send_stray(g, &flight);
}

/* ---- what is told in numbers ---------------------------------------------------------------- */

static bool
send_event(struct fleet_gateway *g)
{
	static const char *const leaves[] = {[FLEET_STATE_EVENT] = "event",
		[FLEET_ALARM_EVENT] = "event",
		[FLEET_JOB_STARTED] = "job",
		[FLEET_JOB_ENDED] = "job"};
	struct fleet_events *q = &g->events;
	struct fleet_event *e = &q->ring[q->next & (q->cap - 1)];
	struct fleet_machine *machine = &g->machines[e->machine];
	struct fleet_flight flight = {.lane = FLEET_EVENT, .event = q->next++};
	struct message m = {0};

	if (e->done)
		return true; /* acknowledged before its connection ended */
	if (e->kind == FLEET_GAP)
		fleet_path(g, m.topic, sizeof m.topic, "gateways/" FLEET_GATEWAY "/gap");
	else
		fleet_path(
			g, m.topic, sizeof m.topic, "machines/%s/%s", machine->id, leaves[e->kind]);
	m.len = fleet_put_event(g->fleet->scratch, sizeof g->fleet->scratch, &g->names, machine, e);
	return publish(g, &m, &flight);
}

static bool
send_live(struct fleet_gateway *g)
{
	struct fleet_flight flight = {.lane = FLEET_LIVE_LANE, .record = g->live[g->live_first]};
	const struct fleet_record *r = &flight.record;
	struct fleet_machine *machine = &g->machines[r->machine];
	struct fleet_sample sample;
	struct message m = {0};

	fleet_sample(&machine->model, &machine->orders, r->t_ms, &sample);
	fleet_path(g, m.topic, sizeof m.topic, "machines/%s/telemetry", machine->id);
	m.len = fleet_put_telemetry(g->fleet->scratch, sizeof g->fleet->scratch, &g->names, machine,
		&sample, g->names.started_ms + r->t_ms, r->seq);
	if (!publish(g, &m, &flight))
		return false;
	g->live_first = (g->live_first + 1) % FLEET_LIVE;
	g->n_live--;
	return true;
}

static bool
send_history(struct fleet_gateway *g, size_t most)
{
	struct fleet_flight flight = {.lane = FLEET_HISTORY};
	struct message m = {0};

	while (!g->backlogs[g->history_turn].n)
		g->history_turn = (g->history_turn + 1) % g->n;
	const struct fleet_run *run = &g->backlogs[g->history_turn].runs[0];
	const struct fleet_machine *machine = &g->machines[g->history_turn];
	flight.record = (struct fleet_record){run->t_ms, run->seq, (uint16_t)g->history_turn};
	fleet_path(g, m.topic, sizeof m.topic, "machines/%s/history", machine->id);
	m.len = fleet_put_history(g->fleet->scratch, sizeof g->fleet->scratch, &g->names, machine,
		run, most, &flight.count);
	if (!publish(g, &m, &flight))
		return false;
	fleet_pace_spend(&g->pace, m.len);
	g->history_flies = true;
	return true;
}

/* How long a piece of history may be now; 0: none may go. */
static size_t
history_room(struct fleet_gateway *g)
{
	int64_t now_us = reactor_now_us();

	if (!g->waiting || g->history_flies || now_us < g->history_from_us)
		return 0;
	return fleet_pace_piece(&g->pace, now_us);
}

/* ---- the window ------------------------------------------------------------------------------ */

/* False: there is nothing, or the connection is about to end. */
static bool
send_one(struct fleet_gateway *g)
{
	struct fleet_events *q = &g->events;

	if (g->leaving)
		return g->dirty && send_any_picture(g);
	g->burst = g->burst && is_picture_due(g);
	if (g->burst)
		return send_any_picture(g);
	bool event = q->next < q->end;
	bool late = event && fleet_wall_ms() - q->ring[q->next & (q->cap - 1)].ts_ms > LATE_MS;
	bool share = ++g->turn % 4 == 0;
	if (event && !late && !(g->n_live && share))
		return send_event(g);
	if (is_picture_due(g))
		return send_any_picture(g);
	if (g->n_live && !(late && share))
		return send_live(g);
	if (event)
		return send_event(g);
	size_t most = history_room(g);
	return most && send_history(g, most);
}

void
fleet_send(struct fleet_gateway *g)
{
	while (fleet_link_is_up(g->link) && g->n_flights < g->window && send_one(g))
		;
}

void
fleet_send_all(struct fleet_gateway *g)
{
	g->dirty = 1u << OWN_AVAILABILITY | 1u << OWN_INFO | 1u << OWN_HEALTH;
	g->cursor = 0;
	g->burst = true;
	for (size_t k = 0; k < g->n; k++) {
		for (unsigned topic = 0; topic < FLEET_ALARM; topic++)
			fleet_mark(g, k, (enum fleet_topic)topic);
		for (unsigned a = 0; a < FLEET_ALARMS; a++)
			if (g->machines[k].alarms[a].listed)
				fleet_mark(g, k, FLEET_ALARM + (enum fleet_topic)a);
	}
}

void
fleet_send_health(struct fleet_gateway *g)
{
	g->dirty |= 1u << OWN_HEALTH;
}

void
fleet_send_availability(struct fleet_gateway *g)
{
	g->dirty |= 1u << OWN_AVAILABILITY;
}

void
fleet_send_acknowledged(struct fleet_gateway *g, int mid, int code)
{
	struct fleet_stats *stats = &g->fleet->stats;
	unsigned k = 0;

	while (k < g->n_flights && g->flights[k].mid != mid)
		k++;
	if (k == g->n_flights)
		return;
	const struct fleet_flight flight = g->flights[k];
	memmove(&g->flights[k], &g->flights[k + 1], (--g->n_flights - k) * sizeof flight);
	stats->acknowledged++;
	stats->refused += code >= REFUSED; /* it would be refused again, so it counts as gone */
	if (flight.lane == FLEET_EVENT)
		fleet_events_acknowledged(&g->events, flight.event);
	if (flight.lane != FLEET_HISTORY)
		return;
	fleet_queue_paid(g, &flight);
	fleet_pace_answered(&g->pace, reactor_now_us() - flight.sent_us);
	g->history_flies = false;
}
