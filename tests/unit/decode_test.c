/* SPDX-License-Identifier: MIT */
/* decode_test.c -- registers to values: types, orders, sentinels, scales */
#include "drivers/decode.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct reg_point
point(enum reg_type type, uint16_t count, enum reg_order order)
{
	return (struct reg_point){.table = TABLE_HOLDING,
		.count = count,
		.type = type,
		.order = order,
		.chars = 2,
		.scale = 1,
		.factor = 1,
		.scale_from = -1,
		.sign_from = -1,
		.atomic_with = -1};
}

static char text[64];

/* Decodes points[0] of `n` points; the words begin at address 0. */
static struct value
decode(struct reg_point *points, size_t n, const uint16_t *words, uint16_t count)
{
	struct profile profile = {.points = points, .n_points = n};
	struct request req = {.table = points[0].table, .count = count};
	struct block block = {.profile = &profile, .req = &req, .words = words};
	struct text_room room = {.bytes = text, .cap = sizeof(text)};
	struct value v;

	decode_point(&block, 0, &room, &v);
	return v;
}

static void
assert_prints(struct value v, const char *expected)
{
	char buf[64] = "";

	value_print(&v, buf, sizeof(buf));
	assert_string_equal(buf, expected);
}

static void
assert_fails(struct value v, enum fail fail)
{
	assert_int_equal(v.kind, VALUE_NONE);
	assert_int_equal(v.fail, fail);
}

static void
orders_of_two_words(void **state)
{
	static const uint16_t f230[4][2] = {
		{0x4366, 0x3334}, {0x3334, 0x4366}, {0x6643, 0x3433}, {0x3433, 0x6643}};
	static const uint16_t s12345[4][2] = {
		{0xFFFF, 0xCFC7}, {0xCFC7, 0xFFFF}, {0xFFFF, 0xC7CF}, {0xC7CF, 0xFFFF}};

	(void)state;
	for (int o = ORDER_ABCD; o <= ORDER_DCBA; o++) {
		struct reg_point f = point(REG_F32, 2, (enum reg_order)o),
				 s = point(REG_S32, 2, (enum reg_order)o);

		assert_prints(decode(&f, 1, f230[o], 2), "230.20001"); /* 230.2 is 43663333 */
		assert_prints(decode(&s, 1, s12345[o], 2), "-12345");
	}
}

static void
orders_of_four_words(void **state)
{
	static const uint16_t w[4][4] = {{0x0102, 0x0304, 0x0506, 0x0708},
		{0x0708, 0x0506, 0x0304, 0x0102}, {0x0201, 0x0403, 0x0605, 0x0807},
		{0x0807, 0x0605, 0x0403, 0x0201}};
	static const uint16_t pi[4] = {0x4009, 0x21FB, 0x5444, 0x2D18};

	(void)state;
	for (int o = ORDER_ABCD; o <= ORDER_DCBA; o++) {
		struct reg_point u = point(REG_U64, 4, (enum reg_order)o);

		assert_prints(decode(&u, 1, w[o], 4), "72623859790382856");
	}
	struct reg_point d = point(REG_F64, 4, ORDER_ABCD);
	assert_prints(decode(&d, 1, pi, 4), "3.141592653589793");
	static const uint16_t big[4] = {0xFFFF, 0xFFFF, 0xFFFF, 0xFFFE};
	struct reg_point u = point(REG_U64, 4, ORDER_ABCD), s = point(REG_S64, 4, ORDER_ABCD);
	assert_prints(decode(&u, 1, big, 4), "18446744073709551614");
	assert_prints(decode(&s, 1, big, 4), "-2");
}

