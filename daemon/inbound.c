/* SPDX-License-Identifier: MIT */
/* inbound.c -- what the broker holds in our name, and what of it is no longer true
 *
 * After each connect we look for a few seconds at the retained `machines/+/info` and at our own
 * alarms. A machine that carries our name and is not configured (removed, or the daemon was killed
 * before it could clear it) is cleared topic by topic. Another gateway's topics are never touched.
 * If state.db was lost our counters go on from our own retained `usage`, which is read before we
 * publish another.
 * Our own availability is watched for as long as we are connected: after a fail-over the will of
 * the old connection may come late and say "offline" over our "online".
 */
#include "daemon/gateway.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/log.h"

#define LOOKOUT_US 5000000LL

static const char *
path(const struct gateway *g, const char *leaf, char *buf, size_t size)
{
	snprintf(buf, size, "%s/%s/%s", g->config->mqtt.topic_root, g->config->park, leaf);
	return buf;
}

static const char *
ack_topic(const struct gateway *g, char *buf, size_t size)
{
	char leaf[64];
	snprintf(leaf, sizeof(leaf), "gateways/%s/ack", g->config->gateway);
	return path(g, leaf, buf, size);
}

void
inbound_connected(struct gateway *g, int64_t now_us)
{
	char topic[256], alarms[128];
	snprintf(alarms, sizeof(alarms), "gateways/%s/alarm/+", g->config->gateway);
	uplink_subscribe(g->uplink, g->availability.topic);
	if (g->config->mqtt.ack_archiver)
		uplink_subscribe(g->uplink, ack_topic(g, topic, sizeof(topic)));
	uplink_subscribe(g->uplink, path(g, "machines/+/info", topic, sizeof(topic)));
	uplink_subscribe(g->uplink, path(g, alarms, topic, sizeof(topic)));
	uplink_subscribe(g->uplink, path(g, "machines/+/alarm/+", topic, sizeof(topic)));
	uplink_subscribe(g->uplink, path(g, "machines/+/usage", topic, sizeof(topic)));
	hass_connected(g, now_us);
	g->mqtt.held_elsewhere = false;
	g->mqtt.lookout_until_us = now_us + LOOKOUT_US;
}

/* They can be published from now on. */
static void
believe_totals(struct machine *m)
{
	m->usage.kept.whole = true;
	m->next_usage_us = 0;
}

void
inbound_tick(struct gateway *g, int64_t now_us)
{
	char topic[256], leaf[128];
	if (!g->mqtt.lookout_until_us || now_us < g->mqtt.lookout_until_us)
		return;
	g->mqtt.lookout_until_us = 0;
	if (!g->mqtt.held_elsewhere)
		trouble_clear(g, "identity");
	uplink_unsubscribe(g->uplink, path(g, "machines/+/info", topic, sizeof(topic)));
	uplink_unsubscribe(g->uplink, path(g, "machines/+/alarm/+", topic, sizeof(topic)));
	uplink_unsubscribe(g->uplink, path(g, "machines/+/usage", topic, sizeof(topic)));
	for (size_t i = 0; i < g->n_machines; i++)
		if (!g->machines[i]->usage.kept.whole)
			believe_totals(g->machines[i]); /* nobody knows more */
	snprintf(leaf, sizeof(leaf), "gateways/%s/alarm/+", g->config->gateway);
	uplink_unsubscribe(g->uplink, path(g, leaf, topic, sizeof(topic)));
	for (size_t i = 0; i < g->n_orphans; i++) {
		snprintf(leaf, sizeof(leaf), "machines/%s/#", g->orphans[i]);
		uplink_unsubscribe(g->uplink, path(g, leaf, topic, sizeof(topic)));
		free(g->orphans[i]);
	}
	g->n_orphans = 0;
}

/* ---- clearing ------------------------------------------------------------------------------ */

static void
stray_gone(struct retained *r)
{
	free((char *)r - offsetof(struct stray, retained));
}

