/* SPDX-License-Identifier: MIT */
/* rule_check_test.c -- rules that can never hold, never win or never end are told, others are not
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"
#include "config/profile_load.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Ten lines; a case begins on line 11. The meter is read each 2 s, its energy each minute. */
#define HEAD                                                                                       \
	"park: p\n"                                                                                \
	"mqtt: {brokers: [mqtt://h]}\n"                                                            \
	"buses: [{id: line, type: modbus-rtu, device: /dev/ttyS0}]\n"                              \
	"machines:\n"                                                                              \
	"  - id: m\n"                                                                              \
	"    class: cnc\n"                                                                         \
	"    sources:\n"                                                                           \
	"      - {id: meter, driver: modbus, bus: line, unit: 1, profile: eastron-sdm120}\n"       \
	"      - {id: psu, driver: modbus, bus: line, unit: 2, profile: dps5005}\n"                \
	"      - {id: in, driver: modbus, bus: line, unit: 3, profile: wirenboard-mcm8}\n"
#define USAGE(rule) HEAD "    usage:\n      - " rule "\n      - {activity: idle}\n"
#define TWO(first, second)                                                                         \
	HEAD "    usage:\n      - " first "\n      - " second "\n      - {activity: idle}\n"
#define ALARM(condition) HEAD "    alarms:\n      - {code: x, " condition "}\n"
#define ALL(parts) ALARM("all: [" parts "]")

struct row {
	const char *text;
	int line;         /* 0: nothing is told */
	const char *says; /* of the only problem */
};

static const struct row excluded[] = {
	{ALL("{point: meter.power_w, above: 10}, {point: meter.power_w, below: 5}"), 12,
		"\"meter.power_w above 10\" (line 12) and \"meter.power_w below 5\" never hold"},
	{ALL("{point: meter.power_w, below: 5}, {point: meter.power_w, above: 5}"), 12, "never"},
	{ALL("{point: meter.power_w, above: 5}, {point: meter.power_w, below: 5}"), 12, "never"},
	{ALL("{point: meter.power_w, above: 5}, {point: meter.power_w, below: 10}"), 0, ""},
	{ALL("{all: [{activity: busy}, {activity: idle}]}"), 12, "never hold"}, /* told once */
	{ALL("{point: meter.power_w, above: 10}, {point: meter.power_w, stat: mean, below: 5}"), 0,
		""},
	{ALL("{point: meter.power_w, stat: max, window: 10s, above: 10},\n"
	     "            {point: meter.power_w, stat: max, window: 20s, below: 5}"),
		0, ""},
	{ALL("{point: meter.power_w, stat: max, window: 10s, above: 10},\n"
	     "            {point: meter.power_w, stat: max, window: 10s, below: 5}"),
		13, "(line 12)"},
	{ALL("{point: meter.power_w, above: 10}, {point: meter.voltage_v, below: 5}"), 0, ""},
	{ALL("{point: meter.power_w, equals: 3}, {point: meter.power_w, above: 10}"), 12, "never"},
	{ALL("{point: psu.output, equals: \"on\"}, {point: psu.output, equals: \"off\"}"), 12,
		"\"psu.output equals on\" (line 12) and \"psu.output equals off\" never hold"},
	{ALL("{point: psu.output, any_of: [\"on\", \"off\"]}, {point: psu.output, equals: "
	     "\"off\"}"),
		0, ""},
	{ALL("{point: psu.output, equals: \"on\"}, {point: psu.output, not: \"on\"}"), 12,
		"never hold"},
	{ALL("{point: in.di1, equals: true}, {point: in.di1, equals: false}"), 12, "never hold"},
	{ALL("{point: in.di1, equals: true}, {point: in.di2, equals: false}"), 0, ""},
	{ALL("{activity: busy}, {activity: idle}"), 12,
		"\"activity busy\" (line 12) and \"activity idle\" never hold"},
	{ALL("{activity: busy}, {activity: busy}"), 0, ""},
	{ALL("{source: meter, ok: true}, {source: meter, ok: false}"), 12,
		"\"source meter ok true\" (line 12) and \"source meter ok false\" never hold"},
	{ALL("{source: meter, ok: true}, {source: psu, ok: false}"), 0, ""},
	{ALL("{point: meter.power_w, above: 10}, {all: [{point: meter.power_w, below: 5}]}"), 12,
		"never hold"},
	{ALL("{point: meter.power_w, above: 10}, {any: [{point: meter.power_w, below: 5}]}"), 0,
		""},
	{ALARM("any: [{all: [{activity: busy}, {activity: idle}]}, {activity: busy}]"), 12,
		"never hold"},
	{USAGE("{activity: busy, all: [{point: in.di1, equals: true}, {point: in.di1, equals: "
	       "false}]}"),
		12, "never hold"},
};

