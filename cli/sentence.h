/* SPDX-License-Identifier: MIT */
/* sentence.h -- a sentence that is put together from parts; what is too long is cut */
#ifndef CLI_SENTENCE_H
#define CLI_SENTENCE_H

#include <stddef.h>

struct sentence { /* begins as {.len = 0} */
	size_t len;
	char text[4096];
};

void sentence_add(struct sentence *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
