/* SPDX-License-Identifier: MIT */
/* machine.c -- what follows from its sources for a machine */
#include "daemon/machine.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* No machine of a laboratory draws more than 100 kW, feeds more than 100 mm of filament a second
 * or charges with more than 200 A. */
static const double fastest[QUANTITY_COUNT] = {
	[QUANTITY_ENERGY_WH] = 100e3 / 3600,
	[QUANTITY_FILAMENT_MM] = 100,
	[QUANTITY_CHARGE_MAH] = 200e3 / 3600,
};

/* ---- who says what it is doing -------------------------------------------------------------- */

static void
free_voices(struct machine *m)
{
	for (size_t i = 0; i < m->n_voices; i++)
		activity_destroy(m->voices[i].judge);
	free(m->voices);
	m->voices = NULL;
	m->n_voices = 0;
	m->voice = NULL;
}

static int
add_judge(struct machine *m, struct source *own, const struct usage_rule *rules, size_t n,
	int64_t now_us)
{
	const struct scope scope = {.sources = m->sources, .n_sources = m->n_sources, .own = own};
	struct voice *v = &m->voices[m->n_voices];
	v->source = own;
	v->judge = activity_create(rules, n, &scope, m->activity, now_us);
	if (!v->judge)
		return -ENOMEM;
	m->n_voices++;
	return 0;
}

/* A machine's own rules come before all others. */
static int
make_voices(struct machine *m, int64_t now_us)
{
	int rc = 0;
	m->voices = calloc(m->n_sources + 1, sizeof(*m->voices));
	if (!m->voices)
		return -ENOMEM;
	if (m->config->n_usage)
		return add_judge(m, NULL, m->config->usage, m->config->n_usage, now_us);
	for (size_t i = 0; rc == 0 && i < m->n_sources; i++) {
		struct source *s = m->sources[i];
		const struct profile_file *p = s->config->profile;
		if (!s->config->driver->needs_profile)
			m->voices[m->n_voices++].source = s;
		else if (p && p->n_usage)
			rc = add_judge(m, s, p->usage, p->n_usage, now_us);
	}
	return rc;
}

static enum activity
voice_says(const struct voice *v)
{
	if (v->judge)
		return activity_now(v->judge);
	return v->source->ok ? v->source->status.activity : ACTIVITY_UNKNOWN;
}

/* The first that knows; if nobody does, the first. */
static const struct voice *
choose_voice(const struct machine *m)
{
	for (size_t i = 0; i < m->n_voices; i++)
		if (voice_says(&m->voices[i]) != ACTIVITY_UNKNOWN)
			return &m->voices[i];
	return m->n_voices ? &m->voices[0] : NULL;
}

/* ---- counters ------------------------------------------------------------------------------- */

/* The first of these that is there measures its quantity: one point, because the others of its
 * class are single phases or tariffs; or all of them, where each channel counts by itself. */
static const struct {
	const char *class, *id;
	enum quantity quantity;
	bool all;
} measured[] = {
	{"energy_import_wh", NULL, QUANTITY_ENERGY_WH, false},
	{"energy_total_wh", NULL, QUANTITY_ENERGY_WH, false},
	{"energy_session_wh", NULL, QUANTITY_ENERGY_WH, true},
	{"", "filament_total_mm", QUANTITY_FILAMENT_MM, false},
	{"charge_mah", NULL, QUANTITY_CHARGE_MAH, true},
};

static bool
has_quantity(const struct machine *m, enum quantity q)
{
	for (size_t i = 0; i < m->n_gauges; i++)
		if (m->gauges[i].quantity == q)
			return true;
	return false;
}

static void
add_gauge(struct machine *m, struct source *s, size_t slot, enum quantity q)
{
	const struct reg_point *p = &s->config->profile->regs.points[s->points[slot]];
	if (m->n_gauges == METERS_MAX)
		return;
	m->gauges[m->n_gauges++] = (struct gauge){.source = s,
		.slot = (int)slot,
		.quantity = q,
		.rules = {.wraps_at = p->wraps_at,
			.max_step = p->max_step,
			.per_second = fastest[q],
			.resets = p->counter_reset || !p->counter}};
}

