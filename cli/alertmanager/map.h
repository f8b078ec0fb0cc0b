/* SPDX-License-Identifier: MIT */
/* map.h -- things found by name, and walked in the order in which they came
 *
 * A balanced tree below, so that names chosen by an attacker cost no more than others.
 */
#ifndef CLI_ALERTMANAGER_MAP_H
#define CLI_ALERTMANAGER_MAP_H

#include <stddef.h>

/* The first member of whatever is kept in a map. */
struct map_node {
	char *key;
	struct map_node *prev, *next;
};

struct map { /* zeroed: empty */
	void *tree;
	struct map_node *first, *last;
	size_t n;
};

void *map_find(const struct map *m, const char *key);
/* A new one of so many bytes, zeroed but for its node, as the last; the key is copied and must not
 * be there yet. NULL: out of memory. */
void *map_add(struct map *m, const char *key, size_t size);
void map_to_end(struct map *m, void *thing);
/* Frees it and its key; what it points to is the caller's. */
void map_remove(struct map *m, void *thing);

#endif
