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

static void
check_text(bool is_tty)
{
	assert(strlen(printed) == n_printed);
	for (const char *at = printed; *at;) {
		unsigned char c = (unsigned char)*at;

		if (is_tty && c == ESC) {
			at = own_sequence(at);
			continue;
		}
		assert((c >= ' ' && c != 0x7F) || c == '\n' || (is_tty && c == '\r'));
		assert(c != 0xC2 || (unsigned char)at[1] >= 0xA0);
		at++;
	}
	free(printed);
}

static void
check_json(void)
{
	json_t *root = json_loadb(printed, n_printed, 0, NULL);

	assert(json_is_array(json_object_get(root, "machines")));
	json_decref(root);
	free(printed);
}

static void
show(const struct board *b, struct row *rows, size_t n)
{
	for (int is_tty = 0; is_tty < 2; is_tty++) {
		struct screen screen = {.is_tty = is_tty,
			.language = events.language,
			.board = b,
			.events = &events,
			.rows = rows,
			.n = n};

		listen_in();
		screen_print(&screen);
		stop_listening();
		check_text(is_tty);
	}
	listen_in();
	for (size_t i = 0; i < n; i++) {
		explain_alarms(&rows[i], LANGUAGE_RU);
		explain_maintenance(&rows[i], LANGUAGE_EN);
		explain_job(&rows[i], LANGUAGE_EN);
	}
	stop_listening();
	check_text(false);
	listen_in();
	board_print_json(rows, n, &events);
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
