/* SPDX-License-Identifier: MIT */
/* bridge.c -- from the broker to Alertmanagers
 *
 * Two threads: the feed talks to the broker and keeps the picture; this one judges it, posts, and
 * serves metrics. Nothing is kept on a disk: the broker's retained topics are the memory, and what
 * this program told before it was killed ends by itself (alerts.h).
 */
#include "cli/alertmanager/bridge.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/alertmanager/feed.h"
#include "cli/alertmanager/judge.h"
#include "cli/alertmanager/metrics.h"
#include "cli/alertmanager/service.h"
#include "cli/alertmanager/target.h"
#include "cli/words.h"

enum {
	TICK_MS = 1000,
	JUDGE_MS = 200,   /* what changes in bursts is looked at together */
	READY_MS = 20000, /* whatever is broken: systemd is not to restart us for it */
	STOP_MS = 3000,
	COMPLAIN_MS = 60000
};

struct bridge {
	const struct bridge_options *options;
	struct feed *feed;
	struct poster *poster;
	struct metrics *metrics;
	struct alerts alerts;
	struct target targets[CLI_LIST_MAX];
	struct feed_state state;
	size_t n_gateways, n_offline, n_alarms;
	int signals; /* signalfd */
	int64_t started_ms, started_wall_ms;
	int64_t judged_ms, next_judge_ms; /* mono; wall */
	int64_t complained_ms, fed_ms;    /* mono */
	bool dirty, ready, hangs;
	char status[256];
};

/* ---- the picture ------------------------------------------------------------------------------
 */

static size_t
count_offline(const struct picture *p)
{
	size_t n = 0;

	for (const struct map_node *i = p->gateways.first; i; i = i->next)
		n += ((const struct picture_gateway *)i)->offline;
	return n;
}

/* Before the retained topics have come once, alarms are not judged: there is nothing to say yet. */
static void
judge_now(struct bridge *b, const struct picture *p, int64_t now_ms)
{
	static const struct picture nothing;
	struct judge_facts facts = {.now_ms = now_ms,
		.started_ms = b->started_wall_ms,
		.hold_ms = b->options->hold_ms,
		.away_ms = b->state.away_ms};

	b->next_judge_ms = judge(b->state.settled ? p : &nothing, &facts, &b->alerts);
	b->n_gateways = p->gateways.n;
	b->n_offline = count_offline(p);
	b->n_alarms = p->alarms.n;
	b->dirty = false;
}

static void
look(struct bridge *b, int64_t mono_ms)
{
	int64_t now_ms = words_now_ms();
	const struct picture *p = feed_look(b->feed, &b->state, now_ms);

	b->dirty |= b->state.changed || now_ms >= b->next_judge_ms ||
		    mono_ms >= b->judged_ms + b->options->refresh_ms;
	if (b->dirty && mono_ms >= b->judged_ms + JUDGE_MS) {
		judge_now(b, p, now_ms);
		b->judged_ms = mono_ms;
	}
	feed_release(b->feed);
}

/* ---- Alertmanagers ----------------------------------------------------------------------------
 */

static void
send_news(struct bridge *b, int64_t mono_ms)
{
	for (size_t i = 0; i < b->options->poster.urls.n; i++) {
		char *body = target_next(&b->targets[i], &b->alerts, mono_ms, words_now_ms(),
			b->options->refresh_ms);
		if (body)
			poster_send(b->poster, i, body);
	}
}

static void
on_answer(void *context, size_t i, long status, const char *why)
{
	struct bridge *b = context;
	struct target *t = &b->targets[i];
	int64_t mono_ms = cli_now_ms();

	switch (target_answer(t, status, mono_ms, (double)random() / ((double)RAND_MAX + 1))) {
	case TARGET_SAME:
		break;
	case TARGET_FAILED:
		service_log(SERVICE_WARNING, "%s: %ld %s; trying again", t->url, status, why);
		break;
	case TARGET_HEALED:
		service_log(SERVICE_INFO, "%s: takes alerts again", t->url);
		break;
	case TARGET_REFUSED:
		if (b->complained_ms && mono_ms < b->complained_ms + COMPLAIN_MS)
			break;
		b->complained_ms = mono_ms;
		service_log(SERVICE_ERROR, "%s: refused an alert (%llu so far): %ld %s", t->url,
			(unsigned long long)t->refused, status, why);
		break;
	}
}

/* ---- how it is --------------------------------------------------------------------------------
 */

static void
collect(void *context, struct metrics_facts *f)
{
	struct bridge *b = context;
	const struct picture *p = feed_look(b->feed, &b->state, words_now_ms());
	struct fleet fleet = fleet_count(p);

	feed_release(b->feed);
	b->dirty |= b->state.changed;
	*f = (struct metrics_facts){.feed = b->state,
		.fleet = fleet,
		.gateways = b->n_gateways,
		.gateways_offline = b->n_offline,
		.alarms = b->n_alarms,
		.firing = b->alerts.n_firing,
		.ended = b->alerts.all.n - b->alerts.n_firing,
		.targets = b->targets,
		.n_targets = b->options->poster.urls.n,
		.mono_ms = cli_now_ms(),
		.started_ms = b->started_ms};
}

static size_t
count_current(const struct bridge *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->options->poster.urls.n; i++)
		n += b->targets[i].posts && !b->targets[i].failures;
	return n;
}

