/* SPDX-License-Identifier: MIT */
/* metrics.h -- how the bridge is, for Prometheus, on --listen HOST:PORT */
#ifndef CLI_ALERTMANAGER_METRICS_H
#define CLI_ALERTMANAGER_METRICS_H

#include "cli/alertmanager/feed.h"
#include "cli/alertmanager/fleet.h"
#include "cli/alertmanager/target.h"

struct metrics_facts {
	struct feed_state feed;
	size_t gateways, gateways_offline, alarms;
	size_t firing, ended; /* alerts */
	const struct target *targets;
	size_t n_targets;
	int64_t mono_ms;
	int64_t started_ms; /* mono */
	struct fleet fleet;
};

/* In OpenMetrics, or in Prometheus' older text format (0.0.4), which promtool checks; to be freed.
 * NULL: out of memory. Pure. */
char *metrics_print(const struct metrics_facts *f, bool openmetrics);

struct metrics;

/* Serves what `collect` fills in, and finishes its fleet. NULL: it cannot; *why says why not. */
struct metrics *metrics_start(const char *listen,
	void (*collect)(void *context, struct metrics_facts *f), void *context, const char **why);
/* To be waited on; then metrics_serve(), which is also to be called about once a second. */
int metrics_fd(const struct metrics *m);
void metrics_serve(struct metrics *m);
void metrics_stop(struct metrics *m); /* NULL is fine */

#endif
