/* SPDX-License-Identifier: MIT */
/* join.h -- waits for the end of a thread by the monotonic clock
 *
 * pthread_timedjoin_np() waits by CLOCK_REALTIME, which may be set meanwhile; of
 * pthread_clockjoin_np() ThreadSanitizer does not know.
 */
#ifndef DAEMON_JOIN_H
#define DAEMON_JOIN_H

#include <poll.h>
#include <pthread.h>

#include "daemon/clock.h"

/* Looks every 10 ms. false: it still runs. */
static inline bool
join_until(pthread_t thread, int64_t deadline_us)
{
	while (pthread_tryjoin_np(thread, NULL) != 0) {
		if (clock_mono_us() >= deadline_us)
			return false;
		poll(NULL, 0, 10);
	}
	return true;
}

#endif
