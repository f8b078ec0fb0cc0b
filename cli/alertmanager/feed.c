/* SPDX-License-Identifier: MIT */
/* feed.c -- the thread that keeps the picture as the broker has it
 *
 * Everything that libmosquitto does happens here: it blocks in name resolution and connect(2).
 */
#include "cli/alertmanager/feed.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/alertmanager/service.h"
#include "cli/words.h"

enum {
	/* The retained topics have come when none came for so long; at most SETTLE_MS. To stop too
	 * early does no harm at a start, because what is not known yet is not resolved either. */
	QUIET_MS = 1000,
	SETTLE_MS = 30000,
	WAIT_MS = 500,
	RETRY_MIN_MS = 1000,
	RETRY_MAX_MS = 30000,
	/* When the thread will be heard of again: name resolution may take long. */
	LOOP_MS = 10000,
	CONNECT_MS = 120000,
	COMPLAIN_MS = 60000
};

struct feed {
	struct broker_client *client;
	int64_t grace_ms;
	void (*wake)(void *context);
	void *context;
	pthread_t thread;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t stopped;
	bool stop;
	struct picture picture;
	struct feed_state state;
	int64_t complained_ms;
};

/* ---- on the thread ----------------------------------------------------------------------------
 */

/* With the lock held. */
static void
complain(struct feed *f, enum picture_verdict verdict, const char *topic)
{
	int64_t mono_ms = cli_now_ms();

	if (f->complained_ms && mono_ms < f->complained_ms + COMPLAIN_MS)
		return;
	f->complained_ms = mono_ms;
	if (verdict == PICTURE_INVALID)
		service_log(SERVICE_WARNING, "%s: not what labpulse publishes; ignored", topic);
	else
		service_log(SERVICE_ERROR, "%s: no room for it; %d MiB for a park, %d MiB for all",
			topic, PICTURE_PARK_BYTES >> 20, PICTURE_BYTES >> 20);
}

static void
take(void *context, const char *topic, const char *payload, size_t len)
{
	struct feed *f = context;

	pthread_mutex_lock(&f->lock);
	enum picture_verdict verdict =
		picture_take(&f->picture, topic, payload, len, words_now_ms());
	f->state.messages[verdict]++;
	f->state.heard_ms = cli_now_ms();
	bool news = verdict != PICTURE_IGNORED && !f->state.changed;
	f->state.changed |= news;
	if (verdict >= PICTURE_INVALID)
		complain(f, verdict, topic);
	pthread_mutex_unlock(&f->lock);
	if (news)
		f->wake(f->context);
}

static void
set_connected(struct feed *f, bool connected)
{
	pthread_mutex_lock(&f->lock);
	f->state.connected = connected;
	f->state.settled |= connected;
	f->state.changed = true;
	f->state.connects += connected;
	if (connected) {
		f->state.away_ms = 0;
		picture_settled(&f->picture, words_now_ms(), f->grace_ms);
	} else if (!f->state.away_ms) {
		f->state.away_ms = words_now_ms();
	}
	pthread_mutex_unlock(&f->lock);
	f->wake(f->context);
}

/* Whether to go on; if so, it will be asked again within so long. */
static bool
still_wanted(struct feed *f, int promise_ms)
{
	pthread_mutex_lock(&f->lock);
	bool wanted = !f->stop;
	f->state.due_ms = cli_now_ms() + promise_ms;
	pthread_mutex_unlock(&f->lock);
	return wanted;
}

/* What was refused for want of room is told again only to a new connection; not too often, because
 * that is what a park that wavers at its limit would make of it. */
static bool
should_read_again(struct feed *f, int64_t since_ms)
{
	pthread_mutex_lock(&f->lock);
	bool again = cli_now_ms() >= since_ms + f->grace_ms && picture_has_room_again(&f->picture);
	pthread_mutex_unlock(&f->lock);
	if (again)
		service_log(SERVICE_INFO, "there is room again: all is read again");
	return again;
}

/* false: the connection is lost, or nobody wants it any more. */
static bool
settle(struct feed *f)
{
	int64_t now_ms = cli_now_ms(), end = now_ms + SETTLE_MS, quiet = now_ms + QUIET_MS;

	for (; now_ms < quiet && now_ms < end; now_ms = cli_now_ms()) {
		int n = broker_wait(f->client, (int)(quiet - now_ms));
		if (n < 0 || !still_wanted(f, LOOP_MS))
			return false;
		if (broker_retained(f->client)) /* a whole network is never quiet */
			quiet = cli_now_ms() + QUIET_MS;
	}
	return true;
}

