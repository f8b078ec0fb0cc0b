/* SPDX-License-Identifier: MIT */
/* fleet_payload.c -- the payloads of docs/topics.md, of machines that do not exist */
#include "cli/simulate/fleet_payload.h"

#include <stdio.h>
#include <string.h>

#include "config/json.h"

enum { HISTORY_RECORDS = 256, WINDOW = 16 };

static const char *const buckets[FLEET_BUCKETS] = {
	"off_s", "idle_s", "busy_s", "paused_s", "unknown_s", "offline_s"};

/* ---- what they all have --------------------------------------------------------------------- */

static void
begin(struct json *j, char *buf, size_t size, int64_t ts_ms)
{
	json_init(j, buf, size);
	json_open(j, NULL, '{');
	json_put_int(j, "v", 1);
	json_put_int(j, "ts", ts_ms);
	json_put_string(j, "clock", "synced");
	json_put_string(j, "gw", FLEET_GATEWAY);
}

static void
number(struct json *j, const struct fleet_names *names, uint64_t seq)
{
	json_put_string(j, "epoch", names->epoch);
	json_put_uint(j, "seq", seq);
}

static size_t
finish(struct json *j)
{
	json_close(j, '}');
	return json_end(j);
}

static void
put_texts(struct json *j, const char *key, const char *ru, const char *en)
{
	json_open(j, key, '{');
	json_put_string(j, "ru", ru);
	json_put_string(j, "en", en);
	json_close(j, '}');
}

static void
put_ms(struct json *j, const char *key, int64_t ms)
{
	if (ms)
		json_put_int(j, key, ms);
	else
		json_put_null(j, key);
}

/* ---- telemetry ------------------------------------------------------------------------------ */

static void
put_values(struct json *j, const struct fleet_kind *kind, const struct fleet_sample *s)
{
	json_open(j, "values", '{');
	for (size_t k = 0; k < FLEET_POINTS && kind->points[k].id && !s->silent; k++)
		json_put_real(j, kind->points[k].id, s->values[k], kind->points[k].decimals);
	json_close(j, '}');
	json_open(j, "errors", '{');
	for (size_t k = 0; k < FLEET_POINTS && kind->points[k].id && s->silent; k++)
		json_put_string(j, kind->points[k].id, "timeout");
	json_close(j, '}');
}

size_t
fleet_put_telemetry(char *buf, size_t size, const struct fleet_names *names,
	const struct fleet_machine *m, const struct fleet_sample *s, int64_t ts_ms, uint64_t seq)
{
	struct json j;

	begin(&j, buf, size, ts_ms);
	number(&j, names, seq);
	json_put_string(&j, "source", m->model.kind->source);
	put_values(&j, m->model.kind, s);
	return finish(&j);
}

static void
put_record(struct json *j, const struct fleet_machine *m, int64_t t_ms, int64_t ts_ms, uint64_t seq)
{
	static const struct fleet_orders none; /* they are of now */
	struct fleet_sample s;

	fleet_sample(&m->model, &none, t_ms, &s);
	json_open(j, NULL, '{');
	json_put_int(j, "ts", ts_ms);
	json_put_string(j, "clock", "synced");
	json_put_uint(j, "seq", seq);
	json_put_string(j, "source", m->model.kind->source);
	put_values(j, m->model.kind, &s);
	json_close(j, '}');
}

size_t
fleet_put_history(char *buf, size_t size, const struct fleet_names *names,
	const struct fleet_machine *m, const struct fleet_run *run, size_t most, uint32_t *taken)
{
	char topic[64];
	struct json j;

	snprintf(topic, sizeof topic, "machines/%s/telemetry", m->id);
	json_init(&j, buf, size);
	json_open(&j, NULL, '{');
	json_put_int(&j, "v", 1);
	json_put_string(&j, "gw", FLEET_GATEWAY);
	json_put_string(&j, "epoch", names->epoch);
	json_put_string(&j, "topic", topic);
	json_open(&j, "records", '[');
	for (*taken = 0; *taken < run->count && *taken < HISTORY_RECORDS; ++*taken) {
		int64_t t_ms = run->t_ms + *taken * names->interval_ms;
		if (*taken && j.len >= most)
			break;
		put_record(&j, m, t_ms, names->started_ms + t_ms, run->seq + *taken);
	}
	json_close(&j, ']');
	return finish(&j);
}

/* ---- machines ------------------------------------------------------------------------------- */

