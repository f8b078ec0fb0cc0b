/* SPDX-License-Identifier: MIT */
/* gateway.c -- the loop's side of everything: what came in, what follows, what goes out */
#include "daemon/gateway.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/hint.h"
#include "daemon/clock.h"
#include "daemon/log.h"
#include "daemon/notify.h"

#define LIVE_BYTES (8u * 1024 * 1024)
#define EVENT_BYTES (4u * 1024 * 1024)
#define MQTT311 "mqtt311"
#define DUPLICATE "duplicate-client"
#define STOP_US 4700000LL    /* of the 5 s that a stop may take */
#define DISK_US 4000000LL    /* then the disk gets the rest */
#define GOODBYE_US 1500000LL /* for what still waits and for `offline` */

/* ---- names --------------------------------------------------------------------------------- */

const char *
gateway_intern(struct gateway *g, const char *topic)
{
	for (struct topic *t = g->topics; t; t = t->next)
		if (strcmp(t->text, topic) == 0)
			return t->text;
	struct topic *t = malloc(sizeof(*t) + strlen(topic) + 1);
	if (!t)
		return NULL;
	*t = (struct topic){.next = g->topics};
	strcpy(t->text, topic);
	g->topics = t;
	numbers_recall(g, t);
	return t->text;
}

const char *
gateway_topic(struct gateway *g, const char *fmt, ...)
{
	char text[256];
	va_list args;
	int n = snprintf(text, sizeof(text), "%s/%s/", g->config->mqtt.topic_root, g->config->park);
	va_start(args, fmt);
	vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, args);
	va_end(args);
	return gateway_intern(g, text);
}

struct envelope
gateway_envelope(const struct gateway *g, int64_t ts_ms)
{
	return (struct envelope){.ts_ms = ts_ms, .clock = clock_state(), .gw = g->config->gateway};
}

struct envelope
gateway_numbered(const struct gateway *g, int64_t ts_ms, const char *topic)
{
	struct topic *t = (struct topic *)(uintptr_t)(topic - offsetof(struct topic, text));
	struct envelope e = gateway_envelope(g, ts_ms);
	e.epoch = g->epoch;
	e.seq = ++t->seq;
	return e;
}

struct machine *
gateway_find_machine(const struct gateway *g, const char *id)
{
	for (size_t i = 0; i < g->n_machines; i++)
		if (strcmp(g->machines[i]->config->id, id) == 0)
			return g->machines[i];
	return NULL;
}

/* ---- readings ------------------------------------------------------------------------------ */

static void
tell_source(struct gateway *g, struct source *s, int64_t lost_before)
{
	char hint[HINT_SIZE], word[24];
	const char *machine = s->machine->config->id, *source = s->config->id;
	if (s->ok) {
		if (lost_before)
			log_info("%s/%s: answers again, %lld polls lost", machine, source,
				(long long)lost_before);
		else
			log_info("%s/%s: answers", machine, source);
		return;
	}
	payload_hint(hint, sizeof(hint), s, g->config->language);
	log_warning("%s/%s: %s. %s", machine, source,
		fail_text(s->fail, s->exception, word, sizeof(word)), hint);
}

static void
publish_reading(struct gateway *g, struct source *s, const struct reading *r,
	const uint16_t *points, unsigned outcome)
{
	struct machine *m = s->machine;
	size_t len;
	if (!(outcome & (OUTCOME_TELEMETRY | OUTCOME_ERRORS)))
		return;
	if ((outcome & OUTCOME_TELEMETRY) && !payload_says_anything(s, r, points))
		return;
	struct envelope e = gateway_numbered(g, r->ts_ms, m->telemetry_topic);
	if (outcome & OUTCOME_TELEMETRY)
		len = payload_telemetry(g->scratch, GATEWAY_SCRATCH, &e, s, r, points);
	else
		len = payload_silence(g->scratch, GATEWAY_SCRATCH, &e, s);
	replay_telemetry(g, m->telemetry_topic, &e, len);
}

