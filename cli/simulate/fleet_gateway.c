/* SPDX-License-Identifier: MIT */
/* fleet_gateway.c -- one gateway of a simulated fleet: when it polls, when it connects */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/simulate/fleet_impl.h"

#define S 1000000LL
#define STABLE_US (60 * S) /* a connection that held this long resets the back-off */
#define LOOKOUT_US (5 * S) /* what the broker still holds in our name is looked at so long */
#define LIVE_FOR_MS 5000   /* then telemetry is history */
#define SPREAD_US (5 * S)  /* gateways that come back together do not all begin at once */
#define HEALTH_US (60 * S)
#define START_SPREAD_US 5000 /* between two first connects: a fleet is not switched on at once */

enum { RECONNECT_MIN_MS = 1000, RECONNECT_MAX_MS = 30000 };

#define CONTAINER(p, member)                                                                       \
	((struct fleet_gateway *)(void *)((char *)(p)-offsetof(struct fleet_gateway, member)))

/* Uniform in [0, 1). */
static double
random_of(struct fleet_gateway *g)
{
	return (double)(fleet_hash(g->random, g->drawn++) >> 11) / 9007199254740992.0;
}

/* ---- connections ---------------------------------------------------------------------------- */

static void on_down(void *arg, int reason, const char *why);

static void
connect_now(struct timer *t)
{
	struct fleet_gateway *g = CONTAINER(t, connect);
	const char *wrong = fleet_link_connect(g->link, g->fleet->options->urls.items[g->url]);

	if (wrong)
		on_down(g, 0, wrong);
}

static void
connect_in(struct fleet_gateway *g, int64_t us)
{
	reactor_arm(g->fleet->reactor, &g->connect, reactor_now_us() + us);
}

static void
on_down(void *arg, int reason, const char *why)
{
	struct fleet_gateway *g = arg;
	bool was_up = g->up_since_us != 0;
	size_t n = g->fleet->options->urls.n;

	if (was_up && reactor_now_us() - g->up_since_us >= STABLE_US)
		g->attempt = 0;
	g->fleet->stats.losses += was_up;
	g->up_since_us = g->lookout_until_us = 0;
	snprintf(g->error, sizeof g->error, "%s", why);
	fleet_queue_return(g);
	if (g->leaving || g->killed) {
		g->left = true;
		return;
	}
	g->url = (unsigned)((g->url + 1) % n);
	if (!was_up && ++g->round < n) { /* the next node at once; a pause after each round */
		connect_in(g, 0);
		return;
	}
	g->round = 0;
	connect_in(g, 1000 * fleet_backoff_ms(RECONNECT_MIN_MS, RECONNECT_MAX_MS, g->attempt++,
				     reason, random_of(g)));
}

/* As daemon/inbound.c: our own availability, and for a while what is there in our name. */
static void
on_up(void *arg, unsigned receive_maximum)
{
	static const char *const looked[] = {"machines/+/info", "machines/+/alarm/+"};
	struct fleet_gateway *g = arg;
	char topic[256];

	g->window = receive_maximum < FLEET_WINDOW ? receive_maximum : FLEET_WINDOW;
	g->reconnects += g->up_since_ms != 0;
	g->up_since_us = reactor_now_us();
	g->up_since_ms = fleet_wall_ms();
	g->lookout_until_us = g->up_since_us + LOOKOUT_US;
	g->round = 0;
	g->history_from_us = g->up_since_us + (int64_t)(random_of(g) * SPREAD_US);
	fleet_pace_init(&g->pace, g->up_since_us);
	g->fleet->stats.connects++;
	fleet_link_subscribe(g->link, g->will);
	for (size_t k = 0; k < sizeof looked / sizeof looked[0]; k++)
		fleet_link_subscribe(g->link, fleet_path(g, topic, sizeof topic, "%s", looked[k]));
	fleet_send_all(g);
	fleet_send(g);
}

static void
end_lookout(struct fleet_gateway *g)
{
	char topic[256];

	g->lookout_until_us = 0;
	fleet_link_unsubscribe(g->link, fleet_path(g, topic, sizeof topic, "machines/+/info"));
	fleet_link_unsubscribe(g->link, fleet_path(g, topic, sizeof topic, "machines/+/alarm/+"));
}

static void
on_acked(void *arg, int mid, int code)
{
	fleet_send_acknowledged(arg, mid, code);
}

static void
on_ready(void *arg)
{
	struct fleet_gateway *g = arg;

	fleet_send(g);
	if (g->leaving && !g->dirty && !g->n_flights) {
		fleet_link_close(g->link);
		g->left = true;
	}
}

