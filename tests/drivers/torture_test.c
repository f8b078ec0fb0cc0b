/* SPDX-License-Identifier: MIT */
/* torture_test.c -- 100,000 requests to slaves that are late, doubled, noisy, foreign and cut
 *
 * Each answer tells which request it answers and which register it holds; a single value that is
 * not of the request in hand fails the test. Before and after, the same slave behaves: it must then
 * be heard. Many lines run side by side, because t3.5 alone would make one line take minutes.
 * LABPULSE_TORTURE sets another number of requests.
 */
#include "tests/drivers/slave.h"
#include "tests/drivers/punctual.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum {
	LINES = 20,
	UNITS = 20,
	REQUESTS = 100000,
	CLEAN = 300, /* transactions before and after */
	BAUD = 115200,
	SLAVE_US = 2000, /* how long a healthy slave thinks */
	TIMEOUT_MS = 12,
	LATENCY_MS = 200,
	MARGIN_US = 140000, /* what the machine may delay a byte on its way from slave to master */
};

enum fault {
	FAULT_NONE,
	FAULT_LATE,
	FAULT_DOUBLE_NOW,
	FAULT_DOUBLE_LATER,
	FAULT_TRIPLE,
	FAULT_NOISE_BEFORE,
	FAULT_NOISE_BEHIND,
	FAULT_FOREIGN_FIRST,
	FAULT_FOREIGN_ONLY,
	FAULT_CUT,
	FAULT_DAMAGED,
	FAULT_SILENT,
	FAULT_LATE_AND_DOUBLE,
	FAULT_COUNT
};

struct line {
	bool tcp;
	unsigned index, requests;
	unsigned wrong, right, failed;
	unsigned clean; /* right answers while the slave behaved */
	struct link_stats stats;
	pthread_t thread;
};

static void
say_noise(struct slave *s, const struct asked *a, int64_t after_us)
{
	uint8_t bytes[6];
	size_t n = 1 + slave_random(s, sizeof(bytes));

	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)slave_random(s, 256);
	slave_say(s, a, after_us, bytes, n);
}

/* A frame of another unit, or on TCP of another transaction, with plausible contents. */
static void
say_foreign(struct slave *s, const struct asked *a, int64_t after_us)
{
	uint8_t adu[FRAME_TCP_MAX], pdu[FRAME_PDU_MAX];
	struct asked other = *a;
	size_t n;

	other.address = (uint16_t)(a->address + 1000);
	other.transaction = (uint16_t)(a->transaction - 1);
	n = slave_frame(
		s, s->tcp ? &other : a, (uint8_t)(a->unit + 100), pdu, slave_pdu(&other, pdu), adu);
	slave_say(s, a, after_us, adu, n);
}

static void
say_broken(struct slave *s, const struct asked *a, enum fault fault)
{
	uint8_t adu[FRAME_TCP_MAX];
	size_t n = slave_good(s, a, adu);

	if (fault == FAULT_CUT)
		n -= 1 + slave_random(s, (unsigned)n - 1);
	else
		adu[s->tcp ? 3 : slave_random(s, (unsigned)n)] ^=
			(uint8_t)(1 + slave_random(s, 255));
	slave_say(s, a, SLAVE_US, adu, n);
}

static int64_t
some_latency_us(struct slave *s)
{
	return slave_random(s, LATENCY_MS * 1000 - MARGIN_US);
}

/* No copy leaves so late that it could arrive behind the maximal latency. */
static void
say_copy(struct slave *s, const struct asked *a, int64_t after_us)
{
	uint8_t adu[FRAME_TCP_MAX];
	size_t n = slave_good(s, a, adu);

	slave_say_until(s, a->at_us + after_us, a->at_us + LATENCY_MS * 1000 - MARGIN_US, adu, n);
}

static void
misbehave(struct slave *s, const struct asked *a)
{
	enum fault fault =
		slave_random(s, 100) < 60 ? FAULT_NONE : (enum fault)slave_random(s, FAULT_COUNT);

	if (atomic_load(&s->mode) == 0)
		fault = FAULT_NONE;
	if (s->tcp && (fault == FAULT_NOISE_BEFORE || fault == FAULT_NOISE_BEHIND))
		fault = FAULT_NONE; /* TCP has no noise; damage is FAULT_DAMAGED */
	if (fault == FAULT_NOISE_BEFORE)
		say_noise(s, a, SLAVE_US / 2);
	if (fault == FAULT_FOREIGN_FIRST || fault == FAULT_FOREIGN_ONLY)
		say_foreign(s, a, SLAVE_US / 2);
	if (fault == FAULT_CUT || fault == FAULT_DAMAGED) {
		say_broken(s, a, fault);
		return;
	}
	if (fault == FAULT_SILENT || fault == FAULT_FOREIGN_ONLY)
		return;
	say_copy(s, a,
		fault == FAULT_LATE || fault == FAULT_LATE_AND_DOUBLE ? some_latency_us(s)
								      : SLAVE_US);
	if (fault == FAULT_DOUBLE_NOW)
		say_copy(s, a, SLAVE_US);
	if (fault == FAULT_DOUBLE_LATER || fault == FAULT_TRIPLE || fault == FAULT_LATE_AND_DOUBLE)
		say_copy(s, a, SLAVE_US + some_latency_us(s));
	if (fault == FAULT_TRIPLE)
		say_copy(s, a, SLAVE_US + some_latency_us(s));
	if (fault == FAULT_NOISE_BEHIND)
		say_noise(s, a, SLAVE_US + slave_random(s, 3000));
}

