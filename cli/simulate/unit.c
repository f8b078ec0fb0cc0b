/* SPDX-License-Identifier: MIT */
/* unit.c -- one simulated Modbus device: its registers and how they move */
#include "cli/simulate/unit.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/simulate/encode.h"

enum { DEFAULT_MAX_REGS = 125, DEFAULT_MAX_BITS = 2000 };

/* What a point shows that nobody gave a value: something that its unit makes likely. */
static const struct likely {
	const char *unit;
	double value;
} likely[] = {
	{"V", 230.1},
	{"A", 1.25},
	{"W", 280},
	{"VA", 300},
	{"var", 60},
	{"Hz", 50},
	{"Wh", 152000},
	{"C", 23.5},
	{"pct", 41},
	{"ppm", 640},
	{"lx", 320},
	{"dB", 42},
	{"rpm", 1500},
	{"bar", 6},
};

static double
likely_value(const struct reg_point *p)
{
	double value = p->n_enums ? (double)p->enums[0].raw : 1;

	for (size_t i = 0; i < sizeof likely / sizeof likely[0]; i++)
		if (!strcmp(p->point.unit, likely[i].unit))
			value = likely[i].value;
	if (p->type == REG_BOOL)
		value = 0;
	if (p->has_range && (value < p->range_min || value > p->range_max))
		value = (p->range_min + p->range_max) / 2;
	return value;
}

struct unit *
unit_create(const char *name, uint8_t id)
{
	struct unit *u = calloc(1, sizeof *u);

	if (!u)
		return NULL;
	snprintf(u->name, sizeof u->name, "%s", name);
	u->id = id;
	u->max_regs = DEFAULT_MAX_REGS;
	u->max_bits = DEFAULT_MAX_BITS;
	u->align = 1;
	return u;
}

void
unit_destroy(struct unit *u)
{
	if (!u)
		return;
	image_finish(&u->image);
	free(u->bindings);
	free(u);
}

/* ---- one point ------------------------------------------------------------------------------ */

static const struct reg_point *
point_at(const struct unit *u, int index)
{
	bool exists = u->profile && index >= 0 && (size_t)index < u->profile->n_points;

	return exists ? &u->profile->points[index] : NULL;
}

/* Its scale now: fixed, or with the power of ten that another register holds. */
static double
scale_of(const struct unit *u, const struct reg_point *p)
{
	const struct reg_point *from = point_at(u, p->scale_from);

	if (!from)
		return p->scale;
	const uint16_t *words = image_find(&u->image, from->table, from->address, from->count);
	double power = words ? (double)(int16_t)encode_raw_of(from, words) : 0;
	return p->factor * pow(10, p->scale_mode == SCALE_POW10NEG ? -power : power);
}

static void
write_number(struct unit *u, const struct reg_point *p, double value, uint16_t *words)
{
	const struct reg_point *sign = point_at(u, p->sign_from);
	uint16_t *sign_words =
		sign ? image_find(&u->image, sign->table, sign->address, sign->count) : NULL;

	if (sign_words) {
		encode_raw(sign, value < 0, sign_words);
		value = fabs(value);
	}
	encode_value(p, scale_of(u, p), value, words);
}

/* A number that the profile lists as "not a value"; without a list the most usual one. */
static uint64_t
sentinel(const uint64_t *list, size_t n, const struct reg_point *p)
{
	if (n)
		return list[0];
	return p->type == REG_F32 ? 0x7FC00000 : p->type == REG_F64 ? 0x7FF8000000000000 : 0xFFFF;
}

static void
write_binding(struct unit *u, const struct binding *b, double t)
{
	const struct reg_point *p = &b->reg;
	uint16_t *words = image_find(&u->image, p->table, p->address, p->count);

	if (!words)
		return;
	switch (b->gen.kind) {
	case GEN_TEXT:
		encode_text(p, b->gen.text, words);
		break;
	case GEN_NA:
		encode_raw(p, sentinel(p->raw_na, p->n_raw_na, p), words);
		break;
	case GEN_ERROR:
		encode_raw(p, sentinel(p->raw_error, p->n_raw_error, p), words);
		break;
	case GEN_UNSUPPORTED:
		encode_raw(p, sentinel(p->raw_unsupported, p->n_raw_unsupported, p), words);
		break;
	case GEN_RAW:
		encode_raw(p, (uint64_t)b->gen.a, words);
		break;
	default:
		write_number(u, p, generator_at(&b->gen, t), words);
	}
}

void
unit_refresh(struct unit *u, double t)
{
	for (size_t i = 0; i < u->n_bindings; i++)
		if (generator_moves(&u->bindings[i].gen))
			write_binding(u, &u->bindings[i], t);
}

/* ---- bindings ------------------------------------------------------------------------------- */

static bool
same_place(const struct reg_point *a, const struct reg_point *b)
{
	return a->table == b->table && a->address == b->address && a->type == b->type &&
	       a->shift == b->shift && a->width == b->width;
}

static struct binding *
bind(struct unit *u, const struct reg_point *p)
{
	for (size_t i = 0; i < u->n_bindings; i++)
		if (same_place(&u->bindings[i].reg, p))
			return &u->bindings[i];
	if (image_define(&u->image, p->table, p->address, p->count))
		return NULL;
	struct binding *list = realloc(u->bindings, (u->n_bindings + 1) * sizeof *list);
	if (!list)
		return NULL;
	u->bindings = list;
	list[u->n_bindings] = (struct binding){.reg = *p};
	return &list[u->n_bindings++];
}

