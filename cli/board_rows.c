/* SPDX-License-Identifier: MIT */
/* board_rows.c -- machines in the order in which somebody should look at them */
#include <stdlib.h>
#include <string.h>

#include "cli/board_impl.h"

bool
row_alarm_counts(const struct row_alarm *a)
{
	return !doc_text(a->doc, "suppressed_by", NULL);
}

static bool
has_alarm(const struct row *r)
{
	for (size_t i = 0; i < r->n_alarms; i++)
		if (row_alarm_counts(&r->alarms[i]))
			return true;
	return false;
}

/* `points` of the daemon's answer: those that failed. */
static bool
source_is_well(const struct doc *source)
{
	return doc_flag(source, "ok", !doc_text(source, "error", NULL)) &&
	       doc_size(doc_get(source, "points")) == 0;
}

static bool
sources_are_well(const struct doc *sources)
{
	const struct doc *source;
	void *place = NULL;

	for (size_t i = 0; (source = doc_at(sources, i)); i++)
		if (!source_is_well(source))
			return false;
	while (!doc_at(sources, 0) && doc_next(sources, &place, &source))
		if (!source_is_well(source))
			return false;
	return true;
}

bool
row_needs_somebody(const struct row *r)
{
	return !strcmp(r->state, "fault") || !strcmp(r->state, "offline") || has_alarm(r) ||
	       !sources_are_well(r->sources);
}

static int
rank(const struct row *r)
{
	static const char *const order[] = {
		"fault", "offline", "unknown", "busy", "paused", "idle"};
	int i = 0;

	while (i < 6 && strcmp(order[i], r->state) != 0)
		i++;
	if (i > 0 && has_alarm(r))
		return 1;
	return i < 2 ? i : i + 1;
}

static int
trouble_first(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int order = x->rank - y->rank;

	if (!order)
		order = strcmp(x->park, y->park);
	return order ? order : strcmp(x->machine, y->machine);
}

static struct row *
sorted(struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		rows[i].rank = rank(&rows[i]);
	if (n)
		qsort(rows, n, sizeof *rows, trouble_first);
	return rows;
}

static int
severity_rank(const struct row_alarm *a)
{
	static const char *const order[] = {"critical", "error", "warning"};
	const char *severity = doc_text(a->doc, "severity", "");
	int i = 0;

	while (i < 3 && strcmp(order[i], severity) != 0)
		i++;
	return i;
}

static int
worst_first(const void *a, const void *b)
{
	const struct row_alarm *x = a, *y = b;
	int order = severity_rank(x) - severity_rank(y);

	return order ? order : strcmp(x->code, y->code);
}

static bool
is_active(const struct doc *alarm)
{
	return alarm && doc_flag(alarm, "active", true);
}

/* Those that have a topic; then those that only the state names, whose topic may be late. */
static struct row_alarm *
find_alarms(const struct board_entry *machine, const struct doc *codes, struct row_alarm *out)
{
	for (const struct board_entry *e = machine->alarms; e; e = e->next)
		if (is_active(e->state))
			*out++ = (struct row_alarm){e->id, e->state};
	for (size_t i = 0; i < doc_size(codes); i++) {
		const char *code = doc_string(doc_at(codes, i));
		const struct board_entry *e = board_find_alarm(machine, code);
		if (!e || !e->state)
			*out++ = (struct row_alarm){code, NULL};
	}
	return out;
}

static struct row_alarm *
list_alarms(const struct doc *alarms, struct row_alarm *out)
{
	for (size_t i = 0; i < doc_size(alarms); i++) {
		const struct doc *alarm = doc_at(alarms, i);
		if (is_active(alarm))
			*out++ = (struct row_alarm){doc_text(alarm, "code", ""), alarm};
	}
	return out;
}

static void
set_alarms(struct row *r, struct row_alarm *from, struct row_alarm *to)
{
	r->alarms = from;
	r->n_alarms = (size_t)(to - from);
	if (r->n_alarms)
		qsort(from, r->n_alarms, sizeof *from, worst_first);
}

/* Rows, and behind them in the same memory their alarms. */
static struct row *
make_rows(size_t n, size_t n_alarms, struct row_alarm **alarms)
{
	struct row *rows = calloc(1, (n + 1) * sizeof *rows + n_alarms * sizeof **alarms);

	*alarms = rows ? (struct row_alarm *)(void *)(rows + n + 1) : NULL;
	return rows;
}

