/* SPDX-License-Identifier: MIT */
/* control_care.c -- the requests by which a technician looks after a machine */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/control_impl.h"

static const char *
text_of(const json_t *req, const char *key)
{
	const char *text = json_string_value(json_object_get(req, key));
	return text ? text : "";
}

static struct machine *
machine_of(struct gateway *g, struct loop_client *c, const json_t *req)
{
	const char *id = text_of(req, "machine");
	struct machine *m = gateway_find_machine(g, id);
	if (!m)
		control_error(c, "unknown", 64, "machine %s is not configured", id);
	return m;
}

static int64_t
number_of(const json_t *req, const char *key, int64_t def)
{
	const json_t *v = json_object_get(req, key);
	return json_is_integer(v) ? json_integer_value(v) : def;
}

/* ---- maintenance ---------------------------------------------------------------------------- */

static void
write_maintenance(struct json *j, struct gateway *g, void *arg)
{
	const struct machine *m = arg;
	(void)g;
	json_put_string(j, "machine", m->config->id);
	payload_put_maintenance(j, m);
}

void
control_on_maintenance(struct gateway *g, struct loop_client *c, json_t *req)
{
	struct machine *m = machine_of(g, c, req);
	int64_t ms = number_of(req, "ms", -1);
	if (!m)
		return;
	if (ms < 0 || ms > 30LL * 86400 * 1000) {
		control_error(c, "usage", 64, "a time of up to 30 days is wanted; 0 ends it");
		return;
	}
	if (ms > 0 && !*text_of(req, "reason")) {
		control_error(c, "usage", 64, "a reason is wanted");
		return;
	}
	care_maintain(g, m, ms, text_of(req, "reason"));
	follow_machine(g, m, true);
	control_report(c, g, write_maintenance, m);
}

/* ---- ack ------------------------------------------------------------------------------------ */

struct acked {
	struct machine *m;
	const char *code;
};

static void
write_ack(struct json *j, struct gateway *g, void *arg)
{
	const struct acked *a = arg;
	const struct alarm *alarm = alarmset_find(a->m->alarms, a->code);
	(void)g;
	json_put_string(j, "machine", a->m->config->id);
	json_put_string(j, "code", a->code);
	json_put_bool(j, "active", alarm && alarm->life.active);
}

void
control_on_ack(struct gateway *g, struct loop_client *c, json_t *req)
{
	struct machine *m = machine_of(g, c, req);
	struct acked a = {.m = m, .code = text_of(req, "code")};
	int rc = m ? care_ack(g, m, a.code) : 0;
	if (rc == -ENOENT)
		control_error(
			c, "unknown", 64, "machine %s has no alarm %s", m->config->id, a.code);
	else if (rc < 0)
		control_error(c, "nothing", 64,
			"alarm %s of %s is not active or was acknowledged before", a.code,
			m->config->id);
	else if (m)
		control_report(c, g, write_ack, &a);
}

/* ---- usage ---------------------------------------------------------------------------------- */

static void
put_machine_usage(struct json *j, struct gateway *g, struct machine *m)
{
	struct usage_kept kept;
	usage_keep(&m->usage, clock_now(), &kept);
	json_open(j, NULL, '{');
	json_put_string(j, "machine", m->config->id);
	json_put_string(j, "job", machine_job(m));
	payload_put_usage(j, &kept, m->config->asset);
	json_close(j, '}');
	(void)g;
}

static void
write_usage(struct json *j, struct gateway *g, void *arg)
{
	struct machine *only = arg;
	json_open(j, "machines", '[');
	for (size_t i = 0; i < g->n_machines; i++)
		if (!only || g->machines[i] == only)
			put_machine_usage(j, g, g->machines[i]);
	json_close(j, ']');
}

