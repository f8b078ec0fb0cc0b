/* SPDX-License-Identifier: MIT */
/* picture.c -- one table of topics; each has a function that takes its payload */
#include "cli/alertmanager/picture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/alertmanager/notes.h"
#include "cli/alertmanager/picture_impl.h"
#include "config/scalar.h"

enum {
	PAYLOAD_MAX = 256 * 1024,
	/* A gateway tells its health once a minute, so when one is found offline it was alive at
	 * that time and not a minute later. */
	HEALTH_MS = 60000,
	OVERHEAD = 160 /* of a thing: of malloc(3), the tree, and its share of the park */
};

const char *const picture_severities[PICTURE_SEVERITIES] = {"info", "warning", "error", "critical"};

#define OF_ALERTS                                                                                  \
	"parks/+/gateways/+/health", "parks/+/gateways/+/availability",                            \
		"parks/+/gateways/+/alarm/+", "parks/+/machines/+/alarm/+",                        \
		"parks/+/machines/+/info"

const char *const *
picture_topics(bool fleet)
{
	static const char *const of_alerts[] = {OF_ALERTS, NULL};
	static const char *const all[] = {
		OF_ALERTS, "parks/+/machines/+/usage", "parks/+/machines/+/state", NULL};

	return fleet ? all : of_alerts;
}

bool
picture_is_id(const char *s)
{
	return scalar_matches(
		s, SCALAR_LOWER SCALAR_DIGIT, SCALAR_LOWER SCALAR_DIGIT "_-", 1, PICTURE_ID - 1);
}

static bool
is_code(const char *s)
{
	return scalar_matches(
		s, SCALAR_LOWER SCALAR_DIGIT, SCALAR_LOWER SCALAR_DIGIT "-", 1, PICTURE_CODE - 1);
}

void
picture_copy_id(char to[PICTURE_ID], const char *id)
{
	snprintf(to, PICTURE_ID, "%s", id);
}

/* ---- room -------------------------------------------------------------------------------------
 */

static struct picture_park *
find_or_add_park(struct picture *p, const char *park)
{
	struct picture_park *found = map_find(&p->parks, park);

	if (found || p->parks.n >= PICTURE_PARKS)
		return found;
	return map_add(&p->parks, park, sizeof *found);
}

static void
drop_if_empty(struct picture *p, struct picture_park *park)
{
	if (!park->bytes)
		map_remove(&p->parks, park);
}

void *
picture_add(struct picture *p, struct map *m, const char *key, const char *park, size_t size,
	size_t more)
{
	struct picture_thing *thing = map_find(m, key);
	struct picture_park *owner = thing ? thing->park : find_or_add_park(p, park);
	size_t bytes = size + strlen(key) + more + OVERHEAD, had = thing ? thing->bytes : 0;
	size_t of_park = (owner ? owner->bytes : 0) - had + bytes, of_all = p->bytes - had + bytes;
	bool fits = owner && of_park <= PICTURE_PARK_BYTES && of_all <= PICTURE_BYTES;

	p->full |= !fits;
	if (owner)
		owner->refused |= of_park > PICTURE_PARK_BYTES;
	if (!fits && bytes > had)
		thing = NULL;
	else if (!thing)
		thing = map_add(m, key, size);
	if (thing) {
		thing->bytes = bytes;
		thing->park = owner;
		owner->bytes = of_park;
		p->bytes = of_all;
	} else if (owner) {
		drop_if_empty(p, owner);
	}
	return thing;
}

void
picture_forget(struct picture *p, struct map *m, void *thing)
{
	struct picture_park *park = ((struct picture_thing *)thing)->park;
	size_t bytes = ((struct picture_thing *)thing)->bytes;

	map_remove(m, thing);
	p->bytes -= bytes;
	park->bytes -= bytes;
	drop_if_empty(p, park);
}

/* Less than all, so that it is not full again at once. */
static bool
is_roomy(size_t used, size_t of)
{
	return used < of - of / 8;
}

bool
picture_has_room_again(const struct picture *p)
{
	if (!p->full || !is_roomy(p->bytes, PICTURE_BYTES) || !is_roomy(p->parks.n, PICTURE_PARKS))
		return false;
	for (const struct map_node *i = p->parks.first; i; i = i->next) {
		const struct picture_park *park = (const struct picture_park *)i;
		if (park->refused && !is_roomy(park->bytes, PICTURE_PARK_BYTES))
			return false;
	}
	return true;
}

/* ---- time -------------------------------------------------------------------------------------
 */

static int64_t
clamp(int64_t ms, int64_t low, int64_t high)
{
	return ms < low ? low : ms > high ? high : ms;
}

static void
heard_at(struct picture_park *park, int64_t ms)
{
	if (ms > park->heard_ms)
		park->heard_ms = ms;
}

void
picture_heard(struct picture_park *park, const struct doc *d, int64_t now_ms)
{
	heard_at(park, clamp(doc_int(d, "ts", 0), 0, now_ms));
}

/* ---- gateways ---------------------------------------------------------------------------------
 */

