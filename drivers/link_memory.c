/* SPDX-License-Identifier: MIT */
/* link_memory.c -- registers and scripts in memory: the tests' peer of the real links */
#include "drivers/link_memory.h"

#include "drivers/frame.h"
#include "drivers/link_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct memory_link {
	struct link link;
	struct memory *memory;
};

static struct memory *
memory_of(struct link *link)
{
	return ((struct memory_link *)link)->memory;
}

static int
memory_open(struct link *link)
{
	memory_of(link)->opens++;
	return memory_of(link)->open_rc;
}

static void
memory_close(struct link *link)
{
	(void)link;
}

static void
memory_destroy(struct link *link)
{
	free(link);
}

static int
memory_wait(struct link *link, int64_t until_us)
{
	memory_of(link)->waited_ms += (int)((until_us - link_mono_us() + 999) / 1000);
	return link_is_cancelled(link) ? -ECANCELED : 0;
}

static int
answer_exception(struct exchange *ex, unsigned exception)
{
	ex->rsp[0] = ex->req[0] | FRAME_EXCEPTION;
	ex->rsp[1] = (uint8_t)exception;
	return 2;
}

static unsigned
refusal(const struct memory *m, const struct request *req)
{
	uint32_t last = (uint32_t)req->address + req->count - 1;

	if (m->max_regs > 0 && req->count > m->max_regs)
		return 3;
	if (last >= MEMORY_ADDRESSES)
		return 2;
	for (size_t i = 0; i < m->n_ranges; i++) {
		const struct memory_range *r = &m->ranges[i];

		if (r->table == req->table && req->address <= r->last && last >= r->first)
			return r->exception;
	}
	return 0;
}

static int
answer_table(struct memory *m, struct exchange *ex)
{
	static const enum table tables[] = {TABLE_COIL, TABLE_DISCRETE, TABLE_HOLDING, TABLE_INPUT};
	struct request req = {.table = tables[ex->req[0] - 1],
		.address = (uint16_t)(ex->req[1] << 8 | ex->req[2]),
		.count = (uint16_t)(ex->req[3] << 8 | ex->req[4])};
	unsigned exception = refusal(m, &req);

	m->log[(m->requests - 1) % MEMORY_LOG] = req;
	if (exception)
		return answer_exception(ex, exception);
	memset(ex->rsp, 0, ex->rsp_cap);
	ex->rsp[0] = ex->req[0];
	ex->rsp[1] = (uint8_t)(ex->expect - 2);
	for (unsigned i = 0; i < req.count; i++) {
		uint16_t w = m->words[req.table][req.address + i];

		if (ex->req[0] <= 2) {
			ex->rsp[2 + i / 8] |= (uint8_t)((w & 1) << (i % 8));
		} else {
			ex->rsp[2 + 2 * i] = (uint8_t)(w >> 8);
			ex->rsp[3 + 2 * i] = (uint8_t)(w & 0xFF);
		}
	}
	return (int)ex->expect;
}

static int
answer_identity(const struct memory *m, struct exchange *ex)
{
	bool server = ex->req[0] == FRAME_FC_SERVER_ID;
	const char *text = server ? m->server_id : m->object;
	size_t n, at = 2;

	if (!text)
		return answer_exception(ex, 1);
	n = strlen(text);
	ex->rsp[0] = ex->req[0];
	ex->rsp[1] = (uint8_t)n;
	if (!server) { /* type, code, conformity, no more, next, one object: id, length */
		const uint8_t head[] = {FRAME_FC_MEI, FRAME_MEI_DEVICE_ID, ex->req[2], 1, 0, 0, 1,
			ex->req[3], (uint8_t)n};

		memcpy(ex->rsp, head, sizeof(head));
		at = sizeof(head);
	}
	memcpy(ex->rsp + at, text, n);
	return (int)(at + n);
}

static int
memory_transact(struct link *link, struct exchange *ex)
{
	struct memory *m = memory_of(link);
	struct memory_step step = {.rc = 0};

	m->requests++;
	ex->latency_us = m->latency_us;
	ex->arrived_ms = link_real_ms();
	if (m->script_at < m->n_script)
		step = m->script[m->script_at++];
	if (step.rc < 0)
		return step.rc;
	if (m->silent || (m->unit != 0 && m->unit != ex->unit))
		return -ETIMEDOUT;
	if (step.exception)
		return answer_exception(ex, step.exception);
	return ex->req[0] <= 4 ? answer_table(m, ex) : answer_identity(m, ex);
}

static const struct link_ops memory_ops = {
	.open = memory_open,
	.transact = memory_transact,
	.close = memory_close,
	.destroy = memory_destroy,
	.wait = memory_wait,
};

struct link *
link_memory_create(struct memory *memory)
{
	struct memory_link *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->link.ops = &memory_ops;
	l->memory = memory;
	return &l->link;
}
