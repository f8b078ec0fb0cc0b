/* SPDX-License-Identifier: MIT */
/* profile_check.c -- what only shows when the points of a profile are looked at together */
#include <stdlib.h>
#include <string.h>

#include "config/profile_load.h"
#include "config/rules.h"

static const struct node *
at(const struct point_draft *d, const char *key)
{
	const struct node *node = node_get(d->node, key);

	return node ? node : d->node;
}

static int
find_point(const struct profile_loader *l, const char *id)
{
	for (size_t i = 0; i < l->n_points; i++)
		if (l->points[i].id && strcmp(l->points[i].id, id) == 0)
			return (int)i;
	return -1;
}

static const char *const *
point_names(const struct profile_loader *l, struct reader *r)
{
	const char **names = arena_array(r->arena, l->n_points + 1, sizeof *names);
	size_t n = 0;

	for (size_t i = 0; i < l->n_points; i++)
		if (l->points[i].id)
			names[n++] = l->points[i].id;
	return names;
}

static void
check_unique_points(struct profile_loader *l)
{
	for (size_t i = 0; i < l->n_points; i++) {
		const struct point_draft *d = &l->points[i];
		int first = d->id ? find_point(l, d->id) : (int)i;
		if (first == (int)i)
			continue;
		l->r.file = d->file;
		reader_error(&l->r, at(d, "id"), NULL, "P005",
			"point \"%s\" is defined twice (lines %d and %d)", d->id,
			l->points[first].node->line, d->node->line);
	}
}

static void
check_unique_groups(struct profile_loader *l)
{
	for (size_t i = 0; i < l->n_groups; i++)
		for (size_t k = 0; k < i; k++)
			if (l->groups[i].g.id && l->groups[k].g.id &&
				strcmp(l->groups[i].g.id, l->groups[k].g.id) == 0)
				reader_error(&l->r, l->groups[i].node, NULL, "P005",
					"group \"%s\" is defined twice (lines %d and %d)",
					l->groups[i].g.id, l->groups[k].node->line,
					l->groups[i].node->line);
}

static void
resolve_group(struct profile_loader *l, struct point_draft *d)
{
	const char **names = arena_array(l->scratch, l->n_groups + 1, sizeof *names);
	size_t n = 0;

	for (size_t i = 0; i < l->n_groups && d->group; i++) {
		if (!l->groups[i].g.id)
			continue;
		names[n++] = l->groups[i].g.id;
		if (strcmp(d->group, l->groups[i].g.id) == 0) {
			d->p.point.group = (unsigned)i;
			return;
		}
	}
	if (d->group)
		reader_error(&l->r, at(d, "group"), "group", "P025",
			"group \"%.40s\" is not defined%s", d->group,
			reader_hint(&l->r, d->group, names));
}

/* Registers from the first of both to the last. */
static int
reach(const struct reg_point *a, const struct reg_point *b)
{
	int start = a->address < b->address ? a->address : b->address;
	int end_a = a->address + a->count, end_b = b->address + b->count;

	return (end_a > end_b ? end_a : end_b) - start;
}

int
profile_most(const struct profile_limits *limits, enum table table)
{
	if (table == TABLE_COIL || table == TABLE_DISCRETE)
		return limits->max_bits > 0 ? limits->max_bits : 2000;
	return limits->max_regs > 0 ? limits->max_regs : 125;
}

/* Both must come from one request. */
static void
check_together(struct profile_loader *l, const struct point_draft *d,
	const struct point_draft *other, const char *key)
{
	const struct profile_limits *limits = &l->d.limits;
	int most = profile_most(limits, d->p.table);

	if (d->p.table != other->p.table)
		reader_error(&l->r, at(d, key), key, "P016",
			"\"%s\" is in another table than \"%s\"", other->id, d->id);
	else if (d->p.point.group != other->p.point.group)
		reader_error(&l->r, at(d, key), key, "P016",
			"\"%s\" is in another group than \"%s\"", other->id, d->id);
	else if (reach(&d->p, &other->p) > most)
		reader_error(&l->r, at(d, key), key, "P016",
			"\"%s\" at %d cannot be read together with \"%s\" at %d; a request holds %d",
			other->id, other->p.address, d->id, d->p.address, most);
}

