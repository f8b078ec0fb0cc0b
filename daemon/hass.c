/* SPDX-License-Identifier: MIT */
/* hass.c -- what Home Assistant is told: a retained topic per machine, outside of parks/P
 *
 * <prefix>/device/<park>/<machine>/config. Like every retained topic it is remembered on the disk
 * from the moment it is filled until the broker has acknowledged its removal, so it goes with its
 * machine, with the key home_assistant and with another prefix, after a crash, too. What leaves
 * lives on its own until then; its machine may be gone by that time.
 */
#include "daemon/gateway.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/log.h"
#include "daemon/payload_hass.h"

/* After a connect what is so now goes first. */
#define AFTER_CONNECT_US 1000000LL
/* Home Assistant's start reaches all gateways in the same instant; they answer within this time. */
#define SPREAD_US 3000000LL

struct hass_topic {
	struct hass_topic *next;
	struct retained retained;
	struct gateway *gateway;
	struct machine *machine; /* NULL: it leaves */
	size_t left_out;         /* entities, as was told */
	char topic[];
};

static struct hass_topic *
of(struct retained *r)
{
	return (struct hass_topic *)(void *)((char *)r - offsetof(struct hass_topic, retained));
}

static size_t
render(struct retained *r, char *buf, size_t size)
{
	struct hass_topic *t = of(r);
	size_t left_out, len;
	len = payload_hass(buf, size, t->gateway->config, t->machine, &left_out);
	if (left_out && left_out != t->left_out)
		log_warning(
			"%s: %zu of its entities have no room in the message for Home Assistant",
			t->machine->config->id, left_out);
	t->left_out = left_out;
	return len;
}

static void
gone(struct retained *r)
{
	struct hass_topic *t = of(r), **at = &t->gateway->hass.topics;
	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	free(t);
}

/* "" where Home Assistant is told nothing. */
static const char *
topic_of(const struct gateway *g, const struct machine *m, char *buf, size_t size)
{
	buf[0] = '\0';
	if (g->config->hass_prefix)
		snprintf(buf, size, "%s/device/%s/%s/config", g->config->hass_prefix,
			g->config->park, m->config->id);
	return buf;
}

static struct hass_topic *
find(const struct gateway *g, const char *topic)
{
	struct hass_topic *t = g->hass.topics;
	while (t && strcmp(t->topic, topic) != 0)
		t = t->next;
	return t;
}

static struct hass_topic *
create(struct gateway *g, const char *topic)
{
	struct hass_topic *t = calloc(1, sizeof(*t) + strlen(topic) + 1);
	if (!t)
		return NULL;
	strcpy(t->topic, topic);
	t->gateway = g;
	t->retained =
		(struct retained){.topic = t->topic, .json = true, .render = render, .gone = gone};
	t->next = g->hass.topics;
	g->hass.topics = t;
	return t;
}

static void
show(struct gateway *g, struct machine *m)
{
	char topic[256];
	struct hass_topic *t = find(g, topic_of(g, m, topic, sizeof(topic)));
	if (!t)
		t = create(g, topic);
	if (!t)
		return;
	t->machine = m;
	outbox_add(g->outbox, &t->retained);
}

static void
show_all(struct gateway *g)
{
	g->hass.due_us = 0;
	for (size_t i = 0; g->config->hass_prefix && i < g->n_machines; i++)
		show(g, g->machines[i]);
}

static void
withdraw(struct gateway *g, struct hass_topic *t)
{
	t->machine = NULL;
	outbox_forget(g->outbox, &t->retained);
}

void
hass_changed(struct gateway *g, const struct machine *m)
{
	char topic[256];
	struct hass_topic *t = find(g, topic_of(g, m, topic, sizeof(topic)));
	if (t)
		outbox_mark(g->outbox, &t->retained);
}

void
hass_withdraw(struct gateway *g, const struct machine *m)
{
	for (struct hass_topic *t = g->hass.topics; t; t = t->next)
		if (t->machine == m)
			withdraw(g, t);
}

bool
hass_owns(const struct gateway *g, const char *topic)
{
	char own[256];
	for (size_t i = 0; g->config->hass_prefix && i < g->n_machines; i++)
		if (strcmp(topic_of(g, g->machines[i], own, sizeof(own)), topic) == 0)
			return true;
	return false;
}

/* ---- Home Assistant's own start --------------------------------------------------------------
 */

static bool
status_topic(const struct config *c, char *buf, size_t size)
{
	snprintf(buf, size, "%s/status", c->hass_prefix ? c->hass_prefix : "");
	return c->hass_prefix != NULL;
}

void
hass_connected(struct gateway *g, int64_t now_us)
{
	char topic[256];
	if (!status_topic(g->config, topic, sizeof(topic)))
		return;
	uplink_subscribe(g->uplink, topic);
	if (!g->hass.topics)
		g->hass.due_us = now_us + AFTER_CONNECT_US;
}

bool
hass_message(struct gateway *g, const struct uplink_event *e, int64_t now_us)
{
	char topic[256];
	if (!status_topic(g->config, topic, sizeof(topic)) || strcmp(e->topic, topic) != 0)
		return false;
	/* A retained one is of a start before our connection, which has told everything. */
	if (!e->retain && strcmp(e->payload, "online") == 0)
		g->hass.due_us = now_us + now_us % SPREAD_US;
	return true;
}

void
hass_tick(struct gateway *g, int64_t now_us)
{
	if (g->hass.due_us && now_us >= g->hass.due_us)
		show_all(g);
}

/* ---- reload, end ----------------------------------------------------------------------------- */

void
hass_reloaded(struct gateway *g, const struct config *old)
{
	char was[256], now[256];
	bool wanted = status_topic(g->config, now, sizeof(now)),
	     changed = status_topic(old, was, sizeof(was)) != wanted || strcmp(was, now) != 0;
	for (struct hass_topic *t = g->hass.topics; t; t = t->next)
		if (t->machine && !hass_owns(g, t->topic))
			withdraw(g, t);
	show_all(g);
	if (!changed || !g->mqtt.up)
		return;
	if (old->hass_prefix)
		uplink_unsubscribe(g->uplink, was);
	if (wanted)
		uplink_subscribe(g->uplink, now);
}

void
hass_free(struct gateway *g)
{
	while (g->hass.topics) {
		struct hass_topic *next = g->hass.topics->next;
		free(g->hass.topics);
		g->hass.topics = next;
	}
}
