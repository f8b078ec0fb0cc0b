/* SPDX-License-Identifier: MIT */
/* trouble.c -- alarms of the gateway itself: the same life as a machine's, topics of its own
 *
 * What each means stands in config/alarm_words.c.
 */
#include "daemon/gateway.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/alarm_words.h"
#include "daemon/clock.h"
#include "daemon/keep.h"
#include "daemon/log.h"

#define MINUTE_MS 60000

struct trouble {
	struct trouble *next;
	struct alarm alarm;
	struct retained retained;
	struct gateway *gateway;
	char code[64];
};

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

/* What has to last before it is told, or before it is over. */
static const struct delay {
	const char *code; /* or how it begins */
	int64_t for_ms, clear_for_ms;
} delays[] = {
	{"bus-", MINUTE_MS / 2, 0},
	{"clock", 10 * MINUTE_MS, 0},
	{"duplicate-client", 0, 5 * MINUTE_MS},
	{"", 0, 0},
};

static const struct delay *
find_delay(const char *code)
{
	const struct delay *d = delays;
	while (strncmp(d->code, code, strlen(d->code)) != 0)
		d++;
	return d;
}

static struct trouble *
create(struct gateway *g, const char *code)
{
	const struct alarm_words *words = alarm_words_find(code);
	struct trouble *t = words ? calloc(1, sizeof(*t)) : NULL;
	if (!t)
		return NULL;
	snprintf(t->code, sizeof(t->code), "%s", code);
	t->gateway = g;
	t->alarm.spec = (struct alarm_spec){.code = t->code,
		.severity = words->severity,
		.for_ms = find_delay(code)->for_ms,
		.clear_for_ms = find_delay(code)->clear_for_ms,
		.hits = 1,
		.text = words->text,
		.hint = words->hint};
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
tell(struct gateway *g, struct trouble *t, unsigned bits)
{
	static const struct {
		enum transition bit;
		const char *word;
	} words[] = {
		{ALARM_RAISED, "raised"}, {ALARM_CHANGED, "changed"}, {ALARM_CLEARED, "cleared"}};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!(bits & words[i].bit))
			continue;
		struct envelope e = gateway_numbered(g, clock_wall_ms(), g->event_topic);
		journal_event(g, g->event_topic, &e,
			payload_alarm_event(
				g->scratch, GATEWAY_SCRATCH, &e, &t->alarm, words[i].word));
	}
	if (bits & ALARM_RAISED)
		log_warning("alarm %s: %s", t->code,
			config_text(&t->alarm.spec.text, g->config->language));
	if (bits & ALARM_CLEARED)
		log_info("alarm %s: over", t->code);
	remember_alarm(g, "", &t->alarm);
	outbox_add(g->outbox, &t->retained);
}

const char *
trouble_set(struct gateway *g, const char *code, enum truth holds)
{
	struct trouble *t = find(g, code);
	const struct alarm_input in = {.condition = holds};
	if (!t && holds == TRUTH_TRUE)
		t = create(g, code);
	if (!t)
		return NULL;
	unsigned bits = alarm_update(&t->alarm, &in, NULL, clock_now());
	if (bits)
		tell(g, t, bits);
	return t->alarm.life.active ? t->code : NULL;
}

void
trouble_raise(struct gateway *g, const char *code)
{
	trouble_set(g, code, TRUTH_TRUE);
}

void
trouble_clear(struct gateway *g, const char *code)
{
	trouble_set(g, code, TRUTH_FALSE);
}

bool
trouble_is_shown(const struct gateway *g, const char *code)
{
	const struct trouble *t = find(g, code);
	return t && t->retained.listed && !t->retained.leaving;
}

/* Nobody asks any more after a bus that a reload took away. */
static void
look_after(struct gateway *g, struct trouble *t)
{
	if (strncmp(t->code, "bus-", 4) == 0 && !buswatch_has(g, t->code))
		trouble_clear(g, t->code);
	if (t->retained.listed && !t->retained.leaving && alarm_is_past(&t->alarm, clock_now()))
		outbox_forget(g->outbox, &t->retained);
}

void
trouble_tick(struct gateway *g)
{
	for (struct trouble *t = g->troubles; t; t = t->next)
		look_after(g, t);
}

static void
recall(void *arg, const char *key, const char *text)
{
	struct gateway *g = arg;
	struct alarm_life life = {.active = false};
	if (key[0] != '/' || !keep_read_alarm(text, &life))
		return;
	struct trouble *t = create(g, key + 1);
	if (!t)
		return;
	alarm_restore(&t->alarm, &life, clock_now());
	if (life.active || !alarm_is_past(&t->alarm, clock_now()))
		outbox_add(g->outbox, &t->retained);
}

void
trouble_clock_moved(struct gateway *g, const struct shift *by)
{
	for (struct trouble *t = g->troubles; t; t = t->next) {
		alarm_clock_moved(&t->alarm, by);
		outbox_mark(g->outbox, &t->retained);
	}
}

void
trouble_remember(struct gateway *g)
{
	for (const struct trouble *t = g->troubles; t; t = t->next)
		if (t->alarm.life.count)
			remember_alarm(g, "", &t->alarm);
}

void
trouble_recall(struct gateway *g)
{
	journal_each(g, "alarm", recall, g);
	trouble_clear(g, "config-refused"); /* this one was accepted */
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
