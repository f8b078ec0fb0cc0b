/* SPDX-License-Identifier: MIT */
/* control.c -- the local socket that the tool talks to (docs/control.md)
 *
 * One JSON object per line each way. What needs the line becomes a line job of that bus: its steps
 * run on the bus's thread between polls, its result is written there into the job's own buffer,
 * and the loop sends it. What needs the disk becomes a job of the spool's thread. A client that
 * goes leaves its jobs to end by themselves.
 */
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "config/json.h"
#include "daemon/control_impl.h"
#include "daemon/log.h"
#include "daemon/report.h"
#include "drivers/ask.h"

#define REPORT_BYTES (8u * 1024 * 1024)

struct control {
	struct asked *requests; /* with jobs under way */
};

/* One request that needs lines, or the disk; it is answered when its last job has ended. */
struct asked {
	struct asked *next;
	struct loop_client *client; /* NULL: gone */
	char head[96];              /* of the result, up to the parts */
	size_t jobs;
	char *parts; /* JSON objects, separated by commas */
	size_t parts_len;
	int rc;              /* the last failure of a job */
	struct errand *scan; /* its job if it is a scan */
};

/* ---- answers ------------------------------------------------------------------------------- */

void
control_error(struct loop_client *c, const char *error, int exit_code, const char *fmt, ...)
{
	char line[1024], text[512];
	struct json j;
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	json_init(&j, line, sizeof(line) - 1);
	json_open(&j, NULL, '{');
	json_put_bool(&j, "ok", false);
	json_put_string(&j, "error", error);
	json_put_string(&j, "text", text);
	json_put_int(&j, "exit", exit_code);
	json_close(&j, '}');
	size_t len = json_end(&j);
	line[len++] = '\n';
	loop_send(c, line, len);
}

void
control_report(struct loop_client *c, struct gateway *g,
	void (*write)(struct json *j, struct gateway *g, void *arg), void *arg)
{
	struct json j;
	char *buf = malloc(REPORT_BYTES);
	if (!buf) {
		control_error(c, "memory", 1, "out of memory");
		return;
	}
	json_init(&j, buf, REPORT_BYTES - 1);
	json_open(&j, NULL, '{');
	json_put_bool(&j, "ok", true);
	json_open(&j, "result", '{');
	write(&j, g, arg);
	json_close(&j, '}');
	json_close(&j, '}');
	size_t len = json_end(&j);
	if (len) {
		buf[len++] = '\n';
		loop_send(c, buf, len);
	} else {
		control_error(c, "size", 1, "the answer is too large");
	}
	free(buf);
}

/* The result of jobs: `head` opens it, the parts fill its array. */
static void
answer_request(struct asked *r)
{
	size_t cap = strlen(r->head) + r->parts_len + 64;
	char *buf = r->client ? malloc(cap) : NULL;
	if (!buf)
		return;
	int n = snprintf(buf, cap, "{\"ok\":true,\"result\":{%s%.*s]}}\n", r->head,
		(int)r->parts_len, r->parts ? r->parts : "");
	loop_send(r->client, buf, (size_t)n);
	free(buf);
}

/* ---- jobs ---------------------------------------------------------------------------------- */

static struct asked *
request_new(struct control *c, struct loop_client *client, const char *head)
{
	struct asked *r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->client = client;
	snprintf(r->head, sizeof(r->head), "%s", head);
	r->next = c->requests;
	c->requests = r;
	return r;
}

static void
request_free(struct control *c, struct asked *r)
{
	struct asked **at = &c->requests;
	while (*at && *at != r)
		at = &(*at)->next;
	if (*at)
		*at = r->next;
	free(r->parts);
	free(r);
}

struct asked *
control_later(struct gateway *g, struct loop_client *c)
{
	return request_new(g->control, c, "");
}

struct loop_client *
control_now(struct gateway *g, struct asked *r)
{
	struct loop_client *c = r->client;
	request_free(g->control, r);
	return c;
}

