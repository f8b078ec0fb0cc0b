/* SPDX-License-Identifier: MIT */
/* connection.c -- one connection to one broker; the only <mosquitto.h> of the daemon
 *
 * Measured on libmosquitto 2.0.11 (Debian 12) and therefore avoided: mosquitto_loop_start() and
 * mosquitto_loop_forever() end for good after a CONNACK >= 0x80, a DISCONNECT of the server or a
 * TLS error (eclipse/mosquitto#2825, #2214, #2942); mosquitto_loop() refuses descriptors over
 * 1023; asynchronous connects try only the first address and spin under TLS (#1507, #2421). So:
 * blocking mosquitto_connect_bind_v5() in this thread, cut short by a timer signal, then
 * poll(2) with mosquitto_loop_read/write/misc().
 */
#include <errno.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "daemon/backoff.h"
#include "daemon/clock.h"
#include "daemon/log.h"
#include "daemon/mqtt_settings.h"
#include "daemon/uplink_impl.h"

#define CONNECT_US 8000000LL /* one address; then the timer interrupts connect(2) */
#define RESOLVE_US                                                                                 \
	240000000LL /* getaddrinfo(3) has no time-out: servers x attempts x 5 s, resolv.conf(5) */
#define CONNACK_US 10000000LL /* from the TCP connection to CONNACK */
#define INBOUND_MAX 20000

_Static_assert(PROTOCOL_LEVEL_5 == MQTT_PROTOCOL_V5 && PROTOCOL_LEVEL_311 == MQTT_PROTOCOL_V311,
	"libmosquitto counts in protocol levels");

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
		u->reason = u->node->protocol == PROTOCOL_LEVEL_5 && reason >= 0x80
				    ? reason
				    : backoff_reason_of_311(reason);
		snprintf(u->error, sizeof(u->error), "refused: %s (0x%02X)",
			backoff_reason_text(u->reason), (unsigned)u->reason);
		return;
	}
	mosquitto_property_read_int16(p, MQTT_PROP_RECEIVE_MAXIMUM, &receive_maximum, false);
	mosquitto_property_read_byte(p, MQTT_PROP_RETAIN_AVAILABLE, &retain, false);
	struct uplink_event *e = uplink_event_new(u, UPLINK_UP);
	if (!e)
		return;
	e->protocol = u->node->protocol == PROTOCOL_LEVEL_5 ? 5 : 4;
	e->receive_maximum = receive_maximum ? receive_maximum : 1;
	e->retain_available = retain != 0;
	u->up = true;
	u->up_since_us = clock_mono_us();
	u->node->silent_closes = 0;
	u->reason = 0;
	u->error[0] = '\0';
	if (u->node->protocol == PROTOCOL_LEVEL_5)
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
		uplink_give_back(u, u->flights[i].message, RESULT_ANSWERED, reason);
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
	struct uplink_event *e = uplink_event_new(u, UPLINK_INBOUND);
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
		uplink_give_back(u, m, RESULT_UNSENT, 0);
		return 0;
	}
	if (u->node->too_long && m->len >= u->node->too_long) {
		uplink_give_back(u, m, RESULT_TOO_BIG, 0);
		return 0;
	}
	bool v5 = u->node->protocol == PROTOCOL_LEVEL_5;
	int rc = mosquitto_publish_v5(u->mosq, &mid, m->topic, (int)m->len,
		m->len ? m->payload : NULL, 1, m->retain, v5 && m->json ? u->properties : NULL);
	if (rc == MOSQ_ERR_OVERSIZE_PACKET || rc == MOSQ_ERR_PAYLOAD_SIZE) { /* not queued */
		uplink_give_back(u, m, RESULT_TOO_BIG, 0);
		return 0;
	}
	/* Whatever else it says, the library has taken the message (MOSQ_ERR_NO_CONN included),
	 * so it is in flight; it comes back when the connection ends. */
	u->flights[u->n_flights++] = (struct flight){.mid = mid, .message = m};
	return rc;
}

int
connection_publish(struct uplink *u)
{
	int rc = MOSQ_ERR_SUCCESS;
	for (struct mail *mail = mailbox_take(&u->outgoing); mail;) {
		struct mail *next = mail->next;
		struct message *m = (struct message *)mail;
		if (rc == MOSQ_ERR_SUCCESS)
			rc = publish_one(u, m);
		else
			uplink_give_back(u, m, RESULT_UNSENT, 0);
		mail = next;
	}
	return rc;
}

void
connection_commands(struct uplink *u)
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
	if (rc < 0) /* what is no path may be the password itself */
		log_warning("mqtt: cannot read password_file %s: %s",
			strchr(u->mqtt->password_file, '/') ? u->mqtt->password_file : "(no path)",
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
	uplink_promise(u, RESOLVE_US + CONNECT_US);
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
		connection_commands(u);
		rc = connection_publish(u);
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
		uplink_promise(u, UPLINK_PROMISE_US);
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
	if (!u->up || (will && u->node->protocol != PROTOCOL_LEVEL_5))
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

/* A broker that ends the connection because a packet was too large does not say which. One was, so
 * the largest was, too, and is not sent to it again. */
static void
learn_limit(struct uplink *u)
{
	uint32_t longest = 0;
	for (unsigned i = 0; i < u->n_flights; i++)
		if (u->flights[i].message->len > longest)
			longest = u->flights[i].message->len;
	if (u->reason == MQTT_RC_PACKET_TOO_LARGE && longest)
		u->node->too_long = longest;
}

static void
take_back_all(struct uplink *u)
{
	learn_limit(u);
	for (unsigned i = 0; i < u->n_flights; i++)
		uplink_give_back(u, u->flights[i].message, RESULT_UNSENT, 0);
	u->n_flights = 0;
	u->up = false;
	connection_publish(u); /* gives back what has not been looked at yet */
	mailbox_post_batch(u->inbox, &u->home);
}

void
connection_run(struct uplink *u)
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

/* ---- life ---------------------------------------------------------------------------------- */

static void
interrupted(int sig)
{
	(void)sig; /* only there to end a system call with EINTR */
}

void
connection_setup(struct uplink *u)
{
	struct sigaction sa = {.sa_handler = interrupted}; /* without SA_RESTART */
	mosquitto_lib_init();
	sigaction(SIGUSR2, &sa, NULL);
	mosquitto_property_add_byte(&u->properties, MQTT_PROP_PAYLOAD_FORMAT_INDICATOR, 1);
	mosquitto_property_add_string(&u->properties, MQTT_PROP_CONTENT_TYPE, "application/json");
}

void
connection_teardown(struct uplink *u)
{
	mosquitto_property_free_all(&u->properties);
	mosquitto_lib_cleanup();
}
