/* SPDX-License-Identifier: MIT */
/* board.c -- all machines as they are now, from retained topics or from the daemon's answer */
#include "cli/board.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/words.h"

const char *const board_topics[] = {"parks/+/gateways/+/availability",
	"parks/+/machines/+/availability", "parks/+/machines/+/info", "parks/+/machines/+/state",
	"parks/+/machines/+/alarm/+", "parks/+/gateways/+/alarm/+", NULL};

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

/* Others of these topics tell what happened, not how it is. */
static bool
is_picture(const char *level)
{
	return !strcmp(level, "state") || !strcmp(level, "info") || !strcmp(level, "availability");
}

void
board_take(void *board, const char *topic, const char *payload, size_t len)
{
	struct board *b = board;
	char copy[256], *levels[7];

	snprintf(copy, sizeof copy, "%s", topic);
	doc_plain(copy);
	size_t n = split(copy, levels, 7);
	if (n < 5)
		return;
	bool is_machine = !strcmp(levels[2], "machines"),
	     is_alarm = n == 6 && !strcmp(levels[4], "alarm");
	struct board_entry **list = is_machine ? &b->machines : &b->gateways;
	if (is_alarm)
		list = is_machine ? &b->alarms : &b->gateway_alarms;
	else if (n != 5 || !is_picture(levels[4]))
		return;
	struct board_entry *e = find_or_add(list, levels, is_alarm ? levels[5] : "");
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
	free_list(b->gateway_alarms);
	*b = (struct board){0};
}

/* ---- rows -------------------------------------------------------------------------------------
 */

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

static int
rank(const struct row *r)
{
	static const char *const order[] = {
		"fault", "offline", "unknown", "busy", "paused", "idle"};
	int i = 0;

	if (has_alarm(r) && strcmp(r->state, "fault") != 0)
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
find_alarms(
	const struct board *b, const struct row *r, const struct doc *codes, struct row_alarm *out)
{
	for (const struct board_entry *e = b->alarms; e; e = e->next)
		if (!strcmp(e->park, r->park) && !strcmp(e->id, r->machine) && is_active(e->state))
			*out++ = (struct row_alarm){e->code, e->state};
	for (size_t i = 0; i < doc_size(codes); i++) {
		const char *code = doc_string(doc_at(codes, i));
		const struct board_entry *e = find(b->alarms, r->park, r->machine, code);
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
fill_from(struct row *r, const struct board *b, const struct board_entry *e)
{
	r->park = e->park;
	r->machine = e->id;
	r->class = doc_text(e->info, "class", "");
	r->title =
		doc_get(e->info, "titles") ? doc_get(e->info, "titles") : doc_get(e->info, "title");
	r->points = doc_get(e->info, "points");
	r->gateway = doc_text(e->info, "gw", doc_text(e->state, "gw", ""));
	const struct board_entry *gateway = find(b->gateways, e->park, r->gateway, "");
	r->gateway_offline = gateway && gateway->offline;
	fill(r, e->state);
	r->state = e->offline || r->gateway_offline ? "offline"
						    : doc_text(e->state, "state", "unknown");
}

struct row *
board_rows(const struct board *b, size_t *n)
{
	size_t count = 0, n_alarms = 0;
	struct row_alarm *alarms;

	for (const struct board_entry *e = b->machines; e; e = e->next, count++)
		n_alarms += doc_size(doc_get(e->state, "alarms"));
	for (const struct board_entry *e = b->alarms; e; e = e->next)
		n_alarms++;
	struct row *rows = make_rows(count, n_alarms, &alarms);
	*n = 0;
	for (const struct board_entry *e = b->machines; rows && e; e = e->next) {
		if (!e->info && !e->state) /* cleared topics of a machine that is gone */
			continue;
		struct row *r = &rows[(*n)++];
		fill_from(r, b, e);
		struct row_alarm *end = find_alarms(b, r, doc_get(e->state, "alarms"), alarms);
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
	for (*place = *place ? (*place)->next : b->gateways; *place; *place = (*place)->next)
		if ((*place)->offline) {
			*park = (*place)->park;
			return (*place)->id;
		}
	return NULL;
}

const struct doc *
board_next_alarm(const struct board *b, const struct board_entry **place, const char **park,
	const char **gateway)
{
	for (*place = *place ? (*place)->next : b->gateway_alarms; *place; *place = (*place)->next)
		if (is_active((*place)->state)) {
			*park = (*place)->park;
			*gateway = (*place)->id;
			return (*place)->state;
		}
	return NULL;
}

/* ---- JSON --------------------------------------------------------------------------------------
 */

/* `before`: the comma, or what opens the object. */
static void
put_text(const char *before, const char *key, const char *text)
{
	char *quoted = doc_quote(text);

	printf("%s\"%s\":%s", before, key, quoted ? quoted : "\"\"");
	free(quoted);
}

static void
put_doc(const char *key, const struct doc *d)
{
	char *text = doc_print(d);

	printf(",\"%s\":%s", key, text ? text : "null");
	free(text);
}

static void
put_alarms(const struct row *r)
{
	printf(",\"alarms\":[");
	for (size_t i = 0; i < r->n_alarms; i++) {
		char *text = r->alarms[i].doc ? doc_print(r->alarms[i].doc) : NULL;
		printf("%s", i ? "," : "");
		if (text) {
			printf("%s", text);
		} else {
			put_text("{", "code", r->alarms[i].code);
			printf("}");
		}
		free(text);
	}
	printf("]");
}

static void
put_job(const struct row *r)
{
	if (!r->job[0]) {
		printf(",\"job\":null");
		return;
	}
	printf(",\"job\":");
	put_text("{", "id", r->job);
	printf(",\"started\":%lld,\"progress\":", (long long)words_job_start(r->job));
	if (r->progress < 0)
		printf("null}");
	else
		printf("%.3g}", r->progress);
}

static void
put_row(const struct row *r)
{
	put_text("{", "park", r->park);
	put_text(",", "machine", r->machine);
	put_text(",", "class", r->class);
	put_text(",", "state", r->state);
	put_text(",", "activity", r->activity);
	put_doc("title", r->title);
	put_job(r);
	put_alarms(r);
	put_doc("maintenance", r->maintenance);
	put_doc("values", r->values);
	put_doc("sources", r->sources);
	printf("}");
}

void
board_print_json(const struct row *rows, size_t n, const struct events *events)
{
	printf("{\"machines\":[");
	for (size_t i = 0; i < n; i++) {
		printf("%s", i ? "," : "");
		put_row(&rows[i]);
	}
	printf("]");
	if (events) {
		printf(",\"events\":[");
		events_print_json(events);
		printf("]");
	}
	printf("}\n");
}
