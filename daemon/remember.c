/* SPDX-License-Identifier: MIT */
/* remember.c -- what is kept of machines and alarms, and how it comes back after a restart
 *
 * Counters and the open job belong to the asset: they follow it to another machine id or socket.
 * Alarms and maintenance belong to the machine.
 */
#include "daemon/gateway.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/clock.h"
#include "daemon/keep.h"
#include "daemon/log.h"

#define CHECKPOINT_US 10000000LL

/* ---- keeping -------------------------------------------------------------------------------- */

static void
keep_now(struct gateway *g, const char *asset)
{
	char text[KEEP_SIZE];
	struct kept_moment m = {.us = clock_mono_us()};
	snprintf(m.boot, sizeof(m.boot), "%s", g->boot);
	if (keep_moment(&m, text, sizeof(text)))
		journal_keep(g, "moment", asset, text);
}

void
remember_usage(struct gateway *g, struct machine *m)
{
	char text[KEEP_SIZE];
	struct usage_kept kept;
	const char *asset = m->config->asset;
	usage_keep(&m->usage, clock_now(), &kept);
	if (!m->config->job_names)
		kept.job.name[0] = '\0';
	if (!keep_usage(&kept, text, sizeof(text)))
		return;
	journal_keep(g, "usage", asset, text);
	journal_keep(g, "home", asset, m->config->id);
	keep_now(g, asset);
}

void
remember_machine(struct gateway *g, const struct machine *m)
{
	char text[KEEP_SIZE];
	struct kept_machine kept = {.activity = m->activity,
		.since_ms = m->since_ms,
		.maintenance_since_ms = m->maintenance.since_ms,
		.maintenance_until_ms = m->maintenance.until_ms};
	snprintf(kept.state, sizeof(kept.state), "%s", m->decided ? machine_state(m) : "");
	snprintf(kept.maintenance_reason, sizeof(kept.maintenance_reason), "%s",
		m->maintenance.reason);
	if (keep_machine(&kept, text, sizeof(text)))
		journal_keep(g, "machine", m->config->id, text);
}

static const char *
alarm_key(const char *machine, const char *code, char *buf, size_t size)
{
	snprintf(buf, size, "%s/%s", machine, code);
	return buf;
}

void
remember_alarm(struct gateway *g, const char *machine, const struct alarm *a)
{
	char text[KEEP_SIZE], key[160];
	if (keep_alarm(&a->life, text, sizeof(text)))
		journal_keep(g, "alarm", alarm_key(machine, a->spec.code, key, sizeof(key)), text);
}

void
remember_no_alarm(struct gateway *g, const char *machine, const char *code)
{
	char key[160];
	journal_drop(g, "alarm", alarm_key(machine, code, key, sizeof(key)));
}

void
remember_topic(struct gateway *g, const char *topic, bool filled)
{
	if (filled)
		journal_keep(g, "topic", topic, "");
	else
		journal_drop(g, "topic", topic);
}

void
remember_everything(struct gateway *g)
{
	trouble_remember(g);
	for (size_t i = 0; i < g->n_machines; i++) {
		struct machine *m = g->machines[i];
		remember_usage(g, m);
		remember_machine(g, m);
		for (size_t k = 0; k < alarmset_size(m->alarms); k++) {
			const struct alarm *a = alarmset_at(m->alarms, k);
			if (a->life.count)
				remember_alarm(g, m->config->id, a);
		}
	}
}

void
remember_tick(struct gateway *g, int64_t now_us)
{
	if (now_us < g->next_checkpoint_us)
		return;
	g->next_checkpoint_us = now_us + CHECKPOINT_US;
	for (size_t i = 0; i < g->n_machines; i++)
		if (g->machines[i]->usage.kept.job.id[0])
			remember_usage(g, g->machines[i]);
}

/* ---- bringing back -------------------------------------------------------------------------- */

static void
entropy(uint8_t out[10])
{
	if (getrandom(out, 10, 0) != 10)
		memset(out, 0, 10);
}

