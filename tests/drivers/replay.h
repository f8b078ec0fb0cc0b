/* SPDX-License-Identifier: MIT */
/* replay.h -- a serial or HID device from a script, on a clock that only the script moves
 *
 * The link under test drivers: what the device says is queued with the moment at which it arrives,
 * cut into chunks at random borders if wanted; waiting moves the clock. Every query that is sent is
 * logged and answered by what replay_answer() said. Lines are made by drivers/lines.c, as on a
 * real port.
 */
#ifndef TESTS_DRIVERS_REPLAY_H
#define TESTS_DRIVERS_REPLAY_H

#include "drivers/lines.h"
#include "drivers/link_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	REPLAY_BYTES = 1 << 16,
	REPLAY_CHUNKS = 4096,
	REPLAY_ANSWERS = 32,
	REPLAY_ANSWER_BYTES = 4096,
	REPLAY_PARTS = 64,
	REPLAY_HID = 64
};

struct replay_part { /* so many bytes, so long after the question */
	size_t len;
	int64_t after_ms;
};

struct replay_answer {
	char query[80];
	size_t query_len;
	uint8_t bytes[REPLAY_ANSWER_BYTES];
	size_t len;
	struct replay_part parts[REPLAY_PARTS];
	size_t n_parts;
};

struct replay {
	struct link link; /* first */
	bool hid;
	uint32_t chunk_seed; /* 0: what is said arrives as it is said */
	int64_t now_us;
	uint8_t bytes[REPLAY_BYTES]; /* what is on its way */
	size_t first, end;
	struct {
		size_t len;
		int64_t at_us;
	} chunks[REPLAY_CHUNKS];
	size_t chunk_first, chunk_end;
	int64_t busy_from_us, busy_until_us; /* when what was said last is on the wire */
	struct lines lines;
	struct replay_answer answers[REPLAY_ANSWERS];
	size_t n_answers;
	char sent[1 << 16]; /* everything, each query behind its length in one byte */
	size_t sent_len;
	unsigned queries; /* sent so far */
	int dead;         /* what sending and receiving return instead; 0: they work */
};

static inline uint32_t
replay_random(struct replay *r)
{
	r->chunk_seed ^= r->chunk_seed << 13;
	r->chunk_seed ^= r->chunk_seed >> 17;
	r->chunk_seed ^= r->chunk_seed << 5;
	return r->chunk_seed;
}

static inline void
replay_add_chunk(struct replay *r, const uint8_t *bytes, size_t len, int64_t at_us)
{
	if (r->chunk_first == r->chunk_end)
		r->chunk_first = r->chunk_end = r->first = r->end = 0;
	if (len == 0 || r->end + len > REPLAY_BYTES || r->chunk_end == REPLAY_CHUNKS)
		return;
	memcpy(r->bytes + r->end, bytes, len);
	r->end += len;
	r->chunks[r->chunk_end].len = len;
	r->chunks[r->chunk_end++].at_us = at_us;
}

/* The device says something, `after_ms` from now. HID: one report, filled up to 64 bytes. */
static inline void
replay_say(struct replay *r, const void *data, size_t len, int64_t after_ms)
{
	const uint8_t *bytes = data;
	int64_t at_us = r->now_us + after_ms * 1000;
	uint8_t report[REPLAY_HID] = {0};

	if (r->hid) {
		memcpy(report, bytes, len < REPLAY_HID ? len : REPLAY_HID);
		replay_add_chunk(r, report, REPLAY_HID, at_us);
		return;
	}
	/* two lines of the same moment come one after the other, not mixed */
	if (at_us >= r->busy_from_us && at_us < r->busy_until_us)
		at_us = r->busy_until_us;
	else
		r->busy_from_us = at_us;
	while (len > 0) {
		size_t n = r->chunk_seed ? 1 + replay_random(r) % 7 : len;
		n = n < len ? n : len;
		replay_add_chunk(r, bytes, n, at_us);
		at_us += r->chunk_seed ? 300 : 0;
		bytes += n;
		len -= n;
	}
	r->busy_until_us = at_us;
}

/* The answer to this query from now on, empty: none. Returned to be filled in. */
static inline struct replay_answer *
replay_answer(struct replay *r, const char *query, size_t len)
{
	struct replay_answer *a = NULL;

	for (size_t i = 0; i < r->n_answers; i++) {
		if (r->answers[i].query_len == len && !memcmp(r->answers[i].query, query, len))
			a = &r->answers[i];
	}
	if (!a && r->n_answers < REPLAY_ANSWERS)
		a = &r->answers[r->n_answers++];
	if (!a || len > sizeof(a->query))
		return NULL;
	memset(a, 0, sizeof(*a));
	memcpy(a->query, query, len);
	a->query_len = len;
	return a;
}

