/* SPDX-License-Identifier: MIT */
/* scenario.c -- a simulated lab from a YAML file; the form is described in docs/simulate.md */
#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/simulate/world.h"
#include "config/scalar.h"
#include "config/yaml.h"

struct reader {
	struct world *w;
	const char *file;
	struct problems *problems;
};

typedef int (*take_fn)(struct reader *r, const struct node *value, void *target);

/* A key of a map: what takes its value. Ends with {0}. */
struct key {
	const char *name;
	take_fn take;
	size_t offset; /* for the simple takers */
};

static int
complain(struct reader *r, const struct node *n, int rc, const char *what)
{
	problem_add(r->problems, true, r->file, n->line, n->column, n->key ? n->key->text : "", "",
		"%s%s%s", what, rc == -EINVAL ? "" : ": ", rc == -EINVAL ? "" : strerror(-rc));
	return rc;
}

static int
read_map(struct reader *r, const struct node *map, const struct key *keys, void *target)
{
	if (map->kind != NODE_MAP)
		return complain(r, map, -EINVAL, "must be a map");
	for (const struct node *n = map->first; n; n = n->next) {
		const struct key *k = keys;
		while (k->name && strcmp(k->name, n->key->text))
			k++;
		if (!k->name)
			return complain(r, n, -EINVAL, "unknown key");
		int rc = k->take(r, n, (char *)target + k->offset);
		if (rc)
			return rc;
	}
	return 0;
}

static int
take_text(struct reader *r, const struct node *n, void *target)
{
	if (n->kind != NODE_SCALAR)
		return complain(r, n, -EINVAL, "must be text");
	*(const char **)target = n->text;
	return 0;
}

static int
take_int(struct reader *r, const struct node *n, void *target)
{
	int64_t number;

	if (n->kind != NODE_SCALAR || !scalar_int(n->text, &number) || number < 0 ||
		number > 1000000)
		return complain(r, n, -EINVAL, "must be a number from 0 to 1000000");
	*(int *)target = (int)number;
	return 0;
}

static int
take_bool(struct reader *r, const struct node *n, void *target)
{
	if (n->kind != NODE_SCALAR || !scalar_bool(n->text, target))
		return complain(r, n, -EINVAL, "must be true or false");
	return 0;
}

static int
take_ms(struct reader *r, const struct node *n, void *target)
{
	if (n->kind != NODE_SCALAR || !scalar_duration(n->text, target))
		return complain(r, n, -EINVAL, "must be a duration such as 5ms");
	return 0;
}

static int
take_node(struct reader *r, const struct node *n, void *target)
{
	(void)r;
	*(const struct node **)target = n;
	return 0;
}

/* ---- lines and listeners -------------------------------------------------------------------- */

static int
read_line(struct reader *r, const struct node *n, void *target)
{
	static const struct key keys[] = {
		{"id", take_text, offsetof(struct rtu_spec, id)},
		{"path", take_text, offsetof(struct rtu_spec, path)},
		{"baud", take_int, offsetof(struct rtu_spec, baud)},
		{"format", take_text, offsetof(struct rtu_spec, format)},
		{"timing", take_bool, offsetof(struct rtu_spec, timing)},
		{NULL, NULL, 0},
	};
	struct rtu_spec spec = {.baud = 9600, .format = "8N1"};
	char path[4096];

	(void)target;
	int rc = read_map(r, n, keys, &spec);
	if (rc)
		return rc;
	if (!spec.id || strlen(spec.format) != 3 || spec.baud < 300)
		return complain(
			r, n, -EINVAL, "a line needs an id, a baud rate and a format like 8N1");
	snprintf(path, sizeof path, "%s/%s", r->w->options->dir, spec.path ? spec.path : spec.id);
	spec.path = spec.path && spec.path[0] == '/' ? spec.path : path;
	return world_add_line(r->w, &spec) ? 0 : complain(r, n, -errno, spec.path);
}

struct tcp_spec {
	const char *id;
	int port;
};

