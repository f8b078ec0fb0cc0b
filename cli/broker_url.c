/* SPDX-License-Identifier: MIT */
/* broker_url.c -- mqtt://HOST[:PORT] and mqtts://HOST[:PORT] */
#include "cli/broker_url.h"

#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "config/scalar.h"

int
broker_url_parse(const char *url, struct broker_url *a)
{
	const char *rest = strstr(url, "://");
	int64_t port;

	a->tls = !strncmp(url, "mqtts://", 8);
	if (!rest || (!a->tls && strncmp(url, "mqtt://", 7) != 0))
		return cli_fail(CLI_USAGE, "--broker: mqtt://HOST[:PORT] or mqtts://HOST[:PORT]");
	rest += 3;
	if (strchr(rest, '@')) /* everybody sees the arguments of a process */
		return cli_fail(CLI_USAGE,
			"--broker: no user or password in the URL; use --user and "
			"--password-file");
	a->port = a->tls ? 8883 : 1883;
	snprintf(a->host, sizeof a->host, "%s", rest);
	a->host[strcspn(a->host, "/")] = '\0';
	char *bracket = strchr(a->host, ']'), *colon = strrchr(a->host, ':');
	if (colon && colon > bracket) {
		if (!scalar_int(colon + 1, &port) || port < 1 || port > 65535)
			return cli_fail(CLI_USAGE, "--broker: a port is a number from 1 to 65535");
		a->port = (int)port;
		*colon = '\0';
	}
	if (a->host[0] == '[' && bracket) {
		*bracket = '\0';
		memmove(a->host, a->host + 1, strlen(a->host));
	}
	return a->host[0] ? CLI_FINE : cli_fail(CLI_USAGE, "--broker: a host is missing");
}
