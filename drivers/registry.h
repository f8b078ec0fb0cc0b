/* SPDX-License-Identifier: MIT */
/* registry.h -- every driver by its name */
#ifndef DRIVERS_REGISTRY_H
#define DRIVERS_REGISTRY_H

#include "drivers/driver.h"

const struct driver *registry_find(const char *name); /* NULL: none */
const struct driver *registry_at(size_t i);           /* NULL after the last */

#endif
