/* SPDX-License-Identifier: MIT */
/* map.c -- tsearch(3) and a list */
#include "cli/alertmanager/map.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

static int
compare(const void *a, const void *b)
{
	const struct map_node *left = a, *right = b;

	return strcmp(left->key, right->key);
}

static void
append(struct map *m, struct map_node *node)
{
	node->prev = m->last;
	node->next = NULL;
	*(m->last ? &m->last->next : &m->first) = node;
	m->last = node;
}

static void
unlink_node(struct map *m, struct map_node *node)
{
	*(node->prev ? &node->prev->next : &m->first) = node->next;
	*(node->next ? &node->next->prev : &m->last) = node->prev;
}

void *
map_find(const struct map *m, const char *key)
{
	struct map_node wanted = {.key = (char *)key};
	void *found = tfind(&wanted, &m->tree, compare);

	return found ? *(void **)found : NULL;
}

void *
map_add(struct map *m, const char *key, size_t size)
{
	struct map_node *node = calloc(1, size);

	if (node)
		node->key = strdup(key);
	if (!node || !node->key || !tsearch(node, &m->tree, compare)) {
		if (node)
			free(node->key);
		free(node);
		return NULL;
	}
	append(m, node);
	m->n++;
	return node;
}

void
map_to_end(struct map *m, void *thing)
{
	unlink_node(m, thing);
	append(m, thing);
}

void
map_remove(struct map *m, void *thing)
{
	struct map_node *node = thing;

	tdelete(node, &m->tree, compare);
	unlink_node(m, node);
	m->n--;
	free(node->key);
	free(node);
}
