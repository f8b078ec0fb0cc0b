/* SPDX-License-Identifier: MIT */
/* rtu_line.c -- an RS-485 line with ten units on a pty, with the times of a real line
 *
 * A request takes its characters, then the unit is silent for t3.5 and thinks for 1 ms, then the
 * answer leaves at the speed of the line. A request that begins less than t3.5 after the last
 * character is counted ("early"): a strict unit would drop it. Usage:
 *
 *   rtu_line BAUD SECONDS [DEAD,DEAD...]
 *
 * Prints the pty's name, serves 8N1, units 1..10, holding and input registers, and prints one line
 * of JSON. It measures for so many seconds, beginning 10 s after the first request: by then the
 * master knows which units are dead.
 */
#include "drivers/frame.h"
#include "drivers/plan.h"

#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { UNITS = 10, THINK_US = 1000, PIECE = 8, WARM_US = 10000000 };

struct bus {
	int fd, keep;
	int64_t char_ns, t35_us;
	int64_t end_us; /* of the last character on the line */
	int64_t first_us, last_us[UNITS + 1], gap_us[UNITS + 1];
	unsigned long live[UNITS + 1], to_dead, early, garbage;
	int64_t least_silence_us;
	unsigned answers; /* ever; registers show it, so that no answer is a copy of a recent one */
	int dead[UNITS + 1];
};

static int64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void
wait_until(int64_t us)
{
	struct timespec ts = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

static int64_t
chars_us(const struct bus *b, size_t n)
{
	return (int64_t)n * b->char_ns / 1000;
}

/* Pieces leave when their last character would have; so the last byte is exactly on time. */
static void
answer(struct bus *b, const uint8_t *adu, size_t n, int64_t start_us)
{
	for (size_t at = 0; at < n;) {
		size_t piece = n - at > PIECE ? PIECE : n - at;

		wait_until(start_us + chars_us(b, at + piece));
		/* before the write: the master may act on it before we look at the clock again */
		b->end_us = now_us();
		if (write(b->fd, adu + at, piece) != (ssize_t)piece)
			b->garbage++;
		at += piece;
	}
}

static void
count(struct bus *b, unsigned unit)
{
	if (b->last_us[unit] && b->end_us - b->last_us[unit] > b->gap_us[unit])
		b->gap_us[unit] = b->end_us - b->last_us[unit];
	b->last_us[unit] = b->end_us;
	b->live[unit]++;
}

static void
serve(struct bus *b, const uint8_t *req, int64_t at_us)
{
	uint8_t pdu[FRAME_PDU_MAX] = {req[1]}, adu[FRAME_RTU_MAX];
	unsigned unit = req[0], words = (unsigned)req[4] << 8 | req[5];
	int64_t silence_us = at_us - b->end_us;

	if (b->end_us && silence_us < b->t35_us)
		b->early++;
	if (b->end_us && silence_us < b->least_silence_us)
		b->least_silence_us = silence_us;
	b->end_us = at_us + chars_us(b, 8);
	if (unit == 0 || unit > UNITS || b->dead[unit] || words == 0 || words > 125) {
		b->to_dead++;
		return;
	}
	pdu[1] = (uint8_t)(2 * words);
	for (unsigned i = 0; i < words; i++) {
		pdu[2 + 2 * i] = (uint8_t)((b->answers + i) >> 8);
		pdu[3 + 2 * i] = (uint8_t)(b->answers + i);
	}
	b->answers++;
	answer(b, adu, frame_build_rtu(adu, (uint8_t)unit, pdu, 2 + 2 * words),
		b->end_us + b->t35_us + THINK_US);
	count(b, unit);
}

/* One request: a read brings it whole, or not at all. */
static void
take_request(struct bus *b)
{
	uint8_t in[512];
	int64_t at_us = now_us();
	ssize_t n = read(b->fd, in, sizeof(in));

	if (n <= 0)
		return;
	if (!b->first_us)
		b->first_us = at_us;
	if (n != 8 || frame_crc16(in, 6) != (in[6] | (unsigned)in[7] << 8))
		b->garbage++;
	else
		serve(b, in, at_us);
}

static void
forget_results(struct bus *b)
{
	memset(b->live, 0, sizeof(b->live));
	memset(b->gap_us, 0, sizeof(b->gap_us));
	b->to_dead = b->early = b->garbage = 0;
	b->least_silence_us = INT64_MAX;
}

static void
run(struct bus *b, int64_t length_us)
{
	bool warm = false;

	while (!b->first_us || now_us() < b->first_us + WARM_US + length_us) {
		struct pollfd pfd = {.fd = b->fd, .events = POLLIN};

		if (!warm && b->first_us && now_us() >= b->first_us + WARM_US) {
			forget_results(b);
			warm = true;
		}
		if (poll(&pfd, 1, 100) > 0 && pfd.revents & POLLIN)
			take_request(b);
	}
}

static void
print_results(const struct bus *b, int baud, double seconds)
{
	unsigned long live = 0;
	int64_t gap_us = 0, tail_us;

	for (unsigned u = 1; u <= UNITS; u++) {
		live += b->live[u];
		tail_us = now_us() - b->last_us[u]; /* a unit that was forgotten counts too */
		if (!b->dead[u] && b->last_us[u] && tail_us > b->gap_us[u])
			gap_us = tail_us > gap_us ? tail_us : gap_us;
		gap_us = b->gap_us[u] > gap_us ? b->gap_us[u] : gap_us;
	}
	printf("{\"baud\":%d,\"seconds\":%.1f,\"live\":%lu,\"live_per_s\":%.2f,\"longest_gap_s\":%.3f,"
	       "\"to_dead\":%lu,\"early\":%lu,\"least_silence_us\":%lld,\"garbage\":%lu}\n",
		baud, seconds, live, (double)live / seconds, (double)gap_us / 1e6, b->to_dead,
		b->early, (long long)b->least_silence_us, b->garbage);
}

int
main(int argc, char **argv)
{
	struct bus b = {.least_silence_us = INT64_MAX};
	struct termios t = {0};
	char path[64];
	int baud = argc > 1 ? atoi(argv[1]) : 0;
	double seconds = argc > 2 ? atof(argv[2]) : 0;

	if (baud <= 0 || seconds <= 0) {
		fprintf(stderr, "usage: rtu_line BAUD SECONDS [DEAD,DEAD...]\n");
		return 64;
	}
	for (char *s = argc > 3 ? strtok(argv[3], ",") : NULL; s; s = strtok(NULL, ",")) {
		if (atoi(s) >= 1 && atoi(s) <= UNITS)
			b.dead[atoi(s)] = 1;
	}
	prctl(PR_SET_TIMERSLACK, 1);
	/* A line does not stand still because a computer is busy; without the right to say so it
	 * may. */
	(void)sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 10});
	cfmakeraw(&t);
	if (openpty(&b.fd, &b.keep, path, &t, NULL) < 0) {
		perror("openpty");
		return 1;
	}
	b.char_ns = plan_char_ns(baud, "8N1");
	b.t35_us = plan_t35_us(baud, "8N1");
	printf("%s\n", path);
	fflush(stdout);
	run(&b, (int64_t)(seconds * 1e6));
	print_results(&b, baud, seconds);
	return 0;
}
