/* SPDX-License-Identifier: MIT */
/* profile_point.c -- settles what one point of a profile says about itself */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "config/profile_load.h"
#include "config/scalar.h"
#include "config/unit.h"

static const struct node *
at(const struct point_draft *d, const char *key)
{
	const struct node *node = node_get(d->node, key);

	return node ? node : d->node;
}

static const struct reg_type_facts *
type_of(const struct point_draft *d)
{
	return &profile_types[d->p.type];
}

static bool
is_bit_table(enum table table)
{
	return table == TABLE_COIL || table == TABLE_DISCRETE;
}

static void
settle_id(struct reader *r, struct point_draft *d)
{
	if (d->id && !scalar_matches(d->id, SCALAR_LOWER, SCALAR_LOWER SCALAR_DIGIT "_", 1, 40))
		reader_error(r, at(d, "id"), "id", "P004",
			"\"%.64s\": 1 to 40 of a-z 0-9 _, beginning with a letter", d->id);
	d->p.point.id = d->id;
}

static void
settle_type(struct reader *r, struct point_draft *d)
{
	const struct reg_type_facts *type = type_of(d);
	bool bits = is_bit_table(d->p.table);

	if (bits != (d->p.type == REG_BOOL))
		reader_error(r, at(d, "type"), "type", "P008",
			bits ? "tables coil and discrete hold bits; type must be bool"
			     : "type bool needs table coil or discrete; for a bit of a register use bits");
	d->p.count = (uint16_t)(type->regs ? type->regs : d->count);
	d->p.chars = (uint8_t)d->chars;
	if (d->p.type == REG_STRING && !d->count)
		reader_error(r, d->node, NULL, "P003", "a string needs \"count\"");
	if (d->p.type != REG_STRING && d->count)
		reader_error(r, at(d, "count"), "count", "P011",
			"only strings have a count; %s has %d", type->name, type->regs);
	if (type->regs == 1 && d->p.order != ORDER_ABCD && d->p.order != ORDER_BADC)
		reader_error(r, at(d, "order"), "order", "P007",
			"needs a type of 2 or more registers; %s has one (ABCD, or BADC for swapped bytes)",
			type->name);
}

static void
settle_address(struct profile_loader *l, struct point_draft *d)
{
	struct reader *r = &l->r;
	const struct node *node = at(d, "address");

	if (d->wire < 0 || d->wire + d->p.count > 65536) {
		reader_error(r, node, "address", "P009",
			"address %" PRId64 " + %d passes the end of the table (0 to 65535)",
			d->wire, d->p.count);
		return;
	}
	d->p.address = (uint16_t)d->wire;
	bool input = d->wire > 30000 && d->wire<40000, holding = d->wire> 40000 && d->wire < 50000;
	if ((input || holding) && !d->address_is_wire)
		reader_warning(r, node, "address", "P010",
			"%" PRId64
			" looks like a document number; the wire address would be %" PRId64
			" (silence with address_is_wire: true)",
			d->wire, d->wire - (input ? 30001 : 40001));
	if (is_bit_table(d->p.table))
		return;
	int align = l->d.limits.align;
	if (d->wire % align || d->p.count % align)
		reader_error(r, node, "address", "P013",
			"address %" PRId64 " and count %d must be multiples of align %d", d->wire,
			d->p.count, align);
	int most = profile_most(&l->d.limits, d->p.table);
	if (d->p.count > most)
		reader_error(r, at(d, "count"), "count", "P011",
			"%d registers are more than max_regs %d", d->p.count, most);
}

static void
settle_bits(struct reader *r, struct point_draft *d)
{
	struct bits_draft bits = {0};
	struct path path;

	d->bits_wide = type_of(d)->bits;
	if (!d->bits)
		return;
	reader_push(r, &path, "bits", SIZE_MAX);
	keys_read(r, &bits_table, d->bits, &bits);
	reader_pop(r);
	if (!type_of(d)->is_integer)
		reader_error(r, d->bits, "bits", "P023", "only integers have bits, not %s",
			type_of(d)->name);
	else if (bits.shift + bits.width > d->bits_wide)
		reader_error(r, d->bits, "bits", "P023", "shift %d + width %d passes bit %d",
			bits.shift, bits.width, d->bits_wide - 1);
	d->p.shift = (uint8_t)bits.shift;
	d->p.width = (uint8_t)bits.width;
	d->bits_wide = bits.width;
}

