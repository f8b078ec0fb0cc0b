/* SPDX-License-Identifier: MIT */
/* announce.c -- the retained topics of the gateway and of its machines, and how each is drawn */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/gateway.h"

#define CONTAINER(r, type, member) ((type *)(void *)((char *)(r)-offsetof(type, member)))

static size_t
put_text(char *buf, size_t size, const char *text)
{
	int n = snprintf(buf, size, "%s", text);
	return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

static size_t
render_gateway_availability(struct retained *r, char *buf, size_t size)
{
	struct gateway *g = CONTAINER(r, struct gateway, availability);
	return put_text(buf, size, g->stopping ? "offline" : "online");
}

static size_t
render_gateway_info(struct retained *r, char *buf, size_t size)
{
	struct gateway *g = CONTAINER(r, struct gateway, info);
	struct envelope e = gateway_envelope(g, clock_wall_ms());
	return payload_gateway_info(buf, size, &e, g->config, g->boot, g->epoch);
}

static size_t
render_availability(struct retained *r, char *buf, size_t size)
{
	struct machine *m = CONTAINER(r, struct machine, availability);
	return put_text(buf, size, machine_availability(m));
}

static size_t
render_info(struct retained *r, char *buf, size_t size)
{
	struct machine *m = CONTAINER(r, struct machine, info);
	struct envelope e = gateway_envelope(m->gateway, clock_wall_ms());
	return payload_machine_info(buf, size, &e, m);
}

static size_t
render_snapshot(struct retained *r, char *buf, size_t size)
{
	struct machine *m = CONTAINER(r, struct machine, snapshot);
	struct envelope e = gateway_envelope(m->gateway, clock_wall_ms());
	return payload_machine_state(buf, size, &e, m, m->gateway->config->language);
}

static size_t
render_totals(struct retained *r, char *buf, size_t size)
{
	struct machine *m = CONTAINER(r, struct machine, totals);
	struct envelope e = gateway_envelope(m->gateway, m->published.at_ms);
	return payload_usage(buf, size, &e, &m->published, m->config->asset);
}

void
announce_one_gone(struct machine *m)
{
	if (m->removed && --m->retained_left == 0)
		machine_destroy(m);
}

static void
gone_availability(struct retained *r)
{
	announce_one_gone(CONTAINER(r, struct machine, availability));
}

static void
gone_info(struct retained *r)
{
	announce_one_gone(CONTAINER(r, struct machine, info));
}

static void
gone_snapshot(struct retained *r)
{
	announce_one_gone(CONTAINER(r, struct machine, snapshot));
}

static void
gone_totals(struct retained *r)
{
	announce_one_gone(CONTAINER(r, struct machine, totals));
}

static char *
machine_topic(const struct gateway *g, const struct machine *m, const char *leaf)
{
	char text[256];
	snprintf(text, sizeof(text), "%s/%s/machines/%s/%s", g->config->mqtt.topic_root,
		g->config->park, m->config->id, leaf);
	return strdup(text);
}

int
announce_machine(struct gateway *g, struct machine *m)
{
	m->gateway = g;
	m->availability = (struct retained){.topic = machine_topic(g, m, "availability"),
		.render = render_availability,
		.gone = gone_availability};
	m->info = (struct retained){.topic = machine_topic(g, m, "info"),
		.json = true,
		.render = render_info,
		.gone = gone_info};
	m->snapshot = (struct retained){.topic = machine_topic(g, m, "state"),
		.json = true,
		.render = render_snapshot,
		.gone = gone_snapshot};
	m->totals = (struct retained){.topic = machine_topic(g, m, "usage"),
		.json = true,
		.render = render_totals,
		.gone = gone_totals};
	m->telemetry_topic = gateway_topic(g, "machines/%s/telemetry", m->config->id);
	m->job_topic = gateway_topic(g, "machines/%s/job", m->config->id);
	m->event_topic = gateway_topic(g, "machines/%s/event", m->config->id);
	if (!m->availability.topic || !m->info.topic || !m->snapshot.topic || !m->totals.topic ||
		!m->telemetry_topic || !m->event_topic || !m->job_topic)
		return -ENOMEM;
	outbox_add(g->outbox, &m->info);
	return 0;
}

/* Its availability and state are published from the moment they are known. */
void
announce_state(struct gateway *g, struct machine *m)
{
	outbox_add(g->outbox, &m->availability);
	outbox_add(g->outbox, &m->snapshot);
}

void
announce_withdrawal(struct gateway *g, struct machine *m)
{
	struct retained *all[] = {&m->availability, &m->snapshot, &m->totals, &m->info};
	const size_t n = sizeof(all) / sizeof(all[0]);
	m->removed = true;
	hass_withdraw(g, m); /* first: of topics that are gone it would complain */
	m->retained_left = (unsigned)(n + alarm_topics_withdraw(g, m));
	for (size_t i = 0; i < m->n_sources; i++)
		m->sources[i]->removed = true;
	for (size_t i = 0; i < n; i++) {
		outbox_add(g->outbox, all[i]);
		outbox_forget(g->outbox, all[i]);
	}
}

int
announce_gateway(struct gateway *g)
{
	const char *id = g->config->gateway;
	g->availability =
		(struct retained){.topic = gateway_topic(g, "gateways/%s/availability", id),
			.render = render_gateway_availability};
	g->info = (struct retained){.topic = gateway_topic(g, "gateways/%s/info", id),
		.json = true,
		.render = render_gateway_info};
	g->health = (struct retained){.topic = gateway_topic(g, "gateways/%s/health", id),
		.json = true,
		.render = health_render};
	if (!g->availability.topic || !g->info.topic || !g->health.topic)
		return -ENOMEM;
	outbox_add(g->outbox, &g->availability);
	outbox_add(g->outbox, &g->info);
	return 0;
}
