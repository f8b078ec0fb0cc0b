/* SPDX-License-Identifier: MIT */
/* control_spool.c -- what waits for the broker, and a copy of it
 *
 * The spool's thread looks, because it may have to wait for the disk; the answer goes out when its
 * job comes back. A copy comes in pages, each from where the last one ended, so that nothing stands
 * still meanwhile.
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/control_impl.h"

#define PAGE_BYTES (512u * 1024)                 /* no record begins after so much */
#define LINE_BYTES (GATEWAY_SCRATCH + 1024)      /* of one record */
#define PAGE_ROOM (PAGE_BYTES + 3u * LINE_BYTES) /* text in text needs room for its backslashes */

enum what { EVENTS, TELEMETRY, DEAD, WHAT_COUNT };

static const char *const names[WHAT_COUNT] = {"events", "telemetry", "dead"};

struct inquiry {
	struct spool_job job; /* first: a struct spool_job * is a struct inquiry * */
	struct asked *request;
	/* spool */
	struct store_stats store;
	struct backlog_stats backlog;
	/* spool-export */
	enum what what;
	int64_t after, next;
	bool more;
	int rc;
	struct json out;
	char line[LINE_BYTES], page[PAGE_ROOM];
};

/* ---- spool: on the spool's thread ------------------------------------------------------------ */

static void
run_spool(struct spool_job *job, struct spool_files *files)
{
	struct inquiry *q = (struct inquiry *)job;
	if (files->store)
		store_stats(files->store, &q->store);
	if (files->backlog)
		backlog_stats(files->backlog, &q->backlog);
}

/* ---- spool: on the loop ---------------------------------------------------------------------- */

static void
put_time(struct json *j, const char *key, int64_t ms)
{
	if (ms)
		json_put_int(j, key, ms);
	else
		json_put_null(j, key);
}

static int64_t
older(int64_t a, int64_t b)
{
	return a && (!b || a < b) ? a : b;
}

static void
put_events(struct json *j, const struct gateway *g)
{
	struct store_stats s;
	journal_stats(g, &s);
	json_open(j, "events", '{');
	json_put_int(j, "records", s.records);
	json_put_int(j, "bytes", s.bytes);
	put_time(j, "oldest_ts", s.oldest_ts_ms);
	json_close(j, '}');
}

static void
put_telemetry(struct json *j, const struct gateway *g)
{
	struct outbox_stats out;
	struct backlog_stats disk;
	outbox_stats(g->outbox, &out);
	replay_stats(g, &disk);
	const struct lane_stats *live = &out.lanes[LANE_LIVE];
	json_open(j, "telemetry", '{');
	json_put_int(j, "records", disk.records + (int64_t)(live->waiting + live->in_flight));
	json_put_int(j, "bytes", disk.bytes + (int64_t)live->bytes);
	put_time(j, "oldest_ts", older(live->oldest_ts_ms, disk.oldest_ts_ms));
	json_put_int(j, "on_disk", disk.records);
	json_put_uint(j, "evicted", g->evicted);
	json_close(j, '}');
}

static void
put_errors(struct json *j, const struct gateway *g)
{
	struct spool_health h;
	spool_health(g->spool, &h);
	json_open(j, "errors", '[');
	if (h.store_error[0])
		json_put_string(j, NULL, h.store_error);
	if (h.backlog_error[0])
		json_put_string(j, NULL, h.backlog_error);
	json_close(j, ']');
}

static void
write_spool(struct json *j, struct gateway *g, void *arg)
{
	const struct inquiry *q = arg;
	put_events(j, g);
	put_telemetry(j, g);
	json_open(j, "dead", '{');
	json_put_int(j, "letters", q->store.dead);
	json_close(j, '}');
	json_open(j, "disk", '{');
	json_put_int(j, "bytes", q->store.disk_bytes + q->backlog.disk_bytes);
	json_put_int(j, "max_bytes", g->config->spool_max_bytes);
	json_put_int(j, "free_bytes", health_collect(g)->disk_free_bytes);
	json_close(j, '}');
	put_errors(j, g);
}

static void
spool_done(struct gateway *g, struct spool_job *job)
{
	struct inquiry *q = (struct inquiry *)job;
	struct loop_client *c = control_now(g, q->request);
	if (c)
		control_report(c, g, write_spool, q);
	free(q);
}

/* ---- spool-export: on the spool's thread ------------------------------------------------------
 */

