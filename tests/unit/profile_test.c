/* SPDX-License-Identifier: MIT */
/* profile_test.c -- one case that provokes each of the rules P001-P038, and what a good one gives
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/profile.h"
#include "config/profile_load.h"

/* Ten lines; the cases below begin on line 11. */
#define HEAD                                                                                       \
	"schema: 1\n"                                                                              \
	"id: test-device\n"                                                                        \
	"revision: 1\n"                                                                            \
	"kind: generic\n"                                                                          \
	"vendor: Nobody\n"                                                                         \
	"title: {ru: \"Прибор\", en: \"Device\"}\n"                                          \
	"status: unverified\n"                                                                     \
	"sources: [{id: s1, origin: other, title: t}]\n"                                           \
	"limits: {max_regs: 20, align: 1}\n"                                                       \
	"groups: [{id: fast, period: 1s}, {id: slow, period: 60s}]\n"
#define ONE "  - {id: a, table: holding, address: 1, type: u16}\n"

static struct profile_file *
load(const char *text, struct problems *problems)
{
	const struct profile_dirs dirs = {.n = 0};
	uint64_t hash = 0;

	return profile_read(
		&(struct profile_text){
			.file = "test-device.yaml", .text = text, .len = strlen(text)},
		&dirs, problems, &hash);
}

struct rule_case {
	const char *code;
	bool is_error;
	int line, column;
	const char *text;
};

