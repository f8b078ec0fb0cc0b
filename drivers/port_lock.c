/* SPDX-License-Identifier: MIT */
/* port_lock.c -- one process per serial port, and who it is that has it
 *
 * Two masters on one line make garbage, so a port is locked with flock(2), as minicom, picocom and
 * pyserial (exclusive) do, before its settings are touched. The holder is looked up in
 * /proc/locks, else among the open files of the processes we may see.
 */
#include "drivers/link_impl.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { NAME_MAX_LEN = 32, PROC_PATH_MAX = 600 };

static void
describe(long pid, char holder[LINK_HOLDER_MAX])
{
	char path[PROC_PATH_MAX], name[NAME_MAX_LEN] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%ld/comm", pid);
	f = fopen(path, "re");
	if (f) {
		if (fgets(name, sizeof(name), f))
			name[strcspn(name, "\n")] = '\0';
		fclose(f);
	}
	snprintf(holder, LINK_HOLDER_MAX, "%s (pid %ld)", name[0] ? name : "a process", pid);
}

/* "1: FLOCK  ADVISORY  WRITE 812 00:05:123 0 EOF" */
static long
pid_in_locks(const struct stat *st)
{
	FILE *f = fopen("/proc/locks", "re");
	char line[160];
	long found = 0;

	while (f && !found && fgets(line, sizeof(line), f)) {
		unsigned major_nr, minor_nr;
		unsigned long long inode;
		long pid;

		if (sscanf(line, "%*s FLOCK %*s %*s %ld %x:%x:%llu", &pid, &major_nr, &minor_nr,
			    &inode) == 4 &&
			pid > 0 && inode == st->st_ino && major_nr == major(st->st_dev) &&
			minor_nr == minor(st->st_dev))
			found = pid;
	}
	if (f)
		fclose(f);
	return found;
}

static bool
holds(const char *pid, const struct stat *st)
{
	char path[PROC_PATH_MAX];
	struct dirent *e;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	dir = opendir(path);
	while (dir && !found && (e = readdir(dir))) {
		struct stat other;

		snprintf(path, sizeof(path), "/proc/%s/fd/%s", pid, e->d_name);
		found = stat(path, &other) == 0 && other.st_dev == st->st_dev &&
			other.st_ino == st->st_ino;
	}
	if (dir)
		closedir(dir);
	return found;
}

static long
pid_in_fds(const struct stat *st)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	long found = 0, self = getpid();

	while (dir && !found && (e = readdir(dir))) {
		if (isdigit((unsigned char)e->d_name[0]) && atol(e->d_name) != self &&
			holds(e->d_name, st))
			found = atol(e->d_name);
	}
	if (dir)
		closedir(dir);
	return found;
}

static void
find_holder(const char *path, char holder[LINK_HOLDER_MAX])
{
	struct stat st;
	long pid;

	holder[0] = '\0';
	if (stat(path, &st) < 0)
		return;
	pid = pid_in_locks(&st);
	if (!pid)
		pid = pid_in_fds(&st);
	if (pid)
		describe(pid, holder);
}

int
port_lock(const char *path, char holder[LINK_HOLDER_MAX])
{
	int rc, fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0) {
		rc = -errno; /* EBUSY: somebody set TIOCEXCL */
	} else if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		rc = errno == EWOULDBLOCK ? -EBUSY : -errno;
		close(fd);
	} else {
		return fd;
	}
	if (rc == -EBUSY)
		find_holder(path, holder);
	return rc;
}

void
port_unlock(int fd)
{
	if (fd >= 0)
		close(fd);
}
