/* SPDX-License-Identifier: MIT */
/* read.c -- labpulse read: a machine once, every point with raw words, value, unit, quality
 *
 * The running daemon is asked, since it holds the lines. Without one the tool opens them itself;
 * its answer has the same form, so that there is one way to print it.
 */
#include "cli/read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/line.h"
#include "config/hint.h"
#include "config/json.h"
#include "drivers/decode.h"
#include "drivers/device.h"
#include "drivers/plan.h"

enum { MAX_WORDS = 2000, POINT_JSON = 1200, SOURCE_JSON = 4096 };

/* What came of one point. */
struct result {
	struct value value;
	char raw[96];
	char text[256]; /* of a string value, until it is printed */
};

struct source_read {
	const struct source_config *source;
	const struct profile *profile;
	const struct bus_config *bus;
	struct link *link;
	struct line_times times;
	struct result *results; /* one per point of the profile */
	int rc;                 /* of the device as a whole */
	char identity[128];
};

/* ---- without the daemon ---------------------------------------------------------------------- */

static void
note_words(struct result *r, const struct reg_point *p, const uint16_t *words)
{
	size_t len = 0;

	r->raw[0] = '\0';
	for (unsigned i = 0; i < p->count && len + 8 < sizeof r->raw; i++)
		len += (size_t)snprintf(
			r->raw + len, sizeof r->raw - len, "%s0x%04X", i ? " " : "", words[i]);
}

static void
decode(struct source_read *sr, const struct plan_request *pr, const uint16_t *words)
{
	struct block block = {sr->profile, &pr->req, words};

	for (size_t i = 0; i < pr->n_points; i++) {
		const struct reg_point *p = &sr->profile->points[pr->points[i]];
		struct result *r = &sr->results[pr->points[i]];
		struct text_room room = {r->text, 0, sizeof r->text};
		decode_point(&block, pr->points[i], &room, &r->value);
		note_words(r, p, words + (p->address - pr->req.address));
	}
}

static void
refuse(struct source_read *sr, const struct plan_request *pr, int rc, unsigned exception)
{
	enum fail fail = rc == -EREMOTEIO ? FAIL_EXCEPTION : device_fail(rc);

	for (size_t i = 0; i < pr->n_points; i++) {
		struct result *r = &sr->results[pr->points[i]];
		r->value = (struct value){
			.kind = VALUE_NONE, .fail = (uint8_t)fail, .exception = (uint8_t)exception};
	}
}

/* One block; where the device refuses it, its points one by one. */
static void
read_block(struct source_read *sr, const struct plan_request *pr)
{
	uint16_t words[MAX_WORDS];
	unsigned exception = 0;
	uint8_t unit = (uint8_t)sr->source->unit;
	int rc = line_read(sr->link, unit, &sr->times, &pr->req, words, &exception);

	if (rc == -ETIMEDOUT || rc == -EBADMSG || rc == -EPROTO)
		rc = line_read(sr->link, unit, &sr->times, &pr->req, words, &exception);
	if (rc == 0) {
		decode(sr, pr, words);
		return;
	}
	refuse(sr, pr, rc, exception);
	if (rc != -EREMOTEIO || (exception != 2 && exception != 3) || pr->n_points == 1)
		return;
	for (size_t i = 0; i < pr->n_points; i++) {
		const struct reg_point *p = &sr->profile->points[pr->points[i]];
		struct plan_request one = {.req = {p->table, p->address, p->count, 0},
			.points = &pr->points[i],
			.n_points = 1};
		read_block(sr, &one);
	}
}

/* Opens the line and lets the device's own code find out who is there. */
static int
identify(struct source_read *sr)
{
	const struct device_spec spec = {.driver = sr->source->driver,
		.profile = sr->profile,
		.wanted = sr->source->wanted,
		.unit = (uint8_t)sr->source->unit,
		.timeout_ms = sr->source->timeout_ms,
		.byte_timeout_ms = sr->source->byte_timeout_ms,
		.min_gap_ms = sr->source->min_gap_ms,
		.max_latency_ms = sr->source->max_latency_ms};
	struct device *dev = device_create(&spec, sr->link);
	struct reading *reading = dev ? reading_create(dev) : NULL;
	int rc = -ENOMEM;

	if (reading)
		rc = device_poll(dev, 0, reading);
	if (dev)
		snprintf(sr->identity, sizeof sr->identity, "%s", device_identity(dev));
	reading_destroy(reading);
	device_destroy(dev);
	return rc;
}

static void
fail_all(struct source_read *sr, int rc)
{
	for (size_t i = 0; i < sr->profile->n_points; i++)
		sr->results[i].value =
			(struct value){.kind = VALUE_NONE, .fail = (uint8_t)device_fail(rc)};
}

