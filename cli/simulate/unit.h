/* SPDX-License-Identifier: MIT */
/* unit.h -- one simulated Modbus device: its registers, how they move, how it misbehaves */
#ifndef CLI_SIMULATE_UNIT_H
#define CLI_SIMULATE_UNIT_H

#include "cli/simulate/fault.h"
#include "cli/simulate/generator.h"
#include "cli/simulate/image.h"
#include "drivers/profile.h"

/* One point or raw register and where its value comes from. */
struct binding {
	struct reg_point reg; /* copied; its strings belong to the profile */
	struct generator gen;
};

struct unit_stats {
	uint64_t requests, answers, exceptions;
	uint64_t inside_t35;     /* requests that began before the line had been silent for t3.5 */
	int64_t last_request_ms; /* CLOCK_REALTIME, 0: never */
	uint8_t function;        /* of the last request, */
	uint16_t address, count; /* as asked */
};

struct unit {
	struct unit *next; /* of its line or listener */
	char name[72];
	uint8_t id;
	const struct profile *profile; /* NULL: raw registers only; borrowed */
	struct image image;
	struct binding *bindings;
	size_t n_bindings;
	int max_regs, max_bits, align;
	int64_t latency_us;
	char server_id[48], objects[3][48]; /* FC 17; FC 43/14: vendor, product, revision */
	struct fault fault;
	struct unit_stats stats;
};

struct unit *unit_create(const char *name, uint8_t id); /* NULL: out of memory */
void unit_destroy(struct unit *u);
/* All points of the profile with likely values, its limits and its identity. 0 or -errno. */
int unit_use_profile(struct unit *u, const struct profile *profile);
/* Sets a point ("power_w") or raw registers ("holding:0x10", "input:4:f32:CDAB") to what the
 * text says (see generator.h; also a key of the point's enum). 0, -ENOENT: no such point,
 * -EINVAL: not understood, -ENOMEM. */
int unit_set(struct unit *u, const char *point, const char *text);
/* Brings all moving values to t seconds after the start. */
void unit_refresh(struct unit *u, double t);
/* Answers a request PDU; returns the length of the answer (an exception is one). `rsp` takes 253
 * bytes. */
size_t unit_answer(struct unit *u, const uint8_t *req, size_t len, uint8_t *rsp);

#endif
