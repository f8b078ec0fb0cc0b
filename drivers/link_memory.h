/* SPDX-License-Identifier: MIT */
/* link_memory.h -- registers and scripts in memory: the tests' peer of the real links
 *
 * Answers at once, without a descriptor, a clock or a thread. All units share the tables unless
 * only one is set.
 */
#ifndef DRIVERS_LINK_MEMORY_H
#define DRIVERS_LINK_MEMORY_H

#include "drivers/link.h"

enum { MEMORY_ADDRESSES = 1024, MEMORY_RANGES = 16, MEMORY_SCRIPT = 64, MEMORY_LOG = 256 };

/* Any request that touches first..last of the table is answered with the exception. */
struct memory_range {
	enum table table;
	uint16_t first, last;
	uint8_t exception;
};

/* What the next request meets instead of an answer: rc < 0 is returned as it is, an exception is
 * answered; both 0: answered well. */
struct memory_step {
	int rc;
	uint8_t exception;
};

/* Everything a test may set or look at, at any time between calls. */
struct memory {
	uint16_t words[4][MEMORY_ADDRESSES]; /* by enum table; bits as 0 or 1 */
	struct memory_range ranges[MEMORY_RANGES];
	size_t n_ranges;
	int max_regs; /* longer requests get exception 3; 0: no limit */
	uint8_t unit; /* others time out; 0: all answer */
	bool silent;  /* all time out */
	int open_rc;  /* what opening returns */
	struct memory_step script[MEMORY_SCRIPT];
	size_t n_script, script_at;
	const char *server_id;          /* FC 17; NULL: exception 1 */
	const char *object;             /* FC 43/14, any object; NULL: exception 1 */
	int latency_us;                 /* as told to the caller */
	unsigned requests, opens;       /* counted */
	int waited_ms;                  /* by link_wait() */
	struct request log[MEMORY_LOG]; /* the last requests, log[(requests - 1) % MEMORY_LOG] */
};

/* `memory` is borrowed. NULL: out of memory. */
struct link *link_memory_create(struct memory *memory);

#endif
