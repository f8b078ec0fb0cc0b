/* SPDX-License-Identifier: MIT */
/* broker.c -- what the tools learn from an MQTT broker; the only <mosquitto.h> of the tools
 *
 * Each connection has a handle of its own, because libmosquitto 2.0.11 keeps what one CONNACK said
 * for the next connection. The connect blocks, because its asynchronous form tries only the first
 * address and spins under TLS (eclipse/mosquitto#1507, #2421); a timer's signal bounds it.
 */
#include "cli/broker.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <mosquitto.h>
#include <mqtt_protocol.h>

#include "cli/broker_url.h"
#include "cli/secret.h"

enum {
	KEEPALIVE_S = 30,
	ADDRESS_S = 8,
	ANSWER_MS = 10000,
	RETRY_S = 1,
	QUIET_MS = 300,
	SETTLE_MS = 10000,
	TOPICS_MAX = 16,
	TOPIC_SIZE = 512,
	ROOT_MAX = 128,
	REFUSED =
		0x80 /* codes of MQTT 5 from here on are failures; SUBACK of 3.1.1 has only this */
};

static const char DEFAULT_ROOT[] = "parks";

struct address {
	struct broker_url url;
	bool old; /* 3.1.1 is tried next */
};

struct broker_client {
	struct mosquitto *mosq; /* NULL: no connection was tried, or the last one ended */
	const struct broker_options *options;
	struct address addresses[CLI_LIST_MAX];
	size_t at; /* the one tried last */
	char filters[TOPICS_MAX][TOPIC_SIZE];
	int n_filters;
	const char *root;
	broker_message_fn take;
	void *context;
	int refused; /* code of CONNACK or SUBACK, 0: none */
	bool answered, subscribed;
	int messages, retained; /* of the last broker_wait() */
	time_t retry_at;
	char error[256];
	atomic_bool stop;
	atomic_long thread; /* the kernel's id of the one in broker_connect() */
};

/* ---- the command line -------------------------------------------------------------------------
 */

/* Everything behind the root, its slash included; NULL: another root. */
static const char *
below(const char *topic, const char *root)
{
	size_t n = strlen(root);

	return !strncmp(topic, root, n) && topic[n] == '/' ? topic + n : NULL;
}

static int
check_options(struct broker_client *b, const struct broker_options *o)
{
	int code = CLI_FINE;

	if (!o->urls.n)
		return cli_fail(CLI_USAGE, "--broker URL is needed");
	for (size_t i = 0; i < o->urls.n && code == CLI_FINE; i++)
		code = broker_url_parse(o->urls.items[i], &b->addresses[i].url);
	if (code != CLI_FINE)
		return code;
	if (strpbrk(b->root, "+#") || !b->root[0] || strlen(b->root) > ROOT_MAX)
		return cli_fail(CLI_USAGE, "--topic-root: no + and # in it, at most %d characters",
			ROOT_MAX);
	if (o->password_file && !o->user)
		return cli_fail(CLI_USAGE, "--password-file needs --user");
	secret_warn(o->password_file);
	secret_warn(o->key_file);
	if (!o->cert_file != !o->key_file)
		return cli_fail(CLI_USAGE, "--cert-file and --key-file go together");
	return CLI_FINE;
}

/* ---- callbacks, from inside mosquitto_loop() --------------------------------------------------
 */

static void
on_connect(struct mosquitto *mosq, void *context, int code, int flags, const mosquitto_property *p)
{
	struct broker_client *b = context;
	char *filters[TOPICS_MAX];

	(void)flags;
	(void)p;
	b->answered = true;
	b->refused = code;
	for (int i = 0; i < b->n_filters; i++)
		filters[i] = b->filters[i];
	if (!code)
		mosquitto_subscribe_multiple(mosq, NULL, b->n_filters, filters, 1, 0, NULL);
}

static void
on_disconnect(struct mosquitto *mosq, void *context, int code, const mosquitto_property *p)
{
	struct broker_client *b = context;

	(void)mosq;
	(void)p;
	if (code >= REFUSED) /* below it is an error of the library, which mosquitto_loop() tells */
		snprintf(b->error, sizeof b->error, "ended by the broker: %s",
			mosquitto_reason_string(code));
}

static void
on_subscribe(struct mosquitto *mosq, void *context, int id, int n, const int *granted)
{
	struct broker_client *b = context;

	(void)mosq;
	(void)id;
	b->subscribed = true;
	for (int i = 0; i < n && i < b->n_filters; i++)
		if (granted[i] >= REFUSED) {
			b->refused = granted[i];
			snprintf(b->error, sizeof b->error, "no subscription to %s", b->filters[i]);
		}
}

static void
on_message(struct mosquitto *mosq, void *context, const struct mosquitto_message *m)
{
	struct broker_client *b = context;
	char topic[TOPIC_SIZE];

	(void)mosq;
	b->messages++;
	b->retained += m->retain;
	const char *rest = below(m->topic, b->root);
	if (!rest ||
		(size_t)snprintf(topic, sizeof topic, "%s%s", DEFAULT_ROOT, rest) >= sizeof topic)
		return;
	b->take(b->context, topic, m->payload ? m->payload : "", (size_t)m->payloadlen);
}