static void
put_snapshot(struct json *j, const struct fleet_machine *m)
{
	const struct fleet_kind *kind = m->model.kind;
	char name[80];

	json_open(j, "values", '{');
	for (size_t k = 0; k < FLEET_POINTS && kind->points[k].id && !m->now.silent; k++) {
		snprintf(name, sizeof name, "%s.%s", kind->source, kind->points[k].id);
		json_put_real(j, name, m->now.values[k], kind->points[k].decimals);
	}
	json_close(j, '}');
	json_open(j, "sources", '{');
	json_open(j, kind->source, '{');
	json_put_bool(j, "ok", !m->now.silent);
	json_put_int(j, "at", m->seen_ms);
	if (m->now.silent) {
		json_put_string(j, "error", "timeout");
		json_put_int(j, "since", m->since_ms);
		json_put_string(j, "hint", "Check power and cable");
	}
	json_close(j, '}');
	json_close(j, '}');
}

size_t
fleet_put_state(char *buf, size_t size, const struct fleet_machine *m, int64_t ts_ms)
{
	struct json j;
	char reason[80];

	snprintf(reason, sizeof reason, "%s: %s", m->model.kind->source,
		m->now.silent ? "timeout" : fleet_activity_name(m->now.activity));
	begin(&j, buf, size, ts_ms);
	json_put_string(&j, "state", m->state);
	json_put_string(&j, "availability", m->now.silent ? "offline" : "online");
	json_put_string(&j, "activity", fleet_activity_name(m->now.activity));
	json_put_string(&j, "condition", m->condition);
	json_put_int(&j, "since", m->since_ms);
	json_put_string(&j, "reason", reason);
	json_put_string(&j, "job", m->job[0] ? m->job : NULL);
	if (m->now.progress < 0)
		json_put_null(&j, "progress");
	else
		json_put_real(&j, "progress", m->now.progress, 3);
	json_open(&j, "alarms", '[');
	for (size_t k = 0; k < fleet_alarms(m->model.kind); k++)
		if (m->alarms[k].active)
			json_put_string(&j, NULL, m->model.kind->alarms[k].code);
	json_close(&j, ']');
	json_put_null(&j, "maintenance");
	put_snapshot(&j, m);
	return finish(&j);
}

static void
put_source(struct json *j, const struct fleet_machine *m)
{
	const struct fleet_kind *kind = m->model.kind;

	json_open(j, kind->source, '{');
	json_put_string(j, "driver", kind->driver);
	json_put_string(j, "profile", kind->profile);
	if (kind->profile) {
		json_put_string(j, "bus", "rs485");
		json_put_uint(j, "unit", m->number % 247 + 1);
	} else {
		json_put_string(j, "device", m->id);
	}
	json_put_null(j, "identity");
	json_close(j, '}');
}

size_t
fleet_put_info(char *buf, size_t size, const struct fleet_machine *m, int64_t ts_ms)
{
	const struct fleet_kind *kind = m->model.kind;
	char ru[80], en[80], name[80];
	struct json j;

	snprintf(ru, sizeof ru, "%s %u", kind->ru, m->number);
	snprintf(en, sizeof en, "%s %u", kind->en, m->number);
	begin(&j, buf, size, ts_ms);
	json_put_string(&j, "class", kind->class);
	put_texts(&j, "title", ru, en);
	json_put_string(&j, "asset", m->asset);
	json_open(&j, "sources", '{');
	put_source(&j, m);
	json_close(&j, '}');
	json_open(&j, "points", '{');
	for (size_t k = 0; k < FLEET_POINTS && kind->points[k].id; k++) {
		const struct fleet_point *p = &kind->points[k];
		snprintf(name, sizeof name, "%s.%s", kind->source, p->id);
		json_open(&j, name, '{');
		json_put_string(&j, "unit", p->unit);
		json_put_string(&j, "class", p->class);
		put_texts(&j, "title", p->ru, p->en);
		json_close(&j, '}');
	}
	json_close(&j, '}');
	return finish(&j);
}

size_t
fleet_put_usage(char *buf, size_t size, const struct fleet_names *names,
	const struct fleet_machine *m, int64_t ts_ms)
{
	const struct fleet_usage *u = &m->usage;
	struct json j;

	begin(&j, buf, size, ts_ms);
	json_put_string(&j, "asset", m->asset);
	json_put_int(&j, "since", names->started_ms);
	for (size_t k = 0; k < FLEET_BUCKETS; k++)
		json_put_int(&j, buckets[k], u->in_ms[k] / 1000);
	json_put_int(&j, "fault_s", u->fault_ms / 1000);
	json_put_uint(&j, "jobs_started", u->started);
	json_put_uint(&j, "jobs_finished", u->finished);
	json_put_uint(&j, "jobs_failed", u->failed);
	json_put_uint(&j, "alarms_raised", u->raised);
	if (u->energy_wh >= 0)
		json_put_real(&j, "energy_wh", u->energy_wh, 1);
	return finish(&j);
}