/* How long nobody looked; the wall clock only if the computer was started since. */
static int64_t
gap_us(struct gateway *g, const char *asset, const struct usage_kept *kept, struct moment now)
{
	struct kept_moment at = {.us = 0};
	const char *text = journal_kept(g, "moment", asset);
	int64_t gap = (now.wall_ms - kept->at_ms) * 1000;
	if (keep_read_moment(text, &at) && strcmp(at.boot, g->boot) == 0)
		gap = now.us - at.us;
	return gap > 0 ? gap : 0;
}

/* The job of an asset that is not at that machine any more. */
static void
end_elsewhere(struct gateway *g, const char *asset, const char *home, struct usage_kept *kept)
{
	char text[KEEP_SIZE];
	if (kept->job.id[0] && kept->job.announced) {
		struct job job = kept->job;
		job.result = END_GATEWAY_RESTART;
		job.ended_ms = job.last_ms;
		const char *topic = gateway_topic(g, "machines/%s/job", home);
		struct envelope e = gateway_numbered(g, job.ended_ms, topic);
		journal_event(
			g, topic, &e, payload_job(g->scratch, GATEWAY_SCRATCH, &e, &job, asset));
	}
	memset(kept->job.id, 0, sizeof(kept->job.id));
	if (keep_usage(kept, text, sizeof(text)))
		journal_keep(g, "usage", asset, text);
}

static void
recall_usage(struct gateway *g, struct machine *m, struct moment now)
{
	const char *asset = m->config->asset;
	const struct usage_rules rules = {.end_after_ms = m->config->job_end_after_ms,
		.min_ms = m->config->job_min_ms,
		.entropy = entropy};
	struct usage_kept kept = usage_nothing;
	usage_init(&m->usage, &rules, now);
	const char *text = journal_kept(g, "usage", asset);
	const char *home = journal_kept(g, "home", asset);
	if (keep_read_usage(text, &kept)) {
		if (home && strcmp(home, m->config->id) != 0)
			end_elsewhere(g, asset, home, &kept);
		usage_restore(&m->usage, &kept, gap_us(g, asset, &kept, now), now);
	}
}

static void
recall_machine(struct gateway *g, struct machine *m, struct moment now)
{
	struct kept_machine kept = {.activity = ACTIVITY_UNKNOWN};
	const char *text = journal_kept(g, "machine", m->config->id);
	if (keep_read_machine(text, &kept)) {
		m->activity = kept.activity;
		m->former_since_ms = kept.since_ms;
		snprintf(m->former_state, sizeof(m->former_state), "%s", kept.state);
		if (kept.maintenance_until_ms > now.wall_ms) {
			m->maintenance.since_ms = kept.maintenance_since_ms;
			m->maintenance.until_ms = kept.maintenance_until_ms;
			m->maintenance.until_us =
				now.us + (kept.maintenance_until_ms - now.wall_ms) * 1000;
			snprintf(m->maintenance.reason, sizeof(m->maintenance.reason), "%s",
				kept.maintenance_reason);
		}
		machine_rebind(m, now); /* its rules start from this activity */
	}
}

struct recalled {
	struct gateway *g;
	struct machine *only; /* NULL: all */
};

/* Keys are "machine/code"; those of the gateway itself begin with the slash. */
static struct machine *
owner_of(const struct recalled *r, const char *key, const char *slash)
{
	char id[64];
	snprintf(id, sizeof(id), "%.*s", (int)(slash - key), key);
	if (r->only)
		return strcmp(r->only->config->id, id) == 0 ? r->only : NULL;
	return gateway_find_machine(r->g, id);
}

static void
recall_alarm(void *arg, const char *key, const char *text)
{
	struct recalled *r = arg;
	struct alarm_life life = {.active = false};
	const char *slash = strchr(key, '/');
	struct machine *m = slash && slash > key ? owner_of(r, key, slash) : NULL;
	if (!m || !keep_read_alarm(text, &life) ||
		alarmset_restore(m->alarms, slash + 1, &life, clock_now()) < 0)
		return;
	const struct alarm *a = alarmset_find(m->alarms, slash + 1);
	if (a && (life.active || !alarm_is_past(a, clock_now())))
		alarm_topic_show(r->g, m, a->spec.code);
}

