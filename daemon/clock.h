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
#include "daemon/stamp.h"

enum clock_state { CLOCK_UNSYNCED, CLOCK_HOLDOVER, CLOCK_SYNCED };

int64_t clock_mono_us(void);   /* CLOCK_MONOTONIC; any thread */
int64_t clock_wall_ms(void);   /* CLOCK_REALTIME; any thread */
struct moment clock_now(void); /* both; any thread */
int64_t clock_boot_ms(void);   /* CLOCK_BOOTTIME: since the boot, suspended or not; any thread */
/* CLOCK_REALTIME - CLOCK_BOOTTIME: the wall time of the boot. It changes only when somebody sets
 * the clock: slewing moves both. Any thread. */
int64_t clock_lead_ms(void);
/* Looks again; to be called every few seconds. Loop thread. */
enum clock_state clock_update(enum clock_source source);
enum clock_state clock_state(void); /* as of the last clock_update(); loop thread */
/* The one who knows may not be asked: the kernel refuses, and systemd-timesyncd does not run. As of
 * the last clock_update(); loop thread. */
bool clock_is_hidden(enum clock_source source);
struct stamp clock_stamp(void); /* of what is recorded now; loop thread */
/* Estimated error of the clock in ms, as the kernel says; 0 if it does not. Loop thread. */
double clock_offset_ms(void);
const char *clock_state_name(enum clock_state s);

/* By how much the clock was set since *lead_ms was taken, which then becomes lead_ms; less than
 * 100 ms is no step, and *lead_ms stays. Pure. */
int64_t clock_step(int64_t *lead_ms, int64_t lead_now_ms);
/* A descriptor that becomes readable when the clock is set. To be closed; -errno. */
int clock_alarm_open(void);
/* To be called when it is readable: it may become so again. */
void clock_alarm_read(int fd);

#endif
