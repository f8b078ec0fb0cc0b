/* SPDX-License-Identifier: MIT */
/* poller.h -- one thread per bus: wait until due, poll, post; between polls, listen
 *
 * The thread owns its link and its devices' driver state. What it is given to poll is a struct
 * pollset, built by the loop and handed over whole; on a reload the old one comes back by mail.
 * Unless said otherwise the functions here are called on the loop thread.
 */
#ifndef DAEMON_POLLER_H
#define DAEMON_POLLER_H

#include "config/config.h"
#include "daemon/mailbox.h"
#include "daemon/schedule.h"
#include "drivers/device.h"

/* A reading on its way; it goes back with poller_return(). */
struct poll_mail {
	struct mail mail;
	struct polled_unit *unit;
	struct reading *reading;
	unsigned origin; /* changes when another device may have answered */
	struct poll_mail *free_next;
};

/* One device on the bus. */
struct polled_unit {
	struct device *device;
	struct poller *poller;
	uint8_t unit;           /* unit id */
	void *taps;             /* the gateway's: who gets its values; malloc'ed */
	struct poll_mail *free; /* under the poller's lock */
	struct poll_mail mails[2];
	char identity[64];   /* what it says it is; under the poller's lock */
	unsigned identities; /* how often that changed */
};

struct pollset {
	struct mail mail; /* MAIL_POLLSET, on its way back */
	struct poller *poller;
	struct polled_unit **units;      /* owned, but for those that the next set shares */
	const struct profile **profiles; /* of the units, in the configuration that made this set */
	size_t n_units;
	struct schedule_entry *entries; /* group index in .group */
	size_t n_entries;
	struct schedule_unit *states;
};

/* Work on the line for a person, done between polls within 20 % of the bus's time. `step` runs
 * on the bus thread: 0 when it is done, -EAGAIN to be called again, another -errno to stop. */
struct line_job {
	struct mail mail; /* MAIL_JOB, when it has ended */
	int (*step)(struct line_job *job, struct link *link, struct pollset *set);
	int64_t cost_us; /* the longest that one step may take */
	int rc;
	struct line_job *next;
};

struct poller_stats {
	struct link_stats link;
	bool up;
	int rc; /* why it is not up */
	char holder[128];
	char plugged[96]; /* the USB device that was found, see link_plugged() */
	uint64_t missed, lost_readings;
	int64_t busy_us; /* time spent on the line since the poller started */
	int64_t started_us;
	int latency_p50_us, latency_p95_us, latency_max_us;
};

struct poller;

/* `inbox`: where readings and finished jobs go; `usb` is borrowed. NULL on out of memory. */
struct poller *poller_create(const struct bus_config *bus, struct usb *usb, struct mailbox *inbox);
/* Something was plugged in or out. */
void poller_replug(struct poller *p);
/* Only this USB device is opened, see link_expect(); "": any. */
void poller_expect(struct poller *p, const char *plugged);
/* Gives it something to poll; the thread starts with the first call. The old set comes back as
 * MAIL_POLLSET when the thread has let go of it. 0 or -errno. */
int poller_give(struct poller *p, struct pollset *set);
/* Returns a reading to its unit; NULL is not allowed. */
void poller_return(struct poller *p, struct poll_mail *mail);
void poller_run_job(struct poller *p, struct line_job *job);
void poller_stats(struct poller *p, struct poller_stats *out);
/* What one of its devices said it is, "" if nothing. */
void poller_identity(struct poller *p, const struct polled_unit *unit, char *buf, size_t size);
/* Its link, for device_create() only. */
struct link *poller_link(struct poller *p);
/* The set that it was given last; NULL: none. */
struct pollset *poller_set(struct poller *p);
/* The configuration that `bus` points into was replaced by an equal one. */
void poller_rebase(struct poller *p, const struct bus_config *bus);
const struct bus_config *poller_bus(const struct poller *p);
/* When the thread will be heard of again at the latest, see link_promise(). */
int64_t poller_due_us(const struct poller *p);
/* Asks the thread to end. */
void poller_cancel(struct poller *p);
/* Joins it, until `deadline_us` (CLOCK_MONOTONIC). false: it hangs; p must not be destroyed. */
bool poller_join(struct poller *p, int64_t deadline_us);
void poller_destroy(struct poller *p); /* after poller_join() or if never started; NULL is fine */

/* Takes from `old` what both poll, with its deadlines: a reload costs it no poll. Bus thread. */
void pollset_inherit(struct pollset *set, struct pollset *old);
/* Not while a poller has it. NULL is fine. */
void pollset_destroy(struct pollset *set);
/* The same for a set that was never given away: units of `old` (may be NULL) are left alone. */
void pollset_abandon(struct pollset *set, const struct pollset *old);
void polled_unit_destroy(struct polled_unit *u); /* NULL is fine */

#endif
