/* SPDX-License-Identifier: MIT */
/* report.c -- machines, buses and the broker as they are now, for a person */
#include "daemon/report.h"

#include <stdio.h>
#include <string.h>

#include "config/hint.h"
#include "daemon/clock.h"

static void
gateway_part(struct json *j, struct gateway *g)
{
	const struct health *h = health_collect(g);
	json_open(j, "gateway", '{');
	json_put_string(j, "park", g->config->park);
	json_put_string(j, "gateway", g->config->gateway);
	json_put_int(j, "uptime_s", h->uptime_s);
	json_put_string(j, "clock", clock_state_name(h->clock));
	json_put_string(j, "config_error", h->config_error[0] ? h->config_error : NULL);
	json_open(j, "broker", '{');
	json_put_bool(j, "connected", g->mqtt.up);
	json_put_string(j, "host", h->broker);
	json_put_string(j, "protocol", h->protocol);
	json_put_string(j, "error", h->mqtt_error[0] ? h->mqtt_error : NULL);
	json_put_int(j, "waiting", h->spool.records);
	json_close(j, '}');
	json_close(j, '}');
}

static void
bus_part(struct json *j, struct poller *p, enum language language)
{
	struct poller_stats s;
	char hint[HINT_SIZE] = "";
	const struct bus_config *bus = poller_bus(p);
	poller_stats(p, &s);
	struct hint_facts facts = {.fail = device_fail(s.rc), .bus = bus, .holder = s.holder};
	if (!s.up)
		hint_write(hint, sizeof(hint), language, &facts);
	json_open(j, NULL, '{');
	json_put_string(j, "bus", bus->id);
	json_put_string(j, "place", bus->type == BUS_MODBUS_RTU ? bus->device : bus->host);
	json_put_bool(j, "up", s.up);
	json_put_string(j, "error", s.up ? NULL : fail_name(device_fail(s.rc)));
	json_put_string(j, "hint", hint[0] ? hint : NULL);
	json_put_bool(j, "echo", s.link.echo);
	json_put_bool(j, "reset_soon", s.link.reset_soon);
	json_put_uint(j, "requests", s.link.requests);
	json_put_uint(j, "timeouts", s.link.timeouts);
	json_put_uint(j, "crc_errors", s.link.crc_errors);
	json_put_uint(j, "stale_frames", s.link.stale_frames);
	json_put_uint(j, "noise_bytes", s.link.noise_bytes);
	json_put_uint(j, "missed", s.missed);
	json_close(j, '}');
}

/* Whether a point without a value is worth a word. */
static bool
is_missed(const struct reg_point *reg, const struct point_state *p)
{
	if (p->fail == FAIL_NONE || p->fail == FAIL_STALE)
		return false;
	return p->fail != FAIL_UNSUPPORTED || !reg->point.optional;
}

static void
bad_point(struct json *j, const struct source *s, size_t i, enum language language)
{
	const struct reg_point *reg = &s->config->profile->regs.points[s->points[i]];
	const struct point_state *p = &s->states[i];
	struct hint_facts facts = {.fail = p->fail,
		.exception = p->exception,
		.bus = s->bus,
		.source = s->config,
		.point = reg};
	char hint[HINT_SIZE], word[24];
	if (!is_missed(reg, p))
		return;
	hint_write(hint, sizeof(hint), language, &facts);
	json_open(j, reg->point.id, '{');
	json_put_string(j, "error", fail_text(p->fail, p->exception, word, sizeof(word)));
	json_put_string(j, "hint", hint);
	json_close(j, '}');
}

/* Of a source that answers, the points that have no value. */
static void
bad_points(struct json *j, const struct source *s, enum language language)
{
	json_open(j, "points", '{');
	for (size_t i = 0; s->ok && i < s->n_points; i++)
		bad_point(j, s, i, language);
	json_close(j, '}');
}

static void
source_part(struct json *j, const struct source *s, enum language language)
{
	char hint[HINT_SIZE], word[24];
	payload_hint(hint, sizeof(hint), s, language);
	enum fail fail = s->decided ? s->fail : FAIL_STALE;
	json_open(j, NULL, '{');
	json_put_string(j, "source", s->config->id);
	json_put_bool(j, "ok", s->ok);
	json_put_string(
		j, "error", s->ok ? NULL : fail_text(fail, s->exception, word, sizeof(word)));
	json_put_int(j, "since", s->since_ms);
	json_put_int(j, "at", s->at_ms);
	json_put_uint(j, "failures", s->failures);
	json_put_string(j, "hint", hint[0] ? hint : NULL);
	bad_points(j, s, language);
	json_close(j, '}');
}

/* In all languages that there are. */
static void
texts_part(struct json *j, const char *key, const struct text *text)
{
	json_open(j, key, '{');
	json_put_string(j, "ru", text->ru);
	json_put_string(j, "en", text->en);
	json_close(j, '}');
}

static void
evidence_part(struct json *j, const struct alarm_life *life)
{
	const struct value limit = {.kind = VALUE_DOUBLE, .u.num = life->limit};
	if (life->has_value)
		json_put_value(j, "value", &life->value);
	else
		json_put_null(j, "value");
	if (life->has_limit)
		json_put_value(j, "limit", &limit);
	else
		json_put_null(j, "limit");
}

