/* SPDX-License-Identifier: MIT */
/* slave.h -- a Modbus slave for tests that can be made to misbehave, on a pty or on TCP loopback
 *
 * It runs in a thread. For each request it calls `answer`, which says what goes out and when with
 * slave_say(). Registers hold slave_word(address, request number), so that an answer to another
 * request or from another address is recognised.
 */
#ifndef TESTS_DRIVERS_SLAVE_H
#define TESTS_DRIVERS_SLAVE_H

#include "drivers/frame.h"
#include "drivers/link_impl.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

enum { SLAVE_QUEUE = 64 };

struct slave;

struct asked {
	uint8_t unit;
	uint8_t adu[FRAME_TCP_MAX]; /* as it came */
	size_t len;
	const uint8_t *pdu;
	size_t pdu_len;
	uint16_t transaction, address, count;
	unsigned number; /* 1 for the first request */
	int64_t at_us;
};

typedef void (*slave_answer)(struct slave *s, const struct asked *a);

struct slave {
	bool tcp;
	int fd;   /* pty master or listening socket */
	int keep; /* pty: our own open end, so that closing a link hangs nothing up */
	int conn;
	char path[64];
	uint16_t port;
	slave_answer answer;
	atomic_int mode; /* the test's, for its answer function */
	atomic_uint requests, connections;
	atomic_bool stop;
	pthread_t thread;
	unsigned seed;
	uint8_t in[1024];
	size_t have;
	struct said {
		int64_t at_us, until_us;
		size_t len;
		uint8_t bytes[FRAME_TCP_MAX + 8];
	} queue[SLAVE_QUEUE];
	size_t queued;
};

static inline uint16_t
slave_word(unsigned address, unsigned number)
{
	return (uint16_t)(address * 257u ^ number * 40503u);
}

/* The good answer's PDU. */
static inline size_t
slave_pdu(const struct asked *a, uint8_t *pdu)
{
	unsigned bytes = a->pdu[0] <= 2 ? (a->count + 7u) / 8 : 2u * a->count;

	pdu[0] = a->pdu[0];
	pdu[1] = (uint8_t)bytes;
	for (unsigned i = 0; i < bytes; i++) {
		uint16_t w = slave_word(a->address + i / 2, a->number);

		pdu[2 + i] = (uint8_t)(i % 2 ? w & 0xFF : w >> 8);
	}
	return 2 + bytes;
}

static inline size_t
slave_frame(const struct slave *s, const struct asked *a, uint8_t unit, const uint8_t *pdu,
	size_t n, uint8_t *out)
{
	return s->tcp ? frame_build_tcp(out, a->transaction, unit, pdu, n)
		      : frame_build_rtu(out, unit, pdu, n);
}

static inline size_t
slave_good(const struct slave *s, const struct asked *a, uint8_t *out)
{
	uint8_t pdu[FRAME_PDU_MAX];

	return slave_frame(s, a, a->unit, pdu, slave_pdu(a, pdu), out);
}

/* Sends the bytes at that time; not at all if that could only be done after until_us (0: ever). */
static inline void
slave_say_until(struct slave *s, int64_t at_us, int64_t until_us, const uint8_t *bytes, size_t len)
{
	size_t k = s->queued;

	if (k == SLAVE_QUEUE)
		return;
	while (k > 0 && s->queue[k - 1].at_us > at_us) {
		s->queue[k] = s->queue[k - 1];
		k--;
	}
	s->queue[k] = (struct said){.at_us = at_us, .until_us = until_us, .len = len};
	memcpy(s->queue[k].bytes, bytes, len);
	s->queued++;
}

static inline void
slave_say(
	struct slave *s, const struct asked *a, int64_t after_us, const uint8_t *bytes, size_t len)
{
	slave_say_until(s, a->at_us + after_us, 0, bytes, len);
}

static inline void
slave_answer_well(struct slave *s, const struct asked *a)
{
	uint8_t adu[FRAME_TCP_MAX];

	slave_say(s, a, 0, adu, slave_good(s, a, adu));
}

static inline unsigned
slave_random(struct slave *s, unsigned below)
{
	s->seed ^= s->seed << 13; /* xorshift32 */
	s->seed ^= s->seed >> 17;
	s->seed ^= s->seed << 5;
	return s->seed % below;
}

static inline void
slave_hang_up(struct slave *s)
{
	if (s->conn >= 0)
		close(s->conn);
	s->conn = -1;
	s->have = s->queued = 0;
}

static inline void
slave_speak(struct slave *s)
{
	while (s->queued > 0 && s->queue[0].at_us <= link_mono_us()) {
		struct said *q = &s->queue[0];
		int fd = s->tcp ? s->conn : s->fd;

		if (fd >= 0 && (q->until_us == 0 || link_mono_us() < q->until_us)) {
			ssize_t n = s->tcp ? send(fd, q->bytes, q->len, MSG_NOSIGNAL)
					   : write(fd, q->bytes, q->len);
			(void)n;
		}
		s->queued--;
		memmove(q, q + 1, s->queued * sizeof(*q));
	}
}

