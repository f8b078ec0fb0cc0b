/* SPDX-License-Identifier: MIT */
/* judge.c -- from the picture to alerts
 *
 * Alerts of a machine whose gateway is offline stay as they are, since nobody knows better; inhibit
 * them by GatewayOffline (config/alertmanager/alertmanager.yml).
 */
#include "cli/alertmanager/judge.h"

#include <stdio.h>
#include <string.h>

#include "config/json.h"

enum { LABELS_SIZE = 1024, NOTES_SIZE = 128 * 1024 };

struct round {
	const struct judge_facts *facts;
	struct alerts *alerts;
	int64_t next_ms;
};

struct labels {
	const char *code, *park, *gateway, *machine, *class, *severity; /* NULL or "": none */
};

/* In one order, so that the same labels are the same text. */
static const char *
write_labels(const struct labels *l, char buf[LABELS_SIZE])
{
	const struct {
		const char *name, *value;
	} all[] = {
		{"alertname", l->code},
		{"park", l->park},
		{"gateway", l->gateway},
		{"machine", l->machine},
		{"class", l->class},
		{"code", l->code},
		{"severity", l->severity},
	};
	struct json j;

	json_init(&j, buf, LABELS_SIZE);
	json_open(&j, NULL, '{');
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		if (all[i].value && all[i].value[0])
			json_put_string(&j, all[i].name, all[i].value);
	json_close(&j, '}');
	json_end(&j); /* ids and codes are short, so it fits */
	return buf;
}

/* ---- of the parks -----------------------------------------------------------------------------
 */

static void
judge_alarm(struct round *r, const struct picture *p, const struct picture_alarm *alarm)
{
	const struct picture_machine *m =
		alarm->machine[0] ? picture_machine(p, alarm->park, alarm->machine) : NULL;
	const char *titles = m && m->notes ? m->notes : "";
	char labels[LABELS_SIZE], notes[NOTES_SIZE];

	write_labels(&(struct labels){.code = alarm->code,
			     .park = alarm->park,
			     .gateway = alarm->gateway,
			     .machine = alarm->machine,
			     .class = m ? m->class : NULL,
			     .severity = alarm->severity},
		labels);
	snprintf(notes, sizeof notes, "{%s%s%s}", alarm->notes, *titles ? "," : "", titles);
	if (alarm->firing)
		alerts_fire(r->alerts, labels, notes, alarm->raised_ms);
	else
		alerts_end(r->alerts, labels, notes, alarm->raised_ms, alarm->ended_ms,
			r->facts->now_ms);
}

/* Whether what began at since_ms has lasted for the hold; if not, that is looked at then. */
static bool
is_held(struct round *r, int64_t since_ms)
{
	int64_t due_ms = since_ms + r->facts->hold_ms;

	if (due_ms <= r->facts->now_ms)
		return true;
	if (due_ms < r->next_ms)
		r->next_ms = due_ms;
	return false;
}

static void
judge_gateway(struct round *r, const struct picture_gateway *g)
{
	char labels[LABELS_SIZE], notes[512];

	if (!g->told || !g->offline || !is_held(r, g->since_ms))
		return;
	write_labels(&(struct labels){.code = "GatewayOffline",
			     .park = g->park,
			     .gateway = g->id,
			     .severity = "error"},
		labels);
	snprintf(notes, sizeof notes,
		"{\"summary\":\"Gateway %s of %s is offline\",\"text_ru\":\"Шлюз %s (%s) не на "
		"связи\",\"text_en\":\"Gateway %s of %s is offline\",\"hint\":\"power, network, "
		"then systemctl status labpulsed on the gateway\"}",
		g->id, g->park, g->id, g->park, g->id, g->park);
	alerts_fire(r->alerts, labels, notes, g->since_ms);
}

/* ---- of the bridge itself ---------------------------------------------------------------------
 */

static void
fire_own(struct round *r, const char *code, const char *severity, const char *notes,
	int64_t since_ms)
{
	char labels[LABELS_SIZE];

	write_labels(&(struct labels){.code = code, .severity = severity}, labels);
	alerts_fire(r->alerts, labels, notes, since_ms);
}

static void
judge_self(struct round *r, bool full)
{
	const struct judge_facts *f = r->facts;

	fire_own(r, "LabpulseBridgeAlive", "info",
		"{\"summary\":\"labpulse-alertmanager runs; it is an alarm when this alert is "
		"missing\"}",
		f->started_ms);
	if (f->away_ms && is_held(r, f->away_ms))
		fire_own(r, "LabpulseBrokerAway", "error",
			"{\"summary\":\"labpulse-alertmanager has no broker; alarms are as they were "
			"before\",\"text_ru\":\"Нет связи с брокером MQTT; аварии показаны как до "
			"обрыва\"}",
			f->away_ms);
	if (full)
		fire_own(r, "LabpulseBridgeFull", "error",
			"{\"summary\":\"labpulse-alertmanager has no room for all alarms; some are "
			"missing\",\"text_ru\":\"Аварий слишком много, часть не показана\"}",
			f->started_ms);
}

int64_t
judge(const struct picture *p, const struct judge_facts *f, struct alerts *a)
{
	struct round r = {.facts = f, .alerts = a, .next_ms = p->drop_ms ? p->drop_ms : INT64_MAX};

	alerts_begin(a);
	judge_self(&r, p->full);
	for (const struct map_node *i = p->gateways.first; i; i = i->next)
		judge_gateway(&r, (const struct picture_gateway *)i);
	for (const struct map_node *i = p->alarms.first; i; i = i->next)
		judge_alarm(&r, p, (const struct picture_alarm *)i);
	alerts_finish_round(a, f->now_ms);
	return r.next_ms;
}