static void
take_reading(struct gateway *g, struct source *s, const struct poll_mail *mail,
	const uint16_t *points, int64_t now_us)
{
	uint64_t lost = s->lost_polls;
	struct reading *r = mail->reading;
	if (r->rc == 0 && !identity_check(g, s, mail)) {
		r->rc = -ESTALE;
		r->fail = FAIL_IDENTITY;
	}
	unsigned outcome = source_take(s, r, points, now_us);
	s->machine->dirty |= r->rc == 0;
	publish_reading(g, s, mail->reading, points, outcome);
	if (outcome & (OUTCOME_SOURCE | OUTCOME_STATE))
		identity_look(g, s, mail->unit);
	if (outcome & OUTCOME_SOURCE) {
		tell_source(g, s, (int64_t)lost);
		if (s->ok)
			s->lost_polls = 0;
	}
	follow_machine(g, s->machine, outcome & OUTCOME_STATE);
}

static void
on_reading(struct gateway *g, struct poll_mail *mail, int64_t now_us)
{
	size_t n;
	struct polled_unit *unit = mail->unit;
	struct taps *taps = unit->taps;
	const uint16_t *points = device_group_points(unit->device, mail->reading->group, &n);
	for (size_t i = 0; i < taps->n; i++) {
		taps->sources[i]->shares = taps->n > 1;
		if (!taps->sources[i]->removed)
			take_reading(g, taps->sources[i], mail, points, now_us);
	}
	poller_return(unit->poller, mail);
}

/* ---- the broker ---------------------------------------------------------------------------- */

/* As many as we want, the broker takes, and it did not complain of. */
static unsigned
choose_window(const struct gateway *g, unsigned receive_maximum)
{
	unsigned window = (unsigned)g->config->mqtt.window;
	if (receive_maximum < window)
		window = receive_maximum;
	if (g->mqtt.window_limit && g->mqtt.window_limit < window)
		window = g->mqtt.window_limit;
	return window;
}

static void
on_up(struct gateway *g, const struct uplink_event *e, int64_t now_us)
{
	g->mqtt.window = choose_window(g, e->receive_maximum);
	g->mqtt.up = true;
	snprintf(g->mqtt.broker, sizeof(g->mqtt.broker), "%s", e->broker);
	g->mqtt.protocol = e->protocol;
	g->mqtt.since_ms = clock_wall_ms();
	g->mqtt.connects++;
	g->mqtt.error[0] = '\0';
	g->mqtt.n_told = 0;
	log_info("mqtt: connected to %s (MQTT %s)", e->broker, e->protocol == 5 ? "5" : "3.1.1");
	if (!e->retain_available)
		log_warning("mqtt: this broker keeps no retained messages; state and availability "
			    "reach only those who listen now");
	if (e->protocol != 5)
		trouble_raise(g, MQTT311);
	else
		trouble_clear(g, MQTT311);
	replay_connected(g, now_us);
	outbox_connected(g->outbox, g->mqtt.window);
	inbound_connected(g, now_us);
	health_changed(g);
}

/* Each way in which each broker fails is told once until one of them is back. */
static void
tell_down(struct gateway *g, const struct uplink_event *e)
{
	char line[sizeof(g->mqtt.told[0])];
	const size_t max = sizeof(g->mqtt.told) / sizeof(g->mqtt.told[0]);
	snprintf(line, sizeof(line), "%.80s: %s", e->broker,
		e->error[0] ? e->error : "connection lost");
	for (size_t i = 0; i < g->mqtt.n_told; i++)
		if (strcmp(g->mqtt.told[i], line) == 0)
			return;
	if (g->mqtt.n_told == max)
		return;
	memcpy(g->mqtt.told[g->mqtt.n_told++], line, sizeof(line));
	log_warning("mqtt: %s; trying again", line);
}

/* What the broker's last word (MQTT 5.0, 3.14.2.1) asks for. */
static void
heed(struct gateway *g, int reason)
{
	if (reason == 0x8E) /* session taken over: somebody has our name */
		trouble_raise(g, DUPLICATE);
	if (reason == 0x93 || reason == 0x96) /* receive maximum exceeded, rate too high */
		g->mqtt.window_limit = g->mqtt.window > 1 ? g->mqtt.window / 2 : 1;
}

static void
on_down(struct gateway *g, const struct uplink_event *e)
{
	outbox_disconnected(g->outbox);
	heed(g, e->reason);
	tell_down(g, e);
	if (g->mqtt.up || g->mqtt.since_ms == 0)
		g->mqtt.since_ms = clock_wall_ms();
	g->mqtt.up = false;
	snprintf(g->mqtt.error, sizeof(g->mqtt.error), "%s", e->error);
}

