/* SPDX-License-Identifier: MIT */
/* outbox_test.c -- the window, the lanes, retained pictures and every reason code */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/outbox.h"

#define S 1000000LL
#define MINUTE (60 * S)
#define MAX 4096

/* The broker's side: messages as they were given to the uplink, oldest first. */
static struct {
	struct message *sent[MAX];
	size_t n;
	unsigned troubles;
	int reason;
} uplink;

static struct outbox *box;

static void
take(void *arg, struct message *m)
{
	(void)arg;
	assert_true(uplink.n < MAX);
	uplink.sent[uplink.n++] = m;
}

static void
trouble(void *arg, const char *topic, int reason, const char *what)
{
	(void)arg;
	(void)topic;
	assert_non_null(what);
	uplink.troubles++;
	uplink.reason = reason;
}

static int
set_up(void **state)
{
	struct outbox_ops ops = {.send = take, .trouble = trouble};
	(void)state;
	memset(&uplink, 0, sizeof(uplink));
	box = outbox_create(&ops, 64 * 1024, 16 * 1024);
	return box ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < uplink.n; i++) /* still with the uplink */
		free(uplink.sent[i]);
	outbox_destroy(box);
	return 0;
}

/* The i-th of those under way comes back. */
static bool
answer(size_t i, enum message_result result, int reason, int64_t now)
{
	struct message *m = uplink.sent[i];
	m->result = result;
	m->reason = reason;
	uplink.n--;
	memmove(&uplink.sent[i], &uplink.sent[i + 1], (uplink.n - i) * sizeof(m));
	return outbox_done(box, m, now);
}

static void
accept_all(int64_t now)
{
	while (uplink.n) {
		assert_false(answer(0, RESULT_ANSWERED, 0, now));
		outbox_pump(box, now);
	}
}

static void
append(enum message_lane lane, int number)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%d", number);
	outbox_append(box, lane, lane == LANE_EVENT ? "event" : "live", text, (size_t)n);
}

static int
number_of(const struct message *m)
{
	char text[32] = "";
	memcpy(text, m->payload, m->len);
	return atoi(text);
}

static struct outbox_stats
stats(void)
{
	struct outbox_stats s;
	outbox_stats(box, &s);
	return s;
}

/* ---- window and order ------------------------------------------------------------------------ */

static void
test_nothing_goes_before_a_connection(void **state)
{
	(void)state;
	append(LANE_LIVE, 1);
	outbox_pump(box, 0);
	assert_int_equal(uplink.n, 0);
	assert_false(outbox_idle(box));
	outbox_connected(box, 16);
	outbox_pump(box, 0);
	assert_int_equal(uplink.n, 1);
	accept_all(0);
	assert_true(outbox_idle(box));
}

static void
test_window(void **state)
{
	(void)state;
	outbox_connected(box, 4);
	for (int i = 0; i < 10; i++)
		append(LANE_LIVE, i);
	outbox_pump(box, 0);
	assert_int_equal(uplink.n, 4);
	assert_int_equal(stats().in_flight, 4);
	answer(2, RESULT_ANSWERED, 0, 0); /* in any order */
	outbox_pump(box, 0);
	assert_int_equal(uplink.n, 4);
	assert_int_equal(number_of(uplink.sent[3]), 4);
	accept_all(0);
	assert_int_equal(stats().acknowledged, 10);
	assert_int_equal(stats().waiting, 0);
}

static void
test_window_of_nothing_is_one(void **state)
{
	(void)state;
	outbox_connected(box, 0);
	append(LANE_LIVE, 1);
	append(LANE_LIVE, 2);
	outbox_pump(box, 0);
	assert_int_equal(uplink.n, 1);
}

static void
test_events_before_live(void **state)
{
	(void)state;
	append(LANE_LIVE, 1);
	append(LANE_LIVE, 2);
	append(LANE_EVENT, 10);
	append(LANE_EVENT, 11);
	outbox_connected(box, 16);
	outbox_pump(box, 0);
	const int order[] = {10, 11, 1, 2};
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(number_of(uplink.sent[i]), order[i]);
}

