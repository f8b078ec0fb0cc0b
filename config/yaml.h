/* SPDX-License-Identifier: MIT */
/* yaml.h -- a YAML file as a tree in which every node knows its line and column
 *
 * Deliberately a small YAML: one document, UTF-8, no anchors, aliases, merge keys or tags, keys
 * are scalars and unique, depth at most 16. Whatever the file holds, reading it takes bounded
 * time and memory. Any thread, one tree at a time.
 */
#ifndef CONFIG_YAML_H
#define CONFIG_YAML_H

#include "config/arena.h"
#include "config/problem.h"

#include <stdbool.h>
#include <stdint.h>

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
	uint8_t kind; /* enum node_kind */
	bool plain;   /* a scalar written without quotes */
	int line, column;
	size_t n;         /* children */
	const char *text; /* scalar; never NULL */
	struct node *key; /* in a map: this child's key */
	struct node *first, *next;
};

enum { YAML_MAX_CONFIG = 8 * 1024 * 1024, YAML_MAX_PROFILE = 256 * 1024 };

struct yaml {
	struct arena arena;
	jmp_buf full;
	const char *file;        /* the caller's */
	const struct node *root; /* NULL: nothing usable */
	uint64_t hash;           /* FNV-1a of the bytes */
};

/* Reads a regular file of at most `max` bytes. 0 or -errno (-EINVAL: not our YAML); problems tell
 * what is wrong. In both cases yaml_finish() is due. */
int yaml_read(struct yaml *y, const char *file, size_t max, struct problems *problems);
/* The same from memory; `file` is only a name. */
int yaml_parse(
	struct yaml *y, const char *file, const char *text, size_t len, struct problems *problems);
void yaml_finish(struct yaml *y);

/* The value of a key in a map, or NULL. */
const struct node *node_get(const struct node *map, const char *key);
/* FNV-1a, 64 bits, continued from `hash`. */
uint64_t yaml_hash(uint64_t hash, const void *data, size_t len);
#define YAML_HASH_START 0xcbf29ce484222325u

#endif