/* What is wrong, and what to touch. */
static void
alarm_part(struct json *j, const struct alarm *a, enum language language)
{
	const struct alarm_life *life = &a->life;
	json_open(j, NULL, '{');
	json_put_string(j, "code", a->spec.code);
	json_put_string(j, "severity", severity_name(a->spec.severity));
	json_put_bool(j, "active", life->active);
	json_put_int(j, "raised", life->raised_ms);
	json_put_int(j, "cleared", life->active ? 0 : life->cleared_ms);
	evidence_part(j, life);
	json_put_string(j, "text", config_text(&a->spec.text, language));
	texts_part(j, "texts", &a->spec.text);
	json_put_string(j, "hint", config_text(&a->spec.hint, language));
	json_put_bool(j, "stale", life->stale);
	json_put_bool(j, "flapping", life->flapping);
	json_put_bool(j, "acked", life->acked);
	json_put_string(j, "suppressed_by", life->suppressed_by[0] ? life->suppressed_by : NULL);
	json_close(j, '}');
}

/* The active ones, and if wanted those that were so until lately. */
static void
alarms_part(struct json *j, const struct machine *m, enum language language, bool past)
{
	const struct moment now = clock_now();
	json_open(j, "alarms", '[');
	for (size_t i = 0; i < alarmset_size(m->alarms); i++) {
		const struct alarm *a = alarmset_at(m->alarms, i);
		bool lately = past && a->life.cleared_ms && !alarm_is_past(a, now);
		if (a->life.active || lately)
			alarm_part(j, a, language);
	}
	json_close(j, ']');
}

/* Its job, how far that is, and whether somebody is at work on the machine. */
static void
work_part(struct json *j, const struct machine *m)
{
	const struct value progress = {
		.kind = VALUE_REAL, .decimals = 3, .u.num = machine_progress(m)};
	json_put_string(j, "activity", activity_name(m->activity));
	json_put_string(j, "job", machine_job(m));
	if (progress.u.num < 0)
		json_put_null(j, "progress");
	else
		json_put_value(j, "progress", &progress);
	payload_put_maintenance(j, m);
}

static void
machine_part(struct json *j, const struct machine *m, enum language language)
{
	char reason[256];
	machine_reason(m, reason, sizeof(reason));
	json_open(j, NULL, '{');
	json_put_string(j, "machine", m->config->id);
	json_put_string(j, "state", m->decided ? machine_state(m) : "starting");
	json_put_string(j, "availability", machine_availability(m));
	json_put_string(j, "reason", reason);
	work_part(j, m);
	alarms_part(j, m, language, false);
	json_open(j, "sources", '[');
	for (size_t i = 0; i < m->n_sources; i++)
		source_part(j, m->sources[i], language);
	json_close(j, ']');
	json_close(j, '}');
}

void
report_explain(struct json *j, struct gateway *g, const char *machine, enum language language)
{
	json_put_string(j, "park", g->config->park);
	gateway_part(j, g);
	json_open(j, "buses", '[');
	for (size_t i = 0; i < g->n_pollers; i++)
		bus_part(j, g->pollers[i], language);
	json_close(j, ']');
	json_open(j, "machines", '[');
	for (size_t i = 0; i < g->n_machines; i++)
		if (!machine || strcmp(machine, g->machines[i]->config->id) == 0)
			machine_part(j, g->machines[i], language);
	json_close(j, ']');
}

static void
watched_machine(struct json *j, const struct machine *m, enum language language)
{
	char name[80];
	json_open(j, NULL, '{');
	json_put_string(j, "machine", m->config->id);
	json_put_string(j, "class", m->config->class);
	texts_part(j, "title", &m->config->title);
	json_put_string(j, "state", m->decided ? machine_state(m) : "starting");
	work_part(j, m);
	alarms_part(j, m, language, true);
	json_open(j, "values", '{');
	for (size_t i = 0; i < m->n_sources; i++) {
		const struct source *s = m->sources[i];
		for (size_t k = 0; k < s->n_points; k++) {
			if (s->states[k].value.kind == VALUE_NONE)
				continue;
			snprintf(name, sizeof(name), "%s.%s", s->config->id,
				s->config->profile->regs.points[s->points[k]].point.id);
			json_put_value(j, name, &s->states[k].value);
		}
	}
	json_close(j, '}');
	json_close(j, '}');
}

void
report_watch(struct json *j, struct gateway *g)
{
	json_put_string(j, "park", g->config->park);
	json_put_string(j, "gateway", g->config->gateway);
	json_open(j, "broker", '{');
	json_put_bool(j, "connected", g->mqtt.up);
	json_put_string(j, "host", g->mqtt.broker);
	json_put_string(j, "error", g->mqtt.error[0] ? g->mqtt.error : NULL);
	json_close(j, '}');
	json_open(j, "machines", '[');
	for (size_t i = 0; i < g->n_machines; i++)
		watched_machine(j, g->machines[i], g->config->language);
	json_close(j, ']');
}
