/* SPDX-License-Identifier: MIT */
/* reading.h -- every way in which a block of registers can be read */
#ifndef CLI_READING_H
#define CLI_READING_H

#include "drivers/profile.h"

struct interpretation {
	uint16_t address;
	enum reg_type type;
	enum reg_order order;
	struct value value; /* as it stands in the registers */
	double scale;       /* with which it comes near the expected value; 1 without one */
	double error;       /* relative distance from the expected value; 0 without one */
};

/* All numbers that the block may hold: types by word orders, at every address. Returns their
 * number, at most `cap`; 12 per type of each register are enough. Values that are not finite are
 * left out. */
size_t reading_all(
	const struct request *req, const uint16_t *words, struct interpretation *out, size_t cap);
/* Sorts those first that times a power of ten come near `expect`. */
void reading_sort(struct interpretation *list, size_t n, double expect);
/* "f32", "CDAB" */
const char *reading_type_name(enum reg_type type);
const char *reading_order_name(enum reg_order order);

#endif
