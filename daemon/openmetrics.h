/* SPDX-License-Identifier: MIT */
/* openmetrics.h -- health as metrics for Prometheus (docs/prometheus.md). Pure. */
#ifndef DAEMON_OPENMETRICS_H
#define DAEMON_OPENMETRICS_H

#include "daemon/payload.h"

/* OpenMetrics, or Prometheus' older text format (config/exposition.h); to be freed. NULL: out of
 * memory. */
char *openmetrics_print(const struct health *h, bool openmetrics);

#endif
