/* SPDX-License-Identifier: MIT */
/* alarmset.h -- all alarms of one machine: where they come from and what becomes of them
 *
 * From the machine's configuration; from the profiles and drivers of its sources (as
 * <source>-<code>), which an alarm of the machine with the same code replaces or, without a
 * condition of its own, only re-words; and <source>-silent (error) for a source that has not been
 * ok for 60 s: Modbus always, USB if the machine is always_on. `severity: none` silences. Pure.
 * Loop thread.
 */
#ifndef DAEMON_ALARMSET_H
#define DAEMON_ALARMSET_H

#include "daemon/alarm.h"

struct alarmset;

struct alarmset_context {
	struct moment now;
	enum activity activity; /* of the machine */
	bool maintenance;       /* all but critical alarms are suppressed_by "maintenance" */
	struct flood *flood;    /* of the gateway */
};

/* NULL: no memory. `config` and the sources must outlive it. */
struct alarmset *alarmset_create(
	const struct machine_config *config, struct source *const *sources, size_t n_sources);
void alarmset_destroy(struct alarmset *s); /* NULL is fine */

size_t alarmset_size(const struct alarmset *s);
struct alarm *alarmset_at(struct alarmset *s, size_t i);
struct alarm *alarmset_find(struct alarmset *s, const char *code); /* NULL: none */
/* It is not in the configuration any more, only its end had still to be told. */
bool alarmset_is_gone(struct alarmset *s, const char *code);
/* Gives an alarm the life it had before a restart or reload. A code that is not in the set, but
 * was active, becomes one that is withdrawn at the next update. 0 or -ENOMEM. */
int alarmset_restore(
	struct alarmset *s, const char *code, const struct alarm_life *life, struct moment now);
/* Adds the test alarm (code "test"): active for `ms`, at this severity. It changes neither
 * condition nor state nor counters. 0, -ENOMEM, or -EEXIST: the configuration has an alarm of that
 * code. */
int alarmset_test(struct alarmset *s, enum severity severity, int64_t ms, struct moment now);

/* Evaluates all. `each` is called for every alarm with a transition. */
typedef void alarmset_fn(void *arg, struct alarm *a, unsigned transitions);
void alarmset_update(
	struct alarmset *s, const struct alarmset_context *context, alarmset_fn *each, void *arg);
/* The worst severity of those that count, without the test alarm; SEVERITY_NONE: none. */
enum severity alarmset_worst(const struct alarmset *s);

#endif
