/* SPDX-License-Identifier: MIT */
/* fuzz_grbl.c -- whatever a serial line may say: the Grbl driver must survive it
 *
 * The first byte: does opening reset the board, and in what chunks do its bytes come. The rest is
 * cut at each 0x1E into steps: the first byte of a step says whether the others are the answer to
 * `?` from now on or are said unasked, and how long to listen afterwards; then all is polled.
 */
#include "drivers/device.h"
#include "drivers/registry.h"
#include "tests/drivers/replay.h"

#include <assert.h>
#include <ctype.h>

enum {
	STEPS_MAX = 24,
	STEP_END = 0x1E,
	WAIT_MS = 90,          /* times 0..31 */
	POLL_MOST_US = 5500000 /* banner, pause, answer */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_reading(const struct reading *r, size_t n)
{
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
	for (unsigned g = 0; g < 2; g++) {
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

	while (link_await(&r->link, until_us) > 0) {
		int rc = device_listen(dev);
		if (rc < 0 && rc != -EAGAIN) /* not open yet */
			break;
	}
}

static void
step(struct device *dev, struct replay *r, const uint8_t *data, size_t len)
{
	uint8_t how = data[0];
	struct replay_answer *a;

	if (how & 1) {
		replay_say(r, data + 1, len - 1, how & 2 ? 50 : 0);
	} else {
		a = replay_answer(r, "?", 1);
		replay_answer_part(a, data + 1, len - 1, how & 2 ? 300 : 5);
	}
	if (how & 4)
		listen_for(dev, r, (how >> 3) * WAIT_MS);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct device_spec spec = {.driver = registry_find("grbl")};

	if (size < 2)
		return 0;
	struct replay *r = replay_create(spec.driver, data[0] & 1);
	r->chunk_seed = data[0] >> 1;
	struct device *dev = device_create(&spec, &r->link);
	struct reading *reading = reading_create(dev);
	data++;
	size--;
	for (int i = 0; i < STEPS_MAX && size > 0; i++) {
		const uint8_t *end = memchr(data, STEP_END, size);
		size_t len = end ? (size_t)(end - data) : size;
		if (len > 0)
			step(dev, r, data, len);
		poll_all(dev, r, reading);
		data += len + (end != NULL);
		size -= len + (end != NULL);
	}
	reading_destroy(reading);
	device_destroy(dev);
	link_destroy(&r->link);
	return 0;
}