static void
test_unsent_goes_back_in_order(void **state)
{
	(void)state;
	outbox_connected(box, 4);
	for (int i = 0; i < 8; i++)
		append(LANE_LIVE, i);
	outbox_pump(box, 0);
	outbox_disconnected(box);
	answer(0, RESULT_ANSWERED, 0, 0);
	answer(2, RESULT_UNSENT, 0, 0); /* 3 */
	answer(0, RESULT_UNSENT, 0, 0); /* 1 */
	answer(0, RESULT_UNSENT, 0, 0); /* 2 */
	outbox_pump(box, 0);
	assert_int_equal(uplink.n, 0);
	outbox_connected(box, 16);
	outbox_pump(box, 0);
	assert_int_equal(uplink.n, 7);
	for (int i = 0; i < 7; i++)
		assert_int_equal(number_of(uplink.sent[i]), i + 1);
	assert_int_equal(stats().dropped_live, 0);
}

/* ---- bounds ------------------------------------------------------------------------------------
 */

static void
test_the_oldest_goes_when_a_lane_is_full(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++) {
		append(LANE_LIVE, i);
		append(LANE_EVENT, i);
	}
	struct outbox_stats s = stats();
	assert_int_equal(s.dropped_live, 1000 - 256); /* 256 bytes each */
	assert_int_equal(s.dropped_events, 1000 - 64);
	assert_int_equal(s.waiting, 256 + 64);
	assert_true(s.waiting_bytes <= 80 * 1024);
	outbox_connected(box, 16);
	outbox_pump(box, 0);
	assert_int_equal(number_of(uplink.sent[0]), 1000 - 64);
}

static void
test_what_comes_back_may_be_too_much(void **state)
{
	(void)state;
	outbox_connected(box, 16);
	for (int i = 0; i < 16; i++)
		append(LANE_LIVE, i);
	outbox_pump(box, 0);
	for (int i = 16; i < 16 + 256; i++)
		append(LANE_LIVE, i);
	outbox_disconnected(box);
	while (uplink.n)
		answer(0, RESULT_UNSENT, 0, 0);
	assert_int_equal(stats().dropped_live, 16);
	outbox_connected(box, 1);
	outbox_pump(box, 0);
	assert_int_equal(number_of(uplink.sent[0]), 16);
}

static void
test_too_long_for_anything(void **state)
{
	static char big[2 * 1024 * 1024];
	(void)state;
	outbox_append(box, LANE_LIVE, "live", big, sizeof(big));
	assert_int_equal(stats().dropped_live, 1);
	assert_true(outbox_idle(box));
}

/* ---- retained topics ---------------------------------------------------------------------------
 */

struct thing {
	struct retained retained;
	int value, renders, gone;
};

static size_t
render(struct retained *r, char *buf, size_t size)
{
	struct thing *t = (struct thing *)r;
	t->renders++;
	return t->value < 0 ? 0 : (size_t)snprintf(buf, size, "%d", t->value);
}

static void
gone(struct retained *r)
{
	((struct thing *)r)->gone++;
}

static struct thing
thing(const char *topic)
{
	return (struct thing){
		.retained = {.topic = topic, .json = true, .render = render, .gone = gone}};
}

static void
test_burst_after_a_connect(void **state)
{
	struct thing a = thing("a"), b = thing("b"), c = thing("c");
	(void)state;
	append(LANE_EVENT, 100);
	append(LANE_LIVE, 200);
	outbox_add(box, &a.retained);
	outbox_add(box, &b.retained);
	outbox_add(box, &c.retained);
	outbox_mark(box, &a.retained);
	outbox_connected(box, 16);
	outbox_pump(box, 0);
	const char *topics[] = {"a", "b", "c", "event", "live"};
	assert_int_equal(uplink.n, 5);
	for (size_t i = 0; i < 5; i++)
		assert_string_equal(uplink.sent[i]->topic, topics[i]);
	assert_true(uplink.sent[0]->retain && !uplink.sent[3]->retain);
	accept_all(0);
	outbox_connected(box, 16); /* and all of it again */
	outbox_pump(box, 0);
	assert_int_equal(uplink.n, 3);
	accept_all(0);
}

