/* SPDX-License-Identifier: MIT */
/* notify.c -- one datagram to $NOTIFY_SOCKET; libsystemd would bring compressors along for it */
#include "daemon/notify.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_EVERY_S = 10, PATIENCE_MAX_S = 1800 };

void
notify_send(const char *fmt, ...)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(sa.sun_path))
		return;
	memcpy(sa.sun_path, path, strlen(path));
	if (path[0] == '@')
		sa.sun_path[0] = '\0'; /* abstract namespace, unix(7) */
	char text[512];
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || n < 0)
		return;
	size_t len = (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
	socklen_t sa_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	sendto(fd, text, len, MSG_NOSIGNAL, (struct sockaddr *)&sa, sa_len);
	close(fd);
}

static struct {
	pthread_t thread;
	sem_t over;
	bool running;
} patience;

static void *
ask_for_patience(void *why)
{
	struct timespec at;
	clock_gettime(CLOCK_MONOTONIC, &at);
	for (int n = 0; n < PATIENCE_MAX_S / PATIENCE_EVERY_S; n++) {
		notify_send("EXTEND_TIMEOUT_USEC=%d000000\nSTATUS=%s", 3 * PATIENCE_EVERY_S,
			(const char *)why);
		at.tv_sec += PATIENCE_EVERY_S;
		int rc;
		while ((rc = sem_clockwait(&patience.over, CLOCK_MONOTONIC, &at)) < 0 &&
			errno == EINTR) {
		}
		if (rc == 0)
			return NULL;
	}
	return NULL;
}

void
notify_patience_begin(const char *why)
{
	if (!getenv("NOTIFY_SOCKET"))
		return;
	sem_init(&patience.over, 0, 0);
	patience.running =
		pthread_create(&patience.thread, NULL, ask_for_patience, (void *)why) == 0;
}

void
notify_patience_end(void)
{
	if (!patience.running)
		return;
	sem_post(&patience.over);
	pthread_join(patience.thread, NULL);
	patience.running = false;
}

int64_t
notify_watchdog_ms(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	if (!usec || (pid && atol(pid) != (long)getpid()))
		return 0;
	return atoll(usec) / 2000;
}
