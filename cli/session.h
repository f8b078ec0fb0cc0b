/* SPDX-License-Identifier: MIT */
/* session.h -- what most commands need first: the configuration, and the daemon if it runs */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "cli/cli.h"
#include "cli/control.h"
#include "config/config.h"

struct session {
	const char *file, *profiles, *control_path, *lang; /* options */
	bool json;
	struct config *config;   /* NULL until session_config() */
	struct control *control; /* NULL: no daemon runs */
};

/* For the table of options of a command. */
#define SESSION_OPTIONS(s)                                                                         \
	{"--config", CLI_TEXT, &(s)->file, "configuration (/etc/labpulse/labpulse.yaml)"},         \
		{"-c", CLI_TEXT, &(s)->file, "the same"},                                          \
		{"--profiles", CLI_TEXT, &(s)->profiles, "look here first for profiles"},          \
		{"--control", CLI_TEXT, &(s)->control_path, "control socket of the daemon"},       \
	{                                                                                          \
		"--json", CLI_FLAG, &(s)->json, "print JSON"                                       \
	}

void session_init(struct session *s);
void session_finish(struct session *s);
/* Loads the configuration. CLI_FINE, or the exit code after its problems were printed; quiet:
 * nothing is printed. */
int session_config(struct session *s, bool quiet);
/* Connects to the daemon, if one runs. CLI_FINE also without; else the exit code, told. */
int session_connect(struct session *s);
/* The same for what only a running daemon can do: without one it is CLI_SILENT, told. */
int session_daemon(struct session *s);
/* Asks the daemon; the answer is to be freed. CLI_FINE, or the exit code, told. */
int session_ask(struct session *s, const char *request,
	void (*progress)(void *context, const struct doc *d), void *context, struct doc **answer);
/* Asks it for a block of a unit on one of its buses, as session_ask(). */
int session_peek(struct session *s, const char *bus, unsigned unit, const struct request *req,
	struct doc **answer);
/* --lang, else the configuration's, else English. */
enum language session_language(const struct session *s);
const struct machine_config *session_machine(const struct session *s, const char *id);
/* Local time of ms since 1970, "2026-01-01 14:02:11"; returns buf. */
const char *session_time(int64_t ms, char *buf, size_t size);
/* Prints it as one line of JSON. */
void session_print(const struct doc *d);

#endif
