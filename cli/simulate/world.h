/* SPDX-License-Identifier: MIT */
/* world.h -- everything that is simulated at once */
#ifndef CLI_SIMULATE_WORLD_H
#define CLI_SIMULATE_WORLD_H

#include "cli/simulate/port.h"
#include "cli/simulate/socket.h"
#include "config/problem.h"
#include "config/profile.h"

struct world_options {
	const char *scenario;                              /* a built-in name or a file */
	const char *dir;                                   /* ptys and control socket */
	const char *profiles;                              /* --profiles, NULL: none */
	int devices, registers, tcp_port, baud, period_ms; /* of the built-in fleet and line */
};

struct world {
	const struct world_options *options;
	struct reactor *reactor;
	struct port *ports, *last_port;
	struct plug **plugs; /* USB machines */
	size_t n_plugs;
	struct profile_file **profiles; /* in use */
	size_t n_profiles;
	size_t n_units;
	char *machines; /* YAML that stands under `machines:` of a fitting configuration, or NULL */
	bool block_profile; /* that configuration needs the profile "sim-block" */
};

/* Opens what the scenario names. 0, or -errno with problems. */
int world_open(struct world *w, const struct world_options *options, struct reactor *reactor,
	struct problems *problems);
void world_close(struct world *w);

struct port *world_add_line(struct world *w, const struct rtu_spec *spec); /* NULL: errno */
struct port *world_add_tcp(struct world *w, const char *id, int tcp_port); /* NULL: errno */
struct port *world_find_port(const struct world *w, const char *id);
struct unit *world_add_unit(struct world *w, struct port *port, const char *name, uint8_t id);
struct unit *world_find_unit(const struct world *w, const char *name, struct port **port);
/* spec->path NULL: its name, in the directory. NULL: errno. */
struct plug *world_add_plug(struct world *w, const struct plug_spec *spec);
struct plug *world_find_plug(const struct world *w, const char *name);
const struct profile_file *world_profile(
	struct world *w, const char *id, struct problems *problems);

/* scenario.c: reads YAML (docs/simulate.md) into the world; `text` NULL: from the file. */
int scenario_read(struct world *w, const char *file, const char *text, struct problems *problems);
/* builtin.c: 0, -errno, or -ENOENT if it is no built-in name. */
int builtin_open(struct world *w, struct problems *problems);

/* output.c: each returns the text, to be freed, or NULL. */
char *output_ready(const struct world *w, const char *control);
char *output_stats(const struct world *w);
/* Writes a configuration that fits, and the profile it needs beside it. 0 or -errno. */
int output_config(const struct world *w, const char *file, const char *broker);

/* command.c: does one line, returns the answer's JSON in buf, or from malloc in *more. */
void command_run(struct world *w, char *line, char *buf, size_t size, char **more);
struct command_server;
/* Takes commands on a UNIX socket, and from stdin if told. NULL: errno. */
struct command_server *command_server_create(
	struct world *w, struct reactor *reactor, const char *path, bool from_stdin);
void command_server_destroy(struct command_server *s);

#endif