static const struct rule_case cases[] = {
	{"P001", true, 1, 9, "schema: 2\nid: test-device\nrevision: 1\n"},
	{"P002", true, 12, 29, HEAD "points:\n  - {id: a, table: holding, adress: 1, type: u16}\n"},
	{"P003", true, 12, 5, HEAD "points:\n  - {id: a, address: 1, type: u16}\n"},
	{"P004", true, 2, 5, "schema: 1\nid: SDM120\n"},
	{"P004", true, 2, 5, "schema: 1\nid: other-name\npoints:\n" ONE},
	{"P004", true, 12, 10,
		HEAD "points:\n  - {id: A, table: holding, address: 1, type: u16}\n"},
	{"P005", true, 13, 10, HEAD "points:\n" ONE ONE},
	{"P005", true, 10, 1,
		"\n\n\n\n\n\n\n\ngroups: [{id: x, period: 1s},\n{id: x, period: 2s}]\n"
		"points:\n" ONE},
	{"P005", true, 15, 5,
		HEAD "points:\n" ONE "alarms:\n  - {code: x, point: a, above: 1, text: {ru: т}}\n"
		     "  - {code: x, point: a, above: 1, text: {ru: т}}\n"},
	{"P006", true, 12, 47,
		HEAD "points:\n  - {id: a, table: holding, address: 1, type: float}\n"},
	{"P007", true, 12, 59,
		HEAD "points:\n  - {id: a, table: holding, address: 1, type: u16, order: CDAB}\n"},
	{"P008", true, 12, 44, HEAD "points:\n  - {id: a, table: coil, address: 1, type: u16}\n"},
	{"P008", true, 12, 47,
		HEAD "points:\n  - {id: a, table: holding, address: 1, type: bool}\n"},
	{"P009", true, 12, 38,
		HEAD "points:\n  - {id: a, table: holding, address: 65535, type: u32}\n"},
	{"P009", true, 12, 38,
		HEAD "points:\n  - {id: a, table: holding, address: 70000, type: u16}\n"},
	{"P010", false, 12, 38,
		HEAD "points:\n  - {id: a, table: holding, address: 40013, type: u16}\n"},
	{"P011", true, 12, 62,
		HEAD "points:\n  - {id: a, table: holding, address: 1, type: string, count: 40}\n"},
	{"P012", true, 11, 20, "\n\n\n\n\n\n\n\n\n\nlimits: {max_regs: 200}\npoints:\n" ONE},
	{"P013", true, 13, 38,
		"\n\n\n\n\n\n\n\n\n\nlimits: {align: 2}\npoints:\n"
		"  - {id: a, table: holding, address: 13, type: u32}\n"},
	{"P014", true, 12, 59,
		HEAD "points:\n  - {id: a, table: holding, address: 1, type: u16, scale: 0}\n"},
	{"P015", true, 12, 64,
		HEAD "points:\n  - {id: a, table: holding, address: 1, type: u16, scale_from: "
		     "{point: sf, mode: pow10}}\n"},
	{"P016", true, 12, 65,
		HEAD "points:\n  - {id: a, table: holding, address: 1, type: u16, atomic_with: b}\n"
		     "  - {id: b, table: holding, address: 300, type: u16}\n"},
	{"P016", true, 12, 65,
		HEAD "points:\n  - {id: a, table: holding, address: 1, type: u16, atomic_with: b}\n"
		     "  - {id: b, table: input, address: 2, type: u16}\n"},
	{"P017", true, 12, 5,
		HEAD
		"points:\n"
		"  - {id: a, table: holding, address: 1, type: u16, scale_from: {point: b, mode: "
		"pow10}}\n"
		"  - {id: b, table: holding, address: 2, type: u16, scale_from: {point: a, mode: "
		"pow10}}\n"},
	{"P018", true, 12, 60,
		HEAD
		"points:\n  - {id: a_w, table: holding, address: 1, type: u16, unit: A, class: "
		"power_active_w}\n"},
	{"P018", true, 12, 61,
		HEAD
		"points:\n  - {id: a_w, table: holding, address: 1, type: u16, class: powerful}\n"},
	{"P018", true, 12, 10,
		HEAD "points:\n  - {id: power, table: holding, address: 1, type: u16, unit: kW}\n"},
	{"P018", true, 12, 10,
		HEAD "points:\n  - {id: power_w, table: holding, address: 1, type: u16}\n"},
	{"P019", true, 12, 59,
		HEAD
		"points:\n  - {id: a, table: holding, address: 1, type: u16, range: [100, 0]}\n"},
	{"P020", true, 12, 61,
		HEAD
		"points:\n  - {id: a, table: holding, address: 1, type: u16, raw_na: [0x1FFFF]}\n"},
	{"P021", false, 12, 79,
		HEAD
		"points:\n  - {id: a, table: holding, address: 1, type: u16, range: [0, 70000], "
		"raw_na: [0xFFFF]}\n"},
	{"P022", true, 12, 77,
		HEAD
		"points:\n  - {id: a, table: holding, address: 1, type: u16, bits: {width: 3}, "
		"enum: {9: x}}\n"},
	{"P023", true, 12, 58,
		HEAD
		"points:\n  - {id: a, table: holding, address: 1, type: u16, bits: {shift: 14, "
		"width: 4}}\n"},
	{"P024", false, 13, 5,
		HEAD "points:\n  - {id: a, table: holding, address: 1, type: u32}\n"
		     "  - {id: b, table: holding, address: 2, type: u16}\n"},
	{"P025", true, 12, 59,
		HEAD "points:\n  - {id: a, table: holding, address: 1, type: u16, group: fsat}\n"},
	{"P025", true, 11, 10,
		"\n\n\n\n\n\n\n\n\n\ngroups: [{id: x, period: 50ms}]\npoints:\n" ONE},
	{"P026", true, 13, 5,
		"\n\n\n\n\n\n\n\n\n\n"
		"groups: [{id: x, period: 1s, exact: [{table: holding, start: 8, count: 8}]}]\n"
		"points:\n" ONE},
	{"P027", true, 14, 30,
		HEAD "points:\n" ONE "alarms:\n  - {code: x, point: a, bit: 17, text: {ru: т}}\n"},
	{"P027", true, 14, 22,
		HEAD "points:\n" ONE "alarms:\n  - {code: x, point: zz, bit: 1, text: {ru: т}}\n"},
	{"P028", true, 14, 5,
		HEAD "points:\n" ONE "alarms:\n  - {code: x, point: a, bit: 1, text: {en: t}}\n"},
	{"P029", true, 14, 50,
		HEAD "points:\n" ONE
		     "usage:\n  - {activity: busy, point: a, above: 80, below: 90}\n"
		     "  - {activity: idle}\n"},
	{"P029", true, 14, 42,
		HEAD "points:\n" ONE
		     "alarms:\n  - {code: x, point: a, above: 8, clear: 9, text: {ru: т}}\n"},
	{"P030", true, 14, 5,
		HEAD "points:\n" ONE "usage:\n  - {activity: busy, point: a, above: 80}\n"},
	{"P031", true, 14, 29,
		HEAD "points:\n" ONE "usage:\n  - {activity: busy, point: p_total, above: 80}\n"
		     "  - {activity: idle}\n"},
	{"P031", true, 14, 40,
		HEAD "points:\n" ONE "usage:\n  - {activity: busy, point: a, equals: running}\n"
		     "  - {activity: idle}\n"},
	{"P032", true, 11, 9,
		"\n\n\n\n\n\n\n\n\n\nstatus: two_sources\n"
		"sources: [{id: a, origin: vendor, title: t}, {id: b, origin: vendor, title: t}]\n"
		"points:\n" ONE},
	{"P033", true, 12, 60,
		HEAD
		"points:\n  - {id: a, table: holding, address: 1, type: u16, access: write}\n"},
	{"P034", true, 11, 14, HEAD "link: {unit: 248}\npoints:\n" ONE},
	{"P034", true, 11, 14, HEAD "link: {unit: 0}\npoints:\n" ONE},
	{"P035", true, 11, 14, HEAD "link: {baud: 12345}\npoints:\n" ONE},
	{"P035", true, 11, 16, HEAD "link: {format: 9X1}\npoints:\n" ONE},
	{"P036", false, 11, 26, HEAD "link: {transports: [rtu, rtu_over_tcp]}\npoints:\n" ONE},
	{"P037", true, 3, 1, "schema: 1\nid: test-device\nid: test-device\n"},
	{"P037", true, 1, 9, "schema: &x 1\n"},
	{"P037", true, 2, 1, "schema: 1\n\tid: x\n"},
	{"P038", true, 12, 38,
		HEAD "points:\n  - {id: a, table: holding, address: 010, type: u16}\n"},
	{"P038", true, 12, 62,
		HEAD
		"points:\n  - {id: a, table: holding, address: 1, type: u16, optional: yes}\n"},
	{"P038", false, 12, 62,
		HEAD
		"points:\n  - {id: a, table: holding, address: 1, type: u16, enum: {0: off}}\n"},
};

