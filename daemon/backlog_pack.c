/* SPDX-License-Identifier: MIT */
/* backlog_pack.c -- many records in one compressed block
 *
 * Columns of numbers, each as its difference from the record before, then the texts: what is the
 * same from record to record shrinks to almost nothing. Numbers are LEB128, signed ones zigzag
 * (protobuf.dev/programming-guides/encoding). A block begins with the length of its raw form.
 */
#include "daemon/backlog_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { NUMBER_MAX = 10, RAW_MAX = 64 * 1024 * 1024 };

void
pack_free(struct pack *p)
{
	free(p->items);
	free(p->text);
	*p = (struct pack){0};
}

/* Room for one more item and `len` more bytes. */
static bool
make_room(struct pack *p, size_t len)
{
	if (p->n == p->room) {
		size_t room = p->room ? 2 * p->room : 8;
		struct item *items = realloc(p->items, room * sizeof(*items));
		if (!items)
			return false;
		p->items = items;
		p->room = room;
	}
	if (p->len + len > p->size) {
		size_t size = p->len + len + p->size / 2 + 1024;
		char *text = realloc(p->text, size);
		if (!text)
			return false;
		p->text = text;
		p->size = size;
	}
	return true;
}

int
pack_add(struct pack *p, const struct item *item, const char *text)
{
	if (!make_room(p, item->len))
		return -ENOMEM;
	p->items[p->n++] = *item;
	if (item->len)
		memcpy(p->text + p->len, text, item->len);
	p->len += item->len;
	return 0;
}

/* ---- numbers -------------------------------------------------------------------------------- */

static unsigned char *
put(unsigned char *to, uint64_t n)
{
	for (; n >= 0x80; n >>= 7)
		*to++ = (unsigned char)(n | 0x80);
	*to++ = (unsigned char)n;
	return to;
}

struct input {
	const unsigned char *at, *end;
	bool bad;
};

static uint64_t
get(struct input *in)
{
	uint64_t n = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		if (in->at == in->end)
			break;
		unsigned char c = *in->at++;
		n |= (uint64_t)(c & 0x7f) << shift;
		if (!(c & 0x80))
			return n;
	}
	in->bad = true;
	return 0;
}

static uint64_t
zigzag(uint64_t difference)
{
	return (difference << 1) ^ (0 - (difference >> 63));
}

static uint64_t
unzigzag(uint64_t n)
{
	return (n >> 1) ^ (0 - (n & 1));
}

/* ---- columns -------------------------------------------------------------------------------- */

enum { COLUMNS = 5 };

static uint64_t
number(const struct item *item, int column)
{
	switch (column) {
	case 0:
		return item->seq;
	case 1:
		return (uint64_t)item->ts_ms;
	case 2:
		return (uint64_t)item->boot;
	case 3:
		return (uint64_t)item->offset_ms;
	default:
		return item->len;
	}
}

static void
set_number(struct item *item, int column, uint64_t n)
{
	if (column == 0)
		item->seq = n;
	else if (column == 1)
		item->ts_ms = (int64_t)n;
	else if (column == 2)
		item->boot = (int64_t)n;
	else if (column == 3)
		item->offset_ms = (int64_t)n;
	else
		item->len = (size_t)n;
}

static size_t
write_raw(const struct pack *p, unsigned char *raw)
{
	unsigned char *to = put(raw, p->n);
	for (int column = 0; column < COLUMNS; column++) {
		uint64_t before = 0;
		for (size_t i = 0; i < p->n; i++) {
			uint64_t n = number(&p->items[i], column);
			to = put(to, zigzag(n - before));
			before = n;
		}
	}
	if (p->len)
		memcpy(to, p->text, p->len);
	return (size_t)(to - raw) + p->len;
}

void *
pack_encode(const struct pack *p, size_t *len)
{
	unsigned char *raw = malloc(NUMBER_MAX + p->n * COLUMNS * NUMBER_MAX + p->len);
	if (!raw)
		return NULL;
	uLong n = write_raw(p, raw);
	uLongf size = compressBound(n);
	unsigned char *z = malloc(NUMBER_MAX + size);
	unsigned char *at = z ? put(z, n) : NULL;
	if (z && compress2(at, &size, raw, n, Z_DEFAULT_COMPRESSION) != Z_OK) {
		free(z);
		z = NULL;
	}
	*len = z ? (size_t)(at - z) + size : 0;
	free(raw);
	return z;
}

static int
read_raw(struct pack *p, const unsigned char *raw, size_t len)
{
	struct input in = {.at = raw, .end = raw + len};
	uint64_t n = get(&in), total = 0;
	if (in.bad || n > len / COLUMNS)
		return -EILSEQ;
	p->items = calloc(n + 1, sizeof(*p->items));
	if (!p->items)
		return -ENOMEM;
	p->n = p->room = n;
	for (int column = 0; column < COLUMNS; column++) {
		uint64_t last = 0;
		for (size_t i = 0; i < n; i++) {
			last += unzigzag(get(&in));
			set_number(&p->items[i], column, last);
		}
	}
	for (size_t i = 0; i < n && total <= len; i++)
		total += p->items[i].len < len ? p->items[i].len : len + 1;
	if (in.bad || total != (uint64_t)(in.end - in.at))
		return -EILSEQ;
	p->text = malloc(total + 1);
	if (!p->text)
		return -ENOMEM;
	memcpy(p->text, in.at, total);
	p->len = p->size = total;
	return 0;
}

int
pack_decode(struct pack *p, const void *z, size_t len)
{
	struct input in = {.at = z, .end = (const unsigned char *)z + len};
	uLongf n = get(&in);
	if (in.bad || n > RAW_MAX)
		return -EILSEQ;
	unsigned char *raw = malloc(n + 1);
	if (!raw)
		return -ENOMEM;
	uLongf got = n;
	int rc = uncompress(raw, &got, in.at, (uLong)(in.end - in.at));
	rc = rc == Z_MEM_ERROR ? -ENOMEM : rc != Z_OK || got != n ? -EILSEQ : 0;
	if (rc == 0)
		rc = read_raw(p, raw, n);
	free(raw);
	if (rc < 0)
		pack_free(p);
	return rc;
}
