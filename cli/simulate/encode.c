/* SPDX-License-Identifier: MIT */
/* encode.c -- values to registers: the way back from what drivers/device.c decodes */
#include "cli/simulate/encode.h"

#include <math.h>
#include <string.h>

static const struct type_row {
	uint8_t bits;
	bool is_signed, is_bcd;
} types[] = {
	[REG_BOOL] = {1, false, false},
	[REG_U8H] = {8, false, false},
	[REG_U8L] = {8, false, false},
	[REG_U16] = {16, false, false},
	[REG_S16] = {16, true, false},
	[REG_U32] = {32, false, false},
	[REG_S32] = {32, true, false},
	[REG_U64] = {64, false, false},
	[REG_S64] = {64, true, false},
	[REG_F32] = {32, false, false},
	[REG_F64] = {64, false, false},
	[REG_BCD16] = {16, false, true},
	[REG_BCD32] = {32, false, true},
	[REG_STRING] = {16, false, false},
};

uint16_t
encode_count(enum reg_type type)
{
	return types[type].bits > 16 ? types[type].bits / 16 : 1;
}

static uint64_t
mask(unsigned bits)
{
	return bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
}

static uint16_t
swap_bytes(uint16_t w)
{
	return (uint16_t)(w << 8 | w >> 8);
}

/* The whole number in the registers, before bits are taken out of it. */
static uint64_t
join(const struct reg_point *p, const uint16_t *words)
{
	unsigned n = encode_count(p->type);
	bool words_reversed = p->order == ORDER_CDAB || p->order == ORDER_DCBA;
	bool bytes_swapped = p->order == ORDER_BADC || p->order == ORDER_DCBA;
	uint64_t whole = 0;

	for (unsigned i = 0; i < n; i++) {
		uint16_t w = words[words_reversed ? n - 1 - i : i];
		whole = whole << 16 | (bytes_swapped ? swap_bytes(w) : w);
	}
	return whole;
}

static void
split(const struct reg_point *p, uint64_t whole, uint16_t *words)
{
	unsigned n = encode_count(p->type);
	bool words_reversed = p->order == ORDER_CDAB || p->order == ORDER_DCBA;
	bool bytes_swapped = p->order == ORDER_BADC || p->order == ORDER_DCBA;

	for (unsigned i = n; i-- > 0; whole >>= 16) {
		uint16_t w = (uint16_t)whole;
		words[words_reversed ? n - 1 - i : i] = bytes_swapped ? swap_bytes(w) : w;
	}
}

/* Where in the whole number the point's own bits are. */
static void
field(const struct reg_point *p, unsigned *shift, unsigned *width)
{
	*shift = (p->type == REG_U8H ? 8u : 0u) + p->shift;
	*width = p->width ? p->width : types[p->type].bits;
}

void
encode_raw(const struct reg_point *p, uint64_t raw, uint16_t *words)
{
	unsigned shift, width;

	field(p, &shift, &width);
	uint64_t own = mask(width) << shift;
	split(p, (join(p, words) & ~own) | (raw << shift & own), words);
}

uint64_t
encode_raw_of(const struct reg_point *p, const uint16_t *words)
{
	unsigned shift, width;

	field(p, &shift, &width);
	return join(p, words) >> shift & mask(width);
}

static uint64_t
to_bcd(uint64_t number)
{
	uint64_t bcd = 0;

	for (unsigned shift = 0; number && shift < 64; shift += 4, number /= 10)
		bcd |= number % 10 << shift;
	return bcd;
}

static uint64_t
to_float(enum reg_type type, double raw)
{
	union {
		double d;
		float f;
		uint64_t u64;
		uint32_t u32;
	} u;

	if (type == REG_F64) {
		u.d = raw;
		return u.u64;
	}
	u.f = (float)raw;
	return u.u32;
}

static uint64_t
to_integer(const struct type_row *type, unsigned width, double raw)
{
	double limit = ldexp(1, (int)width - (type->is_signed ? 1 : 0));

	raw = round(raw);
	if (type->is_signed) {
		if (raw >= limit)
			return mask(width - 1);
		return (uint64_t)(int64_t)(raw < -limit ? -limit : raw) & mask(width);
	}
	if (raw < 0)
		return 0;
	return (uint64_t)fmod(raw, limit);
}

void
encode_value(const struct reg_point *p, double scale, double value, uint16_t *words)
{
	const struct type_row *type = &types[p->type];
	double raw = (value - p->offset) / (scale != 0 ? scale : 1);
	unsigned shift, width;

	field(p, &shift, &width);
	if (p->type == REG_F32 || p->type == REG_F64)
		encode_raw(p, to_float(p->type, raw), words);
	else if (p->type == REG_BOOL)
		encode_raw(p, value != 0, words);
	else if (type->is_bcd)
		encode_raw(p, to_bcd(raw > 0 ? (uint64_t)round(raw) : 0), words);
	else
		encode_raw(p, to_integer(type, width, raw), words);
}

void
encode_text(const struct reg_point *p, const char *text, uint16_t *words)
{
	size_t n = strlen(text), at = 0;

	for (uint16_t i = 0; i < p->count; i++) {
		uint16_t w = at < n ? (uint8_t)text[at++] : 0;
		if (p->chars != 1)
			w = (uint16_t)(w << 8 | (at < n ? (uint8_t)text[at++] : 0));
		words[i] = p->order == ORDER_BADC || p->order == ORDER_DCBA ? swap_bytes(w) : w;
	}
}
