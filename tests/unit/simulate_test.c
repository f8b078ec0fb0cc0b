/* SPDX-License-Identifier: MIT */
/* simulate_test.c -- the simulated units: values to registers, generators, answers, faults */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/simulate/encode.h"
#include "cli/simulate/unit.h"
#include "drivers/decode.h"

static struct reg_point
point_of(enum reg_type type, enum reg_order order)
{
	return (struct reg_point){.point = {.id = "x", .unit = ""},
		.table = TABLE_HOLDING,
		.type = type,
		.order = order,
		.count = encode_count(type),
		.scale = 1,
		.factor = 1,
		.scale_from = -1,
		.sign_from = -1,
		.atomic_with = -1,
		.enabled = true};
}

/* What the daemon's decoder makes of what our encoder wrote. */
static double
there_and_back(struct reg_point *p, double value)
{
	struct profile profile = {.points = p, .n_points = 1};
	struct request req = {p->table, p->address, p->count, 0};
	uint16_t words[4] = {0};
	struct block block = {&profile, &req, words};
	struct text_room room = {0};
	struct value out;
	double number = 0;

	encode_value(p, p->scale, value, words);
	decode_point(&block, 0, &room, &out);
	assert_true(value_number(&out, &number));
	return number;
}

static void
test_encoder_and_decoder_agree(void **state)
{
	static const enum reg_type types[] = {REG_U16, REG_S16, REG_U32, REG_S32, REG_U64, REG_S64,
		REG_F32, REG_F64, REG_BCD16, REG_BCD32, REG_U8H, REG_U8L};

	(void)state;
	for (size_t t = 0; t < sizeof types / sizeof types[0]; t++)
		for (int order = ORDER_ABCD; order <= ORDER_DCBA; order++) {
			struct reg_point p = point_of(types[t], (enum reg_order)order);
			if (p.count == 1 && order != ORDER_ABCD && order != ORDER_BADC)
				continue;
			assert_float_equal(there_and_back(&p, 93), 93, 0);
			p.scale = 0.1;
			p.decimals = 1;
			p.offset = -20;
			assert_float_equal(there_and_back(&p, -12.5), -12.5, 1e-5);
		}
}

/* The example of the Modbus world: 230.2 as float32 in the four orders. */
static void
test_orders_on_the_wire(void **state)
{
	static const uint16_t want[4][2] = {
		{0x4366, 0x3333}, {0x3333, 0x4366}, {0x6643, 0x3333}, {0x3333, 0x6643}};

	(void)state;
	for (int order = ORDER_ABCD; order <= ORDER_DCBA; order++) {
		struct reg_point p = point_of(REG_F32, (enum reg_order)order);
		uint16_t words[2] = {0};
		encode_value(&p, 1, 230.2, words);
		assert_memory_equal(words, want[order], sizeof words);
	}
}

static void
test_limits_and_bits(void **state)
{
	struct reg_point s16 = point_of(REG_S16, ORDER_ABCD), u16 = point_of(REG_U16, ORDER_ABCD);
	struct reg_point bits = point_of(REG_U16, ORDER_ABCD);
	uint16_t word = 0xFFFF;

	(void)state;
	assert_float_equal(there_and_back(&s16, 1e9), 32767, 0);
	assert_float_equal(there_and_back(&s16, -1e9), -32768, 0);
	assert_float_equal(there_and_back(&u16, 65536 + 7), 7, 0); /* counters wrap */
	assert_float_equal(there_and_back(&u16, -1), 0, 0);
	bits.shift = 4;
	bits.width = 3;
	encode_raw(&bits, 5, &word);
	assert_int_equal(word, 0xFFDF);
	assert_int_equal(encode_raw_of(&bits, &word), 5);
}

static double
at(const char *text, double t)
{
	struct generator g;

	assert_int_equal(generator_parse(&g, text), 0);
	return generator_at(&g, t);
}

static void
test_generators(void **state)
{
	static const char *const wrong[] = {"", "sine 1 2", "sine 1 2 0", "ramp a b c", "steps",
		"12 13", "steps 5:1 3:2", "path 0:1 every 0", "17x", "steps 0:1 ~", "na 1"};
	struct generator g;

	(void)state;
	assert_float_equal(at("229.8", 99), 229.8, 0);
	assert_float_equal(at("0x11", 0), 17, 0);
	assert_float_equal(at("sine 230 2 40", 10), 232, 1e-9);
	assert_float_equal(at("ramp 0 10 5", 7.5), 5, 1e-9);
	assert_float_equal(at("square 1 0 4", 3), 0, 0);
	assert_float_equal(at("counter 100 0.5", 10), 105, 1e-9);
	assert_float_equal(at("steps 0:2 6:24 14:480 every 60", 70), 24, 0);
	assert_float_equal(at("path 0:20 10:30 every 20", 5), 25, 1e-9);
	assert_float_equal(at("path 0:20 10:30", 1000), 30, 0);
	assert_in_range((int)(at("100 ~2", 3) * 1000), 98000, 102000);
	assert_float_equal(at("noise 5 1", 3), at("noise 5 1", 3), 0);
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		assert_int_not_equal(generator_parse(&g, wrong[i]), 0);
}

static size_t
answer(struct unit *u, const void *req, size_t len, uint8_t *rsp)
{
	return unit_answer(u, req, len, rsp);
}

