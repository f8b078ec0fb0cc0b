/* SPDX-License-Identifier: MIT */
/* gateway.h -- ties the parts together on the loop thread
 *
 * One sample's way: bus thread -> mailbox -> gateway_mail() -> machine -> payload -> outbox ->
 * uplink thread -> PUBACK -> mailbox -> outbox forgets it.
 *
 * The structure is shared by gateway.c, announce.c, pollplan.c, reload.c, inbound.c, trouble.c,
 * health.c, control.c and metrics.c, which are one room; nobody else looks into it.
 */
#ifndef DAEMON_GATEWAY_H
#define DAEMON_GATEWAY_H

#include "config/config.h"
#include "daemon/loop.h"
#include "daemon/machine.h"
#include "daemon/mailbox.h"
#include "daemon/outbox.h"
#include "daemon/payload.h"
#include "daemon/poller.h"
#include "daemon/state.h"
#include "daemon/uplink.h"
#include "drivers/usb.h"

#define GATEWAY_SCRATCH (256 * 1024)

struct topic { /* interned: lives as long as the gateway, also when its machine has gone */
	struct topic *next;
	uint64_t seq; /* of its last numbered message: (topic, epoch, seq) names it for ever */
	char text[];
};

/* Who gets the values of a polled unit. */
struct taps {
	size_t n;
	struct source *sources[];
};

struct trouble { /* an alarm of the gateway itself */
	struct trouble *next;
	struct gateway_alarm alarm;
	struct retained retained;
	struct gateway *gateway;
	char code[64];
};

struct stray { /* a retained topic at the broker that nobody owns any more */
	struct retained retained;
	struct gateway *gateway;
	char topic[];
};

struct reload; /* reload.c */

struct gateway {
	struct config *config;
	const char *file, *profiles_dir;
	struct loop *loop;
	struct mailbox inbox;
	struct outbox *outbox;
	struct uplink *uplink;
	struct usb *usb;
	struct state *state;     /* what survives a restart; NULL: nothing does */
	struct poller **pollers; /* one per bus of the configuration, in its order */
	size_t n_pollers;
	struct machine **machines;
	size_t n_machines;
	struct topic *topics;
	struct trouble *troubles;
	struct reload *reload; /* one that is under way; NULL: none */
	bool reload_again;

	char epoch[9], boot[40];
	int64_t started_us, grid_us, started_ms, config_loaded_ms;
	uint64_t polls_lost;
	char config_error[256];

	bool stopping, was_stopped;
	struct {
		bool up;
		char broker[288]; /* "host:port"; "": never connected */
		int protocol;
		int64_t since_ms;
		uint64_t connects;
		char error[128];
		/* What was said about brokers that are away, so that it is said once. */
		char told[8][160];
		size_t n_told;
		int64_t lookout_until_us; /* retained topics of others are looked at until then */
	} mqtt;
	char **orphans; /* machines at the broker that are ours and not configured */
	size_t n_orphans;
	struct retained availability, info, health;
	const char *event_topic;
	int64_t next_health_us, next_clock_us;
	struct health health_now;
	struct bus_health *bus_health;
	char *scratch; /* GATEWAY_SCRATCH bytes, for one payload at a time */
	struct control *control;
	struct metrics *metrics;
};

