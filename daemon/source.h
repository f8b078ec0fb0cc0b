/* SPDX-License-Identifier: MIT */
/* source.h -- one thing polled for a machine: does it answer, and what did it say last
 *
 * Pure: time comes in, decisions come out. Loop thread only.
 */
#ifndef DAEMON_SOURCE_H
#define DAEMON_SOURCE_H

#include "config/config.h"
#include "daemon/moment.h"
#include "drivers/device.h"

struct machine;

struct point_state {
	struct value value; /* the last one, if the last read of the point was good */
	char *text;         /* room for an enum's key or a string, text_size bytes */
	uint16_t text_size;
	uint8_t fail, exception; /* of the last read; FAIL_NONE with a value */
	struct value good;       /* the last one ever, for rules; VALUE_NONE: never */
	int64_t good_us;         /* CLOCK_MONOTONIC of it */
	bool was_published;      /* deadband: `published` holds */
	double published;
};

/* Who a source's device is. */
struct identity {
	char plugged[96]; /* the USB device, "1a86:7523:SERIAL"; "": not USB, or not known */
	char device[64];  /* what it says it is; "": nothing */
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
	bool shares;           /* its unit is read for other sources, too */
	struct identity known, present;
	bool recalled, foreign; /* known was read from the disk; another device than known */
	unsigned seen_origin;   /* of the reading after which the identity was looked at */
	struct status status;   /* of a driver that makes one */
	uint64_t faults_since;  /* those that the driver added since it stopped answering */
	char job_name[96];      /* as a person's file gives it; for `publish: {job_names: true}` */
	uint64_t lost_polls;    /* since it stopped answering */
	bool removed;           /* by a reload; readings for it are dropped */
	/* Code of the active alarm of its bus, which explains its silence; NULL: none. */
	const char *bus_alarm;
};

/* What a reading means for the outside. */
enum outcome {
	OUTCOME_TELEMETRY = 1, /* publish the reading's values and errors */
	OUTCOME_ERRORS = 2,    /* publish one message with errors for all points */
	OUTCOME_SOURCE = 4,    /* its `ok` changed: say so once in the log */
	OUTCOME_STATE = 8      /* publish the snapshot at once */
};

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
/* The clock was set for the first time since the boot. */
void source_clock_moved(struct source *s, const struct shift *by);
/* Index of a point into `states`; -1: the source has none of that name. */
int source_slot(const struct source *s, const char *point);
/* How old the value of states[slot] may be before rules call it missing: three polls of its group,
 * at least 30 s; INT64_MAX for what is read once. */
int64_t source_stale_us(const struct source *s, int slot);

#endif
