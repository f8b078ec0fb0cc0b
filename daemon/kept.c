/* SPDX-License-Identifier: MIT */
/* kept.c -- a table of texts that remembers what the disk does not know yet */
#include "daemon/kept.h"

#include <stdlib.h>
#include <string.h>

struct entry {
	struct entry *chain, *next; /* of its bucket; in order */
	char *text;                 /* NULL: dropped */
	bool dirty, taken;
	const char *key;
	char kind[];
};

struct kept {
	struct entry **buckets;
	size_t n_buckets, n;
	struct entry *first, **last;
	size_t dirty;
};

static size_t
hash(const char *kind, const char *key)
{
	size_t h = 14695981039346656037u; /* FNV-1a */
	for (const char *p = kind; *p; p++)
		h = (h ^ (unsigned char)*p) * 1099511628211u;
	h = (h ^ '/') * 1099511628211u;
	for (const char *p = key; *p; p++)
		h = (h ^ (unsigned char)*p) * 1099511628211u;
	return h;
}

static int
grow(struct kept *k)
{
	size_t n = k->n_buckets ? k->n_buckets * 2 : 64;
	struct entry **more = calloc(n, sizeof(struct entry *));
	if (!more)
		return -1;
	for (struct entry *e = k->first; e; e = e->next) {
		struct entry **at = &more[hash(e->kind, e->key) & (n - 1)];
		e->chain = *at;
		*at = e;
	}
	free(k->buckets);
	k->buckets = more;
	k->n_buckets = n;
	return 0;
}

struct kept *
kept_create(void)
{
	struct kept *k = calloc(1, sizeof(*k));
	if (!k || grow(k) < 0) {
		free(k);
		return NULL;
	}
	k->last = &k->first;
	return k;
}

void
kept_destroy(struct kept *k)
{
	if (!k)
		return;
	for (struct entry *e = k->first, *next; e; e = next) {
		next = e->next;
		free(e->text);
		free(e);
	}
	free(k->buckets);
	free(k);
}

static struct entry *
find(const struct kept *k, const char *kind, const char *key)
{
	struct entry *e = k->buckets[hash(kind, key) & (k->n_buckets - 1)];
	while (e && (strcmp(e->key, key) != 0 || strcmp(e->kind, kind) != 0))
		e = e->chain;
	return e;
}

static struct entry *
find_or_add(struct kept *k, const char *kind, const char *key)
{
	struct entry *e = find(k, kind, key);
	size_t n_kind = strlen(kind) + 1, n_key = strlen(key) + 1;
	if (e || (k->n >= k->n_buckets && grow(k) < 0))
		return e;
	e = calloc(1, sizeof(*e) + n_kind + n_key);
	if (!e)
		return NULL;
	memcpy(e->kind, kind, n_kind);
	memcpy(e->kind + n_kind, key, n_key);
	e->key = e->kind + n_kind;
	struct entry **at = &k->buckets[hash(kind, key) & (k->n_buckets - 1)];
	e->chain = *at;
	*at = e;
	*k->last = e;
	k->last = &e->next;
	k->n++;
	return e;
}

static void
soil(struct kept *k, struct entry *e)
{
	k->dirty += !e->dirty;
	e->dirty = true;
}

void
kept_load(struct kept *k, const char *kind, const char *key, const char *text)
{
	struct entry *e = find_or_add(k, kind, key);
	if (e && !e->text)
		e->text = strdup(text);
}

void
kept_put(struct kept *k, const char *kind, const char *key, const char *text)
{
	struct entry *e = find_or_add(k, kind, key);
	if (!e || (e->text && strcmp(e->text, text) == 0))
		return;
	char *copy = strdup(text);
	if (!copy)
		return;
	free(e->text);
	e->text = copy;
	soil(k, e);
}

void
kept_drop(struct kept *k, const char *kind, const char *key)
{
	struct entry *e = find(k, kind, key);
	if (!e || !e->text)
		return;
	free(e->text);
	e->text = NULL;
	soil(k, e);
}

const char *
kept_get(const struct kept *k, const char *kind, const char *key)
{
	const struct entry *e = find(k, kind, key);
	return e ? e->text : NULL;
}

void
kept_each(struct kept *k, const char *kind, kept_fn *each, void *arg)
{
	for (struct entry *e = k->first; e; e = e->next)
		if (e->text && strcmp(e->kind, kind) == 0)
			each(arg, e->key, e->text);
}

/* ---- to the disk ---------------------------------------------------------------------------- */

bool
kept_is_dirty(const struct kept *k)
{
	return k->dirty > 0;
}

struct change *
kept_take(struct kept *k, struct change *rest)
{
	for (struct entry *e = k->first; e && k->dirty > 0; e = e->next) {
		if (!e->dirty)
			continue;
		struct change *c =
			change_copy(&(struct change){.what = e->text ? CHANGE_PUT : CHANGE_DROP,
				.kind = e->kind,
				.key = e->key,
				.text = e->text});
		if (!c)
			continue; /* stays dirty */
		c->next = rest;
		rest = c;
		e->dirty = false;
		e->taken = true;
		k->dirty--;
	}
	return rest;
}

void
kept_written(struct kept *k, bool done)
{
	for (struct entry *e = k->first; e; e = e->next) {
		if (e->taken && !done)
			soil(k, e);
		e->taken = false;
	}
}

void
kept_all_dirty(struct kept *k)
{
	for (struct entry *e = k->first; e; e = e->next)
		if (e->text)
			soil(k, e);
}
