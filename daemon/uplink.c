/* SPDX-License-Identifier: MIT */
/* uplink.c -- one connection after the other
 *
 * Measured on libmosquitto 2.0.11 (Debian 12) and therefore avoided: mosquitto_loop_start() and
 * mosquitto_loop_forever() end for good after a CONNACK >= 0x80, a DISCONNECT of the server or a
 * TLS error (eclipse/mosquitto#2825, #2214, #2942); mosquitto_loop() refuses descriptors over
 * 1023; asynchronous connects try only the first address and spin under TLS (#1507, #2421). So:
 * blocking mosquitto_connect_bind_v5() in this thread, cut short by a timer signal, then
 * poll(2) with mosquitto_loop_read/write/misc().
 */
#include "daemon/uplink.h"

#include <errno.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "daemon/backoff.h"
#include "daemon/clock.h"
#include "daemon/log.h"
#include "daemon/mqtt_settings.h"

#define CONNECT_US 8000000LL  /* one address; then the timer interrupts connect(2) */
#define CONNACK_US 10000000LL /* from the TCP connection to CONNACK */
#define STABLE_US 60000000LL  /* a connection that held this long resets the back-off */
#define DAY_US 86400000000LL
#define INBOUND_MAX 20000
#define FLIGHT_MAX 1024

struct command {
	struct command *next;
	bool subscribe;
	char filter[];
};

/* What is known of one broker of the list. */
struct node {
	int protocol; /* MQTT_PROTOCOL_V5 or _V311; 0: not chosen yet */
	bool v5_accepted;
	bool refused_version;   /* by its last CONNACK */
	unsigned silent_closes; /* in a row: closed by it before any CONNACK */
	int64_t since_us;       /* this protocol */
};

struct uplink {
	struct mqtt_config *mqtt; /* a copy of its own */
	struct uplink_will will;
	struct mailbox *inbox; /* the loop's */
	struct mailbox outgoing;
	struct mail_batch unsent; /* the loop's: to be posted to `outgoing` */
	int wake_fd;
	pthread_t thread;
	bool running;
	atomic_bool stop, reconnect;
	atomic_llong alive_us;
	atomic_int inbound;
	pthread_mutex_t lock;
	struct command *commands;    /* under lock */
	struct mqtt_config *renewed; /* under lock: to be used from the next connection on */

	/* the thread's own */
	struct mail_batch home; /* to be posted to `inbox` before anything blocks */
	struct mosquitto *mosq;
	mosquitto_property *properties; /* content type and format of JSON */
	struct flight {
		int mid;
		struct message *message;
	} flights[FLIGHT_MAX];
	unsigned n_flights;
	struct node *nodes; /* one per broker */
	struct node *node;  /* the one in use */
	unsigned broker, attempt;
	bool up, connack_seen;
	int reason; /* that ended the connection or refused it; 0: none */
	int64_t up_since_us;
	char error[128];
};

static double
uniform(void)
{
	uint32_t bits = 0;
	if (getrandom(&bits, sizeof(bits), GRND_NONBLOCK) != sizeof(bits))
		bits = (uint32_t)clock_mono_us() * 2654435761u;
	return bits / 4294967296.0;
}

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

/* ---- mail ---------------------------------------------------------------------------------- */

static void
wake(void *arg)
{
	struct uplink *u = arg;
	uint64_t one = 1;
	ssize_t rc = write(u->wake_fd, &one, sizeof(one));
	(void)rc; /* full means awake */
}

static struct uplink_event *
event_new(struct uplink *u, enum uplink_event_kind kind)
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

static void
give_back(struct uplink *u, struct message *m, enum message_result result, int reason)
{
	m->result = result;
	m->reason = reason;
	mail_batch_add(&u->home, &m->mail);
}

/* ---- callbacks: on this thread, from inside mosquitto_loop_*() ----------------------------- */