/* ---- what the broker holds in our name ------------------------------------------------------ */

static void
clear(struct fleet_gateway *g, const char *machine, const char *leaf)
{
	char topic[256];

	fleet_path(g, topic, sizeof topic, "machines/%s/%s", machine, leaf);
	struct fleet_stray *s = malloc(sizeof *s + strlen(topic) + 1);
	if (!s)
		return;
	strcpy(s->topic, topic);
	s->next = g->strays;
	g->strays = s;
}

static struct fleet_machine *
find_machine(struct fleet_gateway *g, const char *id)
{
	for (size_t k = 0; k < g->n; k++)
		if (!strcmp(g->machines[k].id, id))
			return &g->machines[k];
	return NULL;
}

/* Of an earlier run with other machines or alarms. */
static void
look_at(struct fleet_gateway *g, const char *machine, const char *leaf)
{
	static const char *const leaves[] = {"availability", "info", "state", "usage"};
	const struct fleet_machine *m = find_machine(g, machine);

	if (!strncmp(leaf, "alarm/", 6)) {
		int k = m ? fleet_find_alarm(m->model.kind, leaf + 6) : -1;
		if (k < 0 || !m->alarms[k].listed)
			clear(g, machine, leaf);
	} else if (!m) {
		for (size_t k = 0; k < sizeof leaves / sizeof leaves[0]; k++)
			clear(g, machine, leaves[k]);
	}
}

static void
on_message(void *arg, const char *topic, const char *payload, size_t len)
{
	static const char ours[] = "\"gw\":\"" FLEET_GATEWAY "\""; /* no gateway writes blanks */
	struct fleet_gateway *g = arg;
	char machine[64], leaf[80], prefix[256];

	if (!strcmp(topic, g->will)) {
		if (!g->leaving && (len != 6 || memcmp(payload, "online", 6) != 0))
			fleet_send_availability(g);
		return;
	}
	fleet_path(g, prefix, sizeof prefix, "machines/");
	size_t n = strlen(prefix);
	if (!strncmp(topic, prefix, n) && memmem(payload, len, ours, sizeof ours - 1) &&
		sscanf(topic + n, "%63[^/]/%79s", machine, leaf) == 2)
		look_at(g, machine, leaf);
}

/* ---- time ----------------------------------------------------------------------------------- */

/* Machine by machine, so that a park's telemetry comes evenly. What is late is caught up with. */
static void
poll_due(struct timer *t)
{
	struct fleet_gateway *g = CONTAINER(t, poll);
	int64_t now_us = reactor_now_us(), at_us;

	while ((at_us = g->first_us + (int64_t)g->turns * g->spacing_us) <= now_us) {
		size_t machine = g->turns++ % g->n;
		fleet_follow(g, machine, (at_us - g->fleet->started_us) / 1000);
	}
	fleet_send(g);
	reactor_arm(g->fleet->reactor, t, at_us);
}

static void
second_due(struct timer *t)
{
	struct fleet_gateway *g = CONTAINER(t, second);
	int64_t now_us = reactor_now_us();

	reactor_arm(g->fleet->reactor, t, now_us + S);
	fleet_link_tick(g->link, now_us);
	if (!fleet_link_is_up(g->link))
		return;
	if (g->lookout_until_us && now_us >= g->lookout_until_us)
		end_lookout(g);
	if (now_us - g->health_us >= HEALTH_US) {
		g->health_us = now_us;
		fleet_send_health(g);
	}
	fleet_queue_age(g, (now_us - g->fleet->started_us) / 1000 - LIVE_FOR_MS);
	fleet_send(g);
}

/* ---- life ----------------------------------------------------------------------------------- */

static void
add_machine(struct fleet_gateway *g, size_t k, uint64_t seed)
{
	struct fleet_machine *m = &g->machines[k];
	const struct fleet_kind *kind = fleet_kind_of(k);

	m->model = (struct fleet_model){kind, seed, g->fleet->options->alarms};
	for (size_t i = 0; i <= k; i++)
		m->number += fleet_kind_of(i) == kind;
	snprintf(m->id, sizeof m->id, "%s-%02u", kind->name, m->number);
	snprintf(m->asset, sizeof m->asset, "%s-%03zu", g->park, k + 1);
	m->usage.energy_wh = !strcmp(kind->points[0].id, "power_w") ? 0 : -1;
	fleet_follow_start(g, k);
}

