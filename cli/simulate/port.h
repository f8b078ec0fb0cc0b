/* SPDX-License-Identifier: MIT */
/* port.h -- where simulated units can be reached: an RS-485 line on a pty, or a TCP listener */
#ifndef CLI_SIMULATE_PORT_H
#define CLI_SIMULATE_PORT_H

#include "cli/simulate/reactor.h"
#include "cli/simulate/unit.h"

struct port_stats {
	uint64_t requests;    /* whole frames, for whatever unit */
	uint64_t unknown;     /* of these: for units that do not exist */
	uint64_t garbage;     /* bytes that belong to no frame */
	uint64_t inside_t35;  /* requests that began too early after the last byte on the line */
	uint64_t collisions;  /* of these: while something was still being sent */
	uint64_t connections; /* TCP: accepted so far */
	int64_t wire_us;      /* line time of all frames, both ways */
};

struct port {
	struct port *next;
	char id[40];
	struct unit *units;
	struct port_stats stats;
	const struct port_ops *ops;
	struct reactor *reactor;
	int64_t start_us; /* of the simulation: t = 0 */
	char place[108];  /* the path of the pty's symlink, or "127.0.0.1:PORT" */
	int tcp_port;     /* 0: a line */
	int baud;         /* of a line, for the configuration that fits it */
	char format[4];
};

struct port_ops {
	void (*plug)(struct port *p, bool in); /* unplug: the pty, or the listener, is gone */
	bool (*is_plugged)(const struct port *p);
	void (*destroy)(struct port *p);
};

struct rtu_spec {
	const char *id, *path; /* of the symlink */
	int baud;
	const char *format;
	bool timing; /* frames take their time on the wire, and t3.5 counts */
};

/* Both are open when they return; NULL: errno says why. */
struct port *port_rtu_create(struct reactor *reactor, const struct rtu_spec *spec);
struct port *port_tcp_create(struct reactor *reactor, const char *id, int tcp_port);
/* Removes what it made in the file system and its units. */
void port_destroy(struct port *p);
struct unit *port_find(const struct port *p, uint8_t id);
/* Counts the request and lets the unit answer it. */
void port_answer(struct port *p, struct unit *u, const struct asked *asked, struct reply *out);

#endif
