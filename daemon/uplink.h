/* SPDX-License-Identifier: MIT */
/* uplink.h -- the thread that talks to the broker
 *
 * Nobody else calls libmosquitto, and the thread blocks only in poll(2), in connect(2) and in
 * name resolution. Each connection gets a handle of its own, because libmosquitto 2.0.11 keeps
 * maximum packet size, QoS and keepalive of one CONNACK for the next connection. Messages that
 * were on their way when a connection ended come back as RESULT_UNSENT, then UPLINK_DOWN follows.
 *
 * Functions are called on the loop thread.
 */
#ifndef DAEMON_UPLINK_H
#define DAEMON_UPLINK_H

#include <stdatomic.h>

#include "config/config.h"
#include "daemon/mailbox.h"
#include "daemon/message.h"

enum uplink_event_kind { UPLINK_UP, UPLINK_DOWN, UPLINK_INBOUND };

struct uplink_event { /* MAIL_UPLINK; freed with uplink_event_free() */
	struct mail mail;
	enum uplink_event_kind kind;
	char broker[288];         /* UP, DOWN: "host:port" */
	int protocol;             /* UP: 5 or 4 (3.1.1) */
	unsigned receive_maximum; /* UP: 65535 if the broker did not say */
	bool retain_available;    /* UP */
	char error[128];          /* DOWN: why, in words */
	int reason;               /* DOWN: the broker's code for that; 0: none */
	bool retain;              /* INBOUND */
	char *topic, *payload;    /* INBOUND; payload is NUL-terminated, length `len` */
	size_t len;
	atomic_int *waiting; /* INBOUND: how many of them wait for the loop */
};

struct uplink_will {
	const char *topic, *payload; /* QoS 1, retained */
};

struct uplink;

/* Copies `mqtt`; the will's strings must outlive it. NULL: out of memory. */
struct uplink *uplink_create(
	const struct mqtt_config *mqtt, const struct uplink_will *will, struct mailbox *inbox);
/* After a reload: does nothing if `mqtt` says the same as before, else reconnects with it. */
void uplink_update(struct uplink *u, const struct mqtt_config *mqtt);
int uplink_start(struct uplink *u); /* 0 or -errno */
/* Lends it a message with the next uplink_flush(); it comes back as MAIL_MESSAGE. */
void uplink_send(struct uplink *u, struct message *m);
/* All messages since the last time, for one wake-up of the thread. */
void uplink_flush(struct uplink *u);
/* QoS 1; also wildcards. For this connection only: to be repeated after each UPLINK_UP. */
void uplink_subscribe(struct uplink *u, const char *filter);
void uplink_unsubscribe(struct uplink *u, const char *filter);
/* Ends the connection and makes a new one. */
void uplink_reconnect(struct uplink *u);
/* When the thread will be heard of again at the latest (CLOCK_MONOTONIC, microseconds). */
int64_t uplink_due_us(const struct uplink *u);
/* DISCONNECT, then the end of the thread; joins until `deadline_us`. false: it hangs in connect
 * or name resolution; u must not be destroyed then. */
bool uplink_stop(struct uplink *u, int64_t deadline_us);
void uplink_destroy(struct uplink *u); /* after uplink_stop(); NULL is fine */
void uplink_event_free(struct uplink_event *e);

#endif
