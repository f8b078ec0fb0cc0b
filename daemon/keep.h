/* SPDX-License-Identifier: MIT */
/* keep.h -- what survives a restart, as text: struct -> JSON -> struct
 *
 * Every field stands in one table, so that nothing is written that is not read. Unknown keys are
 * ignored and missing ones leave the field as it was: an older or newer daemon may have written.
 * Loop thread.
 */
#ifndef DAEMON_KEEP_H
#define DAEMON_KEEP_H

#include "daemon/alarm.h"
#include "daemon/usage.h"

enum { KEEP_SIZE = 4096 }; /* more than any of them needs */

struct kept_machine {
	enum activity activity;
	char state[12];
	int64_t since_ms;                                   /* of its state */
	int64_t maintenance_since_ms, maintenance_until_ms; /* 0: none */
	char maintenance_reason[200];
};

/* When something was kept, by the monotonic clock of that boot. */
struct kept_moment {
	char boot[40];
	int64_t us;
};

/* The length, or 0 if it did not fit. */
size_t keep_usage(const struct usage_kept *u, char *buf, size_t size);
size_t keep_alarm(const struct alarm_life *a, char *buf, size_t size);
size_t keep_machine(const struct kept_machine *m, char *buf, size_t size);
size_t keep_moment(const struct kept_moment *m, char *buf, size_t size);
/* False: not such a text; *out may be half filled. */
bool keep_read_usage(const char *text, struct usage_kept *out);
bool keep_read_alarm(const char *text, struct alarm_life *out);
bool keep_read_machine(const char *text, struct kept_machine *out);
bool keep_read_moment(const char *text, struct kept_moment *out);

#endif
