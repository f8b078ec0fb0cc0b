/* SPDX-License-Identifier: MIT */
/* profiles.h -- the profiles that are installed, for tools that pick one themselves */
#ifndef CLI_PROFILES_H
#define CLI_PROFILES_H

#include "config/profile.h"

/* Loads the profile with this id from `dir` (NULL: none), then from profiles/ beside the file
 * `beside` (NULL: none), /etc/labpulse/profiles, /usr/share/labpulse/profiles. NULL if it is
 * nowhere or wrong; problems tell. Free with profile_free(). */
struct profile_file *profiles_find(
	const char *dir, const char *beside, const char *id, struct problems *problems);
/* Calls `take` for every profile in these places, by id, until it returns false. What is wrong
 * with single files is not told. */
void profiles_each(const char *dir, const char *beside,
	bool (*take)(void *context, const struct profile_file *profile), void *context);

#endif