static bool
is_measure(const struct source *s, size_t slot, const char *class, const char *id)
{
	const struct point *p = &s->config->profile->regs.points[s->points[slot]].point;
	if (id)
		return strcmp(p->id, id) == 0;
	return p->class && strcmp(p->class, class) == 0;
}

static void
add_gauges(struct machine *m, struct source *s, size_t k)
{
	int named = measured[k].all ? -1 : source_slot(s, measured[k].class);
	for (size_t slot = named > 0 ? (size_t)named : 0; slot < s->n_points; slot++) {
		if (!is_measure(s, slot, measured[k].class, measured[k].id))
			continue;
		add_gauge(m, s, slot, measured[k].quantity);
		if (!measured[k].all)
			return;
	}
}

static void
make_gauges(struct machine *m)
{
	m->n_gauges = 0;
	for (size_t k = 0; k < sizeof(measured) / sizeof(measured[0]); k++)
		for (size_t i = 0; i < m->n_sources; i++)
			if (!has_quantity(m, measured[k].quantity))
				add_gauges(m, m->sources[i], k);
}

/* "meter.energy_import_wh 1a86:7523:X SDM120": another device there counts anew. */
static void
gauge_name(const struct gauge *g, char *buf, size_t size)
{
	const struct source *s = g->source;
	snprintf(buf, size, "%s.%s %s %s", s->config->id,
		s->config->profile->regs.points[s->points[g->slot]].point.id, s->known.plugged,
		s->known.device);
}

static void
count(struct machine *m, struct moment now)
{
	for (size_t i = 0; i < m->n_gauges; i++) {
		struct gauge *g = &m->gauges[i];
		const struct point_state *p = &g->source->states[g->slot];
		char name[192];
		double reading;
		if (p->good_us == g->seen_us || !value_number(&p->good, &reading))
			continue;
		g->seen_us = p->good_us;
		gauge_name(g, name, sizeof(name));
		usage_count(&m->usage, g->quantity, name, &g->rules, reading, now);
	}
}

/* ---- life ----------------------------------------------------------------------------------- */

static int
make_rules(struct machine *m, struct moment now)
{
	int rc = make_voices(m, now.us);
	if (rc < 0)
		return rc;
	m->alarms = alarmset_create(m->config, m->sources, m->n_sources);
	make_gauges(m);
	return m->alarms ? 0 : -ENOMEM;
}

struct machine *
machine_create(const struct machine_config *config, const struct config *all, struct moment now)
{
	struct machine *m = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	m->config = config;
	m->sources = calloc(config->n_sources + 1, sizeof(struct source *));
	if (!m->sources)
		goto fail;
	for (size_t i = 0; i < config->n_sources; i++) {
		size_t bus = config->sources[i].bus;
		m->sources[i] = source_create(
			&config->sources[i], bus < all->n_buses ? &all->buses[bus] : NULL, now.us);
		if (!m->sources[i])
			goto fail;
		m->sources[i]->machine = m;
		m->n_sources++;
	}
	if (make_rules(m, now) == 0)
		return m;
fail:
	machine_destroy(m);
	return NULL;
}

void
machine_destroy(struct machine *m)
{
	if (!m)
		return;
	free_voices(m);
	alarmset_destroy(m->alarms);
	for (size_t i = 0; i < m->n_sources; i++)
		source_destroy(m->sources[i]);
	free(m->sources);
	free((void *)(uintptr_t)m->availability.topic);
	free((void *)(uintptr_t)m->info.topic);
	free((void *)(uintptr_t)m->snapshot.topic);
	free((void *)(uintptr_t)m->totals.topic);
	free(m);
}

static int
take_over_alarm(struct alarmset *set, const struct alarm *from, struct moment now)
{
	int rc = alarmset_restore(set, from->spec.code, &from->life, now);
	struct alarm *to = rc == 0 ? alarmset_find(set, from->spec.code) : NULL;
	if (to)
		to->past_us = from->past_us;
	return rc;
}

