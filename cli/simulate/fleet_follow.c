/* SPDX-License-Identifier: MIT */
/* fleet_follow.c -- what follows for a machine from a poll: states, alarms, jobs, totals, telemetry
 */
#include <string.h>

#include "cli/simulate/fleet_impl.h"

enum {
	JOB_MIN_MS = 30000,     /* shorter ones are none */
	STATE_EVERY_MS = 10000, /* for mere values */
	USAGE_EVERY_MS = 300000,
	ALARM_KEPT_MS = 900000 /* its topic, after it cleared */
};

/* ---- alarms ---------------------------------------------------------------------------------- */

static void
change_alarm(struct fleet_gateway *g, size_t machine, size_t k, int64_t ts_ms)
{
	struct fleet_machine *m = &g->machines[machine];
	struct fleet_life *life = &m->alarms[k];

	life->active = !life->active;
	if (life->active) {
		life->raised_ms = ts_ms;
		life->count++;
		m->usage.raised++;
	} else {
		life->cleared_ms = ts_ms;
	}
	life->listed = true;
	fleet_mark(g, machine, FLEET_ALARM + (enum fleet_topic)k);
	fleet_mark(g, machine, FLEET_SHOWN_STATE);
	fleet_queue_event(g, &(struct fleet_event){.kind = FLEET_ALARM_EVENT,
				     .machine = (uint16_t)machine,
				     .alarm = (unsigned char)k,
				     .raised = life->active,
				     .ts_ms = ts_ms});
}

static void
follow_alarms(struct fleet_gateway *g, size_t machine, bool was_silent, int64_t ts_ms)
{
	struct fleet_machine *m = &g->machines[machine];

	for (size_t k = 0; k < fleet_alarms(m->model.kind); k++) {
		struct fleet_life *life = &m->alarms[k];
		bool holds = m->now.alarms & 1u << k;
		bool blind = m->now.silent && m->model.kind->alarms[k].point >= 0;
		if (holds != life->active && !blind)
			change_alarm(g, machine, k, ts_ms);
		else if (life->active && was_silent != m->now.silent) /* `stale` changes */
			fleet_mark(g, machine, FLEET_ALARM + (enum fleet_topic)k);
		if (life->listed && !life->active && ts_ms - life->cleared_ms > ALARM_KEPT_MS) {
			life->listed = false;
			fleet_mark(g, machine, FLEET_ALARM + (enum fleet_topic)k);
		}
	}
}

/* ---- jobs ------------------------------------------------------------------------------------ */

static void
tell_job(struct fleet_gateway *g, size_t machine, enum fleet_event_kind kind,
	const struct fleet_sample *s, int64_t ts_ms)
{
	struct fleet_machine *m = &g->machines[machine];
	struct fleet_event e = {.kind = (unsigned char)kind,
		.machine = (uint16_t)machine,
		.ts_ms = ts_ms,
		.started_ms = g->names.started_ms + m->job_start_ms,
		.ended_ms = g->names.started_ms + s->job_end_ms,
		.paused_ms = s->paused_ms,
		.result = s->result};

	memcpy(e.job, m->job, sizeof e.job);
	fleet_queue_event(g, &e);
	fleet_mark(g, machine, FLEET_SHOWN_STATE);
}

static void
end_job(struct fleet_gateway *g, size_t machine, int64_t ts_ms)
{
	struct fleet_machine *m = &g->machines[machine];
	struct fleet_sample s = m->now;

	if (!s.job || s.job_start_ms != m->job_start_ms) { /* it was silent beyond the end */
		s.job_end_ms = m->seen_ms - g->names.started_ms;
		s.paused_ms = 0;
		s.result = "comm-lost";
	}
	m->usage.finished += !strcmp(s.result, "finished");
	m->usage.failed += !strcmp(s.result, "fault");
	tell_job(g, machine, FLEET_JOB_ENDED, &s, ts_ms);
	m->job[0] = '\0';
	fleet_mark(g, machine, FLEET_USAGE);
}

static void
follow_job(struct fleet_gateway *g, size_t machine, int64_t t_ms, int64_t ts_ms)
{
	struct fleet_machine *m = &g->machines[machine];
	const struct fleet_sample *s = &m->now;

	if (s->silent)
		return;
	if (m->job[0] && (!s->job || s->job_over || s->job_start_ms != m->job_start_ms))
		end_job(g, machine, ts_ms);
	if (m->job[0] || !s->job || s->job_over || t_ms - s->job_start_ms < JOB_MIN_MS)
		return;
	m->job_start_ms = s->job_start_ms;
	fleet_ulid(m->job, g->names.started_ms + s->job_start_ms,
		fleet_hash(m->model.seed, (uint64_t)s->job_start_ms));
	m->usage.started++;
	tell_job(g, machine, FLEET_JOB_STARTED, s, ts_ms);
}

