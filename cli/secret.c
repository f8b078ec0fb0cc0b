/* SPDX-License-Identifier: MIT */
/* secret.c -- a password out of a file */
#include "cli/secret.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "config/secret_file.h"

int
secret_read(const char *file, const char *credential, char buf[SECRET_SIZE])
{
	char path[4096];
	const char *from = file, *dir = getenv("CREDENTIALS_DIRECTORY");

	if (!from && dir && credential) {
		snprintf(path, sizeof path, "%s/%s", dir, credential);
		from = path;
	}
	FILE *in = from ? fopen(from, "re") : NULL;
	if (!in)
		return file ? -errno : 0;
	buf[0] = '\0';
	bool failed = !fgets(buf, SECRET_SIZE, in) && ferror(in);
	fclose(in);
	buf[strcspn(buf, "\r\n")] = '\0';
	return failed ? -EIO : 1;
}

void
secret_warn(const char *file)
{
	char says[512];

	if (file && secret_file_wrong(file, says, sizeof says))
		cli_fail(CLI_FINE, "warning: %s", says);
}
