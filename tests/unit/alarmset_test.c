/* SPDX-License-Identifier: MIT */
/* alarmset_test.c -- which alarms a machine has, and when they are raised */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "config/alarm_words.h"
#include "daemon/alarmset.h"
#include "tests/unit/small_lab.h"

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- a machine with a meter, whose profile has an alarm, and a USB board ------------------- */

static struct operand thirty = {.number = 30}, fifty = {.number = 50};

static struct alarm_rule hot = {.code = "hot",
	.when = {.kind = CONDITION_POINT,
		.point = "power_w",
		.test = TEST_ABOVE,
		.operands = &thirty,
		.n_operands = 1},
	.has_clear = true,
	.clear = 28,
	.hits = 2,
	.severity = SEVERITY_WARNING,
	.text = {"Жарко", "Hot"},
	.hint = {"Проветрите", "Air it"}};

static struct alarm_rule faults[] = {{.code = "halt", .silent = true, .severity = SEVERITY_ERROR},
	{.code = "thermal-runaway",
		.silent = true,
		.severity = SEVERITY_CRITICAL,
		.text = {"Нагрев", "Heating"}},
	{.code = "silent", .silent = true, .severity = SEVERITY_ERROR}};

static struct profile_file board_profile = {.faults = faults, .n_faults = 3};
static const struct driver usb_driver = {.name = "marlin", .link = LINK_SERIAL};

struct lab {
	struct profile_file profile;
	struct source_config configs[2];
	struct machine_config config;
	struct source *sources[2], *meter, *board;
	struct alarmset *set;
	struct flood flood;
	bool maintenance;
	char log[400]; /* "code:transitions " of the last update */
};

static void
lab_open(struct lab *lab, struct alarm_rule *rules, size_t n)
{
	lab->profile = lab_profile;
	lab->profile.faults = &hot;
	lab->profile.n_faults = 1;
	lab->configs[0] = (struct source_config){
		.id = "dust_1", .driver = &lab_driver, .unit = 5, .profile = &lab->profile};
	lab->configs[1] = (struct source_config){
		.id = "board", .driver = &usb_driver, .profile = &board_profile};
	lab->config.sources = lab->configs;
	lab->config.n_sources = 2;
	lab->config.alarms = rules;
	lab->config.n_alarms = n;
	for (size_t i = 0; i < 2; i++)
		lab->sources[i] = source_create(&lab->configs[i], &lab_config.buses[i], 0);
	lab->meter = lab->sources[0];
	lab->board = lab->sources[1];
	lab->set = alarmset_create(&lab->config, lab->sources, 2);
	assert_non_null(lab->set);
}

static void
lab_close(struct lab *lab)
{
	alarmset_destroy(lab->set);
	for (size_t i = 0; i < 2; i++)
		source_destroy(lab->sources[i]);
}

static struct moment
at(double s)
{
	return (struct moment){(int64_t)(s * LAB_S), 1700000000000LL + (int64_t)(s * 1000)};
}

static void
note(void *arg, struct alarm *a, unsigned transitions)
{
	char *log = arg;
	size_t len = strlen(log);

	snprintf(log + len, sizeof(((struct lab *)0)->log) - len, "%s%s:%u", len ? " " : "",
		a->spec.code, transitions);
}

static const char *
update(struct lab *lab, double s)
{
	const struct alarmset_context context = {.now = at(s),
		.activity = ACTIVITY_BUSY,
		.maintenance = lab->maintenance,
		.flood = &lab->flood};

	lab->log[0] = '\0';
	alarmset_update(lab->set, &context, note, lab->log);
	return lab->log;
}

/* A reading of the meter, and what it makes of the alarms. */
static const char *
reads(struct lab *lab, double s, double power)
{
	struct lab_reading l;

	source_take(lab->meter, lab_answer(&l, s, power, 1, "heat"), lab_fast, at(s).us);
	return update(lab, s);
}

static const char *
fails(struct lab *lab, double s)
{
	struct lab_reading l;

	source_take(lab->meter, lab_failure(&l, s, FAIL_TIMEOUT), lab_fast, at(s).us);
	return update(lab, s);
}

static const char *
codes(struct lab *lab)
{
	lab->log[0] = '\0';
	for (size_t i = 0; i < alarmset_size(lab->set); i++)
		note(lab->log, alarmset_at(lab->set, i), 0);
	return lab->log;
}