/* ---- gateway.c ----------------------------------------------------------------------------- */
struct gateway *gateway_create(struct config *config, const char *file, const char *profiles_dir);
/* Starts polling and connecting. 0 or -errno. */
int gateway_start(struct gateway *g);
void gateway_mail(void *gateway); /* takes everything out of the inbox */
/* Stops whatever is broken within 5 s; false: a thread hangs, exit without freeing. */
bool gateway_stop(struct gateway *g);
void gateway_destroy(struct gateway *g);
struct envelope gateway_envelope(const struct gateway *g, int64_t ts_ms);
/* With epoch and the next number of `topic`, which gateway_topic() gave. */
struct envelope gateway_numbered(const struct gateway *g, int64_t ts_ms, const char *topic);
/* "parks/P/…", kept until the end. NULL: no memory. */
const char *gateway_topic(struct gateway *g, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
struct machine *gateway_find_machine(const struct gateway *g, const char *id);
void gateway_send_event(struct gateway *g, const char *topic, size_t len); /* from scratch */
void gateway_pump(struct gateway *g);
/* Publishes what is known of all machines. */
void gateway_settle(struct gateway *g);

/* ---- announce.c: retained topics ------------------------------------------------------------ */
int announce_gateway(struct gateway *g);
/* Gives a machine its topics and publishes its info. 0 or -ENOMEM. */
int announce_machine(struct gateway *g, struct machine *m);
/* Its availability and state are published from the moment they are known. */
void announce_state(struct gateway *g, struct machine *m);
void announce_withdrawal(struct gateway *g, struct machine *m); /* clears them, then frees it */

/* ---- pollplan.c: sources -> what each bus polls -------------------------------------------- */
/* The set of bus `bus`; units that `old` (may be NULL) polls in the same way are shared with it
 * and listed in `kept`. NULL: no memory. */
struct pollset *pollplan_create(
	struct gateway *g, size_t bus, struct poller *poller, const struct pollset *old);

/* ---- identity.c: is it the device that it was? ----------------------------------------------- */
/* Tells a USB bus which device was there last time. */
void identity_expect(struct gateway *g, struct poller *p);
/* A reading of the source's unit came. False: another device answers; the reading must not be
 * used. */
bool identity_check(struct gateway *g, struct source *s, const struct poll_mail *mail);
/* Why it was not opened or not believed, and what is there instead. */
void identity_look(struct gateway *g, struct source *s, struct polled_unit *unit);
/* A person says that the device is the right one. 0, -ENOENT: there is nothing to accept. */
int identity_accept(struct gateway *g, struct source *s);

/* ---- plugs.c: USB devices come and go -------------------------------------------------------- */
int plugs_start(struct gateway *g);
void plugs_stop(struct gateway *g);

/* ---- inbound.c: what the broker tells ------------------------------------------------------- */
void inbound_connected(struct gateway *g, int64_t now_us);
void inbound_message(struct gateway *g, const struct uplink_event *e);
void inbound_tick(struct gateway *g, int64_t now_us);

/* ---- trouble.c: alarms of the gateway itself ------------------------------------------------ */
struct trouble_facts {
	const char *code;
	enum severity severity;
	struct text text, hint; /* string literals */
};
void trouble_raise(struct gateway *g, const struct trouble_facts *facts);
void trouble_clear(struct gateway *g, const char *code);
bool trouble_is_active(const struct gateway *g, const char *code);
void trouble_tick(struct gateway *g, int64_t now_ms); /* removes those cleared 15 min ago */
void trouble_free(struct gateway *g);

/* ---- health.c ------------------------------------------------------------------------------- */
const struct health *health_collect(struct gateway *g);
size_t health_render(struct retained *r, char *buf, size_t size);
void health_changed(struct gateway *g); /* something that matters: publish soon */
void health_tick(struct gateway *g, int64_t now_us);

/* ---- reload.c ------------------------------------------------------------------------------- */
void reload_start(struct gateway *g);
void reload_pollset_returned(struct gateway *g, struct pollset *set);
void reload_tick(struct gateway *g);
void reload_free(struct gateway *g);

/* ---- control.c, metrics.c ------------------------------------------------------------------- */
/* 0; -EADDRINUSE: another daemon answers there, its pid in *holder. */
int control_start(struct gateway *g, int *holder);
void control_job_done(struct gateway *g, struct line_job *job);
void control_tick(struct gateway *g); /* once a second */
void control_stop(struct gateway *g);
void control_free(struct gateway *g);
/* After a reload: listens elsewhere if the configuration says so. */
void control_update(struct gateway *g, const struct config *old);
int metrics_start(struct gateway *g); /* 0 or -errno; nothing without metrics.listen */
void metrics_tick(struct gateway *g); /* once a second: idle connections time out */
void metrics_stop(struct gateway *g);
void metrics_update(struct gateway *g, const struct config *old);

#endif
