/* SPDX-License-Identifier: MIT */
/* payload_hass.c -- a machine as Home Assistant is told of it: one device with its entities
 *
 * Everything is shown from topics that exist anyhow, and from retained ones, so that Home Assistant
 * has all values right after its start. Templates are asked for keys that may be missing with
 * get(): then they give None, which Home Assistant shows as unknown.
 *
 * What an entity is called for programs (its key in `components`, unique_id): a capital letter for
 * its kind and its own id. Ids have no capitals, so two things never share a name: P-meter-power_w
 * is a point, A-meter-hot an alarm, U-busy_s a total, S-state how the machine is.
 */
#include "daemon/payload_hass.h"

#include <stdio.h>
#include <string.h>

#include "config/json.h"
#include "daemon/hass_kind.h"

enum { TOPIC_SIZE = 256, NAME_SIZE = 192, CLOSING = 4 }; /* CLOSING: "}}" and NUL */

struct writer {
	struct json j, before; /* before: as it was when the entity was begun */
	const struct config *config;
	const struct machine *machine;
	size_t size, left_out;
};

/* Whose value the machine itself says. */
struct shown {
	const char *id, *template, *device_class, *unit, *state_class;
	const char *const *options;
	bool diagnostic;
	struct text name;
};

static const char *const states[] = {
	"offline", "fault", "off", "idle", "busy", "paused", "unknown", NULL};
static const char *const activities[] = {"off", "idle", "busy", "paused", "unknown", NULL};
static const char *const conditions[] = {"normal", "warning", "fault", NULL};

#define WORD(id_, options_, ...)                                                                   \
	{                                                                                          \
		.id = id_, .device_class = "enum", .options = options_, .name = __VA_ARGS__        \
	}
#define SECONDS(id_, diagnostic_, ...)                                                             \
	{                                                                                          \
		.id = id_, .device_class = "duration", .unit = "s",                                \
		.state_class = "total_increasing", .diagnostic = diagnostic_, .name = __VA_ARGS__  \
	}
#define TIMES(id_, ...)                                                                            \
	{                                                                                          \
		.id = id_, .state_class = "total_increasing", .name = __VA_ARGS__                  \
	}

/* Of the topic `state`. */
static const struct shown how_it_is[] = {
	WORD("state", states, {"Состояние", "State"}),
	WORD("activity", activities, {"Занятость", "Activity"}),
	WORD("condition", conditions, {"Исправность", "Condition"}),
	{.id = "progress",
		.template = "{{ (value_json['progress'] * 100) | round(1) "
			    "if value_json['progress'] is number else none }}",
		.unit = "%",
		.state_class = "measurement",
		.name = {"Выполнено", "Job progress"}},
};

/* Of the topic `usage`. */
static const struct shown totals[] = {
	SECONDS("busy_s", false, {"Наработка: занят", "Time busy"}),
	SECONDS("idle_s", false, {"Наработка: простой", "Time idle"}),
	SECONDS("off_s", false, {"Наработка: выключен", "Time off"}),
	SECONDS("paused_s", false, {"Наработка: пауза", "Time paused"}),
	SECONDS("fault_s", false, {"Наработка: авария", "Time in fault"}),
	SECONDS("offline_s", true, {"Наработка: нет связи", "Time offline"}),
	SECONDS("unknown_s", true, {"Наработка: неизвестно", "Time unknown"}),
	TIMES("jobs_started", {"Работ начато", "Jobs started"}),
	TIMES("jobs_finished", {"Работ закончено", "Jobs finished"}),
	TIMES("jobs_failed", {"Работ прервано", "Jobs failed"}),
	TIMES("alarms_raised", {"Аварий", "Alarms raised"}),
	{.id = "energy_wh",
		.device_class = "energy",
		.unit = "Wh",
		.state_class = "total_increasing",
		.name = {"Энергия", "Energy"}},
};

/* ---- names and topics ---------------------------------------------------------------------- */

static const char *
machine_topic(const struct writer *w, const char *leaf, char *buf)
{
	snprintf(buf, TOPIC_SIZE, "%s/%s/machines/%s/%s", w->config->mqtt.topic_root,
		w->config->park, w->machine->config->id, leaf);
	return buf;
}

static const char *
gateway_availability(const struct writer *w, char *buf)
{
	snprintf(buf, TOPIC_SIZE, "%s/%s/gateways/%s/availability", w->config->mqtt.topic_root,
		w->config->park, w->config->gateway);
	return buf;
}

/* What Home Assistant may call it: "sensor.ryazan_laser_1_meter_power_w". */
static void
put_entity_id(struct writer *w, const char *platform, const char *id)
{
	char plain[NAME_SIZE];
	int n = snprintf(plain, sizeof(plain), "%s.%s_%s_%s", platform, w->config->park,
		w->machine->config->id, id);
	size_t len = 0;
	for (int i = 0; i < n && plain[i]; i++) {
		char c = plain[i] == '-' ? '_' : plain[i];
		if (c != '_' || (len && plain[len - 1] != '_'))
			plain[len++] = c;
	}
	plain[len] = '\0';
	json_put_string(&w->j, "default_entity_id", plain);
}

