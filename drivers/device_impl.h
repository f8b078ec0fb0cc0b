/* SPDX-License-Identifier: MIT */
/* device_impl.h -- the inside of a device; for device*.c only */
#ifndef DRIVERS_DEVICE_IMPL_H
#define DRIVERS_DEVICE_IMPL_H

#include "drivers/device.h"
#include "drivers/plan.h"

enum {
	DEVICE_LATENCIES = 64,
	DEVICE_QUANTILES = 3, /* median, 95 %, most */
	DEVICE_IDENTITY_MAX = 64,
	DEVICE_NO_SLOT = 0xFFFF,
	DEVICE_TEXT_MAX = 64, /* of one string point of a driver */
};

struct device {
	const struct driver *driver;
	const struct profile *profile; /* NULL: the driver has its own points */
	struct link *link;             /* borrowed */
	const void *options;
	void *state;
	uint8_t unit;
	bool check_unit, relearn_off;
	int timeout_ms, byte_timeout_ms, min_gap_ms, max_latency_ms;

	uint8_t *wanted;        /* per point */
	uint16_t *slot;         /* per point: its place among the wanted ones of its group */
	uint16_t *group_points; /* those lists, one after the other */
	size_t *group_first;    /* n_groups + 1 */
	size_t n_points, n_groups;
	struct device_group {
		uint16_t start; /* request that the next poll begins with */
		bool once_done; /* period 0: was read since the last (re)connection */
	} * groups;

	struct plan *plan; /* NULL without a profile */
	struct plan_hints hints;
	bool dirty; /* hints changed: the plan is old */
	bool limit_learned;
	int64_t refused_us; /* when something was last found to be unsupported */

	unsigned generation; /* of the link when it was last used */
	bool identified;
	int silent; /* polls in a row that timed out */
	char identity[DEVICE_IDENTITY_MAX];
	struct status status; /* as the driver said last */
	char job_name[96];    /* the same */
	int64_t asked_us;     /* a question is out since; 0: none */
	int ear;              /* lines or reports that this device_listen() may still take */
	bool listening;

	device_raw_fn *watcher; /* of a person who wants to see raw words; NULL: none */
	void *watcher_arg;

	/* the running poll */
	struct reading *out;
	unsigned group;
	size_t next; /* requests of the plan already passed in this poll */
	int budget;  /* requests left in this poll */
	bool over, answered;
	uint8_t last_fail, last_exception;
	uint8_t gateway_word; /* exception 10 or 11 of the last exchange, or 0 */
	int64_t arrived_ms;

	struct device_stats stats;
	uint32_t latency_us[DEVICE_LATENCIES];
	unsigned latencies;                /* ever taken */
	int quantile_us[DEVICE_QUANTILES]; /* of the last DEVICE_LATENCIES, a few answers old */
	int usual_us;
};

const struct point *device_point(const struct device *dev, unsigned point);
bool device_is_reported(const struct device *dev, unsigned point);
/* device_poll.c */
int device_exchange(struct device *dev, const uint8_t *req, size_t len, uint8_t *rsp, size_t cap,
	int timeout_ms, int max_latency_ms);

/* device_learn.c: exceptions 2 and 3 teach the plan. */
void device_learn(struct device *dev, const struct plan_request *r, unsigned exception);
/* Marks all points of the request as not supported, without looking closer. */
void device_give_up(struct device *dev, const struct plan_request *r);
void device_proved(struct device *dev, const struct plan_request *r);
/* Gives what was refused another chance if the last was `after_us` ago. */
void device_retry_refused(struct device *dev, int64_t after_us);
/* Makes the new plan. 0 or -ENOMEM (the old one stays). */
int device_replan(struct device *dev);

/* device_identify.c: 0: it is what the profile says; -ESTALE; or the -errno of a request. */
int device_identify(struct device *dev);

/* device_latency.c */
void device_latency_add(struct device *dev, int latency_us);

#endif
