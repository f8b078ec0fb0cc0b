/* SPDX-License-Identifier: MIT */
/* openmetrics.c -- two tables of families: of the gateway, and of each of its buses */
#include "daemon/openmetrics.h"

#include <string.h>

#include "config/exposition.h"

#define GATEWAY(name, expr) EXPOSITION_VALUE(name, struct health, h, expr)
#define BUS(name, expr) EXPOSITION_VALUE(name, struct bus_health, b, expr)

GATEWAY(uptime, h->uptime_s)
GATEWAY(clock_synced, h->clock == CLOCK_SYNCED)
GATEWAY(clock_offset, h->clock_offset_ms / 1e3)
GATEWAY(mqtt_connected, strcmp(h->mqtt_state, "connected") == 0)
GATEWAY(mqtt_since, h->mqtt_since_ms / 1e3)
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
BUS(bus_errors, b->stats.link.timeouts + b->stats.link.crc_errors + b->stats.link.protocol_errors +
			b->stats.link.exceptions)
BUS(bus_timeouts, b->stats.link.timeouts)
BUS(bus_crc, b->stats.link.crc_errors)
BUS(bus_protocol, b->stats.link.protocol_errors)
BUS(bus_exceptions, b->stats.link.exceptions)
BUS(bus_stale, b->stats.link.stale_frames)
BUS(bus_noise, b->stats.link.noise_bytes)
BUS(bus_echo, b->stats.link.echo)
BUS(bus_reopens, b->stats.link.reopens)
BUS(bus_missed, b->stats.missed)
BUS(bus_busy, b->stats.busy_us / 1e6)
BUS(bus_p50, b->stats.latency_p50_us / 1e6)
BUS(bus_p95, b->stats.latency_p95_us / 1e6)
BUS(bus_max, b->stats.latency_max_us / 1e6)

static const struct exposition_family of_gateway[] = {
	{"labpulse_uptime_seconds", EXPOSITION_GAUGE, "Time since the daemon started.", uptime},
	{"labpulse_clock_synced", EXPOSITION_GAUGE, "Whether the system clock is synchronised.",
		clock_synced},
	{"labpulse_clock_offset_seconds", EXPOSITION_GAUGE,
		"Offset of the clock as the kernel says.", clock_offset},
	{"labpulse_mqtt_connected", EXPOSITION_GAUGE, "Whether the broker is connected.",
		mqtt_connected},
	{"labpulse_mqtt_since_timestamp_seconds", EXPOSITION_GAUGE,
		"When mqtt_connected last changed; 0: never.", mqtt_since},
	{"labpulse_mqtt_reconnects", EXPOSITION_COUNTER, "Connections made after the first.",
		mqtt_reconnects},
	{"labpulse_mqtt_in_flight", EXPOSITION_GAUGE, "Messages without PUBACK.", in_flight},
	{"labpulse_mqtt_published", EXPOSITION_COUNTER, "Messages given to the broker.", published},
	{"labpulse_mqtt_acknowledged", EXPOSITION_COUNTER, "Messages accepted by the broker.",
		acknowledged},
	{"labpulse_mqtt_refused", EXPOSITION_COUNTER, "Messages refused by the broker.", refused},
	{"labpulse_spool_records", EXPOSITION_GAUGE, "Records that wait for the broker.", waiting},
	{"labpulse_spool_bytes", EXPOSITION_GAUGE, "Their size.", waiting_bytes},
	{"labpulse_spool_oldest_timestamp_seconds", EXPOSITION_GAUGE,
		"Time of the oldest; 0: nothing waits.", oldest},
	{"labpulse_spool_evicted", EXPOSITION_COUNTER, "Records lost because too many waited.",
		evicted},
	{"labpulse_polls_lost", EXPOSITION_COUNTER, "Polls dropped because the loop was behind.",
		polls_lost},
	{"labpulse_machines", EXPOSITION_GAUGE, "Configured machines.", machines},
	{"labpulse_machines_online", EXPOSITION_GAUGE, "Machines with a source that answers.",
		machines_online},
	{"labpulse_config_loaded_timestamp_seconds", EXPOSITION_GAUGE,
		"When the configuration was loaded.", config_loaded},
	{"labpulse_config_refused", EXPOSITION_GAUGE, "Whether the last reload was refused.",
		config_refused},
	{"labpulse_process_resident_memory_bytes", EXPOSITION_GAUGE, "Resident memory.", rss},
	{"labpulse_process_cpu_seconds", EXPOSITION_COUNTER, "CPU time used.", cpu},
	{"labpulse_disk_free_bytes", EXPOSITION_GAUGE, "Free space of the spool's file system.",
		disk},
};

static const struct exposition_family of_bus[] = {
	{"labpulse_bus_up", EXPOSITION_GAUGE, "Whether the line is open.", bus_up},
	{"labpulse_bus_requests", EXPOSITION_COUNTER, "Requests sent.", bus_requests},
	{"labpulse_bus_errors", EXPOSITION_COUNTER,
		"Requests that failed: time-outs, broken frames, exceptions.", bus_errors},
	{"labpulse_bus_timeouts", EXPOSITION_COUNTER, "Requests without an answer.", bus_timeouts},
	{"labpulse_bus_crc_errors", EXPOSITION_COUNTER, "Broken frames.", bus_crc},
	{"labpulse_bus_protocol_errors", EXPOSITION_COUNTER, "Frames against the protocol.",
		bus_protocol},
	{"labpulse_bus_exceptions", EXPOSITION_COUNTER, "Exception answers.", bus_exceptions},
	{"labpulse_bus_stale_frames", EXPOSITION_COUNTER, "Late, foreign or doubled frames.",
		bus_stale},
	{"labpulse_bus_noise_bytes", EXPOSITION_COUNTER, "Bytes that belong to no frame.",
		bus_noise},
	{"labpulse_bus_echo", EXPOSITION_GAUGE, "Whether the adapter echoes what is sent.",
		bus_echo},
	{"labpulse_bus_reopens", EXPOSITION_COUNTER, "Openings after the first.", bus_reopens},
	{"labpulse_bus_missed_polls", EXPOSITION_COUNTER, "Deadlines that passed without a poll.",
		bus_missed},
	{"labpulse_bus_busy_seconds", EXPOSITION_COUNTER, "Time spent on the line.", bus_busy},
	{"labpulse_bus_latency_p50_seconds", EXPOSITION_GAUGE,
		"Median latency of the slowest unit.", bus_p50},
	{"labpulse_bus_latency_p95_seconds", EXPOSITION_GAUGE,
		"95th percentile of the slowest unit.", bus_p95},
	{"labpulse_bus_latency_max_seconds", EXPOSITION_GAUGE, "Longest of the last answers.",
		bus_max},
};

#define N(table) (sizeof(table) / sizeof((table)[0]))

static const char *
id_of(const void *bus)
{
	return ((const struct bus_health *)bus)->id;
}

char *
openmetrics_print(const struct health *h, bool openmetrics)
{
	struct exposition e;
	exposition_begin(&e, openmetrics);
	exposition_family(&e, "labpulse_build", EXPOSITION_INFO, "Version of the daemon.");
	exposition_sample(
		&e, (struct exposition_label[]){{"version", h->version}, {NULL, NULL}}, 1);
	exposition_table(&e, of_gateway, N(of_gateway), h, 1, sizeof(*h), NULL, NULL);
	exposition_table(
		&e, of_bus, N(of_bus), h->buses, h->n_buses, sizeof(*h->buses), "bus", id_of);
	return exposition_end(&e);
}