static void
one_word_types(void **state)
{
	static const uint16_t w[1] = {0xF123};
	static const struct {
		enum reg_type type;
		enum reg_order order;
		const char *text;
	} cases[] = {
		{REG_U16, ORDER_ABCD, "61731"},
		{REG_S16, ORDER_ABCD, "-3805"},
		{REG_U16, ORDER_BADC, "9201"},
		{REG_U8H, ORDER_ABCD, "241"},
		{REG_U8L, ORDER_ABCD, "35"},
	};
	static const uint16_t bcd[2] = {0x1234, 0x5678}, bad[1] = {0x12A4};
	struct reg_point b16 = point(REG_BCD16, 1, ORDER_ABCD),
			 b32 = point(REG_BCD32, 2, ORDER_ABCD);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct reg_point p = point(cases[i].type, 1, cases[i].order);

		assert_prints(decode(&p, 1, w, 1), cases[i].text);
	}
	assert_prints(decode(&b16, 1, bcd, 2), "1234");
	assert_prints(decode(&b32, 1, bcd, 2), "12345678");
	assert_fails(decode(&b16, 1, bad, 1), FAIL_PROTOCOL);
}

/* PZEM-016: 225.7 V, and power as 24.4 W with the low word first. */
static void
scales_keep_their_decimals(void **state)
{
	static const uint16_t w[] = {2257, 0, 244};
	struct reg_point p = point(REG_U16, 1, ORDER_ABCD);

	(void)state;
	p.scale = 0.1;
	p.decimals = 1;
	assert_prints(decode(&p, 1, w, 3), "225.7");
	p.scale = 1000;
	p.decimals = 0;
	assert_prints(decode(&p, 1, w, 3), "2257000");
	p.scale = 0.5;
	p.decimals = 1;
	p.offset = -40;
	assert_prints(decode(&p, 1, w, 3), "1088.5");
	p = point(REG_F32, 2, ORDER_ABCD);
	p.scale = 1000;                                 /* kWh */
	static const uint16_t kwh[] = {0x449A, 0x5168}; /* 1234.5439... */
	struct value v = decode(&p, 1, kwh, 2);
	assert_int_equal(v.kind, VALUE_FLOAT);
	assert_true(fabs(v.u.num - 1234543.9) < 1);
}

static void
sentinels_are_raw(void **state)
{
	static uint64_t na[] = {0x7FFF, (uint64_t)-32768}, err[] = {0xFFFF}, unsup[] = {0xFFFE};
	static const uint16_t w[] = {0x7FFF, 0x8000, 0xFFFF, 0xFFFE, 0};
	static const enum fail expected[] = {FAIL_NOT_AVAILABLE, FAIL_NOT_AVAILABLE,
		FAIL_SENSOR_ERROR, FAIL_UNSUPPORTED, FAIL_NOT_AVAILABLE};
	struct reg_point p = point(REG_S16, 1, ORDER_ABCD);

	(void)state;
	p.scale = 0.1;
	p.raw_na = na;
	p.n_raw_na = 2;
	p.raw_error = err;
	p.n_raw_error = 1;
	p.raw_unsupported = unsup;
	p.n_raw_unsupported = 1;
	p.zero_is_na = true;
	for (size_t i = 0; i < 5; i++)
		assert_fails(decode(&p, 1, w + i, 1), expected[i]);
}

static void
floats_that_are_none(void **state)
{
	static const uint16_t nan_[] = {0x7FC0, 0}, inf[] = {0x7F80, 0}, big[] = {0x7F7F, 0xFFFF};
	struct reg_point p = point(REG_F32, 2, ORDER_ABCD);

	(void)state;
	assert_fails(decode(&p, 1, nan_, 2), FAIL_NOT_AVAILABLE);
	assert_fails(decode(&p, 1, inf, 2), FAIL_SENSOR_ERROR);
	p.scale = 1000;
	assert_fails(decode(&p, 1, big, 2), FAIL_OUT_OF_RANGE);
}

