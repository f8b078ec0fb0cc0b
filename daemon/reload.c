/* SPDX-License-Identifier: MIT */
/* reload.c -- SIGHUP: the new configuration as a difference
 *
 * The whole new file is read first; with an error the old one goes on. Then, in one go on the
 * loop thread: machines by id and sources by id keep their objects if nothing in them changed,
 * the rest is made anew or withdrawn; each bus that is still there is given a new pollset, which
 * shares the units that did not change, and takes it over between two polls. What the old
 * configuration's memory is still needed for (old pollsets, buses that end) is kept in struct
 * reload until the last old set has come back.
 */
#include "daemon/gateway.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/log.h"

#define REFUSED "config-refused"

struct reload {
	struct config *old;
	size_t sets_out;         /* old pollsets that have not come back */
	struct poller **leaving; /* buses that ended */
	size_t n_leaving;
	struct source **sources; /* objects that no machine holds any more */
	size_t n_sources;
};

/* ---- what is equal ------------------------------------------------------------------------- */

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool
same_bus(const struct bus_config *a, const struct bus_config *b)
{
	return strcmp(a->id, b->id) == 0 && a->type == b->type && same_text(a->device, b->device) &&
	       a->baud == b->baud && memcmp(a->format, b->format, sizeof(a->format)) == 0 &&
	       same_text(a->host, b->host) && a->port == b->port && a->driver == b->driver &&
	       a->resets == b->resets;
}

static bool
same_deadbands(const struct source_config *a, const struct source_config *b)
{
	if (a->n_deadbands != b->n_deadbands)
		return false;
	for (size_t i = 0; i < a->n_deadbands; i++)
		if (!same_text(a->deadbands[i].point, b->deadbands[i].point) ||
			a->deadbands[i].value != b->deadbands[i].value)
			return false;
	return true;
}

static bool
same_profile(const struct source_config *a, const struct source_config *b)
{
	if (!a->profile || !b->profile)
		return a->profile == b->profile;
	return a->profile->hash == b->profile->hash &&
	       a->profile->regs.n_points == b->profile->regs.n_points &&
	       memcmp(a->wanted, b->wanted, a->profile->regs.n_points) == 0;
}

static bool
same_source(const struct source *old, const struct source_config *b, const struct bus_config *bus)
{
	const struct source_config *a = old->config;
	if (strcmp(a->id, b->id) != 0 || a->driver != b->driver || a->unit != b->unit)
		return false;
	if (!old->bus != !bus || (bus && !same_bus(old->bus, bus)))
		return false;
	return a->interval_ms == b->interval_ms && a->continuous == b->continuous &&
	       a->timeout_ms == b->timeout_ms && a->byte_timeout_ms == b->byte_timeout_ms &&
	       a->min_gap_ms == b->min_gap_ms && a->max_latency_ms == b->max_latency_ms &&
	       same_text(a->device, b->device) && a->baud == b->baud && same_profile(a, b) &&
	       same_deadbands(a, b);
}

/* Keys that only a restart applies: they name where everything is published and kept. */
static const char *
needs_restart(const struct config *a, const struct config *b)
{
	if (strcmp(a->park, b->park) != 0)
		return "park";
	if (strcmp(a->gateway, b->gateway) != 0)
		return "gateway";
	if (strcmp(a->mqtt.topic_root, b->mqtt.topic_root) != 0)
		return "mqtt.topic_root";
	if (strcmp(a->spool_path, b->spool_path) != 0)
		return "spool.path";
	return NULL;
}

/* ---- machines ------------------------------------------------------------------------------ */

static void
keep_for_later(struct reload *r, struct source *s)
{
	struct source **more = realloc(r->sources, (r->n_sources + 1) * sizeof(struct source *));
	s->removed = true;
	if (!more)
		return; /* leaked rather than used after it was freed */
	r->sources = more;
	r->sources[r->n_sources++] = s;
}

static struct source *
take_source(struct machine *m, const struct source_config *c, const struct bus_config *bus)
{
	for (size_t i = 0; i < m->n_sources; i++) {
		struct source *s = m->sources[i];
		if (!s || !same_source(s, c, bus))
			continue;
		m->sources[i] = NULL;
		source_rebase(s, c, bus);
		return s;
	}
	return source_create(c, bus, clock_mono_us());
}

