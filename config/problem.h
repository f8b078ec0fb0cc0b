/* SPDX-License-Identifier: MIT */
/* problem.h -- everything that is wrong with a configuration, with file, line and column */
#ifndef CONFIG_PROBLEM_H
#define CONFIG_PROBLEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct problem {
	bool is_error; /* else a warning */
	char *file;
	int line, column; /* 0: the file as a whole */
	char *path;       /* "machines[0].sources[1].unit", "" for none */
	char *text;       /* what is wrong; what is allowed */
	char code[8];     /* "P018" or "" */
};

struct problems {
	struct problem *list;
	size_t n, errors, warnings;
	size_t dropped; /* beyond 1000 they are only counted */
};

void problem_add(struct problems *p, bool is_error, const char *file, int line, int column,
	const char *path, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 8, 9)));
/* "FILE:LINE:COLUMN: error: PATH: text [P018]" without a newline; returns what snprintf does. */
int problem_format(const struct problem *p, char *buf, size_t size);
void problems_print(const struct problems *p, FILE *out);
void problems_free(struct problems *p); /* and zeroes it */

#endif
