/* SPDX-License-Identifier: MIT */
/* watch.c -- labpulse watch: a live table of machines, trouble first */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/broker.h"
#include "cli/screen.h"
#include "cli/session.h"
#include "cli/terminal.h"

enum { REFRESH_MS = 1000, LOOK_MS = 100, PIPE_COLUMNS = 120, TOPICS = 9 };

struct watch {
	struct session s;
	struct broker_options broker;
	const char *park, *machine; /* only these; NULL: all */
	const char *colour;
	bool once, is_tty, is_live; /* live: on a screen, until somebody ends it */
	bool is_lost;               /* no broker at the moment */
	int every_ms;               /* 0: not asked for */
	char filters[TOPICS][128];
	const char *topics[TOPICS + 1];
	struct board board;
	struct events events;
	struct frame frame;
	struct broker_client *client;
	struct doc *answer; /* the daemon's last one */
};

/* How it is, and what happens. */
static const struct {
	const char *kind, *leaf;
} topics[TOPICS] = {{"gateways", "availability"}, {"gateways", "alarm/+"}, {"gateways", "event"},
	{"machines", "availability"}, {"machines", "info"}, {"machines", "state"},
	{"machines", "alarm/+"}, {"machines", "event"}, {"machines", "job"}};

/* An id that is no topic level would ask for something else. */
static bool
is_id(const char *id)
{
	return !id || (*id && strlen(id) < 64 && !strpbrk(id, "/+#"));
}

static int
make_topics(struct watch *w)
{
	if (!is_id(w->park) || !is_id(w->machine))
		return cli_fail(CLI_USAGE, "watch: --park and --machine take an id");
	for (size_t i = 0; i < TOPICS; i++) {
		bool of_machine = !strcmp(topics[i].kind, "machines");
		snprintf(w->filters[i], sizeof w->filters[i], "parks/%s/%s/%s/%s",
			w->park ? w->park : "+", topics[i].kind,
			of_machine && w->machine ? w->machine : "+", topics[i].leaf);
		w->topics[i] = w->filters[i];
	}
	return CLI_FINE;
}

/* The board and the events take what they need. */
static void
take(void *watch, const char *topic, const char *payload, size_t len)
{
	struct watch *w = watch;

	board_take(&w->board, topic, payload, len);
	events_take(&w->events, topic, payload, len);
}

/* A broker sends only what was asked for, a daemon tells all. */
static size_t
keep_asked(const struct watch *w, struct row *rows, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if ((!w->machine || !strcmp(w->machine, rows[i].machine)) &&
			(!w->park || !strcmp(w->park, rows[i].park)))
			rows[kept++] = rows[i];
	return kept;
}

static void
draw(struct watch *w, struct screen *screen)
{
	size_t lines;

	w->frame.in_place = w->is_live;
	w->frame.width = PIPE_COLUMNS;
	if (w->is_tty)
		terminal_size(&w->frame.width, &lines);
	screen->height = w->is_live ? lines : 0;
	frame_begin(&w->frame);
	screen_draw(screen, &w->frame);
	frame_show(&w->frame);
}

static int
print(struct watch *w)
{
	struct screen screen = {.language = w->events.language,
		.board = w->client ? &w->board : NULL,
		.events = &w->events,
		.lost = w->is_lost ? broker_error(w->client) : NULL};
	struct row *rows = w->client ? board_rows(&w->board, &screen.n)
				     : board_rows_of(doc_get(w->answer, "result"), &screen.n);

	if (!rows)
		return cli_fail(CLI_OTHER, "out of memory");
	screen.n = keep_asked(w, rows, screen.n);
	screen.rows = rows;
	if (w->s.json)
		board_print_json(rows, screen.n, screen.board, &w->events);
	else
		draw(w, &screen);
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

/* Until then, or until the screen has another size or is to be left. */
static void
pass_until(struct watch *w, int64_t end_ms)
{
	int64_t left;

	while ((left = end_ms - cli_now_ms()) > 0 && !terminal_is_over()) {
		if (w->client)
			w->is_lost =
				broker_run(w->client,
					w->is_live && left > LOOK_MS ? LOOK_MS : (int)left) < 0;
		terminal_wait(w->client ? 0 : (int)left);
		if (terminal_was_resized())
			return;
	}
}

/* What is retained comes in a burst. A screen shows what there is after a second and fills up, a
 * table that is printed once waits for all. */
static void
settle(struct watch *w)
{
	int64_t end = cli_now_ms() + REFRESH_MS;

	if (!w->is_live)
		broker_settle(w->client);
	while (w->is_live && cli_now_ms() < end && !terminal_is_over())
		if (broker_run(w->client, LOOK_MS) == 0)
			break;
}

static int
run(struct watch *w)
{
	int code = CLI_FINE;

	if (w->is_live)
		terminal_enter();
	if (w->client)
		settle(w);
	do {
		int64_t next = cli_now_ms() + w->every_ms;
		if (!w->client)
			code = ask_daemon(w);
		if (code == CLI_FINE)
			code = print(w);
		if (w->once || code != CLI_FINE)
			break;
		pass_until(w, next);
	} while (!terminal_is_over());
	terminal_leave();
	if (w->is_live && code != CLI_FINE) /* what was told went with the screen */
		cli_fail(code, "watch: the daemon does not answer any more");
	return code;
}

static int
open_source(struct watch *w)
{
	if (w->broker.urls.n) {
		w->events.language = session_language(&w->s);
		return broker_open(&w->client, &w->broker, w->topics, take, w);
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
		{"--park", CLI_TEXT, &w.park, "only this park"},
		{"--machine", CLI_TEXT, &w.machine, "only this machine"},
		{"--lang", CLI_TEXT, &w.s.lang, "ru or en"},
		FRAME_OPTION(&w.colour),
		{NULL, CLI_FLAG, NULL, NULL},
	};
	const struct cli_usage usage = {"labpulse watch [options]",
		"A live table of machines, those in trouble first, and what happened lately: from a broker,\n"
		"or from the local daemon (of the past it tells only alarms).",
		options, 0, 0};

	w.board.lean = true;
	session_init(&w.s);
	int code = cli_parse(argc, argv, &usage, NULL);
	if (code < 0)
		return cli_exit_of(code);
	w.is_tty = isatty(STDOUT_FILENO) && !w.s.json;
	w.once = w.once || (!w.is_tty && !w.every_ms);
	w.is_live = w.is_tty && !w.once;
	w.every_ms = w.every_ms ? w.every_ms : REFRESH_MS;
	code = frame_colours(w.colour, w.is_tty, &w.frame.colours);
	if (code == CLI_FINE)
		code = make_topics(&w);
	if (code == CLI_FINE)
		code = open_source(&w);
	if (code == CLI_FINE)
		code = run(&w);
	broker_close(w.client);
	board_finish(&w.board);
	frame_finish(&w.frame);
	doc_free(w.answer);
	session_finish(&w.s);
	if (terminal_signal()) { /* ends as it was told to */
		signal(terminal_signal(), SIG_DFL);
		raise(terminal_signal());
	}
	return code;
}
