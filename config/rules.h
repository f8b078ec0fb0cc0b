/* SPDX-License-Identifier: MIT */
/* rules.h -- reads conditions, usage rules and alarms of a machine or a profile
 *
 * Private to config/.
 */
#ifndef CONFIG_RULES_H
#define CONFIG_RULES_H

#include "config/keys.h"
#include "config/rule.h"
#include "drivers/profile.h"

enum point_shape { SHAPE_UNKNOWN, SHAPE_NUMBER, SHAPE_BOOL, SHAPE_WORD, SHAPE_TEXT };

/* What a rule may ask of a point. */
struct point_facts {
	enum point_shape shape;
	int bits; /* width of an unscaled integer; 0: bits cannot be asked for */
	const struct enum_entry *enums;
	size_t n_enums;
	bool has_range; /* values outside are never seen */
	double range_min, range_max;
	int64_t period_ms; /* how often it is read; 0: once, or as often as can be */
};

/* What names mean where the rules stand. */
struct rule_scope {
	const void *self;
	bool (*find_point)(const void *self, const char *name, struct point_facts *out);
	/* Names like it, for "did you mean"; NULL-ended, of the reader's arena. */
	const char *const *(*names)(const void *self, struct reader *r, const char *name);
	bool (*find_source)(const void *self, const char *id); /* NULL: none here */
	bool profile; /* alarms need a condition and a Russian text */
};

/* From a list node; NULL gives none. Problems are reported; only good rules are kept. */
void rules_read_usage(struct reader *r, const struct rule_scope *scope, const struct node *list,
	struct usage_rule **out, size_t *n);
void rules_read_alarms(struct reader *r, const struct rule_scope *scope, const struct node *list,
	struct alarm_rule **out, size_t *n);

/* The facts of a register point, but for its period. */
struct point_facts rules_point_facts(const struct reg_point *p);

/* Tells what a good condition can never do (rule_check.c). `is_usage`: of a usage rule. */
void rule_check_condition(struct reader *r, const struct rule_scope *scope, const struct node *node,
	const struct condition *c, bool is_usage);
/* Tells usage rules that an earlier one keeps from ever winning. */
void rule_check_order(
	struct reader *r, const struct node *list, const struct usage_rule *rules, size_t n);

#endif
