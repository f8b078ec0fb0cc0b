/* SPDX-License-Identifier: MIT */
/* machine.c -- machines of the configuration: sources, usage rules, alarms */
#include <stdlib.h>
#include <string.h>

#include "config/loader.h"
#include "config/rules.h"

enum { SOURCES_MAX = 64 };

/* ---- what names in a machine's rules mean ------------------------------------------------ */

static const struct source_config *
find_source(const struct machine_config *m, const char *id, size_t len)
{
	for (size_t i = 0; i < m->n_sources; i++)
		if (m->sources[i].id && strncmp(m->sources[i].id, id, len) == 0 &&
			m->sources[i].id[len] == '\0')
			return &m->sources[i];
	return NULL;
}

static bool
scope_source(const void *self, const char *id)
{
	return find_source(self, id, strlen(id)) != NULL;
}

/* How often the source reads the point: its interval replaces the period of the fastest group. */
static int64_t
point_period_ms(const struct source_config *s, const struct reg_point *p)
{
	const struct profile *regs = &s->profile->regs;
	int64_t period_ms = regs->groups[p->point.group].period_ms;

	for (size_t i = 0; i < regs->n_groups; i++)
		if (regs->groups[i].period_ms > 0 && regs->groups[i].period_ms < period_ms)
			return period_ms;
	if (period_ms == 0 || s->continuous)
		return 0;
	return s->interval_ms ? s->interval_ms : period_ms;
}

static bool
scope_point(const void *self, const char *name, struct point_facts *out)
{
	const char *dot = strchr(name, '.');
	const struct source_config *s = dot ? find_source(self, name, (size_t)(dot - name)) : NULL;

	*out = (struct point_facts){.shape = SHAPE_UNKNOWN};
	if (!s)
		return false;
	if (!s->profile)
		return true; /* told already */
	const struct profile *regs = &s->profile->regs;
	for (size_t i = 0; i < regs->n_points; i++) {
		if (strcmp(regs->points[i].point.id, dot + 1) != 0)
			continue;
		*out = rules_point_facts(&regs->points[i]);
		out->period_ms = point_period_ms(s, &regs->points[i]);
		return s->wanted[i];
	}
	return false;
}

static size_t
count_points(const struct machine_config *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_sources; i++)
		n += m->sources[i].profile ? m->sources[i].profile->regs.n_points : 0;
	return n;
}

static const char *const *
scope_names(const void *self, struct reader *r, const char *name)
{
	const struct machine_config *m = self;
	const char **names = arena_array(r->arena, count_points(m) + 1, sizeof *names);
	size_t n = 0;

	(void)name;
	for (size_t i = 0; i < m->n_sources; i++) {
		const struct source_config *s = &m->sources[i];
		for (size_t k = 0; s->profile && k < s->profile->regs.n_points; k++)
			if (s->wanted[k])
				names[n++] = arena_printf(r->arena, "%s.%s", s->id ? s->id : "?",
					s->profile->regs.points[k].point.id);
	}
	return names;
}

/* ---- alarms that change one of a profile ------------------------------------------------- */

/* The profile's alarm that is published as `code`. */
static const struct alarm_rule *
find_profile_alarm(const struct machine_config *m, const char *code)
{
	char own[96];

	for (size_t i = 0; i < m->n_sources; i++) {
		const struct source_config *s = &m->sources[i];
		for (size_t k = 0; s->id && s->profile && k < s->profile->n_faults; k++) {
			alarm_code(own, sizeof own, s->id, s->profile->faults[k].code);
			if (strcmp(own, code) == 0)
				return &s->profile->faults[k];
		}
	}
	return NULL;
}

static bool
is_silent_code(const struct machine_config *m, const char *code)
{
	char own[96];

	for (size_t i = 0; i < m->n_sources; i++) {
		alarm_code(own, sizeof own, m->sources[i].id ? m->sources[i].id : "", "silent");
		if (strcmp(own, code) == 0)
			return true;
	}
	return false;
}

/* An alarm without condition takes from the one that it changes what it does not say itself. */
static void
inherit(struct loader *l, const struct machine_config *m, const struct node *node,
	struct alarm_rule *rule)
{
	const struct alarm_rule *base = find_profile_alarm(m, rule->code);

	if (!base) {
		if (!is_silent_code(m, rule->code))
			reader_error(&l->r, node, NULL, NULL,
				"alarm \"%.64s\" has no condition, and nothing here has an alarm of that "
				"code to change",
				rule->code);
		return;
	}
	if (!node_get(node, "severity"))
		rule->severity = base->severity;
	if (!rule->text.ru && !rule->text.en)
		rule->text = base->text;
	if (!rule->hint.ru && !rule->hint.en)
		rule->hint = base->hint;
}

static void
inherit_all(struct loader *l, struct machine_config *m, const struct node *list)
{
	struct path path;
	size_t i = 0;

	/* With an error the rules do not match their nodes any more. */
	if (!list || m->n_alarms != list->n)
		return;
	for (const struct node *child = list->first; child; child = child->next, i++) {
		reader_push(&l->r, &path, "alarms", i);
		if (m->alarms[i].silent)
			inherit(l, m, child, &m->alarms[i]);
		reader_pop(&l->r);
	}
}

