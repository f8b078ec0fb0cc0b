/* SPDX-License-Identifier: MIT */
/* fuzz_modbus.c -- whatever arrives on an RTU line or a Modbus/TCP connection, and when
 *
 * The first byte chooses the transport and who is there: a slave that answers every request with
 * that request's own number, late as it likes (up to max_latency), or anybody. The rest is
 * requests: a byte for the request, then what arrives because of it: a delay (times 3 ms), a kind,
 * and for bytes and PDUs a length and themselves. Time is virtual.
 *
 * A value is an answer to this request or there is none: from the late slave, one with this
 * request's number; from anybody, one whose frame arrived after the request, whole, with its CRC
 * and unit or its transaction.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drivers/frame.h"
#include "drivers/link_impl.h"

enum { REQUESTS_MAX = 40, CHUNKS_MAX = 400, TIMEOUT_MS = 300, MAX_LATENCY_MS = 1000, UNITS = 3 };
enum kind { END, BYTES, PDU, ANSWER, KINDS };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct wire {
	bool tcp;
	int fd;
	int64_t now_us;
	unsigned request; /* its number, 1 and on */
	uint8_t unit, pdu[5];
	uint16_t transaction;
	const uint8_t *script; /* what the next request causes */
	size_t script_len;
	struct chunk {
		int64_t at_us;
		size_t len;
		uint8_t bytes[300];
	} chunks[CHUNKS_MAX];
	size_t n_chunks;
	uint8_t seen[1 << 16]; /* RTU: since the request; TCP: since the connection was made */
	size_t n_seen;
} w;

/* ---- the other end ----------------------------------------------------------------------------
 */

static void
schedule(const uint8_t *bytes, size_t len, int64_t at_us)
{
	if (w.n_chunks == CHUNKS_MAX || len == 0 || len > sizeof(w.chunks[0].bytes))
		return;
	struct chunk *c = &w.chunks[w.n_chunks++];
	c->at_us = at_us;
	c->len = len;
	memcpy(c->bytes, bytes, len);
}

static void
schedule_pdu(const uint8_t *pdu, size_t len, int64_t at_us)
{
	uint8_t adu[FRAME_TCP_MAX];
	size_t n = w.tcp ? frame_build_tcp(adu, w.transaction, w.unit, pdu, len)
			 : frame_build_rtu(adu, w.unit, pdu, len);

	schedule(adu, n, at_us);
}

/* The answer of a slave whose every register is the number of the request. */
static void
schedule_answer(int64_t at_us)
{
	uint8_t pdu[FRAME_PDU_MAX];
	size_t n = 2 + 2 * (size_t)w.pdu[4];

	pdu[0] = w.pdu[0];
	pdu[1] = (uint8_t)(n - 2);
	for (size_t i = 2; i < n; i += 2) {
		pdu[i] = (uint8_t)(w.request >> 8);
		pdu[i + 1] = (uint8_t)w.request;
	}
	schedule_pdu(pdu, n, at_us);
}

static uint8_t
next_byte(void)
{
	if (w.script_len == 0)
		return 0;
	w.script_len--;
	return *w.script++;
}

static void
schedule_script(void)
{
	for (int i = 0; i < 8; i++) {
		int64_t at_us = w.now_us + next_byte() * 3000 + 1000;
		enum kind kind = next_byte() % KINDS;
		size_t len = kind == BYTES || kind == PDU ? next_byte() : 0;

		len = len < w.script_len ? len : w.script_len;
		if (kind == END)
			return;
		if (kind == BYTES)
			schedule(w.script, len, at_us);
		else if (kind == PDU && len <= FRAME_PDU_MAX)
			schedule_pdu(w.script, len, at_us);
		else if (kind == ANSWER)
			schedule_answer(at_us);
		w.script += len;
		w.script_len -= len;
	}
}

static bool late_slave;

