/* SPDX-License-Identifier: MIT */
/* reactor.h -- the simulator's one thread: descriptors, timers and the signal that ends it
 *
 * epoll and one timerfd, so that a thousand servers cost no more than the traffic they have.
 */
#ifndef CLI_SIMULATE_REACTOR_H
#define CLI_SIMULATE_REACTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reactor;

/* Embedded in whatever waits for a descriptor; fd -1: none. */
struct watch {
	int fd;
	void (*ready)(struct watch *w, uint32_t events);
};

/* Embedded in whatever waits for a moment. Zeroed: not armed. */
struct timer {
	int64_t at_us;
	size_t slot; /* the reactor's: place in the heap, 0 if not armed */
	void (*fire)(struct timer *t);
};

struct reactor *reactor_create(void); /* NULL: see errno */
void reactor_destroy(struct reactor *l);
/* Runs until SIGTERM, SIGINT or reactor_stop(). 0 or -errno. May be called again. */
int reactor_run(struct reactor *l);
void reactor_stop(struct reactor *l);

int reactor_watch(struct reactor *l, struct watch *w, uint32_t events);
void reactor_change(
	struct reactor *l, struct watch *w, uint32_t events); /* of one that is watched */
void reactor_unwatch(struct reactor *l, struct watch *w);     /* and leaves it open */
/* Forgets and closes the descriptor; events already fetched for it are dropped. */
void reactor_close(struct reactor *l, struct watch *w);
/* Frees p after the events of this round are done: for structures that hold a watch. */
void reactor_free_later(struct reactor *l, void *p);

int64_t reactor_now_us(void);                                       /* CLOCK_MONOTONIC */
int reactor_arm(struct reactor *l, struct timer *t, int64_t at_us); /* 0 or -ENOMEM */
void reactor_disarm(struct reactor *l, struct timer *t);

#endif
