/* SPDX-License-Identifier: MIT */
/* fault.c -- how a unit misbehaves, and what then goes out instead of its answer
 *
 * A fault first may change the answer's PDU (before), then what is made of it on the wire
 * (after). Each kind is a row of the table.
 */
#include "cli/simulate/fault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/simulate/unit.h"

enum { MBAP = 7, SECOND_FRAME_US = 8000, DEFAULT_LATE_MS = 300, BUSY = 6 };

struct making {
	struct unit *unit;
	const struct asked *asked;
	struct fault *fault;
	uint8_t id; /* that the answer carries */
	uint8_t pdu[253];
	size_t pdu_len;
	struct reply *out;
};

struct kind {
	const char *name;
	uint8_t min_args, max_args;
	void (*before)(struct making *m);
	void (*after)(struct making *m);
};

uint16_t
fault_crc(const uint8_t *bytes, size_t n)
{
	uint16_t crc = 0xFFFF;

	for (size_t i = 0; i < n; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = (uint16_t)(crc & 1 ? crc >> 1 ^ 0xA001 : crc >> 1);
	}
	return crc;
}

static struct reply_piece *
add_piece(struct reply *out)
{
	struct reply_piece *p = &out->piece[out->n++];

	p->len = 0;
	p->delay_us = 0;
	p->at_once = false;
	return p;
}

static struct reply_piece *
add_frame(struct making *m, uint8_t id, const uint8_t *pdu, size_t len)
{
	struct reply_piece *p = add_piece(m->out);
	uint16_t tid = m->asked->transaction;

	if (m->asked->tcp) {
		const uint8_t head[MBAP] = {(uint8_t)(tid >> 8), (uint8_t)tid, 0, 0,
			(uint8_t)((len + 1) >> 8), (uint8_t)(len + 1), id};
		memcpy(p->bytes, head, MBAP);
		memcpy(p->bytes + MBAP, pdu, len);
		p->len = MBAP + len;
		return p;
	}
	p->bytes[0] = id;
	memcpy(p->bytes + 1, pdu, len);
	uint16_t crc = fault_crc(p->bytes, len + 1);
	p->bytes[len + 1] = (uint8_t)crc;
	p->bytes[len + 2] = (uint8_t)(crc >> 8);
	p->len = len + 3;
	return p;
}

static long
arg(const struct making *m, size_t i, long otherwise)
{
	return i < m->fault->n ? m->fault->args[i] : otherwise;
}

static uint32_t
random_next(struct fault *f)
{
	uint32_t x = f->seed ? f->seed : 2463534242u;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return f->seed = x;
}

/* ---- the kinds ------------------------------------------------------------------------------ */

static void
late(struct making *m)
{
	m->out->piece[0].delay_us = arg(m, 0, DEFAULT_LATE_MS) * 1000;
}

static void
silent(struct making *m)
{
	m->out->n = 0;
}

static void
crc(struct making *m)
{
	m->out->piece[0].bytes[m->out->piece[0].len - 1] ^= 0x5A;
}

static void
noise(struct making *m)
{
	struct reply_piece *p = &m->out->piece[0];

	memmove(p->bytes + 1, p->bytes, p->len++);
	p->bytes[0] = 0;
}

static void
twice(struct making *m)
{
	struct reply_piece *p = add_piece(m->out);

	*p = m->out->piece[0];
	p->delay_us = SECOND_FRAME_US;
}

/* Another unit's answer to the same question, with other data, comes first. */
static void
foreign(struct making *m)
{
	uint8_t pdu[sizeof m->pdu];

	memcpy(pdu, m->pdu, m->pdu_len);
	pdu[m->pdu_len - 1] ^= 0x55;
	m->out->n = 0;
	add_frame(m, (uint8_t)(m->id % 247 + 1), pdu, m->pdu_len);
	struct reply_piece *own = add_frame(m, m->id, m->pdu, m->pdu_len);
	own->delay_us = SECOND_FRAME_US;
}

static void
cut(struct making *m)
{
	size_t missing = (size_t)arg(m, 0, 1), len = m->out->piece[0].len;

	m->out->piece[0].len = missing < len ? len - missing : 1;
}

static void
echo(struct making *m)
{
	const struct asked *asked = m->asked;

	m->out->n = 0;
	struct reply_piece *p = add_piece(m->out);
	memcpy(p->bytes, asked->frame, asked->frame_len);
	p->len = asked->frame_len;
	p->at_once = true;
	add_frame(m, m->id, m->pdu, m->pdu_len);
}

/* exception CODE [FC [ADDRESS COUNT]]: only for that function, and blocks that touch the range */
static void
exception(struct making *m)
{
	const uint8_t *req = m->asked->pdu;
	long fc = arg(m, 1, 0);

	if (fc && req[0] != fc)
		return;
	if (m->fault->n >= 3 && m->asked->pdu_len == 5) {
		long first = req[1] << 8 | req[2], end = first + (req[3] << 8 | req[4]);
		if (arg(m, 2, 0) >= end || arg(m, 2, 0) + arg(m, 3, 1) <= first)
			return;
	}
	m->pdu[0] = req[0] | 0x80;
	m->pdu[1] = (uint8_t)arg(m, 0, 1);
	m->pdu_len = 2;
}

static void
busy(struct making *m)
{
	m->pdu[0] = m->asked->pdu[0] | 0x80;
	m->pdu[1] = BUSY;
	m->pdu_len = 2;
}