static inline void
replay_answer_part(struct replay_answer *a, const void *bytes, size_t len, int64_t after_ms)
{
	if (a->len + len > REPLAY_ANSWER_BYTES || a->n_parts == REPLAY_PARTS)
		return;
	memcpy(a->bytes + a->len, bytes, len);
	a->len += len;
	a->parts[a->n_parts++] = (struct replay_part){len, after_ms};
}

static inline int
replay_open(struct link *link)
{
	struct replay *r = (struct replay *)link;

	lines_reset(&r->lines);
	return r->dead;
}

static inline void
replay_close(struct link *link)
{
	(void)link;
}

static inline int
replay_send(struct link *link, const struct driver_query *query)
{
	struct replay *r = (struct replay *)link;

	if (r->dead)
		return r->dead;
	if (r->sent_len + query->len + 1 < sizeof(r->sent)) {
		r->sent[r->sent_len++] = (char)query->len;
		memcpy(r->sent + r->sent_len, query->bytes, query->len);
		r->sent_len += query->len;
	}
	r->queries++;
	for (size_t i = 0; i < r->n_answers; i++) {
		struct replay_answer *a = &r->answers[i];
		if (a->query_len != query->len || memcmp(a->query, query->bytes, query->len))
			continue;
		for (size_t k = 0, at = 0; k < a->n_parts; at += a->parts[k++].len)
			replay_say(r, a->bytes + at, a->parts[k].len, a->parts[k].after_ms);
	}
	return 0;
}

/* Which of the queued chunks comes first: answers with delays may overtake each other. */
static inline size_t
replay_earliest(const struct replay *r)
{
	size_t best = r->chunk_first;

	for (size_t i = r->chunk_first; i < r->chunk_end; i++) {
		if (r->chunks[i].len &&
			(!r->chunks[best].len || r->chunks[i].at_us < r->chunks[best].at_us))
			best = i;
	}
	return best;
}

/* Waits for the next chunk: its bytes, their number, or 0 when the time is over. */
static inline size_t
replay_next(struct replay *r, int64_t until_us, const uint8_t **bytes)
{
	size_t i = replay_earliest(r), at = r->first, n;

	if (i >= r->chunk_end || !r->chunks[i].len || r->chunks[i].at_us > until_us) {
		r->now_us = until_us > r->now_us ? until_us : r->now_us;
		return 0;
	}
	for (size_t k = r->chunk_first; k < i; k++)
		at += r->chunks[k].len;
	if (r->chunks[i].at_us > r->now_us)
		r->now_us = r->chunks[i].at_us;
	n = r->chunks[i].len;
	*bytes = r->bytes + at;
	return n;
}

static inline void
replay_taken(struct replay *r, const uint8_t *bytes, size_t n)
{
	size_t at = (size_t)(bytes - r->bytes), i = replay_earliest(r);

	memmove(r->bytes + at, r->bytes + at + n, r->end - at - n);
	r->end -= n;
	memmove(&r->chunks[i], &r->chunks[i + 1], (r->chunk_end - i - 1) * sizeof(r->chunks[0]));
	r->chunk_end--;
}

static inline int
replay_receive(struct link *link, void *buf, size_t size, int64_t until_us)
{
	struct replay *r = (struct replay *)link;

	for (;;) {
		const uint8_t *bytes;
		size_t n, room;
		if (!r->hid && (n = lines_take(&r->lines, buf, size)) > 0)
			return (int)n;
		if (r->dead)
			return r->dead;
		n = replay_next(r, until_us, &bytes);
		if (n == 0)
			return -ETIMEDOUT;
		if (r->hid) {
			size_t most = n < size ? n : size;
			memcpy(buf, bytes, most);
			replay_taken(r, bytes, n);
			return (int)most;
		}
		char *to = lines_room(&r->lines, &room);
		n = n < room ? n : room;
		memcpy(to, bytes, n);
		lines_added(&r->lines, n);
		replay_taken(r, bytes, n);
	}
}

static inline int
replay_await(struct link *link, int64_t until_us)
{
	const uint8_t *bytes;

	return replay_next((struct replay *)link, until_us, &bytes) > 0;
}

static inline int64_t
replay_now(const struct link *link)
{
	return ((const struct replay *)link)->now_us;
}

static inline void
replay_destroy(struct link *link)
{
	free(link);
}

/* Freed with link_destroy(&r->link). NULL: out of memory. */
static inline struct replay *
replay_create(const struct driver *driver, bool resets)
{
	static const struct link_ops ops = {.open = replay_open,
		.close = replay_close,
		.destroy = replay_destroy,
		.send = replay_send,
		.receive = replay_receive,
		.await = replay_await,
		.now_us = replay_now};
	struct replay *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->link.ops = &ops;
	r->link.queries = driver->queries;
	r->link.n_queries = driver->n_queries;
	r->link.resets = resets;
	r->hid = driver->link == LINK_HID;
	r->now_us = 1000000000;
	return r;
}

#endif