/* ---- what is in the set -------------------------------------------------------------------- */

static void
profiles_and_drivers_bring_theirs(void **state)
{
	struct lab lab = {0};

	(void)state;
	lab_open(&lab, NULL, 0);
	assert_string_equal(codes(&lab),
		"dust-1-hot:0 dust-1-silent:0 board-halt:0 board-thermal-runaway:0 board-silent:0");
	const struct alarm_spec *spec = &alarmset_find(lab.set, "dust-1-hot")->spec;
	assert_string_equal(spec->source, "dust_1");
	assert_string_equal(spec->text.ru, "Жарко");
	assert_int_equal(spec->severity, SEVERITY_WARNING);
	spec = &alarmset_find(lab.set, "dust-1-silent")->spec;
	assert_int_equal(spec->severity, SEVERITY_ERROR);
	assert_string_equal(spec->source, "dust_1");
	assert_string_equal(spec->text.en, alarm_words_find("a-silent")->text.en);
	assert_null(alarmset_find(lab.set, "hot"));
	lab_close(&lab);
}

static void
usb_may_be_switched_off_unless_always_on(void **state)
{
	struct lab lab = {.config.always_on = true};

	(void)state;
	lab_open(&lab, NULL, 0);
	const struct alarm *silent = alarmset_find(lab.set, "board-silent");
	assert_non_null(silent);
	assert_int_equal(silent->spec.for_ms, 60000);
	lab_close(&lab);
	lab.config.always_on = false;
	lab_open(&lab, NULL, 0); /* what the driver calls so needs no minute */
	assert_int_equal(alarmset_find(lab.set, "board-silent")->spec.for_ms, 0);
	lab_close(&lab);
}

static void
the_machine_has_the_last_word(void **state)
{
	struct alarm_rule rules[] = {
		{.code = "dust-1-hot",
			.when = {.kind = CONDITION_POINT,
				.point = "dust_1.power_w",
				.test = TEST_ABOVE,
				.operands = &fifty,
				.n_operands = 1},
			.severity = SEVERITY_ERROR,
			.text = {.en = "Hotter"}},
		{.code = "dust-1-silent", .silent = true, .severity = SEVERITY_INFO},
		{.code = "board-halt",
			.silent = true,
			.severity = SEVERITY_CRITICAL,
			.hint = {.en = "Run"}},
		{.code = "board-thermal-runaway", .silent = true, .severity = SEVERITY_NONE},
		{.code = "own",
			.when = {.kind = CONDITION_ACTIVITY, .activity = ACTIVITY_BUSY},
			.severity = SEVERITY_NONE},
	};
	struct lab lab = {0};

	(void)state;
	lab_open(&lab, rules, 5);
	assert_string_equal(
		codes(&lab), "dust-1-silent:0 board-halt:0 board-silent:0 dust-1-hot:0");
	assert_string_equal(alarmset_find(lab.set, "dust-1-hot")->spec.text.en, "Hotter");
	assert_string_equal(alarmset_find(lab.set, "dust-1-hot")->spec.source, "dust_1");
	const struct alarm_spec *silent = &alarmset_find(lab.set, "dust-1-silent")->spec;
	assert_int_equal(silent->severity, SEVERITY_INFO);
	assert_string_equal(silent->text.ru, alarm_words_find("a-silent")->text.ru);
	const struct alarm_spec *halt = &alarmset_find(lab.set, "board-halt")->spec;
	assert_int_equal(halt->severity, SEVERITY_CRITICAL);
	assert_string_equal(halt->hint.en, "Run");
	assert_string_equal(reads(&lab, 1, 40), "");
	assert_string_equal(reads(&lab, 2, 51), "dust-1-hot:1");
	lab.board->decided = lab.board->ok = true;
	lab.board->status.faults = 1;
	assert_string_equal(update(&lab, 3), "board-halt:1");
	lab_close(&lab);
}

static void
that_it_is_silent_is_the_drivers_word_too(void **state)
{
	struct lab lab = {0};

	(void)state;
	lab_open(&lab, NULL, 0);
	lab.board->decided = true;
	lab.board->ok = false;
	assert_string_equal(update(&lab, 1), "");
	lab.board->faults_since = 1;
	assert_string_equal(update(&lab, 2), "board-halt:1");
	assert_false(alarmset_find(lab.set, "board-halt")->life.stale);
	lab_close(&lab);
}

