/* SPDX-License-Identifier: MIT */
/* socket.h -- where simulated USB machines are plugged in: the outside of plug.h */
#ifndef CLI_SIMULATE_SOCKET_H
#define CLI_SIMULATE_SOCKET_H

#include "cli/simulate/plug.h"

struct plug_stats {
	uint64_t opened; /* how often a program opened it */
	uint64_t heard;  /* bytes, or reports, that came from it */
	uint64_t said;   /* bytes, or reports, that went to it */
};

struct plug_spec {
	const char *name, *kind;
	const char *path; /* of the pty's symlink or of the socket */
	const char *act;  /* what it does from the beginning, "cycle 60"; NULL: nothing */
	bool resets;      /* opening a serial one restarts the board */
};

/* Plugged in. NULL: errno; EINVAL: no such kind, or not understood what it is to do. */
struct plug *plug_create(struct reactor *reactor, const struct plug_spec *spec);
void plug_destroy(struct plug *p); /* NULL is fine */
int plug_in(struct plug *p);       /* 0 or -errno */
void plug_out(struct plug *p);     /* its node is gone */
bool plug_is_in(const struct plug *p);
/* The machine does something, see plug_kind.act; or the wire goes wrong: "silent", "stall" (in the
 * middle of what is said next), "garbage" (before all that is said), "flood" (bytes without end
 * and without line ends), "late MS", "ok". 0 or -EINVAL. */
int plug_act(struct plug *p, char *const *words, size_t n);
int plug_fault(struct plug *p, char *const *words, size_t n);
const struct plug_kind *plug_kind_of(const struct plug *p);
const char *plug_place(const struct plug *p); /* as in `device:` */
void plug_stats(const struct plug *p, struct plug_stats *out);

#endif
