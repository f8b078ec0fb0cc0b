/* SPDX-License-Identifier: MIT */
/* ask.c -- requests made by hand, answers checked */
#include "drivers/ask.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

enum { PDU_MAX = 253, EXCEPTION = 0x80, DEFAULT_TIMEOUT_MS = 500, DEFAULT_LATENCY_MS = 1000 };

static const char *const tables[] = {[TABLE_COIL] = "coil",
	[TABLE_DISCRETE] = "discrete",
	[TABLE_HOLDING] = "holding",
	[TABLE_INPUT] = "input"};

int
ask_table(const char *word)
{
	for (int t = TABLE_COIL; t <= TABLE_INPUT; t++)
		if (!strcmp(tables[t], word))
			return t;
	return -1;
}

const char *
ask_table_name(enum table table)
{
	return tables[table];
}

static int
ask(struct link *link, uint8_t unit, const struct ask_times *times, const uint8_t *req, size_t len,
	size_t expect, uint8_t *rsp)
{
	struct exchange ex = {.unit = unit,
		.req = req,
		.req_len = len,
		.rsp = rsp,
		.rsp_cap = PDU_MAX,
		.expect = expect,
		.check_unit = true,
		.timeout_ms = times->timeout_ms ? times->timeout_ms : DEFAULT_TIMEOUT_MS,
		.byte_timeout_ms = times->byte_timeout_ms,
		.min_gap_ms = times->min_gap_ms,
		.max_latency_ms =
			times->max_latency_ms ? times->max_latency_ms : DEFAULT_LATENCY_MS};
	int rc = link_open(link);

	return rc ? rc : link_transact(link, &ex);
}

int
ask_read(struct link *link, uint8_t unit, const struct ask_times *times, const struct request *req,
	uint16_t *words, unsigned *exception)
{
	bool bits = req->table == TABLE_COIL || req->table == TABLE_DISCRETE;
	size_t bytes = bits ? (req->count + 7u) / 8 : req->count * 2u;
	const uint8_t pdu[5] = {(uint8_t)(req->table + 1), (uint8_t)(req->address >> 8),
		(uint8_t)req->address, (uint8_t)(req->count >> 8), (uint8_t)req->count};
	uint8_t rsp[PDU_MAX];
	int n = ask(link, unit, times, pdu, sizeof pdu, bytes + 2, rsp);

	*exception = 0;
	if (n < 0)
		return n;
	if (n == 2 && rsp[0] == (pdu[0] | EXCEPTION)) {
		*exception = rsp[1];
		return -EREMOTEIO;
	}
	if ((size_t)n != bytes + 2 || rsp[0] != pdu[0] || rsp[1] != bytes)
		return -EPROTO;
	for (size_t i = 0; i < req->count; i++)
		words[i] = bits ? rsp[2 + i / 8] >> i % 8 & 1
				: (uint16_t)(rsp[2 + 2 * i] << 8 | rsp[3 + 2 * i]);
	return 0;
}

static void
add_printable(char *buf, size_t size, const uint8_t *bytes, size_t n)
{
	size_t len = strlen(buf);

	if (len && len + 1 < size)
		buf[len++] = ' ';
	for (size_t i = 0; i < n && len + 1 < size; i++)
		if (isprint(bytes[i]))
			buf[len++] = (char)bytes[i];
	while (len && buf[len - 1] == ' ')
		len--;
	buf[len] = '\0';
}

/* The basic objects of an answer to FC 43/14, MODBUS Application Protocol V1.1b3, 6.21. */
static void
take_objects(const uint8_t *rsp, size_t n, char *buf, size_t size)
{
	size_t at = 7;

	for (int left = n >= 7 ? rsp[6] : 0; left > 0 && at + 2 <= n && at + 2 + rsp[at + 1] <= n;
		left--) {
		add_printable(buf, size, rsp + at + 2, rsp[at + 1]);
		at += 2u + rsp[at + 1];
	}
}

void
ask_identity(struct link *link, uint8_t unit, const struct ask_times *times, char *buf, size_t size)
{
	static const uint8_t identification[] = {43, 14, 1, 0}, server_id[] = {17};
	uint8_t rsp[PDU_MAX];

	buf[0] = '\0';
	int n = ask(link, unit, times, identification, sizeof identification, 0, rsp);
	if (n > 7 && rsp[0] == 43)
		take_objects(rsp, (size_t)n, buf, size);
	if (buf[0])
		return;
	n = ask(link, unit, times, server_id, sizeof server_id, 0, rsp);
	if (n > 3 && rsp[0] == 17 && rsp[1] <= n - 2)
		add_printable(buf, size, rsp + 2, rsp[1] > 1 ? rsp[1] - 1u : rsp[1]);
}