static void
test_a_change_before_the_announcement(void **state)
{
	struct thing a = thing("a");
	(void)state;
	outbox_mark(box, &a.retained);
	outbox_connected(box, 16);
	outbox_mark(box, &a.retained);
	outbox_pump(box, 0);
	assert_int_equal(uplink.n, 0);
	outbox_add(box, &a.retained);
	outbox_pump(box, 0);
	assert_int_equal(uplink.n, 1);
	accept_all(0);
}

static void
test_pictures_are_conflated(void **state)
{
	struct thing a = thing("a");
	(void)state;
	outbox_connected(box, 1);
	outbox_add(box, &a.retained);
	for (a.value = 1; a.value < 50; a.value++)
		outbox_mark(box, &a.retained);
	outbox_pump(box, 0);
	assert_int_equal(a.renders, 1);
	assert_int_equal(number_of(uplink.sent[0]), 50);
	a.value = 60;
	outbox_mark(box, &a.retained); /* while the other is on its way */
	outbox_pump(box, 0);
	assert_int_equal(uplink.n, 1);
	answer(0, RESULT_ANSWERED, 0, 0);
	outbox_pump(box, 0);
	assert_int_equal(number_of(uplink.sent[0]), 60);
	accept_all(0);
	assert_int_equal(a.renders, 2);
	assert_true(outbox_idle(box));
}

static void
test_an_old_picture_is_never_sent_again(void **state)
{
	struct thing a = thing("a");
	(void)state;
	outbox_connected(box, 16);
	a.value = 1;
	outbox_add(box, &a.retained);
	outbox_pump(box, 0);
	outbox_disconnected(box);
	answer(0, RESULT_UNSENT, 0, 0);
	a.value = 2;
	outbox_connected(box, 16);
	outbox_pump(box, 0);
	assert_int_equal(uplink.n, 1);
	assert_int_equal(number_of(uplink.sent[0]), 2);
	accept_all(0);
}

static void
test_no_picture_is_no_removal(void **state)
{
	struct thing a = thing("a"), b = thing("b");
	(void)state;
	a.value = -1;
	outbox_add(box, &a.retained);
	outbox_add(box, &b.retained);
	outbox_connected(box, 16);
	outbox_pump(box, 0);
	outbox_pump(box, 0);
	assert_int_equal(uplink.n, 1);
	assert_string_equal(uplink.sent[0]->topic, "b");
	assert_int_equal(uplink.troubles, 1);
	accept_all(0);
}

static void
test_clearing(void **state)
{
	struct thing a = thing("a"), b = thing("b");
	(void)state;
	outbox_add(box, &a.retained);
	outbox_add(box, &b.retained);
	outbox_connected(box, 16);
	outbox_pump(box, 0);
	outbox_forget(box, &a.retained); /* while its picture is on its way */
	outbox_pump(box, 0);
	assert_int_equal(uplink.n, 2);
	answer(0, RESULT_ANSWERED, 0, 0);
	assert_int_equal(a.gone, 0);
	outbox_pump(box, 0);
	assert_int_equal(uplink.sent[1]->len, 0);
	assert_true(uplink.sent[1]->retain && !uplink.sent[1]->json);
	outbox_disconnected(box); /* not acknowledged: once more */
	answer(1, RESULT_UNSENT, 0, 0);
	assert_int_equal(a.gone, 0);
	answer(0, RESULT_UNSENT, 0, 0);
	outbox_connected(box, 16);
	outbox_pump(box, 0);
	assert_int_equal(uplink.n, 2);
	accept_all(0);
	assert_int_equal(a.gone, 1);
	assert_int_equal(b.gone, 0);
	outbox_connected(box, 16);
	outbox_pump(box, 0);
	assert_int_equal(uplink.n, 1);
	assert_string_equal(uplink.sent[0]->topic, "b");
	accept_all(0);
}

