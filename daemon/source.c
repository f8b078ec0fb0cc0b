/* SPDX-License-Identifier: MIT */
/* source.c -- a source that answers or does not, and what of it is published */
#include "daemon/source.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAILURES_TO_OFFLINE 3
#define SERIAL_OFFLINE_US 3000000
#define TCP_OFFLINE_US 10000000
#define HEARTBEAT_US 60000000
#define STALE_US 30000000LL /* a value is good for three polls, but at least so long */

static size_t
text_room(const struct reg_point *p)
{
	if (p->n_enums)
		return 48;
	return p->type == REG_STRING ? (size_t)p->count * p->chars * 3 + 1 : 0;
}

static double
point_deadband(const struct source_config *c, const struct reg_point *p)
{
	double value = p->deadband;
	for (size_t i = 0; i < c->n_deadbands; i++) {
		const char *name = c->deadbands[i].point;
		if (!name || strcmp(name, p->point.id) == 0)
			value = c->deadbands[i].value;
	}
	return value;
}

static int
make_deadbands(struct source *s)
{
	const struct profile *profile = &s->config->profile->regs;
	bool any = s->config->n_deadbands > 0;
	for (size_t i = 0; i < s->n_points; i++)
		any |= profile->points[s->points[i]].deadband >= 0;
	if (!any)
		return 0;
	s->deadbands = malloc(s->n_points * sizeof(*s->deadbands));
	if (!s->deadbands)
		return -1;
	for (size_t i = 0; i < s->n_points; i++)
		s->deadbands[i] = point_deadband(s->config, &profile->points[s->points[i]]);
	return 0;
}

static int64_t
shortest_group_us(const struct source_config *c)
{
	const struct profile *p = &c->profile->regs;
	int64_t best = 0;
	for (size_t i = 0; i < p->n_groups; i++) {
		int64_t ms = p->groups[i].period_ms;
		if (ms > 0 && (best == 0 || ms < best))
			best = ms;
	}
	return best * 1000;
}

static int64_t
shortest_period_us(const struct source_config *c)
{
	if (c->interval_ms)
		return c->interval_ms * 1000;
	return c->continuous ? 0 : shortest_group_us(c);
}

static int
make_points(struct source *s)
{
	const struct profile *profile = &s->config->profile->regs;
	s->n_slots = profile->n_points;
	s->period_us = shortest_period_us(s->config);
	s->status = (struct status){.activity = ACTIVITY_UNKNOWN, .progress = -1};
	s->slots = malloc(s->n_slots * sizeof(*s->slots) + 1);
	s->points = malloc(s->n_slots * sizeof(*s->points) + 1);
	s->states = calloc(s->n_slots + 1, sizeof(*s->states));
	s->group_due_us = calloc(profile->n_groups + 1, sizeof(*s->group_due_us));
	if (!s->slots || !s->points || !s->states || !s->group_due_us)
		return -1;
	for (size_t i = 0; i < s->n_slots; i++) {
		s->slots[i] = -1;
		if (s->config->wanted && !s->config->wanted[i])
			continue;
		struct point_state *p = &s->states[s->n_points];
		p->text_size = (uint16_t)text_room(&profile->points[i]);
		p->text = p->text_size ? calloc(1, p->text_size) : NULL;
		if (p->text_size && !p->text)
			return -1;
		p->fail = FAIL_STALE;
		s->slots[i] = (int16_t)s->n_points;
		s->points[s->n_points++] = (uint16_t)i;
	}
	return make_deadbands(s);
}

struct source *
source_create(const struct source_config *config, const struct bus_config *bus, int64_t now_us)
{
	struct source *s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->config = config;
	s->bus = bus;
	s->last_ok_us = now_us;
	if (config->profile && make_points(s) < 0) {
		source_destroy(s);
		return NULL;
	}
	return s;
}

