/* SPDX-License-Identifier: MIT */
/* shim.c -- a bad disk and a bad clock for a program that is preloaded with it (LD_PRELOAD)
 *
 * TORTURE_CONTROL names a file of int64_t words that both sides map (shim.py has the same list):
 * the harness writes what is to go wrong, the shim writes what it saw. TORTURE_SPOOL is the folder
 * whose files have the bad disk. TORTURE_UNDO, if set, is a folder for what the power is to take:
 * for each file, by its inode, what its writes since the last sync replaced. TORTURE_STEPS is a
 * FIFO: it stands for a timer of TFD_TIMER_CANCEL_ON_SET, and a byte in it is a step of the clock.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

enum word {
	DISK_ERRNO, /* 0: it works */
	DISK_OPS,   /* which calls fail: the bits below */
	DISK_PERCENT,
	DISK_DELAY_MS,
	CLOCK_OFFSET_MS, /* added to CLOCK_REALTIME */
	SYNC,            /* 0: as it is, 1: synchronised, 2: not */
	BOOT_MS,         /* taken from CLOCK_BOOTTIME: when the computer started */
	WRITTEN = 8,     /* bytes, below the folder */
	WRITES,
	SYNCS,
	FAILED, /* calls that were made to fail */
	WORDS = 64
};
enum { OP_WRITE = 1, OP_SYNC = 2, OP_TRUNCATE = 4, OP_CREATE = 8, OP_READ = 16 };

static _Atomic int64_t nothing[WORDS];
static _Atomic int64_t *control = nothing;
static const char *folder;
static atomic_int step_fd = -1;

#define DECLARE(name) static __typeof__(name) *real_##name
DECLARE(write);
DECLARE(pwrite64);
DECLARE(read);
DECLARE(pread64);
DECLARE(fsync);
DECLARE(fdatasync);
DECLARE(ftruncate64);
DECLARE(open64);
DECLARE(close);
DECLARE(stat);
DECLARE(lstat);
DECLARE(access);
DECLARE(fopen);
DECLARE(adjtimex);
DECLARE(timerfd_create);
DECLARE(timerfd_settime);
DECLARE(pthread_timedjoin_np);

static void
find_all(void)
{
#define FIND(name) *(void **)&real_##name = dlsym(RTLD_NEXT, #name)
	FIND(write), FIND(pwrite64), FIND(read), FIND(pread64), FIND(fsync), FIND(fdatasync);
	FIND(ftruncate64), FIND(open64), FIND(close), FIND(stat), FIND(lstat), FIND(access);
	FIND(fopen), FIND(adjtimex), FIND(timerfd_create), FIND(timerfd_settime);
	FIND(pthread_timedjoin_np);
}

/* Other libraries may call before this one begins. */
#define REAL(name) (real_##name ? real_##name : (find_all(), real_##name))

