/* SPDX-License-Identifier: MIT */
/* plan_test.c -- points to requests: holes, limits, sets, exact ranges, hints, and no O(n^2) */
#include "drivers/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { MANY = 8000 };

static struct reg_point points[MANY];
static struct group groups[2] = {{.id = "a"}, {.id = "b"}};
static struct profile profile;

static void
make(const uint16_t *addresses, size_t n, uint16_t count)
{
	memset(points, 0, sizeof(points));
	for (size_t i = 0; i < n; i++)
		points[i] = (struct reg_point){.table = TABLE_INPUT,
			.address = addresses[i],
			.count = count,
			.type = count == 2 ? REG_F32 : REG_U16,
			.scale_from = -1,
			.sign_from = -1,
			.atomic_with = -1,
			.enabled = true};
	profile = (struct profile){.points = points,
		.n_points = n,
		.groups = groups,
		.n_groups = 2,
		.limits = {.max_hole = -1, .holes = true}};
}

/* Plans and frees; returns the number of requests and copies the first ones. */
static size_t
planned(struct plan_request *out, size_t most, const struct plan_hints *hints)
{
	struct plan *plan = plan_create(&profile, NULL, hints);
	size_t n = plan->n_requests;

	for (size_t i = 0; i < n && i < most; i++)
		out[i] = plan->requests[i];
	plan_destroy(plan);
	return n;
}

static const uint16_t sdm[] = {0, 6, 12, 18, 24, 30, 70, 72, 74};

static void
limits_and_holes(void **state)
{
	struct plan_request r[8];

	(void)state;
	make(sdm, 9, 2);
	assert_int_equal(planned(r, 8, NULL), 2); /* the hole 32..69 costs more than a request */
	assert_int_equal(r[0].req.count, 32);
	assert_int_equal(r[1].req.address, 70);
	assert_true(r[0].has_holes);
	assert_false(r[1].has_holes);
	profile.limits.holes = false;
	assert_int_equal(planned(r, 8, NULL), 7);
	profile.limits = (struct profile_limits){.max_regs = 20, .max_hole = 50, .holes = true};
	assert_int_equal(planned(r, 8, NULL), 3);
	assert_true(r[0].req.count <= 20);
	profile.limits = (struct profile_limits){.max_hole = -1, .holes = true};
	assert_int_equal(planned(r, 8, &(struct plan_hints){.max_hole = 32}), 2);
	assert_int_equal(planned(r, 8, &(struct plan_hints){.max_hole = 40}), 1);
	assert_int_equal(planned(r, 8, &(struct plan_hints){.no_holes = true}), 7);
	assert_int_equal(planned(r, 8, &(struct plan_hints){.max_regs = 8}), 4);
}

static void
alignment_rounds_outwards(void **state)
{
	static const uint16_t odd[] = {5, 9};
	struct plan_request r[2];

	(void)state;
	make(odd, 2, 1);
	profile.limits.align = 4;
	assert_int_equal(planned(r, 2, NULL), 1);
	assert_int_equal(r[0].req.address, 4);
	assert_int_equal(r[0].req.count, 8);
}

static void
references_are_read_together(void **state)
{
	static const uint16_t far[] = {0, 40, 100};
	struct plan_request r[4];

	(void)state;
	make(far, 3, 1);
	profile.limits.max_hole = 0;
	points[0].scale_from = 1;
	points[1].point.group = 1;
	assert_int_equal(planned(r, 4, NULL), 3);
	assert_int_equal(r[0].group, 0);
	assert_int_equal(r[0].req.count, 41); /* value and its scale, whatever lies between */
	assert_int_equal(r[1].req.address, 100);
	assert_int_equal(r[2].group, 1);
	assert_int_equal(r[2].req.address, 40);
}

static void
exact_ranges_and_atomic_groups(void **state)
{
	static struct exact_range exact = {
		.group = 0, .table = TABLE_INPUT, .start = 0, .count = 48};
	static bool atomic[2] = {true, false};
	static const uint16_t a[] = {2, 30, 60};
	struct plan_request r[4];

	(void)state;
	make(a, 3, 1);
	profile.exact = &exact;
	profile.n_exact = 1;
	assert_int_equal(planned(r, 4, NULL), 2);
	assert_int_equal(r[1].req.address, 0);
	assert_int_equal(r[1].req.count, 48);
	profile.n_exact = 0;
	profile.limits.holes = false;
	profile.group_atomic = atomic;
	assert_int_equal(planned(r, 4, NULL), 1);
	assert_int_equal(r[0].req.count, 59);
}

