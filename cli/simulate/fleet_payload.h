/* SPDX-License-Identifier: MIT */
/* fleet_payload.h -- what simulated gateways say -> JSON in a buffer that the caller owns
 *
 * The payloads of docs/topics.md. Pure: no clock, nothing is sent. Each function returns the
 * length, 0 if the text did not fit. Times are in ms since 1970.
 */
#ifndef CLI_SIMULATE_FLEET_PAYLOAD_H
#define CLI_SIMULATE_FLEET_PAYLOAD_H

#include "cli/simulate/fleet_world.h"

#define FLEET_GATEWAY "gw1" /* of each park */

enum { FLEET_BUCKETS = 6 };

/* An alarm as it is now. */
struct fleet_life {
	bool active, listed; /* listed: its topic is filled */
	int64_t raised_ms, cleared_ms;
	uint32_t count;
	int64_t asked_ms; /* somebody waits for it to be published since then; 0: nobody */
};

struct fleet_usage {
	int64_t in_ms[FLEET_BUCKETS]; /* off, idle, busy, paused, unknown, offline */
	int64_t fault_ms;
	uint32_t started, finished, failed, raised;
	double energy_wh; /* negative: nothing counts it */
};

struct fleet_machine {
	struct fleet_model model;
	struct fleet_orders orders;
	struct fleet_sample now;
	char id[24], asset[24];
	unsigned number;               /* in its park, of its kind: from 1 */
	const char *state, *condition; /* as docs/topics.md has them */
	int64_t since_ms, seen_ms;     /* in this state; of its last answer */
	char job[FLEET_JOB];           /* that runs; "": none */
	int64_t job_start_ms;
	uint64_t telemetry_seq, event_seq, job_seq;
	struct fleet_usage usage;
	struct fleet_life alarms[FLEET_ALARMS];
	unsigned dirty; /* its retained topics, as bits of fleet_gateway.c */
};

enum fleet_event_kind {
	FLEET_STATE_EVENT,
	FLEET_ALARM_EVENT,
	FLEET_JOB_STARTED,
	FLEET_JOB_ENDED,
	FLEET_GAP
};

/* Something that must arrive, however late; drawn when its turn comes. */
struct fleet_event {
	unsigned char kind, alarm; /* enum fleet_event_kind; of the machine's kind */
	bool raised, done;         /* done: acknowledged, behind one that is not */
	uint16_t machine;
	uint64_t seq;
	int64_t ts_ms;
	const char *from, *to; /* states */
	char job[FLEET_JOB];
	const char *result;
	int64_t started_ms, ended_ms, paused_ms;
	uint64_t from_seq, to_seq; /* of a gap, with their times */
};

struct fleet_names {
	const char *root, *park, *epoch; /* "parks", "park-001", eight hex digits */
	int64_t started_ms, interval_ms;
};

/* Telemetry that was not sent live: polls that follow each other. */
struct fleet_run {
	int64_t t_ms; /* of the first, since the start of the fleet */
	uint64_t seq;
	uint32_t count;
};

struct fleet_health {
	int64_t ts_ms, since_ms, uptime_s;
	const char *broker, *error; /* error NULL: none yet */
	uint64_t reconnects, polls, waiting, evicted;
	int64_t oldest_ms; /* 0: nothing waits */
	unsigned in_flight;
};

size_t fleet_put_telemetry(char *buf, size_t size, const struct fleet_names *names,
	const struct fleet_machine *m, const struct fleet_sample *s, int64_t ts_ms, uint64_t seq);
/* The first records of a run, until they are `most` bytes or 256; *taken gets how many. */
size_t fleet_put_history(char *buf, size_t size, const struct fleet_names *names,
	const struct fleet_machine *m, const struct fleet_run *run, size_t most, uint32_t *taken);
size_t fleet_put_state(char *buf, size_t size, const struct fleet_machine *m, int64_t ts_ms);
size_t fleet_put_info(char *buf, size_t size, const struct fleet_machine *m, int64_t ts_ms);
size_t fleet_put_usage(char *buf, size_t size, const struct fleet_names *names,
	const struct fleet_machine *m, int64_t ts_ms);
size_t fleet_put_alarm(
	char *buf, size_t size, const struct fleet_machine *m, size_t alarm, int64_t ts_ms);
size_t fleet_put_event(char *buf, size_t size, const struct fleet_names *names,
	const struct fleet_machine *m, const struct fleet_event *e);
size_t fleet_put_gateway(char *buf, size_t size, const struct fleet_names *names,
	const struct fleet_machine *machines, size_t n, int64_t ts_ms);
size_t fleet_put_health(
	char *buf, size_t size, const struct fleet_names *names, const struct fleet_health *h);

#endif
