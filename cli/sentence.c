/* SPDX-License-Identifier: MIT */
/* sentence.c -- a sentence that is put together from parts */
#include "cli/sentence.h"

#include <stdarg.h>
#include <stdio.h>

void
sentence_add(struct sentence *s, const char *fmt, ...)
{
	size_t room = sizeof s->text - s->len;
	va_list args;

	va_start(args, fmt);
	int n = vsnprintf(s->text + s->len, room, fmt, args);
	va_end(args);
	if (n > 0)
		s->len += (size_t)n < room ? (size_t)n : room - 1;
}