static void
name(struct fleet_gateway *g, size_t k, uint64_t seed)
{
	const struct fleet_options *o = g->fleet->options;

	snprintf(g->park, sizeof g->park, "park-%03zu", k + (size_t)o->first);
	/* Numbers begin anew with each start, so the epoch is of the start, not of the seed. */
	snprintf(g->epoch, sizeof g->epoch, "%08x",
		(unsigned)fleet_hash(seed, (uint64_t)g->fleet->started_ms));
	snprintf(g->client_id, sizeof g->client_id, "%s-" FLEET_GATEWAY, g->park);
	g->names = (struct fleet_names){.root = o->topic_root ? o->topic_root : "parks",
		.park = g->park,
		.epoch = g->epoch,
		.started_ms = g->fleet->started_ms,
		.interval_ms = o->interval_ms};
	fleet_path(g, g->will, sizeof g->will, "gateways/" FLEET_GATEWAY "/availability");
}

static void
start_timers(struct fleet_gateway *g, size_t k)
{
	int64_t start_us = g->fleet->started_us;

	g->spacing_us = g->names.interval_ms * 1000 / (int64_t)g->n;
	g->first_us = start_us + (int64_t)(random_of(g) * (double)g->spacing_us);
	g->poll.fire = poll_due;
	g->second.fire = second_due;
	g->connect.fire = connect_now;
	g->health_us = start_us - (int64_t)(random_of(g) * HEALTH_US);
	reactor_arm(g->fleet->reactor, &g->poll, g->first_us);
	reactor_arm(g->fleet->reactor, &g->second, start_us + (int64_t)(random_of(g) * (double)S));
	reactor_arm(g->fleet->reactor, &g->connect, start_us + (int64_t)k * START_SPREAD_US);
}

struct fleet_gateway *
fleet_gateway_create(struct fleet *f, size_t k)
{
	const struct fleet_link_ops ops = {on_up, on_down, on_acked, on_message, on_ready, NULL};
	uint64_t seed = fleet_hash((uint64_t)f->options->seed, k + (size_t)f->options->first);
	struct fleet_gateway *g = calloc(1, sizeof *g);

	if (!g)
		return NULL;
	g->fleet = f;
	g->random = seed;
	g->n = (size_t)f->options->machines;
	g->url = (unsigned)(k % f->options->urls.n);
	name(g, k, seed);
	g->machines = calloc(g->n, sizeof *g->machines);
	g->backlogs = calloc(g->n, sizeof *g->backlogs);
	struct fleet_link_ops own = ops;
	own.arg = g;
	g->link = fleet_link_create(
		f->reactor, &f->options->link, g->park, g->client_id, g->will, &own);
	if (!g->machines || !g->backlogs || !g->link) {
		fleet_gateway_destroy(g);
		return NULL;
	}
	for (size_t m = 0; m < g->n; m++)
		add_machine(g, m, fleet_hash(seed, m + 1));
	start_timers(g, k);
	return g;
}

void
fleet_gateway_destroy(struct fleet_gateway *g)
{
	if (!g)
		return;
	reactor_disarm(g->fleet->reactor, &g->poll);
	reactor_disarm(g->fleet->reactor, &g->second);
	reactor_disarm(g->fleet->reactor, &g->connect);
	fleet_link_destroy(g->link);
	while (g->strays) {
		struct fleet_stray *next = g->strays->next;
		free(g->strays);
		g->strays = next;
	}
	free(g->events.ring);
	free(g->machines);
	free(g->backlogs);
	free(g);
}

void
fleet_gateway_kill(struct fleet_gateway *g)
{
	if (g->killed)
		return;
	g->killed = true;
	reactor_disarm(g->fleet->reactor, &g->poll);
	reactor_disarm(g->fleet->reactor, &g->connect);
	g->fleet->stats.losses += fleet_link_is_up(g->link);
	fleet_link_drop(g->link);
	fleet_queue_return(g);
	g->up_since_us = 0;
}

/* Its machines were not looked at meanwhile, so their polls go on with the next one that is due. */
void
fleet_gateway_revive(struct fleet_gateway *g)
{
	int64_t now_us = reactor_now_us();

	if (!g->killed)
		return;
	g->killed = false;
	if (now_us > g->first_us)
		g->turns = (uint64_t)((now_us - g->first_us) / g->spacing_us) + 1;
	reactor_arm(g->fleet->reactor, &g->poll, now_us);
	connect_in(g, 0);
}

void
fleet_gateway_leave(struct fleet_gateway *g)
{
	g->leaving = true;
	reactor_disarm(g->fleet->reactor, &g->poll);
	reactor_disarm(g->fleet->reactor, &g->connect);
	if (!fleet_link_is_up(g->link)) {
		g->left = true;
		return;
	}
	g->dirty = 0;
	fleet_send_availability(g);
	on_ready(g);
}
