/* SPDX-License-Identifier: MIT */
/* loader.h -- what the parts of loading a configuration share; private to config/ */
#ifndef CONFIG_LOADER_H
#define CONFIG_LOADER_H

#include "config/config_keys.h"
#include "config/names.h"
#include "config/profile_load.h"

struct used_profile {
	const char *id;
	struct profile_file *file; /* NULL: it has errors, which are told */
	uint8_t *enabled;          /* the `wanted` of sources without `points` */
};

/* A driver's own points, as a profile. */
struct catalogue {
	struct catalogue *next;
	const struct driver *driver;
	const struct profile_file *file;
};

struct source_ref {
	struct source_config *source;
	const struct machine_config *machine;
	const struct node *node;
	size_t machine_index, source_index;
};

struct loader {
	struct reader r;
	struct arena scratch; /* gone after loading */
	struct config *c;
	struct config_draft d;
	struct profile_dirs dirs;
	uint64_t hash;
	struct names bus_names, profile_names;
	const struct node **bus_nodes;
	struct used_profile *profiles;
	size_t n_profiles;
	struct catalogue *catalogues;
	struct source_ref *sources; /* all of them */
	size_t n_sources;
};

/* mqtt.c */
void loader_brokers(struct loader *l);
void loader_listen(struct loader *l);
/* secret_file.c: who may read and change the files with password and key */
void loader_check_secrets(struct loader *l, const struct node *root);
/* bus.c */
void loader_buses(struct loader *l);
bool loader_device_ok(const char *device);
/* machine.c */
void loader_machines(struct loader *l);
/* source.c; `m` already knows its sources before this one */
void loader_source(struct loader *l, const struct node *node, struct machine_config *m);
/* plug.c: sources with a `device` */
const struct profile_file *loader_catalogue(struct loader *l, const struct driver *driver);
void loader_plugs(struct loader *l);
/* load.c: bus load, units that are used twice */
void loader_check_units(struct loader *l);
void loader_check_load(struct loader *l);

#endif
