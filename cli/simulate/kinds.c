/* SPDX-License-Identifier: MIT */
/* kinds.c -- every kind of simulated USB machine: a new one is one line here */
#include "cli/simulate/plug.h"

#include <string.h>

extern const struct plug_kind plug_kind_grbl;
extern const struct plug_kind plug_kind_icharger;
extern const struct plug_kind plug_kind_marlin;
extern const struct plug_kind plug_kind_skyrc;

static const struct plug_kind *const kinds[] = {
	&plug_kind_grbl,
	&plug_kind_icharger,
	&plug_kind_marlin,
	&plug_kind_skyrc,
	NULL,
};

const struct plug_kind *
plug_kind_at(size_t i)
{
	return i < sizeof kinds / sizeof kinds[0] ? kinds[i] : NULL;
}

const struct plug_kind *
plug_kind_find(const char *name)
{
	const struct plug_kind *k;

	for (size_t i = 0; (k = plug_kind_at(i)); i++)
		if (!strcmp(k->name, name))
			return k;
	return NULL;
}
