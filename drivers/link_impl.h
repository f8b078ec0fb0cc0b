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

/* plug.c: the node of a serial or HID device, wherever it is plugged in. */
struct plug {
	struct usb *usb; /* borrowed */
	char *device;    /* as configured */
	int fd, wake_fd;
	bool is_socket;
	char node[64]; /* that is open, */
	uint64_t number, inode; /* and what it was when it was opened */
};

int plug_init(struct link *link, struct plug *plug, const struct link_plug *spec);
void plug_finish(struct plug *plug);
/* 0 or -errno, see link_open(). */
int plug_open(struct link *link, struct plug *plug, enum link_kind kind);
void plug_close(struct plug *plug);
int plug_await(struct link *link, struct plug *plug, int64_t until_us);
void plug_wake(struct plug *plug);
/* -ENODEV: what is open is not what is plugged in. */
int plug_check(struct plug *plug);

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
