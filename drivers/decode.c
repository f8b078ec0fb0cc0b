/* SPDX-License-Identifier: MIT */
/* decode.c -- from the words of an answer to values. Pure: no state, no I/O
 *
 * Order of things: bits of the registers -> sentinels (on the whole raw value) -> bit field ->
 * number -> sign, scale, offset -> range. A value that fails anywhere is absent, with the reason.
 */
#include "drivers/decode.h"

#include <math.h>
#include <string.h>

enum { EXPONENT_MAX = 15 };

/* How a type's bits become a number. */
enum form { FORM_UNSIGNED, FORM_SIGNED, FORM_FLOAT, FORM_BCD, FORM_STRING };

static const struct type_info {
	uint8_t words, bits, form;
} types[] = {
	[REG_BOOL] = {1, 16, FORM_UNSIGNED},
	[REG_U8H] = {1, 8, FORM_UNSIGNED},
	[REG_U8L] = {1, 8, FORM_UNSIGNED},
	[REG_U16] = {1, 16, FORM_UNSIGNED},
	[REG_S16] = {1, 16, FORM_SIGNED},
	[REG_U32] = {2, 32, FORM_UNSIGNED},
	[REG_S32] = {2, 32, FORM_SIGNED},
	[REG_U64] = {4, 64, FORM_UNSIGNED},
	[REG_S64] = {4, 64, FORM_SIGNED},
	[REG_F32] = {2, 32, FORM_FLOAT},
	[REG_F64] = {4, 64, FORM_FLOAT},
	[REG_BCD16] = {1, 16, FORM_BCD},
	[REG_BCD32] = {2, 32, FORM_BCD},
	[REG_STRING] = {0, 0, FORM_STRING},
};

static const double powers[EXPONENT_MAX + 1] = {
	1e0,
	1e1,
	1e2,
	1e3,
	1e4,
	1e5,
	1e6,
	1e7,
	1e8,
	1e9,
	1e10,
	1e11,
	1e12,
	1e13,
	1e14,
	1e15,
};

static void
fail(struct value *out, enum fail why)
{
	*out = (struct value){.kind = VALUE_NONE, .fail = (uint8_t)why};
}

static uint16_t
swap_bytes(uint16_t w)
{
	return (uint16_t)(w << 8 | w >> 8);
}

static bool
words_reversed(enum reg_order order)
{
	return order == ORDER_CDAB || order == ORDER_DCBA;
}

static bool
bytes_swapped(enum reg_order order)
{
	return order == ORDER_BADC || order == ORDER_DCBA;
}

uint64_t
decode_raw(const struct reg_point *reg, const uint16_t *words)
{
	unsigned n = types[reg->type].words;
	uint64_t raw = 0;

	for (unsigned i = 0; i < n; i++) {
		uint16_t w = words[words_reversed(reg->order) ? n - 1 - i : i];

		raw = raw << 16 | (bytes_swapped(reg->order) ? swap_bytes(w) : w);
	}
	if (reg->type == REG_U8H)
		return raw >> 8;
	return reg->type == REG_U8L ? raw & 0xFF : raw;
}

static uint64_t
mask_of(unsigned bits)
{
	return bits >= 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
}

/* The loader may give a signed sentinel sign-extended: only the type's own bits count. */
static bool
is_one_of(uint64_t raw, unsigned bits, const uint64_t *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (((list[i] ^ raw) & mask_of(bits)) == 0)
			return true;
	}
	return false;
}

static enum fail
sentinel(const struct reg_point *reg, uint64_t raw)
{
	unsigned bits = types[reg->type].bits;

	if (is_one_of(raw, bits, reg->raw_unsupported, reg->n_raw_unsupported))
		return FAIL_UNSUPPORTED;
	if (is_one_of(raw, bits, reg->raw_error, reg->n_raw_error))
		return FAIL_SENSOR_ERROR;
	if (is_one_of(raw, bits, reg->raw_na, reg->n_raw_na) || (reg->zero_is_na && raw == 0))
		return FAIL_NOT_AVAILABLE;
	return FAIL_NONE;
}

