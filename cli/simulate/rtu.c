/* SPDX-License-Identifier: MIT */
/* rtu.c -- an RS-485 line on a pseudo-terminal
 *
 * A pty has no speed, so the line keeps the time itself: a request occupies the wire from the
 * moment it is read, the slave begins t3.5 and its own latency after its end, the answer comes in
 * pieces of some milliseconds as a USB adapter would deliver them. Without `timing` everything is
 * at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "cli/simulate/port.h"
#include "drivers/plan.h"

enum { PIECE_US = 4000, STALE_US = 50000, MAX_FRAME = 256, UNLOCK_US = 500000 };

struct line {
	struct port port; /* first: a line is a port */
	struct watch watch;
	int slave; /* kept open, so that the master never sees a hang-up between two clients */
	char tty[64];
	bool timing;
	double char_us; /* 0 without timing */
	int64_t t35_us;
	int64_t wire_end_us; /* when the last byte on the line ends */
	uint8_t rx[2 * MAX_FRAME];
	size_t rx_len;
	int64_t rx_first_us, rx_last_us;
	struct sending *sendings;
	struct timer unlock;
};

/* A frame that waits for its time, or is under way. */
struct sending {
	struct timer timer;
	struct line *line;
	struct sending *next;
	double byte_us;
	int64_t start_us; /* 0: not begun */
	size_t len, sent;
	uint8_t bytes[REPLY_BYTES];
};

/* ---- out ------------------------------------------------------------------------------------ */

static void
put(const struct line *l, const uint8_t *bytes, size_t n)
{
	/* A client that does not read loses bytes, as on a real line. */
	if (l->watch.fd >= 0 && write(l->watch.fd, bytes, n) < 0)
		return;
}

static void
forget(struct line *l, struct sending *s)
{
	struct sending **at = &l->sendings;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	reactor_disarm(l->port.reactor, &s->timer);
	free(s);
}

static size_t
piece(const struct sending *s)
{
	size_t left = s->len - s->sent, n = left;

	if (s->byte_us > 0)
		n = s->byte_us < PIECE_US ? (size_t)(PIECE_US / s->byte_us) : 1;
	return n < left ? n : left;
}

static void
arm_piece(struct sending *s)
{
	int64_t at = s->start_us + (int64_t)((double)(s->sent + piece(s)) * s->byte_us);

	reactor_arm(s->line->port.reactor, &s->timer, at);
}

static void
on_time(struct timer *t)
{
	struct sending *s = (struct sending *)((char *)t - offsetof(struct sending, timer));
	struct line *l = s->line;

	if (!s->start_us) {
		if (l->wire_end_us > t->at_us) { /* somebody else is on the wire */
			reactor_arm(l->port.reactor, t, l->wire_end_us + l->t35_us);
			return;
		}
		s->start_us = t->at_us;
		l->wire_end_us = s->start_us + (int64_t)((double)s->len * s->byte_us);
		l->port.stats.wire_us += l->wire_end_us - s->start_us;
		if (s->byte_us > 0) {
			arm_piece(s);
			return;
		}
	}
	size_t n = piece(s);
	put(l, s->bytes + s->sent, n);
	s->sent += n;
	if (s->sent < s->len)
		arm_piece(s);
	else
		forget(l, s);
}

static void
send_at(struct line *l, const struct reply_piece *p, int64_t at_us, int64_t trickle_us)
{
	bool at_once = !l->timing && !trickle_us && at_us <= reactor_now_us();

	if (at_once || p->at_once) {
		put(l, p->bytes, p->len);
		return;
	}
	struct sending *s = calloc(1, sizeof *s);
	if (!s)
		return;
	s->line = l;
	s->byte_us = trickle_us ? (double)trickle_us : l->char_us;
	s->len = p->len;
	memcpy(s->bytes, p->bytes, p->len);
	s->timer.fire = on_time;
	s->next = l->sendings;
	l->sendings = s;
	if (reactor_arm(l->port.reactor, &s->timer, at_us))
		forget(l, s);
}

