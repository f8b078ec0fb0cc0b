/* SPDX-License-Identifier: MIT */
/* fleet_world.c -- what a machine does at a moment, out of hashes */
#include "cli/simulate/fleet_world.h"

#include <math.h>
#include <string.h>

#define DAY_S 86400.0
#define SILENT_AFTER_MS 60000 /* alarms of silence come a minute late */

/* Each use of a machine's chance has its own number, so that none depends on another. */
enum chance {
	CHANCE_LENGTH,
	CHANCE_OFFSET,
	CHANCE_COUNTER,
	CHANCE_IDLE,
	CHANCE_START,
	CHANCE_SPAN,
	CHANCE_PAUSE,
	CHANCE_RESULT,
	CHANCE_ALARM,
	CHANCE_WHICH,
	CHANCE_ALARM_AT,
	CHANCE_ALARM_SPAN,
	CHANCE_NOISE
};

/* splitmix64, https://prng.di.unimi.it/splitmix64.c (public domain) */
uint64_t
fleet_hash(uint64_t a, uint64_t b)
{
	uint64_t z = a + (b + 1) * 0x9E3779B97F4A7C15u;

	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
	return z ^ (z >> 31);
}

/* Uniform in [0, 1). */
static double
chance(uint64_t seed, enum chance what, uint64_t index)
{
	return (double)(fleet_hash(fleet_hash(seed, what), index) >> 11) / 9007199254740992.0;
}

/* One turn of a machine: all in ms since the start of the fleet. */
struct cycle {
	uint64_t number;
	int64_t begin, end;
	int64_t job_begin, job_end; /* equal: none */
	int64_t pause_begin, pause_end;
	int64_t off_end; /* it is off from the beginning to there */
};

static void
plan_job(const struct fleet_model *m, struct cycle *c)
{
	double length = (double)(c->end - c->begin);
	double rest = chance(m->seed, CHANCE_IDLE, c->number);

	c->job_begin = c->job_end = c->pause_begin = c->pause_end = c->begin;
	c->off_end = c->begin + (int64_t)(rest < 0.2 ? length * rest * 5 : 0);
	if (!m->kind->works || rest < 0.25)
		return;
	c->job_begin += (int64_t)(length * (0.05 + 0.2 * chance(m->seed, CHANCE_START, c->number)));
	int64_t span = (int64_t)(length * (0.35 + 0.35 * chance(m->seed, CHANCE_SPAN, c->number)));
	c->job_end = c->job_begin + span;
	if (chance(m->seed, CHANCE_PAUSE, c->number) < 0.1) {
		c->pause_begin = c->job_begin + span / 2;
		c->pause_end = c->pause_begin + span / 8;
	}
}

static struct cycle
find_cycle(const struct fleet_model *m, int64_t t_ms)
{
	double stretch = 0.7 + 0.6 * chance(m->seed, CHANCE_LENGTH, 0);
	int64_t length = (int64_t)(m->kind->cycle_s * 1000 * stretch);
	int64_t offset = (int64_t)((double)length * chance(m->seed, CHANCE_OFFSET, 0));
	struct cycle c = {.number = (uint64_t)((t_ms + offset) / length)};

	c.begin = (int64_t)c.number * length - offset;
	c.end = c.begin + length;
	plan_job(m, &c);
	return c;
}

/* ---- values -------------------------------------------------------------------------------- */

/* Where a level that takes time is on its way to `busy` or back from it. */
static double
settled(const struct fleet_point *p, const struct cycle *c, int64_t t_ms)
{
	double idle = p->level[FLEET_IDLE], busy = p->level[FLEET_BUSY];

	if (t_ms < c->job_begin || c->job_begin == c->job_end)
		return idle;
	int64_t working = (t_ms < c->job_end ? t_ms : c->job_end) - c->job_begin;
	double warm = busy - (busy - idle) * exp(-(double)working / 1000 / p->settle_s);
	if (t_ms < c->job_end)
		return warm;
	return idle + (warm - idle) * exp(-(double)(t_ms - c->job_end) / 1000 / p->settle_s);
}

static double
value_at(const struct fleet_model *m, size_t k, enum fleet_activity activity, const struct cycle *c,
	int64_t t_ms)
{
	const struct fleet_point *p = &m->kind->points[k];
	size_t at = activity == FLEET_PAUSED ? FLEET_IDLE : activity;
	double random = chance(m->seed, CHANCE_NOISE, (uint64_t)t_ms * FLEET_POINTS + k);

	if (p->counter)
		return floor(p->level[0] * chance(m->seed, CHANCE_COUNTER, 0) +
			     p->noise * (double)t_ms / 3600000);
	if (activity == FLEET_OFF)
		return p->level[FLEET_OFF];
	double level = p->settle_s > 0 ? settled(p, c, t_ms) : p->level[at];
	double value = level + p->noise * (2 * random - 1);
	return value < 0 || level == 0 ? 0 : value;
}

