/* SPDX-License-Identifier: MIT */
/* idle_threads.c -- so many threads that wake once a second and do nothing: what waiting costs
 *
 *   idle_threads COUNT
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void *
wake_and_sleep(void *arg)
{
	struct timespec at;

	(void)arg;
	clock_gettime(CLOCK_MONOTONIC, &at);
	for (;;) {
		at.tv_sec++;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
	}
	return NULL;
}

int
main(int argc, char **argv)
{
	int n = argc == 2 ? atoi(argv[1]) : 0;
	pthread_t thread;

	if (n < 1) {
		fprintf(stderr, "usage: idle_threads COUNT\n");
		return 64;
	}
	for (int i = 0; i < n; i++) {
		if (pthread_create(&thread, NULL, wake_and_sleep, NULL) != 0)
			return 1;
		usleep(1000000 / (unsigned)n); /* spread over the second */
	}
	pause();
	return 0;
}
