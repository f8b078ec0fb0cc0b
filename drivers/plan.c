/* SPDX-License-Identifier: MIT */
/* plan.c -- from points to requests
 *
 * Per group: points and what they refer to become nodes, sorted by table and address. Nodes that
 * must be read together, or that overlap, form an item, which is never split. Items are joined
 * into requests as long as limits, holes and what was learned allow. Everything is sorting and
 * single passes, so thousands of points plan in milliseconds.
 */
#include "drivers/plan.h"

#include <stdlib.h>
#include <string.h>

enum {
	REGS_MAX = 125, /* MODBUS Application Protocol V1.1b3, 6.1-6.4 */
	BITS_MAX = 2000,
	ADDRESSES = 65536,
	BITS_PER_HOLE = 8, /* a register's worth of wire time in bits, rounded down */
	NO_EXACT = -1,
};

/* A point as a member of one group (its own, or that of a point which refers to it). */
struct node {
	const struct reg_point *reg;
	uint16_t point;
	uint32_t parent; /* union-find: nodes that must be read together */
	uint32_t lo, hi; /* with a root: span of its set */
	int exact;       /* index of the exact range it lies in, or NO_EXACT */
};

struct item {
	size_t first, end; /* nodes */
	uint32_t lo, hi;
	enum table table;
	int exact;
	bool alone;  /* optional and never read, or on trial */
	bool forced; /* a request must begin here */
};

struct maker {
	const struct profile *profile;
	const uint8_t *wanted;
	const struct plan_hints *hints;
	struct plan *plan;
	struct node *nodes; /* of the group in hand */
	size_t n_nodes;
	uint32_t *node_of; /* per point: 1 + its node in this group; 0: none */
	struct item *items;
	size_t n_items;
	uint16_t *pool; /* where the next request's points go */
	uint8_t *pool_begins;
	size_t requests_cap;
};

static bool
is_register(enum table table)
{
	return table == TABLE_HOLDING || table == TABLE_INPUT;
}

static uint8_t
hint(const uint8_t *array, size_t i)
{
	return array ? array[i] : 0;
}

static bool
is_wanted(const struct maker *m, size_t i)
{
	bool wanted = m->wanted ? m->wanted[i] != 0 : m->profile->points[i].enabled;

	return wanted && hint(m->hints->unsupported, i) != 1;
}

static uint32_t
find_root(struct node *nodes, uint32_t i)
{
	while (nodes[i].parent != i) {
		nodes[i].parent = nodes[nodes[i].parent].parent;
		i = nodes[i].parent;
	}
	return i;
}

/* Longest request in this table: protocol, profile, and what the device taught us. */
static uint32_t
limit(const struct maker *m, enum table table)
{
	const struct profile_limits *l = &m->profile->limits;
	int most = is_register(table) ? REGS_MAX : BITS_MAX;
	int said = is_register(table) ? l->max_regs : l->max_bits;

	if (said > 0 && said < most)
		most = said;
	if (is_register(table) && m->hints->max_regs > 0 && m->hints->max_regs < most)
		most = m->hints->max_regs;
	return (uint32_t)most;
}

/* Joins two sets unless no request could hold the result. */
static void
join(struct maker *m, uint32_t a, uint32_t b)
{
	struct node *x, *y;
	uint32_t lo, hi;

	a = find_root(m->nodes, a);
	b = find_root(m->nodes, b);
	x = &m->nodes[a];
	y = &m->nodes[b];
	lo = x->lo < y->lo ? x->lo : y->lo;
	hi = x->hi > y->hi ? x->hi : y->hi;
	if (a == b || x->reg->table != y->reg->table ||
		hi - lo > (is_register(x->reg->table) ? REGS_MAX : BITS_MAX))
		return;
	y->parent = a;
	x->lo = lo;
	x->hi = hi;
}

static int
exact_range(const struct maker *m, unsigned group, const struct reg_point *reg)
{
	for (size_t i = 0; i < m->profile->n_exact; i++) {
		const struct exact_range *e = &m->profile->exact[i];

		if (e->group == group && e->table == reg->table && reg->address >= e->start &&
			reg->address + reg->count <= e->start + e->count)
			return (int)i;
	}
	return NO_EXACT;
}

