/* SPDX-License-Identifier: MIT */
/* metrics.c -- one table of families; each is one number, or one per Alertmanager */
#include <stdio.h>
#include <stdlib.h>

#include "cli/alertmanager/metrics.h"

enum type { GAUGE, COUNTER };

static const char *const type_names[] = {[GAUGE] = "gauge", [COUNTER] = "counter"};

struct family {
	const char *name; /* without labpulse_bridge_ and _total */
	enum type type;
	const char *help;
	double (*of_bridge)(const struct metrics_facts *f);
	double (*of_target)(const struct target *t);
};

#define BRIDGE(name, expr)                                                                         \
	static double name(const struct metrics_facts *f)                                          \
	{                                                                                          \
		return (double)(expr);                                                             \
	}
#define TARGET(name, expr)                                                                         \
	static double name(const struct target *t)                                                 \
	{                                                                                          \
		return (double)(expr);                                                             \
	}

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

static const struct family families[] = {
	{"uptime_seconds", GAUGE, "Time since the bridge started.", uptime, NULL},
	{"broker_connected", GAUGE, "Whether the broker is connected and its retained topics read.",
		connected, NULL},
	{"broker_connects", COUNTER, "Connections that came so far.", connects, NULL},
	{"broker_silent_seconds", GAUGE, "Time since the last message of the broker.", silent,
		NULL},
	{"messages", COUNTER, "Messages of labpulse.", taken, NULL},
	{"messages_invalid", COUNTER, "Messages that labpulse does not publish.", invalid, NULL},
	{"messages_dropped", COUNTER, "Messages for which there was no room.", dropped, NULL},
	{"gateways", GAUGE, "Known gateways.", gateways, NULL},
	{"gateways_offline", GAUGE, "Gateways that are offline.", gateways_offline, NULL},
	{"alarms", GAUGE, "Alarm topics held by the broker.", alarms, NULL},
	{"alerts_firing", GAUGE, "Alerts that fire.", firing, NULL},
	{"alerts_ended", GAUGE, "Alerts that ended lately and are still told as resolved.", ended,
		NULL},
	{"posts", COUNTER, "Requests to an Alertmanager.", NULL, posts},
	{"posts_failed", COUNTER, "Requests without success.", NULL, failed},
	{"alerts_refused", COUNTER, "Alerts that an Alertmanager refused.", NULL, refused},
	{"alertmanager_up", GAUGE, "Whether the last request succeeded.", NULL, up},
};

/* A URL has no control characters; these two would end the string. */
static void
print_escaped(FILE *out, const char *s)
{
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fputc('\\', out);
		fputc(*s, out);
	}
}

static void
print_number(FILE *out, double v)
{
	if (v == (double)(long long)v)
		fprintf(out, " %lld\n", (long long)v);
	else
		fprintf(out, " %.9g\n", v);
}

static void
print_family(
	FILE *out, const struct family *family, const struct metrics_facts *f, bool openmetrics)
{
	const char *suffix = family->type == COUNTER ? "_total" : "";
	const char *named = openmetrics ? "" : suffix; /* OpenMetrics names the family without it */

	fprintf(out, "# HELP labpulse_bridge_%s%s %s\n", family->name, named, family->help);
	fprintf(out, "# TYPE labpulse_bridge_%s%s %s\n", family->name, named,
		type_names[family->type]);
	if (family->of_bridge) {
		fprintf(out, "labpulse_bridge_%s%s", family->name, suffix);
		print_number(out, family->of_bridge(f));
	}
	for (size_t i = 0; family->of_target && i < f->n_targets; i++) {
		fprintf(out, "labpulse_bridge_%s%s{alertmanager=\"", family->name, suffix);
		print_escaped(out, f->targets[i].url);
		fputs("\"}", out);
		print_number(out, family->of_target(&f->targets[i]));
	}
}

char *
metrics_print(const struct metrics_facts *f, bool openmetrics)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fprintf(out,
		"# HELP labpulse_bridge_build_info Version of the bridge.\n"
		"# TYPE labpulse_bridge_build_info gauge\n"
		"labpulse_bridge_build_info{version=\"%s\"} 1\n",
		LABPULSE_VERSION);
	for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
		print_family(out, &families[i], f, openmetrics);
	if (openmetrics)
		fputs("# EOF\n", out);
	return fclose(out) == 0 ? text : NULL;
}
