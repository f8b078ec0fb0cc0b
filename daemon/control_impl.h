/* SPDX-License-Identifier: MIT */
/* control_impl.h -- a request's work on a line: made on the loop, done on the bus's thread
 *
 * For control.c and control_steps.c only.
 */
#ifndef DAEMON_CONTROL_IMPL_H
#define DAEMON_CONTROL_IMPL_H

#include "config/json.h"
#include "daemon/gateway.h"

#include <stdatomic.h>

#define JOB_BYTES (1024u * 1024)
#define SCAN_TIMEOUT_MS 150

struct asked; /* control.c */

struct job {
	struct line_job line; /* first: a struct line_job * is a struct job * */
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

#endif
