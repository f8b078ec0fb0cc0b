/* SPDX-License-Identifier: MIT */
/* fleet.h -- what hundreds of gateways would publish, from one process and one thread */
#ifndef CLI_SIMULATE_FLEET_H
#define CLI_SIMULATE_FLEET_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/cli.h"
#include "cli/simulate/fleet_link.h"

struct fleet_options {
	const char *size;     /* "600x50": parks, and machines of each; NULL: no fleet */
	struct cli_list urls; /* nodes of one broker; the k-th park begins with the k-th */
	struct fleet_link_options link;
	const char *topic_root;       /* NULL: "parks" */
	int interval_ms, duration_ms; /* between polls of a machine; 0: until told */
	int alarms;                   /* of a machine in a day */
	int seed;
	int first;           /* number of the first park */
	int parks, machines; /* fleet_run()'s */
};

#define FLEET_OPTIONS(f)                                                                           \
	{"--fleet", CLI_TEXT, &(f)->size, "PARKSxMACHINES: what so many gateways publish"},        \
		{"--user", CLI_TEXT, &(f)->link.user, "fleet: user name; %p is the park"},         \
		{"--password-file", CLI_TEXT, &(f)->link.password_file,                            \
			"fleet: file with the password; %p is the park"},                          \
		{"--ca-file", CLI_TEXT, &(f)->link.ca_file,                                        \
			"fleet: certificates to trust, with mqtts"},                               \
		{"--topic-root", CLI_TEXT, &(f)->topic_root,                                       \
			"fleet: before the parks' topics (parks)"},                                \
		{"--interval", CLI_DURATION_MS, &(f)->interval_ms,                                 \
			"fleet: between polls of a machine (10s)"},                                \
		{"--alarms", CLI_INT, &(f)->alarms, "fleet: of a machine in a day (1)"},           \
		{"--first", CLI_INT, &(f)->first, "fleet: number of the first park (1)"},          \
		{"--seed", CLI_INT, &(f)->seed, "fleet: another one, another story (1)"},          \
	{                                                                                          \
		"--duration", CLI_DURATION_MS, &(f)->duration_ms, "fleet: ends by itself"          \
	}

struct fleet_stats {
	uint64_t published, acknowledged, refused;
	uint64_t pictures, events, telemetry, history; /* of those published */
	uint64_t connects, losses;                     /* connections that came; that went */
	uint64_t records, dropped; /* of telemetry in all; events for which there was no room */
};

/* Publishes until SIGTERM, SIGINT, `duration_ms` or the command `quit`. The exit code. */
int fleet_run(struct fleet_options *options, bool from_stdin);

#endif
