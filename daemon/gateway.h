/* SPDX-License-Identifier: MIT */
/* gateway.h -- ties the parts together on the loop thread
 *
 * One sample's way: bus thread -> mailbox -> gateway_mail() -> machine -> payload -> outbox ->
 * uplink thread -> PUBACK -> mailbox -> outbox forgets it.
 *
 * The structure is shared by the files whose functions stand here, which are one room; nobody else
 * looks into it.
 */
#ifndef DAEMON_GATEWAY_H
#define DAEMON_GATEWAY_H

#include "config/config.h"
#include "daemon/kept.h"
#include "daemon/loop.h"
#include "daemon/machine.h"
#include "daemon/mailbox.h"
#include "daemon/outbox.h"
#include "daemon/payload.h"
#include "daemon/poller.h"
#include "daemon/spool.h"
#include "daemon/uplink.h"
#include "drivers/usb.h"

#define GATEWAY_SCRATCH (256 * 1024)
#define STATE_EVERY_US 10000000LL /* a snapshot because of mere values, at most so often */

struct topic { /* interned: lives as long as the gateway, also when its machine has gone */
	struct topic *next;
	uint64_t seq; /* of its last numbered message: (topic, epoch, seq) names it for ever */
	/* numbers.c's */
	bool live;               /* telemetry: numbers are reserved by the block */
	uint64_t safe, reserved; /* with the broker or on the disk; not to be given again */
	uint64_t acked;
	struct gap loss;                 /* that is not announced yet */
	uint64_t stored_from, stored_to; /* in spool.db; 0: nothing */
	char stored_epoch[9];
	char text[];
};

/* Who gets the values of a polled unit. */
struct taps {
	size_t n;
	struct source *sources[];
};

struct trouble; /* trouble.c: an alarm of the gateway itself */
struct journal; /* journal.c */
struct replay;  /* replay.c */

struct stray { /* a retained topic at the broker that nobody owns any more */
	struct retained retained;
	struct gateway *gateway;
	char topic[];
};

struct reload;     /* reload.c */
struct hass_topic; /* hass.c */

struct gateway {
	struct config *config;
	const char *file, *profiles_dir;
	struct loop *loop;
	struct mailbox inbox;
	struct outbox *outbox;
	struct uplink *uplink;
	struct usb *usb;
	struct spool *spool; /* the disk */
	struct journal *journal;
	struct replay *replay;
	struct flood flood;      /* of alarms of machines */
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
	uint64_t evicted;   /* records of telemetry that were lost for want of room */
	int64_t refused_us; /* of the last dead letter; 0: long ago */
	char config_error[256];

	bool stopping;
	struct {
		bool up;
		char broker[288]; /* "host:port"; "": never connected */
		int protocol;
		int64_t since_ms;
		uint64_t connects;
		unsigned window, window_limit; /* in use; 0: no less than wanted */
		char error[128];
		/* What was said about brokers that are away, so that it is said once. */
		char told[8][160];
		size_t n_told;
		int64_t lookout_until_us; /* retained topics of others are looked at until then */
		bool held_elsewhere;      /* one of our machines is another gateway's, too */
	} mqtt;
	char **orphans; /* machines at the broker that are ours and not configured */
	size_t n_orphans;
	struct retained availability, info, health;
	const char *event_topic, *gap_topic;
	int64_t next_health_us, next_checkpoint_us;
	struct { /* hass.c */
		struct hass_topic *topics;
		int64_t due_us; /* all of them are published then; 0: nothing is due */
	} hass;
	struct { /* clockwatch.c */
		int fd;
		int64_t lead_ms, next_us;
	} clock;
	struct { /* service.c */
		char status[400];
		int64_t told_us;
		char late[48]; /* the thread that keeps the watchdog waiting */
	} service;
	struct health health_now;
	struct bus_health *bus_health;
	char *scratch; /* GATEWAY_SCRATCH bytes, for one payload at a time */
	struct control *control;
	struct metrics *metrics;
};

/* ---- gateway.c ----------------------------------------------------------------------------- */
/* NULL: no memory; or another daemon has the spool's directory, its pid in *holder. */
struct gateway *gateway_create(
	struct config *config, const char *file, const char *profiles_dir, int *holder);
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
/* The same for a whole topic. */
const char *gateway_intern(struct gateway *g, const char *topic);
struct machine *gateway_find_machine(const struct gateway *g, const char *id);
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
void announce_one_gone(struct machine *m); /* one of those that were to be cleared */

/* ---- alarm_topics.c: the retained picture of each alarm of a machine ------------------------- */
void alarm_topic_show(struct gateway *g, struct machine *m, const char *code);
bool alarm_topic_is_shown(const struct machine *m, const char *code);
/* Its present picture has not been acknowledged by the broker yet. */
bool alarm_topic_waits(const struct machine *m, const char *code);
void alarm_topics_tick(struct gateway *g, struct machine *m, struct moment now);
size_t alarm_topics_withdraw(struct gateway *g, struct machine *m); /* how many leave */
void alarm_topics_free(struct machine *m);