static void
on_connect(struct mosquitto *mosq, void *arg, int reason, int flags, const mosquitto_property *p)
{
	struct uplink *u = arg;
	uint16_t receive_maximum = 65535;
	uint8_t retain = 1;
	(void)mosq;
	(void)flags;
	u->connack_seen = true;
	if (reason != 0) {
		u->reason = u->node->protocol == MQTT_PROTOCOL_V5 && reason >= 0x80
				    ? reason
				    : backoff_reason_of_311(reason);
		snprintf(u->error, sizeof(u->error), "refused: %s (0x%02X)",
			backoff_reason_text(u->reason), (unsigned)u->reason);
		return;
	}
	mosquitto_property_read_int16(p, MQTT_PROP_RECEIVE_MAXIMUM, &receive_maximum, false);
	mosquitto_property_read_byte(p, MQTT_PROP_RETAIN_AVAILABLE, &retain, false);
	struct uplink_event *e = event_new(u, UPLINK_UP);
	if (!e)
		return;
	e->protocol = u->node->protocol == MQTT_PROTOCOL_V5 ? 5 : 4;
	e->receive_maximum = receive_maximum ? receive_maximum : 1;
	e->retain_available = retain != 0;
	u->up = true;
	u->up_since_us = clock_mono_us();
	u->node->silent_closes = 0;
	u->reason = 0;
	u->error[0] = '\0';
	if (u->node->protocol == MQTT_PROTOCOL_V5)
		u->node->v5_accepted = true;
	mail_batch_add(&u->home, &e->mail);
}

static void
on_disconnect(struct mosquitto *mosq, void *arg, int reason, const mosquitto_property *p)
{
	struct uplink *u = arg;
	(void)mosq;
	(void)p;
	/* Below 0x80 it is one of the library's own MOSQ_ERR_ codes, told by the loop functions. */
	if (reason >= 0x80 && u->up) {
		u->reason = reason;
		snprintf(u->error, sizeof(u->error), "ended by the broker: %s (0x%02X)",
			backoff_reason_text(reason), (unsigned)reason);
	}
}

static void
on_publish(struct mosquitto *mosq, void *arg, int mid, int reason, const mosquitto_property *p)
{
	struct uplink *u = arg;
	(void)mosq;
	(void)p;
	for (unsigned i = 0; i < u->n_flights; i++) {
		if (u->flights[i].mid != mid)
			continue;
		give_back(u, u->flights[i].message, RESULT_ANSWERED, reason);
		u->n_flights--;
		memmove(&u->flights[i], &u->flights[i + 1],
			(u->n_flights - i) * sizeof(u->flights[0]));
		return;
	}
}

static void
on_message(struct mosquitto *mosq, void *arg, const struct mosquitto_message *in,
	const mosquitto_property *p)
{
	struct uplink *u = arg;
	(void)mosq;
	(void)p;
	if (in->payloadlen < 0 || in->payloadlen > 256 * 1024 ||
		atomic_load(&u->inbound) >= INBOUND_MAX)
		return;
	struct uplink_event *e = event_new(u, UPLINK_INBOUND);
	if (!e)
		return;
	e->retain = in->retain;
	e->len = (size_t)in->payloadlen;
	e->topic = strdup(in->topic);
	e->payload = malloc(e->len + 1);
	if (!e->topic || !e->payload) {
		uplink_event_free(e);
		return;
	}
	if (e->len)
		memcpy(e->payload, in->payload, e->len);
	e->payload[e->len] = '\0';
	e->waiting = &u->inbound;
	atomic_fetch_add(&u->inbound, 1);
	mail_batch_add(&u->home, &e->mail);
}

/* ---- sending ------------------------------------------------------------------------------- */

/* 0, or the MOSQ_ERR_ code that ends the connection. */
static int
publish_one(struct uplink *u, struct message *m)
{
	int mid = 0;
	if (!u->up || u->n_flights == FLIGHT_MAX) {
		give_back(u, m, RESULT_UNSENT, 0);
		return 0;
	}
	bool v5 = u->node->protocol == MQTT_PROTOCOL_V5;
	int rc = mosquitto_publish_v5(u->mosq, &mid, m->topic, (int)m->len,
		m->len ? m->payload : NULL, 1, m->retain, v5 && m->json ? u->properties : NULL);
	if (rc == MOSQ_ERR_OVERSIZE_PACKET || rc == MOSQ_ERR_PAYLOAD_SIZE) { /* not queued */
		give_back(u, m, RESULT_TOO_BIG, 0);
		return 0;
	}
	/* Whatever else it says, the library has taken the message (MOSQ_ERR_NO_CONN included),
	 * so it is in flight; it comes back when the connection ends. */
	u->flights[u->n_flights++] = (struct flight){.mid = mid, .message = m};
	return rc;
}