static struct errand *
job_new(struct asked *r)
{
	struct errand *job = calloc(1, sizeof(*job));
	if (!job)
		return NULL;
	job->request = r;
	json_init(&job->out, job->buf, sizeof(job->buf));
	r->jobs++;
	return job;
}

static void
add_part(struct asked *r, const char *part, size_t len)
{
	char *more = len ? realloc(r->parts, r->parts_len + len + 2) : NULL;
	if (!more)
		return;
	r->parts = more;
	if (r->parts_len)
		more[r->parts_len++] = ',';
	memcpy(more + r->parts_len, part, len);
	r->parts_len += len;
}

static void
finish_request(struct control *c, struct asked *r)
{
	if (r->rc && r->parts_len == 0 && r->client) {
		bool canceled = r->rc == -ECANCELED;
		control_error(r->client, canceled ? "stopping" : fail_name(device_fail(r->rc)),
			r->rc == -EBUSY    ? 75
			: r->rc == -EACCES ? 77
			: canceled         ? 1
					   : 69,
			"%s", canceled ? "the line is going away" : strerror(-r->rc));
	} else {
		answer_request(r);
	}
	request_free(c, r);
}

void
control_job_done(struct gateway *g, struct line_job *line)
{
	struct errand *job = (struct errand *)line;
	struct asked *r = job->request;
	if (line->rc < 0)
		r->rc = line->rc;
	add_part(r, job->buf, json_end(&job->out));
	r->scan = NULL;
	free(job);
	if (--r->jobs == 0)
		finish_request(g->control, r);
}

/* ---- requests: on the loop ------------------------------------------------------------------ */

static struct poller *
poller_of(struct gateway *g, const struct bus_config *bus)
{
	for (size_t i = 0; i < g->n_pollers; i++)
		if (poller_bus(g->pollers[i]) == bus)
			return g->pollers[i];
	return NULL;
}

static struct poller *
named_poller(struct gateway *g, const char *id)
{
	for (size_t i = 0; id && i < g->config->n_lines; i++)
		if (strcmp(g->config->buses[i].id, id) == 0)
			return poller_of(g, &g->config->buses[i]);
	return NULL;
}

static enum language
language_of(const struct gateway *g, json_t *req)
{
	const char *lang = json_string_value(json_object_get(req, "lang"));
	if (!lang)
		return g->config->language;
	return strcmp(lang, "ru") == 0 ? LANGUAGE_RU : LANGUAGE_EN;
}

static void
read_source(struct gateway *g, struct asked *r, const struct source *s, enum language language)
{
	struct poller *p = s->bus ? poller_of(g, s->bus) : NULL;
	struct errand *job = p ? job_new(r) : NULL;
	if (!job)
		return;
	job->source = s;
	job->language = language;
	job->unit = (uint8_t)s->config->unit;
	job->line.step = control_read;
	job->line.cost_us = 1000000;
	poller_run_job(p, &job->line);
}

static void
on_read(struct gateway *g, struct loop_client *c, json_t *req)
{
	const char *id = json_string_value(json_object_get(req, "machine"));
	const char *source = json_string_value(json_object_get(req, "source"));
	struct machine *m = id ? gateway_find_machine(g, id) : NULL;
	char head[96];
	if (!m) {
		control_error(c, "unknown", 64, "machine %s is not configured", id ? id : "");
		return;
	}
	snprintf(head, sizeof(head), "\"machine\":\"%s\",\"sources\":[", id);
	struct asked *r = request_new(g->control, c, head);
	for (size_t i = 0; r && i < m->n_sources; i++)
		if (!source || strcmp(source, m->sources[i]->config->id) == 0)
			read_source(g, r, m->sources[i], language_of(g, req));
	if (r && r->jobs == 0) {
		control_error(c, "unknown", 64, "machine %s has no source %s that can be read", id,
			source ? source : "");
		request_free(g->control, r);
	}
}