/* ---- alarms and events ---------------------------------------------------------------------- */

static void
put_evidence(struct json *j, const struct fleet_alarm *a)
{
	json_put_real(j, "value", a->value, 1);
	json_put_real(j, "limit", a->limit, 1);
}

size_t
fleet_put_alarm(char *buf, size_t size, const struct fleet_machine *m, size_t alarm, int64_t ts_ms)
{
	const struct fleet_alarm *a = &m->model.kind->alarms[alarm];
	const struct fleet_life *life = &m->alarms[alarm];
	struct json j;

	begin(&j, buf, size, ts_ms);
	json_put_string(&j, "code", a->code);
	json_put_string(&j, "severity", a->severity);
	json_put_bool(&j, "active", life->active);
	put_ms(&j, "raised", life->raised_ms);
	put_ms(&j, "cleared", life->active ? 0 : life->cleared_ms);
	json_put_uint(&j, "count", life->count);
	json_put_string(&j, "source", m->model.kind->source);
	put_evidence(&j, a);
	json_put_string(&j, "text", a->en);
	json_put_string(&j, "hint", a->hint);
	put_texts(&j, "texts", a->ru, a->en);
	json_put_bool(&j, "stale", a->point >= 0 && m->now.silent);
	json_put_bool(&j, "flapping", false);
	json_put_bool(&j, "acked", false);
	json_put_null(&j, "suppressed_by");
	return finish(&j);
}

static void
put_state_event(struct json *j, const struct fleet_machine *m, const struct fleet_event *e)
{
	char reason[80];

	snprintf(reason, sizeof reason, "%s: %s", m->model.kind->source, e->to);
	json_put_string(j, "type", "state");
	json_put_string(j, "from", e->from);
	json_put_string(j, "to", e->to);
	json_put_string(j, "reason", reason);
}

static void
put_alarm_event(struct json *j, const struct fleet_machine *m, const struct fleet_event *e)
{
	const struct fleet_alarm *a = &m->model.kind->alarms[e->alarm];

	json_put_string(j, "type", "alarm");
	json_put_string(j, "code", a->code);
	json_put_string(j, "transition", e->raised ? "raised" : "cleared");
	json_put_string(j, "severity", a->severity);
	put_evidence(j, a);
}

static void
put_job(struct json *j, const struct fleet_machine *m, const struct fleet_event *e)
{
	bool ended = e->kind == FLEET_JOB_ENDED;
	int64_t span_s = (e->ended_ms - e->started_ms) / 1000;

	json_put_string(j, "type", ended ? "ended" : "started");
	json_put_string(j, "job", e->job);
	json_put_string(j, "asset", m->asset);
	json_put_int(j, "started", e->started_ms);
	if (ended) {
		json_put_int(j, "ended", e->ended_ms);
		json_put_int(j, "duration_s", span_s);
		json_put_int(j, "busy_s", span_s - e->paused_ms / 1000);
		json_put_int(j, "paused_s", e->paused_ms / 1000);
		json_put_string(j, "result", e->result);
	}
	json_put_int(j, "accuracy_s", 2);
	json_put_string(j, "evidence", m->model.kind->source);
}

static void
put_gap(struct json *j, const struct fleet_machine *m, const struct fleet_names *names,
	const struct fleet_event *e)
{
	char topic[64];

	snprintf(topic, sizeof topic, "machines/%s/telemetry", m->id);
	json_put_string(j, "topic", topic);
	json_put_string(j, "of_epoch", names->epoch);
	json_put_uint(j, "from_seq", e->from_seq);
	json_put_uint(j, "to_seq", e->to_seq);
	json_put_int(j, "from_ts", e->started_ms);
	json_put_int(j, "to_ts", e->ended_ms);
	json_put_uint(j, "count", e->to_seq - e->from_seq + 1);
	json_put_string(j, "reason", "spool-full");
}