static void
decode_enum(const struct reg_point *reg, uint64_t raw, unsigned bits, struct value *out)
{
	for (size_t i = 0; i < reg->n_enums; i++) {
		if (((reg->enums[i].raw ^ raw) & mask_of(bits)) == 0) {
			*out = (struct value){.kind = VALUE_ENUM, .u.s = reg->enums[i].key};
			return;
		}
	}
	fail(out, FAIL_OUT_OF_RANGE);
}

static bool
from_bcd(uint64_t raw, uint64_t *out)
{
	uint64_t value = 0, place = 1;

	for (; raw != 0; raw >>= 4, place *= 10) {
		if ((raw & 15) > 9)
			return false;
		value += (raw & 15) * place;
	}
	*out = value;
	return true;
}

static int64_t
sign_extend(uint64_t raw, unsigned bits)
{
	uint64_t sign = (uint64_t)1 << (bits - 1);

	return (int64_t)(((raw & mask_of(bits)) ^ sign) - sign);
}

static void
check_range(const struct reg_point *reg, struct value *v)
{
	double num = v->kind == VALUE_INT    ? (double)v->u.i
		     : v->kind == VALUE_UINT ? (double)v->u.u
					     : v->u.num;

	if (reg->has_range && !(num >= reg->range_min && num <= reg->range_max))
		fail(v, FAIL_OUT_OF_RANGE);
}

/* Dividing by a power of ten is exact to the last bit, multiplying by its inverse is not. */
static double
scaled(double num, double scale)
{
	double inverse = 1.0 / scale;

	if (fabs(scale) < 1.0 && inverse == nearbyint(inverse))
		return num / inverse;
	return num * scale;
}

/* Exponent of a power of ten, or EXPONENT_MAX + 1 if it is none. */
static int
exponent_of(double factor)
{
	for (int e = 0; e <= EXPONENT_MAX; e++) {
		if (factor == powers[e])
			return e;
		if (factor == 1.0 / powers[e])
			return -e;
	}
	return EXPONENT_MAX + 1;
}

/* Words of another point in the same answer; NULL if it is not there. */
static const uint16_t *
words_of(const struct block *b, const struct reg_point *reg)
{
	uint32_t count = reg->count > 0 ? reg->count : 1;

	if (reg->table != b->req->table || reg->address < b->req->address ||
		reg->address + count > (uint32_t)b->req->address + b->req->count)
		return NULL;
	return b->words + (reg->address - b->req->address);
}

static bool
raw_of(const struct block *b, int point, const struct reg_point **reg, uint64_t *raw)
{
	const uint16_t *words;

	*reg = &b->profile->points[point];
	words = words_of(b, *reg);
	if (!words || types[(*reg)->type].form == FORM_STRING)
		return false;
	*raw = decode_raw(*reg, words);
	return sentinel(*reg, *raw) == FAIL_NONE;
}

/* The scale that another register holds as a power of ten (SunSpec scale factors). */
static bool
scale_from(const struct block *b, const struct reg_point *reg, int *exponent)
{
	const struct reg_point *from;
	uint64_t raw;
	int64_t e;

	if (!raw_of(b, reg->scale_from, &from, &raw))
		return false;
	e = types[from->type].form == FORM_SIGNED ? sign_extend(raw, types[from->type].bits)
						  : (int64_t)raw;
	if (e < -EXPONENT_MAX || e > EXPONENT_MAX)
		return false;
	*exponent = reg->scale_mode == SCALE_POW10NEG ? -(int)e : (int)e;
	return true;
}

static int
clamp_decimals(int d)
{
	return d < 0 ? 0 : d > EXPONENT_MAX ? EXPONENT_MAX : d;
}

