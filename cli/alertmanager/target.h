/* SPDX-License-Identifier: MIT */
/* target.h -- one Alertmanager: what it is told next, and when again after it failed. Pure.
 *
 * Times are ms that only grow. Each target has its own place in the versions of the alerts and its
 * own pause, so a dead one delays nobody.
 */
#ifndef CLI_ALERTMANAGER_TARGET_H
#define CLI_ALERTMANAGER_TARGET_H

#include "cli/alertmanager/alerts.h"

enum { TARGET_BATCH = 500, TARGET_RETRY_MIN_MS = 1000, TARGET_RETRY_MAX_MS = 30000 };

struct target { /* zeroed but for url: nothing told yet */
	const char *url;
	uint64_t done,
		asked;    /* versions: it has all up to done; the POST under way goes to asked */
	size_t batch;     /* of the POST under way; 0: none is */
	size_t batch_max; /* 0: TARGET_BATCH */
	int64_t refresh_ms, retry_ms;    /* when all is told again; when it may be tried again */
	unsigned failures;               /* in a row */
	uint64_t posts, failed, refused; /* POSTs; of them without success; alerts it never took */
};

enum target_news { TARGET_SAME, TARGET_FAILED, TARGET_HEALED, TARGET_REFUSED };

/* The body of its next POST, to be freed; NULL: nothing is due. */
char *target_next(struct target *t, const struct alerts *a, int64_t mono_ms, int64_t now_ms,
	int64_t refresh_ms);
/* What came of it: an HTTP status, 0: none. `random` is uniform in [0, 1). */
enum target_news target_answer(struct target *t, long status, int64_t mono_ms, double random);
/* Whether it has all there is. */
bool target_is_current(const struct target *t, const struct alerts *a);
/* When target_next() is to be asked again, if nothing changes. */
int64_t target_due_ms(const struct target *t, const struct alerts *a);

#endif
