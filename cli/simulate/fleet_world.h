/* SPDX-License-Identifier: MIT */
/* fleet_world.h -- what the machines of a simulated fleet do: a pure function of seed and time
 *
 * Time is cut into cycles of some ten minutes, each machine its own length; what happens in a cycle
 * (a job from here to there, a pause, an alarm, silence, nothing) follows from a hash of machine
 * and cycle. So any moment can be asked for again: telemetry of an outage needs no memory. Any
 * thread.
 */
#ifndef CLI_SIMULATE_FLEET_WORLD_H
#define CLI_SIMULATE_FLEET_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FLEET_POINTS = 4, FLEET_ALARMS = 3, FLEET_JOB = 27 }; /* JOB: a ULID and its NUL */

enum fleet_activity { FLEET_OFF, FLEET_IDLE, FLEET_BUSY, FLEET_PAUSED };

struct fleet_point {
	const char *id, *unit, *class, *ru, *en;
	int decimals;
	double level[3]; /* off, idle, busy; of a counter: the growth an hour in the mean */
	double noise;    /* plus or minus; not when off */
	double settle_s; /* how long a change of level takes; 0: at once */
	bool counter;    /* grows from a number of the machine's own, which `level[0]` bounds */
};

struct fleet_alarm {
	const char *code, *severity, *ru, *en, *hint;
	int point; /* which goes beyond the limit; -1: its source is silent for a minute */
	double limit, value; /* value: what the point shows meanwhile */
};

struct fleet_kind {
	const char *name, *class, *ru, *en;
	const char *source, *driver, *profile; /* profile NULL: a USB machine */
	bool works;                            /* has jobs */
	double cycle_s;                        /* length of a cycle, about */
	struct fleet_point points[FLEET_POINTS];
	struct fleet_alarm alarms[FLEET_ALARMS]; /* code NULL: no more */
};

/* The kind of a park's k-th machine: ten make half of them printers. */
const struct fleet_kind *fleet_kind_of(size_t k);

struct fleet_model {
	const struct fleet_kind *kind;
	uint64_t seed; /* of this machine */
	int alarms_per_day;
};

struct fleet_sample {
	enum fleet_activity activity;
	bool silent;          /* its source does not answer */
	unsigned alarms;      /* bit k: kind->alarms[k] holds */
	bool job, job_over;   /* this cycle's has begun; has ended */
	int64_t job_start_ms; /* may be before the fleet's start */
	int64_t job_end_ms;
	int64_t paused_ms;  /* of it so far */
	const char *result; /* how it ended */
	double progress;    /* 0 to 1, negative: nothing runs */
	double values[FLEET_POINTS];
};

/* What somebody wants of a machine: alarms, as bits, that hold or do not whatever the time says. */
struct fleet_orders {
	unsigned on, off;
	bool silent;
};

/* t_ms: since the start of the fleet, not negative. */
void fleet_sample(const struct fleet_model *m, const struct fleet_orders *orders, int64_t t_ms,
	struct fleet_sample *out);
/* How many alarms its kind has, and which of them has this code; -1: none. */
size_t fleet_alarms(const struct fleet_kind *kind);
int fleet_find_alarm(const struct fleet_kind *kind, const char *code);
const char *fleet_activity_name(enum fleet_activity activity);
/* A ULID of this time and this chance (https://github.com/ulid/spec). */
void fleet_ulid(char buf[FLEET_JOB], int64_t ms, uint64_t chance);
/* Good bits out of anything. */
uint64_t fleet_hash(uint64_t a, uint64_t b);

#endif