void
control_on_usage(struct gateway *g, struct loop_client *c, json_t *req)
{
	bool one = json_object_get(req, "machine") != NULL;
	struct machine *m = one ? machine_of(g, c, req) : NULL;
	const char *field = text_of(req, "field");
	const json_t *value = json_object_get(req, "value");
	if (one && !m)
		return;
	int rc = 0;
	if (m && *field)
		rc = json_is_number(value) ? care_set_usage(g, m, field, json_number_value(value),
						     text_of(req, "note"))
					   : -EINVAL;
	if (rc == -ENOENT)
		control_error(c, "usage", 64,
			"%s cannot be set; off_s, idle_s, busy_s, paused_s, unknown_s, offline_s, "
			"fault_s, jobs_started, jobs_finished, jobs_failed, alarms_raised and "
			"energy_wh can",
			field);
	else if (rc < 0)
		control_error(c, "usage", 64, "%s needs a number of 0 or more", field);
	else
		control_report(c, g, write_usage, m);
}

/* ---- values --------------------------------------------------------------------------------- */

static void
put_source_values(struct json *j, const struct source *s)
{
	char name[80];
	for (size_t i = 0; i < s->n_points; i++) {
		const struct point *p = &s->config->profile->regs.points[s->points[i]].point;
		const struct point_state *state = &s->states[i];
		if (state->value.kind == VALUE_NONE)
			continue;
		snprintf(name, sizeof(name), "%s.%s", s->config->id, p->id);
		json_open(j, name, '{');
		json_put_value(j, "value", &state->value);
		json_put_int(j, "at", state->good_us / 1000);
		json_put_string(j, "class", p->class);
		json_close(j, '}');
	}
}

static void
write_values(struct json *j, struct gateway *g, void *arg)
{
	const struct machine *m = arg;
	(void)g;
	json_put_string(j, "machine", m->config->id);
	json_put_string(j, "state", m->decided ? machine_state(m) : "starting");
	json_open(j, "values", '{');
	for (size_t i = 0; i < m->n_sources; i++)
		put_source_values(j, m->sources[i]);
	json_close(j, '}');
}

void
control_on_values(struct gateway *g, struct loop_client *c, json_t *req)
{
	struct machine *m = machine_of(g, c, req);
	if (m)
		control_report(c, g, write_values, m);
}

/* ---- test-alarm ----------------------------------------------------------------------------- */

static void
write_test(struct json *j, struct gateway *g, void *arg)
{
	const struct machine *m = arg;
	bool waits = alarm_topic_waits(m, "test");
	json_put_string(j, "machine", m->config->id);
	json_put_string(j, "code", "test");
	json_put_bool(j, "broker", g->mqtt.up);
	json_put_string(j, "host", g->mqtt.broker);
	json_put_bool(j, "acknowledged", g->mqtt.up && !waits);
	const struct alarm *a = alarmset_find(m->alarms, "test");
	json_put_bool(j, "active", a && a->life.active);
	json_put_string(
		j, "suppressed_by", a && a->life.suppressed_by[0] ? a->life.suppressed_by : NULL);
}

static enum severity
severity_of(const char *word)
{
	for (int s = SEVERITY_INFO; s <= SEVERITY_CRITICAL; s++)
		if (strcmp(word, severity_name((enum severity)s)) == 0)
			return (enum severity)s;
	return SEVERITY_NONE;
}

/* Without "ms" only the present test alarm is looked at: has the broker acknowledged it? */
void
control_on_test_alarm(struct gateway *g, struct loop_client *c, json_t *req)
{
	struct machine *m = machine_of(g, c, req);
	int64_t ms = number_of(req, "ms", 0);
	const char *word = text_of(req, "severity");
	enum severity severity = severity_of(*word ? word : "warning");
	if (!m)
		return;
	if (ms < 0 || ms > 3600000 || severity == SEVERITY_NONE) {
		control_error(c, "usage", 64,
			"a time of up to an hour and info, warning, error or critical are wanted");
		return;
	}
	int rc = ms ? care_test_alarm(g, m, severity, ms) : 0;
	if (rc < 0)
		control_error(c, "memory", 1, "out of memory");
	else
		control_report(c, g, write_test, m);
}
