/* SPDX-License-Identifier: MIT */
/* payload.c -- JSON of every topic, field by field as in docs/topics.md */
#include "daemon/payload.h"

#include <stdio.h>
#include <string.h>

#include "config/hint.h"
#include "daemon/payload_impl.h"

/* ---- what they all have ------------------------------------------------------------------- */

static void
begin_plain(struct json *j, char *buf, size_t size, const struct envelope *e)
{
	json_init(j, buf, size);
	json_open(j, NULL, '{');
	json_put_int(j, "v", 1);
	json_put_int(j, "ts", e->ts_ms);
}

void
payload_begin(struct json *j, char *buf, size_t size, const struct envelope *e)
{
	begin_plain(j, buf, size, e);
	json_put_string(j, "clock", clock_state_name(e->clock));
	json_put_string(j, "gw", e->gw);
	if (e->epoch) {
		json_put_string(j, "epoch", e->epoch);
		json_put_uint(j, "seq", e->seq);
	}
}

size_t
payload_finish(struct json *j)
{
	json_close(j, '}');
	return json_end(j);
}

void
payload_texts(struct json *j, const char *key, const struct text *t)
{
	json_open(j, key, '{');
	if (t->ru)
		json_put_string(j, "ru", t->ru);
	if (t->en)
		json_put_string(j, "en", t->en);
	json_close(j, '}');
}

static void
error_word(struct json *j, const char *key, unsigned fail, unsigned exception)
{
	char word[24];
	json_put_string(j, key, fail_text(fail, exception, word, sizeof(word)));
}

/* ---- telemetry ----------------------------------------------------------------------------- */

static const char *
point_id(const struct source *s, unsigned point)
{
	return s->config->profile->regs.points[point].point.id;
}

/* A driver knows many models; what this one does not have is not missing. */
static bool
is_missed(const struct source *s, unsigned point, const struct value *v)
{
	const struct source_config *c = s->config;
	bool absent = !c->driver->needs_profile && v->fail == FAIL_UNSUPPORTED &&
		      c->profile->regs.points[point].point.optional;
	return v->kind == VALUE_NONE && !absent;
}

bool
payload_says_anything(const struct source *s, const struct reading *r, const uint16_t *points)
{
	for (size_t k = 0; k < r->n; k++) {
		const struct value *v = &r->values[k];
		if (s->slots[points[k]] >= 0 &&
			(v->kind != VALUE_NONE || is_missed(s, points[k], v)))
			return true;
	}
	return false;
}

size_t
payload_telemetry(char *buf, size_t size, const struct envelope *e, const struct source *s,
	const struct reading *r, const uint16_t *points)
{
	struct json j;
	bool errors = false;
	payload_begin(&j, buf, size, e);
	json_put_string(&j, "source", s->config->id);
	json_open(&j, "values", '{');
	for (size_t k = 0; k < r->n; k++) {
		if (s->slots[points[k]] < 0)
			continue;
		if (r->values[k].kind == VALUE_NONE)
			errors |= is_missed(s, points[k], &r->values[k]);
		else
			json_put_value(&j, point_id(s, points[k]), &r->values[k]);
	}
	json_close(&j, '}');
	json_open(&j, "errors", '{');
	for (size_t k = 0; errors && k < r->n; k++)
		if (s->slots[points[k]] >= 0 && is_missed(s, points[k], &r->values[k]))
			error_word(&j, point_id(s, points[k]), r->values[k].fail,
				r->values[k].exception);
	json_close(&j, '}');
	return payload_finish(&j);
}

size_t
payload_silence(char *buf, size_t size, const struct envelope *e, const struct source *s)
{
	struct json j;
	payload_begin(&j, buf, size, e);
	json_put_string(&j, "source", s->config->id);
	json_open(&j, "values", '{');
	json_close(&j, '}');
	json_open(&j, "errors", '{');
	for (size_t i = 0; i < s->n_points; i++)
		error_word(&j, point_id(s, s->points[i]), s->fail, s->exception);
	json_close(&j, '}');
	return payload_finish(&j);
}

/* ---- machines ------------------------------------------------------------------------------ */

static void
source_info(struct json *j, const struct source *s)
{
	const struct source_config *c = s->config;
	json_open(j, c->id, '{');
	json_put_string(j, "driver", c->driver->name);
	json_put_string(j, "profile", c->driver->needs_profile ? c->profile->regs.id : NULL);
	if (c->device) {
		json_put_string(j, "device", c->device);
	} else if (s->bus) {
		json_put_string(j, "bus", s->bus->id);
		json_put_int(j, "unit", c->unit);
	}
	json_put_string(j, "identity", s->identity[0] ? s->identity : NULL);
	json_close(j, '}');
}

