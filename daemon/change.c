/* SPDX-License-Identifier: MIT */
/* change.c -- one block of memory per change */
#include "daemon/change.h"

#include <stdlib.h>
#include <string.h>

static size_t
text_size(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

/* Copies `size` bytes to *end and moves it on. */
static const char *
take(char **end, const char *from, size_t size)
{
	char *to = *end;
	if (!from)
		return NULL;
	memcpy(to, from, size);
	*end += size;
	return to;
}

struct change *
change_copy(const struct change *from)
{
	size_t kind = text_size(from->kind), key = text_size(from->key);
	size_t topic = text_size(from->topic), epoch = text_size(from->epoch);
	size_t len = !from->text ? 0 : from->len ? from->len : strlen(from->text);
	struct change *c = malloc(sizeof(*c) + kind + key + topic + epoch + len + 1);
	if (!c)
		return NULL;
	char *end = (char *)(c + 1);
	*c = *from;
	c->next = NULL;
	c->kind = take(&end, from->kind, kind);
	c->key = take(&end, from->key, key);
	c->topic = take(&end, from->topic, topic);
	c->epoch = take(&end, from->epoch, epoch);
	c->text = take(&end, from->text, len);
	c->len = len;
	*end = '\0'; /* a kept text is read as a string */
	return c;
}

void
change_free_all(struct change *first)
{
	while (first) {
		struct change *next = first->next;
		free(first);
		first = next;
	}
}
