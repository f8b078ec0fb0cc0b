/* SPDX-License-Identifier: MIT */
/* fuzz_icharger.c -- whatever a charger's reports may say: the driver must survive it and come to
 * an end
 *
 * The input is a list of answers, one per question: a byte that says how, then a report. Time is
 * virtual, so that silence costs nothing.
 */
#include "../drivers/replay.h"
#include "drivers/device.h"

extern const struct driver driver_icharger;

enum { POLLS = 24, REPORT = 64 };
/* The low bits of the first byte; the others say how many bytes a cut report has. */
enum { HOW_RAW, HOW_FRAMED, HOW_CUT, HOW_SILENT, HOW_MASK = 3 };

struct fuzz {
	struct replay *replay;
	const struct link_ops *ops;
	const uint8_t *data;
	size_t size;
};

static struct fuzz fuzz;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Makes the report fit the question. */
static void
frame(uint8_t report[REPORT], const struct driver_query *query)
{
	uint8_t bytes = (uint8_t)(2 * (uint8_t)query->bytes[6]);

	memcpy(report, (uint8_t[]){(uint8_t)(bytes + 4), 0x30, (uint8_t)query->bytes[2], bytes}, 4);
}

static int
fuzz_send(struct link *link, const struct driver_query *query)
{
	int64_t at_us = fuzz.replay->now_us + 1000;
	uint8_t report[REPORT] = {0}, how;
	size_t n;

	if (fuzz.size == 0)
		return fuzz.ops->send(link, query);
	how = *fuzz.data++;
	fuzz.size--;
	if ((how & HOW_MASK) == HOW_SILENT)
		return fuzz.ops->send(link, query);
	n = fuzz.size < REPORT ? fuzz.size : REPORT;
	memcpy(report, fuzz.data, n);
	fuzz.data += n;
	fuzz.size -= n;
	if ((how & HOW_MASK) == HOW_FRAMED)
		frame(report, query);
	n = (how & HOW_MASK) == HOW_CUT ? how >> 2 : REPORT;
	replay_add_chunk(fuzz.replay, report, n, at_us);
	return fuzz.ops->send(link, query);
}

static void
print_all(const struct device *dev, const struct reading *reading)
{
	char text[64];
	size_t n;

	device_group_points(dev, reading->group, &n);
	for (size_t i = 0; i < n; i++)
		value_print(&reading->values[i], text, sizeof(text));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct device_spec spec = {.driver = &driver_icharger};
	struct replay *r = replay_create(&driver_icharger, false);
	struct link_ops ops = *r->link.ops;
	struct device *dev = device_create(&spec, &r->link);
	struct reading *reading = reading_create(dev);

	fuzz = (struct fuzz){r, r->link.ops, data, size};
	ops.send = fuzz_send;
	r->link.ops = &ops;
	for (unsigned i = 0; i < POLLS; i++) {
		device_poll(dev, i % (unsigned)driver_icharger.n_groups, reading);
		print_all(dev, reading);
		r->now_us += 1000000;
	}
	reading_destroy(reading);
	device_destroy(dev);
	link_destroy(&r->link);
	return 0;
}