static void
points_info(struct json *j, const struct source *s)
{
	char name[80];
	for (size_t i = 0; i < s->n_points; i++) {
		const struct point *p = &s->config->profile->regs.points[s->points[i]].point;
		snprintf(name, sizeof(name), "%s.%s", s->config->id, p->id);
		json_open(j, name, '{');
		json_put_string(j, "unit", p->unit && *p->unit ? p->unit : NULL);
		json_put_string(j, "class", p->class);
		payload_texts(j, "title", &p->title);
		json_close(j, '}');
	}
}

size_t
payload_machine_info(char *buf, size_t size, const struct envelope *e, const struct machine *m)
{
	struct json j;
	payload_begin(&j, buf, size, e);
	json_put_string(&j, "class", m->config->class);
	payload_texts(&j, "title", &m->config->title);
	json_put_string(&j, "asset", m->config->asset);
	json_open(&j, "sources", '{');
	for (size_t i = 0; i < m->n_sources; i++)
		source_info(&j, m->sources[i]);
	json_close(&j, '}');
	json_open(&j, "points", '{');
	for (size_t i = 0; i < m->n_sources; i++)
		points_info(&j, m->sources[i]);
	json_close(&j, '}');
	return payload_finish(&j);
}

void
payload_hint(char *buf, size_t size, const struct source *s, enum language language)
{
	struct hint_facts facts = {.fail = s->decided ? s->fail : FAIL_STALE,
		.exception = s->exception,
		.bus = s->bus,
		.source = s->config,
		.machine = s->machine->config->id,
		.holder = s->holder,
		.detail = s->fail == FAIL_AMBIGUOUS ? s->holder : s->identity};
	buf[0] = '\0';
	if (!s->ok)
		hint_write(buf, size, language, &facts);
}

static void
source_state(struct json *j, const struct source *s, enum language language)
{
	char hint[HINT_SIZE];
	json_open(j, s->config->id, '{');
	json_put_bool(j, "ok", s->ok);
	if (s->at_ms)
		json_put_int(j, "at", s->at_ms);
	if (!s->ok) {
		error_word(j, "error", s->decided ? s->fail : FAIL_STALE, s->exception);
		if (s->since_ms)
			json_put_int(j, "since", s->since_ms);
		payload_hint(hint, sizeof(hint), s, language);
		if (hint[0])
			json_put_string(j, "hint", hint);
	}
	json_close(j, '}');
}

static void
source_values(struct json *j, const struct source *s)
{
	char name[80];
	for (size_t i = 0; i < s->n_points; i++) {
		if (s->states[i].value.kind == VALUE_NONE)
			continue;
		snprintf(name, sizeof(name), "%s.%s", s->config->id, point_id(s, s->points[i]));
		json_put_value(j, name, &s->states[i].value);
	}
}

static void
put_progress(struct json *j, const struct machine *m)
{
	const struct value v = {.kind = VALUE_REAL, .decimals = 3, .u.num = machine_progress(m)};
	if (v.u.num < 0)
		json_put_null(j, "progress");
	else
		json_put_value(j, "progress", &v);
}

static void
put_alarms(struct json *j, const struct machine *m)
{
	json_open(j, "alarms", '[');
	for (size_t i = 0; i < alarmset_size(m->alarms); i++) {
		const struct alarm *a = alarmset_at(m->alarms, i);
		if (alarm_counts(a))
			json_put_string(j, NULL, a->spec.code);
	}
	json_close(j, ']');
}

void
payload_put_maintenance(struct json *j, const struct machine *m)
{
	if (!m->maintenance.until_ms) {
		json_put_null(j, "maintenance");
		return;
	}
	json_open(j, "maintenance", '{');
	json_put_int(j, "since", m->maintenance.since_ms);
	json_put_int(j, "until", m->maintenance.until_ms);
	json_put_string(j, "reason", m->maintenance.reason);
	json_close(j, '}');
}

