/* SPDX-License-Identifier: MIT */
/* fleet.c -- the parks as figures
 *
 * Counted when somebody asks: a message comes thousands of times more often than a scrape.
 */
#include "cli/alertmanager/fleet.h"

#include <stdlib.h>
#include <string.h>

#include "config/exposition.h"

static const char *const gateway_states[] = {"offline", "online"};

/* ---- counting ---------------------------------------------------------------------------------
 */

static void
begin_rows(const struct picture *p, struct fleet *f)
{
	for (struct map_node *i = p->parks.first; i; i = i->next) {
		struct picture_park *park = (struct picture_park *)i;
		struct fleet_row *row = &f->rows[f->n++];
		park->row = row;
		strncpy(row->park, park->node.key, sizeof row->park - 1);
		memcpy(row->jobs, park->jobs, sizeof row->jobs);
		row->heard_ms = park->heard_ms;
	}
}

/* Machines of one gateway mostly stand together, so the last answer is often the next. */
struct last_gateway {
	const struct picture_park *park;
	const char *id;
	bool online;
};

static bool
is_reachable(const struct picture *p, const struct picture_machine *m, struct last_gateway *last)
{
	if (last->park == m->thing.park && !strcmp(last->id, m->gateway))
		return last->online;
	const struct picture_gateway *g = picture_gateway(p, m->thing.park->node.key, m->gateway);
	*last = (struct last_gateway){m->thing.park, m->gateway, g && g->told && !g->offline};
	return last->online;
}

static void
count_machines(const struct picture *p)
{
	struct last_gateway last = {0};

	for (const struct map_node *i = p->machines.first; i; i = i->next) {
		const struct picture_machine *m = (const struct picture_machine *)i;
		if (!m->has_state)
			continue;
		bool reachable = is_reachable(p, m, &last);
		struct fleet_row *row = m->thing.park->row;
		row->machines[reachable ? m->state : PICTURE_OFFLINE]++;
		row->jobs_running += reachable && m->has_job;
	}
}

static void
count_alarm(const struct picture_alarm *a)
{
	for (size_t i = 0; a->firing && i < PICTURE_SEVERITIES; i++)
		a->thing.park->row->alarms[i] += !strcmp(a->severity, picture_severities[i]);
}

struct fleet
fleet_count(const struct picture *p)
{
	struct fleet f = {.rows = calloc(p->parks.n + 1, sizeof *f.rows)};

	if (!f.rows)
		return f;
	begin_rows(p, &f);
	count_machines(p);
	for (const struct map_node *i = p->alarms.first; i; i = i->next)
		count_alarm((const struct picture_alarm *)i);
	for (const struct map_node *i = p->gateways.first; i; i = i->next) {
		const struct picture_gateway *g = (const struct picture_gateway *)i;
		g->thing.park->row->gateways[!g->offline] += g->told;
	}
	return f;
}

void
fleet_finish(struct fleet *f)
{
	free(f->rows);
	*f = (struct fleet){0};
}

/* ---- printing ---------------------------------------------------------------------------------
 */

#define PARK(function, expr) EXPOSITION_VALUE(function, struct fleet_row, r, expr)

PARK(running, r->jobs_running)
PARK(started, r->jobs[PICTURE_STARTED])
PARK(finished, r->jobs[PICTURE_FINISHED])
PARK(failed, r->jobs[PICTURE_FAILED])
PARK(heard, r->heard_ms / 1e3)

static const struct exposition_family of_park[] = {
	{"labpulse_fleet_jobs_running", EXPOSITION_GAUGE,
		"Jobs under way on machines that can be reached.", running},
	{"labpulse_fleet_jobs_started", EXPOSITION_COUNTER,
		"By how much the totals of the assets grew since the bridge knows them.", started},
	{"labpulse_fleet_jobs_finished", EXPOSITION_COUNTER, "The same of jobs that finished.",
		finished},
	{"labpulse_fleet_jobs_failed", EXPOSITION_COUNTER,
		"The same of jobs that ended by a fault or without power.", failed},
	{"labpulse_fleet_last_message_timestamp_seconds", EXPOSITION_GAUGE,
		"When a gateway of the park was last heard of; 0: not known.", heard},
};

static const struct spread { /* one sample for each of several words */
	const char *name, *help, *label;
	const char *const *words;
	size_t n, at; /* words; where the size_t of the first one is in a row */
} spreads[] = {
	{"labpulse_fleet_machines", "Machines; those behind a gateway that is offline are so, too.",
		"state", picture_states, PICTURE_STATES, offsetof(struct fleet_row, machines)},
	{"labpulse_fleet_alarms", "Active alarms that nothing suppresses.", "severity",
		picture_severities, PICTURE_SEVERITIES, offsetof(struct fleet_row, alarms)},
	{"labpulse_fleet_gateways", "Gateways.", "state", gateway_states, 2,
		offsetof(struct fleet_row, gateways)},
};

static void
print_spread(struct exposition *e, const struct fleet *f, const struct spread *s)
{
	exposition_family(e, s->name, EXPOSITION_GAUGE, s->help);
	for (const struct fleet_row *row = f->rows; row < f->rows + f->n; row++) {
		const size_t *counts = (const size_t *)(const void *)((const char *)row + s->at);
		for (size_t i = 0; i < s->n; i++)
			exposition_sample(e,
				(struct exposition_label[]){
					{"park", row->park}, {s->label, s->words[i]}, {NULL, NULL}},
				(double)counts[i]);
	}
}

static const char *
name_of(const void *row)
{
	return ((const struct fleet_row *)row)->park;
}

void
fleet_print(struct exposition *e, const struct fleet *f)
{
	for (size_t i = 0; i < sizeof spreads / sizeof spreads[0]; i++)
		print_spread(e, f, &spreads[i]);
	exposition_table(e, of_park, sizeof of_park / sizeof of_park[0], f->rows, f->n,
		sizeof *f->rows, "park", name_of);
}