int
machine_rebind(struct machine *m, struct moment now)
{
	struct alarmset *old = m->alarms;
	free_voices(m);
	int rc = make_rules(m, now);
	for (size_t i = 0; rc == 0 && i < alarmset_size(old); i++) {
		const struct alarm *a = alarmset_at(old, i);
		if (a->life.active || a->life.count)
			rc = take_over_alarm(m->alarms, a, now);
	}
	alarmset_destroy(old);
	m->usage.rules.end_after_ms = m->config->job_end_after_ms;
	m->usage.rules.min_ms = m->config->job_min_ms;
	return rc;
}

/* ---- what follows ---------------------------------------------------------------------------- */

static bool
is_plug(const struct source *s)
{
	return s->bus && (s->bus->type == BUS_SERIAL || s->bus->type == BUS_HID);
}

/* True once it is known whether anybody answers. */
static bool
look_at_sources(struct machine *m)
{
	bool decided = true;
	m->online = false;
	for (size_t i = 0; i < m->n_sources; i++) {
		const struct source *s = m->sources[i];
		m->online |= s->decided && s->ok;
		decided &= s->decided;
		m->lost_power |= is_plug(s) && s->decided && !s->ok && s->fail == FAIL_LINK_DOWN;
	}
	return decided || m->online; /* one answer is enough to know */
}

static void
look_at_activity(struct machine *m, int64_t now_us)
{
	for (size_t i = 0; i < m->n_voices; i++)
		if (m->voices[i].judge)
			activity_update(m->voices[i].judge, now_us);
	m->voice = choose_voice(m);
	m->activity = m->voice ? voice_says(m->voice) : ACTIVITY_UNKNOWN;
}

static void
look_at_jobs(struct machine *m, struct moment now, struct usage_news *news)
{
	const struct voice *v = m->voice;
	char evidence[80] = "";
	struct usage_input in = {.online = m->online,
		.fault = m->worst >= SEVERITY_ERROR,
		.activity = m->activity,
		.decided = m->decided && m->activity != ACTIVITY_UNKNOWN,
		.since_us = now.us,
		.accuracy_s = 1,
		.lost_power = m->lost_power,
		.evidence = evidence};
	if (v && v->judge) {
		in.decided &= activity_decided(v->judge);
		in.since_us = activity_since_us(v->judge);
		in.accuracy_s = activity_accuracy_s(v->judge);
		in.tells_idle = activity_has(v->judge, ACTIVITY_IDLE);
		activity_evidence(v->judge, evidence, sizeof(evidence));
	} else if (v) {
		snprintf(evidence, sizeof(evidence), "%s", v->source->config->id);
		in.result = v->source->status.result;
		in.driver_says = true;
		in.accuracy_s = v->source->period_us > 1000000
					? (int)((v->source->period_us + 999999) / 1000000)
					: 1;
		in.name = m->config->job_names ? v->source->job_name : NULL;
	}
	usage_update(&m->usage, &in, now, news);
	m->lost_power &= !in.decided;
}

void
machine_update(struct machine *m, const struct alarmset_context *context, alarmset_fn *each,
	void *arg, struct machine_news *news)
{
	struct alarmset_context c = *context;
	bool was_decided = m->decided, was_online = m->online;
	enum activity activity = m->activity;
	enum severity worst = m->worst;
	const char *state = machine_state(m);
	m->decided |= look_at_sources(m);
	look_at_activity(m, c.now.us);
	c.activity = m->activity;
	c.maintenance = machine_in_maintenance(m, c.now);
	alarmset_update(m->alarms, &c, each, arg);
	m->worst = alarmset_worst(m->alarms);
	count(m, c.now);
	look_at_jobs(m, c.now, &news->usage);
	news->state = m->decided && (!was_decided || strcmp(machine_state(m), state) != 0);
	news->shown =
		news->state || (m->decided && (m->online != was_online || m->activity != activity ||
						      m->worst != worst));
	if (news->state)
		m->since_ms = c.now.wall_ms;
}

/* ---- the wall clock is set --------------------------------------------------------------------
 */

