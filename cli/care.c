/* SPDX-License-Identifier: MIT */
/* care.c -- labpulse maintenance, ack, usage, accept: what a technician tells the daemon */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/session.h"
#include "config/json.h"
#include "config/scalar.h"

enum { REQUEST_SIZE = 1024 };

/* The words of a command that has only the common options; as cli_parse() returns. */
static int
parse(int argc, char **argv, struct session *s, const struct cli_usage *about, const char **words)
{
	const struct cli_option options[] = {SESSION_OPTIONS(s), {NULL, CLI_FLAG, NULL, NULL}};
	struct cli_usage usage = *about;

	usage.options = options;
	session_init(s);
	return cli_parse(argc, argv, &usage, words);
}

static void
begin(struct json *j, char *buf, const char *cmd, const char *machine)
{
	json_init(j, buf, REQUEST_SIZE);
	json_open(j, NULL, '{');
	json_put_string(j, "cmd", cmd);
	if (machine)
		json_put_string(j, "machine", machine);
}

/* Sends what `j` holds; `show` prints the result for people. */
static int
order(struct session *s, struct json *j, void (*show)(const struct doc *result))
{
	struct doc *answer = NULL;
	json_close(j, '}');
	if (!json_end(j))
		return cli_fail(CLI_USAGE, "the text is too long");
	int code = session_daemon(s);
	if (code == CLI_FINE)
		code = session_ask(s, j->buf, NULL, NULL, &answer);
	const struct doc *result = code == CLI_FINE ? control_result(answer, &code) : NULL;
	if (result && s->json)
		session_print(result);
	else if (result)
		show(result);
	doc_free(answer);
	session_finish(s);
	return code;
}

/* ---- accept --------------------------------------------------------------------------------- */

static void
show_accept(const struct doc *result)
{
	printf("%s is accepted\n", doc_text(result, "identity", "?"));
}

int
cmd_accept(int argc, char **argv)
{
	struct session s;
	struct json j;
	char request[REQUEST_SIZE], machine[128];
	const char *word;
	static const struct cli_usage usage = {"labpulse accept MACHINE/SOURCE [options]",
		"After a device was replaced on purpose: the one that is there now counts from here on.",
		NULL, 1, 1};

	int n = parse(argc, argv, &s, &usage, &word);
	if (n < 0)
		return cli_exit_of(n);
	snprintf(machine, sizeof machine, "%s", word);
	char *source = strchr(machine, '/');
	if (!source)
		return cli_fail(CLI_USAGE, "accept: MACHINE/SOURCE, for example printer-1/board");
	*source++ = '\0';
	begin(&j, request, "accept", machine);
	json_put_string(&j, "source", source);
	return order(&s, &j, show_accept);
}

/* ---- maintenance ---------------------------------------------------------------------------- */

static void
show_maintenance(const struct doc *result)
{
	const struct doc *m = doc_get(result, "maintenance");
	const char *machine = doc_text(result, "machine", "?");
	char when[64];

	if (!doc_get(m, "until")) {
		printf("%s: maintenance is over\n", machine);
		return;
	}
	session_time(doc_int(m, "until", 0), when, sizeof when);
	printf("%s: in maintenance until %s (%s); only critical alarms are told\n", machine, when,
		doc_text(m, "reason", ""));
}

int
cmd_maintenance(int argc, char **argv)
{
	struct session s;
	struct json j;
	char request[REQUEST_SIZE];
	const char *words[3] = {NULL, NULL, ""};
	int64_t ms;
	static const struct cli_usage usage = {
		"labpulse maintenance MACHINE DURATION \"REASON\" [options]",
		"While a machine is worked on, its alarms below critical wake nobody. Ends by itself;\n"
		"DURATION is 30min, 2h, 1d (at most 30d); 0s ends it now and needs no reason.",
		NULL, 2, 3};

	int n = parse(argc, argv, &s, &usage, words);
	if (n < 0)
		return cli_exit_of(n);
	if (!scalar_duration(words[1], &ms))
		return cli_fail(
			CLI_USAGE, "maintenance: %s is no duration; 30min, 2h, 1d are", words[1]);
	if (ms > 0 && n < 3)
		return cli_fail(CLI_USAGE, "maintenance: a reason is wanted, for those who watch");
	begin(&j, request, "maintenance", words[0]);
	json_put_int(&j, "ms", ms);
	json_put_string(&j, "reason", words[2]);
	return order(&s, &j, show_maintenance);
}

