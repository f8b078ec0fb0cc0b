/* SPDX-License-Identifier: MIT */
/* fleet.h -- the parks as figures: what the picture holds, counted for each of them. Pure.
 *
 * A park has 18 series whatever it publishes, and there are PICTURE_PARKS at most.
 */
#ifndef CLI_ALERTMANAGER_FLEET_H
#define CLI_ALERTMANAGER_FLEET_H

#include "cli/alertmanager/picture.h"

struct exposition;

struct fleet_row { /* one park */
	char park[PICTURE_ID];
	size_t machines[PICTURE_STATES]; /* one that cannot be reached is offline */
	size_t jobs_running;             /* of machines that can be reached */
	uint64_t jobs[PICTURE_TOTALS];
	size_t alarms[PICTURE_SEVERITIES]; /* that fire */
	size_t gateways[2];                /* offline, online */
	int64_t heard_ms;                  /* 0: not known */
};

struct fleet { /* zeroed: nothing */
	struct fleet_row *rows;
	size_t n;
};

/* To be finished; no rows: out of memory. */
struct fleet fleet_count(const struct picture *p);
void fleet_print(struct exposition *e, const struct fleet *f);
void fleet_finish(struct fleet *f);

#endif
