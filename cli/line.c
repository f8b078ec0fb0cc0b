/* SPDX-License-Identifier: MIT */
/* line.c -- opens a Modbus line for the tool itself and asks single questions on it */
#include "cli/line.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "config/scalar.h"

enum { PDU_MAX = 253, EXCEPTION = 0x80, DEFAULT_TIMEOUT_MS = 500, DEFAULT_LATENCY_MS = 1000 };

static const char *const tables[] = {[TABLE_COIL] = "coil",
	[TABLE_DISCRETE] = "discrete",
	[TABLE_HOLDING] = "holding",
	[TABLE_INPUT] = "input"};

int
line_table(const char *word)
{
	for (int t = TABLE_COIL; t <= TABLE_INPUT; t++)
		if (!strcmp(tables[t], word))
			return t;
	return -1;
}

const char *
line_table_name(enum table table)
{
	return tables[table];
}

/* ---- where ---------------------------------------------------------------------------------- */

static bool
is_format(const char *s)
{
	return strlen(s) == 3 && (s[0] == '7' || s[0] == '8') && strchr("NEO", s[1]) &&
	       (s[2] == '1' || s[2] == '2');
}

/* Cuts ":WORD" off the end of text and returns WORD, or NULL. */
static char *
last_word(char *text)
{
	char *colon = strrchr(text, ':');

	return colon && colon[1] ? colon + 1 : NULL;
}

static int
parse_rtu(struct line_spec *spec)
{
	char *word = last_word(spec->device);
	int64_t baud;

	if (word && is_format(word)) {
		memcpy(spec->format, word, sizeof spec->format);
		word[-1] = '\0';
		word = last_word(spec->device);
		if (!word || !scalar_int(word, &baud))
			return -EINVAL; /* a format only after a speed */
	}
	if (word && scalar_int(word, &baud) && baud >= 300 && baud <= 4000000) {
		spec->baud = (int)baud;
		word[-1] = '\0';
	}
	return spec->device[0] == '/' ? 0 : -EINVAL;
}

static int
parse_tcp(struct line_spec *spec)
{
	char *host = spec->device, *word = last_word(host), *bracket = strchr(host, ']');
	int64_t port;

	if (word && word > bracket && (bracket || strchr(host, ':') == word - 1)) {
		if (!scalar_int(word, &port) || port < 1 || port > 65535)
			return -EINVAL;
		spec->port = (int)port;
		word[-1] = '\0';
	}
	if (host[0] == '[' && bracket) {
		*bracket = '\0';
		memmove(host, host + 1, strlen(host));
	}
	return host[0] ? 0 : -EINVAL;
}

int
line_parse(const char *text, struct line_spec *spec)
{
	*spec = (struct line_spec){.port = 502, .baud = 9600, .format = "8N1"};
	spec->tcp = !strncmp(text, "tcp:", 4);
	if (!spec->tcp && strncmp(text, "rtu:", 4) != 0)
		return -EINVAL;
	if (snprintf(spec->device, sizeof spec->device, "%s", text + 4) >= (int)sizeof spec->device)
		return -EINVAL;
	return spec->tcp ? parse_tcp(spec) : parse_rtu(spec);
}

void
line_of_bus(const struct bus_config *bus, struct line_spec *spec)
{
	*spec = (struct line_spec){
		.tcp = bus->type == BUS_MODBUS_TCP, .port = bus->port, .baud = bus->baud};
	memcpy(spec->format, bus->format, sizeof spec->format);
	snprintf(spec->device, sizeof spec->device, "%s", spec->tcp ? bus->host : bus->device);
}

static bool
same_file(const char *a, const char *b)
{
	char real_a[PATH_MAX], real_b[PATH_MAX];

	if (!strcmp(a, b))
		return true;
	return realpath(a, real_a) && realpath(b, real_b) && !strcmp(real_a, real_b);
}

const struct bus_config *
line_find_bus(const struct config *config, const struct line_spec *spec)
{
	for (size_t i = 0; config && i < config->n_buses; i++) {
		const struct bus_config *bus = &config->buses[i];
		if (spec->tcp != (bus->type == BUS_MODBUS_TCP))
			continue;
		if (spec->tcp ? bus->port == spec->port && !strcmp(bus->host, spec->device)
			      : same_file(bus->device, spec->device))
			return bus;
	}
	return NULL;
}

struct link *
line_create(const struct line_spec *spec)
{
	struct link_rtu rtu = {spec->device, spec->baud, spec->format};
	struct link_tcp tcp = {.host = spec->device, .port = (uint16_t)spec->port};

	return spec->tcp ? link_modbus_tcp_create(&tcp) : link_modbus_rtu_create(&rtu);
}

