/* SPDX-License-Identifier: MIT */
/* main.c -- labpulse-alertmanager: retained alarms of all parks become alerts */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/alertmanager/bridge.h"
#include "cli/alertmanager/service.h"

enum {
	HOLD_MS = 5 * 60 * 1000,
	REFRESH_MS = 60 * 1000,
	REFRESH_MIN_MS = 1000,
	REFRESH_MAX_MS = 300000
};

/* Blocked before any thread starts; the loop reads the first two from a descriptor. */
static void
set_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN); /* passwords and certificates are read again all the time */
}

int
main(int argc, char **argv)
{
	struct bridge_options o = {.hold_ms = HOLD_MS, .refresh_ms = REFRESH_MS};
	const char *level = "info";
	bool version = false;
	const struct cli_option options[] = {
		BROKER_OPTIONS(&o.broker),
		{"--alertmanager", CLI_LIST, &o.poster.urls,
			"http://HOST[:PORT] or https://...: all are told"},
		{"--alertmanager-user", CLI_TEXT, &o.poster.user, "for basic authentication"},
		{"--alertmanager-password-file", CLI_TEXT, &o.poster.password_file,
			"file with the password"},
		{"--alertmanager-ca-file", CLI_TEXT, &o.poster.ca_file,
			"certificates to trust, with https"},
		{"--offline-hold", CLI_DURATION_MS, &o.hold_ms,
			"so long a gateway may be away (5min)"},
		{"--refresh", CLI_DURATION_MS, &o.refresh_ms,
			"how often all is told again, 1s to 5min (60s)"},
		{"--listen", CLI_TEXT, &o.listen,
			"HOST:PORT for metrics, the parks' too (default: off)"},
		{"--log-level", CLI_TEXT, &level, "error, warning, info (default) or debug"},
		{"--version", CLI_FLAG, &version, "print the version"},
		{NULL, CLI_FLAG, NULL, NULL},
	};
	const struct cli_usage usage = {
		"labpulse-alertmanager --broker URL... --alertmanager URL... [options]",
		"Tells Alertmanagers of the alarms that labpulse gateways publish, and of gateways that\n"
		"are offline. Runs in the foreground and logs to stderr; SIGTERM and SIGINT stop it.",
		options, 0, 0};
	int code = cli_parse(argc, argv, &usage, NULL);

	if (code < 0)
		return cli_exit_of(code);
	if (version) {
		puts("labpulse-alertmanager " LABPULSE_VERSION);
		return CLI_FINE;
	}
	if (!service_set_level(level))
		return cli_fail(CLI_USAGE, "--log-level: one of error, warning, info, debug");
	if (o.refresh_ms < REFRESH_MIN_MS || o.refresh_ms > REFRESH_MAX_MS)
		return cli_fail(CLI_USAGE, "--refresh: 1s to 5min");
	set_signals();
	srandom((unsigned)(time(NULL) ^ getpid()));
	return bridge_run(&o);
}
