/* SPDX-License-Identifier: MIT */
/* window.h -- mean, maximum or 90th percentile of a value over the last seconds or minutes
 *
 * A value stands until the next one, so what counts is how long it was so, not how often it was
 * polled. At most WINDOW_BUCKETS steps are kept: values closer together than that part of the
 * window are averaged (for the maximum: the greater counts). Pure. Loop thread.
 */
#ifndef DAEMON_WINDOW_H
#define DAEMON_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "config/rule.h"

enum { WINDOW_BUCKETS = 256 };

struct window;

struct window *window_create(int64_t span_us, enum statistic stat); /* NULL: no memory */
void window_destroy(struct window *w);                              /* NULL is fine */
/* The value read at `at_us`; one that is not younger than the last is ignored. After more than
 * `gap_us` without any, what was before is forgotten. */
void window_add(struct window *w, int64_t at_us, double value, int64_t gap_us);
/* False: less than half of the window is covered. */
bool window_value(struct window *w, int64_t now_us, double *out);

#endif
