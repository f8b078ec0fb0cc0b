/* SPDX-License-Identifier: MIT */
/* peek.c -- labpulse peek: a block of registers in every reading that makes sense */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/line.h"
#include "cli/reading.h"
#include "cli/session.h"
#include "config/json.h"
#include "config/scalar.h"
#include "drivers/ask.h"

enum { MAX_REGISTERS = 125, MAX_BITS = 2000, PER_REGISTER = 40, SHOWN = 20, JSON_SIZE = 1 << 20 };

struct peek {
	struct session s;
	struct line_spec line;
	const struct bus_config *bus; /* of the configuration, or NULL */
	uint8_t unit;
	struct request req;
	const char *expect_text;
	double expect;
	int timeout_ms;
	uint16_t words[MAX_BITS];
};

static bool
is_bits(const struct peek *p)
{
	return p->req.table == TABLE_COIL || p->req.table == TABLE_DISCRETE;
}

/* ---- getting the words ------------------------------------------------------------------------
 */

static int
refused(const struct peek *p, unsigned exception)
{
	return cli_fail(CLI_OTHER, "peek: unit %d answers with exception %u%s", p->unit, exception,
		exception == 2   ? ": it has no such registers"
		: exception == 3 ? ": too many at once, perhaps"
		: exception == 1 ? ": it does not know this table"
				 : "");
}

static int
read_alone(struct peek *p)
{
	struct ask_times times = {.timeout_ms = p->timeout_ms};
	struct link *link = line_create(&p->line);
	unsigned exception;
	int rc = link ? link_open(link) : -ENOMEM, code = CLI_FINE;

	if (rc)
		code = line_fail(&p->line, link, rc);
	else if ((rc = ask_read(link, p->unit, &times, &p->req, p->words, &exception)) ==
		 -EREMOTEIO)
		code = refused(p, exception);
	else if (rc)
		code = cli_fail(cli_exit_for(rc), "peek: unit %d: %s", p->unit,
			rc == -ETIMEDOUT ? "no answer" : strerror(-rc));
	link_destroy(link);
	return code;
}

static int
ask_daemon(struct peek *p)
{
	struct doc *answer = NULL;
	int code = session_peek(&p->s, p->bus->id, (unsigned)p->unit, &p->req, &answer);
	const struct doc *result = code == CLI_FINE ? control_result(answer, &code) : NULL;
	const struct doc *list = doc_get(result, is_bits(p) ? "bits" : "words");
	if (result && doc_size(list) != p->req.count)
		code = cli_fail(CLI_OTHER, "peek: the daemon sent something else");
	for (size_t i = 0; code == CLI_FINE && i < doc_size(list); i++)
		p->words[i] = (uint16_t)doc_number_at(list, i);
	doc_free(answer);
	return code;
}

/* ---- printing ---------------------------------------------------------------------------------
 */

static void
print_words(const struct peek *p)
{
	for (unsigned i = 0; i < p->req.count; i++) {
		unsigned w = p->words[i];
		if (is_bits(p)) {
			printf("%6u  %u\n", p->req.address + i, w);
			continue;
		}
		char high = (char)(w >> 8), low = (char)w;
		printf("%6u  0x%04X  %5u  %6d  %c%c\n", p->req.address + i, w, w, (int16_t)w,
			high >= ' ' && high < 127 ? high : '.',
			low >= ' ' && low < 127 ? low : '.');
	}
}

static void
print_reading(const struct interpretation *it)
{
	char value[64] = "";

	size_t n = value_print(&it->value, value, sizeof value - 1);
	value[n] = '\0';
	printf("%6u  %-5s  %s  %22s", it->address, reading_type_name(it->type),
		reading_order_name(it->order), value);
	if (it->scale != 1)
		printf("  scale: %g", it->scale);
	printf("\n");
}

static void
print_text(const struct peek *p, const struct interpretation *list, size_t n)
{
	print_words(p);
	if (!n)
		return;
	printf("\n");
	size_t shown = p->expect_text && n > SHOWN ? SHOWN : n;
	for (size_t i = 0; i < shown; i++)
		print_reading(&list[i]);
}

