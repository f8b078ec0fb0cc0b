/* SPDX-License-Identifier: MIT */
/* openmetrics.c -- one table of families; a family is one number, or one per bus */
#include "daemon/openmetrics.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum type { GAUGE, COUNTER };

static const char *const type_names[] = {[GAUGE] = "gauge", [COUNTER] = "counter"};

struct family {
	const char *name; /* without labpulse_ and _total */
	enum type type;
	const char *help;
	double (*of_gateway)(const struct health *h);
	double (*of_bus)(const struct bus_health *b);
};

#define GATEWAY(name, expr)                                                                        \
	static double name(const struct health *h)                                                 \
	{                                                                                          \
		return (double)(expr);                                                             \
	}
#define BUS(name, expr)                                                                            \
	static double name(const struct bus_health *b)                                             \
	{                                                                                          \
		return (double)(expr);                                                             \
	}

GATEWAY(uptime, h->uptime_s)
GATEWAY(clock_synced, h->clock == CLOCK_SYNCED)
GATEWAY(clock_offset, h->clock_offset_ms / 1e3)
GATEWAY(mqtt_connected, strcmp(h->mqtt_state, "connected") == 0)
GATEWAY(mqtt_reconnects, h->reconnects)
GATEWAY(in_flight, h->in_flight)
GATEWAY(published, h->published)
GATEWAY(acknowledged, h->acknowledged)
GATEWAY(refused, h->refused)
GATEWAY(waiting, h->spool.records)
GATEWAY(waiting_bytes, h->spool.bytes)
GATEWAY(evicted, h->spool.evicted)
GATEWAY(oldest, h->spool.oldest_ts_ms / 1e3)
GATEWAY(polls_lost, h->polls_lost)
GATEWAY(machines, h->machines)
GATEWAY(machines_online, h->machines_online)
GATEWAY(config_loaded, h->config_loaded_ms / 1e3)
GATEWAY(config_refused, h->config_error[0] != '\0')
GATEWAY(rss, h->rss_bytes)
GATEWAY(cpu, h->cpu_s)
GATEWAY(disk, h->disk_free_bytes)
BUS(bus_up, b->stats.up)
BUS(bus_requests, b->stats.link.requests)
BUS(bus_timeouts, b->stats.link.timeouts)
BUS(bus_crc, b->stats.link.crc_errors)
BUS(bus_protocol, b->stats.link.protocol_errors)
BUS(bus_exceptions, b->stats.link.exceptions)
BUS(bus_stale, b->stats.link.stale_frames)
BUS(bus_reopens, b->stats.link.reopens)
BUS(bus_missed, b->stats.missed)
BUS(bus_busy, b->stats.busy_us / 1e6)
BUS(bus_p50, b->stats.latency_p50_us / 1e6)
BUS(bus_p95, b->stats.latency_p95_us / 1e6)
BUS(bus_max, b->stats.latency_max_us / 1e6)

