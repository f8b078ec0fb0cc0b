/* SPDX-License-Identifier: MIT */
/* schedule.h -- what a bus does next, and when
 *
 * Arithmetic only: no clock, no I/O. The poller passes the time in (microseconds, any monotonic
 * origin) and does what it is told; tests do the same with a fake clock.
 *
 * An entry is one group of one unit. Deadlines lie on a fixed grid (deadline + period); a deadline
 * that has passed when its poll ends is counted as missed, never made up for. The entry with the
 * earliest deadline goes first; one with period 0 ("continuous") goes when nothing else is due,
 * the one that waited longest first; a "once" entry goes once after each schedule_wake().
 *
 * A unit that does not answer is silent from its first failure on: its entries rest, and it is
 * probed once a second. A probe that would delay a live unit's deadline needs budget, which all
 * silent units share: 2 % of the time that passed. So three dead units cost a loaded line 2 %,
 * not 82-98 % as measured on other pollers (docs/benchmarks.md), and on an idle one they are found
 * within a second. A unit that answered until just now does not wait behind the dead: its first
 * two probes need no budget.
 */
#ifndef DAEMON_SCHEDULE_H
#define DAEMON_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum schedule_kind { SCHEDULE_PERIODIC, SCHEDULE_CONTINUOUS, SCHEDULE_ONCE };

struct schedule_entry {
	unsigned unit;  /* 0 .. n_units - 1 */
	unsigned group; /* the caller's; not looked at */
	enum schedule_kind kind;
	int64_t period_us;
	int priority;    /* 1 first; each further step yields 100 ms to others */
	int64_t due_us;  /* next deadline; initially: the first one */
	int64_t grid_us; /* deadlines are grid + k * period */
	uint64_t missed; /* deadlines that passed without a poll while the unit answered */
	bool pending;    /* SCHEDULE_ONCE: still to be done */
};

struct schedule_unit {
	bool silent, heard;    /* heard: it has answered before */
	unsigned failures;     /* in a row */
	int64_t free_us;       /* not before: a late answer may still come */
	int64_t next_probe_us; /* while silent */
};

struct schedule {
	struct schedule_entry *entries;
	size_t n_entries;
	struct schedule_unit *units;
	size_t n_units;
	int64_t budget_us;   /* for probes of silent units */
	int64_t budgeted_us; /* up to when the budget was given */
	int64_t job_free_us; /* line jobs: not before */
};

enum schedule_what { SCHEDULE_WAIT, SCHEDULE_POLL, SCHEDULE_PROBE };

struct schedule_next {
	enum schedule_what what;
	size_t index;     /* POLL: entry; PROBE: unit */
	int64_t until_us; /* WAIT: look again then; INT64_MAX: nothing will ever be due */
};

/* The caller owns both arrays and has filled them in. */
void schedule_init(struct schedule *s, struct schedule_entry *entries, size_t n_entries,
	struct schedule_unit *units, size_t n_units, int64_t now_us);
/* Everything is due now and nobody is silent: after the line came (back) up. */
void schedule_wake(struct schedule *s, int64_t now_us);
/* `probe_us`: what a failing probe of unit i costs, see schedule_probe_cost in the poller. */
struct schedule_next schedule_next(
	struct schedule *s, int64_t now_us, int64_t (*probe_us)(void *arg, size_t unit), void *arg);
/* An entry was polled. `free_us`: when the unit may be asked again (0: at once). */
void schedule_polled(
	struct schedule *s, size_t entry, int64_t end_us, bool answered, int64_t free_us);
/* A silent unit was probed. When it answered its entries are due at once. */
void schedule_probed(struct schedule *s, size_t unit, int64_t start_us, int64_t end_us,
	bool answered, int64_t free_us);
/* The periodic entries of this unit's group 0 are due now; their grid stays. */
void schedule_hurry(struct schedule *s, size_t unit, int64_t now_us);
/* May a line job that takes `cost_us` run now? It may if it fits before the next deadline, or if
 * jobs have had less than 20 % of the time. */
bool schedule_job_may_run(const struct schedule *s, int64_t now_us, int64_t cost_us);
void schedule_job_ran(struct schedule *s, int64_t start_us, int64_t end_us);
/* The next deadline of a live unit; INT64_MAX: none. */
int64_t schedule_next_due(const struct schedule *s);

/* Slot in which devices of different buses share a wake-up: 24 polls per slot, at least 10 ms, at
 * most 500 ms. Wake-ups are what polling costs: with each device at its own instant a poll takes
 * four times the CPU, with 12 polls per slot a quarter more than with 24. */
int64_t schedule_slot_us(int64_t period_us, size_t polls_per_period);
/* Grid offset (0 .. period - 1) of the i-th of n equal polls: that of its slot. The slots divide
 * the period evenly, so that none is left over with a few polls of its own. */
int64_t schedule_phase_us(int64_t period_us, size_t i, size_t n);

#endif
