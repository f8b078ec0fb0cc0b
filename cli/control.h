/* SPDX-License-Identifier: MIT */
/* control.h -- talks to the running daemon over its control socket (docs/control.md) */
#ifndef CLI_CONTROL_H
#define CLI_CONTROL_H

#include "cli/doc.h"

struct control;

/* 0, or -errno: -ENOENT and -ECONNREFUSED mean that no daemon runs, -EACCES that we may not. */
int control_open(const char *path, struct control **out);
void control_close(struct control *c); /* NULL is fine */
/* Sends a request (one JSON object) and waits for its answer, which is to be freed. Before it
 * `progress` is called for whatever the daemon tells meanwhile; NULL: not wanted. 0, or -errno:
 * -ETIMEDOUT after a minute of silence, -EPROTO. */
int control_ask(struct control *c, const char *request,
	void (*progress)(void *context, const struct doc *d), void *context, struct doc **answer);
/* The result of an answer; or NULL after its error was told, its exit code in *code. */
const struct doc *control_result(const struct doc *answer, int *code);

#endif
