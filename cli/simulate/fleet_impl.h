/* SPDX-License-Identifier: MIT */
/* fleet_impl.h -- the gateways of a simulated fleet, from inside; for fleet*.c only
 *
 * One thread. Each gateway polls its machines in turn (fleet_follow.c), remembers what must arrive
 * (fleet_queue.c) and publishes in the daemon's order (fleet_send.c).
 */
#ifndef CLI_SIMULATE_FLEET_IMPL_H
#define CLI_SIMULATE_FLEET_IMPL_H

#include "cli/simulate/fleet.h"
#include "cli/simulate/fleet_link.h"
#include "cli/simulate/fleet_payload.h"
#include "cli/simulate/fleet_rules.h"
#include "cli/simulate/reactor.h"

enum {
	FLEET_WINDOW = 16,   /* messages without PUBACK, as mqtt.window */
	FLEET_LIVE = 256,    /* of telemetry that waits; what is more becomes history */
	FLEET_RUNS = 8,      /* outages of one machine that are remembered; the oldest is lost */
	FLEET_EVENTS = 65536 /* events of one gateway that wait; what is more does not happen */
};

struct json; /* config/json.h */

enum fleet_lane { FLEET_PICTURE, FLEET_EVENT, FLEET_LIVE_LANE, FLEET_HISTORY, FLEET_LANES };

struct fleet_record {
	int64_t t_ms;
	uint64_t seq;
	uint16_t machine;
};

struct fleet_flight {
	int mid;
	enum fleet_lane lane;
	struct fleet_record record; /* of live telemetry; of history its first */
	uint32_t count;             /* of history */
	uint64_t event;             /* its place in the queue, counted since the start */
	int64_t sent_us;
};

struct fleet_backlog {
	struct fleet_run runs[FLEET_RUNS];
	unsigned n;
};

struct fleet_events {
	struct fleet_event *ring;
	size_t cap;                /* a power of two */
	uint64_t first, next, end; /* not acknowledged; to be sent; to be filled */
};

struct fleet_stray {
	struct fleet_stray *next;
	char topic[];
};

struct fleet_gateway {
	struct fleet *fleet;
	struct fleet_link *link;
	struct fleet_names names;
	char park[16], epoch[9], client_id[32], will[160], error[80];
	struct fleet_machine *machines;
	struct fleet_backlog *backlogs;
	size_t n;
	uint64_t random, drawn, polls, gap_seq; /* random: a seed, and how often it was drawn */
	uint64_t turns;                         /* of the polls: machine turns % n */
	struct timer poll, second, connect;
	int64_t spacing_us, first_us;

	unsigned url, round, attempt, window; /* round: nodes that were tried in this one */
	int64_t up_since_us, up_since_ms, lookout_until_us, health_us;
	uint64_t reconnects, evicted;
	bool killed;        /* it is as if its power was cut */
	bool leaving, left; /* it says `offline`; that has been acknowledged */

	unsigned dirty;         /* its own retained topics, as bits of fleet_send.c */
	size_t n_dirty, cursor; /* machines with a dirty topic; whose turn it is */
	bool burst;             /* what is so now goes before all else, after a connect */
	struct fleet_stray *strays;
	struct fleet_flight flights[FLEET_WINDOW];
	unsigned n_flights, turn;
	struct fleet_record live[FLEET_LIVE];
	size_t live_first, n_live;
	struct fleet_events events;
	struct fleet_pace pace;
	size_t waiting, history_turn; /* records of history; whose turn it is */
	bool history_flies;
	int64_t history_from_us;
};

enum fleet_topic {
	FLEET_AVAILABILITY,
	FLEET_INFO,
	FLEET_SHOWN_STATE,
	FLEET_USAGE,
	FLEET_ALARM, /* and FLEET_ALARMS - 1 behind it */
	FLEET_TOPICS = FLEET_ALARM + FLEET_ALARMS
};

struct fleet {
	const struct fleet_options *options;
	struct reactor *reactor;
	int64_t started_us, started_ms;
	struct fleet_gateway **gateways;
	size_t n;
	struct fleet_stats stats;
	struct timer second, end;
	struct watch commands;
	size_t line_len;
	char line[256]; /* of a command, as far as it came */
	char scratch[72 * 1024];
};

/* fleet_say.c: lines of standard output, and the time in them. */
int64_t fleet_wall_ms(void);
void fleet_say(struct json *j); /* an object that is open still */
void fleet_say_stats(struct fleet *f);
void fleet_say_published(struct fleet_gateway *g, size_t machine, size_t alarm, int64_t asked_ms);

/* fleet_gateway.c */
struct fleet_gateway *fleet_gateway_create(struct fleet *f, size_t k);
void fleet_gateway_destroy(struct fleet_gateway *g);
void fleet_gateway_kill(struct fleet_gateway *g);   /* as a power cut does: the broker says it */
void fleet_gateway_revive(struct fleet_gateway *g); /* with the same numbers and backlog */
void fleet_gateway_leave(struct fleet_gateway *g);  /* a clean stop: `offline`, DISCONNECT */

/* fleet_follow.c: t_ms is of the poll, since the start. */
void fleet_follow_start(struct fleet_gateway *g, size_t machine);
void fleet_follow(struct fleet_gateway *g, size_t machine, int64_t t_ms);
/* What somebody ordered counts from now, not from the next poll. */
void fleet_follow_orders(struct fleet_gateway *g, size_t machine);

/* fleet_queue.c */
void fleet_mark(struct fleet_gateway *g, size_t machine, enum fleet_topic topic);
void fleet_queue_event(struct fleet_gateway *g, const struct fleet_event *e);
void fleet_queue_live(struct fleet_gateway *g, const struct fleet_record *r);
/* Telemetry that waits since before t_ms becomes history. */
void fleet_queue_age(struct fleet_gateway *g, int64_t t_ms);
void fleet_queue_owe(struct fleet_gateway *g, const struct fleet_record *r);
void fleet_queue_paid(struct fleet_gateway *g, const struct fleet_flight *flight);
void fleet_events_acknowledged(struct fleet_events *q, uint64_t place);
/* The connection is gone: what was under way has to go again. */
void fleet_queue_return(struct fleet_gateway *g);
int64_t fleet_queue_oldest_ms(const struct fleet_gateway *g); /* wall time; 0: nothing waits */

/* fleet_send.c */
void fleet_send_all(struct fleet_gateway *g); /* after a connect: every picture is old */
void fleet_send(struct fleet_gateway *g);
void fleet_send_health(struct fleet_gateway *g);
void fleet_send_availability(struct fleet_gateway *g);
void fleet_send_acknowledged(struct fleet_gateway *g, int mid, int code);
/* "parks/PARK/LEAF". */
const char *fleet_path(const struct fleet_gateway *g, char *buf, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* fleet_command.c: lines of standard input. */
int fleet_command_start(struct fleet *f);

#endif
