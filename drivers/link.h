/* SPDX-License-Identifier: MIT */
/* link.h -- the seam under the drivers: one wire, however it is made
 *
 * Modbus (RTU, TCP) is questions and answers: link_transact(). Serial lines and HID reports are
 * whatever comes, asked or not: link_send(), link_receive(). link_memory.c and
 * tests/drivers/replay.h are their peers for tests. A link is used by one thread at a time, except
 * link_cancel() and link_wake().
 */
#ifndef DRIVERS_LINK_H
#define DRIVERS_LINK_H

#include "drivers/driver.h"

struct link;

/* One request and what may be answered. Times in milliseconds. */
struct exchange {
	uint8_t unit;
	const uint8_t *req; /* function code and data */
	size_t req_len;
	uint8_t *rsp; /* at least 253 bytes */
	size_t rsp_cap;
	size_t expect;  /* length of a good answer's PDU; 0: not known beforehand (FC 17, 43) */
	int timeout_ms; /* request sent -> first byte of the answer */
	int byte_timeout_ms; /* 0: automatic */
	int min_gap_ms;      /* silence before the request where t3.5 is not enough */
	int max_latency_ms;  /* an answer may still come this long after the request */
	int usual_ms;        /* the unit's usual latency, 0: unknown. RTU: see link_rtu.c */
	bool check_unit;     /* TCP: the answer's unit must match */
	int latency_us;      /* out: request sent -> first byte */
	int64_t arrived_ms;  /* out: CLOCK_REALTIME of the answer's last byte */
};

struct link_ops {
	int (*open)(struct link *link);
	void (*close)(struct link *link);
	void (*destroy)(struct link *link);
	/* Modbus */
	int (*transact)(struct link *link, struct exchange *ex);
	/* serial, HID */
	int (*send)(struct link *link, const struct driver_query *query);
	int (*receive)(struct link *link, void *buf, size_t size, int64_t until_us);
	int (*await)(struct link *link, int64_t until_us);
	int (*check)(struct link *link);            /* NULL: nothing to look at */
	void (*wake)(struct link *link);            /* NULL: nobody waits in await */
	int64_t (*now_us)(const struct link *link); /* NULL: CLOCK_MONOTONIC */
	/* Lets time pass and throws away what arrives meanwhile. 0 or -errno. NULL: nothing can. */
	int (*wait)(struct link *link, int64_t until_us);
	int64_t (*unit_free_us)(const struct link *link, uint8_t unit); /* NULL: always free */
	int64_t (*wire_us)(const struct link *link, size_t chars);      /* NULL: no time */
};

struct link_stats { /* since creation */
	uint64_t requests, answers, timeouts, crc_errors, protocol_errors, exceptions;
	uint64_t stale_frames; /* late, foreign, doubled: seen and thrown away */
	uint64_t noise_bytes, reopens;
	bool echo;       /* the adapter echoes our requests */
	bool reset_soon; /* TCP: connections are reset right after they are made: somebody else
			    polls */
};

struct link_rtu {
	const char *device; /* path of a tty or pty */
	int baud;
	const char *format; /* "8N1" */
};

struct link_tcp {
	const char *host;
	uint16_t port;
	int connect_timeout_ms; /* 0: 3000 */
	int pause_after_connect_ms;
};

struct usb;

struct link_plug {          /* one serial or HID device */
	const char *device; /* a path, usb:…, usb-port:…, unix:… as configured; copied */
	struct usb *usb;    /* who knows what is plugged in; borrowed */
	int baud;           /* serial */
	bool resets;        /* serial: opening the port restarts the board */
	const struct driver_query *queries; /* all that may be sent; borrowed */
	size_t n_queries;
};

/* Nothing is opened yet. NULL: out of memory. Strings are copied. */
struct link *link_modbus_rtu_create(const struct link_rtu *spec);
struct link *link_modbus_tcp_create(const struct link_tcp *spec);
struct link *link_serial_create(const struct link_plug *spec);
struct link *link_hid_create(const struct link_plug *spec);

/* 0 or -errno: -EBUSY with the holder's name in link_holder(), -EACCES, -ENOENT, -ECONNREFUSED,
 * -ETIMEDOUT, -ENXIO (name not found), -ECANCELED. USB: -ENODEV (not plugged in), -EMLINK (several
 * devices fit; link_holder() lists their ports), -ESTALE (another device than link_expect()).
 * Opening an open link does nothing. */
int link_open(struct link *link);
bool link_is_open(const struct link *link);
/* Grows with every opening: whoever sees it changed talks to a line, and perhaps to devices, that
 * are not the ones it knew. */
unsigned link_generation(const struct link *link);
/* Closes; the next link_open() starts afresh. */
void link_close(struct link *link);
void link_destroy(struct link *link); /* NULL is fine */
/* Length of the answer's PDU or -errno, see device_transact(). After -EIO, -ENODEV, -ECONNRESET,
 * -EPIPE, -ENOTCONN the link has closed itself; a TCP link also after -EPROTO and a cut answer.
 * -EPERM: a request that is not a plain reading one (FC 1-4, 17, 43/14) is never sent. */
int link_transact(struct link *link, struct exchange *ex);
/* Sends queries[query]. 0 or -errno; -EPERM: there is no such query. */
int link_send(struct link *link, unsigned query);
/* The next line or report, see device_receive(). Closes the link when it is dead. */
int link_receive(struct link *link, void *buf, size_t size, int64_t until_us);
/* Waits until there is something to receive: 1; 0: the time is over, or link_wake(); or -errno. */
int link_await(struct link *link, int64_t until_us);
/* Any thread: ends a link_await(), now or the next one. */
void link_wake(struct link *link);
/* Something was plugged in or out: closes the link if that was its device. */
void link_check(struct link *link);
/* Which USB device was there last time, "1a86:7523:SERIAL"; "": any will do. Another one is not
 * opened. */
void link_expect(struct link *link, const char *plugged);
/* The USB device that was found at the last opening, "" if none or not USB. */
const char *link_plugged(const struct link *link);
int64_t link_now_us(const struct link *link);
bool link_resets(const struct link *link); /* serial, on_open: resets */

/* Lets time pass; what arrives meanwhile is thrown away. 0, -ECANCELED or another -errno. */
int link_wait(struct link *link, int ms);
/* Any thread: running and coming calls return -ECANCELED within 0.5 s. */
void link_cancel(struct link *link);
/* For a watchdog: the link's thread promises to be heard of again within so long. Every call here
 * that may block promises for itself, so that a driver that hangs breaks its word and an honest
 * long time-out does not. */
void link_promise(struct link *link, int64_t within_us);
/* Any thread: until when it has promised (CLOCK_MONOTONIC, microseconds); 0: not yet. */
int64_t link_due_us(const struct link *link);
/* Who holds the port, "octoprint (pid 812)", after -EBUSY; "" if not known. */
const char *link_holder(const struct link *link);
/* When the line may carry the next request to this unit (microseconds, CLOCK_MONOTONIC): after a
 * time-out that is request + max_latency, so that a late answer is not taken for the next one. */
int64_t link_unit_free_us(const struct link *link, uint8_t unit);
/* How long so many characters take on the wire, in microseconds; 0 on TCP. */
int64_t link_wire_us(const struct link *link, size_t chars);
void link_stats(const struct link *link, struct link_stats *out); /* the link's thread only */

#endif
