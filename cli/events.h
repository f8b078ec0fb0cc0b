/* SPDX-License-Identifier: MIT */
/* events.h -- what happened lately, in words and in the order in which it happened
 *
 * Times are the messages' own, so that a late message stands where it belongs.
 */
#ifndef CLI_EVENTS_H
#define CLI_EVENTS_H

#include "cli/doc.h"
#include "config/config.h"

enum { EVENTS_MAX = 64 };

struct event {
	int64_t at_ms;
	bool of_gateway;
	char park[48], id[48]; /* of the machine, or of the gateway */
	char type[16];         /* "job", "alarm", "state", … */
	char about[96];        /* tells repeats: "chiller-hot raised" */
	char text[320];
};

struct events { /* begins as {.language = …} */
	enum language language;
	size_t n;
	struct event list[EVENTS_MAX]; /* newest last */
};

/* Takes a message of .../job, .../event or .../alarm/CODE; `events` is a struct events. Others, and
 * alarms of long ago, are ignored. */
void events_take(void *events, const char *topic, const char *payload, size_t len);
/* That an alarm was raised and cleared, from its picture; `who` has park, id and of_gateway. An
 * alarm that was raised long ago is no news. */
void events_take_alarm(struct events *all, const struct event *who, const struct doc *alarm);
/* Prints them as elements of a JSON array. */
void events_print_json(const struct events *all);

#endif