static void
test_cleared_and_wanted_again(void **state)
{
	struct thing a = thing("a");
	(void)state;
	outbox_connected(box, 16);
	outbox_add(box, &a.retained);
	outbox_pump(box, 0);
	accept_all(0);
	outbox_forget(box, &a.retained);
	outbox_pump(box, 0);
	outbox_add(box, &a.retained); /* before the broker has answered */
	accept_all(0);
	assert_int_equal(a.gone, 0);
	assert_int_equal(a.renders, 2);
}

/* ---- reason codes ------------------------------------------------------------------------------
 */

enum fate { GONE, GONE_COUNTED, WAITS_5_S, WAITS_30_S, WAITS_15_MIN, AGAIN };

static void
test_each_code(void **state)
{
	static const struct {
		int reason;
		enum fate fate;
	} codes[] = {
		{0x00, GONE},
		{0x10, GONE},
		{0x80, WAITS_5_S},
		{0x83, WAITS_5_S},
		{0x87, WAITS_15_MIN},
		{0x90, GONE_COUNTED},
		{0x91, AGAIN},
		{0x95, GONE_COUNTED},
		{0x97, WAITS_30_S},
		{0x99, GONE_COUNTED},
		{0xC0, WAITS_5_S},
	};
	static const int64_t waits[] = {[WAITS_5_S] = 5 * S,
		[WAITS_30_S] = 30 * S,
		[WAITS_15_MIN] = 15 * MINUTE,
		[AGAIN] = 0};
	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		outbox_connected(box, 1);
		uint64_t dropped = stats().dropped_live;
		append(LANE_LIVE, 1);
		append(LANE_LIVE, 2);
		outbox_pump(box, 0);
		bool anew = answer(0, RESULT_ANSWERED, codes[i].reason, 0);
		assert_int_equal(anew, codes[i].fate == AGAIN);
		if (codes[i].fate <= GONE_COUNTED) {
			outbox_pump(box, 0);
			assert_int_equal(number_of(uplink.sent[0]), 2);
		} else {
			int64_t wait = waits[codes[i].fate];
			outbox_pump(box, wait - 1);
			assert_int_equal(uplink.n, 0);
			outbox_pump(box, wait);
			assert_int_equal(number_of(uplink.sent[0]), 1);
		}
		assert_int_equal(stats().dropped_live - dropped, codes[i].fate == GONE_COUNTED);
		accept_all(20 * MINUTE);
		assert_true(outbox_idle(box));
	}
}

static void
test_an_error_is_tried_three_times_again(void **state)
{
	int64_t now = 0;
	(void)state;
	outbox_connected(box, 16);
	append(LANE_LIVE, 1);
	for (int tries = 0; tries < 4; tries++) {
		outbox_pump(box, now);
		assert_int_equal(uplink.n, 1);
		answer(0, RESULT_ANSWERED, 0x80, now);
		now += MINUTE;
	}
	outbox_pump(box, now);
	assert_int_equal(uplink.n, 0);
	assert_int_equal(stats().dropped_live, 1);
	assert_true(outbox_idle(box));
}

static void
test_a_quota_pause_doubles_per_pause(void **state)
{
	int64_t now = 0;
	const int64_t pauses[] = {30, 60, 120, 240, 480, 600, 600};
	(void)state;
	outbox_connected(box, 8);
	for (int i = 0; i < 8; i++)
		append(LANE_LIVE, i);
	for (size_t k = 0; k < sizeof(pauses) / sizeof(pauses[0]); k++) {
		outbox_pump(box, now);
		assert_int_equal(uplink.n, 8);
		while (uplink.n) /* the whole window is refused: that is one refusal */
			answer(0, RESULT_ANSWERED, 0x97, now);
		outbox_pump(box, now + pauses[k] * S - 1);
		assert_int_equal(uplink.n, 0);
		now += pauses[k] * S;
	}
	outbox_pump(box, now);
	assert_int_equal(number_of(uplink.sent[0]), 0);
	accept_all(now);
	append(LANE_LIVE, 9);
	outbox_pump(box, now);
	answer(0, RESULT_ANSWERED, 0x97, now);
	outbox_pump(box, now + 30 * S); /* it was accepted in between: from the start */
	assert_int_equal(uplink.n, 1);
}

