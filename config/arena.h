/* SPDX-License-Identifier: MIT */
/* arena.h -- memory that is given back all at once
 *
 * What a loader builds lives exactly as long as what it built, so single frees would only be
 * chances for mistakes. An arena never returns NULL: when memory or its limit is used up, control
 * goes to `full`, which its owner set with setjmp(). One thread at a time.
 */
#ifndef CONFIG_ARENA_H
#define CONFIG_ARENA_H

#include <setjmp.h>
#include <stddef.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks;
	char *next, *end;
	size_t used, limit; /* bytes taken from malloc; limit 0: none */
	jmp_buf *full;
};

void arena_init(struct arena *a, size_t limit, jmp_buf *full);
/* Zeroed, aligned for everything. */
void *arena_alloc(struct arena *a, size_t size);
/* n elements; too large a product counts as out of memory. */
void *arena_array(struct arena *a, size_t n, size_t size);
char *arena_copy(struct arena *a, const char *s, size_t len); /* ends with NUL */
char *arena_text(struct arena *a, const char *s);             /* NULL stays NULL */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void arena_finish(struct arena *a);

#endif
