/* SPDX-License-Identifier: MIT */
/* profile_load.h -- the steps from a profile's text to a profile; private to config/
 *
 * profile.c reads files into drafts (two with `extends`), profile_point.c makes points of theirs,
 * profile_check.c looks at all of them together.
 */
#ifndef CONFIG_PROFILE_LOAD_H
#define CONFIG_PROFILE_LOAD_H

#include "config/profile_keys.h"

enum { PROFILE_POINTS_MAX = 2000, PROFILE_GROUPS_MAX = 32 };

struct profile_loader {
	struct reader r;
	struct arena *scratch; /* drafts; gone after loading */
	struct profile_file *out;
	struct profile_draft d;
	struct group_draft *groups;
	size_t n_groups;
	struct point_draft *points;
	size_t n_points;
	const struct node *root; /* of the file itself, not of the one it extends */
	const char *file;
	const char *base_file; /* of the one that it extends; NULL: none */
};

/* Problems of this key's value are of the file that it came from: with `extends`, maybe of the
 * other one. NULL key: of the file itself. */
void profile_enter(struct profile_loader *l, const char *key);

/* Where profiles are looked for, in order; NULL entries are skipped. */
struct profile_dirs {
	const char *dirs[6];
	size_t n;
};

/* Text in memory instead of a file, for tests: `file` is a name only. */
struct profile_text {
	const char *file, *text; /* text NULL: read the file */
	size_t len;
};

/* profile_load() with a search path for `extends`, adding to the hash what was read. */
struct profile_file *profile_read(const struct profile_text *what, const struct profile_dirs *dirs,
	struct problems *problems, uint64_t *hash);
/* Path of the profile, of the arena, or NULL. */
const char *profile_find(struct arena *a, const struct profile_dirs *dirs, const char *id);
bool profile_id_ok(const char *id);

/* profile_point.c: settles one draft's own numbers: address, type, unit, ranges, sentinels. */
void profile_point_settle(struct profile_loader *l, struct point_draft *d);
/* Raw contents from a list; false and errors if one does not fit the type. */
bool profile_raws(struct profile_loader *l, const struct node *list, const char *key,
	const struct reg_type_facts *type, uint64_t **out, size_t *n);
int profile_decimals(double scale);

/* How many registers or bits one request of this table may hold: the profile's limit, or the
 * protocol's where it leaves that open. */
int profile_most(const struct profile_limits *limits, enum table table);

/* profile_check.c: everything that needs more than one point. */
void profile_check(struct profile_loader *l);
/* profile_identify.c */
void profile_identify(struct profile_loader *l);

#endif
