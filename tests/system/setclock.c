/* SPDX-License-Identifier: MIT */
/* setclock.c -- LD_PRELOAD: a computer whose clock can be wrong, set, and hurried
 *
 * $SETCLOCK is a folder. Its file "clock" holds two int64: what CLOCK_REALTIME is ahead in ms, and
 * what time as a whole has been hurried in ms. "synchronized" is what timesyncd touches. "set" is a
 * FIFO that becomes readable when a test says that the clock was set. With "refused" the kernel may
 * not be asked, as under ProtectClock= of systemd.exec(5).
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *ahead; /* [0] wall clock, [1] all clocks */
static int alarm_fd = -1;

static const char *
path_of(const char *name, char *buf, size_t size)
{
	snprintf(buf, size, "%s/%s", getenv("SETCLOCK"), name);
	return buf;
}

__attribute__((constructor)) static void
begin(void)
{
	char path[4096];
	int fd = getenv("SETCLOCK") ? open(path_of("clock", path, sizeof(path)), O_RDONLY) : -1;
	void *at = fd >= 0 ? mmap(NULL, 16, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
	ahead = at == MAP_FAILED ? NULL : at;
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	static int (*real)(clockid_t, struct timespec *);
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
	int rc = real(id, ts);
	bool wall = id == CLOCK_REALTIME;
	if (rc != 0 || !ahead || !(wall || id == CLOCK_MONOTONIC || id == CLOCK_BOOTTIME))
		return rc;
	int64_t ms = ahead[1] + (wall ? ahead[0] : 0);
	int64_t ns = ts->tv_sec * 1000000000LL + ts->tv_nsec + ms * 1000000;
	ts->tv_sec = ns / 1000000000;
	ts->tv_nsec = ns % 1000000000;
	return 0;
}

int
stat(const char *path, struct stat *st)
{
	static int (*real)(const char *, struct stat *);
	char other[4096];
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "stat");
	if (strcmp(path, "/run/systemd/timesync/synchronized") == 0)
		path = path_of("synchronized", other, sizeof(other));
	return real(path, st);
}

int
adjtimex(struct timex *tx)
{
	static int (*real)(struct timex *);
	char path[4096];
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "adjtimex");
	if (access(path_of("refused", path, sizeof(path)), F_OK) != 0)
		return real(tx);
	errno = EPERM;
	return -1;
}

int
timerfd_create(int id, int flags)
{
	static int (*real)(int, int);
	char path[4096];
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "timerfd_create");
	if (id != CLOCK_REALTIME)
		return real(id, flags);
	alarm_fd = open(path_of("set", path, sizeof(path)), O_RDWR | O_NONBLOCK | O_CLOEXEC);
	return alarm_fd;
}

int
timerfd_settime(int fd, int flags, const struct itimerspec *value, struct itimerspec *old)
{
	static int (*real)(int, int, const struct itimerspec *, struct itimerspec *);
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "timerfd_settime");
	return fd == alarm_fd ? 0 : real(fd, flags, value, old);
}
