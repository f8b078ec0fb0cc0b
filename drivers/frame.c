/* SPDX-License-Identifier: MIT */
/* frame.c -- Modbus frames as bytes: built, found and checked without any I/O
 *
 * RTU has neither a start mark nor a length, so an answer is recognised by everything that is
 * known about it: unit, function code, length, CRC. Frames of others are recognised the same way
 * and skipped whole, so that nothing is searched for inside them.
 */
#include "drivers/frame.h"

#include <assert.h>
#include <string.h>

/* CRC-16 of a nibble; polynomial 0xA001 (reflected 0x8005). Two look-ups per byte keep the table
 * in one cache line. */
static const uint16_t crc_nibble[16] = {
	0x0000,
	0xCC01,
	0xD801,
	0x1400,
	0xF001,
	0x3C00,
	0x2800,
	0xE401,
	0xA001,
	0x6C00,
	0x7800,
	0xB401,
	0x5000,
	0x9C01,
	0x8801,
	0x4400,
};

uint16_t
frame_crc16(const uint8_t *bytes, size_t n)
{
	uint16_t crc = 0xFFFF;

	for (size_t i = 0; i < n; i++) {
		crc ^= bytes[i];
		crc = (uint16_t)((crc >> 4) ^ crc_nibble[crc & 15]);
		crc = (uint16_t)((crc >> 4) ^ crc_nibble[crc & 15]);
	}
	return crc;
}

static unsigned
be16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static bool
reads_table(uint8_t function)
{
	return function >= 1 && function <= 4;
}

bool
frame_is_read(const uint8_t *pdu, size_t len)
{
	if (len == 0)
		return false;
	if (reads_table(pdu[0]))
		return len == 5;
	if (pdu[0] == FRAME_FC_SERVER_ID)
		return len == 1;
	return pdu[0] == FRAME_FC_MEI && len == 4 && pdu[1] == FRAME_MEI_DEVICE_ID;
}

size_t
frame_expected(const uint8_t *pdu, size_t len)
{
	unsigned count;

	if (len != 5 || !reads_table(pdu[0]))
		return 0;
	count = be16(pdu + 3);
	return 2 + (pdu[0] <= 2 ? (count + 7) / 8 : 2 * count);
}

size_t
frame_build_rtu(uint8_t *adu, uint8_t unit, const uint8_t *pdu, size_t len)
{
	uint16_t crc;

	assert(len <= FRAME_PDU_MAX);
	adu[0] = unit;
	memcpy(adu + 1, pdu, len);
	crc = frame_crc16(adu, len + 1);
	adu[len + 1] = (uint8_t)(crc & 0xFF); /* low byte first, unlike all else in Modbus */
	adu[len + 2] = (uint8_t)(crc >> 8);
	return len + 3;
}

size_t
frame_build_tcp(uint8_t *adu, uint16_t transaction, uint8_t unit, const uint8_t *pdu, size_t len)
{
	assert(len <= FRAME_PDU_MAX);
	adu[0] = (uint8_t)(transaction >> 8);
	adu[1] = (uint8_t)(transaction & 0xFF);
	adu[2] = adu[3] = 0;
	adu[4] = (uint8_t)((len + 1) >> 8);
	adu[5] = (uint8_t)((len + 1) & 0xFF);
	adu[6] = unit;
	memcpy(adu + FRAME_MBAP, pdu, len);
	return FRAME_MBAP + len;
}

/* Length of the device identification answer (V1.1b3, 6.21): six fixed bytes after the function
 * code, the last of them the number of objects, each with id, length and text. */
static size_t
device_id_length(const uint8_t *pdu, size_t n)
{
	size_t len = 7;

	if (n < len)
		return 0;
	for (unsigned objects = pdu[6]; objects > 0; objects--) {
		if (n < len + 2)
			return 0;
		len += 2u + pdu[len + 1];
		if (len > FRAME_PDU_MAX)
			return SIZE_MAX;
	}
	return len;
}

/* Length of the answer's PDU by what it says of itself: 0 if that is not there yet, SIZE_MAX if
 * it can be no answer. */
static size_t
answer_length(const uint8_t *pdu, size_t n)
{
	if (n < 2)
		return 0;
	if (pdu[0] & FRAME_EXCEPTION)
		return 2;
	if (reads_table(pdu[0]) || pdu[0] == FRAME_FC_SERVER_ID)
		return pdu[1] <= FRAME_PDU_MAX - 2 ? 2u + pdu[1] : SIZE_MAX;
	if (pdu[0] == FRAME_FC_MEI)
		return pdu[1] == FRAME_MEI_DEVICE_ID ? device_id_length(pdu, n) : SIZE_MAX;
	return SIZE_MAX;
}

