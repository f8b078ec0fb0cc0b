/* SPDX-License-Identifier: MIT */
/* gen_alarms.h -- the part of gen_docs.c that tells of alarms: ours, the drivers', the profiles' */
#ifndef TESTS_GEN_ALARMS_H
#define TESTS_GEN_ALARMS_H

#include <dirent.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/alarm_words.h"
#include "config/profile.h"
#include "drivers/registry.h"

#define ALARM_PROFILES "config/profiles"

struct alarm_row {
	const char *before, *code; /* "<source>-", "hot" */
	enum severity severity;
	const struct text *text, *hint;
};

static void
put_cell(const struct text *text)
{
	printf(" | %s<br>%s", text->en, text->ru);
}

static void
put_alarm(const struct alarm_row *row)
{
	printf("| `%s", row->before);
	for (const char *c = row->code; *c; c++)
		putchar(*c == '_' ? '-' : *c);
	printf("` | %s", severity_name(row->severity));
	put_cell(row->text);
	put_cell(row->hint);
	printf(" |\n");
}

static void
put_alarm_head(const char *kind, const char *name)
{
	if (name)
		printf("\n%s `%s`:\n\n", kind, name);
	printf("| code | severity | what happened | what to do |\n|---|---|---|---|\n");
}

static void
put_own_alarms(void)
{
	const struct alarm_words *words;

	put_alarm_head(NULL, NULL);
	for (size_t i = 0; (words = alarm_words_at(i)); i++)
		put_alarm(&(struct alarm_row){
			"", words->code, words->severity, &words->text, &words->hint});
}

static void
put_driver_alarms(void)
{
	const struct driver *d;

	for (size_t i = 0; (d = registry_at(i)); i++) {
		if (d->n_faults)
			put_alarm_head("Driver", d->name);
		for (size_t k = 0; k < d->n_faults; k++) {
			const struct driver_fault *f = &d->faults[k];
			put_alarm(&(struct alarm_row){
				"<source>-", f->id, f->severity, &f->text, &f->hint});
		}
	}
}

static int
put_alarms_of(const char *path)
{
	struct problems problems = {0};
	struct profile_file *p = profile_load(path, &problems);

	problems_free(&problems);
	if (!p)
		return -1;
	if (p->n_faults)
		put_alarm_head("Profile", p->regs.id);
	for (size_t i = 0; i < p->n_faults; i++) {
		const struct alarm_rule *a = &p->faults[i];
		put_alarm(
			&(struct alarm_row){"<source>-", a->code, a->severity, &a->text, &a->hint});
	}
	profile_free(p);
	return 0;
}

static int
is_yaml(const struct dirent *entry)
{
	return fnmatch("*.yaml", entry->d_name, 0) == 0;
}

/* 0, or -1: a profile cannot be read. */
static int
put_profile_alarms(void)
{
	struct dirent **entries;
	char path[512];
	int n = scandir(ALARM_PROFILES, &entries, is_yaml, alphasort), rc = n > 0 ? 0 : -1;

	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof path, ALARM_PROFILES "/%s", entries[i]->d_name);
		rc |= put_alarms_of(path);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return rc;
}

#endif