void
source_destroy(struct source *s)
{
	if (!s)
		return;
	for (size_t i = 0; s->states && i < s->n_points; i++)
		free(s->states[i].text);
	free(s->states);
	free(s->slots);
	free(s->points);
	free(s->deadbands);
	free(s->group_due_us);
	free(s);
}

void
source_rebase(struct source *s, const struct source_config *config, const struct bus_config *bus)
{
	s->config = config;
	s->bus = bus;
}

/* A failure that says at once that nothing can be read, without counting to three. */
static bool
is_final(const struct source *s, enum fail fail)
{
	switch (fail) {
	case FAIL_IDENTITY:
	case FAIL_IN_USE:
	case FAIL_PERMISSION:
	case FAIL_AMBIGUOUS:
		return true;
	case FAIL_LINK_DOWN: /* a device node that is gone; a TCP peer may be restarting */
		return s->bus && s->bus->type != BUS_MODBUS_TCP;
	default:
		return false;
	}
}

/* Three polls in a row, and long enough that it is not a hiccup. A poll that fell due and was not
 * made because the unit is silent has brought nothing either. */
static bool
counts_as_dead(const struct source *s, int64_t now_us)
{
	bool tcp = s->bus && s->bus->type == BUS_MODBUS_TCP;
	int64_t silent_us = now_us - s->last_ok_us;
	if (silent_us < (tcp ? TCP_OFFLINE_US : SERIAL_OFFLINE_US) || s->failures == 0)
		return false;
	return s->failures >= FAILURES_TO_OFFLINE ||
	       silent_us >= FAILURES_TO_OFFLINE * s->period_us;
}

static unsigned
becomes_dead(struct source *s, int64_t now_ms)
{
	s->ok = false;
	s->decided = true;
	s->status.activity = ACTIVITY_UNKNOWN;
	s->status.progress = -1;
	s->since_ms = now_ms;
	return OUTCOME_SOURCE | OUTCOME_STATE;
}

unsigned
source_tick(struct source *s, int64_t now_us, int64_t now_ms)
{
	if ((s->decided && !s->ok) || !counts_as_dead(s, now_us))
		return 0;
	return becomes_dead(s, now_ms);
}

static unsigned
take_failure(struct source *s, const struct reading *r, int64_t now_us)
{
	unsigned outcome = s->told ? 0 : OUTCOME_ERRORS;
	bool first = s->fail != r->fail;
	s->told = true;
	s->faults_since |= r->status.faults & ~s->status.faults;
	s->failures++;
	s->lost_polls++;
	s->fail = r->fail;
	s->exception = r->exception;
	for (size_t i = 0; i < s->n_points; i++) {
		s->states[i].value.kind = VALUE_NONE;
		s->states[i].fail = r->fail;
		s->states[i].exception = r->exception;
		s->states[i].was_published = false;
	}
	bool dead = is_final(s, r->fail) || counts_as_dead(s, now_us);
	if (dead && (s->ok || !s->decided))
		return outcome | becomes_dead(s, r->ts_ms);
	if (!s->ok && s->decided && first) /* another reason than before: people look at it */
		outcome |= OUTCOME_STATE;
	return outcome;
}

static void
store(struct point_state *p, const struct value *v, int64_t at_us)
{
	p->fail = v->fail;
	p->exception = v->exception;
	p->value = *v;
	if (v->kind == VALUE_ENUM || v->kind == VALUE_STRING) {
		/* Their text belongs to the profile or the reading; both go before this does. */
		snprintf(p->text, p->text_size, "%s", v->u.s);
		p->value.u.s = p->text;
	}
	if (v->kind != VALUE_NONE) {
		p->good = p->value;
		p->good_us = at_us;
	}
}

/* Whether the value has left its deadband; a source without one publishes every poll. */
static bool
has_moved(const struct source *s, int16_t slot, const struct value *v)
{
	const struct point_state *p = &s->states[slot];
	double num;
	if (!s->deadbands || v->kind != p->value.kind || v->fail != p->fail)
		return true;
	if (v->kind == VALUE_NONE)
		return false;
	if (!value_number(v, &num))
		return strcmp(v->u.s, p->value.u.s) != 0;
	double band = s->deadbands[slot] >= 0 ? s->deadbands[slot] : 0;
	return !p->was_published || fabs(num - p->published) > band;
}

