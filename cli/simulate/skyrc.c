/* SPDX-License-Identifier: MIT */
/* skyrc.c -- a simulated SkyRC iMAX B6 mini that charges a pack of three
 *
 * As drivers/skyrc.c describes it. Anything but its four questions is counted and not answered.
 */
#include "cli/simulate/charger.h"
#include "cli/simulate/plug.h"

#include <string.h>

enum { HEAD = 0x0F, CELLS = 3, INPUTS = 6, MOST_MA = 2000, REPORT = 64, FLOATING_MV = 98 };

struct skyrc {
	struct charger charger; /* first */
};

struct frame {
	uint8_t bytes[REPORT];
	unsigned n;
};

static void
put(struct frame *f, unsigned byte)
{
	f->bytes[f->n++] = (uint8_t)byte;
}

static void
put16(struct frame *f, int v)
{
	put(f, (unsigned)v >> 8 & 0xFF);
	put(f, (unsigned)v & 0xFF);
}

static void
put_cells(struct frame *f, const struct charger *c)
{
	for (int i = 0; i < INPUTS; i++)
		put16(f, i >= CELLS                                ? FLOATING_MV
			 : i == 2 && c->mode == CHARGER_CELL_ERROR ? 4290
								   : c->cell_mv + i - 1);
}

static void
put_device(struct frame *f, const struct charger *c)
{
	const char *model = c->wrong ? "\1\2\3\4\5\6" : "100083";

	put(f, 0);
	for (int i = 0; i < 6; i++)
		put(f, (unsigned char)model[i]);
	for (int i = 0; i < 5; i++)
		put(f, 0);
	put(f, 1); /* firmware 1.12, hardware 2.0 */
	put(f, 12);
	put(f, 2);
	put(f, 0);
}

static void
put_system(struct frame *f, const struct charger *c)
{
	put(f, 10);
	put(f, 1);
	put16(f, 240);
	put(f, 1);
	put16(f, 12000);
	put16(f, 0);
	put16(f, 10000);
	put16(f, 80);
	put(f, 50);
	put16(f, c->cell_mv * CELLS);
	put_cells(f, c);
}

/* State, and the code that an error has instead of mAh. */
static const struct {
	uint8_t state;
	int code;
} modes[] = {
	[CHARGER_IDLE] = {2, 0},
	[CHARGER_CHARGE] = {1, 0},
	[CHARGER_DISCHARGE] = {1, 0},
	[CHARGER_DONE] = {3, 0},
	[CHARGER_CELL_ERROR] = {4, 0x0013},
	[CHARGER_TOO_HOT] = {4, 0x0100},
};

static int
size_of(double v)
{
	return (int)(v < 0 ? -v : v);
}

static void
put_charge(struct frame *f, const struct charger *c)
{
	int code = modes[c->mode].code;

	put(f, modes[c->mode].state);
	put16(f, code ? code : size_of(c->mah));
	put16(f, (int)(charger_time_ms(c) / 1000));
	put16(f, c->mode == CHARGER_IDLE ? 0 : c->cell_mv * CELLS);
	put16(f, size_of(c->ma));
	put(f, 0);
	put(f, (unsigned)c->temp);
	put16(f, c->mode == CHARGER_IDLE ? 0 : 21);
	if (c->mode == CHARGER_IDLE)
		f->n += 2 * INPUTS;
	else
		put_cells(f, c);
}

static void
put_program(struct frame *f, const struct charger *c)
{
	put(f, modes[c->mode].state);
	put(f, 0); /* LiPo */
	put(f, CELLS);
	put(f, c->mode == CHARGER_DISCHARGE); /* charge, discharge */
	put16(f, MOST_MA / 100);
	put16(f, 0);
	put(f, 1);
}

static const struct question {
	uint8_t command;
	void (*put)(struct frame *f, const struct charger *c);
} questions[] = {
	{0x57, put_device},
	{0x5A, put_system},
	{0x55, put_charge},
	{0x5F, put_program},
};

static void
answer(struct plug *p, const struct question *q)
{
	struct frame f = {.bytes = {HEAD, 0, q->command, 0}, .n = 4};
	unsigned sum = 0;

	q->put(&f, plug_state(p));
	f.bytes[1] = (uint8_t)(f.n - 1);
	for (unsigned i = 2; i < f.n; i++)
		sum += f.bytes[i];
	put(&f, sum & 0xFF);
	plug_report(p, f.bytes, f.n);
}

/* The question that this is, NULL: something else, or broken. */
static const struct question *
find_question(const uint8_t *r, size_t n)
{
	unsigned sum = 0;

	if (n < 6 || r[0] != HEAD || r[1] < 3 || r[1] + 2u > n)
		return NULL;
	for (unsigned i = 2; i <= r[1]; i++)
		sum += r[i];
	if (r[r[1] + 1] != (sum & 0xFF))
		return NULL;
	for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
		if (questions[i].command == r[2])
			return &questions[i];
	}
	return NULL;
}

/* Busy, it does not answer at all; what it pushes is the answer to another question. */
static void
heard(struct plug *p, const uint8_t *bytes, size_t n)
{
	struct skyrc *s = plug_state(p);
	const struct question *q = find_question(bytes, n);

	charger_tick(&s->charger, plug_now_ms(p));
	if (!q) {
		s->charger.forbidden++;
		return;
	}
	if (s->charger.silent || !charger_is_ready(&s->charger))
		return;
	if (s->charger.push)
		answer(p, q == questions ? questions + 1 : questions);
	answer(p, q);
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
	struct skyrc *s = plug_state(p);

	s->charger.most_ma = MOST_MA;
	tick(p);
}

static int
act(struct plug *p, char *const *words, size_t n)
{
	return charger_act(plug_state(p), plug_now_ms(p), words, n);
}

extern const struct plug_kind plug_kind_skyrc;
const struct plug_kind plug_kind_skyrc = {.name = "skyrc",
	.hid = true,
	.state_size = sizeof(struct skyrc),
	.start = start,
	.heard = heard,
	.tick = tick,
	.act = act,
	.words = CHARGER_WORDS};
