/* SPDX-License-Identifier: MIT */
/* marlin_lines.h -- what the lines of a 3D printer mean; private to the driver marlin
 *
 * Sources: MarlinFirmware/Marlin, Marlin/src/core/language.h, gcode/queue.cpp, gcode/host/M115.cpp,
 * gcode/sd/M27.cpp, gcode/stats/M31.cpp, module/printcounter.cpp, feature/host_actions.cpp;
 * OctoPrint/OctoPrint, serial_comm.py and its tests; prusa3d/Prusa-Link, regular_expressions.py;
 * Duet3D/RepRapFirmware, src/Platform/Event.cpp, src/GCodes; Klipper3d klippy/gcode.py,
 * klippy/extras/virtual_sdcard.py; easytarget/PrintEye tools/M408log.txt.
 */
#ifndef DRIVERS_MARLIN_LINES_H
#define DRIVERS_MARLIN_LINES_H

#include "drivers/driver.h"

enum query { M115, M105, M27, M31, M78, M27_P, M408, QUERIES };
enum family { MARLIN, PRUSA, RRF, KLIPPER, FAMILIES };
enum total { PRINTS, FINISHED, FAILED, TOTAL_TIME, LONGEST, FILAMENT, TOTAL_COUNT };
enum cause { CAUSE_UNKNOWN, POWER_UP, EXTERNAL, BROWN_OUT, WATCHDOG, SOFTWARE };

/* clang-format off */
enum {
	F_RUNAWAY, F_HEATING, F_MALFUNCTION, F_MAXTEMP, F_MINTEMP, F_MODEL, F_HALTED, F_ESTOP, F_STOPPED,
	F_HEATER, F_WATCHDOG, F_BROWN_OUT, F_RESET_IN_JOB, F_SD, F_PROBING, F_RUNOUT, F_FAN,
	F_NO_PROTECTION, F_SENSOR, F_SILENT, F_MOTOR, F_VOLTAGE, F_EXPANSION, F_FOREIGN, F_ERROR, FAULTS
};
/* clang-format on */

/* How long a fault lasts. HALT: mute until `start`. STOP: answers, does nothing, until `start`.
 * HOLD: a message about something past, until the next job or `start`. LEVEL: while it is so. */
enum latch { HALT, STOP, HOLD, LEVEL, LATCHES };

struct number {
	double now, target;
	unsigned decimals;
	unsigned at, target_at; /* in which line; 0: in none */
};

enum { HOTEND, HOTEND2, BED, CHAMBER, POWER, HEATERS };

/* Answers "not printing" that end a job: one M27 may slip in between the end of the file and
 * "Done".
 */
enum { VANISHED = 2 };

struct marlin {
	enum family family;
	bool known, stranger; /* M115 was answered; this is no printer */
	char identity[48], firmware[64];
	int protection; /* -1: none, 1: there is */
	enum cause cause;
	unsigned asked;   /* the question that is open, plus 1; 0: none */
	bool answered;    /* all but the `ok`, which may not come */
	unsigned refused; /* bit q: the firmware does not know query q */
	int64_t now_ms;   /* when the line at hand came */
	int64_t asked_ms, boot_ms, busy_ms, waits_ms;
	unsigned lines, news, reported; /* lines taken; lines at the end of the last poll */
	bool writing;                   /* what the printer hears goes into a file */
	bool join;                      /* the next line goes on an error */
	struct number heaters[HEATERS];
	unsigned had;                /* bit i: heaters[i] was reported once */
	bool job, paused;            /* paused: by an action command */
	bool told_paused, told_busy; /* by an answer */
	enum job_result result;
	unsigned vanished, polls;
	uint64_t pos, total; /* bytes of the file */
	int64_t moved_ms, paused_ms;
	char job_name[96], next_name[96];    /* of the last job; of a file that was opened since */
	double print_s, totals[TOTAL_COUNT]; /* negative: not known */
	uint64_t faults[LATCHES];
};

/* The text of each query, as it is sent. */
extern const struct driver_query marlin_queries[QUERIES];

/* Takes one line (and changes it). */
void marlin_take(struct marlin *m, char *line, int64_t now_ms);
/* Takes the name of a print, if the line has one; the line as it came. */
void marlin_take_print(struct marlin *m, const char *line);
/* A job begins: it is called what was heard last, or nothing. */
void marlin_begin_print(struct marlin *m);
/* It paused, as far as it told or its byte counter shows. */
bool marlin_is_paused(const struct marlin *m, int64_t now_ms);
void marlin_set_fault(struct marlin *m, enum latch latch, unsigned fault, bool on);

#endif
