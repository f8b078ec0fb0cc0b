/* SPDX-License-Identifier: MIT */
/* payload.h -- what we know -> JSON in a buffer that the caller owns
 *
 * Pure: no clock, no memory of its own, nothing is sent. Schemas: docs/schemas/. Each function
 * returns the length, or 0 if the text did not fit (or the buffer of a retained topic's render is
 * too small, which its owner logs). Loop thread.
 */
#ifndef DAEMON_PAYLOAD_H
#define DAEMON_PAYLOAD_H

#include "config/config.h"
#include "daemon/backlog.h"
#include "daemon/clock.h"
#include "daemon/machine.h"
#include "daemon/outbox.h"
#include "daemon/poller.h"

struct json; /* config/json.h */

struct envelope {
	int64_t ts_ms;
	enum clock_state clock;
	const char *gw;
	const char *epoch; /* NULL: a retained topic, which has neither epoch nor seq */
	uint64_t seq;
};

struct gap {                /* records that will never come */
	const char *topic;  /* whole */
	const char *reason; /* "spool-full", "write-error", "corrupt", "refused", "restart" */
	char epoch[9];
	uint64_t from_seq, to_seq;
	int64_t from_ts_ms, to_ts_ms; /* 0: not known */
	int64_t count;                /* negative: not known */
};

struct bus_health {
	const char *id, *state;
	struct poller_stats stats;
	double busy_pct;
};

struct health {
	int64_t uptime_s;
	const char *version;
	enum clock_state clock;
	double clock_offset_ms;
	const char *mqtt_state, *broker, *protocol, *mqtt_error;
	int64_t mqtt_since_ms;
	uint64_t reconnects;
	uint64_t published, acknowledged, refused, in_flight;
	struct spool_figures {
		int64_t records, bytes, oldest_ts_ms, evicted; /* oldest 0: nothing waits */
	} spool;
	struct bus_health *buses;
	size_t n_buses;
	const char *config_hash, *config_error;
	int64_t config_loaded_ms;
	int64_t rss_bytes, disk_free_bytes;
	double cpu_s;
	size_t machines, machines_online;
	uint64_t polls_lost;
};

/* For payloads and the tool: until when, and why; the totals, field by field. */
void payload_put_maintenance(struct json *j, const struct machine *m);
void payload_put_usage(struct json *j, const struct usage_kept *u, const char *asset);
/* Is there any value or error in it for this source? */
bool payload_says_anything(const struct source *s, const struct reading *r, const uint16_t *points);
size_t payload_telemetry(char *buf, size_t size, const struct envelope *e, const struct source *s,
	const struct reading *r, const uint16_t *points);
/* Every point of the source, each with the source's failure. */
size_t payload_silence(char *buf, size_t size, const struct envelope *e, const struct source *s);
size_t payload_machine_info(
	char *buf, size_t size, const struct envelope *e, const struct machine *m);
size_t payload_machine_state(char *buf, size_t size, const struct envelope *e,
	const struct machine *m, enum language language);
size_t payload_state_event(char *buf, size_t size, const struct envelope *e, const char *from,
	const char *to, const char *reason);
size_t payload_identity_event(char *buf, size_t size, const struct envelope *e, const char *source,
	const char *was, const char *now);
size_t payload_gateway_info(char *buf, size_t size, const struct envelope *e,
	const struct config *c, const char *boot, const char *epoch);
size_t payload_health(char *buf, size_t size, const struct envelope *e, const struct health *h);
size_t payload_config_event(char *buf, size_t size, const struct envelope *e, const char *hash,
	bool ok, const char *error);
size_t payload_clock_event(char *buf, size_t size, const struct envelope *e, int64_t step_ms);
size_t payload_alarm(char *buf, size_t size, const struct envelope *e, const struct alarm *a,
	enum language language);
/* `transition`: raised, cleared, changed, acked, suppressed. */
size_t payload_alarm_event(char *buf, size_t size, const struct envelope *e, const struct alarm *a,
	const char *transition);
/* `started`, or `ended` if it has a result. */
size_t payload_job(
	char *buf, size_t size, const struct envelope *e, const struct job *job, const char *asset);
size_t payload_usage(char *buf, size_t size, const struct envelope *e, const struct usage_kept *u,
	const char *asset);
size_t payload_counters_event(char *buf, size_t size, const struct envelope *e, const char *field,
	double was, double now, const char *note);
/* `root`: the length of "parks/P/" in topics. */
size_t payload_gap(
	char *buf, size_t size, const struct envelope *e, const struct gap *gap, size_t root);
/* The unit's records `from` .. `to` - 1. */
size_t payload_history(char *buf, size_t size, const char *gw, const struct unit *u, size_t from,
	size_t to, size_t root);
/* The hint for a source that does not answer; "" for one that does. */
void payload_hint(char *buf, size_t size, const struct source *s, enum language language);

#endif
