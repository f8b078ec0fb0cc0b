/* SPDX-License-Identifier: MIT */
/* registry.c -- every driver by its name: a new driver is one line here */
#include "drivers/registry.h"

#include <string.h>

extern const struct driver driver_grbl;
extern const struct driver driver_icharger;
extern const struct driver driver_marlin;
extern const struct driver driver_modbus;
extern const struct driver driver_skyrc;

static const struct driver *const drivers[] = {
	&driver_modbus,
	&driver_marlin,
	&driver_grbl,
	&driver_icharger,
	&driver_skyrc,
};

const struct driver *
registry_at(size_t i)
{
	return i < sizeof(drivers) / sizeof(drivers[0]) ? drivers[i] : NULL;
}

const struct driver *
registry_find(const char *name)
{
	const struct driver *d;

	for (size_t i = 0; (d = registry_at(i)); i++) {
		if (strcmp(d->name, name) == 0)
			return d;
	}
	return NULL;
}
