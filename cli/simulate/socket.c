/* SPDX-License-Identifier: MIT */
/* socket.c -- where simulated USB machines are plugged in
 *
 * A serial one is a pty whose slave end nobody keeps open here, because opening it is what
 * restarts a board: the master is looked at twenty times a second until somebody has the slave
 * open, and then watched. A HID one is a SOCK_SEQPACKET socket with one client; a packet is a
 * report.
 */
#include "cli/simulate/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

enum {
	LOOK_US = 50000,
	TICK_US = 200000,
	FLOOD_BYTES = 2000,
	REPORT = 64,
	SAY_MAX = 1000,
	QUEUE_MAX = 64
};

enum wire { WIRE_OK, WIRE_SILENT, WIRE_STALL, WIRE_STALLED, WIRE_GARBAGE, WIRE_FLOOD, WIRE_LATE };

struct plug {
	const struct plug_kind *kind;
	struct reactor *reactor;
	char name[40], path[108], place[116];
	bool resets, in;
	struct watch wire;   /* the pty's master, or the client; fd -1: none */
	struct watch listen; /* HID */
	bool open;           /* somebody has it open */
	struct timer look, tick;
	int64_t start_us;
	enum wire fault;
	int late_ms;
	struct plug_stats stats;
	struct later {
		struct timer timer;
		struct plug *plug;
		size_t len;
		uint8_t bytes[SAY_MAX];
	} queue[QUEUE_MAX]; /* what is said late */
	_Alignas(16) char state[];
};

/* ---- for the kinds -------------------------------------------------------------------------- */

void *
plug_state(struct plug *p)
{
	return p->state;
}

int64_t
plug_now_ms(const struct plug *p)
{
	return (reactor_now_us() - p->start_us) / 1000;
}

const char *
plug_name(const struct plug *p)
{
	return p->name;
}

static void
put(struct plug *p, const uint8_t *bytes, size_t n)
{
	/* what nobody reads is lost, as on a real wire */
	if (p->open && write(p->wire.fd, bytes, n) > 0)
		p->stats.said += p->kind->hid ? 1 : n;
}

static void
say_late(struct timer *t)
{
	struct later *l = (struct later *)((char *)t - offsetof(struct later, timer));

	put(l->plug, l->bytes, l->len);
	l->len = 0;
}

static void
put_late(struct plug *p, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < QUEUE_MAX; i++) {
		struct later *l = &p->queue[i];
		if (l->len)
			continue;
		memcpy(l->bytes, bytes, n);
		l->len = n;
		l->plug = p;
		l->timer.fire = say_late;
		reactor_arm(p->reactor, &l->timer, reactor_now_us() + (int64_t)p->late_ms * 1000);
		return;
	}
}

static void
send_out(struct plug *p, const uint8_t *bytes, size_t n)
{
	static const uint8_t garbage[] = "\xFF\x00\x80~\x1B[2J\xC3(";

	switch (p->fault) {
	case WIRE_SILENT:
	case WIRE_STALLED:
		return;
	case WIRE_STALL:
		put(p, bytes, n / 2);
		p->fault = WIRE_STALLED;
		return;
	case WIRE_LATE:
		put_late(p, bytes, n);
		return;
	case WIRE_GARBAGE:
		put(p, garbage, sizeof garbage - 1);
		break;
	case WIRE_OK:
	case WIRE_FLOOD:
		break;
	}
	put(p, bytes, n);
}

