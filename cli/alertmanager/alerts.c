/* SPDX-License-Identifier: MIT */
/* alerts.c -- what Alertmanagers are told */
#include "cli/alertmanager/alerts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "config/json.h"

enum {
	TIME_SIZE = 40,
	FRAME = 2 * TIME_SIZE + 80, /* of one alert, without labels and annotations */
	BODY_MAX = 1024 * 1024
};

static void
changed(struct alerts *a, struct alert *alert)
{
	alert->version = ++a->version;
	map_to_end(&a->all, alert);
}

/* Finds it, or adds it; NULL: out of memory, and it is tried again in the next round. */
static struct alert *
name_alert(struct alerts *a, const char *labels, const char *notes, int64_t starts_ms)
{
	struct alert *alert = map_find(&a->all, labels);
	bool same = alert && !strcmp(alert->notes, notes) && alert->starts_ms == starts_ms;

	if (!alert)
		alert = map_add(&a->all, labels, sizeof *alert);
	if (!alert)
		return NULL;
	alert->round = a->round;
	alert->starts_ms = starts_ms;
	if (same)
		return alert;
	char *copy = strdup(notes);
	if (!copy && !alert->notes) {
		map_remove(&a->all, alert);
		return NULL;
	}
	if (copy) {
		free(alert->notes);
		alert->notes = copy;
	}
	changed(a, alert);
	return alert;
}

void
alerts_begin(struct alerts *a)
{
	a->round++;
	a->n_firing = 0;
}

void
alerts_fire(struct alerts *a, const char *labels, const char *notes, int64_t starts_ms)
{
	struct alert *alert = name_alert(a, labels, notes, starts_ms);

	if (!alert)
		return;
	if (alert->ends_ms)
		changed(a, alert);
	alert->ends_ms = 0;
	a->n_firing++;
}

static void
end(struct alerts *a, struct alert *alert, int64_t ends_ms, int64_t now_ms)
{
	alert->ends_ms = ends_ms > alert->starts_ms ? ends_ms : alert->starts_ms;
	alert->forget_ms = now_ms + ALERTS_REPEAT_MS;
	changed(a, alert);
}

void
alerts_end(struct alerts *a, const char *labels, const char *notes, int64_t starts_ms,
	int64_t ends_ms, int64_t now_ms)
{
	bool known = map_find(&a->all, labels) != NULL;

	if (!known && now_ms - ends_ms >= ALERTS_REPEAT_MS)
		return;
	struct alert *alert = name_alert(a, labels, notes, starts_ms);
	if (alert && !alert->ends_ms)
		end(a, alert, ends_ms, now_ms);
}

void
alerts_finish_round(struct alerts *a, int64_t now_ms)
{
	size_t n_ended = a->all.n - a->n_firing;
	uint64_t before = a->version; /* what ends now moves behind it and is not looked at again */

	for (struct map_node *i = a->all.first, *next; i; i = next) {
		struct alert *alert = (struct alert *)i;
		next = i->next;
		if (alert->version > before)
			break;
		if (alert->ends_ms && (now_ms >= alert->forget_ms || n_ended > ALERTS_ENDED_MAX)) {
			free(alert->notes);
			map_remove(&a->all, alert);
			n_ended--;
		} else if (!alert->ends_ms && alert->round != a->round) {
			end(a, alert, now_ms, now_ms);
		}
	}
}

/* ---- as JSON ----------------------------------------------------------------------------------
 */

/* RFC 3339; returns buf. */
static const char *
show_time(int64_t ms, char buf[TIME_SIZE])
{
	time_t t = (time_t)(ms / 1000);
	struct tm tm;
	size_t n = strftime(buf, TIME_SIZE, "%Y-%m-%dT%H:%M:%S", gmtime_r(&t, &tm));

	snprintf(buf + n, TIME_SIZE - n, ".%03dZ", (int)(ms % 1000));
	return buf;
}

static void
put_alert(struct json *j, const struct alert *alert, int64_t holds_until_ms)
{
	char starts[TIME_SIZE], ends[TIME_SIZE];

	json_open(j, NULL, '{');
	json_put_text(j, "labels", alert->node.key, strlen(alert->node.key));
	json_put_text(j, "annotations", alert->notes, strlen(alert->notes));
	json_put_string(j, "startsAt", show_time(alert->starts_ms, starts));
	json_put_string(
		j, "endsAt", show_time(alert->ends_ms ? alert->ends_ms : holds_until_ms, ends));
	json_close(j, '}');
}

/* The oldest that is newer; they are found from the end, where the few that changed are. */
static const struct alert *
first_after(const struct alerts *a, uint64_t version)
{
	const struct alert *found = NULL;

	for (const struct map_node *i = a->all.last; i; i = i->prev) {
		const struct alert *alert = (const struct alert *)i;
		if (alert->version <= version)
			break;
		found = alert;
	}
	return found;
}

char *
alerts_body(const struct alerts *a, uint64_t *version, size_t max, int64_t now_ms,
	int64_t refresh_ms, size_t *n)
{
	const struct alert *first = first_after(a, *version);
	size_t size = 8;
	struct json j;

	*n = 0;
	for (const struct alert *i = first; i && *n < max && size < BODY_MAX;
		i = (const struct alert *)i->node.next) {
		size += strlen(i->node.key) + strlen(i->notes) + FRAME;
		++*n;
	}
	char *body = *n ? malloc(size) : NULL;
	if (!body)
		return NULL;
	json_init(&j, body, size);
	json_open(&j, NULL, '[');
	for (size_t i = 0; i < *n; i++, first = (const struct alert *)first->node.next) {
		put_alert(&j, first, now_ms + ALERTS_HOLD * refresh_ms);
		*version = first->version;
	}
	json_close(&j, ']');
	json_end(&j);
	return body;
}

void
alerts_free(struct alerts *a)
{
	while (a->all.first) {
		free(((struct alert *)a->all.first)->notes);
		map_remove(&a->all, a->all.first);
	}
}
