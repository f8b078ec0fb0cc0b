/* SPDX-License-Identifier: MIT */
/* events.c -- what happened lately, in words and in the order in which it happened */
#include "cli/events.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/words.h"
#include "config/json.h"

/* As long as the daemon shows an alarm that is over. */
enum { NEWS_MS = 15 * 60 * 1000 };

/* ---- the list ---------------------------------------------------------------------------------
 */

static bool
is_there(const struct events *all, const struct event *e)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct event *other = &all->list[i];
		if (other->at_ms == e->at_ms && !strcmp(other->about, e->about) &&
			!strcmp(other->type, e->type) && !strcmp(other->id, e->id) &&
			!strcmp(other->park, e->park))
			return true;
	}
	return false;
}

/* Where it belongs; the oldest goes when the list is full. */
static void
insert(struct events *all, const struct event *e)
{
	size_t at = all->n;

	if (is_there(all, e))
		return;
	while (at > 0 && all->list[at - 1].at_ms > e->at_ms)
		at--;
	if (all->n < EVENTS_MAX) {
		memmove(&all->list[at + 1], &all->list[at], (all->n - at) * sizeof *e);
		all->list[at] = *e;
		all->n++;
	} else if (at > 0) {
		memmove(&all->list[0], &all->list[1], (at - 1) * sizeof *e);
		all->list[at - 1] = *e;
	}
}

/* ---- words ------------------------------------------------------------------------------------
 */

static const char *
say(const struct events *all, const char *ru, const char *en)
{
	return all->language == LANGUAGE_RU ? ru : en;
}

static void __attribute__((format(printf, 2, 3))) tell(struct event *e, const char *fmt, ...)
{
	size_t len = strlen(e->text);
	va_list args;

	va_start(args, fmt);
	vsnprintf(e->text + len, sizeof e->text - len, fmt, args);
	va_end(args);
}

/* "was X, now Y" of any value. */
static void
tell_change(const struct events *all, struct event *e, const struct doc *d)
{
	char was[96], now[96];

	tell(e, "%s %s, %s %s", say(all, "было", "was"),
		doc_show(doc_get(d, "was"), was, sizeof was), say(all, "стало", "now"),
		doc_show(doc_get(d, "now"), now, sizeof now));
}

static void
tell_job_end(const struct events *all, struct event *e, const struct doc *d)
{
	static const struct {
		const char *key, *ru, *en;
	} used[] = {{"energy_wh", "Вт·ч", "Wh"}, {"filament_mm", "мм", "mm"},
		{"charge_mah", "мА·ч", "mAh"}};
	char duration[48], number[32];

	tell(e, "%s: %s %s %s", say(all, "работа окончена", "job ended"),
		words_result(doc_text(d, "result", "unknown"), all->language),
		say(all, "через", "after"),
		words_duration(
			doc_int(d, "duration_s", 0), all->language, duration, sizeof duration));
	for (size_t i = 0; i < sizeof used / sizeof used[0]; i++)
		if (doc_get(d, used[i].key))
			tell(e, ", %s %s", doc_show(doc_get(d, used[i].key), number, sizeof number),
				say(all, used[i].ru, used[i].en));
}

static void
tell_job(const struct events *all, struct event *e, const struct doc *d)
{
	const char *name = doc_text(d, "name", NULL);

	if (!strcmp(doc_text(d, "type", ""), "ended"))
		tell_job_end(all, e, d);
	else
		tell(e, "%s", say(all, "работа начата", "job started"));
	if (name)
		tell(e, " (%s)", name);
}

static void
tell_state(const struct events *all, struct event *e, const struct doc *d)
{
	const char *from = doc_text(d, "from", ""), *to = doc_text(d, "to", "");
	const char *reason = doc_text(d, "reason", "");
	bool moved = from[0] && strcmp(from, to) != 0; /* else only the reason is another one */

	(void)all;
	tell(e, "%s%s%s", moved ? from : "", moved ? " -> " : "", to);
	tell(e, "%s%s", reason[0] ? ": " : "", reason);
}

static void
tell_alarm(const struct events *all, struct event *e, const char *code, const char *what)
{
	static const struct {
		const char *what;
		struct text text;
	} words[] = {{"raised", {"началась", "raised"}}, {"cleared", {"прошла", "cleared"}},
		{"changed", {"изменилась", "changed"}},
		{"acked", {"принята к сведению", "acknowledged"}},
		{"suppressed", {"подавлена", "suppressed"}}};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (!strcmp(words[i].what, what))
			tell(e, "%s %s %s", say(all, "авария", "alarm"), code,
				config_text(&words[i].text, all->language));
}

/* Raised and cleared are told by the alarm's own topic, which has its text. */
static void
tell_transition(const struct events *all, struct event *e, const struct doc *d)
{
	const char *what = doc_text(d, "transition", "");
	char value[48];

	if (!strcmp(what, "raised") || !strcmp(what, "cleared"))
		return;
	tell_alarm(all, e, doc_text(d, "code", ""), what);
	if (!strcmp(what, "changed"))
		tell(e, ": %s, %s", doc_text(d, "severity", ""),
			doc_show(doc_get(d, "value"), value, sizeof value));
}