static void
scale_by_register(const struct block *b, const struct reg_point *reg, double num, struct value *out)
{
	int e, unit = exponent_of(reg->factor);

	if (!scale_from(b, reg, &e)) {
		fail(out, FAIL_NOT_AVAILABLE);
		return;
	}
	num = e < 0 ? num / powers[-e] : num * powers[e];
	*out = (struct value){.kind = VALUE_REAL, .u.num = scaled(num, reg->factor) + reg->offset};
	if (unit > EXPONENT_MAX)
		out->kind = VALUE_DOUBLE;
	out->decimals = (uint8_t)clamp_decimals(-e - unit);
	if (out->decimals < reg->decimals)
		out->decimals = reg->decimals; /* those of the offset */
}

/* An integer that stays one is exact; a scaled one keeps the decimals of its scale. */
static void
finish_integer(const struct block *b, const struct reg_point *reg, bool negative, uint64_t u,
	struct value *out)
{
	double num = negative ? -(double)u : (double)u;

	if (reg->scale_from >= 0) {
		scale_by_register(b, reg, num, out);
	} else if (reg->scale == 1.0 && reg->offset == 0.0) {
		if (!negative && u > INT64_MAX)
			*out = (struct value){.kind = VALUE_UINT, .u.u = u};
		else
			*out = (struct value){
				.kind = VALUE_INT, .u.i = negative ? (int64_t)-u : (int64_t)u};
	} else {
		*out = (struct value){.kind = VALUE_REAL,
			.decimals = reg->decimals,
			.u.num = scaled(num, reg->scale) + reg->offset};
	}
	if (out->kind != VALUE_NONE)
		check_range(reg, out);
}

/* Four quadrants in one number (Schneider iEM3000 series manual DOCA0005EN, power factor
 * register): beyond +-1 the current leads and the factor is folded back. */
static double
fold_power_factor(double x)
{
	return x > 1 ? 2 - x : x < -1 ? -2 - x : x;
}

static void
decode_float(const struct block *b, const struct reg_point *reg, uint64_t raw, struct value *out)
{
	uint32_t bits32 = (uint32_t)raw;
	bool single = types[reg->type].bits == 32;
	double num;
	float f;

	if (single) {
		memcpy(&f, &bits32, sizeof(f));
		num = (double)f;
	} else {
		memcpy(&num, &raw, sizeof(num));
	}
	if (!isfinite(num)) {
		fail(out, isnan(num) ? FAIL_NOT_AVAILABLE : FAIL_SENSOR_ERROR);
		return;
	}
	if (reg->zero_is_na && num == 0) {
		fail(out, FAIL_NOT_AVAILABLE);
		return;
	}
	if (reg->decode == DECODE_PF4Q)
		num = fold_power_factor(num);
	if (reg->scale_from >= 0) {
		scale_by_register(b, reg, num, out);
		if (out->kind == VALUE_NONE)
			return;
		num = out->u.num;
	} else {
		num = scaled(num, reg->scale) + reg->offset;
	}
	if (single)
		num = (double)(float)num;
	*out = (struct value){.kind = single ? VALUE_FLOAT : VALUE_DOUBLE, .u.num = num};
	if (!isfinite(num))
		fail(out, FAIL_OUT_OF_RANGE);
	else
		check_range(reg, out);
}

static void
decode_integer(const struct block *b, const struct reg_point *reg, uint64_t raw, unsigned bits,
	struct value *out)
{
	unsigned form = reg->width > 0 ? FORM_UNSIGNED : types[reg->type].form;
	bool negative = false;

	if (form == FORM_BCD && !from_bcd(raw, &raw)) {
		fail(out, FAIL_PROTOCOL);
		return;
	}
	if (form == FORM_SIGNED && sign_extend(raw, bits) < 0) {
		negative = true;
		raw = -(uint64_t)sign_extend(raw, bits);
	}
	if (reg->sign_from >= 0) {
		const struct reg_point *from;
		uint64_t sign;

		if (!raw_of(b, reg->sign_from, &from, &sign)) {
			fail(out, FAIL_NOT_AVAILABLE);
			return;
		}
		negative = sign != 0 && raw != 0;
	}
	finish_integer(b, reg, negative, raw, out);
}