static unsigned
unit_of(json_t *req, const char *key, unsigned def)
{
	json_t *v = json_object_get(req, key);
	json_int_t i = json_is_integer(v) ? json_integer_value(v) : (json_int_t)def;
	return i < 1 ? 1 : i > 247 ? 247 : (unsigned)i;
}

static void
on_scan(struct gateway *g, struct loop_client *c, json_t *req)
{
	const char *bus = json_string_value(json_object_get(req, "bus"));
	struct poller *p = named_poller(g, bus);
	if (!p) {
		control_error(c, "unknown", 64, "bus %s is not configured", bus ? bus : "");
		return;
	}
	struct asked *r = request_new(g->control, c, "\"units\":[");
	struct errand *job = r ? job_new(r) : NULL;
	if (!job)
		return;
	job->to = unit_of(req, "to", 247);
	atomic_store(&job->at, unit_of(req, "from", 1));
	r->scan = job;
	job->line.step = control_scan;
	job->line.cost_us = (SCAN_TIMEOUT_MS + 50) * 1000;
	poller_run_job(p, &job->line);
}

static void
on_peek(struct gateway *g, struct loop_client *c, json_t *req)
{
	const char *bus = json_string_value(json_object_get(req, "bus"));
	const char *word = json_string_value(json_object_get(req, "table"));
	struct poller *p = named_poller(g, bus);
	int table = word ? ask_table(word) : -1;
	json_int_t address = json_integer_value(json_object_get(req, "address"));
	json_int_t count = json_integer_value(json_object_get(req, "count"));
	bool bits = table == TABLE_COIL || table == TABLE_DISCRETE;
	if (!p || table < 0 || address < 0 || count < 1 || count > (bits ? 2000 : 125) ||
		address + count > 65536) {
		control_error(c, "usage", 64,
			p ? "a table, an address and a count are needed"
			  : "this bus is not configured");
		return;
	}
	struct asked *r = request_new(g->control, c, bits ? "\"bits\":[" : "\"words\":[");
	struct errand *job = r ? job_new(r) : NULL;
	if (!job)
		return;
	job->unit = (uint8_t)json_integer_value(json_object_get(req, "unit"));
	job->words = (struct word_range){
		.table = (enum table)table, .address = (uint16_t)address, .count = (uint16_t)count};
	job->line.step = control_peek;
	job->line.cost_us = 600000;
	poller_run_job(p, &job->line);
}

static void
write_explain(struct json *j, struct gateway *g, void *arg)
{
	json_t *req = arg;
	const char *machine = json_string_value(json_object_get(req, "machine"));
	report_explain(j, g, machine, language_of(g, req));
}

static void
on_explain(struct gateway *g, struct loop_client *c, json_t *req)
{
	const char *id = json_string_value(json_object_get(req, "machine"));
	if (id && !gateway_find_machine(g, id))
		control_error(c, "unknown", 64, "machine %s is not configured", id);
	else
		control_report(c, g, write_explain, req);
}

static struct source *
find_source(const struct machine *m, const char *id)
{
	for (size_t i = 0; m && id && i < m->n_sources; i++)
		if (strcmp(m->sources[i]->config->id, id) == 0)
			return m->sources[i];
	return NULL;
}

static void
write_identity(struct json *j, struct gateway *g, void *arg)
{
	const struct source *s = arg;
	(void)g;
	json_put_string(j, "identity", s->identity);
}

static void
on_accept(struct gateway *g, struct loop_client *c, json_t *req)
{
	const char *id = json_string_value(json_object_get(req, "machine"));
	const char *source = json_string_value(json_object_get(req, "source"));
	struct source *s = find_source(id ? gateway_find_machine(g, id) : NULL, source);
	if (!s)
		control_error(c, "unknown", 64, "%s/%s is not configured", id ? id : "",
			source ? source : "");
	else if (identity_accept(g, s) < 0)
		control_error(
			c, "nothing", 64, "%s/%s has the device that it had before", id, source);
	else
		control_report(c, g, write_identity, s);
}