static void
tell_identity(const struct events *all, struct event *e, const struct doc *d)
{
	tell(e, "%s: %s: ", doc_text(d, "source", ""),
		say(all, "это другой прибор", "another device"));
	tell_change(all, e, d);
}

static void
tell_config(const struct events *all, struct event *e, const struct doc *d)
{
	if (doc_flag(d, "ok", false))
		tell(e, "%s", say(all, "конфигурация принята", "configuration accepted"));
	else
		tell(e, "%s: %s", say(all, "конфигурация не принята", "configuration refused"),
			doc_text(d, "error", ""));
}

static void
tell_clock(const struct events *all, struct event *e, const struct doc *d)
{
	tell(e, "%s %lld %s", say(all, "часы переведены на", "the clock was stepped by"),
		(long long)doc_int(d, "step_ms", 0), say(all, "мс", "ms"));
}

static void
tell_counters(const struct events *all, struct event *e, const struct doc *d)
{
	tell(e, "%s: ", doc_text(d, "field", ""));
	tell_change(all, e, d);
	tell(e, " (%s)", doc_text(d, "note", ""));
}

/* ---- messages ---------------------------------------------------------------------------------
 */

static void
take_event(struct events *all, struct event *e, const struct doc *d)
{
	static const struct {
		const char *type;
		void (*tell)(const struct events *all, struct event *e, const struct doc *d);
	} kinds[] = {{"state", tell_state}, {"alarm", tell_transition}, {"identity", tell_identity},
		{"config", tell_config}, {"clock", tell_clock}, {"counters", tell_counters}};
	const char *type = doc_text(d, "type", "");

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (!strcmp(kinds[i].type, type))
			kinds[i].tell(all, e, d);
	snprintf(e->type, sizeof e->type, "%s", type);
	snprintf(e->about, sizeof e->about, "%lld", (long long)doc_int(d, "seq", 0));
	if (e->text[0])
		insert(all, e);
}

static void
take_job(struct events *all, struct event *e, const struct doc *d)
{
	snprintf(e->type, sizeof e->type, "job");
	snprintf(e->about, sizeof e->about, "%s %s", doc_text(d, "job", ""),
		doc_text(d, "type", ""));
	tell_job(all, e, d);
	insert(all, e);
}

static void
take_edge(struct events *all, const struct event *who, const struct doc *alarm, const char *edge)
{
	struct event e = *who;
	bool raised = !strcmp(edge, "raised");
	const char *code = doc_text(alarm, "code", ""), *text = words_alarm(alarm, all->language);

	e.at_ms = doc_int(alarm, edge, 0);
	if (e.at_ms < words_now_ms() - NEWS_MS)
		return;
	snprintf(e.type, sizeof e.type, "alarm");
	snprintf(e.about, sizeof e.about, "%s %s", code, edge);
	tell_alarm(all, &e, code, edge);
	if (raised && text[0])
		tell(&e, ": %s", text);
	insert(all, &e);
}

void
events_take_alarm(struct events *all, const struct event *who, const struct doc *alarm)
{
	take_edge(all, who, alarm, "raised");
	if (!doc_flag(alarm, "active", true))
		take_edge(all, who, alarm, "cleared");
}

void
events_take(void *events, const char *topic, const char *payload, size_t len)
{
	struct event e = {0};
	char kind[16], what[16];

	if (sscanf(topic, "parks/%47[^/]/%15[^/]/%47[^/]/%15[^/]", e.park, kind, e.id, what) != 4)
		return;
	bool is_job = !strcmp(what, "job"), is_event = !strcmp(what, "event"),
	     is_alarm = !strcmp(what, "alarm");
	struct doc *d = is_job || is_event || is_alarm ? doc_parse(payload, len) : NULL;
	if (!d)
		return;
	doc_plain(e.park);
	doc_plain(e.id);
	e.of_gateway = !strcmp(kind, "gateways");
	e.at_ms = doc_int(d, "ts", 0);
	if (is_job)
		take_job(events, &e, d);
	else if (is_event)
		take_event(events, &e, d);
	else
		events_take_alarm(events, &e, d);
	doc_free(d);
}

/* ---- JSON --------------------------------------------------------------------------------------
 */

void
events_print_json(const struct events *all)
{
	char buf[2048];
	bool any = false;

	for (size_t i = 0; i < all->n; i++) {
		const struct event *e = &all->list[i];
		struct json j;
		json_init(&j, buf, sizeof buf);
		json_open(&j, NULL, '{');
		json_put_int(&j, "at", e->at_ms);
		json_put_string(&j, "park", e->park);
		json_put_string(&j, e->of_gateway ? "gateway" : "machine", e->id);
		json_put_string(&j, "type", e->type);
		json_put_string(&j, "text", e->text);
		json_close(&j, '}');
		if (!json_end(&j))
			continue;
		printf("%s%s", any ? "," : "", buf);
		any = true;
	}
}