/* ---- in ------------------------------------------------------------------------------------- */

/* Length of the request that begins here: 0 if it cannot be one, more than n if it is not whole. */
static size_t
request_length(const uint8_t *f, size_t n)
{
	if (n < 2)
		return 4;
	switch (f[1]) {
	case 1:
	case 2:
	case 3:
	case 4:
	case 5:
	case 6:
		return 8;
	case 7:
	case 11:
	case 12:
	case 17:
		return 4;
	case 15:
	case 16:
		return n < 7 ? 9 : 9u + f[6];
	case 22:
		return 10;
	case 23:
		return n < 11 ? 13 : 13u + f[10];
	case 43:
		return 7;
	default:
		return 0;
	}
}

static void
note_silence(struct line *l, struct unit *u)
{
	if (!l->timing || l->rx_first_us >= l->wire_end_us + l->t35_us)
		return;
	l->port.stats.inside_t35++;
	l->port.stats.collisions += l->rx_first_us < l->wire_end_us;
	if (u)
		u->stats.inside_t35++;
}

static void
on_frame(struct line *l, const uint8_t *frame, size_t len)
{
	struct unit *u = port_find(&l->port, frame[0]);
	struct asked asked = {
		.frame = frame, .frame_len = len, .pdu = frame + 1, .pdu_len = len - 3};
	bool collides = l->timing && l->rx_first_us < l->wire_end_us;
	struct reply reply;

	l->port.stats.requests++;
	note_silence(l, u);
	int64_t wire_us = (int64_t)((double)len * l->char_us);
	l->wire_end_us = l->rx_first_us + wire_us;
	l->port.stats.wire_us += wire_us;
	if (!u)
		l->port.stats.unknown++;
	if (!u || collides) /* two at once on the wire: nobody understands it */
		return;
	port_answer(&l->port, u, &asked, &reply);
	int64_t at = l->wire_end_us + l->t35_us + u->latency_us;
	for (size_t i = 0; i < reply.n; i++)
		send_at(l, &reply.piece[i], at + reply.piece[i].delay_us, reply.trickle_us);
}

/* Takes whole requests off the front; bytes that begin none are dropped one by one. */
static void
scan(struct line *l)
{
	size_t at = 0;

	while (at < l->rx_len) {
		const uint8_t *f = l->rx + at;
		size_t left = l->rx_len - at, need = request_length(f, left);
		if (need > left)
			break;
		if (need && fault_crc(f, need - 2) == (f[need - 2] | f[need - 1] << 8)) {
			on_frame(l, f, need);
			at += need;
		} else {
			l->port.stats.garbage++;
			at++;
		}
	}
	l->rx_len -= at;
	memmove(l->rx, l->rx + at, l->rx_len);
}

static void
on_readable(struct watch *w, uint32_t events)
{
	struct line *l = (struct line *)((char *)w - offsetof(struct line, watch));
	int64_t now = reactor_now_us();

	(void)events;
	if (l->rx_len && now - l->rx_last_us > STALE_US) {
		l->port.stats.garbage += l->rx_len;
		l->rx_len = 0;
	}
	ssize_t n = read(w->fd, l->rx + l->rx_len, sizeof l->rx - l->rx_len);
	if (n <= 0)
		return;
	if (!l->rx_len)
		l->rx_first_us = now;
	l->rx_last_us = now;
	l->rx_len += (size_t)n;
	scan(l);
	if (l->rx_len == sizeof l->rx)
		l->rx_len = 0;
}

/* ---- the pty -------------------------------------------------------------------------------- */

/* A client that was killed leaves its TIOCEXCL behind: on a pty it outlives the last close, where a
 * real port forgets it. Nobody but root could open the line again. */