static void
on_request(const uint8_t *adu, size_t len)
{
	assert(len == (w.tcp ? 12U : 8U));
	w.unit = adu[w.tcp ? 6 : 0];
	memcpy(w.pdu, adu + (w.tcp ? 7 : 1), sizeof(w.pdu));
	w.transaction = (uint16_t)(adu[0] << 8 | adu[1]);
	if (!w.tcp)
		w.n_seen = 0;
	if (late_slave)
		schedule_answer(w.now_us + next_byte() * 3000 + 1000);
	else
		schedule_script();
}

/* ---- in place of the clock and the wire --------------------------------------------------------
 */

static struct chunk *
earliest(void)
{
	struct chunk *best = NULL;

	for (size_t i = 0; i < w.n_chunks; i++)
		if (w.chunks[i].len && (!best || w.chunks[i].at_us < best->at_us))
			best = &w.chunks[i];
	return best;
}

static bool
await(int64_t until_us)
{
	const struct chunk *c = earliest();
	bool comes = c && c->at_us <= until_us;
	int64_t at_us = comes ? c->at_us : until_us;

	w.now_us = at_us > w.now_us ? at_us : w.now_us;
	return comes;
}

static ssize_t
arrive(void *buf, size_t cap)
{
	struct chunk *c = earliest();
	size_t n;

	if (!c || c->at_us > w.now_us) {
		errno = EAGAIN;
		return -1;
	}
	n = c->len < cap ? c->len : cap;
	memcpy(buf, c->bytes, n);
	assert(w.n_seen + n <= sizeof(w.seen));
	memcpy(w.seen + w.n_seen, c->bytes, n);
	w.n_seen += n;
	memmove(c->bytes, c->bytes + n, c->len - n);
	c->len -= n;
	return (ssize_t)n;
}

int64_t __wrap_link_mono_us(void);
int __wrap_link_poll(const struct link *link, int fd, short events, int64_t until_us);
ssize_t __real_read(int fd, void *buf, size_t n);
ssize_t __wrap_read(int fd, void *buf, size_t n);
ssize_t __real_write(int fd, const void *buf, size_t n);
ssize_t __wrap_write(int fd, const void *buf, size_t n);
ssize_t __wrap_recv(int fd, void *buf, size_t n, int flags);
ssize_t __wrap_send(int fd, const void *buf, size_t n, int flags);
int __wrap_socket(int domain, int type, int protocol);
int __wrap_connect(int fd, const struct sockaddr *sa, socklen_t len);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __wrap_link_port_open(struct link_port *port, char holder[LINK_HOLDER_MAX]);
void __wrap_link_port_close(struct link_port *port);

int64_t
__wrap_link_mono_us(void)
{
	return w.now_us;
}

int
__wrap_link_poll(const struct link *link, int fd, short events, int64_t until_us)
{
	(void)link;
	if (events & POLLOUT)
		return POLLOUT;
	return await(until_us) && fd >= 0 ? POLLIN : 0;
}

ssize_t
__wrap_read(int fd, void *buf, size_t n)
{
	return w.fd > 0 && fd == w.fd ? arrive(buf, n) : __real_read(fd, buf, n);
}

ssize_t
__wrap_write(int fd, const void *buf, size_t n)
{
	if (w.fd <= 0 || fd != w.fd)
		return __real_write(fd, buf, n);
	on_request(buf, n);
	return (ssize_t)n;
}

ssize_t
__wrap_recv(int fd, void *buf, size_t n, int flags)
{
	assert(fd == w.fd);
	if (!(flags & MSG_DONTWAIT))
		await(w.now_us + TIMEOUT_MS * 1000);
	return arrive(buf, n);
}

ssize_t
__wrap_send(int fd, const void *buf, size_t n, int flags)
{
	(void)flags;
	assert(fd == w.fd);
	on_request(buf, n);
	return (ssize_t)n;
}

/* A new connection: what was on its way on the old one is lost. */
int
__wrap_socket(int domain, int type, int protocol)
{
	(void)domain;
	(void)type;
	(void)protocol;
	w.n_chunks = w.n_seen = 0;
	return w.fd = open("/dev/null", O_RDWR | O_CLOEXEC);
}

