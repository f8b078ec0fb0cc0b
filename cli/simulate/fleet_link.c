/* SPDX-License-Identifier: MIT */
/* fleet_link.c -- connections of a simulated fleet: hundreds of libmosquitto handles on one epoll
 *
 * libmosquitto 2.0.11 in a loop of somebody else's, as measured: only mosquitto_loop_read() drives
 * a TLS handshake, though want_write() asks for the other (eclipse/mosquitto#1507), and a refused
 * connect is taken for "try later" under TLS, its error being used up by then (#2421). So until the
 * CONNACK a hang-up ends it, writability is waited for once, and each event reads and then writes.
 * Its socket may be closed inside of any call, so it is asked for after each. It tries only the
 * first address of a name that does not fail at once.
 */
#include "cli/simulate/fleet_link.h"

#include <errno.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "cli/broker_url.h"
#include "cli/cli.h"
#include "cli/secret.h"
#include "cli/simulate/reactor.h"

#define ANSWER_US 10000000 /* from connect(2) to CONNACK, as the daemon's */

enum { KEEPALIVE_S = 30, REFUSED = 0x80, PATH_SIZE = 4096 };

struct fleet_link {
	struct watch watch; /* first: it is its address */
	struct reactor *reactor;
	const struct fleet_link_options *options;
	const char *park, *client_id, *will_topic;
	struct fleet_link_ops ops;
	struct mosquitto *mosq; /* NULL: no connection */
	mosquitto_property *json;
	int64_t answer_by_us;
	bool reached;  /* the TCP connection is there */
	bool answered; /* CONNACK came */
	bool up, told; /* and said yes; up() was called */
	bool busy;     /* since the last ready() something was acknowledged or came */
	bool writing;  /* EPOLLOUT is asked for */
	int reason;
	uint16_t receive_maximum;
};

/* ---- callbacks, from inside of mosquitto_loop_read() --------------------------------------- */

static void
on_connect(struct mosquitto *mosq, void *arg, int code, int flags, const mosquitto_property *p)
{
	struct fleet_link *l = arg;

	(void)mosq;
	(void)flags;
	l->answered = true;
	l->up = code == 0;
	l->reason = code;
	l->receive_maximum = UINT16_MAX;
	mosquitto_property_read_int16(p, MQTT_PROP_RECEIVE_MAXIMUM, &l->receive_maximum, false);
}

static void
on_disconnect(struct mosquitto *mosq, void *arg, int code, const mosquitto_property *p)
{
	struct fleet_link *l = arg;

	(void)mosq;
	(void)p;
	if (code >= REFUSED) /* below it is an error of the library */
		l->reason = code;
}

static void
on_publish(struct mosquitto *mosq, void *arg, int mid, int code, const mosquitto_property *p)
{
	struct fleet_link *l = arg;

	(void)mosq;
	(void)p;
	l->busy = true;
	l->ops.acked(l->ops.arg, mid, code);
}

static void
on_message(struct mosquitto *mosq, void *arg, const struct mosquitto_message *m)
{
	struct fleet_link *l = arg;

	(void)mosq;
	l->busy = true;
	l->ops.message(l->ops.arg, m->topic, m->payload ? m->payload : "", (size_t)m->payloadlen);
}

/* ---- the end of a connection ---------------------------------------------------------------- */

static void
forget(struct fleet_link *l)
{
	/* A closed one has left epoll by itself, and its number may be another's by now. */
	if (l->watch.fd >= 0 && mosquitto_socket(l->mosq) >= 0)
		reactor_unwatch(l->reactor, &l->watch);
	l->watch.fd = -1;
	mosquitto_destroy(l->mosq);
	l->mosq = NULL;
	l->up = l->told = false;
}

static void
fail(struct fleet_link *l, int rc)
{
	int reason = l->reason;
	const char *why = reason >= REFUSED        ? mosquitto_reason_string(reason)
			  : rc == MOSQ_ERR_ERRNO   ? strerror(errno)
			  : rc == MOSQ_ERR_SUCCESS ? "connection lost"
						   : mosquitto_strerror(rc);

	forget(l);
	l->ops.down(l->ops.arg, reason, why);
}

