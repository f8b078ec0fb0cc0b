/* SPDX-License-Identifier: MIT */
/* command.c -- faults and values on demand: one command a line, one JSON object a line back */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/simulate/world.h"
#include "config/json.h"

enum { LINE_SIZE = 1024, MAX_WORDS = 8 };

/* ---- commands ------------------------------------------------------------------------------- */

struct call {
	struct world *w;
	char *words[MAX_WORDS];
	size_t n;
	char *rest; /* the line from the last word on, spaces and all */
	char **more;
};

typedef const char *(*command_fn)(struct call *call); /* NULL: fine; else what is wrong */

static const char *
set_fault(struct call *call)
{
	struct port *port;
	struct unit *u = world_find_unit(call->w, call->words[1], &port);
	struct plug *p = world_find_plug(call->w, call->words[1]);

	if (p)
		return plug_fault(p, call->words + 2, call->n - 2)
			       ? "ok, silent, stall, garbage, flood or late MS"
			       : NULL;
	if (!u)
		return "no such unit";
	if (fault_parse(&u->fault, call->words + 2, call->n - 2))
		return "unknown fault or argument";
	if (port->tcp_port)
		port->ops->plug(port, !fault_refuses(&u->fault));
	return NULL;
}

static const char *
set_value(struct call *call)
{
	struct unit *u = world_find_unit(call->w, call->words[1], NULL);
	int rc = u ? unit_set(u, call->words[2], call->rest) : -ENODEV;

	return rc == 0         ? NULL
	       : rc == -ENODEV ? "no such unit"
	       : rc == -ENOENT ? "no such point"
			       : "not a value or generator";
}

/* identity UNIT server-id|vendor|product|revision TEXT */
static const char *
set_identity(struct call *call)
{
	static const char *const objects[] = {"vendor", "product", "revision"};
	struct unit *u = world_find_unit(call->w, call->words[1], NULL);

	if (!u)
		return "no such unit";
	if (!strcmp(call->words[2], "server-id")) {
		snprintf(u->server_id, sizeof u->server_id, "%s", call->rest);
		return NULL;
	}
	for (int i = 0; i < 3; i++)
		if (!strcmp(call->words[2], objects[i])) {
			snprintf(u->objects[i], sizeof u->objects[i], "%s", call->rest);
			return NULL;
		}
	return "server-id, vendor, product or revision";
}

static const char *
set_latency(struct call *call)
{
	struct unit *u = world_find_unit(call->w, call->words[1], NULL);
	char *end;
	double ms = strtod(call->words[2], &end);

	if (!u)
		return "no such unit";
	if (*end || ms < 0 || ms > 60000)
		return "latency in milliseconds, at most 60000";
	u->latency_us = (int64_t)(ms * 1000);
	return NULL;
}

static const char *
plug(struct call *call)
{
	struct port *port = world_find_port(call->w, call->words[1]);
	struct plug *p = world_find_plug(call->w, call->words[1]);
	bool in = !strcmp(call->words[0], "plug");

	if (p && !in)
		plug_out(p);
	if (p)
		return in && plug_in(p) ? "that did not work" : NULL;
	if (!port)
		return "no such line or listener";
	port->ops->plug(port, in);
	return port->ops->is_plugged(port) == in ? NULL : "that did not work";
}

/* do MACHINE WORD... */
static const char *
act(struct call *call)
{
	struct plug *p = world_find_plug(call->w, call->words[1]);

	if (!p)
		return "no such USB machine";
	return plug_act(p, call->words + 2, call->n - 2) ? plug_kind_of(p)->words : NULL;
}

static const char *
stats(struct call *call)
{
	*call->more = output_stats(call->w);
	return *call->more ? NULL : "out of memory";
}

static const char *
quit(struct call *call)
{
	reactor_stop(call->w->reactor);
	return NULL;
}

static const struct command {
	const char *word;
	size_t words;  /* at least, itself counted */
	bool has_rest; /* the last of them is the rest of the line */
	command_fn run;
} commands[] = {
	{"fault", 3, false, set_fault},
	{"set", 4, true, set_value},
	{"identity", 4, true, set_identity},
	{"do", 3, false, act},
	{"latency", 3, false, set_latency},
	{"plug", 2, false, plug},
	{"unplug", 2, false, plug},
	{"stats", 1, false, stats},
	{"quit", 1, false, quit},
};

static const struct command *
find_command(const char *word)
{
	for (size_t i = 0; word && i < sizeof commands / sizeof commands[0]; i++)
		if (!strcmp(commands[i].word, word))
			return &commands[i];
	return NULL;
}

static const char *
run(struct call *call, char *line)
{
	char *save = NULL, *word = strtok_r(line, " \t\r\n", &save);
	const struct command *command = find_command(word);

	if (!command)
		return "unknown command: fault, set, identity, do, latency, plug, unplug, stats, quit";
	for (; word && call->n < MAX_WORDS; word = strtok_r(NULL, " \t\r\n", &save)) {
		call->words[call->n++] = word;
		if (command->has_rest && call->n == command->words - 1) {
			call->rest = strtok_r(NULL, "\r\n", &save);
			call->n += call->rest != NULL;
			break;
		}
	}
	return call->n < command->words ? "something is missing" : command->run(call);
}

