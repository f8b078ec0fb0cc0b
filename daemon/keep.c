/* SPDX-License-Identifier: MIT */
/* keep.c -- structs that survive a restart <-> JSON, by one table of fields each */
#include "daemon/keep.h"

#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "config/json.h"

enum kind { INT64, UINT64, UNSIGNED, INT, DOUBLE, BOOL, TEXT };

struct field {
	const char *name;
	enum kind kind;
	size_t offset, size;
};

#define FIELD(type, member, kind)                                                                  \
	{                                                                                          \
#member, kind, offsetof(struct type, member), sizeof(((struct type *)0)->member)   \
	}
#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define USAGE(member, kind) FIELD(usage_kept, member, kind)
#define QUANTITY(q) USAGE(totals[q], DOUBLE), USAGE(job.base[q], DOUBLE), USAGE(job.used[q], DOUBLE)
#define METER(i)                                                                                   \
	USAGE(meters[i].name, TEXT), USAGE(meters[i].tally.known, BOOL),                           \
		USAGE(meters[i].tally.last, DOUBLE), USAGE(meters[i].tally.last_ms, INT64)

static const struct field usage_fields[] = {
	USAGE(whole, BOOL),
	USAGE(since_ms, INT64),
	USAGE(in_us[IN_OFF], INT64),
	USAGE(in_us[IN_IDLE], INT64),
	USAGE(in_us[IN_BUSY], INT64),
	USAGE(in_us[IN_PAUSED], INT64),
	USAGE(in_us[IN_UNKNOWN], INT64),
	USAGE(in_us[IN_OFFLINE], INT64),
	USAGE(fault_us, INT64),
	USAGE(jobs_started, UINT64),
	USAGE(jobs_finished, UINT64),
	USAGE(jobs_failed, UINT64),
	USAGE(alarms_raised, UINT64),
	USAGE(energy_wh, DOUBLE),
	QUANTITY(QUANTITY_ENERGY_WH),
	QUANTITY(QUANTITY_FILAMENT_MM),
	QUANTITY(QUANTITY_CHARGE_MAH),
	METER(0),
	METER(1),
	METER(2),
	METER(3),
	METER(4),
	METER(5),
	USAGE(job.id, TEXT),
	USAGE(job.announced, BOOL),
	USAGE(job.started_ms, INT64),
	USAGE(job.busy_us, INT64),
	USAGE(job.paused_us, INT64),
	USAGE(job.span_us, INT64),
	USAGE(job.last_ms, INT64),
	USAGE(job.accuracy_s, INT),
	USAGE(job.evidence, TEXT),
	USAGE(job.name, TEXT),
	USAGE(at_ms, INT64),
};
_Static_assert(QUANTITY_COUNT == 3 && BUCKET_COUNT == 6 && METERS_MAX == 6,
	"the table above names them all");

#define ALARM(member, kind) FIELD(alarm_life, member, kind)
static const struct field alarm_fields[] = {
	ALARM(active, BOOL),
	ALARM(severity, INT),
	ALARM(raised_ms, INT64),
	ALARM(cleared_ms, INT64),
	ALARM(count, UNSIGNED),
	ALARM(has_value, BOOL),
	ALARM(has_limit, BOOL),
	ALARM(limit, DOUBLE),
	ALARM(stale, BOOL),
	ALARM(flapping, BOOL),
	ALARM(acked, BOOL),
	ALARM(told, BOOL),
	ALARM(suppressed_by, TEXT),
};

#define MACHINE(member, kind) FIELD(kept_machine, member, kind)
static const struct field machine_fields[] = {
	MACHINE(activity, INT),
	MACHINE(state, TEXT),
	MACHINE(since_ms, INT64),
	MACHINE(maintenance_since_ms, INT64),
	MACHINE(maintenance_until_ms, INT64),
	MACHINE(maintenance_reason, TEXT),
};
_Static_assert(sizeof(enum activity) == sizeof(int) && sizeof(enum severity) == sizeof(int),
	"kept as int");

#define MOMENT(member, kind) FIELD(kept_moment, member, kind)
static const struct field moment_fields[] = {
	MOMENT(boot, TEXT),
	MOMENT(us, INT64),
};

/* ---- writing -------------------------------------------------------------------------------- */

/* All digits: what is read back is what was written. */
static void
put_double(struct json *j, const char *name, double d)
{
	const struct value v = {.kind = VALUE_DOUBLE, .u.num = d};
	json_put_value(j, name, &v);
}

static void
put_field(struct json *j, const struct field *f, const void *from)
{
	const void *at = (const char *)from + f->offset;
	switch (f->kind) {
	case INT64:
		json_put_int(j, f->name, *(const int64_t *)at);
		break;
	case UINT64:
		json_put_uint(j, f->name, *(const uint64_t *)at);
		break;
	case UNSIGNED:
		json_put_uint(j, f->name, *(const unsigned *)at);
		break;
	case INT:
		json_put_int(j, f->name, *(const int *)at);
		break;
	case DOUBLE:
		put_double(j, f->name, *(const double *)at);
		break;
	case BOOL:
		json_put_bool(j, f->name, *(const bool *)at);
		break;
	case TEXT:
		json_put_string(j, f->name, at);
		break;
	}
}

static void
put_all(struct json *j, const struct field *table, size_t n, const void *from)
{
	for (size_t i = 0; i < n; i++)
		put_field(j, &table[i], from);
}

