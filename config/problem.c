/* SPDX-License-Identifier: MIT */
/* problem.c -- everything that is wrong with a configuration, with file, line and column */
#include "config/problem.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { PROBLEMS_MAX = 1000 };

static bool
reserve(struct problems *p)
{
	if (p->n >= PROBLEMS_MAX)
		return false;
	/* Doubling at powers of two needs no field for the capacity. */
	if (p->n & (p->n - 1))
		return true;
	struct problem *list = realloc(p->list, (p->n ? p->n * 2 : 1) * sizeof *list);
	if (list)
		p->list = list;
	return list != NULL;
}

/* What came from a file may hold anything; what we print is one line. */
static void
make_printable(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			*s = '?';
}

void
problem_add(struct problems *p, bool is_error, const char *file, int line, int column,
	const char *path, const char *code, const char *fmt, ...)
{
	char *text = NULL;
	va_list args;

	p->errors += is_error;
	p->warnings += !is_error;
	if (!reserve(p)) {
		p->dropped++;
		return;
	}
	va_start(args, fmt);
	int len = vasprintf(&text, fmt, args);
	va_end(args);
	if (len < 0) {
		p->dropped++;
		return;
	}
	make_printable(text);
	struct problem *q = &p->list[p->n++];
	*q = (struct problem){.is_error = is_error,
		.file = strdup(file),
		.line = line,
		.column = column,
		.path = strdup(path ? path : ""),
		.text = text};
	if (q->path)
		make_printable(q->path);
	snprintf(q->code, sizeof q->code, "%s", code ? code : "");
}

int
problem_format(const struct problem *p, char *buf, size_t size)
{
	const char *kind = p->is_error ? "error" : "warning";
	const char *path = p->path ? p->path : "", *colon = *path ? ": " : "";
	const char *open = *p->code ? " [" : "", *close = *p->code ? "]" : "";
	char where[32] = "";

	if (p->line > 0)
		snprintf(where, sizeof where, "%d:%d:", p->line, p->column);
	return snprintf(buf, size, "%s:%s %s: %s%s%s%s%s%s", p->file ? p->file : "?", where, kind,
		path, colon, p->text, open, p->code, close);
}

void
problems_print(const struct problems *p, FILE *out)
{
	for (size_t i = 0; i < p->n; i++) {
		char line[2048];
		problem_format(&p->list[i], line, sizeof line);
		fprintf(out, "%s\n", line);
	}
	if (p->dropped)
		fprintf(out, "... and %zu more\n", p->dropped);
}

void
problems_free(struct problems *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->list[i].file);
		free(p->list[i].path);
		free(p->list[i].text);
	}
	free(p->list);
	memset(p, 0, sizeof *p);
}
