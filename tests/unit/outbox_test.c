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
static int64_t next_record;

static void
take(void *arg, struct message *m)
{
	(void)arg;
	assert_true(uplink.n < MAX);
	uplink.sent[uplink.n++] = m;
}

static struct {
	unsigned acknowledged, rejected, dropped;
	int64_t last;
} ends;

static void
ended(void *arg, const struct message *m, enum message_end how)
{
	(void)arg;
	ends.acknowledged += how == END_ACKNOWLEDGED;
	ends.rejected += how == END_REJECTED;
	ends.dropped += how == END_DROPPED;
	ends.last = m->record;
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
	struct outbox_ops ops = {.send = take, .trouble = trouble, .ended = ended};
	(void)state;
	memset(&uplink, 0, sizeof(uplink));
	memset(&ends, 0, sizeof(ends));
	next_record = 0;
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
append_to(
	const char *topic, enum message_lane lane, enum message_disk disk, int number, int64_t born)
{
	char text[32];
	struct draft d = {.lane = lane,
		.topic = topic,
		.record = ++next_record,
		.disk = disk,
		.payload = text,
		.len = (size_t)snprintf(text, sizeof(text), "%d", number)};
	assert_true(outbox_append(box, &d, born));
}

/* Events that are on the disk, live telemetry that is not. */
static void
append(enum message_lane lane, int number)
{
	static const char *const topics[] = {
		[LANE_EVENT] = "event", [LANE_LIVE] = "live", [LANE_HISTORY] = "history"};
	append_to(topics[lane], lane, lane == LANE_EVENT ? DISK_YES : DISK_NOT, number, 0);
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
	assert_int_equal(stats().lanes[LANE_LIVE].waiting, 0);
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
	assert_int_equal(ends.dropped, 0);
}

/* ---- bounds ------------------------------------------------------------------------------------
 */

static void
test_the_oldest_goes_when_a_lane_is_full(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++) {
		append(LANE_LIVE, i);
		append_to("event", LANE_EVENT, DISK_NOT, i, 0);
	}
	struct outbox_stats s = stats();
	const struct lane_stats *live = &s.lanes[LANE_LIVE], *events = &s.lanes[LANE_EVENT];
	assert_int_equal(ends.dropped, 1000 - 256 + 1000 - 64); /* 256 bytes each */
	assert_int_equal(live->waiting + events->waiting, 256 + 64);
	assert_true(live->bytes + events->bytes <= 80 * 1024);
	outbox_gate_events(box, INT64_MAX, true);
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
	assert_int_equal(ends.dropped, 16);
	outbox_connected(box, 1);
	outbox_pump(box, 0);
	assert_int_equal(number_of(uplink.sent[0]), 16);
}