static bool
has(const struct problems *problems, const struct rule_case *c)
{
	for (size_t i = 0; i < problems->n; i++) {
		const struct problem *p = &problems->list[i];
		if (strcmp(p->code, c->code) == 0 && p->line == c->line && p->column == c->column &&
			p->is_error == c->is_error)
			return true;
	}
	return false;
}

static void
each_rule_is_told_at_its_place(void **state)
{
	int missed = 0;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct problems problems = {0};
		struct profile_file *p = load(cases[i].text, &problems);
		if (!has(&problems, &cases[i])) {
			missed++;
			printf("case %zu: no %s at %d:%d\n", i, cases[i].code, cases[i].line,
				cases[i].column);
			problems_print(&problems, stdout);
		}
		assert_true((p == NULL) == (problems.errors > 0));
		profile_free(p);
		problems_free(&problems);
	}
	assert_int_equal(missed, 0);
}

static void
the_message_names_file_path_and_rule(void **state)
{
	struct problems problems = {0};
	char line[512];

	(void)state;
	assert_null(load(HEAD
		"points:\n  - {id: a, table: holding, adress: 1, address: 1, type: u16}\n",
		&problems));
	assert_int_equal(problems.errors, 1);
	problem_format(&problems.list[0], line, sizeof line);
	assert_string_equal(line,
		"test-device.yaml:12:29: error: points[0]: unknown key \"adress\"; did you mean "
		"\"address\"? [P002]");
	problems_free(&problems);
}

