/* SPDX-License-Identifier: MIT */
/* ask.h -- a single question to a unit, outside any plan: for scan, peek and the like */
#ifndef DRIVERS_ASK_H
#define DRIVERS_ASK_H

#include "drivers/link.h"

struct ask_times {
	int timeout_ms, byte_timeout_ms, min_gap_ms, max_latency_ms; /* 0: default */
};

/* One read; the link is opened if needed. One word per register, 0/1 per bit, in words[] (at
 * least 2000). 0; -EREMOTEIO with the exception's code; else -errno. */
int ask_read(struct link *link, uint8_t unit, const struct ask_times *times,
	const struct request *req, uint16_t *words, unsigned *exception);
/* What the unit says it is: FC 43/14, else FC 17; "" if it does not say. */
void ask_identity(
	struct link *link, uint8_t unit, const struct ask_times *times, char *buf, size_t size);
/* "coil", "discrete", "holding", "input" <-> enum table; -1: none of them. */
int ask_table(const char *word);
const char *ask_table_name(enum table table);

#endif
