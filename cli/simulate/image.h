/* SPDX-License-Identifier: MIT */
/* image.h -- the registers that a simulated unit has, and no others
 *
 * Sorted by address, so that a read of a block is one search: it succeeds only if every address
 * of it exists.
 */
#ifndef CLI_SIMULATE_IMAGE_H
#define CLI_SIMULATE_IMAGE_H

#include "drivers/driver.h"

struct image {
	struct image_table {
		uint16_t *addresses, *values;
		size_t n, cap;
	} tables[4]; /* by enum table */
};

void image_finish(struct image *img);
/* Makes the addresses exist (0 where they are new). 0, -ERANGE past 65535, -ENOMEM. */
int image_define(struct image *img, enum table table, uint16_t address, unsigned count);
/* Makes the holes of at most max_hole addresses between existing ones exist. */
int image_fill_holes(struct image *img, enum table table, unsigned max_hole);
/* The values of a block; NULL if one of its addresses does not exist. */
uint16_t *image_find(const struct image *img, enum table table, uint16_t address, unsigned count);

#endif
