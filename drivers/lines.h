/* SPDX-License-Identifier: MIT */
/* lines.h -- bytes in, lines out
 *
 * A line ends with CR, LF or both. Empty lines are dropped, control characters are left out, and a
 * line that does not fit is dropped whole, so that whatever a device sends needs no more memory
 * than this. No I/O, any thread.
 */
#ifndef DRIVERS_LINES_H
#define DRIVERS_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LINES_MAX = 4096 };

struct lines {
	char buf[LINES_MAX];
	size_t have;      /* bytes in buf */
	size_t seen;      /* of these: known to hold no line end */
	bool overlong;    /* in the middle of a line that is being dropped */
	uint64_t dropped; /* bytes of lines that did not fit */
};

void lines_reset(struct lines *l);
/* Where the next bytes go; *room > 0 as long as lines_take() is called until it returns 0. */
char *lines_room(struct lines *l, size_t *room);
void lines_added(struct lines *l, size_t n);
/* The next whole line, cut to size - 1 characters and NUL-terminated; its length, 0: none yet. */
size_t lines_take(struct lines *l, char *line, size_t size);

#endif
