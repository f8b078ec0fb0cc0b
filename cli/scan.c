/* SPDX-License-Identifier: MIT */
/* scan.c -- labpulse scan: which units answer on a line, and what they probably are */
#include <errno.h>
#include <limits.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/line.h"
#include "cli/profiles.h"
#include "cli/scan.h"
#include "cli/session.h"
#include "config/json.h"
#include "drivers/ask.h"
#include "drivers/decode.h"
#include "drivers/usb.h"

enum { MAX_UNIT = 247, GATEWAY_PATH = 10, GATEWAY_TARGET = 11, SHORT_MS = 200, JSON_SIZE = 65536 };

struct found {
	uint8_t unit;
	char identity[128], answer[24], profile[64];
};

struct scan {
	struct session s;
	struct line_spec line;
	const struct bus_config *bus;
	struct link *link;
	struct ask_times times;
	int from, to;
	struct found found[256];
	size_t n;
	bool is_tty;
};

/* ---- who is it --------------------------------------------------------------------------------
 */

static bool
text_fits(const struct identify *id, const char *text)
{
	regex_t regex;

	if (!text[0] || (!id->contains && !id->regex))
		return false;
	if (id->contains && !strstr(text, id->contains))
		return false;
	if (!id->regex)
		return true;
	if (regcomp(&regex, id->regex, REG_EXTENDED | REG_NOSUB))
		return false;
	bool fits = regexec(&regex, text, 0, NULL, 0) == 0;
	regfree(&regex);
	return fits;
}

static int
peek_daemon(struct scan *sc, uint8_t unit, const struct request *req, uint16_t *words)
{
	bool bits = req->table == TABLE_COIL || req->table == TABLE_DISCRETE;
	struct doc *answer = NULL;
	int code = session_peek(&sc->s, sc->bus->id, unit, req, &answer);
	const struct doc *list = doc_get(doc_get(answer, "result"), bits ? "bits" : "words");
	int rc = code == CLI_FINE && doc_size(list) == req->count ? 0 : -EIO;

	for (size_t i = 0; rc == 0 && i < req->count; i++)
		words[i] = (uint16_t)doc_number_at(list, i);
	doc_free(answer);
	return rc;
}

static int
read_words(struct scan *sc, uint8_t unit, const struct request *req, uint16_t *words)
{
	unsigned exception;

	if (sc->s.control)
		return peek_daemon(sc, unit, req, words);
	return ask_read(sc->link, unit, &sc->times, req, words, &exception);
}

static bool
register_fits(struct scan *sc, uint8_t unit, const struct identify *id)
{
	const struct request req = {id->reg.table, id->reg.address, id->reg.count, 0};
	uint16_t words[2000];
	char text[256];

	if (read_words(sc, unit, &req, words))
		return false;
	if (id->reg.type == REG_STRING)
		return decode_text(&id->reg, words, text, sizeof text) && text_fits(id, text);
	uint64_t raw = decode_raw(&id->reg, words);
	for (size_t i = 0; i < id->n_any_of; i++)
		if (id->any_of[i] == raw)
			return true;
	return false;
}

struct guess {
	struct scan *sc;
	struct found *found;
};

/* Takes the first profile all of whose rules hold; one without rules says nothing. */
static bool
try_profile(void *context, const struct profile_file *profile)
{
	struct guess *g = context;
	const struct profile *p = &profile->regs;

	for (size_t i = 0; i < p->n_identify; i++) {
		const struct identify *id = &p->identify[i];
		bool fits = id->kind == IDENTIFY_REGISTER ? register_fits(g->sc, g->found->unit, id)
							  : text_fits(id, g->found->identity);
		if (!fits)
			return true;
	}
	if (p->n_identify)
		snprintf(g->found->profile, sizeof g->found->profile, "%s", p->id);
	return p->n_identify == 0;
}

/* ---- without the daemon -----------------------------------------------------------------------
 */

static void
note(struct scan *sc, uint8_t unit, unsigned exception)
{
	struct found *f = &sc->found[sc->n++];

	*f = (struct found){.unit = unit};
	if (exception)
		snprintf(f->answer, sizeof f->answer, "exception-%u", exception);
	else
		snprintf(f->answer, sizeof f->answer, "registers");
	ask_identity(sc->link, unit, &sc->times, f->identity, sizeof f->identity);
	profiles_each(sc->s.profiles, sc->s.file, try_profile, &(struct guess){sc, f});
	if (sc->is_tty)
		fprintf(stderr, "\r\033[Kunit %u: %s %s\n", unit, f->answer, f->identity);
}