/* ---- when they are raised ------------------------------------------------------------------ */

static void
a_level_has_hits_and_a_way_back(void **state)
{
	struct lab lab = {0};

	(void)state;
	lab_open(&lab, NULL, 0);
	assert_string_equal(update(&lab, 1), "");
	assert_string_equal(reads(&lab, 2, 31), "");
	assert_string_equal(update(&lab, 2.5), ""); /* the same reading */
	assert_string_equal(reads(&lab, 3, 32), "dust-1-hot:1");
	const struct alarm *a = alarmset_find(lab.set, "dust-1-hot");
	assert_true(a->life.has_value && a->life.value.u.num == 32);
	assert_true(a->life.has_limit && a->life.limit == 30);
	assert_int_equal(alarmset_worst(lab.set), SEVERITY_WARNING);
	assert_string_equal(reads(&lab, 4, 29), "");
	assert_string_equal(update(&lab, 60), "dust-1-hot:32"); /* nothing fresh */
	assert_true(a->life.stale);
	assert_string_equal(reads(&lab, 61, 29), "dust-1-hot:32");
	assert_string_equal(reads(&lab, 62, 27), "dust-1-hot:2");
	assert_int_equal(alarmset_worst(lab.set), SEVERITY_NONE);
	lab_close(&lab);
}

static void
a_fault_is_a_bit_of_its_driver(void **state)
{
	struct lab lab = {0};

	(void)state;
	lab_open(&lab, NULL, 0);
	lab.board->status.faults = 2;
	assert_string_equal(update(&lab, 1), ""); /* of nobody who answered */
	lab.board->decided = lab.board->ok = true;
	assert_string_equal(update(&lab, 2), "board-thermal-runaway:1");
	assert_int_equal(alarmset_worst(lab.set), SEVERITY_CRITICAL);
	lab.board->ok = false;
	lab.board->status.faults = 0;
	assert_string_equal(update(&lab, 3), "board-thermal-runaway:32");
	lab.board->ok = true;
	assert_string_equal(update(&lab, 4), "board-thermal-runaway:2");
	lab_close(&lab);
}

static void
silence_is_told_after_a_minute(void **state)
{
	struct lab lab = {0};

	(void)state;
	lab_open(&lab, NULL, 0);
	for (double s = 1; s < 6; s++) /* never heard, and not yet given up */
		assert_string_equal(fails(&lab, s * 0.5), "");
	assert_false(lab.meter->decided);
	assert_string_equal(fails(&lab, 3), "");
	assert_true(lab.meter->decided);
	assert_string_equal(update(&lab, 62.9), "");
	assert_string_equal(update(&lab, 63), "dust-1-silent:1");
	assert_string_equal(reads(&lab, 70, 1), "");
	assert_string_equal(reads(&lab, 72, 1), "dust-1-silent:2");
	lab_close(&lab);
}

static void
a_dead_bus_explains_it(void **state)
{
	struct lab lab = {0};

	(void)state;
	lab_open(&lab, NULL, 0);
	lab.meter->decided = true;
	lab.meter->bus_alarm = "bus-rs485-down";
	update(&lab, 1);
	assert_string_equal(update(&lab, 61), "dust-1-silent:16");
	const struct alarm *a = alarmset_find(lab.set, "dust-1-silent");
	assert_string_equal(a->life.suppressed_by, "bus-rs485-down");
	assert_int_equal(alarmset_worst(lab.set), SEVERITY_NONE);
	lab.meter->bus_alarm = NULL; /* its turn on the bus is still to come */
	assert_string_equal(update(&lab, 100), "");
	assert_string_equal(update(&lab, 120.9), "");
	assert_string_equal(update(&lab, 121), "dust-1-silent:1"); /* and came not */
	assert_int_equal(alarmset_worst(lab.set), SEVERITY_ERROR);
	lab_close(&lab);
}

static void
maintenance_covers_all_that_is_not_critical(void **state)
{
	struct lab lab = {.maintenance = true};

	(void)state;
	lab_open(&lab, NULL, 0);
	lab.board->decided = lab.board->ok = true;
	lab.board->status.faults = 3;
	assert_string_equal(update(&lab, 1), "board-halt:16 board-thermal-runaway:1");
	lab.maintenance = false;
	assert_string_equal(update(&lab, 2), "board-halt:1");
	lab_close(&lab);
}

