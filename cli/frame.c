/* SPDX-License-Identifier: MIT */
/* frame.c -- lines for a terminal, gathered and written at once */
#include "cli/frame.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/columns.h"

#define HOME "\033[H"
#define CLEAR_LINE "\033[K"
#define CLEAR_BELOW "\033[J"
#define ELLIPSIS "…"

enum { LEAST_WORDS = 10 }; /* columns that an indent leaves to words */

/* SGR, ECMA-48 8.3.117: the eight colours that every terminal has. */
static const char *const codes[INK_COUNT] = {[INK_PLAIN] = "\033[0m",
	[INK_BOLD] = "\033[1m",
	[INK_DIM] = "\033[2m",
	[INK_RED] = "\033[31m",
	[INK_GREEN] = "\033[32m",
	[INK_YELLOW] = "\033[33m",
	[INK_MAGENTA] = "\033[35m"};

int
frame_colours(const char *word, bool is_tty, bool *out)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	*out = word && !strcmp(word, "always");
	if (*out || (word && !strcmp(word, "never")))
		return CLI_FINE;
	if (word && strcmp(word, "auto") != 0)
		return cli_fail(CLI_USAGE, "--color: \"%s\"; auto, always or never", word);
	*out = is_tty && !(no && *no) && !(term && !strcmp(term, "dumb"));
	return CLI_FINE;
}

/* ---- gathering ---------------------------------------------------------------------------------
 */

/* Without memory the picture ends early. */
static void
add(struct frame *f, const char *bytes, size_t n)
{
	if (f->len + n > f->cap) {
		size_t cap = (f->len + n) * 2 + 4096;
		char *more = realloc(f->buf, cap);
		if (!more)
			return;
		f->buf = more;
		f->cap = cap;
	}
	memcpy(f->buf + f->len, bytes, n);
	f->len += n;
}

static void
add_text(struct frame *f, const char *text)
{
	add(f, text, strlen(text));
}

static void
add_blanks(struct frame *f, size_t n)
{
	for (f->column += n; n > 0; n--)
		add(f, " ", 1);
}

static void
set_ink(struct frame *f, enum ink ink)
{
	if (f->colours)
		add_text(f, codes[ink]);
}

void
frame_begin(struct frame *f)
{
	f->len = f->column = f->lines = 0;
	if (f->in_place)
		add_text(f, HOME);
}

void
frame_finish(struct frame *f)
{
	free(f->buf);
	f->buf = NULL;
	f->cap = f->len = 0;
}

size_t
frame_room(const struct frame *f)
{
	if (!f->width)
		return SIZE_MAX;
	return f->column < f->width ? f->width - f->column : 0;
}

size_t
frame_put(struct frame *f, const char *text, size_t columns)
{
	size_t used, room = frame_room(f);

	if (columns > room)
		columns = room;
	size_t n = columns_fit(text, columns, &used);
	if (text[n] && columns > 0) {
		n = columns_fit(text, columns - 1, &used);
		add(f, text, n);
		add_text(f, ELLIPSIS);
		used++;
	} else {
		add(f, text, n);
	}
	f->column += used;
	return used;
}

size_t
frame_put_in(struct frame *f, enum ink ink, const char *text, size_t columns)
{
	if (ink == INK_PLAIN)
		return frame_put(f, text, columns);
	set_ink(f, ink);
	size_t used = frame_put(f, text, columns);
	set_ink(f, INK_PLAIN);
	return used;
}

void
frame_cell(struct frame *f, enum ink ink, const char *text, size_t columns)
{
	if (!columns)
		return;
	size_t used = frame_put_in(f, ink, text, columns), gap = columns - used + 1;
	size_t room = frame_room(f);
	add_blanks(f, gap < room ? gap : room);
}

void
frame_end_line(struct frame *f)
{
	if (f->in_place)
		add_text(f, CLEAR_LINE);
	add_text(f, "\n");
	f->column = 0;
	f->lines++;
}

/* ---- words -------------------------------------------------------------------------------------
 */

/* Bytes of the longest beginning of whole words that takes at most `columns`. */
static size_t
whole_words(const char *text, size_t columns)
{
	size_t n = columns_fit(text, columns, NULL), end = n;

	if (!text[n] || text[n] == ' ')
		return n;
	while (end > 0 && text[end - 1] != ' ')
		end--;
	return end;
}

static void
put_bytes(struct frame *f, enum ink ink, const char *text, size_t n)
{
	char *line = strndup(text, n);

	if (line)
		frame_put_in(f, ink, line, SIZE_MAX);
	free(line);
}

/* A word that no line has room for is broken; at least one character goes, whatever its width. */
static size_t
broken_word(const char *text, size_t columns)
{
	size_t n = columns_fit(text, columns, NULL);

	if (n > 0)
		return n;
	for (n = 1; ((unsigned char)text[n] & 0xC0) == 0x80;)
		n++;
	return n;
}

static void
go_on(struct frame *f, size_t indent)
{
	frame_end_line(f);
	add_blanks(f, indent);
}

void
frame_wrap(struct frame *f, enum ink ink, const char *text, size_t indent)
{
	if (f->width && f->width < indent + LEAST_WORDS)
		indent = 0;
	while (*text) {
		size_t n = whole_words(text, frame_room(f)), shown;
		if (n == 0 && f->column > indent) {
			go_on(f, indent);
			text += strspn(text, " ");
			continue;
		}
		if (n == 0)
			n = broken_word(text, frame_room(f));
		for (shown = n; text[n] && shown > 0 && text[shown - 1] == ' ';)
			shown--;
		put_bytes(f, ink, text, shown);
		text += n;
		if (!*text)
			return;
		text += strspn(text, " ");
		go_on(f, indent);
	}
}

/* ---- showing -----------------------------------------------------------------------------------
 */

void
frame_show(struct frame *f)
{
	size_t done = 0;

	if (f->in_place)
		add_text(f, CLEAR_BELOW);
	fflush(stdout);
	while (done < f->len) {
		ssize_t n = write(STDOUT_FILENO, f->buf + done, f->len - done);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			break;
		done += n > 0 ? (size_t)n : 0;
	}
	f->len = 0;
}
