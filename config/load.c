/* SPDX-License-Identifier: MIT */
/* load.c -- how much of a bus the polls need, and units that several sources share */
#include "config/load.h"

#include <stdlib.h>
#include <string.h>

#include "config/loader.h"
#include "drivers/plan.h"

static int64_t
request_us(const struct bus_config *bus, const struct source_config *s, const struct request *req)
{
	int gap_ms = s->min_gap_ms ? s->min_gap_ms : s->profile->regs.link.min_gap_ms;

	if (bus->type == BUS_MODBUS_TCP)
		return LOAD_TCP_US + gap_ms * INT64_C(1000);
	return plan_rtu_us(req, bus->baud, bus->format) + gap_ms * INT64_C(1000) +
	       LOAD_RTU_LATENCY_US;
}

/* The group whose period `interval` replaces: the fastest that has something to read. */
static size_t
fastest_group(const struct profile *regs, const struct plan *plan)
{
	size_t fastest = SIZE_MAX;

	for (size_t i = 0; i < regs->n_groups; i++) {
		bool empty = plan->group_first[i] == plan->group_first[i + 1];
		if (empty || regs->groups[i].period_ms == 0)
			continue;
		if (fastest == SIZE_MAX ||
			regs->groups[i].period_ms < regs->groups[fastest].period_ms)
			fastest = i;
	}
	return fastest;
}

static void
fill_group(struct group_load *g, const struct config *c, const struct source_config *s,
	const struct plan *plan, size_t i, bool fastest)
{
	const struct group *group = &s->profile->regs.groups[i];

	g->id = group->id;
	g->period_ms = fastest && s->interval_ms ? s->interval_ms : group->period_ms;
	g->continuous = fastest && s->continuous;
	for (size_t k = plan->group_first[i]; k < plan->group_first[i + 1]; k++) {
		g->requests++;
		g->points += plan->requests[k].n_points;
		g->cycle_us += request_us(&c->buses[s->bus], s, &plan->requests[k].req);
	}
	g->late = g->period_ms && !g->continuous && g->cycle_us > g->period_ms * 1000;
}

struct group_load *
load_of_source(const struct config *c, const struct source_config *s, size_t *n)
{
	const struct plan_hints none = {0};

	*n = 0;
	if (!s->driver->needs_profile || !s->profile || s->bus == SIZE_MAX)
		return NULL;
	const struct profile *regs = &s->profile->regs;
	struct plan *plan = plan_create(regs, s->wanted, &none);
	struct group_load *list = plan ? calloc(regs->n_groups + 1, sizeof *list) : NULL;
	size_t fastest = list ? fastest_group(regs, plan) : 0;
	for (size_t i = 0; list && i < plan->n_groups; i++)
		if (plan->group_first[i] != plan->group_first[i + 1])
			fill_group(&list[(*n)++], c, s, plan, i, i == fastest);
	plan_destroy(plan);
	return list;
}

/* Share of the bus's time, in percent. */
static double
share_of(const struct config *c, const struct source_config *s)
{
	size_t n;
	struct group_load *list = load_of_source(c, s, &n);
	double share = 0;

	for (size_t i = 0; i < n; i++)
		if (list[i].period_ms && !list[i].continuous)
			share += (double)list[i].cycle_us / ((double)list[i].period_ms * 10);
	free(list);
	return share;
}

/* ---- units ------------------------------------------------------------------------------- */

static int
by_unit(const void *a, const void *b)
{
	const struct source_ref *x = a, *y = b;

	if (x->source->bus != y->source->bus)
		return x->source->bus < y->source->bus ? -1 : 1;
	if (x->source->unit != y->source->unit)
		return x->source->unit < y->source->unit ? -1 : 1;
	return (x->node->line > y->node->line) - (x->node->line < y->node->line);
}

static bool
same_unit(const struct source_config *a, const struct source_config *b)
{
	return a->bus == b->bus && a->unit == b->unit;
}

static bool
agree(const struct source_config *a, const struct source_config *b)
{
	return a->profile == b->profile && a->timeout_ms == b->timeout_ms &&
	       a->byte_timeout_ms == b->byte_timeout_ms && a->min_gap_ms == b->min_gap_ms &&
	       a->max_latency_ms == b->max_latency_ms;
}

static bool
is_polled(const struct source_ref *ref)
{
	const struct source_config *s = ref->source;

	return s->driver && s->driver->link == LINK_MODBUS && s->profile && s->bus != SIZE_MAX;
}

