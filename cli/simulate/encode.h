/* SPDX-License-Identifier: MIT */
/* encode.h -- values to registers: the way back from what drivers/device.c decodes */
#ifndef CLI_SIMULATE_ENCODE_H
#define CLI_SIMULATE_ENCODE_H

#include "drivers/profile.h"

/* The point's registers (its `count`; one word per bit) for a raw number. Points that are a part
 * of a register (bits, u8h, u8l) leave the rest of `words` as it was. */
void encode_raw(const struct reg_point *p, uint64_t raw, uint16_t *words);
/* The raw number that `words` hold now. */
uint64_t encode_raw_of(const struct reg_point *p, const uint16_t *words);
/* For a value in the published unit: value = raw * scale + p->offset. What does not fit is
 * clamped, unsigned integers wrap as counters do. */
void encode_value(const struct reg_point *p, double scale, double value, uint16_t *words);
/* For a string point, filled up with NUL. */
void encode_text(const struct reg_point *p, const char *text, uint16_t *words);
/* Registers or bits that a type takes; 1 for strings. */
uint16_t encode_count(enum reg_type type);

#endif