static void
hang_up(struct making *m)
{
	m->out->n = 0;
	m->out->hang_up = true;
}

static void
wrong_tid(struct making *m)
{
	if (m->asked->tcp)
		m->out->piece[0].bytes[1] ^= 0x40;
}

static void
wrong_unit(struct making *m)
{
	m->id = (uint8_t)(m->id % 247 + 1);
}

static void
wrong_function(struct making *m)
{
	m->pdu[0] ^= 0x07;
}

/* The byte count says more than was asked, and as much is sent. */
static void
wrong_length(struct making *m)
{
	if (m->pdu[0] > 4 || m->pdu_len + 2 > sizeof m->pdu)
		return;
	m->pdu[1] = (uint8_t)(m->pdu[1] + 2);
	memset(m->pdu + m->pdu_len, 0, 2);
	m->pdu_len += 2;
}

static void
trickle(struct making *m)
{
	m->out->trickle_us = arg(m, 0, 20) * 1000;
}

static void random_fault(struct making *m);

static const struct kind kinds[] = {
	{"ok", 0, 0, NULL, NULL},
	{"late", 0, 1, NULL, late},
	{"silent", 0, 0, NULL, silent},
	{"crc", 0, 0, NULL, crc},
	{"noise", 0, 0, NULL, noise},
	{"double", 0, 0, NULL, twice},
	{"foreign", 0, 0, NULL, foreign},
	{"cut", 0, 1, NULL, cut},
	{"echo", 0, 0, NULL, echo},
	{"exception", 1, 4, exception, NULL},
	{"busy", 0, 0, busy, NULL},
	{"close", 0, 0, NULL, hang_up},
	{"refuse", 0, 0, NULL, hang_up},
	{"wrong-tid", 0, 0, NULL, wrong_tid},
	{"wrong-unit", 0, 0, wrong_unit, NULL},
	{"wrong-function", 0, 0, wrong_function, NULL},
	{"wrong-length", 0, 0, wrong_length, NULL},
	{"trickle", 0, 1, NULL, trickle},
	{"random", 1, 2, NULL, random_fault},
};

enum { N_KINDS = sizeof kinds / sizeof kinds[0] };

/* random PERCENT [LATE_MS]: this share of the answers is late by up to LATE_MS, lost, doubled, cut,
 * noisy or foreign, at random. */
static void
random_fault(struct making *m)
{
	static void (*const serial[])(struct making *) = {
		late, silent, crc, noise, twice, foreign, cut};
	static void (*const network[])(struct making *) = {
		late, silent, wrong_tid, twice, foreign, cut, hang_up};
	struct fault *given = m->fault;

	if (random_next(given) % 100 >= (uint32_t)arg(m, 0, 0))
		return;
	uint32_t max_ms = (uint32_t)arg(m, 1, DEFAULT_LATE_MS);
	struct fault picked = {.n = 1, .args = {(long)(random_next(given) % (max_ms + 1))}};
	uint32_t which = random_next(given) % (sizeof serial / sizeof serial[0]);
	void (*const *list)(struct making *) = m->asked->tcp ? network : serial;
	if (list[which] == cut)
		picked.args[0] = 1 + picked.args[0] % 5;
	m->fault = &picked;
	list[which](m);
	m->fault = given;
}

/* ---- from outside --------------------------------------------------------------------------- */

static int
parse_argument(const char *word, struct fault *f)
{
	char *end;
	bool is_times = word[0] == 'x' && word[1];
	long number = strtol(word + is_times, &end, 0);

	if (*end || number < 0 || number > 1000000)
		return -EINVAL;
	if (is_times)
		f->times = number;
	else if (f->n < 4)
		f->args[f->n++] = number;
	else
		return -EINVAL;
	return 0;
}

int
fault_parse(struct fault *f, char *const *words, size_t n)
{
	struct fault parsed = {.seed = f->seed};

	if (n == 0)
		return -EINVAL;
	while (parsed.kind < N_KINDS && strcmp(kinds[parsed.kind].name, words[0]))
		parsed.kind++;
	if (parsed.kind == N_KINDS)
		return -EINVAL;
	for (size_t i = 1; i < n; i++)
		if (parse_argument(words[i], &parsed))
			return -EINVAL;
	if (parsed.n < kinds[parsed.kind].min_args || parsed.n > kinds[parsed.kind].max_args)
		return -EINVAL;
	*f = parsed;
	return 0;
}

bool
fault_refuses(const struct fault *f)
{
	return !strcmp(kinds[f->kind].name, "refuse");
}

void
fault_reply(struct unit *u, const struct asked *asked, struct reply *out)
{
	struct making m;
	const struct kind *kind = &kinds[u->fault.kind];

	m.unit = u;
	m.asked = asked;
	m.fault = &u->fault;
	m.id = u->id;
	m.out = out;
	out->n = 0;
	out->hang_up = false;
	out->trickle_us = 0;
	m.pdu_len = unit_answer(u, asked->pdu, asked->pdu_len, m.pdu);
	if (kind->before)
		kind->before(&m);
	add_frame(&m, m.id, m.pdu, m.pdu_len);
	if (kind->after)
		kind->after(&m);
	if (u->fault.times && --u->fault.times == 0)
		u->fault = (struct fault){.seed = u->fault.seed};
	u->stats.answers += out->n > 0;
	u->stats.exceptions += (m.pdu[0] & 0x80) != 0;
}
