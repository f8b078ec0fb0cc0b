/* SPDX-License-Identifier: MIT */
/* device_poll.c -- talking to a device: transactions, polls, probes
 *
 * A poll asks what the plan wants and marks each point as reported, with a value or a reason; what
 * is left at the end carries the reason of the poll. When the plan changes on the way (the device
 * refused a block), the poll goes on with the new one and asks for what is not reported yet.
 */
#include "drivers/device_impl.h"

#include "drivers/frame.h"
#include "drivers/link_impl.h"

#include <errno.h>
#include <string.h>

enum {
	LEARN_REQUESTS = 24, /* extra requests that one poll may spend on finding refused points */
	SILENT_POLLS = 3,    /* after so many time-outs it may be another device that comes back */
	WAKE_MS = 50,
	RETRY_WITHIN_US = 200000, /* a retry that must wait longer is the next poll's business */
	LATENCY_PROBE = 4,
	PROBE_MIN_US = 50000,
	PROBE_CHARS = 8 + 9, /* request, answer of two registers */
};

static const int64_t hour_us = 3600 * 1000000LL;
static const int64_t day_us = 24 * 3600 * 1000000LL;

static void
count_outcome(struct device *dev, const struct exchange *ex, int rc)
{
	struct device_stats *s = &dev->stats;

	s->requests++;
	s->timeouts += rc == -ETIMEDOUT;
	s->crc_errors += rc == -EBADMSG;
	s->protocol_errors += rc == -EPROTO;
	if (rc <= 0)
		return;
	s->answers++;
	s->last_answer_mono_us = link_mono_us();
	if (ex->rsp[0] & FRAME_EXCEPTION) {
		s->exceptions++;
		s->last_exception = rc > 1 ? ex->rsp[1] : 0;
	}
	dev->arrived_ms = ex->arrived_ms;
	device_latency_add(dev, ex->latency_us);
}

/* Exception 11 is a gateway's word that the unit did not answer. */
static bool
is_gateway_word(const uint8_t *rsp, int n)
{
	return n == 2 && (rsp[0] & FRAME_EXCEPTION) && (rsp[1] == 10 || rsp[1] == 11);
}

int
device_exchange(struct device *dev, const uint8_t *req, size_t len, uint8_t *rsp, size_t cap,
	int timeout_ms, int max_latency_ms)
{
	struct exchange ex = {.unit = dev->unit,
		.req = req,
		.req_len = len,
		.rsp = rsp,
		.rsp_cap = cap,
		.expect = frame_expected(req, len),
		.timeout_ms = timeout_ms,
		.byte_timeout_ms = dev->byte_timeout_ms,
		.min_gap_ms = dev->min_gap_ms,
		.max_latency_ms = max_latency_ms,
		.usual_ms = dev->usual_us / 1000,
		.check_unit = dev->check_unit};
	int rc = link_transact(dev->link, &ex);

	count_outcome(dev, &ex, rc);
	dev->gateway_word = rc > 1 && is_gateway_word(rsp, rc) ? rsp[1] : 0;
	if (rc > 0 && !dev->gateway_word)
		dev->answered = true;
	return rc;
}

int
device_transact(struct device *dev, const uint8_t *req, size_t len, uint8_t *rsp, size_t cap)
{
	return device_exchange(dev, req, len, rsp, cap, dev->timeout_ms, dev->max_latency_ms);
}

bool
device_retry(struct device *dev, int pause_ms)
{
	if (!link_is_open(dev->link))
		return false;
	if (link_unit_free_us(dev->link, dev->unit) > link_mono_us() + RETRY_WITHIN_US)
		return false;
	if (pause_ms > 0 && link_wait(dev->link, pause_ms) < 0)
		return false;
	dev->stats.retries++;
	return true;
}

/* ---- polling ----------------------------------------------------------------------------- */

static void
begin(struct device *dev, unsigned group, struct reading *out)
{
	const uint16_t *points = device_group_points(dev, group, &out->n);

	dev->out = out;
	dev->group = group;
	dev->next = 0;
	dev->over = dev->answered = false;
	dev->last_fail = FAIL_STALE;
	dev->last_exception = 0;
	dev->arrived_ms = 0;
	out->group = group;
	out->text_len = 0;
	memset(out->values, 0, out->n * sizeof(*out->values));
	for (size_t i = 0; dev->profile && i < out->n; i++) {
		if (dev->hints.unsupported[points[i]] == 1)
			out->values[i].fail = FAIL_UNSUPPORTED;
	}
}

static void
finish(struct device *dev, int rc)
{
	struct reading *out = dev->out;
	enum fail fail = rc < 0 ? device_fail(rc) : (enum fail)dev->last_fail;
	unsigned exception = dev->last_exception;

	if (rc == -ETIMEDOUT && dev->last_fail == FAIL_EXCEPTION)
		fail = FAIL_EXCEPTION; /* a gateway said so: exception-10, exception-11 */
	for (size_t i = 0; i < out->n; i++) {
		struct value *v = &out->values[i];

		if (v->kind != VALUE_NONE || v->fail != FAIL_NONE)
			continue;
		v->fail = (uint8_t)fail;
		v->exception = (uint8_t)(fail == FAIL_EXCEPTION ? exception : 0);
	}
	out->rc = rc;
	out->fail = (uint8_t)(rc < 0 ? fail : FAIL_NONE);
	out->exception = (uint8_t)(out->fail == FAIL_EXCEPTION ? exception : 0);
	out->status = dev->status;
	memcpy(out->job_name, dev->job_name, sizeof(out->job_name));
	out->ts_ms = dev->arrived_ms ? dev->arrived_ms : link_real_ms();
	out->mono_us = link_mono_us();
	dev->out = NULL;
}