static int
publish_all(struct uplink *u)
{
	int rc = MOSQ_ERR_SUCCESS;
	for (struct mail *mail = mailbox_take(&u->outgoing); mail;) {
		struct mail *next = mail->next;
		struct message *m = (struct message *)mail;
		if (rc == MOSQ_ERR_SUCCESS)
			rc = publish_one(u, m);
		else
			give_back(u, m, RESULT_UNSENT, 0);
		mail = next;
	}
	return rc;
}

static void
run_commands(struct uplink *u)
{
	pthread_mutex_lock(&u->lock);
	struct command *c = u->commands;
	u->commands = NULL;
	pthread_mutex_unlock(&u->lock);
	while (c) {
		struct command *next = c->next;
		if (u->up && c->subscribe)
			mosquitto_subscribe(u->mosq, NULL, c->filter, 1);
		else if (u->up)
			mosquitto_unsubscribe(u->mosq, NULL, c->filter);
		free(c);
		c = next;
	}
}

/* ---- one connection ------------------------------------------------------------------------ */

static void
fail(struct uplink *u, int rc)
{
	if (u->error[0])
		return; /* a reason code says more than the library's error */
	snprintf(u->error, sizeof(u->error), "%s",
		rc == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(rc));
}

static int
set_credentials(struct uplink *u)
{
	char password[1024];
	int rc = mqtt_password(u->mqtt, password, sizeof(password));
	if (rc < 0)
		log_warning("mqtt: cannot read password_file %s: %s", u->mqtt->password_file,
			strerror(-rc));
	if (rc <= 0) /* a broker may go by the certificate, or take anybody */
		return MOSQ_ERR_SUCCESS;
	rc = mosquitto_username_pw_set(u->mosq, u->mqtt->username, password);
	explicit_bzero(password, sizeof(password));
	return rc;
}

static int
set_tls(struct uplink *u)
{
	const struct mqtt_config *c = u->mqtt;
	/* A directory, not MOSQ_OPT_TLS_USE_OS_CERTS: eclipse/mosquitto#2288. */
	return mosquitto_tls_set(u->mosq, c->ca_file, c->ca_file ? NULL : "/etc/ssl/certs",
		c->cert_file, c->key_file, NULL);
}

static int
make_handle(struct uplink *u, const struct broker *b)
{
	int rc;
	u->mosq = mosquitto_new(u->mqtt->client_id, true, u);
	if (!u->mosq)
		return MOSQ_ERR_NOMEM;
	mosquitto_int_option(u->mosq, MOSQ_OPT_PROTOCOL_VERSION, u->node->protocol);
	/* Nagle's algorithm and delayed ACKs would add 40 ms to every other message. */
	mosquitto_int_option(u->mosq, MOSQ_OPT_TCP_NODELAY, 1);
	mosquitto_connect_v5_callback_set(u->mosq, on_connect);
	mosquitto_disconnect_v5_callback_set(u->mosq, on_disconnect);
	mosquitto_publish_v5_callback_set(u->mosq, on_publish);
	mosquitto_message_v5_callback_set(u->mosq, on_message);
	rc = mosquitto_will_set_v5(u->mosq, u->will.topic, (int)strlen(u->will.payload),
		u->will.payload, 1, true, NULL);
	if (rc == MOSQ_ERR_SUCCESS)
		rc = set_credentials(u);
	if (rc == MOSQ_ERR_SUCCESS && b->tls)
		rc = set_tls(u);
	return rc;
}

/* connect(2) has no time-out of its own; a signal to this thread ends it with EINTR. */
static int
connect_bounded(struct uplink *u, const struct broker *b)
{
	struct sigevent ev = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR2};
	struct itimerspec its = {
		.it_value = {.tv_sec = CONNECT_US / 1000000}, .it_interval = {.tv_sec = 1}};
	timer_t timer;
	ev._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	bool timed = timer_create(CLOCK_MONOTONIC, &ev, &timer) == 0;
	if (timed)
		timer_settime(timer, 0, &its, NULL);
	int keepalive = (int)(u->mqtt->keepalive_ms / 1000);
	int rc = mosquitto_connect_bind_v5(
		u->mosq, b->host, b->port, keepalive ? keepalive : 1, NULL, NULL);
	int saved = errno;
	if (timed)
		timer_delete(timer);
	errno = saved;
	return rc;
}

