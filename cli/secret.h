/* SPDX-License-Identifier: MIT */
/* secret.h -- a password out of a file: never in the arguments, which everybody sees */
#ifndef CLI_SECRET_H
#define CLI_SECRET_H

#include <stddef.h>

enum { SECRET_SIZE = 1024 };

/* The first line of `file`; without one, of the systemd credential of that name, if it exists
 * (systemd.exec(5), LoadCredential; NULL: none). 1: buf holds it; 0: there is none;
 * -errno: the file cannot be read. Any thread. */
int secret_read(const char *file, const char *credential, char buf[SECRET_SIZE]);
/* Says on stderr if others can read or replace it. NULL: nothing to say. */
void secret_warn(const char *file);

#endif