static void
complain_shared(struct loader *l, const struct source_ref *was, const struct source_ref *ref)
{
	char path_text[64];
	struct path path;

	snprintf(path_text, sizeof path_text, "machines[%zu].sources[%zu]", ref->machine_index,
		ref->source_index);
	reader_push(&l->r, &path, path_text, SIZE_MAX);
	reader_error(&l->r, ref->node, NULL, "P040",
		"\"%s/%s\" and \"%s/%s\" (line %d) both use bus %s unit %d, but with different %s; make "
		"them equal",
		ref->machine->id ? ref->machine->id : "?", ref->source->id ? ref->source->id : "?",
		was->machine->id ? was->machine->id : "?", was->source->id ? was->source->id : "?",
		was->node->line, l->c->buses[ref->source->bus].id, ref->source->unit,
		was->source->profile != ref->source->profile ? "profiles" : "link settings");
	reader_pop(&l->r);
}

void
loader_check_units(struct loader *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n_sources; i++)
		if (is_polled(&l->sources[i]))
			l->sources[n++] = l->sources[i];
	l->n_sources = n;
	if (n)
		qsort(l->sources, n, sizeof *l->sources, by_unit);
	for (size_t i = 1; i < n; i++) {
		const struct source_ref *was = &l->sources[i - 1], *ref = &l->sources[i];
		if (same_unit(was->source, ref->source) && !agree(was->source, ref->source))
			complain_shared(l, was, ref);
	}
}

/* ---- bus load ---------------------------------------------------------------------------- */

/* Sources of one unit are planned together: all their points, at the shortest interval. */
static struct source_config
merge(struct loader *l, const struct source_ref *first, size_t n)
{
	struct source_config all = *first->source;

	if (n == 1)
		return all;
	size_t points = all.profile->regs.n_points;
	uint8_t *wanted = arena_array(&l->scratch, points, 1);
	for (size_t i = 0; i < n; i++) {
		const struct source_config *s = first[i].source;
		for (size_t k = 0; k < points; k++)
			wanted[k] |= s->wanted[k];
		if (s->interval_ms && (!all.interval_ms || s->interval_ms < all.interval_ms))
			all.interval_ms = s->interval_ms;
		all.continuous &= s->continuous;
	}
	all.wanted = wanted;
	return all;
}

/* A thousand equal meters need not be planned a thousand times. */
struct memo {
	struct source_config source;
	enum bus_type type;
	int baud;
	char format[4];
	double share;
};

static bool
same_cost(const struct memo *m, const struct bus_config *bus, const struct source_config *s)
{
	const struct source_config *was = &m->source;

	return was->profile == s->profile && was->wanted == s->wanted &&
	       was->interval_ms == s->interval_ms && was->continuous == s->continuous &&
	       was->min_gap_ms == s->min_gap_ms && m->type == bus->type && m->baud == bus->baud &&
	       memcmp(m->format, bus->format, sizeof m->format) == 0;
}

static double
remembered_share(struct memo *memo, const struct config *c, const struct source_config *s)
{
	const struct bus_config *bus = &c->buses[s->bus];

	if (!same_cost(memo, bus, s)) {
		memo->source = *s;
		memo->type = bus->type;
		memo->baud = bus->baud;
		memcpy(memo->format, bus->format, sizeof memo->format);
		memo->share = share_of(c, s);
	}
	return memo->share;
}

static void
judge(struct loader *l, size_t i)
{
	const struct bus_config *bus = &l->c->buses[i];
	struct path path;

	reader_push(&l->r, &path, "buses", i);
	if (bus->load_pct > 100)
		reader_error(&l->r, l->bus_nodes[i], NULL, "P039",
			"bus %s: polls need %.0f %% of the time; lengthen periods (interval), read fewer "
			"points or raise baud",
			bus->id ? bus->id : "?", bus->load_pct);
	else if (bus->load_pct >= LOAD_WARN_PCT)
		reader_warning(&l->r, l->bus_nodes[i], NULL, "P039",
			"bus %s: polls need %.0f %% of the time; above 70 there is little left for retries",
			bus->id ? bus->id : "?", bus->load_pct);
	reader_pop(&l->r);
}

void
loader_check_load(struct loader *l)
{
	struct memo memo = {.share = 0};

	for (size_t i = 0, n; i < l->n_sources; i += n) {
		const struct source_ref *first = &l->sources[i];
		for (n = 1; i + n < l->n_sources && same_unit(first->source, first[n].source); n++)
			;
		const struct source_config all = merge(l, first, n);
		l->c->buses[all.bus].load_pct += remembered_share(&memo, l->c, &all);
	}
	for (size_t i = 0; i < l->c->n_lines; i++)
		judge(l, i);
}