/* ---- one entity ---------------------------------------------------------------------------- */

static void
begin_entity(struct writer *w, const char *platform, char kind, const char *id, const char *name)
{
	char key[NAME_SIZE];
	w->before = w->j;
	snprintf(key, sizeof(key), "%c-%s", kind, id);
	json_open(&w->j, key, '{');
	json_put_string(&w->j, "platform", platform);
	snprintf(key, sizeof(key), "labpulse-%s-M-%s-%c-%s", w->config->park,
		w->machine->config->id, kind, id);
	json_put_string(&w->j, "unique_id", key);
	put_entity_id(w, platform, id);
	json_put_string(&w->j, "name", name);
}

/* What does not fit is taken back as a whole. */
static void
end_entity(struct writer *w)
{
	json_close(&w->j, '}');
	if (!w->j.failed && w->j.len + CLOSING <= w->size)
		return;
	w->j = w->before;
	w->left_out++;
}

static void
put_if(struct writer *w, const char *key, const char *text)
{
	if (text)
		json_put_string(&w->j, key, text);
}

/* Known also while the machine is offline: then only the gateway counts. */
static void
put_gateway_only(struct writer *w)
{
	char topic[TOPIC_SIZE];
	json_open(&w->j, "availability", '[');
	json_open(&w->j, NULL, '{');
	json_put_string(&w->j, "topic", gateway_availability(w, topic));
	json_close(&w->j, '}');
	json_close(&w->j, ']');
}

static void
put_shown(struct writer *w, char kind, const struct shown *s, const char *topic)
{
	char text[NAME_SIZE];
	begin_entity(w, "sensor", kind, s->id, config_text(&s->name, w->config->language));
	put_if(w, "state_topic", topic);
	snprintf(text, sizeof(text), "{{ value_json.get('%s') }}", s->id);
	json_put_string(&w->j, "value_template", s->template ? s->template : text);
	put_if(w, "device_class", s->device_class);
	put_if(w, "unit_of_measurement", s->unit);
	put_if(w, "state_class", s->state_class);
	if (s->diagnostic)
		json_put_string(&w->j, "entity_category", "diagnostic");
	if (s->options) {
		json_open(&w->j, "options", '[');
		for (size_t i = 0; s->options[i]; i++)
			json_put_string(&w->j, NULL, s->options[i]);
		json_close(&w->j, ']');
	}
	put_gateway_only(w);
	end_entity(w);
}

/* ---- what a machine has -------------------------------------------------------------------- */

static void
put_machine(struct writer *w)
{
	char usage[TOPIC_SIZE];
	machine_topic(w, "usage", usage);
	for (size_t i = 0; i < sizeof(how_it_is) / sizeof(how_it_is[0]); i++)
		put_shown(w, 'S', &how_it_is[i], NULL);
	for (size_t i = 0; i < sizeof(totals) / sizeof(totals[0]); i++)
		put_shown(w, 'U', &totals[i], usage);
}

/* On or off is what `state` lists, so it is known from the start; the alarm's own topic, which is
 * there only from the first time that it was raised, gives the attributes. */
static void
put_alarm(struct writer *w, const struct alarm_spec *spec)
{
	char text[TOPIC_SIZE], leaf[128];
	const char *name = config_text(&spec->text, w->config->language);
	begin_entity(w, "binary_sensor", 'A', spec->code, name[0] ? name : spec->code);
	json_put_string(&w->j, "device_class", "problem");
	snprintf(text, sizeof(text), "{{ 'ON' if '%s' in value_json['alarms'] else 'OFF' }}",
		spec->code);
	json_put_string(&w->j, "value_template", text);
	snprintf(leaf, sizeof(leaf), "alarm/%s", spec->code);
	json_put_string(&w->j, "json_attributes_topic", machine_topic(w, leaf, text));
	json_put_string(&w->j, "json_attributes_template", "{{ value if value else '{}' }}");
	put_gateway_only(w);
	end_entity(w);
}

static void
put_alarms(struct writer *w)
{
	for (size_t i = 0; i < alarmset_size(w->machine->alarms); i++) {
		const struct alarm_spec *spec = &alarmset_at(w->machine->alarms, i)->spec;
		if (!spec->test && !alarmset_is_gone(w->machine->alarms, spec->code))
			put_alarm(w, spec);
	}
}

