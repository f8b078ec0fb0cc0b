/* SPDX-License-Identifier: MIT */
/* reader.c -- tells problems with their place, and reads single values */
#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "config/keys.h"
#include "config/scalar.h"

enum { PATH_MAX_LEN = 256 };

void
reader_push(struct reader *r, struct path *path, const char *key, size_t index)
{
	*path = (struct path){.up = r->path, .key = key, .index = index};
	r->path = path;
}

void
reader_pop(struct reader *r)
{
	r->path = r->path->up;
}

static size_t
write_path(const struct path *path, char *buf, size_t size)
{
	size_t len = path->up ? write_path(path->up, buf, size) : 0;
	const char *dot = len && path->key ? "." : "";

	if (path->key && len < size)
		len += (size_t)snprintf(buf + len, size - len, "%s%s", dot, path->key);
	if (path->index != SIZE_MAX && len < size)
		len += (size_t)snprintf(buf + len, size - len, "[%zu]", path->index);
	return len < size ? len : size - 1;
}

static void __attribute__((format(printf, 6, 0))) report(struct reader *r, bool is_error,
	const struct node *at, const char *key, const char *code, const char *fmt, va_list args)
{
	char path[PATH_MAX_LEN] = "", text[1024] = "";
	struct path last;

	if (r->problems->dropped) {
		problem_add(r->problems, is_error, r->file, 0, 0, NULL, NULL, "%s", text);
		return;
	}
	vsnprintf(text, sizeof text, fmt, args);
	if (key)
		reader_push(r, &last, key, SIZE_MAX);
	if (r->path)
		write_path(r->path, path, sizeof path);
	if (key)
		reader_pop(r);
	problem_add(r->problems, is_error, r->file, at ? at->line : 0, at ? at->column : 0, path,
		code, "%s", text);
}

void
reader_error(struct reader *r, const struct node *at, const char *key, const char *code,
	const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	report(r, true, at, key, code, fmt, args);
	va_end(args);
}

void
reader_warning(struct reader *r, const struct node *at, const char *key, const char *code,
	const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	report(r, false, at, key, code, fmt, args);
	va_end(args);
}

const char *
reader_hint(struct reader *r, const char *word, const char *const *words)
{
	/* Beyond what is kept nobody reads it, and a hostile file could buy much time with it. */
	const char *nearest = r->problems->dropped ? NULL : scalar_nearest(word, words);

	return nearest ? arena_printf(r->arena, "; did you mean \"%s\"?", nearest) : "";
}

const char *
reader_code(const struct reader *r, const char *code, const char *otherwise)
{
	return r->codes ? (code ? code : otherwise) : NULL;
}

bool
reader_is_scalar(struct reader *r, const struct node *node, const char *key, const char *code)
{
	if (node->kind != NODE_SCALAR)
		reader_error(r, node, key, code, "must be one value, not a %s",
			node->kind == NODE_MAP ? "map" : "list");
	else if (node->plain && (!*node->text || strcmp(node->text, "~") == 0))
		reader_error(r, node, key, code, "has no value; write one or leave the key out");
	else
		return true;
	return false;
}

static bool
is_printable(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return false;
	return true;
}

/* The text between "{" and "}": the variable, alone or with "+" and a number. */
static bool
evaluate(const struct reader *r, const char *s, size_t len, int64_t *out)
{
	size_t name = strlen(r->repeat);
	char *end;

	if (len < name || strncmp(s, r->repeat, name) != 0)
		return false;
	*out = r->repeat_at;
	if (len == name)
		return true;
	if (s[name] != '+' || !isdigit((unsigned char)s[name + 1]) || len > name + 8)
		return false;
	*out += strtol(s + name + 1, &end, 10);
	return end == s + len;
}

static const char *
substitute(struct reader *r, const struct node *node, const char *key)
{
	char buf[512];
	size_t len = 0;

	for (const char *s = node->text; *s && len + 24 < sizeof buf; s++) {
		const char *close = *s == '{' ? strchr(s, '}') : NULL;
		int64_t number;
		if (!close) {
			buf[len++] = *s;
		} else if (evaluate(r, s + 1, (size_t)(close - s - 1), &number)) {
			len += (size_t)snprintf(buf + len, sizeof buf - len, "%" PRId64, number);
			s = close;
		} else {
			reader_error(r, node, key, reader_code(r, NULL, "P004"),
				"\"%.64s\": only {%s} and {%s+N} are replaced", node->text,
				r->repeat, r->repeat);
			return NULL;
		}
	}
	return arena_copy(r->arena, buf, len);
}

const char *
reader_string(struct reader *r, const struct node *node, const char *key, const char *code)
{
	if (!reader_is_scalar(r, node, key, code))
		return NULL;
	if (!*node->text || !is_printable(node->text)) {
		reader_error(r, node, key, code,
			*node->text ? "must be one line without control characters" : "is empty");
		return NULL;
	}
	if (r->repeat && strchr(node->text, '{'))
		return substitute(r, node, key);
	return arena_text(r->arena, node->text);
}

/* Why something that looks like a number is not taken for one. */
static void
explain_number(struct reader *r, const struct node *node, const char *key, const char *what)
{
	const char *code = reader_code(r, NULL, "P038"), *s = node->text;

	if (!node->plain)
		reader_error(r, node, key, code,
			"\"%.40s\" in quotes is text; write the number without", s);
	else if (s[0] == '0' && isdigit((unsigned char)s[1]))
		reader_error(r, node, key, code,
			"%.40s would be octal to some readers; write it without leading 0, or as 0x…",
			s);
	else if (strchr(s, '_'))
		reader_error(r, node, key, code, "%.40s: write the number without \"_\"", s);
	else
		reader_error(r, node, key, code, "\"%.40s\" is not %s", s, what);
}

bool
reader_int(struct reader *r, const struct node *node, const char *key, int64_t min, int64_t max,
	const char *code, int64_t *out)
{
	int64_t number;

	if (!reader_is_scalar(r, node, key, reader_code(r, code, "P038")))
		return false;
	if (!node->plain || !scalar_int(node->text, &number)) {
		explain_number(r, node, key, "a whole number");
		return false;
	}
	if (number < min || number > max) {
		reader_error(r, node, key, reader_code(r, code, NULL),
			"%s is out of range; allowed are %" PRId64 " to %" PRId64, node->text, min,
			max);
		return false;
	}
	*out = number;
	return true;
}

bool
reader_number(
	struct reader *r, const struct node *node, const char *key, const char *code, double *out)
{
	if (!reader_is_scalar(r, node, key, reader_code(r, code, "P038")))
		return false;
	if (node->plain && scalar_number(node->text, out))
		return true;
	explain_number(r, node, key, "a number");
	return false;
}