size_t
decode_utf8_length(const unsigned char *s, size_t n)
{
	static const struct {
		unsigned char mask, lead, len;
		uint32_t least;
	} forms[] = {{0x80, 0x00, 1, 0}, {0xE0, 0xC0, 2, 0x80}, {0xF0, 0xE0, 3, 0x800},
		{0xF8, 0xF0, 4, 0x10000}};

	for (size_t i = 0; i < 4; i++) {
		uint32_t code = s[0] & (unsigned char)~forms[i].mask;

		if ((s[0] & forms[i].mask) != forms[i].lead)
			continue;
		if (forms[i].len > n)
			return 0;
		for (size_t k = 1; k < forms[i].len; k++) {
			if ((s[k] & 0xC0) != 0x80)
				return 0;
			code = code << 6 | (s[k] & 0x3F);
		}
		if (code < forms[i].least || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
			return 0;
		return forms[i].len;
	}
	return 0;
}

static bool
is_utf8(const char *s, size_t n)
{
	while (n > 0) {
		size_t len = decode_utf8_length((const unsigned char *)s, n);

		if (len == 0)
			return false;
		s += len;
		n -= len;
	}
	return true;
}

static size_t
trimmed_length(const char *s, size_t n)
{
	const char *nul = memchr(s, '\0', n);

	if (nul)
		n = (size_t)(nul - s);
	while (n > 0 && (s[n - 1] == ' ' || (unsigned char)s[n - 1] == 0xFF))
		n--;
	return n;
}

bool
decode_text(const struct reg_point *reg, const uint16_t *words, char *out, size_t size)
{
	size_t n = 0, skip = 0;

	if ((size_t)reg->count * 2 + 1 > size)
		return false;
	for (unsigned i = 0; i < reg->count; i++) {
		uint16_t w = bytes_swapped(reg->order) ? swap_bytes(words[i]) : words[i];

		if (reg->chars != 1)
			out[n++] = (char)(w >> 8);
		out[n++] = (char)(w & 0xFF);
	}
	n = trimmed_length(out, n);
	while (skip < n && out[skip] == ' ')
		skip++;
	memmove(out, out + skip, n - skip);
	out[n - skip] = '\0';
	return is_utf8(out, n - skip);
}

static void
decode_string(const struct reg_point *reg, const uint16_t *words, struct text_room *room,
	struct value *out)
{
	char *text = room->bytes + room->len;

	if (!decode_text(reg, words, text, room->cap - room->len)) {
		fail(out, FAIL_PROTOCOL);
		return;
	}
	room->len += strlen(text) + 1;
	*out = (struct value){.kind = VALUE_STRING, .u.s = text};
}

static void
decode_number(const struct block *b, const struct reg_point *reg, const uint16_t *words,
	struct value *out)
{
	uint64_t raw = decode_raw(reg, words);
	unsigned bits = types[reg->type].bits;
	enum fail why = sentinel(reg, raw);

	if (why != FAIL_NONE) {
		fail(out, why);
		return;
	}
	if (types[reg->type].form == FORM_FLOAT) {
		decode_float(b, reg, raw, out);
		return;
	}
	if (reg->width > 0) {
		raw = raw >> reg->shift & mask_of(reg->width);
		bits = reg->width;
	}
	if (reg->n_enums > 0)
		decode_enum(reg, raw, bits, out);
	else if (reg->type == REG_BOOL)
		*out = (struct value){.kind = VALUE_BOOL, .u.b = raw != 0};
	else
		decode_integer(b, reg, raw, bits, out);
}

void
decode_point(const struct block *block, unsigned point, struct text_room *room, struct value *out)
{
	const struct reg_point *reg = &block->profile->points[point];
	const uint16_t *words = words_of(block, reg);

	if (!words)
		fail(out, FAIL_PROTOCOL);
	else if (reg->type == REG_STRING)
		decode_string(reg, words, room, out);
	else
		decode_number(block, reg, words, out);
}