/* Enough decimals to tell two raw numbers apart: those that the scale itself has, but no more than
 * two beyond its first digit (1/60 has endless ones). */
int
profile_decimals(double scale)
{
	int first = 0, decimals = 0;

	scale = fabs(scale);
	if (!(scale > 0))
		return 0;
	while (first < 15 && scale * pow(10, first) < 1)
		first++;
	while (decimals < first + 2 && decimals < 15) {
		double shifted = scale * pow(10, decimals);
		if (fabs(shifted - round(shifted)) <= 1e-9 * shifted)
			break;
		decimals++;
	}
	return decimals;
}

static bool
is_plain_number(const struct point_draft *d)
{
	return d->p.type != REG_BOOL && d->p.type != REG_STRING && !d->enums;
}

static const struct unit *
find_unit(struct reader *r, struct point_draft *d, const struct point_class *class)
{
	const char *name = d->unit, *wanted = class ? class->unit : UNIT_ANY;

	if (!name && *wanted && strcmp(wanted, UNIT_ANY) != 0)
		name = wanted;
	if (!name)
		return NULL;
	const struct unit *unit = unit_find(name);
	const char *words[96] = {NULL};
	for (unsigned i = 0; i < 95 && unit_at(i); i++)
		words[i] = unit_at(i)->name;
	if (!unit)
		reader_error(r, at(d, "unit"), "unit", "P018", "unit \"%.40s\" is not known%s",
			name, reader_hint(r, name, words));
	else if (!*wanted)
		reader_error(r, at(d, "unit"), "unit", "P018", "class %s has no unit", class->name);
	else if (strcmp(wanted, UNIT_ANY) != 0 && strcmp(unit->published, wanted) != 0)
		reader_error(r, at(d, "unit"), "unit", "P018",
			"class %s is published in %s; \"%s\" cannot be converted to it",
			class->name, wanted, name);
	return unit;
}

static const struct point_class *
find_class(struct reader *r, struct point_draft *d)
{
	const struct point_class *class = d->class ? class_find(d->class) : NULL;
	const char *words[96] = {NULL};

	for (unsigned i = 0; i < 95 && class_at(i); i++)
		words[i] = class_at(i)->name;
	if (d->class && !class)
		reader_error(r, at(d, "class"), "class", "P018", "class \"%.40s\" is not known%s",
			d->class, reader_hint(r, d->class, words));
	return class;
}

static void
check_suffix(struct reader *r, struct point_draft *d, const struct unit *unit)
{
	const struct unit *named = d->id ? unit_of_id(d->id) : NULL;

	if (!d->id)
		return;
	if (unit && (!named || strcmp(named->published, unit->published) != 0))
		reader_error(r, at(d, "id"), "id", "P018",
			"\"%s\" is published in %s; the id must end in \"%s\"", d->id,
			unit->published, unit->suffix);
	else if (!unit && named)
		reader_error(r, at(d, "id"), "id", "P018",
			"\"%s\" ends in \"%s\" but has no unit; say unit or class, or name it otherwise",
			d->id, named->suffix);
}

static void
settle_unit(struct reader *r, struct point_draft *d)
{
	size_t errors = r->problems->errors;
	const struct point_class *class = find_class(r, d);
	const struct unit *unit = find_unit(r, d, class);

	if (unit && !is_plain_number(d))
		reader_error(r, at(d, d->unit ? "unit" : "class"), NULL, "P018",
			"bool, string and enum have no unit");
	if (r->problems->errors == errors)
		check_suffix(r, d, unit);
	d->p.point.class = class ? class->name : NULL;
	d->p.point.unit = unit ? unit->published : "";
	d->p.factor = unit ? unit->factor : 1;
	d->p.counter = class && class->counter;
	d->p.counter_reset = d->p.counter;
}

static void
settle_scale(struct reader *r, struct point_draft *d)
{
	if (d->scale == 0)
		reader_error(r, at(d, "scale"), "scale", "P014", "scale 0 would make each value 0");
	if (!is_plain_number(d) && (d->scale != 1 || d->p.offset != 0))
		reader_error(r, at(d, "scale"), NULL, "P014",
			"bool, string and enum have no scale or offset");
	d->p.scale = d->scale * d->p.factor;
	int decimals = profile_decimals(d->p.scale), more = 0;
	if (d->p.offset != 0)
		more = profile_decimals(d->p.offset);
	d->p.decimals = (uint8_t)(more > decimals ? more : decimals);
}

