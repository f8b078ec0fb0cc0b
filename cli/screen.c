/* SPDX-License-Identifier: MIT */
/* screen.c -- machines and what happened lately, in the lines that there are */
#include "cli/screen.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "cli/columns.h"
#include "cli/sentence.h"
#include "cli/words.h"
#include "config/unit.h"

enum {
	DEFAULT_EVENTS = 20,
	STATE_COLUMNS = 8,
	MAX_COLUMNS = 24, /* of a name */
	LEAST_TITLE = 10,
	REST_COLUMNS = 24 /* what alarms and values should have before a title is shown */
};

struct layout {
	size_t park, id, title, job;   /* columns; 0: left out */
	size_t gateways, rows, events; /* lines at most */
};

/* In the order of trouble, as rows are. */
static const struct {
	const char *state;
	enum ink ink;
} states[] = {{"fault", INK_RED}, {"offline", INK_MAGENTA}, {"unknown", INK_PLAIN},
	{"busy", INK_GREEN}, {"paused", INK_YELLOW}, {"idle", INK_PLAIN}, {"off", INK_DIM}};

enum { STATES = sizeof states / sizeof states[0] };

static size_t
state_of(const char *state)
{
	size_t i = 0;

	while (i < STATES && strcmp(states[i].state, state) != 0)
		i++;
	return i;
}

enum ink
screen_ink(const char *state)
{
	size_t i = state_of(state);

	return i < STATES ? states[i].ink : INK_PLAIN;
}

static void
widen(size_t *columns, const char *text)
{
	size_t used = columns_of(text);

	if (used > MAX_COLUMNS)
		used = MAX_COLUMNS;
	if (used > *columns)
		*columns = used;
}

/* ---- one machine ------------------------------------------------------------------------------
 */

static const char *
title_of(const struct screen *s, const struct row *r)
{
	const char *language = s->language == LANGUAGE_RU ? "ru" : "en";
	const char *any = doc_text(r->title, "en", doc_text(r->title, "ru", doc_string(r->title)));

	return doc_text(r->title, language, any);
}

/* How long its job has run, and how far it is. */
static const char *
job_of(const struct screen *s, const struct row *r, char *buf, size_t size)
{
	int64_t start = words_job_start(r->job), ms = words_now_ms() - start;

	buf[0] = '\0';
	if (!start)
		return buf;
	words_duration(ms > 0 ? ms / 1000 : 0, s->language, buf, size);
	size_t len = strlen(buf);
	if (r->progress >= 0)
		snprintf(buf + len, size - len, " %.0f%%", r->progress * 100);
	return buf;
}

static void
join_alarms(const struct screen *s, const struct row *r, struct sentence *out)
{
	for (size_t i = 0; i < r->n_alarms; i++) {
		const struct row_alarm *a = &r->alarms[i];
		const char *text = words_alarm(a->doc, s->language);
		if (row_alarm_counts(a))
			sentence_add(out, "%s%s", out->len ? ", " : "! ", text[0] ? text : a->code);
	}
}

static void
join_maintenance(const struct screen *s, const struct row *r, struct sentence *out)
{
	char until[32];

	if (r->maintenance)
		sentence_add(out, "%s %s: %s",
			s->language == LANGUAGE_RU ? "обслуживание до" : "maintenance until",
			words_clock(doc_int(r->maintenance, "until", 0), until, sizeof until),
			doc_text(r->maintenance, "reason", ""));
}

/* What tells most about a machine stands first: a line is soon full. */
static bool
tells_much(const char *key)
{
	static const char *const ends[] = {"state", ".progress_pct", ".power_w", "temp_c"};
	size_t n = strlen(key);

	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		size_t end = strlen(ends[i]);
		if (n >= end && !strcmp(key + n - end, ends[i]))
			return true;
	}
	return false;
}

/* "power 143.2 W" of power_w: the unit that an id ends in stands behind the number; four digits
 * are enough to look at. The source is named where there are several. */
