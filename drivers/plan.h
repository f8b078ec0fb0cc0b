/* SPDX-License-Identifier: MIT */
/* plan.h -- from points to requests
 *
 * What a profile leaves open is tried: with limits.max_regs 0, max_bits 0, max_hole -1 and holes
 * true (what the loader writes when a profile says nothing) a request may be as long as the
 * protocol allows and reads through holes that are cheaper than another request; what the device
 * then refuses is learned (struct plan_hints) and never asked again. max_hole 0 or holes false
 * forbid holes, max_hole > 0 is the profile's word. align 0 is 1.
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
	uint8_t *begins;  /* per entry of points: 1 = the request may be split before it */
	size_t n_points;
	bool has_holes;
	bool unproven; /* holds only optional points that were never read */
};

struct plan {
	struct plan_request *requests; /* sorted by group, then table and address */
	size_t n_requests;
	size_t n_groups;
	size_t *group_first; /* n_groups + 1 entries */
	void *pool;          /* all points and begins */
};

enum { PLAN_HOLE = 16 }; /* registers; eight times as many bits */

/* What was learned about this very device; starts zeroed except where noted. */
struct plan_hints {
	bool no_holes;
	int max_regs; /* 0: the profile's */
	int max_hole; /* 0: PLAN_HOLE; else what automatic holes may span on this bus */
	uint8_t *
		unsupported; /* per profile point: 1 = left out, 2 = on trial, in its own request */
	uint8_t *proven;     /* per profile point: 1 = was read once */
	uint8_t *split;      /* per profile point: 1 = a request must begin here */
};

/* `wanted`: one byte per profile point, NULL: all enabled ones. `hints` and each array in it may
 * be NULL. Points that others need (scale_from, sign_from, atomic_with) are read along. NULL on
 * out of memory. */
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
