/* SPDX-License-Identifier: MIT */
/* resolve.c -- a host name to addresses, within a deadline
 *
 * getaddrinfo() can block for as long as resolv.conf allows and cannot be interrupted. Numbers are
 * resolved on the spot; a name is resolved by a thread of its own that is left behind when the
 * deadline passes or the link is cancelled. Whoever lets go last frees.
 */
#include "drivers/link_impl.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { SERVICE_MAX = 8 };

struct query {
	pthread_mutex_t lock;
	pthread_cond_t done_cond;
	bool done, abandoned;
	int rc;
	struct addrinfo *result;
	char service[SERVICE_MAX];
	char host[]; /* NUL-ended */
};

static int
lookup(const char *host, const char *service, int flags, struct addrinfo **out)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV | flags};
	int rc = getaddrinfo(host, service, &hints, out);

	if (rc == 0)
		return 0;
	*out = NULL;
	return rc == EAI_MEMORY ? -ENOMEM : -ENXIO;
}

static void
query_free(struct query *q)
{
	if (q->result)
		freeaddrinfo(q->result);
	pthread_cond_destroy(&q->done_cond);
	pthread_mutex_destroy(&q->lock);
	free(q);
}

static void *
query_main(void *arg)
{
	struct query *q = arg;
	struct addrinfo *result;
	int rc = lookup(q->host, q->service, AI_ADDRCONFIG, &result);
	bool abandoned;

	pthread_mutex_lock(&q->lock);
	q->rc = rc;
	q->result = result;
	q->done = true;
	abandoned = q->abandoned;
	pthread_cond_signal(&q->done_cond);
	pthread_mutex_unlock(&q->lock);
	if (abandoned)
		query_free(q);
	return NULL;
}

static struct query *
query_create(const char *host, const char *service)
{
	size_t len = strlen(host) + 1;
	struct query *q = calloc(1, sizeof(*q) + len);
	pthread_condattr_t attr;

	if (!q)
		return NULL;
	memcpy(q->host, host, len);
	snprintf(q->service, sizeof(q->service), "%s", service);
	pthread_mutex_init(&q->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&q->done_cond, &attr);
	pthread_condattr_destroy(&attr);
	return q;
}

static int
query_start(struct query *q)
{
	pthread_attr_t attr;
	pthread_t thread;
	int rc;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 256 * 1024); /* NSS modules need some */
	rc = pthread_create(&thread, &attr, query_main, q);
	pthread_attr_destroy(&attr);
	return -rc;
}

/* Waits in slices. 0: done; the lock is held before and after. */
static int
query_wait(struct query *q, const struct link *link, int64_t until_us)
{
	while (!q->done) {
		int64_t slice = link_mono_us() + LINK_SLICE_MS * 1000;
		struct timespec ts;

		if (link_is_cancelled(link))
			return -ECANCELED;
		if (link_mono_us() >= until_us)
			return -ENXIO;
		if (slice > until_us)
			slice = until_us;
		ts = (struct timespec){
			.tv_sec = slice / 1000000, .tv_nsec = slice % 1000000 * 1000};
		pthread_cond_timedwait(&q->done_cond, &q->lock, &ts);
	}
	return 0;
}

int
resolve_host(const struct link *link, const char *host, uint16_t port, int64_t until_us,
	struct addrinfo **out)
{
	char service[SERVICE_MAX];
	struct query *q;
	int rc;

	snprintf(service, sizeof(service), "%u", port);
	if (lookup(host, service, AI_NUMERICHOST, out) == 0)
		return 0;
	q = query_create(host, service);
	if (!q)
		return -ENOMEM;
	rc = query_start(q);
	if (rc < 0) {
		query_free(q);
		return rc;
	}
	pthread_mutex_lock(&q->lock);
	rc = query_wait(q, link, until_us);
	if (rc < 0) {
		q->abandoned = true;
		pthread_mutex_unlock(&q->lock);
		return rc;
	}
	rc = q->rc;
	*out = q->result;
	q->result = NULL;
	pthread_mutex_unlock(&q->lock);
	query_free(q);
	return rc;
}