/* 0: go on. Any answer is a sign of life, but for a gateway's "nobody there". */
static int
try_unit(struct scan *sc, uint8_t unit)
{
	const struct request req = {TABLE_HOLDING, 0, 1, 0};
	uint16_t word;
	unsigned exception;
	int rc = ask_read(sc->link, unit, &sc->times, &req, &word, &exception);

	if (rc == 0 ||
		(rc == -EREMOTEIO && exception != GATEWAY_PATH && exception != GATEWAY_TARGET))
		note(sc, unit, exception);
	if (rc == 0 || rc == -EREMOTEIO || rc == -ETIMEDOUT || rc == -EBADMSG || rc == -EPROTO ||
		rc == -ECONNRESET || rc == -EPIPE)
		return 0;
	return rc;
}

static int
scan_alone(struct scan *sc)
{
	sc->link = line_create(&sc->line);
	int rc = sc->link ? link_open(sc->link) : -ENOMEM;

	for (int unit = sc->from; unit <= sc->to && !rc; unit++) {
		if (sc->is_tty)
			fprintf(stderr, "\r\033[Kunit %d of %d", unit, sc->to);
		rc = try_unit(sc, (uint8_t)unit);
	}
	if (sc->is_tty)
		fprintf(stderr, "\r\033[K");
	int code = rc ? line_fail(&sc->line, sc->link, rc) : CLI_FINE;
	link_destroy(sc->link);
	return code;
}

/* ---- through the daemon -----------------------------------------------------------------------
 */

static void
on_progress(void *context, const struct doc *d)
{
	const struct scan *sc = context;

	if (sc->is_tty && doc_get(d, "unit"))
		fprintf(stderr, "unit %d: %s\n", (int)doc_int(d, "unit", 0),
			doc_text(d, "identity", ""));
}

static void
take_units(struct scan *sc, const struct doc *units)
{
	for (size_t i = 0; i < doc_size(units) && sc->n < 256; i++) {
		const struct doc *d = doc_at(units, i);
		struct found *f = &sc->found[sc->n++];
		*f = (struct found){.unit = (uint8_t)doc_int(d, "unit", 0)};
		snprintf(f->identity, sizeof f->identity, "%s", doc_text(d, "identity", ""));
		snprintf(f->answer, sizeof f->answer, "%s", doc_text(d, "answer", ""));
		snprintf(f->profile, sizeof f->profile, "%s", doc_text(d, "profile", ""));
		if (!f->profile[0])
			profiles_each(
				sc->s.profiles, sc->s.file, try_profile, &(struct guess){sc, f});
	}
}

static int
ask_daemon(struct scan *sc)
{
	struct doc *answer = NULL;
	char request[1024];
	struct json j;

	json_init(&j, request, sizeof request);
	json_open(&j, NULL, '{');
	json_put_string(&j, "cmd", "scan");
	json_put_string(&j, "bus", sc->bus->id);
	json_put_int(&j, "from", sc->from);
	json_put_int(&j, "to", sc->to);
	json_close(&j, '}');
	json_end(&j);
	int code = session_ask(&sc->s, request, on_progress, sc, &answer);
	const struct doc *result = code == CLI_FINE ? control_result(answer, &code) : NULL;
	take_units(sc, doc_get(result, "units"));
	doc_free(answer);
	return code;
}

/* ---- printing ---------------------------------------------------------------------------------
 */

static void
print_text(const struct scan *sc)
{
	char place[300];

	line_place(&sc->line, place, sizeof place);
	if (!sc->bus && sc->line.tcp)
		printf("buses:\n  - {id: bus-1, type: modbus-tcp, host: \"%s\", port: %d}\n\n",
			sc->line.device, sc->line.port);
	else if (!sc->bus)
		printf("buses:\n  - {id: bus-1, type: modbus-rtu, device: \"%s\", baud: %d, format: %s}\n\n",
			sc->line.device, sc->line.baud, sc->line.format);
	printf("    sources:\n");
	for (size_t i = 0; i < sc->n; i++) {
		const struct found *f = &sc->found[i];
		printf("      - {id: unit-%u, driver: modbus, bus: %s, unit: %u, profile: %s}",
			f->unit, sc->bus ? sc->bus->id : "bus-1", f->unit,
			f->profile[0] ? f->profile : "CHOOSE");
		printf("   # %s%s%s\n", f->answer, f->identity[0] ? ", " : "", f->identity);
	}
	printf("# %zu found on %s, asked %d to %d\n", sc->n, place, sc->from, sc->to);
}

