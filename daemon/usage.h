/* SPDX-License-Identifier: MIT */
/* usage.h -- jobs and running hours of an asset: what survives a power cut
 *
 * Seconds of each activity add up to the time since `since_ms`; jobs begin and end by the machine's
 * activity and by what its driver says. Durations come from the monotonic clock. Everything in
 * struct usage_kept is written down every 10 s while a job is open, and brought back by
 * usage_restore(). Pure: randomness comes in, too. Loop thread.
 *
 * A job begins with the first busy moment and ends with the last one before the machine was
 * neither busy nor paused for `end_after`, or when its driver says so. It is announced once it
 * lasted `min`. It outlives 5 min of unknown. (docs/topics.md, "Jobs".)
 */
#ifndef DAEMON_USAGE_H
#define DAEMON_USAGE_H

#include <stddef.h>

#include "daemon/moment.h"
#include "daemon/tally.h"
#include "drivers/driver.h"

enum job_end {
	END_NONE, /* not ended */
	END_FINISHED,
	END_STOPPED,
	END_FAULT,
	END_POWER_LOSS,
	END_COMM_LOST,
	END_GATEWAY_RESTART,
	END_UNKNOWN
};
const char *job_end_name(enum job_end e); /* "power-loss" */

enum quantity { QUANTITY_ENERGY_WH, QUANTITY_FILAMENT_MM, QUANTITY_CHARGE_MAH, QUANTITY_COUNT };
extern const char *const quantity_names[QUANTITY_COUNT]; /* "energy_wh", … */

struct job {
	char id[27]; /* ULID (github.com/ulid/spec); "": there is none */
	bool announced;
	int64_t started_ms, ended_ms; /* wall time; ended_ms of an ended one */
	int64_t busy_us, paused_us,
		span_us; /* span: from the start to its last busy or paused moment */
	int64_t last_ms; /* wall time of that moment */
	int accuracy_s;  /* grows by the time that nobody looked: restarts */
	enum job_end result;
	double base[QUANTITY_COUNT]; /* totals at its start */
	double used[QUANTITY_COUNT]; /* of it so far; negative: not measured */
	char evidence[80];           /* "meter.power_w" */
	char name[96];               /* as the machine gives it; only with publish.job_names */
};

enum bucket { IN_OFF, IN_IDLE, IN_BUSY, IN_PAUSED, IN_UNKNOWN, IN_OFFLINE, BUCKET_COUNT };

struct meter {          /* a counter of one of its devices */
	char name[192]; /* which point of which device: "meter.energy_import_wh SDM120"; "": free */
	struct tally tally;
};
enum { METERS_MAX = 6 };

struct usage_kept {
	bool whole; /* false: state.db knew nothing of it, and whether the broker does is not known
		     */
	int64_t since_ms;
	int64_t in_us[BUCKET_COUNT], fault_us;
	uint64_t jobs_started, jobs_finished, jobs_failed, alarms_raised;
	double energy_wh;              /* published; negative: no counter */
	double totals[QUANTITY_COUNT]; /* all that its meters counted; negative: it has none */
	struct meter meters[METERS_MAX];
	struct job job; /* open, or still too short to be one */
	int64_t at_ms;  /* when this was kept */
};

/* Of an asset of which nothing is known yet. */
extern const struct usage_kept usage_nothing;

struct usage_rules {
	int64_t end_after_ms, min_ms;
	/* 10 random bytes for a job's id. */
	void (*entropy)(uint8_t out[10]);
};

/* What the machine does at this moment. */
struct usage_input {
	bool online, fault;
	enum activity activity;
	bool decided;           /* false: `activity` only stands from before the restart */
	int64_t since_us;       /* when this activity really began */
	enum job_result result; /* the driver's word on its last job */
	bool driver_says;       /* there is a driver that tells when a job ends */
	bool lost_power;        /* since the last good sample it was seen to have had none */
	bool tells_idle;        /* it would be idle before it is switched off */
	int accuracy_s;
	const char *evidence, *name; /* name: NULL or ""; not kept unless wanted by the caller */
};

struct usage {
	struct usage_kept kept;
	struct usage_rules rules;
	int64_t last_us; /* of the last update */
	enum bucket last_bucket;
	bool last_fault;
	bool resumed;       /* an open job of before the restart waits for its first good sample */
	int64_t unknown_us; /* since when nothing is known of a machine with an open job; 0: known
			     */
	int64_t quiet_us;   /* since when it is neither busy nor paused; 0: it is */
	bool quiet_seen;    /* what it was right after is known */
	bool quiet_fault, quiet_power; /* a fault held when it became so; power was gone since */
	bool quiet_off;                /* it went off at once, though it could have been idle */
	enum job_result last_result;
	enum job_result word; /* the driver's, on the open job */
	int64_t start_us;     /* of the open job */
	int64_t phase_us;     /* when the machine really began to do what it does */
	int64_t from_us;      /* no job can begin earlier: the last one's end */
	int64_t hole_us;      /* resumed: since when nobody looks */
};

/* What an update found; both may be set: one job ended, the next began. */
struct usage_news {
	bool ended, started;
	struct job end, start; /* as they are to be published */
	bool changed;          /* something that should be kept soon: a candidate began or went */
};

void usage_init(struct usage *u, const struct usage_rules *rules, struct moment now);
/* Takes up what was kept before a restart, `gap_us` ago (by a clock that ran on, or the wall clock;
 * never negative); the gap becomes unknown seconds. */
void usage_restore(
	struct usage *u, const struct usage_kept *kept, int64_t gap_us, struct moment now);
/* On each change and once a second. */
void usage_update(
	struct usage *u, const struct usage_input *in, struct moment now, struct usage_news *news);
/* A reading of a counter. `meter` names point and device ("meter.energy_import_wh SDM120"): another
 * device than before starts anew. */
void usage_count(struct usage *u, enum quantity q, const char *meter,
	const struct tally_rules *rules, double reading, struct moment now);
/* The machine leaves the configuration, or its asset does: an open job ends now. */
bool usage_leave(struct usage *u, enum job_end why, struct moment now, struct job *ended);
/* What is to be written down now. */
void usage_keep(struct usage *u, struct moment now, struct usage_kept *out);
/* The clock was set for the first time since the boot: times of this boot move. Of an older `since`
 * the sums are made true again: what nobody counted, because the clock was behind, is unknown. */
void usage_clock_moved(struct usage *u, const struct shift *by, struct moment now);
/* A clock that was right was set: `since` goes with it, because seconds are counted by another. */
void usage_clock_stepped(struct usage *u, int64_t step_ms);
/* A field of struct usage_kept by its published name ("busy_s", "jobs_started", "energy_wh"), for
 * `usage set`. -ENOENT: no such field. Seconds that are set move `since`, so that they still add
 * up. */
int usage_set(struct usage *u, const char *field, double now, double *was);

#endif