static void
settle_range(struct reader *r, struct point_draft *d)
{
	const struct node *list = d->range;

	if (!list)
		return;
	if (list->kind != NODE_LIST || list->n != 2) {
		reader_error(r, list, "range", "P019", "must be [low, high]");
		return;
	}
	if (!reader_number(r, list->first, "range", NULL, &d->p.range_min) ||
		!reader_number(r, list->first->next, "range", NULL, &d->p.range_max))
		return;
	if (!is_plain_number(d))
		reader_error(r, list, "range", "P019", "only numbers have a range");
	else if (d->p.range_min >= d->p.range_max)
		reader_error(r, list, "range", "P019", "range [%s, %s] is empty", list->first->text,
			list->first->next->text);
	d->p.has_range = true;
}

/* Sentinels are compared with the bits as they came, so -1 of an s16 is 0xFFFF. */
static bool
fits(uint64_t raw, bool negative, int bits)
{
	if (bits >= 64)
		return true;
	if (negative)
		return (int64_t)raw >= -(INT64_C(1) << (bits - 1));
	return raw < UINT64_C(1) << bits;
}

bool
profile_raws(struct profile_loader *l, const struct node *list, const char *key,
	const struct reg_type_facts *type, uint64_t **out, size_t *n)
{
	struct reader *r = &l->r;
	bool good = true;

	if (!list)
		return true;
	if (list->kind != NODE_LIST) {
		reader_error(r, list, key, "P020", "must be a list of raw contents, like [0x7FFF]");
		return false;
	}
	*out = arena_array(r->arena, list->n, sizeof **out);
	for (const struct node *child = list->first; child; child = child->next) {
		bool negative, is_number = child->kind == NODE_SCALAR && child->plain;
		uint64_t raw;
		good = is_number && scalar_raw(child->text, &raw, &negative) && type->bits &&
		       fits(raw, negative, type->bits);
		if (!good) {
			reader_error(r, child, key, "P020", "%s does not fit %s", child->text,
				type->name);
			break;
		}
		(*out)[(*n)++] = type->bits < 64 ? raw & ((UINT64_C(1) << type->bits) - 1) : raw;
	}
	return good;
}

static double
raw_to_number(const struct point_draft *d, uint64_t raw)
{
	int bits = type_of(d)->bits;
	double number = (double)raw;

	if (type_of(d)->is_signed && raw >> (bits - 1))
		number -= ldexp(1, bits);
	return number * d->p.scale + d->p.offset;
}

/* A sentinel that could as well be a measurement swallows that measurement. */
static void
check_sentinels(struct reader *r, const struct point_draft *d, const struct node *list,
	const uint64_t *raws, size_t n)
{
	if (!d->p.has_range || !type_of(d)->is_integer || d->scale_from || d->p.width)
		return;
	for (size_t i = 0; i < n; i++) {
		double number = raw_to_number(d, raws[i]);
		if (number >= d->p.range_min && number <= d->p.range_max)
			reader_warning(r, list, NULL, "P021",
				"raw 0x%" PRIX64
				" is %g and lies inside range; a real value like that is lost",
				raws[i], number);
	}
}

static void
settle_sentinels(struct profile_loader *l, struct point_draft *d)
{
	struct reg_point *p = &d->p;
	const struct reg_type_facts *type = type_of(d);

	profile_raws(l, d->raw_na, "raw_na", type, &p->raw_na, &p->n_raw_na);
	profile_raws(l, d->raw_error, "raw_error", type, &p->raw_error, &p->n_raw_error);
	profile_raws(l, d->raw_unsupported, "raw_unsupported", type, &p->raw_unsupported,
		&p->n_raw_unsupported);
	check_sentinels(&l->r, d, d->raw_na, p->raw_na, p->n_raw_na);
	check_sentinels(&l->r, d, d->raw_error, p->raw_error, p->n_raw_error);
	check_sentinels(&l->r, d, d->raw_unsupported, p->raw_unsupported, p->n_raw_unsupported);
}