static const struct row covered[] = {
	{TWO("{activity: idle, point: meter.power_w, above: 8}",
		 "{activity: busy, point: meter.power_w, above: 120}"),
		13, "usage[0] (line 12) holds whenever this one does"},
	{TWO("{activity: busy, point: meter.power_w, above: 120}",
		 "{activity: idle, point: meter.power_w, above: 8}"),
		0, ""},
	{TWO("{activity: idle, point: meter.power_w, above: 8, for: 5s}",
		 "{activity: busy, point: meter.power_w, above: 120}"),
		0, ""},
	{TWO("{activity: idle, point: meter.power_w, above: 8, for: 5s}",
		 "{activity: busy, point: meter.power_w, above: 120, for: 5s, hold: 10s}"),
		13, "never wins"},
	{TWO("{activity: idle, point: meter.power_w, stat: mean, above: 8}",
		 "{activity: busy, point: meter.power_w, above: 120}"),
		0, ""},
	{TWO("{activity: \"off\", point: meter.power_w, below: 8}",
		 "{activity: idle, point: meter.power_w, below: 2}"),
		13, "never wins"},
	{TWO("{activity: busy, point: psu.output, equals: \"on\"}",
		 "{activity: paused, point: psu.output, equals: \"on\"}"),
		13, "never wins"},
	{TWO("{activity: busy, point: psu.output, equals: \"on\"}",
		 "{activity: paused, point: psu.output, equals: \"off\"}"),
		0, ""},
	{TWO("{activity: busy, point: psu.output, any_of: [\"on\", \"off\"]}",
		 "{activity: paused, point: psu.output, equals: \"off\"}"),
		13, "never wins"},
	{TWO("{activity: busy, point: psu.output, equals: \"off\"}",
		 "{activity: paused, point: psu.output, any_of: [\"on\", \"off\"]}"),
		0, ""},
	{TWO("{activity: busy, point: psu.output, not: \"on\"}",
		 "{activity: paused, point: psu.output, equals: \"off\"}"),
		13, "never wins"},
	{TWO("{activity: busy, point: meter.power_w, not: 0}",
		 "{activity: paused, point: meter.power_w, above: 5}"),
		13, "never wins"},
	{TWO("{activity: busy, point: in.di1, equals: true}",
		 "{activity: paused, all: [{point: in.di2, equals: true}, {point: in.di1, equals: "
		 "true}]}"),
		13, "never wins"},
	{TWO("{activity: busy, all: [{point: in.di2, equals: true}, {point: in.di1, equals: "
	     "true}]}",
		 "{activity: paused, point: in.di1, equals: true}"),
		0, ""},
	{TWO("{activity: busy, any: [{point: in.di2, equals: true}, {point: in.di1, equals: "
	     "true}]}",
		 "{activity: paused, point: in.di1, equals: true}"),
		13, "never wins"},
	{TWO("{activity: busy, point: in.di1, equals: true}",
		 "{activity: paused, any: [{point: in.di2, equals: true}, {point: in.di1, equals: "
		 "true}]}"),
		0, ""},
	{TWO("{activity: busy, point: psu.output, any_of: [\"on\", \"off\"]}",
		 "{activity: paused, any: [{point: psu.output, equals: \"on\"}, {point: "
		 "psu.output, equals: \"off\"}]}"),
		13, "never wins"},
	{TWO("{activity: \"off\", source: meter, ok: false}",
		 "{activity: idle, source: meter, ok: false}"),
		13, "never wins"},
	{USAGE("{activity: busy, any: [{point: in.di1, equals: true}, {all: [{activity: idle}]}]}"),
		12, "cannot ask for it"},
	{ALARM("any: [{point: in.di1, equals: true}, {activity: idle}]"), 0, ""},
};