/* The unit that may be asked soonest, going round. */
static uint8_t
choose_unit(struct link *link, unsigned turn)
{
	uint8_t best = (uint8_t)(1 + turn % UNITS);

	for (unsigned i = 1; i < UNITS; i++) {
		uint8_t u = (uint8_t)(1 + (turn + i) % UNITS);

		if (link_unit_free_us(link, best) > link_mono_us() &&
			link_unit_free_us(link, u) < link_unit_free_us(link, best))
			best = u;
	}
	return best;
}

static int
ask_some(struct line *l, struct link *link, struct slave *s, unsigned turn)
{
	uint16_t address = (uint16_t)(turn * 7 % 50), count = 3;
	uint8_t pdu[5] = {3, (uint8_t)(address >> 8), (uint8_t)address, 0, (uint8_t)count};
	uint8_t rsp[FRAME_PDU_MAX];
	struct exchange ex = {.unit = choose_unit(link, turn),
		.req = pdu,
		.req_len = 5,
		.rsp = rsp,
		.rsp_cap = sizeof(rsp),
		.expect = frame_expected(pdu, 5),
		.timeout_ms = TIMEOUT_MS,
		.max_latency_ms = LATENCY_MS,
		.usual_ms = SLAVE_US / 1000,
		.check_unit = true};
	int rc = link_open(link);
	unsigned number;

	if (rc == 0)
		rc = link_transact(link, &ex);
	number = atomic_load(&s->requests);
	if (rc <= 0) {
		l->failed++;
		return rc;
	}
	for (unsigned i = 0; i < count; i++) {
		if ((rsp[2 + 2 * i] << 8 | rsp[3 + 2 * i]) != slave_word(address + i, number)) {
			l->wrong++;
			return rc;
		}
	}
	l->right++;
	return rc;
}

/* Units that sent copies are asked less often for a minute (trust_test.c), but all are answered. */
static void
clean_run(struct line *l, struct link *link, struct slave *s)
{
	unsigned right = l->right;

	atomic_store(&s->mode, 0);
	for (unsigned i = 0; i < CLEAN; i++)
		ask_some(l, link, s, i);
	l->clean += l->right - right;
}

static pthread_barrier_t together;

static void *
line_main(void *arg)
{
	struct line *l = arg;
	struct slave *s = slave_start_seeded(l->tcp, misbehave, 1 + l->index * 7919);
	struct link *link = slave_link(s, BAUD);

	/* all lines measure at the same time, so that both runs have the same company */
	pthread_barrier_wait(&together);
	clean_run(l, link, s);
	atomic_store(&s->mode, 1);
	for (unsigned i = 0; i < l->requests; i++)
		ask_some(l, link, s, i);
	atomic_store(&s->mode, 0);
	link_wait(link, LATENCY_MS);
	pthread_barrier_wait(&together);
	clean_run(l, link, s);
	link_stats(link, &l->stats);
	link_destroy(link);
	slave_stop(s);
	return NULL;
}

static void
torture(bool tcp)
{
	const char *env = getenv("LABPULSE_TORTURE");
	unsigned total = env ? (unsigned)atoi(env) : REQUESTS;
	struct line lines[LINES] = {0};
	struct line sum = {0};

	pthread_barrier_init(&together, NULL, LINES);
	for (unsigned i = 0; i < LINES; i++) {
		lines[i] = (struct line){.tcp = tcp, .index = i, .requests = total / LINES};
		assert_int_equal(pthread_create(&lines[i].thread, NULL, line_main, &lines[i]), 0);
	}
	for (unsigned i = 0; i < LINES; i++) {
		struct line *l = &lines[i];

		pthread_join(l->thread, NULL);
		sum.right += l->right;
		sum.wrong += l->wrong;
		sum.failed += l->failed;
		sum.stats.timeouts += l->stats.timeouts;
		sum.stats.crc_errors += l->stats.crc_errors;
		sum.stats.stale_frames += l->stats.stale_frames;
		sum.stats.reopens += l->stats.reopens;
		sum.clean += l->clean;
	}
	pthread_barrier_destroy(&together);
	print_message(
		"%s: %u right, %u wrong, %u without value (%llu timeouts, %llu broken, %llu stale, "
		"%llu reopenings); clean line %u of %u\n",
		tcp ? "tcp" : "rtu", sum.right, sum.wrong, sum.failed,
		(unsigned long long)sum.stats.timeouts, (unsigned long long)sum.stats.crc_errors,
		(unsigned long long)sum.stats.stale_frames, (unsigned long long)sum.stats.reopens,
		sum.clean, 2 * CLEAN * LINES);
	assert_int_equal(sum.wrong, 0);
	assert_true(sum.right > total / 2);
	assert_true(sum.clean >= 2 * CLEAN * LINES * 95 / 100);
}

static void
rtu_gives_no_wrong_value(void **state)
{
	(void)state;
	torture(false);
}

static void
tcp_gives_no_wrong_value(void **state)
{
	(void)state;
	torture(true);
}

static int
run_all(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rtu_gives_no_wrong_value),
		cmocka_unit_test(tcp_gives_no_wrong_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int
main(int argc, char **argv)
{
	(void)argc;
	return punctual_run(argv, run_all);
}
