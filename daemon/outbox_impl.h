/* SPDX-License-Identifier: MIT */
/* outbox_impl.h -- the outbox's memory and queues; for outbox*.c only */
#ifndef DAEMON_OUTBOX_IMPL_H
#define DAEMON_OUTBOX_IMPL_H

#include "daemon/outbox.h"

#define SIZE_CLASSES 13 /* up to 1 MiB */
#define SIZE_MIN 256u

struct queue {
	struct message *first, **last;
	size_t n, bytes;
	int64_t newest; /* the highest number that was put in since it was empty */
};

struct pool {
	struct message *free[SIZE_CLASSES]; /* SIZE_MIN << class */
};

/* NULL: too long, or no memory. */
struct message *pool_take(struct pool *p, size_t len);
void pool_give(struct pool *p, struct message *m);
void pool_finish(struct pool *p);

void queue_init(struct queue *q);
void queue_append(struct queue *q, struct message *m);
/* Where its number puts it: before all higher ones. */
void queue_insert(struct queue *q, struct message *m);
struct message *queue_pop(struct queue *q);
struct message *queue_take_out(struct queue *q, struct message **at); /* *at becomes the next */
void queue_free(struct queue *q);

/* ---- the outbox ---- */
struct lane {
	struct queue waiting;
	size_t bytes, max_bytes, in_flight; /* bytes: parked ones included */
	int64_t paused_until_us;
	int64_t quota_until_us, pause_us; /* the broker's quota: until then, and how long */
};

struct parked { /* a topic that the broker does not take for a while */
	struct parked *next;
	const char *topic;
	enum message_lane lane;
	int64_t until_us;
	struct queue waiting;
};

struct outbox {
	struct outbox_ops ops;
	bool connected;
	unsigned window, in_flight, turn;
	uint64_t gathering, written;
	int64_t events_upto;
	bool events_anyway;
	struct lane lanes[LANE_COUNT]; /* LANE_RETAINED's queue is not used: see changed */
	struct parked *parked;
	struct queue flying;
	struct retained *all, **all_last;         /* in order of outbox_add() */
	struct retained *changed, **changed_last; /* dirty ones, in order */
	size_t burst; /* retained topics to be sent before anything else */
	struct pool pool;
	uint64_t published, acknowledged, refused;
	char *render_buf;
};

#endif
