/* SPDX-License-Identifier: MIT */
/* payload_alarm.c -- an alarm as it is now, and what happened to it */
#include "daemon/payload_impl.h"

static void
put_ms(struct json *j, const char *key, int64_t ms)
{
	if (ms)
		json_put_int(j, key, ms);
	else
		json_put_null(j, key);
}

static void
put_evidence(struct json *j, const struct alarm_life *life)
{
	if (life->has_value)
		json_put_value(j, "value", &life->value);
	else
		json_put_null(j, "value");
	const struct value limit = {.kind = VALUE_DOUBLE, .u.num = life->limit};
	if (life->has_limit)
		json_put_value(j, "limit", &limit);
	else
		json_put_null(j, "limit");
}

size_t
payload_alarm_event(char *buf, size_t size, const struct envelope *e, const struct alarm *a,
	const char *transition)
{
	struct json j;
	payload_begin(&j, buf, size, e);
	json_put_string(&j, "type", "alarm");
	json_put_string(&j, "code", a->spec.code);
	json_put_string(&j, "transition", transition);
	json_put_string(&j, "severity", severity_name(a->spec.severity));
	put_evidence(&j, &a->life);
	return payload_finish(&j);
}

size_t
payload_alarm(char *buf, size_t size, const struct envelope *e, const struct alarm *a,
	enum language language)
{
	struct json j;
	const struct alarm_life *life = &a->life;
	payload_begin(&j, buf, size, e);
	json_put_string(&j, "code", a->spec.code);
	json_put_string(&j, "severity", severity_name(a->spec.severity));
	json_put_bool(&j, "active", life->active);
	put_ms(&j, "raised", life->raised_ms);
	put_ms(&j, "cleared", life->active ? 0 : life->cleared_ms);
	json_put_uint(&j, "count", life->count);
	json_put_string(&j, "source", a->spec.source);
	put_evidence(&j, life);
	json_put_string(&j, "text", config_text(&a->spec.text, language));
	json_put_string(&j, "hint", config_text(&a->spec.hint, language));
	payload_texts(&j, "texts", &a->spec.text);
	json_put_bool(&j, "stale", life->stale);
	json_put_bool(&j, "flapping", life->flapping);
	json_put_bool(&j, "acked", life->acked);
	json_put_string(&j, "suppressed_by", life->suppressed_by[0] ? life->suppressed_by : NULL);
	return payload_finish(&j);
}