static void
hints_shape_the_plan(void **state)
{
	static const uint16_t dense[] = {0, 1, 2, 3, 4, 5};
	uint8_t split[6] = {0, 0, 0, 1, 0, 0}, gone[6] = {0, 1, 0, 0, 0, 0},
		trial[6] = {0, 0, 2, 0, 0, 0};
	uint8_t proven[6] = {0};
	struct plan_request r[6];

	(void)state;
	make(dense, 6, 1);
	assert_int_equal(planned(r, 6, &(struct plan_hints){.split = split}), 2);
	assert_int_equal(r[1].req.address, 3);
	assert_int_equal(planned(r, 6, &(struct plan_hints){.unsupported = gone}), 1);
	assert_int_equal(r[0].n_points, 5);
	assert_int_equal(planned(r, 6, &(struct plan_hints){.unsupported = trial}), 3);
	points[4].point.optional = true;
	assert_int_equal(planned(r, 6, &(struct plan_hints){.proven = proven}), 3);
	proven[4] = 1;
	assert_int_equal(planned(r, 6, &(struct plan_hints){.proven = proven}), 1);
}

/* Every wanted point lies in exactly one request of its group, inside its span and the limits. */
static void
random_profiles_are_covered(void **state)
{
	uint16_t a[300];
	uint32_t x = 1;

	(void)state;
	for (int round = 0; round < 200; round++) {
		uint8_t seen[300] = {0};
		struct plan *plan;

		for (size_t i = 0; i < 300; i++) {
			x = x * 1664525u + 1013904223u;
			a[i] = (uint16_t)(x >> 16 & 0x7FF);
		}
		make(a, 300, 1);
		profile.limits.max_regs = 1 + round % 125;
		for (size_t i = 0; i < 300; i++)
			points[i].point.group = i % 2;
		plan = plan_create(&profile, NULL, NULL);
		for (size_t i = 0; i < plan->n_requests; i++) {
			const struct plan_request *r = &plan->requests[i];

			assert_int_equal(r->req.index, i);
			assert_in_range(r->req.count, 1, 1 + round % 125);
			for (size_t k = 0; k < r->n_points; k++) {
				const struct reg_point *p = &points[r->points[k]];

				assert_true(p->address >= r->req.address);
				assert_true(p->address < r->req.address + r->req.count);
				assert_int_equal(p->point.group, r->group);
				seen[r->points[k]]++;
			}
		}
		for (size_t i = 0; i < 300; i++)
			assert_int_equal(seen[i], 1);
		plan_destroy(plan);
	}
}

static void
thousands_of_points_plan_quickly(void **state)
{
	static uint16_t a[MANY];
	clock_t from;

	(void)state;
	for (size_t i = 0; i < MANY; i++)
		a[i] = (uint16_t)((i * 7919) % 65000);
	make(a, MANY, 1);
	from = clock();
	plan_destroy(plan_create(&profile, NULL, NULL));
	assert_true((double)(clock() - from) / CLOCKS_PER_SEC < 0.25);
}

static void
times_on_the_line(void **state)
{
	struct request r = {.table = TABLE_HOLDING, .count = 10};

	(void)state;
	assert_int_equal(plan_t35_us(9600, "8N1"), 3646);
	assert_int_equal(plan_t35_us(9600, "8E1"), 4011);
	assert_int_equal(plan_t35_us(115200, "8N1"), 1750);
	assert_in_range(plan_rtu_us(&r, 9600, "8N1"), 41600, 41700); /* + 1 ms: 23.4 a second */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_and_holes),
		cmocka_unit_test(alignment_rounds_outwards),
		cmocka_unit_test(references_are_read_together),
		cmocka_unit_test(exact_ranges_and_atomic_groups),
		cmocka_unit_test(hints_shape_the_plan),
		cmocka_unit_test(random_profiles_are_covered),
		cmocka_unit_test(thousands_of_points_plan_quickly),
		cmocka_unit_test(times_on_the_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
