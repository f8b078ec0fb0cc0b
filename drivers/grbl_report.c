/* SPDX-License-Identifier: MIT */
/* grbl_report.c -- one status report of Grbl */
#include "drivers/grbl_report.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { REPORT_MAX = 512, NUMBERS_MAX = 8 };

const char *const grbl_states[] = {"idle", "run", "hold", "jog", "home", "alarm", "check", "door",
	"sleep", "tool", "starting", NULL};

static const char *const spellings[] = {"Idle", "Run", "Hold", "Jog", "Home", "Alarm", "Check",
	"Door", "Sleep", "Tool", "Starting"};

/* A comma-separated list of numbers; how many, 0: it is not one. An empty place ends it. */
static unsigned
numbers(const char *text, double *out, unsigned most)
{
	unsigned n = 0;

	for (;;) {
		char *end;
		double v = 0;
		if (*text != '-' && *text != '+' && *text != '.' && !isdigit((unsigned char)*text))
			return *text == '\0' || *text == ',' ? n : 0;
		v = strtod(text, &end);
		if (end == text || !(fabs(v) < 1e7) || (*end && *end != ','))
			return 0;
		if (n < most)
			out[n++] = v;
		if (!*end)
			return n;
		text = end + 1;
	}
}

/* ---- fields --------------------------------------------------------------------------------- */

static void
field_machine(struct grbl_report *r, const char *value)
{
	r->axes = numbers(value, r->position, GRBL_AXES);
}

static void
field_work(struct grbl_report *r, const char *value)
{
	r->axes = numbers(value, r->position, GRBL_AXES);
	r->work = true;
}

static void
field_offset(struct grbl_report *r, const char *value)
{
	r->offsets = numbers(value, r->offset, GRBL_AXES);
}

static void
field_buffer(struct grbl_report *r, const char *value)
{
	double v[NUMBERS_MAX];

	if (numbers(value, v, NUMBERS_MAX) > 0 && v[0] >= 0)
		r->buffer_free = (int)v[0];
}

/* grblHAL adds the measured speed as a third number. */
static void
field_speeds(struct grbl_report *r, const char *value)
{
	double v[NUMBERS_MAX];
	unsigned n = numbers(value, v, NUMBERS_MAX);

	if (n >= 1) {
		r->has_feed = true;
		r->feed = v[0];
	}
	if (n >= 2) {
		r->has_spindle = true;
		r->spindle = v[1];
	}
	if (n >= 3)
		r->family = GRBL_HAL;
}

static void
field_pins(struct grbl_report *r, const char *value)
{
	for (; *value; value++) {
		if (*value >= 'A' && *value <= 'Z')
			r->pins |= GRBL_PIN(*value);
	}
}

static void
field_overrides(struct grbl_report *r, const char *value)
{
	double v[NUMBERS_MAX];

	if (numbers(value, v, NUMBERS_MAX) < 3)
		return;
	r->has_overrides = true;
	r->feed_override = (int)v[0];
	r->spindle_override = (int)v[2];
}

/* "12.34,/name": the name is nobody's business. When the job is over there is no number. */
static void
field_card(struct grbl_report *r, const char *value)
{
	char *end;
	double v;

	if (!isdigit((unsigned char)*value))
		return;
	v = strtod(value, &end);
	if ((*end == '\0' || *end == ',') && v <= 100)
		r->card_pct = v;
}

static void
field_firmware(struct grbl_report *r, const char *value)
{
	if (strcmp(value, "grblHAL") == 0)
		r->family = GRBL_HAL;
}

/* Only grblHAL has these fields. */
static void
field_of_hal(struct grbl_report *r, const char *value)
{
	(void)value;
	r->family = GRBL_HAL;
}

static const struct {
	const char *key;
	void (*take)(struct grbl_report *r, const char *value);
} fields[] = {
	{"MPos", field_machine},
	{"WPos", field_work},
	{"WCO", field_offset},
	{"Bf", field_buffer},
	{"F", field_speeds},
	{"FS", field_speeds},
	{"Pn", field_pins},
	{"Ov", field_overrides},
	{"SD", field_card},
	{"FW", field_firmware},
	{"SP1", field_of_hal},
	{"WCS", field_of_hal},
	{"Sc", field_of_hal},
	{"AR", field_of_hal},
	{"MPG", field_of_hal},
	{"H", field_of_hal},
	{"TLR", field_of_hal},
	{"DTG", field_of_hal},
	{"$C", field_of_hal},
};

/* Each key counts once: a '|' in a file name must not bring a second position. */
static void
take_field(struct grbl_report *r, char *field, uint32_t *seen)
{
	char *value = strchr(field, ':');

	if (!value)
		return;
	*value++ = '\0';
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (strcmp(fields[i].key, field) != 0 || (*seen & 1u << i))
			continue;
		*seen |= 1u << i;
		fields[i].take(r, value);
	}
}

/* ---- state ---------------------------------------------------------------------------------- */

/* What the state tells about the firmware. The empty one is FluidNC's feed hold, inside. */
static enum grbl_family
family_of_state(const struct grbl_report *r, const char *name)
{
	if (!*name || r->state == GRBL_STARTING)
		return GRBL_FLUIDNC;
	if (r->state == GRBL_TOOL)
		return GRBL_HAL;
	return r->substate >= 0 && (r->state == GRBL_RUN || r->state == GRBL_ALARM) ? GRBL_HAL
										    : GRBL_UNKNOWN;
}

static void
take_state(struct grbl_report *r, char *name)
{
	char *sub = strchr(name, ':');

	if (sub) {
		*sub++ = '\0';
		if (isdigit((unsigned char)*sub))
			r->substate = (int)strtol(sub, NULL, 10) % 1000;
	}
	r->state = *name ? GRBL_STATE_UNKNOWN : GRBL_HOLD;
	for (unsigned i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
		if (strcmp(spellings[i], name) == 0)
			r->state = (enum grbl_state)i;
	}
	r->family = family_of_state(r, name);
}

size_t
grbl_report_parse(const char *text, struct grbl_report *r)
{
	char buf[REPORT_MAX], *field = buf;
	size_t n = text[0] == '<' ? strcspn(text + 1, "<>") : 0;
	uint32_t seen = 0;

	*r = (struct grbl_report){.substate = -1, .buffer_free = -1, .card_pct = -1};
	if (n == 0 || text[1 + n] != '>' || n >= sizeof(buf))
		return 0;
	memcpy(buf, text + 1, n);
	buf[n] = '\0';
	for (bool first = true; field; first = false) {
		char *next = strchr(field, '|');
		if (next)
			*next++ = '\0';
		if (first)
			take_state(r, field);
		else
			take_field(r, field, &seen);
		field = next;
	}
	return r->axes > 0 ? n + 2 : 0; /* each report has a position */
}
