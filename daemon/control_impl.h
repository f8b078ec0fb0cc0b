/* SPDX-License-Identifier: MIT */
/* control_impl.h -- the control socket's rooms: answers, requests about a machine's care (loop
 * thread), and a request's work on a line (the bus's thread)
 *
 * For control*.c only.
 */
#ifndef DAEMON_CONTROL_IMPL_H
#define DAEMON_CONTROL_IMPL_H

#include "config/json.h"
#include "daemon/gateway.h"

#include <stdatomic.h>

struct json_t; /* a request as jansson parsed it */

#define JOB_BYTES (1024u * 1024)
#define SCAN_TIMEOUT_MS 150

struct asked; /* control.c */

struct errand {
	struct line_job line; /* first: a struct line_job * is a struct errand * */
	struct asked *request;
	struct json out;
	char buf[JOB_BYTES];
	/* read */
	const struct source *source;
	enum language language;
	uint8_t unit;
	/* scan */
	unsigned to;
	atomic_uint at;
	/* peek */
	struct word_range {
		enum table table;
		uint16_t address, count;
	} words;
};

/* Steps for struct line_job: they write JSON into job->out. Bus thread. */
int control_read(struct line_job *line, struct link *link, struct pollset *set);
int control_scan(struct line_job *line, struct link *link, struct pollset *set);
int control_peek(struct line_job *line, struct link *link, struct pollset *set);

/* control.c: the answer to a request; `write` fills its "result". */
void control_error(struct loop_client *c, const char *error, int exit_code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void control_report(struct loop_client *c, struct gateway *g,
	void (*write)(struct json *j, struct gateway *g, void *arg), void *arg);

/* An answer that comes later; NULL: no memory. */
struct asked *control_later(struct gateway *g, struct loop_client *c);
/* It comes now, and *r is gone: who waits for it; NULL: nobody does any more. */
struct loop_client *control_now(struct gateway *g, struct asked *r);

/* control_care.c: `req` is the request (docs/control.md). */
void control_on_maintenance(struct gateway *g, struct loop_client *c, struct json_t *req);
void control_on_ack(struct gateway *g, struct loop_client *c, struct json_t *req);
void control_on_usage(struct gateway *g, struct loop_client *c, struct json_t *req);
void control_on_values(struct gateway *g, struct loop_client *c, struct json_t *req);
void control_on_test_alarm(struct gateway *g, struct loop_client *c, struct json_t *req);

/* control_spool.c */
void control_on_spool(struct gateway *g, struct loop_client *c, struct json_t *req);
void control_on_spool_export(struct gateway *g, struct loop_client *c, struct json_t *req);

#endif
