/* SPDX-License-Identifier: MIT */
/* broker.h -- what the tools learn from an MQTT broker: they only subscribe
 *
 * MQTT 5, or 3.1.1 with a broker that does not speak it. Calls belong to one thread, but for
 * broker_interrupt().
 */
#ifndef CLI_BROKER_H
#define CLI_BROKER_H

#include <stddef.h>

#include "cli/cli.h"

struct broker_options {
	struct cli_list urls; /* mqtt://HOST[:PORT] or mqtts://HOST[:PORT]: nodes of one cluster */
	const char *user, *password_file, *ca_file, *cert_file, *key_file;
	const char *topic_root; /* NULL: "parks" */
};

#define BROKER_OPTIONS(b)                                                                          \
	{"--broker", CLI_LIST, &(b)->urls, "mqtt://HOST[:PORT] or mqtts://HOST[:PORT]"},           \
		{"--user", CLI_TEXT, &(b)->user, "user name at the broker"},                       \
		{"--password-file", CLI_TEXT, &(b)->password_file, "file with the password"},      \
		{"--topic-root", CLI_TEXT, &(b)->topic_root, "before the park's topics (parks)"},  \
		{"--ca-file", CLI_TEXT, &(b)->ca_file, "certificates to trust, with mqtts"},       \
		{"--cert-file", CLI_TEXT, &(b)->cert_file, "own certificate, with mqtts"},         \
	{                                                                                          \
		"--key-file", CLI_TEXT, &(b)->key_file, "its key"                                  \
	}

typedef void (*broker_message_fn)(
	void *context, const char *topic, const char *payload, size_t len);

struct broker_client;

/* Checks the options. The topics (NULL-ended, 16 at most) begin with "parks/" whatever the root is,
 * and so do those that `take` gets. Options and topics are borrowed. CLI_FINE or the exit code,
 * told. */
int broker_create(struct broker_client **out, const struct broker_options *options,
	const char *const *topics, broker_message_fn take, void *context);
/* One attempt at the next broker of the list, up to its word that all topics are subscribed. Up to
 * 8 s for each address, 10 s for the answer; longer only in name resolution. CLI_FINE or the exit
 * code; broker_error() says why. */
int broker_connect(struct broker_client *b);
/* Waits at most so long and hands over what came. The number of messages, or -1: the connection is
 * lost (now or before); broker_error() says why. */
int broker_wait(struct broker_client *b, int timeout_ms);
/* Of the messages of the last broker_wait() those that were there before we subscribed. */
int broker_retained(const struct broker_client *b);
const char *broker_url(const struct broker_client *b); /* the one tried last */
const char *broker_error(const struct broker_client *b);
/* Any thread: what waits now ends soon, and broker_connect() and broker_wait() fail from now on. */
void broker_interrupt(struct broker_client *b);
void broker_close(struct broker_client *b); /* NULL is fine */

/* For commands: broker_create() and broker_connect(), the whole list once, told. */
int broker_open(struct broker_client **out, const struct broker_options *options,
	const char *const *topics, broker_message_fn take, void *context);
/* As broker_wait(), but it connects again by itself. -1 while there is no connection. */
int broker_run(struct broker_client *b, int timeout_ms);
/* Retained messages come in a burst: takes them until it ends, 10 s at most. */
void broker_settle(struct broker_client *b);

#endif
