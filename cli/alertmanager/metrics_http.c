/* SPDX-License-Identifier: MIT */
/* metrics_http.c -- GET /metrics; the only <microhttpd.h> of the tools
 *
 * libmicrohttpd runs without a thread of its own: the caller waits on its epoll descriptor.
 */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>

#include "cli/alertmanager/metrics.h"
#include "config/exposition.h"

struct metrics {
	struct MHD_Daemon *http;
	int fd;
	void (*collect)(void *context, struct metrics_facts *f);
	void *context;
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
on_request(void *context, struct MHD_Connection *connection, const char *url, const char *method,
	const char *version, const char *data, size_t *data_size, void **state)
{
	static char nothing[] = "only GET /metrics is served here\n";
	static int seen;
	struct metrics *m = context;
	struct metrics_facts facts = {0};
	bool openmetrics = exposition_is_openmetrics(
		MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT));

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
	m->collect(m->context, &facts);
	char *text = metrics_print(&facts, openmetrics);
	fleet_finish(&facts.fleet);
	if (!text)
		return MHD_NO;
	return reply(connection, MHD_HTTP_OK, text, MHD_RESPMEM_MUST_FREE,
		exposition_content_type(openmetrics));
}

/* "127.0.0.1:9561", "[::1]:9561", ":9561". */
static int
resolve(const char *listen, struct addrinfo **ai)
{
	struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM};
	const char *colon = strrchr(listen, ':');
	char host[128];

	if (!colon || (size_t)(colon - listen) >= sizeof host)
		return -1;
	snprintf(host, sizeof host, "%.*s", (int)(colon - listen), listen);
	size_t n = strlen(host);
	if (n > 1 && host[0] == '[' && host[n - 1] == ']') {
		host[n - 1] = '\0';
		memmove(host, host + 1, n - 1);
	}
	return getaddrinfo(host[0] ? host : NULL, colon + 1, &hints, ai);
}

struct metrics *
metrics_start(const char *listen, void (*collect)(void *context, struct metrics_facts *f),
	void *context, const char **why)
{
	struct addrinfo *ai = NULL;
	struct metrics *m = calloc(1, sizeof *m);

	*why = "not an address and a port";
	if (!m || resolve(listen, &ai) != 0)
		goto fail;
	m->collect = collect;
	m->context = context;
	unsigned flags = MHD_USE_EPOLL | (ai->ai_family == AF_INET6 ? MHD_USE_IPv6 : 0);
	m->http = MHD_start_daemon(flags, 0, NULL, NULL, on_request, m, MHD_OPTION_SOCK_ADDR,
		ai->ai_addr, MHD_OPTION_CONNECTION_LIMIT, 16u, MHD_OPTION_CONNECTION_TIMEOUT, 10u,
		MHD_OPTION_END);
	*why = strerror(errno);
	const union MHD_DaemonInfo *info =
		m->http ? MHD_get_daemon_info(m->http, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	if (!info)
		goto fail;
	m->fd = info->epoll_fd;
	freeaddrinfo(ai);
	return m;
fail:
	if (ai)
		freeaddrinfo(ai);
	metrics_stop(m);
	return NULL;
}

int
metrics_fd(const struct metrics *m)
{
	return m ? m->fd : -1;
}

void
metrics_serve(struct metrics *m)
{
	if (m)
		MHD_run(m->http);
}

void
metrics_stop(struct metrics *m)
{
	if (m && m->http)
		MHD_stop_daemon(m->http);
	free(m);
}