static void
on_uplink(struct gateway *g, struct uplink_event *e, int64_t now_us)
{
	if (e->kind == UPLINK_UP)
		on_up(g, e, now_us);
	else if (e->kind == UPLINK_DOWN)
		on_down(g, e);
	else
		inbound_message(g, e);
	uplink_event_free(e);
}

static void
on_message(struct gateway *g, struct message *m, int64_t now_us)
{
	if (outbox_done(g->outbox, m, now_us))
		uplink_reconnect(g->uplink);
}

static void
pump(struct gateway *g, int64_t now_us)
{
	replay_pump(g, now_us);
	journal_commit(g); /* first: nothing is told that is not on the disk */
	outbox_pump(g->outbox, now_us);
	uplink_flush(g->uplink);
}

static void
take_mail(struct gateway *g, struct mail *mail, int64_t now_us)
{
	struct spool_job *job;
	switch (mail->kind) {
	case MAIL_READING:
		on_reading(g, (struct poll_mail *)mail, now_us);
		break;
	case MAIL_POLLSET:
		reload_pollset_returned(g, (struct pollset *)mail);
		break;
	case MAIL_JOB:
		control_job_done(g, (struct line_job *)mail);
		break;
	case MAIL_MESSAGE:
		on_message(g, (struct message *)mail, now_us);
		break;
	case MAIL_UPLINK:
		on_uplink(g, (struct uplink_event *)mail, now_us);
		break;
	case MAIL_SPOOL:
		job = (struct spool_job *)mail;
		job->done(g, job);
		break;
	}
}

static void
take_all_mail(struct gateway *g, int64_t now_us)
{
	for (struct mail *mail = mailbox_take(&g->inbox), *next; mail; mail = next) {
		next = mail->next;
		take_mail(g, mail, now_us);
	}
}

void
gateway_mail(void *arg)
{
	struct gateway *g = arg;
	int64_t now_us = clock_mono_us();
	take_all_mail(g, now_us);
	pump(g, now_us);
	reload_tick(g);
}

void
gateway_pump(struct gateway *g)
{
	pump(g, clock_mono_us());
}

static void
send_message(void *arg, struct message *m)
{
	struct gateway *g = arg;
	uplink_send(g->uplink, m);
}

static void
on_ended(void *arg, const struct message *m, enum message_end how)
{
	if (m->lane == LANE_EVENT)
		journal_ended(arg, m, how);
	else
		replay_ended(arg, m, how);
}

static void
on_listed(void *arg, const char *topic, bool listed)
{
	remember_topic(arg, topic, listed);
}

static void
on_trouble(void *arg, const char *topic, int reason, const char *what)
{
	struct gateway *g = arg;
	char error[128];
	snprintf(error, sizeof(error), "%s refused: %s (0x%02X)", topic, what, (unsigned)reason);
	if (strcmp(error, g->mqtt.error) != 0)
		log_warning("mqtt: %s", error);
	snprintf(g->mqtt.error, sizeof(g->mqtt.error), "%s", error);
}

/* ---- time ---------------------------------------------------------------------------------- */

static void
tick_source(struct gateway *g, struct source *s, int64_t now_us)
{
	unsigned outcome = source_tick(s, now_us, clock_wall_ms());
	if (outcome & OUTCOME_SOURCE)
		tell_source(g, s, 0);
	if (outcome & OUTCOME_STATE)
		follow_machine(g, s->machine, true);
}

static bool
has_flood(const struct machine *m)
{
	for (size_t i = 0; i < alarmset_size(m->alarms); i++)
		if (strcmp(alarmset_at(m->alarms, i)->life.suppressed_by, "flood") == 0)
			return true;
	return false;
}

static void
tick_machines(struct gateway *g, int64_t now_us)
{
	bool flood = false;
	for (size_t i = 0; i < g->n_machines; i++) {
		struct machine *m = g->machines[i];
		for (size_t k = 0; k < m->n_sources; k++)
			tick_source(g, m->sources[k], now_us);
		follow_tick(g, m, now_us);
		flood |= has_flood(m);
	}
	trouble_set(g, "alarm-flood", flood ? TRUTH_TRUE : TRUTH_FALSE);
}

static void
tick_mqtt(struct gateway *g)
{
	if (g->mqtt.up)
		trouble_clear(g, DUPLICATE);
}

