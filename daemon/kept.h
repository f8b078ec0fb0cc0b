/* SPDX-License-Identifier: MIT */
/* kept.h -- the kept texts of state.db as the loop sees them: all in memory, written behind
 *
 * One text per kind and key ("usage" INV-00123). What changed is handed over as a transaction; if
 * the disk refuses that, it is dirty again and goes with the next one. So nothing on the loop ever
 * waits for the disk, and a file that was lost is written anew as a whole. Loop thread.
 */
#ifndef DAEMON_KEPT_H
#define DAEMON_KEPT_H

#include <stdbool.h>

#include "daemon/change.h"

struct kept;

struct kept *kept_create(void); /* NULL: no memory */
void kept_destroy(struct kept *k);
/* As it stands on the disk; at the start only. */
void kept_load(struct kept *k, const char *kind, const char *key, const char *text);
void kept_put(struct kept *k, const char *kind, const char *key, const char *text);
void kept_drop(struct kept *k, const char *kind, const char *key);
/* NULL: nothing is kept there. Valid until it is put or dropped. */
const char *kept_get(const struct kept *k, const char *kind, const char *key);
/* In the order in which they were first put. `each` may put and drop. */
typedef void kept_fn(void *arg, const char *key, const char *text);
void kept_each(struct kept *k, const char *kind, kept_fn *each, void *arg);

bool kept_is_dirty(const struct kept *k);
/* What has changed since the last time, in front of `rest`. */
struct change *kept_take(struct kept *k, struct change *rest);
/* What was taken is on the disk, or is not and must be taken again. */
void kept_written(struct kept *k, bool done);
void kept_all_dirty(struct kept *k); /* the file was begun anew */

#endif
