/* SPDX-License-Identifier: MIT */
/* uplink_impl.h -- the inside of the uplink; for uplink.c (which broker, when, and the way to and
 * from the loop) and connection.c (one connection) only
 */
#ifndef DAEMON_UPLINK_IMPL_H
#define DAEMON_UPLINK_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "daemon/uplink.h"

#define FLIGHT_MAX 1024
#define UPLINK_PROMISE_US 10000000LL

/* As on the wire: the protocol level of CONNECT. */
enum { PROTOCOL_LEVEL_311 = 4, PROTOCOL_LEVEL_5 = 5 };

struct command {
	struct command *next;
	bool subscribe;
	char filter[];
};

/* What is known of one broker of the list. */
struct node {
	int protocol; /* PROTOCOL_LEVEL_5 or _311; 0: not chosen yet */
	bool v5_accepted;
	bool refused_version;   /* by its last CONNACK */
	unsigned silent_closes; /* in a row: closed by it before any CONNACK */
	int64_t since_us;       /* this protocol */
	uint32_t too_long;      /* payloads from this length on are not for it; 0: not known */
};

struct uplink {
	struct mqtt_config *mqtt; /* a copy of its own */
	struct uplink_will will;
	struct mailbox *inbox; /* the loop's */
	struct mailbox outgoing;
	struct mail_batch unsent; /* the loop's: to be posted to `outgoing` */
	int wake_fd;
	pthread_t thread;
	bool running;
	atomic_bool stop, reconnect;
	atomic_llong due_us; /* see uplink_promise() */
	atomic_int inbound;
	pthread_mutex_t lock;
	struct command *commands;    /* under lock */
	struct mqtt_config *renewed; /* under lock: to be used from the next connection on */

	/* the thread's own */
	struct mail_batch home; /* to be posted to `inbox` before anything blocks */
	struct mosquitto *mosq;
	struct mqtt5__property *properties; /* content type and format of JSON */
	struct flight {
		int mid;
		struct message *message;
	} flights[FLIGHT_MAX];
	unsigned n_flights;
	struct node *nodes; /* one per broker */
	struct node *node;  /* the one in use */
	unsigned broker, attempt;
	bool up, connack_seen;
	int reason; /* that ended the connection or refused it; 0: none */
	int64_t up_since_us;
	char error[128];
};

/* ---- uplink.c ---- */
/* The thread will be heard of again within so long. */
void uplink_promise(struct uplink *u, int64_t within_us);
struct uplink_event *uplink_event_new(struct uplink *u, enum uplink_event_kind kind);
void uplink_give_back(struct uplink *u, struct message *m, enum message_result result, int reason);

/* ---- connection.c; all on the uplink's thread but the first and the last ---- */
void connection_setup(struct uplink *u);
/* Connects to the node in use, serves until the connection ends, and takes everything back that
 * was on its way. u->error and u->reason say why it ended. */
void connection_run(struct uplink *u);
/* Publishes what waits; while there is no connection it goes back unsent. 0 or a MOSQ_ERR_ code. */
int connection_publish(struct uplink *u);
/* Subscribes and unsubscribes as asked; while there is no connection that is forgotten. */
void connection_commands(struct uplink *u);
void connection_teardown(struct uplink *u);

#endif