static inline size_t
slave_request_length(const struct slave *s)
{
	const uint8_t *pdu = s->in + (s->tcp ? FRAME_MBAP : 1);
	size_t around = s->tcp ? FRAME_MBAP : 3;

	if (s->have < around + 1)
		return 0;
	return around + (pdu[0] == FRAME_FC_SERVER_ID ? 1 : pdu[0] == FRAME_FC_MEI ? 4 : 5);
}

static inline void
slave_hear(struct slave *s)
{
	size_t len;

	while ((len = slave_request_length(s)) > 0 && s->have >= len) {
		struct asked a = {.len = len, .at_us = link_mono_us()};

		memcpy(a.adu, s->in, len);
		s->have -= len;
		memmove(s->in, s->in + len, s->have);
		a.unit = a.adu[s->tcp ? 6 : 0];
		a.pdu = a.adu + (s->tcp ? FRAME_MBAP : 1);
		a.pdu_len = len - (s->tcp ? FRAME_MBAP : 3);
		a.transaction = (uint16_t)(a.adu[0] << 8 | a.adu[1]);
		if (a.pdu_len == 5) {
			a.address = (uint16_t)(a.pdu[1] << 8 | a.pdu[2]);
			a.count = (uint16_t)(a.pdu[3] << 8 | a.pdu[4]);
		}
		a.number = atomic_fetch_add(&s->requests, 1) + 1;
		s->answer(s, &a);
		if (s->tcp && s->conn < 0)
			return;
	}
}

static inline void
slave_read(struct slave *s)
{
	int fd = s->tcp ? s->conn : s->fd;
	ssize_t n = read(fd, s->in + s->have, sizeof(s->in) - s->have);

	if (n > 0)
		s->have += (size_t)n;
	else if (s->tcp)
		slave_hang_up(s);
	if (n > 0)
		slave_hear(s);
}

static inline void *
slave_main(void *arg)
{
	struct slave *s = arg;

	while (!atomic_load(&s->stop)) {
		struct pollfd fds[2] = {
			{.fd = s->fd, .events = POLLIN}, {.fd = s->conn, .events = POLLIN}};
		int64_t left = s->queued > 0 ? s->queue[0].at_us - link_mono_us() : 20000;
		struct timespec ts;

		left = left < 0 ? 0 : left > 20000 ? 20000 : left;
		ts = (struct timespec){.tv_nsec = (long)left * 1000};
		ppoll(fds, 2, &ts, NULL);
		slave_speak(s);
		if (s->tcp && fds[0].revents & POLLIN) {
			slave_hang_up(s);
			s->conn = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
			atomic_fetch_add(&s->connections, 1);
		} else if (fds[s->tcp].revents & (POLLIN | POLLHUP)) {
			slave_read(s);
		}
		slave_speak(s);
	}
	return NULL;
}

static inline void
slave_listen(struct slave *s)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(in);

	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert(s->fd >= 0 && bind(s->fd, (struct sockaddr *)&in, len) == 0);
	assert(listen(s->fd, 8) == 0 && getsockname(s->fd, (struct sockaddr *)&in, &len) == 0);
	s->port = ntohs(in.sin_port);
}

static inline void
slave_open_pty(struct slave *s)
{
	struct termios t;

	memset(&t, 0, sizeof(t));
	cfmakeraw(&t);
	assert(openpty(&s->fd, &s->keep, s->path, &t, NULL) == 0);
	fcntl(s->fd, F_SETFD, FD_CLOEXEC);
}

static inline struct slave *
slave_start_seeded(bool tcp, slave_answer answer, unsigned seed)
{
	struct slave *s = calloc(1, sizeof(*s));

	assert(s);
	s->tcp = tcp;
	s->conn = s->keep = -1;
	s->answer = answer;
	s->seed = seed;
	if (tcp)
		slave_listen(s);
	else
		slave_open_pty(s);
	assert(pthread_create(&s->thread, NULL, slave_main, s) == 0);
	return s;
}

static inline struct slave *
slave_start(bool tcp, slave_answer answer)
{
	return slave_start_seeded(tcp, answer, 1);
}

static inline void
slave_stop(struct slave *s)
{
	atomic_store(&s->stop, true);
	pthread_join(s->thread, NULL);
	close(s->fd);
	if (s->keep >= 0)
		close(s->keep);
	if (s->conn >= 0)
		close(s->conn);
	free(s);
}

static inline struct link *
slave_link(const struct slave *s, int baud)
{
	if (s->tcp)
		return link_modbus_tcp_create(
			&(struct link_tcp){.host = "127.0.0.1", .port = s->port});
	return link_modbus_rtu_create(
		&(struct link_rtu){.device = s->path, .baud = baud, .format = "8N1"});
}

#endif
