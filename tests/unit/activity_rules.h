/* SPDX-License-Identifier: MIT */
/* activity_rules.h -- what rules in tests of activities are made of */
#ifndef TESTS_ACTIVITY_RULES_H
#define TESTS_ACTIVITY_RULES_H

#include "daemon/activity.h"
#include "tests/unit/two_sources.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct operand w120[] = {{.kind = OPERAND_NUMBER, .number = 120}};
static struct operand w8[] = {{.kind = OPERAND_NUMBER, .number = 8}};
static struct operand heat[] = {{.kind = OPERAND_WORD, .word = "heat"}};

#define LEVEL(name, how, what)                                                                     \
	.when = {.point = (name), .test = (how), .operands = (what), .n_operands = 1}

/* Busy above 120 until below 80. */
#define BUSY_RULE                                                                                  \
	.activity = ACTIVITY_BUSY, .when = {.point = "meter.power_w",                              \
					   .test = TEST_ABOVE,                                     \
					   .operands = w120,                                       \
					   .n_operands = 1,                                        \
					   .has_exit = true,                                       \
					   .exit = 80}

#endif
