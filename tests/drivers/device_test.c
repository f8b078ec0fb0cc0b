/* SPDX-License-Identifier: MIT */
/* device_test.c -- one device on a link in memory: learning, retries, identity, silence */
#include "drivers/device.h"
#include "drivers/link_impl.h"
#include "drivers/link_memory.h"
#include "drivers/registry.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { POINTS_MAX = 40 };

struct bed {
	struct memory memory;
	struct reg_point points[POINTS_MAX];
	struct group groups[2];
	struct identify identify;
	struct profile profile;
	struct link *link;
	struct device *dev;
	struct reading *out;
};

static void
bed_make(struct bed *b, const uint16_t *addresses, size_t n)
{
	memset(b, 0, sizeof(*b));
	for (size_t i = 0; i < n; i++)
		b->points[i] = (struct reg_point){.point = {.id = "x", .unit = ""},
			.table = TABLE_HOLDING,
			.address = addresses[i],
			.count = 1,
			.type = REG_U16,
			.scale = 1,
			.factor = 1,
			.scale_from = -1,
			.sign_from = -1,
			.atomic_with = -1,
			.enabled = true,
			.deadband = -1};
	b->groups[0] = (struct group){.id = "main", .period_ms = 1000};
	b->groups[1] = (struct group){.id = "once", .period_ms = 0};
	b->profile = (struct profile){.id = "test",
		.limits = {.max_hole = -1, .holes = true},
		.groups = b->groups,
		.n_groups = 2,
		.points = b->points,
		.n_points = n};
	for (unsigned i = 0; i < MEMORY_ADDRESSES; i++)
		b->memory.words[TABLE_HOLDING][i] = (uint16_t)(1000 + i);
}

static void
bed_start(struct bed *b)
{
	b->link = link_memory_create(&b->memory);
	b->dev = device_create(
		&(struct device_spec){
			.driver = registry_find("modbus"), .profile = &b->profile, .unit = 1},
		b->link);
	b->out = reading_create(b->dev);
	assert_non_null(b->out);
}

static void
bed_end(struct bed *b)
{
	reading_destroy(b->out);
	device_destroy(b->dev);
	link_destroy(b->link);
}

static int
poll_it(struct bed *b)
{
	return device_poll(b->dev, 0, b->out);
}

static void
range(struct bed *b, uint16_t first, uint16_t last, uint8_t exception)
{
	b->memory.ranges[b->memory.n_ranges++] =
		(struct memory_range){TABLE_HOLDING, first, last, exception};
}

static void
script(struct bed *b, int rc, uint8_t exception)
{
	b->memory.script[b->memory.n_script++] = (struct memory_step){rc, exception};
}

static void
assert_values(const struct bed *b, const uint16_t *addresses, size_t n, size_t except)
{
	assert_int_equal(b->out->n, n);
	for (size_t i = 0; i < n; i++) {
		if (i == except)
			continue;
		assert_int_equal(b->out->values[i].kind, VALUE_INT);
		assert_int_equal(b->out->values[i].u.i, 1000 + addresses[i]);
	}
}

static const uint16_t scattered[20] = {
	0, 2, 5, 9, 14, 20, 27, 35, 36, 38, 41, 45, 50, 56, 63, 71, 74, 80, 88, 97};
static const uint16_t dense[20] = {
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19};

static void
scattered_points_need_one_request(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, scattered, 20);
	bed_start(&b);
	assert_int_equal(poll_it(&b), 0);
	assert_int_equal(b.memory.requests, 1);
	assert_values(&b, scattered, 20, 99);
	bed_end(&b);
}

static void
refused_hole_is_cut_out_and_stays_out(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, scattered, 20);
	range(&b, 29, 33, 2);
	bed_start(&b);
	assert_int_equal(poll_it(&b), 0);
	assert_values(&b, scattered, 20, 99);
	assert_int_equal(poll_it(&b), 0);
	assert_true(device_requests(b.dev, 0) <= 4);
	b.memory.requests = 0;
	assert_int_equal(poll_it(&b), 0);
	assert_int_equal(b.memory.requests, device_requests(b.dev, 0));
	assert_values(&b, scattered, 20, 99);
	bed_end(&b);
}

static void
refused_point_alone_is_unsupported(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, dense, 20);
	range(&b, 7, 7, 2);
	bed_start(&b);
	assert_int_equal(poll_it(&b), 0);
	assert_values(&b, dense, 20, 7);
	assert_int_equal(b.out->values[7].fail, FAIL_UNSUPPORTED);
	b.memory.requests = 0;
	assert_int_equal(poll_it(&b), 0);
	assert_true(b.memory.requests <= 6);
	assert_int_equal(b.out->values[7].fail, FAIL_UNSUPPORTED);
	bed_end(&b);
}