/* ---- hass.c: what Home Assistant is told ------------------------------------------------------
 */
void hass_changed(struct gateway *g, const struct machine *m); /* what the machine is */
void hass_withdraw(struct gateway *g, const struct machine *m);
/* It is the topic of a machine that is configured. */
bool hass_owns(const struct gateway *g, const char *topic);
void hass_connected(struct gateway *g, int64_t now_us);
/* False: the message is not Home Assistant's. */
bool hass_message(struct gateway *g, const struct uplink_event *e, int64_t now_us);
void hass_tick(struct gateway *g, int64_t now_us);
void hass_reloaded(struct gateway *g, const struct config *old);
void hass_free(struct gateway *g);

/* ---- follow.c: what follows for a machine ---------------------------------------------------- */
/* Decides anew and tells what changed; `at_once`: the snapshot in any case. */
void follow_machine(struct gateway *g, struct machine *m, bool at_once);
void follow_tick(struct gateway *g, struct machine *m, int64_t now_us); /* once a second */
/* An alarmset_fn; `arg` is the machine. */
void follow_alarm(void *arg, struct alarm *a, unsigned transitions);
void follow_job_ended(struct gateway *g, struct machine *m, const struct job *job);

/* ---- journal.c: on the disk before it is told ------------------------------------------------ */
int journal_start(struct gateway *g); /* 0 or -1: no memory */
void journal_free(struct gateway *g);
void journal_keep(struct gateway *g, const char *kind, const char *key, const char *text);
void journal_drop(struct gateway *g, const char *kind, const char *key);
/* NULL: nothing is kept there. Valid until it is kept anew or dropped. */
const char *journal_kept(const struct gateway *g, const char *kind, const char *key);
void journal_each(struct gateway *g, const char *kind, kept_fn *each, void *arg);
/* An event of `len` bytes that stands in scratch; it is sent when it is on the disk. */
void journal_event(struct gateway *g, const char *topic, const struct envelope *e, size_t len);
void journal_ended(struct gateway *g, const struct message *m, enum message_end how);
/* No broker will take it: a dead letter. */
void journal_reject(struct gateway *g, const struct message *m);
/* To be run after the next transaction. */
void journal_then(struct gateway *g, struct spool_job *job);
/* An archiver has all of it up to seq. */
void journal_archived(struct gateway *g, const char *topic, const char *epoch, uint64_t seq);
/* This boot's clock has been set: wall time = CLOCK_BOOTTIME + lead_ms. What waits is stamped
 * anew. */
void journal_synced(struct gateway *g, int64_t lead_ms);
void journal_commit(struct gateway *g); /* at the end of each pass of the loop */
void journal_close(struct gateway *g);  /* the last transaction */
void journal_tick(struct gateway *g, int64_t now_us);
void journal_stats(const struct gateway *g, struct store_stats *out);
bool journal_is_idle(const struct gateway *g); /* nothing waits for the disk */

/* ---- numbers.c: epoch, seq, gaps ------------------------------------------------------------- */
void numbers_start(struct gateway *g);
void numbers_recall(struct gateway *g, struct topic *t);    /* a topic that is new to this run */
void numbers_used(struct gateway *g, const char *topic);    /* its last number is an event's */
void numbers_reserve(struct gateway *g, const char *topic); /* its last number is telemetry's */
void numbers_safe(struct gateway *g, const struct message *m, bool acknowledged);
void numbers_renew_epoch(struct gateway *g);
void numbers_gap(struct gateway *g, const struct gap *gap);
/* One after the other of a topic makes one gap, told within a second. */
void numbers_lost(struct gateway *g, const char *topic, const char *epoch, uint64_t seq,
	int64_t ts_ms, const char *reason);
void numbers_refused(struct gateway *g, const struct message *m);
void numbers_records_lost(struct gateway *g); /* state.db was begun anew */
void numbers_backlog_lost(struct gateway *g); /* spool.db was */
/* Telemetry is in spool.db, or is there no longer. */
void numbers_stored(struct gateway *g, const struct message *m);
void numbers_unstored(struct gateway *g, const char *topic, uint64_t from, uint64_t upto);
void numbers_tick(struct gateway *g, int64_t now_us);
void numbers_close(struct gateway *g); /* at a clean stop: nothing will jump */

/* ---- replay.c: telemetry to the disk, and back as history -------------------------------------
 */
