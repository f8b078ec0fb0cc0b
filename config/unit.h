/* SPDX-License-Identifier: MIT */
/* unit.h -- units, and the classes that fix them
 *
 * A profile says in what its registers count; what is published is one unit per quantity.
 */
#ifndef CONFIG_UNIT_H
#define CONFIG_UNIT_H

#include <stdbool.h>

struct unit {
	const char *name;
	const char *published; /* "W" */
	const char *suffix;    /* of the point's id: "_w" */
	double factor;         /* name x factor = published */
};

struct point_class {
	const char *name;
	const char *unit; /* published; "": none, UNIT_ANY: whatever the profile says */
	bool counter;     /* counts up */
};

#define UNIT_ANY "*"

const struct unit *unit_find(const char *name); /* NULL: not known */
const struct unit *unit_at(unsigned i);         /* NULL after the last */
const struct point_class *class_find(const char *name);
const struct point_class *class_at(unsigned i);
/* The unit whose suffix the id ends in, or NULL. */
const struct unit *unit_of_id(const char *id);

#endif
