/* SPDX-License-Identifier: MIT */
/* device.c -- one device: made from a driver and a profile, asked about, freed */
#include "drivers/device_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_MS = 500, MAX_LATENCY_MS = 1000 };

const struct point *
device_point(const struct device *dev, unsigned point)
{
	return dev->profile ? &dev->profile->points[point].point : &dev->driver->points[point];
}

static const struct group *
group_of(const struct device *dev, unsigned group)
{
	return dev->profile ? &dev->profile->groups[group] : &dev->driver->groups[group];
}

/* ---- making and freeing ------------------------------------------------------------------ */

static int
either(int said, int profile, int def)
{
	return said > 0 ? said : profile > 0 ? profile : def;
}

static void
set_times(struct device *dev, const struct device_spec *spec)
{
	static const struct profile_link nothing = {.check_unit = true};
	const struct profile_link *l = spec->profile ? &spec->profile->link : &nothing;

	dev->check_unit = l->check_unit;
	dev->timeout_ms = either(spec->timeout_ms, l->response_timeout_ms,
		spec->driver->timeout_ms ? spec->driver->timeout_ms : TIMEOUT_MS);
	dev->byte_timeout_ms = either(spec->byte_timeout_ms, l->byte_timeout_ms, 0);
	dev->min_gap_ms = either(spec->min_gap_ms, l->min_gap_ms, 0);
	dev->max_latency_ms = either(spec->max_latency_ms, l->max_latency_ms, MAX_LATENCY_MS);
}

static bool
is_wanted(const struct device_spec *spec, size_t i)
{
	if (spec->wanted)
		return spec->wanted[i] != 0;
	return spec->profile ? spec->profile->points[i].enabled : true;
}

static bool
make_arrays(struct device *dev, const struct device_spec *spec)
{
	size_t n = dev->n_points + 1;

	dev->wanted = calloc(n, 1);
	dev->slot = calloc(n, sizeof(*dev->slot));
	dev->group_points = calloc(n, sizeof(*dev->group_points));
	dev->group_first = calloc(dev->n_groups + 1, sizeof(*dev->group_first));
	dev->groups = calloc(dev->n_groups + 1, sizeof(*dev->groups));
	dev->state = calloc(1, dev->driver->state_size + 1);
	if (spec->profile) {
		dev->hints.unsupported = calloc(n, 1);
		dev->hints.proven = calloc(n, 1);
		dev->hints.split = calloc(n, 1);
		if (!dev->hints.unsupported || !dev->hints.proven || !dev->hints.split)
			return false;
	}
	return dev->wanted && dev->slot && dev->group_points && dev->group_first && dev->groups &&
	       dev->state;
}

/* Lists the wanted points group by group. */
static void
fill_groups(struct device *dev, const struct device_spec *spec)
{
	size_t k = 0;

	for (size_t i = 0; i < dev->n_points; i++) {
		dev->wanted[i] = is_wanted(spec, i);
		dev->slot[i] = DEVICE_NO_SLOT;
	}
	for (unsigned g = 0; g < dev->n_groups; g++) {
		dev->group_first[g] = k;
		for (size_t i = 0; i < dev->n_points; i++) {
			if (!dev->wanted[i] || device_point(dev, (unsigned)i)->group != g)
				continue;
			dev->slot[i] = (uint16_t)(k - dev->group_first[g]);
			dev->group_points[k++] = (uint16_t)i;
		}
	}
	dev->group_first[dev->n_groups] = k;
}

/* Registers worth reading through: what another request would cost in characters, at two
 * characters each. A serial request costs 13 characters, two silences of 3.5 and the unit's
 * latency, which is taken as 20 ms; a TCP one about 60 bytes. */
static int
worthwhile_hole(const struct link *link)
{
	enum { FRAME_CHARS = 13 + 7, LATENCY_US = 20000, TCP_HOLE = 30, HOLE_MAX = 32 };
	int64_t ten_us = link_wire_us(link, 10), hole;

	if (ten_us <= 0)
		return TCP_HOLE;
	hole = (FRAME_CHARS + LATENCY_US * 10 / ten_us) / 2;
	return hole > HOLE_MAX ? HOLE_MAX : (int)hole;
}