/* ---- one connection ---------------------------------------------------------------------------
 */

static int
fail(struct broker_client *b, int code, const char *why)
{
	if (!b->error[0]) /* what the broker said tells more */
		snprintf(b->error, sizeof b->error, "%s", why);
	return code;
}

static int
fail_rc(struct broker_client *b, int rc)
{
	return fail(b, CLI_SILENT, rc == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(rc));
}

static void
drop(struct broker_client *b)
{
	mosquitto_destroy(b->mosq);
	b->mosq = NULL;
}

/* Read again for each connection: it may have been changed. */
static int
use_password(struct broker_client *b)
{
	const struct broker_options *o = b->options;
	char password[SECRET_SIZE];

	if (!o->user)
		return CLI_FINE;
	int rc = secret_read(o->password_file, "mqtt-password", password);
	if (rc < 0) {
		snprintf(b->error, sizeof b->error, "%s: %s", o->password_file, strerror(-rc));
		return cli_exit_for(rc);
	}
	rc = mosquitto_username_pw_set(b->mosq, o->user, rc ? password : NULL);
	explicit_bzero(password, sizeof password);
	return rc ? fail(b, CLI_USAGE, "this user name or password cannot be sent") : CLI_FINE;
}

/* A directory, not MOSQ_OPT_TLS_USE_OS_CERTS: eclipse/mosquitto#2288. */
static int
use_tls(struct broker_client *b)
{
	const struct broker_options *o = b->options;
	int rc = mosquitto_tls_set(b->mosq, o->ca_file, o->ca_file ? NULL : "/etc/ssl/certs",
		o->cert_file, o->key_file, NULL);

	return rc ? fail(b, CLI_USAGE,
			    "a file of --ca-file, --cert-file or --key-file cannot be read")
		  : CLI_FINE;
}

static int
set_up(struct broker_client *b, const struct address *a)
{
	b->mosq = mosquitto_new(NULL, true, b);
	if (!b->mosq)
		return fail(b, CLI_OTHER, "out of memory");
	mosquitto_int_option(
		b->mosq, MOSQ_OPT_PROTOCOL_VERSION, a->old ? MQTT_PROTOCOL_V311 : MQTT_PROTOCOL_V5);
	mosquitto_connect_v5_callback_set(b->mosq, on_connect);
	mosquitto_disconnect_v5_callback_set(b->mosq, on_disconnect);
	mosquitto_subscribe_callback_set(b->mosq, on_subscribe);
	mosquitto_message_callback_set(b->mosq, on_message);
	int code = use_password(b);
	return code == CLI_FINE && a->url.tls ? use_tls(b) : code;
}

/* connect(2) has no time-out of its own; a signal to this thread ends it with EINTR. */
static int
connect_bounded(struct broker_client *b, const struct address *a)
{
	struct sigevent ev = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR2};
	struct itimerspec its = {
		.it_value = {.tv_sec = ADDRESS_S}, .it_interval = {.tv_sec = ADDRESS_S}};
	mosquitto_property *properties = NULL;
	timer_t timer;

	/* Mosquitto takes this for how much may be under way to us, and drops what is more than
	 * that and its queue (20 + 1,000 unless configured), be it retained. */
	if (!a->old)
		mosquitto_property_add_int16(&properties, MQTT_PROP_RECEIVE_MAXIMUM, UINT16_MAX);
	ev._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	atomic_store(&b->thread, ev._sigev_un._tid);
	bool timed = timer_create(CLOCK_MONOTONIC, &ev, &timer) == 0;
	if (timed)
		timer_settime(timer, 0, &its, NULL);
	int rc = mosquitto_connect_bind_v5(
		b->mosq, a->url.host, a->url.port, KEEPALIVE_S, NULL, properties);
	int saved = errno == EINTR ? ETIMEDOUT : errno;
	if (timed)
		timer_delete(timer);
	mosquitto_property_free_all(&properties);
	errno = saved;
	return rc ? fail_rc(b, rc) : CLI_FINE;
}

static const char *
refusal(const struct broker_client *b)
{
	return b->refused < REFUSED ? mosquitto_connack_string(b->refused)
				    : mosquitto_reason_string(b->refused);
}

static int
await_answer(struct broker_client *b)
{
	int64_t end = cli_now_ms() + ANSWER_MS;

	do {
		int rc = mosquitto_loop(b->mosq, 200, 1);
		if (b->refused)
			return fail(b, CLI_DENIED, refusal(b));
		if (rc)
			return fail_rc(b, rc);
		if (b->subscribed)
			return CLI_FINE;
	} while (cli_now_ms() < end && !atomic_load(&b->stop));
	return fail(b, CLI_SILENT, "no answer");
}

/* The other version is tried next by a broker that refused this one, or hung up without a word,
 * which is what some that know only one of them do. */
