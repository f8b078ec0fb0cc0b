/* SPDX-License-Identifier: MIT */
/* temp_dir.h -- a directory of a test's own, removed when the test ends */
#ifndef TESTS_UNIT_TEMP_DIR_H
#define TESTS_UNIT_TEMP_DIR_H

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static const char *
in_dir(const char *name)
{
	static char path[4][512];
	static unsigned at;
	char *to = path[at++ % 4];
	snprintf(to, sizeof(path[0]), "%s/%s", dir, name);
	return to;
}

static int
temp_setup(void **state)
{
	(void)state;
	const char *top = getenv("TMPDIR");
	snprintf(dir, sizeof(dir), "%s/labpulse-test-XXXXXX", top ? top : "/tmp");
	return mkdtemp(dir) ? 0 : -1;
}

static int
temp_teardown(void **state)
{
	(void)state;
	DIR *d = opendir(dir);
	for (struct dirent *e; d && (e = readdir(d));)
		if (unlink(in_dir(e->d_name)) != 0)
			rmdir(in_dir(e->d_name));
	closedir(d);
	return rmdir(dir);
}

/* Bytes on the disk of all files in the directory whose name begins with `prefix`. */
static inline int64_t
temp_bytes(const char *prefix)
{
	int64_t sum = 0;
	DIR *d = opendir(dir);
	for (struct dirent *e; d && (e = readdir(d));) {
		struct stat st;
		if (strncmp(e->d_name, prefix, strlen(prefix)) == 0 &&
			stat(in_dir(e->d_name), &st) == 0)
			sum += st.st_size;
	}
	closedir(d);
	return sum;
}

/* How many files' names begin like that. */
static inline int
temp_count(const char *prefix)
{
	int n = 0;
	DIR *d = opendir(dir);
	for (struct dirent *e; d && (e = readdir(d));)
		n += strncmp(e->d_name, prefix, strlen(prefix)) == 0;
	closedir(d);
	return n;
}

#endif