static int
update_machine(struct reload *r, struct machine *m, const struct machine_config *mc,
	const struct config *all)
{
	struct source **now = calloc(mc->n_sources + 1, sizeof(struct source *));
	if (!now)
		return -ENOMEM;
	for (size_t i = 0; i < mc->n_sources; i++) {
		size_t bus = mc->sources[i].bus;
		now[i] = take_source(
			m, &mc->sources[i], bus < all->n_buses ? &all->buses[bus] : NULL);
		if (now[i])
			now[i]->machine = m;
	}
	for (size_t i = 0; i < m->n_sources; i++)
		if (m->sources[i])
			keep_for_later(r, m->sources[i]);
	free(m->sources);
	m->sources = now;
	m->n_sources = mc->n_sources;
	m->config = mc;
	m->dirty = true;
	return machine_rebind(m, clock_now());
}

static struct machine *
machine_for(struct gateway *g, struct reload *r, const struct machine_config *mc,
	const struct config *now)
{
	for (size_t i = 0; i < g->n_machines; i++) {
		struct machine *m = g->machines[i];
		if (!m || strcmp(m->config->id, mc->id) != 0)
			continue;
		g->machines[i] = NULL;
		bool moved = strcmp(m->config->asset, mc->asset) != 0;
		update_machine(r, m, mc, now);
		if (moved)
			remember_recall(g, m);
		outbox_mark(g->outbox, &m->info);
		return m;
	}
	struct machine *m = machine_create(mc, now, clock_now());
	if (m) {
		announce_machine(g, m);
		remember_recall(g, m);
	}
	return m;
}

static void
withdraw(struct gateway *g, struct reload *r, struct machine *m)
{
	for (size_t i = 0; i < m->n_sources; i++)
		keep_for_later(r, m->sources[i]);
	m->n_sources = 0;
	announce_withdrawal(g, m);
}

static bool
keeps_asset(const struct machine *m, const struct config *now)
{
	for (size_t i = 0; i < now->n_machines; i++)
		if (strcmp(m->config->id, now->machines[i].id) == 0)
			return strcmp(m->config->asset, now->machines[i].asset) == 0;
	return false;
}

/* Before any machine takes up an asset that another one had until now. */
static void
part_with_assets(struct gateway *g, const struct config *now)
{
	for (size_t i = 0; i < g->n_machines; i++)
		if (!keeps_asset(g->machines[i], now))
			remember_leave(g, g->machines[i]);
}

static void
update_machines(struct gateway *g, struct reload *r, const struct config *now)
{
	struct machine **list = calloc(now->n_machines + 1, sizeof(struct machine *));
	size_t n = 0;
	if (!list)
		return;
	part_with_assets(g, now);
	for (size_t i = 0; i < now->n_machines; i++) {
		struct machine *m = machine_for(g, r, &now->machines[i], now);
		if (m)
			list[n++] = m;
	}
	for (size_t i = 0; i < g->n_machines; i++)
		if (g->machines[i])
			withdraw(g, r, g->machines[i]);
	free(g->machines);
	g->machines = list;
	g->n_machines = n;
}

/* ---- buses --------------------------------------------------------------------------------- */

static struct poller *
poller_for(struct gateway *g, const struct bus_config *bus)
{
	for (size_t i = 0; i < g->n_pollers; i++) {
		struct poller *p = g->pollers[i];
		if (!p || !same_bus(poller_bus(p), bus))
			continue;
		g->pollers[i] = NULL;
		poller_rebase(p, bus);
		return p;
	}
	struct poller *p = poller_create(bus, g->usb, &g->inbox);
	if (p)
		identity_expect(g, p);
	return p;
}

static void
give_sets(struct gateway *g, struct reload *r)
{
	for (size_t i = 0; i < g->n_pollers; i++) {
		struct pollset *old = poller_set(g->pollers[i]);
		struct pollset *set = pollplan_create(g, i, g->pollers[i], old);
		if (!set || poller_give(g->pollers[i], set) < 0)
			log_error("bus %s: out of memory, it keeps what it polled",
				g->config->buses[i].id);
		else if (old)
			r->sets_out++;
	}
}

static void
update_pollers(struct gateway *g, struct reload *r, const struct config *now)
{
	struct poller **list = calloc(now->n_buses + 1, sizeof(struct poller *));
	size_t n = 0;
	if (!list)
		return;
	for (; n < now->n_buses; n++)
		list[n] = poller_for(g, &now->buses[n]);
	for (size_t i = 0; i < g->n_pollers; i++) {
		if (!g->pollers[i])
			continue;
		poller_cancel(g->pollers[i]);
		g->pollers[r->n_leaving++] = g->pollers[i];
	}
	r->leaving = g->pollers;
	g->pollers = list;
	g->n_pollers = n;
}

