/* SPDX-License-Identifier: MIT */
/* pollplan.c -- from the configuration's sources to what one bus polls
 *
 * Sources of the same unit, of one machine or of several, are planned together: one device, the
 * union of their points, each group at the period of the source that wants it most often.
 */
#include "daemon/gateway.h"

#include <stdlib.h>
#include <string.h>

struct unit_plan {
	int unit;
	size_t n_sources;
	struct source **sources;
	uint8_t *wanted;
};

/* ---- which units there are ----------------------------------------------------------------- */

static struct unit_plan *
find_unit(struct unit_plan *units, size_t n, int unit)
{
	for (size_t i = 0; i < n; i++)
		if (units[i].unit == unit)
			return &units[i];
	return NULL;
}

static int
unit_add(struct unit_plan *u, struct source *s)
{
	const struct profile *p = &s->config->profile->regs;
	struct source **more = realloc(u->sources, (u->n_sources + 1) * sizeof(struct source *));
	if (!more)
		return -1;
	u->sources = more;
	u->sources[u->n_sources++] = s;
	if (!u->wanted)
		u->wanted = calloc(p->n_points + 1, 1);
	if (!u->wanted)
		return -1;
	for (size_t i = 0; i < s->n_points; i++)
		u->wanted[s->points[i]] = 1;
	return 0;
}

static bool
is_polled_here(const struct source *s, const struct bus_config *bus)
{
	return s->bus == bus && s->config->profile && !s->removed;
}

static struct unit_plan *
collect_units(struct gateway *g, const struct bus_config *bus, size_t *n)
{
	struct unit_plan *units = calloc(256, sizeof(*units)); /* as many as there are unit ids */
	*n = 0;
	for (size_t i = 0; units && i < g->n_machines; i++) {
		struct machine *m = g->machines[i];
		for (size_t k = 0; k < m->n_sources; k++) {
			struct source *s = m->sources[k];
			if (!is_polled_here(s, bus))
				continue;
			struct unit_plan *u = find_unit(units, *n, s->config->unit);
			if (!u) {
				u = &units[(*n)++];
				u->unit = s->config->unit;
			}
			unit_add(u, s);
		}
	}
	return units;
}

static void
free_units(struct unit_plan *units, size_t n)
{
	for (size_t i = 0; units && i < n; i++) {
		free(units[i].sources);
		free(units[i].wanted);
	}
	free(units);
}

/* ---- one unit ------------------------------------------------------------------------------ */

static struct taps *
make_taps(const struct unit_plan *u)
{
	struct taps *t = malloc(sizeof(*t) + u->n_sources * sizeof(struct source *));
	if (!t)
		return NULL;
	t->n = u->n_sources;
	memcpy(t->sources, u->sources, u->n_sources * sizeof(struct source *));
	return t;
}

static struct polled_unit *
unit_create(const struct unit_plan *u, struct poller *poller)
{
	const struct source_config *c = u->sources[0]->config;
	struct polled_unit *p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	struct device_spec spec = {.driver = c->driver,
		.profile = c->driver->needs_profile ? &c->profile->regs : NULL,
		.wanted = u->wanted,
		.unit = (uint8_t)c->unit,
		.timeout_ms = c->timeout_ms,
		.byte_timeout_ms = c->byte_timeout_ms,
		.min_gap_ms = c->min_gap_ms,
		.max_latency_ms = c->max_latency_ms};
	p->poller = poller;
	p->unit = (uint8_t)c->unit;
	p->device = device_create(&spec, poller_link(poller));
	p->taps = make_taps(u);
	for (size_t i = 0; p->device && i < 2; i++) {
		p->mails[i].unit = p;
		p->mails[i].reading = reading_create(p->device);
		p->mails[i].free_next = p->free;
		p->free = &p->mails[i];
	}
	if (p->device && p->taps && p->mails[0].reading && p->mails[1].reading)
		return p;
	polled_unit_destroy(p);
	return NULL;
}

/* The same device, asked in the same way: it keeps its link state and what was learned. */
static bool
is_same_unit(const struct polled_unit *old, const struct unit_plan *u)
{
	const struct taps *taps = old->taps;
	if (old->unit != u->unit || taps->n != u->n_sources)
		return false;
	for (size_t i = 0; i < taps->n; i++)
		if (taps->sources[i] != u->sources[i]) /* unchanged sources keep their object */
			return false;
	return true;
}