__attribute__((constructor)) static void
begin(void)
{
	const char *path = getenv("TORTURE_CONTROL");
	int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	void *at = mmap(NULL, sizeof nothing, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	syscall(SYS_close, fd);
	if (at == MAP_FAILED)
		return;
	folder = getenv("TORTURE_SPOOL");
	control = at;
}

/* ---- disk ---------------------------------------------------------------------------------- */

static bool
is_below(const char *path)
{
	size_t n = folder ? strlen(folder) : 0;
	return n && strncmp(path, folder, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

static bool
is_ours(int fd)
{
	char link[40], path[PATH_MAX];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = folder ? readlink(link, path, sizeof path - 1) : -1;
	if (n < 0)
		return false;
	path[n] = '\0';
	return is_below(path);
}

static bool
chance(int64_t percent)
{
	static atomic_uint seed = 1;
	unsigned x = atomic_fetch_add(&seed, 0x9E3779B9u);
	x ^= x >> 16, x *= 0x85EBCA6Bu, x ^= x >> 13;
	return (int64_t)(x % 100) < percent;
}

/* Whether the call fails, with errno set; a slow disk takes its time first. */
static bool
fails(int op)
{
	int64_t ms = control[DISK_DELAY_MS];
	if (ms > 0 && op != OP_READ && op != OP_CREATE) {
		struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
		nanosleep(&ts, NULL);
	}
	if (!control[DISK_ERRNO] || !(control[DISK_OPS] & op) || !chance(control[DISK_PERCENT]))
		return false;
	control[FAILED]++;
	errno = (int)control[DISK_ERRNO];
	return true;
}

struct undo {
	int64_t at, n, size; /* n bytes follow, which stood there; size of the file */
};

static int
undo_file(int fd, struct stat *st, int flags)
{
	char path[PATH_MAX];
	const char *dir = getenv("TORTURE_UNDO");
	if (!dir || syscall(SYS_fstat, fd, st) != 0)
		return -1;
	snprintf(path, sizeof path, "%s/%llu", dir, (unsigned long long)st->st_ino);
	return (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC | flags, 0600);
}

/* Before n bytes at `at` become others. */
static void
remember(int fd, off64_t at, size_t n)
{
	struct stat st;
	int undo = undo_file(fd, &st, O_CREAT | O_APPEND);
	if (undo < 0)
		return;
	off64_t left = st.st_size > at ? st.st_size - at : 0;
	struct undo u = {.at = at, .n = (off64_t)n < left ? (off64_t)n : left, .size = st.st_size};
	char *block = malloc(sizeof u + (size_t)u.n);
	if (block) {
		memcpy(block, &u, sizeof u);
		if (REAL(pread64)(fd, block + sizeof u, (size_t)u.n, at) == u.n)
			syscall(SYS_write, undo, block, sizeof u + (size_t)u.n);
		free(block);
	}
	syscall(SYS_close, undo);
}

static void
forget(int fd)
{
	struct stat st;
	int undo = undo_file(fd, &st, O_TRUNC);
	if (undo >= 0)
		syscall(SYS_close, undo);
}

static ssize_t
count(ssize_t n)
{
	if (n > 0) {
		control[WRITTEN] += n;
		control[WRITES]++;
	}
	return n;
}

ssize_t
write(int fd, const void *data, size_t n)
{
	if (!is_ours(fd))
		return REAL(write)(fd, data, n);
	return fails(OP_WRITE) ? -1 : count(REAL(write)(fd, data, n));
}

ssize_t
pwrite64(int fd, const void *data, size_t n, off64_t at)
{
	if (!is_ours(fd))
		return REAL(pwrite64)(fd, data, n, at);
	if (fails(OP_WRITE))
		return -1;
	remember(fd, at, n);
	return count(REAL(pwrite64)(fd, data, n, at));
}

ssize_t
pwrite(int fd, const void *data, size_t n, off_t at)
{
	return pwrite64(fd, data, n, at);
}

ssize_t
pread64(int fd, void *data, size_t n, off64_t at)
{
	if (control[DISK_ERRNO] && is_ours(fd) && fails(OP_READ))
		return -1;
	return REAL(pread64)(fd, data, n, at);
}

ssize_t
pread(int fd, void *data, size_t n, off_t at)
{
	return pread64(fd, data, n, at);
}

static int
sync_file(int fd, int (*real)(int))
{
	if (!is_ours(fd))
		return real(fd);
	control[SYNCS]++;
	if (fails(OP_SYNC) || real(fd) != 0)
		return -1;
	forget(fd);
	return 0;
}

int
fsync(int fd)
{
	return sync_file(fd, REAL(fsync));
}

int
fdatasync(int fd)
{
	return sync_file(fd, REAL(fdatasync));
}

int
ftruncate64(int fd, off64_t size)
{
	if (!is_ours(fd))
		return REAL(ftruncate64)(fd, size);
	if (fails(OP_TRUNCATE))
		return -1;
	remember(fd, size, INT32_MAX);
	return REAL(ftruncate64)(fd, size);
}

int
ftruncate(int fd, off_t size)
{
	return ftruncate64(fd, size);
}

/* ---- is the clock synchronised? ------------------------------------------------------------- */

static bool
tells_sync(const char *path)
{
	return control[SYNC] && path && strcmp(path, "/run/systemd/timesync/synchronized") == 0;
}

/* The path to look at instead; NULL: it is not there. */
static const char *
other_path(const char *path)
{
	const char *boot = getenv("TORTURE_BOOT");
	if (boot && path && strcmp(path, "/proc/sys/kernel/random/boot_id") == 0)
		return boot;
	if (!tells_sync(path))
		return path;
	errno = ENOENT;
	return control[SYNC] == 1 ? "/" : NULL;
}

static int
open_file(const char *path, int flags, mode_t mode)
{
	if (!(path = other_path(path)))
		return -1;
	if (is_below(path) && (flags & O_CREAT) && REAL(access)(path, F_OK) && fails(OP_CREATE))
		return -1;
	return REAL(open64)(path, flags, mode);
}

int
open64(const char *path, int flags, ...)
{
	va_list ap;
	va_start(ap, flags);
	mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return open_file(path, flags, mode);
}

int
open(const char *path, int flags, ...)
{
	va_list ap;
	va_start(ap, flags);
	mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return open_file(path, flags, mode);
}

int
stat(const char *path, struct stat *st)
{
	return (path = other_path(path)) ? REAL(stat)(path, st) : -1;
}

int
lstat(const char *path, struct stat *st)
{
	return (path = other_path(path)) ? REAL(lstat)(path, st) : -1;
}

int
access(const char *path, int mode)
{
	return (path = other_path(path)) ? REAL(access)(path, mode) : -1;
}

FILE *
fopen(const char *path, const char *mode)
{
	return (path = other_path(path)) ? REAL(fopen)(path, mode) : NULL;
}

int
adjtimex(struct timex *tx)
{
	int rc = REAL(adjtimex)(tx);
	if (!control[SYNC] || rc < 0)
		return rc;
	bool synced = control[SYNC] == 1;
	tx->status = synced ? tx->status & ~STA_UNSYNC : tx->status | STA_UNSYNC;
	return synced ? TIME_OK : TIME_ERROR;
}

int
clock_adjtime(clockid_t id, struct timex *tx)
{
	if (id == CLOCK_REALTIME)
		return adjtimex(tx);
	return (int)syscall(SYS_clock_adjtime, id, tx);
}

/* ---- what time is it? ----------------------------------------------------------------------- */

static void
add_ms(struct timespec *ts, int64_t ms)
{
	int64_t ns = ts->tv_nsec + ms % 1000 * 1000000;
	ts->tv_sec += ms / 1000 + (ns >= 1000000000) - (ns < 0);
	ts->tv_nsec = (ns + 1000000000) % 1000000000;
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	/* Not through libc: that may ask before this library is ready, from anywhere. */
	int rc = (int)syscall(SYS_clock_gettime, id, ts);
	if (rc == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		add_ms(ts, control[CLOCK_OFFSET_MS]);
	if (rc == 0 && id == CLOCK_BOOTTIME)
		add_ms(ts, -control[BOOT_MS]);
	return rc;
}

time_t
time(time_t *out)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	if (out)
		*out = ts.tv_sec;
	return ts.tv_sec;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
	struct timespec ts;
	(void)tz;
	clock_gettime(CLOCK_REALTIME, &ts);
	*tv = (struct timeval){.tv_sec = ts.tv_sec, .tv_usec = ts.tv_nsec / 1000};
	return 0;
}

int
pthread_timedjoin_np(pthread_t thread, void **result, const struct timespec *until)
{
	struct timespec ts = *until;
	add_ms(&ts, -control[CLOCK_OFFSET_MS]);
	return REAL(pthread_timedjoin_np)(thread, result, &ts);
}

/* ---- told when the clock is set -------------------------------------------------------------- */

int
timerfd_create(int id, int flags)
{
	const char *fifo = getenv("TORTURE_STEPS");
	if (id != CLOCK_REALTIME || !fifo)
		return REAL(timerfd_create)(id, flags);
	int how = (flags & TFD_NONBLOCK ? O_NONBLOCK : 0) | (flags & TFD_CLOEXEC ? O_CLOEXEC : 0);
	int fd = REAL(open64)(fifo, O_RDWR | how);
	step_fd = fd;
	return fd;
}

int
timerfd_settime(int fd, int flags, const struct itimerspec *value, struct itimerspec *old)
{
	return fd == step_fd ? 0 : REAL(timerfd_settime)(fd, flags, value, old);
}

ssize_t
read(int fd, void *data, size_t n)
{
	char steps[64];
	if (fd < 0 || fd != step_fd)
		return REAL(read)(fd, data, n);
	if (REAL(read)(fd, steps, sizeof steps) > 0)
		errno = ECANCELED;
	return -1;
}

int
close(int fd)
{
	int expected = fd;
	if (fd >= 0)
		atomic_compare_exchange_strong(&step_fd, &expected, -1);
	return REAL(close)(fd);
}
