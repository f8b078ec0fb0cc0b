/* SPDX-License-Identifier: MIT */
/* scalar.c -- the words that YAML leaves to us: numbers, durations, sizes, ids */
#include "config/scalar.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct suffix {
	const char *text;
	int64_t factor;
};

static const struct suffix durations[] = {
	{"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}, {"d", 86400000}, {NULL, 0}};
static const struct suffix sizes[] = {
	{"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {NULL, 0}};

/* "0x1F" or "31"; a zero in front of other digits means octal to some readers. */
static bool
parse_digits(const char *s, uint64_t *out)
{
	bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
	const char *digits = hex ? s + 2 : s;
	char *end;

	if (!isxdigit((unsigned char)*digits) || (!hex && digits[0] == '0' && digits[1]))
		return false;
	errno = 0;
	*out = strtoull(digits, &end, hex ? 16 : 10);
	return errno == 0 && *end == '\0' && (hex || isdigit((unsigned char)*digits));
}

bool
scalar_raw(const char *s, uint64_t *out, bool *negative)
{
	*negative = *s == '-';
	if (!parse_digits(s + *negative, out) || (*negative && *out > (uint64_t)INT64_MAX + 1))
		return false;
	if (*negative)
		*out = 0 - *out;
	return true;
}

bool
scalar_int(const char *s, int64_t *out)
{
	bool negative;
	uint64_t raw;

	if (!scalar_raw(s, &raw, &negative) || (!negative && raw > INT64_MAX))
		return false;
	*out = (int64_t)raw;
	return true;
}

bool
scalar_number(const char *s, double *out)
{
	const char *digits = s + (*s == '-');
	int64_t whole;
	char *end;

	if (scalar_int(s, &whole)) {
		*out = (double)whole;
		return true;
	}
	if (!isdigit((unsigned char)digits[0]) || strspn(s, "-+.0123456789eE") != strlen(s))
		return false;
	/* "010.5" is as doubtful as "010". */
	if (digits[0] == '0' && isdigit((unsigned char)digits[1]))
		return false;
	*out = strtod(s, &end);
	return *end == '\0' && isfinite(*out);
}

bool
scalar_bool(const char *s, bool *out)
{
	*out = strcmp(s, "true") == 0;
	return *out || strcmp(s, "false") == 0;
}

static bool
parse_suffixed(const char *s, const struct suffix *suffixes, int64_t *out)
{
	size_t digits = strspn(s, SCALAR_DIGIT);
	char number[20];

	if (digits == 0 || digits >= sizeof number)
		return false;
	memcpy(number, s, digits);
	number[digits] = '\0';
	if (!scalar_int(number, out))
		return false;
	while (suffixes->text && strcmp(s + digits, suffixes->text) != 0)
		suffixes++;
	if (!suffixes->text || *out > INT64_MAX / suffixes->factor)
		return false;
	*out *= suffixes->factor;
	return true;
}

bool
scalar_duration(const char *s, int64_t *ms)
{
	return parse_suffixed(s, durations, ms);
}

bool
scalar_size(const char *s, int64_t *bytes)
{
	return parse_suffixed(s, sizes, bytes);
}

bool
scalar_matches(const char *s, const char *first, const char *rest, size_t min, size_t max)
{
	size_t len = strlen(s);

	return len >= min && len <= max && strchr(first, *s) && strspn(s + 1, rest) == len - 1;
}

bool
scalar_is_trap(const char *s)
{
	static const char *const traps[] = {
		"y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", NULL};

	for (size_t i = 0; traps[i]; i++)
		if (strcasecmp(s, traps[i]) == 0)
			return true;
	return false;
}

size_t
scalar_distance(const char *a, const char *b, size_t limit)
{
	enum { LEN_MAX = 48 };
	size_t n = strlen(a), m = strlen(b), row[LEN_MAX + 1];

	if (n > LEN_MAX || m > LEN_MAX || (n > m ? n - m : m - n) > limit)
		return limit + 1;
	for (size_t j = 0; j <= m; j++)
		row[j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t corner = row[0];
		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t best = corner + (a[i - 1] != b[j - 1]);
			corner = row[j];
			if (corner + 1 < best)
				best = corner + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[m] > limit ? limit + 1 : row[m];
}

const char *
scalar_nearest(const char *s, const char *const *words)
{
	size_t len = strlen(s), limit = len < 3 ? 1 : len < 6 ? 2 : 3, best = limit + 1;
	const char *nearest = NULL;

	for (; *words; words++) {
		size_t distance = scalar_distance(s, *words, limit);
		if (distance < best && distance < len) {
			best = distance;
			nearest = *words;
		}
	}
	return nearest;
}
