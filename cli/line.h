/* SPDX-License-Identifier: MIT */
/* line.h -- Modbus lines that the tool opens itself */
#ifndef CLI_LINE_H
#define CLI_LINE_H

#include "config/config.h"
#include "drivers/link.h"

/* Where a line is: "rtu:DEVICE[:BAUD[:FORMAT]]", "tcp:HOST[:PORT]", or a bus of the
 * configuration. */
struct line_spec {
	bool tcp;
	char device[256]; /* or host */
	int port;         /* TCP */
	int baud;
	char format[4];
};

/* 0 or -EINVAL. DEVICE may hold ':' (by-path names), HOST may stand in [ ]. */
int line_parse(const char *text, struct line_spec *spec);
void line_of_bus(const struct bus_config *bus, struct line_spec *spec);
/* The bus of the configuration that is this line, or NULL. */
const struct bus_config *line_find_bus(const struct config *config, const struct line_spec *spec);
/* Not yet open; NULL: out of memory. */
struct link *line_create(const struct line_spec *spec);
/* "/dev/ttyUSB0" or "host:port" */
const char *line_place(const struct line_spec *spec, char *buf, size_t size);
/* Says why a line did not open; returns the exit code. */
int line_fail(const struct line_spec *spec, const struct link *link, int rc);

#endif
