/* SPDX-License-Identifier: MIT */
/* explain.c -- labpulse explain: in words why a machine is offline or in fault, and what to touch
 *
 * The words for each failure come with the state (config/hint.c writes them); here they are put
 * together. Without daemon and broker the machines are read once, which tells the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/board.h"
#include "cli/broker.h"
#include "cli/explain_row.h"
#include "cli/read.h"
#include "cli/screen.h"
#include "cli/sentence.h"
#include "cli/terminal.h"
#include "cli/words.h"
#include "config/json.h"

struct explain {
	struct session s;
	struct broker_options broker;
	const char *machine; /* NULL: all that are in trouble */
	const char *colour;
	struct frame frame;
	struct board board;
	enum language language;
	bool found;
};

enum phrase {
	IS_FINE,
	SINCE,
	GATEWAY_OFFLINE,
	NOT_OK,
	NO_SOURCES,
	OTHERS,
	ALL,
	NO_VALUE,
	ASK_GATEWAY,
	NO_BROKER,
	CONFIG_REFUSED,
	PHRASES
};

static const struct text phrases[PHRASES] = {
	[IS_FINE] = {"всё в порядке", "nothing is wrong"},
	[SINCE] = {"с", "since"},
	[GATEWAY_OFFLINE] = {"шлюз не на связи: проверьте его питание и сеть, затем на нём `systemctl status labpulsed`",
		"the gateway is offline: check its power and network, then on it `systemctl status labpulsed`"},
	[NOT_OK] = {"не отвечает", "does not answer"},
	[NO_VALUE] = {"нет значения", "no value"},
	[ASK_GATEWAY] = {"Чтобы узнать почему, запустите на шлюзе",
		"To learn why, run on the gateway"},
	[NO_BROKER] = {"нет связи с брокером: проверьте сеть, mqtt.brokers, имя и пароль",
		"no connection to the broker: check the network, mqtt.brokers, user and password"},
	[CONFIG_REFUSED] = {"новая конфигурация не принята, проверьте её (`labpulse check`)",
		"the new configuration was refused, see `labpulse check`"},
	[OTHERS] = {"остальные машины", "the other machines"},
	[ALL] = {"машины", "machines"},
	[NO_SOURCES] = {"нет источников Modbus", "has no Modbus sources"},
};

static const char *
say(const struct explain *e, enum phrase phrase)
{
	return config_text(&phrases[phrase], e->language);
}

/* ---- one machine ------------------------------------------------------------------------------
 */

static void
add_since(const struct explain *e, struct sentence *s, int64_t since_ms)
{
	char text[32];

	if (since_ms)
		sentence_add(s, " %s %s", say(e, SINCE), session_time(since_ms, text, sizeof text));
}

/* True if there was something to say. */
static bool
explain_source(struct explain *e, const char *id, const struct doc *d)
{
	const char *error = doc_text(d, "error", NULL);
	struct sentence s = {.len = 0};

	if (doc_flag(d, "ok", !error))
		return explain_points(&e->frame, id, doc_get(d, "points"));
	explain_begin(&e->frame, id);
	sentence_add(&s, "%s", error ? error : say(e, NOT_OK));
	add_since(e, &s, doc_int(d, "since", 0));
	sentence_add(&s, ". %s", doc_text(d, "hint", ""));
	explain_end(&e->frame, &s);
	return true;
}

static bool
explain_sources(struct explain *e, const struct doc *sources)
{
	const struct doc *d;
	const char *id;
	void *place = NULL;
	bool said = false;

	for (size_t i = 0; (d = doc_at(sources, i)); i++)
		said |= explain_source(e, doc_text(d, "source", ""), d);
	while (!doc_at(sources, 0) && (id = doc_next(sources, &place, &d)))
		said |= explain_source(e, id, d);
	return said;
}

/* Retained topics name the points that a source has, and the values that there are. */
static bool
explain_missing(struct explain *e, const struct row *r, const char *source)
{
	const struct doc *d;
	const char *name;
	void *place = NULL;
	struct sentence s = {.len = 0};
	size_t n = strlen(source);
	bool said = false;

	while ((name = doc_next(r->points, &place, &d))) {
		if (strncmp(name, source, n) != 0 || name[n] != '.' || doc_get(r->values, name))
			continue;
		sentence_add(&s, "%s%s", said ? ", " : "", name + n + 1);
		said = true;
	}
	if (!said)
		return false;
	sentence_add(&s, ". %s `labpulse explain %s`.", say(e, ASK_GATEWAY), r->machine);
	explain_begin(&e->frame, source);
	frame_put(&e->frame, say(e, NO_VALUE), SIZE_MAX);
	frame_put(&e->frame, ": ", SIZE_MAX);
	explain_end(&e->frame, &s);
	return true;
}