static void
write_likely(struct unit *u, struct binding *b)
{
	b->gen = (struct generator){.kind = GEN_CONSTANT};
	if (b->reg.type == REG_STRING) {
		b->gen.kind = GEN_TEXT;
		snprintf(b->gen.text, sizeof b->gen.text, "SIM");
	} else if (b->reg.n_enums) {
		b->gen.kind = GEN_RAW;
		b->gen.a = (double)b->reg.enums[0].raw;
	} else {
		b->gen.a = likely_value(&b->reg);
	}
	write_binding(u, b, 0);
}

static int
use_identity(struct unit *u, const struct identify *id)
{
	const char *text = id->contains ? id->contains : "simulated";

	if (id->kind == IDENTIFY_FC17) {
		snprintf(u->server_id, sizeof u->server_id, "%s", text);
	} else if (id->kind == IDENTIFY_FC43) {
		snprintf(u->objects[id->object < 3 ? id->object : 0], sizeof u->objects[0], "%s",
			text);
	} else {
		struct binding *b = bind(u, &id->reg);
		if (!b)
			return -ENOMEM;
		b->gen = (struct generator){
			.kind = GEN_RAW, .a = id->n_any_of ? (double)id->any_of[0] : 1};
		if (id->reg.type == REG_STRING) {
			b->gen.kind = GEN_TEXT;
			snprintf(b->gen.text, sizeof b->gen.text, "%s", text);
		}
		write_binding(u, b, 0);
	}
	return 0;
}

int
unit_use_profile(struct unit *u, const struct profile *profile)
{
	int rc = 0;

	u->profile = profile;
	u->max_regs = profile->limits.max_regs ? profile->limits.max_regs : DEFAULT_MAX_REGS;
	u->max_bits = profile->limits.max_bits ? profile->limits.max_bits : DEFAULT_MAX_BITS;
	u->align = profile->limits.align ? profile->limits.align : 1;
	for (size_t i = 0; i < profile->n_points; i++) {
		struct binding *b = bind(u, &profile->points[i]);
		if (!b)
			return -ENOMEM;
		write_likely(u, b);
	}
	for (size_t i = 0; i < profile->n_exact && !rc; i++)
		rc = image_define(&u->image, profile->exact[i].table, profile->exact[i].start,
			profile->exact[i].count);
	for (unsigned t = 0; t < 4 && !rc && profile->limits.holes; t++)
		rc = image_fill_holes(&u->image, (enum table)t, (unsigned)profile->limits.max_hole);
	for (size_t i = 0; i < profile->n_identify && !rc; i++)
		rc = use_identity(u, &profile->identify[i]);
	return rc;
}

/* "holding:0x10", "input:4:f32:CDAB" */
static int
parse_register(const char *name, struct reg_point *p)
{
	static const char *const tables[] = {"coil", "discrete", "holding", "input"};
	static const char *const types[] = {"bool", "u8h", "u8l", "u16", "s16", "u32", "s32", "u64",
		"s64", "f32", "f64", "bcd16", "bcd32"};
	static const char *const orders[] = {"ABCD", "CDAB", "BADC", "DCBA"};
	char table[16], type[16] = "", order[16] = "ABCD";
	unsigned t = 0, y = 0, o = 0;
	int address;

	if (sscanf(name, "%15[a-z]:%i:%15[a-z0-9]:%15[A-D]", table, &address, type, order) < 2)
		return -ENOENT;
	while (t < 4 && strcmp(table, tables[t]))
		t++;
	if (!type[0])
		snprintf(type, sizeof type, "%s", t < TABLE_HOLDING ? "bool" : "u16");
	while (y < sizeof types / sizeof types[0] && strcmp(type, types[y]))
		y++;
	while (o < 4 && strcmp(order, orders[o]))
		o++;
	if (t == 4 || y == sizeof types / sizeof types[0] || o == 4 || address < 0 ||
		address > 65535)
		return -ENOENT;
	*p = (struct reg_point){.table = (enum table)t,
		.address = (uint16_t)address,
		.type = (enum reg_type)y,
		.order = (enum reg_order)o,
		.scale = 1,
		.factor = 1,
		.scale_from = -1,
		.sign_from = -1,
		.atomic_with = -1};
	p->count = encode_count(p->type);
	return 0;
}

static int
find_point(const struct unit *u, const char *name, struct reg_point *out)
{
	for (size_t i = 0; u->profile && i < u->profile->n_points; i++)
		if (!strcmp(u->profile->points[i].point.id, name)) {
			*out = u->profile->points[i];
			return 0;
		}
	return parse_register(name, out);
}

static bool
parse_enum(const struct reg_point *p, const char *text, struct generator *gen)
{
	for (size_t i = 0; i < p->n_enums; i++)
		if (p->enums[i].key && !strcmp(p->enums[i].key, text)) {
			*gen = (struct generator){.kind = GEN_RAW, .a = (double)p->enums[i].raw};
			return true;
		}
	return false;
}

int
unit_set(struct unit *u, const char *point, const char *text)
{
	struct reg_point p;
	struct generator gen;
	int rc = find_point(u, point, &p);

	if (rc)
		return rc;
	if (!parse_enum(&p, text, &gen)) {
		rc = generator_parse(&gen, text);
		if (rc)
			return rc;
		if ((p.type == REG_STRING) != (gen.kind == GEN_TEXT))
			return -EINVAL;
	}
	struct binding *b = bind(u, &p);
	if (!b)
		return -ENOMEM;
	b->gen = gen;
	write_binding(u, b, 0);
	return 0;
}
