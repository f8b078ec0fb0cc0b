/* SPDX-License-Identifier: MIT */
/* bridge.h -- from the broker to Alertmanagers: the loop of labpulse-alertmanager */
#ifndef CLI_ALERTMANAGER_BRIDGE_H
#define CLI_ALERTMANAGER_BRIDGE_H

#include "cli/alertmanager/poster.h"
#include "cli/broker.h"

struct bridge_options {
	struct broker_options broker;
	struct poster_options poster;
	const char *listen; /* NULL: no metrics */
	int hold_ms, refresh_ms;
};

/* Runs until SIGTERM or SIGINT, which must be blocked in all threads. Returns the exit code, told.
 */
int bridge_run(const struct bridge_options *o);

#endif
