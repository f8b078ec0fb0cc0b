/* SPDX-License-Identifier: MIT */
/* alarm_trace_test.c -- what no trace of an alarm may ever show
 *
 * Any order of conditions, suppressors and acknowledgements, with crashes: what is kept is what was
 * told last, and another process goes on with that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include <cmocka.h>

#include "tests/unit/alarm_steps.h"

struct world {
	uint64_t seed;
	double s;
	struct alarm a;
	struct flood flood;
	struct alarm_life kept; /* on the disk, and what the outside was told with it */
	bool open, raised;      /* what the events said of the present activation */
	int condition;
	const char *by;
	unsigned pace; /* smaller: faster */
};

static unsigned
draw(struct world *w, unsigned below)
{
	w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(w->seed >> 33) % below;
}

static void
check_events(struct world *w, unsigned t)
{
	if (t & RAISED) {
		assert_false(w->raised);
		w->open = w->raised = true;
	}
	w->open |= (t & SUPPRESSED) != 0;
	if (t & ~(unsigned)PICTURE) /* nothing of an activation before its first word */
		assert_true(w->open);
	if (t & CLEARED) {
		assert_false(w->a.life.active);
		w->open = w->raised = false;
	}
	assert_true(w->a.life.active == w->open);
	assert_true(w->a.life.told == w->raised);
}

static void
check_picture(const struct alarm_life *told, const struct alarm_life *is)
{
	assert_true(told->active == is->active && told->stale == is->stale);
	assert_true(told->flapping == is->flapping && told->acked == is->acked);
	assert_true(told->raised_ms == is->raised_ms && told->cleared_ms == is->cleared_ms);
	assert_true(told->count == is->count && told->severity == is->severity);
	assert_true(told->has_value == is->has_value && told->value.u.num == is->value.u.num);
	assert_true(told->has_limit == is->has_limit && told->limit == is->limit);
	assert_true(told->told == is->told);
	assert_string_equal(told->suppressed_by, is->suppressed_by);
}

static void
check(struct world *w, unsigned t)
{
	const struct alarm_life *l = &w->a.life;

	assert_true(l->count >= w->kept.count);
	check_events(w, t);
	if (t)
		w->kept = *l;
	check_picture(&w->kept, l);
	if (w->a.spec.severity == SEVERITY_CRITICAL)
		assert_true(strcmp(l->suppressed_by, "maintenance") != 0 &&
			    strcmp(l->suppressed_by, "flood") != 0);
	assert_true(!l->flapping || l->active);
	assert_true(!l->stale || w->condition == U);
}

static void
step(struct world *w, int what)
{
	const struct alarm_input in = {.condition = (enum truth)what,
		.suppressor = w->by,
		.sampled_us = at(w->s).us,
		.has_value = true,
		.value = {.kind = VALUE_DOUBLE, .u.num = w->s}};

	check(w, what == ACK ? alarm_ack(&w->a, at(w->s))
			     : alarm_update(&w->a, &in, &w->flood, at(w->s)));
}

static void
crash(struct world *w)
{
	w->a = (struct alarm){.spec = w->a.spec};
	alarm_restore(&w->a, &w->kept, at(w->s));
	w->flood = (struct flood){0};
	if (draw(w, 3) == 0)
		w->a.spec.severity = SEVERITY_INFO + draw(w, 4);
}

static void
live(struct world *w)
{
	static const char *const suppressors[] = {NULL, NULL, "maintenance", "bus-line-down"};
	static const double pauses[] = {0.1, 0.5, 1, 1, 1, 3, 7, 30, 200};

	w->s += pauses[draw(w, w->pace)];
	if (draw(w, 4) == 0)
		w->condition = (int)draw(w, 3);
	if (draw(w, 20) == 0)
		w->by = suppressors[draw(w, 4)];
	while (draw(w, 8)) /* others raise theirs */
		flood_take(&w->flood, SEVERITY_ERROR, at(w->s).us);
	if (draw(w, 40) == 0)
		crash(w);
	step(w, w->condition);
	if (draw(w, 40) == 0)
		step(w, ACK);
	if (draw(w, 40) == 0) /* the process dies, and nothing had been told meanwhile */
		crash(w);
}

static void
rest(struct world *w, int condition, unsigned seconds)
{
	w->condition = condition;
	for (unsigned i = 0; i < seconds; i += 5, w->s += 5)
		step(w, condition);
}

static void
no_trace_breaks_the_promises(void **state)
{
	unsigned flapped = 0, dammed = 0;

	(void)state;
	for (unsigned n = 0; n < 2000; n++) {
		struct world w = {.seed = n, .condition = F};
		w.pace = 5 + draw(&w, 5);
		w.a.spec = (struct alarm_spec){.code = "x",
			.severity = SEVERITY_INFO + draw(&w, 4),
			.for_ms = draw(&w, 3) * 2000,
			.clear_for_ms = draw(&w, 3) * 2000,
			.hits = (int)draw(&w, 4),
			.latch = draw(&w, 4) == 0};
		for (unsigned i = 0; i < 400; i++) {
			live(&w);
			flapped += w.a.life.flapping;
			dammed += strcmp(w.a.life.suppressed_by, "flood") == 0;
		}
		w.by = NULL;
		rest(&w, T, 330);
		assert_true(w.a.life.active && w.a.life.told && !w.a.life.flapping);
		rest(&w, F, 330);
		assert_true(w.a.life.active == (w.a.spec.latch && !w.a.life.acked));
		step(&w, ACK);
		assert_false(w.a.life.active);
	}
	assert_true(flapped > 1000 && dammed > 100); /* it was worth the trouble */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_trace_breaks_the_promises),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
