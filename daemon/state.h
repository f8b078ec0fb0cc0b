/* SPDX-License-Identifier: MIT */
/* state.h -- what must survive a restart: state.db; state.c is the only <sqlite3.h>
 *
 * Loop thread. It is written to only when something is learned or decided, so it may wait for the
 * disk.
 */
#ifndef DAEMON_STATE_H
#define DAEMON_STATE_H

#include <stddef.h>

struct state;

/* Who a source's device is. */
struct identity {
	char plugged[96]; /* the USB device, "1a86:7523:SERIAL"; "": not USB, or not known */
	char device[64];  /* what it says it is; "": nothing */
};

/* state.db in this directory, made if it is not there. NULL and `error`: it cannot be used. */
struct state *state_open(const char *directory, char *error, size_t size);
void state_close(struct state *s); /* NULL is fine */

/* The device that `source` ("machine/source") is known to have, as long as it is looked for at
 * `place`; empty if none is known. `s` may be NULL. */
void state_identity(struct state *s, const char *source, const char *place, struct identity *out);
/* 0 or -EIO. */
int state_set_identity(
	struct state *s, const char *source, const char *place, const struct identity *now);

#endif
