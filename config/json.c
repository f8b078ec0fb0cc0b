/* SPDX-License-Identifier: MIT */
/* json.c -- writes JSON straight into a buffer that the caller owns */
#include "config/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "drivers/driver.h"

static void
put(struct json *j, const char *s, size_t n)
{
	if (j->failed || n >= j->size - j->len) {
		j->failed = true;
		return;
	}
	memcpy(j->buf + j->len, s, n);
	j->len += n;
}

/* What stands before every item: the comma and its key. */
static void
lead(struct json *j, const char *key)
{
	if (j->comma)
		put(j, ",", 1);
	j->comma = true;
	if (!key)
		return;
	put(j, "\"", 1);
	put(j, key, strlen(key));
	put(j, "\":", 2);
}

static void
put_uint(struct json *j, bool negative, uint64_t u)
{
	char digits[21];
	size_t at = sizeof digits;

	do {
		digits[--at] = (char)('0' + u % 10);
		u /= 10;
	} while (u);
	if (negative)
		digits[--at] = '-';
	put(j, digits + at, sizeof digits - at);
}

/* Length of the UTF-8 sequence at s, or 0 if it is none (overlong, surrogate, cut, too big). */
static size_t
utf8_length(const unsigned char *s)
{
	static const struct {
		unsigned char first, last, low, high; /* lead bytes; bounds of the second byte */
		size_t length;
	} forms[] = {
		{0xC2, 0xDF, 0x80, 0xBF, 2},
		{0xE0, 0xE0, 0xA0, 0xBF, 3},
		{0xE1, 0xEC, 0x80, 0xBF, 3},
		{0xED, 0xED, 0x80, 0x9F, 3},
		{0xEE, 0xEF, 0x80, 0xBF, 3},
		{0xF0, 0xF0, 0x90, 0xBF, 4},
		{0xF1, 0xF3, 0x80, 0xBF, 4},
		{0xF4, 0xF4, 0x80, 0x8F, 4},
	};

	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		if (s[0] < forms[i].first || s[0] > forms[i].last)
			continue;
		if (s[1] < forms[i].low || s[1] > forms[i].high)
			return 0;
		for (size_t k = 2; k < forms[i].length; k++)
			if ((s[k] & 0xC0) != 0x80)
				return 0;
		return forms[i].length;
	}
	return 0;
}

static bool
is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* Writes the one character at s that is not plain; returns the bytes taken. */
static size_t
put_special(struct json *j, const unsigned char *s)
{
	static const char short_for[] = "\bb\ff\nn\rr\tt\"\"\\\\";
	char text[8];
	size_t n = s[0] >= 0x80 ? utf8_length(s) : 1;

	if (n > 1) {
		put(j, (const char *)s, n);
		return n;
	}
	if (n == 0) {
		put(j, "\xEF\xBF\xBD", 3);
		return 1;
	}
	for (const char *p = short_for; *p; p += 2)
		if (*p == (char)s[0]) {
			text[0] = '\\';
			text[1] = p[1];
			put(j, text, 2);
			return 1;
		}
	snprintf(text, sizeof text, "\\u%04x", (unsigned)s[0]);
	put(j, text, 6);
	return 1;
}

void
json_init(struct json *j, char *buf, size_t size)
{
	*j = (struct json){.buf = buf, .size = size, .failed = size == 0};
}

void
json_open(struct json *j, const char *key, char bracket)
{
	lead(j, key);
	put(j, &bracket, 1);
	j->comma = false;
}

void
json_close(struct json *j, char bracket)
{
	put(j, &bracket, 1);
	j->comma = true;
}

void
json_put_string(struct json *j, const char *key, const char *s)
{
	if (!s) {
		json_put_null(j, key);
		return;
	}
	lead(j, key);
	put(j, "\"", 1);
	const unsigned char *p = (const unsigned char *)s;
	while (*p && !j->failed) {
		const unsigned char *run = p;
		while (is_plain(*p))
			p++;
		put(j, (const char *)run, (size_t)(p - run));
		if (*p)
			p += put_special(j, p);
	}
	put(j, "\"", 1);
}

void
json_put_text(struct json *j, const char *key, const char *text, size_t len)
{
	lead(j, key);
	put(j, text, len);
}

void
json_put_int(struct json *j, const char *key, int64_t i)
{
	lead(j, key);
	put_uint(j, i < 0, i < 0 ? 0 - (uint64_t)i : (uint64_t)i);
}

void
json_put_uint(struct json *j, const char *key, uint64_t u)
{
	lead(j, key);
	put_uint(j, false, u);
}

void
json_put_real(struct json *j, const char *key, double d, int decimals)
{
	char text[352]; /* DBL_MAX has 309 digits before the point */

	if (!isfinite(d)) {
		json_put_null(j, key);
		return;
	}
	lead(j, key);
	int n = snprintf(text, sizeof text, "%.*f",
		decimals < 0    ? 0
		: decimals > 30 ? 30
				: decimals,
		d);
	put(j, text, (size_t)n);
}

void
json_put_bool(struct json *j, const char *key, bool b)
{
	lead(j, key);
	put(j, b ? "true" : "false", b ? 4 : 5);
}

void
json_put_null(struct json *j, const char *key)
{
	lead(j, key);
	put(j, "null", 4);
}

static bool
is_empty(const struct value *v)
{
	bool is_number = v->kind == VALUE_REAL || v->kind == VALUE_FLOAT || v->kind == VALUE_DOUBLE;

	return v->kind == VALUE_NONE || (is_number && !isfinite(v->u.num));
}

void
json_put_value(struct json *j, const char *key, const struct value *v)
{
	if (is_empty(v)) {
		json_put_null(j, key);
		return;
	}
	lead(j, key);
	if (j->failed)
		return;
	size_t n = value_print(v, j->buf + j->len, j->size - j->len);
	j->len += n;
	j->failed = n == 0;
}

size_t
json_end(struct json *j)
{
	if (j->failed)
		return 0;
	j->buf[j->len] = '\0';
	return j->len;
}
