/* SPDX-License-Identifier: MIT */
/* punctual.h -- runs tests of a few milliseconds on a computer that may stand still
 *
 * Real-time priority, where the system allows it, keeps other programs out of the way. What is left
 * (a virtual machine that is not given its processor) is measured by a thread that only sleeps: a
 * failure while the computer stood still says nothing of the code, so the program runs again.
 * A failure on a computer that kept time stands.
 */
#ifndef TESTS_DRIVERS_PUNCTUAL_H
#define TESTS_DRIVERS_PUNCTUAL_H

#include "drivers/link_impl.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { PUNCTUAL_STALL_US = 10000, PUNCTUAL_RUNS = 5 };

static atomic_bool punctual_stop;
static atomic_llong punctual_worst_us;

static inline void *
punctual_watch(void *arg)
{
	const struct timespec ms = {.tv_nsec = 1000000};

	(void)arg;
	while (!atomic_load(&punctual_stop)) {
		int64_t from_us = link_mono_us();
		int64_t late_us;

		nanosleep(&ms, NULL);
		late_us = link_mono_us() - from_us - 1000;
		if (late_us > atomic_load(&punctual_worst_us))
			atomic_store(&punctual_worst_us, late_us);
	}
	return NULL;
}

/* Runs the tests. Returns the number that failed, or does not return: the program begins again. */
static inline int
punctual_run(char **argv, int (*run)(void))
{
	const char *env = getenv("PUNCTUAL_RUN");
	int number = env ? atoi(env) : 1;
	pthread_t watcher;
	char next[8];
	int failed;

	sched_setscheduler(0, SCHED_RR, &(struct sched_param){.sched_priority = 1});
	pthread_create(&watcher, NULL, punctual_watch, NULL);
	failed = run();
	atomic_store(&punctual_stop, true);
	pthread_join(watcher, NULL);
	if (failed == 0 || number == PUNCTUAL_RUNS ||
		atomic_load(&punctual_worst_us) < PUNCTUAL_STALL_US)
		return failed;
	printf("the computer stood still for %lld ms in run %d: once more\n",
		(long long)atomic_load(&punctual_worst_us) / 1000, number);
	fflush(stdout);
	snprintf(next, sizeof(next), "%d", number + 1);
	setenv("PUNCTUAL_RUN", next, 1);
	execv("/proc/self/exe", argv);
	return failed;
}

#endif
