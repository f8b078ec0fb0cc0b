/* SPDX-License-Identifier: MIT */
/* screen.h -- machines and what happened lately: in place on a terminal, else line by line */
#ifndef CLI_SCREEN_H
#define CLI_SCREEN_H

#include "cli/board.h"

struct screen {
	bool is_tty; /* colours, the whole screen, no line longer than it is wide */
	enum language language;
	const struct board *board;   /* for the alarms of gateways; NULL: they are not known */
	const struct events *events; /* the last ones stand below, where there is room */
	const struct row *rows;
	size_t n;
};

void screen_print(const struct screen *s);

#endif
