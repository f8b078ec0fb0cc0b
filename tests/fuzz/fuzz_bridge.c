/* SPDX-License-Identifier: MIT */
/* fuzz_bridge.c -- whatever a broker may tell labpulse-alertmanager
 *
 * The input is messages, each ended by 0x1E: the topic, a line end, the payload; an empty one is a
 * new connection. What Alertmanager would be sent is JSON that it takes: labels are ids, an alert
 * does not end before it starts. What Prometheus is told has a row for each park, and each machine
 * stands in one state.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cli/alertmanager/fleet.h"
#include "cli/alertmanager/judge.h"
#include "config/exposition.h"

enum { MESSAGE_END = 0x1E, MINUTE_MS = 60000 };

#define NOW_MS 1767225600000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
take(struct picture *p, const char *message, size_t n, int64_t now_ms)
{
	const char *end = memchr(message, '\n', n);
	size_t len = end ? (size_t)(end - message) : n;
	char *topic = strndup(message, len), *payload = malloc(n + 1);

	assert(topic && payload);
	size_t n_payload = end ? n - len - 1 : 0;
	memcpy(payload, message + n - n_payload, n_payload);
	picture_take(p, topic, payload, n_payload, now_ms);
	free(topic);
	free(payload);
}

static void
check_labels(json_t *labels)
{
	const char *name;
	json_t *value;

	assert(json_object_get(labels, "alertname") && json_object_get(labels, "severity"));
	json_object_foreach(labels, name, value)
	{
		const char *s = json_string_value(value);
		assert(s && s[0] && strlen(s) < PICTURE_CODE);
		for (; *s; s++)
			assert(strchr(
				"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-",
				*s));
	}
}

static void
check_body(const char *body, size_t n)
{
	json_t *alerts = json_loads(body, JSON_REJECT_DUPLICATES, NULL), *alert;
	size_t i;

	assert(alerts && json_array_size(alerts) == n);
	json_array_foreach(alerts, i, alert)
	{
		const char *starts = json_string_value(json_object_get(alert, "startsAt"));
		const char *ends = json_string_value(json_object_get(alert, "endsAt"));
		check_labels(json_object_get(alert, "labels"));
		assert(json_is_object(json_object_get(alert, "annotations")));
		assert(starts && ends && strlen(starts) == 24 && strcmp(starts, ends) <= 0);
	}
	json_decref(alerts);
}

static void
reconnect(struct picture *p, int64_t now_ms)
{
	picture_settled(p, now_ms, MINUTE_MS);
	picture_tick(p, now_ms + MINUTE_MS);
	picture_connected(p);
}

static void
check_fleet(const struct picture *p, int64_t now_ms)
{
	struct fleet f = fleet_count(p);
	size_t counted = 0, known = 0;
	struct exposition e;

	assert(f.rows && f.n == p->parks.n);
	for (size_t i = 0; i < f.n; i++) {
		assert(f.rows[i].heard_ms >= 0 && f.rows[i].heard_ms <= now_ms);
		for (size_t s = 0; s < PICTURE_STATES; s++)
			counted += f.rows[i].machines[s];
	}
	for (const struct map_node *i = p->machines.first; i; i = i->next)
		known += ((const struct picture_machine *)i)->has_state;
	assert(counted == known);
	exposition_begin(&e, true);
	fleet_print(&e, &f);
	free(exposition_end(&e));
	fleet_finish(&f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct picture picture = {0};
	struct alerts alerts = {0};
	const char *at = (const char *)data, *end = at + size;
	uint64_t version = 0;
	int64_t now_ms = NOW_MS;
	size_t n;

	picture_connected(&picture);
	for (; at < end; now_ms += MINUTE_MS) {
		const char *stop = memchr(at, MESSAGE_END, (size_t)(end - at));
		if (stop == at)
			reconnect(&picture, now_ms);
		else
			take(&picture, at, (size_t)((stop ? stop : end) - at), now_ms);
		at = stop ? stop + 1 : end;
	}
	check_fleet(&picture, now_ms);
	judge(&picture, &(struct judge_facts){.now_ms = now_ms, .started_ms = NOW_MS}, &alerts);
	char *body = alerts_body(&alerts, &version, alerts.all.n, now_ms, MINUTE_MS, &n);
	assert(body);
	check_body(body, n);
	free(body);
	alerts_free(&alerts);
	picture_finish(&picture);
	return 0;
}