static void
test_answers(void **state)
{
	struct unit *u = unit_create("u", 1);
	uint8_t rsp[253];

	(void)state;
	assert_int_equal(unit_set(u, "holding:0", "17"), 0);
	assert_int_equal(unit_set(u, "holding:1:s32:CDAB", "-2"), 0);
	assert_int_equal(unit_set(u, "coil:9", "true"), 0);
	assert_int_equal(unit_set(u, "holding:x", "1"), -2);     /* ENOENT */
	assert_int_equal(unit_set(u, "holding:0", "what"), -22); /* EINVAL */
	assert_int_equal(answer(u, "\x03\0\0\0\3", 5, rsp), 8);
	assert_memory_equal(rsp, "\x03\x06\x00\x11\xFF\xFE\xFF\xFF", 8);
	assert_int_equal(answer(u, "\x01\0\x09\0\1", 5, rsp), 3);
	assert_memory_equal(rsp, "\x01\x01\x01", 3);
	assert_int_equal(answer(u, "\x03\0\0\0\4", 5, rsp), 2); /* one too far */
	assert_memory_equal(rsp, "\x83\x02", 2);
	assert_int_equal(answer(u, "\x03\0\0\0\0", 5, rsp), 2);
	assert_memory_equal(rsp, "\x83\x03", 2);
	assert_int_equal(answer(u, "\x06\0\0\0\1", 5, rsp), 2); /* never written */
	assert_memory_equal(rsp, "\x86\x01", 2);
	assert_int_equal(answer(u, "\x11", 1, rsp), 2);
	strcpy(u->objects[1], "P1");
	assert_int_equal(answer(u, "\x2B\x0E\x04\x01", 4, rsp), 11);
	assert_memory_equal(rsp, "\x2B\x0E\x04\x81\0\0\x01\x01\x02P1", 11);
	unit_destroy(u);
}

static void
set_fault(struct unit *u, const char *text)
{
	char line[64], *words[8], *rest = NULL;
	size_t n = 0;

	strcpy(line, text);
	for (char *w = strtok_r(line, " ", &rest); w; w = strtok_r(NULL, " ", &rest))
		words[n++] = w;
	assert_int_equal(fault_parse(&u->fault, words, n), 0);
}

static const struct reply *
ask(struct unit *u, bool tcp)
{
	static const uint8_t frame[] = {1, 3, 0, 0, 0, 1, 0x84, 0x0A};
	static struct reply reply;
	struct asked asked = {.tcp = tcp,
		.transaction = 0x0102,
		.frame = frame,
		.frame_len = sizeof frame,
		.pdu = frame + 1,
		.pdu_len = 5};

	fault_reply(u, &asked, &reply);
	return &reply;
}

static void
test_faults(void **state)
{
	struct unit *u = unit_create("u", 1);
	const struct reply *r;

	(void)state;
	unit_set(u, "holding:0", "17");
	r = ask(u, false);
	assert_int_equal(r->n, 1);
	assert_memory_equal(r->piece[0].bytes, "\x01\x03\x02\x00\x11\x78\x48", 7);
	r = ask(u, true);
	assert_memory_equal(r->piece[0].bytes, "\x01\x02\0\0\0\5\1\3\2\0\x11", 11);
	set_fault(u, "late 250");
	assert_int_equal(ask(u, false)->piece[0].delay_us, 250000);
	set_fault(u, "silent x2");
	assert_int_equal(ask(u, false)->n, 0);
	assert_int_equal(ask(u, false)->n, 0);
	assert_int_equal(ask(u, false)->n, 1); /* and well again */
	set_fault(u, "foreign");
	r = ask(u, false);
	assert_int_equal(r->n, 2);
	assert_int_equal(r->piece[0].bytes[0], 2);
	assert_int_equal(r->piece[1].bytes[4], 17);
	set_fault(u, "cut 2");
	assert_int_equal(ask(u, false)->piece[0].len, 5);
	set_fault(u, "exception 4 3 0 1");
	assert_memory_equal(ask(u, false)->piece[0].bytes, "\x01\x83\x04", 3);
	set_fault(u, "exception 4 3 7 9"); /* another range */
	assert_int_equal(ask(u, false)->piece[0].bytes[1], 3);
	set_fault(u, "wrong-tid");
	assert_int_not_equal(ask(u, true)->piece[0].bytes[1], 2);
	set_fault(u, "echo");
	assert_true(ask(u, false)->piece[0].at_once);
	set_fault(u, "close");
	assert_true(ask(u, true)->hang_up);
	set_fault(u, "ok");
	assert_int_equal(ask(u, true)->n, 1);
	unit_destroy(u);
}

/* Random faults neither fail to come nor write past a frame. */
static void
test_random_faults(void **state)
{
	struct unit *u = unit_create("u", 1);
	size_t whole = 0;

	(void)state;
	unit_set(u, "holding:0", "17");
	set_fault(u, "random 50 100");
	for (int i = 0; i < 2000; i++) {
		const struct reply *r = ask(u, i % 2);
		assert_true(r->n <= REPLY_PIECES);
		whole += r->n == 1 && r->piece[0].delay_us == 0 && r->piece[0].len >= 7;
	}
	assert_in_range(whole, 900, 1500);
	unit_destroy(u);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encoder_and_decoder_agree),
		cmocka_unit_test(test_orders_on_the_wire),
		cmocka_unit_test(test_limits_and_bits),
		cmocka_unit_test(test_generators),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_random_faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
