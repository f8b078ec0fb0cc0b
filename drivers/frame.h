/* SPDX-License-Identifier: MIT */
/* frame.h -- Modbus frames as bytes: built, found and checked without any I/O
 *
 * Sources: MODBUS over Serial Line V1.02 (RTU frame, CRC), MODBUS Messaging on TCP/IP V1.0b
 * (MBAP header), MODBUS Application Protocol V1.1b3 (lengths of PDUs).
 */
#ifndef DRIVERS_FRAME_H
#define DRIVERS_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	FRAME_PDU_MAX = 253,
	FRAME_RTU_MAX = 256,
	FRAME_TCP_MAX = 260,
	FRAME_MBAP = 7,         /* transaction, protocol, length, unit */
	FRAME_EXCEPTION = 0x80, /* this bit of the function code marks an exception answer */
	FRAME_FC_SERVER_ID = 17,
	FRAME_FC_MEI = 43,
	FRAME_MEI_DEVICE_ID = 14,
};

uint16_t frame_crc16(const uint8_t *bytes, size_t n);

/* True for what this program may send: function codes 1-4, 17 and 43/14. All read only. */
bool frame_is_read(const uint8_t *pdu, size_t len);
/* Length of a good answer's PDU to this request; 0 if it cannot be known (17, 43). */
size_t frame_expected(const uint8_t *pdu, size_t len);

/* Both return the length of the frame; adu has room for FRAME_RTU_MAX / FRAME_TCP_MAX bytes and
 * len is at most FRAME_PDU_MAX. */
size_t frame_build_rtu(uint8_t *adu, uint8_t unit, const uint8_t *pdu, size_t len);
size_t frame_build_tcp(
	uint8_t *adu, uint16_t transaction, uint8_t unit, const uint8_t *pdu, size_t len);

/* What we wait for. */
struct frame_want {
	uint8_t unit, function;
	size_t expect;       /* PDU length of a good answer, 0: unknown */
	const uint8_t *echo; /* our request as it was sent, or NULL */
	size_t echo_len;
	bool check_unit; /* TCP only */
	uint16_t transaction;
};

enum frame_found {
	FRAME_NONE,    /* nothing decided: more bytes are needed */
	FRAME_ANSWER,  /* at..at+len is the answer (or an exception answer) */
	FRAME_ECHO,    /* our own request came back */
	FRAME_OTHER,   /* a whole valid frame that is not the answer */
	FRAME_BROKEN,  /* begins as the answer does, and is not: wrong CRC or wrong length */
	FRAME_INVALID, /* TCP: not Modbus; the stream cannot be trusted any more */
};

struct frame_at {
	enum frame_found found;
	size_t at, len; /* of the whole frame; bytes before `at` are noise */
	size_t pdu, pdu_len;
	bool begun; /* with FRAME_NONE: unit and function code of the answer are there */
};

/* Looks for the first thing in the buffer that can be named; searches at any offset. */
struct frame_at frame_find_rtu(const uint8_t *buf, size_t n, const struct frame_want *want);
/* The frame at the beginning of the stream. */
struct frame_at frame_find_tcp(const uint8_t *buf, size_t n, const struct frame_want *want);

#endif
