/* SPDX-License-Identifier: MIT */
/* image.c -- the registers that a simulated unit has, and no others */
#include "cli/simulate/image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The first place whose address is not below. */
static size_t
lower_bound(const struct image_table *t, unsigned address)
{
	size_t low = 0, high = t->n;

	while (low < high) {
		size_t mid = (low + high) / 2;
		if (t->addresses[mid] < address)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static int
grow(struct image_table *t)
{
	size_t cap = t->cap ? t->cap * 2 : 32;
	uint16_t *addresses = realloc(t->addresses, cap * sizeof *addresses);

	if (!addresses)
		return -ENOMEM;
	t->addresses = addresses;
	uint16_t *values = realloc(t->values, cap * sizeof *values);
	if (!values)
		return -ENOMEM;
	t->values = values;
	t->cap = cap;
	return 0;
}

static int
insert(struct image_table *t, uint16_t address)
{
	size_t at = lower_bound(t, address);

	if (at < t->n && t->addresses[at] == address)
		return 0;
	if (t->n == t->cap && grow(t))
		return -ENOMEM;
	size_t tail = (t->n - at) * sizeof *t->values;
	memmove(t->addresses + at + 1, t->addresses + at, tail);
	memmove(t->values + at + 1, t->values + at, tail);
	t->addresses[at] = address;
	t->values[at] = 0;
	t->n++;
	return 0;
}

int
image_define(struct image *img, enum table table, uint16_t address, unsigned count)
{
	if (address + count > 65536)
		return -ERANGE;
	for (unsigned i = 0; i < count; i++)
		if (insert(&img->tables[table], (uint16_t)(address + i)))
			return -ENOMEM;
	return 0;
}

int
image_fill_holes(struct image *img, enum table table, unsigned max_hole)
{
	struct image_table *t = &img->tables[table];
	int rc = 0;

	for (size_t i = 0; i + 1 < t->n && !rc; i++) {
		unsigned hole = t->addresses[i + 1] - t->addresses[i] - 1u;
		if (hole > 0 && hole <= max_hole)
			rc = image_define(img, table, (uint16_t)(t->addresses[i] + 1), hole);
	}
	return rc;
}

uint16_t *
image_find(const struct image *img, enum table table, uint16_t address, unsigned count)
{
	const struct image_table *t = &img->tables[table];
	size_t at = lower_bound(t, address);

	if (count == 0 || count > t->n - at || t->addresses[at] != address)
		return NULL;
	return t->addresses[at + count - 1] == address + count - 1 ? t->values + at : NULL;
}

void
image_finish(struct image *img)
{
	for (size_t i = 0; i < 4; i++) {
		free(img->tables[i].addresses);
		free(img->tables[i].values);
	}
	*img = (struct image){0};
}
