/* SPDX-License-Identifier: MIT */
/* link_modbus.c -- the serial port of a Modbus line: the only <modbus.h>
 *
 * libmodbus opens, configures and restores the port. It does not carry frames: 3.1.6 takes a late
 * answer for the next one and cannot resynchronise (its issues 255, 283, 732), so link_rtu.c and
 * link_tcp.c have framing of their own.
 */
#include "drivers/link_impl.h"

#include "drivers/usb.h"

#include <errno.h>
#include <modbus.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct link_port {
	modbus_t *ctx; /* NULL while closed */
	int lock_fd;
	int baud;
	char parity;
	int stop_bits;
	char path[];
};

/* modbus_new_rtu() takes 9600 for a speed that it does not know, without a word. */
static const int speeds[] = {
	300,
	600,
	1200,
	2400,
	4800,
	9600,
	19200,
	38400,
	57600,
	115200,
	230400,
	460800,
	500000,
	576000,
	921600,
	1000000,
};

static bool
is_speed(int baud)
{
	for (size_t i = 0; i < sizeof(speeds) / sizeof(speeds[0]); i++) {
		if (speeds[i] == baud)
			return true;
	}
	return false;
}

/* RTU frames are bytes of eight bits (MODBUS over Serial Line V1.02, 2.5.1). */
static bool
is_format(const char *format)
{
	return strlen(format) == 3 && format[0] == '8' && strchr("NEO", format[1]) &&
	       strchr("12", format[2]);
}

struct link_port *
link_port_create(const struct link_rtu *spec)
{
	size_t len = strlen(spec->device) + 1;
	struct link_port *port = calloc(1, sizeof(*port) + len);

	if (!port)
		return NULL;
	memcpy(port->path, spec->device, len);
	port->lock_fd = -1;
	if (is_speed(spec->baud) && is_format(spec->format)) {
		port->baud = spec->baud;
		port->parity = spec->format[1];
		port->stop_bits = spec->format[2] - '0';
	}
	return port;
}

void
link_port_destroy(struct link_port *port)
{
	if (port)
		link_port_close(port);
	free(port);
}

/* Which node an adapter has that is named by its USB ids or its place; a path is one. */
static int
find_node(const struct link_port *port, struct usb_port *found, char holder[LINK_HOLDER_MAX])
{
	struct usb *usb;
	int rc;

	if (strncmp(port->path, "usb", 3) != 0) {
		if (strlen(port->path) >= sizeof(found->node))
			return -ENAMETOOLONG;
		strcpy(found->node, port->path);
		return 0;
	}
	usb = usb_create();
	rc = usb ? usb_find(usb, port->path, LINK_SERIAL, found, holder, LINK_HOLDER_MAX) : -ENOMEM;
	usb_destroy(usb);
	return rc;
}

int
link_port_open(struct link_port *port, char holder[LINK_HOLDER_MAX])
{
	struct usb_port found;
	int rc;

	if (port->baud == 0)
		return -EINVAL;
	rc = find_node(port, &found, holder);
	if (rc < 0)
		return rc;
	port->lock_fd = port_lock(found.node, holder);
	if (port->lock_fd < 0)
		return port->lock_fd;
	port->ctx = modbus_new_rtu(found.node, port->baud, port->parity, 8, port->stop_bits);
	if (!port->ctx || modbus_connect(port->ctx) < 0) {
		rc = errno > 0 && errno < MODBUS_ENOBASE ? -errno : -EIO;
		modbus_free(port->ctx);
		port->ctx = NULL;
		port_unlock(port->lock_fd);
		port->lock_fd = -1;
		return rc;
	}
	/* keeps out programs that do not lock; a pty refuses nothing, so failing is no failure */
	ioctl(port->lock_fd, TIOCEXCL);
	return modbus_get_socket(port->ctx);
}

void
link_port_close(struct link_port *port)
{
	if (!port->ctx)
		return;
	ioctl(port->lock_fd, TIOCNXCL);
	modbus_close(port->ctx); /* puts the old settings back */
	modbus_free(port->ctx);
	port->ctx = NULL;
	port_unlock(port->lock_fd);
	port->lock_fd = -1;
}
