/* SPDX-License-Identifier: MIT */
/* hass_kind.c -- what a point is in Home Assistant's words */
#include "daemon/hass_kind.h"

#include <stddef.h>
#include <string.h>

/* With what state_class a device class goes. */
enum { MEASURED = 1, COUNTED = 2, BOTH = 3 };

static const struct row {
	const char *name; /* a published unit, or a class of points */
	const char *unit, *device_class;
	unsigned goes_with; /* of device_class */
} units[] = {
	{"W", "W", "power", MEASURED},
	{"VA", "VA", "apparent_power", MEASURED},
	{"var", "var", "reactive_power", MEASURED},
	{"Wh", "Wh", "energy", COUNTED},
	{"varh", "varh", NULL, BOTH},
	{"V", "V", "voltage", MEASURED},
	{"A", "A", "current", MEASURED},
	{"Hz", "Hz", "frequency", MEASURED},
	{"C", "°C", "temperature", MEASURED},
	{"pct", "%", NULL, BOTH},
	{"lx", "lx", "illuminance", MEASURED},
	{"dB", "dB", "sound_pressure", MEASURED},
	{"lpm", "L/min", "volume_flow_rate", MEASURED},
	{"bar", "bar", "pressure", MEASURED},
	{"s", "s", "duration", BOTH},
	{"mm", "mm", "distance", BOTH},
	{"ohm", "Ω", NULL, BOTH},
};

/* Where the class of a point says more than its unit. */
static const struct row classes[] = {
	{"humidity_pct", "%", "humidity", MEASURED},
	{"co2_ppm", "ppm", "carbon_dioxide", MEASURED},
	{"voc_ppb", "ppb", "volatile_organic_compounds_parts", MEASURED},
	{"power_factor", NULL, "power_factor", MEASURED},
};

/* Numbers that are names of something: no curve is drawn of them. */
static const char *const codes[] = {"status_word", "fault_code", "mode", "charge_state"};

static const struct {
	const char *class, *device_class;
} switches[] = {{"di_fault", "problem"}, {"di_busy", "running"}};

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static const struct row *
find(const struct row *rows, size_t n, const char *name)
{
	for (size_t i = 0; name && i < n; i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

static bool
is_code(const char *class)
{
	for (size_t i = 0; class && i < COUNT(codes); i++)
		if (strcmp(codes[i], class) == 0)
			return true;
	return false;
}

static struct hass_kind
switch_kind(const char *class)
{
	struct hass_kind kind = {.platform = HASS_BINARY_SENSOR};
	for (size_t i = 0; class && i < COUNT(switches); i++)
		if (strcmp(switches[i].class, class) == 0)
			kind.device_class = switches[i].device_class;
	return kind;
}

static struct hass_kind
number_kind(const struct reg_point *p)
{
	const struct row *row = find(classes, COUNT(classes), p->point.class);
	const char *unit = p->point.unit && *p->point.unit ? p->point.unit : NULL;
	struct hass_kind kind = {.platform = HASS_SENSOR, .unit = unit};
	if (!unit && is_code(p->point.class))
		return kind;
	if (!row)
		row = find(units, COUNT(units), unit);
	kind.state_class = p->counter ? "total_increasing" : "measurement";
	if (row)
		kind.unit = row->unit;
	if (row && (row->goes_with & (p->counter ? COUNTED : MEASURED)))
		kind.device_class = row->device_class;
	return kind;
}

struct hass_kind
hass_kind_of(const struct reg_point *p)
{
	if (p->type == REG_STRING)
		return (struct hass_kind){.platform = HASS_SENSOR};
	if (p->n_enums)
		return (struct hass_kind){.device_class = "enum", .words = true};
	return p->type == REG_BOOL ? switch_kind(p->point.class) : number_kind(p);
}
