/* SPDX-License-Identifier: MIT */
/* explain_row.c -- a machine's alarms, maintenance and job in sentences */
#include "cli/explain_row.h"

#include <stdint.h>
#include <string.h>

#include "cli/sentence.h"
#include "cli/session.h"
#include "cli/words.h"

static const char *
say(enum language language, const char *ru, const char *en)
{
	return language == LANGUAGE_RU ? ru : en;
}

static void
add_time(struct sentence *s, const char *before, int64_t ms)
{
	char text[32];

	if (ms)
		sentence_add(s, " %s %s", before, session_time(ms, text, sizeof text));
}

/* " (31.2, limit 30)" */
static void
add_evidence(struct sentence *s, const struct doc *alarm, enum language language)
{
	const struct doc *value = doc_get(alarm, "value"), *limit = doc_get(alarm, "limit");
	char a[48], b[48];

	doc_show(value, a, sizeof a);
	doc_show(limit, b, sizeof b);
	if (a[0] == '-' && !a[1]) /* null: it has none */
		return;
	if (b[0] == '-' && !b[1])
		sentence_add(s, " (%s)", a);
	else
		sentence_add(s, " (%s, %s %s)", a, say(language, "предел", "limit"), b);
}

/* What was done about it, and whether it can be trusted. */
static void
add_marks(struct sentence *s, const struct doc *alarm, enum language language)
{
	const char *by = doc_text(alarm, "suppressed_by", NULL);

	if (doc_flag(alarm, "acked", false))
		sentence_add(s, "; %s", say(language, "принята к сведению", "acknowledged"));
	if (by)
		sentence_add(s, "; %s %s", say(language, "подавлена:", "suppressed by"), by);
	if (doc_flag(alarm, "stale", false))
		sentence_add(
			s, "; %s", say(language, "свежего значения нет", "its value is not fresh"));
	if (doc_flag(alarm, "flapping", false))
		sentence_add(s, "; %s", say(language, "дребезжит", "it comes and goes"));
}

static enum ink
ink_of(const struct row_alarm *a)
{
	const char *severity = doc_text(a->doc, "severity", "error");

	if (!row_alarm_counts(a))
		return INK_DIM;
	if (!strcmp(severity, "warning"))
		return INK_YELLOW;
	return strcmp(severity, "info") != 0 ? INK_RED : INK_PLAIN;
}

/* What it is about in its colour, then the rest of the sentence. */
static void
tell(struct frame *f, enum ink ink, const struct sentence *about, const struct sentence *rest)
{
	frame_put(f, "  ", SIZE_MAX);
	frame_wrap(f, ink, about->text, EXPLAIN_INDENT);
	frame_wrap(f, INK_PLAIN, rest->text, EXPLAIN_INDENT);
	frame_end_line(f);
}

void
explain_alarm(struct frame *f, const struct row_alarm *a, enum language language)
{
	const char *text = words_alarm(a->doc, language), *hint = doc_text(a->doc, "hint", "");
	struct sentence about = {.len = 0}, rest = {.len = 0};

	sentence_add(&about, "%s %s", say(language, "авария", "alarm"), a->code);
	add_time(&rest, say(language, "с", "since"), doc_int(a->doc, "raised", 0));
	sentence_add(&rest, "%s%s", text[0] ? ": " : "", text);
	add_evidence(&rest, a->doc, language);
	add_marks(&rest, a->doc, language);
	sentence_add(&rest, "%s%s", hint[0] ? ". " : "", hint);
	tell(f, ink_of(a), &about, &rest);
}

bool
explain_alarms(struct frame *f, const struct row *r, enum language language)
{
	for (size_t i = 0; i < r->n_alarms; i++)
		explain_alarm(f, &r->alarms[i], language);
	return r->n_alarms > 0;
}

void
explain_maintenance(struct frame *f, const struct row *r, enum language language)
{
	struct sentence about = {.len = 0}, rest = {.len = 0};

	if (!r->maintenance)
		return;
	sentence_add(&about, "%s", say(language, "обслуживание", "maintenance"));
	add_time(&rest, say(language, "с", "since"), doc_int(r->maintenance, "since", 0));
	add_time(&rest, say(language, "до", "until"), doc_int(r->maintenance, "until", 0));
	sentence_add(&rest, ": %s", doc_text(r->maintenance, "reason", ""));
	tell(f, INK_YELLOW, &about, &rest);
}

void
explain_job(struct frame *f, const struct row *r, enum language language)
{
	int64_t start = words_job_start(r->job), s = (words_now_ms() - start) / 1000;
	struct sentence about = {.len = 0}, rest = {.len = 0};
	char text[48];

	if (!start)
		return;
	sentence_add(&about, "%s", say(language, "работа", "job"));
	add_time(&rest, say(language, "с", "since"), start);
	sentence_add(&rest, " (%s)", words_duration(s > 0 ? s : 0, language, text, sizeof text));
	if (r->progress >= 0)
		sentence_add(&rest, ", %.0f%%", r->progress * 100);
	tell(f, INK_GREEN, &about, &rest);
}