static const struct reg_point *
point(const struct profile_file *p, const char *id)
{
	for (size_t i = 0; i < p->regs.n_points; i++)
		if (strcmp(p->regs.points[i].point.id, id) == 0)
			return &p->regs.points[i];
	fail_msg("no point %s", id);
	return NULL;
}

static struct profile_file *
good(const char *text)
{
	struct problems problems = {0};
	struct profile_file *p = load(text, &problems);

	problems_print(&problems, stdout);
	assert_non_null(p);
	problems_free(&problems);
	return p;
}

static void
repeat_makes_several_points(void **state)
{
	struct profile_file *p = good(HEAD
		"points:\n"
		"  - {id: \"temp{i+1}_c\", repeat: {n: 3}, table: holding, address: {base: 4, step: 6},\n"
		"     type: f32, class: temperature_c, atomic_with: \"st{i+1}\"}\n"
		"  - {id: \"st{k+1}\", repeat: {n: 3, var: k}, table: holding, address: {base: 2, step: 6},"
		" type: u16, enum: {0: ok, 0xF00D: break}}\n");

	(void)state;
	assert_int_equal(p->regs.n_points, 6);
	assert_int_equal(point(p, "temp3_c")->address, 16);
	assert_int_equal(point(p, "st3")->address, 14);
	assert_ptr_equal(&p->regs.points[point(p, "temp2_c")->atomic_with], point(p, "st2"));
	assert_string_equal(point(p, "st1")->enums[1].key, "break");
	profile_free(p);
}

static void
units_become_published_ones(void **state)
{
	struct profile_file *p = good(HEAD
		"points:\n"
		"  - {id: e_wh, table: input, address: 0, type: u32, unit: kWh, scale: 0.01, class: "
		"energy_import_wh}\n"
		"  - {id: f_lpm, table: input, address: 4, type: u16, unit: L/h}\n"
		"  - {id: t_c, table: input, address: 5, type: s16, scale: 0.1, unit: °C, range: [5, "
		"120], raw_na: [-1, 0x7FFF], offset: -0.25}\n"
		"  - {id: run_time_s, table: input, address: 6, type: u16, unit: h, class: run_time_s}\n"
		"  - {id: v_v, table: input, address: 8, type: s32, unit: V, scale: 1.52588e-7}\n"
		"  - {id: x, table: input, address: 10, type: u16}\n");

	(void)state;
	assert_true(point(p, "e_wh")->scale == 10);
	assert_int_equal(point(p, "e_wh")->decimals, 0);
	assert_string_equal(point(p, "e_wh")->point.unit, "Wh");
	assert_true(point(p, "e_wh")->counter);
	assert_int_equal(point(p, "f_lpm")->decimals, 4);
	assert_int_equal(point(p, "t_c")->decimals, 2);
	assert_int_equal(point(p, "t_c")->raw_na[0], 0xFFFF);
	assert_true(point(p, "run_time_s")->scale == 3600);
	assert_int_equal(point(p, "x")->decimals, 0);
	profile_free(p);
}

static void
decimals_show_the_resolution(void **state)
{
	(void)state;
	assert_int_equal(profile_decimals(1), 0);
	assert_int_equal(profile_decimals(100), 0);
	assert_int_equal(profile_decimals(0.1), 1);
	assert_int_equal(profile_decimals(0.25), 2);
	assert_int_equal(profile_decimals(0.001), 3);
	assert_int_equal(profile_decimals(1.5), 1);
	assert_int_equal(profile_decimals(1.52588e-7), 9);
	assert_int_equal(profile_decimals(0), 0);
	assert_int_equal(profile_decimals(1e-300), 15);
}

