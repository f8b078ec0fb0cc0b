/* SPDX-License-Identifier: MIT */
/* source.c -- one source of a machine: its driver, bus, profile and points */
#include <dirent.h>
#include <string.h>

#include "config/loader.h"
#include "config/rules.h"
#include "config/scalar.h"
#include "drivers/registry.h"

enum { DAY_MS = 86400000 };

static const struct driver *
find_driver(struct loader *l, const struct node *node, const char *name)
{
	const struct driver *driver = registry_find(name);
	const char *words[32] = {NULL};

	for (size_t i = 0; i < 31 && registry_at(i); i++)
		words[i] = registry_at(i)->name;
	if (!driver)
		reader_error(&l->r, node_get(node, "driver"), "driver", NULL,
			"driver \"%.32s\" is not known%s", name, reader_hint(&l->r, name, words));
	return driver;
}

/* Keys of other drivers are mistakes, not decoration. */
static void
check_keys(struct loader *l, const struct node *node, const struct driver *driver)
{
	enum { MODBUS = 1 << LINK_MODBUS, SERIAL = 1 << LINK_SERIAL, HID = 1 << LINK_HID };
	static const struct {
		const char *key;
		int links;
		bool required;
	} keys[] = {{"bus", MODBUS, true}, {"profile", MODBUS, true}, {"unit", MODBUS, false},
		{"byte_timeout", MODBUS, false}, {"min_gap", MODBUS, false},
		{"max_latency", MODBUS, false}, {"device", SERIAL | HID, true},
		{"baud", SERIAL, false}, {"on_open", SERIAL, false}};

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		const struct node *value = node_get(node, keys[i].key);
		bool fits = keys[i].links & 1 << driver->link;
		if (value && !fits)
			reader_error(&l->r, value, keys[i].key, NULL,
				"does not belong to driver %s", driver->name);
		if (!value && fits && keys[i].required)
			reader_error(&l->r, node, NULL, NULL,
				"\"%s\" is missing; driver %s needs it", keys[i].key, driver->name);
	}
}

/* Ids of the profiles in a directory, added to what is there. */
static size_t
list_profiles(struct loader *l, const char *dir, const char **ids, size_t n, size_t max)
{
	DIR *d = dir ? opendir(dir) : NULL;
	struct dirent *entry;

	while (d && n < max && (entry = readdir(d))) {
		size_t len = strlen(entry->d_name);
		if (len > 5 && strcmp(entry->d_name + len - 5, ".yaml") == 0)
			ids[n++] = arena_copy(&l->scratch, entry->d_name, len - 5);
	}
	if (d)
		closedir(d);
	return n;
}

static void
complain_missing(struct loader *l, const struct node *at, const char *id)
{
	enum { IDS_MAX = 500 };
	const char *ids[IDS_MAX + 1] = {NULL};
	char where[512] = "";
	size_t len = 0, n = 0;

	for (size_t i = 0; i < l->dirs.n && len < sizeof where; i++) {
		if (!l->dirs.dirs[i])
			continue;
		len += (size_t)snprintf(
			where + len, sizeof where - len, "%s%s", len ? ", " : "", l->dirs.dirs[i]);
		n = list_profiles(l, l->dirs.dirs[i], ids, n, IDS_MAX);
	}
	reader_error(&l->r, at, "profile", NULL, "profile \"%.48s\" not found in %s%s", id, where,
		profile_id_ok(id) ? reader_hint(&l->r, id, ids)
				  : "; a profile's id is 3 to 48 of a-z 0-9 -");
}

static struct used_profile *
load_profile(struct loader *l, const struct node *at, const char *id)
{
	const char *path = profile_find(&l->scratch, &l->dirs, id);
	struct used_profile *used = &l->profiles[l->n_profiles++];

	*used = (struct used_profile){.id = id};
	if (!path) {
		complain_missing(l, at, id);
		return used;
	}
	used->file = profile_read(
		&(struct profile_text){.file = path}, &l->dirs, l->r.problems, &l->hash);
	if (!used->file)
		return used;
	const struct profile *regs = &used->file->regs;
	l->c->profiles[l->c->n_profiles++] = used->file;
	used->enabled = arena_array(l->r.arena, regs->n_points, 1);
	for (size_t i = 0; i < regs->n_points; i++)
		used->enabled[i] = regs->points[i].enabled;
	return used;
}

