/* SPDX-License-Identifier: MIT */
/* judge.h -- from the picture to alerts. Pure; times are ms since 1970. */
#ifndef CLI_ALERTMANAGER_JUDGE_H
#define CLI_ALERTMANAGER_JUDGE_H

#include "cli/alertmanager/alerts.h"
#include "cli/alertmanager/picture.h"

struct judge_facts {
	int64_t now_ms;
	int64_t started_ms; /* this program */
	int64_t hold_ms;    /* so long a gateway, or the broker, may be away */
	int64_t away_ms;    /* since when there is no broker; 0: it is there */
};

/* One round of alerts. Returns when something follows from time alone, INT64_MAX: nothing does. */
int64_t judge(const struct picture *p, const struct judge_facts *f, struct alerts *a);

#endif
