/* SPDX-License-Identifier: MIT */
/* device_latency.c -- how fast a device usually answers */
#include "drivers/device_impl.h"

#include <stdlib.h>
#include <string.h>

enum { REFRESH = 16 }; /* answers between two looks at the median */

static int
compare_latencies(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

int
device_latency_quantile(const struct device *dev, int percent)
{
	uint32_t sorted[DEVICE_LATENCIES];
	size_t n = dev->latencies < DEVICE_LATENCIES ? dev->latencies : DEVICE_LATENCIES;

	if (n == 0)
		return 0;
	memcpy(sorted, dev->latency_us, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), compare_latencies);
	return (int)sorted[(n - 1) * (size_t)percent / 100];
}

void
device_latency_add(struct device *dev, int latency_us)
{
	dev->latency_us[dev->latencies++ % DEVICE_LATENCIES] =
		latency_us > 0 ? (uint32_t)latency_us : 0;
	if (dev->latencies % REFRESH == 0)
		dev->usual_us = device_latency_quantile(dev, 50);
}