/* READY when somebody has been told all that the broker holds. */
static void
tell_ready(struct bridge *b, int64_t mono_ms)
{
	bool told = false;

	for (size_t i = 0; i < b->options->poster.urls.n; i++)
		told |= b->targets[i].posts && target_is_current(&b->targets[i], &b->alerts);
	told &= b->state.settled && !b->dirty;
	if (b->ready || (!told && mono_ms < b->started_ms + READY_MS))
		return;
	b->ready = true;
	service_notify("READY=1");
	service_log(
		SERVICE_INFO, "%zu alarms of %zu gateways are watched", b->n_alarms, b->n_gateways);
}

static void
tell_status(struct bridge *b)
{
	char status[sizeof b->status];

	snprintf(status, sizeof status,
		"%zu alerts fire, %zu of %zu gateways are offline; broker %s, %zu of %zu Alertmanagers "
		"take alerts",
		b->alerts.n_firing, b->n_offline, b->n_gateways,
		b->state.connected ? "connected" : "away", count_current(b),
		b->options->poster.urls.n);
	if (!strcmp(status, b->status))
		return;
	memcpy(b->status, status, sizeof status);
	service_notify("STATUS=%s", status);
}

static void
feed_watchdog(struct bridge *b, int64_t mono_ms)
{
	int64_t every_ms = service_watchdog_ms();
	bool hangs = mono_ms > b->state.due_ms;

	if (hangs != b->hangs)
		service_log(hangs ? SERVICE_ERROR : SERVICE_INFO, "the broker's thread %s",
			hangs ? "hangs" : "moves again");
	b->hangs = hangs;
	if (!every_ms || mono_ms < b->fed_ms + every_ms || hangs)
		return;
	b->fed_ms = mono_ms;
	service_notify("WATCHDOG=1");
}

/* ---- the loop ---------------------------------------------------------------------------------
 */

static int
time_left(const struct bridge *b, int64_t mono_ms)
{
	int64_t next = mono_ms + TICK_MS;

	if (b->dirty && b->judged_ms + JUDGE_MS < next)
		next = b->judged_ms + JUDGE_MS;
	for (size_t i = 0; i < b->options->poster.urls.n; i++) {
		int64_t due = target_due_ms(&b->targets[i], &b->alerts);
		next = due < next ? due : next;
	}
	return next > mono_ms ? (int)(next - mono_ms) : 0;
}

static bool
is_stopped(const struct bridge *b)
{
	struct signalfd_siginfo info;

	if (read(b->signals, &info, sizeof info) != (ssize_t)sizeof info)
		return false;
	service_log(SERVICE_INFO, "%s: stopping", strsignal((int)info.ssi_signo));
	return true;
}

static void
loop(struct bridge *b)
{
	const int fds[] = {b->signals, metrics_fd(b->metrics)};

	while (!is_stopped(b)) {
		int64_t mono_ms = cli_now_ms();
		look(b, mono_ms);
		send_news(b, mono_ms);
		tell_ready(b, mono_ms);
		tell_status(b);
		feed_watchdog(b, mono_ms);
		metrics_serve(b->metrics);
		poster_wait(b->poster, fds, 2, time_left(b, mono_ms));
	}
	service_notify("STOPPING=1");
}

static void
wake(void *context)
{
	struct bridge *b = context;

	poster_wake(b->poster);
}

static int
open_signals(struct bridge *b)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	b->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return b->signals < 0 ? cli_fail(CLI_OTHER, "signalfd: %s", strerror(errno)) : CLI_FINE;
}

static int
start(struct bridge *b)
{
	const struct bridge_options *o = b->options;
	const char *why;
	int code = poster_create(&b->poster, &o->poster, on_answer, b);

	if (code == CLI_FINE)
		code = feed_create(&b->feed, &o->broker, o->listen, o->hold_ms, wake, b);
	if (code == CLI_FINE)
		code = open_signals(b);
	if (code != CLI_FINE)
		return code;
	b->metrics = o->listen ? metrics_start(o->listen, collect, b, &why) : NULL;
	if (o->listen && !b->metrics) /* alerts matter more */
		service_log(SERVICE_WARNING, "--listen %s: %s; no metrics", o->listen, why);
	for (size_t i = 0; i < o->poster.urls.n; i++)
		b->targets[i].url = o->poster.urls.items[i];
	int rc = feed_start(b->feed);
	return rc ? cli_fail(CLI_OTHER, "no thread: %s", strerror(-rc)) : CLI_FINE;
}

int
bridge_run(const struct bridge_options *o)
{
	struct bridge b = {.options = o,
		.signals = -1,
		.started_ms = cli_now_ms(),
		.started_wall_ms = words_now_ms(),
		.judged_ms = INT64_MIN / 2};
	int code = start(&b);

	if (code == CLI_FINE) {
		loop(&b);
		if (!feed_stop(b.feed, STOP_MS)) {
			service_log(SERVICE_WARNING, "name resolution hangs; leaving without it");
			_exit(code);
		}
	}
	metrics_stop(b.metrics);
	feed_destroy(b.feed);
	poster_destroy(b.poster);
	alerts_free(&b.alerts);
	if (b.signals >= 0)
		close(b.signals);
	return code;
}