static void
settle_enum_text(struct reader *r, struct point_draft *d)
{
	if (!d->enum_text)
		return;
	if (d->enum_text->kind != NODE_MAP) {
		reader_error(
			r, d->enum_text, "enum_text", "P022", "must be a map of word: {ru, en}");
		return;
	}
	for (const struct node *child = d->enum_text->first; child; child = child->next) {
		size_t i = 0;
		while (i < d->p.n_enums && strcmp(d->p.enums[i].key, child->key->text) != 0)
			i++;
		struct text text = {0};
		struct path path;
		reader_push(r, &path, "enum_text", SIZE_MAX);
		keys_read(r, &caveat_table, child, &text);
		reader_pop(r);
		if (i == d->p.n_enums)
			reader_error(r, child->key, "enum_text", "P022",
				"\"%.40s\" is not a word of enum", child->key->text);
		else
			d->p.enums[i].text = text;
	}
}

static bool
read_enum_entry(struct reader *r, const struct point_draft *d, const struct node *child,
	struct enum_entry *e)
{
	static const char rest[] = SCALAR_LOWER SCALAR_DIGIT "_-";
	bool negative;

	if (!scalar_raw(child->key->text, &e->raw, &negative) || d->bits_wide == 0 ||
		!fits(e->raw, negative, d->bits_wide)) {
		reader_error(r, child->key, "enum", "P022", "enum key %.40s does not fit %d bits",
			child->key->text, d->bits_wide);
		return false;
	}
	if (d->bits_wide < 64)
		e->raw &= (UINT64_C(1) << d->bits_wide) - 1;
	e->key = reader_string(r, child, "enum", "P022");
	if (e->key && !scalar_matches(e->key, SCALAR_LOWER SCALAR_DIGIT, rest, 1, 40))
		reader_error(r, child, "enum", "P022", "\"%.64s\": 1 to 40 of a-z 0-9 _ -", e->key);
	if (e->key && child->plain && scalar_is_trap(e->key))
		reader_warning(r, child, "enum", "P038",
			"plain %s means something else to many readers; write \"%s\"", e->key,
			e->key);
	return e->key != NULL;
}

static void
settle_enum(struct reader *r, struct point_draft *d)
{
	if (!d->enums) {
		if (d->enum_text)
			reader_error(r, d->enum_text, "enum_text", "P022", "needs enum");
		return;
	}
	if (d->enums->kind != NODE_MAP || !d->enums->n || !type_of(d)->is_integer) {
		reader_error(r, d->enums, "enum", "P022",
			"must be a map of contents: word, of an integer type");
		return;
	}
	d->p.enums = arena_array(r->arena, d->enums->n, sizeof *d->p.enums);
	for (const struct node *child = d->enums->first; child; child = child->next)
		d->p.n_enums += read_enum_entry(r, d, child, &d->p.enums[d->p.n_enums]);
	settle_enum_text(r, d);
}

static void
settle_counter(struct reader *r, struct point_draft *d)
{
	struct counter_draft counter = {0};
	struct path path;

	if (!d->counter)
		return;
	reader_push(r, &path, "counter", SIZE_MAX);
	keys_read(r, &counter_table, d->counter, &counter);
	reader_pop(r);
	if (counter.wraps_at < 0 || counter.max_step < 0)
		reader_error(r, d->counter, "counter", "P019",
			"wraps_at and max_step must not be negative");
	d->p.counter = true;
	d->p.counter_reset = counter.reset == RESET_DETECT;
	d->p.wraps_at = counter.wraps_at;
	d->p.max_step = counter.max_step;
}

void
profile_point_settle(struct profile_loader *l, struct point_draft *d)
{
	struct reader *r = &l->r;

	settle_id(r, d);
	if (d->broken)
		return;
	settle_type(r, d);
	settle_address(l, d);
	settle_bits(r, d);
	settle_unit(r, d);
	settle_scale(r, d);
	settle_range(r, d);
	settle_enum(r, d);
	settle_sentinels(l, d);
	settle_counter(r, d);
	if (d->access == ACCESS_WRITE)
		reader_error(r, at(d, "access"), "access", "P033",
			"point \"%.40s\" is write; labpulse only reads", d->id ? d->id : "?");
}
