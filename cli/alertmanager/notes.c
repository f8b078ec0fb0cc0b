/* SPDX-License-Identifier: MIT */
/* notes.c -- annotations of an alert */
#include "cli/alertmanager/notes.h"

#include <stdio.h>
#include <string.h>

#include "cli/doc.h"
#include "config/json.h"

enum {
	STRING_MAX = 512,
	NOTES_SIZE = 12 * (6 * STRING_MAX + 32) /* a control character takes six bytes */
};

/* Cut between characters of UTF-8; nothing is written for none. */
static void
put(struct json *j, const char *name, const char *text)
{
	char cut[STRING_MAX + 1];
	size_t n = strnlen(text, sizeof cut);

	if (!n)
		return;
	if (n > STRING_MAX)
		for (n = STRING_MAX; n && ((unsigned char)text[n] & 0xC0) == 0x80;)
			n--;
	memcpy(cut, text, n);
	cut[n] = '\0';
	json_put_string(j, name, cut);
}

/* A number, a word or a flag, as people read it. */
static void
put_shown(struct json *j, const struct doc *d, const char *name)
{
	char text[STRING_MAX + 1];
	const struct doc *value = doc_get(d, name);

	if (value && strcmp(doc_show(value, text, sizeof text), "-") != 0)
		put(j, name, text);
}

static char *
finish(struct json *j)
{
	return json_end(j) ? strdup(j->buf) : strdup("");
}

char *
notes_of_alarm(const struct doc *alarm, const char *code)
{
	static const char *const flags[] = {"stale", "acked", "flapping"};
	static const char *const shown[] = {"value", "limit", "source", "count"};
	const struct doc *texts = doc_get(alarm, "texts");
	const char *text = doc_text(alarm, "text", "");
	char buf[NOTES_SIZE];
	struct json j;

	json_init(&j, buf, sizeof buf);
	put(&j, "summary", *text ? text : code);
	put(&j, "text_ru", doc_text(texts, "ru", ""));
	put(&j, "text_en", doc_text(texts, "en", ""));
	put(&j, "hint", doc_text(alarm, "hint", ""));
	for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++)
		put_shown(&j, alarm, shown[i]);
	for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
		if (doc_flag(alarm, flags[i], false))
			put(&j, flags[i], "true");
	return finish(&j);
}

char *
notes_of_machine(const struct doc *info)
{
	const struct doc *title = doc_get(info, "title");
	char buf[NOTES_SIZE];
	struct json j;

	json_init(&j, buf, sizeof buf);
	put(&j, "title_ru", doc_text(title, "ru", ""));
	put(&j, "title_en", doc_text(title, "en", ""));
	return finish(&j);
}
