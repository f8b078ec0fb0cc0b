/* SPDX-License-Identifier: MIT */
/* load.h -- how much of a bus the polls need
 *
 * A request costs its characters and silences on the wire (drivers/plan.h), the gap that the
 * profile asks for, and the unit's own latency, which is not known beforehand: 10 ms are assumed
 * on a serial line, 5 ms in all over TCP.
 */
#ifndef CONFIG_LOAD_H
#define CONFIG_LOAD_H

#include "config/config.h"

enum { LOAD_RTU_LATENCY_US = 10000, LOAD_TCP_US = 5000, LOAD_WARN_PCT = 70 };

struct group_load {
	const char *id;
	int64_t period_ms; /* as polled; 0: once after a connection */
	bool continuous;   /* takes what time is left */
	size_t points, requests;
	int64_t cycle_us; /* bus time of one cycle */
	bool late;        /* cannot meet its period */
};

/* What a Modbus source needs by itself. One entry per group that has wanted points; free() it.
 * NULL: out of memory, or nothing planned. Any thread. */
struct group_load *load_of_source(const struct config *c, const struct source_config *s, size_t *n);

#endif