static void
add_value(struct sentence *s, const struct row *r, const char *key, const struct doc *value)
{
	const char *dot = strchr(key, '.');
	const char *name = dot && doc_size(r->sources) == 1 ? dot + 1 : key;
	const struct unit *unit = unit_of_id(key);
	double number = doc_real(r->values, key, NAN);
	char text[64];

	sentence_add(s, "%s", s->len ? "  " : "");
	if (isnan(number)) {
		sentence_add(s, "%s %s", name, doc_show(value, text, sizeof text));
		return;
	}
	int stem = (int)(strlen(name) - (unit ? strlen(unit->suffix) : 0));
	const char *shown = unit ? unit->published : "";
	shown = !strcmp(shown, "C") ? "°C" : !strcmp(shown, "pct") ? "%" : shown;
	snprintf(text, sizeof text, fabs(number) < 10000 ? "%.4g" : "%.0f", number);
	sentence_add(s, "%.*s %s%s%s", stem, name, text, unit ? " " : "", shown);
}

static void
join_values(const struct row *r, struct sentence *s)
{
	const struct doc *value;
	const char *key;

	for (int round = 0; round < 2; round++) {
		void *place = NULL;
		while ((key = doc_next(r->values, &place, &value)))
			if (tells_much(key) == (round == 0))
				add_value(s, r, key, value);
	}
}

/* Alarms, maintenance and values share the rest of the line, in this order. */
static void
put_rest(const struct screen *s, struct frame *f, const struct row *r)
{
	static const enum ink inks[] = {INK_RED, INK_YELLOW, INK_PLAIN};
	struct sentence text[3] = {{.len = 0}};
	const char *before = "";

	join_alarms(s, r, &text[0]);
	join_maintenance(s, r, &text[1]);
	join_values(r, &text[2]);
	for (size_t i = 0; i < 3 && frame_room(f) > 3; i++) {
		if (!text[i].len)
			continue;
		frame_put(f, before, SIZE_MAX);
		frame_put_in(f, inks[i], text[i].text, SIZE_MAX);
		before = "  ";
	}
}

static void
put_row(const struct screen *s, struct frame *f, const struct layout *l, const struct row *r)
{
	char job[64];

	frame_cell(f, screen_ink(r->state), r->state, STATE_COLUMNS);
	frame_cell(f, INK_PLAIN, r->park, l->park);
	frame_cell(f, INK_BOLD, r->machine, l->id);
	frame_cell(f, INK_PLAIN, title_of(s, r), l->title);
	frame_cell(f, INK_PLAIN, job_of(s, r, job, sizeof job), l->job);
	put_rest(s, f, r);
	frame_end_line(f);
}

/* ---- what has room ----------------------------------------------------------------------------
 */

static size_t
count_gateway_alarms(const struct screen *s)
{
	const struct board_entry *place = NULL;
	const char *park, *gateway;
	size_t n = 0;

	while (s->board && board_next_alarm(s->board, &place, &park, &gateway))
		n++;
	return n;
}

/* The last line stays empty: the cursor is there. Of more machines than lines the last line sums
 * up, and what happened lately has a quarter of the screen. */
static void
choose_lines(const struct screen *s, struct layout *l)
{
	size_t head = s->lost ? 2 : 1, events = s->events->n;
	size_t room = s->height > head + 1 ? s->height - head - 1 : 0;

	l->gateways = count_gateway_alarms(s);
	l->rows = s->n;
	l->events = DEFAULT_EVENTS;
	if (!s->height)
		return;
	if (l->gateways > room / 4)
		l->gateways = room / 4;
	room -= l->gateways;
	if (s->n > room) {
		l->events = events < room / 4 ? events : room / 4;
		room -= l->events ? l->events + 1 : 0;
		l->rows = room > 1 ? room - 1 : 0;
	} else {
		l->events = room > s->n ? room - s->n - 1 : 0;
	}
}

/* Takes a column, down to `least` of its columns, if enough is left behind it. */
static void
keep_column(size_t *columns, size_t least, size_t *room)
{
	size_t most = *room > REST_COLUMNS + 1 ? *room - REST_COLUMNS - 1 : 0;

	if (*columns > most)
		*columns = most >= least ? most : 0;
	*room -= *columns ? *columns + 1 : 0;
}

/* Which machine it is always stands there; the rest by what tells most. */
static void
choose_columns(const struct screen *s, struct layout *l, size_t width)
{
	char job[64];
	bool parks = false;

	for (size_t i = 0; i < s->n && i < l->rows; i++) {
		const struct row *r = &s->rows[i];
		parks |= strcmp(r->park, s->rows[0].park) != 0;
		widen(&l->park, r->park);
		widen(&l->id, r->machine);
		widen(&l->title, title_of(s, r));
		widen(&l->job, job_of(s, r, job, sizeof job));
	}
	if (!s->height || !width)
		return;
	size_t room = width > STATE_COLUMNS + 1 ? width - STATE_COLUMNS - 1 : 0;
	if (l->id + 1 > room)
		l->id = room > 1 ? room - 1 : 0;
	room -= l->id < room ? l->id + 1 : room;
	if (!parks)
		l->park = 0;
	keep_column(&l->park, l->park, &room);
	keep_column(&l->job, l->job, &room);
	keep_column(&l->title, LEAST_TITLE, &room);
}