/* The device may be another one than last time, or the same after a rest. */
static void
forget_connection(struct device *dev)
{
	dev->identified = false;
	for (size_t g = 0; g < dev->n_groups; g++)
		dev->groups[g].once_done = false;
	if (dev->profile)
		device_retry_refused(dev, hour_us);
}

/* Some devices lose the first frame after power-up or a long silence. The question that nobody
 * waits for has a function code whose answer cannot be taken for a reading. */
static int
wake(struct device *dev)
{
	static const uint8_t req[] = {FRAME_FC_SERVER_ID};
	uint8_t rsp[FRAME_PDU_MAX];
	int rc = device_exchange(dev, req, sizeof(req), rsp, sizeof(rsp), WAKE_MS, WAKE_MS);

	dev->answered = false;
	return rc == -ETIMEDOUT || rc == -EBADMSG || rc > 0 ? 0 : rc;
}

static int
get_ready(struct device *dev)
{
	int rc = link_open(dev->link);

	if (rc < 0)
		return rc;
	if (link_generation(dev->link) != dev->generation) {
		dev->generation = link_generation(dev->link);
		forget_connection(dev);
	}
	if (!dev->identified) {
		if (dev->profile && dev->profile->link.wake)
			rc = wake(dev);
		if (rc == 0 && dev->profile)
			rc = device_identify(dev);
		if (rc == 0 && dev->driver->open)
			rc = dev->driver->open(dev);
		if (rc < 0)
			return rc;
		dev->identified = true;
	}
	if (!dev->profile)
		return 0;
	device_retry_refused(dev, day_us);
	return dev->dirty ? device_replan(dev) : 0;
}

static int
poll_once(struct device *dev, unsigned group)
{
	int rc = get_ready(dev);

	if (rc < 0)
		return rc;
	dev->budget = (int)device_requests(dev, group) + LEARN_REQUESTS;
	rc = dev->driver->poll(dev, group);
	if (!dev->profile && rc == -ETIMEDOUT)
		dev->stats.timeouts++;
	if (rc == -ECANCELED)
		return rc;
	return dev->answered ? 0 : rc;
}

static bool
is_reset(int rc)
{
	return rc == -ECONNRESET || rc == -EPIPE;
}

static void
note_outcome(struct device *dev, unsigned group, int rc)
{
	if (rc == 0) {
		dev->silent = 0;
		dev->groups[group].once_done = true;
	} else if (rc == -ETIMEDOUT && ++dev->silent == SILENT_POLLS) {
		forget_connection(dev);
	}
}

int
device_poll(struct device *dev, unsigned group, struct reading *out)
{
	bool was_open = link_is_open(dev->link);
	int rc;

	dev->stats.polls++;
	begin(dev, group, out);
	rc = poll_once(dev, group);
	if (was_open && is_reset(rc)) { /* closed by the device while idle: that is no failure */
		begin(dev, group, out);
		rc = poll_once(dev, group);
	}
	note_outcome(dev, group, rc);
	finish(dev, rc);
	return rc;
}

/* ---- probing ----------------------------------------------------------------------------- */

static const struct reg_point *
probe_point(const struct device *dev)
{
	const struct profile *p = dev->profile;

	if (p->n_identify > 0 && p->identify[0].kind == IDENTIFY_REGISTER)
		return &p->identify[0].reg;
	if (dev->plan->n_requests > 0)
		return &p->points[dev->plan->requests[0].points[0]];
	return &p->points[0];
}

int
device_probe(struct device *dev, int timeout_ms)
{
	static const uint8_t functions[] = {1, 2, 3, 4};
	const struct reg_point *reg;
	uint8_t req[5], rsp[FRAME_PDU_MAX];
	unsigned count;
	int rc = link_open(dev->link);

	if (rc < 0)
		return rc;
	if (!dev->profile) { /* nobody waits behind it: it is asked as always */
		rc = poll_once(dev, 0);
		note_outcome(dev, 0, rc);
		return rc;
	}
	reg = probe_point(dev);
	count = reg->count > 0 ? reg->count : 1;
	memcpy(req,
		(uint8_t[]){functions[reg->table], (uint8_t)(reg->address >> 8),
			(uint8_t)reg->address, 0, (uint8_t)count},
		sizeof(req));
	dev->answered = false;
	rc = device_exchange(
		dev, req, sizeof(req), rsp, sizeof(rsp), timeout_ms, dev->max_latency_ms);
	if (rc > 0)
		return dev->answered ? 0 : -ETIMEDOUT;
	return rc;
}

int
device_probe_timeout_ms(const struct device *dev)
{
	int64_t us = LATENCY_PROBE * (int64_t)dev->quantile_us[1];
	int64_t least_us = PROBE_MIN_US + link_wire_us(dev->link, PROBE_CHARS);
	int ms;

	if (!device_heard(dev))
		return dev->timeout_ms;
	ms = (int)(((us > least_us ? us : least_us) + 999) / 1000);
	return ms < dev->timeout_ms ? ms : dev->timeout_ms;
}
