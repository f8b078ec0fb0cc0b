/* SPDX-License-Identifier: MIT */
/* device_learn.c -- what a device refuses is found out and not asked again
 *
 * Exception 2 means that some address of the block is missing (MODBUS Application Protocol V1.1b3,
 * section 7), 3 that the block may be too long. A block with holes is first split at the hole
 * nearest to its middle, because most often a hole is what is missing; a block without holes in
 * its middle; until a single item is left, which is then not supported. The splits stay, so that
 * everything around it is read in as few requests as the device allows.
 */
#include "drivers/device_impl.h"

#include "drivers/link_impl.h"

#include <errno.h>
#include <string.h>

enum { SHORT_BLOCK = 16 }; /* registers that hardly any device finds too many */

static bool
is_register(enum table table)
{
	return table == TABLE_HOLDING || table == TABLE_INPUT;
}

static uint32_t
end_before(const struct device *dev, const struct plan_request *r, size_t k)
{
	uint32_t end = 0;

	for (size_t i = 0; i < k; i++) {
		const struct reg_point *reg = &dev->profile->points[r->points[i]];

		if ((uint32_t)reg->address + reg->count > end)
			end = (uint32_t)reg->address + reg->count;
	}
	return end;
}

static size_t
distance(size_t a, size_t b)
{
	return a > b ? a - b : b - a;
}

/* The place nearest to the middle where the request may be split; 0: none. `end` runs along, so
 * that this is one pass. */
static size_t
best_cut(const struct device *dev, const struct plan_request *r, bool at_hole)
{
	size_t best = 0, middle = r->n_points / 2;
	uint32_t end = end_before(dev, r, 1);

	for (size_t k = 1; k < r->n_points; k++) {
		const struct reg_point *reg = &dev->profile->points[r->points[k]];
		bool hole = reg->address > end;

		if (r->begins[k] && (hole || !at_hole) &&
			(best == 0 || distance(k, middle) < distance(best, middle)))
			best = k;
		if ((uint32_t)reg->address + reg->count > end)
			end = (uint32_t)reg->address + reg->count;
	}
	return best;
}

void
device_give_up(struct device *dev, const struct plan_request *r)
{
	for (size_t i = 0; i < r->n_points; i++) {
		dev->hints.unsupported[r->points[i]] = 1;
		device_report_fail(dev, r->points[i], FAIL_UNSUPPORTED, 0);
	}
	dev->refused_us = link_mono_us();
	dev->dirty = true;
}

/* True if a shorter limit may be all that the device wants. */
static bool
shorten(struct device *dev, const struct plan_request *r)
{
	if (!is_register(r->req.table) || r->req.count <= SHORT_BLOCK || !best_cut(dev, r, false))
		return false;
	dev->hints.max_regs = r->req.count / 2;
	dev->dirty = true;
	return true;
}

void
device_learn(struct device *dev, const struct plan_request *r, unsigned exception)
{
	size_t cut = best_cut(dev, r, true);

	if (exception == 3 && shorten(dev, r))
		return;
	if (cut == 0)
		cut = best_cut(dev, r, false);
	if (cut > 0) {
		dev->hints.split[r->points[cut]] = 1;
		dev->dirty = true;
		return;
	}
	device_give_up(dev, r);
	if (exception == 3 && !dev->limit_learned) {
		/* it was this point and not the length: long blocks get one more chance */
		dev->hints.max_regs = 0;
		dev->limit_learned = true;
	}
}

void
device_proved(struct device *dev, const struct plan_request *r)
{
	for (size_t i = 0; i < r->n_points; i++) {
		uint16_t p = r->points[i];

		if (dev->hints.unsupported[p] == 2) {
			dev->hints.unsupported[p] = 0;
			dev->dirty = true;
		}
		if (!dev->hints.proven[p]) {
			dev->hints.proven[p] = 1;
			dev->dirty |= dev->profile->points[p].point.optional;
		}
	}
}

void
device_retry_refused(struct device *dev, int64_t after_us)
{
	int64_t now_us = link_mono_us();

	if (dev->refused_us == 0 || dev->relearn_off || now_us - dev->refused_us < after_us)
		return;
	for (size_t i = 0; i < dev->n_points; i++) {
		if (dev->hints.unsupported[i] == 1)
			dev->hints.unsupported[i] = 2;
	}
	dev->refused_us = 0;
	dev->dirty = true;
}

int
device_replan(struct device *dev)
{
	struct plan *plan = plan_create(dev->profile, dev->wanted, &dev->hints);

	dev->dirty = false;
	if (!plan)
		return -ENOMEM;
	plan_destroy(dev->plan);
	dev->plan = plan;
	for (size_t g = 0; g < dev->n_groups; g++)
		dev->groups[g].start = 0;
	dev->next = 0;
	return 0;
}