static void
illegal_function_is_unsupported_at_once(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, dense, 20);
	range(&b, 0, 1023, 1);
	bed_start(&b);
	assert_int_equal(poll_it(&b), 0);
	assert_int_equal(b.memory.requests, 1);
	assert_int_equal(b.out->values[3].fail, FAIL_UNSUPPORTED);
	assert_int_equal(poll_it(&b), 0);
	bed_end(&b);
}

static void
block_too_long_halves_the_limit(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, scattered, 20);
	b.memory.max_regs = 32;
	bed_start(&b);
	assert_int_equal(poll_it(&b), 0);
	assert_values(&b, scattered, 20, 99);
	b.memory.requests = 0;
	assert_int_equal(poll_it(&b), 0);
	assert_in_range(b.memory.requests, 4, 6);
	bed_end(&b);
}

static void
busy_is_asked_again(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, dense, 20);
	script(&b, 0, 6);
	script(&b, 0, 5);
	script(&b, 0, 6);
	bed_start(&b);
	assert_int_equal(poll_it(&b), 0);
	assert_values(&b, dense, 20, 99);
	assert_in_range(b.memory.waited_ms, 300, 310);
	b.memory.n_script = b.memory.script_at = 0;
	for (int i = 0; i < 4; i++)
		script(&b, 0, 6);
	b.memory.requests = 0;
	assert_int_equal(poll_it(&b), 0); /* busy is a sign of life */
	assert_int_equal(b.memory.requests, 4);
	assert_int_equal(b.out->values[0].fail, FAIL_EXCEPTION);
	assert_int_equal(b.out->values[0].exception, 6);
	bed_end(&b);
}

static void
other_exceptions_are_tried_twice(void **state)
{
	static const uint8_t codes[] = {4, 7, 8, 9, 12, 0x10, 0xFF};
	struct bed b;

	(void)state;
	bed_make(&b, dense, 20);
	bed_start(&b);
	for (size_t i = 0; i < sizeof(codes); i++) {
		b.memory.n_script = b.memory.script_at = 0;
		b.memory.requests = 0;
		script(&b, 0, codes[i]);
		script(&b, 0, codes[i]);
		assert_int_equal(poll_it(&b), 0);
		assert_int_equal(b.memory.requests, 2);
		assert_int_equal(b.out->values[5].fail, FAIL_EXCEPTION);
		assert_int_equal(b.out->values[5].exception, codes[i]);
	}
	bed_end(&b);
}

static void
gateway_exceptions_mean_the_unit_is_silent(void **state)
{
	struct bed b;

	(void)state;
	for (uint8_t code = 10; code <= 11; code++) {
		bed_make(&b, dense, 20);
		script(&b, 0, code);
		bed_start(&b);
		assert_int_equal(poll_it(&b), -ETIMEDOUT);
		assert_int_equal(b.memory.requests, 1);
		assert_int_equal(b.out->fail, FAIL_EXCEPTION);
		assert_int_equal(b.out->exception, code);
		assert_int_equal(b.out->values[0].exception, code);
		assert_true(link_is_open(b.link));
		bed_end(&b);
	}
}

static void
broken_answer_is_asked_again_once(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, dense, 20);
	script(&b, -EBADMSG, 0);
	bed_start(&b);
	assert_int_equal(poll_it(&b), 0);
	assert_values(&b, dense, 20, 99);
	script(&b, -EBADMSG, 0);
	script(&b, -EBADMSG, 0);
	assert_int_equal(poll_it(&b), -EBADMSG);
	assert_int_equal(b.out->values[0].fail, FAIL_CRC);
	bed_end(&b);
}

/* Three blocks too far apart for one request; the second is never answered. */
static void
block_never_answered_starves_no_other(void **state)
{
	static const uint16_t far[3] = {0, 300, 600};
	struct bed b;

	(void)state;
	bed_make(&b, far, 3);
	script(&b, 0, 0);
	script(&b, -ETIMEDOUT, 0);
	bed_start(&b);
	assert_int_equal(poll_it(&b), 0);
	assert_int_equal(b.memory.requests, 2);
	assert_int_equal(b.out->values[0].kind, VALUE_INT);
	assert_int_equal(b.out->values[1].fail, FAIL_TIMEOUT);
	assert_int_equal(b.out->values[2].fail, FAIL_TIMEOUT);
	script(&b, 0, 0);
	script(&b, 0, 0);
	script(&b, -ETIMEDOUT, 0);
	assert_int_equal(poll_it(&b), 0);
	assert_int_equal(b.out->values[0].kind, VALUE_INT);
	assert_int_equal(b.out->values[1].fail, FAIL_TIMEOUT);
	assert_int_equal(b.out->values[2].kind, VALUE_INT);
	bed_end(&b);
}

