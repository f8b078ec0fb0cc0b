/* SPDX-License-Identifier: MIT */
/* clock.c -- two clocks and an opinion on one of them */
#include "daemon/clock.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#define LEAST_STEP_MS 100

static struct {
	enum clock_state state;
	double offset_ms;
	bool kernel_refuses;
} now;

static int64_t
read_ns(clockid_t id)
{
	struct timespec ts;
	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t
clock_mono_us(void)
{
	return read_ns(CLOCK_MONOTONIC) / 1000;
}

int64_t
clock_wall_ms(void)
{
	return read_ns(CLOCK_REALTIME) / 1000000;
}

struct moment
clock_now(void)
{
	return (struct moment){.us = clock_mono_us(), .wall_ms = clock_wall_ms()};
}

int64_t
clock_boot_ms(void)
{
	return read_ns(CLOCK_BOOTTIME) / 1000000;
}

/* The thread may lose the processor between two looks: the closest of three counts. */
int64_t
clock_lead_ms(void)
{
	int64_t lead_ns = 0, closest_ns = INT64_MAX;
	for (int i = 0; i < 3; i++) {
		int64_t before = read_ns(CLOCK_BOOTTIME);
		int64_t wall = read_ns(CLOCK_REALTIME);
		int64_t after = read_ns(CLOCK_BOOTTIME);
		if (after - before >= closest_ns)
			continue;
		closest_ns = after - before;
		lead_ns = wall - before;
	}
	return lead_ns / 1000000;
}

/* ---- is it set? ----------------------------------------------------------------------------- */

static bool
synced_by_file(void)
{
	struct stat st;
	return stat("/run/systemd/timesync/synchronized", &st) == 0;
}

static bool
synced_by_kernel(void)
{
	struct timex tx = {.modes = 0};
	int rc = adjtimex(&tx);
	now.kernel_refuses = rc < 0; /* EPERM: the unit's ProtectClock= */
	if (rc < 0)
		return false;
	now.offset_ms = (double)tx.offset / ((tx.status & STA_NANO) ? 1e6 : 1e3);
	return rc != TIME_ERROR && !(tx.status & STA_UNSYNC);
}

static bool
synced_by_any(void)
{
	return synced_by_file() || synced_by_kernel();
}

static bool
synced_by_trust(void)
{
	return true;
}

enum clock_state
clock_update(enum clock_source source)
{
	static bool (*const ask[])(void) = {
		[CLOCK_SOURCE_AUTO] = synced_by_any,
		[CLOCK_SOURCE_FILE] = synced_by_file,
		[CLOCK_SOURCE_KERNEL] = synced_by_kernel,
		[CLOCK_SOURCE_TRUST] = synced_by_trust,
	};
	if (ask[source]())
		now.state = CLOCK_SYNCED;
	else if (now.state != CLOCK_UNSYNCED)
		now.state = CLOCK_HOLDOVER;
	return now.state;
}

enum clock_state
clock_state(void)
{
	return now.state;
}

bool
clock_is_hidden(enum clock_source source)
{
	struct stat st;
	bool timesyncd = stat("/run/systemd/timesync", &st) == 0;
	return now.kernel_refuses &&
	       (source == CLOCK_SOURCE_KERNEL || (source == CLOCK_SOURCE_AUTO && !timesyncd));
}

struct stamp
clock_stamp(void)
{
	return (struct stamp){
		.unsynced = now.state == CLOCK_UNSYNCED, .offset_ms = clock_lead_ms()};
}

double
clock_offset_ms(void)
{
	return now.offset_ms;
}

const char *
clock_state_name(enum clock_state s)
{
	static const char *const names[] = {
		[CLOCK_UNSYNCED] = "unsynced",
		[CLOCK_HOLDOVER] = "holdover",
		[CLOCK_SYNCED] = "synced",
	};
	return names[s];
}

/* ---- it is being set ------------------------------------------------------------------------ */

int64_t
clock_step(int64_t *lead_ms, int64_t lead_now_ms)
{
	int64_t step_ms = lead_now_ms - *lead_ms;
	if (step_ms > -LEAST_STEP_MS && step_ms < LEAST_STEP_MS)
		return 0;
	*lead_ms = lead_now_ms;
	return step_ms;
}

static int
arm(int fd)
{
	const struct itimerspec never = {.it_value = {.tv_sec = INT32_MAX}};
	return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL);
}

int
clock_alarm_open(void)
{
	int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (arm(fd) == 0)
		return fd;
	int rc = -errno;
	close(fd);
	return rc;
}

void
clock_alarm_read(int fd)
{
	uint64_t count;
	if (read(fd, &count, sizeof(count)) < 0 && errno == ECANCELED)
		arm(fd);
}