/* ---- the socket ----------------------------------------------------------------------------- */

/* Asks for EPOLLOUT when there is something to write. False: the socket is gone. */
static bool
look(struct fleet_link *l)
{
	if (mosquitto_socket(l->mosq) < 0) {
		l->watch.fd = -1;
		return false;
	}
	bool writing = l->answered ? mosquitto_want_write(l->mosq) : !l->reached;
	if (writing != l->writing)
		reactor_change(l->reactor, &l->watch, EPOLLIN | (writing ? EPOLLOUT : 0));
	l->writing = writing;
	return true;
}

/* What became of it: told once all of libmosquitto's callbacks have returned. */
static void
tell(struct fleet_link *l)
{
	if (l->up && !l->told) {
		l->told = true;
		l->ops.up(l->ops.arg, l->receive_maximum);
	}
	if (l->busy && l->up) {
		l->busy = false;
		l->ops.ready(l->ops.arg);
	}
}

static void
on_ready(struct watch *w, uint32_t events)
{
	struct fleet_link *l = (struct fleet_link *)w;
	bool gone = events & (EPOLLERR | EPOLLHUP);
	int rc = MOSQ_ERR_SUCCESS;

	l->reached = true;
	if (!l->answered || gone || events & EPOLLIN)
		rc = mosquitto_loop_read(l->mosq, 1);
	if (rc == MOSQ_ERR_SUCCESS && !l->up && (l->answered || gone))
		rc = MOSQ_ERR_CONN_REFUSED;
	if (rc == MOSQ_ERR_SUCCESS)
		tell(l);
	if (!l->mosq) /* it was what its owner had waited for */
		return;
	if (rc == MOSQ_ERR_SUCCESS && mosquitto_want_write(l->mosq))
		rc = mosquitto_loop_write(l->mosq, 1);
	if (!look(l) || rc != MOSQ_ERR_SUCCESS)
		fail(l, rc);
}

/* ---- the beginning -------------------------------------------------------------------------- */

/* %p in a pattern is the park. */
static const char *
expand(const struct fleet_link *l, const char *pattern, char buf[PATH_SIZE])
{
	const char *at = strstr(pattern, "%p");

	if (!at)
		return pattern;
	snprintf(buf, PATH_SIZE, "%.*s%s%s", (int)(at - pattern), pattern, l->park, at + 2);
	return buf;
}

static const char *
use_password(struct fleet_link *l)
{
	char password[SECRET_SIZE], file[PATH_SIZE], user[PATH_SIZE];

	if (!l->options->user)
		return NULL;
	int rc = l->options->password_file
			 ? secret_read(expand(l, l->options->password_file, file), NULL, password)
			 : 0;
	if (rc < 0)
		return "the password file cannot be read";
	rc = mosquitto_username_pw_set(
		l->mosq, expand(l, l->options->user, user), rc ? password : NULL);
	explicit_bzero(password, sizeof password);
	return rc ? "this user name or password cannot be sent" : NULL;
}

