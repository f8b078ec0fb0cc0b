/* SPDX-License-Identifier: MIT */
/* fuzz_dryer.c -- whatever a serial line may say: the driver of dryers must survive it
 *
 * An example; a real one is tests/fuzz/fuzz_NAME.c and finds its driver with registry_find(). The
 * input is cut at each 0x1E: what the dryer says unasked before each poll, and at last what it
 * answers with.
 */
#include "drivers/device.h"
#include "tests/drivers/replay.h"

#include <assert.h>

extern const struct driver driver_dryer;

enum { POLLS_MAX = 24, POLL_MOST_US = 6000000 }; /* banner, ID, STATUS */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
poll_all(struct device *dev, struct replay *r, struct reading *reading)
{
	for (unsigned g = 0; g < 2; g++) {
		int64_t from_us = r->now_us;
		device_poll(dev, g, reading);
		assert(r->now_us - from_us <= POLL_MOST_US);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct device_spec spec = {.driver = &driver_dryer};
	struct replay *r = replay_create(&driver_dryer, size % 2);
	struct device *dev = device_create(&spec, &r->link);
	struct reading *reading = reading_create(dev);

	replay_answer_part(replay_answer(r, "ID\n", 3), "DRYER model=FD-2 fw=1\n", 22, 5);
	for (int i = 0; i < POLLS_MAX && size > 0; i++) {
		const uint8_t *end = memchr(data, 0x1E, size);
		size_t len = end ? (size_t)(end - data) : size;
		replay_answer_part(replay_answer(r, "STATUS\n", 7), data, len, 5);
		replay_say(r, data, len, 0);
		poll_all(dev, r, reading);
		data += len + (end != NULL);
		size -= len + (end != NULL);
	}
	reading_destroy(reading);
	device_destroy(dev);
	link_destroy(&r->link);
	return 0;
}
