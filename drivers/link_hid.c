/* SPDX-License-Identifier: MIT */
/* link_hid.c -- a machine that speaks in HID reports: one read, one report
 *
 * On a hidraw node the first byte written is the number of the report, 0 where reports have no
 * numbers, and a read brings one report (kernel: Documentation/hid/hidraw.rst). On a
 * SOCK_SEQPACKET socket, for tests and demonstration, a packet is a report and there is no number.
 */
#include "drivers/link_impl.h"

#include "drivers/usb.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { REPORT = 64 };

static struct plugged *
hid_of(struct link *link)
{
	return (struct plugged *)link;
}

static int
hid_open(struct link *link)
{
	return link_plug_open(hid_of(link), LINK_HID);
}

static int
hid_send(struct link *link, const struct driver_query *query)
{
	const struct plugged *plug = hid_of(link);
	uint8_t report[1 + REPORT] = {0};
	size_t number = plug->is_socket ? 0 : 1;

	if (query->len > REPORT)
		return -EPERM;
	memcpy(report + number, query->bytes, query->len);
	if (write(plug->fd, report, REPORT + number) < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -EIO;
	return 0;
}

static int
hid_receive(struct link *link, void *buf, size_t size, int64_t until_us)
{
	struct plugged *h = hid_of(link);
	ssize_t n;
	int rc = link_poll(link, h->fd, POLLIN, until_us);

	if (rc <= 0)
		return rc < 0 ? rc : -ETIMEDOUT;
	if (!(rc & POLLIN))
		return -EIO;
	n = read(h->fd, buf, size);
	if (n <= 0) /* readable, and nothing there: unplugged, or the peer has gone */
		return n < 0 && errno == EAGAIN ? -ETIMEDOUT : -EIO;
	return (int)n;
}

static const struct link_ops hid_ops = {
	.open = hid_open,
	.close = link_plug_close,
	.destroy = link_plug_destroy,
	.send = hid_send,
	.receive = hid_receive,
	.await = link_plug_await,
	.check = link_plug_check,
	.wake = link_plug_wake,
};

struct link *
link_hid_create(const struct link_plug *spec)
{
	struct plugged *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	if (link_plug_init(h, spec) < 0) {
		free(h);
		return NULL;
	}
	h->link.ops = &hid_ops;
	return &h->link;
}
