/* SPDX-License-Identifier: MIT */
/* link_test.c -- each way in which a slave can misbehave, on a pty and on TCP loopback
 *
 * The rule under test: a value is the answer to this very request, or there is none.
 */
#include "tests/drivers/slave.h"
#include "tests/drivers/punctual.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>

#include <cmocka.h>

enum { UNIT = 5, BAUD = 115200, TIMEOUT_MS = 60, LATENCY_MS = 200 };

struct bed {
	struct slave *slave;
	struct link *link;
	uint8_t rsp[FRAME_PDU_MAX];
	unsigned before; /* requests before the last one */
	int64_t took_us;
};

static void
bed_make(struct bed *b, bool tcp, slave_answer answer)
{
	memset(b, 0, sizeof(*b));
	b->slave = slave_start(tcp, answer);
	b->link = slave_link(b->slave, BAUD);
	assert_int_equal(link_open(b->link), 0);
}

static void
bed_end(struct bed *b)
{
	link_destroy(b->link);
	slave_stop(b->slave);
}

static struct link_stats
stats_of(const struct bed *b)
{
	struct link_stats st;

	link_stats(b->link, &st);
	return st;
}

static int
ask_fc(struct bed *b, uint8_t unit, uint8_t fc, uint16_t address, uint16_t count, int usual_ms)
{
	uint8_t pdu[5] = {fc, (uint8_t)(address >> 8), (uint8_t)address, (uint8_t)(count >> 8),
		(uint8_t)count};
	struct exchange ex = {.unit = unit,
		.req = pdu,
		.req_len = 5,
		.rsp = b->rsp,
		.rsp_cap = sizeof(b->rsp),
		.expect = frame_expected(pdu, 5),
		.timeout_ms = TIMEOUT_MS,
		.max_latency_ms = LATENCY_MS,
		.usual_ms = usual_ms,
		.check_unit = true};
	int64_t from_us = link_mono_us();
	int rc;

	b->before = atomic_load(&b->slave->requests);
	rc = link_transact(b->link, &ex);
	b->took_us = link_mono_us() - from_us;
	return rc;
}

static int
ask(struct bed *b, uint16_t address, uint16_t count)
{
	return ask_fc(b, UNIT, 3, address, count, 0);
}

/* The last answer is the one to the last request, from this address. */
static void
assert_fresh(const struct bed *b, int rc, uint16_t address, uint16_t count)
{
	unsigned number = atomic_load(&b->slave->requests);

	assert_int_equal(rc, 2 + 2 * count);
	assert_int_equal(number, b->before + 1);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(b->rsp[2 + 2 * i] << 8 | b->rsp[3 + 2 * i],
			slave_word(address + i, number));
}

static void
assert_healthy(struct bed *b)
{
	for (uint16_t i = 0; i < 3; i++)
		assert_fresh(b, ask(b, (uint16_t)(100 + i), 4), (uint16_t)(100 + i), 4);
}

/* ---- answers ----------------------------------------------------------------------------- */

/* First answer comes that many microseconds after the request, the others at once. */
static void
first_late(struct slave *s, const struct asked *a)
{
	uint8_t adu[FRAME_TCP_MAX];

	slave_say(s, a, a->number == 1 ? atomic_load(&s->mode) : 0, adu, slave_good(s, a, adu));
}

static void
trickle(struct slave *s, const struct asked *a)
{
	uint8_t adu[FRAME_TCP_MAX];
	size_t n = slave_good(s, a, adu);

	if (a->number > 1) {
		slave_say(s, a, 0, adu, n);
		return;
	}
	for (size_t i = 0; i < n; i++)
		slave_say(s, a, (int64_t)i * 400000, adu + i, 1);
}

static void
foreign_first(struct slave *s, const struct asked *a)
{
	uint8_t adu[FRAME_TCP_MAX], pdu[FRAME_PDU_MAX];
	struct asked other = *a;

	other.address = 7777;
	slave_say(s, a, 0, adu,
		slave_frame(s, a, (uint8_t)(a->unit + 1), pdu, slave_pdu(&other, pdu), adu));
	slave_say(s, a, 10000, adu, slave_good(s, a, adu));
}

static void
echoing(struct slave *s, const struct asked *a)
{
	slave_say(s, a, 0, a->adu, a->len);
	slave_answer_well(s, a);
}