/* power_w is within -50000 and 50000 W, voltage_v within 0 and 500 V. */
static const struct row doubtful[] = {
	{ALARM("point: meter.voltage_v, above: 500"), 12, "never holds"},
	{ALARM("point: meter.voltage_v, above: 499"), 0, ""},
	{ALARM("point: meter.voltage_v, below: 0"), 12,
		"never holds: meter.voltage_v is between 0 and 500"},
	{ALARM("point: meter.voltage_v, above: 0"), 0, ""},
	{ALARM("point: meter.voltage_v, above: -1"), 12, "always holds"},
	{ALARM("point: meter.voltage_v, below: 501"), 12, "always holds"},
	{ALARM("point: meter.voltage_v, equals: 501"), 12, "never holds"},
	{ALARM("point: meter.voltage_v, stat: p90, above: 600"), 12, "never holds"},
	{ALARM("all: [{point: meter.voltage_v, above: 10}, {point: meter.voltage_v, above: 600}]"),
		12, "never holds"},
	{USAGE("{activity: busy, point: meter.voltage_v, above: 10, below: -1}"), 12, "never ends"},
	{USAGE("{activity: busy, point: meter.voltage_v, above: 10, below: 1}"), 0, ""},
	{ALARM("point: psu.output, equals: \"on\""), 0, ""},
	{ALARM("point: meter.power_w, stat: mean, window: 3s, above: 10"), 12,
		"window of 3 s, but meter.power_w is read every 2 s"},
	{ALARM("point: meter.power_w, stat: mean, window: 4s, above: 10"), 0, ""},
	{ALARM("point: meter.energy_total_wh, stat: max, above: 10"), 12, "is read every 60 s"},
	{HEAD "      - {id: slow, driver: modbus, bus: line, unit: 9, profile: eastron-sdm120, "
	      "interval: 40s}\n    alarms:\n"
	      "      - {code: x, point: slow.power_w, stat: mean, above: 10}\n",
		13, "is read every 40 s"},
	{HEAD "      - {id: fast, driver: modbus, bus: line, unit: 9, profile: eastron-sdm120, "
	      "interval: continuous}\n    alarms:\n"
	      "      - {code: x, point: fast.power_w, stat: mean, window: 1s, above: 10}\n",
		0, ""},
};

static bool
is_as_said(const struct row *row, const struct problems *p)
{
	if (!row->line)
		return p->n == 0;
	return p->n == 1 && p->list[0].line == row->line && strstr(p->list[0].text, row->says);
}

static void
check(const struct row *rows, size_t n, bool errors)
{
	int wrong = 0;

	for (size_t i = 0; i < n; i++) {
		struct problems problems = {0};
		struct config *c = config_load_text(
			"t.yaml", rows[i].text, strlen(rows[i].text), "config/profiles", &problems);
		bool loads = !errors || !rows[i].line;
		if (!is_as_said(&rows[i], &problems) || loads != (c != NULL)) {
			printf("row %zu: not just \"%s\" on line %d\n", i, rows[i].says,
				rows[i].line);
			problems_print(&problems, stdout);
			wrong++;
		}
		config_free(c);
		problems_free(&problems);
	}
	assert_int_equal(wrong, 0);
}

static void
parts_of_all_that_exclude_each_other(void **state)
{
	(void)state;
	check(excluded, COUNT(excluded), true);
}

static void
rules_that_never_win(void **state)
{
	(void)state;
	check(covered, COUNT(covered), true);
}

static void
levels_and_windows_that_make_no_sense(void **state)
{
	(void)state;
	check(doubtful, COUNT(doubtful), false);
}

/* ---- the same in profiles -------------------------------------------------------------------- */

