/* SPDX-License-Identifier: MIT */
/* secret_file.h -- may others read or replace a file with a password or a key? */
#ifndef CONFIG_SECRET_FILE_H
#define CONFIG_SECRET_FILE_H

#include <stdbool.h>
#include <stddef.h>

/* True: something is wrong, and buf says what: "FILE can be read by everybody (mode 0644)". Its
 * group may read it. A file that may not be looked at, or whose directory is not here either, is
 * not judged. Any thread. */
bool secret_file_wrong(const char *file, char *buf, size_t size);

#endif
