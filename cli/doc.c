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

struct doc *
doc_parse(const char *text, size_t len)
{
	return (struct doc *)json_loadb(text, len, JSON_DECODE_ANY, NULL);
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
