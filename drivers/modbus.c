/* SPDX-License-Identifier: MIT */
/* modbus.c -- the driver of everything that speaks Modbus and has a profile
 *
 * Builds the four reading requests (MODBUS Application Protocol V1.1b3, 6.1-6.4), checks and
 * unpacks the answers, repeats what is worth repeating. Points, blocks and meaning are the core's.
 */
#include "drivers/driver.h"

#include <errno.h>

enum { PDU_MAX = 253, BITS_MAX = 2000, EXCEPTION = 0x80, BUSY_PAUSE_MS = 100 };

static const uint8_t functions[] = {
	[TABLE_COIL] = 1,
	[TABLE_DISCRETE] = 2,
	[TABLE_HOLDING] = 3,
	[TABLE_INPUT] = 4,
};

/* What a second try can change. 5 and 6: it works on something; 1, 2, 3: it will say so again;
 * 10, 11: a gateway did the waiting already. Unknown codes may pass. */
static const struct repeat {
	uint8_t exception, times;
	int pause_ms;
} repeats[] = {
	{1, 0, 0},
	{2, 0, 0},
	{3, 0, 0},
	{5, 3, BUSY_PAUSE_MS},
	{6, 3, BUSY_PAUSE_MS},
	{10, 0, 0},
	{11, 0, 0},
};
static const struct repeat repeat_once = {0, 1, 0};

static const struct repeat *
repeat_of(unsigned exception)
{
	for (size_t i = 0; i < sizeof(repeats) / sizeof(repeats[0]); i++) {
		if (repeats[i].exception == exception)
			return &repeats[i];
	}
	return &repeat_once;
}

static void
put16(uint8_t *out, unsigned v)
{
	out[0] = (uint8_t)(v >> 8);
	out[1] = (uint8_t)(v & 0xFF);
}

static bool
is_bits(enum table table)
{
	return table == TABLE_COIL || table == TABLE_DISCRETE;
}

/* The answer's data: function code, byte count, registers or bits, first bit lowest. */
static int
unpack(const struct request *req, const uint8_t *rsp, size_t n, uint16_t *words)
{
	size_t bytes = is_bits(req->table) ? (req->count + 7u) / 8 : 2u * req->count;

	if (n != 2 + bytes || rsp[0] != functions[req->table] || rsp[1] != bytes)
		return -EPROTO;
	for (size_t i = 0; i < req->count; i++) {
		if (is_bits(req->table))
			words[i] = rsp[2 + i / 8] >> (i % 8) & 1;
		else
			words[i] = (uint16_t)(rsp[2 + 2 * i] << 8 | rsp[3 + 2 * i]);
	}
	return 0;
}

/* One request, once. 0 with the words, or -errno; -EREMOTEIO: the exception. */
static int
ask(struct device *dev, const struct request *req, uint16_t *words, unsigned *exception)
{
	uint8_t pdu[5] = {functions[req->table]}, rsp[PDU_MAX];
	int n;

	put16(pdu + 1, req->address);
	put16(pdu + 3, req->count);
	n = device_transact(dev, pdu, sizeof(pdu), rsp, sizeof(rsp));
	if (n < 0)
		return n;
	if (n == 2 && rsp[0] == (functions[req->table] | EXCEPTION)) {
		*exception = rsp[1];
		return -EREMOTEIO;
	}
	return unpack(req, rsp, (size_t)n, words);
}

static bool
is_worth_repeating(struct device *dev, int rc, unsigned exception, unsigned tries)
{
	const struct repeat *r = &repeat_once;

	if (rc == -EREMOTEIO)
		r = repeat_of(exception);
	else if (rc != -EBADMSG && rc != -EPROTO)
		return false;
	return tries < r->times && device_retry(dev, r->pause_ms);
}

static int
read_block(struct device *dev, const struct request *req, uint16_t *words, unsigned *exception)
{
	for (unsigned tries = 0;; tries++) {
		int rc = ask(dev, req, words, exception);

		if (rc == 0 || !is_worth_repeating(dev, rc, *exception, tries))
			return rc;
	}
}

static int
modbus_poll(struct device *dev, unsigned group)
{
	uint16_t words[BITS_MAX];
	struct request req;
	int rc = 0;

	while (device_request(dev, group, &req)) {
		unsigned exception = 0;

		rc = read_block(dev, &req, words, &exception);
		if (rc == 0)
			device_answer(dev, &req, words);
		else if (rc == -EREMOTEIO)
			device_refuse(dev, &req, 0, exception);
		else
			device_refuse(dev, &req, rc, 0);
	}
	/* only a gateway's exception is no sign of life, and means that the unit did not answer */
	return rc == -EREMOTEIO ? -ETIMEDOUT : rc;
}

const struct driver driver_modbus = {
	.name = "modbus",
	.summary = "Modbus RTU and TCP devices, described by a profile",
	.link = LINK_MODBUS,
	.needs_profile = true,
	.poll = modbus_poll,
};
