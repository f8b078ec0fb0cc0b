/* SPDX-License-Identifier: MIT */
/* stamp.c -- a record's times, moved in its text
 *
 * The texts are our own JSON without white space (payload.c); what they nest (values, errors) is
 * skipped as a whole, so a point may have any name.
 */
#include "daemon/stamp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading -------------------------------------------------------------------------------- */

struct span {
	const char *at;
	size_t len;
};

struct member {
	struct span key, value; /* the key without its quotes */
};

static bool
is(struct span s, const char *word)
{
	return s.len == strlen(word) && memcmp(s.at, word, s.len) == 0;
}

/* Behind the string that begins at `at`; NULL: it does not end. */
static const char *
skip_string(const char *at, const char *end)
{
	for (at++; at < end; at++) {
		if (*at == '"')
			return at + 1;
		if (*at == '\\')
			at++;
	}
	return NULL;
}

/* Behind an object, an array, a number or a word; NULL: it does not end. */
static const char *
skip_rest(const char *at, const char *end)
{
	for (size_t depth = 0; at < end;) {
		if (*at == '"') {
			at = skip_string(at, end);
			if (!at)
				return NULL;
			continue;
		}
		if (depth == 0 && (*at == ',' || *at == '}'))
			return at;
		if (*at == '{' || *at == '[')
			depth++;
		else if (*at == '}' || *at == ']')
			depth--;
		at++;
	}
	return NULL;
}

/* The next member of the object; *at is behind its '{' or a ',' and moves behind what follows the
 * value. false: that is none. */
static bool
next_member(const char **at, const char *end, struct member *m)
{
	const char *key = *at;
	const char *colon = key < end && *key == '"' ? skip_string(key, end) : NULL;
	if (!colon || colon == end || *colon != ':')
		return false;
	const char *value = colon + 1;
	const char *behind = skip_rest(value, end);
	if (!behind || behind == value)
		return false;
	m->key = (struct span){key + 1, (size_t)(colon - key - 2)};
	m->value = (struct span){value, (size_t)(behind - value)};
	*at = behind + 1;
	return true;
}

static bool
is_over(const char *at, const char *end)
{
	return at == end && at[-1] == '}';
}

static bool
integer(struct span s, int64_t *out)
{
	char digits[24], *behind;
	if (s.len == 0 || s.len >= sizeof(digits))
		return false;
	memcpy(digits, s.at, s.len);
	digits[s.len] = '\0';
	errno = 0;
	*out = strtoll(digits, &behind, 10);
	return errno == 0 && *behind == '\0';
}

/* ---- writing -------------------------------------------------------------------------------- */

struct text {
	char *buf;
	size_t size, len;
	bool failed;
};

static void
add(struct text *t, const char *s, size_t len)
{
	t->failed |= len >= t->size - t->len; /* room for the NUL is kept */
	if (t->failed)
		return;
	memcpy(t->buf + t->len, s, len);
	t->len += len;
	t->buf[t->len] = '\0';
}

static void
add_member(struct text *t, const struct member *m, struct span value)
{
	add(t, t->len ? ",\"" : "{\"", 2);
	add(t, m->key.at, m->key.len);
	add(t, "\":", 2);
	add(t, value.at, value.len);
}

static size_t
finish(struct text *t, bool whole)
{
	add(t, "}", 1);
	return whole && !t->failed ? t->len : 0;
}

/* ---- mending -------------------------------------------------------------------------------- */

struct shift {
	int64_t from_ms, to_ms, delta_ms;
};

static bool
is_time(struct span key)
{
	static const char *const keys[] = {
		"ts", "started", "ended", "raised", "cleared", "since", "from_ts", "to_ts"};
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (is(key, keys[i]))
			return true;
	return false;
}

static void
add_mended(struct text *t, const struct member *m, const struct shift *by)
{
	char digits[24];
	int64_t ms;
	struct span value = m->value;
	if (is(m->key, "clock")) {
		value = (struct span){"\"synced\"", 8};
	} else if (is_time(m->key) && integer(value, &ms) && ms >= by->from_ms && ms <= by->to_ms) {
		t->failed |= __builtin_add_overflow(ms, by->delta_ms, &ms);
		value.at = digits;
		value.len = (size_t)snprintf(digits, sizeof(digits), "%lld", (long long)ms);
	}
	add_member(t, m, value);
}

static bool
own_time(const char *text, const char *end, int64_t *ms)
{
	struct member m;
	while (next_member(&text, end, &m))
		if (is(m.key, "ts"))
			return integer(m.value, ms);
	return false;
}

size_t
stamp_mend_since(
	const char *text, size_t len, int64_t from_ms, int64_t delta_ms, char *out, size_t size)
{
	const char *at = text + 1, *end = text + len;
	struct text t = {.buf = out, .size = size};
	struct shift by = {.from_ms = from_ms, .delta_ms = delta_ms};
	struct member m;
	if (len < 2 || *text != '{' || !own_time(at, end, &by.to_ms))
		return 0;
	while (next_member(&at, end, &m))
		add_mended(&t, &m, &by);
	return finish(&t, is_over(at, end));
}

size_t
stamp_mend_here(char *text, size_t len, size_t size, int64_t from_ms, int64_t delta_ms)
{
	char *mended = malloc(size + 1);
	size_t n = mended ? stamp_mend_since(text, len, from_ms, delta_ms, mended, size + 1) : 0;
	if (n)
		memcpy(text, mended, n);
	free(mended);
	return n;
}

size_t
stamp_record(const char *payload, size_t len, char *out, size_t size)
{
	const char *at = payload + 1, *end = payload + len;
	struct text t = {.buf = out, .size = size};
	struct member m;
	int64_t ms;
	if (len < 2 || *payload != '{' || !own_time(at, end, &ms))
		return 0;
	while (next_member(&at, end, &m))
		if (!is(m.key, "v") && !is(m.key, "gw") && !is(m.key, "epoch"))
			add_member(&t, &m, m.value);
	return finish(&t, is_over(at, end));
}
