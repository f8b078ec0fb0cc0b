/* SPDX-License-Identifier: MIT */
/* columns.c -- how wide UTF-8 text stands on a terminal */
#include "cli/columns.h"

#include <locale.h>
#include <stdint.h>
#include <string.h>
#include <wchar.h>

/* Of every glibc, whatever the user's own locale is; taken once, for good. */
static locale_t
utf8(void)
{
	static locale_t locale;

	if (!locale)
		locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	return locale;
}

/* One character at s: its bytes, and its columns. */
static size_t
step(const char *s, size_t *columns)
{
	mbstate_t state = {0};
	wchar_t c;

	*columns = 1;
	if ((unsigned char)*s < 0x80)
		return 1;
	size_t n = mbrtowc(&c, s, strnlen(s, 4), &state);
	if (n == 0 || n > 4)
		return 1;
	int width = wcwidth(c);
	*columns = width < 0 ? 0 : (size_t)width;
	return n;
}

size_t
columns_fit(const char *text, size_t columns, size_t *used)
{
	locale_t before = uselocale(utf8());
	size_t n = 0, sum = 0, width;

	while (text[n]) {
		size_t bytes = step(text + n, &width);
		if (sum + width > columns)
			break;
		sum += width;
		n += bytes;
	}
	uselocale(before);
	if (used)
		*used = sum;
	return n;
}

size_t
columns_of(const char *text)
{
	size_t used;

	columns_fit(text, SIZE_MAX, &used);
	return used;
}