/* ---- what holds ---------------------------------------------------------------------------- */

static void
sample_activity(
	const struct fleet_model *m, const struct cycle *c, int64_t t_ms, struct fleet_sample *out)
{
	double luck = chance(m->seed, CHANCE_RESULT, c->number);

	out->activity = t_ms < c->off_end ? FLEET_OFF : FLEET_IDLE;
	out->progress = -1;
	if (c->job_begin == c->job_end || t_ms < c->job_begin)
		return;
	int64_t until = t_ms < c->pause_end ? t_ms : c->pause_end;
	out->job = true;
	out->job_start_ms = c->job_begin;
	out->paused_ms = until > c->pause_begin ? until - c->pause_begin : 0;
	if (t_ms >= c->job_end) {
		out->job_over = true;
		out->job_end_ms = c->job_end;
		out->result = luck < 0.94 ? "finished" : luck < 0.97 ? "stopped" : "fault";
		return;
	}
	bool paused = t_ms >= c->pause_begin && t_ms < c->pause_end;
	out->activity = paused ? FLEET_PAUSED : FLEET_BUSY;
	out->progress = (double)(t_ms - c->job_begin) / (double)(c->job_end - c->job_begin);
}

/* In some cycles something is wrong for two to six minutes. A machine whose alarms do not know
 * silence is then sometimes silent without one: people switch printers off. */
static void
sample_trouble(
	const struct fleet_model *m, const struct cycle *c, int64_t t_ms, struct fleet_sample *out)
{
	size_t n = fleet_alarms(m->kind);
	size_t choices = n + (m->kind->profile == NULL);
	double often = m->alarms_per_day * (double)(c->end - c->begin) / 1000 / DAY_S;

	if (chance(m->seed, CHANCE_ALARM, c->number) >= often)
		return;
	int64_t span = 120000 + (int64_t)(240000 * chance(m->seed, CHANCE_ALARM_SPAN, c->number));
	int64_t room = c->end - c->begin - span;
	int64_t at =
		c->begin + (int64_t)((double)room * chance(m->seed, CHANCE_ALARM_AT, c->number));
	if (t_ms < at || t_ms >= at + span)
		return;
	size_t which = (size_t)((double)choices * chance(m->seed, CHANCE_WHICH, c->number));
	out->silent = which == n || m->kind->alarms[which].point < 0;
	if (which < n && (!out->silent || t_ms - at >= SILENT_AFTER_MS))
		out->alarms = 1u << which;
}

static void
obey(const struct fleet_model *m, const struct fleet_orders *orders, struct fleet_sample *out)
{
	out->alarms = (out->alarms | orders->on) & ~orders->off;
	out->silent |= orders->silent;
	for (size_t k = 0; k < fleet_alarms(m->kind); k++)
		if (m->kind->alarms[k].point < 0 && ((orders->on | orders->off) & 1u << k))
			out->silent = orders->on & 1u << k;
}

void
fleet_sample(const struct fleet_model *m, const struct fleet_orders *orders, int64_t t_ms,
	struct fleet_sample *out)
{
	struct cycle c = find_cycle(m, t_ms);

	*out = (struct fleet_sample){0};
	sample_activity(m, &c, t_ms, out);
	sample_trouble(m, &c, t_ms, out);
	obey(m, orders, out);
	for (size_t k = 0; k < FLEET_POINTS && m->kind->points[k].id; k++)
		out->values[k] = value_at(m, k, out->activity, &c, t_ms);
	for (size_t k = 0; k < fleet_alarms(m->kind); k++)
		if (out->alarms & 1u << k && m->kind->alarms[k].point >= 0)
			out->values[m->kind->alarms[k].point] = m->kind->alarms[k].value;
}

int
fleet_find_alarm(const struct fleet_kind *kind, const char *code)
{
	for (size_t k = 0; k < fleet_alarms(kind); k++)
		if (!strcmp(kind->alarms[k].code, code))
			return (int)k;
	return -1;
}

const char *
fleet_activity_name(enum fleet_activity activity)
{
	static const char *const names[] = {"off", "idle", "busy", "paused"};

	return names[activity];
}

void
fleet_ulid(char buf[FLEET_JOB], int64_t ms, uint64_t random)
{
	static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

	for (int k = 9; k >= 0; k--, ms >>= 5)
		buf[k] = digits[ms & 31];
	for (int k = 10; k < FLEET_JOB - 1; k++) {
		buf[k] = digits[random & 31];
		random = k == 21 ? fleet_hash(random, 1) : random >> 5;
	}
	buf[FLEET_JOB - 1] = '\0';
}
