/* SPDX-License-Identifier: MIT */
/* link_rtu.c -- transactions on a serial Modbus line
 *
 * A line is silent for t3.5 before each request (MODBUS over Serial Line V1.02, 2.5.1.1), counted
 * from the last byte that anybody sent. The same silence is awaited after an answer before it is
 * delivered: it is due anyway, and a second answer that comes in it shows that one of the two
 * belongs to another request. An answer that comes much earlier than the unit's usual latency, or
 * that is a copy of a recent one, is held longer for the same reason; trust.h has the rules.
 *
 * Bytes are collected in `buf` and named by frame.c from its beginning; what is named or cannot
 * become anything is dropped. All waiting is link_poll(): any byte, the deadline or link_cancel()
 * ends it.
 */
#include "drivers/link_impl.h"

#include "drivers/frame.h"
#include "drivers/plan.h"
#include "drivers/trust.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum {
	BUF_SIZE = 2 * FRAME_RTU_MAX,
	BYTE_TIMEOUT_MIN_US = 20000, /* USB adapters deliver in chunks up to 16 ms apart */
	FRAME_SLACK_US = 50000,
	MAX_LATENCY_MS = 1000, /* when nobody says */
	CHATTER_US = 500000,   /* a line that is never silent so long carries no request */
};

struct rtu {
	struct link link;
	struct link_port *port;
	int fd;
	int64_t char_ns, t35_us;
	int64_t last_us; /* when the last byte passed on the wire, ours or others' */
	uint8_t buf[BUF_SIZE];
	size_t have;
	struct trust trust;
};

/* One running transaction. */
struct turn {
	struct exchange *ex;
	struct frame_want want;
	uint8_t adu[FRAME_RTU_MAX]; /* our request */
	int64_t sent_us;            /* its last byte has left */
	int64_t late_us;            /* its answer can come until then */
	int64_t deadline_us;        /* first byte */
	int64_t byte_us, frame_us;
	int64_t first_us; /* first byte of what is in buf */
	uint8_t answer[FRAME_RTU_MAX];
	size_t answer_len; /* > 0: there is one, held until hold_us */
	bool copy, early;
	int64_t hold_us;
};

static int64_t
later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static struct rtu *
rtu_of(struct link *link)
{
	return (struct rtu *)link;
}

static int64_t
wire_us(const struct rtu *r, size_t chars)
{
	return (int64_t)chars * r->char_ns / 1000;
}

/* Reads what is there. Bytes or -errno; a port that is readable and gives nothing is gone. */
static int
take_bytes(struct rtu *r)
{
	ssize_t n;

	if (r->have == BUF_SIZE) { /* nothing in it could be named: noise */
		r->link.stats.noise_bytes += FRAME_RTU_MAX;
		r->have -= FRAME_RTU_MAX;
		memmove(r->buf, r->buf + FRAME_RTU_MAX, r->have);
	}
	n = read(r->fd, r->buf + r->have, BUF_SIZE - r->have);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -EIO;
	if (n == 0)
		return -EIO;
	r->have += (size_t)n;
	r->last_us = link_mono_us();
	return (int)n;
}

/* Waits for bytes until the instant. 1: there are some; 0: none; or -errno. */
static int
await_bytes(struct rtu *r, int64_t until_us)
{
	int rc = link_poll(&r->link, r->fd, POLLIN, until_us);

	if (rc <= 0)
		return rc;
	if (!(rc & POLLIN))
		return -EIO;
	rc = take_bytes(r);
	return rc < 0 ? rc : 1;
}

static void
drop_bytes(struct rtu *r, size_t noise, size_t frame)
{
	size_t n = noise + frame;

	r->link.stats.noise_bytes += noise;
	r->have -= n;
	memmove(r->buf, r->buf + n, r->have);
}

/* A whole frame at buf[at] that nobody waits for. */
static void
note_stray(struct rtu *r, const struct frame_at *f)
{
	r->link.stats.stale_frames++;
	trust_stray(&r->trust, r->buf[f->at], r->last_us);
}

/* Names and drops all that is in the buffer while no answer is due. */
static void
drop_all(struct rtu *r)
{
	static const struct frame_want nothing = {.unit = 0};

	while (r->have > 0) {
		struct frame_at f = frame_find_rtu(r->buf, r->have, &nothing);

		if (f.found == FRAME_OTHER || f.found == FRAME_ANSWER) {
			note_stray(r, &f);
			drop_bytes(r, f.at, f.len);
		} else {
			drop_bytes(r, r->have, 0);
		}
	}
}