static void add_node(struct maker *m, unsigned group, size_t point);

/* What a point refers to is read with it, also when its own group is another. */
static void
add_reference(struct maker *m, unsigned group, size_t point, int to)
{
	if (to < 0 || (size_t)to >= m->profile->n_points)
		return;
	add_node(m, group, (size_t)to);
	join(m, m->node_of[point] - 1, m->node_of[to] - 1);
}

static void
add_node(struct maker *m, unsigned group, size_t point)
{
	const struct reg_point *reg = &m->profile->points[point];
	uint32_t i = (uint32_t)m->n_nodes;

	if (m->node_of[point] != 0)
		return;
	m->nodes[i] = (struct node){.reg = reg,
		.point = (uint16_t)point,
		.parent = i,
		.lo = reg->address,
		.hi = (uint32_t)reg->address + (reg->count > 0 ? reg->count : 1),
		.exact = exact_range(m, group, reg)};
	m->n_nodes++;
	m->node_of[point] = i + 1;
	add_reference(m, group, point, reg->scale_from);
	add_reference(m, group, point, reg->sign_from);
	add_reference(m, group, point, reg->atomic_with);
}

/* By request kind first: nodes of one exact range stay together. */
static int
compare_nodes(const void *a, const void *b)
{
	const struct node *x = a, *y = b;

	if (x->reg->table != y->reg->table)
		return x->reg->table < y->reg->table ? -1 : 1;
	if (x->exact != y->exact)
		return x->exact < y->exact ? -1 : 1;
	if (x->reg->address != y->reg->address)
		return x->reg->address < y->reg->address ? -1 : 1;
	return x->point < y->point ? -1 : x->point > y->point;
}

/* Copies the span of each set into its members, then sorts; after that parents mean nothing. */
static void
sort_nodes(struct maker *m)
{
	for (uint32_t i = 0; i < m->n_nodes; i++) {
		uint32_t root = find_root(m->nodes, i);

		m->nodes[i].lo = m->nodes[root].lo;
		m->nodes[i].hi = m->nodes[root].hi;
	}
	for (size_t i = 0; i < m->n_nodes; i++)
		m->node_of[m->nodes[i].point] = 0;
	qsort(m->nodes, m->n_nodes, sizeof(*m->nodes), compare_nodes);
}

static bool
is_alone(const struct maker *m, const struct node *n)
{
	if (hint(m->hints->unsupported, n->point) == 2)
		return true;
	return n->reg->point.optional && !hint(m->hints->proven, n->point);
}

static uint32_t
node_end(const struct node *n)
{
	return (uint32_t)n->reg->address + (n->reg->count > 0 ? n->reg->count : 1);
}

/* Nodes whose sets overlap become one item. */
static void
make_items(struct maker *m)
{
	struct item *it = NULL;
	uint32_t reach = 0;

	m->n_items = 0;
	for (size_t i = 0; i < m->n_nodes; i++) {
		const struct node *n = &m->nodes[i];

		if (!it || it->table != n->reg->table || it->exact != n->exact ||
			n->reg->address >= reach) {
			it = &m->items[m->n_items++];
			*it = (struct item){.first = i,
				.lo = n->reg->address,
				.hi = node_end(n),
				.table = n->reg->table,
				.exact = n->exact,
				.forced = hint(m->hints->split, n->point)};
			reach = 0;
		}
		it->end = i + 1;
		if (node_end(n) > it->hi)
			it->hi = node_end(n);
		if (n->hi > reach)
			reach = n->hi;
		it->alone |= is_alone(m, n);
	}
}

static uint32_t
align_of(const struct maker *m, enum table table)
{
	int align = m->profile->limits.align;

	return is_register(table) && align > 1 ? (uint32_t)align : 1;
}