static void
silent_device_costs_one_request(void **state)
{
	static const uint16_t far[3] = {0, 300, 600};
	struct bed b;

	(void)state;
	bed_make(&b, far, 3);
	b.memory.silent = true;
	bed_start(&b);
	assert_int_equal(device_probe_timeout_ms(b.dev), 500);
	assert_int_equal(poll_it(&b), -ETIMEDOUT);
	assert_int_equal(b.memory.requests, 1);
	assert_int_equal(b.out->fail, FAIL_TIMEOUT);
	assert_int_equal(b.out->values[2].fail, FAIL_TIMEOUT);
	assert_false(device_heard(b.dev));
	assert_int_equal(device_probe(b.dev, 50), -ETIMEDOUT);
	b.memory.silent = false;
	b.memory.latency_us = 30000;
	assert_int_equal(device_probe(b.dev, 50), 0);
	assert_true(device_heard(b.dev));
	assert_int_equal(device_probe_timeout_ms(b.dev), 120);
	bed_end(&b);
}

static void
link_failures_have_their_own_words(void **state)
{
	static const struct {
		int open_rc, rc;
		enum fail fail;
	} cases[] = {
		{-EBUSY, -EBUSY, FAIL_IN_USE},
		{-EACCES, -EACCES, FAIL_PERMISSION},
		{-EPERM, -EACCES, FAIL_PERMISSION}, /* DevicePolicy= of systemd */
		{-ENOENT, -ENOENT, FAIL_LINK_DOWN},
		{-ECONNREFUSED, -ECONNREFUSED, FAIL_LINK_DOWN},
		{-ENXIO, -ENXIO, FAIL_LINK_DOWN},
	};
	struct bed b;

	(void)state;
	bed_make(&b, dense, 20);
	bed_start(&b);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		b.memory.open_rc = cases[i].open_rc;
		assert_int_equal(poll_it(&b), cases[i].rc);
		assert_int_equal(b.out->values[0].fail, cases[i].fail);
	}
	bed_end(&b);
}

static void
connection_closed_while_idle_is_no_failure(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, dense, 20);
	bed_start(&b);
	assert_int_equal(poll_it(&b), 0);
	script(&b, -ECONNRESET, 0);
	assert_int_equal(poll_it(&b), 0);
	assert_values(&b, dense, 20, 99);
	assert_int_equal(b.memory.opens, 2);
	bed_end(&b);
}

static void
another_device_is_not_reported(void **state)
{
	static uint64_t models[] = {104, 105};
	struct bed b;

	(void)state;
	bed_make(&b, dense, 20);
	b.identify = (struct identify){
		.kind = IDENTIFY_REGISTER, .reg = b.points[11], .any_of = models, .n_any_of = 2};
	b.profile.identify = &b.identify;
	b.profile.n_identify = 1;
	bed_start(&b);
	assert_int_equal(poll_it(&b), -ESTALE);
	assert_int_equal(b.out->values[0].fail, FAIL_IDENTITY);
	assert_string_equal(device_identity(b.dev), "1011");
	b.memory.words[TABLE_HOLDING][11] = 105;
	assert_int_equal(poll_it(&b), 0);
	b.memory.words[TABLE_HOLDING][11] = 7; /* replaced while it was off */
	assert_int_equal(poll_it(&b), 0);
	b.memory.silent = true;
	for (int i = 0; i < 3; i++)
		assert_int_equal(poll_it(&b), -ETIMEDOUT);
	b.memory.silent = false;
	assert_int_equal(poll_it(&b), -ESTALE);
	bed_end(&b);
}

static void
identity_by_text(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, dense, 20);
	b.identify = (struct identify){.kind = IDENTIFY_FC17, .contains = "CWFL"};
	b.profile.identify = &b.identify;
	b.profile.n_identify = 1;
	b.memory.server_id = "\xff TEYU CWFL-3000";
	bed_start(&b);
	assert_int_equal(poll_it(&b), 0);
	assert_string_equal(device_identity(b.dev), " TEYU CWFL-3000");
	link_close(b.link);
	b.identify = (struct identify){.kind = IDENTIFY_FC43, .object = 1, .regex = "^WB-M.*3E$"};
	b.memory.object = "WB-MAP3E";
	assert_int_equal(poll_it(&b), 0);
	link_close(b.link);
	b.memory.object = "WB-MCM8";
	assert_int_equal(poll_it(&b), -ESTALE);
	link_close(b.link);
	b.memory.object = NULL; /* exception 1 */
	assert_int_equal(poll_it(&b), -ESTALE);
	bed_end(&b);
}