static int
serve(struct uplink *u, struct pollfd *fds)
{
	uint64_t count;
	int rc = MOSQ_ERR_SUCCESS;
	if (fds[1].revents && read(u->wake_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return MOSQ_ERR_ERRNO;
	if (u->up) {
		run_commands(u);
		rc = publish_all(u);
	}
	if (rc == MOSQ_ERR_SUCCESS && (fds[0].revents & (POLLIN | POLLERR | POLLHUP)))
		rc = mosquitto_loop_read(u->mosq, 1);
	if (rc == MOSQ_ERR_SUCCESS && (fds[0].revents & POLLOUT))
		rc = mosquitto_loop_write(u->mosq, 1);
	mailbox_post_batch(u->inbox, &u->home);
	return rc;
}

/* Until the connection ends; returns why. */
static int
session(struct uplink *u)
{
	int64_t now_us = clock_mono_us(), connack_by = now_us + CONNACK_US, next_misc = now_us;
	int rc = MOSQ_ERR_SUCCESS;
	while (rc == MOSQ_ERR_SUCCESS && !atomic_load(&u->stop) && !atomic_load(&u->reconnect)) {
		int fd = mosquitto_socket(u->mosq);
		if (fd < 0)
			return MOSQ_ERR_CONN_LOST;
		struct pollfd fds[2] = {
			{.fd = fd, .events = POLLIN}, {.fd = u->wake_fd, .events = POLLIN}};
		if (mosquitto_want_write(u->mosq))
			fds[0].events |= POLLOUT;
		if (poll(fds, 2, 1000) < 0 && errno != EINTR)
			return MOSQ_ERR_ERRNO;
		rc = serve(u, fds);
		now_us = clock_mono_us();
		atomic_store_explicit(&u->alive_us, now_us, memory_order_relaxed);
		if (rc == MOSQ_ERR_SUCCESS && now_us >= next_misc) {
			rc = mosquitto_loop_misc(u->mosq);
			next_misc = now_us + 1000000;
		}
		if (rc == MOSQ_ERR_SUCCESS && !u->up && now_us > connack_by) {
			snprintf(u->error, sizeof(u->error), "no CONNACK in %d s",
				(int)(CONNACK_US / 1000000));
			return MOSQ_ERR_CONN_LOST;
		}
	}
	return rc;
}

/* DISCONNECT, so that the broker does not publish the will; unless the daemon ends and something,
 * perhaps `offline`, was not acknowledged: then the will must say it. */
static void
say_goodbye(struct uplink *u)
{
	bool will = atomic_load(&u->stop) && u->n_flights > 0;
	if (!u->up || (will && u->node->protocol != MQTT_PROTOCOL_V5))
		return;
	int reason = will ? MQTT_RC_DISCONNECT_WITH_WILL_MSG : MQTT_RC_NORMAL_DISCONNECTION;
	if (mosquitto_disconnect_v5(u->mosq, reason, NULL) != MOSQ_ERR_SUCCESS)
		return;
	int64_t until = clock_mono_us() + 500000;
	while (mosquitto_socket(u->mosq) >= 0 && mosquitto_want_write(u->mosq) &&
		clock_mono_us() < until) {
		struct pollfd fd = {.fd = mosquitto_socket(u->mosq), .events = POLLOUT};
		if (poll(&fd, 1, 100) < 0 || mosquitto_loop_write(u->mosq, 1) != MOSQ_ERR_SUCCESS)
			break;
	}
}

static void
take_back_all(struct uplink *u)
{
	for (unsigned i = 0; i < u->n_flights; i++)
		give_back(u, u->flights[i].message, RESULT_UNSENT, 0);
	u->n_flights = 0;
	u->up = false;
	publish_all(u); /* gives back what has not been looked at yet */
	mailbox_post_batch(u->inbox, &u->home);
}

static void
connect_once(struct uplink *u)
{
	const struct broker *b = &u->mqtt->brokers[u->broker];
	u->up = u->connack_seen = false;
	u->reason = 0;
	u->error[0] = '\0';
	int rc = make_handle(u, b);
	if (rc == MOSQ_ERR_SUCCESS)
		rc = connect_bounded(u, b);
	if (rc == MOSQ_ERR_SUCCESS)
		rc = session(u);
	if (rc == MOSQ_ERR_CONN_LOST && !u->connack_seen && !u->error[0])
		u->node->silent_closes++;
	if (u->connack_seen)
		u->node->refused_version = u->reason == 0x84;
	if (rc != MOSQ_ERR_SUCCESS)
		fail(u, rc);
	say_goodbye(u);
	mosquitto_destroy(u->mosq);
	u->mosq = NULL;
	take_back_all(u);
}

/* MQTT 3.1.1 only when the broker says that it does not know version 5, or closes three times
 * without a CONNACK and never accepted it; then version 5 is tried again once a day. */
static void
choose_protocol(struct uplink *u)
{
	static const int fixed[] = {
		[PROTOCOL_5] = MQTT_PROTOCOL_V5, [PROTOCOL_311] = MQTT_PROTOCOL_V311};
	struct node *n = u->node;
	int64_t now_us = clock_mono_us();
	if (u->mqtt->protocol != PROTOCOL_AUTO) {
		n->protocol = fixed[u->mqtt->protocol];
		return;
	}
	bool refused = n->refused_version || n->silent_closes >= 3;
	int wanted = n->protocol;
	if (!wanted)
		wanted = MQTT_PROTOCOL_V5;
	else if (wanted == MQTT_PROTOCOL_V5 && refused && !n->v5_accepted)
		wanted = MQTT_PROTOCOL_V311;
	else if (wanted == MQTT_PROTOCOL_V311 && (refused || now_us - n->since_us > DAY_US))
		wanted = MQTT_PROTOCOL_V5;
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
	struct uplink_event *e = event_new(u, UPLINK_DOWN);
	if (!e)
		return;
	snprintf(e->error, sizeof(e->error), "%s", u->error);
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
		atomic_store_explicit(&u->alive_us, clock_mono_us(), memory_order_relaxed);
		if (poll(&fd, 1, left > 1000 ? 1000 : (int)left) > 0 &&
			read(u->wake_fd, &count, sizeof(count)) < 0)
			return;
		publish_all(u); /* not up: they go back */
		mailbox_post_batch(u->inbox, &u->home);
		run_commands(u);
	}
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
		connect_once(u);
		if (!atomic_load(&u->stop))
			after_connection(u, u->up_since_us != before);
	}
	return NULL;
}