static void
noise_before(struct slave *s, const struct asked *a)
{
	uint8_t zero = 0;

	slave_say(s, a, 0, &zero, 1);
	slave_answer_well(s, a);
}

static void
noise_then_nothing(struct slave *s, const struct asked *a)
{
	static const uint8_t garbage[] = {0x13, 0x88, 0x00, 0xFF, 0x55};

	slave_say(s, a, 0, garbage, sizeof(garbage));
}

static void
byte_count_too_large(struct slave *s, const struct asked *a)
{
	uint8_t adu[FRAME_TCP_MAX], pdu[FRAME_PDU_MAX];
	struct asked more = *a;

	if (a->number == 1)
		more.count = (uint16_t)(a->count + 1);
	slave_say(s, a, 0, adu, slave_frame(s, a, a->unit, pdu, slave_pdu(&more, pdu), adu));
}

static void
raise_exception(struct slave *s, const struct asked *a)
{
	uint8_t adu[FRAME_TCP_MAX],
		pdu[2] = {a->pdu[0] | FRAME_EXCEPTION, (uint8_t)atomic_load(&s->mode)};

	slave_say(s, a, 0, adu, slave_frame(s, a, a->unit, pdu, 2, adu));
}

static void
first_cut(struct slave *s, const struct asked *a)
{
	uint8_t adu[FRAME_TCP_MAX];
	size_t n = slave_good(s, a, adu);

	slave_say(s, a, 0, adu, a->number == 1 ? n - 1 : n);
}

static void
first_crc_wrong(struct slave *s, const struct asked *a)
{
	uint8_t adu[FRAME_TCP_MAX];
	size_t n = slave_good(s, a, adu);

	if (a->number == 1)
		adu[4] ^= 0x10;
	slave_say(s, a, 0, adu, n);
}

static void
doubled(struct slave *s, const struct asked *a)
{
	uint8_t adu[FRAME_TCP_MAX];
	size_t n = slave_good(s, a, adu);

	slave_say(s, a, 0, adu, n);
	slave_say(s, a, atomic_load(&s->mode), adu, n);
}

/* The copy of the first answer comes just after the second request; the true second answer a
 * little later. */
static void
old_copy_before_answer(struct slave *s, const struct asked *a)
{
	uint8_t adu[FRAME_TCP_MAX];
	struct asked first = *a;

	if (a->number == 1) {
		slave_answer_well(s, a);
		return;
	}
	if (a->number == 2) {
		first.number = 1;
		first.address = 100;
		slave_say(s, a, 0, adu, slave_good(s, &first, adu));
	}
	slave_say(s, a, 20000, adu, slave_good(s, a, adu));
}

static void
two_different(struct slave *s, const struct asked *a)
{
	uint8_t adu[2 * FRAME_TCP_MAX];
	struct asked other = *a;
	size_t len = 0;

	other.address = 4000;
	if (a->number == 1)
		len = slave_good(s, &other, adu);
	len += slave_good(s, a, adu + len); /* in one write: no load can put silence between */
	slave_say(s, a, 0, adu, len);
}

static void
one_unit_silent(struct slave *s, const struct asked *a)
{
	if (a->unit != UNIT)
		slave_answer_well(s, a);
}

static void
tcp_unit_77(struct slave *s, const struct asked *a)
{
	uint8_t adu[FRAME_TCP_MAX];
	size_t n = slave_good(s, a, adu);

	if (a->number == 1)
		adu[6] = 77;
	slave_say(s, a, 0, adu, n);
}

static void
tcp_length_200(struct slave *s, const struct asked *a)
{
	uint8_t adu[FRAME_TCP_MAX];
	size_t n = slave_good(s, a, adu);

	if (a->number == 1)
		adu[5] = 200;
	slave_say(s, a, 0, adu, n);
}

static void
tcp_protocol_1(struct slave *s, const struct asked *a)
{
	uint8_t adu[FRAME_TCP_MAX];
	size_t n = slave_good(s, a, adu);

	if (a->number == 1)
		adu[3] = 1;
	slave_say(s, a, 0, adu, n);
}

static void
tcp_closes(struct slave *s, const struct asked *a)
{
	if (a->number % 2 == 1)
		slave_hang_up(s);
	else
		slave_answer_well(s, a);
}

