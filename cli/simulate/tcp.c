/* SPDX-License-Identifier: MIT */
/* tcp.c -- a Modbus/TCP server on 127.0.0.1, with one unit or, as a gateway, several */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/simulate/port.h"

enum { MBAP = 7, MAX_ADU = 260, BACKLOG = 16, NO_TARGET = 11 };

struct listener {
	struct port port; /* first: a listener is a port */
	struct watch watch;
	struct connection *connections;
};

struct connection {
	struct watch watch;
	struct listener *listener;
	struct connection *next;
	struct delayed *delayed;
	size_t rx_len;
	uint8_t rx[2 * MAX_ADU];
};

/* A frame that goes out later, or byte by byte. */
struct delayed {
	struct timer timer;
	struct connection *conn;
	struct delayed *next;
	int64_t byte_us;
	size_t len, sent;
	uint8_t bytes[REPLY_BYTES];
};

/* ---- out ------------------------------------------------------------------------------------ */

static void
forget(struct delayed *d)
{
	struct delayed **at = &d->conn->delayed;

	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	reactor_disarm(d->conn->listener->port.reactor, &d->timer);
	free(d);
}

static void
put(const struct connection *c, const uint8_t *bytes, size_t n)
{
	/* A peer that does not read for so long that its window is full loses the answer. */
	if (send(c->watch.fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return;
}

static void
on_time(struct timer *t)
{
	struct delayed *d = (struct delayed *)((char *)t - offsetof(struct delayed, timer));
	size_t n = d->byte_us ? 1 : d->len;

	put(d->conn, d->bytes + d->sent, n);
	d->sent += n;
	if (d->sent >= d->len)
		forget(d);
	else
		reactor_arm(d->conn->listener->port.reactor, t, t->at_us + d->byte_us);
}

static void
send_after(struct connection *c, const struct reply_piece *p, int64_t delay_us, int64_t trickle_us)
{
	if (!delay_us && !trickle_us) {
		put(c, p->bytes, p->len);
		return;
	}
	struct delayed *d = calloc(1, sizeof *d);
	if (!d)
		return;
	d->conn = c;
	d->byte_us = trickle_us;
	d->len = p->len;
	memcpy(d->bytes, p->bytes, p->len);
	d->timer.fire = on_time;
	d->next = c->delayed;
	c->delayed = d;
	if (reactor_arm(c->listener->port.reactor, &d->timer, reactor_now_us() + delay_us))
		forget(d);
}

/* ---- connections ---------------------------------------------------------------------------- */

static void
hang_up(struct connection *c)
{
	struct connection **at = &c->listener->connections;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	while (c->delayed)
		forget(c->delayed);
	reactor_close(c->listener->port.reactor, &c->watch);
	reactor_free_later(c->listener->port.reactor, c);
}

/* As a gateway says it: the target does not answer. */
static void
answer_unknown(struct connection *c, const uint8_t *adu)
{
	uint8_t rsp[MBAP + 2] = {adu[0], adu[1], 0, 0, 0, 3, adu[6], adu[MBAP] | 0x80, NO_TARGET};

	c->listener->port.stats.unknown++;
	put(c, rsp, sizeof rsp);
}

/* False if the connection is gone. */
static bool
on_frame(struct connection *c, const uint8_t *adu, size_t len)
{
	struct unit *u = port_find(&c->listener->port, adu[6]);
	struct asked asked = {.tcp = true,
		.transaction = (uint16_t)(adu[0] << 8 | adu[1]),
		.frame = adu,
		.frame_len = len,
		.pdu = adu + MBAP,
		.pdu_len = len - MBAP};
	struct reply reply;

	c->listener->port.stats.requests++;
	if (!u) {
		answer_unknown(c, adu);
		return true;
	}
	port_answer(&c->listener->port, u, &asked, &reply);
	for (size_t i = 0; i < reply.n; i++)
		send_after(c, &reply.piece[i],
			reply.piece[i].at_once ? 0 : u->latency_us + reply.piece[i].delay_us,
			reply.trickle_us);
	if (reply.hang_up)
		hang_up(c);
	return !reply.hang_up;
}

/* Whole frames off the front; false if the connection is gone. */
static bool
scan(struct connection *c)
{
	size_t at = 0;

	while (c->rx_len - at >= MBAP + 1) {
		const uint8_t *adu = c->rx + at;
		size_t len = 6u + (size_t)(adu[4] << 8 | adu[5]);
		if (len < MBAP + 1 || len > MAX_ADU || adu[2] || adu[3]) {
			c->listener->port.stats.garbage += c->rx_len - at;
			hang_up(c);
			return false;
		}
		if (c->rx_len - at < len)
			break;
		if (!on_frame(c, adu, len))
			return false;
		at += len;
	}
	c->rx_len -= at;
	memmove(c->rx, c->rx + at, c->rx_len);
	return true;
}

static void
on_readable(struct watch *w, uint32_t events)
{
	struct connection *c =
		(struct connection *)((char *)w - offsetof(struct connection, watch));
	ssize_t n = recv(w->fd, c->rx + c->rx_len, sizeof c->rx - c->rx_len, MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		hang_up(c);
		return;
	}
	c->rx_len += (size_t)n;
	scan(c);
}

static void
on_connection(struct watch *w, uint32_t events)
{
	struct listener *l = (struct listener *)((char *)w - offsetof(struct listener, watch));
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), one = 1;

	(void)events;
	if (fd < 0)
		return;
	struct connection *c = calloc(1, sizeof *c);
	if (!c) {
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	c->watch = (struct watch){fd, on_readable};
	c->listener = l;
	if (reactor_watch(l->port.reactor, &c->watch, EPOLLIN)) {
		close(fd);
		free(c);
		return;
	}
	c->next = l->connections;
	l->connections = c;
	l->port.stats.connections++;
}

/* ---- the listener --------------------------------------------------------------------------- */

static int
open_listener(struct listener *l)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)l->port.tcp_port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof addr;
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	l->watch.fd = fd;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(fd, (struct sockaddr *)&addr, sizeof addr) || listen(fd, BACKLOG) ||
		getsockname(fd, (struct sockaddr *)&addr, &size) ||
		reactor_watch(l->port.reactor, &l->watch, EPOLLIN)) {
		int rc = -errno;
		close(fd);
		l->watch.fd = -1;
		return rc;
	}
	l->port.tcp_port = ntohs(addr.sin_port);
	snprintf(l->port.place, sizeof l->port.place, "127.0.0.1:%d", l->port.tcp_port);
	return 0;
}

static void
listener_plug(struct port *p, bool in)
{
	struct listener *l = (struct listener *)p;

	if (in) {
		if (l->watch.fd < 0)
			open_listener(l);
		return;
	}
	while (l->connections)
		hang_up(l->connections);
	reactor_close(p->reactor, &l->watch);
}

static bool
listener_is_plugged(const struct port *p)
{
	return ((const struct listener *)p)->watch.fd >= 0;
}

static void
listener_destroy(struct port *p)
{
	listener_plug(p, false);
	free(p);
}

static const struct port_ops listener_ops = {listener_plug, listener_is_plugged, listener_destroy};

struct port *
port_tcp_create(struct reactor *reactor, const char *id, int tcp_port)
{
	struct listener *l = calloc(1, sizeof *l);

	if (!l)
		return NULL;
	l->port.reactor = reactor;
	l->port.ops = &listener_ops;
	l->port.start_us = reactor_now_us();
	l->port.tcp_port = tcp_port;
	l->watch = (struct watch){-1, on_connection};
	snprintf(l->port.id, sizeof l->port.id, "%s", id);
	int rc = open_listener(l);
	if (rc) {
		free(l);
		errno = -rc;
		return NULL;
	}
	return &l->port;
}
