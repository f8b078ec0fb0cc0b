/* SPDX-License-Identifier: MIT */
/* watch.c -- labpulse watch: a live table of machines, trouble first */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cli/broker.h"
#include "cli/session.h"
#include "cli/screen.h"

enum { REFRESH_MS = 1000 };

struct watch {
	struct session s;
	struct broker_options broker;
	bool once, is_tty;
	int every_ms; /* 0: not asked for */
	struct board board;
	struct events events;
	struct broker_client *client;
	struct doc *answer; /* the daemon's last one */
};

/* How it is, and what happens. */
static const char *const topics[] = {"parks/+/gateways/+/availability",
	"parks/+/gateways/+/alarm/+", "parks/+/gateways/+/event", "parks/+/machines/+/availability",
	"parks/+/machines/+/info", "parks/+/machines/+/state", "parks/+/machines/+/alarm/+",
	"parks/+/machines/+/event", "parks/+/machines/+/job", NULL};

/* The board and the events take what they need. */
static void
take(void *watch, const char *topic, const char *payload, size_t len)
{
	struct watch *w = watch;

	board_take(&w->board, topic, payload, len);
	events_take(&w->events, topic, payload, len);
}

static int
print(struct watch *w)
{
	struct screen screen = {.is_tty = w->is_tty,
		.language = w->events.language,
		.board = w->client ? &w->board : NULL,
		.events = &w->events};
	struct row *rows = w->client ? board_rows(&w->board, &screen.n)
				     : board_rows_of(doc_get(w->answer, "result"), &screen.n);

	if (!rows)
		return cli_fail(CLI_OTHER, "out of memory");
	screen.rows = rows;
	if (w->s.json)
		board_print_json(rows, screen.n, &w->events);
	else
		screen_print(&screen);
	fflush(stdout);
	free(rows);
	return CLI_FINE;
}

/* ---- where it comes from ----------------------------------------------------------------------
 */

/* Its answer tells when alarms were raised and cleared, and nothing else of the past. */
static void
take_alarms(struct watch *w, const struct doc *result)
{
	const struct doc *machines = doc_get(result, "machines");

	for (size_t i = 0; i < doc_size(machines); i++) {
		const struct doc *machine = doc_at(machines, i), *alarms;
		struct event who = {0};
		snprintf(who.park, sizeof who.park, "%s", doc_text(result, "park", ""));
		snprintf(who.id, sizeof who.id, "%s", doc_text(machine, "machine", ""));
		alarms = doc_get(machine, "alarms");
		for (size_t k = 0; k < doc_size(alarms); k++)
			events_take_alarm(&w->events, &who, doc_at(alarms, k));
	}
}

static int
ask_daemon(struct watch *w)
{
	int code;

	doc_free(w->answer);
	w->answer = NULL;
	code = session_ask(&w->s, "{\"cmd\":\"watch\"}", NULL, NULL, &w->answer);
	if (code == CLI_FINE)
		take_alarms(w, control_result(w->answer, &code));
	return code;
}

static void
sleep_until(int64_t end_ms)
{
	int64_t left = end_ms - cli_now_ms();

	if (left > 0)
		usleep((useconds_t)left * 1000);
}

static void
listen_until(struct watch *w, int64_t end_ms)
{
	for (int64_t left; (left = end_ms - cli_now_ms()) > 0;)
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
		int64_t next = cli_now_ms() + w->every_ms;
		if (!w->client)
			code = ask_daemon(w);
		if (code == CLI_FINE)
			code = print(w);
		if (w->once || code != CLI_FINE)
			break;
		if (w->client)
			listen_until(w, next);
		else
			sleep_until(next);
	} while (code == CLI_FINE);
	return code;
}

static int
open_source(struct watch *w)
{
	if (w->broker.urls.n) {
		w->events.language = session_language(&w->s);
		return broker_open(&w->client, &w->broker, topics, take, w);
	}
	int code = session_connect(&w->s);
	w->events.language = session_language(&w->s);
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
		{"--every", CLI_DURATION_MS, &w.every_ms,
			"print it again and again (default on a terminal: 1s)"},
		{"--lang", CLI_TEXT, &w.s.lang, "ru or en"},
		{NULL, CLI_FLAG, NULL, NULL},
	};
	const struct cli_usage usage = {"labpulse watch [options]",
		"A live table of machines, those in trouble first, and what happened lately: from a broker,\n"
		"or from the local daemon (of the past it tells only alarms).",
		options, 0, 0};

	session_init(&w.s);
	int code = cli_parse(argc, argv, &usage, NULL);
	if (code < 0)
		return cli_exit_of(code);
	w.is_tty = isatty(STDOUT_FILENO) && !w.s.json;
	w.once = w.once || (!w.is_tty && !w.every_ms);
	w.every_ms = w.every_ms ? w.every_ms : REFRESH_MS;
	code = open_source(&w);
	if (code == CLI_FINE)
		code = run(&w);
	broker_close(w.client);
	board_finish(&w.board);
	doc_free(w.answer);
	session_finish(&w.s);
	return code;
}
