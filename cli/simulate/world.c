/* SPDX-License-Identifier: MIT */
/* world.c -- everything that is simulated at once */
#include "cli/simulate/world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/profiles.h"

static struct port *
add_port(struct world *w, struct port *p)
{
	if (!p)
		return NULL;
	if (w->last_port)
		w->last_port->next = p;
	else
		w->ports = p;
	w->last_port = p;
	return p;
}

struct port *
world_add_line(struct world *w, const struct rtu_spec *spec)
{
	return add_port(w, port_rtu_create(w->reactor, spec));
}

struct port *
world_add_tcp(struct world *w, const char *id, int tcp_port)
{
	return add_port(w, port_tcp_create(w->reactor, id, tcp_port));
}

struct port *
world_find_port(const struct world *w, const char *id)
{
	struct port *p = w->ports;

	while (p && strcmp(p->id, id))
		p = p->next;
	return p;
}

struct unit *
world_add_unit(struct world *w, struct port *port, const char *name, uint8_t id)
{
	struct unit *u = unit_create(name, id), **at = &port->units;

	if (!u)
		return NULL;
	while (*at)
		at = &(*at)->next;
	*at = u;
	w->n_units++;
	return u;
}

struct unit *
world_find_unit(const struct world *w, const char *name, struct port **port)
{
	for (struct port *p = w->ports; p; p = p->next)
		for (struct unit *u = p->units; u; u = u->next)
			if (!strcmp(u->name, name)) {
				if (port)
					*port = p;
				return u;
			}
	return NULL;
}

struct plug *
world_add_plug(struct world *w, const struct plug_spec *spec)
{
	struct plug **list = realloc(w->plugs, (w->n_plugs + 1) * sizeof *list);
	struct plug_spec full = *spec;
	char path[4096];

	if (!list)
		return NULL;
	w->plugs = list;
	snprintf(path, sizeof path, "%s/%s", w->options->dir, spec->path ? spec->path : spec->name);
	if (!spec->path || spec->path[0] != '/')
		full.path = path;
	if (strlen(full.path) >= 108) { /* of a UNIX socket */
		errno = ENAMETOOLONG;
		return NULL;
	}
	struct plug *p = plug_create(w->reactor, &full);
	if (p)
		list[w->n_plugs++] = p;
	return p;
}

struct plug *
world_find_plug(const struct world *w, const char *name)
{
	for (size_t i = 0; i < w->n_plugs; i++)
		if (!strcmp(plug_name(w->plugs[i]), name))
			return w->plugs[i];
	return NULL;
}

const struct profile_file *
world_profile(struct world *w, const char *id, struct problems *problems)
{
	for (size_t i = 0; i < w->n_profiles; i++)
		if (!strcmp(w->profiles[i]->regs.id, id))
			return w->profiles[i];
	struct profile_file **list = realloc(w->profiles, (w->n_profiles + 1) * sizeof *list);
	if (!list)
		return NULL;
	w->profiles = list;
	struct profile_file *p =
		profiles_find(w->options->profiles, w->options->scenario, id, problems);
	if (p)
		list[w->n_profiles++] = p;
	return p;
}

int
world_open(struct world *w, const struct world_options *options, struct reactor *reactor,
	struct problems *problems)
{
	*w = (struct world){.options = options, .reactor = reactor};
	int rc = builtin_open(w, problems);
	if (rc == -ENOENT)
		rc = scenario_read(w, options->scenario, NULL, problems);
	return rc;
}

void
world_close(struct world *w)
{
	for (struct port *p = w->ports, *next; p; p = next) {
		next = p->next;
		port_destroy(p);
	}
	for (size_t i = 0; i < w->n_plugs; i++)
		plug_destroy(w->plugs[i]);
	free(w->plugs);
	for (size_t i = 0; i < w->n_profiles; i++)
		profile_free(w->profiles[i]);
	free(w->profiles);
	free(w->machines);
	*w = (struct world){0};
}
