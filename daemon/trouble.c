/* SPDX-License-Identifier: MIT */
/* trouble.c -- alarms of the gateway itself: retained while they are so, and 15 minutes after */
#include "daemon/gateway.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/log.h"

#define REMOVE_AFTER_MS (15 * 60 * 1000)

static struct trouble *
find(const struct gateway *g, const char *code)
{
	for (struct trouble *t = g->troubles; t; t = t->next)
		if (strcmp(t->code, code) == 0)
			return t;
	return NULL;
}

static size_t
render(struct retained *r, char *buf, size_t size)
{
	struct trouble *t =
		(struct trouble *)(void *)((char *)r - offsetof(struct trouble, retained));
	struct envelope e = gateway_envelope(t->gateway, clock_wall_ms());
	return payload_alarm(buf, size, &e, &t->alarm, t->gateway->config->language);
}

static struct trouble *
create(struct gateway *g, const struct trouble_facts *facts)
{
	struct trouble *t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	snprintf(t->code, sizeof(t->code), "%s", facts->code);
	t->gateway = g;
	t->alarm.code = t->code;
	t->retained = (struct retained){
		.topic = gateway_topic(g, "gateways/%s/alarm/%s", g->config->gateway, t->code),
		.json = true,
		.render = render};
	if (!t->retained.topic) {
		free(t);
		return NULL;
	}
	t->next = g->troubles;
	g->troubles = t;
	return t;
}

static void
send_event(struct gateway *g, const struct trouble *t)
{
	struct envelope e = gateway_numbered(g, clock_wall_ms(), g->event_topic);
	gateway_send_event(
		g, g->event_topic, payload_alarm_event(g->scratch, GATEWAY_SCRATCH, &e, &t->alarm));
}

void
trouble_raise(struct gateway *g, const struct trouble_facts *facts)
{
	struct trouble *t = find(g, facts->code);
	if (!t)
		t = create(g, facts);
	if (!t || t->alarm.active)
		return;
	t->alarm.severity = facts->severity;
	t->alarm.text = facts->text;
	t->alarm.hint = facts->hint;
	t->alarm.active = true;
	t->alarm.raised_ms = clock_wall_ms();
	t->alarm.cleared_ms = 0;
	t->alarm.count++;
	log_warning("alarm %s: %s", t->code, config_text(&facts->text, g->config->language));
	outbox_add(g->outbox, &t->retained);
	send_event(g, t);
}

void
trouble_clear(struct gateway *g, const char *code)
{
	struct trouble *t = find(g, code);
	if (!t || !t->alarm.active)
		return;
	t->alarm.active = false;
	t->alarm.cleared_ms = clock_wall_ms();
	log_info("alarm %s: over", code);
	outbox_mark(g->outbox, &t->retained);
	send_event(g, t);
}

bool
trouble_is_active(const struct gateway *g, const char *code)
{
	const struct trouble *t = find(g, code);
	return t && t->alarm.active;
}

void
trouble_tick(struct gateway *g, int64_t now_ms)
{
	for (struct trouble *t = g->troubles; t; t = t->next)
		if (!t->alarm.active && t->alarm.cleared_ms &&
			now_ms - t->alarm.cleared_ms >= REMOVE_AFTER_MS) {
			t->alarm.cleared_ms = 0;
			outbox_forget(g->outbox, &t->retained);
		}
}

void
trouble_free(struct gateway *g)
{
	while (g->troubles) {
		struct trouble *next = g->troubles->next;
		free(g->troubles);
		g->troubles = next;
	}
}