static const struct used_profile *
find_profile(struct loader *l, const struct node *at, const char *id)
{
	size_t known = names_add(&l->profile_names, id, l->n_profiles);

	return known == SIZE_MAX ? load_profile(l, at, id) : &l->profiles[known];
}

static size_t
find_point(const struct profile *regs, const char *id)
{
	for (size_t i = 0; i < regs->n_points; i++)
		if (strcmp(regs->points[i].point.id, id) == 0)
			return i;
	return SIZE_MAX;
}

static size_t
require_point(struct loader *l, const struct node *at, const char *key, const struct profile *regs,
	const char *id)
{
	size_t found = find_point(regs, id);

	if (found != SIZE_MAX)
		return found;
	const char **words = arena_array(&l->scratch, regs->n_points + 1, sizeof *words);
	for (size_t i = 0; i < regs->n_points; i++)
		words[i] = regs->points[i].point.id;
	reader_error(&l->r, at, key, NULL, "%s has no point \"%.40s\"%s", regs->id, id,
		reader_hint(&l->r, id, words));
	return SIZE_MAX;
}

/* What a wanted point needs to be understood (exponent, sign, partner) is read as well, by the
 * plan; here only what is published. */
static void
choose_points(struct loader *l, const struct node *list, const struct profile *regs,
	struct source_config *s)
{
	if (list->kind != NODE_LIST || list->n == 0 || list->n > PROFILE_POINTS_MAX) {
		reader_error(&l->r, list, "points", NULL, "must be a list of 1 to %d points",
			PROFILE_POINTS_MAX);
		return;
	}
	s->wanted = arena_array(l->r.arena, regs->n_points, 1);
	for (const struct node *child = list->first; child; child = child->next) {
		const char *id = reader_string(&l->r, child, "points", NULL);
		size_t i = id ? require_point(l, child, "points", regs, id) : SIZE_MAX;
		if (i != SIZE_MAX)
			s->wanted[i] = 1;
	}
}

static bool
read_band(struct loader *l, const struct node *node, struct deadband *band)
{
	if (!reader_number(&l->r, node, "deadband", NULL, &band->value))
		return false;
	if (band->value >= 0)
		return true;
	reader_error(&l->r, node, "deadband", NULL, "must not be negative");
	return false;
}

static void
read_deadbands(struct loader *l, const struct node *node, const struct profile *regs,
	struct source_config *s)
{
	bool is_map = node->kind == NODE_MAP;

	if (is_map && node->n > PROFILE_POINTS_MAX) {
		reader_error(&l->r, node, "deadband", NULL, "names too many points");
		return;
	}
	s->deadbands = arena_array(l->r.arena, is_map ? node->n : 1, sizeof *s->deadbands);
	if (!is_map) {
		s->n_deadbands = read_band(l, node, s->deadbands);
		return;
	}
	for (const struct node *child = node->first; child; child = child->next) {
		struct deadband *band = &s->deadbands[s->n_deadbands];
		size_t i =
			regs ? require_point(l, child->key, "deadband", regs, child->key->text) : 0;
		bool good = i != SIZE_MAX && read_band(l, child, band);
		if (good && regs && rules_point_facts(&regs->points[i]).shape != SHAPE_NUMBER) {
			reader_error(&l->r, child, "deadband", NULL, "\"%s\" is not a number",
				child->key->text);
			good = false;
		}
		band->point = arena_text(l->r.arena, child->key->text);
		s->n_deadbands += good;
	}
}

