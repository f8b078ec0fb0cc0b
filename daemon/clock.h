/* SPDX-License-Identifier: MIT */
/* clock.h -- what time it is, and whether to believe it
 *
 * synced: the system says that its clock is set; holdover: it was so since boot, but no longer;
 * unsynced: never yet. Sources: systemd-timesyncd touches /run/systemd/timesync/synchronized at
 * each synchronisation; the kernel's STA_UNSYNC (adjtimex(2)) covers chrony and ntpd.
 */
#ifndef DAEMON_CLOCK_H
#define DAEMON_CLOCK_H

#include <stdint.h>

#include "config/config.h"
#include "daemon/moment.h"

enum clock_state { CLOCK_UNSYNCED, CLOCK_HOLDOVER, CLOCK_SYNCED };

int64_t clock_mono_us(void);   /* CLOCK_MONOTONIC; any thread */
int64_t clock_wall_ms(void);   /* CLOCK_REALTIME; any thread */
struct moment clock_now(void); /* both; any thread */
/* Looks again; to be called every few seconds. Loop thread. */
enum clock_state clock_update(enum clock_source source);
enum clock_state clock_state(void); /* as of the last clock_update(); loop thread */
/* Estimated error of the clock in ms, as the kernel says; 0 if it does not. Loop thread. */
double clock_offset_ms(void);
const char *clock_state_name(enum clock_state s);

#endif
