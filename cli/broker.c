/* SPDX-License-Identifier: MIT */
/* broker.c -- what the tools learn from an MQTT broker; the only <mosquitto.h> of the tools */
#include "cli/broker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <mosquitto.h>

#include "config/scalar.h"

enum {
	KEEPALIVE_S = 30,
	CONNECT_MS = 10000,
	RETRY_S = 1,
	QUIET_MS = 300,
	SETTLE_MS = 10000,
	PASSWORD_SIZE = 1024,
	TOPIC_SIZE = 512
};

static const char DEFAULT_ROOT[] = "parks";

struct broker_client {
	struct mosquitto *mosq;
	const char *const *topics;
	const char *root;
	broker_message_fn take;
	void *context;
	int refused; /* CONNACK code, 0: none */
	bool connected, subscribed;
	int messages;
	time_t retry_at;
};

struct address {
	char host[256];
	int port;
	bool tls;
};

static int
parse_url(const char *url, struct address *a)
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

/* Everything behind the root, its slash included; NULL: another root. */
static const char *
below(const char *topic, const char *root)
{
	size_t n = strlen(root);

	return !strncmp(topic, root, n) && topic[n] == '/' ? topic + n : NULL;
}

static void
subscribe(struct broker_client *b, const char *topic)
{
	char own[TOPIC_SIZE];

	snprintf(own, sizeof own, "%s%s", b->root, below(topic, DEFAULT_ROOT));
	mosquitto_subscribe(b->mosq, NULL, own, 1);
}

static void
on_connect(struct mosquitto *mosq, void *context, int code)
{
	struct broker_client *b = context;

	(void)mosq;
	b->refused = code;
	b->connected = code == 0;
	for (size_t i = 0; !code && b->topics[i]; i++)
		subscribe(b, b->topics[i]);
}

static void
on_disconnect(struct mosquitto *mosq, void *context, int code)
{
	struct broker_client *b = context;

	(void)mosq;
	(void)code;
	b->connected = false;
	b->subscribed = false;
}

static void
on_subscribe(struct mosquitto *mosq, void *context, int id, int n, const int *granted)
{
	struct broker_client *b = context;

	(void)mosq;
	(void)id;
	(void)n;
	(void)granted;
	b->subscribed = true;
}

static void
on_message(struct mosquitto *mosq, void *context, const struct mosquitto_message *m)
{
	struct broker_client *b = context;
	char topic[TOPIC_SIZE];

	(void)mosq;
	b->messages++;
	const char *rest = below(m->topic, b->root);
	if (!rest)
		return;
	snprintf(topic, sizeof topic, "%s%s", DEFAULT_ROOT, rest);
	b->take(b->context, topic, m->payload ? m->payload : "", (size_t)m->payloadlen);
}

static int
use_password(struct broker_client *b, const struct broker_options *o)
{
	char password[PASSWORD_SIZE] = "";

	if (o->password_file) {
		FILE *in = fopen(o->password_file, "r");
		bool ok = in && fgets(password, sizeof password, in);
		if (in)
			fclose(in);
		if (!ok)
			return cli_fail(
				cli_exit_for(-errno), "%s: cannot be read", o->password_file);
		password[strcspn(password, "\r\n")] = '\0';
	}
	int rc = mosquitto_username_pw_set(b->mosq, o->user, o->password_file ? password : NULL);
	memset(password, 0, sizeof password);
	return rc ? cli_fail(CLI_USAGE, "--user: %s", mosquitto_strerror(rc)) : CLI_FINE;
}

static int
set_up(struct broker_client *b, const struct broker_options *o, const struct address *a)
{
	int code = CLI_FINE;

	mosquitto_int_option(b->mosq, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V311);
	mosquitto_connect_callback_set(b->mosq, on_connect);
	mosquitto_disconnect_callback_set(b->mosq, on_disconnect);
	mosquitto_subscribe_callback_set(b->mosq, on_subscribe);
	mosquitto_message_callback_set(b->mosq, on_message);
	if (o->user)
		code = use_password(b, o);
	else if (o->password_file)
		code = cli_fail(CLI_USAGE, "--password-file needs --user");
	if (code == CLI_FINE && a->tls) {
		int rc = mosquitto_tls_set(b->mosq, o->ca_file,
			o->ca_file ? NULL : "/etc/ssl/certs", NULL, NULL, NULL);
		if (rc)
			code = cli_fail(CLI_USAGE, "--ca-file: %s", mosquitto_strerror(rc));
	}
	return code;
}

static int
wait_connected(struct broker_client *b, const char *url)
{
	int64_t end = cli_now_ms() + CONNECT_MS;

	do {
		int rc = mosquitto_loop(b->mosq, 200, 1);
		if (b->refused)
			return cli_fail(
				CLI_DENIED, "%s: %s", url, mosquitto_connack_string(b->refused));
		if (rc)
			return cli_fail(CLI_SILENT, "%s: %s", url, mosquitto_strerror(rc));
		if (b->subscribed)
			return CLI_FINE;
	} while (cli_now_ms() < end);
	return cli_fail(CLI_SILENT, "%s: no answer", url);
}

int
broker_open(struct broker_client **out, const struct broker_options *options,
	const char *const *topics, broker_message_fn take, void *context)
{
	struct address address;
	int code = parse_url(options->url, &address);

	if (code == CLI_FINE && options->topic_root && strpbrk(options->topic_root, "+#"))
		code = cli_fail(CLI_USAGE, "--topic-root: no + and # in it");
	if (code != CLI_FINE)
		return code;
	struct broker_client *b = calloc(1, sizeof *b);
	if (!b)
		return cli_fail(CLI_OTHER, "out of memory");
	*b = (struct broker_client){.topics = topics,
		.root = options->topic_root ? options->topic_root : DEFAULT_ROOT,
		.take = take,
		.context = context};
	mosquitto_lib_init();
	b->mosq = mosquitto_new(NULL, true, b);
	code = b->mosq ? set_up(b, options, &address) : cli_fail(CLI_OTHER, "out of memory");
	if (code == CLI_FINE) {
		int rc = mosquitto_connect(b->mosq, address.host, address.port, KEEPALIVE_S);
		if (rc)
			code = cli_fail(CLI_SILENT, "%s: %s", options->url,
				rc == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(rc));
	}
	if (code == CLI_FINE)
		code = wait_connected(b, options->url);
	if (code == CLI_FINE)
		*out = b;
	else
		broker_close(b);
	return code;
}

int
broker_run(struct broker_client *b, int timeout_ms)
{
	b->messages = 0;
	int rc = mosquitto_loop(b->mosq, timeout_ms, 1);
	if (rc == MOSQ_ERR_SUCCESS)
		return b->messages;
	struct timespec pause = {.tv_sec = RETRY_S};
	if (time(NULL) < b->retry_at)
		nanosleep(&pause, NULL);
	b->retry_at = time(NULL) + RETRY_S;
	mosquitto_reconnect(b->mosq);
	return -1;
}

void
broker_settle(struct broker_client *b)
{
	int64_t end = cli_now_ms() + SETTLE_MS, quiet = cli_now_ms() + QUIET_MS;

	for (int64_t now; (now = cli_now_ms()) < quiet && now < end;)
		if (broker_run(b, (int)(quiet - now)) > 0)
			quiet = cli_now_ms() + QUIET_MS;
}

void
broker_close(struct broker_client *b)
{
	if (!b)
		return;
	mosquitto_disconnect(b->mosq);
	mosquitto_destroy(b->mosq);
	mosquitto_lib_cleanup();
	free(b);
}
