/* SPDX-License-Identifier: MIT */
/* fault.h -- how a unit misbehaves, and what then goes out instead of its answer */
#ifndef CLI_SIMULATE_FAULT_H
#define CLI_SIMULATE_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct unit;

struct fault {
	uint8_t kind; /* row of the table in fault.c; 0: none */
	uint8_t n;    /* arguments given */
	long args[4];
	long times;    /* requests it still lasts; 0: until "ok" */
	uint32_t seed; /* of the random faults; xorshift, never 0 once used */
};

/* One frame as it came, its unit found. */
struct asked {
	bool tcp;
	uint16_t transaction;
	const uint8_t *frame; /* as on the wire, for echoes */
	size_t frame_len;
	const uint8_t *pdu;
	size_t pdu_len;
};

enum { REPLY_PIECES = 3, REPLY_BYTES = 264 };

/* What goes back, in this order. */
struct reply {
	struct reply_piece {
		uint8_t bytes[REPLY_BYTES];
		size_t len;
		int64_t delay_us; /* added to the unit's latency */
		bool at_once;     /* before the slave could answer: an echo */
	} piece[REPLY_PIECES];
	size_t n;
	bool hang_up;       /* TCP: close the connection, after what was to be sent */
	int64_t trickle_us; /* pause after each byte; 0: none */
};

/* words[0] is the kind, then its arguments, perhaps "xN". 0 or -EINVAL. "ok" clears. */
int fault_parse(struct fault *f, char *const *words, size_t n);
/* Is the listener of this unit to be closed? */
bool fault_refuses(const struct fault *f);
/* The unit's answer to what was asked, spoilt as its fault says. */
void fault_reply(struct unit *u, const struct asked *asked, struct reply *out);
/* CRC of MODBUS over serial line V1.02, 6.2.2. */
uint16_t fault_crc(const uint8_t *bytes, size_t n);

#endif
