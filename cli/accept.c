/* SPDX-License-Identifier: MIT */
/* accept.c -- labpulse accept: the device that is there now is the right one */
#include <stdio.h>
#include <string.h>

#include "cli/session.h"
#include "config/json.h"

static int
ask_daemon(struct session *s, const char *machine, const char *source)
{
	struct doc *answer = NULL;
	char request[512];
	struct json j;

	json_init(&j, request, sizeof request);
	json_open(&j, NULL, '{');
	json_put_string(&j, "cmd", "accept");
	json_put_string(&j, "machine", machine);
	json_put_string(&j, "source", source);
	json_close(&j, '}');
	json_end(&j);
	int code = session_ask(s, request, NULL, NULL, &answer);
	const struct doc *result = code == CLI_FINE ? control_result(answer, &code) : NULL;
	if (result && s->json)
		session_print(result);
	else if (result)
		printf("%s/%s: %s is accepted\n", machine, source,
			doc_text(result, "identity", "?"));
	doc_free(answer);
	return code;
}

int
cmd_accept(int argc, char **argv)
{
	struct session s;
	const struct cli_option options[] = {
		SESSION_OPTIONS(&s),
		{NULL, CLI_FLAG, NULL, NULL},
	};
	const struct cli_usage usage = {"labpulse accept MACHINE/SOURCE [options]",
		"After a device was replaced on purpose: the one that is there now counts from here on.",
		options, 1, 1};
	const char *word;
	char machine[128];

	session_init(&s);
	int n = cli_parse(argc, argv, &usage, &word);
	if (n < 0)
		return cli_exit_of(n);
	snprintf(machine, sizeof machine, "%s", word);
	char *source = strchr(machine, '/');
	if (!source)
		return cli_fail(CLI_USAGE, "accept: MACHINE/SOURCE, for example printer-1/board");
	*source++ = '\0';
	int code = session_connect(&s);
	if (code == CLI_FINE && !s.control)
		code = cli_fail(CLI_SILENT, "accept: the daemon does not run here");
	if (code == CLI_FINE)
		code = ask_daemon(&s, machine, source);
	session_finish(&s);
	return code;
}
