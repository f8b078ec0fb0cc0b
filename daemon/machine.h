/* SPDX-License-Identifier: MIT */
/* machine.h -- a machine as it is now, from what its sources said
 *
 * Availability comes from its sources, activity from its usage rules or from the first source whose
 * driver or profile has some, condition from its alarms; its jobs and counters follow from those.
 * Pure: time comes in, decisions come out; follow.c does what they say. Loop thread only.
 */
#ifndef DAEMON_MACHINE_H
#define DAEMON_MACHINE_H

#include "daemon/activity.h"
#include "daemon/alarmset.h"
#include "daemon/outbox.h"
#include "daemon/source.h"
#include "daemon/usage.h"

/* Who says what the machine is doing. */
struct voice {
	struct source *source; /* its driver or profile; NULL: the machine's own rules */
	struct judge *judge;   /* NULL: the driver says it */
};

/* A counter of the machine's devices that its jobs and totals are measured by. */
struct gauge {
	struct source *source;
	int slot;
	enum quantity quantity;
	struct tally_rules rules;
	int64_t seen_us; /* of the reading that was counted last */
};

struct maintenance {
	int64_t since_ms, until_ms; /* 0: none */
	int64_t until_us;           /* the same end by the monotonic clock, which decides */
	char reason[200];
};

struct machine {
	const struct machine_config *config;
	struct source **sources;
	size_t n_sources;
	struct voice *voices; /* in the order in which they are asked */
	size_t n_voices;
	struct alarmset *alarms;
	struct usage usage;
	struct usage_kept published; /* its totals as they are shown: never ahead of the disk */
	struct gauge gauges[METERS_MAX];
	size_t n_gauges;
	struct maintenance maintenance;

	bool decided, online;
	enum activity activity;
	const struct voice *voice; /* whose word `activity` is; NULL: nobody's */
	bool lost_power;           /* its plug was gone since it was last heard */
	enum severity worst;       /* of the alarms that count */
	int64_t since_ms;          /* of the present state */
	char former_state[12];     /* before the restart; "": not known */
	int64_t former_since_ms;   /* of that */
	bool dirty;                /* values changed since the last snapshot */
	int64_t next_state_us;     /* not before, for mere values */
	int64_t next_usage_us;     /* its totals are published and kept then */
	const char *telemetry_topic, *event_topic, *job_topic; /* interned */
	struct retained availability, info, snapshot, totals;
	struct alarm_topic *alarm_topics; /* alarm_topics.c */
	struct gateway *gateway;
	bool removed;
	unsigned retained_left; /* topics still to be cleared after a removal */
};

struct machine *machine_create(
	const struct machine_config *config, const struct config *all, struct moment now);
void machine_destroy(struct machine *m);
/* After its configuration or its sources were replaced: rules are bound anew; activity, alarms and
 * the open job go on. 0 or -ENOMEM. */
int machine_rebind(struct machine *m, struct moment now);

/* What an update found. */
struct machine_news {
	bool state; /* its state changed, or is known for the first time */
	bool shown; /* that, or its availability, activity or condition: people should see it */
	struct usage_news usage;
};
/* On each reading and once a second. `each` is called for every alarm with a transition. */
void machine_update(struct machine *m, const struct alarmset_context *context, alarmset_fn *each,
	void *arg, struct machine_news *news);

/* The clock was set for the first time since the boot: all times of this boot move. */
void machine_clock_moved(struct machine *m, const struct shift *by, struct moment now);
/* A clock that was right was set: what is told stays told; what is measured stays as long. */
void machine_clock_stepped(struct machine *m, int64_t step_ms);

bool machine_in_maintenance(const struct machine *m, struct moment now);
const char *machine_condition(const struct machine *m); /* "normal", "warning", "fault" */
const char *machine_state(const struct machine *m);     /* "offline", "fault", or the activity */
const char *machine_availability(const struct machine *m);
double machine_progress(const struct machine *m); /* 0..1; negative: not known */
const char *machine_job(const struct machine *m); /* its id; NULL: none is open */
/* In words: why it is in this state. */
void machine_reason(const struct machine *m, char *buf, size_t size);

#endif
