/* SPDX-License-Identifier: MIT */
/* health.c -- how the gateway itself is: once a minute, and when something that matters changes */
#include "daemon/gateway.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "daemon/log.h"

#define EVERY_US 60000000LL

/* ---- collecting ---------------------------------------------------------------------------- */

static int64_t
rss_bytes(void)
{
	long total = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "re");
	if (!f)
		return 0;
	if (fscanf(f, "%ld %ld", &total, &resident) != 2)
		resident = 0;
	fclose(f);
	return resident * sysconf(_SC_PAGESIZE);
}

static double
cpu_s(void)
{
	struct rusage ru;
	getrusage(RUSAGE_SELF, &ru);
	return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
	       (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

/* Of the file system that holds the spool's directory, or will. */
static int64_t
disk_free(const char *dir)
{
	struct statvfs st;
	char path[512];
	snprintf(path, sizeof(path), "%s", dir);
	while (statvfs(path, &st) != 0) {
		char *slash = strrchr(path, '/');
		if (!slash)
			return 0;
		slash[slash == path ? 1 : 0] = '\0';
		if (slash == path && statvfs("/", &st) != 0)
			return 0;
	}
	return (int64_t)st.f_bavail * (int64_t)st.f_frsize;
}

static void
collect_bus(struct bus_health *b, struct poller *p, int64_t now_us)
{
	poller_stats(p, &b->stats);
	b->id = poller_bus(p)->id;
	b->state = b->stats.up ? "up" : "down";
	int64_t alive_us = now_us - b->stats.started_us;
	b->busy_pct = alive_us > 0 ? 100.0 * (double)b->stats.busy_us / (double)alive_us : 0;
}

static void
collect_buses(struct gateway *g, int64_t now_us)
{
	struct health *h = &g->health_now;
	struct bus_health *more = realloc(g->bus_health, (g->n_pollers + 1) * sizeof(*more));
	if (!more)
		return;
	g->bus_health = h->buses = more;
	h->n_buses = 0;
	h->polls_lost = g->polls_lost;
	for (size_t i = 0; i < g->n_pollers; i++) {
		collect_bus(&more[i], g->pollers[i], now_us);
		h->polls_lost += more[i].stats.lost_readings;
		h->n_buses++;
	}
}

static int64_t
older(int64_t a, int64_t b)
{
	return a && (!b || a < b) ? a : b;
}

/* What the broker does not have: in memory, in state.db, in spool.db. */
static void
collect_spool(struct gateway *g)
{
	struct health *h = &g->health_now;
	struct outbox_stats out;
	struct store_stats events;
	struct backlog_stats backlog;
	outbox_stats(g->outbox, &out);
	journal_stats(g, &events);
	replay_stats(g, &backlog);
	const struct lane_stats *live = &out.lanes[LANE_LIVE];
	h->published = out.published;
	h->acknowledged = out.acknowledged;
	h->refused = out.refused;
	h->in_flight = out.in_flight;
	h->spool.records =
		events.records + backlog.records + (int64_t)(live->waiting + live->in_flight);
	h->spool.bytes = events.bytes + backlog.bytes + (int64_t)live->bytes;
	h->spool.oldest_ts_ms =
		older(live->oldest_ts_ms, older(events.oldest_ts_ms, backlog.oldest_ts_ms));
	h->spool.evicted = (int64_t)g->evicted;
}

int64_t
health_waiting(struct gateway *g)
{
	collect_spool(g);
	return g->health_now.spool.records;
}

const struct health *
health_collect(struct gateway *g)
{
	struct health *h = &g->health_now;
	int64_t now_us = clock_mono_us();
	h->uptime_s = (now_us - g->started_us) / 1000000;
	h->version = LABPULSE_VERSION;
	h->clock = clock_state();
	h->clock_offset_ms = clock_offset_ms();
	h->mqtt_state = g->mqtt.up ? "connected" : "disconnected";
	h->broker = g->mqtt.broker[0] ? g->mqtt.broker : g->config->mqtt.brokers[0].host;
	h->protocol = g->mqtt.protocol == 4 ? "3.1.1" : g->mqtt.protocol == 5 ? "5" : NULL;
	h->mqtt_error = g->mqtt.error;
	h->mqtt_since_ms = g->mqtt.since_ms;
	h->reconnects = g->mqtt.connects > 0 ? g->mqtt.connects - 1 : 0;
	collect_spool(g);
	collect_buses(g, now_us);
	h->config_hash = g->config->hash;
	h->config_loaded_ms = g->config_loaded_ms;
	h->config_error = g->config_error;
	h->rss_bytes = rss_bytes();
	h->cpu_s = cpu_s();
	h->disk_free_bytes = disk_free(g->config->spool_path);
	h->machines = g->n_machines;
	h->machines_online = 0;
	for (size_t i = 0; i < g->n_machines; i++)
		h->machines_online += g->machines[i]->online;
	return h;
}

/* ---- publishing ---------------------------------------------------------------------------- */

size_t
health_render(struct retained *r, char *buf, size_t size)
{
	struct gateway *g =
		(struct gateway *)(void *)((char *)r - offsetof(struct gateway, health));
	struct envelope e = gateway_envelope(g, clock_wall_ms());
	return payload_health(buf, size, &e, health_collect(g));
}

void
health_changed(struct gateway *g)
{
	int64_t soon = clock_mono_us() + 1000000; /* several changes make one message */
	if (g->next_health_us > soon)
		g->next_health_us = soon;
}

/* A line that is down is told once when it goes and once when it comes back. */
static void
tell_buses(struct gateway *g)
{
	struct poller_stats s;
	for (size_t i = 0; i < g->n_pollers; i++) {
		struct poller *p = g->pollers[i];
		bool was_up = i < g->health_now.n_buses && g->health_now.buses[i].stats.up;
		poller_stats(p, &s);
		if (s.up != was_up)
			health_changed(g);
	}
}

void
health_tick(struct gateway *g, int64_t now_us)
{
	tell_buses(g);
	if (now_us < g->next_health_us)
		return;
	g->next_health_us = now_us + EVERY_US;
	if (!g->health.listed)
		outbox_add(g->outbox, &g->health);
	else
		outbox_mark(g->outbox, &g->health);
}
