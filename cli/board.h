/* SPDX-License-Identifier: MIT */
/* board.h -- all machines as they are now, from retained topics or from the daemon's answer */
#ifndef CLI_BOARD_H
#define CLI_BOARD_H

#include "cli/doc.h"
#include "cli/events.h"

enum { BOARD_ID = 48 };

struct row_alarm {
	const char *code;
	const struct doc *doc; /* its picture (docs/topics.md), or as much of it as the daemon
				  tells; NULL: only its code is known */
};

/* One machine, wherever it is known from. Texts and docs are borrowed; docs may be NULL. */
struct row {
	const char *park, *machine, *class, *state, *activity, *reason;
	const struct doc *title; /* text, or {ru, en} */
	const struct doc *values;
	const char *job;                /* its id; "": none */
	double progress;                /* of it, 0..1; negative: not known */
	const struct row_alarm *alarms; /* the active ones, worst first; suppressed ones, too */
	size_t n_alarms;
	const struct doc *maintenance; /* {since, until, reason}; NULL: none */
	const struct doc *points;  /* {"source.point": …} that it should have; NULL: not known */
	const struct doc *sources; /* {id: {ok, error, hint}}, or an array of them with `source` */
	const char *gateway;
	bool gateway_offline;
	int rank; /* trouble has a low one */
};

/* Nobody is to look at an alarm that is suppressed. */
bool row_alarm_counts(const struct row_alarm *a);
/* It is in fault or offline, has an alarm, or one of its sources does not answer or lacks a value.
 */
bool row_needs_somebody(const struct row *r);

struct board_table { /* park and id -> what is there */
	struct board_entry *first, **slots;
	size_t n, size;
};

/* What retained topics said so far. Begins as {0}. */
struct board {
	bool lean; /* nobody asks for the points that machines should have: most of their `info` */
	struct board_table machines, gateways;
};

/* The topics that fill a board, NULL-ended. */
extern const char *const board_topics[];
/* Takes a message; `board` is a struct board. Others are ignored. */
void board_take(void *board, const char *topic, const char *payload, size_t len);
void board_finish(struct board *b);
/* Rows of a board, or of the daemon's answer to "watch" or "explain", trouble first. Returns the
 * array, to be freed. */
struct row *board_rows(const struct board *b, size_t *n);
struct row *board_rows_of(const struct doc *result, size_t *n);
/* The gateways that are offline, one after the other; *place starts as NULL. */
const char *board_next_offline(
	const struct board *b, const struct board_entry **place, const char **park);
/* The active alarms of gateways, in the same way; NULL at the end. */
const struct doc *board_next_alarm(const struct board *b, const struct board_entry **place,
	const char **park, const char **gateway);
/* Prints the rows as one JSON object; board, events: NULL, or what is printed with them. */
void board_print_json(
	const struct row *rows, size_t n, const struct board *board, const struct events *events);

#endif