static void
gateway_key(char key[PICTURE_KEY], const char *park, const char *gateway)
{
	snprintf(key, PICTURE_KEY, "%s/%s", park, gateway);
}

static struct picture_gateway *
find_gateway(struct picture *p, const struct place *at)
{
	char key[PICTURE_KEY];

	gateway_key(key, at->park, at->id);
	struct picture_gateway *g =
		picture_add(p, &p->gateways, key, at->park, sizeof(struct picture_gateway), 0);
	if (g) {
		picture_copy_id(g->park, at->park);
		picture_copy_id(g->id, at->id);
	}
	return g;
}

const struct picture_gateway *
picture_gateway(const struct picture *p, const char *park, const char *gateway)
{
	char key[PICTURE_KEY];

	gateway_key(key, park, gateway);
	return map_find(&p->gateways, key);
}

static int64_t
went_offline(const struct picture_gateway *g, int64_t now_ms)
{
	bool known = g->heard_ms > 0 && g->heard_ms <= now_ms - HEALTH_MS;

	return known ? g->heard_ms + HEALTH_MS : now_ms;
}

static enum picture_verdict
take_availability(struct picture *p, const struct place *at)
{
	bool offline = at->len == 7 && !memcmp(at->payload, "offline", 7);

	if (at->len && !offline && (at->len != 6 || memcmp(at->payload, "online", 6) != 0))
		return PICTURE_INVALID;
	struct picture_gateway *g = find_gateway(p, at);
	if (!g)
		return PICTURE_FULL;
	if (!at->len) {
		picture_forget(p, &p->gateways, g);
		return PICTURE_TAKEN;
	}
	if (offline && !(g->told && g->offline))
		g->since_ms = went_offline(g, at->now_ms);
	g->told = true;
	g->offline = offline;
	g->connection = p->connection;
	return PICTURE_TAKEN;
}

static enum picture_verdict
take_health(struct picture *p, const struct place *at)
{
	struct doc *d = at->len ? doc_parse(at->payload, at->len) : NULL;
	enum picture_verdict verdict = at->len ? PICTURE_INVALID : PICTURE_IGNORED;

	if (doc_int(d, "ts", -1) < 0)
		goto out;
	struct picture_gateway *g = find_gateway(p, at);
	verdict = PICTURE_FULL;
	if (!g)
		goto out;
	g->heard_ms = doc_int(d, "ts", 0);
	picture_heard(g->thing.park, d, at->now_ms);
	verdict = PICTURE_IGNORED; /* it changes nothing by itself */
out:
	doc_free(d);
	return verdict;
}

/* ---- alarms -----------------------------------------------------------------------------------
 */

static void
drop_alarm(struct picture *p, struct picture_alarm *a)
{
	free(a->notes);
	picture_forget(p, &p->alarms, a);
}

static const char *
find_severity(const char *word)
{
	for (size_t i = 0; i < PICTURE_SEVERITIES; i++)
		if (!strcmp(word, picture_severities[i]))
			return picture_severities[i];
	return NULL;
}

/* What its life says: `a` holds what was known of it before, or zeroes. */
static void
take_life(struct picture_alarm *a, const struct doc *d, int64_t now_ms)
{
	bool active = doc_flag(d, "active", false);
	bool firing = active && !doc_text(d, "suppressed_by", NULL);
	int64_t raised = clamp(doc_int(d, "raised", 0), 0, now_ms);
	bool known = a->notes && !a->firing && a->raised_ms == raised;

	if (firing)
		a->ended_ms = 0;
	else if (!known) /* when it became suppressed is not told */
		a->ended_ms =
			active ? now_ms : clamp(doc_int(d, "cleared", now_ms), raised, now_ms);
	a->firing = firing;
	a->raised_ms = raised;
}

/* Whether it is an alarm at all; what is missing may have been added by anybody. */
static bool
is_alarm(const struct doc *d, const struct place *at)
{
	return doc_int(d, "v", 0) == 1 && doc_int(d, "raised", -1) >= 0 &&
	       find_severity(doc_text(d, "severity", "")) &&
	       (at->of_gateway || picture_is_id(doc_text(d, "gw", "")));
}

static enum picture_verdict
keep_alarm(struct picture *p, const char *key, const struct place *at, const struct doc *d)
{
	char *notes = is_alarm(d, at) ? notes_of_alarm(d, at->code) : NULL;

	if (!notes)
		return PICTURE_INVALID;
	struct picture_alarm *a =
		picture_add(p, &p->alarms, key, at->park, sizeof *a, strlen(notes));
	enum picture_verdict verdict = a ? PICTURE_TAKEN : PICTURE_FULL;
	if (!a) { /* that it ended is to be known even if its new text has no room */
		free(notes);
		notes = NULL;
		a = map_find(&p->alarms, key);
	}
	if (!a)
		return verdict;
	take_life(a, d, at->now_ms);
	picture_copy_id(a->park, at->park);
	picture_copy_id(a->machine, at->of_gateway ? "" : at->id);
	picture_copy_id(a->gateway, at->of_gateway ? at->id : doc_text(d, "gw", ""));
	snprintf(a->code, sizeof a->code, "%s", at->code);
	a->severity = find_severity(doc_text(d, "severity", ""));
	a->connection = p->connection;
	if (notes) {
		free(a->notes);
		a->notes = notes;
	}
	return verdict;
}