static void
read_interval(struct loader *l, const struct node *node, struct source_config *s)
{
	const char *text = node->kind == NODE_SCALAR ? node->text : "";

	s->continuous = strcmp(text, "continuous") == 0;
	if (s->continuous)
		return;
	if (!scalar_duration(text, &s->interval_ms))
		reader_error(&l->r, node, "interval", NULL,
			"\"%.40s\" is neither a duration like 500ms, 10s, 5min nor the word continuous",
			text);
	else if (s->interval_ms < 100 || s->interval_ms > DAY_MS)
		reader_error(&l->r, node, "interval", NULL,
			"%s is out of range; allowed are 100ms to 1d, or the word continuous",
			text);
}

static void
check_unit(struct loader *l, const struct node *node, const struct source_config *s)
{
	const struct bus_config *bus = &l->c->buses[s->bus];
	const struct node *at = node_get(node, "unit");

	if (bus->type == BUS_MODBUS_RTU && (s->unit < 1 || s->unit > 247))
		reader_error(&l->r, at ? at : node, "unit", "P034",
			"unit %d cannot be used on a serial line; use 1 to 247", s->unit);
}

static void
find_bus(struct loader *l, const struct node *node, const char *id, struct source_config *s)
{
	s->bus = id ? names_find(&l->bus_names, id) : SIZE_MAX;
	if (id && s->bus == SIZE_MAX)
		reader_error(&l->r, node_get(node, "bus"), "bus", NULL,
			"bus \"%s\" is not defined%s", id,
			reader_hint(&l->r, id, names_list(&l->bus_names)));
}

static void
settle_modbus(struct loader *l, const struct node *node, const struct source_draft *d,
	struct source_config *s)
{
	const struct node *at = node_get(node, "profile");
	const struct used_profile *used = d->profile ? find_profile(l, at, d->profile) : NULL;

	find_bus(l, node, d->bus, s);
	if (!used || !used->file)
		return;
	const struct profile *regs = &used->file->regs;
	s->profile = used->file;
	s->wanted = used->enabled;
	if (!node_get(node, "unit"))
		s->unit = regs->link.unit;
	if (d->points)
		choose_points(l, d->points, regs, s);
	if (s->bus != SIZE_MAX)
		check_unit(l, node, s);
}

/* Its driver says what points there are. */
static void
settle_plug(struct loader *l, const struct source_draft *d, struct source_config *s)
{
	s->profile = loader_catalogue(l, s->driver);
	const struct profile *regs = &s->profile->regs;
	if (d->points) {
		choose_points(l, d->points, regs, s);
		return;
	}
	s->wanted = arena_array(l->r.arena, regs->n_points, 1);
	memset(s->wanted, 1, regs->n_points);
}

static void
check_device(struct loader *l, const struct node *node, const struct source_config *s)
{
	if (s->device && !loader_device_ok(s->device))
		reader_error(&l->r, node_get(node, "device"), "device", NULL,
			"\"%.80s\" is not a path, usb:VID:PID[:SERIAL], usb-port:BUS-PORT.PORT or unix:/PATH",
			s->device);
}

void
loader_source(struct loader *l, const struct node *node, struct machine_config *m)
{
	struct source_draft d = {.s = {.bus = SIZE_MAX, .unit = 1, .baud = 115200}};
	struct source_config *s = &m->sources[m->n_sources++];

	keys_read(&l->r, &source_table, node, &d);
	*s = d.s;
	s->on_open_safe = d.on_open == ON_OPEN_SAFE;
	for (size_t i = 0; s->id && &m->sources[i] != s; i++)
		if (m->sources[i].id && strcmp(m->sources[i].id, s->id) == 0)
			reader_error(&l->r, node_get(node, "id"), "id", NULL,
				"source \"%s\" is defined twice in this machine", s->id);
	s->driver = d.driver ? find_driver(l, node, d.driver) : NULL;
	if (!s->driver)
		return;
	check_keys(l, node, s->driver);
	if (s->driver->link == LINK_MODBUS)
		settle_modbus(l, node, &d, s);
	else
		settle_plug(l, &d, s);
	check_device(l, node, s);
	if (d.interval)
		read_interval(l, d.interval, s);
	if (d.deadband)
		read_deadbands(l, d.deadband, s->profile ? &s->profile->regs : NULL, s);
}
