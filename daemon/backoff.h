/* SPDX-License-Identifier: MIT */
/* backoff.h -- how long to wait before the next connection, and what the broker's codes mean
 *
 * Pure. The codes are those of CONNACK and DISCONNECT in MQTT 5.0, 3.2.2.2 and 3.14.2.1.
 */
#ifndef DAEMON_BACKOFF_H
#define DAEMON_BACKOFF_H

#include <stdint.h>

/* Milliseconds before the n-th attempt (n >= 0) in a row, given the code that ended the last
 * connection (0: none): full jitter, U(0, min(max, min * 2^n)), but never less than min / 2; of a
 * broker that shuts down U(0, max), because all its clients come back; of a busy one and for
 * refused credentials between max and twice max; for a second client of our name between twice and
 * three times max. `random` is uniform in [0, 1). */
int64_t backoff_ms(int64_t min_ms, int64_t max_ms, unsigned n, int reason, double random);
/* "server unavailable" and the like. */
const char *backoff_reason_text(int reason);
/* A CONNACK code of MQTT 3.1.1 (1 .. 5) in the words of version 5. */
int backoff_reason_of_311(int code);

#endif
