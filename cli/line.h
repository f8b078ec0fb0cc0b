/* SPDX-License-Identifier: MIT */
/* line.h -- opens a Modbus line for the tool itself and asks single questions on it */
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

struct line_times {
	int timeout_ms, byte_timeout_ms, min_gap_ms, max_latency_ms; /* 0: default */
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

/* One read. One word per register, 0/1 per bit, in words[] (2000). 0; -EREMOTEIO with the
 * exception's code; else -errno. */
int line_read(struct link *link, uint8_t unit, const struct line_times *times,
	const struct request *req, uint16_t *words, unsigned *exception);
/* What the unit says it is: FC 43/14, else FC 17; "" if it does not say. */
void line_identity(
	struct link *link, uint8_t unit, const struct line_times *times, char *buf, size_t size);

/* "coil", "discrete", "holding", "input"; -1: none of them. */
int line_table(const char *word);
const char *line_table_name(enum table table);

#endif