static void
tcp_closes_once(struct slave *s, const struct asked *a)
{
	if (a->number == 1)
		slave_hang_up(s);
	else
		slave_answer_well(s, a);
}

static void
mute(struct slave *s, const struct asked *a)
{
	(void)s;
	(void)a;
}

/* ---- RTU --------------------------------------------------------------------------------- */

static void
rtu_answers(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, false, slave_answer_well);
	assert_healthy(&b);
	assert_fresh(&b, ask(&b, 0, 125), 0, 125);
	assert_int_equal(ask_fc(&b, UNIT, 1, 0, 2000, 0), 252);
	assert_int_equal(stats_of(&b).noise_bytes + stats_of(&b).stale_frames, 0);
	bed_end(&b);
}

static void
rtu_first_reply_late_then_other_addresses(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, false, first_late);
	atomic_store(&b.slave->mode, TIMEOUT_MS * 1000 + 50000);
	assert_int_equal(ask(&b, 10, 4), -ETIMEDOUT);
	assert_true(link_unit_free_us(b.link, UNIT) > link_mono_us());
	assert_int_equal(link_unit_free_us(b.link, UNIT + 1), 0);
	assert_healthy(&b);
	assert_int_equal(stats_of(&b).stale_frames, 1);
	assert_fresh(&b, ask(&b, 3, 9), 3, 9);
	bed_end(&b);
}

static void
rtu_late_reply_meets_another_unit(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, false, first_late);
	atomic_store(&b.slave->mode, TIMEOUT_MS * 1000 + 4000);
	assert_int_equal(ask(&b, 10, 4), -ETIMEDOUT);
	for (uint16_t i = 0; i < 20; i++)
		assert_fresh(&b, ask_fc(&b, UNIT + 1, 3, i, 4, 0), i, 4);
	assert_healthy(&b);
	bed_end(&b);
}

static void
rtu_late_reply_survives_reopening(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, false, first_late);
	atomic_store(&b.slave->mode, TIMEOUT_MS * 1000 + 50000);
	assert_int_equal(ask(&b, 10, 4), -ETIMEDOUT);
	link_close(b.link);
	assert_int_equal(link_open(b.link), 0);
	assert_healthy(&b);
	assert_int_equal(stats_of(&b).reopens, 1);
	bed_end(&b);
}

static void
rtu_trickle_ends_in_time(void **state)
{
	struct bed b;
	int rc;

	(void)state;
	bed_make(&b, false, trickle);
	rc = ask(&b, 10, 4);
	assert_true(rc == -ETIMEDOUT || rc == -EBADMSG);
	assert_true(b.took_us < (TIMEOUT_MS + 60) * 1000);
	bed_end(&b);
}

static void
rtu_other_units_reply_first(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, false, foreign_first);
	assert_healthy(&b);
	assert_int_equal(stats_of(&b).stale_frames, 3);
	bed_end(&b);
}

static void
rtu_adapter_echoes(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, false, echoing);
	assert_healthy(&b);
	assert_true(stats_of(&b).echo);
	bed_end(&b);
}

static void
rtu_noise_byte_before_each_reply(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, false, noise_before);
	assert_healthy(&b);
	assert_int_equal(stats_of(&b).noise_bytes, 3);
	bed_end(&b);
}

static void
rtu_garbage_alone_is_a_timeout(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, false, noise_then_nothing);
	assert_int_equal(ask(&b, 10, 4), -ETIMEDOUT);
	assert_true(b.took_us >= TIMEOUT_MS * 1000);
	bed_end(&b);
}

static void
rtu_byte_count_larger_than_asked(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, false, byte_count_too_large);
	assert_int_equal(ask(&b, 10, 4), -EBADMSG);
	assert_healthy(&b);
	bed_end(&b);
}

static void
check_exceptions(bool tcp)
{
	static const uint8_t codes[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0x10, 0xFF};
	struct bed b;

	bed_make(&b, tcp, raise_exception);
	for (size_t i = 0; i < sizeof(codes); i++) {
		atomic_store(&b.slave->mode, codes[i]);
		assert_int_equal(ask(&b, 10, 4), 2);
		assert_int_equal(b.rsp[0], 0x83);
		assert_int_equal(b.rsp[1], codes[i]);
	}
	assert_true(link_is_open(b.link));
	assert_int_equal(stats_of(&b).exceptions, sizeof(codes));
	bed_end(&b);
}