/* ---- the reload itself --------------------------------------------------------------------- */

static void
tell_config(struct gateway *g, const char *hash, const char *error)
{
	struct envelope e = gateway_numbered(g, clock_wall_ms(), g->event_topic);
	journal_event(g, g->event_topic, &e,
		payload_config_event(g->scratch, GATEWAY_SCRATCH, &e, hash, error == NULL, error));
	health_changed(g);
}

static void
refuse(struct gateway *g, const char *error)
{
	snprintf(g->config_error, sizeof(g->config_error), "%s", error);
	log_error("configuration refused, the old one goes on: %s", error);
	trouble_raise(g, REFUSED);
	tell_config(g, g->config->hash, g->config_error);
}

static void
log_problems(const struct problems *problems, char *first, size_t size)
{
	char line[512];
	first[0] = '\0';
	for (size_t i = 0; i < problems->n; i++) {
		problem_format(&problems->list[i], line, sizeof(line));
		if (problems->list[i].is_error) {
			log_error("%s", line);
			if (!first[0])
				snprintf(first, size, "%s", line);
		} else {
			log_warning("%s", line);
		}
	}
}

/* NULL: refused and said so. */
static struct config *
load_new(struct gateway *g)
{
	struct problems problems = {0};
	char error[256];
	struct config *now = config_load(g->file, g->profiles_dir, &problems);
	log_problems(&problems, error, sizeof(error));
	problems_free(&problems);
	const char *key = now ? needs_restart(g->config, now) : NULL;
	if (key)
		snprintf(error, sizeof(error), "a change of %s needs a restart", key);
	if (now && !key)
		return now;
	config_free(now);
	refuse(g, error);
	return NULL;
}

static void
apply(struct gateway *g, struct reload *r, struct config *now)
{
	r->old = g->config;
	g->config = now;
	update_machines(g, r, now);
	update_pollers(g, r, now);
	give_sets(g, r);
	g->config_loaded_ms = clock_wall_ms();
	g->config_error[0] = '\0';
	trouble_clear(g, REFUSED);
	outbox_mark(g->outbox, &g->info);
	tell_config(g, now->hash, NULL);
	gateway_settle(g);
	hass_reloaded(g, r->old);
	uplink_update(g->uplink, &now->mqtt);
	control_update(g, r->old);
	metrics_update(g, r->old);
	log_info("configuration reloaded: %zu machines, %zu buses", now->n_machines, now->n_buses);
}

void
reload_start(struct gateway *g)
{
	if (g->reload) { /* after the one that is under way */
		g->reload_again = true;
		return;
	}
	service_reloading();
	struct config *now = load_new(g);
	if (now)
		g->reload = calloc(1, sizeof(*g->reload));
	if (g->reload)
		apply(g, g->reload, now);
	else
		config_free(now);
	service_ready(g);
}

void
reload_pollset_returned(struct gateway *g, struct pollset *set)
{
	pollset_destroy(set);
	if (g->reload && g->reload->sets_out > 0)
		g->reload->sets_out--;
}

static bool
all_ended(struct reload *r)
{
	for (size_t i = 0; i < r->n_leaving; i++)
		if (!poller_join(r->leaving[i], clock_mono_us()))
			return false;
	return r->sets_out == 0;
}

static void
release(struct reload *r)
{
	for (size_t i = 0; i < r->n_leaving; i++)
		poller_destroy(r->leaving[i]);
	for (size_t i = 0; i < r->n_sources; i++)
		source_destroy(r->sources[i]);
	free(r->leaving);
	free(r->sources);
	config_free(r->old);
	free(r);
}

void
reload_tick(struct gateway *g)
{
	struct reload *r = g->reload;
	if (!r || !all_ended(r))
		return;
	g->reload = NULL;
	gateway_mail(g); /* what the ended buses had posted still names their units */
	release(r);
	if (g->reload_again) {
		g->reload_again = false;
		reload_start(g);
	}
}

void
reload_free(struct gateway *g)
{
	struct reload *r = g->reload;
	if (!r)
		return;
	for (size_t i = 0; i < r->n_leaving; i++) {
		poller_cancel(r->leaving[i]);
		poller_join(r->leaving[i], clock_mono_us() + 1000000);
	}
	release(r);
	g->reload = NULL;
}
