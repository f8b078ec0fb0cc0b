/* SPDX-License-Identifier: MIT */
/* reactor.c -- the simulator's one thread: descriptors, timers and the signal that ends it */
#include "cli/simulate/reactor.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64 };

struct reactor {
	int epoll;
	bool stop;
	struct watch clock, signals;
	struct timer **heap; /* heap[1] is the earliest; heap[0] is not used */
	size_t n, cap;
	int64_t armed_us; /* what the timerfd is set to, 0: off */
	void **graves;
	size_t n_graves, cap_graves;
};

int64_t
reactor_now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* ---- timers: a binary heap ----------------------------------------------------------------- */

static void
place(struct reactor *l, size_t slot, struct timer *t)
{
	l->heap[slot] = t;
	t->slot = slot;
}

static void
sift_up(struct reactor *l, size_t slot, struct timer *t)
{
	for (; slot > 1 && l->heap[slot / 2]->at_us > t->at_us; slot /= 2)
		place(l, slot, l->heap[slot / 2]);
	place(l, slot, t);
}

static void
sift_down(struct reactor *l, size_t slot, struct timer *t)
{
	for (;;) {
		size_t child = slot * 2;
		if (child > l->n)
			break;
		if (child < l->n && l->heap[child + 1]->at_us < l->heap[child]->at_us)
			child++;
		if (l->heap[child]->at_us >= t->at_us)
			break;
		place(l, slot, l->heap[child]);
		slot = child;
	}
	place(l, slot, t);
}

void
reactor_disarm(struct reactor *l, struct timer *t)
{
	size_t slot = t->slot;

	if (!slot)
		return;
	t->slot = 0;
	struct timer *last = l->heap[l->n--];
	if (last == t)
		return;
	if (slot > 1 && l->heap[slot / 2]->at_us > last->at_us)
		sift_up(l, slot, last);
	else
		sift_down(l, slot, last);
}

int
reactor_arm(struct reactor *l, struct timer *t, int64_t at_us)
{
	reactor_disarm(l, t);
	if (l->n + 2 > l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 64;
		struct timer **heap = realloc(l->heap, cap * sizeof *heap);
		if (!heap)
			return -ENOMEM;
		l->heap = heap;
		l->cap = cap;
	}
	t->at_us = at_us;
	sift_up(l, ++l->n, t);
	return 0;
}

static void
set_clock(struct reactor *l)
{
	int64_t at = l->n ? l->heap[1]->at_us : 0;

	if (at == l->armed_us)
		return;
	struct itimerspec spec = {
		.it_value = {.tv_sec = at / 1000000, .tv_nsec = at % 1000000 * 1000}};
	timerfd_settime(l->clock.fd, TFD_TIMER_ABSTIME, &spec, NULL);
	l->armed_us = at;
}

static void
fire_due(struct reactor *l)
{
	if (!l->n)
		return;
	int64_t now = reactor_now_us();
	while (l->n && l->heap[1]->at_us <= now) {
		struct timer *t = l->heap[1];
		reactor_disarm(l, t);
		t->fire(t);
	}
}

/* ---- descriptors --------------------------------------------------------------------------- */

int
reactor_watch(struct reactor *l, struct watch *w, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = w};

	return epoll_ctl(l->epoll, EPOLL_CTL_ADD, w->fd, &ev) ? -errno : 0;
}

void
reactor_change(struct reactor *l, struct watch *w, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = w};

	epoll_ctl(l->epoll, EPOLL_CTL_MOD, w->fd, &ev);
}

void
reactor_unwatch(struct reactor *l, struct watch *w)
{
	epoll_ctl(l->epoll, EPOLL_CTL_DEL, w->fd, NULL);
}

void
reactor_close(struct reactor *l, struct watch *w)
{
	if (w->fd < 0)
		return;
	epoll_ctl(l->epoll, EPOLL_CTL_DEL, w->fd, NULL);
	close(w->fd);
	w->fd = -1;
}

void
reactor_free_later(struct reactor *l, void *p)
{
	if (l->n_graves == l->cap_graves) {
		size_t cap = l->cap_graves ? l->cap_graves * 2 : 16;
		void **graves = realloc(l->graves, cap * sizeof *graves);
		if (!graves)
			return; /* rather lose the memory than free what an event still names */
		l->graves = graves;
		l->cap_graves = cap;
	}
	l->graves[l->n_graves++] = p;
}

static void
bury(struct reactor *l)
{
	while (l->n_graves)
		free(l->graves[--l->n_graves]);
}

static void
on_clock(struct watch *w, uint32_t events)
{
	struct reactor *l = (struct reactor *)((char *)w - offsetof(struct reactor, clock));
	uint64_t ticks;

	(void)events;
	if (read(w->fd, &ticks, sizeof ticks) > 0)
		l->armed_us = 0;
}

static void
on_signal(struct watch *w, uint32_t events)
{
	struct reactor *l = (struct reactor *)((char *)w - offsetof(struct reactor, signals));
	struct signalfd_siginfo info;

	(void)events;
	if (read(w->fd, &info, sizeof info) > 0)
		l->stop = true;
}

struct reactor *
reactor_create(void)
{
	struct reactor *l = calloc(1, sizeof *l);
	sigset_t ends;

	if (!l)
		return NULL;
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	signal(SIGPIPE, SIG_IGN);
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->clock = (struct watch){
		timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), on_clock};
	l->signals = (struct watch){signalfd(-1, &ends, SFD_NONBLOCK | SFD_CLOEXEC), on_signal};
	if (l->epoll < 0 || l->clock.fd < 0 || l->signals.fd < 0 ||
		reactor_watch(l, &l->clock, EPOLLIN) || reactor_watch(l, &l->signals, EPOLLIN)) {
		reactor_destroy(l);
		return NULL;
	}
	return l;
}

void
reactor_destroy(struct reactor *l)
{
	if (!l)
		return;
	bury(l);
	reactor_close(l, &l->clock);
	reactor_close(l, &l->signals);
	if (l->epoll >= 0)
		close(l->epoll);
	free(l->heap);
	free(l->graves);
	free(l);
}

void
reactor_stop(struct reactor *l)
{
	l->stop = true;
}

int
reactor_run(struct reactor *l)
{
	struct epoll_event events[BATCH];

	l->stop = false;
	while (!l->stop) {
		set_clock(l);
		int n = epoll_wait(l->epoll, events, BATCH, -1);
		if (n < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < n; i++) {
			struct watch *w = events[i].data.ptr;
			if (w->fd >= 0)
				w->ready(w, events[i].events);
		}
		fire_due(l);
		bury(l);
	}
	return 0;
}
