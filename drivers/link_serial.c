/* SPDX-License-Identifier: MIT */
/* link_serial.c -- a machine on a USB serial port that speaks in lines
 *
 * The kernel raises DTR when a tty is opened, which restarts most Arduino-like boards and kills
 * the job they run; HUPCL would lower it at the last close and so prepare the next restart
 * (termios(3)). So the port is opened once per plug-in and kept, and HUPCL is cleared: a restart
 * of the daemon makes no edge.
 */
#include "drivers/link_impl.h"

#include "drivers/lines.h"
#include "drivers/usb.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum { WRITE_US = 1000000 };

struct serial {
	struct plugged plug; /* first: it begins with the link */
	int baud;
	struct lines lines;
};

static struct serial *
serial_of(struct link *link)
{
	return (struct serial *)link;
}

static const struct {
	int baud;
	speed_t speed;
} speeds[] = {
	{1200, B1200},
	{2400, B2400},
	{4800, B4800},
	{9600, B9600},
	{19200, B19200},
	{38400, B38400},
	{57600, B57600},
	{115200, B115200},
	{230400, B230400},
	{460800, B460800},
	{500000, B500000},
	{921600, B921600},
	{1000000, B1000000},
};

/* B0: none of termios' own. */
static speed_t
find_speed(int baud)
{
	for (size_t i = 0; i < sizeof(speeds) / sizeof(speeds[0]); i++) {
		if (speeds[i].baud == baud)
			return speeds[i].speed;
	}
	return B0;
}

static int
configure(int fd, int baud)
{
	speed_t speed = find_speed(baud);
	struct termios tio;

	if (tcgetattr(fd, &tio) < 0)
		return -errno;
	cfmakeraw(&tio);
	tio.c_cflag |= CLOCAL | CREAD;
	tio.c_cflag &= ~(tcflag_t)(HUPCL | CRTSCTS | CSTOPB | PARENB);
	tio.c_iflag &= ~(tcflag_t)(IXON | IXOFF | IXANY);
	tio.c_cc[VMIN] = 1;
	tio.c_cc[VTIME] = 0;
	if (speed != B0)
		cfsetspeed(&tio, speed);
	if (tcsetattr(fd, TCSANOW, &tio) < 0)
		return -errno;
	return speed != B0 ? 0 : tty_set_speed(fd, baud);
}

static int
serial_open(struct link *link)
{
	struct serial *s = serial_of(link);
	int rc = link_plug_open(&s->plug, LINK_SERIAL);

	if (rc < 0)
		return rc;
	rc = configure(s->plug.fd, s->baud);
	if (rc < 0) {
		link_plug_close(link);
		return rc;
	}
	/* keeps out programs that do not lock; a pty refuses nothing, so failing is no failure */
	ioctl(s->plug.fd, TIOCEXCL);
	if (!link->resets) /* of a board that restarts, the first words are worth having */
		tcflush(s->plug.fd, TCIFLUSH);
	lines_reset(&s->lines);
	return 0;
}

static void
serial_close(struct link *link)
{
	struct serial *s = serial_of(link);

	ioctl(s->plug.fd, TIOCNXCL);
	link_plug_close(link);
}

static int
serial_send(struct link *link, const struct driver_query *query)
{
	struct serial *s = serial_of(link);
	int64_t until_us = link_mono_us() + WRITE_US;

	for (size_t at = 0; at < query->len;) {
		ssize_t n = write(s->plug.fd, query->bytes + at, query->len - at);
		int rc;

		if (n >= 0) {
			at += (size_t)n;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		rc = link_poll(link, s->plug.fd, POLLOUT, until_us);
		if (rc <= 0)
			return rc < 0 ? rc : -ETIMEDOUT;
		if (!(rc & POLLOUT))
			return -EIO;
	}
	return 0;
}

/* Reads what is there. Bytes or -errno; a port that is readable and gives nothing is gone. */
static int
take_bytes(struct serial *s)
{
	size_t room;
	char *to = lines_room(&s->lines, &room);
	ssize_t n = read(s->plug.fd, to, room);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -EIO;
	if (n == 0)
		return -EIO;
	lines_added(&s->lines, (size_t)n);
	return (int)n;
}

static int
serial_receive(struct link *link, void *buf, size_t size, int64_t until_us)
{
	struct serial *s = serial_of(link);

	for (bool late = false;; late = link_mono_us() >= until_us) {
		size_t n = lines_take(&s->lines, buf, size);
		int rc;

		link->stats.noise_bytes = s->lines.dropped;
		if (n > 0)
			return (int)n;
		if (late) /* also while bytes keep coming: a flood keeps nobody here */
			return -ETIMEDOUT;
		rc = link_poll(link, s->plug.fd, POLLIN, until_us);
		if (rc <= 0)
			return rc < 0 ? rc : -ETIMEDOUT;
		if (!(rc & POLLIN))
			return -EIO;
		rc = take_bytes(s);
		if (rc < 0)
			return rc;
	}
}

static const struct link_ops serial_ops = {
	.open = serial_open,
	.close = serial_close,
	.destroy = link_plug_destroy,
	.send = serial_send,
	.receive = serial_receive,
	.await = link_plug_await,
	.check = link_plug_check,
	.wake = link_plug_wake,
};

struct link *
link_serial_create(const struct link_plug *spec)
{
	struct serial *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	if (link_plug_init(&s->plug, spec) < 0) {
		free(s);
		return NULL;
	}
	s->plug.link.ops = &serial_ops;
	s->baud = spec->baud;
	return &s->plug.link;
}
