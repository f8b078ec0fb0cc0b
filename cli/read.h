/* SPDX-License-Identifier: MIT */
/* read.h -- reads a machine's Modbus sources without the daemon */
#ifndef CLI_READ_H
#define CLI_READ_H

#include "cli/session.h"

/* {"machine", "sources": [{"source", "ts", "points": [...], and in trouble "error", "hint"}]};
 * `source` NULL: all. NULL: out of memory. */
struct doc *read_locally(
	const struct session *s, const struct machine_config *m, const char *source);

#endif