static bool
crc_good(const uint8_t *adu, size_t len)
{
	return frame_crc16(adu, len - 2) == (adu[len - 2] | (unsigned)adu[len - 1] << 8);
}

static bool
is_echo(const uint8_t *buf, size_t n, const struct frame_want *want)
{
	return want->echo && n >= want->echo_len && memcmp(buf, want->echo, want->echo_len) == 0;
}

static bool
may_become_echo(const uint8_t *buf, size_t n, const struct frame_want *want)
{
	return want->echo && n < want->echo_len && memcmp(buf, want->echo, n) == 0;
}

/* Is there a request of another master, or an echo of ours damaged at its edges, at this place? */
static bool
is_request(const uint8_t *adu, size_t n)
{
	return n >= 8 && reads_table(adu[1]) && crc_good(adu, 8);
}

static bool
is_our_header(const uint8_t *adu, size_t n, const struct frame_want *want)
{
	return n >= 2 && adu[0] == want->unit && (adu[1] & ~FRAME_EXCEPTION) == want->function;
}

/* Names what begins at adu; FRAME_NONE: nothing that is complete. `len` is its length. */
static enum frame_found
name_frame(const uint8_t *adu, size_t n, const struct frame_want *want, size_t *len)
{
	size_t pdu = n >= 2 ? answer_length(adu + 1, n - 1) : 0;
	bool ours = is_our_header(adu, n, want), fits;

	if (is_echo(adu, n, want)) {
		*len = want->echo_len;
		return FRAME_ECHO;
	}
	fits = pdu > 0 && pdu != SIZE_MAX && pdu + 3 <= n;
	*len = fits ? pdu + 3 : 0;
	if (fits && crc_good(adu, *len)) {
		if (!ours)
			return FRAME_OTHER;
		if (want->expect > 0 && pdu != want->expect && !(adu[1] & FRAME_EXCEPTION))
			return FRAME_BROKEN; /* whole, but not what was asked for */
		return FRAME_ANSWER;
	}
	if (is_request(adu, n)) {
		*len = 8;
		return FRAME_OTHER;
	}
	if (!ours || may_become_echo(adu, n, want))
		return FRAME_NONE;
	if (fits && (want->expect == 0 || pdu == want->expect || (adu[1] & FRAME_EXCEPTION)))
		return FRAME_BROKEN; /* header and byte count of the answer, wrong CRC */
	return FRAME_NONE;
}

struct frame_at
frame_find_rtu(const uint8_t *buf, size_t n, const struct frame_want *want)
{
	struct frame_at out = {.found = FRAME_NONE}, broken = {.found = FRAME_NONE};

	for (size_t at = 0; at < n; at++) {
		size_t len;
		enum frame_found found = name_frame(buf + at, n - at, want, &len);

		if (found == FRAME_BROKEN && !crc_good(buf + at, len)) {
			/* Two bytes of noise may look so: a whole frame behind them goes first. Two
			 * bytes of data, too: an answer that began before them may yet be whole. */
			if (broken.found == FRAME_NONE && !out.begun)
				broken = (struct frame_at){.found = found, .at = at, .len = len};
			continue;
		}
		if (found != FRAME_NONE)
			return (struct frame_at){.found = found,
				.at = at,
				.len = len,
				.pdu = at + 1,
				.pdu_len = len - 3};
		if (is_our_header(buf + at, n - at, want))
			out.begun = true;
	}
	return broken.found != FRAME_NONE ? broken : out;
}

struct frame_at
frame_find_tcp(const uint8_t *buf, size_t n, const struct frame_want *want)
{
	struct frame_at out = {.found = FRAME_NONE, .begun = n > 0};
	size_t length, expect = want->expect;

	if (n < FRAME_MBAP - 1)
		return out;
	length = be16(buf + 4); /* unit and PDU */
	if (be16(buf + 2) != 0 || length < 2 || length > FRAME_PDU_MAX + 1) {
		out.found = FRAME_INVALID;
		return out;
	}
	if (n < FRAME_MBAP - 1 + length)
		return out;
	out.len = FRAME_MBAP - 1 + length;
	out.pdu = FRAME_MBAP;
	out.pdu_len = length - 1;
	if (be16(buf) != want->transaction || (want->check_unit && buf[6] != want->unit))
		out.found = FRAME_OTHER;
	else if ((buf[7] & ~FRAME_EXCEPTION) != want->function)
		out.found = FRAME_BROKEN;
	else if (buf[7] & FRAME_EXCEPTION)
		out.found = out.pdu_len == 2 ? FRAME_ANSWER : FRAME_BROKEN;
	else
		out.found =
			(expect == 0 || out.pdu_len == expect) &&
					answer_length(buf + FRAME_MBAP, out.pdu_len) == out.pdu_len
				? FRAME_ANSWER
				: FRAME_BROKEN;
	return out;
}
