/* SPDX-License-Identifier: MIT */
/* plug.c -- sources with a `device`: each is a bus of its own, and its driver brings the points
 *
 * Everything after loading sees one kind of source: it hangs on a bus, and its points, groups and
 * alarms stand in a struct profile_file. Here those are made for drivers that need no profile.
 */
#include <stdlib.h>
#include <string.h>

#include "config/loader.h"

/* ---- the driver's points in a profile's form ---------------------------------------------- */

static void
set_words(struct loader *l, struct reg_point *p, const char *const *words)
{
	size_t n = 0;

	while (words && words[n])
		n++;
	p->enums = arena_array(l->r.arena, n, sizeof *p->enums);
	for (; p->n_enums < n; p->n_enums++)
		p->enums[p->n_enums] =
			(struct enum_entry){.raw = p->n_enums, .key = words[p->n_enums]};
}

static struct reg_point
make_point(struct loader *l, const struct point *own)
{
	struct reg_point p = {.point = *own,
		.type = REG_F64,
		.scale = 1,
		.factor = 1,
		.scale_from = -1,
		.sign_from = -1,
		.atomic_with = -1,
		.enabled = true,
		.counter = own->counter,
		.counter_reset = own->counter,
		.deadband = -1};

	if (own->kind == VALUE_BOOL)
		p.type = REG_BOOL;
	if (own->kind == VALUE_STRING) {
		p.type = REG_STRING;
		p.count = 32;
		p.chars = 2;
	}
	if (own->kind == VALUE_ENUM)
		set_words(l, &p, own->words);
	return p;
}

static struct alarm_rule
make_alarm(struct loader *l, const struct driver_fault *fault)
{
	char *code = arena_text(l->r.arena, fault->id);

	for (char *c = code; *c; c++)
		if (*c == '_')
			*c = '-';
	return (struct alarm_rule){.code = code,
		.silent = true,
		.clear_for_ms = 2000, /* the default of `clear_for` */
		.hits = 1,
		.severity = fault->severity,
		.text = fault->text,
		.hint = fault->hint};
}

static const struct profile_file *
make_catalogue(struct loader *l, const struct driver *driver)
{
	struct arena *a = l->r.arena;
	struct profile_file *f = arena_alloc(a, sizeof *f);
	struct profile *regs = &f->regs;

	regs->id = driver->name;
	regs->groups = arena_array(a, driver->n_groups, sizeof *regs->groups);
	memcpy(regs->groups, driver->groups, driver->n_groups * sizeof *regs->groups);
	regs->n_groups = driver->n_groups;
	regs->points = arena_array(a, driver->n_points, sizeof *regs->points);
	for (; regs->n_points < driver->n_points; regs->n_points++)
		regs->points[regs->n_points] = make_point(l, &driver->points[regs->n_points]);
	f->faults = arena_array(a, driver->n_faults, sizeof *f->faults);
	for (; f->n_faults < driver->n_faults; f->n_faults++)
		f->faults[f->n_faults] = make_alarm(l, &driver->faults[f->n_faults]);
	return f;
}

const struct profile_file *
loader_catalogue(struct loader *l, const struct driver *driver)
{
	struct catalogue *c = l->catalogues;

	while (c && c->driver != driver)
		c = c->next;
	if (c)
		return c->file;
	c = arena_alloc(&l->scratch, sizeof *c);
	*c = (struct catalogue){l->catalogues, driver, make_catalogue(l, driver)};
	l->catalogues = c;
	return c->file;
}

/* ---- buses of one device each ------------------------------------------------------------- */

static void
complain_twice(struct loader *l, struct names *devices, const struct source_ref *ref, size_t i)
{
	char where[64];
	struct path path;
	size_t was = names_add(devices, ref->source->device, i);

	if (was == SIZE_MAX)
		return;
	snprintf(where, sizeof where, "machines[%zu].sources[%zu]", ref->machine_index,
		ref->source_index);
	reader_push(&l->r, &path, where, SIZE_MAX);
	reader_error(&l->r, node_get(ref->node, "device"), "device", NULL,
		"%s is source \"%s\" of machine \"%s\" already", ref->source->device,
		l->sources[was].source->id ? l->sources[was].source->id : "?",
		l->sources[was].machine->id ? l->sources[was].machine->id : "?");
	reader_pop(&l->r);
}

static struct bus_config
make_bus(struct loader *l, const struct source_ref *ref)
{
	const struct source_config *s = ref->source;

	return (struct bus_config){
		.id = arena_printf(l->r.arena, "%s/%s", ref->machine->id ? ref->machine->id : "?",
			s->id ? s->id : "?"),
		.type = s->driver->link == LINK_HID ? BUS_HID : BUS_SERIAL,
		.device = s->device,
		.baud = s->baud,
		.driver = s->driver,
		.resets = s->driver->link == LINK_SERIAL && !s->on_open_safe};
}

static bool
has_plug(const struct source_config *s)
{
	return s->driver && s->driver->link != LINK_MODBUS && s->device;
}

void
loader_plugs(struct loader *l)
{
	struct names devices = {.arena = &l->scratch};
	struct config *c = l->c;
	struct bus_config *all = arena_array(l->r.arena, c->n_buses + l->n_sources, sizeof *all);

	if (c->n_buses)
		memcpy(all, c->buses, c->n_buses * sizeof *all);
	c->buses = all;
	c->n_lines = c->n_buses;
	for (size_t i = 0; i < l->n_sources; i++) {
		const struct source_ref *ref = &l->sources[i];
		if (!has_plug(ref->source))
			continue;
		complain_twice(l, &devices, ref, i);
		ref->source->bus = c->n_buses;
		all[c->n_buses++] = make_bus(l, ref);
	}
}
