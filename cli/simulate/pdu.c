/* SPDX-License-Identifier: MIT */
/* pdu.c -- how a simulated unit answers: MODBUS Application Protocol V1.1b3, bytes in, bytes out */
#include <string.h>

#include "cli/simulate/unit.h"

enum { ILLEGAL_FUNCTION = 1, ILLEGAL_ADDRESS = 2, ILLEGAL_VALUE = 3 };

static size_t
exception(uint8_t *rsp, uint8_t function, uint8_t code)
{
	rsp[0] = function | 0x80;
	rsp[1] = code;
	return 2;
}

static void
put_bits(uint8_t *out, const uint16_t *bits, unsigned count)
{
	memset(out, 0, (count + 7) / 8);
	for (unsigned i = 0; i < count; i++)
		if (bits[i])
			out[i / 8] |= (uint8_t)(1u << i % 8);
}

static size_t
answer_read(struct unit *u, const uint8_t *req, size_t len, uint8_t *rsp)
{
	static const enum table tables[] = {
		[1] = TABLE_COIL, TABLE_DISCRETE, TABLE_HOLDING, TABLE_INPUT};
	bool is_bits = req[0] <= 2;

	if (len != 5)
		return exception(rsp, req[0], ILLEGAL_VALUE);
	uint16_t address = (uint16_t)(req[1] << 8 | req[2]),
		 count = (uint16_t)(req[3] << 8 | req[4]);
	u->stats.address = address;
	u->stats.count = count;
	if (count == 0 || count > (is_bits ? u->max_bits : u->max_regs))
		return exception(rsp, req[0], ILLEGAL_VALUE);
	if (!is_bits && (address % u->align || count % u->align))
		return exception(rsp, req[0], ILLEGAL_ADDRESS);
	const uint16_t *words = image_find(&u->image, tables[req[0]], address, count);
	if (!words)
		return exception(rsp, req[0], ILLEGAL_ADDRESS);
	rsp[0] = req[0];
	rsp[1] = (uint8_t)(is_bits ? (count + 7) / 8 : count * 2);
	if (is_bits)
		put_bits(rsp + 2, words, count);
	for (unsigned i = 0; !is_bits && i < count; i++) {
		rsp[2 + 2 * i] = (uint8_t)(words[i] >> 8);
		rsp[3 + 2 * i] = (uint8_t)words[i];
	}
	return 2u + rsp[1];
}

static size_t
answer_server_id(const struct unit *u, uint8_t *rsp)
{
	size_t n = strlen(u->server_id);

	if (!n)
		return exception(rsp, 17, ILLEGAL_FUNCTION);
	rsp[0] = 17;
	rsp[1] = (uint8_t)(n + 1);
	memcpy(rsp + 2, u->server_id, n);
	rsp[2 + n] = 0xFF; /* running */
	return n + 3;
}

/* Basic objects as a stream (1) or one of them (4). */
static size_t
answer_identification(const struct unit *u, const uint8_t *req, size_t len, uint8_t *rsp)
{
	size_t at = 7;

	if (!u->objects[0][0] && !u->objects[1][0] && !u->objects[2][0])
		return exception(rsp, 43, ILLEGAL_FUNCTION);
	if (len != 4 || req[1] != 14 || (req[2] != 1 && req[2] != 4))
		return exception(rsp, 43, ILLEGAL_VALUE);
	if (req[3] > 2)
		return exception(rsp, 43, ILLEGAL_ADDRESS);
	/* MEI type, read code, conformity, more follows, next object, number of objects */
	memcpy(rsp, (uint8_t[]){43, 14, req[2], 0x81, 0, 0, 0}, 7);
	for (uint8_t i = req[3]; i < (req[2] == 4 ? req[3] + 1 : 3); i++) {
		uint8_t n = (uint8_t)strlen(u->objects[i]);
		rsp[at] = i;
		rsp[at + 1] = n;
		memcpy(rsp + at + 2, u->objects[i], n);
		at += 2u + n;
		rsp[6]++;
	}
	return at;
}

size_t
unit_answer(struct unit *u, const uint8_t *req, size_t len, uint8_t *rsp)
{
	u->stats.function = req[0];
	switch (req[0]) {
	case 1:
	case 2:
	case 3:
	case 4:
		return answer_read(u, req, len, rsp);
	case 17:
		return answer_server_id(u, rsp);
	case 43:
		return answer_identification(u, req, len, rsp);
	default:
		return exception(rsp, req[0], ILLEGAL_FUNCTION);
	}
}