int replay_start(struct gateway *g); /* 0 or -1: no memory */
void replay_free(struct gateway *g);
/* A reading of `len` bytes that stands in scratch. */
void replay_telemetry(struct gateway *g, const char *topic, const struct envelope *e, size_t len);
/* A message of LANE_LIVE or LANE_HISTORY leaves the outbox. */
void replay_ended(struct gateway *g, const struct message *m, enum message_end how);
void replay_connected(struct gateway *g, int64_t now_us);
void replay_synced(struct gateway *g, int64_t lead_ms);
void replay_pump(struct gateway *g, int64_t now_us); /* in each pass of the loop */
void replay_tick(struct gateway *g, int64_t now_us);
void replay_close(struct gateway *g); /* the last rows */
bool replay_is_broken(const struct gateway *g);
void replay_stats(const struct gateway *g, struct backlog_stats *out);

/* ---- clockwatch.c: the clock is set, and what follows -----------------------------------------
 */
void clockwatch_init(struct gateway *g); /* before anything takes the time */
void clockwatch_start(struct gateway *g);
void clockwatch_tick(struct gateway *g, int64_t now_us);
void clockwatch_stop(struct gateway *g);

/* ---- remember.c: what survives a restart ----------------------------------------------------- */
void remember_usage(struct gateway *g, struct machine *m);
void remember_machine(struct gateway *g, const struct machine *m);
/* `machine`: its id; "" for an alarm of the gateway. */
void remember_alarm(struct gateway *g, const char *machine, const struct alarm *a);
void remember_no_alarm(struct gateway *g, const char *machine, const char *code);
void remember_topic(struct gateway *g, const char *topic, bool filled);
void remember_tick(struct gateway *g, int64_t now_us); /* checkpoints of open jobs */
void remember_everything(struct gateway *g);           /* at the end, and when the clock was set */
/* Gives a new machine what is kept of it and of its asset. */
void remember_recall(struct gateway *g, struct machine *m);
void remember_recall_all(struct gateway *g);
/* Its asset leaves it: the open job ends, the counters stay. */
void remember_leave(struct gateway *g, struct machine *m);
/* Jobs and retained topics of former runs that nobody here owns any more. */
void remember_orphans(struct gateway *g);

/* ---- care.c: what a technician tells about a machine ----------------------------------------- */
void care_maintain(
	struct gateway *g, struct machine *m, int64_t ms, const char *reason); /* 0: end */
/* 0, -ENOENT: no such alarm, -EALREADY: there is nothing to acknowledge. */
int care_ack(struct gateway *g, struct machine *m, const char *code);
int care_set_usage(
	struct gateway *g, struct machine *m, const char *field, double value, const char *note);
int care_test_alarm(struct gateway *g, struct machine *m, enum severity severity, int64_t ms);

/* ---- buswatch.c: a dead bus is one alarm ----------------------------------------------------- */
void buswatch_tick(struct gateway *g);
bool buswatch_has(const struct gateway *g, const char *code); /* of a bus that is configured */

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
/* Clears a retained topic that nobody owns. */
void inbound_clear_topic(struct gateway *g, const char *topic);

/* ---- trouble.c: alarms of the gateway itself ------------------------------------------------ */
/* Codes and words: config/alarm_words.h. Returns the code while the alarm is active, else NULL. */
const char *trouble_set(struct gateway *g, const char *code, enum truth holds);
void trouble_raise(struct gateway *g, const char *code);
void trouble_clear(struct gateway *g, const char *code);
bool trouble_is_shown(const struct gateway *g, const char *code); /* its topic is filled */
void trouble_recall(struct gateway *g);                           /* those of the former run */
void trouble_remember(struct gateway *g);                         /* all that are known */
/* The clock was set for the first time since the boot. */
void trouble_clock_moved(struct gateway *g, const struct shift *by);
void trouble_tick(struct gateway *g); /* once a second */
void trouble_free(struct gateway *g);

/* ---- health.c ------------------------------------------------------------------------------- */
const struct health *health_collect(struct gateway *g);
size_t health_render(struct retained *r, char *buf, size_t size);
int64_t health_waiting(struct gateway *g); /* records that the broker does not have */
void health_changed(struct gateway *g);    /* something that matters: publish soon */
void health_tick(struct gateway *g, int64_t now_us);

/* ---- service.c: what systemd is told --------------------------------------------------------- */
int service_start(struct gateway *g);  /* the watchdog, if there is one; 0 or -errno */
void service_ready(struct gateway *g); /* polling has begun */
void service_reloading(void);
void service_stopping(void);
void service_tick(struct gateway *g, int64_t now_us); /* once a second: the status */

/* ---- reload.c ------------------------------------------------------------------------------- */
void reload_start(struct gateway *g);
void reload_pollset_returned(struct gateway *g, struct pollset *set);
void reload_tick(struct gateway *g); /* ends one whose old sets have all come back */
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
