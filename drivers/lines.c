/* SPDX-License-Identifier: MIT */
/* lines.c -- bytes in, lines out */
#include "drivers/lines.h"

#include <string.h>

void
lines_reset(struct lines *l)
{
	l->have = l->seen = 0;
	l->overlong = false;
}

char *
lines_room(struct lines *l, size_t *room)
{
	if (l->have == LINES_MAX && l->seen == LINES_MAX) { /* full, and no end in it */
		l->dropped += l->have;
		l->have = l->seen = 0;
		l->overlong = true;
	}
	*room = LINES_MAX - l->have;
	return l->buf + l->have;
}

void
lines_added(struct lines *l, size_t n)
{
	l->have += n;
}

static bool
is_end(char c)
{
	return c == '\n' || c == '\r';
}

static size_t
copy_printable(char *to, size_t size, const char *from, size_t n)
{
	size_t k = 0;

	for (size_t i = 0; i < n && k + 1 < size; i++) {
		if ((unsigned char)from[i] >= ' ' && from[i] != 0x7F)
			to[k++] = from[i];
	}
	to[k] = '\0';
	return k;
}

size_t
lines_take(struct lines *l, char *line, size_t size)
{
	while (l->seen < l->have) {
		if (!is_end(l->buf[l->seen])) {
			l->seen++;
			continue;
		}
		size_t n = 0;
		if (l->overlong)
			l->dropped += l->seen;
		else
			n = copy_printable(line, size, l->buf, l->seen);
		l->overlong = false;
		l->have -= l->seen + 1;
		memmove(l->buf, l->buf + l->seen + 1, l->have);
		l->seen = 0;
		if (n > 0)
			return n;
	}
	return 0;
}
