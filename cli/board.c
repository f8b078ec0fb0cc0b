/* SPDX-License-Identifier: MIT */
/* board.c -- all machines as they are now, from retained topics or from the daemon's answer */
#include "cli/board_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const board_topics[] = {"parks/+/gateways/+/availability",
	"parks/+/machines/+/availability", "parks/+/machines/+/info", "parks/+/machines/+/state",
	"parks/+/machines/+/alarm/+", "parks/+/gateways/+/alarm/+", NULL};

/* ---- finding ----------------------------------------------------------------------------------
 */

static size_t
hash(const char *park, const char *id)
{
	size_t h = 5381;

	for (const char *c = park; *c; c++)
		h = h * 33 + (unsigned char)*c;
	for (const char *c = id; *c; c++)
		h = h * 33 + (unsigned char)*c;
	return h;
}

/* Linear probing; at most half of the slots are taken, so that there is always a free one. */
static struct board_entry **
slot_of(const struct board_table *t, const char *park, const char *id)
{
	size_t i = hash(park, id) & (t->size - 1);

	while (t->slots[i] && (strcmp(t->slots[i]->id, id) || strcmp(t->slots[i]->park, park)))
		i = (i + 1) & (t->size - 1);
	return &t->slots[i];
}

struct board_entry *
board_find(const struct board_table *t, const char *park, const char *id)
{
	return t->size ? *slot_of(t, park, id) : NULL;
}

static bool
has_room(struct board_table *t)
{
	struct board_table more = {.size = t->size ? t->size * 2 : 64, .first = t->first};

	if (t->n * 2 < t->size)
		return true;
	more.n = t->n;
	more.slots = calloc(more.size, sizeof(struct board_entry *));
	if (!more.slots)
		return false;
	for (struct board_entry *e = t->first; e; e = e->next)
		*slot_of(&more, e->park, e->id) = e;
	free(t->slots);
	*t = more;
	return true;
}

static struct board_entry *
create(struct board_entry **list, const char *park, const char *id)
{
	struct board_entry *e = calloc(1, sizeof *e);

	if (!e)
		return NULL;
	snprintf(e->park, sizeof e->park, "%s", park);
	snprintf(e->id, sizeof e->id, "%s", id);
	e->next = *list;
	return *list = e;
}

static struct board_entry *
find_or_add(struct board_table *t, const char *park, const char *id)
{
	struct board_entry *e = board_find(t, park, id);

	if (e || !has_room(t))
		return e;
	e = create(&t->first, park, id);
	if (!e)
		return NULL;
	*slot_of(t, e->park, e->id) = e;
	t->n++;
	return e;
}

struct board_entry *
board_find_alarm(const struct board_entry *owner, const char *code)
{
	struct board_entry *e = owner->alarms;

	while (e && strcmp(e->id, code) != 0)
		e = e->next;
	return e;
}

static struct board_entry *
find_or_add_alarm(struct board_entry *owner, const char *code)
{
	struct board_entry *e = board_find_alarm(owner, code);

	if (!e)
		e = create(&owner->alarms, owner->park, code);
	if (e)
		e->owner = owner;
	return e;
}

/* ---- filling ----------------------------------------------------------------------------------
 */

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

static void
take_picture(struct board_entry *e, const char *kind, const char *payload, size_t len, bool lean)
{
	e->is_filled = false;
	if (!strcmp(kind, "state"))
		set_doc(&e->state, payload, len);
	else if (strcmp(kind, "info") != 0)
		e->offline = len == 7 && !memcmp(payload, "offline", 7);
	else
		set_doc(&e->info, payload, len);
	if (lean && e->info)
		doc_drop(e->info, "points");
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
	if (!is_alarm && (n != 5 || !is_picture(levels[4])))
		return;
	struct board_entry *e =
		find_or_add(is_machine ? &b->machines : &b->gateways, levels[1], levels[3]);
	if (e && is_alarm)
		e = find_or_add_alarm(e, levels[5]);
	if (e)
		take_picture(e, is_alarm ? "state" : levels[4], payload, len, b->lean);
}

static void
free_list(struct board_entry *list)
{
	for (struct board_entry *next; list; list = next) {
		next = list->next;
		free_list(list->alarms);
		doc_free(list->info);
		doc_free(list->state);
		free(list);
	}
}

static void
free_table(struct board_table *t)
{
	free_list(t->first);
	free(t->slots);
}

void
board_finish(struct board *b)
{
	free_table(&b->machines);
	free_table(&b->gateways);
	*b = (struct board){0};
}