static int
resolve(struct profile_loader *l, const struct point_draft *d, const char *id, const char *key)
{
	if (!id)
		return -1;
	int index = find_point(l, id);
	if (index < 0 || &l->points[index] == d) {
		reader_error(&l->r, at(d, key), key, "P015", "the referenced point \"%.40s\" %s%s",
			id, index < 0 ? "does not exist" : "is this one",
			reader_hint(&l->r, id, point_names(l, &l->r)));
		return -1;
	}
	check_together(l, d, &l->points[index], key);
	return index;
}

static void
resolve_references(struct profile_loader *l, struct point_draft *d)
{
	struct scale_from_draft from = {0};
	struct path path;

	d->p.sign_from = resolve(l, d, d->sign_from, "sign_from");
	d->p.atomic_with = resolve(l, d, d->atomic_with, "atomic_with");
	d->p.scale_from = -1;
	if (!d->scale_from)
		return;
	reader_push(&l->r, &path, "scale_from", SIZE_MAX);
	keys_read(&l->r, &scale_from_table, d->scale_from, &from);
	reader_pop(&l->r);
	d->p.scale_mode = from.mode;
	d->p.scale_from = resolve(l, d, from.point, "scale_from");
	if (d->p.scale_from >= 0 && !profile_types[l->points[d->p.scale_from].p.type].is_integer)
		reader_error(&l->r, d->scale_from, "scale_from", "P015",
			"\"%s\" must be an integer to be an exponent", from.point);
}

/* A scale may itself not depend on another scale, however far away. */
static void
check_cycle(struct profile_loader *l, const struct point_draft *d)
{
	const struct point_draft *next = d;

	for (size_t steps = 0; steps <= l->n_points; steps++) {
		int from = next->p.scale_from >= 0 ? next->p.scale_from : next->p.sign_from;
		if (from < 0)
			return;
		next = &l->points[from];
		if (next != d)
			continue;
		reader_error(&l->r, d->node, NULL, "P017",
			"\"%s\" refers to itself through scale_from or sign_from", d->id);
		return;
	}
}

static bool
covers(const struct exact_range *e, const struct point_draft *d)
{
	return e->group == d->p.point.group && e->table == d->p.table && d->p.address >= e->start &&
	       d->p.address + d->p.count <= e->start + e->count;
}

static void
check_exact(struct profile_loader *l, const struct point_draft *d)
{
	const struct profile *regs = &l->out->regs;
	const struct exact_range *other = NULL;

	for (size_t i = 0; i < regs->n_exact; i++) {
		const struct exact_range *e = &regs->exact[i];
		if (covers(e, d))
			return;
		if (e->group == d->p.point.group)
			other = e;
	}
	if (other)
		reader_error(&l->r, d->node, NULL, "P026",
			"point \"%s\" (0x%02X) is outside exact range 0x%02X+%d of its group",
			d->id, d->p.address, other->start, other->count);
}

static int
by_address(const void *a, const void *b)
{
	const struct point_draft *x = *(struct point_draft *const *)a,
				 *y = *(struct point_draft *const *)b;

	if (x->p.table != y->p.table)
		return x->p.table < y->p.table ? -1 : 1;
	return (x->p.address > y->p.address) - (x->p.address < y->p.address);
}

/* Bit fields of one register overlap on purpose: same place, same type. */
static void
check_overlaps(struct profile_loader *l)
{
	struct point_draft **list = arena_array(l->scratch, l->n_points + 1, sizeof *list);
	const struct point_draft *last = NULL; /* the one that reaches furthest */

	for (size_t i = 0; i < l->n_points; i++)
		list[i] = &l->points[i];
	qsort(list, l->n_points, sizeof *list, by_address);
	for (size_t i = 0; i < l->n_points; i++) {
		const struct point_draft *d = list[i];
		bool overlap = last && last->p.table == d->p.table &&
			       d->p.address < last->p.address + last->p.count;
		bool same =
			overlap && last->p.address == d->p.address && last->p.count == d->p.count;
		l->r.file = d->file;
		if (overlap && !same && !d->broken && !last->broken)
			reader_warning(&l->r, d->node, NULL, "P024",
				"\"%s\" (0x%02X, %d) overlaps \"%s\" (0x%02X, %d)", d->id,
				d->p.address, d->p.count, last->id, last->p.address, last->p.count);
		if (!overlap || d->p.address + d->p.count > last->p.address + last->p.count)
			last = d;
	}
}