static void
once_groups_follow_the_connection(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, dense, 20);
	b.points[19].point.group = 1;
	bed_start(&b);
	assert_false(device_once_due(b.dev, 0));
	assert_true(device_once_due(b.dev, 1));
	assert_int_equal(device_poll(b.dev, 1, b.out), 0);
	assert_int_equal(b.out->n, 1);
	assert_int_equal(b.out->values[0].u.i, 1019);
	assert_false(device_once_due(b.dev, 1));
	link_close(b.link);
	assert_int_equal(poll_it(&b), 0);
	assert_int_equal(b.out->n, 19);
	assert_true(device_once_due(b.dev, 1));
	bed_end(&b);
}

static void
optional_points_join_after_they_answered(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, dense, 20);
	b.points[5].point.optional = b.points[6].point.optional = true;
	range(&b, 6, 6, 2);
	bed_start(&b);
	assert_int_equal(poll_it(&b), 0);
	assert_values(&b, dense, 20, 6);
	assert_int_equal(b.out->values[6].fail, FAIL_UNSUPPORTED);
	assert_int_equal(poll_it(&b), 0);
	b.memory.requests = 0;
	assert_int_equal(poll_it(&b), 0);
	assert_in_range(b.memory.requests, 1, 3);
	bed_end(&b);
}

static void
wake_frame_goes_first(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, dense, 20);
	b.profile.link.wake = true;
	script(&b, -ETIMEDOUT, 0);
	bed_start(&b);
	assert_int_equal(poll_it(&b), 0);
	assert_int_equal(b.memory.requests, 2);
	assert_int_equal(poll_it(&b), 0);
	assert_int_equal(b.memory.requests, 3);
	bed_end(&b);
}

static void
latencies_are_kept(void **state)
{
	struct device_stats st;
	struct bed b;

	(void)state;
	bed_make(&b, dense, 20);
	bed_start(&b);
	for (int i = 1; i <= 64; i++) {
		b.memory.latency_us = i * 1000;
		assert_int_equal(poll_it(&b), 0);
	}
	device_stats(b.dev, &st);
	assert_int_equal(st.latency_p50_us, 32000);
	assert_int_equal(st.latency_p95_us, 60000);
	assert_int_equal(st.latency_max_us, 64000);
	assert_int_equal(st.answers, 64);
	bed_end(&b);
}

static void
cancelling_ends_a_poll(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, dense, 20);
	bed_start(&b);
	assert_int_equal(poll_it(&b), 0);
	link_cancel(b.link);
	assert_int_equal(poll_it(&b), -ECANCELED);
	bed_end(&b);
}

static void
registry_knows_all_drivers(void **state)
{
	(void)state;
	assert_non_null(registry_find("modbus")->poll);
	assert_int_equal(registry_find("marlin")->link, LINK_SERIAL);
	assert_int_equal(registry_find("skyrc")->link, LINK_HID);
	assert_null(registry_find("modbuss"));
	assert_null(registry_at(99));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scattered_points_need_one_request),
		cmocka_unit_test(refused_hole_is_cut_out_and_stays_out),
		cmocka_unit_test(refused_point_alone_is_unsupported),
		cmocka_unit_test(illegal_function_is_unsupported_at_once),
		cmocka_unit_test(block_too_long_halves_the_limit),
		cmocka_unit_test(busy_is_asked_again),
		cmocka_unit_test(other_exceptions_are_tried_twice),
		cmocka_unit_test(gateway_exceptions_mean_the_unit_is_silent),
		cmocka_unit_test(broken_answer_is_asked_again_once),
		cmocka_unit_test(block_never_answered_starves_no_other),
		cmocka_unit_test(silent_device_costs_one_request),
		cmocka_unit_test(link_failures_have_their_own_words),
		cmocka_unit_test(connection_closed_while_idle_is_no_failure),
		cmocka_unit_test(another_device_is_not_reported),
		cmocka_unit_test(identity_by_text),
		cmocka_unit_test(once_groups_follow_the_connection),
		cmocka_unit_test(optional_points_join_after_they_answered),
		cmocka_unit_test(wake_frame_goes_first),
		cmocka_unit_test(latencies_are_kept),
		cmocka_unit_test(cancelling_ends_a_poll),
		cmocka_unit_test(registry_knows_all_drivers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