/* Maintenance of before the boot ends when the clock on the wall says so, as it was told. */
static void
move_maintenance(struct maintenance *t, const struct shift *by, struct moment now)
{
	if (!t->until_ms)
		return;
	if (shift_time(by, &t->since_ms))
		t->until_ms += by->delta_ms;
	else
		t->until_us = now.us + (t->until_ms - now.wall_ms) * 1000;
}

void
machine_clock_moved(struct machine *m, const struct shift *by, struct moment now)
{
	shift_time(by, &m->since_ms);
	shift_time(by, &m->former_since_ms);
	move_maintenance(&m->maintenance, by, now);
	for (size_t i = 0; i < m->n_sources; i++)
		source_clock_moved(m->sources[i], by);
	for (size_t i = 0; i < alarmset_size(m->alarms); i++)
		alarm_clock_moved(alarmset_at(m->alarms, i), by);
	usage_clock_moved(&m->usage, by, now);
}

void
machine_clock_stepped(struct machine *m, int64_t step_ms)
{
	if (m->maintenance.until_ms) {
		m->maintenance.since_ms += step_ms;
		m->maintenance.until_ms += step_ms;
	}
	usage_clock_stepped(&m->usage, step_ms);
}

/* ---- in words -------------------------------------------------------------------------------- */

bool
machine_in_maintenance(const struct machine *m, struct moment now)
{
	return m->maintenance.until_ms && m->maintenance.until_us > now.us;
}

const char *
machine_state(const struct machine *m)
{
	if (!m->online)
		return "offline";
	return m->worst >= SEVERITY_ERROR ? "fault" : activity_name(m->activity);
}

const char *
machine_condition(const struct machine *m)
{
	if (m->worst >= SEVERITY_ERROR)
		return "fault";
	return m->worst == SEVERITY_WARNING ? "warning" : "normal";
}

const char *
machine_availability(const struct machine *m)
{
	return m->online ? "online" : "offline";
}

double
machine_progress(const struct machine *m)
{
	if (!m->voice || m->voice->judge || !m->voice->source->ok)
		return -1;
	return m->voice->source->status.progress;
}

const char *
machine_job(const struct machine *m)
{
	const struct job *job = &m->usage.kept.job;
	return job->id[0] && job->announced ? job->id : NULL;
}

struct words {
	char *buf;
	size_t size, len;
};

static void __attribute__((format(printf, 2, 3))) say(struct words *w, const char *fmt, ...)
{
	va_list args;
	if (w->len && w->len < w->size)
		w->len += (size_t)snprintf(w->buf + w->len, w->size - w->len, ", ");
	if (w->len >= w->size)
		return;
	va_start(args, fmt);
	w->len += (size_t)vsnprintf(w->buf + w->len, w->size - w->len, fmt, args);
	va_end(args);
}

static void
say_activity(struct words *w, const struct machine *m)
{
	char reason[200];
	if (!m->online || !m->voice)
		return;
	if (!m->voice->judge) {
		if (m->voice->source->ok)
			say(w, "%s says %s", m->voice->source->config->id,
				activity_name(m->activity));
		return;
	}
	activity_reason(m->voice->judge, reason, sizeof(reason));
	say(w, "%s", reason);
}

static void
say_sources(struct words *w, const struct machine *m)
{
	char word[24];
	for (size_t i = 0; i < m->n_sources; i++) {
		const struct source *s = m->sources[i];
		if (!s->ok)
			say(w, "%s: %s", s->config->id,
				s->decided ? fail_text(s->fail, s->exception, word, sizeof(word))
					   : "not read yet");
	}
}

void
machine_reason(const struct machine *m, char *buf, size_t size)
{
	struct words w = {.buf = buf, .size = size};
	buf[0] = '\0';
	for (size_t i = 0; i < alarmset_size(m->alarms); i++) {
		const struct alarm *a = alarmset_at(m->alarms, i);
		if (alarm_counts(a) && a->spec.severity >= SEVERITY_WARNING)
			say(&w, "alarm %s", a->spec.code);
	}
	say_activity(&w, m);
	say_sources(&w, m);
	if (!w.len)
		say(&w, "all sources answer");
}
