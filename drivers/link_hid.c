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

struct hid {
	struct link link;
	struct plug plug;
};

static struct hid *
hid_of(struct link *link)
{
	return (struct hid *)link;
}

static int
hid_open(struct link *link)
{
	return plug_open(link, &hid_of(link)->plug, LINK_HID);
}

static void
hid_close(struct link *link)
{
	plug_close(&hid_of(link)->plug);
}

static void
hid_destroy(struct link *link)
{
	plug_finish(&hid_of(link)->plug);
	free(link);
}

static int
hid_send(struct link *link, const struct driver_query *query)
{
	const struct plug *plug = &hid_of(link)->plug;
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
	struct hid *h = hid_of(link);
	ssize_t n;
	int rc = link_poll(link, h->plug.fd, POLLIN, until_us);

	if (rc <= 0)
		return rc < 0 ? rc : -ETIMEDOUT;
	if (!(rc & POLLIN))
		return -EIO;
	n = read(h->plug.fd, buf, size);
	if (n <= 0) /* readable, and nothing there: unplugged, or the peer has gone */
		return n < 0 && errno == EAGAIN ? -ETIMEDOUT : -EIO;
	return (int)n;
}

static int
hid_await(struct link *link, int64_t until_us)
{
	return plug_await(link, &hid_of(link)->plug, until_us);
}

static int
hid_check(struct link *link)
{
	return plug_check(&hid_of(link)->plug);
}

static void
hid_wake(struct link *link)
{
	plug_wake(&hid_of(link)->plug);
}

static const struct link_ops hid_ops = {
	.open = hid_open,
	.close = hid_close,
	.destroy = hid_destroy,
	.send = hid_send,
	.receive = hid_receive,
	.await = hid_await,
	.check = hid_check,
	.wake = hid_wake,
};

struct link *
link_hid_create(const struct link_plug *spec)
{
	struct hid *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	if (plug_init(&h->link, &h->plug, spec) < 0) {
		free(h);
		return NULL;
	}
	h->link.ops = &hid_ops;
	return &h->link;
}
