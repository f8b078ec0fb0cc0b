/* SPDX-License-Identifier: MIT */
/* frame_test.c -- frames as bytes: built, found at any offset, never taken for another's */
#include "drivers/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t request[] = {3, 0, 0, 0, 2};

static struct frame_want
wanted(void)
{
	return (struct frame_want){
		.unit = 1, .function = 3, .expect = 6, .check_unit = true, .transaction = 0x102};
}

static void
crc_of_the_standard(void **state)
{
	/* MODBUS over Serial Line V1.02, appendix B: 02 07 -> 41 12 on the wire */
	static const uint8_t example[] = {0x02, 0x07};

	(void)state;
	assert_int_equal(frame_crc16(example, 2), 0x1241);
}

static void
requests_are_built(void **state)
{
	static const uint8_t rtu[] = {1, 3, 0, 0, 0, 2, 0xC4, 0x0B};
	static const uint8_t tcp[] = {1, 2, 0, 0, 0, 6, 1, 3, 0, 0, 0, 2};
	uint8_t adu[FRAME_TCP_MAX];

	(void)state;
	assert_int_equal(frame_build_rtu(adu, 1, request, 5), sizeof(rtu));
	assert_memory_equal(adu, rtu, sizeof(rtu));
	assert_int_equal(frame_build_tcp(adu, 0x102, 1, request, 5), sizeof(tcp));
	assert_memory_equal(adu, tcp, sizeof(tcp));
	assert_int_equal(frame_expected(request, 5), 6);
	assert_int_equal(frame_expected((const uint8_t[]){1, 0, 0, 0, 9}, 5), 4);
	assert_int_equal(frame_expected((const uint8_t[]){17}, 1), 0);
}

/* Behind every kind of noise the answer is found; a prefix of it never is. */
static void
answers_are_found_anywhere(void **state)
{
	static const uint8_t pdu[] = {3, 4, 1, 2, 3, 4};
	struct frame_want want = wanted();
	uint8_t buf[64], adu[FRAME_RTU_MAX];
	size_t n = frame_build_rtu(adu, 1, pdu, sizeof(pdu));

	(void)state;
	for (size_t noise = 0; noise < 20; noise++) {
		for (unsigned fill = 0; fill < 256; fill += 5) {
			struct frame_at f;

			memset(buf, (int)fill, noise);
			memcpy(buf + noise, adu, n);
			f = frame_find_rtu(buf, noise + n, &want);
			assert_int_equal(f.found, FRAME_ANSWER);
			assert_int_equal(f.at, noise);
			assert_int_equal(f.pdu_len, sizeof(pdu));
			f = frame_find_rtu(buf, noise + n - 1, &want);
			assert_int_equal(f.found, FRAME_NONE);
		}
	}
}

/* No damaged answer passes: every single bit of it is turned. */
static void
damage_is_seen(void **state)
{
	static const uint8_t pdu[] = {3, 4, 1, 2, 3, 4};
	struct frame_want want = wanted();
	uint8_t adu[FRAME_RTU_MAX];
	size_t n = frame_build_rtu(adu, 1, pdu, sizeof(pdu));

	(void)state;
	for (size_t bit = 0; bit < 8 * n; bit++) {
		struct frame_at f;

		adu[bit / 8] ^= (uint8_t)(1 << bit % 8);
		f = frame_find_rtu(adu, n, &want);
		assert_true(f.found != FRAME_ANSWER);
		adu[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void
others_are_named(void **state)
{
	static const uint8_t pdu[] = {3, 4, 1, 2, 3, 4}, longer[] = {3, 6, 1, 2, 3, 4, 5, 6},
			     refusal[] = {0x83, 2};
	struct frame_want want = wanted();
	uint8_t adu[FRAME_RTU_MAX], echo[8];
	size_t n;

	(void)state;
	n = frame_build_rtu(adu, 9, pdu, sizeof(pdu));
	assert_int_equal(frame_find_rtu(adu, n, &want).found, FRAME_OTHER);
	n = frame_build_rtu(adu, 1, longer, sizeof(longer));
	assert_int_equal(frame_find_rtu(adu, n, &want).found, FRAME_BROKEN);
	n = frame_build_rtu(adu, 1, refusal, sizeof(refusal));
	assert_int_equal(frame_find_rtu(adu, n, &want).found, FRAME_ANSWER);
	want.echo = echo;
	want.echo_len = frame_build_rtu(echo, 1, request, sizeof(request));
	assert_int_equal(frame_find_rtu(echo, sizeof(echo), &want).found, FRAME_ECHO);
}

static void
tcp_headers_are_checked(void **state)
{
	static const uint8_t pdu[] = {3, 4, 1, 2, 3, 4};
	static const struct {
		size_t at;
		uint8_t value;
		enum frame_found found;
	} cases[] = {
		{0, 1, FRAME_ANSWER},
		{1, 1, FRAME_OTHER},
		{3, 1, FRAME_INVALID},
		{4, 1, FRAME_INVALID},
		{5, 1, FRAME_INVALID},
		{5, 200, FRAME_NONE},
		{6, 77, FRAME_OTHER},
		{7, 4, FRAME_BROKEN},
		{8, 2, FRAME_BROKEN},
	};
	struct frame_want want = wanted();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t adu[FRAME_TCP_MAX];
		size_t n = frame_build_tcp(adu, 0x102, 1, pdu, sizeof(pdu));

		adu[cases[i].at] = cases[i].value;
		assert_int_equal(frame_find_tcp(adu, n, &want).found, cases[i].found);
	}
}

/* Registers may hold any two bytes, those of an exception of the same unit, too, and an answer
 * comes in pieces: whatever piece ends behind them, it is not done. */
static void
data_like_an_exception_waits_for_its_rest(void **state)
{
	static const uint8_t pdu[] = {3, 6, 1, 0x83, 1, 0x84, 1, 0x85};
	struct frame_want want = wanted();
	uint8_t adu[FRAME_RTU_MAX];
	size_t n = frame_build_rtu(adu, 1, pdu, sizeof(pdu));

	(void)state;
	want.expect = sizeof(pdu);
	for (size_t piece = 2; piece < n; piece++) {
		struct frame_at f = frame_find_rtu(adu, piece, &want);

		assert_int_equal(f.found, FRAME_NONE);
		assert_true(f.begun);
	}
	assert_int_equal(frame_find_rtu(adu, n, &want).found, FRAME_ANSWER);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc_of_the_standard),
		cmocka_unit_test(requests_are_built),
		cmocka_unit_test(answers_are_found_anywhere),
		cmocka_unit_test(data_like_an_exception_waits_for_its_rest),
		cmocka_unit_test(damage_is_seen),
		cmocka_unit_test(others_are_named),
		cmocka_unit_test(tcp_headers_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
