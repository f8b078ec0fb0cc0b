/* SPDX-License-Identifier: MIT */
/* condition.h -- reads the condition of a usage rule or alarm; private to config/ */
#ifndef CONFIG_CONDITION_H
#define CONFIG_CONDITION_H

#include "config/config_keys.h"
#include "config/rules.h"

struct where { /* what every check here needs */
	struct reader *r;
	const struct rule_scope *scope;
	const struct node *at; /* the rule's map */
	bool exits;            /* above and below together: entry and exit level */
};

/* How many kinds of condition the draft names; one is right, none is a rule without. */
int condition_kinds(const struct condition_draft *d);
/* False and errors if it is wrong. */
bool condition_read(const struct where *w, const struct condition_draft *d, struct condition *c);

#endif
