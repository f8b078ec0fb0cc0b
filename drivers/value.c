/* SPDX-License-Identifier: MIT */
/* value.c -- a value as JSON text or as a number
 *
 * value_print() runs for every point of every poll, so the common case is integer arithmetic: a
 * float is tried with 0, 1, 2 ... decimals until the text reads back as the same float. printf
 * serves only what is very large or very small, and its decimal separator is not trusted.
 */
#include "drivers/driver.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const fail_names[FAIL_COUNT] = {
	[FAIL_NONE] = "",
	[FAIL_TIMEOUT] = "timeout",
	[FAIL_CRC] = "crc",
	[FAIL_EXCEPTION] = "exception",
	[FAIL_UNSUPPORTED] = "unsupported",
	[FAIL_OUT_OF_RANGE] = "out-of-range",
	[FAIL_NOT_AVAILABLE] = "not-available",
	[FAIL_SENSOR_ERROR] = "sensor-error",
	[FAIL_LINK_DOWN] = "link-down",
	[FAIL_PROTOCOL] = "protocol",
	[FAIL_STALE] = "stale",
	[FAIL_IN_USE] = "in-use",
	[FAIL_PERMISSION] = "permission",
	[FAIL_IDENTITY] = "identity",
	[FAIL_AMBIGUOUS] = "ambiguous",
};

static const double pow10_double[] = {
	1e0,
	1e1,
	1e2,
	1e3,
	1e4,
	1e5,
	1e6,
	1e7,
	1e8,
	1e9,
	1e10,
	1e11,
	1e12,
	1e13,
	1e14,
	1e15,
};

static const uint64_t pow10_int[] = {
	1ULL,
	10ULL,
	100ULL,
	1000ULL,
	10000ULL,
	100000ULL,
	1000000ULL,
	10000000ULL,
	100000000ULL,
	1000000000ULL,
	10000000000ULL,
	100000000000ULL,
	1000000000000ULL,
	10000000000000ULL,
	100000000000000ULL,
	1000000000000000ULL,
};

enum {
	DECIMALS_MAX = 15,
	FLOAT_DECIMALS = 12, /* more than any measured float32 above 0.001 needs */
	DOUBLE_DECIMALS = 15,
	NUMBER_MAX = 48, /* longest number printed: sign, 19 digits, point, 15 decimals */
};

/* Doubles below this hold every integer exactly. */
static const double exact_below = 9007199254740992.0; /* 2^53 */

const char *
fail_name(enum fail fail)
{
	return (unsigned)fail < FAIL_COUNT ? fail_names[fail] : "";
}

const char *
fail_text(enum fail fail, unsigned exception, char *buf, size_t size)
{
	if (fail == FAIL_EXCEPTION)
		snprintf(buf, size, "exception-%u", exception);
	else
		snprintf(buf, size, "%s", fail_name(fail));
	return buf;
}

/* Writes the digits so that they end at `end`; at least `least` of them. Returns the first. */
static char *
digits_before(char *end, uint64_t u, unsigned least)
{
	char *p = end;

	while (u != 0 || least > 0) {
		*--p = (char)('0' + u % 10);
		u /= 10;
		if (least > 0)
			least--;
	}
	return p;
}

/* u / 10^decimals, with exactly so many decimals. */
static size_t
print_scaled(bool negative, uint64_t u, unsigned decimals, char *buf, size_t size)
{
	char tmp[NUMBER_MAX];
	char *end = tmp + sizeof(tmp), *p = end;
	size_t n;

	if (decimals > 0) {
		p = digits_before(p, u % pow10_int[decimals], decimals);
		*--p = '.';
	}
	p = digits_before(p, decimals > 0 ? u / pow10_int[decimals] : u, 1);
	if (negative && u != 0)
		*--p = '-';
	n = (size_t)(end - p);
	if (n >= size)
		return 0;
	memcpy(buf, p, n);
	buf[n] = '\0';
	return n;
}

static size_t
print_signed(int64_t i, unsigned decimals, char *buf, size_t size)
{
	return print_scaled(i < 0, i < 0 ? -(uint64_t)i : (uint64_t)i, decimals, buf, size);
}

static bool
reads_back(const char *text, double x, bool single)
{
	return single ? (double)strtof(text, NULL) == x : strtod(text, NULL) == x;
}

/* With an exponent, for what has too many digits before or behind the point. */
static size_t
print_exponent(double x, bool single, char *buf, size_t size)
{
	char tmp[NUMBER_MAX];
	int most = single ? 8 : 16; /* digits behind the first that always read back */
	const char *in = tmp;
	size_t n = 0;

	for (int d = 0; d <= most; d++) {
		snprintf(tmp, sizeof(tmp), "%.*e", d, x);
		if (reads_back(tmp, x, single))
			break;
	}
	if (strlen(tmp) + 1 > size)
		return 0;
	if (*in == '-')
		buf[n++] = *in++;
	buf[n++] = *in++;
	if (*in != 'e') { /* the separator is the locale's, of any length */
		buf[n++] = '.';
		in += strcspn(in, "0123456789");
	}
	memcpy(buf + n, in, strlen(in) + 1);
	return n + strlen(in);
}