/* Registers or bits that may lie between two items of one request. */
static uint32_t
hole_of(const struct maker *m, enum table table)
{
	const struct profile_limits *l = &m->profile->limits;
	int hole = m->hints->max_hole > 0 ? m->hints->max_hole : PLAN_HOLE;

	if (!l->holes || l->max_hole == 0 || m->hints->no_holes)
		return align_of(m, table) - 1; /* filling up to the alignment is no hole */
	if (l->max_hole > 0)
		return (uint32_t)l->max_hole;
	return (uint32_t)(is_register(table) ? hole : hole * BITS_PER_HOLE);
}

static uint32_t
round_down(uint32_t x, uint32_t align)
{
	return x - x % align;
}

static uint32_t
round_up(uint32_t x, uint32_t align)
{
	uint32_t up = round_down(x + align - 1, align);

	return up <= ADDRESSES ? up : ADDRESSES;
}

static bool
may_append(const struct maker *m, unsigned group, const struct item *last, const struct item *it,
	uint32_t start)
{
	uint32_t align = align_of(m, it->table);
	bool atomic = m->profile->group_atomic && m->profile->group_atomic[group];

	if (it->table != last->table || it->exact != last->exact)
		return false;
	if (it->exact != NO_EXACT)
		return true;
	if (round_up(it->hi, align) - start > limit(m, it->table))
		return false;
	if (atomic)
		return true;
	if (it->forced || it->alone || last->alone)
		return false;
	return it->lo <= last->hi || it->lo - last->hi <= hole_of(m, it->table);
}

static bool
grow_requests(struct plan *plan, size_t *cap)
{
	size_t more = *cap > 0 ? 2 * *cap : 4;
	struct plan_request *r;

	if (plan->n_requests < *cap)
		return true;
	r = realloc(plan->requests, more * sizeof(*r));
	if (!r)
		return false;
	plan->requests = r;
	*cap = more;
	return true;
}

static void
fill_points(
	struct maker *m, struct plan_request *r, const struct item *first, const struct item *last)
{
	bool atomic = first->exact != NO_EXACT ||
		      (m->profile->group_atomic && m->profile->group_atomic[r->group]);

	r->points = m->pool;
	r->begins = m->pool_begins;
	for (const struct item *it = first; it <= last; it++) {
		for (size_t i = it->first; i < it->end; i++) {
			r->points[r->n_points] = m->nodes[i].point;
			r->begins[r->n_points] = i == it->first && it > first && !atomic;
			r->n_points++;
		}
		r->unproven |= it->alone;
		r->has_holes |= it > first && it->lo > it[-1].hi;
	}
	m->pool += r->n_points;
	m->pool_begins += r->n_points;
}

static bool
emit(struct maker *m, unsigned group, const struct item *first, const struct item *last)
{
	struct plan *plan = m->plan;
	uint32_t align = align_of(m, first->table), lo = round_down(first->lo, align),
		 hi = first->hi;
	struct plan_request *r;

	if (!grow_requests(plan, &m->requests_cap))
		return false;
	for (const struct item *it = first; it <= last; it++)
		hi = it->hi > hi ? it->hi : hi;
	hi = round_up(hi, align);
	if (first->exact != NO_EXACT) {
		lo = m->profile->exact[first->exact].start;
		hi = lo + m->profile->exact[first->exact].count;
	}
	r = &plan->requests[plan->n_requests];
	*r = (struct plan_request){.group = group,
		.req = {.table = first->table,
			.address = (uint16_t)lo,
			.count = (uint16_t)(hi - lo),
			.index = (unsigned)plan->n_requests}};
	plan->n_requests++;
	fill_points(m, r, first, last);
	return true;
}

static bool
make_requests(struct maker *m, unsigned group)
{
	size_t first = 0;

	for (size_t i = 1; i <= m->n_items; i++) {
		const struct item *it = &m->items[i];
		uint32_t start = round_down(m->items[first].lo, align_of(m, m->items[first].table));

		if (i < m->n_items && may_append(m, group, it - 1, it, start))
			continue;
		if (!emit(m, group, &m->items[first], it - 1))
			return false;
		first = i;
	}
	return true;
}

