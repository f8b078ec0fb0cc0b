/* SPDX-License-Identifier: MIT */
/* stamp.h -- how good a record's `ts` was when it was written, and how to mend it
 *
 * A gateway without a battery clock starts with a wrong time. What is sent meanwhile says
 * `unsynced`; what waits is stamped right at the first synchronisation: the time between a sample
 * and that moment is known from CLOCK_BOOTTIME, so all its wall times move by one difference.
 * Pure.
 */
#ifndef DAEMON_STAMP_H
#define DAEMON_STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STAMP_ROOM = 64 }; /* that a text may need more when its times are mended */

struct stamp {
	bool unsynced;     /* the clock had never been set since boot */
	int64_t offset_ms; /* CLOCK_REALTIME - CLOCK_BOOTTIME when it was stamped */
};

/* A record's text (a whole payload, or one record of `history`) with "clock" set to "synced" and
 * every wall time at its top level moved by delta_ms that lies between from_ms (the wrong clock's
 * time of the boot: stamp.offset_ms) and the record's own `ts`: a job that was begun before the
 * boot has a right `started`. The length, or 0: it did not fit into `size` bytes (STAMP_ROOM more
 * than `len` is always enough), or it is no such text. */
size_t stamp_mend_since(
	const char *text, size_t len, int64_t from_ms, int64_t delta_ms, char *out, size_t size);
/* The same in place, where there is room for `size` bytes. The length, or 0: *text is as it was. */
size_t stamp_mend_here(char *text, size_t len, size_t size, int64_t from_ms, int64_t delta_ms);
/* A telemetry payload as a record of `history`: without v, gw, epoch. The length, or 0. Not longer
 * than `len`, and its NUL. */
size_t stamp_record(const char *payload, size_t len, char *out, size_t size);

#endif
