/* SPDX-License-Identifier: MIT */
/* profile_keys.h -- every key of a profile, and the drafts they are read into
 *
 * Private to config/ and to what writes schemas and documentation. A draft remembers its node and
 * file, because what is wrong with it may only show beside another.
 */
#ifndef CONFIG_PROFILE_KEYS_H
#define CONFIG_PROFILE_KEYS_H

#include "config/keys.h"
#include "config/profile.h"

struct profile_draft {
	int schema, revision;
	const char *id, *kind, *vendor, *status, *extends, *format;
	struct text title;
	struct profile_link link;
	struct profile_limits limits;
	enum { HOLES_FORBID, HOLES_ALLOW } holes;
	const struct node *models, *sources, *verified, *caveats, *transports, *bauds;
	const struct node *identify, *groups, *points, *alarms, *usage;
};

struct group_draft {
	struct group g;
	bool atomic;
	const struct node *exact, *node;
	const char *file;
};

struct exact_draft {
	struct exact_range range;
	int start, count;
};

struct point_draft {
	struct reg_point p;
	const char *id, *doc_ref, *unit, *class, *group, *sign_from, *atomic_with;
	bool address_is_wire;
	enum { ACCESS_READ, ACCESS_WRITE } access;
	int count, chars;
	double scale;
	const struct node *address, *bits, *scale_from, *range, *enums, *enum_text, *counter,
		*sources;
	const struct node *raw_na, *raw_error, *raw_unsupported, *repeat;
	const struct node *node; /* the point's map */
	const char *file;
	int64_t wire;  /* the address, repeat counted in */
	int bits_wide; /* of the raw value */
	bool broken;   /* told already; settling it would only say more of the same */
};

struct bits_draft {
	int shift, width;
};

struct scale_from_draft {
	const char *point;
	enum scale_mode mode;
};

struct counter_draft {
	double wraps_at, max_step;
	enum { RESET_DETECT, RESET_NEVER } reset;
};

struct repeat_draft {
	int n;
	const char *var;
};

struct address_draft {
	int base, step;
};

struct origin_draft { /* an entry of `sources` */
	const char *id, *origin, *title, *url, *seen;
};

struct verified_draft {
	const char *by, *date, *firmware, *serial_suffix;
	const struct node *points;
};

struct identify_draft {
	struct identify i;
	int fc, object, address, count, chars;
	const struct node *any_of;
};

extern const struct key_table profile_table, group_table, exact_table, point_table, bits_table;
extern const struct key_table scale_from_table, counter_table, repeat_table, address_table;
extern const struct key_table origin_table, verified_table, caveat_table, identify_table;

extern const char *const profile_type_words[], *const profile_table_words[];
extern const char *const profile_order_words[];

struct reg_type_facts {
	const char *name;
	int regs; /* 0: as `count` says */
	int bits;
	bool is_signed, is_integer;
};

/* Indexed by enum reg_type. */
extern const struct reg_type_facts profile_types[];

#endif
