/* SPDX-License-Identifier: MIT */
/* uplink.c -- one connection after the other: which broker, which protocol, when; and the way to
 * and from the loop
 */
#include "daemon/uplink.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "daemon/backoff.h"
#include "daemon/clock.h"
#include "daemon/join.h"
#include "daemon/mqtt_settings.h"
#include "daemon/uplink_impl.h"

#define STABLE_US 60000000LL /* a connection that held this long resets the back-off */
#define DAY_US 86400000000LL

/* ---- configuration ------------------------------------------------------------------------- */

static int
use_config(struct uplink *u, struct mqtt_config *mqtt)
{
	struct node *nodes = calloc(mqtt->n_brokers, sizeof(*nodes));
	if (!nodes)
		return -1;
	mqtt_free(u->mqtt);
	free(u->nodes);
	u->mqtt = mqtt;
	u->nodes = nodes;
	u->broker = 0;
	return 0;
}

static void
take_renewed(struct uplink *u)
{
	pthread_mutex_lock(&u->lock); /* uplink_update() looks at u->mqtt meanwhile */
	struct mqtt_config *renewed = u->renewed;
	u->renewed = NULL;
	if (renewed && use_config(u, renewed) < 0)
		mqtt_free(renewed); /* out of memory: the old one goes on */
	else if (renewed)
		u->attempt = 0;
	pthread_mutex_unlock(&u->lock);
}

static bool
is_renewed(struct uplink *u)
{
	pthread_mutex_lock(&u->lock);
	bool yes = u->renewed != NULL;
	pthread_mutex_unlock(&u->lock);
	return yes;
}

void
uplink_promise(struct uplink *u, int64_t within_us)
{
	atomic_store_explicit(&u->due_us, clock_mono_us() + within_us, memory_order_relaxed);
}

/* ---- mail ---------------------------------------------------------------------------------- */

static void
wake(void *arg)
{
	struct uplink *u = arg;
	uint64_t one = 1;
	ssize_t rc = write(u->wake_fd, &one, sizeof(one));
	(void)rc; /* full means awake */
}

struct uplink_event *
uplink_event_new(struct uplink *u, enum uplink_event_kind kind)
{
	struct uplink_event *e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->mail.kind = MAIL_UPLINK;
	e->kind = kind;
	const struct broker *b = &u->mqtt->brokers[u->broker];
	snprintf(e->broker, sizeof(e->broker), "%.256s:%d", b->host, b->port);
	return e;
}

void
uplink_event_free(struct uplink_event *e)
{
	if (!e)
		return;
	if (e->waiting)
		atomic_fetch_sub(e->waiting, 1);
	free(e->topic);
	free(e->payload);
	free(e);
}

void
uplink_give_back(struct uplink *u, struct message *m, enum message_result result, int reason)
{
	m->result = result;
	m->reason = reason;
	mail_batch_add(&u->home, &m->mail);
}

/* ---- which broker, which protocol, when --------------------------------------------------- */

/* MQTT 3.1.1 only when the broker says that it does not know version 5, or closes three times
 * without a CONNACK and never accepted it; then version 5 is tried again once a day. */
static void
choose_protocol(struct uplink *u)
{
	static const int fixed[] = {
		[PROTOCOL_5] = PROTOCOL_LEVEL_5, [PROTOCOL_311] = PROTOCOL_LEVEL_311};
	struct node *n = u->node;
	int64_t now_us = clock_mono_us();
	if (u->mqtt->protocol != PROTOCOL_AUTO) {
		n->protocol = fixed[u->mqtt->protocol];
		return;
	}
	bool refused = n->refused_version || n->silent_closes >= 3;
	int wanted = n->protocol;
	if (!wanted)
		wanted = PROTOCOL_LEVEL_5;
	else if (wanted == PROTOCOL_LEVEL_5 && refused && !n->v5_accepted)
		wanted = PROTOCOL_LEVEL_311;
	else if (wanted == PROTOCOL_LEVEL_311 && (refused || now_us - n->since_us > DAY_US))
		wanted = PROTOCOL_LEVEL_5;
	if (wanted == n->protocol)
		return;
	n->protocol = wanted;
	n->since_us = now_us;
	n->silent_closes = 0;
	n->refused_version = false;
}

static void
tell_down(struct uplink *u)
{
	struct uplink_event *e = uplink_event_new(u, UPLINK_DOWN);
	if (!e)
		return;
	snprintf(e->error, sizeof(e->error), "%s", u->error);
	e->reason = u->reason;
	mail_batch_add(&u->home, &e->mail);
	mailbox_post_batch(u->inbox, &u->home);
}

static void
wait_stopping(struct uplink *u, int64_t ms)
{
	int64_t until = clock_mono_us() + ms * 1000;
	uint64_t count;
	for (;;) {
		int64_t left = (until - clock_mono_us()) / 1000;
		struct pollfd fd = {.fd = u->wake_fd, .events = POLLIN};
		if (left <= 0 || atomic_load(&u->stop) || is_renewed(u))
			return;
		uplink_promise(u, UPLINK_PROMISE_US);
		if (poll(&fd, 1, left > 1000 ? 1000 : (int)left) > 0 &&
			read(u->wake_fd, &count, sizeof(count)) < 0)
			return;
		connection_publish(u); /* not up: they go back */
		mailbox_post_batch(u->inbox, &u->home);
		connection_commands(u);
	}
}

