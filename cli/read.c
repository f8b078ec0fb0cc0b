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
#include "drivers/device.h"
#include "drivers/usb.h"

enum { POINT_JSON = 1200 + HINT_SIZE, SOURCE_JSON = 4096, MAX_POLLS = 16 };

/* What came of one point. */
struct result {
	struct value value;
	char raw[96];   /* its words */
	char text[256]; /* of a string value */
};

struct source_read {
	const char *machine;
	const struct source_config *source;
	const struct profile *profile;
	const struct bus_config *bus;
	struct link *link;
	struct result *results; /* one per point of the profile */
	int rc;                 /* of the device as a whole */
	unsigned exception;     /* by which a gateway said so, or 0 */
	char identity[128];
};

/* ---- without the daemon ---------------------------------------------------------------------- */

static void
note_words(void *results, unsigned point, const uint16_t *words, unsigned n)
{
	struct result *r = (struct result *)results + point;
	size_t len = 0;

	for (unsigned i = 0; i < n && len + 8 < sizeof r->raw; i++)
		len += (size_t)snprintf(
			r->raw + len, sizeof r->raw - len, "%s0x%04X", i ? " " : "", words[i]);
}

static void
keep(struct result *r, const struct value *v)
{
	r->value = *v;
	if (v->kind == VALUE_STRING) {
		snprintf(r->text, sizeof r->text, "%s", v->u.s);
		r->value.u.s = r->text;
	}
}

/* A refused block is asked for in smaller ones by the next poll. */
static bool
has_refused(const struct reading *reading)
{
	for (size_t i = 0; i < reading->n; i++) {
		const struct value *v = &reading->values[i];
		if (v->fail == FAIL_EXCEPTION && (v->exception == 2 || v->exception == 3))
			return true;
	}
	return false;
}

static int
poll_group(struct source_read *sr, struct device *dev, unsigned group, struct reading *reading)
{
	size_t n;
	const uint16_t *points = device_group_points(dev, group, &n);
	int rc = 0, polls = 0;

	do
		rc = n ? device_poll(dev, group, reading) : 0;
	while (rc == 0 && n && has_refused(reading) && ++polls < MAX_POLLS);
	for (size_t i = 0; n && i < reading->n; i++)
		keep(&sr->results[points[i]], &reading->values[i]);
	return rc;
}

static void
fail_all(struct source_read *sr)
{
	for (size_t i = 0; i < sr->profile->n_points; i++)
		sr->results[i].value =
			(struct value){.kind = VALUE_NONE, .fail = (uint8_t)device_fail(sr->rc)};
}

static void
read_groups(struct source_read *sr, struct device *dev, struct reading *reading)
{
	device_watch(dev, note_words, sr->results);
	for (unsigned g = 0; g < device_groups(dev); g++) {
		int rc = poll_group(sr, dev, g, reading);
		if (g == 0 && rc) {
			sr->rc = rc;
			sr->exception = rc == -ETIMEDOUT ? device_gateway_word(dev) : 0;
			break;
		}
	}
	device_watch(dev, NULL, NULL);
	snprintf(sr->identity, sizeof sr->identity, "%s", device_identity(dev));
	if (sr->rc && !device_heard(dev))
		fail_all(sr);
}

static int
read_source(struct source_read *sr)
{
	const struct source_config *s = sr->source;
	const struct device_spec spec = {.driver = s->driver,
		.profile = s->driver->needs_profile ? sr->profile : NULL,
		.wanted = s->wanted,
		.unit = (uint8_t)s->unit,
		.timeout_ms = s->timeout_ms,
		.byte_timeout_ms = s->byte_timeout_ms,
		.min_gap_ms = s->min_gap_ms,
		.max_latency_ms = s->max_latency_ms};
	struct device *dev = device_create(&spec, sr->link);
	struct reading *reading = dev ? reading_create(dev) : NULL;
	int rc = reading ? 0 : -ENOMEM;

	if (reading)
		read_groups(sr, dev, reading);
	reading_destroy(reading);
	device_destroy(dev);
	return rc;
}

