/* SPDX-License-Identifier: MIT */
/* tally_test.c -- totals made of counters that wrap, are reset and change with their meter */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "daemon/tally.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { READINGS = 5 };

/* A meter of at most 3.6 kW (1 Wh a second), read once a minute unless `every_s` says otherwise. */
static const struct {
	const char *what;
	struct tally_rules rules;
	int every_s;
	double readings[READINGS], added[READINGS];
} cases[] = {
	{"the first reading is only a beginning", {0, 0, 1, true}, 60, {500, 500, 510, 510, 569},
		{0, 0, 10, 0, 59}},
	{"a wrap at 65536", {65536, 0, 1, false}, 60, {65500, 65530, 10, 20, 30},
		{0, 30, 16, 10, 10}},
	{"a wrap wins over a reset", {65536, 0, 1, true}, 60, {65500, 65530, 10, 20, 30},
		{0, 30, 16, 10, 10}},
	{"too far from the end for a wrap: a reset", {65536, 0, 1, true}, 60,
		{1000, 1010, 7, 17, 17}, {0, 10, 7, 10, 0}},
	{"neither: another meter", {65536, 0, 1, false}, 60, {1000, 1010, 7, 17, 17},
		{0, 10, 0, 10, 0}},
	{"a reset to more than can be: another meter", {0, 0, 1, true}, 60,
		{1000, 1010, 500, 520, 520}, {0, 10, 0, 20, 0}},
	{"a jump is not believed", {0, 0, 1, true}, 60, {1000, 1061, 1081, 1141, 1141},
		{0, 0, 20, 60, 0}},
	{"more than a step", {0, 5, 1, true}, 60, {1000, 1005, 1010.5, 1011, 1011},
		{0, 5, 0, 0.5, 0}},
	{"close readings of a coarse counter", {0, 0, 1, true}, 1, {1000, 1010, 1010, 1071, 1081},
		{0, 10, 0, 0, 10}},
	{"a clock that was set back", {0, 0, 1, true}, -3600, {1000, 1060, 1121, 1130, 1130},
		{0, 60, 0, 9, 0}},
	{"after a long silence", {0, 0, 1, true}, 7200, {1000, 8200, 15401, 15402, 15402},
		{0, 7200, 0, 1, 0}},
	{"no number", {0, 0, 1, true}, 60, {1000, NAN, 1010, -1, 1020}, {0, 0, 10, 0, 10}},
	{"endless", {0, 0, 1, true}, 60, {1000, INFINITY, 1010, -INFINITY, 1020},
		{0, 0, 10, 0, 10}},
	{"no limit", {0, 0, 0, true}, 1, {0, 1e9, 1e9, 5, 5}, {0, 1e9, 0, 5, 0}},
	{"beyond its own end", {65536, 0, 100, false}, 60, {65540, 10, 20, 20, 20},
		{0, 0, 10, 0, 0}},
};

static void
test_readings(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct tally t = {.known = false};
		for (int k = 0; k < READINGS; k++) {
			double added = tally_take(&t, &cases[i].rules, cases[i].readings[k],
				1000000 + k * 1000LL * cases[i].every_s);
			if (fabs(added - cases[i].added[k]) > 1e-9)
				fail_msg("%s: reading %d added %g, not %g", cases[i].what, k, added,
					cases[i].added[k]);
		}
	}
}

static void
test_another_device(void **state)
{
	static const struct tally_rules rules = {0, 0, 1, true};
	struct tally t = {.known = false};
	(void)state;
	tally_take(&t, &rules, 1000, 0);
	tally_take(&t, &rules, 1010, 60000);
	tally_rebase(&t);
	assert_true(tally_take(&t, &rules, 15, 120000) == 0);
	assert_true(tally_take(&t, &rules, 18, 180000) == 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_readings),
		cmocka_unit_test(test_another_device),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