static void
on_unlock(struct timer *t)
{
	struct line *l = (struct line *)((char *)t - offsetof(struct line, unlock));
	int exclusive = 0;

	if (!ioctl(l->slave, TIOCGEXCL, &exclusive) && exclusive &&
		!flock(l->slave, LOCK_EX | LOCK_NB)) {
		ioctl(l->slave, TIOCNXCL);
		flock(l->slave, LOCK_UN);
	}
	reactor_arm(l->port.reactor, t, t->at_us + UNLOCK_US);
}

static int
open_pty(struct line *l)
{
	struct termios raw = {0};
	struct stat st;
	int rc = 0;

	cfmakeraw(&raw);
	raw.c_cflag |= CLOCAL | CREAD;
	if (openpty(&l->watch.fd, &l->slave, l->tty, &raw, NULL))
		return -errno;
	fcntl(l->watch.fd, F_SETFL, O_NONBLOCK);
	fcntl(l->watch.fd, F_SETFD, FD_CLOEXEC);
	fcntl(l->slave, F_SETFD, FD_CLOEXEC);
	if (!lstat(l->port.place, &st) && S_ISLNK(st.st_mode)) /* of a simulator that was killed */
		unlink(l->port.place);
	if (symlink(l->tty, l->port.place) ||
		(rc = reactor_watch(l->port.reactor, &l->watch, EPOLLIN))) {
		rc = rc ? rc : -errno;
		reactor_close(l->port.reactor, &l->watch);
		close(l->slave);
		return rc;
	}
	l->unlock.fire = on_unlock;
	return reactor_arm(l->port.reactor, &l->unlock, reactor_now_us() + UNLOCK_US);
}

static void
close_pty(struct line *l)
{
	char target[64];
	ssize_t n = readlink(l->port.place, target, sizeof target);

	while (l->sendings)
		forget(l, l->sendings);
	reactor_disarm(l->port.reactor, &l->unlock);
	if (l->watch.fd < 0)
		return;
	if (n > 0 && (size_t)n == strlen(l->tty) && !memcmp(target, l->tty, (size_t)n))
		unlink(l->port.place);
	reactor_close(l->port.reactor, &l->watch);
	close(l->slave);
	l->rx_len = 0;
}

static void
line_plug(struct port *p, bool in)
{
	struct line *l = (struct line *)p;

	if (!in)
		close_pty(l);
	else if (l->watch.fd < 0 && open_pty(l))
		l->watch.fd = -1;
}

static bool
line_is_plugged(const struct port *p)
{
	return ((const struct line *)p)->watch.fd >= 0;
}

static void
line_destroy(struct port *p)
{
	close_pty((struct line *)p);
	free(p);
}

static const struct port_ops line_ops = {line_plug, line_is_plugged, line_destroy};

static int
bits_per_char(const char *format)
{
	return 1 + (format[0] - '0') + (format[1] != 'N') + (format[2] - '0');
}

struct port *
port_rtu_create(struct reactor *reactor, const struct rtu_spec *spec)
{
	struct line *l = calloc(1, sizeof *l);

	if (!l)
		return NULL;
	l->port.reactor = reactor;
	l->port.ops = &line_ops;
	l->port.start_us = reactor_now_us();
	l->port.baud = spec->baud;
	snprintf(l->port.id, sizeof l->port.id, "%s", spec->id);
	snprintf(l->port.format, sizeof l->port.format, "%s", spec->format);
	int n = snprintf(l->port.place, sizeof l->port.place, "%s", spec->path);
	l->watch = (struct watch){-1, on_readable};
	l->timing = spec->timing;
	if (l->timing) {
		l->char_us = 1e6 * bits_per_char(spec->format) / spec->baud;
		l->t35_us = plan_t35_us(spec->baud, spec->format);
	}
	int rc = n < (int)sizeof l->port.place ? open_pty(l) : -ENAMETOOLONG;
	if (rc) {
		free(l);
		errno = -rc;
		return NULL;
	}
	return &l->port;
}
