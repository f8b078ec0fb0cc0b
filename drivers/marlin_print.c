/* SPDX-License-Identifier: MIT */
/* marlin_print.c -- what a print is called
 *
 * A file's name comes before its print begins; some printers repeat it later. It is taken from the
 * line as it came: it may be in any script.
 */
#include "drivers/marlin_lines.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The name stands between the two texts. */
static const struct {
	const char *before, *after; /* after "": to the end of the line */
} forms[] = {
	{"File opened:", " Size:"}, /* M23: Marlin; Klipper has no blank behind the colon */
	{"echo:Now fresh file:", ""}, {"Now fresh file:", ""},
	{"Current file:", ""}, /* M27 C, if someone asks: the short name, then the long */
	{"echo:enqueueing \"M23 ", "\""}, /* chosen on the printer's screen */
	{"echo:enqueing \"M23 ", "\""},
	{"File ", " selected for printing"}, /* M23 on RepRapFirmware */
};

/* The last place of `what` in s, because names may hold it, too. */
static const char *
find_last(const char *s, const char *what)
{
	const char *found = NULL;

	if (!*what)
		return s + strlen(s);
	for (s = strstr(s, what); s; s = strstr(s + 1, what))
		found = s;
	return found;
}

static void
keep_name(struct marlin *m, const char *from, const char *end)
{
	char *to = m->job ? m->job_name : m->next_name;

	while (from < end && *from == ' ')
		from++;
	while (from < end && end[-1] == ' ')
		end--;
	for (const char *c = from; c < end; c++) /* people's directories are nobody's business */
		from = *c == '/' ? c + 1 : from;
	if (from < end && *from != '(') /* "(no file)" */
		snprintf(to, sizeof(m->job_name), "%.*s", (int)(end - from), from);
}

/* "BENCHY~1.GCO Benchy.gcode": short names have no blanks, so what follows one is the long. */
static const char *
skip_short(const char *name)
{
	const char *blank = strchr(name, ' '), *dot = strchr(name, '.');

	return blank && dot && dot < blank ? blank : name;
}

void
marlin_take_print(struct marlin *m, const char *line)
{
	size_t i = 0;

	line += strspn(line, " ");
	if (m->family == PRUSA && line[0] == '/' && line[1] != '/' && line[1] != ' ') {
		keep_name(m, line, line + strlen(line)); /* of the answer to M27 P */
		return;
	}
	while (i < COUNT(forms) && strncasecmp(line, forms[i].before, strlen(forms[i].before)) != 0)
		i++;
	if (i == COUNT(forms))
		return;
	line += strlen(forms[i].before);
	line += strspn(line, " ");
	const char *end = find_last(line, forms[i].after);
	if (end)
		keep_name(m, !strcmp(forms[i].before, "Current file:") ? skip_short(line) : line,
			end);
}

void
marlin_begin_print(struct marlin *m)
{
	memcpy(m->job_name, m->next_name, sizeof(m->job_name));
	m->next_name[0] = '\0';
}