/* ---- from the loop ------------------------------------------------------------------------- */

static void
interrupted(int sig)
{
	(void)sig; /* only there to end a system call with EINTR */
}

struct uplink *
uplink_create(const struct mqtt_config *mqtt, const struct uplink_will *will, struct mailbox *inbox)
{
	struct sigaction sa = {.sa_handler = interrupted}; /* without SA_RESTART */
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
	mosquitto_lib_init();
	sigaction(SIGUSR2, &sa, NULL);
	u->will = *will;
	u->inbox = inbox;
	pthread_mutex_init(&u->lock, NULL);
	mailbox_init(&u->outgoing, wake, u);
	mail_batch_init(&u->unsent);
	mail_batch_init(&u->home);
	mosquitto_property_add_byte(&u->properties, MQTT_PROP_PAYLOAD_FORMAT_INDICATOR, 1);
	mosquitto_property_add_string(&u->properties, MQTT_PROP_CONTENT_TYPE, "application/json");
	return u;
}

int
uplink_start(struct uplink *u)
{
	sigset_t all, before;
	sigfillset(&all);
	atomic_store(&u->alive_us, clock_mono_us());
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
uplink_alive_us(const struct uplink *u)
{
	return atomic_load_explicit(&u->alive_us, memory_order_relaxed);
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
		struct timespec ts;
		pthread_kill(u->thread, SIGUSR2);
		clock_gettime(CLOCK_REALTIME, &ts);
		ts.tv_nsec += 100000000;
		ts.tv_sec += ts.tv_nsec / 1000000000;
		ts.tv_nsec %= 1000000000;
		if (pthread_timedjoin_np(u->thread, NULL, &ts) == 0) {
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
	mosquitto_property_free_all(&u->properties);
	mailbox_finish(&u->outgoing);
	pthread_mutex_destroy(&u->lock);
	close(u->wake_fd);
	free(u->nodes);
	mqtt_free(u->mqtt);
	mqtt_free(u->renewed);
	mosquitto_lib_cleanup();
	free(u);
}
