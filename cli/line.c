/* SPDX-License-Identifier: MIT */
/* line.c -- Modbus lines that the tool opens itself */
#include "cli/line.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "config/scalar.h"

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
	for (size_t i = 0; config && i < config->n_lines; i++) {
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
