/* SPDX-License-Identifier: MIT */
/* explain_row.c -- a machine's alarms, maintenance, job and missing values in sentences */
#include "cli/explain_row.h"

#include <stdint.h>
#include <stdlib.h>
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

/* ---- sources ----------------------------------------------------------------------------------
 */

void
explain_begin(struct frame *f, const char *about)
{
	frame_put(f, "  ", SIZE_MAX);
	frame_put_in(f, INK_RED, about, SIZE_MAX);
	frame_put(f, ": ", SIZE_MAX);
}

void
explain_end(struct frame *f, const struct sentence *s)
{
	frame_wrap(f, INK_PLAIN, s->text, EXPLAIN_INDENT);
	frame_end_line(f);
}

/* A point without a value, from `points` of the daemon ({id: {error, hint}}) or of a reading
 * ([{id, quality, hint}]). */
struct missed {
	const char *id, *error, *hint;
	bool told;
};

static size_t
find_missed(const struct doc *points, struct missed *out)
{
	const struct doc *d;
	const char *id;
	void *place = NULL;
	size_t n = 0;

	for (size_t i = 0; (d = doc_at(points, i)); i++)
		if (doc_text(d, "hint", NULL))
			out[n++] = (struct missed){doc_text(d, "id", ""),
				doc_text(d, "quality", ""), doc_text(d, "hint", ""), false};
	while (!doc_at(points, 0) && (id = doc_next(points, &place, &d)))
		out[n++] = (struct missed){
			id, doc_text(d, "error", ""), doc_text(d, "hint", ""), false};
	return n;
}

/* What is true of many points is said once. */
static void
explain_alike(struct frame *f, const char *source, struct missed *list, size_t n,
	const struct missed *first)
{
	struct sentence s = {.len = 0};
	const char *before = "";

	explain_begin(f, source);
	sentence_add(&s, "%s: ", first->error);
	for (struct missed *m = list; m < list + n; m++) {
		if (strcmp(m->error, first->error) != 0 || strcmp(m->hint, first->hint) != 0)
			continue;
		sentence_add(&s, "%s%s", before, m->id);
		before = ", ";
		m->told = true;
	}
	sentence_add(&s, ". %s", first->hint);
	explain_end(f, &s);
}

bool
explain_points(struct frame *f, const char *source, const struct doc *points)
{
	struct missed *list = calloc(doc_size(points) + 1, sizeof *list);
	size_t n = list ? find_missed(points, list) : 0;

	for (size_t i = 0; i < n; i++)
		if (!list[i].told)
			explain_alike(f, source, list, n, &list[i]);
	free(list);
	return n > 0;
}