static int
read_tcp(struct reader *r, const struct node *n, void *target)
{
	static const struct key keys[] = {
		{"id", take_text, offsetof(struct tcp_spec, id)},
		{"port", take_int, offsetof(struct tcp_spec, port)},
		{NULL, NULL, 0},
	};
	struct tcp_spec spec = {0};

	(void)target;
	int rc = read_map(r, n, keys, &spec);
	if (rc)
		return rc;
	if (!spec.id || spec.port > 65535)
		return complain(
			r, n, -EINVAL, "a TCP device needs an id and a port from 0 to 65535");
	return world_add_tcp(r->w, spec.id, spec.port) ? 0 : complain(r, n, -errno, "listen");
}

/* ---- USB machines --------------------------------------------------------------------------- */

static int
read_plug(struct reader *r, const struct node *n, void *target)
{
	static const struct key keys[] = {
		{"name", take_text, offsetof(struct plug_spec, name)},
		{"kind", take_text, offsetof(struct plug_spec, kind)},
		{"path", take_text, offsetof(struct plug_spec, path)},
		{"resets", take_bool, offsetof(struct plug_spec, resets)},
		{"do", take_text, offsetof(struct plug_spec, act)},
		{NULL, NULL, 0},
	};
	struct plug_spec spec = {.resets = true};

	(void)target;
	int rc = read_map(r, n, keys, &spec);
	if (rc)
		return rc;
	if (!spec.name || !spec.kind || world_find_plug(r->w, spec.name))
		return complain(r, n, -EINVAL, "a USB machine needs a name of its own and a kind");
	if (world_add_plug(r->w, &spec))
		return 0;
	return complain(r, n, -errno,
		errno == EINVAL ? "no such kind, or it does not know what to do" : spec.name);
}

/* ---- units ---------------------------------------------------------------------------------- */

struct unit_spec {
	const char *name, *on, *profile, *fault, *server_id, *vendor, *product, *revision;
	int unit, max_regs;
	int64_t latency_ms;
	const struct node *points, *registers;
};

static int
set_points(struct reader *r, struct unit *u, const struct node *map, const char *prefix)
{
	char name[80];

	if (map->kind != NODE_MAP)
		return complain(r, map, -EINVAL, "must be a map");
	for (const struct node *n = map->first; n; n = n->next) {
		snprintf(name, sizeof name, "%s%s", prefix, n->key->text);
		int rc = n->kind == NODE_SCALAR ? unit_set(u, name, n->text) : -EINVAL;
		if (rc)
			return complain(r, n, rc == -ENOENT ? -EINVAL : rc,
				rc == -ENOENT ? "no such point" : "not a value or generator");
	}
	return 0;
}

static int
set_registers(struct reader *r, struct unit *u, const struct node *map)
{
	char prefix[40];
	int rc = 0;

	if (map->kind != NODE_MAP)
		return complain(r, map, -EINVAL, "must be a map");
	for (const struct node *n = map->first; n && !rc; n = n->next) {
		snprintf(prefix, sizeof prefix, "%s:", n->key->text);
		rc = set_points(r, u, n, prefix);
	}
	return rc;
}

static int
set_fault(struct reader *r, struct unit *u, const struct node *n, const char *text)
{
	char line[128], *words[8], *rest = NULL;
	size_t count = 0;

	snprintf(line, sizeof line, "%s", text);
	for (char *word = strtok_r(line, " ", &rest); word && count < 8;
		word = strtok_r(NULL, " ", &rest))
		words[count++] = word;
	return fault_parse(&u->fault, words, count) ? complain(r, n, -EINVAL, "unknown fault") : 0;
}

static void
set_identity(struct unit *u, const struct unit_spec *spec)
{
	const char *objects[] = {spec->vendor, spec->product, spec->revision};

	if (spec->server_id)
		snprintf(u->server_id, sizeof u->server_id, "%s", spec->server_id);
	for (int i = 0; i < 3; i++)
		if (objects[i])
			snprintf(u->objects[i], sizeof u->objects[i], "%s", objects[i]);
}

static int
fill_unit(struct reader *r, const struct node *n, const struct unit_spec *spec, struct unit *u)
{
	int rc = 0;

	if (spec->profile) {
		const struct profile_file *p = world_profile(r->w, spec->profile, r->problems);
		if (!p)
			return complain(r, n, -EINVAL, "its profile cannot be used");
		rc = unit_use_profile(u, &p->regs);
	}
	if (spec->max_regs)
		u->max_regs = spec->max_regs;
	u->latency_us = spec->latency_ms * 1000;
	set_identity(u, spec);
	if (!rc && spec->points)
		rc = set_points(r, u, spec->points, "");
	if (!rc && spec->registers)
		rc = set_registers(r, u, spec->registers);
	if (!rc && spec->fault)
		rc = set_fault(r, u, n, spec->fault);
	return rc;
}