size_t
payload_machine_state(char *buf, size_t size, const struct envelope *e, const struct machine *m,
	enum language language)
{
	struct json j;
	char reason[256];
	machine_reason(m, reason, sizeof(reason));
	payload_begin(&j, buf, size, e);
	json_put_string(&j, "state", machine_state(m));
	json_put_string(&j, "availability", machine_availability(m));
	json_put_string(&j, "activity", activity_name(m->activity));
	json_put_string(&j, "condition", machine_condition(m));
	json_put_int(&j, "since", m->since_ms);
	json_put_string(&j, "reason", reason);
	json_put_string(&j, "job", machine_job(m));
	put_progress(&j, m);
	put_alarms(&j, m);
	payload_put_maintenance(&j, m);
	json_open(&j, "values", '{');
	for (size_t i = 0; i < m->n_sources; i++)
		source_values(&j, m->sources[i]);
	json_close(&j, '}');
	json_open(&j, "sources", '{');
	for (size_t i = 0; i < m->n_sources; i++)
		source_state(&j, m->sources[i], language);
	json_close(&j, '}');
	return payload_finish(&j);
}

/* ---- events -------------------------------------------------------------------------------- */

size_t
payload_state_event(char *buf, size_t size, const struct envelope *e, const char *from,
	const char *to, const char *reason)
{
	struct json j;
	payload_begin(&j, buf, size, e);
	json_put_string(&j, "type", "state");
	json_put_string(&j, "from", from);
	json_put_string(&j, "to", to);
	json_put_string(&j, "reason", reason);
	return payload_finish(&j);
}

size_t
payload_identity_event(char *buf, size_t size, const struct envelope *e, const char *source,
	const char *was, const char *now)
{
	struct json j;
	payload_begin(&j, buf, size, e);
	json_put_string(&j, "type", "identity");
	json_put_string(&j, "source", source);
	json_put_string(&j, "was", was && *was ? was : NULL);
	json_put_string(&j, "now", now && *now ? now : NULL);
	return payload_finish(&j);
}

size_t
payload_config_event(char *buf, size_t size, const struct envelope *e, const char *hash, bool ok,
	const char *error)
{
	struct json j;
	payload_begin(&j, buf, size, e);
	json_put_string(&j, "type", "config");
	json_put_string(&j, "hash", hash);
	json_put_bool(&j, "ok", ok);
	json_put_string(&j, "error", error);
	return payload_finish(&j);
}

static void
put_known(struct json *j, const char *key, int64_t value, bool known)
{
	if (known)
		json_put_int(j, key, value);
	else
		json_put_null(j, key);
}

size_t
payload_gap(char *buf, size_t size, const struct envelope *e, const struct gap *gap, size_t root)
{
	struct json j;
	payload_begin(&j, buf, size, e);
	json_put_string(&j, "topic", gap->topic + root);
	json_put_string(&j, "of_epoch", gap->epoch);
	json_put_uint(&j, "from_seq", gap->from_seq);
	json_put_uint(&j, "to_seq", gap->to_seq);
	put_known(&j, "from_ts", gap->from_ts_ms, gap->from_ts_ms != 0);
	put_known(&j, "to_ts", gap->to_ts_ms, gap->to_ts_ms != 0);
	put_known(&j, "count", gap->count, gap->count >= 0);
	json_put_string(&j, "reason", gap->reason);
	return payload_finish(&j);
}

size_t
payload_history(char *buf, size_t size, const char *gw, const struct unit *u, size_t from,
	size_t to, size_t root)
{
	struct json j;
	json_init(&j, buf, size);
	json_open(&j, NULL, '{');
	json_put_int(&j, "v", 1);
	json_put_string(&j, "gw", gw);
	json_put_string(&j, "epoch", u->epoch);
	json_put_string(&j, "topic", u->topic + root);
	json_open(&j, "records", '[');
	for (size_t i = from; i < to; i++)
		json_put_text(&j, NULL, u->records[i].text, u->records[i].len);
	json_close(&j, ']');
	return payload_finish(&j);
}

size_t
payload_clock_event(char *buf, size_t size, const struct envelope *e, int64_t step_ms)
{
	struct json j;
	payload_begin(&j, buf, size, e);
	json_put_string(&j, "type", "clock");
	json_put_int(&j, "step_ms", step_ms);
	return payload_finish(&j);
}

/* ---- the gateway --------------------------------------------------------------------------- */

