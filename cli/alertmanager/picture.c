/* SPDX-License-Identifier: MIT */
/* picture.c -- one table of topics; each has a function that takes its payload */
#include "cli/alertmanager/picture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/alertmanager/notes.h"
#include "cli/doc.h"
#include "config/scalar.h"

enum {
	PAYLOAD_MAX = 256 * 1024,
	KEY_SIZE = 4 * PICTURE_CODE,
	/* A gateway tells its health once a minute, so when one is found offline it was alive at
	 * that time and not a minute later. */
	HEALTH_MS = 60000,
	OVERHEAD = 160 /* of a thing: of malloc(3), the tree, and its share of the park */
};

/* Where a message belongs. */
struct place {
	const char *park, *id, *code; /* of a machine or gateway; of an alarm, else NULL */
	bool of_gateway;
	const char *payload;
	size_t len;
	int64_t now_ms;
};

struct park {
	struct map_node node;
	size_t bytes;
};

const char *const picture_topics[] = {"parks/+/gateways/+/health",
	"parks/+/gateways/+/availability", "parks/+/gateways/+/alarm/+",
	"parks/+/machines/+/alarm/+", "parks/+/machines/+/info", NULL};

static bool
is_id(const char *s)
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

static void
copy_id(char to[PICTURE_ID], const char *id)
{
	snprintf(to, PICTURE_ID, "%s", id);
}

/* ---- room -------------------------------------------------------------------------------------
 */

/* Finds it, or adds it, if there is room for it and `more` bytes of text. */
static void *
find_or_add(struct picture *p, struct map *m, const char *key, const char *park, size_t size,
	size_t more)
{
	struct picture_thing *thing = map_find(m, key);
	struct park *owner = map_find(&p->parks, park);
	size_t bytes = size + strlen(key) + more + OVERHEAD, had = thing ? thing->bytes : 0;
	size_t of_park = (owner ? owner->bytes : 0) - had + bytes, of_all = p->bytes - had + bytes;

	p->full = of_park > PICTURE_PARK_BYTES || of_all > PICTURE_BYTES || p->full;
	if (bytes > had && (of_park > PICTURE_PARK_BYTES || of_all > PICTURE_BYTES))
		return NULL;
	if (!owner)
		owner = map_add(&p->parks, park, sizeof *owner);
	if (!thing)
		thing = owner ? map_add(m, key, size) : NULL;
	if (!thing)
		return NULL;
	thing->bytes = bytes;
	owner->bytes = of_park;
	p->bytes = of_all;
	return thing;
}

static void
forget(struct picture *p, struct map *m, void *thing, const char *park)
{
	struct park *owner = map_find(&p->parks, park);
	size_t bytes = ((const struct picture_thing *)thing)->bytes;

	map_remove(m, thing);
	p->bytes -= bytes;
	owner->bytes -= bytes;
	if (!owner->bytes)
		map_remove(&p->parks, owner);
}

/* ---- gateways ---------------------------------------------------------------------------------
 */

static struct picture_gateway *
find_gateway(struct picture *p, const struct place *at)
{
	char key[KEY_SIZE];

	snprintf(key, sizeof key, "%s/%s", at->park, at->id);
	struct picture_gateway *g =
		find_or_add(p, &p->gateways, key, at->park, sizeof(struct picture_gateway), 0);
	if (g) {
		copy_id(g->park, at->park);
		copy_id(g->id, at->id);
	}
	return g;
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
		forget(p, &p->gateways, g, at->park);
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
	int64_t ts = doc_int(d, "ts", -1);

	doc_free(d);
	if (!at->len)
		return PICTURE_IGNORED;
	if (ts < 0)
		return PICTURE_INVALID;
	struct picture_gateway *g = find_gateway(p, at);
	if (!g)
		return PICTURE_FULL;
	g->heard_ms = ts;
	return PICTURE_IGNORED; /* it changes nothing by itself */
}

/* ---- machines ---------------------------------------------------------------------------------
 */

static void
machine_key(char key[KEY_SIZE], const char *park, const char *machine)
{
	snprintf(key, KEY_SIZE, "%s/%s", park, machine);
}

static enum picture_verdict
drop_machine(struct picture *p, const char *key, const char *park)
{
	struct picture_machine *m = map_find(&p->machines, key);

	if (!m)
		return PICTURE_IGNORED;
	free(m->notes);
	forget(p, &p->machines, m, park);
	return PICTURE_TAKEN;
}

