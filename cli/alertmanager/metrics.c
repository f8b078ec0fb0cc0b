/* SPDX-License-Identifier: MIT */
/* metrics.c -- two tables of families: of the bridge, and of each Alertmanager */
#include "cli/alertmanager/metrics.h"

#include "config/exposition.h"

#define BRIDGE(name, expr) EXPOSITION_VALUE(name, struct metrics_facts, f, expr)
#define TARGET(name, expr) EXPOSITION_VALUE(name, struct target, t, expr)

BRIDGE(uptime, (f->mono_ms - f->started_ms) / 1e3)
BRIDGE(connected, f->feed.connected)
BRIDGE(connects, f->feed.connects)
BRIDGE(silent, (f->mono_ms - (f->feed.heard_ms ? f->feed.heard_ms : f->started_ms)) / 1e3)
BRIDGE(taken, f->feed.messages[PICTURE_TAKEN] + f->feed.messages[PICTURE_IGNORED])
BRIDGE(invalid, f->feed.messages[PICTURE_INVALID])
BRIDGE(dropped, f->feed.messages[PICTURE_FULL])
BRIDGE(gateways, f->gateways)
BRIDGE(gateways_offline, f->gateways_offline)
BRIDGE(alarms, f->alarms)
BRIDGE(firing, f->firing)
BRIDGE(ended, f->ended)
TARGET(posts, t->posts)
TARGET(failed, t->failed)
TARGET(refused, t->refused)
TARGET(up, !t->failures && t->posts)

static const struct exposition_family of_bridge[] = {
	{"labpulse_bridge_uptime_seconds", EXPOSITION_GAUGE, "Time since the bridge started.",
		uptime},
	{"labpulse_bridge_broker_connected", EXPOSITION_GAUGE,
		"Whether the broker is connected and its retained topics read.", connected},
	{"labpulse_bridge_broker_connects", EXPOSITION_COUNTER, "Connections that came so far.",
		connects},
	{"labpulse_bridge_broker_silent_seconds", EXPOSITION_GAUGE,
		"Time since the last message of the broker.", silent},
	{"labpulse_bridge_messages", EXPOSITION_COUNTER, "Messages of labpulse.", taken},
	{"labpulse_bridge_messages_invalid", EXPOSITION_COUNTER,
		"Messages that labpulse does not publish.", invalid},
	{"labpulse_bridge_messages_dropped", EXPOSITION_COUNTER,
		"Messages for which there was no room.", dropped},
	{"labpulse_bridge_gateways", EXPOSITION_GAUGE, "Known gateways.", gateways},
	{"labpulse_bridge_gateways_offline", EXPOSITION_GAUGE, "Gateways that are offline.",
		gateways_offline},
	{"labpulse_bridge_alarms", EXPOSITION_GAUGE, "Alarm topics held by the broker.", alarms},
	{"labpulse_bridge_alerts_firing", EXPOSITION_GAUGE, "Alerts that fire.", firing},
	{"labpulse_bridge_alerts_ended", EXPOSITION_GAUGE,
		"Alerts that ended lately and are still told as resolved.", ended},
};

static const struct exposition_family of_target[] = {
	{"labpulse_bridge_posts", EXPOSITION_COUNTER, "Requests to an Alertmanager.", posts},
	{"labpulse_bridge_posts_failed", EXPOSITION_COUNTER, "Requests without success.", failed},
	{"labpulse_bridge_alerts_refused", EXPOSITION_COUNTER,
		"Alerts that an Alertmanager refused.", refused},
	{"labpulse_bridge_alertmanager_up", EXPOSITION_GAUGE, "Whether the last request succeeded.",
		up},
};

#define N(table) (sizeof(table) / sizeof((table)[0]))

static const char *
url_of(const void *target)
{
	return ((const struct target *)target)->url;
}

char *
metrics_print(const struct metrics_facts *f, bool openmetrics)
{
	struct exposition e;

	exposition_begin(&e, openmetrics);
	exposition_family(&e, "labpulse_bridge_build", EXPOSITION_INFO, "Version of the bridge.");
	exposition_sample(
		&e, (struct exposition_label[]){{"version", LABPULSE_VERSION}, {NULL, NULL}}, 1);
	exposition_table(&e, of_bridge, N(of_bridge), f, 1, sizeof *f, NULL, NULL);
	exposition_table(&e, of_target, N(of_target), f->targets, f->n_targets, sizeof *f->targets,
		"alertmanager", url_of);
	fleet_print(&e, &f->fleet);
	return exposition_end(&e);
}