/* ---- ack ------------------------------------------------------------------------------------ */

static void
show_ack(const struct doc *result)
{
	printf("%s: alarm %s is acknowledged%s\n", doc_text(result, "machine", "?"),
		doc_text(result, "code", "?"),
		doc_flag(result, "active", false) ? "; its cause is still there" : " and over");
}

int
cmd_ack(int argc, char **argv)
{
	struct session s;
	struct json j;
	char request[REQUEST_SIZE];
	const char *words[2];
	static const struct cli_usage usage = {"labpulse ack MACHINE CODE [options]",
		"A person has seen this alarm. One that latches ends only after that.", NULL, 2, 2};

	int n = parse(argc, argv, &s, &usage, words);
	if (n < 0)
		return cli_exit_of(n);
	begin(&j, request, "ack", words[0]);
	json_put_string(&j, "code", words[1]);
	return order(&s, &j, show_ack);
}

/* ---- usage ---------------------------------------------------------------------------------- */

static void
show_hours(const struct doc *m, const char *key)
{
	printf("%10.1f", (double)doc_int(m, key, 0) / 3600);
}

static void
show_usage(const struct doc *result)
{
	static const char *const hours[] = {
		"busy_s", "paused_s", "idle_s", "off_s", "offline_s", "unknown_s", "fault_s"};
	const struct doc *machines = doc_get(result, "machines");
	char number[64];

	printf("%-16s %-16s%10s%10s%10s%10s%10s%10s%10s%6s%6s%6s %s\n", "machine", "asset",
		"busy h", "paused h", "idle h", "off h", "offline h", "unknown h", "fault h",
		"jobs", "done", "failed", "energy Wh");
	for (size_t i = 0; i < doc_size(machines); i++) {
		const struct doc *m = doc_at(machines, i), *energy = doc_get(m, "energy_wh");
		printf("%-16s %-16s", doc_text(m, "machine", "?"), doc_text(m, "asset", "?"));
		for (size_t k = 0; k < sizeof hours / sizeof hours[0]; k++)
			show_hours(m, hours[k]);
		printf("%6lld%6lld%6lld %s\n", (long long)doc_int(m, "jobs_started", 0),
			(long long)doc_int(m, "jobs_finished", 0),
			(long long)doc_int(m, "jobs_failed", 0),
			energy ? doc_show(energy, number, sizeof number) : "-");
	}
}

static int
put_setting(struct json *j, const char *const *words, int n)
{
	double value;

	if (n < 3)
		return cli_fail(CLI_USAGE, "usage set: MACHINE FIELD VALUE are wanted");
	if (!scalar_number(words[2], &value) || value < 0)
		return cli_fail(CLI_USAGE, "usage set: %s is not a number of 0 or more", words[2]);
	json_put_string(j, "field", words[1]);
	json_put_real(j, "value", value, 3);
	json_put_string(j, "note", n > 3 ? words[3] : "");
	return CLI_FINE;
}

int
cmd_usage(int argc, char **argv)
{
	struct session s;
	struct json j;
	char request[REQUEST_SIZE];
	const char *words[5];
	static const struct cli_usage usage = {
		"labpulse usage [MACHINE] | usage set MACHINE FIELD VALUE [\"NOTE\"] [options]",
		"Running hours and jobs of each machine's asset. `set` corrects a counter, for example\n"
		"after a machine came with hours on it: usage set laser-1 busy_s 3600 \"from the old book\".\n"
		"FIELD: off_s idle_s busy_s paused_s unknown_s offline_s fault_s jobs_started\n"
		"jobs_finished jobs_failed alarms_raised energy_wh. It is told to all as an event.",
		NULL, 0, 5};

	int n = parse(argc, argv, &s, &usage, words);
	if (n < 0)
		return cli_exit_of(n);
	bool set = n > 0 && !strcmp(words[0], "set");
	begin(&j, request, "usage", set ? (n > 1 ? words[1] : "") : n > 0 ? words[0] : NULL);
	int code = set ? put_setting(&j, words + 1, n - 1) : CLI_FINE;
	if (!set && n > 1)
		code = cli_fail(CLI_USAGE, "usage: one machine, or none for all");
	return code == CLI_FINE ? order(&s, &j, show_usage) : code;
}
