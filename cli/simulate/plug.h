/* SPDX-License-Identifier: MIT */
/* plug.h -- a simulated USB machine: a serial one on a pty, or a HID one on a SOCK_SEQPACKET socket
 *
 * A kind of machine is a constant struct plug_kind in a file of its own; plug.c has the wire, the
 * clock and the ways in which a wire goes wrong, kinds.c lists them.
 */
#ifndef CLI_SIMULATE_PLUG_H
#define CLI_SIMULATE_PLUG_H

#include "cli/simulate/reactor.h"

struct plug;

struct plug_kind {
	const char *name;  /* "marlin": as in a scenario and as `driver:` of the fitting source */
	bool hid;          /* 64-byte reports instead of a stream of bytes */
	const char *baud;  /* for the configuration that fits, "115200"; NULL: none */
	size_t state_size; /* zeroed memory for plug_state() */
	/* The board starts: at the beginning, when it is plugged in, and when its port is opened if
	 * that resets it. Says its banner; forgets its job. */
	void (*start)(struct plug *p);
	/* Bytes as they come, or one report. */
	void (*heard)(struct plug *p, const uint8_t *bytes, size_t n);
	/* Five times a second. Optional. */
	void (*tick)(struct plug *p);
	/* "do NAME WORD..." of a person or a test: "print 60", "runaway". 0 or -EINVAL. */
	int (*act)(struct plug *p, char *const *words, size_t n);
	const char *words; /* the usage of act, for the error message */
};

void *plug_state(struct plug *p);
/* Milliseconds since the simulation began; moves only forward. */
int64_t plug_now_ms(const struct plug *p);
/* A name for the machine that differs from the others', for serial numbers and the like. */
const char *plug_name(const struct plug *p);
/* Says something: text as it is, with its own line ends. Cut at 1,000 characters. */
void plug_say(struct plug *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* One input report; what is missing up to 64 bytes is 0. */
void plug_report(struct plug *p, const uint8_t *bytes, size_t n);

/* kinds.c: NULL if there is no such kind / after the last. */
const struct plug_kind *plug_kind_find(const char *name);
const struct plug_kind *plug_kind_at(size_t i);

#endif