/* ---- machines ---------------------------------------------------------------------------- */

static void
read_sources(struct loader *l, const struct node *list, struct machine_config *m)
{
	struct path path;

	if (!list || list->n == 0 || list->n > SOURCES_MAX) {
		if (list)
			reader_error(&l->r, list, "sources", NULL, "1 to %d sources are allowed",
				SOURCES_MAX);
		return;
	}
	m->sources = arena_array(l->r.arena, list->n, sizeof *m->sources);
	for (const struct node *child = list->first; child; child = child->next) {
		reader_push(&l->r, &path, "sources", m->n_sources);
		loader_source(l, child, m);
		reader_pop(&l->r);
	}
}

/* "a_b" and "a-b" would raise alarms of the same code. */
static void
check_codes(struct loader *l, const struct node *list, const struct machine_config *m)
{
	const struct node *child = list ? list->first : NULL;
	char a[96], b[96];

	for (size_t i = 0; child && i < m->n_sources; i++, child = child->next) {
		for (size_t k = 0; k < i && m->sources[i].id && m->sources[k].id; k++) {
			alarm_code(a, sizeof a, m->sources[i].id, "");
			alarm_code(b, sizeof b, m->sources[k].id, "");
			if (strcmp(a, b) == 0 && strcmp(m->sources[i].id, m->sources[k].id) != 0)
				reader_error(&l->r, node_get(child, "id"), "id", NULL,
					"\"%s\" and \"%s\" would have alarms of the same code; "
					"they must differ in more than - and _",
					m->sources[k].id, m->sources[i].id);
		}
	}
}

static void
read_machine(struct loader *l, const struct node *node, struct machine_config *m)
{
	struct machine_draft d = {.m = {.class = "other"}};

	keys_read(&l->r, &machine_table, node, &d);
	*m = d.m;
	if (!m->asset)
		m->asset = m->id;
	if (!m->title.ru && !m->title.en)
		m->title.en = m->id;
	read_sources(l, d.sources, m);
	check_codes(l, d.sources, m);
	const struct rule_scope scope = {.self = m,
		.find_point = scope_point,
		.names = scope_names,
		.find_source = scope_source};
	rules_read_usage(&l->r, &scope, d.usage, &m->usage, &m->n_usage);
	rules_read_alarms(&l->r, &scope, d.alarms, &m->alarms, &m->n_alarms);
	inherit_all(l, m, d.alarms);
}

static size_t
count_sources(const struct node *list)
{
	size_t n = 0;

	for (const struct node *child = list->first; child; child = child->next) {
		const struct node *sources = node_get(child, "sources");
		n += sources && sources->n <= SOURCES_MAX ? sources->n : 0;
	}
	return n;
}

static void
remember_sources(
	struct loader *l, const struct node *node, const struct machine_config *m, size_t at)
{
	const struct node *list = node_get(node, "sources"), *child = list ? list->first : NULL;

	for (size_t i = 0; i < m->n_sources; i++, child = child->next)
		l->sources[l->n_sources++] = (struct source_ref){.source = &m->sources[i],
			.machine = m,
			.node = child,
			.machine_index = at,
			.source_index = i};
}

/* Running hours and jobs belong to an asset, and two machines would both count into them. */
static void
check_asset(struct loader *l, struct names *assets, const struct node *node, size_t at)
{
	const struct machine_config *m = &l->c->machines[at];
	const struct node *asset = node_get(node, "asset");
	size_t other = m->asset ? names_add(assets, m->asset, at) : SIZE_MAX;

	if (other != SIZE_MAX)
		reader_error(&l->r, asset ? asset : node_get(node, "id"), asset ? "asset" : "id",
			NULL,
			"asset \"%.80s\" is that of machine \"%s\" already; each machine needs its "
			"own (default: its id)",
			m->asset, l->c->machines[other].id ? l->c->machines[other].id : "?");
}

void
loader_machines(struct loader *l)
{
	const struct node *list = l->d.machines;
	struct names ids = {.arena = &l->scratch}, assets = {.arena = &l->scratch};
	struct config *c = l->c;
	struct path path;

	if (!list)
		return;
	size_t n = count_sources(list);
	c->machines = arena_array(l->r.arena, list->n, sizeof *c->machines);
	c->profiles = arena_array(l->r.arena, n, sizeof(struct profile_file *));
	l->profiles = arena_array(&l->scratch, n, sizeof *l->profiles);
	l->sources = arena_array(&l->scratch, n, sizeof *l->sources);
	l->profile_names.arena = &l->scratch;
	for (const struct node *child = list->first; child; child = child->next) {
		size_t i = c->n_machines++;
		struct machine_config *m = &c->machines[i];
		reader_push(&l->r, &path, "machines", i);
		read_machine(l, child, m);
		remember_sources(l, child, m, i);
		size_t was = m->id ? names_add(&ids, m->id, i) : SIZE_MAX;
		if (was != SIZE_MAX)
			reader_error(&l->r, node_get(child, "id"), "id", NULL,
				"machine \"%s\" is defined twice", m->id);
		else
			check_asset(l, &assets, child, i);
		reader_pop(&l->r);
	}
}
