/* SPDX-License-Identifier: MIT */
/* alerts.h -- what Alertmanagers are told: alerts that fire, and those that ended lately
 *
 * An alert is its labels. All alerts are named again in each round; one that is named no more has
 * ended. Ends are told for 15 min, because a single POST may be lost. Each change gets a version,
 * so that every Alertmanager can be told what is newer than what it has. Pure; times are ms since
 * 1970.
 */
#ifndef CLI_ALERTMANAGER_ALERTS_H
#define CLI_ALERTMANAGER_ALERTS_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/alertmanager/map.h"

enum {
	ALERTS_REPEAT_MS = 15 * 60 * 1000,
	ALERTS_ENDED_MAX = 10000, /* the oldest ends are forgotten early */
	/* An alert holds for so many refreshes: it ends by itself if nobody speaks for it. */
	ALERTS_HOLD = 4
};

struct alert {
	struct map_node node; /* its key: the labels, a JSON object */
	char *notes;          /* annotations, a JSON object */
	int64_t starts_ms;
	int64_t ends_ms;   /* 0: it fires */
	int64_t forget_ms; /* of one that ended */
	uint64_t version;
	unsigned round;
};

struct alerts {         /* zeroed: none */
	struct map all; /* by version, oldest first */
	uint64_t version;
	unsigned round;
	size_t n_firing;
};

void alerts_begin(struct alerts *a);
/* It fires since starts_ms. Texts are copied. */
void alerts_fire(struct alerts *a, const char *labels, const char *notes, int64_t starts_ms);
/* It ended: told even if it was not known here, unless that was long ago. */
void alerts_end(struct alerts *a, const char *labels, const char *notes, int64_t starts_ms,
	int64_t ends_ms, int64_t now_ms);
/* What was not named since alerts_begin() has ended; what ended long ago is forgotten,
 * and what ended first if that is too much. */
void alerts_finish_round(struct alerts *a, int64_t now_ms);
/* The body of a POST to /api/v2/alerts: up to max alerts newer than *version, which becomes that of
 * the last one. Firing ones end at now + ALERTS_HOLD refreshes. To be freed; NULL: nothing is newer
 * (*n is 0), or out of memory. */
char *alerts_body(const struct alerts *a, uint64_t *version, size_t max, int64_t now_ms,
	int64_t refresh_ms, size_t *n);
void alerts_free(struct alerts *a);

#endif