static void
test_a_pause_is_its_lanes_alone(void **state)
{
	struct thing a = thing("a"), b = thing("b");
	(void)state;
	outbox_connected(box, 16);
	append(LANE_LIVE, 1);
	outbox_pump(box, 0);
	answer(0, RESULT_ANSWERED, 0x87, 0);
	append(LANE_LIVE, 2);
	append(LANE_EVENT, 3);
	outbox_add(box, &a.retained);
	outbox_add(box, &b.retained);
	outbox_pump(box, S);
	assert_int_equal(uplink.n, 3);
	assert_string_equal(uplink.sent[1]->topic, "a");
	answer(1, RESULT_ANSWERED, 0x87, S); /* the one topic rests, the other does not */
	outbox_mark(box, &a.retained);
	outbox_mark(box, &b.retained);
	accept_all(S);
	assert_int_equal(a.renders, 1);
	assert_int_equal(b.renders, 2);
	outbox_connected(box, 16); /* what was not allowed may be now */
	outbox_pump(box, 2 * S);
	assert_int_equal(uplink.n, 4);
	accept_all(2 * S);
}

static void
test_too_big_for_this_broker(void **state)
{
	struct thing a = thing("a");
	(void)state;
	outbox_connected(box, 16);
	outbox_add(box, &a.retained);
	append(LANE_LIVE, 1);
	outbox_pump(box, 0);
	answer(0, RESULT_TOO_BIG, 0, 0);
	answer(0, RESULT_TOO_BIG, 0, 0);
	outbox_pump(box, MINUTE);
	assert_int_equal(uplink.n, 0);
	assert_int_equal(stats().dropped_live, 1);
	assert_int_equal(uplink.reason, 0x95);
	assert_true(outbox_idle(box));
	outbox_mark(box, &a.retained); /* drawn again when it changes */
	outbox_pump(box, MINUTE);
	assert_int_equal(uplink.n, 1);
	accept_all(MINUTE);
}

/* Steady state allocates nothing: the same memory goes round. */
static void
test_memory_goes_round(void **state)
{
	const struct message *seen = NULL;
	(void)state;
	outbox_connected(box, 1);
	for (int i = 0; i < 100; i++) {
		append(LANE_LIVE, i);
		outbox_pump(box, 0);
		assert_true(!seen || seen == uplink.sent[0]);
		seen = uplink.sent[0];
		answer(0, RESULT_ANSWERED, 0, 0);
	}
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_goes_before_a_connection),
		TEST(test_window),
		TEST(test_window_of_nothing_is_one),
		TEST(test_events_before_live),
		TEST(test_unsent_goes_back_in_order),
		TEST(test_the_oldest_goes_when_a_lane_is_full),
		TEST(test_what_comes_back_may_be_too_much),
		TEST(test_too_long_for_anything),
		TEST(test_burst_after_a_connect),
		TEST(test_a_change_before_the_announcement),
		TEST(test_pictures_are_conflated),
		TEST(test_an_old_picture_is_never_sent_again),
		TEST(test_no_picture_is_no_removal),
		TEST(test_clearing),
		TEST(test_cleared_and_wanted_again),
		TEST(test_each_code),
		TEST(test_an_error_is_tried_three_times_again),
		TEST(test_a_quota_pause_doubles_per_pause),
		TEST(test_a_pause_is_its_lanes_alone),
		TEST(test_too_big_for_this_broker),
		TEST(test_memory_goes_round),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