/* ---- states and totals ----------------------------------------------------------------------- */

static const char *
find_condition(const struct fleet_machine *m)
{
	const char *worst = "normal";

	for (size_t k = 0; k < fleet_alarms(m->model.kind); k++) {
		const char *severity = m->model.kind->alarms[k].severity;
		if (!m->alarms[k].active || !strcmp(severity, "info"))
			continue;
		if (strcmp(severity, "warning") != 0)
			return "fault";
		worst = "warning";
	}
	return worst;
}

static const char *
find_state(const struct fleet_machine *m)
{
	if (m->now.silent)
		return "offline";
	if (!strcmp(m->condition, "fault"))
		return "fault";
	return fleet_activity_name(m->now.activity);
}

static void
follow_state(struct fleet_gateway *g, size_t machine, int64_t ts_ms)
{
	struct fleet_machine *m = &g->machines[machine];
	const char *was = m->state;

	m->condition = find_condition(m);
	m->state = find_state(m);
	if (was && !strcmp(was, m->state))
		return;
	m->since_ms = ts_ms;
	fleet_mark(g, machine, FLEET_SHOWN_STATE);
	fleet_queue_event(g, &(struct fleet_event){.kind = FLEET_STATE_EVENT,
				     .machine = (uint16_t)machine,
				     .from = was,
				     .to = m->state,
				     .ts_ms = ts_ms});
}

static void
count(struct fleet_machine *m, int64_t ms)
{
	enum { OFFLINE = FLEET_BUCKETS - 1 };
	struct fleet_usage *u = &m->usage;

	u->in_ms[m->now.silent ? OFFLINE : m->now.activity] += ms;
	for (size_t k = 0; k < FLEET_ALARMS; k++)
		if (m->alarms[k].active) {
			u->fault_ms += ms;
			break;
		}
	if (u->energy_wh >= 0 && !m->now.silent)
		u->energy_wh += m->now.values[0] * (double)ms / 3600000;
}

/* Is it time again, as every so often? Each machine at another moment, as of gateways that were not
 * started together. */
static bool
is_turn(const struct fleet_machine *m, int64_t t_ms, int64_t interval_ms, int64_t every_ms)
{
	int64_t at_ms = t_ms + every_ms + (int64_t)(m->model.seed % (uint64_t)every_ms);

	return at_ms / every_ms != (at_ms - interval_ms) / every_ms;
}

/* ---- a poll ---------------------------------------------------------------------------------- */

static void
decide(struct fleet_gateway *g, size_t machine, int64_t t_ms)
{
	struct fleet_machine *m = &g->machines[machine];
	int64_t ts_ms = g->names.started_ms + t_ms;
	bool was_silent = m->now.silent;

	fleet_sample(&m->model, &m->orders, t_ms, &m->now);
	if (!m->now.silent)
		m->seen_ms = ts_ms;
	if (m->now.silent != was_silent) {
		fleet_mark(g, machine, FLEET_AVAILABILITY);
		fleet_mark(g, machine, FLEET_SHOWN_STATE);
	}
	follow_alarms(g, machine, was_silent, ts_ms);
	follow_job(g, machine, t_ms, ts_ms);
	follow_state(g, machine, ts_ms);
}

/* A source that stops answering says so once, then nothing until it is back. */
static void
tell_values(struct fleet_gateway *g, size_t machine, bool was_silent, int64_t t_ms)
{
	struct fleet_machine *m = &g->machines[machine];

	if (m->now.silent && was_silent)
		return;
	g->fleet->stats.records++;
	fleet_queue_live(g, &(struct fleet_record){t_ms, ++m->telemetry_seq, (uint16_t)machine});
	if (is_turn(m, t_ms, g->names.interval_ms, STATE_EVERY_MS))
		fleet_mark(g, machine, FLEET_SHOWN_STATE);
}

void
fleet_follow(struct fleet_gateway *g, size_t machine, int64_t t_ms)
{
	struct fleet_machine *m = &g->machines[machine];
	bool was_silent = m->now.silent;

	g->polls++;
	count(m, g->names.interval_ms);
	decide(g, machine, t_ms);
	tell_values(g, machine, was_silent, t_ms);
	if (is_turn(m, t_ms, g->names.interval_ms, USAGE_EVERY_MS))
		fleet_mark(g, machine, FLEET_USAGE);
}

void
fleet_follow_orders(struct fleet_gateway *g, size_t machine)
{
	decide(g, machine, fleet_wall_ms() - g->names.started_ms);
}

void
fleet_follow_start(struct fleet_gateway *g, size_t machine)
{
	decide(g, machine, 0);
	for (unsigned k = 0; k < FLEET_ALARM; k++)
		fleet_mark(g, machine, (enum fleet_topic)k);
}
