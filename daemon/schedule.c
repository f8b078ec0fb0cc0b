/* SPDX-License-Identifier: MIT */
/* schedule.c -- when next? deadlines on a grid, silent units on a budget */
#include "daemon/schedule.h"

#define PROBE_EVERY_US 1000000
#define DOUBT_US 250000
#define PROBE_SHARE 50 /* one part in 50 of the time: 2 % */
#define DOUBTS 2       /* so many probes of a unit that has just fallen silent are free */
#define JOB_SHARE 5    /* one part in 5: 20 % */
#define PRIORITY_STEP_US 100000
#define SLOT_POLLS 24
#define SLOT_MIN_US 10000
#define SLOT_MAX_US 500000

void
schedule_init(struct schedule *s, struct schedule_entry *entries, size_t n_entries,
	struct schedule_unit *units, size_t n_units, int64_t now_us)
{
	*s = (struct schedule){.entries = entries,
		.n_entries = n_entries,
		.units = units,
		.n_units = n_units,
		.budgeted_us = now_us};
}

/* The first deadline after `now` on the entry's grid, at least half a period away, so that the
 * poll just made is not repeated at once. */
static int64_t
next_on_grid(const struct schedule_entry *e, int64_t now_us)
{
	int64_t from = now_us + e->period_us / 2;
	int64_t k = (from - e->grid_us) / e->period_us;
	if (from > e->grid_us)
		k++;
	return e->grid_us + k * e->period_us;
}

static void
entry_wake(struct schedule_entry *e, int64_t now_us)
{
	e->due_us = now_us;
	e->pending = e->kind == SCHEDULE_ONCE;
}

void
schedule_wake(struct schedule *s, int64_t now_us)
{
	for (size_t i = 0; i < s->n_entries; i++)
		entry_wake(&s->entries[i], now_us);
	for (size_t i = 0; i < s->n_units; i++) {
		s->units[i].silent = false;
		s->units[i].failures = 0;
	}
}

static int64_t
entry_start(const struct schedule *s, const struct schedule_entry *e)
{
	int64_t free_us = s->units[e->unit].free_us;
	return e->due_us > free_us ? e->due_us : free_us;
}

static bool
entry_rests(const struct schedule *s, const struct schedule_entry *e)
{
	return s->units[e->unit].silent || (e->kind == SCHEDULE_ONCE && !e->pending);
}

static int64_t
entry_key(const struct schedule_entry *e)
{
	return e->due_us + (e->priority > 1 ? (e->priority - 1) * PRIORITY_STEP_US : 0);
}

/* The best entry that may run at `now`: what has a deadline goes before what is continuous. */
static bool
pick_entry(const struct schedule *s, int64_t now_us, size_t *best)
{
	bool found = false;
	for (size_t i = 0; i < s->n_entries; i++) {
		const struct schedule_entry *e = &s->entries[i];
		if (entry_rests(s, e) || entry_start(s, e) > now_us)
			continue;
		if (found) {
			const struct schedule_entry *b = &s->entries[*best];
			bool lower =
				e->kind == SCHEDULE_CONTINUOUS && b->kind != SCHEDULE_CONTINUOUS;
			bool higher =
				e->kind != SCHEDULE_CONTINUOUS && b->kind == SCHEDULE_CONTINUOUS;
			if (lower || (!higher && entry_key(e) >= entry_key(b)))
				continue;
		}
		*best = i;
		found = true;
	}
	return found;
}

int64_t
schedule_next_due(const struct schedule *s)
{
	int64_t due = INT64_MAX;
	for (size_t i = 0; i < s->n_entries; i++) {
		const struct schedule_entry *e = &s->entries[i];
		if (!entry_rests(s, e) && entry_start(s, e) < due)
			due = entry_start(s, e);
	}
	return due;
}

static int64_t
probe_start(const struct schedule_unit *u)
{
	return u->next_probe_us > u->free_us ? u->next_probe_us : u->free_us;
}

/* It answered until just now: perhaps only a frame was broken. */
static bool
is_doubtful(const struct schedule_unit *u)
{
	return u->heard && u->failures <= DOUBTS;
}

/* Units in doubt first, then silent ones in the order in which they were probed last. */
static bool
pick_probe(const struct schedule *s, int64_t now_us, size_t *unit)
{
	bool found = false;
	for (size_t i = 0; i < s->n_units; i++) {
		const struct schedule_unit *u = &s->units[i];
		if (!u->silent)
			continue;
		if (is_doubtful(u) && probe_start(u) <= now_us) {
			*unit = i;
			return true;
		}
		if (!found || u->next_probe_us < s->units[*unit].next_probe_us)
			*unit = i;
		found = true;
	}
	return found;
}

/* When the next silent unit may be asked; those that wait for their budget do not count. */
static int64_t
next_probe_start(const struct schedule *s, int64_t now_us)
{
	int64_t next = INT64_MAX;
	for (size_t i = 0; i < s->n_units; i++) {
		int64_t start = probe_start(&s->units[i]);
		if (s->units[i].silent && start > now_us && start < next)
			next = start;
	}
	return next;
}

static void
budget_accrue(struct schedule *s, int64_t now_us, int64_t cap_us)
{
	s->budget_us += (now_us - s->budgeted_us) / PROBE_SHARE;
	s->budgeted_us = now_us - (now_us - s->budgeted_us) % PROBE_SHARE;
	if (s->budget_us > cap_us) /* never two probes in a row on what was saved up */
		s->budget_us = cap_us;
}