static void
read_exact(struct profile_loader *l, size_t group, const struct node *node, struct exact_range *out)
{
	struct exact_draft e = {0};
	const struct profile_limits *limits = &l->d.limits;

	keys_read(&l->r, &exact_table, node, &e);
	*out = e.range;
	out->group = (unsigned)group;
	out->start = (uint16_t)e.start;
	out->count = (uint16_t)e.count;
	int most = profile_most(limits, out->table);
	if (e.count > most || e.start + e.count > 65536)
		reader_error(&l->r, node, "exact", "P026",
			"%d + %d passes the limit of %d or the table", e.start, e.count, most);
}

static void
settle_groups(struct profile_loader *l)
{
	struct profile *regs = &l->out->regs;
	size_t n = 0;

	for (size_t i = 0; i < l->n_groups; i++)
		n += l->groups[i].exact ? l->groups[i].exact->n : 0;
	regs->n_groups = l->n_groups;
	regs->groups = arena_array(l->r.arena, l->n_groups, sizeof *regs->groups);
	regs->group_atomic = arena_array(l->r.arena, l->n_groups, sizeof *regs->group_atomic);
	regs->exact = arena_array(l->r.arena, n, sizeof *regs->exact);
	for (size_t i = 0; i < l->n_groups; i++) {
		const struct group_draft *g = &l->groups[i];
		l->r.file = g->file;
		regs->groups[i] = g->g;
		regs->group_atomic[i] = g->atomic;
		if (g->g.period_ms && g->g.period_ms < 100)
			reader_error(&l->r, g->node, "period", "P025",
				"a period is 100ms or more, or 0s for once after each connection");
		const struct node *child = g->exact ? g->exact->first : NULL;
		for (; child; child = child->next)
			read_exact(l, i, child, &regs->exact[regs->n_exact++]);
	}
	check_unique_groups(l);
}

static bool
scope_find(const void *self, const char *name, struct point_facts *out)
{
	const struct profile_loader *l = self;
	int index = find_point(l, name);

	if (index < 0)
		return false;
	*out = rules_point_facts(&l->points[index].p);
	unsigned group = l->points[index].p.point.group;
	out->period_ms = group < l->n_groups ? l->groups[group].g.period_ms : 0;
	return true;
}

static const char *const *
scope_names(const void *self, struct reader *r, const char *name)
{
	(void)name;
	return point_names(self, r);
}

static void
read_rules(struct profile_loader *l)
{
	struct profile_file *out = l->out;
	const struct rule_scope scope = {
		.self = l, .find_point = scope_find, .names = scope_names, .profile = true};

	profile_enter(l, "alarms");
	rules_read_alarms(&l->r, &scope, l->d.alarms, &out->faults, &out->n_faults);
	profile_enter(l, "usage");
	rules_read_usage(&l->r, &scope, l->d.usage, &out->usage, &out->n_usage);
	profile_enter(l, NULL);
}

static void
store_points(struct profile_loader *l)
{
	struct profile *regs = &l->out->regs;

	regs->points = arena_array(l->r.arena, l->n_points, sizeof *regs->points);
	regs->n_points = l->n_points;
	for (size_t i = 0; i < l->n_points; i++)
		regs->points[i] = l->points[i].p;
}

void
profile_check(struct profile_loader *l)
{
	struct path path;

	settle_groups(l);
	for (size_t i = 0; i < l->n_points; i++) {
		l->r.file = l->points[i].file;
		reader_push(&l->r, &path, "points", i);
		profile_point_settle(l, &l->points[i]);
		resolve_group(l, &l->points[i]);
		reader_pop(&l->r);
	}
	check_unique_points(l);
	for (size_t i = 0; i < l->n_points; i++) {
		l->r.file = l->points[i].file;
		reader_push(&l->r, &path, "points", i);
		if (!l->points[i].broken) {
			resolve_references(l, &l->points[i]);
			check_exact(l, &l->points[i]);
		}
		reader_pop(&l->r);
	}
	for (size_t i = 0; i < l->n_points; i++) {
		l->r.file = l->points[i].file;
		check_cycle(l, &l->points[i]);
	}
	check_overlaps(l);
	read_rules(l);
	store_points(l);
}