/* ---- lines that are no machine ----------------------------------------------------------------
 */

/* "3 fault, 12 busy" of rows `from` and behind. */
static void
put_counts(const struct screen *s, struct frame *f, size_t from)
{
	size_t counts[STATES + 1] = {0};
	char text[48];
	const char *before = ": ";

	for (size_t i = from; i < s->n; i++)
		counts[state_of(s->rows[i].state)]++;
	for (size_t i = 0; i < STATES; i++) {
		if (!counts[i])
			continue;
		snprintf(text, sizeof text, "%zu %s", counts[i], states[i].state);
		frame_put(f, before, SIZE_MAX);
		frame_put_in(f, states[i].ink, text, SIZE_MAX);
		before = ", ";
	}
}

static void
put_head(const struct screen *s, struct frame *f)
{
	char now[32], text[64];

	snprintf(text, sizeof text,
		s->language == LANGUAGE_RU ? "  %s  машин %zu" : "  %s  %zu machines",
		words_clock(words_now_ms(), now, sizeof now), s->n);
	frame_put_in(f, INK_BOLD, "labpulse", SIZE_MAX);
	frame_put(f, text, SIZE_MAX);
	put_counts(s, f, 0);
	frame_end_line(f);
	if (!s->lost)
		return;
	snprintf(text, sizeof text, "! %s: ",
		s->language == LANGUAGE_RU ? "нет связи с брокером"
					   : "no connection to the broker");
	frame_put_in(f, INK_RED, text, SIZE_MAX);
	frame_put_in(f, INK_RED, s->lost, SIZE_MAX);
	frame_end_line(f);
}

/* Alarms of gateways concern all their machines. */
static void
put_gateways(const struct screen *s, struct frame *f, const struct layout *l)
{
	const struct board_entry *place = NULL;
	const struct doc *alarm;
	const char *park, *gateway;
	size_t lines = 0;

	while (lines < l->gateways &&
		(alarm = board_next_alarm(s->board, &place, &park, &gateway))) {
		frame_cell(f, INK_RED, "!", STATE_COLUMNS);
		frame_cell(f, INK_PLAIN, park, l->park);
		frame_cell(f, INK_BOLD, gateway, l->id ? l->id : columns_of(gateway));
		frame_put_in(f, INK_RED, words_alarm(alarm, s->language), SIZE_MAX);
		frame_end_line(f);
		lines++;
	}
}

static void
put_event(struct frame *f, const struct layout *l, const struct event *e)
{
	char at[32];

	words_clock(e->at_ms, at, sizeof at);
	frame_cell(f, INK_DIM, at, strlen(at));
	frame_cell(f, INK_PLAIN, e->park, l->park);
	frame_cell(f, INK_PLAIN, e->id, l->id ? l->id : columns_of(e->id));
	frame_put(f, e->text, SIZE_MAX);
	frame_end_line(f);
}

/* The last ones, an empty line before them; whole where no screen limits them. */
static void
put_events(const struct screen *s, struct frame *f, const struct layout *l)
{
	size_t n = s->events->n, width = f->width;

	if (!n || !l->events)
		return;
	frame_end_line(f);
	if (!s->height)
		f->width = 0;
	for (size_t i = n > l->events ? n - l->events : 0; i < n; i++)
		put_event(f, l, &s->events->list[i]);
	f->width = width;
}

void
screen_draw(const struct screen *s, struct frame *f)
{
	struct layout l = {0};
	char more[48];

	choose_lines(s, &l);
	choose_columns(s, &l, f->width);
	put_head(s, f);
	put_gateways(s, f, &l);
	for (size_t i = 0; i < s->n && i < l.rows; i++)
		put_row(s, f, &l, &s->rows[i]);
	if (l.rows < s->n) {
		snprintf(more, sizeof more, "… %zu more", s->n - l.rows);
		frame_put_in(f, INK_BOLD, more, SIZE_MAX);
		put_counts(s, f, l.rows);
		frame_end_line(f);
	}
	put_events(s, f, &l);
}
