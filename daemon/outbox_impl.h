/* SPDX-License-Identifier: MIT */
/* outbox_impl.h -- the outbox's memory and queues; for outbox.c and outbox_queue.c only */
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

#endif
