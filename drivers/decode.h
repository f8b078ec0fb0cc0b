/* SPDX-License-Identifier: MIT */
/* decode.h -- from the words of an answer to values. Pure: no state, no I/O */
#ifndef DRIVERS_DECODE_H
#define DRIVERS_DECODE_H

#include "drivers/profile.h"

/* One answer: what was read, and what came. */
struct block {
	const struct profile *profile;
	const struct request *req;
	const uint16_t *words; /* one per register, or 0/1 per bit */
};

/* Where strings are put; grows never, and is the reading's own. */
struct text_room {
	char *bytes;
	size_t len, cap;
};

/* Decodes point `point` of the profile, which must lie inside the block (else FAIL_PROTOCOL).
 * What it refers to (scale_from, sign_from) must lie there too. */
void decode_point(
	const struct block *block, unsigned point, struct text_room *room, struct value *out);
/* The bits of the point as one number, in the order of the profile, before any scaling; at most
 * 64. `words` begins at the point. */
uint64_t decode_raw(const struct reg_point *reg, const uint16_t *words);
/* A string point as text; trims NUL, blanks and 0xFF. False: no valid UTF-8, or no room. */
bool decode_text(const struct reg_point *reg, const uint16_t *words, char *out, size_t size);
/* Length of the UTF-8 sequence at s, 0 if there is none (RFC 3629: no surrogates, shortest). */
size_t decode_utf8_length(const unsigned char *s, size_t n);

#endif