static void
tick(void *arg)
{
	struct gateway *g = arg;
	int64_t now_us = clock_mono_us();
	clockwatch_tick(g, now_us);
	tick_mqtt(g);
	buswatch_tick(g);
	tick_machines(g, now_us);
	remember_tick(g, now_us);
	inbound_tick(g, now_us);
	hass_tick(g, now_us);
	journal_tick(g, now_us);
	replay_tick(g, now_us);
	numbers_tick(g, now_us);
	trouble_tick(g);
	health_tick(g, now_us);
	reload_tick(g);
	control_tick(g);
	metrics_tick(g);
	pump(g, now_us);
	service_tick(g, now_us);
}

/* ---- life ---------------------------------------------------------------------------------- */

static void
read_boot_id(struct gateway *g)
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
	if (f && fgets(g->boot, sizeof(g->boot), f))
		g->boot[strcspn(g->boot, "\n")] = '\0';
	if (f)
		fclose(f);
}

static int
make_machines(struct gateway *g)
{
	g->machines = calloc(g->config->n_machines + 1, sizeof(struct machine *));
	if (!g->machines)
		return -ENOMEM;
	for (size_t i = 0; i < g->config->n_machines; i++) {
		struct machine *m = machine_create(&g->config->machines[i], g->config, clock_now());
		if (!m)
			return -ENOMEM;
		g->machines[g->n_machines++] = m;
		/* Snapshots of a thousand machines do not all fall due in the same second. */
		m->next_state_us = g->started_us + (int64_t)(i * 6180339 % STATE_EVERY_US);
		int rc = announce_machine(g, m);
		if (rc < 0)
			return rc;
	}
	remember_recall_all(g);
	trouble_recall(g);
	remember_orphans(g);
	return 0;
}

/* The disk, and what is remembered there. */
static int
make_memory(struct gateway *g, int *holder)
{
	struct spool_config c = {.directory = g->config->spool_path,
		.boot = g->boot,
		.max_bytes = g->config->spool_max_bytes};
	notify_patience_begin("opening the spool");
	g->spool = spool_open(&c, &g->inbox, holder);
	notify_patience_end();
	if (!g->spool || journal_start(g) < 0 || replay_start(g) < 0)
		return -1;
	g->event_topic = gateway_topic(g, "gateways/%s/event", g->config->gateway);
	g->gap_topic = gateway_topic(g, "gateways/%s/gap", g->config->gateway);
	if (!g->event_topic || !g->gap_topic)
		return -1;
	numbers_start(g);
	return 0;
}

static int
make_pollers(struct gateway *g)
{
	g->pollers = calloc(g->config->n_buses + 1, sizeof(struct poller *));
	if (!g->pollers)
		return -ENOMEM;
	for (; g->n_pollers < g->config->n_buses; g->n_pollers++) {
		g->pollers[g->n_pollers] =
			poller_create(&g->config->buses[g->n_pollers], g->usb, &g->inbox);
		if (!g->pollers[g->n_pollers])
			return -ENOMEM;
		identity_expect(g, g->pollers[g->n_pollers]);
	}
	return 0;
}

struct gateway *
gateway_create(struct config *config, const char *file, const char *profiles_dir, int *holder)
{
	struct gateway *g = calloc(1, sizeof(*g));
	if (!g)
		return NULL;
	struct outbox_ops ops = {.send = send_message,
		.trouble = on_trouble,
		.ended = on_ended,
		.listed = on_listed,
		.arg = g};
	g->config = config;
	g->file = file;
	g->profiles_dir = profiles_dir;
	g->started_us = g->grid_us = clock_mono_us();
	g->started_ms = g->config_loaded_ms = clock_wall_ms();
	clockwatch_init(g);
	read_boot_id(g);
	g->scratch = malloc(GATEWAY_SCRATCH);
	g->loop = loop_create(gateway_mail, g);
	mailbox_init(&g->inbox, loop_wake, g->loop);
	g->outbox = outbox_create(&ops, LIVE_BYTES, EVENT_BYTES);
	g->usb = usb_create();
	if (!g->scratch || !g->loop || !g->outbox || !g->usb)
		goto fail;
	if (make_memory(g, holder) < 0)
		goto fail;
	if (announce_gateway(g) < 0 || make_machines(g) < 0 || make_pollers(g) < 0)
		goto fail;
	struct uplink_will will = {.topic = g->availability.topic, .payload = "offline"};
	g->uplink = uplink_create(&config->mqtt, &will, &g->inbox);
	if (g->uplink)
		return g;
fail:
	gateway_destroy(g);
	return NULL;
}

