/* SPDX-License-Identifier: MIT */
/* frame.h -- lines for a terminal, gathered and written at once
 *
 * One write(2) for a whole picture, so that none is ever seen half drawn. On a screen each line
 * overwrites what stood there, so nothing flickers; no line is wider than the terminal.
 */
#ifndef CLI_FRAME_H
#define CLI_FRAME_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/cli.h"

enum ink { INK_PLAIN, INK_BOLD, INK_DIM, INK_RED, INK_GREEN, INK_YELLOW, INK_MAGENTA, INK_COUNT };

/* As --color says: "auto" (NULL too) means on a terminal, unless NO_COLOR (no-color.org) is set or
 * TERM is "dumb"; "always", "never". CLI_FINE, or CLI_USAGE, told. */
int frame_colours(const char *word, bool is_tty, bool *out);
#define FRAME_OPTION(word)                                                                         \
	{                                                                                          \
		"--color", CLI_TEXT, word, "auto, always or never"                                 \
	}

struct frame {
	bool colours;
	bool in_place; /* a screen: from its upper left corner, over what is there */
	size_t width;  /* columns of a line; 0: no limit */

	char *buf;
	size_t len, cap, column; /* column: where the line under way is */
	size_t lines;            /* ended so far */
};

/* Begins a picture. frame_finish() frees. */
void frame_begin(struct frame *f);
void frame_finish(struct frame *f);
/* Text as far as `columns` (SIZE_MAX: as far as the line) reach; what is cut ends in "…". The
 * columns it took. */
size_t frame_put(struct frame *f, const char *text, size_t columns);
size_t frame_put_in(struct frame *f, enum ink ink, const char *text, size_t columns);
/* The same in a column of that width, and a blank behind it; nothing for 0 columns. */
void frame_cell(struct frame *f, enum ink ink, const char *text, size_t columns);
size_t frame_room(const struct frame *f); /* columns that are left in this line */
void frame_end_line(struct frame *f);
/* Words from here on, each line that does not end the text goes on `indent` columns from the left.
 */
void frame_wrap(struct frame *f, enum ink ink, const char *text, size_t indent);
/* Writes it; what stood below on the screen goes. */
void frame_show(struct frame *f);

#endif