static void
rtu_exceptions_of_every_code(void **state)
{
	(void)state;
	check_exceptions(false);
}

static void
rtu_reply_cut_by_one_byte(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, false, first_cut);
	assert_int_equal(ask(&b, 10, 4), -EBADMSG);
	assert_true(b.took_us < TIMEOUT_MS * 1000);
	assert_healthy(&b);
	bed_end(&b);
}

static void
rtu_crc_wrong(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, false, first_crc_wrong);
	assert_int_equal(ask(&b, 10, 4), -EBADMSG);
	assert_healthy(&b);
	assert_int_equal(stats_of(&b).crc_errors, 1);
	bed_end(&b);
}

static void
rtu_doubled_at_once(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, false, doubled);
	assert_healthy(&b);
	assert_true(stats_of(&b).stale_frames >= 2);
	bed_end(&b);
}

static void
rtu_doubled_later(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, false, doubled);
	atomic_store(&b.slave->mode, 5000);
	for (uint16_t i = 0; i < 50; i++) {
		int rc = ask_fc(&b, UNIT, 3, i, 4, 1);

		if (rc > 0)
			assert_fresh(&b, rc, i, 4);
		else
			assert_int_equal(rc, -EBADMSG);
	}
	bed_end(&b);
}

static void
rtu_old_copy_before_the_answer(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, false, old_copy_before_answer);
	assert_fresh(&b, ask_fc(&b, UNIT, 3, 100, 4, 25), 100, 4);
	assert_fresh(&b, ask_fc(&b, UNIT, 3, 200, 4, 25), 200, 4);
	bed_end(&b);
}

static void
rtu_two_different_answers(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, false, two_different);
	assert_int_equal(ask(&b, 10, 4), -EBADMSG);
	assert_true(link_unit_free_us(b.link, UNIT) > link_mono_us() + 100000);
	assert_healthy(&b);
	bed_end(&b);
}

static void
rtu_silent_unit_costs_its_timeout_only(void **state)
{
	struct bed b;
	int64_t from_us;

	(void)state;
	bed_make(&b, false, one_unit_silent);
	assert_int_equal(ask(&b, 10, 4), -ETIMEDOUT);
	from_us = link_mono_us();
	for (uint16_t i = 0; i < 10; i++)
		assert_fresh(&b, ask_fc(&b, 9, 3, i, 2, 0), i, 2);
	assert_true(link_mono_us() - from_us < 100000);
	assert_int_equal(ask(&b, 10, 4), -ETIMEDOUT); /* waits until the unit may be asked again */
	assert_true(b.took_us > 100000);
	bed_end(&b);
}

static void
rtu_port_is_locked_and_the_holder_named(void **state)
{
	struct slave *s = slave_start(false, slave_answer_well);
	struct link *a = slave_link(s, BAUD), *b = slave_link(s, BAUD);
	char expected[32];

	(void)state;
	snprintf(expected, sizeof(expected), "(pid %d)", (int)getpid());
	assert_int_equal(link_open(a), 0);
	assert_int_equal(link_open(a), 0);
	assert_int_equal(link_open(b), -EBUSY);
	assert_non_null(strstr(link_holder(b), expected));
	link_close(a);
	assert_int_equal(link_open(b), 0);
	assert_string_equal(link_holder(b), "");
	link_destroy(a);
	link_destroy(b);
	slave_stop(s);
}

static int
open_with(const char *path, int baud, const char *format)
{
	struct link *l = link_modbus_rtu_create(
		&(struct link_rtu){.device = path, .baud = baud, .format = format});
	int rc = link_open(l);

	link_destroy(l);
	return rc;
}

static void
rtu_settings_are_checked(void **state)
{
	struct slave *s = slave_start(false, slave_answer_well);

	(void)state;
	assert_int_equal(open_with(s->path, 12345, "8N1"), -EINVAL);
	assert_int_equal(open_with(s->path, 9600, "7E1"), -EINVAL);
	assert_int_equal(open_with("/dev/no-such-port", 9600, "8N1"), -ENOENT);
	assert_int_equal(open_with(s->path, 9600, "8E1"), 0);
	slave_stop(s);
}