int
__wrap_connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	(void)sa;
	(void)len;
	return fd == w.fd ? 0 : -1;
}

int
__wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	(void)level;
	(void)name;
	(void)value;
	(void)len;
	return fd == w.fd ? 0 : -1;
}

int
__wrap_link_port_open(struct link_port *port, char holder[LINK_HOLDER_MAX])
{
	(void)port;
	(void)holder;
	return w.fd = open("/dev/null", O_RDWR | O_CLOEXEC);
}

void
__wrap_link_port_close(struct link_port *port)
{
	(void)port;
	if (w.fd > 0)
		close(w.fd);
	w.fd = -1;
}

/* ---- what must be so ----------------------------------------------------------------------------
 */

static bool
arrived_on_line(const uint8_t *pdu, size_t len)
{
	uint8_t adu[FRAME_RTU_MAX];
	size_t n = frame_build_rtu(adu, w.unit, pdu, len);

	return memmem(w.seen, w.n_seen, adu, n) != NULL;
}

/* Frame by frame from the beginning of the connection. */
static bool
arrived_on_connection(const uint8_t *pdu, size_t len)
{
	for (size_t at = 0; at + FRAME_MBAP <= w.n_seen;) {
		const uint8_t *f = w.seen + at;
		size_t n = 6 + (size_t)(f[4] << 8 | f[5]);

		if (n < 8 || at + n > w.n_seen)
			return false;
		if ((f[0] << 8 | f[1]) == w.transaction && f[6] == w.unit &&
			n == FRAME_MBAP + len && memcmp(f + FRAME_MBAP, pdu, len) == 0)
			return true;
		at += n;
	}
	return false;
}

static void
check_answer(const struct exchange *ex, size_t len)
{
	const uint8_t *rsp = ex->rsp;

	assert(len <= ex->rsp_cap && (rsp[0] & 0x7F) == ex->req[0]);
	assert(rsp[0] & FRAME_EXCEPTION ? len == 2 : len == ex->expect);
	if (late_slave)
		assert((unsigned)(rsp[2] << 8 | rsp[3]) == w.request);
	else
		assert(w.tcp ? arrived_on_connection(rsp, len) : arrived_on_line(rsp, len));
}

static void
request(struct link *link, uint8_t what)
{
	uint8_t pdu[] = {(uint8_t)(3 + (what & 1)), 0, 0, 0, (uint8_t)(1 + (what >> 1 & 1))};
	uint8_t *rsp = malloc(FRAME_PDU_MAX); /* of its own, so that an overrun shows */
	struct exchange ex = {.unit = (uint8_t)(1 + (what >> 2) % UNITS),
		.req = pdu,
		.req_len = sizeof(pdu),
		.rsp = rsp,
		.rsp_cap = FRAME_PDU_MAX,
		.expect = frame_expected(pdu, sizeof(pdu)),
		.timeout_ms = TIMEOUT_MS,
		.max_latency_ms = MAX_LATENCY_MS,
		.usual_ms = what & 0x80 ? 100 : 0,
		.check_unit = true};

	w.request++;
	if (link_open(link) == 0) {
		int rc = link_transact(link, &ex);

		assert(rc != 0);
		if (rc > 0)
			check_answer(&ex, (size_t)rc);
	}
	free(rsp);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct link_rtu rtu = {"/nowhere", 9600, "8N1"};
	static const struct link_tcp tcp = {.host = "127.0.0.1", .port = 502};

	if (size < 2)
		return 0;
	w = (struct wire){.tcp = data[0] & 1,
		.now_us = 1000000000,
		.script = data + 1,
		.script_len = size - 1};
	late_slave = data[0] & 2;
	struct link *link = w.tcp ? link_modbus_tcp_create(&tcp) : link_modbus_rtu_create(&rtu);
	assert(link);
	for (int i = 0; i < REQUESTS_MAX && w.script_len > 0; i++)
		request(link, next_byte());
	link_destroy(link);
	return 0;
}
