/* SPDX-License-Identifier: MIT */
/* fleet_link.h -- one simulated gateway's connection to its broker, on the reactor's thread
 *
 * MQTT 5 only. Each connection has a libmosquitto handle of its own, as the daemon's have. Nothing
 * here waits, but for name resolution: give an address, or a name that /etc/hosts knows.
 */
#ifndef CLI_SIMULATE_FLEET_LINK_H
#define CLI_SIMULATE_FLEET_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reactor;
struct fleet_link;

struct fleet_link_options {
	const char *user;          /* NULL: anonymous; %p stands for the park, here and below */
	const char *password_file; /* read again for each connection */
	const char *ca_file;       /* NULL: the system's directory */
};

/* Called on the reactor's thread, never from inside another function of this header. */
struct fleet_link_ops {
	void (*up)(void *arg, unsigned receive_maximum);
	/* The connection ended, or could not be made: with a code of CONNACK or DISCONNECT, or 0.
	 */
	void (*down)(void *arg, int reason, const char *why);
	/* `mid` was acknowledged; code below 0x80: accepted. */
	void (*acked)(void *arg, int mid, int code);
	void (*message)(void *arg, const char *topic, const char *payload, size_t len);
	/* After any number of the last two: more may be published. */
	void (*ready)(void *arg);
	void *arg;
};

/* Strings are borrowed. NULL: no memory. */
struct fleet_link *fleet_link_create(struct reactor *reactor,
	const struct fleet_link_options *options, const char *park, const char *client_id,
	const char *will_topic, const struct fleet_link_ops *ops);
void fleet_link_destroy(struct fleet_link *l); /* as fleet_link_drop(); NULL is fine */
/* Begins a connection; up() or down() tells what became of it, within 10 s. NULL, or why it could
 * not even begin, which needs no down(). */
const char *fleet_link_connect(struct fleet_link *l, const char *url);
/* Ends it with a DISCONNECT; without one, so that the broker publishes the will. No down(). */
void fleet_link_close(struct fleet_link *l);
void fleet_link_drop(struct fleet_link *l);
bool fleet_link_is_up(const struct fleet_link *l);
/* QoS 1. The id that acked() will name, or -1: the connection is about to end. */
int fleet_link_publish(struct fleet_link *l, const char *topic, const char *payload, size_t len,
	bool retain, bool json);
void fleet_link_subscribe(struct fleet_link *l, const char *filter);
void fleet_link_unsubscribe(struct fleet_link *l, const char *filter);
/* Once a second: keep-alive and time-outs. */
void fleet_link_tick(struct fleet_link *l, int64_t now_us);

#endif