struct schedule_next
schedule_next(struct schedule *s, int64_t now_us, int64_t (*probe_us)(void *, size_t), void *arg)
{
	struct schedule_next next = {.what = SCHEDULE_WAIT, .until_us = INT64_MAX};
	size_t unit = 0, entry = 0;
	int64_t due = schedule_next_due(s);
	next.until_us = due;
	if (pick_probe(s, now_us, &unit)) {
		const struct schedule_unit *u = &s->units[unit];
		int64_t cost = probe_us(arg, unit), start = next_probe_start(s, now_us);
		budget_accrue(s, now_us, cost);
		bool free = due == INT64_MAX || now_us + cost <= due || is_doubtful(u);
		if (now_us >= probe_start(u) && (free || s->budget_us >= cost)) {
			next.what = SCHEDULE_PROBE;
			next.index = unit;
			return next;
		}
		if (start < next.until_us)
			next.until_us = start;
	}
	if (pick_entry(s, now_us, &entry)) {
		next.what = SCHEDULE_POLL;
		next.index = entry;
	}
	return next;
}

/* The deadline after a poll that ended at `end`; those it overran are missed. */
static void
entry_advance(struct schedule_entry *e, int64_t end_us, bool count_missed)
{
	if (e->kind == SCHEDULE_ONCE) {
		e->pending = false;
		return;
	}
	if (e->kind == SCHEDULE_CONTINUOUS) {
		e->due_us = end_us;
		return;
	}
	bool on_grid = (e->due_us - e->grid_us) % e->period_us == 0;
	int64_t next = on_grid ? e->due_us + e->period_us : next_on_grid(e, end_us);
	if (next <= end_us) {
		int64_t skipped = (end_us - next) / e->period_us;
		/* The deadline just before `end` can still be served late; those before it cannot.
		 */
		next += skipped * e->period_us;
		e->missed += count_missed ? (uint64_t)skipped : 0;
	}
	e->due_us = next;
}

static void
unit_failed(struct schedule_unit *u, int64_t end_us, int64_t free_us)
{
	u->silent = true;
	u->failures++;
	u->free_us = free_us;
	u->next_probe_us = end_us + (is_doubtful(u) ? DOUBT_US : PROBE_EVERY_US);
}

void
schedule_polled(struct schedule *s, size_t entry, int64_t end_us, bool answered, int64_t free_us)
{
	struct schedule_entry *e = &s->entries[entry];
	struct schedule_unit *u = &s->units[e->unit];
	entry_advance(e, end_us, answered);
	if (!answered) {
		unit_failed(u, end_us, free_us);
		return;
	}
	u->silent = false;
	u->heard = true;
	u->failures = 0;
	u->free_us = free_us;
}

static void
unit_returned(struct schedule *s, size_t unit, int64_t now_us)
{
	s->units[unit].silent = false;
	s->units[unit].heard = true;
	s->units[unit].failures = 0;
	for (size_t i = 0; i < s->n_entries; i++)
		if (s->entries[i].unit == unit)
			entry_wake(&s->entries[i], now_us);
}

void
schedule_probed(struct schedule *s, size_t unit, int64_t start_us, int64_t end_us, bool answered,
	int64_t free_us)
{
	if (answered) {
		unit_returned(s, unit, end_us);
		return;
	}
	bool was_doubtful = is_doubtful(&s->units[unit]);
	unit_failed(&s->units[unit], end_us, free_us);
	int64_t due = schedule_next_due(s);
	if (due < end_us && !was_doubtful) /* somebody waited for it */
		s->budget_us -= end_us - start_us;
}

void
schedule_hurry(struct schedule *s, size_t unit, int64_t now_us)
{
	for (size_t i = 0; i < s->n_entries; i++) {
		struct schedule_entry *e = &s->entries[i];
		if (e->unit == unit && e->group == 0 && e->kind == SCHEDULE_PERIODIC &&
			e->due_us > now_us)
			e->due_us = now_us;
	}
	s->units[unit].next_probe_us = now_us; /* if it was silent: it speaks */
}

bool
schedule_job_may_run(const struct schedule *s, int64_t now_us, int64_t cost_us)
{
	int64_t due = schedule_next_due(s);
	return due == INT64_MAX || now_us + cost_us <= due || now_us >= s->job_free_us;
}

void
schedule_job_ran(struct schedule *s, int64_t start_us, int64_t end_us)
{
	s->job_free_us = end_us + (end_us - start_us) * (JOB_SHARE - 1);
}

int64_t
schedule_slot_us(int64_t period_us, size_t polls_per_period)
{
	int64_t slot =
		polls_per_period ? SLOT_POLLS * period_us / (int64_t)polls_per_period : SLOT_MAX_US;
	if (slot < SLOT_MIN_US)
		slot = SLOT_MIN_US;
	return slot > SLOT_MAX_US ? SLOT_MAX_US : slot;
}

int64_t
schedule_phase_us(int64_t period_us, size_t i, size_t n)
{
	int64_t slots = period_us / schedule_slot_us(period_us, n);
	if (n == 0 || slots < 2)
		return 0;
	return (int64_t)i * slots / (int64_t)n * period_us / slots;
}
