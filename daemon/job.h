/* SPDX-License-Identifier: MIT */
/* job.h -- names and numbers of jobs
 *
 * Pure. Any thread.
 */
#ifndef DAEMON_JOB_H
#define DAEMON_JOB_H

#include <stdint.h>

#include "daemon/usage.h"

/* A ULID (github.com/ulid/spec): 48 bits of the time, 80 of `random`, in Crockford's base32. */
void job_make_id(char id[27], int64_t wall_ms, const uint8_t random[10]);
/* What a driver's word means; END_NONE for JOB_NONE. */
enum job_end job_end_of(enum job_result word);

#endif
