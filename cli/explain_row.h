/* SPDX-License-Identifier: MIT */
/* explain_row.h -- a machine's alarms, maintenance, job and missing values in sentences */
#ifndef CLI_EXPLAIN_ROW_H
#define CLI_EXPLAIN_ROW_H

#include "cli/board.h"
#include "cli/frame.h"
#include "cli/sentence.h"

enum { EXPLAIN_INDENT = 4 }; /* of the lines that a sentence goes on in */

/* Text, since when, value and limit, who has seen or suppressed it, what to touch. */
void explain_alarm(struct frame *f, const struct row_alarm *a, enum language language);
/* True: there were some. */
bool explain_alarms(struct frame *f, const struct row *r, enum language language);
void explain_maintenance(struct frame *f, const struct row *r, enum language language);
void explain_job(struct frame *f, const struct row *r, enum language language);
/* The points without a value, as the daemon or a reading tells them. True: there were some. */
bool explain_points(struct frame *f, const char *source, const struct doc *points);

/* "  meter: " in red: what follows is why it needs somebody. */
void explain_begin(struct frame *f, const char *about);
void explain_end(struct frame *f, const struct sentence *s); /* the rest of a line */

#endif
