/* SPDX-License-Identifier: MIT */
/* explain_row.c -- a machine's alarms, maintenance and job in sentences, printed */
#include "cli/explain_row.h"

#include <stdio.h>

#include "cli/session.h"
#include "cli/words.h"

static const char *
say(enum language language, const char *ru, const char *en)
{
	return language == LANGUAGE_RU ? ru : en;
}

static void
print_time(const char *before, int64_t ms)
{
	char text[32];

	if (ms)
		printf(" %s %s", before, session_time(ms, text, sizeof text));
}

/* " (31.2, limit 30)" */
static void
print_evidence(const struct doc *alarm, enum language language)
{
	const struct doc *value = doc_get(alarm, "value"), *limit = doc_get(alarm, "limit");
	char a[48], b[48];

	doc_show(value, a, sizeof a);
	doc_show(limit, b, sizeof b);
	if (a[0] == '-' && !a[1]) /* null: it has none */
		return;
	if (b[0] == '-' && !b[1])
		printf(" (%s)", a);
	else
		printf(" (%s, %s %s)", a, say(language, "предел", "limit"), b);
}

/* What was done about it, and whether it can be trusted. */
static void
print_marks(const struct doc *alarm, enum language language)
{
	const char *by = doc_text(alarm, "suppressed_by", NULL);

	if (doc_flag(alarm, "acked", false))
		printf("; %s", say(language, "принята к сведению", "acknowledged"));
	if (by)
		printf("; %s %s", say(language, "подавлена:", "suppressed by"), by);
	if (doc_flag(alarm, "stale", false))
		printf("; %s", say(language, "свежего значения нет", "its value is not fresh"));
	if (doc_flag(alarm, "flapping", false))
		printf("; %s", say(language, "дребезжит", "it comes and goes"));
}

void
explain_alarm(const struct row_alarm *a, enum language language)
{
	const char *text = words_alarm(a->doc, language), *hint = doc_text(a->doc, "hint", "");

	printf("  %s %s", say(language, "авария", "alarm"), a->code);
	print_time(say(language, "с", "since"), doc_int(a->doc, "raised", 0));
	printf("%s%s", text[0] ? ": " : "", text);
	print_evidence(a->doc, language);
	print_marks(a->doc, language);
	printf("%s%s\n", hint[0] ? ". " : "", hint);
}

bool
explain_alarms(const struct row *r, enum language language)
{
	for (size_t i = 0; i < r->n_alarms; i++)
		explain_alarm(&r->alarms[i], language);
	return r->n_alarms > 0;
}

void
explain_maintenance(const struct row *r, enum language language)
{
	if (!r->maintenance)
		return;
	printf("  %s", say(language, "обслуживание", "maintenance"));
	print_time(say(language, "с", "since"), doc_int(r->maintenance, "since", 0));
	print_time(say(language, "до", "until"), doc_int(r->maintenance, "until", 0));
	printf(": %s\n", doc_text(r->maintenance, "reason", ""));
}

void
explain_job(const struct row *r, enum language language)
{
	int64_t start = words_job_start(r->job), s = (words_now_ms() - start) / 1000;
	char text[48];

	if (!start)
		return;
	printf("  %s", say(language, "работа", "job"));
	print_time(say(language, "с", "since"), start);
	printf(" (%s)", words_duration(s > 0 ? s : 0, language, text, sizeof text));
	if (r->progress >= 0)
		printf(", %.0f%%", r->progress * 100);
	printf("\n");
}