void
command_run(struct world *w, char *line, char *buf, size_t size, char **more)
{
	struct call call = {.w = w, .more = more};
	struct json j;

	*more = NULL;
	const char *wrong = run(&call, line);
	json_init(&j, buf, size);
	json_open(&j, NULL, '{');
	json_put_bool(&j, "ok", !wrong);
	if (wrong)
		json_put_string(&j, "error", wrong);
	json_close(&j, '}');
	json_end(&j);
}

/* ---- clients -------------------------------------------------------------------------------- */

struct client {
	struct watch watch;
	struct command_server *server;
	struct client *next;
	int out;
	size_t len;
	char line[LINE_SIZE];
};

struct command_server {
	struct world *w;
	struct reactor *reactor;
	struct watch watch;
	bool bound;
	struct client *clients;
	char path[sizeof((struct sockaddr_un *)0)->sun_path];
};

static void
say(const struct client *c, const char *text)
{
	size_t n = strlen(text);

	/* The peer of a test reads what it asked for; one that does not loses the rest. */
	while (n > 0) {
		ssize_t k = write(c->out, text, n);
		if (k <= 0)
			return;
		text += k;
		n -= (size_t)k;
	}
}

static void
drop(struct client *c)
{
	struct client **at = &c->server->clients;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	reactor_close(c->server->reactor, &c->watch);
	reactor_free_later(c->server->reactor, c);
}

static void
on_line(struct client *c, char *line)
{
	char buf[256], *more;

	command_run(c->server->w, line, buf, sizeof buf, &more);
	say(c, more ? more : buf);
	say(c, "\n");
	free(more);
}

static void
on_readable(struct watch *w, uint32_t events)
{
	struct client *c = (struct client *)((char *)w - offsetof(struct client, watch));
	ssize_t n = read(w->fd, c->line + c->len, sizeof c->line - 1 - c->len);
	char *begin = c->line, *end;

	(void)events;
	if (n <= 0) {
		drop(c);
		return;
	}
	c->len += (size_t)n;
	c->line[c->len] = '\0';
	for (; (end = strchr(begin, '\n')); begin = end + 1) {
		*end = '\0';
		on_line(c, begin);
	}
	c->len -= (size_t)(begin - c->line);
	memmove(c->line, begin, c->len);
	if (c->len == sizeof c->line - 1)
		drop(c);
}

static int
add_client(struct command_server *s, int in, int out)
{
	struct client *c = calloc(1, sizeof *c);

	if (!c)
		return -ENOMEM;
	c->watch = (struct watch){in, on_readable};
	c->server = s;
	c->out = out;
	int rc = reactor_watch(s->reactor, &c->watch, EPOLLIN);
	if (rc) {
		free(c);
		return rc;
	}
	c->next = s->clients;
	s->clients = c;
	return 0;
}

static void
on_connection(struct watch *w, uint32_t events)
{
	struct command_server *s =
		(struct command_server *)((char *)w - offsetof(struct command_server, watch));
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC);

	(void)events;
	if (fd >= 0 && add_client(s, fd, fd))
		close(fd);
}

static int
open_socket(struct command_server *s)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	memcpy(addr.sun_path, s->path, sizeof addr.sun_path);
	s->watch.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->watch.fd < 0)
		return -errno;
	if (!connect(s->watch.fd, (struct sockaddr *)&addr, sizeof addr))
		return -EADDRINUSE;
	if (errno == ECONNREFUSED) /* of a simulator that was killed */
		unlink(s->path);
	if (bind(s->watch.fd, (struct sockaddr *)&addr, sizeof addr) || listen(s->watch.fd, 8))
		return -errno;
	s->bound = true;
	return reactor_watch(s->reactor, &s->watch, EPOLLIN);
}

struct command_server *
command_server_create(struct world *w, struct reactor *reactor, const char *path, bool from_stdin)
{
	struct command_server *s = calloc(1, sizeof *s);
	int rc = -ENAMETOOLONG;

	if (!s)
		return NULL;
	s->w = w;
	s->reactor = reactor;
	s->watch = (struct watch){-1, on_connection};
	if (snprintf(s->path, sizeof s->path, "%s", path) < (int)sizeof s->path)
		rc = open_socket(s);
	if (!rc && from_stdin)
		rc = add_client(s, STDIN_FILENO, STDOUT_FILENO);
	if (rc) {
		command_server_destroy(s);
		errno = -rc;
		return NULL;
	}
	return s;
}

void
command_server_destroy(struct command_server *s)
{
	if (!s)
		return;
	while (s->clients)
		drop(s->clients);
	if (s->bound)
		unlink(s->path);
	reactor_close(s->reactor, &s->watch);
	free(s);
}
