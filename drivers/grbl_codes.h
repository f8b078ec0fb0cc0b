/* SPDX-License-Identifier: MIT */
/* grbl_codes.h -- what the alarm and error numbers of the three Grbl firmwares mean
 *
 * Numbers up to 9 (alarms) and 17, 20-37 (errors) mean the same everywhere; above, each firmware
 * has its own. Sources: gnea/grbl doc/csv/alarm_codes_en_US.csv and error_codes_en_US.csv;
 * grblHAL/core alarms.h and errors.h; bdring/FluidNC FluidNC/src/Error.cpp and Protocol.cpp.
 */
#ifndef DRIVERS_GRBL_CODES_H
#define DRIVERS_GRBL_CODES_H

#include "drivers/driver.h"

enum grbl_family { GRBL_UNKNOWN, GRBL_GNEA, GRBL_HAL, GRBL_FLUIDNC };

enum { GRBL_FAULTS = 39 };

/* Ids never change: `alarm-N` up to 9 and of gnea, `hal-alarm-N`, `fluidnc-alarm-N`. */
extern const struct driver_fault grbl_faults[GRBL_FAULTS];

/* The bit of this fault in struct status; 0: there is no such fault. */
uint64_t grbl_fault(const char *id);
/* The same for ALARM:code; a code that this firmware should not have is the general `alarm`. */
uint64_t grbl_alarm_fault(enum grbl_family family, int code);
/* After this alarm the firmware answers nothing until it is reset. */
bool grbl_alarm_locks(enum grbl_family family, int code);
/* Our own short text for error:code; never NULL. */
const char *grbl_error_text(enum grbl_family family, int code);

#endif