/* A double rounded to float is rounded twice; that goes wrong only if the first rounding ended
 * exactly half-way between two floats. */
static bool
is_float_midpoint(double q)
{
	uint64_t bits;

	memcpy(&bits, &q, sizeof(bits));
	return (bits & 0x1FFFFFFFu) == 0x10000000u;
}

static bool
same_float(double q, double x)
{
	return (double)(float)q == x && !is_float_midpoint(q);
}

/* For doubles: i < 2^53 and 10^k are exact, so i / 10^k is what strtod() makes of the text. */
static size_t
print_shortest(double x, bool single, char *buf, size_t size)
{
	int most = single ? FLOAT_DECIMALS : DOUBLE_DECIMALS;

	if (!isfinite(x))
		return 0;
	if (fabs(x) >= 1e-5 || x == 0.0) {
		for (int k = 0; k <= most; k++) {
			double scaled = x * pow10_double[k], q;
			long long i;

			if (fabs(scaled) >= exact_below)
				break;
			i = llrint(scaled);
			q = (double)i / pow10_double[k];
			if (single ? same_float(q, x) : q == x)
				return print_signed(i, (unsigned)k, buf, size);
		}
	}
	return print_exponent(x, single, buf, size);
}

static size_t
print_real(double x, unsigned decimals, char *buf, size_t size)
{
	double scaled;

	if (!isfinite(x))
		return 0;
	if (decimals > DECIMALS_MAX)
		decimals = DECIMALS_MAX;
	scaled = x * pow10_double[decimals];
	if (fabs(scaled) >= exact_below)
		return print_shortest(x, false, buf, size);
	return print_signed(llrint(scaled), decimals, buf, size);
}

static size_t
escape(unsigned char c, char *out)
{
	static const char plain[] = "\"\\";
	static const char hex[] = "0123456789abcdef";

	if (c < 0x20) {
		memcpy(out, "\\u00", 4);
		out[4] = hex[c >> 4];
		out[5] = hex[c & 15];
		return 6;
	}
	if (strchr(plain, c)) {
		out[0] = '\\';
		out[1] = (char)c;
		return 2;
	}
	out[0] = (char)c;
	return 1;
}

static size_t
print_string(const char *s, char *buf, size_t size)
{
	size_t n = 0;
	char esc[6];

	if (size < 3)
		return 0;
	buf[n++] = '"';
	for (; *s; s++) {
		size_t len = escape((unsigned char)*s, esc);

		if (n + len + 2 > size)
			return 0;
		memcpy(buf + n, esc, len);
		n += len;
	}
	buf[n++] = '"';
	buf[n] = '\0';
	return n;
}

static size_t
print_word(const char *word, char *buf, size_t size)
{
	size_t n = strlen(word);

	if (n >= size)
		return 0;
	memcpy(buf, word, n + 1);
	return n;
}

size_t
value_print(const struct value *v, char *buf, size_t size)
{
	switch ((enum value_kind)v->kind) {
	case VALUE_BOOL:
		return print_word(v->u.b ? "true" : "false", buf, size);
	case VALUE_INT:
		return print_signed(v->u.i, 0, buf, size);
	case VALUE_UINT:
		return print_scaled(false, v->u.u, 0, buf, size);
	case VALUE_REAL:
		return print_real(v->u.num, v->decimals, buf, size);
	case VALUE_FLOAT:
		return print_shortest((double)(float)v->u.num, true, buf, size);
	case VALUE_DOUBLE:
		return print_shortest(v->u.num, false, buf, size);
	case VALUE_ENUM:
	case VALUE_STRING:
		return print_string(v->u.s, buf, size);
	case VALUE_NONE:
		break;
	}
	return 0;
}

bool
value_is_lacking(const struct value *v)
{
	return v->kind == VALUE_NONE &&
	       (v->fail == FAIL_UNSUPPORTED || v->fail == FAIL_NOT_AVAILABLE);
}

bool
value_number(const struct value *v, double *num)
{
	switch ((enum value_kind)v->kind) {
	case VALUE_BOOL:
		*num = v->u.b ? 1 : 0;
		return true;
	case VALUE_INT:
		*num = (double)v->u.i;
		return true;
	case VALUE_UINT:
		*num = (double)v->u.u;
		return true;
	case VALUE_REAL:
	case VALUE_FLOAT:
	case VALUE_DOUBLE:
		*num = v->u.num;
		return isfinite(v->u.num);
	case VALUE_NONE:
	case VALUE_ENUM:
	case VALUE_STRING:
		break;
	}
	return false;
}
