/* SPDX-License-Identifier: MIT */
/* board.c -- all machines as they are now, from retained topics or from the daemon's answer */
#include "cli/board.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const board_topics[] = {"parks/+/gateways/+/availability",
	"parks/+/machines/+/availability", "parks/+/machines/+/info", "parks/+/machines/+/state",
	"parks/+/machines/+/alarm/+", NULL};

struct board_entry {
	struct board_entry *next;
	char park[BOARD_ID], id[BOARD_ID], code[BOARD_ID + 32];
	bool offline;
	struct doc *info, *state; /* an alarm is a state, too */
};

/* ---- filling ----------------------------------------------------------------------------------
 */

static struct board_entry *
find(struct board_entry *list, const char *park, const char *id, const char *code)
{
	while (list &&
		(strcmp(list->park, park) || strcmp(list->id, id) || strcmp(list->code, code)))
		list = list->next;
	return list;
}

static struct board_entry *
find_or_add(struct board_entry **list, char *const *levels, const char *code)
{
	struct board_entry *e = find(*list, levels[1], levels[3], code);

	if (e)
		return e;
	e = calloc(1, sizeof *e);
	if (!e)
		return NULL;
	snprintf(e->park, sizeof e->park, "%s", levels[1]);
	snprintf(e->id, sizeof e->id, "%s", levels[3]);
	snprintf(e->code, sizeof e->code, "%s", code);
	e->next = *list;
	return *list = e;
}

static void
set_doc(struct doc **at, const char *payload, size_t len)
{
	doc_free(*at);
	*at = len ? doc_parse(payload, len) : NULL;
}

static size_t
split(char *topic, char **levels, size_t cap)
{
	size_t n = 0;
	char *rest = NULL;

	for (char *level = strtok_r(topic, "/", &rest); level && n < cap;
		level = strtok_r(NULL, "/", &rest))
		levels[n++] = level;
	return n;
}

void
board_take(void *board, const char *topic, const char *payload, size_t len)
{
	struct board *b = board;
	char copy[256], *levels[7];

	snprintf(copy, sizeof copy, "%s", topic);
	size_t n = split(copy, levels, 7);
	if (n < 5)
		return;
	bool is_machine = !strcmp(levels[2], "machines"),
	     is_alarm = n == 6 && !strcmp(levels[4], "alarm");
	struct board_entry *e = find_or_add(is_alarm     ? &b->alarms
					    : is_machine ? &b->machines
							 : &b->gateways,
		levels, is_alarm ? levels[5] : "");
	if (!e)
		return;
	if (is_alarm || !strcmp(levels[4], "state"))
		set_doc(&e->state, payload, len);
	else if (!strcmp(levels[4], "info"))
		set_doc(&e->info, payload, len);
	else
		e->offline = len == 7 && !memcmp(payload, "offline", 7);
}

static void
free_list(struct board_entry *list)
{
	for (struct board_entry *next; list; list = next) {
		next = list->next;
		doc_free(list->info);
		doc_free(list->state);
		free(list);
	}
}

void
board_finish(struct board *b)
{
	free_list(b->machines);
	free_list(b->gateways);
	free_list(b->alarms);
	*b = (struct board){0};
}

/* ---- rows -------------------------------------------------------------------------------------
 */

static int
rank(const struct row *r)
{
	static const char *const order[] = {
		"fault", "offline", "unknown", "busy", "paused", "idle"};
	int i = 0;

	if (doc_size(r->alarms) && strcmp(r->state, "fault") != 0)
		return 1;
	while (i < 6 && strcmp(order[i], r->state) != 0)
		i++;
	return i < 2 ? i : i + 1;
}

static int
trouble_first(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int order = rank(x) - rank(y);

	if (!order)
		order = strcmp(x->park, y->park);
	return order ? order : strcmp(x->machine, y->machine);
}

static struct row *
sorted(struct row *rows, size_t n)
{
	if (rows)
		qsort(rows, n, sizeof *rows, trouble_first);
	return rows;
}

static void
fill(struct row *r, const struct doc *state)
{
	r->activity = doc_text(state, "activity", "unknown");
	r->reason = doc_text(state, "reason", "");
	r->job = doc_get(state, "job");
	r->alarms = doc_get(state, "alarms");
	r->values = doc_get(state, "values");
	r->sources = doc_get(state, "sources");
}

struct row *
board_rows(const struct board *b, size_t *n)
{
	size_t count = 0;

	for (const struct board_entry *e = b->machines; e; e = e->next)
		count++;
	struct row *rows = calloc(count + 1, sizeof *rows);
	*n = 0;
	for (const struct board_entry *e = b->machines; rows && e; e = e->next) {
		if (!e->info && !e->state) /* cleared topics of a machine that is gone */
			continue;
		struct row *r = &rows[(*n)++];
		r->park = e->park;
		r->machine = e->id;
		r->class = doc_text(e->info, "class", "");
		r->title = doc_get(e->info, "titles") ? doc_get(e->info, "titles")
						      : doc_get(e->info, "title");
		r->points = doc_get(e->info, "points");
		r->gateway = doc_text(e->info, "gw", doc_text(e->state, "gw", ""));
		const struct board_entry *gateway = find(b->gateways, e->park, r->gateway, "");
		r->gateway_offline = gateway && gateway->offline;
		fill(r, e->state);
		r->state = e->offline || r->gateway_offline
				   ? "offline"
				   : doc_text(e->state, "state", "unknown");
	}
	return sorted(rows, *n);
}

struct row *
board_rows_of(const struct doc *result, size_t *n)
{
	const struct doc *machines = doc_get(result, "machines");
	struct row *rows = calloc(doc_size(machines) + 1, sizeof *rows);

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
	}
	return sorted(rows, *n);
}

const struct doc *
board_alarm(const struct board *b, const struct row *row, const char *code)
{
	const struct board_entry *e = find(b->alarms, row->park, row->machine, code);

	return e ? e->state : NULL;
}

const char *
board_next_offline(const struct board *b, const struct board_entry **place, const char **park)
{
	for (*place = *place ? (*place)->next : b->gateways; *place; *place = (*place)->next)
		if ((*place)->offline) {
			*park = (*place)->park;
			return (*place)->id;
		}
	return NULL;
}

/* ---- JSON --------------------------------------------------------------------------------------
 */

static void
put_doc(const char *key, const struct doc *d)
{
	char *text = doc_print(d);

	printf(",\"%s\":%s", key, text ? text : "null");
	free(text);
}

void
board_print_json(const struct row *rows, size_t n)
{
	printf("{\"machines\":[");
	for (size_t i = 0; i < n; i++) {
		const struct row *r = &rows[i];
		printf("%s{\"park\":\"%s\",\"machine\":\"%s\",\"class\":\"%s\",\"state\":\"%s\",\"activity\":\"%s\"",
			i ? "," : "", r->park, r->machine, r->class, r->state, r->activity);
		put_doc("title", r->title);
		put_doc("job", r->job);
		put_doc("alarms", r->alarms);
		put_doc("values", r->values);
		put_doc("sources", r->sources);
		printf("}");
	}
	printf("]}\n");
}
