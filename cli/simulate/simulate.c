/* SPDX-License-Identifier: MIT */
/* simulate.c -- labpulse simulate: starts the simulated lab, says where it is, runs until told */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/simulate/fleet.h"
#include "cli/simulate/world.h"

struct call {
	struct world_options options;
	struct fleet_options fleet;
	const char *control, *write_config;
	bool from_stdin;
	char dir[64], whole[PATH_MAX], socket[PATH_MAX + 16];
};

/* A folder of this user's own, so that the paths in a configuration stay the same. */
static const char *
default_dir(struct call *call)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	if (runtime && strlen(runtime) < sizeof call->dir - 20)
		snprintf(call->dir, sizeof call->dir, "%s/labpulse-sim", runtime);
	else
		snprintf(call->dir, sizeof call->dir, "/tmp/labpulse-sim-%u", (unsigned)geteuid());
	return call->dir;
}

static int
parse(struct call *call, int argc, char **argv)
{
	struct world_options *o = &call->options;
	const struct cli_option options[] = {
		{"--dir", CLI_TEXT, &o->dir, "where ptys and the control socket appear"},
		{"--profiles", CLI_TEXT, &o->profiles, "look here first for profiles"},
		{"--control", CLI_TEXT, &call->control, "control socket (default: DIR/simulate)"},
		{"--stdin", CLI_FLAG, &call->from_stdin, "take commands from standard input, too"},
		{"--write-config", CLI_TEXT, &call->write_config,
			"write a configuration that fits"},
		{"--broker", CLI_LIST, &call->fleet.urls,
			"broker in it, or of a fleet (mqtt://127.0.0.1:1883)"},
		{"--devices", CLI_INT, &o->devices, "fleet, line, printers: how many (10)"},
		{"--registers", CLI_INT, &o->registers, "fleet, line: registers of each (20)"},
		{"--period", CLI_DURATION_MS, &o->period_ms,
			"fleet, line, printers: polling period to write (1s)"},
		{"--port", CLI_INT, &o->tcp_port, "fleet: first TCP port (default: any)"},
		{"--baud", CLI_INT, &o->baud, "line: speed (9600)"},
		FLEET_OPTIONS(&call->fleet),
		{NULL, CLI_FLAG, NULL, NULL},
	};
	const struct cli_usage usage = {
		"labpulse simulate [lab | fleet | line | printers | FILE] [options]\n"
		"       labpulse simulate --fleet PARKSxMACHINES --broker URL [options]",
		"Simulates Modbus devices and USB machines on ptys, sockets and TCP ports; or whole gateways that\n"
		"publish to a broker. Prints a line of JSON when it is ready; SIGTERM or SIGINT ends it.",
		options, 0, 1};

	o->scenario = "lab";
	o->dir = default_dir(call);
	o->devices = 10;
	o->registers = 20;
	o->period_ms = 1000;
	o->baud = 9600;
	call->fleet.interval_ms = 10000;
	call->fleet.alarms = 1;
	call->fleet.seed = call->fleet.first = 1;
	int n = cli_parse(argc, argv, &usage, &o->scenario);
	if (n < 0)
		return n;
	if (!call->fleet.urls.n)
		call->fleet.urls.items[call->fleet.urls.n++] = "mqtt://127.0.0.1:1883";
	if (o->devices < 1 || o->registers < 3 || o->registers > 250 || o->baud < 300 ||
		o->tcp_port > 65535)
		return -1 -
		       cli_fail(CLI_USAGE,
			       "simulate: 1 device or more, 3 to 250 registers, 300 baud or more");
	return 0;
}

/* A thousand servers or connections need more than the usual 1024 descriptors. */
static void
raise_limit(void)
{
	struct rlimit limit;

	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int
announce(const struct call *call, const struct world *w)
{
	int rc = call->write_config
			 ? output_config(w, call->write_config, call->fleet.urls.items[0])
			 : 0;

	if (rc)
		return cli_fail(
			cli_exit_for(rc), "simulate: %s: %s", call->write_config, strerror(-rc));
	char *ready = output_ready(w, call->socket);
	if (!ready)
		return cli_fail(CLI_OTHER, "simulate: out of memory");
	puts(ready);
	fflush(stdout);
	free(ready);
	return CLI_FINE;
}

static int
run(struct call *call, struct reactor *reactor)
{
	struct problems problems = {0};
	struct world world = {0};
	int code;

	/* The socket first: it tells whether another simulator uses this directory. */
	struct command_server *server =
		command_server_create(&world, reactor, call->socket, call->from_stdin);
	if (!server)
		return cli_fail(errno == EADDRINUSE ? CLI_HELD : cli_exit_for(-errno),
			"simulate: %s: %s", call->socket,
			errno == EADDRINUSE ? "a simulator runs there" : strerror(errno));
	if (world_open(&world, &call->options, reactor, &problems)) {
		problems_print(&problems, stderr);
		code = CLI_CONFIG;
	} else {
		code = announce(call, &world);
		if (code == CLI_FINE && reactor_run(reactor))
			code = cli_fail(CLI_OTHER, "simulate: %s", strerror(errno));
	}
	command_server_destroy(server);
	world_close(&world);
	problems_free(&problems);
	return code;
}

int
cmd_simulate(int argc, char **argv)
{
	struct call call = {0};
	int parsed = parse(&call, argc, argv);

	if (parsed < 0)
		return cli_exit_of(parsed);
	raise_limit();
	if (call.fleet.size)
		return fleet_run(&call.fleet, call.from_stdin);
	bool made = !mkdir(call.options.dir, 0700);
	if (!made && errno != EEXIST)
		return cli_fail(cli_exit_for(-errno), "simulate: %s: %s", call.options.dir,
			strerror(errno));
	/* Whole paths: a configuration that is written may be used from anywhere. */
	if (realpath(call.options.dir, call.whole))
		call.options.dir = call.whole;
	if (call.control)
		snprintf(call.socket, sizeof call.socket, "%s", call.control);
	else
		snprintf(call.socket, sizeof call.socket, "%s/simulate", call.options.dir);
	struct reactor *reactor = reactor_create();
	if (!reactor)
		return cli_fail(CLI_OTHER, "simulate: %s", strerror(errno));
	int code = run(&call, reactor);
	reactor_destroy(reactor);
	if (made)
		rmdir(call.options.dir);
	return code;
}
