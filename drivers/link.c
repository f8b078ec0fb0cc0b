/* SPDX-License-Identifier: MIT */
/* link.c -- what all links do alike: state, cancelling, counting, and the one gate to the wire */
#include "drivers/link_impl.h"

#include "drivers/frame.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>

int64_t
link_mono_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t
link_real_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

bool
link_is_cancelled(const struct link *link)
{
	return atomic_load_explicit(&link->cancelled, memory_order_relaxed);
}

int
link_poll(const struct link *link, int fd, short events, int64_t until_us)
{
	struct pollfd pfd = {.fd = fd, .events = events};

	for (;;) {
		int64_t left = until_us - link_mono_us();
		struct timespec ts;
		int rc;

		if (link_is_cancelled(link))
			return -ECANCELED;
		if (left < 0)
			left = 0;
		if (left > LINK_SLICE_MS * 1000)
			left = LINK_SLICE_MS * 1000;
		ts = (struct timespec){.tv_sec = 0, .tv_nsec = (long)left * 1000};
		rc = ppoll(&pfd, 1, &ts, NULL);
		if (rc > 0)
			return pfd.revents;
		if (rc < 0 && errno != EINTR)
			return -errno;
		if (link_mono_us() >= until_us)
			return 0;
	}
}

/* What one call may take beside the times that it was given: name resolution, connecting, the
 * slowest line's characters, and a computer that is busy elsewhere. */
#define SLACK_US 30000000LL

void
link_promise(struct link *link, int64_t within_us)
{
	atomic_store_explicit(&link->due_us, link_mono_us() + within_us, memory_order_relaxed);
}

int64_t
link_due_us(const struct link *link)
{
	return atomic_load_explicit(&link->due_us, memory_order_relaxed);
}

static void
promise_until(struct link *link, int64_t until_us)
{
	link_promise(link, until_us - link_now_us(link) + SLACK_US);
}

int
link_open(struct link *link)
{
	int rc;

	if (link_is_cancelled(link))
		return -ECANCELED;
	if (link->open)
		return 0;
	link_promise(link, SLACK_US);
	link->holder[0] = '\0';
	rc = link->ops->open(link);
	if (rc == -EPERM) /* systemd's DevicePolicy= says so; below, it is a request of ours */
		rc = -EACCES;
	if (rc < 0)
		return rc;
	link->open = true;
	if (link->generation++ > 0)
		link->stats.reopens++;
	return 0;
}

bool
link_is_open(const struct link *link)
{
	return link->open;
}

unsigned
link_generation(const struct link *link)
{
	return link->generation;
}

void
link_close(struct link *link)
{
	if (!link->open)
		return;
	link->ops->close(link);
	link->open = false;
}

void
link_destroy(struct link *link)
{
	if (!link)
		return;
	link_close(link);
	link->ops->destroy(link);
}

static bool
is_dead(int rc)
{
	switch (-rc) {
	case EIO:
	case ENODEV:
	case ENXIO:
	case EBADF:
	case ECONNRESET:
	case EPIPE:
	case ENOTCONN:
	case EHOSTUNREACH:
	case ENETUNREACH:
	case ENETDOWN:
		return true;
	default:
		return false;
	}
}

static void
count(struct link_stats *stats, const struct exchange *ex, int rc)
{
	if (rc > 0) {
		stats->answers++;
		if (ex->rsp[0] & FRAME_EXCEPTION)
			stats->exceptions++;
	} else if (rc == -ETIMEDOUT) {
		stats->timeouts++;
	} else if (rc == -EBADMSG) {
		stats->crc_errors++;
	} else if (rc == -EPROTO) {
		stats->protocol_errors++;
	}
}

/* Every frame of the program passes here: nothing that could write to a machine gets further. */
int
link_transact(struct link *link, struct exchange *ex)
{
	int rc;

	if (!frame_is_read(ex->req, ex->req_len) || !link->ops->transact)
		return -EPERM;
	if (link_is_cancelled(link))
		return -ECANCELED;
	if (!link->open)
		return -ENOTCONN;
	link->stats.requests++;
	link_promise(link, (ex->timeout_ms + ex->max_latency_ms) * 1000LL + SLACK_US);
	rc = link->ops->transact(link, ex);
	count(&link->stats, ex, rc);
	if (is_dead(rc))
		link_close(link);
	return rc;
}

/* The same for devices that speak in lines or reports: there is no way to send anything but what
 * stands in the driver's table. */
int
link_send(struct link *link, unsigned query)
{
	int rc;

	if (query >= link->n_queries)
		return -EPERM;
	if (link_is_cancelled(link))
		return -ECANCELED;
	if (!link->open)
		return -ENOTCONN;
	link->stats.requests++;
	link_promise(link, SLACK_US);
	rc = link->ops->send(link, &link->queries[query]);
	if (is_dead(rc))
		link_close(link);
	return rc;
}

int
link_receive(struct link *link, void *buf, size_t size, int64_t until_us)
{
	int rc;

	if (!link->open)
		return -ENOTCONN;
	promise_until(link, until_us);
	rc = link->ops->receive(link, buf, size, until_us);
	if (is_dead(rc))
		link_close(link);
	return rc;
}

int
link_await(struct link *link, int64_t until_us)
{
	int rc;

	promise_until(link, until_us);
	rc = link->ops->await(link, until_us);
	if (is_dead(rc))
		link_close(link);
	return rc;
}

void
link_wake(struct link *link)
{
	if (link->ops->wake)
		link->ops->wake(link);
}

void
link_check(struct link *link)
{
	if (link->open && link->ops->check && link->ops->check(link) < 0)
		link_close(link);
}

void
link_expect(struct link *link, const char *plugged)
{
	snprintf(link->expected, sizeof(link->expected), "%s", plugged);
}

const char *
link_plugged(const struct link *link)
{
	return link->plugged;
}

int64_t
link_now_us(const struct link *link)
{
	return link->ops->now_us ? link->ops->now_us(link) : link_mono_us();
}

bool
link_resets(const struct link *link)
{
	return link->resets;
}

int
link_wait(struct link *link, int ms)
{
	int64_t until_us = link_mono_us() + (int64_t)ms * 1000;

	link_promise(link, ms * 1000LL + SLACK_US);
	return link->ops->wait ? link->ops->wait(link, until_us) : link_poll(link, -1, 0, until_us);
}

void
link_cancel(struct link *link)
{
	atomic_store_explicit(&link->cancelled, true, memory_order_relaxed);
	link_wake(link);
}

const char *
link_holder(const struct link *link)
{
	return link->holder;
}

int64_t
link_unit_free_us(const struct link *link, uint8_t unit)
{
	return link->ops->unit_free_us ? link->ops->unit_free_us(link, unit) : 0;
}

int64_t
link_wire_us(const struct link *link, size_t chars)
{
	return link->ops->wire_us ? link->ops->wire_us(link, chars) : 0;
}

void
link_stats(const struct link *link, struct link_stats *out)
{
	*out = link->stats;
}