static void
fill(struct row *r, const struct doc *state)
{
	r->activity = doc_text(state, "activity", "unknown");
	r->reason = doc_text(state, "reason", "");
	r->job = doc_text(state, "job", "");
	r->progress = doc_real(state, "progress", -1);
	r->values = doc_get(state, "values");
	r->sources = doc_get(state, "sources");
	if (doc_size(doc_get(state, "maintenance")))
		r->maintenance = doc_get(state, "maintenance");
}

static void
fill_own(struct board_entry *e)
{
	struct row *r = &e->row;

	*r = (struct row){.park = e->park, .machine = e->id};
	r->class = doc_text(e->info, "class", "");
	r->title =
		doc_get(e->info, "titles") ? doc_get(e->info, "titles") : doc_get(e->info, "title");
	r->points = doc_get(e->info, "points");
	r->gateway = doc_text(e->info, "gw", doc_text(e->state, "gw", ""));
	fill(r, e->state);
	r->state = doc_text(e->state, "state", "unknown");
	e->gateway = NULL;
	e->is_filled = true;
}

/* Of thousands of machines few have changed since the last picture. */
static struct row
row_of(const struct board *b, struct board_entry *e)
{
	if (!e->is_filled)
		fill_own(e);
	if (!e->gateway)
		e->gateway = board_find(&b->gateways, e->park, e->row.gateway);
	struct row r = e->row;
	r.gateway_offline = e->gateway && e->gateway->offline;
	if (e->offline || r.gateway_offline)
		r.state = "offline";
	return r;
}

/* As many as there can be in rows: each has a topic, or is named by its machine's state. */
static size_t
count_alarms(const struct board_entry *machine)
{
	size_t n = doc_size(doc_get(machine->state, "alarms"));

	for (const struct board_entry *e = machine->alarms; e; e = e->next)
		n++;
	return n;
}

struct row *
board_rows(const struct board *b, size_t *n)
{
	size_t n_alarms = 0;
	struct row_alarm *alarms;

	for (const struct board_entry *e = b->machines.first; e; e = e->next)
		n_alarms += count_alarms(e);
	struct row *rows = make_rows(b->machines.n, n_alarms, &alarms);
	*n = 0;
	for (struct board_entry *e = b->machines.first; rows && e; e = e->next) {
		if (!e->info && !e->state) /* cleared topics of a machine that is gone */
			continue;
		struct row *r = &rows[(*n)++];
		*r = row_of(b, e);
		struct row_alarm *end = find_alarms(e, doc_get(e->state, "alarms"), alarms);
		set_alarms(r, alarms, end);
		alarms = end;
	}
	return sorted(rows, *n);
}

struct row *
board_rows_of(const struct doc *result, size_t *n)
{
	const struct doc *machines = doc_get(result, "machines");
	size_t n_alarms = 0;
	struct row_alarm *alarms;

	for (size_t i = 0; i < doc_size(machines); i++)
		n_alarms += doc_size(doc_get(doc_at(machines, i), "alarms"));
	struct row *rows = make_rows(doc_size(machines), n_alarms, &alarms);
	*n = rows ? doc_size(machines) : 0;
	for (size_t i = 0; i < *n; i++) {
		const struct doc *d = doc_at(machines, i);
		rows[i].park = doc_text(result, "park", "");
		rows[i].machine = doc_text(d, "machine", "");
		rows[i].class = doc_text(d, "class", "");
		rows[i].title = doc_get(d, "title");
		rows[i].gateway = doc_text(result, "gateway", "");
		fill(&rows[i], d);
		rows[i].state = doc_text(d, "state", "unknown");
		struct row_alarm *end = list_alarms(doc_get(d, "alarms"), alarms);
		set_alarms(&rows[i], alarms, end);
		alarms = end;
	}
	return sorted(rows, *n);
}

const char *
board_next_offline(const struct board *b, const struct board_entry **place, const char **park)
{
	for (*place = *place ? (*place)->next : b->gateways.first; *place; *place = (*place)->next)
		if ((*place)->offline) {
			*park = (*place)->park;
			return (*place)->id;
		}
	return NULL;
}

/* The alarm behind this one, of this gateway or of the next that has any; NULL: the first. */
static const struct board_entry *
next_alarm(const struct board *b, const struct board_entry *place)
{
	const struct board_entry *owner = place ? place->owner->next : b->gateways.first;

	if (place && place->next)
		return place->next;
	while (owner && !owner->alarms)
		owner = owner->next;
	return owner ? owner->alarms : NULL;
}

const struct doc *
board_next_alarm(const struct board *b, const struct board_entry **place, const char **park,
	const char **gateway)
{
	while ((*place = next_alarm(b, *place)))
		if (is_active((*place)->state)) {
			*park = (*place)->park;
			*gateway = (*place)->owner->id;
			return (*place)->state;
		}
	return NULL;
}
