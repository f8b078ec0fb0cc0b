/* SPDX-License-Identifier: MIT */
/* link_tcp.c -- transactions over Modbus/TCP
 *
 * A healthy transaction is one send() and one recv(): the socket blocks, SO_RCVTIMEO bounds the
 * wait (in slices, so that link_cancel() is seen), and is set only when it changes. Everything else
 * is the rare path and uses poll(). There is no select(): descriptors beyond 1023 work.
 *
 * The transaction identifier tells a late answer from the one that is due (MODBUS Messaging on
 * TCP/IP V1.0b, 3.1.3), so nothing needs to be waited for after a time-out. A stream that is not
 * Modbus, or that ends in the middle of a frame, cannot be synchronised again: it is closed.
 */
#include "drivers/link_impl.h"

#include "drivers/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
	BUF_SIZE = 2 * FRAME_TCP_MAX,
	CONNECT_TIMEOUT_MS = 3000,
	RECV_SLICE_MS = 500,
	BYTE_TIMEOUT_MS = 200, /* between the segments of one frame */
	SILENT_MAX = 3,        /* time-outs in a row, with nobody answering, until we close */
	RESET_MAX = 3,
	RESET_SOON_US = 5 * 1000000,
	GATE_FIRST_MS = 1000, /* back-off after exception 10: the gateway itself is in trouble */
	GATE_LAST_MS = 30000,
};

struct tcp {
	struct link link;
	int fd;
	int connect_timeout_ms, pause_after_connect_ms;
	int rcvtimeo_ms; /* as the socket has it now */
	int silent, resets;
	int gate_ms; /* 0: the gateway is well */
	int64_t gate_us;
	int64_t opened_us;
	uint16_t port, transaction;
	uint16_t have;
	uint8_t buf[BUF_SIZE];
	char host[];
};

static struct tcp *
tcp_of(struct link *link)
{
	return (struct tcp *)link;
}

static void
set_option(int fd, int level, int name, int value)
{
	/* a kernel without one of them still reads registers */
	(void)setsockopt(fd, level, name, &value, sizeof(value));
}

/* A cable pulled out is noticed within 25 s idle, 8 s with data under way. */
static void
set_options(int fd)
{
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 10);
	set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 5);
	set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
	set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 8000);
}

static int
await_connect(const struct link *link, int fd, int64_t until_us)
{
	int rc = link_poll(link, fd, POLLOUT, until_us), error = 0;
	socklen_t len = sizeof(error);

	if (rc < 0)
		return rc;
	if (rc == 0)
		return -ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;
	return -error;
}

/* A connected, blocking socket or -errno. */
static int
connect_to(const struct link *link, const struct addrinfo *ai, int64_t until_us)
{
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), rc = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, ai->ai_addr, ai->ai_addrlen) < 0)
		rc = errno == EINPROGRESS ? await_connect(link, fd, until_us) : -errno;
	if (rc == 0 && fcntl(fd, F_SETFL, 0) < 0)
		rc = -errno;
	if (rc < 0) {
		close(fd);
		return rc;
	}
	set_options(fd);
	return fd;
}

/* Every address gets its share of the time that is left. */
static int
connect_any(const struct link *link, const struct addrinfo *list, int64_t until_us)
{
	int left = 0, fd = -ENXIO;

	for (const struct addrinfo *ai = list; ai; ai = ai->ai_next)
		left++;
	for (const struct addrinfo *ai = list; ai; ai = ai->ai_next, left--) {
		int64_t now_us = link_mono_us();

		fd = connect_to(link, ai, now_us + (until_us - now_us) / left);
		if (fd >= 0 || fd == -ECANCELED)
			break;
	}
	return fd;
}

static int
tcp_open(struct link *link)
{
	struct tcp *t = tcp_of(link);
	int64_t until_us = link_mono_us() + (int64_t)t->connect_timeout_ms * 1000;
	struct addrinfo *list;
	int rc = resolve_host(link, t->host, t->port, until_us, &list);

	if (rc < 0)
		return rc;
	t->fd = connect_any(link, list, until_us);
	freeaddrinfo(list);
	if (t->fd < 0)
		return t->fd;
	t->opened_us = link_mono_us();
	t->rcvtimeo_ms = t->silent = 0;
	t->have = 0;
	if (getrandom(&t->transaction, sizeof(t->transaction), GRND_NONBLOCK) < 0)
		t->transaction = (uint16_t)t->opened_us;
	if (t->pause_after_connect_ms > 0)
		rc = link_poll(
			link, -1, 0, t->opened_us + (int64_t)t->pause_after_connect_ms * 1000);
	if (rc < 0)
		close(t->fd);
	return rc;
}