void
plug_say(struct plug *p, const char *fmt, ...)
{
	char text[SAY_MAX];
	va_list args;

	va_start(args, fmt);
	int n = vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	if (n > 0)
		send_out(p, (const uint8_t *)text,
			(size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

void
plug_report(struct plug *p, const uint8_t *bytes, size_t n)
{
	uint8_t report[REPORT] = {0};

	memcpy(report, bytes, n < REPORT ? n : REPORT);
	send_out(p, report, sizeof report);
}

/* ---- the wire ------------------------------------------------------------------------------- */

static void
on_closed(struct plug *p)
{
	p->open = false;
	if (p->kind->hid) {
		reactor_close(p->reactor, &p->wire);
		return;
	}
	reactor_unwatch(p->reactor, &p->wire);
	if (p->in)
		reactor_arm(p->reactor, &p->look, reactor_now_us() + LOOK_US);
}

static void
on_wire(struct watch *w, uint32_t events)
{
	struct plug *p = (struct plug *)((char *)w - offsetof(struct plug, wire));
	uint8_t bytes[512];
	ssize_t n = events & EPOLLIN ? read(w->fd, bytes, sizeof bytes) : -1;

	if (n <= 0) {
		on_closed(p);
		return;
	}
	p->stats.heard += p->kind->hid ? 1 : (size_t)n;
	if (p->fault == WIRE_SILENT)
		return;
	size_t number = p->kind->hid && n == REPORT + 1 && bytes[0] == 0; /* as hidraw has it */
	p->kind->heard(p, bytes + number, (size_t)n - number);
}

static void
on_opened(struct plug *p)
{
	p->open = true;
	p->stats.opened++;
	reactor_watch(p->reactor, &p->wire, EPOLLIN);
	if (p->resets && p->kind->start)
		p->kind->start(p);
}

/* Has somebody opened the slave end? A pty's master hangs up while nobody has. */
static void
on_look(struct timer *t)
{
	struct plug *p = (struct plug *)((char *)t - offsetof(struct plug, look));
	struct pollfd pfd = {.fd = p->wire.fd, .events = POLLIN};

	if (poll(&pfd, 1, 0) >= 0 && !(pfd.revents & POLLHUP))
		on_opened(p);
	else
		reactor_arm(p->reactor, &p->look, reactor_now_us() + LOOK_US);
}

static void
on_tick(struct timer *t)
{
	struct plug *p = (struct plug *)((char *)t - offsetof(struct plug, tick));
	char flood[FLOOD_BYTES];

	reactor_arm(p->reactor, t, reactor_now_us() + TICK_US);
	if (p->kind->tick)
		p->kind->tick(p);
	if (p->fault != WIRE_FLOOD)
		return;
	memset(flood, '#', sizeof flood);
	for (int i = 0; i < 20; i++)
		put(p, (const uint8_t *)flood, p->kind->hid ? REPORT : sizeof flood);
}

/* ---- in and out ----------------------------------------------------------------------------- */

static int
open_pty(struct plug *p)
{
	struct termios tio;
	char tty[64];
	int master, slave;

	if (openpty(&master, &slave, tty, NULL, NULL))
		return -errno;
	tcgetattr(slave, &tio);
	cfmakeraw(&tio);
	tcsetattr(slave, TCSANOW, &tio);
	close(slave);
	fcntl(master, F_SETFL, O_NONBLOCK);
	fcntl(master, F_SETFD, FD_CLOEXEC);
	unlink(p->path);
	p->wire.fd = master;
	if (symlink(tty, p->path))
		return -errno;
	return reactor_arm(p->reactor, &p->look, reactor_now_us());
}

static void
on_client(struct watch *w, uint32_t events)
{
	struct plug *p = (struct plug *)((char *)w - offsetof(struct plug, listen));
	int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd < 0)
		return;
	if (p->open) { /* one at a time */
		close(fd);
		return;
	}
	p->wire.fd = fd;
	on_opened(p);
}

static int
open_seqpacket(struct plug *p)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	snprintf(at.sun_path, sizeof at.sun_path, "%s", p->path);
	unlink(p->path);
	p->listen.fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->listen.fd < 0 || bind(p->listen.fd, (struct sockaddr *)&at, sizeof at) ||
		listen(p->listen.fd, 1))
		return -errno;
	return reactor_watch(p->reactor, &p->listen, EPOLLIN);
}