struct device *
device_create(const struct device_spec *spec, struct link *link)
{
	struct device *dev = calloc(1, sizeof(*dev));

	if (!dev)
		return NULL;
	dev->driver = spec->driver;
	dev->profile = spec->profile;
	dev->link = link;
	dev->options = spec->options;
	dev->unit = spec->unit;
	dev->relearn_off = spec->replan_hourly_off;
	dev->status = (struct status){.activity = ACTIVITY_UNKNOWN, .progress = -1};
	dev->n_points = spec->profile ? spec->profile->n_points : spec->driver->n_points;
	dev->n_groups = spec->profile ? spec->profile->n_groups : spec->driver->n_groups;
	set_times(dev, spec);
	if (!make_arrays(dev, spec))
		goto fail;
	fill_groups(dev, spec);
	dev->hints.max_hole = worthwhile_hole(link);
	if (dev->profile && device_replan(dev) < 0)
		goto fail;
	return dev;
fail:
	device_destroy(dev);
	return NULL;
}

void
device_destroy(struct device *dev)
{
	if (!dev)
		return;
	plan_destroy(dev->plan);
	free(dev->hints.unsupported);
	free(dev->hints.proven);
	free(dev->hints.split);
	free(dev->wanted);
	free(dev->slot);
	free(dev->group_points);
	free(dev->group_first);
	free(dev->groups);
	free(dev->state);
	free(dev);
}

void
device_rebase(struct device *dev, const struct profile *profile)
{
	if (dev->profile)
		dev->profile = profile;
}

void
device_watch(struct device *dev, device_raw_fn *raw, void *arg)
{
	dev->watcher = raw;
	dev->watcher_arg = arg;
}

/* ---- questions --------------------------------------------------------------------------- */

size_t
device_groups(const struct device *dev)
{
	return dev->n_groups;
}

const uint16_t *
device_group_points(const struct device *dev, unsigned group, size_t *n)
{
	*n = dev->group_first[group + 1] - dev->group_first[group];
	return dev->group_points + dev->group_first[group];
}

size_t
device_requests(const struct device *dev, unsigned group)
{
	return dev->plan ? dev->plan->group_first[group + 1] - dev->plan->group_first[group] : 1;
}

bool
device_once_due(const struct device *dev, unsigned group)
{
	return group_of(dev, group)->period_ms == 0 && !dev->groups[group].once_done;
}

bool
device_heard(const struct device *dev)
{
	return dev->stats.last_answer_mono_us != 0;
}

unsigned
device_gateway_word(const struct device *dev)
{
	return dev->gateway_word;
}

const char *
device_identity(const struct device *dev)
{
	return dev->identity;
}

void
device_stats(const struct device *dev, struct device_stats *out)
{
	*out = dev->stats;
	out->latency_p50_us = dev->quantile_us[0];
	out->latency_p95_us = dev->quantile_us[1];
	out->latency_max_us = dev->quantile_us[2];
}

const void *
device_options(const struct device *dev)
{
	return dev->options;
}

void *
device_state(struct device *dev)
{
	return dev->state;
}

enum fail
device_fail(int rc)
{
	static const struct {
		int rc;
		enum fail fail;
	} table[] = {
		{0, FAIL_NONE},
		{-ETIMEDOUT, FAIL_TIMEOUT},
		{-EBADMSG, FAIL_CRC},
		{-EPROTO, FAIL_PROTOCOL},
		{-EPERM, FAIL_PROTOCOL},
		{-ESTALE, FAIL_IDENTITY},
		{-EBUSY, FAIL_IN_USE},
		{-EACCES, FAIL_PERMISSION},
		{-EMLINK, FAIL_AMBIGUOUS},
		{-ECANCELED, FAIL_STALE},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (table[i].rc == rc)
			return table[i].fail;
	}
	return FAIL_LINK_DOWN;
}
