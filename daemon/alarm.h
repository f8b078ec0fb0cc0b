/* SPDX-License-Identifier: MIT */
/* alarm.h -- one alarm's life: delays, hysteresis, latch, flapping, suppression
 *
 * States as in ISA-18.2: normal, pending (`for`, `hits`), active, clearing (`clear_for`), latched
 * (over, waits for a person). Three activations within a minute make it flap: it is held active
 * and its activations are counted, until it was quiet for 5 minutes. An alarm whose point has no
 * fresh value keeps its state and is stale. Only arithmetic: no clock, no I/O. Loop thread.
 */
#ifndef DAEMON_ALARM_H
#define DAEMON_ALARM_H

#include "daemon/evaluate.h"
#include "daemon/moment.h"

struct alarm_spec {       /* what the configuration says; strings are its */
	const char *code; /* as published */
	enum severity severity;
	int64_t for_ms, clear_for_ms;
	int hits;
	bool latch;
	bool test;          /* not counted */
	const char *source; /* id of the source it is about; NULL: none */
	struct text text, hint;
};

struct alarm_life {  /* survives a restart */
	bool active; /* in the eyes of the outside: also while clearing, latched or held by flapping
		      */
	int64_t raised_ms, cleared_ms; /* wall time; 0: never */
	unsigned count;                /* activations ever */
	bool has_value;
	struct value value; /* a number, of when it was raised or last got worse */
	bool has_limit;
	double limit;
	bool stale, flapping, acked;
	enum severity severity; /* as last announced; SEVERITY_NONE: of an older record */
	bool told;              /* `raised` was announced for this activation */
	char suppressed_by[96]; /* "": by nobody */
};

struct alarm {
	struct alarm_spec spec;
	struct alarm_life life;
	/* Not kept; a restart begins them anew. */
	enum truth condition;
	int64_t pending_us, clearing_us; /* since when; 0: not */
	int hits;
	int64_t hit_us;       /* reading of the last hit */
	int64_t recent_us[3]; /* the last activations */
	int64_t toggled_us;   /* last change of the condition; 0: never updated */
	bool left;            /* the last known condition was false */
	bool over;            /* false for `clear_for`, but latch or flapping holds it active */
	int64_t past_us;      /* alarm_is_past() from then on */
};

struct alarm_input {
	enum truth condition; /* tested with `held` = alarm_is_held() */
	bool has_value, has_limit;
	struct value value;
	double limit;
	int64_t sampled_us;     /* of the reading, to tell `hits` apart */
	const char *suppressor; /* "maintenance", a gateway alarm's code, or NULL */
};

enum transition { /* bits; what is to be published */
	ALARM_RAISED = 1,
	ALARM_CLEARED = 2,
	ALARM_CHANGED = 4,
	ALARM_ACKED = 8,
	ALARM_SUPPRESSED = 16,
	ALARM_PICTURE = 32 /* the retained topic only: count, value, stale */
};

/* Announcing alarms without end helps nobody: at most FLOOD_BURST at once, then one in
 * FLOOD_EVERY_US; critical ones are never held back. */
enum { FLOOD_BURST = 30 };
#define FLOOD_EVERY_US 10000000LL
struct flood {
	double tokens;
	int64_t at_us;
	bool open; /* initialised */
};
bool flood_take(struct flood *f, enum severity severity, int64_t now_us);

/* On each reading of the machine and once a second. Returns transition bits; each activation is
 * raised at most once and cleared at most once. */
unsigned alarm_update(
	struct alarm *a, const struct alarm_input *in, struct flood *flood, struct moment now);
/* A person has seen it. 0 when there was nothing to acknowledge. */
unsigned alarm_ack(struct alarm *a, struct moment now);
/* It is not in the configuration any more. */
unsigned alarm_withdraw(struct alarm *a, struct moment now);
/* Takes up the life that it had before a restart. */
void alarm_restore(struct alarm *a, const struct alarm_life *life, struct moment now);
/* The clock was set for the first time since the boot. */
void alarm_clock_moved(struct alarm *a, const struct shift *by);
/* Whether the exit level counts: active and the condition still held. */
bool alarm_is_held(const struct alarm *a);
/* Active and nothing suppresses it: what makes `condition` and the list in `state`. */
bool alarm_counts(const struct alarm *a);
/* Cleared 15 minutes ago: its retained topic is to be removed. */
bool alarm_is_past(const struct alarm *a, struct moment now);

#endif