static void
write_watch(struct json *j, struct gateway *g, void *arg)
{
	(void)arg;
	report_watch(j, g);
}

static void
on_watch(struct gateway *g, struct loop_client *c, json_t *req)
{
	control_report(c, g, write_watch, req);
}

static const struct {
	const char *cmd;
	void (*run)(struct gateway *g, struct loop_client *c, json_t *req);
} commands[] = {
	{"read", on_read},
	{"scan", on_scan},
	{"peek", on_peek},
	{"explain", on_explain},
	{"watch", on_watch},
	{"accept", on_accept},
	{"maintenance", control_on_maintenance},
	{"ack", control_on_ack},
	{"usage", control_on_usage},
	{"values", control_on_values},
	{"test-alarm", control_on_test_alarm},
	{"spool", control_on_spool},
	{"spool-export", control_on_spool_export},
};

static void
on_line(void *arg, struct loop_client *c, char *line, size_t len)
{
	struct gateway *g = arg;
	json_t *req = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	const char *cmd = json_string_value(json_object_get(req, "cmd"));
	size_t i = 0, n = sizeof(commands) / sizeof(commands[0]);
	while (cmd && i < n && strcmp(commands[i].cmd, cmd) != 0)
		i++;
	if (!cmd)
		control_error(c, "usage", 64, "one JSON object with \"cmd\" per line is wanted");
	else if (i == n)
		control_error(c, "usage", 64, "command %.40s is not known", cmd);
	else
		commands[i].run(g, c, req);
	gateway_pump(g); /* what a person decided is on the disk now */
	json_decref(req);
}

static void
on_closed(void *arg, struct loop_client *c)
{
	struct gateway *g = arg;
	for (struct asked *r = g->control->requests; r; r = r->next)
		if (r->client == c)
			r->client = NULL;
}

/* ---- life ---------------------------------------------------------------------------------- */

/* The pid of the daemon that answers on the socket; 0: none does. */
static int
who_answers(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int pid = 0, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || strlen(path) >= sizeof(sa.sun_path))
		goto out;
	strcpy(sa.sun_path, path);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 &&
		getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0)
		pid = peer.pid;
out:
	if (fd >= 0)
		close(fd);
	return pid;
}

static int
listen_on(struct gateway *g)
{
	const struct loop_server server = {.line = on_line,
		.closed = on_closed,
		.arg = g,
		.max_line = 65536,
		.max_clients = 16};
	/* Group labpulse may talk to us: the runtime directory's group, see docs/configuration.md
	 */
	return loop_listen(g->loop, g->config->control, 0660, &server);
}

int
control_start(struct gateway *g, int *holder)
{
	*holder = who_answers(g->config->control);
	if (*holder)
		return -EADDRINUSE;
	if (!g->control)
		g->control = calloc(1, sizeof(*g->control));
	return g->control ? listen_on(g) : -ENOMEM;
}

void
control_update(struct gateway *g, const struct config *old)
{
	int holder;
	if (strcmp(old->control, g->config->control) == 0)
		return;
	loop_unlisten(g->loop);
	int rc = control_start(g, &holder);
	if (rc < 0)
		log_warning("control socket %s: %s", g->config->control, strerror(-rc));
}

void
control_stop(struct gateway *g)
{
	loop_unlisten(g->loop);
}

void
control_free(struct gateway *g)
{
	while (g->control && g->control->requests)
		request_free(g->control, g->control->requests);
	free(g->control);
}

/* A scan takes minutes; whoever waits for it sees how far it is. */
void
control_tick(struct gateway *g)
{
	char line[96];
	for (struct asked *r = g->control ? g->control->requests : NULL; r; r = r->next) {
		if (!r->client || !r->scan)
			continue;
		int n = snprintf(line, sizeof(line), "{\"progress\":{\"unit\":%u}}\n",
			atomic_load(&r->scan->at));
		loop_send(r->client, line, (size_t)n);
	}
}
