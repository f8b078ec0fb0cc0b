/* SPDX-License-Identifier: MIT */
/* poster.h -- HTTP requests to several Alertmanagers at once. One thread, but for poster_wake(). */
#ifndef CLI_ALERTMANAGER_POSTER_H
#define CLI_ALERTMANAGER_POSTER_H

#include "cli/cli.h"

struct poster_options {
	struct cli_list urls; /* http:// or https://, a path before /api/v2/alerts allowed */
	const char *user, *password_file, *ca_file;
};

/* What came of a POST to urls.items[i]: an HTTP status, 0 and why: none. */
typedef void (*poster_answer_fn)(void *context, size_t i, long status, const char *why);

struct poster;

/* Checks the options, which are borrowed. CLI_FINE or the exit code, told. */
int poster_create(struct poster **out, const struct poster_options *o, poster_answer_fn answer,
	void *context);
/* POSTs the body, which it frees, to urls.items[i]; one at a time for each. */
void poster_send(struct poster *p, size_t i, char *body);
/* Does what is under way and waits at most so long for an answer, a readable one of the descriptors
 * (negative: none), or poster_wake(). */
void poster_wait(struct poster *p, const int *fds, size_t n_fds, int timeout_ms);
void poster_wake(struct poster *p);    /* any thread */
void poster_destroy(struct poster *p); /* NULL is fine */

#endif