static void
test_too_long_for_anything(void **state)
{
	static char big[2 * 1024 * 1024];
	(void)state;
	struct draft d = {.lane = LANE_LIVE, .topic = "live", .payload = big, .len = sizeof(big)};
	assert_false(outbox_append(box, &d, 0));
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
		unsigned rejected = ends.rejected;
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
		assert_int_equal(ends.rejected - rejected, codes[i].fate == GONE_COUNTED);
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
	assert_int_equal(ends.rejected, 1);
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

/* Not allowed on one topic: its own messages wait in their order, those of others pass. */
static void
test_a_refused_topic_blocks_nothing(void **state)
{
	(void)state;
	outbox_connected(box, 1);
	append_to("m1/job", LANE_EVENT, DISK_YES, 1, 0);
	append_to("m2/job", LANE_EVENT, DISK_YES, 2, 0);
	append_to("m1/job", LANE_EVENT, DISK_YES, 3, 0);
	append_to("m2/job", LANE_EVENT, DISK_YES, 4, 0);
	outbox_pump(box, 0);
	answer(0, RESULT_ANSWERED, 0x87, 0);
	for (int expected = 2; expected <= 4; expected += 2) {
		outbox_pump(box, S);
		assert_int_equal(number_of(uplink.sent[0]), expected);
		answer(0, RESULT_ANSWERED, 0, S);
	}
	outbox_pump(box, 15 * MINUTE - 1);
	assert_int_equal(uplink.n, 0);
	assert_int_equal(stats().lanes[LANE_EVENT].waiting, 2);
	assert_int_equal(stats().lanes[LANE_EVENT].floor, 1);
	for (int expected = 1; expected <= 3; expected += 2) {
		outbox_pump(box, 15 * MINUTE);
		assert_int_equal(number_of(uplink.sent[0]), expected);
		answer(0, RESULT_ANSWERED, 0, 15 * MINUTE);
	}
	assert_true(outbox_idle(box));
}

/* ---- the disk ----------------------------------------------------------------------------------
 */

static void
write_all(void *arg, struct message *m)
{
	(void)arg;
	m->disk = DISK_YES;
}

static void
test_an_event_goes_from_the_disk(void **state)
{
	(void)state;
	outbox_connected(box, 16);
	append_to("event", LANE_EVENT, DISK_NOT, 1, 0);
	append_to("event", LANE_EVENT, DISK_WRITING, 2, 0);
	append(LANE_LIVE, 3);
	outbox_pump(box, 0);
	assert_int_equal(uplink.n, 1);
	assert_int_equal(number_of(uplink.sent[0]), 3);
	outbox_each(box, LANE_EVENT, write_all, NULL);
	outbox_gate_events(box, 1, false); /* the second is behind some that are on the disk only */
	outbox_pump(box, 0);
	assert_int_equal(uplink.n, 2);
	assert_int_equal(number_of(uplink.sent[1]), 1);
	outbox_gate_events(box, INT64_MAX, false);
	append_to("event", LANE_EVENT, DISK_NOT, 4, 0);
	outbox_pump(box, 0);
	assert_int_equal(uplink.n, 3);
	outbox_gate_events(box, INT64_MAX, true); /* the disk refuses */
	outbox_pump(box, 0);
	assert_int_equal(uplink.n, 4);
	accept_all(0);
}

static void
test_a_picture_waits_for_its_generation(void **state)
{
	struct thing a = thing("a"), b = thing("b");
	(void)state;
	outbox_connected(box, 16);
	outbox_add(box, &b.retained);
	outbox_generation(box, 7, 6);
	outbox_add(box, &a.retained);
	outbox_pump(box, 0);
	assert_int_equal(uplink.n, 1);
	assert_string_equal(uplink.sent[0]->topic, "b");
	outbox_disconnected(box);
	answer(0, RESULT_UNSENT, 0, 0);
	outbox_connected(box, 16); /* the burst does not let it through */
	outbox_pump(box, 0);
	assert_int_equal(uplink.n, 1);
	outbox_generation(box, 8, 7);
	outbox_pump(box, 0);
	assert_int_equal(uplink.n, 2);
	accept_all(0);
}

static void
test_a_connect_waits_for_the_disk(void **state)
{
	struct thing a = thing("a"), b = thing("b");
	(void)state;
	outbox_generation(box, 7, 6);
	outbox_add(box, &a.retained);
	outbox_generation(box, 8, 7);
	outbox_add(box, &b.retained);
	outbox_generation(box, 8, 6);
	append(LANE_LIVE, 1);
	outbox_connected(box, 16);
	outbox_pump(box, 0);
	assert_int_equal(uplink.n, 0); /* live does not overtake what is so now */
	outbox_generation(box, 8, 7);
	outbox_pump(box, 0);
	assert_int_equal(uplink.n, 1);
	assert_string_equal(uplink.sent[0]->topic, "a");
	outbox_generation(box, 9, 8);
	outbox_pump(box, 0);
	assert_int_equal(uplink.n, 3);
	assert_string_equal(uplink.sent[1]->topic, "b");
	assert_string_equal(uplink.sent[2]->topic, "live");
	accept_all(0);
}

static void
test_what_is_on_the_disk_can_be_forgotten(void **state)
{
	(void)state;
	outbox_connected(box, 1);
	for (int i = 1; i <= 6; i++)
		append_to("live", LANE_LIVE, i == 4 ? DISK_WRITING : DISK_YES, i, i * S);
	outbox_pump(box, 0); /* the first is on its way: it stays */
	assert_int_equal(outbox_release(box, LANE_LIVE, 0, INT64_MAX, 6 * S), 2);
	struct lane_stats live = stats().lanes[LANE_LIVE];
	assert_int_equal(live.waiting, 2);
	assert_int_equal(live.floor, 1);
	assert_int_equal(live.oldest_us, S);
	assert_true(outbox_has_record(box, LANE_LIVE, 1) && !outbox_has_record(box, LANE_LIVE, 5));
	assert_int_equal(outbox_release(box, LANE_LIVE, 7, INT64_MAX, INT64_MAX), INT64_MAX);
	answer(0, RESULT_ANSWERED, 0, 0);
	outbox_pump(box, 0);
	assert_int_equal(number_of(uplink.sent[0]), 4);
	assert_int_equal(ends.acknowledged, 1); /* forgetting is no end */
	accept_all(0);
}

/* Read back from the disk they find their place before younger ones. */
static void
test_records_find_their_place(void **state)
{
	(void)state;
	next_record = 10;
	append(LANE_EVENT, 11);
	next_record = 4;
	append(LANE_EVENT, 5);
	append(LANE_EVENT, 6);
	next_record = 11;
	append(LANE_EVENT, 12);
	outbox_connected(box, 16);
	outbox_pump(box, 0);
	const int order[] = {5, 6, 11, 12};
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(number_of(uplink.sent[i]), order[i]);
	accept_all(0);
}

/* ---- shares ------------------------------------------------------------------------------------
 */

/* How many of the first n sent are of that topic. */
static unsigned
share(const char *topic, size_t n, int64_t now)
{
	unsigned found = 0;
	for (size_t i = 0; i < n; i++) {
		outbox_pump(box, now);
		assert_int_equal(uplink.n, 1);
		found += strcmp(uplink.sent[0]->topic, topic) == 0;
		answer(0, RESULT_ANSWERED, 0, now);
	}
	return found;
}

static void
test_nothing_starves(void **state)
{
	(void)state;
	outbox_connected(box, 1);
	for (int i = 0; i < 60; i++) {
		append_to("event", LANE_EVENT, DISK_YES, i, 100 * S);
		append_to("live", LANE_LIVE, DISK_NOT, i, 100 * S);
		append(LANE_HISTORY, i);
	}
	assert_int_equal(share("live", 16, 101 * S), 4);           /* fresh events first */
	assert_int_equal(share("event", 16, 120 * S), 4);          /* late ones: live first */
	assert_int_equal(share("history", 180 - 32, 120 * S), 60); /* and all of them go */
	for (int i = 0; i < 40; i++) {
		append(LANE_LIVE, i);
		append(LANE_HISTORY, i);
	}
	assert_int_equal(share("history", 32, 120 * S), 2);
}

static void
test_history_leaves_room(void **state)
{
	(void)state;
	outbox_connected(box, 9);
	for (int i = 0; i < 9; i++)
		append(LANE_HISTORY, i);
	outbox_pump(box, 0);
	assert_int_equal(uplink.n, 3); /* a third of the window */
	append(LANE_LIVE, 100);
	outbox_pump(box, 0);
	assert_int_equal(number_of(uplink.sent[3]), 100);
	accept_all(0);
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
	assert_int_equal(ends.rejected, 1);
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

/* What waits is stamped right when the clock is set, whatever its length; what is under way stays.
 */
static void
test_mending(void **state)
{
	enum { N = 200 };
	char text[600], expected[700];
	(void)state;
	append(LANE_EVENT, 1);
	for (int i = 0; i < N; i++) {
		struct draft d = {.lane = i % 2 ? LANE_EVENT : LANE_LIVE,
			.topic = "topic",
			.record = ++next_record,
			.disk = DISK_YES,
			.ts_ms = 5000,
			.stamp = {.unsynced = i % 4 < 2, .offset_ms = 1000},
			.payload = text,
			.len = (size_t)snprintf(text, sizeof(text),
				"{\"ts\":5000,\"clock\":\"unsynced\",\"x\":\"%0*d\"}", 50 + i, i)};
		assert_true(outbox_append(box, &d, 0));
	}
	outbox_mend(box, 1767225600000);
	outbox_connected(box, 2 * N);
	outbox_pump(box, 0);
	assert_int_equal(uplink.n, N + 1);
	for (size_t k = 0; k < uplink.n; k++) {
		const struct message *m = uplink.sent[k];
		int i = (int)m->record - 2;
		if (i < 0)
			continue;
		snprintf(expected, sizeof(expected), "{\"ts\":%s,\"clock\":\"%s\",\"x\":\"%0*d\"}",
			i % 4 < 2 ? "1767225604000" : "5000", i % 4 < 2 ? "synced" : "unsynced",
			50 + i, i);
		assert_int_equal(m->len, strlen(expected));
		assert_memory_equal(m->payload, expected, m->len);
		assert_int_equal(m->ts_ms, i % 4 < 2 ? 1767225604000 : 5000);
	}
	outbox_mend(box, 0); /* once is enough, and nothing that flies is touched */
	assert_memory_equal(uplink.sent[1]->payload, "{\"ts\":1767225604000", 19);
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
		TEST(test_a_refused_topic_blocks_nothing),
		TEST(test_an_event_goes_from_the_disk),
		TEST(test_a_picture_waits_for_its_generation),
		TEST(test_a_connect_waits_for_the_disk),
		TEST(test_what_is_on_the_disk_can_be_forgotten),
		TEST(test_records_find_their_place),
		TEST(test_nothing_starves),
		TEST(test_history_leaves_room),
		TEST(test_too_big_for_this_broker),
		TEST(test_memory_goes_round),
		TEST(test_mending),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
