/* SPDX-License-Identifier: MIT */
/* grbl_machine.h -- what a Grbl machine said so far, and what that comes to
 *
 * Lines go in; state, job, faults and counters come out. No I/O: the time is handed in.
 * Sources: gnea/grbl doc/markdown/interface.md; grblHAL/core report.c; bdring/FluidNC
 * FluidNC/src/Report.cpp and Protocol.cpp.
 */
#ifndef DRIVERS_GRBL_MACHINE_H
#define DRIVERS_GRBL_MACHINE_H

#include "drivers/grbl_report.h"

enum { GRBL_VERSION_SIZE = 24, GRBL_BURST = 5 };

struct grbl {
	enum grbl_family family;
	char version[GRBL_VERSION_SIZE];
	bool opening, proved, foreign; /* `open` waits for a sign of Grbl, or of something else */
	bool arrived, news;
	int64_t asked_ms;

	enum grbl_state state; /* of the last report, or what was said since */
	struct grbl_report report;
	int64_t report_ms; /* 0: none that still counts */
	int64_t homing_ms;
	double offset[GRBL_AXES];
	unsigned offsets;
	int64_t offset_ms;
	int feed_override, spindle_override;
	int64_t overrides_ms;
	bool had_card;

	int last_alarm, alarm; /* `alarm` holds; 0: none */
	bool locked;           /* answers nothing until it is reset */
	bool config_alarm, reset_in_job;
	int last_error;
	int64_t errors, error_ms[GRBL_BURST]; /* of the last ones, a ring */
	int64_t burst_ms, eeprom_ms, limit_ms;

	bool job, ended; /* `ended`: the program said so */
	int64_t idle_ms;
	enum job_result result;
	bool laser_on;
	int64_t laser_ms, laser_at_ms;
};

/* Takes a line, at now_ms: whatever of all this is in it. */
void grbl_hear(struct grbl *g, const char *line, int64_t now_ms);
/* The job that is being read from the SD card. */
bool grbl_card_runs(const struct grbl *g);
/* It is known why it does not answer. */
bool grbl_may_be_silent(const struct grbl *g, int64_t now_ms);
struct status grbl_status(struct grbl *g, int64_t now_ms);

#endif