static int
start_pollers(struct gateway *g)
{
	for (size_t i = 0; i < g->n_pollers; i++) {
		struct pollset *set = pollplan_create(g, i, g->pollers[i], NULL);
		if (!set)
			return -ENOMEM;
		int rc = poller_give(g->pollers[i], set);
		if (rc < 0)
			return rc;
	}
	return 0;
}

void
gateway_settle(struct gateway *g)
{
	for (size_t i = 0; i < g->n_machines; i++)
		follow_machine(g, g->machines[i], true);
}

int
gateway_start(struct gateway *g)
{
	int rc = spool_start(g->spool);
	if (rc == 0)
		rc = start_pollers(g);
	if (rc == 0)
		rc = uplink_start(g->uplink);
	if (rc == 0)
		rc = loop_every(g->loop, 1000, tick, g);
	if (rc == 0)
		rc = plugs_start(g);
	clockwatch_start(g);
	if (rc == 0)
		rc = service_start(g);
	gateway_settle(g);
	return rc;
}

/* What still waits goes out while the broker takes it; `offline` goes last. */
static void
say_goodbye(struct gateway *g, int64_t until_us)
{
	g->stopping = true;
	for (size_t i = 0; i < g->n_pollers; i++)
		poller_cancel(g->pollers[i]);
	outbox_mark(g->outbox, &g->availability);
	gateway_pump(g);
	while (g->mqtt.up && !outbox_idle(g->outbox) && clock_mono_us() < until_us)
		loop_run_once(g->loop, 50);
}

/* Messages and readings come home, and all that waits is written. */
static bool
stop_disk(struct gateway *g, int64_t deadline_us)
{
	int64_t now_us = clock_mono_us();
	take_all_mail(g, now_us);
	numbers_close(g);
	replay_close(g);
	journal_close(g);
	bool joined = spool_stop(g->spool, deadline_us);
	if (joined)
		take_all_mail(g, now_us);
	return joined;
}

bool
gateway_stop(struct gateway *g)
{
	int64_t start_us = clock_mono_us(), deadline_us = start_us + STOP_US;
	bool joined = true;
	service_stopping();
	control_stop(g);
	metrics_stop(g);
	plugs_stop(g);
	clockwatch_stop(g);
	remember_everything(g);
	say_goodbye(g, start_us + GOODBYE_US);
	joined &= uplink_stop(g->uplink, start_us + GOODBYE_US + 2000000);
	for (size_t i = 0; i < g->n_pollers; i++)
		joined &= poller_join(g->pollers[i], start_us + DISK_US);
	outbox_disconnected(g->outbox); /* nobody takes messages any more */
	joined &= stop_disk(g, deadline_us);
	return joined;
}

static void
free_machines(struct gateway *g)
{
	for (size_t i = 0; i < g->n_machines; i++) {
		alarm_topics_free(g->machines[i]);
		machine_destroy(g->machines[i]);
	}
	free(g->machines);
}

static void
free_topics(struct gateway *g)
{
	while (g->topics) {
		struct topic *next = g->topics->next;
		free(g->topics);
		g->topics = next;
	}
}

void
gateway_destroy(struct gateway *g)
{
	if (!g)
		return;
	reload_free(g);
	for (size_t i = 0; i < g->n_pollers; i++)
		poller_destroy(g->pollers[i]);
	free(g->pollers);
	uplink_destroy(g->uplink);
	usb_destroy(g->usb);
	journal_free(g);
	replay_free(g);
	spool_destroy(g->spool);
	trouble_free(g);
	control_free(g);
	outbox_destroy(g->outbox);
	hass_free(g);
	free_machines(g);
	free_topics(g);
	if (loop_destroy(g->loop) < 0)
		log_error("a handle was left open; please report this");
	for (size_t i = 0; i < g->n_orphans; i++)
		free(g->orphans[i]);
	free(g->orphans);
	free(g->bus_health);
	free(g->scratch);
	mailbox_finish(&g->inbox);
	config_free(g->config);
	free(g);
}
