/* SPDX-License-Identifier: MIT */
/* link_plug.c -- what serial and HID links have in common: a node that comes and goes
 *
 * Which node is asked anew at each opening, since after a re-plug it may have another name. A
 * device that is not the expected one is not even opened: opening restarts some boards.
 */
#include "drivers/link_impl.h"

#include "drivers/usb.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static struct plugged *
link_plug_of(struct link *link)
{
	return (struct plugged *)link;
}

static void
finish(struct plugged *plug)
{
	free(plug->device);
	if (plug->wake_fd >= 0)
		close(plug->wake_fd);
}

int
link_plug_init(struct plugged *plug, const struct link_plug *spec)
{
	plug->fd = -1;
	plug->usb = spec->usb;
	plug->device = strdup(spec->device);
	plug->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (!plug->device || plug->wake_fd < 0) {
		finish(plug);
		return -ENOMEM;
	}
	plug->link.resets = spec->resets;
	plug->link.queries = spec->queries;
	plug->link.n_queries = spec->n_queries;
	return 0;
}

void
link_plug_destroy(struct link *link)
{
	link_plug_close(link);
	finish(link_plug_of(link));
	free(link);
}

static int
open_socket(struct plugged *plug)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	const char *path = plug->device + strlen("unix:");
	int fd, rc = 0;

	if (strlen(path) >= sizeof(to.sun_path))
		return -ENAMETOOLONG;
	strcpy(to.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		rc = errno == ECONNREFUSED || errno == ENOENT ? -ENODEV : -errno;
	if (rc < 0) {
		close(fd);
		return rc;
	}
	plug->is_socket = true;
	plug->fd = fd;
	return 0;
}

static int
look_at_node(const struct plugged *plug, uint64_t *number, uint64_t *inode)
{
	struct stat st;

	if (stat(plug->node, &st) < 0)
		return -ENODEV;
	*number = st.st_rdev;
	*inode = st.st_ino;
	return 0;
}

static int
open_node(struct plugged *plug, enum link_kind kind)
{
	struct link *link = &plug->link;
	struct usb_port port;
	int rc = usb_find(plug->usb, plug->device, kind, &port, link->holder, LINK_HOLDER_MAX);

	if (rc == 0)
		usb_identity(&port, link->plugged);
	if (rc < 0)
		return rc;
	if (link->expected[0] && strcmp(link->expected, link->plugged) != 0)
		return -ESTALE;
	link->holder[0] = '\0';
	plug->is_socket = false;
	plug->fd = port_lock(port.node, link->holder);
	if (plug->fd < 0)
		return plug->fd == -ENOENT || plug->fd == -ENXIO ? -ENODEV : plug->fd;
	snprintf(plug->node, sizeof(plug->node), "%s", port.node);
	look_at_node(plug, &plug->number, &plug->inode);
	return 0;
}

int
link_plug_open(struct plugged *plug, enum link_kind kind)
{
	plug->link.plugged[0] = '\0';
	if (kind == LINK_HID && strncmp(plug->device, "unix:", 5) == 0)
		return open_socket(plug);
	return open_node(plug, kind);
}

void
link_plug_close(struct link *link)
{
	struct plugged *plug = link_plug_of(link);

	if (plug->fd >= 0)
		close(plug->fd);
	plug->fd = -1;
}

int
link_plug_await(struct link *link, int64_t until_us)
{
	struct plugged *plug = link_plug_of(link);
	struct pollfd fds[] = {
		{.fd = plug->fd, .events = POLLIN}, {.fd = plug->wake_fd, .events = POLLIN}};
	int64_t left_us = until_us - link_mono_us();
	struct timespec ts = {.tv_sec = left_us / 1000000, .tv_nsec = left_us % 1000000 * 1000};
	uint64_t count;

	if (link_is_cancelled(link))
		return -ECANCELED;
	if (left_us < 0)
		ts = (struct timespec){0};
	if (ppoll(fds, 2, &ts, NULL) < 0)
		return errno == EINTR ? 0 : -errno;
	if (fds[1].revents && read(plug->wake_fd, &count, sizeof(count)) > 0)
		return 0;
	if (fds[0].revents & POLLIN)
		return 1;
	return fds[0].revents ? -EIO : 0;
}

void
link_plug_wake(struct link *link)
{
	const uint64_t one = 1;
	/* full means that it is awake already */
	ssize_t n = write(link_plug_of(link)->wake_fd, &one, sizeof(one));

	(void)n;
}

int
link_plug_check(struct link *link)
{
	struct plugged *plug = link_plug_of(link);
	uint64_t number, inode;

	if (plug->is_socket)
		return 0;
	if (look_at_node(plug, &number, &inode) < 0 || number != plug->number ||
		inode != plug->inode)
		return -ENODEV;
	return 0;
}
