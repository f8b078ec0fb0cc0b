/* SPDX-License-Identifier: MIT */
/* scan.h -- the parts of `labpulse scan` */
#ifndef CLI_SCAN_H
#define CLI_SCAN_H

#include <stdbool.h>

/* Prints what is plugged in; opens nothing. The exit code. */
int scan_usb(bool json);

#endif