static void
recall(struct gateway *g, struct machine *m)
{
	struct moment now = clock_now();
	recall_machine(g, m, now);
	recall_usage(g, m, now);
}

void
remember_recall(struct gateway *g, struct machine *m)
{
	struct recalled r = {.g = g, .only = m};
	recall(g, m);
	journal_each(g, "alarm", recall_alarm, &r);
}

void
remember_recall_all(struct gateway *g)
{
	struct recalled r = {.g = g};
	for (size_t i = 0; i < g->n_machines; i++)
		recall(g, g->machines[i]);
	journal_each(g, "alarm", recall_alarm, &r);
}

/* ---- what has lost its owner ---------------------------------------------------------------- */

void
remember_leave(struct gateway *g, struct machine *m)
{
	struct job ended;
	if (usage_leave(&m->usage, END_UNKNOWN, clock_now(), &ended))
		follow_job_ended(g, m, &ended);
	remember_usage(g, m);
}

static bool
has_owner(const struct gateway *g, const char *asset)
{
	for (size_t i = 0; i < g->n_machines; i++)
		if (strcmp(g->machines[i]->config->asset, asset) == 0)
			return true;
	return false;
}

static void
end_orphan(void *arg, const char *asset, const char *text)
{
	struct gateway *g = arg;
	struct usage_kept kept = usage_nothing;
	if (has_owner(g, asset) || !keep_read_usage(text, &kept) || !kept.job.id[0])
		return;
	const char *home = journal_kept(g, "home", asset);
	end_elsewhere(g, asset, home ? home : asset, &kept);
}

/* "machines/M/LEAF" of a machine that is configured, which will fill it again itself. */
static bool
is_owned(const struct gateway *g, const char *path)
{
	static const char *const leaves[] = {"availability", "info", "state", "usage"};
	char id[64];
	const char *leaf = strchr(path, '/');
	size_t len = leaf ? (size_t)(leaf - path) : 0;
	if (len == 0 || len >= sizeof(id))
		return false;
	memcpy(id, path, len);
	id[len] = '\0';
	const struct machine *m = gateway_find_machine(g, id);
	for (size_t i = 0; m && i < sizeof(leaves) / sizeof(leaves[0]); i++)
		if (strcmp(leaf + 1, leaves[i]) == 0)
			return true;
	return m && strncmp(leaf, "/alarm/", 7) == 0 && alarm_topic_is_shown(m, leaf + 7);
}

/* "PREFIX/device/PARK/MACHINE/config": the one kind of topic outside of the park's. */
static bool
is_of_hass(const char *topic)
{
	const char *leaf = strrchr(topic, '/');
	return leaf && strcmp(leaf, "/config") == 0;
}

static void
clear_orphan(void *arg, const char *topic, const char *text)
{
	struct gateway *g = arg;
	char prefix[256];
	(void)text;
	int n = snprintf(prefix, sizeof(prefix), "%s/%s/machines/", g->config->mqtt.topic_root,
		g->config->park);
	if (strncmp(topic, prefix, (size_t)n) == 0 && !is_owned(g, topic + n))
		inbound_clear_topic(g, topic);
	snprintf(prefix, sizeof(prefix), "%s/%s/gateways/%s/alarm/", g->config->mqtt.topic_root,
		g->config->park, g->config->gateway);
	n = (int)strlen(prefix);
	if (strncmp(topic, prefix, (size_t)n) == 0 && !trouble_is_shown(g, topic + n))
		inbound_clear_topic(g, topic);
	if (is_of_hass(topic) && !hass_owns(g, topic))
		inbound_clear_topic(g, topic);
}

void
remember_orphans(struct gateway *g)
{
	journal_each(g, "usage", end_orphan, g);
	journal_each(g, "topic", clear_orphan, g);
}