/* The device answers, this point has no value; one that some models lack is no trouble. */
static void
put_point_hint(struct json *j, const struct session *s, const struct source_read *sr, size_t i)
{
	const struct value *v = &sr->results[i].value;
	struct hint_facts facts = {.fail = (enum fail)v->fail,
		.exception = v->exception,
		.bus = sr->bus,
		.source = sr->source,
		.point = &sr->profile->points[i]};
	char hint[HINT_SIZE];

	if (facts.point->point.optional && value_is_lacking(v))
		return;
	hint_write(hint, sizeof hint, session_language(s), &facts);
	json_put_string(j, "hint", hint);
}

static void
put_point(struct json *j, const struct session *s, const struct source_read *sr, size_t i)
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
	if (r->value.kind == VALUE_NONE && !sr->rc)
		put_point_hint(j, s, sr, i);
	json_close(j, '}');
}

static void
put_hint(struct json *j, const struct session *s, const struct source_read *sr)
{
	struct hint_facts facts = {.fail = sr->exception ? FAIL_EXCEPTION : device_fail(sr->rc),
		.exception = sr->exception,
		.bus = sr->bus,
		.source = sr->source,
		.machine = sr->machine,
		.holder = link_holder(sr->link),
		.detail = device_fail(sr->rc) == FAIL_AMBIGUOUS ? link_holder(sr->link)
								: sr->identity};
	char hint[HINT_SIZE], word[24];

	json_put_string(j, "error", fail_text(facts.fail, sr->exception, word, sizeof word));
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
			put_point(j, s, sr, i);
	json_close(j, ']');
	json_close(j, '}');
}

static struct link *
make_link(const struct bus_config *bus, struct usb *usb)
{
	struct line_spec line;

	if (!bus->driver) {
		line_of_bus(bus, &line);
		return line_create(&line);
	}
	const struct link_plug plug = {.device = bus->device,
		.usb = usb,
		.baud = bus->baud,
		.resets = bus->resets,
		.queries = bus->driver->queries,
		.n_queries = bus->driver->n_queries};
	return bus->type == BUS_HID ? link_hid_create(&plug) : link_serial_create(&plug);
}

/* The daemon opens such a port once and keeps it; a tool that comes and goes must not. */
static void
put_not_opened(struct json *j, const struct session *s, const struct source_config *source)
{
	static const struct text why = {
		.ru = "Порт не открыт: открытие может перезапустить плату и прервать работу. "
		      "Запустите labpulsed или задайте on_open: safe, если этого не бывает.",
		.en = "The port was not opened: that may restart the board and end its job. Ask while "
		      "labpulsed runs, or say on_open: safe where it is known not to happen."};

	json_open(j, NULL, '{');
	json_put_string(j, "source", source->id);
	json_put_string(j, "error", "not-opened");
	json_put_string(j, "hint", config_text(&why, session_language(s)));
	json_close(j, '}');
}

static int
read_one(struct json *j, const struct session *s, const char *machine,
	const struct source_config *source)
{
	struct source_read sr = {.machine = machine,
		.source = source,
		.profile = &source->profile->regs,
		.bus = &s->config->buses[source->bus]};
	int rc = -ENOMEM;

	if (sr.bus->resets) {
		put_not_opened(j, s, source);
		return 0;
	}
	struct usb *usb = usb_create();

	sr.link = usb ? make_link(sr.bus, usb) : NULL;
	sr.results = calloc(sr.profile->n_points + 1, sizeof *sr.results);
	if (sr.link && sr.results)
		rc = read_source(&sr);
	if (rc == 0)
		put_source(j, s, &sr);
	link_destroy(sr.link);
	usb_destroy(usb);
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
		if (is_wanted(&m->sources[i], source) && read_one(&j, s, m->id, &m->sources[i]))
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
	json_put_string(&j, "lang", s->lang);
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

static const struct source_config *
find_risky(const struct session *s, const struct machine_config *m, const char *source)
{
	for (size_t i = 0; i < m->n_sources; i++)
		if (is_wanted(&m->sources[i], source) && s->config->buses[m->sources[i].bus].resets)
			return &m->sources[i];
	return NULL;
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
		return cli_fail(CLI_USAGE, "read: %s has no source%s%s", machine, source ? " " : "",
			source ? source : "");
	const struct source_config *risky = find_risky(s, m, source);
	if (risky)
		return cli_fail(CLI_USAGE,
			"read: opening %s may restart %s/%s and end its job; ask while labpulsed runs, "
			"or say on_open: safe where that is known not to happen",
			risky->device, machine, risky->id);
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
