/* SPDX-License-Identifier: MIT */
/* explain_row.h -- a machine's alarms, maintenance and job in sentences, printed */
#ifndef CLI_EXPLAIN_ROW_H
#define CLI_EXPLAIN_ROW_H

#include "cli/board.h"

/* Text, since when, value and limit, who has seen or suppressed it, what to touch. */
void explain_alarm(const struct row_alarm *a, enum language language);
bool explain_alarms(const struct row *r, enum language language); /* true: there were some */
void explain_maintenance(const struct row *r, enum language language);
void explain_job(const struct row *r, enum language language);

#endif