/* The unit's quarantine, then silence on the line. */
static int
await_turn(struct rtu *r, const struct exchange *ex)
{
	int64_t gap_us = later(r->t35_us, (int64_t)ex->min_gap_ms * 1000);
	int64_t free_us = trust_free_us(&r->trust, ex->unit);
	int64_t give_up_us = later(link_mono_us(), free_us) + gap_us + CHATTER_US;
	int rc;

	do {
		rc = await_bytes(r, later(free_us, r->last_us + gap_us));
		if (rc > 0 && r->last_us > give_up_us)
			rc = -EBADMSG;
	} while (rc > 0);
	drop_all(r);
	return rc;
}

static int
send_request(struct rtu *r, struct turn *t)
{
	const struct exchange *ex = t->ex;
	int max_latency_ms = ex->max_latency_ms > 0 ? ex->max_latency_ms : MAX_LATENCY_MS;
	size_t len = frame_build_rtu(t->adu, ex->unit, ex->req, ex->req_len);
	ssize_t n = write(r->fd, t->adu, len);

	if (n != (ssize_t)len)
		return -EIO;
	/* write() returns before the bytes have left */
	t->sent_us = r->last_us = link_mono_us() + wire_us(r, len);
	t->late_us = t->sent_us + (int64_t)max_latency_ms * 1000;
	t->deadline_us = t->sent_us + (int64_t)ex->timeout_ms * 1000;
	t->byte_us = (int64_t)ex->byte_timeout_ms * 1000;
	if (t->byte_us <= 0)
		t->byte_us = later(BYTE_TIMEOUT_MIN_US, wire_us(r, 3));
	t->frame_us = wire_us(r, ex->expect > 0 ? ex->expect + 3 : FRAME_RTU_MAX) * 6 / 5 +
		      FRAME_SLACK_US;
	t->want = (struct frame_want){.unit = ex->unit,
		.function = ex->req[0],
		.expect = ex->expect,
		.echo = t->adu,
		.echo_len = len};
	return 0;
}

/* Takes the frame at f as the answer and says how long it must be held. */
static void
take_answer(struct rtu *r, struct turn *t, const struct frame_at *f)
{
	struct exchange *ex = t->ex;
	int64_t latency_us = later(t->first_us - t->sent_us, 0);
	int64_t usual_us = t->sent_us + (int64_t)ex->usual_ms * 1000 + r->t35_us;

	memcpy(t->answer, r->buf + f->at, f->len);
	t->answer_len = f->len;
	ex->latency_us = (int)latency_us;
	ex->arrived_ms = link_real_ms();
	t->early = ex->usual_ms > 0 && latency_us < (int64_t)ex->usual_ms * 500;
	t->copy = trust_is_copy(&r->trust, ex->unit, t->answer, t->answer_len, r->last_us);
	t->hold_us = 0;
	if (t->early || t->copy)
		t->hold_us = usual_us;
	if (t->copy && trust_is_strict(&r->trust, ex->unit, r->last_us))
		t->hold_us = later(t->hold_us, t->deadline_us);
}

/* A second answer while the first is held. 0: go on; -EBADMSG: neither can be trusted. */
static int
compare_answers(struct rtu *r, struct turn *t, const struct frame_at *f)
{
	bool same = f->len == t->answer_len && memcmp(t->answer, r->buf + f->at, f->len) == 0;

	r->link.stats.stale_frames++;
	r->trust.unit[t->ex->unit].owes = false;
	trust_stray(&r->trust, t->ex->unit, r->last_us);
	if (same)
		return 0;
	if (!t->copy)
		return -EBADMSG;
	take_answer(r, t, f); /* the first was a copy of an old one: this is the real one */
	return t->copy ? -EBADMSG : 0;
}

/* Names what is in the buffer. 0: go on waiting (perhaps with an answer in hand); or -EBADMSG. */
static int
sift(struct rtu *r, struct turn *t)
{
	for (;;) {
		struct frame_at f = frame_find_rtu(r->buf, r->have, &t->want);
		int rc = 0;

		switch (f.found) {
		case FRAME_NONE:
		case FRAME_INVALID:
			return 0;
		case FRAME_BROKEN:
			return -EBADMSG;
		case FRAME_ECHO:
			r->link.stats.echo = true;
			break;
		case FRAME_OTHER:
			note_stray(r, &f);
			break;
		case FRAME_ANSWER:
			if (t->answer_len > 0)
				rc = compare_answers(r, t, &f);
			else
				take_answer(r, t, &f);
			break;
		}
		drop_bytes(r, f.at, f.len);
		t->first_us = r->last_us;
		if (rc < 0)
			return rc;
	}
}

/* The line fell silent with something unfinished in the buffer. */
static int
drop_unfinished(struct rtu *r, struct turn *t)
{
	struct frame_at f = frame_find_rtu(r->buf, r->have, &t->want);
	bool doubtful = t->answer_len > 0 && (t->copy || t->early);

	drop_bytes(r, r->have, 0);
	return f.begun || doubtful ? -EBADMSG : 0;
}