static int
print_json(const struct peek *p, const struct interpretation *list, size_t n)
{
	char *buf = malloc(JSON_SIZE);
	struct json j;

	json_init(&j, buf, buf ? JSON_SIZE : 0);
	json_open(&j, NULL, '{');
	json_put_int(&j, "unit", p->unit);
	json_put_string(&j, "table", ask_table_name(p->req.table));
	json_put_int(&j, "address", p->req.address);
	json_open(&j, is_bits(p) ? "bits" : "words", '[');
	for (unsigned i = 0; i < p->req.count; i++)
		json_put_int(&j, NULL, p->words[i]);
	json_close(&j, ']');
	json_open(&j, "readings", '[');
	for (size_t i = 0; i < n; i++) {
		json_open(&j, NULL, '{');
		json_put_int(&j, "address", list[i].address);
		json_put_string(&j, "type", reading_type_name(list[i].type));
		json_put_string(&j, "order", reading_order_name(list[i].order));
		json_put_value(&j, "value", &list[i].value);
		json_put_real(&j, "scale", list[i].scale, list[i].scale < 1 ? 4 : 0);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_close(&j, '}');
	bool ok = json_end(&j) && puts(buf) >= 0;
	free(buf);
	return ok ? CLI_FINE : cli_fail(CLI_OTHER, "peek: out of memory");
}

static int
show(struct peek *p)
{
	size_t cap = is_bits(p) ? 0 : p->req.count * (size_t)PER_REGISTER, n = 0;
	struct interpretation *list = calloc(cap + 1, sizeof *list);

	if (!list)
		return cli_fail(CLI_OTHER, "peek: out of memory");
	if (cap)
		n = reading_all(&p->req, p->words, list, cap);
	if (p->expect_text)
		reading_sort(list, n, p->expect);
	int code = CLI_FINE;
	if (p->s.json)
		code = print_json(p, list, n);
	else
		print_text(p, list, n);
	free(list);
	return code;
}

/* ---- the command ------------------------------------------------------------------------------
 */

static bool
take_number(const char *word, int64_t min, int64_t max, int64_t *out)
{
	return scalar_int(word, out) && *out >= min && *out <= max;
}

/* UNIT TABLE ADDRESS [COUNT] */
static int
parse_block(struct peek *p, const char **words, int n)
{
	int table = ask_table(words[2]);
	int64_t unit, address, count = 2;

	if (!take_number(words[1], 0, 255, &unit))
		return cli_fail(CLI_USAGE, "peek: UNIT is a number from 0 to 255");
	if (table < 0)
		return cli_fail(CLI_USAGE, "peek: TABLE is coil, discrete, holding or input");
	if (!take_number(words[3], 0, 65535, &address))
		return cli_fail(CLI_USAGE,
			"peek: ADDRESS is a number from 0 to 65535 (0-based, also 0x..)");
	int64_t most = table < TABLE_HOLDING ? MAX_BITS : MAX_REGISTERS;
	if (n > 4 && !take_number(words[4], 1, most, &count))
		return cli_fail(CLI_USAGE, "peek: COUNT is a number from 1 to %d", (int)most);
	if (address + count > 65536)
		return cli_fail(CLI_USAGE, "peek: there is nothing behind address 65535");
	if (p->expect_text && !scalar_number(p->expect_text, &p->expect))
		return cli_fail(CLI_USAGE, "peek: --expect takes a number");
	p->unit = (uint8_t)unit;
	p->req = (struct request){(enum table)table, (uint16_t)address, (uint16_t)count, 0};
	return CLI_FINE;
}

static int
find_line(struct peek *p, const char *word)
{
	bool is_spec = !strncmp(word, "rtu:", 4) || !strncmp(word, "tcp:", 4);

	if (is_spec && line_parse(word, &p->line))
		return cli_fail(
			CLI_USAGE, "peek: BUS is rtu:DEVICE[:BAUD[:FORMAT]] or tcp:HOST[:PORT]");
	int code = session_config(&p->s, is_spec);
	if (is_spec) {
		p->bus = line_find_bus(p->s.config, &p->line);
		return CLI_FINE;
	}
	if (code != CLI_FINE)
		return code;
	for (size_t i = 0; i < p->s.config->n_lines && !p->bus; i++)
		if (!strcmp(p->s.config->buses[i].id, word))
			p->bus = &p->s.config->buses[i];
	if (!p->bus)
		return cli_fail(CLI_USAGE, "peek: no bus \"%s\" in %s", word, p->s.file);
	line_of_bus(p->bus, &p->line);
	return CLI_FINE;
}

int
cmd_peek(int argc, char **argv)
{
	struct peek p = {0};
	const struct cli_option options[] = {
		SESSION_OPTIONS(&p.s),
		{"--expect", CLI_TEXT, &p.expect_text,
			"what the display shows: nearest readings first"},
		{"--timeout", CLI_DURATION_MS, &p.timeout_ms,
			"how long to wait for the answer (500ms)"},
		{NULL, CLI_FLAG, NULL, NULL},
	};
	const struct cli_usage usage = {"labpulse peek BUS UNIT TABLE ADDRESS [COUNT] [options]",
		"Reads a block (2 registers by default) and shows it in all types and word orders. BUS is a\n"
		"bus of the configuration, rtu:DEVICE[:BAUD[:FORMAT]] or tcp:HOST[:PORT].",
		options, 4, 5};
	const char *words[5];

	session_init(&p.s);
	int n = cli_parse(argc, argv, &usage, words);
	if (n < 0)
		return cli_exit_of(n);
	int code = parse_block(&p, words, n);
	if (code == CLI_FINE)
		code = find_line(&p, words[0]);
	if (code == CLI_FINE && p.bus)
		code = session_connect(&p.s);
	if (code == CLI_FINE)
		code = p.s.control ? ask_daemon(&p) : read_alone(&p);
	if (code == CLI_FINE)
		code = show(&p);
	session_finish(&p.s);
	return code;
}
