/* SPDX-License-Identifier: MIT */
/* reading.c -- every way in which a block of registers can be read */
#include "cli/reading.h"

#include <math.h>
#include <stdlib.h>

#include "drivers/decode.h"

static const struct type_row {
	enum reg_type type;
	const char *name;
	uint8_t count;
	bool all_orders; /* one register: only as it is, or with its bytes swapped */
} types[] = {
	{REG_U16, "u16", 1, false},
	{REG_S16, "s16", 1, false},
	{REG_BCD16, "bcd16", 1, false},
	{REG_U32, "u32", 2, true},
	{REG_S32, "s32", 2, true},
	{REG_F32, "f32", 2, true},
	{REG_BCD32, "bcd32", 2, true},
	{REG_U64, "u64", 4, true},
	{REG_S64, "s64", 4, true},
	{REG_F64, "f64", 4, true},
};
static const enum reg_order all_orders[] = {ORDER_ABCD, ORDER_CDAB, ORDER_BADC, ORDER_DCBA};
static const enum reg_order word_orders[] = {ORDER_ABCD, ORDER_BADC};

const char *
reading_type_name(enum reg_type type)
{
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (types[i].type == type)
			return types[i].name;
	return "bool";
}

const char *
reading_order_name(enum reg_order order)
{
	static const char *const names[] = {"ABCD", "CDAB", "BADC", "DCBA"};

	return names[order];
}

/* Decoded as the daemon would decode a point of this description. */
static bool
interpret(const struct request *req, const uint16_t *words, struct interpretation *out)
{
	struct reg_point point = {.table = req->table,
		.address = out->address,
		.type = out->type,
		.order = out->order,
		.scale = 1,
		.factor = 1,
		.scale_from = -1,
		.sign_from = -1,
		.atomic_with = -1,
		.enabled = true};
	struct profile profile = {.points = &point, .n_points = 1};
	struct block block = {&profile, req, words};
	struct text_room room = {NULL, 0, 0};
	double number;

	point.point = (struct point){.id = "x", .unit = ""};
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (types[i].type == out->type)
			point.count = types[i].count;
	decode_point(&block, 0, &room, &out->value);
	out->scale = 1;
	out->error = 0;
	return value_number(&out->value, &number) && isfinite(number);
}

static size_t
add_orders(const struct request *req, const uint16_t *words, uint16_t address,
	const struct type_row *row, struct interpretation *out, size_t room)
{
	const enum reg_order *orders = row->all_orders ? all_orders : word_orders;
	size_t n = row->all_orders ? 4 : 2, added = 0;

	for (size_t i = 0; i < n && added < room; i++) {
		out[added] = (struct interpretation){address, row->type, orders[i], {0}, 1, 0};
		added += interpret(req, words, &out[added]);
	}
	return added;
}

size_t
reading_all(
	const struct request *req, const uint16_t *words, struct interpretation *out, size_t cap)
{
	size_t n = 0;

	for (unsigned at = 0; at < req->count; at++)
		for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
			if (at + types[i].count <= req->count)
				n += add_orders(req, words, (uint16_t)(req->address + at),
					&types[i], out + n, cap - n);
	return n;
}

/* The power of ten that brings the value nearest to what is expected. */
static void
rate(struct interpretation *it, double expect)
{
	static const double scales[] = {1, 0.1, 0.01, 0.001, 0.0001, 10, 100, 1000};
	double number = 0;

	value_number(&it->value, &number);
	it->error = HUGE_VAL;
	for (size_t i = 0; i < sizeof scales / sizeof scales[0]; i++) {
		double error = fabs(number * scales[i] - expect) / (expect != 0 ? fabs(expect) : 1);
		if (error < it->error) {
			it->error = error;
			it->scale = scales[i];
		}
	}
}

static int
by_error(const void *a, const void *b)
{
	const struct interpretation *x = a, *y = b;

	if (x->error != y->error)
		return x->error < y->error ? -1 : 1;
	if ((x->scale == 1) != (y->scale == 1))
		return x->scale == 1 ? -1 : 1;
	return x->address != y->address ? x->address - y->address : (int)x->type - (int)y->type;
}

void
reading_sort(struct interpretation *list, size_t n, double expect)
{
	for (size_t i = 0; i < n; i++)
		rate(&list[i], expect);
	qsort(list, n, sizeof *list, by_error);
}
