/* SPDX-License-Identifier: MIT */
/* world.h -- a whole gateway for fuzz targets, without its threads
 *
 * What the loop would hand to the disk's thread runs when the target says so, what it would hand to
 * the uplink is acknowledged there, and every payload must be JSON. The target is linked with
 * --wrap for the functions below (fuzz.mk).
 */
#ifndef TESTS_FUZZ_WORLD_H
#define TESTS_FUZZ_WORLD_H

#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "daemon/gateway.h"
#include "daemon/log.h"
#include "tests/fuzz/folder.h"

enum { WORLD_JOBS = 512, WORLD_FLYING = 64 };

static struct world {
	struct gateway *gateway;
	struct spool_job *jobs[WORLD_JOBS];
	size_t n_jobs;
	struct message *flying[WORLD_FLYING];
	size_t n_flying;
} world;

void __wrap_spool_post(struct spool *s, struct spool_job *job);
void __wrap_uplink_send(struct uplink *u, struct message *m);
void __wrap_uplink_flush(struct uplink *u);
void __wrap_uplink_subscribe(struct uplink *u, const char *filter);
void __wrap_uplink_unsubscribe(struct uplink *u, const char *filter);

void
__wrap_spool_post(struct spool *s, struct spool_job *job)
{
	(void)s;
	assert(world.n_jobs < WORLD_JOBS);
	world.jobs[world.n_jobs++] = job;
}

void
__wrap_uplink_send(struct uplink *u, struct message *m)
{
	(void)u;
	assert(world.n_flying < WORLD_FLYING);
	world.flying[world.n_flying++] = m;
}

void
__wrap_uplink_flush(struct uplink *u)
{
	(void)u;
}

void
__wrap_uplink_subscribe(struct uplink *u, const char *filter)
{
	(void)u;
	assert(filter && *filter);
}

void
__wrap_uplink_unsubscribe(struct uplink *u, const char *filter)
{
	(void)u;
	assert(filter && *filter);
}

/* What was published, before it is acknowledged; the target's own. */
static void world_published(const struct message *m);

static inline void
world_arrive(struct message *m)
{
	json_t *root =
		m->json ? json_loadb(m->payload, m->len, JSON_REJECT_DUPLICATES, NULL) : NULL;

	assert(!m->json || json_is_object(root));
	json_decref(root);
	world_published(m);
	m->result = RESULT_ANSWERED;
	m->reason = 0;
	outbox_done(world.gateway->outbox, m, clock_mono_us());
}

/* The disk and the broker do what they were asked for, until nothing is left. */
static inline void
world_settle(void)
{
	for (bool more = true; more;) {
		gateway_pump(world.gateway);
		more = world.n_jobs > 0 || world.n_flying > 0;
		struct world now = world;
		world.n_jobs = world.n_flying = 0;
		for (size_t i = 0; i < now.n_jobs; i++) {
			now.jobs[i]->run(now.jobs[i], spool_files(world.gateway->spool));
			now.jobs[i]->done(world.gateway, now.jobs[i]);
		}
		for (size_t i = 0; i < now.n_flying; i++)
			world_arrive(now.flying[i]);
	}
}

/* Two machines of gateway gw1 in the park p, connected; what is in the folder is its past. */
static inline void
world_start(void)
{
	static const char text[] =
		"park: p\n"
		"gateway: gw1\n"
		"mqtt: {brokers: [\"mqtt://127.0.0.1:1\"], ack: archiver}\n"
		"spool: {path: %s, max_size: 64MiB}\n"
		"control: %s/control\n"
		"buses:\n"
		"  - {id: plc, type: modbus-tcp, host: 127.0.0.1, port: 1}\n"
		"machines:\n"
		"  - id: m1\n"
		"    class: laser-cutter\n"
		"    asset: A1\n"
		"    sources: [{id: meter, driver: modbus, bus: plc, unit: 1, profile: eastron-sdm120}]\n"
		"    usage: [{activity: busy, point: meter.power_w, above: 120}, {activity: \"off\"}]\n"
		"    alarms: [{code: hot, point: meter.power_w, above: 900, severity: critical,\n"
		"              text: {ru: \"Жарко\", en: \"Hot\"}}]\n"
		"  - id: m2\n"
		"    class: 3d-printer\n"
		"    sources: [{id: board, driver: marlin, device: /nowhere/tty}]\n";
	struct problems problems = {0};
	char yaml[sizeof(text) + 128];
	int holder = 0;

	log_set_level(LOG_LEVEL_ERROR);
	int len = snprintf(yaml, sizeof(yaml), text, folder, folder);
	struct config *config =
		config_load_text("fuzz.yaml", yaml, (size_t)len, "config/profiles", &problems);
	problems_free(&problems);
	assert(config);
	world.gateway = gateway_create(config, "fuzz.yaml", "config/profiles", &holder);
	assert(world.gateway);
	world.gateway->mqtt.up = true;
	outbox_connected(world.gateway->outbox, 16);
	inbound_connected(world.gateway, clock_mono_us());
	gateway_settle(world.gateway);
	world_settle();
}

/* The same without a past. */
static inline struct gateway *
world_create(void)
{
	folder_empty();
	world_start();
	return world.gateway;
}

static inline void
world_destroy(void)
{
	gateway_destroy(world.gateway);
	world = (struct world){0};
}

#endif