const char *
line_place(const struct line_spec *spec, char *buf, size_t size)
{
	if (spec->tcp)
		snprintf(buf, size, "%s:%d", spec->device, spec->port);
	else
		snprintf(buf, size, "%s", spec->device);
	return buf;
}

int
line_fail(const struct line_spec *spec, const struct link *link, int rc)
{
	char place[300];

	line_place(spec, place, sizeof place);
	if (rc == -EBUSY)
		return cli_fail(CLI_HELD, "%s is held by %s", place,
			link_holder(link)[0] ? link_holder(link) : "another process");
	if (rc == -ENOENT || rc == -ENODEV)
		return cli_fail(CLI_SILENT, "%s is not there", place);
	return cli_fail(
		cli_exit_for(rc), "%s: %s", place, rc == -ENXIO ? "name not found" : strerror(-rc));
}

/* ---- questions ------------------------------------------------------------------------------ */

static int
ask(struct link *link, uint8_t unit, const struct line_times *times, const uint8_t *req, size_t len,
	size_t expect, uint8_t *rsp)
{
	struct exchange ex = {.unit = unit,
		.req = req,
		.req_len = len,
		.rsp = rsp,
		.rsp_cap = PDU_MAX,
		.expect = expect,
		.check_unit = true,
		.timeout_ms = times->timeout_ms ? times->timeout_ms : DEFAULT_TIMEOUT_MS,
		.byte_timeout_ms = times->byte_timeout_ms,
		.min_gap_ms = times->min_gap_ms,
		.max_latency_ms =
			times->max_latency_ms ? times->max_latency_ms : DEFAULT_LATENCY_MS};
	int rc = link_open(link);

	return rc ? rc : link_transact(link, &ex);
}

int
line_read(struct link *link, uint8_t unit, const struct line_times *times,
	const struct request *req, uint16_t *words, unsigned *exception)
{
	bool bits = req->table == TABLE_COIL || req->table == TABLE_DISCRETE;
	size_t bytes = bits ? (req->count + 7u) / 8 : req->count * 2u;
	const uint8_t pdu[5] = {(uint8_t)(req->table + 1), (uint8_t)(req->address >> 8),
		(uint8_t)req->address, (uint8_t)(req->count >> 8), (uint8_t)req->count};
	uint8_t rsp[PDU_MAX];
	int n = ask(link, unit, times, pdu, sizeof pdu, bytes + 2, rsp);

	*exception = 0;
	if (n < 0)
		return n;
	if (n == 2 && rsp[0] == (pdu[0] | EXCEPTION)) {
		*exception = rsp[1];
		return -EREMOTEIO;
	}
	if ((size_t)n != bytes + 2 || rsp[0] != pdu[0] || rsp[1] != bytes)
		return -EPROTO;
	for (size_t i = 0; i < req->count; i++)
		words[i] = bits ? rsp[2 + i / 8] >> i % 8 & 1
				: (uint16_t)(rsp[2 + 2 * i] << 8 | rsp[3 + 2 * i]);
	return 0;
}

static void
add_printable(char *buf, size_t size, const uint8_t *bytes, size_t n)
{
	size_t len = strlen(buf);

	if (len && len + 1 < size)
		buf[len++] = ' ';
	for (size_t i = 0; i < n && len + 1 < size; i++)
		if (isprint(bytes[i]))
			buf[len++] = (char)bytes[i];
	while (len && buf[len - 1] == ' ')
		len--;
	buf[len] = '\0';
}

/* The basic objects of an answer to FC 43/14, MODBUS Application Protocol V1.1b3, 6.21. */
static void
take_objects(const uint8_t *rsp, size_t n, char *buf, size_t size)
{
	size_t at = 7;

	for (int left = n >= 7 ? rsp[6] : 0; left > 0 && at + 2 <= n && at + 2 + rsp[at + 1] <= n;
		left--) {
		add_printable(buf, size, rsp + at + 2, rsp[at + 1]);
		at += 2u + rsp[at + 1];
	}
}

void
line_identity(
	struct link *link, uint8_t unit, const struct line_times *times, char *buf, size_t size)
{
	static const uint8_t identification[] = {43, 14, 1, 0}, server_id[] = {17};
	uint8_t rsp[PDU_MAX];

	buf[0] = '\0';
	int n = ask(link, unit, times, identification, sizeof identification, 0, rsp);
	if (n > 7 && rsp[0] == 43)
		take_objects(rsp, (size_t)n, buf, size);
	if (buf[0])
		return;
	n = ask(link, unit, times, server_id, sizeof server_id, 0, rsp);
	if (n > 3 && rsp[0] == 17 && rsp[1] <= n - 2)
		add_printable(buf, size, rsp + 2, rsp[1] > 1 ? rsp[1] - 1u : rsp[1]);
}
