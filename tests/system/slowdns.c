/* SPDX-License-Identifier: MIT */
/* slowdns.c -- LD_PRELOAD: getaddrinfo(3) for the name in $SLOWDNS_NAME hangs $SLOWDNS_S seconds
 *
 * It hangs as a resolver without servers does: no signal ends it. Then it says "try again".
 */
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void
hang(long seconds)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += seconds;
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

int
getaddrinfo(
	const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **res)
{
	static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
	const char *name = getenv("SLOWDNS_NAME"), *seconds = getenv("SLOWDNS_S");

	if (node && name && strcmp(node, name) == 0) {
		hang(seconds ? atol(seconds) : 60);
		return EAI_AGAIN;
	}
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	return real(node, service, hints, res);
}