static bool
store_all(struct source *s, const struct reading *r, const uint16_t *points)
{
	bool moved = false;
	for (size_t k = 0; k < r->n; k++) {
		int16_t slot = s->slots[points[k]];
		if (slot < 0)
			continue;
		moved |= has_moved(s, slot, &r->values[k]);
		store(&s->states[slot], &r->values[k], r->mono_us);
	}
	return moved;
}

static void
remember_published(struct source *s, const struct reading *r, const uint16_t *points)
{
	for (size_t k = 0; s->deadbands && k < r->n; k++) {
		int16_t slot = s->slots[points[k]];
		if (slot >= 0)
			s->states[slot].was_published =
				value_number(&r->values[k], &s->states[slot].published);
	}
}

/* A unit that several sources share is read as often as the fastest wants; a slower one publishes
 * at its own period. */
static bool
too_early(struct source *s, const struct reading *r)
{
	int64_t period_us = s->config->interval_ms * 1000;
	int64_t *due = &s->group_due_us[r->group];
	if (!s->shares || !period_us || s->config->profile->regs.groups[r->group].period_ms == 0)
		return false;
	if (r->mono_us < *due)
		return true;
	/* A tenth of slack: polls of the shared unit lie on a grid of their own. */
	*due = r->mono_us + period_us - period_us / 10;
	return false;
}

unsigned
source_take(struct source *s, const struct reading *r, const uint16_t *points, int64_t now_us)
{
	if (r->rc != 0)
		return take_failure(s, r, now_us);
	unsigned outcome = 0;
	s->moved |= store_all(s, r, points);
	s->last_ok_us = now_us;
	s->at_ms = r->ts_ms;
	s->failures = 0;
	s->told = false;
	if (!s->ok || !s->decided) {
		s->ok = s->decided = true;
		s->since_ms = r->ts_ms;
		outcome |= OUTCOME_SOURCE | OUTCOME_STATE;
	}
	if (s->status.activity != r->status.activity || s->status.faults != r->status.faults)
		outcome |= OUTCOME_STATE;
	s->status = r->status;
	s->faults_since = 0;
	memcpy(s->job_name, r->job_name, sizeof(s->job_name));
	s->fail = FAIL_NONE;
	if (too_early(s, r) && !(outcome & OUTCOME_SOURCE))
		return outcome;
	if (s->moved || r->mono_us - s->published_us >= HEARTBEAT_US ||
		(outcome & OUTCOME_SOURCE)) {
		s->published_us = r->mono_us;
		s->moved = false;
		remember_published(s, r, points);
		outcome |= OUTCOME_TELEMETRY;
	}
	return outcome;
}

void
source_clock_moved(struct source *s, const struct shift *by)
{
	shift_time(by, &s->at_ms);
	shift_time(by, &s->since_ms);
}

int
source_slot(const struct source *s, const char *point)
{
	const struct profile *profile = &s->config->profile->regs;
	for (size_t i = 0; i < s->n_points; i++)
		if (strcmp(profile->points[s->points[i]].point.id, point) == 0)
			return (int)i;
	return -1;
}

int64_t
source_stale_us(const struct source *s, int slot)
{
	const struct profile *profile = &s->config->profile->regs;
	int64_t period_ms = profile->groups[profile->points[s->points[slot]].point.group].period_ms;
	if (period_ms == 0) /* read once: true until the device is another */
		return INT64_MAX;
	int64_t period_us = period_ms * 1000;
	if (s->config->interval_ms && period_us == shortest_group_us(s->config))
		period_us = s->config->interval_ms * 1000;
	return period_us * 3 > STALE_US ? period_us * 3 : STALE_US;
}
