/* SPDX-License-Identifier: MIT */
/* doc.c -- reading JSON; the only <jansson.h> of the tools */
#include "cli/doc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

/* A struct doc is a json_t under a name of ours. */
static json_t *
json(const struct doc *d)
{
	return (json_t *)d;
}

static const struct doc *
doc(const json_t *j)
{
	return (const struct doc *)j;
}

/* ---- what others wrote must not talk to the terminal ------------------------------------------
 */

void
doc_plain(char *text)
{
	for (unsigned char *c = (unsigned char *)text; *c; c++) {
		if (*c < ' ' || *c == 0x7F)
			*c = ' ';
		else if (*c == 0xC2 && c[1] >= 0x80 && c[1] < 0xA0) /* U+0080 to U+009F */
			c[0] = c[1] = ' ';
	}
}

/* An escape in a JSON string whose character is a control. `at`: behind the backslash. */
static void
blank_escape(char *at, const char *end)
{
	char digits[5] = "";
	char *rest = digits;

	if (strchr("bfnrt", *at)) {
		at[-1] = at[0] = ' ';
		return;
	}
	if (*at != 'u' || end - at < 5)
		return;
	memcpy(digits, at + 1, 4);
	unsigned long c = strtoul(digits, &rest, 16);
	if (rest == digits + 4 && (c < ' ' || (c >= 0x7F && c < 0xA0)))
		memcpy(at + 1, "0020", 4);
}

/* In JSON a control can only be an escape, U+007F or U+0080 to U+009F; between strings a line end
 * is as good as a blank. */
static void
blank_controls(char *text, size_t len)
{
	for (char *c = text, *end = text + len; c < end; c++)
		if (*c == '\\' && c + 1 < end)
			blank_escape(++c, end);
	doc_plain(text);
}

struct doc *
doc_parse(const char *text, size_t len)
{
	char *copy = memchr(text, '\0', len) ? NULL : strndup(text, len);
	json_t *root = NULL;

	if (copy) {
		blank_controls(copy, len);
		root = json_loadb(copy, len, JSON_DECODE_ANY, NULL);
	}
	free(copy);
	return (struct doc *)root;
}

char *
doc_quote(const char *text)
{
	json_t *j = json_string(text);
	char *quoted = j ? json_dumps(j, JSON_ENCODE_ANY) : NULL;

	json_decref(j);
	return quoted ? quoted : strdup("\"\"");
}

void
doc_free(struct doc *d)
{
	json_decref(json(d));
}

const struct doc *
doc_get(const struct doc *d, const char *key)
{
	return doc(json_object_get(json(d), key));
}

void
doc_drop(struct doc *d, const char *key)
{
	json_object_del(json(d), key);
}

const char *
doc_text(const struct doc *d, const char *key, const char *otherwise)
{
	const char *s = json_string_value(json(doc_get(d, key)));

	return s ? s : otherwise;
}

int64_t
doc_int(const struct doc *d, const char *key, int64_t otherwise)
{
	const json_t *j = json(doc_get(d, key));

	return json_is_integer(j) ? json_integer_value(j) : otherwise;
}

double
doc_real(const struct doc *d, const char *key, double otherwise)
{
	const json_t *j = json(doc_get(d, key));

	return json_is_number(j) ? json_number_value(j) : otherwise;
}

bool
doc_flag(const struct doc *d, const char *key, bool otherwise)
{
	const json_t *j = json(doc_get(d, key));

	return json_is_boolean(j) ? json_is_true(j) : otherwise;
}

size_t
doc_size(const struct doc *d)
{
	return json_is_array(json(d)) ? json_array_size(json(d)) : json_object_size(json(d));
}

const struct doc *
doc_at(const struct doc *d, size_t i)
{
	return doc(json_array_get(json(d), i));
}

int64_t
doc_number_at(const struct doc *d, size_t i)
{
	const json_t *j = json(doc_at(d, i));

	return json_is_boolean(j) ? json_is_true(j) : json_integer_value(j);
}

const char *
doc_string(const struct doc *d)
{
	const char *s = json_string_value(json(d));

	return s ? s : "";
}

const char *
doc_next(const struct doc *d, void **place, const struct doc **value)
{
	json_t *j = json(d);

	*place = *place ? json_object_iter_next(j, *place) : json_object_iter(j);
	if (!*place)
		return NULL;
	*value = doc(json_object_iter_value(*place));
	return json_object_iter_key(*place);
}

char *
doc_print(const struct doc *d)
{
	return d ? json_dumps(json(d), JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(10))
		 : strdup("null");
}

const char *
doc_show(const struct doc *d, char *buf, size_t size)
{
	if (json_is_string(json(d))) {
		snprintf(buf, size, "%s", doc_string(d));
		return buf;
	}
	char *text = doc_print(d);
	snprintf(buf, size, "%s", text && strcmp(text, "null") ? text : "-");
	free(text);
	return buf;
}
