/* SPDX-License-Identifier: MIT */
/* follow.c -- what follows for a machine from a reading, from time, or from a person's word
 *
 * machine_update() decides; here it becomes messages, and what must survive is kept in the same
 * transaction.
 */
#include "daemon/gateway.h"

#include <stdio.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/log.h"

#define USAGE_EVERY_US (300 * 1000000LL)

/* ---- alarms --------------------------------------------------------------------------------- */

static const struct {
	enum transition bit;
	const char *word;
} transitions[] = {
	{ALARM_RAISED, "raised"},
	{ALARM_SUPPRESSED, "suppressed"},
	{ALARM_CHANGED, "changed"},
	{ALARM_ACKED, "acked"},
	{ALARM_CLEARED, "cleared"},
};

static void
log_alarm(const struct gateway *g, const struct machine *m, const struct alarm *a, const char *word)
{
	const char *text = config_text(&a->spec.text, g->config->language);
	if (strcmp(word, "raised") == 0 && a->spec.severity >= SEVERITY_WARNING)
		log_warning("%s: alarm %s raised: %s", m->config->id, a->spec.code, text);
	else
		log_info("%s: alarm %s %s", m->config->id, a->spec.code, word);
}

void
follow_alarm(void *arg, struct alarm *a, unsigned bits)
{
	struct machine *m = arg;
	struct gateway *g = m->gateway;
	if (bits & ALARM_RAISED && !a->spec.test) {
		m->usage.kept.alarms_raised++;
		remember_usage(g, m);
	}
	for (size_t i = 0; i < sizeof(transitions) / sizeof(transitions[0]); i++) {
		if (!(bits & transitions[i].bit))
			continue;
		struct envelope e = gateway_numbered(g, clock_wall_ms(), m->event_topic);
		journal_event(g, m->event_topic, &e,
			payload_alarm_event(
				g->scratch, GATEWAY_SCRATCH, &e, a, transitions[i].word));
		log_alarm(g, m, a, transitions[i].word);
	}
	remember_alarm(g, m->config->id, a);
	alarm_topic_show(g, m, a->spec.code);
	outbox_mark(g->outbox, &m->snapshot);
}

/* ---- jobs ----------------------------------------------------------------------------------- */

static void
send_job(struct gateway *g, struct machine *m, const struct job *job)
{
	int64_t ts_ms = job->result == END_NONE ? job->started_ms : job->ended_ms;
	struct envelope e = gateway_numbered(g, ts_ms, m->job_topic);
	journal_event(g, m->job_topic, &e,
		payload_job(g->scratch, GATEWAY_SCRATCH, &e, job, m->config->asset));
	if (job->result == END_NONE)
		log_info("%s: job %s started", m->config->id, job->id);
	else
		log_info("%s: job %s ended: %s", m->config->id, job->id, job_end_name(job->result));
}

void
follow_job_ended(struct gateway *g, struct machine *m, const struct job *job)
{
	send_job(g, m, job);
	m->next_usage_us = 0;
}

static void
take_usage_news(struct gateway *g, struct machine *m, const struct usage_news *news)
{
	if (news->ended)
		follow_job_ended(g, m, &news->end);
	if (news->started)
		send_job(g, m, &news->start);
	if (news->ended || news->started || news->changed)
		remember_usage(g, m);
}

/* Published and kept every 5 minutes, at the end of a job, and when a person has set it. */
static void
look_at_totals(struct gateway *g, struct machine *m, int64_t now_us)
{
	if (now_us < m->next_usage_us || !m->decided)
		return;
	m->next_usage_us = now_us + USAGE_EVERY_US;
	remember_usage(g, m);
	if (!m->usage.kept.whole)
		return;
	usage_keep(&m->usage, clock_now(), &m->published);
	outbox_add(g->outbox, &m->totals);
}

/* ---- state ---------------------------------------------------------------------------------- */

static void
send_state_event(struct gateway *g, struct machine *m, const char *from)
{
	char reason[256];
	struct envelope e = gateway_numbered(g, m->since_ms, m->event_topic);
	machine_reason(m, reason, sizeof(reason));
	journal_event(g, m->event_topic, &e,
		payload_state_event(
			g->scratch, GATEWAY_SCRATCH, &e, from, machine_state(m), reason));
}

static void
look_at_maintenance(struct gateway *g, struct machine *m, struct moment now)
{
	if (m->maintenance.until_ms && !machine_in_maintenance(m, now))
		care_maintain(g, m, 0, "");
}

static void
show_snapshot(struct gateway *g, struct machine *m, int64_t now_us)
{
	if (m->decided)
		outbox_mark(g->outbox, &m->snapshot);
	m->dirty = false;
	m->next_state_us = now_us + STATE_EVERY_US;
}

/* Nothing has changed over a restart: that is no event. */
static bool
is_as_before(struct machine *m, bool was_decided)
{
	if (was_decided || strcmp(m->former_state, machine_state(m)) != 0)
		return false;
	m->since_ms = m->former_since_ms;
	return true;
}

void
follow_machine(struct gateway *g, struct machine *m, bool at_once)
{
	struct moment now = clock_now();
	struct machine_news news = {.state = false};
	const char *from = m->decided ? machine_state(m) : NULL;
	bool was_decided = m->decided, was_online = m->online;
	const struct alarmset_context context = {.now = now, .flood = &g->flood};
	look_at_maintenance(g, m, now);
	machine_update(m, &context, follow_alarm, m, &news);
	take_usage_news(g, m, &news.usage);
	if (news.state) {
		announce_state(g, m);
		if (!is_as_before(m, was_decided))
			send_state_event(g, m, from);
		if (!was_decided || m->online != was_online)
			outbox_mark(g->outbox, &m->availability);
	}
	if (news.shown)
		remember_machine(g, m);
	if (at_once || news.shown || news.usage.started || news.usage.ended)
		show_snapshot(g, m, now.us);
	look_at_totals(g, m, now.us);
}

void
follow_tick(struct gateway *g, struct machine *m, int64_t now_us)
{
	follow_machine(g, m, m->dirty && now_us >= m->next_state_us);
	alarm_topics_tick(g, m, clock_now());
}
