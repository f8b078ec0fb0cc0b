/* SPDX-License-Identifier: MIT */
/* report.h -- what the tool shows: the daemon's view as JSON (docs/control.md). Loop thread. */
#ifndef DAEMON_REPORT_H
#define DAEMON_REPORT_H

#include "config/json.h"
#include "daemon/gateway.h"

/* The members of `result` for {"cmd":"explain"}; `machine`: one of them, or NULL for all. */
void report_explain(struct json *j, struct gateway *g, const char *machine, enum language language);
/* The members of `result` for {"cmd":"watch"}. */
void report_watch(struct json *j, struct gateway *g);

#endif