static enum picture_verdict
take_info(struct picture *p, const struct place *at)
{
	char key[KEY_SIZE];

	machine_key(key, at->park, at->id);
	if (!at->len)
		return drop_machine(p, key, at->park);
	struct doc *d = doc_parse(at->payload, at->len);
	const char *class = doc_text(d, "class", "");
	char *notes = notes_of_machine(d);
	enum picture_verdict verdict = PICTURE_INVALID;
	if (!notes || !is_id(class))
		goto out;
	struct picture_machine *m =
		find_or_add(p, &p->machines, key, at->park, sizeof *m, strlen(notes));
	verdict = PICTURE_FULL;
	if (!m)
		goto out;
	free(m->notes);
	m->notes = notes;
	notes = NULL;
	copy_id(m->class, class);
	verdict = PICTURE_TAKEN;
out:
	free(notes);
	doc_free(d);
	return verdict;
}

const struct picture_machine *
picture_machine(const struct picture *p, const char *park, const char *machine)
{
	char key[KEY_SIZE];

	machine_key(key, park, machine);
	return map_find(&p->machines, key);
}

/* ---- alarms -----------------------------------------------------------------------------------
 */

static void
drop_alarm(struct picture *p, struct picture_alarm *a)
{
	char park[PICTURE_ID];

	copy_id(park, a->park);
	free(a->notes);
	forget(p, &p->alarms, a, park);
}

static const char *
find_severity(const char *word)
{
	static const char *const severities[] = {"info", "warning", "error", "critical"};

	for (size_t i = 0; i < sizeof severities / sizeof severities[0]; i++)
		if (!strcmp(word, severities[i]))
			return severities[i];
	return NULL;
}

static int64_t
clamp(int64_t ms, int64_t low, int64_t high)
{
	return ms < low ? low : ms > high ? high : ms;
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
	       (at->of_gateway || is_id(doc_text(d, "gw", "")));
}

static enum picture_verdict
keep_alarm(struct picture *p, const char *key, const struct place *at, const struct doc *d)
{
	char *notes = is_alarm(d, at) ? notes_of_alarm(d, at->code) : NULL;

	if (!notes)
		return PICTURE_INVALID;
	struct picture_alarm *a =
		find_or_add(p, &p->alarms, key, at->park, sizeof *a, strlen(notes));
	enum picture_verdict verdict = a ? PICTURE_TAKEN : PICTURE_FULL;
	if (!a) { /* that it ended is to be known even if its new text has no room */
		free(notes);
		notes = NULL;
		a = map_find(&p->alarms, key);
	}
	if (!a)
		return verdict;
	take_life(a, d, at->now_ms);
	copy_id(a->park, at->park);
	copy_id(a->machine, at->of_gateway ? "" : at->id);
	copy_id(a->gateway, at->of_gateway ? at->id : doc_text(d, "gw", ""));
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
	char key[KEY_SIZE];

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
	{"machines", "info", take_info, false},
	{"gateways", "health", take_health, false},
	{"gateways", "availability", take_availability, false},
	{"gateways", "alarm", take_alarm, true},
	{"machines", "alarm", take_alarm, true},
};

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
	if (n < 5 || n > 6 || !is_id(levels[1]) || !is_id(levels[3]) ||
		(n == 6 && !is_code(levels[5])))
		return PICTURE_INVALID;
	struct place at = {.park = levels[1],
		.id = levels[3],
		.code = levels[5],
		.of_gateway = levels[2][0] == 'g',
		.payload = payload,
		.len = len,
		.now_ms = now_ms};
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (!strcmp(levels[2], kinds[i].whose) && !strcmp(levels[4], kinds[i].what) &&
			kinds[i].coded == (n == 6))
			return kinds[i].take(p, &at);
	return PICTURE_INVALID;
}

/* ---- connections ------------------------------------------------------------------------------
 */

void
picture_connected(struct picture *p)
{
	p->connection++;
	p->drop_ms = 0;
	p->full = false;
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
}

bool
picture_tick(struct picture *p, int64_t now_ms)
{
	bool dropped = false;

	if (!p->drop_ms || now_ms < p->drop_ms)
		return false;
	p->drop_ms = 0;
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
	while (p->machines.first) {
		struct picture_machine *m = (struct picture_machine *)p->machines.first;
		free(m->notes);
		map_remove(&p->machines, m);
	}
	while (p->gateways.first)
		map_remove(&p->gateways, p->gateways.first);
	while (p->parks.first)
		map_remove(&p->parks, p->parks.first);
}