#define PROFILE                                                                                    \
	"schema: 1\nid: test\nrevision: 1\nkind: generic\nvendor: Nobody\n"                        \
	"title: {ru: \"Прибор\", en: \"Device\"}\nstatus: unverified\n"                      \
	"sources: [{id: s1, origin: other, title: t}]\n"                                           \
	"groups: [{id: fast, period: 1s}, {id: slow, period: 60s}]\n"                              \
	"points:\n"                                                                                \
	"  - {id: a, table: holding, address: 1, type: u16, range: [0, 100]}\n"                    \
	"  - {id: b, table: holding, address: 2, type: u16, group: slow}\n"
#define IN_ALARM "alarms:\n  - {code: x, text: {ru: т}, "

static const struct row in_profile[] = {
	{PROFILE IN_ALARM "all: [{point: a, above: 9}, {point: a, below: 5}]}\n", 14, "P041"},
	{PROFILE "usage:\n  - {activity: idle, point: a, above: 9}\n"
		 "  - {activity: busy, point: a, above: 90}\n  - {activity: \"off\"}\n",
		15, "P042"},
	{PROFILE "usage:\n  - {activity: idle, all: [{activity: busy}]}\n  - {activity: busy}\n",
		14, "P042"},
	{PROFILE IN_ALARM "point: a, above: 200}\n", 14, "P043"},
	{PROFILE IN_ALARM "point: b, stat: mean, above: 200}\n", 14, "P043"},
	{PROFILE IN_ALARM "point: a, stat: mean, above: 20}\n", 0, ""},
};

static void
profiles_too(void **state)
{
	const struct profile_dirs dirs = {.n = 0};
	int wrong = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(in_profile); i++) {
		const struct row *row = &in_profile[i];
		struct problems p = {0};
		uint64_t hash = 0;
		struct profile_file *f = profile_read(
			&(struct profile_text){
				.file = "test.yaml", .text = row->text, .len = strlen(row->text)},
			&dirs, &p, &hash);
		bool good = row->line ? p.n == 1 && p.list[0].line == row->line &&
						strcmp(p.list[0].code, row->says) == 0
				      : p.n == 0;
		if (!good) {
			printf("row %zu: not just %s\n", i, row->says);
			problems_print(&p, stdout);
			wrong++;
		}
		profile_free(f);
		problems_free(&p);
	}
	assert_int_equal(wrong, 0);
}

/* Five levels of `all` against five of `any`: each pair would take a million steps. */
static void
hostile_rules_take_bounded_time(void **state)
{
	enum { RULES = 200, LEVELS = 5, PARTS = 60, SIZE = RULES * 8192 };
	char *text = calloc(1, SIZE);
	struct problems problems = {0};
	size_t len = (size_t)snprintf(text, SIZE, "%s    usage:\n", HEAD);

	(void)state;
	for (int i = 0; i < RULES; i++) {
		const char *kind = i % 2 ? "all" : "any", *test = i % 2 ? "not" : "below";
		len += (size_t)snprintf(text + len, SIZE - len, "      - {activity: busy, ");
		for (int k = 0; k < LEVELS; k++)
			len += (size_t)snprintf(
				text + len, SIZE - len, "%s%s: [", k ? "{" : "", kind);
		for (int k = 0; k < PARTS; k++)
			len += (size_t)snprintf(text + len, SIZE - len,
				"%s{point: meter.power_w, %s: %d}", k ? ", " : "", test,
				i % 2 ? -100000 - i * PARTS - k : i * PARTS + k);
		for (int k = 0; k < LEVELS; k++)
			len += (size_t)snprintf(text + len, SIZE - len, "]}");
		len += (size_t)snprintf(text + len, SIZE - len, "\n");
	}
	snprintf(text + len, SIZE - len, "      - {activity: idle}\n");
	struct config *c =
		config_load_text("t.yaml", text, strlen(text), "config/profiles", &problems);
	problems_print(&problems, stdout);
	assert_non_null(c);
	config_free(c);
	problems_free(&problems);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_of_all_that_exclude_each_other),
		cmocka_unit_test(rules_that_never_win),
		cmocka_unit_test(levels_and_windows_that_make_no_sense),
		cmocka_unit_test(profiles_too),
		cmocka_unit_test(hostile_rules_take_bounded_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
