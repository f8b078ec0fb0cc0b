/* SPDX-License-Identifier: MIT */
/* pace_test.c -- the backlog takes what a line has left, and no more */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/pace.h"

#define S 1000000LL

/* A line of so many bytes a second and of that delay, one piece on it at a time. Returns the bytes
 * a second that it carried, and how long a live message would wait behind a piece at most. */
static double
drive(struct pace *p, double line, int64_t delay_us, int64_t seconds, int64_t *worst_us)
{
	int64_t back_us = 0, took_us = 0;
	double carried = 0;
	*worst_us = 0;
	for (int64_t now = 0; now < seconds * S; now += 1000) {
		if (back_us > now)
			continue;
		if (back_us)
			pace_answered(p, took_us);
		back_us = 0;
		size_t piece = pace_piece(p, now);
		if (!piece)
			continue;
		pace_spend(p, piece);
		int64_t on_line_us = (int64_t)((double)piece / line * S);
		took_us = on_line_us + delay_us;
		back_us = now + took_us;
		carried += (double)piece;
		if (now > seconds * S / 2 && on_line_us > *worst_us)
			*worst_us = on_line_us;
	}
	return carried / (double)seconds;
}

static void
test_a_slow_line_is_not_flooded(void **state)
{
	static const struct {
		double line; /* bytes a second */
		int64_t worst_us;
	} lines[] = {{8e3, 450000}, {32e3, 250000}, {125e3, 200000}, {1e6, 100000}};
	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct pace p = {.most = 0};
		int64_t worst_us;
		pace_init(&p, 0);
		double rate = drive(&p, lines[i].line, 30000, 120, &worst_us);
		assert_true(rate > lines[i].line / 2);     /* it gets on */
		assert_true(worst_us < lines[i].worst_us); /* and live telemetry, too */
	}
}

static void
test_a_long_line_is_used(void **state)
{
	struct pace p = {.most = 0};
	int64_t worst_us;
	(void)state;
	pace_init(&p, 0);
	assert_true(drive(&p, 10e6, 600000, 120, &worst_us) > 60e3); /* a satellite */
}

static void
test_the_rate_is_kept(void **state)
{
	struct pace p = {.most = 0};
	double sent = 0;
	(void)state;
	pace_init(&p, 0);
	for (int64_t now = 0; now <= 10 * S; now += 10000) {
		size_t piece = pace_piece(&p, now);
		pace_spend(&p, piece);
		sent += (double)piece;
	}
	assert_in_range(sent, 600e3, 720e3); /* 64 KiB/s, nobody said that there is room for more */
}

static void
test_pieces_can_be_made_smaller(void **state)
{
	struct pace p = {.most = 0};
	(void)state;
	pace_init(&p, 0);
	size_t before = pace_piece(&p, 10 * S);
	assert_true(pace_shrink(&p, before));
	assert_in_range(pace_piece(&p, 20 * S), 1, before / 2);
	pace_init(&p, 30 * S); /* over a reconnect as well */
	assert_in_range(pace_piece(&p, 40 * S), 1, before / 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_slow_line_is_not_flooded),
		cmocka_unit_test(test_a_long_line_is_used),
		cmocka_unit_test(test_the_rate_is_kept),
		cmocka_unit_test(test_pieces_can_be_made_smaller),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