/* A record becomes a line of text, so that whoever reads the answer gets it byte by byte. */
static void
put_record(struct inquiry *q, const struct store_record *r, const char *key)
{
	struct json j;
	json_init(&j, q->line, sizeof(q->line));
	json_open(&j, NULL, '{');
	json_put_string(&j, "topic", r->topic);
	json_put_string(&j, "epoch", r->epoch);
	json_put_uint(&j, "seq", r->seq);
	json_put_int(&j, "ts", r->ts_ms);
	if (q->what == DEAD)
		json_put_int(&j, "reason", r->reason);
	if (r->len)
		json_put_text(&j, key, r->payload, r->len);
	else
		json_put_null(&j, key);
	json_close(&j, '}');
	if (json_end(&j))
		json_put_string(&q->out, NULL, q->line);
}

static bool
is_full(const struct inquiry *q)
{
	return q->out.len >= PAGE_BYTES;
}

static bool
each_record(void *arg, const struct store_record *r)
{
	struct inquiry *q = arg;
	put_record(q, r, "payload");
	q->next = r->record;
	q->more = is_full(q);
	return !q->more;
}

static bool
each_sample(void *arg, const char *topic, const char *epoch, const struct unit_record *r)
{
	struct inquiry *q = arg;
	const struct store_record record = {.topic = topic,
		.epoch = epoch,
		.seq = r->seq,
		.ts_ms = r->ts_ms,
		.payload = r->text,
		.len = r->len};
	put_record(q, &record, "record");
	q->more = is_full(q);
	return !q->more;
}

static int export(struct inquiry *q, struct spool_files *files)
{
	if (q->what == TELEMETRY)
		return files->backlog
			       ? backlog_export(files->backlog, q->after, &q->next, each_sample, q)
			       : -EIO;
	if (!files->store)
		return -EIO;
	return (q->what == DEAD ? store_dead_letters : store_records)(
		files->store, q->after, each_record, q);
}

static void
run_export(struct spool_job *job, struct spool_files *files)
{
	struct inquiry *q = (struct inquiry *)job;
	json_init(&q->out, q->page, sizeof(q->page) - 1);
	json_open(&q->out, NULL, '{');
	json_put_bool(&q->out, "ok", true);
	json_open(&q->out, "result", '{');
	json_open(&q->out, "lines", '[');
	q->rc = export(q, files);
	json_close(&q->out, ']');
	if (q->more)
		json_put_int(&q->out, "next", q->next);
	else
		json_put_null(&q->out, "next");
	json_close(&q->out, '}');
	json_close(&q->out, '}');
}

/* ---- spool-export: on the loop -----------------------------------------------------------------
 */

static void
export_done(struct gateway *g, struct spool_job *job)
{
	struct inquiry *q = (struct inquiry *)job;
	struct loop_client *c = control_now(g, q->request);
	size_t len = json_end(&q->out);
	if (c && q->rc < 0) {
		control_error(c, "disk", 1, "what waits cannot be read: %s", strerror(-q->rc));
	} else if (c && !len) {
		control_error(c, "size", 1, "the answer is too large");
	} else if (c) {
		q->page[len++] = '\n';
		loop_send(c, q->page, len);
	}
	free(q);
}

/* ---- requests -------------------------------------------------------------------------------- */

static struct inquiry *
inquire(struct gateway *g, struct loop_client *c,
	void (*run)(struct spool_job *job, struct spool_files *files),
	void (*done)(struct gateway *g, struct spool_job *job))
{
	struct inquiry *q = calloc(1, sizeof(*q));
	struct asked *r = q ? control_later(g, c) : NULL;
	if (!r) {
		control_error(c, "memory", 1, "out of memory");
		free(q);
		return NULL;
	}
	q->request = r;
	q->job.run = run;
	q->job.done = done;
	return q;
}

void
control_on_spool(struct gateway *g, struct loop_client *c, json_t *req)
{
	struct inquiry *q = inquire(g, c, run_spool, spool_done);
	(void)req;
	if (q)
		spool_post(g->spool, &q->job);
}

static int
what_of(const json_t *req)
{
	const char *word = json_string_value(json_object_get(req, "what"));
	for (int i = 0; word && i < WHAT_COUNT; i++)
		if (strcmp(word, names[i]) == 0)
			return i;
	return -1;
}

void
control_on_spool_export(struct gateway *g, struct loop_client *c, json_t *req)
{
	int what = what_of(req);
	if (what < 0) {
		control_error(c, "usage", 64, "\"what\" is events, telemetry or dead");
		return;
	}
	struct inquiry *q = inquire(g, c, run_export, export_done);
	if (!q)
		return;
	q->what = (enum what)what;
	q->after = json_integer_value(json_object_get(req, "after"));
	spool_post(g->spool, &q->job);
}