static double
uniform(void)
{
	uint32_t bits = 0;
	if (getrandom(&bits, sizeof(bits), GRND_NONBLOCK) != sizeof(bits))
		bits = (uint32_t)clock_mono_us() * 2654435761u;
	return bits / 4294967296.0;
}

static void
after_connection(struct uplink *u, bool was_up)
{
	bool stable = was_up && clock_mono_us() - u->up_since_us >= STABLE_US;
	if (stable)
		u->attempt = 0;
	tell_down(u);
	if (is_renewed(u))
		return; /* what it was told anew is tried at once */
	u->broker = (u->broker + 1) % (unsigned)u->mqtt->n_brokers;
	if (u->broker != 0 && !was_up)
		return; /* the next node at once; a pause after each round */
	wait_stopping(u, backoff_ms(u->mqtt->reconnect_min_ms, u->mqtt->reconnect_max_ms,
				 u->attempt++, u->reason, uniform()));
}

static void *
run(void *arg)
{
	struct uplink *u = arg;
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	while (!atomic_load(&u->stop)) {
		int64_t before = u->up_since_us;
		atomic_store(&u->reconnect, false);
		take_renewed(u);
		u->node = &u->nodes[u->broker];
		choose_protocol(u);
		connection_run(u);
		if (!atomic_load(&u->stop))
			after_connection(u, u->up_since_us != before);
	}
	return NULL;
}

/* ---- from the loop ------------------------------------------------------------------------- */

struct uplink *
uplink_create(const struct mqtt_config *mqtt, const struct uplink_will *will, struct mailbox *inbox)
{
	struct uplink *u = calloc(1, sizeof(*u));
	if (!u)
		return NULL;
	struct mqtt_config *copy = mqtt_copy(mqtt);
	u->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!copy || u->wake_fd < 0 || use_config(u, copy) < 0) {
		mqtt_free(copy);
		free(u);
		return NULL;
	}
	u->will = *will;
	u->inbox = inbox;
	pthread_mutex_init(&u->lock, NULL);
	mailbox_init(&u->outgoing, wake, u);
	mail_batch_init(&u->unsent);
	mail_batch_init(&u->home);
	connection_setup(u);
	return u;
}

int
uplink_start(struct uplink *u)
{
	sigset_t all, before;
	sigfillset(&all);
	uplink_promise(u, UPLINK_PROMISE_US);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the loop thread's */
	int rc = pthread_create(&u->thread, NULL, run, u);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc == 0) {
		pthread_setname_np(u->thread, "uplink");
		u->running = true;
	}
	return -rc;
}

void
uplink_update(struct uplink *u, const struct mqtt_config *mqtt)
{
	struct mqtt_config *copy = mqtt_copy(mqtt);
	pthread_mutex_lock(&u->lock);
	/* u->mqtt is replaced under the lock, so it holds still here. */
	if (copy && mqtt_same(u->renewed ? u->renewed : u->mqtt, copy)) {
		mqtt_free(copy);
		copy = NULL;
	}
	if (copy) {
		mqtt_free(u->renewed);
		u->renewed = copy;
	}
	pthread_mutex_unlock(&u->lock);
	if (copy)
		uplink_reconnect(u);
}

void
uplink_send(struct uplink *u, struct message *m)
{
	mail_batch_add(&u->unsent, &m->mail);
}

void
uplink_flush(struct uplink *u)
{
	mailbox_post_batch(&u->outgoing, &u->unsent);
}

static void
command(struct uplink *u, bool subscribe, const char *filter)
{
	struct command *c = malloc(sizeof(*c) + strlen(filter) + 1);
	if (!c)
		return;
	*c = (struct command){.subscribe = subscribe};
	strcpy(c->filter, filter);
	pthread_mutex_lock(&u->lock);
	struct command **last = &u->commands;
	while (*last)
		last = &(*last)->next;
	*last = c;
	pthread_mutex_unlock(&u->lock);
	wake(u);
}

void
uplink_subscribe(struct uplink *u, const char *filter)
{
	command(u, true, filter);
}

void
uplink_unsubscribe(struct uplink *u, const char *filter)
{
	command(u, false, filter);
}

void
uplink_reconnect(struct uplink *u)
{
	atomic_store(&u->reconnect, true);
	wake(u);
}

int64_t
uplink_due_us(const struct uplink *u)
{
	return atomic_load_explicit(&u->due_us, memory_order_relaxed);
}

bool
uplink_stop(struct uplink *u, int64_t deadline_us)
{
	if (!u->running)
		return true;
	atomic_store(&u->stop, true);
	wake(u);
	while (clock_mono_us() < deadline_us) {
		/* Again and again: the signal may come just before the call that it should end. */
		int64_t again_us = clock_mono_us() + 100000;
		pthread_kill(u->thread, SIGUSR2);
		if (join_until(u->thread, again_us < deadline_us ? again_us : deadline_us)) {
			u->running = false;
			return true;
		}
	}
	return false;
}

void
uplink_destroy(struct uplink *u)
{
	if (!u)
		return;
	while (u->commands) {
		struct command *next = u->commands->next;
		free(u->commands);
		u->commands = next;
	}
	connection_teardown(u);
	mailbox_finish(&u->outgoing);
	pthread_mutex_destroy(&u->lock);
	close(u->wake_fd);
	free(u->nodes);
	mqtt_free(u->mqtt);
	mqtt_free(u->renewed);
	free(u);
}
