/* SPDX-License-Identifier: MIT */
/* broker.h -- what the tools learn from an MQTT broker: they only subscribe */
#ifndef CLI_BROKER_H
#define CLI_BROKER_H

#include <stddef.h>

#include "cli/cli.h"

struct broker_options {
	const char *url; /* mqtt://HOST[:PORT] or mqtts://HOST[:PORT]; NULL: none */
	const char *user, *password_file, *ca_file;
	const char *topic_root; /* NULL: "parks" */
};

#define BROKER_OPTIONS(b)                                                                          \
	{"--broker", CLI_TEXT, &(b)->url, "mqtt://HOST[:PORT] or mqtts://HOST[:PORT]"},            \
		{"--user", CLI_TEXT, &(b)->user, "user name at the broker"},                       \
		{"--password-file", CLI_TEXT, &(b)->password_file, "file with the password"},      \
		{"--topic-root", CLI_TEXT, &(b)->topic_root, "before the park's topics (parks)"},  \
	{                                                                                          \
		"--ca-file", CLI_TEXT, &(b)->ca_file, "certificates to trust, with mqtts"          \
	}

typedef void (*broker_message_fn)(
	void *context, const char *topic, const char *payload, size_t len);

struct broker_client;

/* Connects and subscribes to the topics (NULL-ended), which begin with "parks/" whatever the root
 * is, and so do those that `take` gets. CLI_FINE or the exit code, told. */
int broker_open(struct broker_client **out, const struct broker_options *options,
	const char *const *topics, broker_message_fn take, void *context);
/* Waits at most so long and hands over what came; reconnects by itself. The number of messages
 * that came, or -1 while there is no connection. */
int broker_run(struct broker_client *b, int timeout_ms);
/* Retained messages come in a burst: takes them until it ends, 10 s at most. */
void broker_settle(struct broker_client *b);
void broker_close(struct broker_client *b); /* NULL is fine */

#endif