static int
first_of(int given, int otherwise)
{
	return given ? given : otherwise;
}

static int
read_source(struct source_read *sr)
{
	const struct source_config *s = sr->source;
	const struct profile_link *l = &sr->profile->link;
	static const struct plan_hints no_hints;

	sr->times = (struct line_times){first_of(s->timeout_ms, l->response_timeout_ms),
		first_of(s->byte_timeout_ms, l->byte_timeout_ms),
		first_of(s->min_gap_ms, l->min_gap_ms),
		first_of(s->max_latency_ms, l->max_latency_ms)};
	sr->rc = identify(sr);
	if (sr->rc) {
		fail_all(sr, sr->rc);
		return 0;
	}
	struct plan *plan = plan_create(sr->profile, s->wanted, &no_hints);
	if (!plan)
		return -ENOMEM;
	for (size_t i = 0; i < plan->n_requests; i++)
		read_block(sr, &plan->requests[i]);
	plan_destroy(plan);
	return 0;
}

static void
put_point(struct json *j, const struct source_read *sr, size_t i)
{
	const struct reg_point *p = &sr->profile->points[i];
	const struct result *r = &sr->results[i];
	char word[32];

	json_open(j, NULL, '{');
	json_put_string(j, "id", p->point.id);
	json_put_string(j, "raw", r->raw[0] ? r->raw : NULL);
	json_put_value(j, "value", &r->value);
	json_put_string(j, "unit", p->point.unit ? p->point.unit : "");
	json_put_string(j, "quality",
		r->value.kind != VALUE_NONE ? "ok"
					    : fail_text((enum fail)r->value.fail,
						      r->value.exception, word, sizeof word));
	json_close(j, '}');
}

static void
put_hint(struct json *j, const struct session *s, const struct source_read *sr)
{
	struct hint_facts facts = {.fail = device_fail(sr->rc),
		.bus = sr->bus,
		.source = sr->source,
		.holder = link_holder(sr->link),
		.detail = sr->identity};
	char hint[1024];

	json_put_string(j, "error", fail_name(facts.fail));
	hint_write(hint, sizeof hint, session_language(s), &facts);
	json_put_string(j, "hint", hint);
}

