/* SPDX-License-Identifier: MIT */
/* spool.c -- labpulse spool: what waits for the broker, what no broker takes, and a copy of it */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/session.h"
#include "cli/words.h"
#include "config/json.h"

enum { LETTERS_SHOWN = 20 };

/* ---- pages ---------------------------------------------------------------------------------- */

/* One page of records, each a line of JSON as text. */
static int
ask_page(struct session *s, const char *what, int64_t after, struct doc **answer)
{
	char request[128];
	struct json j;

	json_init(&j, request, sizeof request);
	json_open(&j, NULL, '{');
	json_put_string(&j, "cmd", "spool-export");
	json_put_string(&j, "what", what);
	json_put_int(&j, "after", after);
	json_close(&j, '}');
	json_end(&j);
	return session_ask(s, request, NULL, NULL, answer);
}

/* ---- for people ------------------------------------------------------------------------------ */

static const char *
show_size(int64_t bytes, char *buf, size_t size)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double n = (double)bytes;
	size_t i = 0;

	for (; n >= 1024 && i + 1 < sizeof units / sizeof units[0]; i++)
		n /= 1024;
	snprintf(buf, size, i ? "%.1f %s" : "%.0f %s", n, units[i]);
	return buf;
}

static void
show_lane(const char *name, const struct doc *lane)
{
	char bytes[32], age[64] = "-";
	int64_t oldest = doc_int(lane, "oldest_ts", 0);

	if (oldest)
		words_duration((words_now_ms() - oldest) / 1000, LANGUAGE_EN, age, sizeof age);
	printf("%-14s%10" PRId64 "%12s  %s\n", name, doc_int(lane, "records", 0),
		show_size(doc_int(lane, "bytes", 0), bytes, sizeof bytes), age);
}

