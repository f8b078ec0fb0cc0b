/* SPDX-License-Identifier: MIT */
/* main.c -- labpulse: the person's tool */
#include <stdio.h>
#include <string.h>

#include "cli/check.h"
#include "cli/cli.h"

static int
cmd_check(int argc, char **argv)
{
	const char *file = "/etc/labpulse/labpulse.yaml", *profiles = NULL, *profile = NULL;
	bool json = false;
	const struct cli_option options[] = {
		{"--profiles", CLI_TEXT, &profiles, "look here first for profiles"},
		{"--profile", CLI_TEXT, &profile, "check this profile instead of a configuration"},
		{"--json", CLI_FLAG, &json, "print JSON"},
		{NULL, CLI_FLAG, NULL, NULL},
	};
	const struct cli_usage usage = {"labpulse check [FILE] [options]",
		"Loads a configuration (/etc/labpulse/labpulse.yaml) and its profiles as the daemon would;\n"
		"prints what is wrong and what would be polled.",
		options, 0, 1};
	int n = cli_parse(argc, argv, &usage, &file);

	if (n < 0)
		return cli_exit_of(n);
	return profile ? check_profile(profile, json) : check_run(file, profiles, json);
}

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
} commands[] = {
	{"check", cmd_check, "check a configuration, or a profile, and show what would be polled"},
	{"read", cmd_read, "read a machine once and show every point"},
	{"scan", cmd_scan, "find the units on a line or behind a TCP address"},
	{"peek", cmd_peek, "show a block of registers in every reading that makes sense"},
	{"watch", cmd_watch, "live table of machines"},
	{"explain", cmd_explain, "say in words why a machine is offline or in fault"},
	{"accept", cmd_accept, "say that a replaced device is the right one"},
	{"maintenance", cmd_maintenance, "work on a machine without waking anybody"},
	{"ack", cmd_ack, "say that an alarm was seen"},
	{"usage", cmd_usage, "running hours and jobs; set a counter"},
	{"spool", cmd_spool, "what waits for the broker, what no broker takes; a copy of it"},
	{"test-alarm", cmd_test_alarm, "raise an alarm that is a test, and see that it arrives"},
	{"learn", cmd_learn, "watch a machine off, idle and busy and propose its usage rules"},
	{"simulate", cmd_simulate, "simulate a laboratory on this computer"},
};

enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

static int
help(FILE *out, int code)
{
	fprintf(out, "usage: labpulse COMMAND [arguments]\n\n");
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].summary);
	fprintf(out,
		"\nlabpulse COMMAND --help tells more; --json prints for programs.\n"
		"Exit codes: 0 fine, 64 bad command line, 69 nothing answered, 75 held by another\n"
		"process, 77 permission, 78 configuration, 1 anything else.\n");
	return code;
}

int
main(int argc, char **argv)
{
	if (argc < 2)
		return help(stderr, CLI_USAGE);
	if (!strcmp(argv[1], "--help"))
		return help(stdout, CLI_FINE);
	if (!strcmp(argv[1], "--version")) {
		printf("labpulse %s\n", LABPULSE_VERSION);
		return CLI_FINE;
	}
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	cli_fail(CLI_USAGE, "unknown command \"%s\"", argv[1]);
	return help(stderr, CLI_USAGE);
}
