/* SPDX-License-Identifier: MIT */
/* fuzz_board.c -- whatever a broker or a daemon may tell the tool: `watch` and `explain`
 *
 * The input is messages, each ended by 0x1E: the topic, a line end, the payload; one without a line
 * end is a daemon's answer. What is printed for people holds no control characters but line ends
 * (and on a terminal the tool's own sequences); what is printed as JSON is JSON.
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cli/board.h"
#include "cli/explain_row.h"
#include "cli/screen.h"

enum { MESSAGE_END = 0x1E, MESSAGES_MAX = 64, ESC = 0x1B };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct board board;
static struct events events;

static FILE *terminal;
static char *printed;
static size_t n_printed;

static void
listen_in(void)
{
	terminal = stdout;
	stdout = open_memstream(&printed, &n_printed);
	assert(stdout);
}

static void
stop_listening(void)
{
	fclose(stdout);
	stdout = terminal;
}

/* Behind a sequence "ESC [ … letter" of the tool's own kind. */
static const char *
own_sequence(const char *at)
{
	assert(at[1] == '[');
	at += 2 + strspn(at + 2, "0123456789;?");
	assert(*at && strchr("mHJKhl", *at));
	return at + 1;
}

/* Ends the text and frees it. */
static void
check_text(struct frame *f)
{
	frame_end_line(f);
	assert(!memchr(f->buf, '\0', f->len));
	f->buf[f->len - 1] = '\0'; /* in place of the last line end */
	for (const char *at = f->buf; *at;) {
		unsigned char c = (unsigned char)*at;

		if (f->colours && c == ESC) {
			at = own_sequence(at);
			continue;
		}
		assert((c >= ' ' && c != 0x7F) || c == '\n' || (f->in_place && c == '\r'));
		/* U+0080 to U+009F; half of a character, from a topic that is no UTF-8, is none */
		assert(c != 0xC2 || (at[1] & 0xE0) != 0x80);
		at++;
	}
	frame_finish(f);
}

static void
check_json(void)
{
	json_t *root = json_loadb(printed, n_printed, 0, NULL);

	assert(json_is_array(json_object_get(root, "machines")));
	json_decref(root);
	free(printed);
}

/* Lines without end for a file, and a small screen. */
static void
draw(const struct board *b, const struct row *rows, size_t n, bool is_live)
{
	struct frame f = {.colours = is_live, .in_place = is_live, .width = is_live ? 40 : 0};
	struct screen screen = {.height = is_live ? 12 : 0,
		.language = events.language,
		.board = b,
		.events = &events,
		.rows = rows,
		.n = n};

	frame_begin(&f);
	screen_draw(&screen, &f);
	check_text(&f);
}

static void
explain(const struct row *rows, size_t n, size_t width)
{
	struct frame f = {.width = width};

	frame_begin(&f);
	for (size_t i = 0; i < n; i++) {
		explain_alarms(&f, &rows[i], LANGUAGE_RU);
		explain_maintenance(&f, &rows[i], LANGUAGE_EN);
		explain_job(&f, &rows[i], LANGUAGE_EN);
	}
	check_text(&f);
}

static void
show(const struct board *b, struct row *rows, size_t n)
{
	draw(b, rows, n, false);
	draw(b, rows, n, true);
	explain(rows, n, 0);
	explain(rows, n, 40);
	listen_in();
	board_print_json(rows, n, b, &events);
	stop_listening();
	check_json();
}

static void
take(char *text, size_t len)
{
	char *end = memchr(text, '\n', len);
	size_t n;

	if (end) {
		*end++ = '\0';
		board_take(&board, text, end, len - (size_t)(end - text));
		events_take(&events, text, end, len - (size_t)(end - text));
		return;
	}
	struct doc *answer = doc_parse(text, len);
	struct row *rows = board_rows_of(doc_get(answer, "result"), &n);

	assert(rows);
	show(NULL, rows, n);
	free(rows);
	doc_free(answer);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size + 1), *at = copy;
	size_t n;

	assert(copy);
	memcpy(copy, data, size);
	copy[size] = '\0';
	events = (struct events){.language = size % 2 ? LANGUAGE_RU : LANGUAGE_EN};
	for (int i = 0; i < MESSAGES_MAX && size > 0; i++) {
		char *end = memchr(at, MESSAGE_END, size);
		size_t len = end ? (size_t)(end - at) : size, whole = len + (end != NULL);

		if (len > 0)
			take(at, len);
		at += whole;
		size -= whole;
	}
	struct row *rows = board_rows(&board, &n);
	assert(rows);
	show(&board, rows, n);
	free(rows);
	board_finish(&board);
	free(copy);
	return 0;
}
