/* SPDX-License-Identifier: MIT */
/* device.h -- one device: open, poll, decode; no thread of its own
 *
 * Used by the daemon's poller and by `labpulse read` alike. All calls on the thread of its bus,
 * unless said otherwise.
 */
#ifndef DRIVERS_DEVICE_H
#define DRIVERS_DEVICE_H

#include "drivers/driver.h"
#include "drivers/link.h"
#include "drivers/profile.h"

/* One poll of one group: what crosses from the bus thread to the loop. */
struct reading {
	struct reading *next; /* owner's list */
	void *owner;          /* the poller's, not touched here */
	unsigned group;
	int rc;       /* 0: it answered; else the -errno of the poll */
	uint8_t fail; /* enum fail that rc means, FAIL_NONE with 0 */
	uint8_t exception;
	int64_t ts_ms;   /* CLOCK_REALTIME, arrival of the last answer; of the failure if none */
	int64_t mono_us; /* CLOCK_MONOTONIC of the same moment */
	size_t n;        /* values[k] belongs to device_group_points()[k] */
	struct value *values;
	char *text; /* room for strings */
	size_t text_len, text_cap;
	struct status status; /* of drivers that make one */
	char job_name[96];    /* UTF-8, as device_set_job_name() got it */
};

struct device_spec {
	const struct driver *driver;
	const struct profile *profile; /* NULL for drivers with their own points */
	const uint8_t *wanted;         /* one byte per point; NULL: all enabled; copied */
	uint8_t unit;
	int timeout_ms, byte_timeout_ms, min_gap_ms, max_latency_ms; /* 0: the profile's */
	const void *options;
	bool replan_hourly_off; /* tests: refused blocks are never tried again */
};

struct device_stats {
	uint64_t polls, requests, answers, timeouts, crc_errors, exceptions, protocol_errors,
		retries;
	uint8_t last_exception;
	int latency_p50_us, latency_p95_us, latency_max_us; /* of the last 64 answers */
	int64_t last_answer_mono_us;                        /* 0: never */
};

/* `link` is borrowed and must outlive the device. NULL: out of memory. */
struct device *device_create(const struct device_spec *spec, struct link *link);
void device_destroy(struct device *dev);

size_t device_groups(const struct device *dev);
/* Indices (into the profile's or driver's points) of the group's wanted points. */
const uint16_t *device_group_points(const struct device *dev, unsigned group, size_t *n);
size_t device_requests(const struct device *dev, unsigned group); /* now planned */

/* A group of period 0 is read once after each (re)connection: true while it waits for that. Ask
 * after every poll of the device and poll the group then; it becomes true again when the link was
 * opened anew or the device was silent for three polls. Always false for other groups. */
bool device_once_due(const struct device *dev, unsigned group);

/* A reading that fits every group of this device; freed with reading_destroy(). */
struct reading *reading_create(const struct device *dev);
void reading_destroy(struct reading *r);

/* Opens the link if needed, identifies the device after each opening of the link, reads one
 * group. Fills in all of `out` in every case. Returns out->rc:
 * 0, -ETIMEDOUT, -EBADMSG, -EPROTO, -ESTALE (identity), -EBUSY, -EACCES, -ENOENT …, -ECANCELED. */
int device_poll(struct device *dev, unsigned group, struct reading *out);
/* One cheap request of a silent device, to see whether it is back: `timeout_ms` instead of its
 * own. 0 if it answered (anything). */
int device_probe(struct device *dev, int timeout_ms);
/* After a time-out: the exception (10, 11) by which a gateway told it; 0: it was silence. */
unsigned device_gateway_word(const struct device *dev);
/* Time-out for a probe of a silent unit: 4 x its p95 latency, at least 50 ms plus wire time; the
 * full time-out for one never heard. In milliseconds. */
int device_probe_timeout_ms(const struct device *dev);
bool device_heard(const struct device *dev); /* ever answered since it was created */
void device_stats(const struct device *dev, struct device_stats *out);
/* Lets the driver take what arrived between polls. More than 0: group 0 should be polled at once;
 * 0; -EAGAIN: it talks without end, give others a chance; or the -errno of the link. */
int device_listen(struct device *dev);
/* The profile was replaced by an equal one, whose memory lives on while the old one's goes. */
void device_rebase(struct device *dev, const struct profile *profile);
/* For a person: called with the words of each point just before it is decoded, one per register
 * or 0/1 per bit. NULL ends it. */
typedef void device_raw_fn(void *arg, unsigned point, const uint16_t *words, unsigned n);
void device_watch(struct device *dev, device_raw_fn *raw, void *arg);
/* What the device said it is, "" if nothing was asked or answered. */
const char *device_identity(const struct device *dev);
/* The fail that a -errno of a poll means. */
enum fail device_fail(int rc);

#endif