static void
tcp_close(struct link *link)
{
	close(tcp_of(link)->fd);
	tcp_of(link)->fd = -1;
}

static void
tcp_destroy(struct link *link)
{
	free(link);
}

/* Bytes for the buffer; 0: none until then; or -errno. The first wait is the socket's own. */
static int
take_bytes(struct tcp *t, int flags)
{
	ssize_t n = recv(t->fd, t->buf + t->have, (size_t)(BUF_SIZE - t->have), flags);

	if (n > 0) {
		t->have = (uint16_t)(t->have + n);
		return (int)n;
	}
	if (n == 0)
		return -ECONNRESET;
	return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

static int
await_bytes(struct tcp *t, int64_t until_us)
{
	int rc = link_poll(&t->link, t->fd, POLLIN, until_us);

	return rc > 0 ? take_bytes(t, MSG_DONTWAIT) : rc;
}

static int
set_receive_timeout(struct tcp *t, int ms)
{
	struct timeval tv;

	if (ms > RECV_SLICE_MS)
		ms = RECV_SLICE_MS;
	if (ms == t->rcvtimeo_ms)
		return 0;
	tv = (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
	if (setsockopt(t->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) < 0)
		return -errno;
	t->rcvtimeo_ms = ms;
	return 0;
}

static void
drop_frame(struct tcp *t, size_t len)
{
	t->have = (uint16_t)(t->have - len);
	memmove(t->buf, t->buf + len, t->have);
}

/* Looks at the frames in the buffer. Length of the answer's PDU (now in rsp), 0: not there yet,
 * or -errno. */
static int
sift(struct tcp *t, struct exchange *ex, const struct frame_want *want)
{
	for (;;) {
		struct frame_at f = frame_find_tcp(t->buf, t->have, want);
		int rc = 0;

		if (f.found == FRAME_NONE)
			return 0;
		if (f.found == FRAME_INVALID)
			return -EPROTO;
		t->silent = 0; /* somebody answers on this connection */
		if (f.found == FRAME_ANSWER)
			rc = f.pdu_len <= ex->rsp_cap ? (int)f.pdu_len : -EPROTO;
		else if (f.found == FRAME_BROKEN)
			rc = -EBADMSG;
		else
			t->link.stats.stale_frames++;
		if (rc > 0)
			memcpy(ex->rsp, t->buf + f.pdu, f.pdu_len);
		drop_frame(t, f.len);
		if (rc != 0)
			return rc;
	}
}

static int
send_request(struct tcp *t, const struct exchange *ex)
{
	uint8_t adu[FRAME_TCP_MAX];
	size_t len = frame_build_tcp(adu, ++t->transaction, ex->unit, ex->req, ex->req_len);
	ssize_t n = send(t->fd, adu, len, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n == (ssize_t)len)
		return 0;
	return n < 0 && errno != EAGAIN ? -errno : -EIO; /* a full buffer: nobody reads there */
}

/* The rest of a frame, or after a frame that was not ours, or after the first slice. */
static int
receive_slowly(
	struct tcp *t, struct exchange *ex, const struct frame_want *want, int64_t deadline_us)
{
	int byte_ms = ex->byte_timeout_ms > 0 ? ex->byte_timeout_ms : BYTE_TIMEOUT_MS;
	bool first = t->have == 0;

	/* a device with Nagle's algorithm keeps its answer back until we acknowledge what came
	 * before it, which the kernel puts off for 40 ms */
	set_option(t->fd, IPPROTO_TCP, TCP_QUICKACK, 1);
	for (;;) {
		int64_t until_us = deadline_us, byte_us = link_mono_us() + (int64_t)byte_ms * 1000;
		int rc;

		if (t->have > 0 && (first || byte_us < until_us))
			until_us = byte_us;
		first = false;
		rc = await_bytes(t, until_us);
		if (rc < 0)
			return rc;
		if (rc == 0)
			return t->have > 0 ? -EBADMSG : -ETIMEDOUT;
		rc = sift(t, ex, want);
		if (rc != 0)
			return rc;
	}
}

/* Bytes behind the answer. Frames are fine, whatever they say; anything else shows that the answer
 * was cut and took its end from what came next, which only the frames' own lengths can tell: TCP
 * carries no checksum of Modbus. 0 or -errno. */
static int
check_rest(struct tcp *t, const struct exchange *ex)
{
	const struct frame_want nothing = {
		.transaction = (uint16_t)(t->transaction + 1), .check_unit = true};
	int byte_ms = ex->byte_timeout_ms > 0 ? ex->byte_timeout_ms : BYTE_TIMEOUT_MS;

	while (t->have > 0) {
		struct frame_at f = frame_find_tcp(t->buf, t->have, &nothing);
		int rc = 1;

		if (f.found == FRAME_INVALID)
			return -EPROTO;
		if (f.found == FRAME_NONE) {
			rc = await_bytes(t, link_mono_us() + (int64_t)byte_ms * 1000);
		} else {
			t->link.stats.stale_frames++;
			drop_frame(t, f.len);
		}
		if (rc <= 0)
			return rc < 0 ? rc : -EBADMSG;
	}
	return 0;
}

static int
receive(struct tcp *t, struct exchange *ex, int64_t sent_us)
{
	struct frame_want want = {.unit = ex->unit,
		.function = ex->req[0],
		.expect = ex->expect,
		.check_unit = ex->check_unit,
		.transaction = t->transaction};
	int rc = take_bytes(t, 0);

	ex->latency_us = (int)(link_mono_us() - sent_us);
	if (rc > 0)
		rc = sift(t, ex, &want);
	if (rc != 0)
		return rc;
	rc = receive_slowly(t, ex, &want, sent_us + (int64_t)ex->timeout_ms * 1000);
	ex->latency_us = (int)(link_mono_us() - sent_us);
	return rc;
}

static bool
is_reset(int rc)
{
	return rc == -ECONNRESET || rc == -EPIPE;
}

/* What an outcome says about the connection, the gateway behind it and other clients of it. */
static void
learn(struct tcp *t, const struct exchange *ex, int rc)
{
	int64_t now_us = link_mono_us();

	if (rc == 2 && ex->rsp[0] & FRAME_EXCEPTION && ex->rsp[1] == 10) {
		t->gate_ms = t->gate_ms == 0 ? GATE_FIRST_MS : 2 * t->gate_ms;
		if (t->gate_ms > GATE_LAST_MS)
			t->gate_ms = GATE_LAST_MS;
		t->gate_us = now_us + (int64_t)t->gate_ms * 1000;
	} else if (rc > 0) {
		t->gate_ms = 0;
	}
	if (is_reset(rc) && now_us - t->opened_us < RESET_SOON_US) {
		t->resets++;
	} else if (rc > 0 && now_us - t->opened_us >= RESET_SOON_US) {
		t->resets = 0;
	}
	t->link.stats.reset_soon = t->resets >= RESET_MAX;
}

static int
tcp_transact(struct link *link, struct exchange *ex)
{
	struct tcp *t = tcp_of(link);
	int64_t sent_us = link_mono_us();
	int rc = set_receive_timeout(t, ex->timeout_ms);

	if (rc == 0)
		rc = send_request(t, ex);
	if (rc == 0)
		rc = receive(t, ex, sent_us);
	if (rc > 0 && t->have > 0) {
		int rest = check_rest(t, ex);

		rc = rest < 0 ? rest : rc;
	}
	ex->arrived_ms = link_real_ms();
	learn(t, ex, rc);
	if (rc == -ETIMEDOUT && ++t->silent >= SILENT_MAX)
		link_close(link);
	else if (rc == -EPROTO || (rc == -EBADMSG && t->have > 0))
		link_close(link);
	return rc;
}

static int64_t
tcp_unit_free_us(const struct link *link, uint8_t unit)
{
	const struct tcp *t = (const struct tcp *)link;

	(void)unit; /* the gateway concerns all of them; late answers have an old transaction */
	return t->gate_ms > 0 ? t->gate_us : 0;
}

static const struct link_ops tcp_ops = {
	.open = tcp_open,
	.transact = tcp_transact,
	.close = tcp_close,
	.destroy = tcp_destroy,
	.unit_free_us = tcp_unit_free_us,
};

struct link *
link_modbus_tcp_create(const struct link_tcp *spec)
{
	size_t len = strlen(spec->host) + 1;
	struct tcp *t = calloc(1, sizeof(*t) + len);

	if (!t)
		return NULL;
	t->link.ops = &tcp_ops;
	t->fd = -1;
	t->port = spec->port;
	t->connect_timeout_ms =
		spec->connect_timeout_ms > 0 ? spec->connect_timeout_ms : CONNECT_TIMEOUT_MS;
	t->pause_after_connect_ms = spec->pause_after_connect_ms;
	memcpy(t->host, spec->host, len);
	return &t->link;
}
