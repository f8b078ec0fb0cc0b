/* SPDX-License-Identifier: MIT */
/* screen.c -- machines and what happened lately: in place on a terminal, else line by line */
#include "cli/screen.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli/words.h"

enum { DEFAULT_WIDTH = 120, DEFAULT_EVENTS = 20, STATE_COLUMNS = 8, MAX_COLUMNS = 24 };

struct layout {
	size_t width, height; /* of the screen; height 0: without end */
	size_t park, id, title, job;
};

static const char RED[] = "\033[31m", PLAIN[] = "\033[0m";
static const struct {
	const char *state, *colour;
} colours[] = {
	{"fault", RED}, {"offline", "\033[35m"}, {"busy", "\033[32m"}, {"paused", "\033[33m"}};

/* ---- cells ------------------------------------------------------------------------------------
 */

/* Bytes of the first `columns` characters of UTF-8 text; *used tells how many there were. */
static size_t
cut(const char *text, size_t columns, size_t *used)
{
	size_t n = 0;

	*used = 0;
	while (text[n]) {
		if (((unsigned char)text[n] & 0xC0) != 0x80 && (*used)++ == columns) {
			(*used)--;
			break;
		}
		n++;
	}
	return n;
}

/* A column and the blank after it; nothing for a column that nobody needs. */
static size_t
print_cell(const char *text, size_t columns)
{
	size_t used, n = cut(text, columns, &used);

	if (!columns)
		return 0;
	printf("%.*s%*s", (int)n, text, (int)(columns - used + 1), "");
	return columns + 1;
}

/* As much of it as there is room for. */
static size_t
print_rest(const char *text, size_t columns)
{
	size_t used, n = cut(text, columns, &used);

	printf("%.*s", (int)n, text);
	return used;
}

static void
end_line(const struct screen *s)
{
	printf("%s\n", s->is_tty ? "\033[K" : "");
}

static void
widen(size_t *columns, const char *text)
{
	size_t used;

	cut(text, MAX_COLUMNS, &used);
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
join_alarms(const struct screen *s, const struct row *r, char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < r->n_alarms && len < size; i++) {
		const struct row_alarm *a = &r->alarms[i];
		const char *text = words_alarm(a->doc, s->language);
		if (row_alarm_counts(a))
			len += (size_t)snprintf(buf + len, size - len, "%s%s", len ? ", " : "! ",
				text[0] ? text : a->code);
	}
}

static void
join_maintenance(const struct screen *s, const struct row *r, char *buf, size_t size)
{
	char until[32];

	buf[0] = '\0';
	if (r->maintenance)
		snprintf(buf, size, "%s %s: %s",
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

static void
join_values(const struct doc *values, char *buf, size_t size)
{
	const struct doc *value;
	const char *key;
	size_t len = 0;
	char number[64];

	buf[0] = '\0';
	for (int round = 0; round < 2; round++) {
		void *place = NULL;
		while (len < size && (key = doc_next(values, &place, &value)))
			if (tells_much(key) == (round == 0))
				len += (size_t)snprintf(buf + len, size - len, "%s%s %s",
					len ? "  " : "", key,
					doc_show(value, number, sizeof number));
	}
}

static size_t
print_state(const struct screen *s, const char *state)
{
	const char *colour = "";

	for (size_t i = 0; i < sizeof colours / sizeof colours[0]; i++)
		if (!strcmp(colours[i].state, state))
			colour = colours[i].colour;
	printf("%s", s->is_tty ? colour : "");
	size_t used = print_cell(state, STATE_COLUMNS);
	printf("%s", s->is_tty ? PLAIN : "");
	return used;
}

/* Alarms, maintenance and values share the rest of the line, in this order. */
static void
print_rest_of_row(const struct screen *s, const struct row *r, size_t room)
{
	char text[3][2048];
	const char *before = "";

	join_alarms(s, r, text[0], sizeof text[0]);
	join_maintenance(s, r, text[1], sizeof text[1]);
	join_values(r->values, text[2], sizeof text[2]);
	for (int i = 0; i < 3 && room > 2; i++) {
		if (!text[i][0])
			continue;
		bool red = i == 0 && s->is_tty;
		size_t used = print_rest(before, room);
		printf("%s", red ? RED : "");
		used += print_rest(text[i], room - used);
		printf("%s", red ? PLAIN : "");
		room -= used;
		before = "  ";
	}
}

static void
print_row(const struct screen *s, const struct layout *l, const struct row *r)
{
	char job[64];
	size_t used = print_state(s, r->state);

	used += print_cell(r->park, l->park);
	used += print_cell(r->machine, l->id);
	used += print_cell(title_of(s, r), l->title);
	used += print_cell(job_of(s, r, job, sizeof job), l->job);
	print_rest_of_row(s, r, used < l->width ? l->width - used : 0);
	end_line(s);
}

/* ---- the whole --------------------------------------------------------------------------------
 */

static void
measure(const struct screen *s, struct layout *l)
{
	struct winsize size = {.ws_col = DEFAULT_WIDTH};
	char job[64];

	if (s->is_tty)
		ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	*l = (struct layout){.width = size.ws_col, .height = size.ws_row};
	for (size_t i = 0; i < s->n; i++) {
		widen(&l->park, s->rows[i].park);
		widen(&l->id, s->rows[i].machine);
		widen(&l->title, title_of(s, &s->rows[i]));
		widen(&l->job, job_of(s, &s->rows[i], job, sizeof job));
	}
}

/* Alarms of gateways concern all their machines. Returns the lines printed. */
static size_t
print_gateways(const struct screen *s, const struct layout *l)
{
	const struct board_entry *place = NULL;
	const struct doc *alarm;
	const char *park, *gateway;
	size_t lines = 0, used;

	while (s->board && (alarm = board_next_alarm(s->board, &place, &park, &gateway))) {
		used = print_cell("!", STATE_COLUMNS);
		used += print_cell(park, l->park);
		used += print_cell(gateway, l->id);
		print_rest(words_alarm(alarm, s->language), used < l->width ? l->width - used : 0);
		end_line(s);
		lines++;
	}
	return lines;
}

static void
print_event(const struct screen *s, const struct layout *l, const struct event *e)
{
	char at[32];
	words_clock(e->at_ms, at, sizeof at);
	size_t used = print_cell(at, strlen(at));
	used += print_cell(e->park, l->park);
	used += print_cell(e->id, l->id);
	print_rest(e->text, s->is_tty ? (used < l->width ? l->width - used : 0) : sizeof e->text);
	end_line(s);
}

/* The last ones, an empty line before them. */
static void
print_events(const struct screen *s, const struct layout *l, size_t lines_before)
{
	size_t room = DEFAULT_EVENTS, n = s->events->n;

	if (l->height) /* the last line stays empty: the cursor is there */
		room = l->height > lines_before + 2 ? l->height - lines_before - 2 : 0;
	if (!n || !room)
		return;
	end_line(s);
	for (size_t i = n > room ? n - room : 0; i < n; i++)
		print_event(s, l, &s->events->list[i]);
}

void
screen_print(const struct screen *s)
{
	struct layout l;
	char now[32];

	measure(s, &l);
	printf("%slabpulse  %s  %zu machines", s->is_tty ? "\033[H" : "",
		words_clock(words_now_ms(), now, sizeof now), s->n);
	end_line(s);
	size_t lines = 1 + print_gateways(s, &l);
	for (size_t i = 0; i < s->n && (!l.height || lines + 1 < l.height); i++, lines++)
		print_row(s, &l, &s->rows[i]);
	print_events(s, &l, lines);
	if (s->is_tty)
		printf("\033[J");
}
