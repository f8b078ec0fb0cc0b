/* SPDX-License-Identifier: MIT */
/* exposition.c -- metrics as text
 *
 * The two formats differ in three places: OpenMetrics names a family without its suffix, knows the
 * type info, and ends with a line.
 */
#include "config/exposition.h"

#include <stdlib.h>
#include <string.h>

static const struct {
	const char *word, *old_word, *suffix;
} types[] = {
	[EXPOSITION_GAUGE] = {"gauge", "gauge", ""},
	[EXPOSITION_COUNTER] = {"counter", "counter", "_total"},
	[EXPOSITION_INFO] = {"info", "gauge", "_info"},
};

bool
exposition_is_openmetrics(const char *accept)
{
	return accept && strstr(accept, "application/openmetrics-text");
}

const char *
exposition_content_type(bool openmetrics)
{
	return openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
			   : "text/plain; version=0.0.4; charset=utf-8";
}

void
exposition_begin(struct exposition *e, bool openmetrics)
{
	*e = (struct exposition){.openmetrics = openmetrics};
	e->out = open_memstream(&e->text, &e->size);
}

void
exposition_family(
	struct exposition *e, const char *name, enum exposition_type type, const char *help)
{
	const char *suffix = e->openmetrics ? "" : types[type].suffix;

	e->name = name;
	e->type = type;
	if (e->out)
		fprintf(e->out, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, suffix, help, name,
			suffix, e->openmetrics ? types[type].word : types[type].old_word);
}

static void
put_escaped(FILE *out, const char *s)
{
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fputc('\\', out);
		if (*s == '\n')
			fputs("\\n", out);
		else
			fputc(*s, out);
	}
}

void
exposition_sample(struct exposition *e, const struct exposition_label *labels, double value)
{
	const char *between = "{";

	if (!e->out)
		return;
	fprintf(e->out, "%s%s", e->name, types[e->type].suffix);
	for (; labels && labels->name; labels++, between = ",") {
		fprintf(e->out, "%s%s=\"", between, labels->name);
		put_escaped(e->out, labels->value);
		fputc('"', e->out);
	}
	if (*between == ',')
		fputc('}', e->out);
	if (value == (double)(long long)value)
		fprintf(e->out, " %lld\n", (long long)value);
	else
		fprintf(e->out, " %.13g\n", value); /* 13: ms since 1970 in seconds */
}

void
exposition_table(struct exposition *e, const struct exposition_family *families, size_t n_families,
	const void *things, size_t n, size_t size_of_thing, const char *label,
	const char *(*value_of)(const void *thing))
{
	for (const struct exposition_family *f = families; f < families + n_families; f++) {
		const char *thing = things;
		exposition_family(e, f->name, f->type, f->help);
		for (size_t i = 0; i < n; i++, thing += size_of_thing) {
			struct exposition_label labels[] = {
				{label, label ? value_of(thing) : NULL}, {NULL, NULL}};
			exposition_sample(e, labels, f->value(thing));
		}
	}
}

char *
exposition_end(struct exposition *e)
{
	if (!e->out)
		return NULL;
	if (e->openmetrics)
		fputs("# EOF\n", e->out);
	if (fclose(e->out) == 0)
		return e->text;
	free(e->text);
	return NULL;
}