static void
ranges_bits_enums(void **state)
{
	static struct enum_entry run[] = {{0, "stopped", {0, 0}}, {3, "running", {0, 0}}};
	static const uint16_t w[] = {0xB000};
	struct reg_point p = point(REG_U16, 1, ORDER_ABCD);

	(void)state;
	p.shift = 12;
	p.width = 2;
	assert_prints(decode(&p, 1, w, 1), "3");
	p.enums = run;
	p.n_enums = 2;
	assert_prints(decode(&p, 1, w, 1), "\"running\"");
	p.shift = 14;
	assert_fails(decode(&p, 1, w, 1), FAIL_OUT_OF_RANGE);
	p = point(REG_U16, 1, ORDER_ABCD);
	p.has_range = true;
	p.range_max = 100;
	assert_fails(decode(&p, 1, w, 1), FAIL_OUT_OF_RANGE);
}

static void
other_points_give_sign_and_scale(void **state)
{
	struct reg_point p[2] = {point(REG_U16, 1, ORDER_ABCD), point(REG_S16, 1, ORDER_ABCD)};
	uint16_t w[] = {2301, (uint16_t)-1};

	(void)state;
	p[1].address = 1;
	p[0].scale_from = 1;
	p[0].scale_mode = SCALE_POW10;
	assert_prints(decode(p, 2, w, 2), "230.1");
	p[0].factor = 1000;
	assert_prints(decode(p, 2, w, 2), "230100");
	p[0].factor = 1;
	w[1] = 2;
	assert_prints(decode(p, 2, w, 2), "230100");
	p[0].scale_mode = SCALE_POW10NEG;
	assert_prints(decode(p, 2, w, 2), "23.01");
	w[1] = 0x8000; /* no sensible exponent */
	assert_fails(decode(p, 2, w, 2), FAIL_NOT_AVAILABLE);
	assert_fails(decode(p, 2, w, 1), FAIL_NOT_AVAILABLE); /* not in this answer */
	p[0].scale_from = -1;
	p[0].sign_from = 1;
	w[1] = 1;
	assert_prints(decode(p, 2, w, 2), "-2301");
	w[1] = 0;
	assert_prints(decode(p, 2, w, 2), "2301");
}

static void
power_factor_is_folded(void **state)
{
	static const uint16_t lead[] = {0x3FE6, 0x6666}, back[] = {0xBFE6, 0x6666}; /* +-1.8 */
	struct reg_point p = point(REG_F32, 2, ORDER_ABCD);

	(void)state;
	p.decode = DECODE_PF4Q;
	struct value a = decode(&p, 1, lead, 2), b = decode(&p, 1, back, 2);
	assert_true(fabs(a.u.num - 0.2) < 1e-6);
	assert_true(fabs(b.u.num + 0.2) < 1e-6);
}

static void
strings_are_trimmed_and_checked(void **state)
{
	static const uint16_t wb[] = {'W', 'B', '-', 'M', 0, 0}, two[] = {0x4142, 0x4320, 0x2000};
	static const uint16_t bad[] = {0xC320, 0x4142, 0};
	struct reg_point p = point(REG_STRING, 6, ORDER_ABCD);

	(void)state;
	p.chars = 1;
	assert_prints(decode(&p, 1, wb, 6), "\"WB-M\"");
	p = point(REG_STRING, 3, ORDER_ABCD);
	assert_prints(decode(&p, 1, two, 3), "\"ABC\"");
	assert_fails(decode(&p, 1, bad, 3), FAIL_PROTOCOL);
	p.order = ORDER_BADC;
	assert_prints(decode(&p, 1, two, 3), "\"BA C\"");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(orders_of_two_words),
		cmocka_unit_test(orders_of_four_words),
		cmocka_unit_test(one_word_types),
		cmocka_unit_test(scales_keep_their_decimals),
		cmocka_unit_test(sentinels_are_raw),
		cmocka_unit_test(floats_that_are_none),
		cmocka_unit_test(ranges_bits_enums),
		cmocka_unit_test(other_points_give_sign_and_scale),
		cmocka_unit_test(power_factor_is_folded),
		cmocka_unit_test(strings_are_trimmed_and_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
