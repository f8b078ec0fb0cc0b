/* SPDX-License-Identifier: MIT */
/* openmetrics.h -- health as OpenMetrics text (names: docs/topics.md, section 3). Pure. */
#ifndef DAEMON_OPENMETRICS_H
#define DAEMON_OPENMETRICS_H

#include "daemon/payload.h"

/* A buffer size that is surely enough. */
size_t openmetrics_size(const struct health *h);
/* The text, ended by "# EOF\n"; its length, 0 if it did not fit. */
size_t openmetrics_print(char *buf, size_t size, const struct health *h);

#endif