static const struct family families[] = {
	{"uptime_seconds", GAUGE, "Time since the daemon started.", uptime, NULL},
	{"clock_synced", GAUGE, "Whether the system clock is synchronised.", clock_synced, NULL},
	{"clock_offset_seconds", GAUGE, "Offset of the clock as the kernel says.", clock_offset,
		NULL},
	{"mqtt_connected", GAUGE, "Whether the broker is connected.", mqtt_connected, NULL},
	{"mqtt_reconnects", COUNTER, "Connections made after the first.", mqtt_reconnects, NULL},
	{"mqtt_in_flight", GAUGE, "Messages without PUBACK.", in_flight, NULL},
	{"mqtt_published", COUNTER, "Messages given to the broker.", published, NULL},
	{"mqtt_acknowledged", COUNTER, "Messages accepted by the broker.", acknowledged, NULL},
	{"mqtt_refused", COUNTER, "Messages refused by the broker.", refused, NULL},
	{"spool_records", GAUGE, "Records that wait for the broker.", waiting, NULL},
	{"spool_bytes", GAUGE, "Their size.", waiting_bytes, NULL},
	{"spool_oldest_timestamp_seconds", GAUGE, "Time of the oldest; 0: nothing waits.", oldest,
		NULL},
	{"spool_evicted", COUNTER, "Records lost because too many waited.", evicted, NULL},
	{"polls_lost", COUNTER, "Polls dropped because the loop was behind.", polls_lost, NULL},
	{"machines", GAUGE, "Configured machines.", machines, NULL},
	{"machines_online", GAUGE, "Machines with a source that answers.", machines_online, NULL},
	{"config_loaded_timestamp_seconds", GAUGE, "When the configuration was loaded.",
		config_loaded, NULL},
	{"config_refused", GAUGE, "Whether the last reload was refused.", config_refused, NULL},
	{"process_resident_memory_bytes", GAUGE, "Resident memory.", rss, NULL},
	{"process_cpu_seconds", COUNTER, "CPU time used.", cpu, NULL},
	{"disk_free_bytes", GAUGE, "Free space of the spool's file system.", disk, NULL},
	{"bus_up", GAUGE, "Whether the line is open.", NULL, bus_up},
	{"bus_requests", COUNTER, "Requests sent.", NULL, bus_requests},
	{"bus_timeouts", COUNTER, "Requests without an answer.", NULL, bus_timeouts},
	{"bus_crc_errors", COUNTER, "Broken frames.", NULL, bus_crc},
	{"bus_protocol_errors", COUNTER, "Frames against the protocol.", NULL, bus_protocol},
	{"bus_exceptions", COUNTER, "Exception answers.", NULL, bus_exceptions},
	{"bus_stale_frames", COUNTER, "Late, foreign or doubled frames.", NULL, bus_stale},
	{"bus_reopens", COUNTER, "Openings after the first.", NULL, bus_reopens},
	{"bus_missed_polls", COUNTER, "Deadlines that passed without a poll.", NULL, bus_missed},
	{"bus_busy_seconds", COUNTER, "Time spent on the line.", NULL, bus_busy},
	{"bus_latency_p50_seconds", GAUGE, "Median latency of the slowest unit.", NULL, bus_p50},
	{"bus_latency_p95_seconds", GAUGE, "95th percentile of the slowest unit.", NULL, bus_p95},
	{"bus_latency_max_seconds", GAUGE, "Longest of the last answers.", NULL, bus_max},
};

#define N_FAMILIES (sizeof(families) / sizeof(families[0]))

struct out {
	char *buf;
	size_t size, len;
};

static void __attribute__((format(printf, 2, 3))) put(struct out *o, const char *fmt, ...)
{
	size_t left = o->size - o->len;
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(o->buf + o->len, left, fmt, args);
	va_end(args);
	o->len = n < 0 || (size_t)n >= left ? o->size : o->len + (size_t)n;
}

static void
put_number(struct out *o, double v)
{
	if (v == (double)(long long)v)
		put(o, " %lld\n", (long long)v);
	else
		put(o, " %.9g\n", v);
}

static void
put_family(struct out *o, const struct family *f, const struct health *h)
{
	const char *suffix = f->type == COUNTER ? "_total" : "";
	put(o, "# HELP labpulse_%s %s\n", f->name, f->help);
	put(o, "# TYPE labpulse_%s %s\n", f->name, type_names[f->type]);
	if (f->of_gateway) {
		put(o, "labpulse_%s%s", f->name, suffix);
		put_number(o, f->of_gateway(h));
	}
	for (size_t i = 0; f->of_bus && i < h->n_buses; i++) {
		put(o, "labpulse_%s%s{bus=\"%s\"}", f->name, suffix, h->buses[i].id);
		put_number(o, f->of_bus(&h->buses[i]));
	}
}

size_t
openmetrics_size(const struct health *h)
{
	return 1024 + N_FAMILIES * (256 + h->n_buses * 128);
}

size_t
openmetrics_print(char *buf, size_t size, const struct health *h)
{
	struct out o = {.buf = buf, .size = size};
	put(&o, "# HELP labpulse_build Version of the daemon.\n# TYPE labpulse_build info\n");
	put(&o, "labpulse_build_info{version=\"%s\"} 1\n", h->version);
	for (size_t i = 0; i < N_FAMILIES; i++)
		put_family(&o, &families[i], h);
	put(&o, "# EOF\n");
	return o.len < size ? o.len : 0;
}
