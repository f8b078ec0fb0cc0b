/* SPDX-License-Identifier: MIT */
/* grbl_report.h -- one status report of Grbl, "<Run|MPos:1.000,2.000,0.000|FS:500,8000>"
 *
 * Fields are found by their key, in any order; unknown ones are skipped. Grbl 1.1 and later; the
 * comma form of 0.9 is not a report. Sources: gnea/grbl doc/markdown/interface.md and
 * grbl/report.c; grblHAL/core report.c; bdring/FluidNC FluidNC/src/Report.cpp. No I/O.
 */
#ifndef DRIVERS_GRBL_REPORT_H
#define DRIVERS_GRBL_REPORT_H

#include "drivers/grbl_codes.h"

enum grbl_state {
	GRBL_IDLE,
	GRBL_RUN,
	GRBL_HOLD,
	GRBL_JOG,
	GRBL_HOME,
	GRBL_ALARM,
	GRBL_CHECK,
	GRBL_DOOR,
	GRBL_SLEEP,
	GRBL_TOOL,
	GRBL_STARTING,
	GRBL_STATE_UNKNOWN
};

enum { GRBL_AXES = 3 };

#define GRBL_PIN(letter) (1u << ((letter) - 'A'))

struct grbl_report {
	enum grbl_state state;
	int substate;               /* -1: none */
	enum grbl_family family;    /* as far as its shape tells */
	bool work;                  /* `position` is in work coordinates */
	unsigned axes, offsets;     /* how many of them were given, at most GRBL_AXES */
	double position[GRBL_AXES]; /* mm; of a machine set to inches ($13=1): inches */
	double offset[GRBL_AXES];   /* work zero in machine coordinates */
	bool has_feed, has_spindle;
	double feed, spindle; /* mm/min; rpm or laser power S */
	int buffer_free;      /* planner blocks; -1: not said */
	bool has_overrides;
	int feed_override, spindle_override; /* % */
	uint32_t pins;                       /* GRBL_PIN() of the active inputs */
	double card_pct;                     /* of a job from the SD card; -1: none runs */
};

/* The words for a state, NULL-ended. */
extern const char *const grbl_states[];

/* Reads the report that begins at `text`. Its length; 0: there is none, or a broken one. */
size_t grbl_report_parse(const char *text, struct grbl_report *r);

#endif