static void
rtu_descriptors_do_not_leak(void **state)
{
	struct bed b;
	int before, after;

	(void)state;
	bed_make(&b, false, slave_answer_well);
	link_close(b.link);
	before = dup(0);
	close(before);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(link_open(b.link), 0);
		link_close(b.link);
	}
	after = dup(0);
	close(after);
	assert_int_equal(before, after);
	bed_end(&b);
}

static void
rtu_unit_248_can_be_asked(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, false, slave_answer_well);
	assert_fresh(&b, ask_fc(&b, 248, 3, 1, 2, 0), 1, 2);
	bed_end(&b);
}

static void
rtu_unplugged(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, false, slave_answer_well);
	assert_healthy(&b);
	slave_stop(b.slave);
	b.slave = slave_start(false, mute);
	assert_int_equal(ask(&b, 10, 4), -EIO);
	assert_false(link_is_open(b.link));
	bed_end(&b);
}

/* ---- TCP --------------------------------------------------------------------------------- */

static void
tcp_answers(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, true, slave_answer_well);
	assert_healthy(&b);
	assert_fresh(&b, ask(&b, 0, 125), 0, 125);
	assert_int_equal(ask_fc(&b, UNIT, 2, 0, 2000, 0), 252);
	bed_end(&b);
}

static void
tcp_late_reply(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, true, first_late);
	atomic_store(&b.slave->mode, TIMEOUT_MS * 1000 + 20000);
	assert_int_equal(ask(&b, 10, 4), -ETIMEDOUT);
	assert_int_equal(link_unit_free_us(b.link, UNIT), 0);
	assert_healthy(&b);
	assert_int_equal(ask_fc(&b, UNIT, 3, 0, 1, 0), 4);
	assert_int_equal(atomic_load(&b.slave->connections), 1);
	bed_end(&b);
}

static void
tcp_doubled(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, true, doubled);
	for (int i = 0; i < 20; i++)
		assert_healthy(&b);
	assert_true(stats_of(&b).stale_frames > 0);
	bed_end(&b);
}

static void
tcp_wrong_unit_is_not_an_answer(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, true, tcp_unit_77);
	assert_int_equal(ask(&b, 10, 4), -ETIMEDOUT);
	assert_healthy(&b);
	assert_int_equal(atomic_load(&b.slave->connections), 1);
	bed_end(&b);
}

static void
tcp_other_units_reply_first(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, true, foreign_first);
	assert_healthy(&b);
	assert_int_equal(stats_of(&b).stale_frames, 3);
	bed_end(&b);
}

static void
check_tcp_garbage(slave_answer answer, int expected)
{
	struct bed b;

	bed_make(&b, true, answer);
	assert_int_equal(ask(&b, 10, 4), expected);
	assert_false(link_is_open(b.link));
	assert_int_equal(ask(&b, 10, 4), -ENOTCONN);
	assert_int_equal(link_open(b.link), 0);
	assert_healthy(&b);
	bed_end(&b);
}

static void
tcp_header_length_200(void **state)
{
	(void)state;
	check_tcp_garbage(tcp_length_200, -EBADMSG); /* a frame whose end never comes */
}

static void
tcp_protocol_not_zero(void **state)
{
	(void)state;
	check_tcp_garbage(tcp_protocol_1, -EPROTO);
}

static void
tcp_reply_cut_by_one_byte(void **state)
{
	(void)state;
	check_tcp_garbage(first_cut, -EBADMSG);
}

static void
tcp_peer_closes(void **state)
{
	(void)state;
	check_tcp_garbage(tcp_closes_once, -ECONNRESET);
}

static void
tcp_byte_count_larger_than_asked(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, true, byte_count_too_large);
	assert_int_equal(ask(&b, 10, 4), -EBADMSG);
	assert_true(link_is_open(b.link));
	assert_healthy(&b);
	bed_end(&b);
}

static void
tcp_exceptions_of_every_code(void **state)
{
	(void)state;
	check_exceptions(true);
}

static void
tcp_trickle_ends_in_time(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, true, trickle);
	assert_int_equal(ask(&b, 10, 4), -EBADMSG);
	assert_true(b.took_us < 350000);
	bed_end(&b);
}

static void
tcp_closes_after_three_timeouts(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, true, mute);
	assert_int_equal(ask(&b, 1, 1), -ETIMEDOUT);
	assert_int_equal(ask(&b, 1, 1), -ETIMEDOUT);
	assert_true(link_is_open(b.link));
	assert_int_equal(ask(&b, 1, 1), -ETIMEDOUT);
	assert_false(link_is_open(b.link));
	bed_end(&b);
}