static size_t
write_text(char *buf, size_t size, const struct field *table, size_t n, const void *from)
{
	struct json j;
	json_init(&j, buf, size);
	json_open(&j, NULL, '{');
	put_all(&j, table, n, from);
	json_close(&j, '}');
	return json_end(&j);
}

size_t
keep_usage(const struct usage_kept *u, char *buf, size_t size)
{
	return write_text(buf, size, usage_fields, COUNT(usage_fields), u);
}

size_t
keep_machine(const struct kept_machine *m, char *buf, size_t size)
{
	return write_text(buf, size, machine_fields, COUNT(machine_fields), m);
}

size_t
keep_moment(const struct kept_moment *m, char *buf, size_t size)
{
	return write_text(buf, size, moment_fields, COUNT(moment_fields), m);
}

size_t
keep_alarm(const struct alarm_life *a, char *buf, size_t size)
{
	struct json j;
	json_init(&j, buf, size);
	json_open(&j, NULL, '{');
	put_all(&j, alarm_fields, COUNT(alarm_fields), a);
	json_put_int(&j, "value.kind", a->value.kind);
	json_put_int(&j, "value.decimals", a->value.decimals);
	if (a->has_value)
		json_put_value(&j, "value", &a->value);
	json_close(&j, '}');
	return json_end(&j);
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Sums and differences of what is kept stay far from where integers overflow; a file that was
 * damaged or made up may say anything. */
#define MOST_KEPT (1LL << 53)
#define MOST_REAL 1e18

static void
read_integer(const struct field *f, json_int_t i, void *at)
{
	bool is_signed = f->kind == INT64 || f->kind == INT;
	json_int_t most = f->kind == UNSIGNED || f->kind == INT ? INT_MAX : MOST_KEPT;
	if (i > most || i < (is_signed ? -most : 0))
		return;
	switch (f->kind) {
	case INT64:
		*(int64_t *)at = i;
		break;
	case UINT64:
		*(uint64_t *)at = (uint64_t)i;
		break;
	case UNSIGNED:
		*(unsigned *)at = (unsigned)i;
		break;
	default:
		*(int *)at = (int)i;
	}
}

static void
read_field(const struct field *f, const json_t *from, void *to)
{
	void *at = (char *)to + f->offset;
	const json_t *v = json_object_get(from, f->name);
	if (!v || json_is_null(v))
		return;
	switch (f->kind) {
	case INT64:
	case UINT64:
	case UNSIGNED:
	case INT:
		read_integer(f, json_integer_value(v), at);
		break;
	case DOUBLE:
		if (fabs(json_number_value(v)) <= MOST_REAL)
			*(double *)at = json_number_value(v);
		break;
	case BOOL:
		*(bool *)at = json_is_true(v);
		break;
	case TEXT:
		snprintf(at, f->size, "%s", json_is_string(v) ? json_string_value(v) : "");
		break;
	}
}

static json_t *
read_text(const char *text, const struct field *table, size_t n, void *to)
{
	json_t *root = text ? json_loads(text, 0, NULL) : NULL;
	for (size_t i = 0; json_is_object(root) && i < n; i++)
		read_field(&table[i], root, to);
	return root;
}

static bool
read_whole(const char *text, const struct field *table, size_t n, void *to)
{
	json_t *root = read_text(text, table, n, to);
	bool good = json_is_object(root);
	json_decref(root);
	return good;
}

bool
keep_read_usage(const char *text, struct usage_kept *out)
{
	return read_whole(text, usage_fields, COUNT(usage_fields), out);
}

bool
keep_read_machine(const char *text, struct kept_machine *out)
{
	bool good = read_whole(text, machine_fields, COUNT(machine_fields), out);
	return good && out->activity >= ACTIVITY_UNKNOWN && out->activity <= ACTIVITY_PAUSED;
}

bool
keep_read_moment(const char *text, struct kept_moment *out)
{
	return read_whole(text, moment_fields, COUNT(moment_fields), out);
}

/* The kind says how the value's memory is read, so that it has to be one that the text holds: of a
 * number that is said to be a string the address would be made up. */
static void
read_value(const json_t *root, struct alarm_life *out)
{
	const json_t *v = json_object_get(root, "value");
	json_int_t kind = json_integer_value(json_object_get(root, "value.kind"));
	json_int_t decimals = json_integer_value(json_object_get(root, "value.decimals"));
	bool fits = kind == VALUE_BOOL                           ? json_is_boolean(v)
		    : kind == VALUE_INT || kind == VALUE_UINT    ? json_is_integer(v)
		    : kind >= VALUE_REAL && kind <= VALUE_DOUBLE ? json_is_number(v)
								 : false;
	out->has_value &= fits;
	if (!out->has_value)
		return;
	out->value.kind = (uint8_t)kind;
	out->value.decimals = decimals >= 0 && decimals <= 15 ? (uint8_t)decimals : 0;
	if (kind == VALUE_BOOL)
		out->value.u.b = json_is_true(v);
	else if (kind == VALUE_INT)
		out->value.u.i = json_integer_value(v);
	else if (kind == VALUE_UINT)
		out->value.u.u = (uint64_t)json_integer_value(v);
	else
		out->value.u.num = json_number_value(v);
}

bool
keep_read_alarm(const char *text, struct alarm_life *out)
{
	json_t *root = read_text(text, alarm_fields, COUNT(alarm_fields), out);
	bool good = json_is_object(root);
	if (good)
		read_value(root, out);
	json_decref(root);
	return good && out->severity >= SEVERITY_NONE && out->severity <= SEVERITY_CRITICAL;
}
