/* SPDX-License-Identifier: MIT */
/* secret_file.c -- files with a password or a key that others could read or replace
 *
 * Warnings only: the file may come later, or the configuration is looked at on another computer.
 */
#include "config/secret_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "config/loader.h"

/* What is wrong with a file of this mode; NULL: nothing. */
static const char *
exposed(mode_t mode)
{
	if (!S_ISREG(mode))
		return "is not a file";
	if (mode & (S_IWGRP | S_IWOTH))
		return "can be changed by others";
	if (mode & S_IRWXO)
		return "can be read by everybody";
	return NULL;
}

/* A configuration may be looked at on another computer than the one that it is for: there even the
 * directory is missing. */
static bool
is_missing_here(const char *file)
{
	char dir[512];
	struct stat st;
	size_t len = (size_t)(strrchr(file, '/') - file);

	snprintf(dir, sizeof dir, "%.*s", (int)(len ? len : 1), file);
	return stat(dir, &st) == 0;
}

bool
secret_file_wrong(const char *file, char *buf, size_t size)
{
	struct stat st;
	const char *what;

	/* Not repeated: it may be the password itself. */
	if (!strchr(file, '/')) {
		snprintf(buf, size, "the path of a file is wanted, not what stands in it");
		return true;
	}
	if (stat(file, &st) < 0) {
		snprintf(buf, size, "%s: %s", file, strerror(errno));
		/* The daemon may see more than who asks. */
		return errno == ENOENT ? is_missing_here(file) : errno != EACCES;
	}
	what = exposed(st.st_mode);
	snprintf(buf, size,
		"%s %s (mode %04o); chmod 640 and a group of its readers only, such as "
		"root:labpulse",
		file, what ? what : "", (unsigned)st.st_mode & 07777);
	return what != NULL;
}

static void
check_file(struct loader *l, const struct node *map, const char *key, const char *file)
{
	char path[32], says[512];

	if (!file || !secret_file_wrong(file, says, sizeof says))
		return;
	snprintf(path, sizeof path, "mqtt.%s", key);
	reader_warning(&l->r, node_get(map, key), path, NULL, "%s", says);
}

void
loader_check_secrets(struct loader *l, const struct node *root)
{
	const struct node *map = node_get(root, "mqtt");

	check_file(l, map, "password_file", l->c->mqtt.password_file);
	check_file(l, map, "key_file", l->c->mqtt.key_file);
}
