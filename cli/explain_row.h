/* SPDX-License-Identifier: MIT */
/* explain_row.h -- a machine's alarms, maintenance and job in sentences */
#ifndef CLI_EXPLAIN_ROW_H
#define CLI_EXPLAIN_ROW_H

#include "cli/board.h"
#include "cli/frame.h"

enum { EXPLAIN_INDENT = 4 }; /* of the lines that a sentence goes on in */

/* Text, since when, value and limit, who has seen or suppressed it, what to touch. */
void explain_alarm(struct frame *f, const struct row_alarm *a, enum language language);
/* True: there were some. */
bool explain_alarms(struct frame *f, const struct row *r, enum language language);
void explain_maintenance(struct frame *f, const struct row *r, enum language language);
void explain_job(struct frame *f, const struct row *r, enum language language);

#endif
