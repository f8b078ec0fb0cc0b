/* SPDX-License-Identifier: MIT */
/* loop.c -- libuv behind plain functions */
#include "daemon/loop.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#define UNSENT_MAX (4u * 1024 * 1024)

struct watch { /* a timer, a signal or a descriptor */
	union {
		uv_handle_t handle;
		uv_timer_t timer;
		uv_signal_t signal;
		uv_poll_t poll;
	} uv;
	struct watch *next;
	void (*plain)(void *arg);
	void (*with_signal)(void *arg, int signum);
	void *arg;
	int fd; /* of a poll handle, else -1 */
};

struct loop {
	uv_loop_t uv;
	int wake_fd;
	uv_poll_t wake;
	uv_timer_t once; /* for loop_run_once() */
	void (*woken)(void *arg);
	void *arg;
	struct watch *watches;
	uv_pipe_t *pipe; /* the listening one; NULL: none */
	struct loop_server server;
	struct loop_client *clients;
	size_t n_clients;
};

struct loop_client {
	uv_pipe_t pipe;
	struct loop *loop;
	struct loop_client *next, **prev;
	void *data;
	char *in;
	size_t in_len, in_cap;
	bool closing;
};

struct outgoing {
	uv_write_t req;
	char data[];
};

static void
on_wake(uv_poll_t *p, int status, int events)
{
	struct loop *l = p->data;
	uint64_t count;
	(void)status;
	(void)events;
	if (read(l->wake_fd, &count, sizeof(count)) == sizeof(count))
		l->woken(l->arg);
}

/* Not uv_async_t: that of libuv 1.44 spins, up to 997 rounds, until the sender has noted that it
 * has sent, and a sender that was preempted just then is the rule here, not the exception. */
static int
open_wake(struct loop *l)
{
	l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->wake_fd < 0)
		return -errno;
	int rc = uv_poll_init(&l->uv, &l->wake, l->wake_fd);
	if (rc == 0)
		rc = uv_poll_start(&l->wake, UV_READABLE, on_wake);
	if (rc < 0)
		close(l->wake_fd);
	return rc;
}

struct loop *
loop_create(void (*woken)(void *), void *arg)
{
	struct loop *l = calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	l->woken = woken;
	l->arg = arg;
	l->wake.data = l->once.data = l;
	if (uv_loop_init(&l->uv) < 0)
		goto fail;
	if (open_wake(l) < 0) {
		uv_loop_close(&l->uv);
		goto fail;
	}
	uv_timer_init(&l->uv, &l->once);
	return l;
fail:
	free(l);
	return NULL;
}

static struct watch *
watch_new(struct loop *l, void *arg)
{
	struct watch *w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	w->arg = arg;
	w->fd = -1;
	w->next = l->watches;
	l->watches = w;
	return w;
}

static void
on_timer(uv_timer_t *t)
{
	struct watch *w = t->data;
	w->plain(w->arg);
}

int
loop_every(struct loop *l, int64_t ms, void (*tick)(void *), void *arg)
{
	struct watch *w = watch_new(l, arg);
	if (!w)
		return -ENOMEM;
	w->plain = tick;
	uv_timer_init(&l->uv, &w->uv.timer);
	w->uv.timer.data = w;
	return uv_timer_start(&w->uv.timer, on_timer, (uint64_t)ms, (uint64_t)ms);
}

static void
on_signal(uv_signal_t *s, int signum)
{
	struct watch *w = s->data;
	w->with_signal(w->arg, signum);
}

int
loop_signal(struct loop *l, int signum, void (*cb)(void *, int), void *arg)
{
	struct watch *w = watch_new(l, arg);
	if (!w)
		return -ENOMEM;
	w->with_signal = cb;
	uv_signal_init(&l->uv, &w->uv.signal);
	w->uv.signal.data = w;
	return uv_signal_start(&w->uv.signal, on_signal, signum);
}

static void
on_poll(uv_poll_t *p, int status, int events)
{
	struct watch *w = p->data;
	(void)status;
	(void)events;
	w->plain(w->arg);
}

int
loop_watch(struct loop *l, int fd, void (*readable)(void *), void *arg)
{
	struct watch *w = watch_new(l, arg);
	if (!w)
		return -ENOMEM;
	w->plain = readable;
	int rc = uv_poll_init(&l->uv, &w->uv.poll, fd);
	if (rc < 0) {
		l->watches = w->next;
		free(w);
		return rc;
	}
	w->uv.poll.data = w;
	w->fd = fd;
	return uv_poll_start(&w->uv.poll, UV_READABLE, on_poll);
}

static void
watch_closed(uv_handle_t *h)
{
	free(h->data);
}

void
loop_unwatch(struct loop *l, int fd)
{
	for (struct watch **at = &l->watches; *at; at = &(*at)->next) {
		struct watch *w = *at;
		if (w->fd != fd)
			continue;
		*at = w->next;
		uv_close(&w->uv.handle, watch_closed);
		return;
	}
}

/* ---- the control socket's clients ---------------------------------------------------------- */

static void
client_closed(uv_handle_t *h)
{
	struct loop_client *c = h->data;
	free(c->in);
	free(c);
}

static void
client_close(struct loop_client *c)
{
	struct loop *l = c->loop;
	if (c->closing)
		return;
	c->closing = true;
	*c->prev = c->next;
	if (c->next)
		c->next->prev = c->prev;
	l->n_clients--;
	if (l->server.closed)
		l->server.closed(l->server.arg, c);
	uv_close((uv_handle_t *)&c->pipe, client_closed);
}

