/* SPDX-License-Identifier: MIT */
/* main.c -- options, the start list and its mirror; the only exit() */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <malloc.h>

#include "daemon/gateway.h"
#include "daemon/log.h"
#include "daemon/notify.h"

enum { EXIT_FINE = 0, EXIT_OTHER = 1, EXIT_USAGE = 64, EXIT_HELD = 75, EXIT_CONFIG = 78 };

struct options {
	const char *file, *profiles_dir;
	enum log_level level;
};

static const char usage[] =
	"usage: labpulsed [-c FILE] [--profiles DIR] [--log-level error|warning|info|debug]\n"
	"       labpulsed --version | --help\n"
	"\n"
	"  -c, --config FILE   configuration (default /etc/labpulse/labpulse.yaml)\n"
	"  --profiles DIR      look for profiles here first\n"
	"  --log-level LEVEL   default info\n"
	"\n"
	"Runs in the foreground and logs to stderr. SIGHUP reloads, SIGTERM and SIGINT stop.\n"
	"Exit codes: 0 fine, 64 bad command line, 75 another labpulsed is running,\n"
	"78 configuration, 1 anything else.\n";

/* -1: go on; else the exit code. */
static int
parse_options(int argc, char **argv, struct options *o)
{
	enum { OPT_PROFILES = 256, OPT_LEVEL, OPT_VERSION };
	static const struct option longs[] = {{"config", required_argument, NULL, 'c'},
		{"profiles", required_argument, NULL, OPT_PROFILES},
		{"log-level", required_argument, NULL, OPT_LEVEL},
		{"version", no_argument, NULL, OPT_VERSION}, {"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0}};
	*o = (struct options){.file = "/etc/labpulse/labpulse.yaml", .level = LOG_LEVEL_INFO};
	for (int c; (c = getopt_long(argc, argv, "c:h", longs, NULL)) != -1;) {
		switch (c) {
		case 'c':
			o->file = optarg;
			break;
		case OPT_PROFILES:
			o->profiles_dir = optarg;
			break;
		case OPT_LEVEL:
			if (log_parse_level(optarg, &o->level))
				break;
			fprintf(stderr,
				"labpulsed: --log-level %s: not one of error, warning, "
				"info, debug\n",
				optarg);
			return EXIT_USAGE;
		case OPT_VERSION:
			puts("labpulsed " LABPULSE_VERSION);
			return EXIT_FINE;
		case 'h':
			fputs(usage, stdout);
			return EXIT_FINE;
		default:
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
	}
	if (optind == argc)
		return -1;
	fprintf(stderr, "labpulsed: unexpected argument %s\n%s", argv[optind], usage);
	return EXIT_USAGE;
}

/* A thousand TCP devices need a thousand descriptors; nothing here uses select(2). */
static void
raise_limits(void)
{
	struct rlimit rl;
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur < rl.rlim_max) {
		rl.rlim_cur = rl.rlim_max < 65536 ? rl.rlim_max : 65536;
		setrlimit(RLIMIT_NOFILE, &rl);
	}
	/* One arena: threads that hardly allocate need no heap of their own. */
	mallopt(M_ARENA_MAX, 1);
}

/* Blocked before any thread starts; libuv's handlers take them on the loop thread only. */
static void
block_signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* RLIMIT_FSIZE is one more write that fails */
}

static void
on_stop(void *arg, int signum)
{
	struct gateway *g = arg;
	log_info("%s: stopping", strsignal(signum));
	loop_stop(g->loop);
}

static void
on_hup(void *arg, int signum)
{
	(void)signum;
	reload_start(arg);
}

/* Stays in `systemctl status` after the exit. */
static void
tell_unusable(const char *file)
{
	if (access(file, F_OK) == 0)
		notify_send("STATUS=the configuration has errors: see labpulse check %s", file);
	else
		notify_send("STATUS=needs a configuration: write %s (example: "
			    "/usr/share/doc/labpulse/examples/labpulse.yaml), then systemctl "
			    "restart labpulsed",
			file);
}

static struct config *
load(const struct options *o)
{
	struct problems problems = {0};
	struct config *config = config_load(o->file, o->profiles_dir, &problems);
	problems_print(&problems, stderr);
	if (!config) {
		log_error("%zu errors in the configuration; labpulse check %s shows them",
			problems.errors, o->file);
		tell_unusable(o->file);
	}
	problems_free(&problems);
	return config;
}

static int
start(struct gateway *g)
{
	int holder = 0;
	int rc = control_start(g, &holder);
	if (rc == -EADDRINUSE) {
		log_error("another labpulsed (pid %d) answers on %s", holder, g->config->control);
		return EXIT_HELD;
	}
	if (rc < 0) /* not fatal: polling matters more than the tool */
		log_warning("control socket %s: %s; the labpulse tool will not reach this daemon",
			g->config->control, strerror(-rc));
	rc = metrics_start(g);
	if (rc < 0)
		log_warning("metrics.listen %s:%d: %s; no metrics", g->config->metrics_host,
			g->config->metrics_port, strerror(-rc));
	loop_signal(g->loop, SIGTERM, on_stop, g);
	loop_signal(g->loop, SIGINT, on_stop, g);
	loop_signal(g->loop, SIGHUP, on_hup, g);
	rc = gateway_start(g);
	if (rc == 0)
		return EXIT_FINE;
	log_error("cannot start: %s", strerror(-rc));
	return EXIT_OTHER;
}

static int
run(struct gateway *g)
{
	int code = start(g);
	if (code == EXIT_FINE) {
		log_info("polling %zu machines on %zu buses, publishing as %s/%s", g->n_machines,
			g->n_pollers, g->config->park, g->config->gateway);
		service_ready(g);
		loop_run(g->loop);
	}
	if (!gateway_stop(g)) {
		log_warning("a thread did not end in time; leaving without it");
		_exit(code);
	}
	gateway_destroy(g);
	return code;
}

int
main(int argc, char **argv)
{
	struct options o;
	int code = parse_options(argc, argv, &o);
	if (code >= 0)
		return code;
	log_set_level(o.level);
	raise_limits();
	block_signals();
	struct config *config = load(&o);
	if (!config)
		return EXIT_CONFIG;
	int holder = 0;
	struct gateway *g = gateway_create(config, o.file, o.profiles_dir, &holder);
	if (!g) {
		if (holder)
			log_error("another labpulsed (pid %d) has the spool's directory", holder);
		else
			log_error("out of memory");
		return EXIT_OTHER;
	}
	return run(g);
}
