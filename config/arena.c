/* SPDX-License-Identifier: MIT */
/* arena.c -- memory that is given back all at once */
#include "config/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_MIN = 4096, CHUNK_MAX = 256 * 1024 };

struct arena_chunk {
	struct arena_chunk *older;
	alignas(max_align_t) char data[];
};

void
arena_init(struct arena *a, size_t limit, jmp_buf *full)
{
	memset(a, 0, sizeof *a);
	a->limit = limit;
	a->full = full;
}

/* Chunks grow with what is already used, so that little costs little and much costs few calls. */
static void
grow(struct arena *a, size_t size)
{
	size_t room = a->used < CHUNK_MIN ? CHUNK_MIN : a->used;

	if (room > CHUNK_MAX)
		room = CHUNK_MAX;
	if (room < size)
		room = size;
	if (a->limit && (room > a->limit || a->used > a->limit - room))
		longjmp(*a->full, 1);
	struct arena_chunk *chunk = malloc(sizeof *chunk + room);
	if (!chunk)
		longjmp(*a->full, 1);
	chunk->older = a->chunks;
	a->chunks = chunk;
	a->next = chunk->data;
	a->end = chunk->data + room;
	a->used += room;
}

void *
arena_alloc(struct arena *a, size_t size)
{
	const size_t align = alignof(max_align_t);

	if (size > SIZE_MAX / 4)
		longjmp(*a->full, 1);
	size = (size + align - 1) / align * align;
	if (!a->next || (size_t)(a->end - a->next) < size)
		grow(a, size);
	void *memory = a->next;
	a->next += size;
	return memset(memory, 0, size);
}

void *
arena_array(struct arena *a, size_t n, size_t size)
{
	if (size && n > SIZE_MAX / 4 / size)
		longjmp(*a->full, 1);
	return arena_alloc(a, n * size);
}

char *
arena_copy(struct arena *a, const char *s, size_t len)
{
	return memcpy(arena_alloc(a, len + 1), s, len);
}

char *
arena_text(struct arena *a, const char *s)
{
	return s ? arena_copy(a, s, strlen(s)) : NULL;
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list args, again;

	va_start(args, fmt);
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	char *text = arena_alloc(a, len < 0 ? 1 : (size_t)len + 1);
	if (len > 0)
		vsnprintf(text, (size_t)len + 1, fmt, again);
	va_end(again);
	return text;
}

void
arena_finish(struct arena *a)
{
	while (a->chunks) {
		struct arena_chunk *older = a->chunks->older;
		free(a->chunks);
		a->chunks = older;
	}
	a->next = a->end = NULL;
	a->used = 0;
}
