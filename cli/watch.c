/* SPDX-License-Identifier: MIT */
/* watch.c -- labpulse watch: a live table of machines, trouble first */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli/board.h"
#include "cli/broker.h"
#include "cli/session.h"

enum { DEFAULT_WIDTH = 100, DEFAULT_HEIGHT = 1000, REFRESH_MS = 1000 };

struct watch {
	struct session s;
	struct broker_options broker;
	bool once, is_tty;
	struct board board;
	struct broker_client *client;
	struct doc *answer; /* the daemon's last one */
};

/* ---- printing ---------------------------------------------------------------------------------
 */

static const struct {
	const char *state, *colour;
} colours[] = {{"fault", "\033[31m"}, {"offline", "\033[35m"}, {"busy", "\033[32m"},
	{"paused", "\033[33m"}};

/* Bytes of the first `columns` characters of UTF-8 text; *used tells how many there were. */
static size_t
cut(const char *s, size_t columns, size_t *used)
{
	size_t n = 0;

	*used = 0;
	while (s[n]) {
		if (((unsigned char)s[n] & 0xC0) != 0x80 && (*used)++ == columns) {
			(*used)--;
			break;
		}
		n++;
	}
	return n;
}

static size_t
print_cell(const char *s, size_t columns)
{
	size_t used, n = cut(s, columns, &used);

	printf("%.*s%*s", (int)n, s, (int)(columns - used + 1), "");
	return columns + 1;
}

static void
join_alarms(const struct doc *alarms, char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < doc_size(alarms) && len < size; i++)
		len += (size_t)snprintf(buf + len, size - len, "%s%s", i ? "," : "! ",
			doc_string(doc_at(alarms, i)));
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

static const char *
title_of(const struct watch *w, const struct row *r)
{
	const char *language = session_language(&w->s) == LANGUAGE_RU ? "ru" : "en";
	const char *any = doc_text(r->title, "en", doc_text(r->title, "ru", doc_string(r->title)));

	return doc_text(r->title, language, any);
}

static void
print_row(const struct watch *w, const struct row *r, size_t width)
{
	char alarms[256], values[2048];
	size_t used = 0, n;

	join_alarms(r->alarms, alarms, sizeof alarms);
	join_values(r->values, values, sizeof values);
	for (size_t i = 0; w->is_tty && i < sizeof colours / sizeof colours[0]; i++)
		if (!strcmp(colours[i].state, r->state))
			printf("%s", colours[i].colour);
	used += print_cell(r->state, 8);
	if (w->is_tty)
		printf("\033[0m");
	used += print_cell(r->park, 12);
	used += print_cell(r->machine, 16);
	used += print_cell(title_of(w, r), 22);
	if (alarms[0])
		used += print_cell(alarms, 24);
	if (used < width) {
		n = cut(values, width - used, &used);
		printf("%.*s", (int)n, values);
	}
	printf("%s\n", w->is_tty ? "\033[K" : "");
}

static void
print_table(const struct watch *w, const struct row *rows, size_t n)
{
	struct winsize size = {.ws_col = DEFAULT_WIDTH, .ws_row = DEFAULT_HEIGHT};
	char now[32];
	time_t t = time(NULL);
	struct tm tm;

	if (w->is_tty) {
		ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
		printf("\033[H");
	}
	strftime(now, sizeof now, "%H:%M:%S", localtime_r(&t, &tm));
	printf("labpulse  %s  %zu machines%s\n", now, n, w->is_tty ? "\033[K" : "");
	for (size_t i = 0; i < n && i + 2 < size.ws_row; i++)
		print_row(w, &rows[i], size.ws_col);
	if (w->is_tty)
		printf("\033[J");
	fflush(stdout);
}

static int
print(const struct watch *w)
{
	size_t n;
	struct row *rows = w->client ? board_rows(&w->board, &n)
				     : board_rows_of(doc_get(w->answer, "result"), &n);

	if (!rows)
		return cli_fail(CLI_OTHER, "out of memory");
	if (w->s.json)
		board_print_json(rows, n);
	else
		print_table(w, rows, n);
	free(rows);
	return CLI_FINE;
}

/* ---- where it comes from ----------------------------------------------------------------------
 */

static int
ask_daemon(struct watch *w)
{
	int code;

	doc_free(w->answer);
	w->answer = NULL;
	code = session_ask(&w->s, "{\"cmd\":\"watch\"}", NULL, NULL, &w->answer);
	if (code == CLI_FINE)
		control_result(w->answer, &code);
	return code;
}

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void
listen_until(struct watch *w, int64_t end_ms)
{
	for (int64_t left; (left = end_ms - now_ms()) > 0;)
		broker_run(w->client, (int)left);
}

static int
run(struct watch *w)
{
	int code = CLI_FINE;

	if (w->client)
		broker_settle(w->client);
	if (w->is_tty && !w->once)
		printf("\033[2J");
	do {
		int64_t next = now_ms() + REFRESH_MS;
		if (!w->client)
			code = ask_daemon(w);
		if (code == CLI_FINE)
			code = print(w);
		if (w->once || code != CLI_FINE)
			break;
		if (w->client)
			listen_until(w, next);
		else
			usleep((useconds_t)(next - now_ms()) * 1000);
	} while (code == CLI_FINE);
	return code;
}

static int
open_source(struct watch *w)
{
	if (w->broker.url)
		return broker_open(&w->client, &w->broker, board_topics, board_take, &w->board);
	int code = session_connect(&w->s);
	if (code == CLI_FINE && !w->s.control)
		code = cli_fail(CLI_SILENT,
			"watch: no daemon runs here; --broker URL asks a broker instead");
	return code;
}

int
cmd_watch(int argc, char **argv)
{
	struct watch w = {0};
	const struct cli_option options[] = {
		SESSION_OPTIONS(&w.s),
		BROKER_OPTIONS(&w.broker),
		{"--once", CLI_FLAG, &w.once,
			"print the table once (default unless on a terminal)"},
		{"--lang", CLI_TEXT, &w.s.lang, "ru or en"},
		{NULL, CLI_FLAG, NULL, NULL},
	};
	const struct cli_usage usage = {"labpulse watch [options]",
		"A live table of machines, those in trouble first: from a broker, or from the local daemon.",
		options, 0, 0};

	session_init(&w.s);
	int code = cli_parse(argc, argv, &usage, NULL);
	if (code < 0)
		return cli_exit_of(code);
	w.is_tty = isatty(STDOUT_FILENO) && !w.s.json;
	w.once = w.once || !w.is_tty;
	code = open_source(&w);
	if (code == CLI_FINE)
		code = run(&w);
	broker_close(w.client);
	board_finish(&w.board);
	doc_free(w.answer);
	session_finish(&w.s);
	return code;
}