int
plug_in(struct plug *p)
{
	if (p->in)
		return 0;
	int rc = p->kind->hid ? open_seqpacket(p) : open_pty(p);
	p->in = true;
	if (rc)
		plug_out(p);
	else if (p->kind->start)
		p->kind->start(p);
	return rc;
}

void
plug_out(struct plug *p)
{
	if (!p->in)
		return;
	p->in = p->open = false;
	reactor_disarm(p->reactor, &p->look);
	for (size_t i = 0; i < QUEUE_MAX; i++) {
		reactor_disarm(p->reactor, &p->queue[i].timer);
		p->queue[i].len = 0;
	}
	reactor_close(p->reactor, &p->wire);
	reactor_close(p->reactor, &p->listen);
	unlink(p->path);
}

bool
plug_is_in(const struct plug *p)
{
	return p->in;
}

/* ---- made and told -------------------------------------------------------------------------- */

static int
act_on_line(struct plug *p, const char *text)
{
	char line[128], *words[8], *rest = NULL;
	size_t n = 0;

	snprintf(line, sizeof line, "%s", text);
	for (char *word = strtok_r(line, " ", &rest); word && n < 8;
		word = strtok_r(NULL, " ", &rest))
		words[n++] = word;
	return plug_act(p, words, n);
}

struct plug *
plug_create(struct reactor *reactor, const struct plug_spec *spec)
{
	const struct plug_kind *kind = plug_kind_find(spec->kind);
	struct plug *p = kind ? calloc(1, sizeof *p + kind->state_size) : NULL;

	if (!p) {
		errno = kind ? ENOMEM : EINVAL;
		return NULL;
	}
	p->kind = kind;
	p->reactor = reactor;
	p->resets = spec->resets;
	p->wire = (struct watch){-1, on_wire};
	p->listen = (struct watch){-1, on_client};
	p->look.fire = on_look;
	p->tick.fire = on_tick;
	p->start_us = reactor_now_us();
	snprintf(p->name, sizeof p->name, "%s", spec->name);
	snprintf(p->path, sizeof p->path, "%s", spec->path);
	snprintf(p->place, sizeof p->place, "%s%s", kind->hid ? "unix:" : "", p->path);
	int rc = plug_in(p);
	if (!rc && spec->act)
		rc = act_on_line(p, spec->act);
	if (rc) {
		plug_destroy(p);
		errno = -rc;
		return NULL;
	}
	reactor_arm(reactor, &p->tick, p->start_us + TICK_US);
	return p;
}

void
plug_destroy(struct plug *p)
{
	if (!p)
		return;
	plug_out(p);
	reactor_disarm(p->reactor, &p->tick);
	free(p);
}

int
plug_act(struct plug *p, char *const *words, size_t n)
{
	return n && p->kind->act ? p->kind->act(p, words, n) : -EINVAL;
}

int
plug_fault(struct plug *p, char *const *words, size_t n)
{
	static const struct {
		const char *word;
		enum wire fault;
	} faults[] = {{"ok", WIRE_OK}, {"silent", WIRE_SILENT}, {"stall", WIRE_STALL},
		{"garbage", WIRE_GARBAGE}, {"flood", WIRE_FLOOD}, {"late", WIRE_LATE}};

	for (size_t i = 0; n && i < sizeof faults / sizeof faults[0]; i++) {
		if (strcmp(faults[i].word, words[0]))
			continue;
		if ((faults[i].fault == WIRE_LATE) != (n == 2))
			return -EINVAL;
		p->late_ms = n == 2 ? atoi(words[1]) : 0;
		p->fault = faults[i].fault;
		return 0;
	}
	return -EINVAL;
}

const struct plug_kind *
plug_kind_of(const struct plug *p)
{
	return p->kind;
}

const char *
plug_place(const struct plug *p)
{
	return p->place;
}

void
plug_stats(const struct plug *p, struct plug_stats *out)
{
	*out = p->stats;
}
