/* SPDX-License-Identifier: MIT */
/* clockwatch.c -- the clock is set, and what follows
 *
 * Until its first synchronisation since the boot the wall clock may say anything. What was stamped
 * by then in this boot is wrong by one difference, which is known as soon as the clock is set: it
 * moves. Once the clock was right, what was told stays told when it is set again; only what
 * counts from a wall time goes with it. Whatever lasts is measured by the monotonic clock.
 */
#include "daemon/gateway.h"

#include <unistd.h>

#include "daemon/clock.h"
#include "daemon/log.h"

#define LOOK_EVERY_US 5000000LL

/* ---- what follows --------------------------------------------------------------------------- */

/* All its pictures are drawn anew: they tell times, and how good they are. */
static void
show_machine(struct gateway *g, struct machine *m)
{
	outbox_mark(g->outbox, &m->info);
	outbox_mark(g->outbox, &m->snapshot);
	for (size_t i = 0; i < alarmset_size(m->alarms); i++) {
		const char *code = alarmset_at(m->alarms, i)->spec.code;
		if (alarm_topic_is_shown(m, code))
			alarm_topic_show(g, m, code);
	}
	m->next_usage_us = 0;
}

/* What this boot has stamped so far was delta_ms too early. */
static void
move_times(struct gateway *g, int64_t delta_ms)
{
	const struct moment now = clock_now();
	const struct shift by = {.from_ms = g->clock.lead_ms - delta_ms,
		.to_ms = now.wall_ms - delta_ms,
		.delta_ms = delta_ms};
	shift_time(&by, &g->started_ms);
	shift_time(&by, &g->config_loaded_ms);
	shift_time(&by, &g->mqtt.since_ms);
	trouble_clock_moved(g, &by);
	for (size_t i = 0; i < g->n_machines; i++)
		machine_clock_moved(g->machines[i], &by, now);
	remember_everything(g);
}

static void
follow_first_sync(struct gateway *g, int64_t step_ms)
{
	if (step_ms)
		move_times(g, step_ms);
	journal_synced(g, g->clock.lead_ms);
	outbox_mark(g->outbox, &g->info);
	for (size_t i = 0; i < g->n_machines; i++)
		show_machine(g, g->machines[i]);
}

static void
follow_step(struct gateway *g, int64_t step_ms)
{
	for (size_t i = 0; i < g->n_machines; i++) {
		struct machine *m = g->machines[i];
		machine_clock_stepped(m, step_ms);
		remember_machine(g, m);
		remember_usage(g, m);
		outbox_mark(g->outbox, &m->snapshot);
		m->next_usage_us = 0;
	}
}

static void
tell_step(struct gateway *g, int64_t step_ms)
{
	struct envelope e = gateway_numbered(g, clock_wall_ms(), g->event_topic);
	journal_event(g, g->event_topic, &e,
		payload_clock_event(g->scratch, GATEWAY_SCRATCH, &e, step_ms));
	log_info("clock: set by %+.3f s", (double)step_ms / 1000);
}

static void
look(struct gateway *g)
{
	enum clock_state was = clock_state(), is = clock_update(g->config->clock);
	int64_t step_ms = clock_step(&g->clock.lead_ms, clock_lead_ms());
	if (was == CLOCK_UNSYNCED && is != was)
		follow_first_sync(g, step_ms);
	else if (step_ms && is == CLOCK_UNSYNCED)
		move_times(g, step_ms);
	else if (step_ms)
		follow_step(g, step_ms);
	if (step_ms)
		tell_step(g, step_ms);
	if (is != was)
		log_info("clock: %s", clock_state_name(is));
	if (step_ms || is != was)
		health_changed(g);
}

/* ---- life ----------------------------------------------------------------------------------- */

void
clockwatch_init(struct gateway *g)
{
	clock_update(g->config->clock);
	g->clock.lead_ms = clock_lead_ms();
	g->clock.fd = -1;
}

void
clockwatch_tick(struct gateway *g, int64_t now_us)
{
	if (now_us < g->clock.next_us)
		return;
	g->clock.next_us = now_us + LOOK_EVERY_US;
	look(g);
	trouble_set(g, "clock", clock_state() == CLOCK_UNSYNCED ? TRUTH_TRUE : TRUTH_FALSE);
}

static void
on_alarm(void *arg)
{
	struct gateway *g = arg;
	clock_alarm_read(g->clock.fd);
	look(g);
	gateway_pump(g);
}

/* Without its descriptor a step is seen up to 5 s late. */
void
clockwatch_start(struct gateway *g)
{
	g->clock.fd = clock_alarm_open();
	if (g->clock.fd >= 0 && loop_watch(g->loop, g->clock.fd, on_alarm, g) < 0) {
		close(g->clock.fd);
		g->clock.fd = -1;
	}
	if (clock_state() != CLOCK_UNSYNCED) /* a former run of this boot did not know yet */
		journal_synced(g, g->clock.lead_ms);
	if (clock_is_hidden(g->config->clock))
		log_warning("clock: the kernel may not be asked whether it is set; "
			    "ProtectClock= of the unit");
	clockwatch_tick(g, clock_mono_us());
}

void
clockwatch_stop(struct gateway *g)
{
	if (g->clock.fd < 0)
		return;
	loop_unwatch(g->loop, g->clock.fd);
	close(g->clock.fd);
	g->clock.fd = -1;
}
