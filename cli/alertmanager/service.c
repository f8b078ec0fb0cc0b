/* SPDX-License-Identifier: MIT */
/* service.c -- log lines, and one datagram to $NOTIFY_SOCKET */
#include "cli/alertmanager/service.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static enum service_level threshold = SERVICE_INFO;

static const struct {
	const char *word;
	int priority; /* syslog(3) */
} levels[] = {
	[SERVICE_ERROR] = {"error", 3},
	[SERVICE_WARNING] = {"warning", 4},
	[SERVICE_INFO] = {"info", 6},
	[SERVICE_DEBUG] = {"debug", 7},
};

bool
service_set_level(const char *word)
{
	for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
		if (!strcmp(word, levels[i].word)) {
			threshold = (enum service_level)i;
			return true;
		}
	return false;
}

void
service_log(enum service_level level, const char *fmt, ...)
{
	char text[512], line[640], prefix[8] = "";
	va_list args;

	if (level > threshold)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	for (char *p = text; *p; p++) /* what a peer said: no forged line, no word to a terminal */
		if ((unsigned char)*p < ' ' || *p == 0x7F)
			*p = ' ';
	/* set by systemd when stderr goes to the journal, systemd.exec(5) */
	if (getenv("JOURNAL_STREAM"))
		snprintf(prefix, sizeof prefix, "<%d>", levels[level].priority);
	int n = snprintf(line, sizeof line, "%slabpulse-alertmanager: %s%s%s\n", prefix,
		level <= SERVICE_WARNING && !prefix[0] ? levels[level].word : "",
		level <= SERVICE_WARNING && !prefix[0] ? ": " : "", text);
	ssize_t rc = write(STDERR_FILENO, line, (size_t)n); /* one write: lines never mix */
	(void)rc;                                           /* nowhere left to complain */
}

void
service_notify(const char *fmt, ...)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	char text[512];
	va_list args;

	if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof sa.sun_path)
		return;
	memcpy(sa.sun_path, path, strlen(path));
	if (path[0] == '@')
		sa.sun_path[0] = '\0'; /* abstract namespace, unix(7) */
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&sa,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path)));
	close(fd);
}

int64_t
service_watchdog_ms(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

	if (!usec || (pid && atol(pid) != (long)getpid()))
		return 0;
	return atoll(usec) / 2000;
}