static struct polled_unit *
keep_or_create(const struct unit_plan *u, struct poller *poller, const struct pollset *old)
{
	for (size_t i = 0; old && i < old->n_units; i++)
		if (old->units[i] && is_same_unit(old->units[i], u))
			return old->units[i];
	return unit_create(u, poller);
}

/* ---- entries ------------------------------------------------------------------------------- */

static unsigned
fastest_group(const struct profile *p)
{
	unsigned best = 0;
	for (unsigned i = 0; i < p->n_groups; i++) {
		int64_t period = p->groups[i].period_ms, least = p->groups[best].period_ms;
		if (period > 0 && (least == 0 || period < least))
			best = i;
	}
	return best;
}

/* The period that source `s` wants for group `i`; 0: continuous or once. */
static int64_t
wanted_period(const struct source *s, unsigned i)
{
	const struct profile *p = &s->config->profile->regs;
	if (i != fastest_group(p) || p->groups[i].period_ms == 0)
		return p->groups[i].period_ms;
	if (s->config->continuous)
		return 0;
	return s->config->interval_ms ? s->config->interval_ms : p->groups[i].period_ms;
}

static struct schedule_entry
make_entry(struct gateway *g, size_t bus, const struct unit_plan *u, unsigned unit, unsigned group)
{
	const struct profile *p = &u->sources[0]->config->profile->regs;
	struct schedule_entry e = {.unit = unit,
		.group = group,
		.kind = SCHEDULE_PERIODIC,
		.priority = p->groups[group].priority,
		.due_us = g->grid_us,
		.pending = true};
	if (p->groups[group].period_ms == 0) {
		e.kind = SCHEDULE_ONCE;
		return e;
	}
	int64_t period = INT64_MAX;
	for (size_t i = 0; i < u->n_sources; i++) {
		int64_t wanted = wanted_period(u->sources[i], group);
		period = wanted < period ? wanted : period;
	}
	e.period_us = period * 1000;
	if (period == 0)
		e.kind = SCHEDULE_CONTINUOUS;
	else
		e.grid_us = g->grid_us + schedule_phase_us(e.period_us, bus, g->config->n_buses);
	return e;
}

static int
make_entries(struct gateway *g, size_t bus, struct pollset *set, const struct unit_plan *units)
{
	size_t n = 0, points;
	for (size_t i = 0; i < set->n_units; i++)
		n += device_groups(set->units[i]->device);
	set->entries = calloc(n + 1, sizeof(*set->entries));
	set->states = calloc(set->n_units + 1, sizeof(*set->states));
	if (!set->entries || !set->states)
		return -1;
	for (size_t i = 0; i < set->n_units; i++) {
		const struct device *dev = set->units[i]->device;
		for (unsigned k = 0; k < device_groups(dev); k++) {
			device_group_points(dev, k, &points);
			if (points)
				set->entries[set->n_entries++] =
					make_entry(g, bus, &units[i], (unsigned)i, k);
		}
	}
	return 0;
}

struct pollset *
pollplan_create(struct gateway *g, size_t bus, struct poller *poller, const struct pollset *old)
{
	size_t n;
	struct unit_plan *units = collect_units(g, &g->config->buses[bus], &n);
	struct pollset *set = calloc(1, sizeof(*set));
	if (!units || !set)
		goto fail;
	set->poller = poller;
	set->units = calloc(n + 1, sizeof(struct polled_unit *));
	set->profiles = calloc(n + 1, sizeof(struct profile *));
	if (!set->units || !set->profiles)
		goto fail;
	for (size_t i = 0; i < n; i++) {
		set->units[i] = keep_or_create(&units[i], poller, old);
		if (!set->units[i])
			goto fail;
		set->profiles[i] = &units[i].sources[0]->config->profile->regs;
		set->n_units++;
	}
	if (make_entries(g, bus, set, units) < 0)
		goto fail;
	free_units(units, n);
	return set;
fail:
	free_units(units, n);
	pollset_abandon(set, old);
	return NULL;
}
