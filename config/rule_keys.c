/* SPDX-License-Identifier: MIT */
/* rule_keys.c -- every key of conditions, usage rules and alarms */
#include "config/config_keys.h"

#define SECOND INT64_C(1000)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)

static const char *const activity_words[] = {"unknown", "off", "idle", "busy", "paused", NULL};
static const char *const severity_words[] = {"none", "info", "warning", "error", "critical", NULL};
static const char *const stat_words[] = {"last", "mean", "max", "p90", NULL};

#define OPERAND "{\"type\":[\"number\",\"boolean\",\"string\"]}"
#define NUMBER "{\"type\":\"number\"}"

/* Usage rules and alarms are conditions with more keys: their drafts begin with the condition's. */
#define WHEN(field) offsetof(struct condition_draft, field)
#define CONDITION_KEYS                                                                                     \
	{.name = "point",                                                                                  \
		.type = KEY_STRING,                                                                        \
		.offset = WHEN(point),                                                                     \
		.doc = "the point that is compared: `source.point` in a machine, `point` in a profile"},   \
		{.name = "above",                                                                          \
			.type = KEY_NODE,                                                                  \
			.offset = WHEN(above),                                                             \
			.schema = NUMBER,                                                                  \
			.doc = "holds while the value is greater"},                                        \
		{.name = "below",                                                                          \
			.type = KEY_NODE,                                                                  \
			.offset = WHEN(below),                                                             \
			.schema = NUMBER,                                                                  \
			.doc = "holds while the value is smaller"},                                        \
		{.name = "equals",                                                                         \
			.type = KEY_NODE,                                                                  \
			.offset = WHEN(equals),                                                            \
			.schema = OPERAND,                                                                 \
			.doc = "holds while the value is this number, true or false, or word of an enum"}, \
		{.name = "not",                                                                            \
			.type = KEY_NODE,                                                                  \
			.offset = WHEN(is_not),                                                            \
			.schema = OPERAND,                                                                 \
			.doc = "holds while the value is anything else"},                                  \
		{.name = "any_of",                                                                         \
			.type = KEY_NODE,                                                                  \
			.offset = WHEN(any_of),                                                            \
			.schema = "{\"type\":\"array\",\"minItems\":1,\"items\":" OPERAND "}",             \
			.doc = "holds while the value is one of these"},                                   \
		{.name = "bit",                                                                            \
			.type = KEY_NODE,                                                                  \
			.offset = WHEN(bit),                                                               \
			.schema = "{\"type\":\"integer\",\"minimum\":0,\"maximum\":63}",                   \
			.doc = "holds while this bit of an integer is set; 0 is the lowest"},              \
		{.name = "stat",                                                                           \
			.type = KEY_WORD,                                                                  \
			.offset = WHEN(stat),                                                              \
			.words = stat_words,                                                               \
			.def = "last",                                                                     \
			.doc = "what is compared: the last value or one over `window`"},                   \
		{.name = "window",                                                                         \
			.type = KEY_DURATION,                                                              \
			.offset = WHEN(window_ms),                                                         \
			.min = SECOND,                                                                     \
			.max = HOUR,                                                                       \
			.shown = "1min with a `stat`",                                                     \
			.doc = "how far back mean, max and p90 look"},                                     \
		{.name = "source",                                                                         \
			.type = KEY_ID,                                                                    \
			.offset = WHEN(source),                                                            \
			.doc = "a source of the machine; with `ok`"},                                      \
		{.name = "ok",                                                                             \
			.type = KEY_NODE,                                                                  \
			.offset = WHEN(ok),                                                                \
			.schema = "{\"type\":\"boolean\"}",                                                \
			.doc = "holds while the source answers (true) or does not (false)"},               \
		{.name = "all",                                                                            \
			.type = KEY_LIST,                                                                  \
			.offset = WHEN(all),                                                               \
			.sub = &condition_table,                                                           \
			.doc = "holds while all of these conditions hold"},                                \
	{                                                                                                  \
		.name = "any", .type = KEY_LIST, .offset = WHEN(any), .sub = &condition_table,             \
		.doc = "holds while at least one of these conditions holds"                                \
	}

static const struct key condition_keys[] = {
	CONDITION_KEYS,
	{.name = "activity",
		.type = KEY_WORD,
		.offset = offsetof(struct condition_draft, activity),
		.words = activity_words,
		.doc = "holds while the machine is doing this"},
};
const struct key_table condition_table = KEY_TABLE("condition", condition_keys);

#define AT(field) offsetof(struct usage_draft, field)
static const struct key usage_keys[] = {
	{.name = "activity",
		.type = KEY_WORD,
		.flags = KEY_REQUIRED,
		.offset = AT(rule.activity),
		.words = activity_words,
		.doc = "what the machine does while this rule wins"},
	CONDITION_KEYS,
	{.name = "for",
		.type = KEY_DURATION,
		.offset = AT(rule.for_ms),
		.def = "0s",
		.max = DAY,
		.doc = "the condition must hold this long before the rule wins"},
	{.name = "hold",
		.type = KEY_DURATION,
		.offset = AT(rule.hold_ms),
		.def = "0s",
		.max = DAY,
		.doc = "the rule keeps winning this long after its condition ended"},
};
#undef AT
const struct key_table usage_table = KEY_TABLE("usage_rule", usage_keys);

#define AT(field) offsetof(struct alarm_draft, field)
static const struct key alarm_keys[] = {
	{.name = "code",
		.type = KEY_STRING,
		.flags = KEY_REQUIRED,
		.offset = AT(rule.code),
		.doc = "name of the alarm, last level of its topic: a-z 0-9 -, at most 64"},
	CONDITION_KEYS,
	{.name = "activity",
		.type = KEY_WORD,
		.offset = AT(when.activity),
		.words = activity_words,
		.doc = "holds while the machine is doing this"},
	{.name = "for",
		.type = KEY_DURATION,
		.offset = AT(rule.for_ms),
		.def = "0s",
		.max = DAY,
		.doc = "the condition must hold this long before the alarm is raised"},
	{.name = "clear",
		.type = KEY_NODE,
		.offset = AT(clear),
		.schema = NUMBER,
		.doc = "the value must come back past this one before the alarm clears"},
	{.name = "clear_for",
		.type = KEY_DURATION,
		.offset = AT(rule.clear_for_ms),
		.def = "2s",
		.max = DAY,
		.doc = "and stay there this long"},
	{.name = "hits",
		.type = KEY_INT,
		.offset = AT(rule.hits),
		.def = "1",
		.min = 1,
		.max = 1000,
		.doc = "readings in a row for which the condition must hold"},
	{.name = "latch",
		.type = KEY_BOOL,
		.offset = AT(rule.latch),
		.def = "false",
		.doc = "stays until a person acknowledges it"},
	{.name = "severity",
		.type = KEY_WORD,
		.offset = AT(rule.severity),
		.words = severity_words,
		.def = "error",
		.doc = "`none` silences an alarm of a profile or driver"},
	{.name = "text", .type = KEY_TEXT, .offset = AT(rule.text), .doc = "what happened"},
	{.name = "hint", .type = KEY_TEXT, .offset = AT(rule.hint), .doc = "what to touch"},
};
#undef AT
const struct key_table alarm_table = KEY_TABLE("alarm", alarm_keys);