void
inbound_clear_topic(struct gateway *g, const char *topic)
{
	struct stray *s = calloc(1, sizeof(*s) + strlen(topic) + 1);
	if (!s)
		return;
	strcpy(s->topic, topic);
	s->retained = (struct retained){.topic = s->topic, .gone = stray_gone};
	outbox_add(g->outbox, &s->retained);
	outbox_forget(g->outbox, &s->retained);
}

static bool
is_orphan(const struct gateway *g, const char *id, size_t len)
{
	for (size_t i = 0; i < g->n_orphans; i++)
		if (strlen(g->orphans[i]) == len && memcmp(g->orphans[i], id, len) == 0)
			return true;
	return false;
}

static void
adopt_orphan(struct gateway *g, const char *id)
{
	char topic[256], leaf[128];
	char **more = realloc(g->orphans, (g->n_orphans + 1) * sizeof(*more));
	if (!more)
		return;
	g->orphans = more;
	g->orphans[g->n_orphans] = strdup(id);
	if (!g->orphans[g->n_orphans])
		return;
	g->n_orphans++;
	log_info("mqtt: machine %s is ours at the broker but not configured; clearing its topics",
		id);
	snprintf(leaf, sizeof(leaf), "machines/%s/#", id);
	uplink_subscribe(g->uplink, path(g, leaf, topic, sizeof(topic)));
	g->mqtt.lookout_until_us = clock_mono_us() + LOOKOUT_US;
}

/* ---- messages ------------------------------------------------------------------------------ */

/* Whether the payload's `gw` is ours. `other` (may be NULL) gets another's name. */
static bool
is_ours(const struct gateway *g, const struct uplink_event *e, char *other, size_t size)
{
	json_t *root = json_loadb(e->payload, e->len, JSON_REJECT_DUPLICATES, NULL);
	const char *gw = json_string_value(json_object_get(root, "gw"));
	bool ours = gw && strcmp(gw, g->config->gateway) == 0;
	if (other)
		snprintf(other, size, "%s", gw ? gw : "");
	json_decref(root);
	return ours;
}

static void
on_info(struct gateway *g, const struct uplink_event *e, const char *id)
{
	char other[40];
	bool ours = is_ours(g, e, other, sizeof(other));
	struct machine *m = gateway_find_machine(g, id);
	if (m && !ours && other[0]) {
		log_warning("machine %s is configured here, but gateway %s publishes it too", id,
			other);
		g->mqtt.held_elsewhere = true;
		trouble_raise(g, "identity");
	} else if (!m && ours && !is_orphan(g, id, strlen(id)))
		adopt_orphan(g, id);
}

/* Of the same book that state.db holds: each counter is the larger of the two. */
static void
take_larger(struct machine *m, json_t *root)
{
	const char *field;
	json_t *value;
	double was;
	json_object_foreach(root, field, value)
	{
		if (json_is_number(value) &&
			usage_set(&m->usage, field, json_number_value(value), &was) == 0 &&
			was > json_number_value(value))
			usage_set(&m->usage, field, was, &was);
	}
}

/* What was counted before is added, and the time since then was spent unseen. */
static void
adopt_totals(struct machine *m, json_t *root)
{
	int64_t gap_ms = m->usage.kept.since_ms - json_integer_value(json_object_get(root, "ts"));
	const char *field;
	json_t *value;
	double was;
	json_object_foreach(root, field, value)
	{
		if (json_is_number(value) &&
			usage_set(&m->usage, field, json_number_value(value), &was) == 0 && was > 0)
			usage_set(&m->usage, field, json_number_value(value) + was, &was);
	}
	double unknown = (double)m->usage.kept.in_us[IN_UNKNOWN] / 1e6;
	if (gap_ms > 0)
		usage_set(&m->usage, "unknown_s", unknown + (double)gap_ms / 1000, &was);
}