static bool
explain_all_missing(struct explain *e, const struct row *r)
{
	const struct doc *d;
	const char *id;
	void *place = NULL;
	bool said = false;

	while (r->points && (id = doc_next(r->sources, &place, &d)))
		if (doc_flag(d, "ok", false))
			said |= explain_missing(e, r, id);
	return said;
}

/* "park/machine: in fault (the reason of its activity)"; why a source is silent is said below. */
static void
explain_head(struct explain *e, const struct row *r)
{
	struct sentence s = {.len = 0};
	char name[128];
	bool told = r->reason[0] && strcmp(r->activity, "unknown") != 0;

	snprintf(name, sizeof name, "%s%s%s", r->park, r->park[0] ? "/" : "", r->machine);
	frame_put_in(&e->frame, INK_BOLD, name, SIZE_MAX);
	frame_put(&e->frame, ": ", SIZE_MAX);
	frame_put_in(&e->frame, screen_ink(r->state), words_state(r->state, e->language), SIZE_MAX);
	if (told)
		sentence_add(&s, " (%s)", r->reason);
	explain_end(&e->frame, &s);
}

static void
explain_row(struct explain *e, const struct row *r)
{
	struct sentence s = {.len = 0};

	explain_head(e, r);
	if (r->gateway_offline) {
		explain_begin(&e->frame, r->gateway);
		sentence_add(&s, "%s", say(e, GATEWAY_OFFLINE));
		explain_end(&e->frame, &s);
		return;
	}
	explain_maintenance(&e->frame, r, e->language);
	explain_job(&e->frame, r, e->language);
	bool said = explain_alarms(&e->frame, r, e->language);
	said |= explain_sources(e, r->sources);
	said |= explain_all_missing(e, r);
	if (!said) {
		sentence_add(&s, "  %s", say(e, IS_FINE));
		explain_end(&e->frame, &s);
	}
}

/* Where none is named: those with nothing to tell are summed up. */
static void
explain_each(struct explain *e, const struct row *rows, size_t n)
{
	struct sentence s = {.len = 0};
	size_t fine = 0;

	for (size_t i = 0; i < n; i++) {
		if (e->machine || row_needs_somebody(&rows[i]))
			explain_row(e, &rows[i]);
		else
			fine++;
	}
	if (!fine)
		return;
	sentence_add(&s, "%s (%zu): %s", say(e, fine < n ? OTHERS : ALL), fine, say(e, IS_FINE));
	explain_end(&e->frame, &s);
}

static int
explain_rows(struct explain *e, struct row *rows, size_t n)
{
	size_t kept = 0;

	if (!rows)
		return cli_fail(CLI_OTHER, "out of memory");
	for (size_t i = 0; i < n; i++)
		if (!e->machine || !strcmp(e->machine, rows[i].machine))
			rows[kept++] = rows[i];
	e->found = kept > 0;
	if (e->s.json)
		board_print_json(rows, kept, NULL, NULL);
	else
		explain_each(e, rows, kept);
	free(rows);
	return CLI_FINE;
}

/* ---- where it comes from ----------------------------------------------------------------------
 */

/* They concern all its machines. */
static void
explain_gateway_alarms(struct explain *e)
{
	const struct board_entry *place = NULL;
	const struct doc *doc;
	const char *gateway, *park;

	while (!e->s.json && (doc = board_next_alarm(&e->board, &place, &park, &gateway))) {
		const struct row_alarm alarm = {doc_text(doc, "code", ""), doc};
		struct sentence s = {.len = 0};
		sentence_add(&s, "%s/%s:", park, gateway);
		explain_end(&e->frame, &s);
		explain_alarm(&e->frame, &alarm, e->language);
	}
}

static int
from_broker(struct explain *e)
{
	struct broker_client *client = NULL;
	const struct board_entry *place = NULL;
	const char *gateway, *park;
	size_t n;
	int code = broker_open(&client, &e->broker, board_topics, board_take, &e->board);

	if (code != CLI_FINE)
		return code;
	broker_settle(client);
	while (!e->s.json && (gateway = board_next_offline(&e->board, &place, &park))) {
		struct sentence s = {.len = 0};
		sentence_add(&s, "%s/%s: %s", park, gateway, say(e, GATEWAY_OFFLINE));
		explain_end(&e->frame, &s);
	}
	explain_gateway_alarms(e);
	struct row *rows = board_rows(&e->board, &n);
	code = explain_rows(e, rows, n);
	broker_close(client);
	return code;
}

/* The lines themselves, where all is explained: of one machine its sources say the same. */
static void
explain_buses(struct explain *e, const struct doc *buses)
{
	for (size_t i = 0; !e->machine && !e->s.json && i < doc_size(buses); i++) {
		const struct doc *bus = doc_at(buses, i);
		explain_source(e, doc_text(bus, "id", doc_text(bus, "bus", "")), bus);
	}
}

