/* SPDX-License-Identifier: MIT */
/* evaluate_impl.h -- a bound condition; for evaluate.c and evaluate_words.c only */
#ifndef DAEMON_EVALUATE_IMPL_H
#define DAEMON_EVALUATE_IMPL_H

#include "daemon/evaluate.h"
#include "daemon/window.h"

struct part {
	const struct condition *c;
	const struct source *source; /* of a point or `source:`; NULL: not there */
	int slot;                    /* into source->states; -1: no such point */
	struct window *window;       /* with a stat; NULL: the last value counts */
	bool has_exit;
	double exit;
	bool entered;      /* held when it was last known, so the exit level may count */
	bool by_exit;      /* held only by its exit level */
	enum truth truth;  /* of the last test */
	struct value seen; /* what was compared; VALUE_NONE: not known */
	struct part *parts;
	size_t n_parts;
};

struct evaluator {
	struct part root;
};

/* The first point without which the answer would not be what it is; NULL: none. */
const struct part *evaluate_decider(const struct part *p);

#endif
