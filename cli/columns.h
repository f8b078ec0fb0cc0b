/* SPDX-License-Identifier: MIT */
/* columns.h -- how wide UTF-8 text stands on a terminal
 *
 * A letter takes one column, a Chinese one or an emoji two, an accent none (wcwidth(3)). What is no
 * UTF-8 counts as one column a byte.
 */
#ifndef CLI_COLUMNS_H
#define CLI_COLUMNS_H

#include <stddef.h>

size_t columns_of(const char *text);
/* Bytes of the longest beginning that takes at most `columns`; *used (may be NULL): how many it
 * does take. */
size_t columns_fit(const char *text, size_t columns, size_t *used);

#endif
