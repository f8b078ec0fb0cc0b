/* SPDX-License-Identifier: MIT */
/* metrics.c -- health for Prometheus on metrics.listen; the only <microhttpd.h>
 *
 * libmicrohttpd runs without a thread of its own: its epoll descriptor is watched by the loop, so
 * that a scrape sees the gateway's state without a lock.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/exposition.h"
#include "daemon/gateway.h"
#include "daemon/log.h"
#include "daemon/openmetrics.h"

struct metrics {
	struct MHD_Daemon *http;
	int fd;
	struct gateway *gateway;
};

static enum MHD_Result
reply(struct MHD_Connection *connection, unsigned status, char *text,
	enum MHD_ResponseMemoryMode mode, const char *type)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(strlen(text), text, mode);
	if (!r)
		return MHD_NO;
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	enum MHD_Result rc = MHD_queue_response(connection, status, r);
	MHD_destroy_response(r);
	return rc;
}

static enum MHD_Result
on_request(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
	const char *version, const char *data, size_t *data_size, void **state)
{
	static char nothing[] = "only GET /metrics is served here\n";
	static int seen;
	struct metrics *m = arg;
	(void)version;
	(void)data;
	if (!*state) { /* headers only: the answer is queued at the second call */
		*state = &seen;
		return MHD_YES;
	}
	*data_size = 0;
	if (strcmp(url, "/metrics") != 0 || strcmp(method, "GET") != 0)
		return reply(connection, MHD_HTTP_NOT_FOUND, nothing, MHD_RESPMEM_PERSISTENT,
			"text/plain");
	bool openmetrics = exposition_is_openmetrics(
		MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT));
	char *text = openmetrics_print(health_collect(m->gateway), openmetrics);
	if (!text)
		return MHD_NO;
	return reply(connection, MHD_HTTP_OK, text, MHD_RESPMEM_MUST_FREE,
		exposition_content_type(openmetrics));
}

static void
on_readable(void *arg)
{
	struct metrics *m = arg;
	MHD_run(m->http);
}

static int
resolve(const struct config *c, struct addrinfo **ai)
{
	char port[8];
	struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM};
	snprintf(port, sizeof(port), "%d", c->metrics_port);
	return getaddrinfo(c->metrics_host, port, &hints, ai) == 0 ? 0 : -EINVAL;
}

static int
start_http(struct metrics *m, const struct addrinfo *ai, int port)
{
	unsigned flags = MHD_USE_EPOLL | (ai->ai_family == AF_INET6 ? MHD_USE_IPv6 : 0);
	m->http = MHD_start_daemon(flags, (uint16_t)port, NULL, NULL, on_request, m,
		MHD_OPTION_SOCK_ADDR, ai->ai_addr, MHD_OPTION_CONNECTION_LIMIT, 16u,
		MHD_OPTION_CONNECTION_TIMEOUT, 10u, MHD_OPTION_END);
	if (!m->http)
		return errno ? -errno : -EADDRINUSE;
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(m->http, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info)
		return -ENOTSUP;
	m->fd = info->epoll_fd;
	return loop_watch(m->gateway->loop, m->fd, on_readable, m);
}

int
metrics_start(struct gateway *g)
{
	struct addrinfo *ai = NULL;
	if (!g->config->metrics_host)
		return 0;
	int rc = resolve(g->config, &ai);
	if (rc < 0)
		return rc;
	g->metrics = calloc(1, sizeof(*g->metrics));
	rc = -ENOMEM;
	if (g->metrics) {
		g->metrics->gateway = g;
		g->metrics->fd = -1;
		rc = start_http(g->metrics, ai, g->config->metrics_port);
	}
	freeaddrinfo(ai);
	if (rc < 0)
		metrics_stop(g);
	return rc;
}

void
metrics_tick(struct gateway *g)
{
	if (g->metrics)
		MHD_run(g->metrics->http);
}

void
metrics_stop(struct gateway *g)
{
	struct metrics *m = g->metrics;
	if (!m)
		return;
	if (m->fd >= 0)
		loop_unwatch(g->loop, m->fd);
	if (m->http)
		MHD_stop_daemon(m->http);
	free(m);
	g->metrics = NULL;
}

static bool
same_host(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

void
metrics_update(struct gateway *g, const struct config *old)
{
	if (same_host(old->metrics_host, g->config->metrics_host) &&
		old->metrics_port == g->config->metrics_port)
		return;
	metrics_stop(g);
	int rc = metrics_start(g);
	if (rc < 0)
		log_warning("metrics.listen: %s; no metrics", strerror(-rc));
}
