/* SPDX-License-Identifier: MIT */
/* usage_world.h -- an asset that lives through a trace, with checkpoints, crashes and a wall clock
 * that is set; what its usage announces becomes a line of text
 */
#ifndef USAGE_WORLD_H
#define USAGE_WORLD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/usage.h"

enum { WORLD_CHECKPOINT_MS = 10000 };
#define WORLD_US 1000000LL
#define WORLD_BEGIN_US (1000 * WORLD_US)
#define WORLD_WALL_MS 1767225600000LL

struct world {
	struct usage u;
	struct usage_rules rules;
	struct usage_input in;
	int64_t us, wall_ms; /* wall_ms: of WORLD_BEGIN_US */
	struct usage_kept stored;
	int64_t stored_us;
	char log[4000];
	/* Called for everything that is announced and everything stored; NULL: nobody. */
	void (*told)(struct world *w, const struct job *j, bool ended);
	void (*kept)(struct world *w);
	void *arg;
};

static void
world_entropy(uint8_t out[10])
{
	for (int i = 0; i < 10; i++)
		out[i] = (uint8_t)rand();
}

static struct moment
world_now(const struct world *w)
{
	return (struct moment){w->us, w->wall_ms + (w->us - WORLD_BEGIN_US) / 1000};
}

static void
world_store(struct world *w)
{
	usage_keep(&w->u, world_now(w), &w->stored);
	w->stored_us = w->us;
	if (w->kept)
		w->kept(w);
}

static void
world_init(struct world *w, bool driver)
{
	*w = (struct world){.rules = {120000, 30000, world_entropy},
		.us = WORLD_BEGIN_US,
		.wall_ms = WORLD_WALL_MS};
	w->in = (struct usage_input){.online = true,
		.decided = true,
		.driver_says = driver,
		.tells_idle = true,
		.accuracy_s = 1,
		.evidence = "meter.power_w"};
	usage_init(&w->u, &w->rules, world_now(w));
	world_store(w);
}

/* "+40 10" announced at 40 s, began at 10 s; "-220 finished 10..100 b90 p0". */
static void
world_tell(struct world *w, const struct job *j, bool ended)
{
	size_t len = strlen(w->log), size = sizeof(w->log) - len;
	long long at = (w->us - WORLD_BEGIN_US) / WORLD_US;
	long long from = (j->started_ms - w->wall_ms) / 1000;

	if (w->told)
		w->told(w, j, ended);
	if (ended)
		snprintf(w->log + len, size, "%s-%lld %s %lld..%lld b%lld p%lld", len ? ", " : "",
			at, job_end_name(j->result), from, from + j->span_us / WORLD_US,
			(long long)j->busy_us / WORLD_US, (long long)j->paused_us / WORLD_US);
	else
		snprintf(w->log + len, size, "%s+%lld %lld", len ? ", " : "", at, from);
}

static void
world_update(struct world *w)
{
	struct usage_news news;

	usage_update(&w->u, &w->in, world_now(w), &news);
	if (news.ended)
		world_tell(w, &news.end, true);
	if (news.started)
		world_tell(w, &news.start, false);
	if (news.ended || news.started || news.changed ||
		w->us - w->stored_us >= WORLD_CHECKPOINT_MS * 1000LL)
		world_store(w);
}

static void
world_crash(struct world *w, int64_t gap_us)
{
	memset(&w->u, 0xA5, sizeof(w->u)); /* nothing of it may be used */
	w->us += gap_us;
	usage_init(&w->u, &w->rules, world_now(w));
	usage_restore(&w->u, &w->stored, w->us - w->stored_us, world_now(w));
}

static bool
world_leave(struct world *w)
{
	struct job ended;

	if (!usage_leave(&w->u, END_UNKNOWN, world_now(w), &ended))
		return false;
	world_tell(w, &ended, true);
	world_store(w);
	return true;
}

static inline int64_t
sum_us(const struct usage_kept *k)
{
	int64_t sum = 0;

	for (size_t b = 0; b < BUCKET_COUNT; b++)
		sum += k->in_us[b];
	return sum;
}

#endif
