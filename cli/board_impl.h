/* SPDX-License-Identifier: MIT */
/* board_impl.h -- what a board is made of; for board*.c only */
#ifndef CLI_BOARD_IMPL_H
#define CLI_BOARD_IMPL_H

#include "cli/board.h"

/* A machine, a gateway, or an alarm of one of them. */
struct board_entry {
	struct board_entry *next;
	const struct board_entry *owner;        /* of an alarm */
	struct board_entry *alarms;             /* its own */
	char park[BOARD_ID], id[BOARD_ID + 32]; /* id: an alarm's is its code */
	bool offline;
	struct doc *info, *state; /* an alarm is a state, too */
	/* Of a machine: what its own topics say, as long as they say it. */
	bool is_filled;
	struct row row;
	const struct board_entry *gateway;
};

struct board_entry *board_find(const struct board_table *t, const char *park, const char *id);
struct board_entry *board_find_alarm(const struct board_entry *owner, const char *code);

#endif
