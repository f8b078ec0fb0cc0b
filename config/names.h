/* SPDX-License-Identifier: MIT */
/* names.h -- finds a name among thousands without looking at all of them; private to config/ */
#ifndef CONFIG_NAMES_H
#define CONFIG_NAMES_H

#include "config/arena.h"

#include <stdint.h>

struct names {
	struct arena *arena;
	struct names_entry *slots;
	size_t size, n; /* size: a power of two, or 0 */
};

/* Remembers name -> value. SIZE_MAX if it is new, else the value it has had (and keeps). Names are
 * borrowed. */
size_t names_add(struct names *names, const char *name, size_t value);
size_t names_find(const struct names *names, const char *name); /* SIZE_MAX: not there */
/* All of them, ending with NULL, of the arena. */
const char *const *names_list(const struct names *names);

#endif
