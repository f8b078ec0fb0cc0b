/* SPDX-License-Identifier: MIT */
/* alarm_topics.c -- the retained picture of each alarm of a machine
 *
 * A topic exists from the first activation until 15 minutes after the alarm cleared. It outlives
 * the alarm itself, because a reload may take that away while the broker still holds the picture.
 */
#include "daemon/gateway.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/clock.h"

struct alarm_topic {
	struct alarm_topic *next;
	struct retained retained;
	struct machine *machine;
	char code[96];
	char topic[];
};

static struct alarm_topic *
of(struct retained *r)
{
	return (struct alarm_topic *)(void *)((char *)r - offsetof(struct alarm_topic, retained));
}

static size_t
render(struct retained *r, char *buf, size_t size)
{
	const struct alarm_topic *t = of(r);
	struct gateway *g = t->machine->gateway;
	const struct alarm *a = alarmset_find(t->machine->alarms, t->code);
	struct envelope e = gateway_envelope(g, clock_wall_ms());
	return a ? payload_alarm(buf, size, &e, a, g->config->language) : 0;
}

static void
unlink_topic(struct machine *m, struct alarm_topic *t)
{
	struct alarm_topic **at = &m->alarm_topics;
	while (*at && *at != t)
		at = &(*at)->next;
	if (*at)
		*at = t->next;
}

static void
gone(struct retained *r)
{
	struct alarm_topic *t = of(r);
	struct machine *m = t->machine;
	unlink_topic(m, t);
	free(t);
	announce_one_gone(m);
}

static struct alarm_topic *
find(const struct machine *m, const char *code)
{
	struct alarm_topic *t = m->alarm_topics;
	while (t && strcmp(t->code, code) != 0)
		t = t->next;
	return t;
}

static struct alarm_topic *
create(struct gateway *g, struct machine *m, const char *code)
{
	char topic[256];
	snprintf(topic, sizeof(topic), "%s/%s/machines/%s/alarm/%s", g->config->mqtt.topic_root,
		g->config->park, m->config->id, code);
	struct alarm_topic *t = calloc(1, sizeof(*t) + strlen(topic) + 1);
	if (!t)
		return NULL;
	strcpy(t->topic, topic);
	snprintf(t->code, sizeof(t->code), "%s", code);
	t->machine = m;
	t->retained =
		(struct retained){.topic = t->topic, .json = true, .render = render, .gone = gone};
	t->next = m->alarm_topics;
	m->alarm_topics = t;
	return t;
}

void
alarm_topic_show(struct gateway *g, struct machine *m, const char *code)
{
	struct alarm_topic *t = find(m, code);
	if (!t)
		t = create(g, m, code);
	if (t)
		outbox_add(g->outbox, &t->retained);
}

bool
alarm_topic_is_shown(const struct machine *m, const char *code)
{
	const struct alarm_topic *t = find(m, code);
	return t && !t->retained.leaving;
}

bool
alarm_topic_waits(const struct machine *m, const char *code)
{
	const struct alarm_topic *t = find(m, code);
	return t && (t->retained.dirty || t->retained.in_flight);
}

void
alarm_topics_tick(struct gateway *g, struct machine *m, struct moment now)
{
	for (struct alarm_topic *t = m->alarm_topics; t; t = t->next) {
		const struct alarm *a = alarmset_find(m->alarms, t->code);
		bool gone_for_good = alarmset_is_gone(m->alarms, t->code);
		if (t->retained.leaving || (a && !gone_for_good && !alarm_is_past(a, now)))
			continue;
		outbox_forget(g->outbox, &t->retained);
		if (gone_for_good)
			remember_no_alarm(g, m->config->id, t->code);
	}
}

size_t
alarm_topics_withdraw(struct gateway *g, struct machine *m)
{
	size_t n = 0;
	for (struct alarm_topic *t = m->alarm_topics; t; t = t->next, n++)
		outbox_forget(g->outbox, &t->retained);
	return n;
}

void
alarm_topics_free(struct machine *m)
{
	while (m->alarm_topics) {
		struct alarm_topic *next = m->alarm_topics->next;
		free(m->alarm_topics);
		m->alarm_topics = next;
	}
}