size_t
fleet_put_event(char *buf, size_t size, const struct fleet_names *names,
	const struct fleet_machine *m, const struct fleet_event *e)
{
	struct json j;

	begin(&j, buf, size, e->ts_ms);
	number(&j, names, e->seq);
	switch ((enum fleet_event_kind)e->kind) {
	case FLEET_STATE_EVENT:
		put_state_event(&j, m, e);
		break;
	case FLEET_ALARM_EVENT:
		put_alarm_event(&j, m, e);
		break;
	case FLEET_JOB_STARTED:
	case FLEET_JOB_ENDED:
		put_job(&j, m, e);
		break;
	case FLEET_GAP:
		put_gap(&j, m, names, e);
		break;
	}
	return finish(&j);
}

/* ---- the gateway ---------------------------------------------------------------------------- */

size_t
fleet_put_gateway(char *buf, size_t size, const struct fleet_names *names,
	const struct fleet_machine *machines, size_t n, int64_t ts_ms)
{
	struct json j;

	begin(&j, buf, size, ts_ms);
	json_put_string(&j, "version", LABPULSE_VERSION);
	json_put_string(&j, "boot", names->epoch);
	json_put_string(&j, "epoch", names->epoch);
	json_put_string(&j, "config_hash", "0000000000000000");
	json_put_string(&j, "language", "en");
	json_open(&j, "machines", '[');
	for (size_t k = 0; k < n; k++)
		json_put_string(&j, NULL, machines[k].id);
	json_close(&j, ']');
	json_open(&j, "limits", '{');
	json_put_int(&j, "window", WINDOW);
	json_put_int(&j, "spool_bytes", 0);
	json_close(&j, '}');
	return finish(&j);
}

static void
put_mqtt(struct json *j, const struct fleet_health *h)
{
	json_open(j, "mqtt", '{');
	json_put_string(j, "state", "connected");
	json_put_string(j, "broker", h->broker);
	json_put_string(j, "protocol", "5");
	json_put_int(j, "since", h->since_ms);
	json_put_uint(j, "reconnects", h->reconnects);
	json_put_uint(j, "in_flight", h->in_flight);
	json_put_string(j, "last_error", h->error);
	json_close(j, '}');
	json_open(j, "spool", '{');
	json_put_uint(j, "records", h->waiting);
	json_put_uint(j, "bytes", 0);
	put_ms(j, "oldest_ts", h->oldest_ms);
	json_put_uint(j, "evicted", h->evicted);
	json_close(j, '}');
}

static void
put_bus(struct json *j, const struct fleet_health *h)
{
	static const char *const zeros[] = {
		"errors", "timeouts", "crc_errors", "stale_frames", "noise_bytes", "reopens"};

	json_open(j, NULL, '{');
	json_put_string(j, "id", "rs485");
	json_put_string(j, "state", "up");
	json_put_uint(j, "requests", h->polls);
	for (size_t k = 0; k < sizeof zeros / sizeof zeros[0]; k++)
		json_put_int(j, zeros[k], 0);
	json_put_bool(j, "echo", false);
	json_open(j, "latency_ms", '{');
	json_put_int(j, "p50", 18);
	json_put_int(j, "p95", 24);
	json_put_int(j, "max", 31);
	json_close(j, '}');
	json_put_int(j, "busy_pct", 21);
	json_put_int(j, "missed", 0);
	json_close(j, '}');
}

size_t
fleet_put_health(
	char *buf, size_t size, const struct fleet_names *names, const struct fleet_health *h)
{
	struct json j;

	json_init(&j, buf, size);
	json_open(&j, NULL, '{');
	json_put_int(&j, "v", 1);
	json_put_int(&j, "ts", h->ts_ms);
	json_put_string(&j, "gw", FLEET_GATEWAY);
	json_put_int(&j, "uptime_s", h->uptime_s);
	json_put_string(&j, "version", LABPULSE_VERSION);
	json_open(&j, "clock", '{'); /* in place of the envelope's word, see docs/topics.md */
	json_put_string(&j, "state", "synced");
	json_put_real(&j, "offset_ms", 0.5, 3);
	json_close(&j, '}');
	put_mqtt(&j, h);
	json_open(&j, "buses", '[');
	put_bus(&j, h);
	json_close(&j, ']');
	json_open(&j, "config", '{');
	json_put_string(&j, "hash", "0000000000000000");
	json_put_int(&j, "loaded", names->started_ms);
	json_put_null(&j, "error");
	json_close(&j, '}');
	json_open(&j, "process", '{');
	json_put_int(&j, "rss_bytes", 12000000);
	json_put_real(&j, "cpu_s", (double)h->uptime_s / 100, 2);
	json_close(&j, '}');
	json_open(&j, "disk", '{');
	json_put_int(&j, "free_bytes", 8000000000);
	json_close(&j, '}');
	return finish(&j);
}