size_t
payload_gateway_info(char *buf, size_t size, const struct envelope *e, const struct config *c,
	const char *boot, const char *epoch)
{
	struct json j;
	payload_begin(&j, buf, size, e);
	json_put_string(&j, "version", LABPULSE_VERSION);
	json_put_string(&j, "boot", boot);
	json_put_string(&j, "epoch", epoch);
	json_put_string(&j, "config_hash", c->hash);
	json_put_string(&j, "language", c->language == LANGUAGE_RU ? "ru" : "en");
	json_open(&j, "machines", '[');
	for (size_t i = 0; i < c->n_machines; i++)
		json_put_string(&j, NULL, c->machines[i].id);
	json_close(&j, ']');
	json_open(&j, "limits", '{');
	json_put_int(&j, "window", c->mqtt.window);
	json_put_int(&j, "spool_bytes", c->spool_max_bytes);
	json_close(&j, '}');
	return payload_finish(&j);
}

static void
bus_health(struct json *j, const struct bus_health *b)
{
	const struct poller_stats *s = &b->stats;
	json_open(j, NULL, '{');
	json_put_string(j, "id", b->id);
	json_put_string(j, "state", b->state);
	json_put_uint(j, "requests", s->link.requests);
	json_put_uint(j, "errors",
		s->link.timeouts + s->link.crc_errors + s->link.protocol_errors +
			s->link.exceptions);
	json_put_uint(j, "timeouts", s->link.timeouts);
	json_put_uint(j, "crc_errors", s->link.crc_errors);
	json_put_uint(j, "stale_frames", s->link.stale_frames);
	json_put_uint(j, "noise_bytes", s->link.noise_bytes);
	json_put_uint(j, "reopens", s->link.reopens);
	json_put_bool(j, "echo", s->link.echo);
	json_open(j, "latency_ms", '{');
	json_put_real(j, "p50", s->latency_p50_us / 1000.0, 1);
	json_put_real(j, "p95", s->latency_p95_us / 1000.0, 1);
	json_put_real(j, "max", s->latency_max_us / 1000.0, 1);
	json_close(j, '}');
	json_put_real(j, "busy_pct", b->busy_pct, 1);
	json_put_uint(j, "missed", s->missed);
	json_close(j, '}');
}

static void
mqtt_health(struct json *j, const struct health *h)
{
	json_open(j, "mqtt", '{');
	json_put_string(j, "state", h->mqtt_state);
	json_put_string(j, "broker", h->broker);
	json_put_string(j, "protocol", h->protocol);
	json_put_int(j, "since", h->mqtt_since_ms);
	json_put_uint(j, "reconnects", h->reconnects);
	json_put_uint(j, "in_flight", h->in_flight);
	json_put_string(j, "last_error", h->mqtt_error[0] ? h->mqtt_error : NULL);
	json_close(j, '}');
}

size_t
payload_health(char *buf, size_t size, const struct envelope *e, const struct health *h)
{
	struct json j;
	begin_plain(&j, buf, size, e);
	json_put_string(&j, "gw", e->gw);
	json_put_int(&j, "uptime_s", h->uptime_s);
	json_put_string(&j, "version", h->version);
	json_open(&j, "clock", '{'); /* in place of the envelope's word: a key stands once */
	json_put_string(&j, "state", clock_state_name(h->clock));
	json_put_real(&j, "offset_ms", h->clock_offset_ms, 3);
	json_close(&j, '}');
	mqtt_health(&j, h);
	json_open(&j, "spool", '{');
	json_put_int(&j, "records", h->spool.records);
	json_put_int(&j, "bytes", h->spool.bytes);
	if (h->spool.oldest_ts_ms)
		json_put_int(&j, "oldest_ts", h->spool.oldest_ts_ms);
	else
		json_put_null(&j, "oldest_ts");
	json_put_int(&j, "evicted", h->spool.evicted);
	json_close(&j, '}');
	json_open(&j, "buses", '[');
	for (size_t i = 0; i < h->n_buses; i++)
		bus_health(&j, &h->buses[i]);
	json_close(&j, ']');
	json_open(&j, "config", '{');
	json_put_string(&j, "hash", h->config_hash);
	json_put_int(&j, "loaded", h->config_loaded_ms);
	json_put_string(&j, "error", h->config_error[0] ? h->config_error : NULL);
	json_close(&j, '}');
	json_open(&j, "process", '{');
	json_put_int(&j, "rss_bytes", h->rss_bytes);
	json_put_real(&j, "cpu_s", h->cpu_s, 2);
	json_close(&j, '}');
	json_open(&j, "disk", '{');
	json_put_int(&j, "free_bytes", h->disk_free_bytes);
	json_close(&j, '}');
	return payload_finish(&j);
}
