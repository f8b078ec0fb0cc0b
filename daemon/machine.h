/* SPDX-License-Identifier: MIT */
/* machine.h -- a machine as it is now, from what its sources said
 *
 * Pure: time comes in, decisions come out; gateway.c does what they say. Loop thread only.
 */
#ifndef DAEMON_MACHINE_H
#define DAEMON_MACHINE_H

#include "daemon/outbox.h"
#include "daemon/source.h"

struct machine {
	const struct machine_config *config;
	struct source **sources;
	size_t n_sources;
	bool decided, online;
	enum activity activity;
	enum severity worst;                       /* of the faults that hold */
	int64_t since_ms;                          /* of the present state */
	const char *state;                         /* as last published as an event */
	bool dirty;                                /* values changed since the last snapshot */
	int64_t next_state_us;                     /* not before, for mere values */
	const char *telemetry_topic, *event_topic; /* interned */
	struct retained availability, info, snapshot;
	struct gateway *gateway;
	bool removed;
	unsigned retained_left; /* topics still to be cleared after a removal */
};

struct machine *machine_create(
	const struct machine_config *config, const struct config *all, int64_t now_us);
void machine_destroy(struct machine *m);
/* Recomputes availability, activity and condition; true if one of them changed. */
bool machine_update(struct machine *m, int64_t now_ms);
/* Calls back for each fault that holds according to the machine's drivers, with the code under
 * which it is an alarm ("board-thermal-runaway") and its severity, as configured. */
typedef void machine_fault_fn(void *arg, const char *code, enum severity severity);
void machine_faults(const struct machine *m, machine_fault_fn *each, void *arg);
const char *machine_condition(const struct machine *m); /* "normal", "warning", "fault" */
/* The source whose driver says what the machine is doing; NULL: none. */
const struct source *machine_speaker(const struct machine *m);
const char *machine_state(const struct machine *m); /* "offline", "fault", or the activity */
const char *machine_availability(const struct machine *m);
/* In words: why it is in this state. */
void machine_reason(const struct machine *m, char *buf, size_t size);

#endif
