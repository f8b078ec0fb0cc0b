/* SPDX-License-Identifier: MIT */
/* service.c -- what systemd is told: ready, how we are in a sentence, and that all threads move */
#include "daemon/gateway.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/log.h"
#include "daemon/notify.h"

#define STATUS_EVERY_US 5000000LL

/* ---- STATUS --------------------------------------------------------------------------------- */

static size_t
count_online(const struct gateway *g)
{
	size_t online = 0;
	for (size_t i = 0; i < g->n_machines; i++)
		online += g->machines[i]->online;
	return online;
}

/* "3 of 4 machines online; connected to mqtt1:8883; nothing waits" */
static void
write_status(struct gateway *g, char *buf, size_t size)
{
	char waiting[48] = "nothing waits";
	int64_t records = health_waiting(g);
	if (records > 0)
		snprintf(waiting, sizeof(waiting), "%" PRId64 " record%s wait%s", records,
			records == 1 ? "" : "s", records == 1 ? "s" : "");
	const char *why = g->mqtt.error[0] ? g->mqtt.error : "connecting";
	snprintf(buf, size, "%zu of %zu machines online; %s%s; %s%s", count_online(g),
		g->n_machines,
		g->mqtt.up ? "connected to " : "no broker: ", g->mqtt.up ? g->mqtt.broker : why,
		waiting,
		g->config_error[0] ? "; the changed configuration was refused: see labpulse check"
				   : "");
}

void
service_tick(struct gateway *g, int64_t now_us)
{
	char now[sizeof(g->service.status)];
	if (now_us < g->service.told_us + STATUS_EVERY_US)
		return;
	write_status(g, now, sizeof(now));
	if (strcmp(now, g->service.status) == 0)
		return;
	memcpy(g->service.status, now, sizeof(now));
	g->service.told_us = now_us;
	notify_send("STATUS=%s", now);
}

/* ---- WATCHDOG ------------------------------------------------------------------------------- */

/* The name of a thread that broke its promise (link_promise()) by more than `by_us`; NULL: all
 * move. The loop's own word is that it comes here. */
static const char *
find_late(struct gateway *g, int64_t by_us)
{
	int64_t before_us = clock_mono_us() - by_us;
	for (size_t i = 0; i < g->n_pollers; i++)
		if (g->pollers[i] && poller_due_us(g->pollers[i]) < before_us)
			return poller_bus(g->pollers[i])->id;
	if (uplink_due_us(g->uplink) < before_us)
		return "uplink";
	return spool_is_late(g->spool, by_us) ? "spool" : NULL;
}

static void
feed_watchdog(void *arg)
{
	struct gateway *g = arg;
	const char *late = find_late(g, notify_watchdog_ms() * 1000);
	if (!late) {
		if (g->service.late[0])
			log_info("thread %s: moves again", g->service.late);
		g->service.late[0] = '\0';
		notify_send("WATCHDOG=1");
	} else if (!g->service.late[0]) {
		snprintf(g->service.late, sizeof(g->service.late), "%s", late);
		log_error(
			"thread %s: hangs; the watchdog is not fed, systemd will restart us", late);
	}
}

int
service_start(struct gateway *g)
{
	int64_t every_ms = notify_watchdog_ms();
	return every_ms > 0 ? loop_every(g->loop, every_ms, feed_watchdog, g) : 0;
}

/* ---- life ----------------------------------------------------------------------------------- */

void
service_ready(struct gateway *g)
{
	write_status(g, g->service.status, sizeof(g->service.status));
	notify_send("READY=1\nSTATUS=%s", g->service.status);
}

void
service_reloading(void)
{
	/* systemd 253 and later want the time, sd_notify(3); 252 does not mind it */
	notify_send("RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=reading the configuration",
		(long long)clock_mono_us());
}

void
service_stopping(void)
{
	notify_send("STOPPING=1\nSTATUS=stopping");
}