static int
read_unit(struct reader *r, const struct node *n, void *target)
{
	static const struct key keys[] = {
		{"name", take_text, offsetof(struct unit_spec, name)},
		{"on", take_text, offsetof(struct unit_spec, on)},
		{"unit", take_int, offsetof(struct unit_spec, unit)},
		{"profile", take_text, offsetof(struct unit_spec, profile)},
		{"latency", take_ms, offsetof(struct unit_spec, latency_ms)},
		{"max_regs", take_int, offsetof(struct unit_spec, max_regs)},
		{"fault", take_text, offsetof(struct unit_spec, fault)},
		{"server_id", take_text, offsetof(struct unit_spec, server_id)},
		{"vendor", take_text, offsetof(struct unit_spec, vendor)},
		{"product", take_text, offsetof(struct unit_spec, product)},
		{"revision", take_text, offsetof(struct unit_spec, revision)},
		{"points", take_node, offsetof(struct unit_spec, points)},
		{"registers", take_node, offsetof(struct unit_spec, registers)},
		{NULL, NULL, 0},
	};
	struct unit_spec spec = {.unit = 1};

	(void)target;
	int rc = read_map(r, n, keys, &spec);
	if (rc)
		return rc;
	struct port *port = spec.on ? world_find_port(r->w, spec.on) : NULL;
	if (!spec.name || !port || spec.unit > 255 || world_find_unit(r->w, spec.name, NULL))
		return complain(r, n, -EINVAL,
			"a unit needs a name of its own, a unit id up to 255, and a line or tcp id in `on`");
	if (port_find(port, (uint8_t)spec.unit))
		return complain(r, n, -EINVAL, "this unit id is already in use there");
	struct unit *u = world_add_unit(r->w, port, spec.name, (uint8_t)spec.unit);
	return u ? fill_unit(r, n, &spec, u) : -ENOMEM;
}

/* ---- the file ------------------------------------------------------------------------------- */

static int
read_list(struct reader *r, const struct node *list, take_fn take)
{
	int rc = 0;

	if (list->kind != NODE_LIST)
		return complain(r, list, -EINVAL, "must be a list");
	for (const struct node *n = list->first; n && !rc; n = n->next)
		rc = take(r, n, NULL);
	return rc;
}

static int
take_lines(struct reader *r, const struct node *n, void *target)
{
	(void)target;
	return read_list(r, n, read_line);
}

static int
take_tcp(struct reader *r, const struct node *n, void *target)
{
	(void)target;
	return read_list(r, n, read_tcp);
}

static int
take_usb(struct reader *r, const struct node *n, void *target)
{
	(void)target;
	return read_list(r, n, read_plug);
}

static int
take_units(struct reader *r, const struct node *n, void *target)
{
	(void)target;
	return read_list(r, n, read_unit);
}

static int
take_machines(struct reader *r, const struct node *n, void *target)
{
	(void)target;
	if (n->kind != NODE_SCALAR)
		return complain(r, n, -EINVAL, "must be a block of text (machines: |)");
	free(r->w->machines);
	r->w->machines = strdup(n->text);
	return r->w->machines ? 0 : -ENOMEM;
}

int
scenario_read(struct world *w, const char *file, const char *text, struct problems *problems)
{
	static const struct key keys[] = {
		{"lines", take_lines, 0},
		{"tcp", take_tcp, 0},
		{"usb", take_usb, 0},
		{"units", take_units, 0},
		{"machines", take_machines, 0},
		{NULL, NULL, 0},
	};
	struct reader r = {w, file, problems};
	struct yaml yaml;
	int rc = text ? yaml_parse(&yaml, file, text, strlen(text), problems)
		      : yaml_read(&yaml, file, YAML_MAX_CONFIG, problems);

	if (!rc && !yaml.root)
		rc = -EINVAL;
	if (!rc)
		rc = read_map(&r, yaml.root, keys, w);
	yaml_finish(&yaml);
	return rc;
}
