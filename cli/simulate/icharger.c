/* SPDX-License-Identifier: MIT */
/* icharger.c -- a simulated iCharger 308DUO that charges a pack of six on channel 1
 *
 * As drivers/icharger.c describes it; what follows an answer is left over from the one before, as
 * in the real one. Anything but a read is counted and refused.
 */
#include "cli/simulate/charger.h"
#include "cli/simulate/plug.h"

#include <stdio.h>
#include <string.h>

enum { REPORT = 64, MODBUS = 0x30, CELLS = 6, MOST_MA = 10000, INPUT_MV = 24100, READ_MAX = 30 };
enum { INFO_REGS = 13, CHANNEL_REGS = 58, SYSTEM_REGS = 30, SERIAL_CHARS = 12 };
enum { BAD_FUNCTION = 1, BAD_ADDRESS = 2, BAD_VALUE = 3, BUSY = 6 };

struct icharger {
	struct charger charger; /* first */
	uint8_t report[REPORT];
};

/* What the registers say of each mode. */
static const struct {
	uint16_t status, control, run, error;
} modes[] = {
	[CHARGER_IDLE] = {0x20, 0, 0, 0},
	[CHARGER_CHARGE] = {0x25, 2, 7, 0},
	[CHARGER_DISCHARGE] = {0x2D, 3, 13, 0},
	[CHARGER_DONE] = {0x21, 0, 40, 0},
	[CHARGER_CELL_ERROR] = {0x22, 0, 41, 23 << 8 | 3},
	[CHARGER_TOO_HOT] = {0x22, 0, 41, 11 << 8},
};

static void
put32(uint16_t *w, uint32_t v)
{
	w[0] = (uint16_t)v;
	w[1] = (uint16_t)(v >> 16);
}

static void
fill_info(struct plug *p, uint16_t *w)
{
	const struct icharger *s = plug_state(p);
	char serial[SERIAL_CHARS + 1] = "";

	w[0] = s->charger.wrong ? 0 : 66;
	snprintf(serial, sizeof serial, "%s", plug_name(p));
	for (int i = 0; i < SERIAL_CHARS; i++)
		w[1 + i / 2] |= (uint16_t)((uint8_t)serial[i] << (i % 2 ? 8 : 0));
	w[7] = 218;
	w[8] = 110;
	w[11] = modes[s->charger.mode].status;
}

static void
fill_channel(const struct charger *c, uint16_t *w)
{
	int mv = c->cell_mv * CELLS;

	put32(w, (uint32_t)charger_time_ms(c));
	put32(w + 2, (uint32_t)(int32_t)((int64_t)mv * c->ma / 10000));
	w[4] = (uint16_t)(c->ma / 10);
	w[5] = INPUT_MV;
	w[6] = (uint16_t)mv;
	put32(w + 7, (uint32_t)(int32_t)c->mah);
	w[9] = (uint16_t)(c->temp * 10);
	w[10] = 231;
	for (int i = 0; i < CELLS; i++) {
		w[11 + i] = (uint16_t)(c->cell_mv + i % 3 - 1);
		w[35 + i] = (uint16_t)(19 + i);
	}
	if (c->mode == CHARGER_CELL_ERROR)
		w[13] = 4290;
	w[51] = 129;
	w[52] = 15;
	w[54] = modes[c->mode].control;
	w[55] = modes[c->mode].run;
	w[56] = modes[c->mode].error;
}

/* The registers from `address` on; how many there are, 0: none. */
static unsigned
fill(struct plug *p, unsigned function, unsigned address, uint16_t *w)
{
	const struct icharger *s = plug_state(p);
	unsigned n = 0, block = address & 0xFF00;

	if (function == 3 && block == 0x8400) {
		w[1] = 800;
		n = SYSTEM_REGS;
	} else if (function == 4 && block == 0) {
		fill_info(p, w);
		n = INFO_REGS;
	} else if (function == 4 && (block == 0x100 || block == 0x200)) {
		if (block == 0x100)
			fill_channel(&s->charger, w);
		w[5] = INPUT_MV;
		w[9] = (uint16_t)(s->charger.temp * 10);
		w[10] = 231;
		n = CHANNEL_REGS;
	}
	return n;
}

static void
answer(struct plug *p, unsigned function, const uint8_t *data, unsigned n)
{
	struct icharger *s = plug_state(p);

	if (s->charger.push) {
		static const uint8_t log[] = {0x2C, 0x10, 1, 0xF8, 0x7D, 7, 0, 2, 1, 0, 0xE5, 0xFF};
		plug_report(p, log, sizeof log);
	}
	s->report[0] = (uint8_t)(n + 3);
	s->report[1] = MODBUS;
	s->report[2] = (uint8_t)function;
	memcpy(s->report + 3, data, n);
	plug_report(p, s->report, REPORT);
}

static void
refuse(struct plug *p, unsigned function, uint8_t exception)
{
	answer(p, function | 0x80, &exception, 1);
}

static void
read_registers(struct plug *p, const uint8_t *req)
{
	unsigned address = (unsigned)req[3] << 8 | req[4], count = (unsigned)req[5] << 8 | req[6];
	unsigned at = address & 0xFF;
	uint16_t w[CHANNEL_REGS] = {0};
	uint8_t data[1 + 2 * READ_MAX];

	if (count < 1 || count > READ_MAX) {
		refuse(p, req[2], BAD_VALUE);
		return;
	}
	if (at + count > fill(p, req[2], address, w)) {
		refuse(p, req[2], BAD_ADDRESS);
		return;
	}
	data[0] = (uint8_t)(2 * count);
	for (unsigned i = 0; i < count; i++) {
		data[1 + 2 * i] = (uint8_t)(w[at + i] >> 8);
		data[2 + 2 * i] = (uint8_t)w[at + i];
	}
	answer(p, req[2], data, 1 + 2 * count);
}

static void
heard(struct plug *p, const uint8_t *bytes, size_t n)
{
	struct icharger *s = plug_state(p);
	bool reads =
		n >= 7 && bytes[0] == 7 && bytes[1] == MODBUS && (bytes[2] == 3 || bytes[2] == 4);

	charger_tick(&s->charger, plug_now_ms(p));
	s->charger.forbidden += !reads;
	if (s->charger.silent)
		return;
	if (!reads)
		refuse(p, n > 2 ? bytes[2] : 0, BAD_FUNCTION);
	else if (!charger_is_ready(&s->charger))
		refuse(p, bytes[2], BUSY);
	else
		read_registers(p, bytes);
}

static void
tick(struct plug *p)
{
	charger_tick(plug_state(p), plug_now_ms(p));
}

/* Its power does not come from USB: being plugged in changes nothing. */
static void
start(struct plug *p)
{
	struct icharger *s = plug_state(p);

	s->charger.most_ma = MOST_MA;
	tick(p);
}

static int
act(struct plug *p, char *const *words, size_t n)
{
	return charger_act(plug_state(p), plug_now_ms(p), words, n);
}

extern const struct plug_kind plug_kind_icharger;
const struct plug_kind plug_kind_icharger = {.name = "icharger",
	.hid = true,
	.state_size = sizeof(struct icharger),
	.start = start,
	.heard = heard,
	.tick = tick,
	.act = act,
	.words = CHARGER_WORDS};
