/* SPDX-License-Identifier: MIT */
/* identity.c -- is it the device that it was?
 *
 * The first device that answers for a source is remembered: which USB device it is, and what it
 * says of itself. Another one is published as `identity` and counts for nothing until a person
 * accepts it: a printer's hours must not be booked to the one that was put in its place. A changed
 * configuration (another driver, bus, unit or `device`) is an acceptance too.
 */
#include "daemon/gateway.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/log.h"

/* Where the source is looked for: as long as this stays, so should the device. */
static void
place_of(const struct source *s, char *buf, size_t size)
{
	const struct bus_config *b = s->bus;
	const char *where = b->device ? b->device : b->host;
	snprintf(buf, size, "%s %s %d %d", s->config->driver->name, where ? where : "", b->port,
		s->config->unit);
}

static void
name_of(const struct source *s, char *buf, size_t size)
{
	snprintf(buf, size, "%s/%s", s->machine->config->id, s->config->id);
}

static struct poller *
poller_of(struct gateway *g, const struct source *s)
{
	for (size_t i = 0; i < g->n_pollers; i++)
		if (g->pollers[i] && poller_bus(g->pollers[i]) == s->bus)
			return g->pollers[i];
	return NULL;
}

/* "machine/source PLACE" */
static const char *
key_of(const struct source *s, char *key, size_t size)
{
	char name[80], place[320];
	name_of(s, name, sizeof(name));
	place_of(s, place, sizeof(place));
	snprintf(key, size, "%s %s", name, place);
	return key;
}

static void
recall(struct gateway *g, struct source *s)
{
	char key[420];
	if (s->recalled)
		return;
	s->recalled = true;
	const char *text = journal_kept(g, "identity", key_of(s, key, sizeof(key)));
	const char *end = text ? strchr(text, '\n') : NULL;
	if (!end)
		return;
	snprintf(s->known.plugged, sizeof(s->known.plugged), "%.*s", (int)(end - text), text);
	snprintf(s->known.device, sizeof(s->known.device), "%s", end + 1);
}

static void
remember(struct gateway *g, struct source *s)
{
	char key[420], text[200];
	snprintf(text, sizeof(text), "%s\n%s", s->known.plugged, s->known.device);
	journal_keep(g, "identity", key_of(s, key, sizeof(key)), text);
}

void
identity_expect(struct gateway *g, struct poller *p)
{
	for (size_t i = 0; i < g->n_machines; i++) {
		struct machine *m = g->machines[i];
		for (size_t k = 0; m && k < m->n_sources; k++) {
			struct source *s = m->sources[k];
			if (!s->bus || s->bus != poller_bus(p))
				continue;
			recall(g, s);
			poller_expect(p, s->known.plugged);
		}
	}
}

/* "1a86:7523:X Ender-3", or one of the two. */
static void
describe(const struct identity *i, char *buf, size_t size)
{
	snprintf(buf, size, "%s%s%s", i->plugged, i->plugged[0] && i->device[0] ? " " : "",
		i->device);
}

static void
tell_change(struct gateway *g, struct source *s, const struct identity *was)
{
	struct machine *m = s->machine;
	char before[192], now[192];
	describe(was, before, sizeof(before));
	describe(&s->present, now, sizeof(now));
	struct envelope e = gateway_numbered(g, clock_wall_ms(), m->event_topic);
	journal_event(g, m->event_topic, &e,
		payload_identity_event(
			g->scratch, GATEWAY_SCRATCH, &e, s->config->id, before, now));
	log_warning(
		"%s/%s: another device: was %s, is %s", m->config->id, s->config->id, before, now);
}

/* What is there now is nothing new, or something that was not known before. */
static bool
learn(struct source *s)
{
	bool news = false;
	if (s->present.device[0] && !s->known.device[0]) {
		memcpy(s->known.device, s->present.device, sizeof(s->known.device));
		news = true;
	}
	if (s->present.plugged[0] && !s->known.plugged[0]) {
		memcpy(s->known.plugged, s->present.plugged, sizeof(s->known.plugged));
		news = true;
	}
	return news;
}

static bool
differs(const char *known, const char *present)
{
	return known[0] && present[0] && strcmp(known, present) != 0;
}

void
identity_look(struct gateway *g, struct source *s, struct polled_unit *unit)
{
	struct poller_stats stats;
	struct identity now;
	poller_stats(unit->poller, &stats);
	snprintf(s->holder, sizeof(s->holder), "%s", stats.holder);
	snprintf(now.plugged, sizeof(now.plugged), "%s", stats.plugged);
	poller_identity(unit->poller, unit, now.device, sizeof(now.device));
	if (!now.plugged[0]) /* nothing there at the moment */
		memcpy(now.plugged, s->present.plugged, sizeof(now.plugged));
	if (differs(s->known.plugged, now.plugged))
		now.device[0] = '\0'; /* it was not opened: what was said was said by the other */
	if (!now.plugged[0] && !now.device[0])
		return;
	bool changed =
		strcmp(now.plugged, s->present.plugged) || strcmp(now.device, s->present.device);
	s->present = now;
	if (!changed)
		return;
	describe(&now, s->identity, sizeof(s->identity));
	outbox_mark(g->outbox, &s->machine->info);
	hass_changed(g, s->machine);
	bool foreign =
		differs(s->known.plugged, now.plugged) || differs(s->known.device, now.device);
	if (foreign)
		tell_change(g, s, &s->known);
	s->foreign = foreign;
}

bool
identity_check(struct gateway *g, struct source *s, const struct poll_mail *mail)
{
	if (s->seen_origin == mail->origin)
		return !s->foreign;
	recall(g, s);
	s->seen_origin = mail->origin;
	identity_look(g, s, mail->unit);
	if (!s->foreign && learn(s)) {
		remember(g, s);
		poller_expect(mail->unit->poller, s->known.plugged);
	}
	return !s->foreign;
}

int
identity_accept(struct gateway *g, struct source *s)
{
	struct poller *p = s->bus ? poller_of(g, s) : NULL;
	if (!p || !s->foreign)
		return -ENOENT;
	s->known = s->present;
	s->foreign = false;
	s->seen_origin = 0;
	remember(g, s);
	log_info("%s/%s: %s accepted", s->machine->config->id, s->config->id, s->identity);
	poller_expect(p, s->known.plugged);
	poller_replug(p);
	return 0;
}