static int
print_json(const struct scan *sc)
{
	char *buf = malloc(JSON_SIZE), place[300];
	struct json j;

	json_init(&j, buf, buf ? JSON_SIZE : 0);
	json_open(&j, NULL, '{');
	json_put_string(&j, "place", line_place(&sc->line, place, sizeof place));
	json_put_string(&j, "bus", sc->bus ? sc->bus->id : NULL);
	json_open(&j, "units", '[');
	for (size_t i = 0; i < sc->n; i++) {
		json_open(&j, NULL, '{');
		json_put_int(&j, "unit", sc->found[i].unit);
		json_put_string(&j, "identity", sc->found[i].identity);
		json_put_string(&j, "answer", sc->found[i].answer);
		json_put_string(
			&j, "profile", sc->found[i].profile[0] ? sc->found[i].profile : NULL);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_close(&j, '}');
	bool ok = json_end(&j) && puts(buf) >= 0;
	free(buf);
	return ok ? CLI_FINE : cli_fail(CLI_OTHER, "scan: out of memory");
}

/* ---- what must not be touched -----------------------------------------------------------------
 */

/* Do both mean the same port? */
static bool
is_device(struct usb *usb, const char *configured, const char *device)
{
	struct usb_port a, b;
	char others[128];

	return usb_find(usb, configured, LINK_SERIAL, &a, others, sizeof others) == 0 &&
	       usb_find(usb, device, LINK_SERIAL, &b, others, sizeof others) == 0 &&
	       !strcmp(a.node, b.node);
}

static const struct bus_config *
find_machine_at(const struct config *c, const char *device)
{
	struct usb *usb = usb_create();
	const struct bus_config *found = NULL;

	for (size_t i = c->n_lines; usb && !found && i < c->n_buses; i++)
		if (is_device(usb, c->buses[i].device, device))
			found = &c->buses[i];
	usb_destroy(usb);
	return found;
}

/* A frame for unit 24 begins with 0x18: on a Grbl controller that is a reset. */
static int
refuse_others(const struct scan *sc)
{
	const struct config *c = sc->s.config;
	const struct bus_config *bus =
		c && !sc->line.tcp ? find_machine_at(c, sc->line.device) : NULL;

	if (!bus)
		return CLI_FINE;
	return cli_fail(CLI_HELD,
		"scan: %s is configured for %s (%s); Modbus frames could move or reset it",
		sc->line.device, bus->id, bus->driver->name);
}

/* ---- the command ------------------------------------------------------------------------------
 */

static int
run(struct scan *sc)
{
	int code = session_config(&sc->s, true) == CLI_CONFIG ? CLI_FINE : refuse_others(sc);

	sc->bus = line_find_bus(sc->s.config, &sc->line);
	if (code == CLI_FINE && sc->bus)
		code = session_connect(&sc->s);
	if (code == CLI_FINE)
		code = sc->s.control ? ask_daemon(sc) : scan_alone(sc);
	if (code != CLI_FINE)
		return code;
	if (sc->s.json)
		code = print_json(sc);
	else if (sc->n)
		print_text(sc);
	if (code == CLI_FINE && !sc->n)
		return sc->s.json ? CLI_SILENT : cli_fail(CLI_SILENT, "scan: nobody answers");
	return code;
}

static int
parse_line(struct scan *sc, const char *word)
{
	if (line_parse(word, &sc->line))
		return cli_fail(
			CLI_USAGE, "scan: rtu:DEVICE[:BAUD[:FORMAT]], tcp:HOST[:PORT] or usb");
	if (sc->from > sc->to || sc->to > 255 ||
		(!sc->line.tcp && (sc->from < 1 || sc->to > MAX_UNIT)))
		return cli_fail(CLI_USAGE, "scan: units go from 1 to 247");
	return CLI_FINE;
}

int
cmd_scan(int argc, char **argv)
{
	struct scan sc = {.from = 1, .to = MAX_UNIT, .times.timeout_ms = SHORT_MS};
	const struct cli_option options[] = {
		SESSION_OPTIONS(&sc.s),
		{"--from", CLI_INT, &sc.from, "first unit (1)"},
		{"--to", CLI_INT, &sc.to, "last unit (247)"},
		{"--timeout", CLI_DURATION_MS, &sc.times.timeout_ms,
			"wait so long for each (200ms)"},
		{NULL, CLI_FLAG, NULL, NULL},
	};
	const struct cli_usage usage = {
		"labpulse scan rtu:DEVICE[:BAUD[:FORMAT]] | tcp:HOST[:PORT] | usb [options]",
		"Asks every unit for one register, or lists what is plugged in on USB without opening it,\n"
		"and prints what it finds as `sources:` to paste.",
		options, 1, 1};
	const char *word;

	session_init(&sc.s);
	int n = cli_parse(argc, argv, &usage, &word);
	if (n < 0)
		return cli_exit_of(n);
	sc.is_tty = isatty(STDERR_FILENO) && !sc.s.json;
	bool usb = !strcmp(word, "usb");
	int code = usb ? scan_usb(sc.s.json) : parse_line(&sc, word);
	if (code == CLI_FINE && !usb)
		code = run(&sc);
	session_finish(&sc.s);
	return code;
}
