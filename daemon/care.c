/* SPDX-License-Identifier: MIT */
/* care.c -- what a technician tells the daemon about a machine */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/gateway.h"
#include "daemon/log.h"

void
care_maintain(struct gateway *g, struct machine *m, int64_t ms, const char *reason)
{
	struct moment now = clock_now();
	if (ms > 0) {
		m->maintenance = (struct maintenance){.since_ms = now.wall_ms,
			.until_ms = now.wall_ms + ms,
			.until_us = now.us + ms * 1000};
		snprintf(m->maintenance.reason, sizeof(m->maintenance.reason), "%s", reason);
		log_info("%s: maintenance for %lld s", m->config->id, (long long)(ms / 1000));
	} else {
		m->maintenance = (struct maintenance){.since_ms = 0};
		log_info("%s: maintenance is over", m->config->id);
	}
	remember_machine(g, m);
	outbox_mark(g->outbox, &m->snapshot);
}

int
care_ack(struct gateway *g, struct machine *m, const char *code)
{
	struct alarm *a = alarmset_find(m->alarms, code);
	if (!a)
		return -ENOENT;
	unsigned bits = alarm_ack(a, clock_now());
	if (!bits)
		return -EALREADY;
	log_info("%s: alarm %s acknowledged", m->config->id, code);
	follow_alarm(m, a, bits);
	follow_machine(g, m, true);
	return 0;
}

int
care_set_usage(
	struct gateway *g, struct machine *m, const char *field, double value, const char *note)
{
	double was = 0;
	int rc = usage_set(&m->usage, field, value, &was);
	if (rc < 0)
		return rc;
	struct envelope e = gateway_numbered(g, clock_wall_ms(), m->event_topic);
	journal_event(g, m->event_topic, &e,
		payload_counters_event(g->scratch, GATEWAY_SCRATCH, &e, field, was, value, note));
	log_info("%s: %s of %s set from %g to %g", m->config->id, field, m->config->asset, was,
		value);
	remember_usage(g, m);
	m->next_usage_us = 0;
	follow_machine(g, m, false);
	return 0;
}

int
care_test_alarm(struct gateway *g, struct machine *m, enum severity severity, int64_t ms)
{
	int rc = alarmset_test(m->alarms, severity, ms, clock_now());
	if (rc == 0)
		follow_machine(g, m, true);
	return rc;
}