static void
choose_version(struct broker_client *b, struct address *a)
{
	bool refused = b->refused == MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION ||
		       b->refused == CONNACK_REFUSED_PROTOCOL_VERSION;

	if (refused || !b->answered)
		a->old = !a->old;
}

static int
connect_once(struct broker_client *b, struct address *a)
{
	drop(b);
	b->refused = 0;
	b->answered = b->subscribed = false;
	b->error[0] = '\0';
	int code = set_up(b, a);
	if (code == CLI_FINE)
		code = connect_bounded(b, a);
	if (code != CLI_FINE) {
		drop(b);
		return code;
	}
	code = await_answer(b);
	if (code != CLI_FINE) {
		choose_version(b, a);
		drop(b);
	}
	return code;
}

int
broker_connect(struct broker_client *b)
{
	b->at = (b->at + 1) % b->options->urls.n;
	struct address *a = &b->addresses[b->at];
	bool old = a->old;
	int code = connect_once(b, a);

	/* what refused version 5 at once is asked again at once */
	if (code != CLI_FINE && b->refused && a->old && !old && !atomic_load(&b->stop))
		code = connect_once(b, a);
	return code;
}

int
broker_wait(struct broker_client *b, int timeout_ms)
{
	if (!b->mosq || atomic_load(&b->stop))
		return -1;
	b->messages = b->retained = 0;
	b->error[0] = '\0';
	int rc = mosquitto_loop(b->mosq, timeout_ms, 1);
	if (rc == MOSQ_ERR_SUCCESS)
		return b->messages;
	fail_rc(b, rc);
	drop(b);
	return -1;
}

/* ---- life -------------------------------------------------------------------------------------
 */

static void
interrupted(int signum)
{
	(void)signum; /* only there to end a system call with EINTR */
}

int
broker_create(struct broker_client **out, const struct broker_options *options,
	const char *const *topics, broker_message_fn take, void *context)
{
	struct sigaction action = {.sa_handler = interrupted}; /* without SA_RESTART */
	struct broker_client *b = calloc(1, sizeof *b);

	if (!b)
		return cli_fail(CLI_OTHER, "out of memory");
	b->options = options;
	b->root = options->topic_root ? options->topic_root : DEFAULT_ROOT;
	b->take = take;
	b->context = context;
	b->at = options->urls.n - 1;
	int code = check_options(b, options);
	if (code != CLI_FINE) {
		free(b);
		return code;
	}
	for (; topics[b->n_filters] && b->n_filters < TOPICS_MAX; b->n_filters++)
		snprintf(b->filters[b->n_filters], TOPIC_SIZE, "%s%s", b->root,
			below(topics[b->n_filters], DEFAULT_ROOT));
	sigaction(SIGUSR2, &action, NULL);
	mosquitto_lib_init();
	*out = b;
	return CLI_FINE;
}

int
broker_retained(const struct broker_client *b)
{
	return b->retained;
}

const char *
broker_url(const struct broker_client *b)
{
	return b->options->urls.items[b->at];
}

const char *
broker_error(const struct broker_client *b)
{
	return b->error;
}

void
broker_interrupt(struct broker_client *b)
{
	long thread = atomic_load(&b->thread);

	atomic_store(&b->stop, true);
	if (thread)
		syscall(SYS_tgkill, getpid(), (pid_t)thread, SIGUSR2);
}

void
broker_close(struct broker_client *b)
{
	if (!b)
		return;
	if (b->mosq)
		mosquitto_disconnect(b->mosq);
	drop(b);
	mosquitto_lib_cleanup();
	free(b);
}

/* ---- for commands -----------------------------------------------------------------------------
 */

int
broker_open(struct broker_client **out, const struct broker_options *options,
	const char *const *topics, broker_message_fn take, void *context)
{
	struct broker_client *b = NULL;
	int code = broker_create(&b, options, topics, take, context);

	if (code != CLI_FINE)
		return code;
	for (size_t i = 0; i < options->urls.n; i++) {
		code = broker_connect(b);
		if (code == CLI_FINE) {
			*out = b;
			return CLI_FINE;
		}
		cli_fail(code, "%s: %s", broker_url(b), broker_error(b));
	}
	broker_close(b);
	return code;
}

int
broker_run(struct broker_client *b, int timeout_ms)
{
	int n = broker_wait(b, timeout_ms);
	struct timespec pause = {.tv_sec = RETRY_S};

	if (n >= 0)
		return n;
	if (time(NULL) < b->retry_at)
		nanosleep(&pause, NULL);
	b->retry_at = time(NULL) + RETRY_S;
	broker_connect(b);
	return -1;
}

void
broker_settle(struct broker_client *b)
{
	int64_t end = cli_now_ms() + SETTLE_MS, quiet = cli_now_ms() + QUIET_MS;

	for (int64_t now; (now = cli_now_ms()) < quiet && now < end;)
		if (broker_run(b, (int)(quiet - now)) > 0 && broker_retained(b))
			quiet = cli_now_ms() + QUIET_MS;
}
