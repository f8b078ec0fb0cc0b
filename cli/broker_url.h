/* SPDX-License-Identifier: MIT */
/* broker_url.h -- mqtt://HOST[:PORT] and mqtts://HOST[:PORT] */
#ifndef CLI_BROKER_URL_H
#define CLI_BROKER_URL_H

#include <stdbool.h>

struct broker_url {
	char host[256];
	int port;
	bool tls;
};

/* CLI_FINE or the exit code, told. */
int broker_url_parse(const char *url, struct broker_url *a);

#endif
