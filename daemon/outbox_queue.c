/* SPDX-License-Identifier: MIT */
/* outbox_queue.c -- messages and the lists that they stand in */
#include "daemon/outbox_impl.h"

#include <stdlib.h>

static unsigned
size_class(size_t len)
{
	unsigned c = 0;
	while (c < SIZE_CLASSES && (SIZE_MIN << c) < len)
		c++;
	return c;
}

struct message *
pool_take(struct pool *p, size_t len)
{
	unsigned c = size_class(len);
	if (c == SIZE_CLASSES)
		return NULL;
	struct message *m = p->free[c];
	if (m) {
		p->free[c] = m->next;
	} else {
		m = malloc(sizeof(*m) + (SIZE_MIN << c));
		if (!m)
			return NULL;
	}
	*m = (struct message){.mail = {.kind = MAIL_MESSAGE},
		.json = true,
		.len = (uint32_t)len,
		.cap = SIZE_MIN << c};
	return m;
}

void
pool_give(struct pool *p, struct message *m)
{
	unsigned c = size_class(m->cap);
	m->next = p->free[c];
	p->free[c] = m;
}

static void
free_list(struct message *m)
{
	while (m) {
		struct message *next = m->next;
		free(m);
		m = next;
	}
}

void
pool_finish(struct pool *p)
{
	for (size_t i = 0; i < SIZE_CLASSES; i++)
		free_list(p->free[i]);
}

void
queue_init(struct queue *q)
{
	*q = (struct queue){.last = &q->first};
}

void
queue_append(struct queue *q, struct message *m)
{
	m->next = NULL;
	*q->last = m;
	q->last = &m->next;
	q->n++;
	q->bytes += m->cap;
	if (q->n == 1 || m->record > q->newest)
		q->newest = m->record;
}

void
queue_insert(struct queue *q, struct message *m)
{
	struct message **at = &q->first;
	if (!q->first || q->newest <= m->record) {
		queue_append(q, m);
		return;
	}
	while (*at && (*at)->record <= m->record)
		at = &(*at)->next;
	m->next = *at;
	*at = m;
	if (!m->next)
		q->last = &m->next;
	q->n++;
	q->bytes += m->cap;
}

struct message *
queue_take_out(struct queue *q, struct message **at)
{
	struct message *m = *at;
	*at = m->next;
	if (!*at)
		q->last = at;
	q->n--;
	q->bytes -= m->cap;
	return m;
}

struct message *
queue_pop(struct queue *q)
{
	return q->first ? queue_take_out(q, &q->first) : NULL;
}

void
queue_free(struct queue *q)
{
	free_list(q->first);
	queue_init(q);
}
