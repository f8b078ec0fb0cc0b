/* SPDX-License-Identifier: MIT */
/* control_steps.c -- reading, scanning and peeking for a person, on the bus's thread */
#include "daemon/control_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/hint.h"
#include "daemon/clock.h"
#include "drivers/ask.h"

enum { MAX_WORDS = 2000 };

/* ---- read: on the bus thread ---------------------------------------------------------------- */

struct raw_words { /* of one point, as they were on the wire */
	char text[96];
};

static void
note_raw(void *arg, unsigned point, const uint16_t *words, unsigned n)
{
	struct raw_words *raw = arg;
	size_t len = 0;
	for (unsigned i = 0; i < n && len + 8 < sizeof(raw->text); i++)
		len += (size_t)snprintf(raw[point].text + len, sizeof(raw->text) - len, "%s0x%04X",
			i ? " " : "", words[i]);
}

static void
put_point_hint(struct errand *job, const struct reg_point *reg, const struct value *v)
{
	char hint[HINT_SIZE];
	struct hint_facts facts = {.fail = v->fail,
		.exception = v->exception,
		.bus = job->source->bus,
		.source = job->source->config,
		.point = reg};
	if (reg->point.optional && value_is_lacking(v))
		return; /* that some models lack it is no trouble */
	hint_write(hint, sizeof(hint), job->language, &facts);
	json_put_string(&job->out, "hint", hint);
}

static void
put_point(struct errand *job, const struct reg_point *reg, const struct value *v, const char *raw)
{
	char word[24];
	struct json *j = &job->out;
	const struct point *p = &reg->point;
	json_open(j, NULL, '{');
	json_put_string(j, "id", p->id);
	json_put_string(j, "raw", raw[0] ? raw : NULL);
	json_put_value(j, "value", v);
	json_put_string(j, "unit", p->unit ? p->unit : "");
	json_put_string(j, "quality",
		v->kind != VALUE_NONE ? "ok"
				      : fail_text(v->fail, v->exception, word, sizeof(word)));
	if (v->kind == VALUE_NONE)
		put_point_hint(job, reg, v);
	json_close(j, '}');
}

static void
put_group(struct errand *job, const struct profile *profile, const struct reading *r,
	const uint16_t *points, const struct raw_words *raw)
{
	for (size_t k = 0; k < r->n; k++)
		if (job->source->slots[points[k]] >= 0)
			put_point(job, &profile->points[points[k]], &r->values[k],
				raw[points[k]].text);
}

static int
read_groups(struct errand *job, struct device *dev, const struct profile *profile)
{
	int rc = 0;
	struct reading *r = reading_create(dev);
	struct raw_words *raw = calloc(profile->n_points + 1, sizeof(*raw));
	if (!r || !raw) {
		rc = -ENOMEM;
		goto out;
	}
	device_watch(dev, note_raw, raw);
	for (unsigned g = 0; rc == 0 && g < device_groups(dev); g++) {
		size_t n;
		const uint16_t *points = device_group_points(dev, g, &n);
		if (n == 0)
			continue;
		rc = device_poll(dev, g, r);
		if (rc == 0)
			put_group(job, profile, r, points, raw);
	}
	device_watch(dev, NULL, NULL);
out:
	free(raw);
	reading_destroy(r);
	return rc;
}

/* Why nothing was read, and what to touch. */
static void
put_error(struct errand *job, int rc, const struct link *link, const struct device *dev)
{
	char hint[HINT_SIZE], word[24];
	unsigned exception = rc == -ETIMEDOUT ? device_gateway_word(dev) : 0;
	struct hint_facts facts = {.fail = exception ? FAIL_EXCEPTION : device_fail(rc),
		.exception = exception,
		.bus = job->source->bus,
		.source = job->source->config,
		.holder = link_holder(link),
		.detail = device_identity(dev)};
	if (rc == 0)
		return;
	hint_write(hint, sizeof(hint), job->language, &facts);
	json_put_string(&job->out, "error", fail_text(facts.fail, exception, word, sizeof(word)));
	json_put_string(&job->out, "hint", hint);
}

int
control_read(struct line_job *line, struct link *link, struct pollset *set)
{
	struct errand *job = (struct errand *)line;
	for (size_t i = 0; i < set->n_units; i++) {
		if (set->units[i]->unit != job->unit)
			continue;
		json_open(&job->out, NULL, '{');
		json_put_string(&job->out, "source", job->source->config->id);
		json_put_int(&job->out, "ts", clock_wall_ms());
		json_open(&job->out, "points", '[');
		int rc = read_groups(job, set->units[i]->device, set->profiles[i]);
		json_close(&job->out, ']');
		put_error(job, rc, link, set->units[i]->device);
		json_close(&job->out, '}');
		return 0;
	}
	return -ENOENT;
}

/* ---- scan and peek: on the bus thread -------------------------------------------------------- */

int
control_scan(struct line_job *line, struct link *link, struct pollset *set)
{
	struct errand *job = (struct errand *)line;
	static const struct ask_times times = {.timeout_ms = SCAN_TIMEOUT_MS, .max_latency_ms = 1};
	const struct request req = {.table = TABLE_HOLDING, .address = 0, .count = 1};
	unsigned unit = atomic_load(&job->at), exception = 0;
	uint16_t words[MAX_WORDS];
	char identity[128];
	(void)set;
	int rc = ask_read(link, (uint8_t)unit, &times, &req, words, &exception);
	if (rc == -ECANCELED)
		return rc;
	if (rc == 0 || rc == -EREMOTEIO) {
		char answer[24] = "registers";
		if (rc < 0)
			fail_text(FAIL_EXCEPTION, exception, answer, sizeof(answer));
		ask_identity(link, (uint8_t)unit, &times, identity, sizeof(identity));
		json_open(&job->out, NULL, '{');
		json_put_int(&job->out, "unit", unit);
		json_put_string(&job->out, "identity", identity);
		json_put_string(&job->out, "answer", answer);
		json_close(&job->out, '}');
	}
	atomic_store(&job->at, unit + 1);
	return unit >= job->to ? 0 : -EAGAIN;
}

int
control_peek(struct line_job *line, struct link *link, struct pollset *set)
{
	struct errand *job = (struct errand *)line;
	static const struct ask_times times;
	const struct request req = {.table = job->words.table,
		.address = job->words.address,
		.count = job->words.count};
	uint16_t words[MAX_WORDS];
	unsigned exception = 0;
	(void)set;
	int rc = ask_read(link, job->unit, &times, &req, words, &exception);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < req.count; i++)
		json_put_int(&job->out, NULL, words[i]);
	return 0;
}