static void
on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
	struct loop_client *c = h->data;
	(void)suggested;
	if (c->in_cap - c->in_len < 1024 && c->in_cap < c->loop->server.max_line) {
		size_t cap = c->in_cap ? c->in_cap * 2 : 4096;
		char *in = realloc(c->in, cap);
		if (in) {
			c->in = in;
			c->in_cap = cap;
		}
	}
	*buf = uv_buf_init(c->in ? c->in + c->in_len : NULL, (unsigned)(c->in_cap - c->in_len));
}

static void
take_lines(struct loop_client *c)
{
	struct loop_server *s = &c->loop->server;
	char *start = c->in, *end = c->in + c->in_len, *nl;
	while (!c->closing && (nl = memchr(start, '\n', (size_t)(end - start)))) {
		*nl = '\0';
		s->line(s->arg, c, start, (size_t)(nl - start));
		start = nl + 1;
	}
	c->in_len = (size_t)(end - start);
	memmove(c->in, start, c->in_len);
}

static void
on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct loop_client *c = stream->data;
	(void)buf;
	if (n < 0) { /* also UV_ENOBUFS: a line that is too long */
		client_close(c);
		return;
	}
	c->in_len += (size_t)n;
	take_lines(c);
}

static void
on_connection(uv_stream_t *stream, int status)
{
	struct loop *l = stream->data;
	if (status < 0)
		return;
	struct loop_client *c = calloc(1, sizeof(*c));
	if (!c)
		return;
	c->loop = l;
	uv_pipe_init(&l->uv, &c->pipe, 0);
	c->pipe.data = c;
	c->next = l->clients;
	if (c->next)
		c->next->prev = &c->next;
	c->prev = &l->clients;
	l->clients = c;
	l->n_clients++;
	if (uv_accept(stream, (uv_stream_t *)&c->pipe) < 0 ||
		l->n_clients > l->server.max_clients ||
		uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read) < 0)
		client_close(c);
}

static void
pipe_closed(uv_handle_t *h)
{
	free(h);
}

int
loop_listen(struct loop *l, const char *path, unsigned mode, const struct loop_server *server)
{
	uv_pipe_t *pipe = malloc(sizeof(*pipe));
	if (!pipe)
		return -ENOMEM;
	l->server = *server;
	uv_pipe_init(&l->uv, pipe, 0);
	pipe->data = l;
	l->pipe = pipe;
	unlink(path); /* left over by a process that was killed: the caller has looked */
	mode_t old = umask(0777 & ~mode);
	int rc = uv_pipe_bind(pipe, path); /* libuv removes the path when the handle is closed */
	umask(old);
	if (rc == 0)
		rc = uv_listen((uv_stream_t *)pipe, 16, on_connection);
	if (rc < 0)
		loop_unlisten(l);
	return rc;
}

void
loop_unlisten(struct loop *l)
{
	while (l->clients)
		client_close(l->clients);
	if (l->pipe)
		uv_close((uv_handle_t *)l->pipe, pipe_closed);
	l->pipe = NULL;
}

static void
on_written(uv_write_t *req, int status)
{
	(void)status; /* a client that went is noticed by on_read */
	free(req->data);
}

void
loop_send(struct loop_client *c, const char *data, size_t len)
{
	if (c->closing)
		return;
	struct outgoing *o = malloc(sizeof(*o) + len);
	if (!o || uv_stream_get_write_queue_size((uv_stream_t *)&c->pipe) + len > UNSENT_MAX) {
		free(o);
		client_close(c);
		return;
	}
	memcpy(o->data, data, len);
	o->req.data = o;
	uv_buf_t buf = uv_buf_init(o->data, (unsigned)len);
	if (uv_write(&o->req, (uv_stream_t *)&c->pipe, &buf, 1, on_written) < 0) {
		free(o);
		client_close(c);
	}
}

void *
loop_client_data(const struct loop_client *c)
{
	return c->data;
}

void
loop_client_set_data(struct loop_client *c, void *data)
{
	c->data = data;
}

/* ---- running ------------------------------------------------------------------------------- */

void
loop_run(struct loop *l)
{
	uv_run(&l->uv, UV_RUN_DEFAULT);
}

void
loop_stop(struct loop *l)
{
	uv_stop(&l->uv);
}

static void
on_once(uv_timer_t *t)
{
	/* Timers run before the wait: this one may be over by then, and nothing would end the
	 * wait. */
	uv_stop(t->loop);
}

void
loop_run_once(struct loop *l, int64_t ms)
{
	uv_timer_start(&l->once, on_once, (uint64_t)ms, 0);
	uv_run(&l->uv, UV_RUN_ONCE);
	uv_timer_stop(&l->once);
}

void
loop_wake(void *loop)
{
	struct loop *l = loop;
	uint64_t one = 1;
	ssize_t rc = write(l->wake_fd, &one, sizeof(one));
	(void)rc; /* full means awake */
}

int
loop_destroy(struct loop *l)
{
	if (!l)
		return 0;
	loop_unlisten(l);
	for (struct watch *w = l->watches; w; w = w->next)
		uv_close(&w->uv.handle, NULL);
	uv_close((uv_handle_t *)&l->wake, NULL);
	uv_close((uv_handle_t *)&l->once, NULL);
	uv_run(&l->uv, UV_RUN_DEFAULT);
	int rc = uv_loop_close(&l->uv);
	close(l->wake_fd);
	while (l->watches) {
		struct watch *next = l->watches->next;
		free(l->watches);
		l->watches = next;
	}
	free(l);
	return rc == UV_EBUSY ? -EBUSY : 0;
}