/* What a broker may say to a message (MQTT 5.0, 3.4.2.1), in words that help. */
static const char *
show_reason(int64_t reason, char *buf, size_t size)
{
	static const struct {
		int64_t code;
		const char *words;
	} rows[] = {
		{0x80, "the broker refused it again and again, without a reason"},
		{0x83, "the broker refused it again and again, by a rule of its own"},
		{0x87, "the broker does not allow us to write there"},
		{0x90, "the broker takes no such topic"},
		{0x95, "too large for the broker"},
		{0x97, "the broker's quota is exceeded"},
		{0x99, "the broker does not believe that it is JSON"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (rows[i].code == reason)
			return rows[i].words;
	snprintf(buf, size, "reason code 0x%02X", (unsigned)reason);
	return buf;
}

static void
show_letter(const char *line)
{
	struct doc *letter = doc_parse(line, strlen(line));
	char when[64], reason[64];

	if (letter)
		printf("  %s  %s, seq %" PRId64 ": %s\n",
			session_time(doc_int(letter, "ts", 0), when, sizeof when),
			doc_text(letter, "topic", "?"), doc_int(letter, "seq", 0),
			show_reason(doc_int(letter, "reason", 0), reason, sizeof reason));
	doc_free(letter);
}

static int
show_letters(struct session *s, int64_t letters)
{
	struct doc *answer = NULL;
	int code = CLI_FINE;

	printf("\n%" PRId64 " dead letters, which no broker takes:\n", letters);
	code = ask_page(s, "dead", 0, &answer);
	const struct doc *page = code == CLI_FINE ? control_result(answer, &code) : NULL;
	const struct doc *lines = doc_get(page, "lines");
	for (size_t i = 0; i < doc_size(lines) && i < LETTERS_SHOWN; i++)
		show_letter(doc_string(doc_at(lines, i)));
	if (page && letters > LETTERS_SHOWN)
		printf("  … all of them: labpulse spool export --dead\n");
	doc_free(answer);
	return code;
}

static int
show(struct session *s, const struct doc *result)
{
	const struct doc *disk = doc_get(result, "disk"), *errors = doc_get(result, "errors");
	int64_t letters = doc_int(doc_get(result, "dead"), "letters", 0);
	int64_t evicted = doc_int(doc_get(result, "telemetry"), "evicted", 0);
	char used[32], most[32], left[32];

	printf("%-14s%10s%12s  %s\n", "waits", "records", "size", "oldest");
	show_lane("events", doc_get(result, "events"));
	show_lane("telemetry", doc_get(result, "telemetry"));
	printf("\ndisk: %s of %s used, %s free\n",
		show_size(doc_int(disk, "bytes", 0), used, sizeof used),
		show_size(doc_int(disk, "max_bytes", 0), most, sizeof most),
		show_size(doc_int(disk, "free_bytes", 0), left, sizeof left));
	if (evicted)
		printf("lost for want of room since the start: %" PRId64 " records\n", evicted);
	for (size_t i = 0; i < doc_size(errors); i++)
		printf("error: %s\n", doc_string(doc_at(errors, i)));
	return letters ? show_letters(s, letters) : CLI_FINE;
}

static int
look(struct session *s)
{
	struct doc *answer = NULL;
	int code = session_ask(s, "{\"cmd\":\"spool\"}", NULL, NULL, &answer);
	const struct doc *result = code == CLI_FINE ? control_result(answer, &code) : NULL;

	if (result && s->json)
		session_print(result);
	else if (result)
		code = show(s, result);
	doc_free(answer);
	return code;
}

/* ---- a copy -----------------------------------------------------------------------------------
 */

struct copy {
	FILE *out;
	int64_t records;
};

static int
copy_all(struct session *s, const char *what, struct copy *c)
{
	int code = CLI_FINE;

	for (int64_t after = 0; after >= 0;) {
		struct doc *answer = NULL;
		code = ask_page(s, what, after, &answer);
		const struct doc *page = code == CLI_FINE ? control_result(answer, &code) : NULL;
		const struct doc *lines = doc_get(page, "lines");
		for (size_t i = 0; i < doc_size(lines); i++, c->records++)
			fprintf(c->out, "%s\n", doc_string(doc_at(lines, i)));
		after = doc_int(page, "next", -1);
		doc_free(answer);
	}
	return code;
}

static int
copy_to(struct session *s, bool dead, const char *file)
{
	struct copy c = {.out = file ? fopen(file, "we") : stdout};

	if (!c.out)
		return cli_fail(cli_exit_for(-errno), "%s: %s", file, strerror(errno));
	int code = copy_all(s, dead ? "dead" : "events", &c);
	if (code == CLI_FINE && !dead)
		code = copy_all(s, "telemetry", &c);
	bool written = !ferror(c.out) && fflush(c.out) == 0;
	if (file && fclose(c.out) != 0)
		written = false;
	if (!written)
		return cli_fail(CLI_OTHER, "%s: cannot be written", file ? file : "stdout");
	if (file && code == CLI_FINE)
		printf("%" PRId64 " records in %s\n", c.records, file);
	return code;
}

/* ---- the command ------------------------------------------------------------------------------
 */

int
cmd_spool(int argc, char **argv)
{
	struct session s;
	bool dead = false;
	const char *words[2] = {NULL, NULL};
	const struct cli_option options[] = {
		{"--dead", CLI_FLAG, &dead, "export: only what no broker takes"},
		SESSION_OPTIONS(&s), {NULL, CLI_FLAG, NULL, NULL}};
	const struct cli_usage usage = {"labpulse spool | spool export [FILE] [options]",
		"What waits for the broker: how much, since when, how much room there is, and dead\n"
		"letters, which no broker takes. `export` writes a copy of it, one JSON object a line,\n"
		"to FILE or to standard output; what waits goes on waiting.",
		options, 0, 2};

	session_init(&s);
	int n = cli_parse(argc, argv, &usage, words);
	if (n < 0)
		return cli_exit_of(n);
	bool export = n > 0 && !strcmp(words[0], "export");
	if (n > 0 && !export)
		return cli_fail(CLI_USAGE, "spool: %s is not known; export is", words[0]);
	if (dead && !export)
		return cli_fail(CLI_USAGE, "spool: --dead belongs to export");
	int code = session_daemon(&s);
	if (code == CLI_FINE)
		code = export ? copy_to(&s, dead, words[1]) : look(&s);
	session_finish(&s);
	return code;
}
