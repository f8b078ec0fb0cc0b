/* SPDX-License-Identifier: MIT */
/* fuzz_marlin.c -- whatever a serial line may say: the driver of 3D printers must survive it
 *
 * The first byte: does opening reset the board, and in what chunks do its bytes come. The rest is
 * cut at each 0x1E into steps. The low four bits of a step's first byte say what its other bytes
 * are: the answer to one of the queries from now on, or said unasked; the high bits, how long to
 * listen then. After each step all groups are polled.
 */
#include "drivers/device.h"
#include "drivers/registry.h"
#include "tests/drivers/replay.h"

#include <assert.h>
#include <ctype.h>

enum { STEPS_MAX = 24, STEP_END = 0x1E, WAIT_MS = 700, POLL_MOST_US = 40000000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_reading(const struct reading *r, size_t n)
{
	assert(r->status.progress <= 1 && r->status.activity <= ACTIVITY_PAUSED);
	for (const char *c = r->job_name; *c; c++)
		assert((unsigned char)*c >= ' ' && *c != 0x7F && c < r->job_name + 95);
	for (size_t i = 0; i < n; i++) {
		const struct value *v = &r->values[i];
		char out[600];

		value_print(v, out, sizeof(out));
		if (v->kind != VALUE_STRING && v->kind != VALUE_ENUM)
			continue;
		assert(v->u.s);
		for (const char *c = v->u.s; *c; c++)
			assert(isprint((unsigned char)*c));
	}
}

static void
poll_all(struct device *dev, struct replay *r, struct reading *reading)
{
	for (unsigned g = 0; g < device_groups(dev); g++) {
		int64_t from_us = r->now_us;
		size_t n;

		device_poll(dev, g, reading);
		assert(r->now_us - from_us <= POLL_MOST_US);
		device_group_points(dev, g, &n);
		check_reading(reading, n);
	}
}

static void
listen_for(struct device *dev, struct replay *r, int64_t ms)
{
	int64_t until_us = r->now_us + ms * 1000;

	while (link_await(&r->link, until_us) > 0)
		if (device_listen(dev) < 0) /* not open yet */
			break;
}

static void
step(struct device *dev, struct replay *r, const struct driver *driver, const uint8_t *data,
	size_t len)
{
	size_t query = data[0] & 15;
	struct replay_answer *a = NULL;

	if (query < driver->n_queries)
		a = replay_answer(r, driver->queries[query].bytes, driver->queries[query].len);
	if (a)
		replay_answer_part(a, data + 1, len - 1, 5);
	else
		replay_say(r, data + 1, len - 1, query == 15 ? 3000 : 0);
	listen_for(dev, r, (data[0] >> 4) * WAIT_MS);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct driver *driver = registry_find("marlin");
	struct device_spec spec = {.driver = driver};

	if (size < 2)
		return 0;
	struct replay *r = replay_create(driver, data[0] & 1);
	assert(r);
	r->chunk_seed = data[0] >> 1;
	struct device *dev = device_create(&spec, &r->link);
	struct reading *reading = dev ? reading_create(dev) : NULL;
	assert(reading);
	data++;
	size--;
	for (int i = 0; i < STEPS_MAX && size > 0; i++) {
		const uint8_t *end = memchr(data, STEP_END, size);
		size_t len = end ? (size_t)(end - data) : size;

		if (len > 0)
			step(dev, r, driver, data, len);
		poll_all(dev, r, reading);
		data += end ? len + 1 : len;
		size -= end ? len + 1 : len;
	}
	reading_destroy(reading);
	device_destroy(dev);
	link_destroy(&r->link);
	return 0;
}
