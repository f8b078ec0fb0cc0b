/* SPDX-License-Identifier: MIT */
/* device_latency.c -- how fast a device usually answers */
#include "drivers/device_impl.h"

#include <stdlib.h>
#include <string.h>

enum { REFRESH = 16 }; /* answers between two looks at the quantiles */

static int
compare_latencies(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Sorting is dear, and a few answers do not change the picture. */
static void
look(struct device *dev)
{
	static const int percents[DEVICE_QUANTILES] = {50, 95, 100};
	uint32_t sorted[DEVICE_LATENCIES];
	size_t n = dev->latencies < DEVICE_LATENCIES ? dev->latencies : DEVICE_LATENCIES;

	memcpy(sorted, dev->latency_us, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), compare_latencies);
	for (size_t i = 0; i < DEVICE_QUANTILES; i++)
		dev->quantile_us[i] = (int)sorted[(n - 1) * (size_t)percents[i] / 100];
}

void
device_latency_add(struct device *dev, int latency_us)
{
	dev->latency_us[dev->latencies++ % DEVICE_LATENCIES] =
		latency_us > 0 ? (uint32_t)latency_us : 0;
	if (dev->latencies < REFRESH || dev->latencies % REFRESH == 0)
		look(dev);
	if (dev->latencies % REFRESH == 0)
		dev->usual_us = dev->quantile_us[0];
}