static void
tcp_reset_soon_is_told(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, true, tcp_closes);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(link_open(b.link), 0);
		assert_int_equal(ask(&b, 1, 1), -ECONNRESET);
		assert_int_equal(link_open(b.link), 0);
		assert_int_equal(ask(&b, 1, 1), 4);
		link_close(b.link);
	}
	assert_true(stats_of(&b).reset_soon);
	bed_end(&b);
}

static int
option_of(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

static void
tcp_keepalive_is_on(void **state)
{
	struct bed b;
	int fd = -1;

	(void)state;
	bed_make(&b, true, slave_answer_well);
	assert_healthy(&b);
	for (int i = 3; i < 64 && fd < 0; i++) { /* our end: connected to the slave's port */
		struct sockaddr_in in;
		socklen_t len = sizeof(in);

		if (getpeername(i, (struct sockaddr *)&in, &len) == 0 &&
			ntohs(in.sin_port) == b.slave->port)
			fd = i;
	}
	assert_true(fd >= 0);
	assert_int_equal(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	bed_end(&b);
}

/* A listener whose backlog is full lets no handshake finish. */
static void
tcp_full_backlog(void **state)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM, 0), fill[4];
	struct link *l;
	int64_t from_us;
	int rc;

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&in, len), 0);
	assert_int_equal(listen(fd, 0), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	for (int i = 0; i < 4; i++) {
		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		rc = connect(fill[i], (struct sockaddr *)&in, len);
	}
	l = link_modbus_tcp_create(&(struct link_tcp){
		.host = "127.0.0.1", .port = ntohs(in.sin_port), .connect_timeout_ms = 300});
	from_us = link_mono_us();
	rc = link_open(l);
	assert_int_equal(rc, -ETIMEDOUT);
	assert_in_range(link_mono_us() - from_us, 290000, 600000);
	link_destroy(l);
	for (int i = 0; i < 4; i++)
		close(fill[i]);
	close(fd);
}

static void
tcp_refused_and_unknown(void **state)
{
	struct link *l = link_modbus_tcp_create(&(struct link_tcp){.host = "127.0.0.1", .port = 1});

	(void)state;
	assert_int_equal(link_open(l), -ECONNREFUSED);
	link_destroy(l);
	l = link_modbus_tcp_create(&(struct link_tcp){
		.host = "no-such-host.invalid", .port = 502, .connect_timeout_ms = 1000});
	assert_int_equal(link_open(l), -ENXIO);
	link_destroy(l);
}

static void
tcp_name_and_high_descriptor(void **state)
{
	struct rlimit rl = {.rlim_cur = 4096, .rlim_max = 4096}, old;
	struct slave *s = slave_start(true, slave_answer_well);
	struct bed b = {.slave = s};
	int high[1100];

	(void)state;
	getrlimit(RLIMIT_NOFILE, &old);
	rl.rlim_max = old.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &rl) < 0)
		skip();
	for (size_t i = 0; i < 1100; i++)
		high[i] = dup(0);
	b.link = link_modbus_tcp_create(&(struct link_tcp){.host = "localhost", .port = s->port});
	assert_int_equal(link_open(b.link), 0);
	assert_healthy(&b);
	for (size_t i = 0; i < 1100; i++)
		close(high[i]);
	setrlimit(RLIMIT_NOFILE, &old);
	bed_end(&b);
}

/* ---- both -------------------------------------------------------------------------------- */

static void *
cancel_soon(void *arg)
{
	poll(NULL, 0, 50);
	link_cancel(arg);
	return NULL;
}

static void
check_cancel(bool tcp)
{
	uint8_t pdu[5] = {3, 0, 0, 0, 1}, rsp[FRAME_PDU_MAX];
	struct exchange ex = {.unit = UNIT,
		.req = pdu,
		.req_len = 5,
		.rsp = rsp,
		.rsp_cap = sizeof(rsp),
		.expect = 4,
		.timeout_ms = 10000};
	int64_t from_us = link_mono_us();
	pthread_t thread;
	struct bed b;

	bed_make(&b, tcp, mute);
	pthread_create(&thread, NULL, cancel_soon, b.link);
	assert_int_equal(link_transact(b.link, &ex), -ECANCELED);
	assert_true(link_mono_us() - from_us < 800000);
	pthread_join(thread, NULL);
	assert_int_equal(link_open(b.link), -ECANCELED);
	bed_end(&b);
}

