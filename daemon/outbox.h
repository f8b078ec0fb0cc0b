/* SPDX-License-Identifier: MIT */
/* outbox.h -- what may go to the broker now, and what waits
 *
 * Four lanes. Retained topics are pictures of what is so now: only "it changed" is queued, and
 * the payload is rendered when its turn comes, so an old picture is never sent. Events go next,
 * but live telemetry always has a share of the window; history takes what is left. Each queued
 * lane is a first-in-first-out list. A topic that the broker refuses for a while is parked, and
 * blocks nothing else.
 *
 * At most `window` messages are with the uplink; one leaves the outbox when its PUBACK came back.
 * Messages come from free lists by size, so nothing is allocated per sample in steady state.
 * Nothing is written to the disk here, but each message knows whether it is there. Loop thread.
 */
#ifndef DAEMON_OUTBOX_H
#define DAEMON_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/message.h"

/* A retained topic. Its owner embeds it, fills in the upper half and keeps it until
 * outbox_forget() has called `gone`. */
struct retained {
	const char *topic;
	bool json;
	/* Writes the payload as it is now; 0: it does not fit, nothing is sent. */
	size_t (*render)(struct retained *r, char *buf, size_t size);
	void (*gone)(struct retained *r); /* cleared at the broker, may be freed; NULL: stays */

	/* the outbox's */
	struct retained *next;
	bool listed, dirty, queued, in_flight, leaving;
	uint64_t held_for; /* the generation that must be on the disk first */
	int64_t paused_until_us;
	struct retained *all_next, **all_prev;
};

enum message_end {
	END_ACKNOWLEDGED,
	END_REJECTED, /* it can never be accepted; m->reason */
	END_DROPPED,  /* no room: it is lost unless it is on the disk */
};

struct outbox_ops {
	void (*send)(void *arg, struct message *m); /* to the uplink */
	void (*trouble)(void *arg, const char *topic, int reason, const char *what);
	/* A message of a queued lane leaves the outbox. NULL: not wanted. */
	void (*ended)(void *arg, const struct message *m, enum message_end how);
	/* A retained topic is about to be filled, or was cleared. NULL: not wanted. */
	void (*listed)(void *arg, const char *topic, bool listed);
	void *arg;
};

struct lane_stats {
	size_t waiting, bytes; /* not with the uplink; memory */
	size_t in_flight;
	int64_t oldest_us;    /* when the oldest was born, in flight or not; INT64_MAX: none */
	int64_t oldest_ts_ms; /* its time; 0: none */
	int64_t floor;        /* the lowest record number in memory; INT64_MAX: none */
};

struct outbox_stats {
	uint64_t published, acknowledged, refused;
	size_t in_flight;
	struct lane_stats lanes[LANE_COUNT];
};

struct outbox;

struct outbox *outbox_create(const struct outbox_ops *ops, size_t live_bytes, size_t event_bytes);
void outbox_destroy(struct outbox *o);

/* ---- retained topics ---- */
/* Announces a retained topic and marks it changed. */
void outbox_add(struct outbox *o, struct retained *r);
/* What it shows has changed; nothing, if it was not announced. */
void outbox_mark(struct outbox *o, struct retained *r);
/* It lost its owner: an empty payload clears it at the broker, then `gone` is called. From here
 * on `render` is not called any more. */
void outbox_forget(struct outbox *o, struct retained *r);
/* What is marked from now on shows changes of `gathering`, and is held until `written` has come to
 * it: nothing is told that is not on the disk. */
void outbox_generation(struct outbox *o, uint64_t gathering, uint64_t written);

/* ---- queued messages ---- */
/* Copies it to its place among its lane's numbers. `born_us`: since when it waits. False: no
 * memory, and nothing was called. */
bool outbox_append(struct outbox *o, const struct draft *d, int64_t born_us);
/* Events may go only from the disk (DISK_YES) and up to number `upto`; `anyway`: also those that
 * the disk refused. */
void outbox_gate_events(struct outbox *o, int64_t upto, bool anyway);
/* Each message of a lane, waiting, parked or in flight. */
typedef void outbox_each_fn(void *arg, struct message *m);
void outbox_each(struct outbox *o, enum message_lane lane, outbox_each_fn *each, void *arg);
/* Forgets what waits, is on the disk (DISK_YES), has a number in `from` .. `upto` and was born
 * before before_us. The lowest number forgotten, INT64_MAX if none. */
int64_t outbox_release(
	struct outbox *o, enum message_lane lane, int64_t from, int64_t upto, int64_t before_us);
/* Adds to the number of each message of a lane: others are on the disk already. */
void outbox_renumber(struct outbox *o, enum message_lane lane, int64_t by);
/* The clock was set (wall time = CLOCK_BOOTTIME + lead_ms): what waits is stamped anew. */
void outbox_mend(struct outbox *o, int64_t lead_ms);
bool outbox_has_record(const struct outbox *o, enum message_lane lane, int64_t record);

/* ---- the broker ---- */
/* The broker accepts from now on `window` messages at a time; every retained topic is sent again,
 * in the order in which they were added, before anything else. */
void outbox_connected(struct outbox *o, unsigned window);
void outbox_disconnected(struct outbox *o);
/* A message came back from the uplink. true: the connection should be made anew (reason 0x91). */
bool outbox_done(struct outbox *o, struct message *m, int64_t now_us);
/* Sends what may go. To be called after anything above, and once a second. */
void outbox_pump(struct outbox *o, int64_t now_us);
/* true: nothing waits and nothing is in flight. */
bool outbox_idle(const struct outbox *o);
void outbox_stats(const struct outbox *o, struct outbox_stats *out);

#endif