/* Indices of the wanted points, those of one group together; group g: order[first[g]..). */
static void
sort_by_group(const struct maker *m, uint16_t *order, size_t *first)
{
	const struct profile *p = m->profile;

	for (size_t i = 0; i < p->n_points; i++) {
		if (is_wanted(m, i))
			first[p->points[i].point.group + 1]++;
	}
	for (size_t g = 0; g < p->n_groups; g++)
		first[g + 1] += first[g];
	for (size_t i = p->n_points; i-- > 0;) {
		if (is_wanted(m, i))
			order[--first[p->points[i].point.group + 1]] = (uint16_t)i;
	}
	/* each entry was counted down to where its group begins */
	memmove(first, first + 1, p->n_groups * sizeof(*first));
}

/* How many nodes all groups have together: bounds the pool of request points. */
static size_t
collect(struct maker *m, unsigned group, const uint16_t *order, size_t n)
{
	m->n_nodes = 0;
	for (size_t i = 0; i < n; i++)
		add_node(m, group, order[i]);
	sort_nodes(m);
	return m->n_nodes;
}

static bool
make_groups(struct maker *m, const uint16_t *order, const size_t *first, size_t n_wanted)
{
	size_t n_groups = m->profile->n_groups, total = 0;
	uint16_t *pool;

	for (size_t g = 0; g < n_groups; g++) {
		size_t end = g + 1 < n_groups ? first[g + 1] : n_wanted;

		total += collect(m, (unsigned)g, order + first[g], end - first[g]);
	}
	pool = m->plan->pool = malloc(total * (sizeof(*pool) + 1) + 1);
	if (!pool)
		return false;
	m->pool = pool;
	m->pool_begins = (uint8_t *)(pool + total);
	for (size_t g = 0; g < n_groups; g++) {
		size_t end = g + 1 < n_groups ? first[g + 1] : n_wanted;

		m->plan->group_first[g] = m->plan->n_requests;
		collect(m, (unsigned)g, order + first[g], end - first[g]);
		make_items(m);
		if (!make_requests(m, (unsigned)g))
			return false;
	}
	m->plan->group_first[n_groups] = m->plan->n_requests;
	return true;
}

static struct plan *
plan_empty(size_t n_groups)
{
	struct plan *plan = calloc(1, sizeof(*plan));

	if (!plan)
		return NULL;
	plan->n_groups = n_groups;
	plan->group_first = calloc(n_groups + 1, sizeof(*plan->group_first));
	if (!plan->group_first) {
		free(plan);
		return NULL;
	}
	return plan;
}

struct plan *
plan_create(const struct profile *profile, const uint8_t *wanted, const struct plan_hints *hints)
{
	static const struct plan_hints none = {.no_holes = false};
	size_t n = profile->n_points, n_wanted = 0;
	struct maker m = {.profile = profile, .wanted = wanted, .hints = hints ? hints : &none};
	uint16_t *order = malloc((n + 1) * sizeof(*order));
	size_t *first = calloc(profile->n_groups + 2, sizeof(*first));
	bool ok = false;

	m.plan = plan_empty(profile->n_groups);
	m.nodes = malloc((n + 1) * sizeof(*m.nodes));
	m.items = malloc((n + 1) * sizeof(*m.items));
	m.node_of = calloc(n + 1, sizeof(*m.node_of));
	if (order && first && m.plan && m.nodes && m.items && m.node_of) {
		for (size_t i = 0; i < n; i++)
			n_wanted += is_wanted(&m, i);
		sort_by_group(&m, order, first);
		ok = make_groups(&m, order, first, n_wanted);
	}
	free(order);
	free(first);
	free(m.nodes);
	free(m.items);
	free(m.node_of);
	if (!ok) {
		plan_destroy(m.plan);
		return NULL;
	}
	return m.plan;
}

void
plan_destroy(struct plan *plan)
{
	if (!plan)
		return;
	free(plan->requests);
	free(plan->pool);
	free(plan->group_first);
	free(plan);
}
