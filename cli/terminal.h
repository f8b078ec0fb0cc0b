/* SPDX-License-Identifier: MIT */
/* terminal.h -- the whole screen, for as long as a program shows something on it
 *
 * The alternate screen without a cursor, as of less(1) and top(1): what was there before comes back
 * at the end, whatever ends the program but SIGKILL. `q`, Ctrl-C and SIGTERM ask it to end.
 */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

/* Of standard output; 80 and 24 if it does not say. */
void terminal_size(size_t *columns, size_t *lines);
/* Takes the screen, and keys if standard input is a terminal, too. */
void terminal_enter(void);
void terminal_leave(void); /* twice is fine */
/* Waits at most so long for a key, a signal or another size. */
void terminal_wait(int timeout_ms);
bool terminal_is_over(void);     /* somebody asked for the end */
bool terminal_was_resized(void); /* since it was asked last */
/* The signal that asked for the end, to end by it as others would; 0: it was a key. */
int terminal_signal(void);

#endif
