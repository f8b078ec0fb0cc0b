/* SPDX-License-Identifier: MIT */
/* outbox.h -- what may go to the broker now, and what waits
 *
 * Three lanes. Retained topics are pictures of what is so now: only "it changed" is queued, and
 * the payload is rendered when its turn comes, so an old picture is never sent. Events go before
 * live telemetry. Each queued lane is a first-in-first-out list bounded in bytes; when it is full
 * its oldest message goes, and the loss is counted.
 *
 * At most `window` messages are with the uplink; one leaves the outbox when its PUBACK came back.
 * Messages come from free lists by size, so nothing is allocated per sample in steady state.
 * Loop thread only.
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
	int64_t paused_until_us;
	struct retained *all_next, **all_prev;
};

struct outbox_ops {
	void (*send)(void *arg, struct message *m); /* to the uplink */
	void (*trouble)(void *arg, const char *topic, int reason, const char *what);
	/* The broker has the message of this record, or can never take it. NULL: not wanted. */
	void (*settled)(void *arg, int64_t record);
	/* A retained topic is about to be filled, or was cleared. NULL: not wanted. */
	void (*listed)(void *arg, const char *topic, bool listed);
	void *arg;
};

struct outbox_stats {
	uint64_t published, acknowledged, refused, dropped_live, dropped_events;
	size_t waiting, waiting_bytes, event_bytes, in_flight;
};

struct outbox;

struct outbox *outbox_create(const struct outbox_ops *ops, size_t live_bytes, size_t event_bytes);
void outbox_destroy(struct outbox *o);

/* Announces a retained topic and marks it changed. */
void outbox_add(struct outbox *o, struct retained *r);
/* What it shows has changed; nothing, if it was not announced. */
void outbox_mark(struct outbox *o, struct retained *r);
/* It lost its owner: an empty payload clears it at the broker, then `gone` is called. From here
 * on `render` is not called any more. */
void outbox_forget(struct outbox *o, struct retained *r);
/* Copies a message into LANE_EVENT or LANE_LIVE; `topic` must outlive it. */
void outbox_append(struct outbox *o, enum message_lane lane, const char *topic, const char *payload,
	size_t len);
/* The same into LANE_EVENT for a message that is on the disk under this number. */
void outbox_append_record(
	struct outbox *o, int64_t record, const char *topic, const char *payload, size_t len);

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
