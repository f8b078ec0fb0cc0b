/* SPDX-License-Identifier: MIT */
/* link_impl.h -- what the kinds of links share; for link*.c only */
#ifndef DRIVERS_LINK_IMPL_H
#define DRIVERS_LINK_IMPL_H

#include "drivers/link.h"

#include <stdatomic.h>

enum {
	LINK_SLICE_MS = 250, /* longest wait without a look at the cancel flag */
	LINK_HOLDER_MAX = 128,
	LINK_PLUGGED_MAX = 96,
};

/* First member of every kind of link. */
struct link {
	const struct link_ops *ops;
	struct link_stats stats;
	atomic_bool cancelled;
	atomic_llong due_us; /* what link_promise() said last */
	bool open;
	unsigned generation; /* openings */
	char holder[LINK_HOLDER_MAX];
	/* serial and HID */
	const struct driver_query *queries;
	size_t n_queries;
	bool resets;
	char plugged[LINK_PLUGGED_MAX], expected[LINK_PLUGGED_MAX];
};

int64_t link_mono_us(void);
int64_t link_real_ms(void);
bool link_is_cancelled(const struct link *link);
/* Waits for `events` on fd (fd < 0: only waits) until the instant. The revents, 0 when the time is
 * over, -ECANCELED, or -errno. */
int link_poll(const struct link *link, int fd, short events, int64_t until_us);

/* link_rtu.c. `adu` timing needs the line's speed. */
struct link_port; /* link_modbus.c: the serial port itself */

struct link_port *link_port_create(const struct link_rtu *spec);
void link_port_destroy(struct link_port *port);
/* Locks, opens and configures. The descriptor or -errno; -EBUSY fills in `holder`. */
int link_port_open(struct link_port *port, char holder[LINK_HOLDER_MAX]);
void link_port_close(struct link_port *port);

/* link_plug.c: the node of a serial or HID device, wherever it is plugged in. */
struct plugged {
	struct link link;
	struct usb *usb; /* borrowed */
	char *device;    /* as configured */
	int fd, wake_fd;
	bool is_socket;
	char node[256];         /* that is open, */
	uint64_t number, inode; /* and what it was when it was opened */
};

int link_plug_init(struct plugged *plug, const struct link_plug *spec);
/* 0 or -errno, see link_open(). */
int link_plug_open(struct plugged *plug, enum link_kind kind);
/* For struct link_ops; the link is the first member of a struct plugged, and that of what it frees.
 */
void link_plug_close(struct link *link);
void link_plug_destroy(struct link *link);
int link_plug_await(struct link *link, int64_t until_us);
void link_plug_wake(struct link *link);
int link_plug_check(struct link *link);

/* tty_speed.c: any speed at all. 0 or -errno. */
int tty_set_speed(int fd, int baud);

/* port_lock.c: one process per port. Returns a descriptor that holds the lock, or -errno. */
int port_lock(const char *path, char holder[LINK_HOLDER_MAX]);
void port_unlock(int fd);

/* resolve.c: getaddrinfo() that ends at its deadline. */
struct addrinfo;
int resolve_host(const struct link *link, const char *host, uint16_t port, int64_t until_us,
	struct addrinfo **out);

#endif
