/* SPDX-License-Identifier: MIT */
/* test_alarm.c -- labpulse test-alarm: does an alarm reach those whom it should wake? */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/session.h"
#include "config/json.h"

enum { TRIES = 100, PAUSE_US = 100000 };

static int
ask(struct session *s, const char *machine, int ms, const char *severity, struct doc **answer)
{
	char request[512];
	struct json j;

	json_init(&j, request, sizeof request);
	json_open(&j, NULL, '{');
	json_put_string(&j, "cmd", "test-alarm");
	json_put_string(&j, "machine", machine);
	if (ms)
		json_put_int(&j, "ms", ms);
	if (severity)
		json_put_string(&j, "severity", severity);
	json_close(&j, '}');
	json_end(&j);
	return session_ask(s, request, NULL, NULL, answer);
}

/* Asks until the broker has acknowledged the alarm's topic, 10 s at most. */
static int
wait_for_broker(struct session *s, const char *machine, struct doc **answer)
{
	int code = CLI_FINE;

	for (int i = 0; i < TRIES; i++) {
		const struct doc *result = control_result(*answer, &code);
		if (!result || doc_flag(result, "acknowledged", false) ||
			!doc_flag(result, "broker", false))
			return code;
		usleep(PAUSE_US);
		doc_free(*answer);
		*answer = NULL;
		code = ask(s, machine, 0, NULL, answer);
		if (code != CLI_FINE)
			return code;
	}
	return code;
}

static int
tell(const struct doc *result, const char *machine, int ms)
{
	const char *host = doc_text(result, "host", "");
	const char *by = doc_text(result, "suppressed_by", "");

	printf("%s: alarm \"test\" is raised; it ends by itself in %d s\n", machine, ms / 1000);
	if (*by)
		printf("it is suppressed by %s: nobody is woken\n", by);
	if (!doc_flag(result, "broker", false))
		return cli_fail(
			CLI_SILENT, "no broker is connected; the alarm is told when one is back");
	if (!doc_flag(result, "acknowledged", false))
		return cli_fail(CLI_SILENT,
			"broker %s did not acknowledge it within 10 s; labpulse explain says more",
			host);
	printf("broker %s has acknowledged it; now look where alarms should arrive\n", host);
	return CLI_FINE;
}

static int
run(struct session *s, const char *machine, int ms, const char *severity)
{
	struct doc *answer = NULL;
	int code = session_daemon(s);

	if (code == CLI_FINE)
		code = ask(s, machine, ms, severity, &answer);
	if (code == CLI_FINE)
		code = wait_for_broker(s, machine, &answer);
	const struct doc *result = code == CLI_FINE ? control_result(answer, &code) : NULL;
	if (result && s->json)
		session_print(result);
	else if (result)
		code = tell(result, machine, ms);
	doc_free(answer);
	session_finish(s);
	return code;
}

int
cmd_test_alarm(int argc, char **argv)
{
	struct session s;
	const char *machine, *severity = "warning";
	int ms = 60000;
	const struct cli_option options[] = {
		SESSION_OPTIONS(&s),
		{"--severity", CLI_TEXT, &severity, "info, warning (default), error or critical"},
		{"--for", CLI_DURATION_MS, &ms, "how long it stands (1min; at most 1h)"},
		{NULL, CLI_FLAG, NULL, NULL},
	};
	const struct cli_usage usage = {"labpulse test-alarm MACHINE [options]",
		"Raises an alarm that says that it is a test, and waits until the broker has it. It takes\n"
		"the whole way of a real one, but changes neither the machine's state nor its counters.",
		options, 1, 1};

	session_init(&s);
	int n = cli_parse(argc, argv, &usage, &machine);
	return n < 0 ? cli_exit_of(n) : run(&s, machine, ms, severity);
}
