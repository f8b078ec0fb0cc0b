/* SPDX-License-Identifier: MIT */
/* loop.h -- the simulator's one thread: descriptors, timers and the signal that ends it
 *
 * epoll and one timerfd, so that a thousand servers cost no more than the traffic they have.
 */
#ifndef CLI_SIMULATE_LOOP_H
#define CLI_SIMULATE_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;

/* Embedded in whatever waits for a descriptor; fd -1: none. */
struct watch {
	int fd;
	void (*ready)(struct watch *w, uint32_t events);
};

/* Embedded in whatever waits for a moment. Zeroed: not armed. */
struct timer {
	int64_t at_us;
	size_t slot; /* the loop's: place in the heap, 0 if not armed */
	void (*fire)(struct timer *t);
};

struct loop *loop_create(void); /* NULL: see errno */
void loop_destroy(struct loop *l);
/* Runs until SIGTERM, SIGINT or loop_stop(). 0 or -errno. */
int loop_run(struct loop *l);
void loop_stop(struct loop *l);

int loop_watch(struct loop *l, struct watch *w, uint32_t events);
/* Forgets and closes the descriptor; events already fetched for it are dropped. */
void loop_close(struct loop *l, struct watch *w);
/* Frees p after the events of this round are done: for structures that hold a watch. */
void loop_free_later(struct loop *l, void *p);

int64_t loop_now_us(void);                                    /* CLOCK_MONOTONIC */
int loop_arm(struct loop *l, struct timer *t, int64_t at_us); /* 0 or -ENOMEM */
void loop_disarm(struct loop *l, struct timer *t);

#endif