/* One connection; whether it was of use. */
static bool
connection(struct feed *f)
{
	pthread_mutex_lock(&f->lock);
	picture_connected(&f->picture);
	pthread_mutex_unlock(&f->lock);
	if (broker_connect(f->client) != CLI_FINE || !settle(f))
		return false;
	service_log(SERVICE_INFO, "%s: connected", broker_url(f->client));
	set_connected(f, true);
	int64_t since_ms = cli_now_ms();
	while (still_wanted(f, LOOP_MS) && broker_wait(f->client, WAIT_MS) >= 0 &&
		!should_read_again(f, since_ms))
		;
	set_connected(f, false);
	return true;
}

/* Full jitter, so that what was cut off together does not come back together. */
static void
pause_ms(struct feed *f, int64_t most_ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	int64_t ns = until.tv_nsec + (most_ms / 2 + random() % (most_ms / 2)) * 1000000;
	until.tv_sec += ns / 1000000000;
	until.tv_nsec = ns % 1000000000;
	pthread_mutex_lock(&f->lock);
	while (!f->stop && pthread_cond_timedwait(&f->stopped, &f->lock, &until) == 0)
		;
	pthread_mutex_unlock(&f->lock);
}

static void *
run(void *context)
{
	struct feed *f = context;
	int64_t most_ms = RETRY_MIN_MS;
	bool told = false;

	pthread_setname_np(pthread_self(), "feed");
	while (still_wanted(f, CONNECT_MS)) {
		bool useful = connection(f);
		if (!still_wanted(f, RETRY_MAX_MS + LOOP_MS))
			break;
		const char *why = broker_error(f->client);
		if (why[0] && (useful || !told)) /* else we gave it up ourselves */
			service_log(SERVICE_WARNING, "%s: %s; trying again", broker_url(f->client),
				why);
		told = true;
		if (useful)
			most_ms = RETRY_MIN_MS;
		pause_ms(f, most_ms);
		most_ms = most_ms * 2 < RETRY_MAX_MS ? most_ms * 2 : RETRY_MAX_MS;
	}
	return NULL;
}

/* ---- for others -------------------------------------------------------------------------------
 */

int
feed_create(struct feed **out, const struct broker_options *broker, bool fleet, int64_t grace_ms,
	void (*wake)(void *context), void *context)
{
	pthread_condattr_t attr;
	struct feed *f = calloc(1, sizeof *f);

	if (!f)
		return cli_fail(CLI_OTHER, "out of memory");
	f->grace_ms = grace_ms;
	f->wake = wake;
	f->context = context;
	f->state.away_ms = words_now_ms();
	f->state.due_ms = cli_now_ms() + CONNECT_MS;
	int code = broker_create(&f->client, broker, picture_topics(fleet), take, f);
	if (code != CLI_FINE) {
		free(f);
		return code;
	}
	pthread_mutex_init(&f->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&f->stopped, &attr);
	pthread_condattr_destroy(&attr);
	*out = f;
	return CLI_FINE;
}

int
feed_start(struct feed *f)
{
	return -pthread_create(&f->thread, NULL, run, f);
}

const struct picture *
feed_look(struct feed *f, struct feed_state *state, int64_t now_ms)
{
	pthread_mutex_lock(&f->lock);
	f->state.changed |= picture_tick(&f->picture, now_ms);
	*state = f->state;
	f->state.changed = false;
	return &f->picture;
}

void
feed_release(struct feed *f)
{
	pthread_mutex_unlock(&f->lock);
}

bool
feed_stop(struct feed *f, int timeout_ms)
{
	enum { STEP_MS = 50 };

	pthread_mutex_lock(&f->lock);
	f->stop = true;
	pthread_cond_signal(&f->stopped);
	pthread_mutex_unlock(&f->lock);
	for (int waited = 0; waited < timeout_ms; waited += STEP_MS) {
		struct timespec until;
		broker_interrupt(f->client); /* again: it may just be about to connect */
		clock_gettime(CLOCK_REALTIME, &until);
		int64_t ns = until.tv_nsec + STEP_MS * 1000000L;
		until.tv_sec += ns / 1000000000;
		until.tv_nsec = ns % 1000000000;
		if (pthread_timedjoin_np(f->thread, NULL, &until) == 0)
			return true;
	}
	return false;
}

void
feed_destroy(struct feed *f)
{
	if (!f)
		return;
	broker_close(f->client);
	picture_finish(&f->picture);
	pthread_cond_destroy(&f->stopped);
	pthread_mutex_destroy(&f->lock);
	free(f);
}