/* ---- restarts and tests -------------------------------------------------------------------- */

static void
lives_go_on(void **state)
{
	const struct alarm_life active = {
		.active = true, .told = true, .count = 7, .severity = SEVERITY_WARNING};
	const struct alarm_life over = {.count = 3, .cleared_ms = 1};
	struct lab lab = {0};

	(void)state;
	lab_open(&lab, NULL, 0);
	assert_int_equal(
		alarmset_restore(lab.set, "dust-1-hot", &active, (struct moment){.us = 1}), 0);
	assert_int_equal(
		alarmset_restore(lab.set, "board-halt", &over, (struct moment){.us = 1}), 0);
	assert_int_equal(alarmset_restore(lab.set, "went", &active, (struct moment){.us = 1}), 0);
	assert_int_equal(
		alarmset_restore(lab.set, "went-before", &over, (struct moment){.us = 1}), 0);
	assert_null(alarmset_find(lab.set, "went-before"));
	assert_int_equal(alarmset_find(lab.set, "board-halt")->life.count, 3);
	assert_string_equal(reads(&lab, 1, 29), "dust-1-hot:32 went:2"); /* 28 is its way back */
	assert_int_equal(alarmset_find(lab.set, "went")->spec.severity, SEVERITY_WARNING);
	assert_string_equal(reads(&lab, 2, 27), "dust-1-hot:2");
	assert_int_equal(alarmset_find(lab.set, "dust-1-hot")->life.count, 7);
	lab_close(&lab);
}

static void
a_test_is_only_a_test(void **state)
{
	struct lab lab = {0};

	(void)state;
	lab_open(&lab, NULL, 0);
	assert_int_equal(alarmset_test(lab.set, SEVERITY_ERROR, 5000, at(1)), 0);
	assert_string_equal(update(&lab, 1), "test:1");
	assert_int_equal(alarmset_worst(lab.set), SEVERITY_NONE);
	assert_int_equal(alarmset_find(lab.set, "test")->spec.severity, SEVERITY_ERROR);
	assert_non_null(strstr(alarmset_find(lab.set, "test")->spec.text.en, "test"));
	assert_string_equal(update(&lab, 5.9), "");
	assert_string_equal(update(&lab, 6), "test:2");
	for (double s = 10; s < 14; s++) { /* that is no flapping */
		assert_int_equal(alarmset_test(lab.set, SEVERITY_INFO, 500, at(s)), 0);
		assert_string_equal(update(&lab, s), "test:1");
		assert_string_equal(update(&lab, s + 0.5), "test:2");
	}
	assert_int_equal(alarmset_size(lab.set), 6);
	lab_close(&lab);
}

static void
a_test_does_not_take_the_place_of_another(void **state)
{
	struct alarm_rule rules[] = {{.code = "test",
		.when = {.kind = CONDITION_ACTIVITY, .activity = ACTIVITY_IDLE},
		.severity = SEVERITY_ERROR}};
	struct lab lab = {0};

	(void)state;
	lab_open(&lab, rules, 1);
	assert_int_equal(alarmset_test(lab.set, SEVERITY_ERROR, 5000, at(1)), -EEXIST);
	assert_string_equal(update(&lab, 1), "");
	lab_close(&lab);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(profiles_and_drivers_bring_theirs),
		cmocka_unit_test(usb_may_be_switched_off_unless_always_on),
		cmocka_unit_test(the_machine_has_the_last_word),
		cmocka_unit_test(that_it_is_silent_is_the_drivers_word_too),
		cmocka_unit_test(a_level_has_hits_and_a_way_back),
		cmocka_unit_test(a_fault_is_a_bit_of_its_driver),
		cmocka_unit_test(silence_is_told_after_a_minute),
		cmocka_unit_test(a_dead_bus_explains_it),
		cmocka_unit_test(maintenance_covers_all_that_is_not_critical),
		cmocka_unit_test(lives_go_on),
		cmocka_unit_test(a_test_is_only_a_test),
		cmocka_unit_test(a_test_does_not_take_the_place_of_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