static void
put_source(struct json *j, const struct session *s, const struct source_read *sr)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	json_open(j, NULL, '{');
	json_put_string(j, "source", sr->source->id);
	json_put_int(j, "ts", (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
	if (sr->identity[0])
		json_put_string(j, "identity", sr->identity);
	if (sr->rc)
		put_hint(j, s, sr);
	json_open(j, "points", '[');
	for (size_t i = 0; i < sr->profile->n_points; i++)
		if (!sr->source->wanted || sr->source->wanted[i])
			put_point(j, sr, i);
	json_close(j, ']');
	json_close(j, '}');
}

static int
read_one(struct json *j, const struct session *s, const struct source_config *source)
{
	struct source_read sr = {.source = source,
		.profile = &source->profile->regs,
		.bus = &s->config->buses[source->bus]};
	struct line_spec spec;
	int rc = -ENOMEM;

	line_of_bus(sr.bus, &spec);
	sr.link = line_create(&spec);
	sr.results = calloc(sr.profile->n_points + 1, sizeof *sr.results);
	if (sr.link && sr.results)
		rc = read_source(&sr);
	if (rc == 0)
		put_source(j, s, &sr);
	link_destroy(sr.link);
	free(sr.results);
	return rc;
}

static bool
is_wanted(const struct source_config *source, const char *id)
{
	return source->profile && source->bus != SIZE_MAX && (!id || !strcmp(source->id, id));
}

struct doc *
read_locally(const struct session *s, const struct machine_config *m, const char *source)
{
	size_t size = SOURCE_JSON;
	struct doc *d = NULL;
	struct json j;

	for (size_t i = 0; i < m->n_sources; i++)
		if (is_wanted(&m->sources[i], source))
			size += SOURCE_JSON + m->sources[i].profile->regs.n_points * POINT_JSON;
	char *buf = malloc(size);
	json_init(&j, buf, buf ? size : 0);
	json_open(&j, NULL, '{');
	json_put_string(&j, "machine", m->id);
	json_open(&j, "sources", '[');
	for (size_t i = 0; i < m->n_sources; i++)
		if (is_wanted(&m->sources[i], source) && read_one(&j, s, &m->sources[i]))
			j.failed = true;
	json_close(&j, ']');
	json_close(&j, '}');
	size_t n = json_end(&j);
	if (n)
		d = doc_parse(buf, n);
	free(buf);
	return d;
}

/* ---- printing ---------------------------------------------------------------------------------
 */

static void
print_source(const char *machine, const struct doc *source)
{
	const struct doc *points = doc_get(source, "points");
	const char *hint = doc_text(source, "hint", "");
	char value[300];

	printf("%s/%s\n", machine, doc_text(source, "source", ""));
	if (hint[0])
		printf("  %s\n", hint);
	for (size_t i = 0; i < doc_size(points); i++) {
		const struct doc *p = doc_at(points, i);
		printf("  %-28s %14s %-5s %-14s %s\n", doc_text(p, "id", ""),
			doc_show(doc_get(p, "value"), value, sizeof value), doc_text(p, "unit", ""),
			doc_text(p, "quality", ""), doc_text(p, "raw", ""));
	}
}

/* Fine if anything could be read; else what stands in the way. */
static int
exit_of(const struct doc *result)
{
	static const struct {
		const char *quality;
		int code;
	} reasons[] = {{"in-use", CLI_HELD}, {"permission", CLI_DENIED}};
	const struct doc *sources = doc_get(result, "sources");
	int code = CLI_SILENT;

	for (size_t i = 0; i < doc_size(sources); i++) {
		const struct doc *points = doc_get(doc_at(sources, i), "points");
		for (size_t k = 0; k < doc_size(points); k++) {
			const char *quality = doc_text(doc_at(points, k), "quality", "");
			if (!strcmp(quality, "ok"))
				return CLI_FINE;
			for (size_t r = 0; r < sizeof reasons / sizeof reasons[0]; r++)
				if (!strcmp(quality, reasons[r].quality))
					code = reasons[r].code;
		}
	}
	return code;
}

static int
print(const struct session *s, const struct doc *result)
{
	const struct doc *sources = doc_get(result, "sources");

	if (s->json)
		session_print(result);
	for (size_t i = 0; !s->json && i < doc_size(sources); i++)
		print_source(doc_text(result, "machine", ""), doc_at(sources, i));
	return exit_of(result);
}

/* ---- the command ------------------------------------------------------------------------------
 */

static int
ask_daemon(struct session *s, const char *machine, const char *source)
{
	struct doc *answer = NULL;
	char request[512];
	struct json j;

	json_init(&j, request, sizeof request);
	json_open(&j, NULL, '{');
	json_put_string(&j, "cmd", "read");
	json_put_string(&j, "machine", machine);
	json_put_string(&j, "source", source);
	json_close(&j, '}');
	json_end(&j);
	int code = session_ask(s, request, NULL, NULL, &answer);
	const struct doc *result = code == CLI_FINE ? control_result(answer, &code) : NULL;
	if (result)
		code = print(s, result);
	doc_free(answer);
	return code;
}

static bool
has_source(const struct machine_config *m, const char *source)
{
	bool found = false;

	for (size_t i = 0; i < m->n_sources; i++)
		found = found || is_wanted(&m->sources[i], source);
	return found;
}

static int
read_alone(struct session *s, const char *machine, const char *source)
{
	int code = session_config(s, false);

	if (code != CLI_FINE)
		return code;
	const struct machine_config *m = session_machine(s, machine);
	if (!m)
		return cli_fail(CLI_USAGE, "read: no machine \"%s\" in %s", machine, s->file);
	if (!has_source(m, source))
		return cli_fail(CLI_USAGE, "read: %s has no Modbus source%s%s", machine,
			source ? " " : "", source ? source : "");
	struct doc *result = read_locally(s, m, source);
	if (!result)
		return cli_fail(CLI_OTHER, "read: out of memory");
	code = print(s, result);
	doc_free(result);
	return code;
}

int
cmd_read(int argc, char **argv)
{
	struct session s;
	const struct cli_option options[] = {
		SESSION_OPTIONS(&s),
		{"--lang", CLI_TEXT, &s.lang, "ru or en, for the hints"},
		{NULL, CLI_FLAG, NULL, NULL},
	};
	const struct cli_usage usage = {"labpulse read MACHINE[/SOURCE] [options]",
		"Reads a machine once, through the daemon if it runs, and prints each point.",
		options, 1, 1};
	const char *word;
	char machine[128];

	session_init(&s);
	int n = cli_parse(argc, argv, &usage, &word);
	if (n < 0)
		return cli_exit_of(n);
	snprintf(machine, sizeof machine, "%s", word);
	char *slash = strchr(machine, '/');
	if (slash)
		*slash++ = '\0';
	int code = session_connect(&s);
	if (code == CLI_FINE)
		code = s.control ? ask_daemon(&s, machine, slash) : read_alone(&s, machine, slash);
	session_finish(&s);
	return code;
}