static enum picture_verdict
take_alarm(struct picture *p, const struct place *at)
{
	char key[PICTURE_KEY];

	snprintf(key, sizeof key, "%s/%c/%s/%s", at->park, at->of_gateway ? 'g' : 'm', at->id,
		at->code);
	if (!at->len) {
		struct picture_alarm *a = map_find(&p->alarms, key);
		if (a)
			drop_alarm(p, a);
		return a ? PICTURE_TAKEN : PICTURE_IGNORED;
	}
	struct doc *d = doc_parse(at->payload, at->len);
	enum picture_verdict verdict = keep_alarm(p, key, at, d);
	doc_free(d);
	return verdict;
}

/* ---- messages ---------------------------------------------------------------------------------
 */

static const struct {
	const char *whose, *what;
	enum picture_verdict (*take)(struct picture *p, const struct place *at);
	bool coded; /* a CODE follows */
} kinds[] = {
	{"machines", "info", picture_take_info, false},
	{"machines", "state", picture_take_state, false},
	{"machines", "usage", picture_take_usage, false},
	{"gateways", "health", take_health, false},
	{"gateways", "availability", take_availability, false},
	{"gateways", "alarm", take_alarm, true},
	{"machines", "alarm", take_alarm, true},
};

static enum picture_verdict
take(struct picture *p, const struct place *at, const char *whose, const char *what)
{
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (!strcmp(whose, kinds[i].whose) && !strcmp(what, kinds[i].what) &&
			kinds[i].coded == (at->code != NULL))
			return kinds[i].take(p, at);
	return PICTURE_INVALID;
}

/* What is retained comes again with each connection, what is removed was removed by anybody, and
 * `offline` is the broker's word: those say nothing of how the park is now. */
static void
note_life(struct picture *p, const struct place *at, const char *what)
{
	struct picture_park *park = map_find(&p->parks, at->park);
	bool is_will = !strcmp(what, "availability") && at->len == 7;

	if (park && p->settled && at->len && !is_will)
		heard_at(park, at->now_ms);
}

enum picture_verdict
picture_take(struct picture *p, const char *topic, const char *payload, size_t len, int64_t now_ms)
{
	char copy[256], *levels[7] = {0}, *rest = copy;
	size_t n = 0;

	if (strlen(topic) >= sizeof copy || len > PAYLOAD_MAX)
		return PICTURE_INVALID;
	strcpy(copy, topic);
	while (n < 7 && (levels[n] = strsep(&rest, "/")))
		n++;
	/* parks/P/machines/M/alarm/CODE */
	if (n < 5 || n > 6 || !picture_is_id(levels[1]) || !picture_is_id(levels[3]) ||
		(n == 6 && !is_code(levels[5])))
		return PICTURE_INVALID;
	struct place at = {.park = levels[1],
		.id = levels[3],
		.code = levels[5],
		.of_gateway = levels[2][0] == 'g',
		.payload = payload,
		.len = len,
		.now_ms = now_ms};
	enum picture_verdict verdict = take(p, &at, levels[2], levels[4]);
	if (verdict <= PICTURE_IGNORED)
		note_life(p, &at, levels[4]);
	return verdict;
}

/* ---- connections ------------------------------------------------------------------------------
 */

void
picture_connected(struct picture *p)
{
	p->connection++;
	p->drop_ms = 0;
	p->full = p->settled = false;
	for (struct map_node *i = p->parks.first; i; i = i->next)
		((struct picture_park *)i)->refused = false;
}

void
picture_settled(struct picture *p, int64_t now_ms, int64_t grace_ms)
{
	for (struct map_node *i = p->gateways.first; i; i = i->next) {
		struct picture_gateway *g = (struct picture_gateway *)i;
		if (g->connection == p->connection || !g->told || g->offline)
			continue;
		g->offline = true;
		g->since_ms = now_ms;
	}
	p->drop_ms = now_ms + grace_ms;
	p->settled = true;
}

bool
picture_tick(struct picture *p, int64_t now_ms)
{
	bool dropped = false;

	if (!p->drop_ms || now_ms < p->drop_ms)
		return false;
	p->drop_ms = 0;
	picture_drop_states(p);
	for (struct map_node *i = p->alarms.first, *next; i; i = next) {
		struct picture_alarm *a = (struct picture_alarm *)i;
		next = i->next;
		if (a->connection == p->connection)
			continue;
		drop_alarm(p, a);
		dropped = true;
	}
	return dropped;
}

void
picture_finish(struct picture *p)
{
	while (p->alarms.first)
		drop_alarm(p, (struct picture_alarm *)p->alarms.first);
	picture_drop_machines(p);
	while (p->gateways.first)
		map_remove(&p->gateways, p->gateways.first);
	while (p->parks.first)
		map_remove(&p->parks, p->parks.first);
}
