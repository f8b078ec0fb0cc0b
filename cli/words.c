/* SPDX-License-Identifier: MIT */
/* words.c -- what people read about machines, jobs and alarms, in Russian and English */
#include "cli/words.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

struct word {
	const char *key;
	struct text text;
};

static const struct word states[] = {
	{"offline", {"нет связи", "offline"}},
	{"fault", {"авария", "in fault"}},
	{"off", {"выключен", "off"}},
	{"idle", {"простаивает", "idle"}},
	{"busy", {"работает", "busy"}},
	{"paused", {"на паузе", "paused"}},
	{"unknown", {"неизвестно, чем занят", "unknown"}},
	{"starting", {"опрос только что начат", "starting"}},
	{NULL, {NULL, NULL}},
};

static const struct word results[] = {
	{"finished", {"завершена", "finished"}},
	{"stopped", {"остановлена", "stopped"}},
	{"fault", {"прервана аварией", "broken off by a fault"}},
	{"power-loss", {"пропало питание", "power was lost"}},
	{"comm-lost", {"потеряна связь", "not heard of any more"}},
	{"gateway-restart", {"шлюз был перезапущен", "gateway was restarted"}},
	{"unknown", {"неизвестно чем", "nobody knows how"}},
	{NULL, {NULL, NULL}},
};

static const char *
find(const struct word *w, const char *key, enum language language)
{
	for (; w->key; w++)
		if (!strcmp(w->key, key))
			return config_text(&w->text, language);
	return key;
}

const char *
words_state(const char *state, enum language language)
{
	return find(states, state, language);
}

const char *
words_result(const char *result, enum language language)
{
	return find(results, result, language);
}

const char *
words_duration(int64_t seconds, enum language language, char *buf, size_t size)
{
	bool ru = language == LANGUAGE_RU;
	const char *min = ru ? "мин" : "min";

	if (seconds < 120)
		snprintf(buf, size, "%d %s", (int)seconds, ru ? "с" : "s");
	else if (seconds < 7200)
		snprintf(buf, size, "%d %s", (int)(seconds / 60), min);
	else
		snprintf(buf, size, "%d %s %02d %s", (int)(seconds / 3600), ru ? "ч" : "h",
			(int)(seconds / 60 % 60), min);
	return buf;
}

const char *
words_alarm(const struct doc *alarm, enum language language)
{
	return doc_text(doc_get(alarm, "texts"), language == LANGUAGE_RU ? "ru" : "en",
		doc_text(alarm, "text", ""));
}

const char *
words_clock(int64_t ms, char *buf, size_t size)
{
	time_t t = ms / 1000, now = time(NULL);
	struct tm tm, today;

	localtime_r(&t, &tm);
	localtime_r(&now, &today);
	bool is_today = tm.tm_yday == today.tm_yday && tm.tm_year == today.tm_year;
	strftime(buf, size, is_today ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &tm);
	return buf;
}

int64_t
words_job_start(const char *id)
{
	static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	int64_t ms = 0;

	if (strlen(id) != 26)
		return 0;
	for (int i = 0; i < 10; i++) {
		const char *digit = strchr(digits, id[i]);
		if (!digit)
			return 0;
		ms = ms * 32 + (digit - digits);
	}
	return ms;
}

int64_t
words_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}