static void
both_can_be_cancelled(void **state)
{
	(void)state;
	check_cancel(false);
	check_cancel(true);
}

/* Every function code and a few shapes: nothing but plain reading passes the gate. */
static void
nothing_that_writes_is_ever_sent(void **state)
{
	struct bed b;

	(void)state;
	for (int tcp = 0; tcp < 2; tcp++) {
		bed_make(&b, tcp, slave_answer_well);
		for (unsigned fc = 0; fc < 256; fc++) {
			uint8_t pdu[6] = {(uint8_t)fc, 0, 0, 0, 1, 0}, rsp[FRAME_PDU_MAX];

			for (size_t len = 0; len <= sizeof(pdu); len++) {
				bool reads =
					(len == 5 && fc >= 1 && fc <= 4) || (len == 1 && fc == 17);
				struct exchange ex = {.unit = UNIT,
					.req = pdu,
					.req_len = len,
					.rsp = rsp,
					.rsp_cap = sizeof(rsp)};

				if (!reads)
					assert_int_equal(link_transact(b.link, &ex), -EPERM);
			}
		}
		assert_int_equal(atomic_load(&b.slave->requests), 0);
		bed_end(&b);
	}
}

static int
run_all(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rtu_answers),
		cmocka_unit_test(rtu_first_reply_late_then_other_addresses),
		cmocka_unit_test(rtu_late_reply_meets_another_unit),
		cmocka_unit_test(rtu_late_reply_survives_reopening),
		cmocka_unit_test(rtu_trickle_ends_in_time),
		cmocka_unit_test(rtu_other_units_reply_first),
		cmocka_unit_test(rtu_adapter_echoes),
		cmocka_unit_test(rtu_noise_byte_before_each_reply),
		cmocka_unit_test(rtu_garbage_alone_is_a_timeout),
		cmocka_unit_test(rtu_byte_count_larger_than_asked),
		cmocka_unit_test(rtu_exceptions_of_every_code),
		cmocka_unit_test(rtu_reply_cut_by_one_byte),
		cmocka_unit_test(rtu_crc_wrong),
		cmocka_unit_test(rtu_doubled_at_once),
		cmocka_unit_test(rtu_doubled_later),
		cmocka_unit_test(rtu_old_copy_before_the_answer),
		cmocka_unit_test(rtu_two_different_answers),
		cmocka_unit_test(rtu_silent_unit_costs_its_timeout_only),
		cmocka_unit_test(rtu_port_is_locked_and_the_holder_named),
		cmocka_unit_test(rtu_settings_are_checked),
		cmocka_unit_test(rtu_descriptors_do_not_leak),
		cmocka_unit_test(rtu_unit_248_can_be_asked),
		cmocka_unit_test(rtu_unplugged),
		cmocka_unit_test(tcp_answers),
		cmocka_unit_test(tcp_late_reply),
		cmocka_unit_test(tcp_doubled),
		cmocka_unit_test(tcp_wrong_unit_is_not_an_answer),
		cmocka_unit_test(tcp_other_units_reply_first),
		cmocka_unit_test(tcp_header_length_200),
		cmocka_unit_test(tcp_protocol_not_zero),
		cmocka_unit_test(tcp_reply_cut_by_one_byte),
		cmocka_unit_test(tcp_peer_closes),
		cmocka_unit_test(tcp_byte_count_larger_than_asked),
		cmocka_unit_test(tcp_exceptions_of_every_code),
		cmocka_unit_test(tcp_trickle_ends_in_time),
		cmocka_unit_test(tcp_closes_after_three_timeouts),
		cmocka_unit_test(tcp_reset_soon_is_told),
		cmocka_unit_test(tcp_keepalive_is_on),
		cmocka_unit_test(tcp_full_backlog),
		cmocka_unit_test(tcp_refused_and_unknown),
		cmocka_unit_test(tcp_name_and_high_descriptor),
		cmocka_unit_test(both_can_be_cancelled),
		cmocka_unit_test(nothing_that_writes_is_ever_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int
main(int argc, char **argv)
{
	(void)argc;
	return punctual_run(argv, run_all);
}