/* What concerns all machines: the broker does not hear of them, or the configuration is old. */
static void
explain_gateway(struct explain *e, const struct doc *gateway)
{
	const struct doc *broker = doc_get(gateway, "broker");
	const char *error = doc_text(broker, "error", ""), *config;

	if (e->s.json)
		return;
	struct sentence about = {.len = 0}, refused = {.len = 0};
	if (!doc_flag(broker, "connected", true)) {
		sentence_add(&about, "  %s. %s%s%s", say(e, NO_BROKER),
			doc_text(broker, "host", ""), error[0] ? ": " : "", error);
		explain_end(&e->frame, &about);
	}
	config = doc_text(gateway, "config_error", NULL);
	if (config) {
		sentence_add(&refused, "  %s. %s", say(e, CONFIG_REFUSED), config);
		explain_end(&e->frame, &refused);
	}
}

static int
from_daemon(struct explain *e)
{
	struct doc *answer = NULL;
	char request[512];
	struct json j;
	size_t n;

	json_init(&j, request, sizeof request);
	json_open(&j, NULL, '{');
	json_put_string(&j, "cmd", "explain");
	json_put_string(&j, "machine", e->machine);
	json_put_string(&j, "lang", e->language == LANGUAGE_RU ? "ru" : "en");
	json_close(&j, '}');
	json_end(&j);
	int code = session_ask(&e->s, request, NULL, NULL, &answer);
	const struct doc *result = code == CLI_FINE ? control_result(answer, &code) : NULL;
	if (result && e->s.json) {
		session_print(result);
		e->found = true;
	} else if (result) {
		explain_gateway(e, doc_get(result, "gateway"));
		explain_buses(e, doc_get(result, "buses"));
		struct row *rows = board_rows_of(result, &n);
		code = explain_rows(e, rows, n);
	}
	doc_free(answer);
	return code;
}

static void
explain_reading(struct explain *e, const struct machine_config *m, const struct doc *sources)
{
	struct sentence head = {.len = 0}, fine = {.len = 0};

	sentence_add(&head, "%s: %s", m->id, config_text(&m->title, e->language));
	explain_end(&e->frame, &head);
	if (doc_size(sources) && explain_sources(e, sources))
		return;
	sentence_add(&fine, "  %s", say(e, doc_size(sources) ? IS_FINE : NO_SOURCES));
	explain_end(&e->frame, &fine);
}

static int
read_machine(struct explain *e, const struct machine_config *m)
{
	struct doc *result = read_locally(&e->s, m, NULL);

	if (!result)
		return cli_fail(CLI_OTHER, "out of memory");
	e->found = true;
	if (e->s.json) {
		session_print(result);
	} else {
		explain_reading(e, m, doc_get(result, "sources"));
	}
	doc_free(result);
	return CLI_FINE;
}

static int
by_reading(struct explain *e)
{
	int code = session_config(&e->s, false);

	e->language = session_language(&e->s);
	for (size_t i = 0; code == CLI_FINE && i < e->s.config->n_machines; i++) {
		const struct machine_config *m = &e->s.config->machines[i];
		if (!e->machine || !strcmp(e->machine, m->id))
			code = read_machine(e, m);
	}
	return code;
}

static int
run(struct explain *e)
{
	int code = CLI_FINE;

	if (e->broker.urls.n) {
		e->language = session_language(&e->s);
		code = from_broker(e);
	} else {
		code = session_connect(&e->s);
		e->language = session_language(&e->s);
		if (code == CLI_FINE)
			code = e->s.control ? from_daemon(e) : by_reading(e);
	}
	if (code == CLI_FINE && e->machine && !e->found)
		code = cli_fail(CLI_USAGE, "explain: no machine \"%s\"", e->machine);
	return code;
}

int
cmd_explain(int argc, char **argv)
{
	struct explain e = {0};
	const struct cli_option options[] = {
		SESSION_OPTIONS(&e.s),
		BROKER_OPTIONS(&e.broker),
		{"--lang", CLI_TEXT, &e.s.lang, "ru or en (default: the configuration's)"},
		FRAME_OPTION(&e.colour),
		{NULL, CLI_FLAG, NULL, NULL},
	};
	const struct cli_usage usage = {"labpulse explain [MACHINE] [options]",
		"Says why machines are offline or in fault, and what to touch (of all those in trouble, if none is\n"
		"named): from a broker, from the local "
		"daemon, or by reading them once.",
		options, 0, 1};

	session_init(&e.s);
	int code = cli_parse(argc, argv, &usage, &e.machine);
	if (code < 0)
		return cli_exit_of(code);
	bool is_tty = isatty(STDOUT_FILENO);
	size_t lines;
	code = frame_colours(e.colour, is_tty, &e.frame.colours);
	if (is_tty)
		terminal_size(&e.frame.width, &lines);
	if (code == CLI_FINE)
		code = run(&e);
	frame_show(&e.frame);
	frame_finish(&e.frame);
	board_finish(&e.board);
	session_finish(&e.s);
	return code;
}
