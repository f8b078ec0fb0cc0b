/* SPDX-License-Identifier: MIT */
/* exposition.h -- metrics as text: OpenMetrics, or Prometheus' older text format
 *
 * https://prometheus.io/docs/instrumenting/exposition_formats/ (0.0.4) and
 * https://github.com/OpenObservability/OpenMetrics (1.0.0). Families are tables; a program adds a
 * number by adding a line. Any thread.
 */
#ifndef CONFIG_EXPOSITION_H
#define CONFIG_EXPOSITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum exposition_type { EXPOSITION_GAUGE, EXPOSITION_COUNTER, EXPOSITION_INFO };

struct exposition {
	FILE *out; /* NULL: out of memory, nothing is written */
	char *text;
	size_t size;
	bool openmetrics;
	enum exposition_type type; /* of the family that was begun last */
	const char *name;
};

struct exposition_label {
	const char *name, *value; /* value: any UTF-8 */
};

struct exposition_family {
	const char *name; /* whole, but without the _total of a counter and the _info of an info */
	enum exposition_type type;
	const char *help; /* one line without a backslash */
	double (*value)(const void *thing);
};

/* Defines a function for the table: EXPOSITION_VALUE(uptime, struct health, h, h->uptime_s). */
#define EXPOSITION_VALUE(function, type, name, expr)                                               \
	static double function(const void *thing_)                                                 \
	{                                                                                          \
		const type *name = thing_;                                                         \
		return (double)(expr);                                                             \
	}

/* What an Accept header, or NULL, asks for; and the Content-Type of the answer. */
bool exposition_is_openmetrics(const char *accept);
const char *exposition_content_type(bool openmetrics);

void exposition_begin(struct exposition *e, bool openmetrics);
/* HELP and TYPE; its samples follow, before the next family. */
void exposition_family(
	struct exposition *e, const char *name, enum exposition_type type, const char *help);
/* Labels end with a NULL name; NULL: none. */
void exposition_sample(struct exposition *e, const struct exposition_label *labels, double value);
/* Each family of the table with one sample for each thing of an array. `label` names what tells
 * them apart, which `value_of` says of one; NULL: there is one thing. */
void exposition_table(struct exposition *e, const struct exposition_family *families,
	size_t n_families, const void *things, size_t n, size_t size_of_thing, const char *label,
	const char *(*value_of)(const void *thing));
/* The text, to be freed; NULL: out of memory. */
char *exposition_end(struct exposition *e);

#endif
