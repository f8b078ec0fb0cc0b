/* SPDX-License-Identifier: MIT */
/* device_identify.c -- is it the device that the profile describes?
 *
 * Asked after each opening of the link and after a silence, since units are replaced while they
 * are off. All rules of the profile must hold. A device that refuses the question with exception
 * 1, 2 or 3 is not the one we look for.
 */
#include "drivers/device_impl.h"

#include "drivers/decode.h"
#include "drivers/frame.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 256, BASIC_OBJECTS = 3, STREAM_BASIC = 1, INDIVIDUAL = 4 };

/* Appends to what is shown as the device's identity, "104, ABB B23". */
static void
remember(struct device *dev, const char *text)
{
	size_t n = strlen(dev->identity);

	snprintf(dev->identity + n, sizeof(dev->identity) - n, "%s%s", n > 0 ? ", " : "", text);
}

static bool
text_matches(const struct identify *id, const char *text)
{
	regex_t re;
	bool ok;

	if (id->contains && !strstr(text, id->contains))
		return false;
	if (!id->regex)
		return true;
	if (regcomp(&re, id->regex, REG_EXTENDED | REG_NOSUB) != 0)
		return false;
	ok = regexec(&re, text, 0, NULL, 0) == 0;
	regfree(&re);
	return ok;
}

/* What is printable of it. */
static void
copy_text(char *out, size_t size, const uint8_t *bytes, size_t n)
{
	size_t k = 0;

	for (size_t i = 0; i < n && k + 1 < size; i++) {
		if (isprint(bytes[i]))
			out[k++] = (char)bytes[i];
	}
	out[k] = '\0';
}

/* One question. Length of the answer, -ESTALE where the device does not know the question. */
static int
ask(struct device *dev, const uint8_t *req, size_t len, uint8_t *rsp)
{
	int n = device_transact(dev, req, len, rsp, FRAME_PDU_MAX);

	if (n == 2 && (rsp[0] & FRAME_EXCEPTION))
		return rsp[1] >= 1 && rsp[1] <= 3 ? -ESTALE : -ETIMEDOUT;
	return n;
}

static bool
raw_matches(const struct identify *id, uint64_t raw)
{
	for (size_t i = 0; i < id->n_any_of; i++) {
		if (id->any_of[i] == raw)
			return true;
	}
	return id->n_any_of == 0;
}

static int
identify_register(struct device *dev, const struct identify *id)
{
	static const uint8_t functions[] = {1, 2, 3, 4};
	const struct reg_point *reg = &id->reg;
	unsigned count = reg->count > 0 ? reg->count : 1;
	uint8_t req[5] = {functions[reg->table], (uint8_t)(reg->address >> 8),
		(uint8_t)reg->address, 0, (uint8_t)count};
	uint8_t rsp[FRAME_PDU_MAX];
	uint16_t words[FRAME_PDU_MAX / 2] = {0};
	char text[TEXT_MAX];
	uint64_t raw;
	int n = ask(dev, req, sizeof(req), rsp);

	if (n < 0)
		return n;
	if (reg->table == TABLE_COIL || reg->table == TABLE_DISCRETE)
		words[0] = rsp[2] & 1;
	else
		for (unsigned i = 0; i < count && (int)(3 + 2 * i) < n; i++)
			words[i] = (uint16_t)(rsp[2 + 2 * i] << 8 | rsp[3 + 2 * i]);
	if (reg->type == REG_STRING) {
		if (!decode_text(reg, words, text, sizeof(text)))
			return -ESTALE;
		remember(dev, text);
		return text_matches(id, text) ? 0 : -ESTALE;
	}
	raw = decode_raw(reg, words);
	snprintf(text, sizeof(text), "%" PRIu64, raw);
	remember(dev, text);
	return raw_matches(id, raw) ? 0 : -ESTALE;
}

/* FC 17: byte count, then whatever the maker likes (V1.1b3, 6.13). */
static int
identify_server(struct device *dev, const struct identify *id)
{
	uint8_t req[1] = {FRAME_FC_SERVER_ID}, rsp[FRAME_PDU_MAX];
	char text[TEXT_MAX];
	int n = ask(dev, req, sizeof(req), rsp);

	if (n < 0)
		return n;
	copy_text(text, sizeof(text), rsp + 2, (size_t)n - 2);
	remember(dev, text);
	return text_matches(id, text) ? 0 : -ESTALE;
}

/* The object in a device identification answer; false: not there. */
static bool
find_object(const uint8_t *rsp, size_t n, uint8_t object, char *text, size_t size)
{
	for (size_t at = 7; at + 2 <= n && at + 2u + rsp[at + 1] <= n; at += 2u + rsp[at + 1]) {
		if (rsp[at] == object) {
			copy_text(text, size, rsp + at + 2, rsp[at + 1]);
			return true;
		}
	}
	return false;
}

static int
identify_object(struct device *dev, const struct identify *id)
{
	uint8_t req[4] = {FRAME_FC_MEI, FRAME_MEI_DEVICE_ID,
		id->object < BASIC_OBJECTS ? STREAM_BASIC : INDIVIDUAL, id->object};
	uint8_t rsp[FRAME_PDU_MAX];
	char text[TEXT_MAX];
	int n = ask(dev, req, sizeof(req), rsp);

	if (n < 0)
		return n;
	if (!find_object(rsp, (size_t)n, id->object, text, sizeof(text)))
		return -ESTALE;
	remember(dev, text);
	return text_matches(id, text) ? 0 : -ESTALE;
}

int
device_identify(struct device *dev)
{
	static int (*const kinds[])(struct device *, const struct identify *) = {
		[IDENTIFY_REGISTER] = identify_register,
		[IDENTIFY_FC17] = identify_server,
		[IDENTIFY_FC43] = identify_object,
	};
	int rc = 0;

	dev->identity[0] = '\0';
	for (size_t i = 0; rc == 0 && i < dev->profile->n_identify; i++) {
		const struct identify *id = &dev->profile->identify[i];

		rc = kinds[id->kind](dev, id);
	}
	return rc;
}
