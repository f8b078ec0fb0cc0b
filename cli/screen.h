/* SPDX-License-Identifier: MIT */
/* screen.h -- machines and what happened lately, in the lines that there are */
#ifndef CLI_SCREEN_H
#define CLI_SCREEN_H

#include "cli/board.h"
#include "cli/frame.h"

struct screen {
	size_t height; /* lines of the terminal; 0: no limit */
	enum language language;
	const struct board *board;   /* for the alarms of gateways; NULL: they are not known */
	const struct events *events; /* the last ones stand below, where there is room */
	const char *lost;            /* why nothing new comes; NULL: it does */
	const struct row *rows;      /* trouble first */
	size_t n;
};

/* The colour of a state (docs/topics.md). */
enum ink screen_ink(const char *state);
/* Draws it; columns for which the frame is too narrow are left out, machines for which it is too
 * low are summed up. */
void screen_draw(const struct screen *s, struct frame *f);

#endif
