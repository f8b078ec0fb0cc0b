/* SPDX-License-Identifier: MIT */
/* machine.h -- a machine as it is now, from what its sources said
 *
 * Pure: time comes in, decisions come out; gateway.c does what they say. Loop thread only.
 */
#ifndef DAEMON_MACHINE_H
#define DAEMON_MACHINE_H

#include "config/config.h"
#include "daemon/outbox.h"
#include "daemon/state.h"
#include "drivers/device.h"

struct point_state {
	struct value value; /* the last one, if the last read of the point was good */
	char *text;         /* room for an enum's key or a string, text_size bytes */
	uint16_t text_size;
	uint8_t fail, exception; /* of the last read; FAIL_NONE with a value */
	bool was_published;      /* deadband: `published` holds */
	double published;
};

struct source {
	struct machine *machine;
	const struct source_config *config;
	const struct bus_config *bus; /* NULL: none */
	size_t n_points;
	uint16_t *points; /* index of each of its points in the profile */
	int16_t *slots;   /* per profile point: its index here, or -1 */
	size_t n_slots;
	struct point_state *states;
	double *deadbands; /* per point, < 0: none; NULL: the source has none */

	bool decided; /* ok means something */
	bool ok;
	bool moved; /* out of a deadband since the last publication */
	bool told;  /* the message with `errors` for all points has been made */
	unsigned failures;
	int64_t period_us; /* of its fastest group */
	uint8_t fail, exception;
	int64_t last_ok_us;    /* CLOCK_MONOTONIC; of the start if never */
	int64_t at_ms;         /* CLOCK_REALTIME of the last good poll, 0: never */
	int64_t since_ms;      /* of the present ok or not ok */
	int64_t published_us;  /* deadband: at least once a minute */
	int64_t *group_due_us; /* per group: not published before; for slower sources of one unit */
	char holder[128];      /* FAIL_IN_USE; FAIL_AMBIGUOUS: the places */
	char identity[192];    /* of the present device, for people */
	struct identity known, present;
	bool recalled, foreign; /* known was read from the disk; another device than known */
	unsigned seen_origin;   /* of the reading after which the identity was looked at */
	struct status status;   /* of a driver that makes one */
	uint64_t lost_polls;    /* since it stopped answering */
	bool removed;           /* by a reload; readings for it are dropped */
};

struct machine {
	const struct machine_config *config;
	struct source **sources;
	size_t n_sources;
	bool decided, online;
	enum activity activity;
	enum severity worst;                       /* of the faults that hold */
	int64_t since_ms;                          /* of the present state */
	const char *state;                         /* as last published as an event */
	bool dirty;                                /* values changed since the last snapshot */
	int64_t next_state_us;                     /* not before, for mere values */
	const char *telemetry_topic, *event_topic; /* interned */
	struct retained availability, info, snapshot;
	struct gateway *gateway;
	bool removed;
	unsigned retained_left; /* topics still to be cleared after a removal */
};

/* What a reading means for the outside. */
enum outcome {
	OUTCOME_TELEMETRY = 1, /* publish the reading's values and errors */
	OUTCOME_ERRORS = 2,    /* publish one message with errors for all points */
	OUTCOME_SOURCE = 4,    /* its `ok` changed: say so once in the log */
	OUTCOME_STATE = 8      /* publish the snapshot at once */
};

struct machine *machine_create(
	const struct machine_config *config, const struct config *all, int64_t now_us);
void machine_destroy(struct machine *m);
struct source *source_create(
	const struct source_config *config, const struct bus_config *bus, int64_t now_us);
void source_destroy(struct source *s);
/* The source's configuration was replaced by an equal one. */
void source_rebase(
	struct source *s, const struct source_config *config, const struct bus_config *bus);

/* Takes one reading; `points` as device_group_points() gives them. Returns outcome bits. */
unsigned source_take(
	struct source *s, const struct reading *r, const uint16_t *points, int64_t now_us);
/* Decides by the time that passed: a silent unit on a loaded line is probed so rarely that three
 * failures take long, but its polls that fell due meanwhile brought nothing either. Returns
 * outcome bits. To be called once a second. */
unsigned source_tick(struct source *s, int64_t now_us, int64_t now_ms);
/* Recomputes availability, activity and condition; true if one of them changed. */
bool machine_update(struct machine *m, int64_t now_ms);
/* Calls back for each fault that holds according to the machine's drivers, with the code under
 * which it is an alarm ("board-thermal-runaway") and its severity, as configured. */
typedef void machine_fault_fn(void *arg, const char *code, enum severity severity);
void machine_faults(const struct machine *m, machine_fault_fn *each, void *arg);
const char *machine_condition(const struct machine *m); /* "normal", "warning", "fault" */
/* The source whose driver says what the machine is doing; NULL: none. */
const struct source *machine_speaker(const struct machine *m);
const char *machine_state(const struct machine *m); /* "offline", "fault", or the activity */
const char *machine_availability(const struct machine *m);
/* In words: why it is in this state. */
void machine_reason(const struct machine *m, char *buf, size_t size);

#endif
