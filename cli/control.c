/* SPDX-License-Identifier: MIT */
/* control.c -- talks to the running daemon over its control socket */
#include "cli/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/cli.h"

enum { SILENCE_S = 60, CHUNK = 65536, MAX_LINE = 16 * 1024 * 1024 };

struct control {
	int fd;
	char *buf;
	size_t len, cap;
	size_t taken; /* of buf: the line returned last */
};

int
control_open(const char *path, struct control **out)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct timeval silence = {.tv_sec = SILENCE_S};

	if (strlen(path) >= sizeof addr.sun_path)
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path));
	struct control *c = calloc(1, sizeof *c);
	if (!c)
		return -ENOMEM;
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&addr, sizeof addr)) {
		int rc = -errno;
		control_close(c);
		return rc;
	}
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof silence);
	setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &silence, sizeof silence);
	*out = c;
	return 0;
}

void
control_close(struct control *c)
{
	if (!c)
		return;
	if (c->fd >= 0)
		close(c->fd);
	free(c->buf);
	free(c);
}

static int
send_all(const struct control *c, const char *text, size_t n)
{
	while (n > 0) {
		ssize_t k = send(c->fd, text, n, MSG_NOSIGNAL);
		if (k < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		text += k;
		n -= (size_t)k;
	}
	return 0;
}

static int
fill(struct control *c)
{
	if (c->len + CHUNK > c->cap) {
		char *buf = c->cap < MAX_LINE ? realloc(c->buf, c->cap * 2 + CHUNK) : NULL;
		if (!buf)
			return -ENOMEM;
		c->buf = buf;
		c->cap = c->cap * 2 + CHUNK;
	}
	ssize_t n = recv(c->fd, c->buf + c->len, c->cap - c->len, 0);
	if (n < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	c->len += (size_t)n;
	return n > 0 ? 0 : -EPROTO;
}

/* The next line, without its newline; valid until the next call. */
static int
next_line(struct control *c, char **line, size_t *n)
{
	char *end;

	memmove(c->buf, c->buf + c->taken, c->len - c->taken);
	c->len -= c->taken;
	c->taken = 0;
	for (size_t seen = 0; !(end = memchr(c->buf + seen, '\n', c->len - seen));) {
		seen = c->len;
		int rc = fill(c);
		if (rc)
			return rc;
	}
	*line = c->buf;
	*n = (size_t)(end - c->buf);
	c->taken = *n + 1;
	return 0;
}

int
control_ask(struct control *c, const char *request,
	void (*progress)(void *context, const struct doc *d), void *context, struct doc **answer)
{
	char *line;
	size_t n;
	int rc = send_all(c, request, strlen(request));

	if (!rc)
		rc = send_all(c, "\n", 1);
	if (!rc && !c->buf)
		rc = fill(c);
	while (!rc && !(rc = next_line(c, &line, &n))) {
		struct doc *d = doc_parse(line, n);
		if (!d)
			return -EPROTO;
		if (doc_get(d, "ok")) {
			*answer = d;
			return 0;
		}
		if (progress && doc_get(d, "progress"))
			progress(context, doc_get(d, "progress"));
		doc_free(d);
	}
	return rc;
}

const struct doc *
control_result(const struct doc *answer, int *code)
{
	if (doc_flag(answer, "ok", false))
		return doc_get(answer, "result");
	*code = cli_fail((int)doc_int(answer, "exit", CLI_OTHER), "%s",
		doc_text(answer, "text", doc_text(answer, "error", "the daemon refused")));
	return NULL;
}
