/* SPDX-License-Identifier: MIT */
/* check.h -- `labpulse check`: every problem of a configuration, and what would be polled */
#ifndef CLI_CHECK_H
#define CLI_CHECK_H

#include <stdbool.h>

/* Loads the configuration as the daemon would and prints problems (stderr, or in the JSON) and
 * the plan (stdout). Returns the exit code: 0, or 78 if there is an error. `profiles_dir`: NULL
 * for none. */
int check_run(const char *file, const char *profiles_dir, bool json);
/* The same for one profile. */
int check_profile(const char *file, bool json);

#endif
