/* SPDX-License-Identifier: MIT */
/* folder.h -- an empty folder for each input of a fuzz target, in memory where there is /dev/shm */
#ifndef TESTS_FUZZ_FOLDER_H
#define TESTS_FUZZ_FOLDER_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64];

static inline void
folder_clear(void)
{
	DIR *dir = opendir(folder);

	for (struct dirent *e; dir && (e = readdir(dir));)
		unlinkat(dirfd(dir), e->d_name, 0);
	if (dir)
		closedir(dir);
}

static inline void
folder_remove(void)
{
	folder_clear();
	rmdir(folder);
}

/* The same one each time; it goes with the process. */
static inline const char *
folder_empty(void)
{
	if (!folder[0]) {
		snprintf(folder, sizeof(folder), "%s/labpulse-fuzz.XXXXXX",
			access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
		if (!mkdtemp(folder))
			abort();
		atexit(folder_remove);
	}
	folder_clear();
	return folder;
}

#endif
