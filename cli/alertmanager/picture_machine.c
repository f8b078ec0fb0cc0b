/* SPDX-License-Identifier: MIT */
/* picture_machine.c -- machines: titles, what they do, the totals of their assets */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/alertmanager/notes.h"
#include "cli/alertmanager/picture_impl.h"

const char *const picture_states[PICTURE_STATES] = {
	[PICTURE_OFFLINE] = "offline",
	[PICTURE_FAULT] = "fault",
	[PICTURE_OFF] = "off",
	[PICTURE_IDLE] = "idle",
	[PICTURE_BUSY] = "busy",
	[PICTURE_PAUSED] = "paused",
	[PICTURE_UNKNOWN] = "unknown",
};

static const char *const totals[PICTURE_TOTALS] = {
	[PICTURE_STARTED] = "jobs_started",
	[PICTURE_FINISHED] = "jobs_finished",
	[PICTURE_FAILED] = "jobs_failed",
};

static void
machine_key(char key[PICTURE_KEY], const char *park, const char *machine)
{
	snprintf(key, PICTURE_KEY, "%s/%s", park, machine);
}

const struct picture_machine *
picture_machine(const struct picture *p, const char *park, const char *machine)
{
	char key[PICTURE_KEY];

	machine_key(key, park, machine);
	return map_find(&p->machines, key);
}

/* Its notes are `notes` long from now on; NULL: no room. */
static struct picture_machine *
find_or_add(struct picture *p, const struct place *at, const char *notes)
{
	char key[PICTURE_KEY];

	machine_key(key, at->park, at->id);
	return picture_add(p, &p->machines, key, at->park, sizeof(struct picture_machine),
		notes ? strlen(notes) : 0);
}

/* With the notes that it has. */
static struct picture_machine *
find_or_add_same(struct picture *p, const struct place *at)
{
	const struct picture_machine *m = picture_machine(p, at->park, at->id);

	return find_or_add(p, at, m ? m->notes : NULL);
}

static void
drop_if_empty(struct picture *p, struct picture_machine *m)
{
	if (!m->notes && !m->has_state && !m->has_totals)
		picture_forget(p, &p->machines, m);
}

/* ---- titles -----------------------------------------------------------------------------------
 */

static enum picture_verdict
drop_info(struct picture *p, const struct place *at)
{
	struct picture_machine *m = find_or_add(p, at, NULL); /* less than before: there is room */

	if (!m)
		return PICTURE_IGNORED;
	free(m->notes);
	m->notes = NULL;
	m->class[0] = '\0';
	drop_if_empty(p, m);
	return PICTURE_TAKEN;
}

enum picture_verdict
picture_take_info(struct picture *p, const struct place *at)
{
	if (!at->len)
		return picture_machine(p, at->park, at->id) ? drop_info(p, at) : PICTURE_IGNORED;
	struct doc *d = doc_parse(at->payload, at->len);
	const char *class = doc_text(d, "class", "");
	char *notes = notes_of_machine(d);
	enum picture_verdict verdict = PICTURE_INVALID;
	if (!notes || !picture_is_id(class))
		goto out;
	struct picture_machine *m = find_or_add(p, at, notes);
	verdict = PICTURE_FULL;
	if (!m)
		goto out;
	free(m->notes);
	m->notes = notes;
	notes = NULL;
	picture_copy_id(m->class, class);
	verdict = PICTURE_TAKEN;
out:
	free(notes);
	doc_free(d);
	return verdict;
}

/* ---- what it does -----------------------------------------------------------------------------
 */

static enum picture_state
find_state(const char *word)
{
	enum picture_state s = 0;

	while (s < PICTURE_STATES && strcmp(word, picture_states[s]) != 0)
		s++;
	return s;
}

enum picture_verdict
picture_take_state(struct picture *p, const struct place *at)
{
	struct doc *d = at->len ? doc_parse(at->payload, at->len) : NULL;
	enum picture_state state = find_state(doc_text(d, "state", ""));
	const char *gateway = doc_text(d, "gw", "");
	enum picture_verdict verdict = PICTURE_INVALID;

	if (at->len && (state == PICTURE_STATES || !picture_is_id(gateway)))
		goto out;
	verdict = at->len ? PICTURE_FULL : PICTURE_IGNORED;
	if (!at->len && !picture_machine(p, at->park, at->id))
		goto out;
	struct picture_machine *m = find_or_add_same(p, at);
	if (!m)
		goto out;
	verdict = PICTURE_IGNORED; /* no alert follows from it */
	m->has_state = at->len;
	m->state = state;
	m->has_job = doc_text(d, "job", NULL);
	m->connection = p->connection;
	picture_copy_id(m->gateway, gateway);
	picture_heard(m->thing.park, d, at->now_ms);
	drop_if_empty(p, m);
out:
	doc_free(d);
	return verdict;
}

void
picture_drop_states(struct picture *p)
{
	for (struct map_node *i = p->machines.first, *next; i; i = next) {
		struct picture_machine *m = (struct picture_machine *)i;
		next = i->next;
		m->has_state &= m->connection == p->connection;
		drop_if_empty(p, m);
	}
}

/* ---- totals -----------------------------------------------------------------------------------
 */

static bool
read_totals(const struct doc *d, int64_t out[PICTURE_TOTALS])
{
	bool good = doc_text(d, "asset", NULL);

	for (size_t i = 0; i < PICTURE_TOTALS; i++) {
		out[i] = doc_int(d, totals[i], -1);
		good &= out[i] >= 0;
	}
	return good;
}

/* By how much it grew. Another asset in the same place, or a total that somebody set back, is where
 * counting begins anew. */
static void
count_jobs(struct picture_machine *m, const char *asset, const int64_t now[PICTURE_TOTALS])
{
	char cut[PICTURE_ASSET];

	snprintf(cut, sizeof cut, "%s", asset);
	bool same = m->has_totals && !strcmp(cut, m->asset);
	for (size_t i = 0; i < PICTURE_TOTALS; i++) {
		if (same && now[i] > m->totals[i])
			m->thing.park->jobs[i] += (uint64_t)(now[i] - m->totals[i]);
		m->totals[i] = now[i];
	}
	memcpy(m->asset, cut, sizeof cut);
	m->has_totals = true;
}

enum picture_verdict
picture_take_usage(struct picture *p, const struct place *at)
{
	struct doc *d = at->len ? doc_parse(at->payload, at->len) : NULL;
	int64_t now[PICTURE_TOTALS];
	bool good = read_totals(d, now);
	enum picture_verdict verdict = at->len && !good ? PICTURE_INVALID : PICTURE_IGNORED;

	if (verdict == PICTURE_INVALID || (!at->len && !picture_machine(p, at->park, at->id)))
		goto out;
	struct picture_machine *m = find_or_add_same(p, at);
	verdict = m ? PICTURE_IGNORED : PICTURE_FULL; /* no alert follows from it */
	if (m && good)
		count_jobs(m, doc_text(d, "asset", ""), now);
	else if (m)
		m->has_totals = false;
	if (m)
		drop_if_empty(p, m);
out:
	doc_free(d);
	return verdict;
}

void
picture_drop_machines(struct picture *p)
{
	while (p->machines.first) {
		free(((struct picture_machine *)p->machines.first)->notes);
		map_remove(&p->machines, p->machines.first);
	}
}
