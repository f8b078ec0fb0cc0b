/* SPDX-License-Identifier: MIT */
/* names.c -- finds a name among thousands: a hash table with linear probing, at most half full */
#include "config/names.h"

#include <string.h>

#include "config/yaml.h"

struct names_entry {
	const char *name;
	size_t value;
};

static struct names_entry *
find_slot(const struct names *names, const char *name)
{
	size_t i = (size_t)yaml_hash(YAML_HASH_START, name, strlen(name)) & (names->size - 1);

	while (names->slots[i].name && strcmp(names->slots[i].name, name) != 0)
		i = (i + 1) & (names->size - 1);
	return &names->slots[i];
}

static void
grow(struct names *names)
{
	struct names old = *names;

	names->size = old.size ? old.size * 2 : 16;
	names->slots = arena_array(names->arena, names->size, sizeof *names->slots);
	for (size_t i = 0; i < old.size; i++)
		if (old.slots[i].name)
			*find_slot(names, old.slots[i].name) = old.slots[i];
}

size_t
names_add(struct names *names, const char *name, size_t value)
{
	if (names->n * 2 >= names->size)
		grow(names);
	struct names_entry *slot = find_slot(names, name);
	if (slot->name)
		return slot->value;
	*slot = (struct names_entry){name, value};
	names->n++;
	return SIZE_MAX;
}

size_t
names_find(const struct names *names, const char *name)
{
	if (!names->size)
		return SIZE_MAX;
	const struct names_entry *slot = find_slot(names, name);
	return slot->name ? slot->value : SIZE_MAX;
}

const char *const *
names_list(const struct names *names)
{
	const char **list = arena_array(names->arena, names->n + 1, sizeof *list);
	size_t n = 0;

	for (size_t i = 0; i < names->size; i++)
		if (names->slots[i].name)
			list[n++] = names->slots[i].name;
	return list;
}
