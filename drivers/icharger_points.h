/* SPDX-License-Identifier: MIT */
/* icharger_points.h -- what icharger.c says of a charger: its points and faults; private to it */
#ifndef DRIVERS_ICHARGER_POINTS_H
#define DRIVERS_ICHARGER_POINTS_H

#include "drivers/driver.h"

enum { CHANNELS = 2, CELLS = 12 }; /* of the largest model */
enum { GROUP_STATUS, GROUP_CELLS, GROUP_RESISTANCE, GROUPS };

/* clang-format off */
enum state { STATE_IDLE, STATE_CHECKING, STATE_CHARGING, STATE_DISCHARGING, STATE_STORAGE,
	STATE_BALANCING, STATE_DONE, STATE_ERROR, STATE_WAITING };
extern const char *const icharger_states[]; /* by enum state, NULL-ended */

/* Places of a channel's points; channel c begins at POINT_CHANNEL + c * CH_COUNT. */
enum { POINT_INPUT, POINT_CHANNEL };
enum { CH_STATE, CH_VOLTAGE, CH_CURRENT, CH_POWER, CH_CHARGE, CH_ENERGY, CH_TIME, CH_TEMP_INTERNAL,
	CH_TEMP_EXTERNAL, CH_ERROR, CH_BATTERY, CH_CYCLE, CH_CELL, CH_RESISTANCE = CH_CELL + CELLS,
	CH_LINE = CH_RESISTANCE + CELLS, CH_COUNT };
enum { POINTS = POINT_CHANNEL + CHANNELS * CH_COUNT };
/* clang-format on */

extern const struct group icharger_groups[GROUPS];
extern const struct point icharger_points[POINTS];

/* icharger_faults.c, by error index; 0 and 1 are none and "still checking". */
enum { FAULT_FIRST = 2, FAULT_UNKNOWN = 35, FAULTS };
extern const struct driver_fault icharger_faults[];

#endif