static const char *
make_handle(struct fleet_link *l, bool tls)
{
	const char *ca = l->options->ca_file;

	l->mosq = mosquitto_new(l->client_id, true, l);
	if (!l->mosq)
		return "out of memory";
	mosquitto_int_option(l->mosq, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
	mosquitto_int_option(l->mosq, MOSQ_OPT_TCP_NODELAY, 1);
	mosquitto_connect_v5_callback_set(l->mosq, on_connect);
	mosquitto_disconnect_v5_callback_set(l->mosq, on_disconnect);
	mosquitto_publish_v5_callback_set(l->mosq, on_publish);
	mosquitto_message_callback_set(l->mosq, on_message);
	mosquitto_will_set_v5(l->mosq, l->will_topic, 7, "offline", 1, true, NULL);
	if (tls && mosquitto_tls_set(l->mosq, ca, ca ? NULL : "/etc/ssl/certs", NULL, NULL, NULL))
		return "--ca-file cannot be read";
	return use_password(l);
}

const char *
fleet_link_connect(struct fleet_link *l, const char *text)
{
	struct broker_url url;

	if (broker_url_parse(text, &url) != CLI_FINE)
		return "not a broker's URL";
	l->reached = l->answered = l->up = l->told = l->busy = false;
	l->reason = 0;
	const char *wrong = make_handle(l, url.tls);
	if (!wrong) {
		int rc = mosquitto_connect_async(l->mosq, url.host, url.port, KEEPALIVE_S);
		l->watch.fd = mosquitto_socket(l->mosq);
		if (l->watch.fd < 0)
			wrong = rc == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(rc);
	}
	if (!wrong && reactor_watch(l->reactor, &l->watch, EPOLLIN | EPOLLOUT))
		wrong = "no watch for its socket";
	if (wrong && l->mosq)
		forget(l);
	l->writing = true;
	l->answer_by_us = reactor_now_us() + ANSWER_US;
	return wrong;
}

/* ---- while it is up ------------------------------------------------------------------------- */

bool
fleet_link_is_up(const struct fleet_link *l)
{
	return l->told;
}

int
fleet_link_publish(struct fleet_link *l, const char *topic, const char *payload, size_t len,
	bool retain, bool json)
{
	int mid = -1;

	if (!l->told || mosquitto_socket(l->mosq) < 0)
		return -1;
	int rc = mosquitto_publish_v5(l->mosq, &mid, topic, (int)len, len ? payload : NULL, 1,
		retain, json ? l->json : NULL);
	look(l);
	return rc == MOSQ_ERR_SUCCESS ? mid : -1;
}

void
fleet_link_subscribe(struct fleet_link *l, const char *filter)
{
	if (l->told)
		mosquitto_subscribe(l->mosq, NULL, filter, 1);
}

void
fleet_link_unsubscribe(struct fleet_link *l, const char *filter)
{
	if (l->told)
		mosquitto_unsubscribe(l->mosq, NULL, filter);
}

void
fleet_link_tick(struct fleet_link *l, int64_t now_us)
{
	if (!l->mosq)
		return;
	int rc = mosquitto_loop_misc(l->mosq);
	if (!l->told && now_us > l->answer_by_us)
		rc = MOSQ_ERR_CONN_LOST;
	if (!look(l) || rc != MOSQ_ERR_SUCCESS)
		fail(l, rc);
}

/* ---- life ----------------------------------------------------------------------------------- */

struct fleet_link *
fleet_link_create(struct reactor *reactor, const struct fleet_link_options *options,
	const char *park, const char *client_id, const char *will_topic,
	const struct fleet_link_ops *ops)
{
	struct fleet_link *l = calloc(1, sizeof *l);

	if (!l)
		return NULL;
	*l = (struct fleet_link){.watch = {-1, on_ready},
		.reactor = reactor,
		.options = options,
		.park = park,
		.client_id = client_id,
		.will_topic = will_topic,
		.ops = *ops};
	mosquitto_lib_init(); /* counts */
	mosquitto_property_add_byte(&l->json, MQTT_PROP_PAYLOAD_FORMAT_INDICATOR, 1);
	mosquitto_property_add_string(&l->json, MQTT_PROP_CONTENT_TYPE, "application/json");
	return l;
}

void
fleet_link_close(struct fleet_link *l)
{
	if (l->told)
		mosquitto_disconnect(l->mosq);
	if (l->mosq)
		forget(l);
}

void
fleet_link_drop(struct fleet_link *l)
{
	if (l->mosq)
		forget(l);
}

void
fleet_link_destroy(struct fleet_link *l)
{
	if (!l)
		return;
	fleet_link_drop(l);
	mosquitto_property_free_all(&l->json);
	mosquitto_lib_cleanup();
	free(l);
}
