/* SPDX-License-Identifier: MIT */
/* profile.h -- a profile file: registers (drivers/profile.h) and what they mean for people
 *
 * Schema and rules P001-P040: docs/profiles.md.
 */
#ifndef CONFIG_PROFILE_H
#define CONFIG_PROFILE_H

#include "config/problem.h"
#include "config/rule.h"
#include "drivers/profile.h"

struct profile_file {
	struct profile regs;
	const char *path;
	const char *kind, *vendor, *status;
	struct text title;
	struct alarm_rule *faults;
	size_t n_faults;
	struct usage_rule *usage;
	size_t n_usage;
	uint64_t hash; /* of the file and what it extends: equal means that nothing changed */
	void *memory;  /* the loader's */
};

/* Reads one file. NULL if it has an error; problems are added in any case. Loop thread or tool. */
struct profile_file *profile_load(const char *path, struct problems *problems);
void profile_free(struct profile_file *p); /* NULL is fine */

#endif