/* Until when to wait next, given what there is. */
static int64_t
next_deadline(const struct rtu *r, const struct turn *t)
{
	int64_t silent_us;

	if (t->answer_len > 0)
		return later(r->last_us + r->t35_us, t->hold_us);
	if (r->have == 0)
		return t->deadline_us;
	silent_us = r->last_us + t->byte_us;
	return silent_us < t->first_us + t->frame_us ? silent_us : t->first_us + t->frame_us;
}

/* Never silent, and nothing that could be the answer: enough. */
static bool
is_overdue(const struct rtu *r, const struct turn *t)
{
	return r->last_us > later(t->deadline_us, t->hold_us) + t->frame_us;
}

static int
receive(struct rtu *r, struct turn *t)
{
	for (;;) {
		bool was_empty = r->have == 0;
		int rc = await_bytes(r, next_deadline(r, t));

		if (rc < 0)
			return rc;
		if (rc > 0) {
			if (was_empty)
				t->first_us = r->last_us;
			rc = is_overdue(r, t) ? -EBADMSG : sift(r, t);
		} else if (r->have > 0) {
			rc = drop_unfinished(r, t);
		} else if (t->answer_len > 0) {
			return 0;
		} else if (link_mono_us() >= t->deadline_us) {
			rc = -ETIMEDOUT;
		}
		if (rc < 0)
			return rc;
	}
}

static int
deliver(struct rtu *r, struct turn *t)
{
	struct exchange *ex = t->ex;
	size_t len = t->answer_len - 3;

	if (t->copy && trust_is_strict(&r->trust, ex->unit, r->last_us)) {
		trust_refused(&r->trust, ex->unit, r->last_us, t->late_us);
		return -EBADMSG;
	}
	trust_accepted(&r->trust, ex->unit, t->answer, t->answer_len, r->last_us, t->late_us);
	if (len > ex->rsp_cap)
		return -EPROTO;
	memcpy(ex->rsp, t->answer + 1, len);
	return (int)len;
}

static int
rtu_transact(struct link *link, struct exchange *ex)
{
	struct rtu *r = rtu_of(link);
	struct turn t = {.ex = ex};
	int rc = await_turn(r, ex);

	if (rc == 0)
		rc = send_request(r, &t);
	if (rc < 0)
		return rc;
	rc = receive(r, &t);
	if (rc == 0)
		return deliver(r, &t);
	if (rc == -EBADMSG)
		trust_broken(&r->trust, ex->unit, link_mono_us(), t.late_us);
	else
		trust_timed_out(&r->trust, ex->unit, t.late_us);
	return rc;
}

static int
rtu_open(struct link *link)
{
	struct rtu *r = rtu_of(link);
	int fd = link_port_open(r->port, link->holder);

	if (fd < 0)
		return fd;
	r->fd = fd;
	r->have = 0;
	/* this thread's waits end on time and not 50 us later: a line at 115200 baud notices */
	prctl(PR_SET_TIMERSLACK, 1000);
	r->last_us = link_mono_us(); /* what was before is not known */
	return 0;
}

static void
rtu_close(struct link *link)
{
	link_port_close(rtu_of(link)->port);
	rtu_of(link)->fd = -1;
}

static void
rtu_destroy(struct link *link)
{
	link_port_destroy(rtu_of(link)->port);
	free(link);
}

static int
rtu_wait(struct link *link, int64_t until_us)
{
	struct rtu *r = rtu_of(link);
	int rc;

	if (!link->open)
		return link_poll(link, -1, 0, until_us) < 0 ? -ECANCELED : 0;
	do {
		rc = await_bytes(r, until_us);
		if (rc > 0 && r->last_us >= until_us)
			rc = 0;
	} while (rc > 0);
	drop_all(r);
	return rc;
}

static int64_t
rtu_unit_free_us(const struct link *link, uint8_t unit)
{
	return trust_free_us(&((const struct rtu *)link)->trust, unit);
}

static int64_t
rtu_wire_us(const struct link *link, size_t chars)
{
	return wire_us((const struct rtu *)link, chars);
}

static const struct link_ops rtu_ops = {
	.open = rtu_open,
	.transact = rtu_transact,
	.close = rtu_close,
	.destroy = rtu_destroy,
	.wait = rtu_wait,
	.unit_free_us = rtu_unit_free_us,
	.wire_us = rtu_wire_us,
};

struct link *
link_modbus_rtu_create(const struct link_rtu *spec)
{
	struct rtu *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->port = link_port_create(spec);
	if (!r->port) {
		free(r);
		return NULL;
	}
	r->link.ops = &rtu_ops;
	r->fd = -1;
	r->char_ns = plan_char_ns(spec->baud, spec->format);
	r->t35_us = plan_t35_us(spec->baud, spec->format);
	return &r->link;
}
