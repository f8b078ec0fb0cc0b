/* SPDX-License-Identifier: MIT */
/* profiles.c -- the profiles that are installed, for tools that pick one themselves */
#include "cli/profiles.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PLACES = 4, PATH_SIZE = 4096 };

/* Room for the path of place i; false if there is no such place. */
static bool
place_path(unsigned i, const char *dir, const char *beside, char *out)
{
	const char *slash = beside ? strrchr(beside, '/') : NULL;
	int n = 0;

	switch (i) {
	case 0:
		n = dir ? snprintf(out, PATH_SIZE, "%s", dir) : 0;
		break;
	case 1:
		if (beside)
			n = snprintf(out, PATH_SIZE, "%.*sprofiles",
				slash ? (int)(slash - beside + 1) : 0, beside);
		break;
	case 2:
		n = snprintf(out, PATH_SIZE, "/etc/labpulse/profiles");
		break;
	default:
		n = snprintf(out, PATH_SIZE, "/usr/share/labpulse/profiles");
	}
	return n > 0 && n < PATH_SIZE;
}

struct profile_file *
profiles_find(const char *dir, const char *beside, const char *id, struct problems *problems)
{
	char place[PATH_SIZE], path[PATH_SIZE + 64];

	for (unsigned i = 0; i < PLACES; i++) {
		if (!place_path(i, dir, beside, place))
			continue;
		int n = snprintf(path, sizeof path, "%s/%s.yaml", place, id);
		if (n < (int)sizeof path && !strchr(id, '/') && !access(path, R_OK))
			return profile_load(path, problems);
	}
	problem_add(problems, true, beside ? beside : "labpulse", 0, 0, "profile", "",
		"profile \"%s\" was not found", id);
	return NULL;
}

static int
is_profile(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return n > 5 && !strcmp(entry->d_name + n - 5, ".yaml");
}

static bool
each_in(const char *place, bool (*take)(void *, const struct profile_file *), void *context)
{
	struct dirent **entries;
	int n = scandir(place, &entries, is_profile, alphasort);
	bool more = true;

	for (int i = 0; i < n; i++) {
		char path[PATH_SIZE + 256];
		struct problems problems = {0};
		snprintf(path, sizeof path, "%s/%s", place, entries[i]->d_name);
		struct profile_file *profile = more ? profile_load(path, &problems) : NULL;
		if (profile)
			more = take(context, profile);
		profile_free(profile);
		problems_free(&problems);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return more;
}

void
profiles_each(const char *dir, const char *beside,
	bool (*take)(void *context, const struct profile_file *profile), void *context)
{
	char place[PATH_SIZE];

	for (unsigned i = 0; i < PLACES; i++)
		if (place_path(i, dir, beside, place) && !each_in(place, take, context))
			return;
}
