/* SPDX-License-Identifier: MIT */
/* session.c -- what most commands need first: the configuration, and the daemon if it runs */
#include "cli/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "config/json.h"
#include "drivers/ask.h"

void
session_init(struct session *s)
{
	*s = (struct session){.file = "/etc/labpulse/labpulse.yaml"};
}

void
session_finish(struct session *s)
{
	control_close(s->control);
	config_free(s->config);
}

int
session_config(struct session *s, bool quiet)
{
	struct problems problems = {0};

	if (s->config)
		return CLI_FINE;
	s->config = config_load(s->file, s->profiles, &problems);
	if (!s->config && !quiet) {
		problems_print(&problems, stderr);
		if (access(s->file, F_OK))
			cli_fail(CLI_CONFIG, "-c FILE names another configuration");
	}
	problems_free(&problems);
	return s->config ? CLI_FINE : CLI_CONFIG;
}

/* --control, else what the configuration says, else where systemd puts it. */
static const char *
find_socket(struct session *s, char *buf, size_t size)
{
	const char *runtime = getenv("RUNTIME_DIRECTORY");

	if (s->control_path)
		return s->control_path;
	if (session_config(s, true) == CLI_FINE && s->config->control)
		return s->config->control;
	snprintf(buf, size, "%s/control", runtime && runtime[0] ? runtime : "/run/labpulse");
	return buf;
}

int
session_connect(struct session *s)
{
	char buf[4096];
	const char *path = find_socket(s, buf, sizeof buf);
	int rc = control_open(path, &s->control);

	if (rc == 0 || rc == -ENOENT || rc == -ECONNREFUSED)
		return CLI_FINE;
	return cli_fail(cli_exit_for(rc), "%s: %s%s", path, strerror(-rc),
		rc == -EACCES ? "; people of the group labpulse may use it" : "");
}

int
session_daemon(struct session *s)
{
	int code = session_connect(s);

	if (code == CLI_FINE && !s->control)
		code = cli_fail(CLI_SILENT, "the daemon does not run here");
	return code;
}

int
session_ask(struct session *s, const char *request,
	void (*progress)(void *context, const struct doc *d), void *context, struct doc **answer)
{
	int rc = control_ask(s->control, request, progress, context, answer);

	return rc ? cli_fail(cli_exit_for(rc), "the daemon: %s", strerror(-rc)) : CLI_FINE;
}

int
session_peek(struct session *s, const char *bus, unsigned unit, const struct request *req,
	struct doc **answer)
{
	char request[512];
	struct json j;

	json_init(&j, request, sizeof request);
	json_open(&j, NULL, '{');
	json_put_string(&j, "cmd", "peek");
	json_put_string(&j, "bus", bus);
	json_put_int(&j, "unit", unit);
	json_put_string(&j, "table", ask_table_name(req->table));
	json_put_int(&j, "address", req->address);
	json_put_int(&j, "count", req->count);
	json_close(&j, '}');
	json_end(&j);
	return session_ask(s, request, NULL, NULL, answer);
}

enum language
session_language(const struct session *s)
{
	if (s->lang)
		return !strcmp(s->lang, "ru") ? LANGUAGE_RU : LANGUAGE_EN;
	return s->config ? s->config->language : LANGUAGE_EN;
}

const struct machine_config *
session_machine(const struct session *s, const char *id)
{
	for (size_t i = 0; i < s->config->n_machines; i++)
		if (!strcmp(s->config->machines[i].id, id))
			return &s->config->machines[i];
	return NULL;
}

const char *
session_time(int64_t ms, char *buf, size_t size)
{
	time_t t = ms / 1000;
	struct tm tm;

	strftime(buf, size, "%Y-%m-%d %H:%M:%S", localtime_r(&t, &tm));
	return buf;
}

void
session_print(const struct doc *d)
{
	char *text = doc_print(d);

	puts(text ? text : "null");
	free(text);
}