static void
write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void
extends_takes_the_other_and_changes_it(void **state)
{
	char dir[] = "/tmp/profile_test.XXXXXX", path[64], base[64];
	struct problems problems = {0};

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(base, sizeof base, "%s/test-device.yaml", dir);
	snprintf(path, sizeof path, "%s/test-two.yaml", dir);
	write_file(base, HEAD "points:\n" ONE "  - {id: b, table: input, address: 9, type: u32}\n");
	write_file(path, "schema: 1\nid: test-two\nrevision: 4\nextends: test-device\npoints:\n"
			 "  - {id: b, enabled: false}\n"
			 "  - {id: c, table: input, address: 12, type: u16}\n");
	struct profile_file *p = profile_load(path, &problems);
	problems_print(&problems, stdout);
	assert_non_null(p);
	assert_string_equal(p->regs.id, "test-two");
	assert_string_equal(p->vendor, "Nobody");
	assert_int_equal(p->regs.revision, 4);
	assert_int_equal(p->regs.n_points, 3);
	assert_false(point(p, "b")->enabled);
	assert_int_equal(point(p, "b")->address, 9);
	profile_free(p);
	write_file(path, "schema: 1\nid: test-two\nrevision: 4\nextends: nowhere\n");
	assert_null(profile_load(path, &problems));
	problems_free(&problems);
	unlink(path);
	unlink(base);
	rmdir(dir);
}

static void
alarms_and_usage_are_kept(void **state)
{
	struct profile_file *p = good(HEAD
		"points:\n" ONE
		"  - {id: st, table: holding, address: 9, type: u16, enum: {0: idle, 1: run}}\n"
		"alarms:\n"
		"  - {code: hot, any: [{point: a, above: 10}, {point: st, any_of: [run]}], for: 2s, text: "
		"{ru: т}}\n"
		"usage:\n"
		"  - {activity: busy, point: a, below: 2, above: 3, stat: mean}\n"
		"  - {activity: \"off\"}\n");

	(void)state;
	assert_int_equal(p->n_faults, 1);
	assert_int_equal(p->faults[0].when.n_parts, 2);
	assert_int_equal(p->faults[0].severity, SEVERITY_ERROR);
	assert_int_equal(p->faults[0].clear_for_ms, 2000);
	assert_int_equal(p->usage[0].when.test, TEST_BELOW);
	assert_true(p->usage[0].when.has_exit && p->usage[0].when.exit == 3);
	assert_int_equal(p->usage[0].when.window_ms, 60000);
	assert_true(p->usage[1].always);
	profile_free(p);
}

/* What is wrong has its default, so that the rest can be judged; align 0 would divide by zero. */
static void
a_bad_limit_does_not_spoil_the_rest(void **state)
{
	static const char *const limits[] = {
		"limits: {align: x}\n", "limits: 5\n", "limits: [1]\n"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct problems problems = {0};
		char text[512];
		snprintf(text, sizeof text, "schema: 1\nid: test-device\n%spoints:\n%s", limits[i],
			ONE);
		assert_null(load(text, &problems));
		assert_true(problems.errors > 0);
		problems_free(&problems);
	}
}

static void
a_big_file_is_refused(void **state)
{
	char path[] = "/tmp/profile_test.XXXXXX";
	struct problems problems = {0};
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, YAML_MAX_PROFILE + 1), 0);
	assert_null(profile_load(path, &problems));
	assert_int_equal(problems.list[0].line, 0);
	problems_free(&problems);
	close(fd);
	unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rule_is_told_at_its_place),
		cmocka_unit_test(the_message_names_file_path_and_rule),
		cmocka_unit_test(repeat_makes_several_points),
		cmocka_unit_test(units_become_published_ones),
		cmocka_unit_test(decimals_show_the_resolution),
		cmocka_unit_test(extends_takes_the_other_and_changes_it),
		cmocka_unit_test(alarms_and_usage_are_kept),
		cmocka_unit_test(a_bad_limit_does_not_spoil_the_rest),
		cmocka_unit_test(a_big_file_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