static void
on_usage(struct gateway *g, const struct uplink_event *e, struct machine *m)
{
	json_t *root = json_loadb(e->payload, e->len, JSON_REJECT_DUPLICATES, NULL);
	const char *asset = json_string_value(json_object_get(root, "asset"));
	if (!m->usage.kept.whole && e->retain && is_ours(g, e, NULL, 0) && asset &&
		strcmp(asset, m->config->asset) == 0) {
		int64_t since_ms = json_integer_value(json_object_get(root, "since"));
		if (since_ms == m->usage.kept.since_ms)
			take_larger(m, root);
		else
			adopt_totals(m, root);
		believe_totals(m);
		log_info("%s: state.db knew nothing of %s; its counters go on from what the broker "
			 "holds",
			m->config->id, asset);
	}
	json_decref(root);
}

/* "ID/LEAF" below machines/. */
static void
on_machine(struct gateway *g, const struct uplink_event *e, const char *rest)
{
	const char *slash = strchr(rest, '/');
	if (!slash || e->len == 0)
		return;
	size_t len = (size_t)(slash - rest);
	char id[64];
	if (len >= sizeof(id))
		return;
	memcpy(id, rest, len);
	id[len] = '\0';
	if (strcmp(slash, "/info") == 0)
		on_info(g, e, id);
	struct machine *m = gateway_find_machine(g, id);
	if (m && strcmp(slash, "/usage") == 0)
		on_usage(g, e, m);
	if (e->retain && is_orphan(g, id, len) && !m)
		inbound_clear_topic(g, e->topic);
	/* An alarm that we have forgotten, after state.db was lost. */
	if (e->retain && m && strncmp(slash, "/alarm/", 7) == 0 && is_ours(g, e, NULL, 0) &&
		!alarm_topic_is_shown(m, slash + 7))
		inbound_clear_topic(g, e->topic);
}

/* {"epoch":"7f3a91c2","upto":{"machines/laser-1/job":41}}: an archiver has all of these up to that
 * number. */
static void
on_ack(struct gateway *g, const struct uplink_event *e)
{
	json_t *root = json_loadb(e->payload, e->len, JSON_REJECT_DUPLICATES, NULL);
	const char *epoch = json_string_value(json_object_get(root, "epoch"));
	json_t *upto = json_object_get(root, "upto"), *seq;
	const char *leaf;
	char topic[256];
	if (!epoch || !json_is_object(upto))
		log_warning("mqtt: %s: not {\"epoch\":…,\"upto\":{TOPIC:SEQ}}", e->topic);
	json_object_foreach(upto, leaf, seq)
	{
		if (epoch && strlen(leaf) < 160 && json_integer_value(seq) > 0)
			journal_archived(g, path(g, leaf, topic, sizeof(topic)), epoch,
				(uint64_t)json_integer_value(seq));
	}
	json_decref(root);
}

void
inbound_message(struct gateway *g, const struct uplink_event *e)
{
	char prefix[256];
	if (hass_message(g, e, clock_mono_us()))
		return;
	if (g->config->mqtt.ack_archiver &&
		strcmp(e->topic, ack_topic(g, prefix, sizeof(prefix))) == 0) {
		on_ack(g, e);
		return;
	}
	if (strcmp(e->topic, g->availability.topic) == 0) {
		if (strcmp(e->payload, "online") != 0 && !g->stopping)
			outbox_mark(g->outbox, &g->availability);
		return;
	}
	size_t n = strlen(path(g, "machines/", prefix, sizeof(prefix)));
	if (strncmp(e->topic, prefix, n) == 0) {
		on_machine(g, e, e->topic + n);
		return;
	}
	char leaf[128];
	snprintf(leaf, sizeof(leaf), "gateways/%s/alarm/", g->config->gateway);
	n = strlen(path(g, leaf, prefix, sizeof(prefix)));
	if (strncmp(e->topic, prefix, n) == 0 && e->len && e->retain &&
		!trouble_is_shown(g, e->topic + n))
		inbound_clear_topic(g, e->topic);
}
