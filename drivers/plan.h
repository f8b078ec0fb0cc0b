/* SPDX-License-Identifier: MIT */
/* plan.h -- from points to requests
 *
 * A plan is immutable: coalescing, holes, limits, alignment, atomic and exact groups, optional
 * points. What a device refuses is learned in struct plan_hints, from which a new plan is made.
 */
#ifndef DRIVERS_PLAN_H
#define DRIVERS_PLAN_H

#include "drivers/profile.h"

struct plan_request {
	struct request req;
	unsigned group;
	uint16_t *points; /* indices into profile->points, sorted by address */
	size_t n_points;
	bool has_holes;
	bool unproven; /* holds only optional points that were never read */
};

struct plan {
	struct plan_request *requests; /* sorted by group, then table and address */
	size_t n_requests;
	size_t n_groups;
	size_t *group_first; /* n_groups + 1 entries */
};

/* What was learned about this very device; starts zeroed except where noted. */
struct plan_hints {
	bool no_holes;
	int max_regs;         /* 0: the profile's */
	uint8_t *unsupported; /* per profile point: 1 = left out */
	uint8_t *proven;      /* per profile point: 1 = was read once */
	uint8_t *split;       /* per profile point: 1 = a request must begin here */
};

/* `wanted`: one byte per profile point, NULL: all enabled ones. NULL on out of memory. */
struct plan *plan_create(
	const struct profile *profile, const uint8_t *wanted, const struct plan_hints *hints);
void plan_destroy(struct plan *plan);

/* Time that one request takes on its bus, in microseconds, without the unit's own latency:
 * characters of request and answer and one t3.5 before each. */
int64_t plan_rtu_us(const struct request *req, int baud, const char *format);
/* t3.5 in microseconds: 3.5 characters, fixed 1750 above 19200 baud (MODBUS over serial line
 * V1.02, 2.5.1.1). */
int64_t plan_t35_us(int baud, const char *format);
/* One character, "8N1": start, data, parity, stop bits; in nanoseconds. */
int64_t plan_char_ns(int baud, const char *format);

#endif