/* Two numbers of a device may mean the same word; an option stands once. */
static void
put_words(struct writer *w, const struct reg_point *p)
{
	json_open(&w->j, "options", '[');
	for (size_t i = 0; i < p->n_enums; i++) {
		size_t k = 0;
		while (strcmp(p->enums[k].key, p->enums[i].key) != 0)
			k++;
		if (k == i)
			json_put_string(&w->j, NULL, p->enums[i].key);
	}
	json_close(&w->j, ']');
}

/* Of several sources each says whose it is: two meters both have an active power. */
static const char *
point_name(const struct writer *w, const struct source *s, const struct point *p, char *buf)
{
	const char *title = config_text(&p->title, w->config->language);
	if (!title[0])
		title = p->id;
	if (w->machine->n_sources > 1)
		snprintf(buf, NAME_SIZE, "%s: %s", s->config->id, title);
	else
		snprintf(buf, NAME_SIZE, "%s", title);
	return buf;
}

static void
put_point(struct writer *w, const struct source *s, const struct reg_point *p)
{
	static const char *const platforms[] = {
		[HASS_SENSOR] = "sensor", [HASS_BINARY_SENSOR] = "binary_sensor"};
	struct hass_kind kind = hass_kind_of(p);
	char text[NAME_SIZE], id[NAME_SIZE];
	snprintf(id, sizeof(id), "%s-%s", s->config->id, p->point.id);
	begin_entity(w, platforms[kind.platform], 'P', id, point_name(w, s, &p->point, text));
	snprintf(text, sizeof(text), "{{ value_json['values'].get('%s.%s') }}", s->config->id,
		p->point.id);
	json_put_string(&w->j, "value_template", text);
	put_if(w, "device_class", kind.device_class);
	put_if(w, "unit_of_measurement", kind.unit);
	put_if(w, "state_class", kind.state_class);
	if (kind.words)
		put_words(w, p);
	if (kind.platform == HASS_BINARY_SENSOR) { /* as a template writes true and false */
		json_put_string(&w->j, "payload_on", "True");
		json_put_string(&w->j, "payload_off", "False");
	}
	end_entity(w);
}

static void
put_points(struct writer *w)
{
	for (size_t i = 0; i < w->machine->n_sources; i++) {
		const struct source *s = w->machine->sources[i];
		for (size_t k = 0; k < s->n_points; k++)
			put_point(w, s, &s->config->profile->regs.points[s->points[k]]);
	}
}

/* ---- the whole ----------------------------------------------------------------------------- */

/* What a machine with one device of its own says it is, else its class. */
static const char *
model(const struct machine *m)
{
	const char *says = m->n_sources == 1 && m->sources[0]->config->device
				   ? m->sources[0]->present.device
				   : "";
	return says[0] ? says : m->config->class;
}

static void
put_device(struct writer *w)
{
	char id[NAME_SIZE];
	snprintf(id, sizeof(id), "labpulse-%s-M-%s", w->config->park, w->machine->config->id);
	json_open(&w->j, "device", '{');
	json_open(&w->j, "identifiers", '[');
	json_put_string(&w->j, NULL, id);
	json_close(&w->j, ']');
	json_put_string(
		&w->j, "name", config_text(&w->machine->config->title, w->config->language));
	json_put_string(&w->j, "model", model(w->machine));
	json_put_string(&w->j, "suggested_area", w->config->park);
	json_close(&w->j, '}');
	json_open(&w->j, "origin", '{');
	json_put_string(&w->j, "name", "labpulse");
	json_put_string(&w->j, "sw_version", LABPULSE_VERSION);
	json_close(&w->j, '}');
}

/* What entities have in common unless they say otherwise. */
static void
put_common(struct writer *w)
{
	char topic[TOPIC_SIZE];
	json_open(&w->j, "availability", '[');
	json_open(&w->j, NULL, '{');
	json_put_string(&w->j, "topic", gateway_availability(w, topic));
	json_close(&w->j, '}');
	json_open(&w->j, NULL, '{');
	json_put_string(&w->j, "topic", machine_topic(w, "availability", topic));
	json_close(&w->j, '}');
	json_close(&w->j, ']');
	json_put_string(&w->j, "availability_mode", "all");
	json_put_string(&w->j, "state_topic", machine_topic(w, "state", topic));
	json_put_int(&w->j, "qos", 1);
}

size_t
payload_hass(
	char *buf, size_t size, const struct config *c, const struct machine *m, size_t *left_out)
{
	struct writer w = {.config = c,
		.machine = m,
		.size = size < PAYLOAD_HASS_MAX ? size : PAYLOAD_HASS_MAX};
	json_init(&w.j, buf, w.size);
	json_open(&w.j, NULL, '{');
	put_device(&w);
	put_common(&w);
	json_open(&w.j, "components", '{');
	put_machine(&w);
	put_alarms(&w);
	put_points(&w);
	json_close(&w.j, '}');
	json_close(&w.j, '}');
	*left_out = w.left_out;
	return json_end(&w.j);
}
