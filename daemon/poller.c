/* SPDX-License-Identifier: MIT */
/* poller.c -- the thread of one bus
 *
 * Its life: open the link (once a second while that fails), ask schedule.c what is next, do it,
 * post the reading. It sleeps on a semaphore, so that a new set, a job or the stop wakes it; the
 * thread of a USB machine sleeps in link_await(), which what the machine says unasked ends too.
 * Everything under `lock` is shared with the loop; the rest is the thread's own.
 */
#include "daemon/poller.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "daemon/clock.h"
#include "daemon/join.h"

#define REOPEN_US 1000000
#define REPLUG_US 500000 /* the same for what people plug in */
#define STATS_EVERY_US 1000000
#define NEWS_EVERY_US 250000 /* a poll because of news, at most so often */
#define FLOOD_PAUSE_US 20000
#define BETWEEN_US 10000000 /* what the thread does between two calls of its link, at most */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STACK_BYTES (1024 * 1024)
#else
/* Address space, not memory: getaddrinfo(3) is the deepest that runs here. */
#define STACK_BYTES (256 * 1024)
#endif

struct poller {
	const struct bus_config *bus; /* a reload replaces it: for the loop only */
	enum bus_type type;
	struct mailbox *inbox;
	struct link *link;
	pthread_t thread;
	bool running;
	atomic_bool stop, replugged;

	sem_t wake; /* posted after each change that the thread should see */
	pthread_mutex_t lock;
	struct pollset *given; /* waits to be taken over */
	struct line_job *jobs; /* wait to be done */
	struct poller_stats stats;
	char expected[sizeof((struct poller_stats *)0)->plugged];
	struct pollset *latest; /* the loop's: what was given last */

	/* the thread's own */
	struct pollset *set;
	struct schedule schedule;
	int64_t next_open_us, next_stats_us, next_news_us, busy_us;
	bool stats_due;
};

static bool
is_plug(enum bus_type type)
{
	return type == BUS_SERIAL || type == BUS_HID;
}

static struct link *
make_plug(const struct bus_config *bus, struct usb *usb)
{
	struct link_plug spec = {.device = bus->device,
		.usb = usb,
		.baud = bus->baud,
		.resets = bus->resets,
		.queries = bus->driver->queries,
		.n_queries = bus->driver->n_queries};
	return bus->type == BUS_HID ? link_hid_create(&spec) : link_serial_create(&spec);
}

static struct link *
make_link(const struct bus_config *bus, struct usb *usb)
{
	if (is_plug(bus->type))
		return make_plug(bus, usb);
	if (bus->type == BUS_MODBUS_RTU) {
		struct link_rtu spec = {
			.device = bus->device, .baud = bus->baud, .format = bus->format};
		return link_modbus_rtu_create(&spec);
	}
	struct link_tcp spec = {.host = bus->host, .port = (uint16_t)bus->port};
	return link_modbus_tcp_create(&spec);
}

struct poller *
poller_create(const struct bus_config *bus, struct usb *usb, struct mailbox *inbox)
{
	struct poller *p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->link = make_link(bus, usb);
	if (!p->link) {
		free(p);
		return NULL;
	}
	p->bus = bus;
	p->type = bus->type;
	p->inbox = inbox;
	p->stats.rc = -ENOTCONN;
	pthread_mutex_init(&p->lock, NULL);
	sem_init(&p->wake, 0, 0);
	return p;
}

/* ---- readings ------------------------------------------------------------------------------ */

static struct poll_mail *
take_mail(struct poller *p, struct polled_unit *unit)
{
	pthread_mutex_lock(&p->lock);
	struct poll_mail *mail = unit->free;
	if (mail)
		unit->free = mail->free_next;
	else
		p->stats.lost_readings++;
	pthread_mutex_unlock(&p->lock);
	return mail;
}

void
poller_return(struct poller *p, struct poll_mail *mail)
{
	pthread_mutex_lock(&p->lock);
	mail->free_next = mail->unit->free;
	mail->unit->free = mail;
	pthread_mutex_unlock(&p->lock);
}

static void
post_reading(struct poller *p, struct poll_mail *mail)
{
	mail->mail.kind = MAIL_READING;
	mailbox_post(p->inbox, &mail->mail);
}

/* A reading that says why a whole unit has no values. */
static void
post_failure(struct poller *p, struct polled_unit *unit, unsigned group, int rc)
{
	struct poll_mail *mail = take_mail(p, unit);
	if (!mail)
		return;
	struct reading *r = mail->reading;
	unsigned word = rc == -ETIMEDOUT ? device_gateway_word(unit->device) : 0;
	r->group = group;
	r->rc = rc;
	r->fail = (uint8_t)(word ? FAIL_EXCEPTION : device_fail(rc));
	r->exception = (uint8_t)word;
	r->ts_ms = clock_wall_ms();
	r->mono_us = clock_mono_us();
	r->n = 0;
	post_reading(p, mail);
}

/* ---- statistics ---------------------------------------------------------------------------- */

static void
publish_stats(struct poller *p, int64_t now_us)
{
	struct device_stats ds;
	int worst95 = 0, worst50 = 0, max = 0;
	uint64_t missed = 0;
	for (size_t i = 0; i < p->schedule.n_entries; i++)
		missed += p->schedule.entries[i].missed;
	pthread_mutex_lock(&p->lock);
	link_stats(p->link, &p->stats.link);
	for (size_t i = 0; p->set && i < p->set->n_units; i++) {
		device_stats(p->set->units[i]->device, &ds);
		worst50 = ds.latency_p50_us > worst50 ? ds.latency_p50_us : worst50;
		worst95 = ds.latency_p95_us > worst95 ? ds.latency_p95_us : worst95;
		max = ds.latency_max_us > max ? ds.latency_max_us : max;
	}
	p->stats.latency_p50_us = worst50;
	p->stats.latency_p95_us = worst95;
	p->stats.latency_max_us = max;
	p->stats.missed = missed;
	p->stats.busy_us = p->busy_us;
	pthread_mutex_unlock(&p->lock);
	p->next_stats_us = now_us + STATS_EVERY_US;
}

static void
tell_link(struct poller *p, bool up, int rc)
{
	pthread_mutex_lock(&p->lock);
	p->stats.up = up;
	p->stats.rc = rc;
	snprintf(p->stats.holder, sizeof(p->stats.holder), "%s", up ? "" : link_holder(p->link));
	snprintf(p->stats.plugged, sizeof(p->stats.plugged), "%s", link_plugged(p->link));
	pthread_mutex_unlock(&p->lock);
}

void
poller_stats(struct poller *p, struct poller_stats *out)
{
	pthread_mutex_lock(&p->lock);
	*out = p->stats;
	pthread_mutex_unlock(&p->lock);
}

/* ---- the thread ---------------------------------------------------------------------------- */

/* Every unit of a line that is down has failed; said once when it goes down, and then once a
 * second so that the failures count. */
static void
line_is_down(struct poller *p, int rc)
{
	tell_link(p, false, rc);
	for (size_t i = 0; i < p->set->n_units; i++)
		post_failure(p, p->set->units[i], 0, rc);
}

static void
pass_expected(struct poller *p)
{
	pthread_mutex_lock(&p->lock);
	link_expect(p->link, p->expected);
	pthread_mutex_unlock(&p->lock);
}

static bool
line_is_up(struct poller *p, int64_t now_us)
{
	if (link_is_open(p->link))
		return true;
	if (now_us < p->next_open_us)
		return false;
	pass_expected(p);
	int rc = link_open(p->link);
	if (rc == -ECANCELED)
		return false;
	/* Also after a success: a server that accepts and hangs up would keep us busy. */
	p->next_open_us = clock_mono_us() + (is_plug(p->type) ? REPLUG_US : REOPEN_US);
	if (rc < 0) {
		line_is_down(p, rc);
		return false;
	}
	tell_link(p, true, 0);
	schedule_wake(&p->schedule, clock_mono_us());
	return true;
}

static int64_t
probe_cost_us(void *arg, size_t unit)
{
	struct poller *p = arg;
	return (int64_t)device_probe_timeout_ms(p->set->units[unit]->device) * 1000;
}

static int64_t
unit_free_us(struct poller *p, const struct polled_unit *unit)
{
	return link_unit_free_us(p->link, unit->unit);
}

/* Before the reading is posted, so that the loop finds it when it looks. */
static void
note_identity(struct poller *p, struct polled_unit *unit)
{
	const char *now = device_identity(unit->device);
	if (strcmp(now, unit->identity) == 0) /* written by this thread only */
		return;
	pthread_mutex_lock(&p->lock);
	snprintf(unit->identity, sizeof(unit->identity), "%s", now);
	unit->identities++;
	pthread_mutex_unlock(&p->lock);
}

/* What is read once after each connection is due again when the device says so. */
static void
renew_once(struct poller *p, unsigned unit, int64_t now_us)
{
	for (size_t i = 0; i < p->schedule.n_entries; i++) {
		struct schedule_entry *e = &p->schedule.entries[i];
		if (e->unit != unit || e->kind != SCHEDULE_ONCE || e->pending ||
			!device_once_due(p->set->units[unit]->device, e->group))
			continue;
		e->pending = true;
		e->due_us = now_us;
	}
}

static void
do_poll(struct poller *p, size_t entry, int64_t start_us)
{
	struct schedule_entry *e = &p->schedule.entries[entry];
	struct polled_unit *unit = p->set->units[e->unit];
	struct poll_mail *mail = take_mail(p, unit);
	int rc = -EAGAIN; /* the loop is behind: this poll is lost and counted */
	if (mail) {
		rc = device_poll(unit->device, e->group, mail->reading);
		note_identity(p, unit);
		mail->origin = unit->identities + link_generation(p->link);
		if (rc == -ECANCELED)
			poller_return(p, mail);
		else
			post_reading(p, mail);
	}
	int64_t end_us = clock_mono_us();
	p->busy_us += end_us - start_us;
	if (rc == -ECANCELED)
		return;
	schedule_polled(
		&p->schedule, entry, end_us, rc == 0 || rc == -EAGAIN, unit_free_us(p, unit));
	renew_once(p, e->unit, end_us);
}

static void
do_probe(struct poller *p, size_t index, int64_t start_us)
{
	struct polled_unit *unit = p->set->units[index];
	int rc = device_probe(unit->device, device_probe_timeout_ms(unit->device));
	int64_t end_us = clock_mono_us();
	p->busy_us += end_us - start_us;
	if (rc == -ECANCELED)
		return;
	schedule_probed(&p->schedule, index, start_us, end_us, rc == 0, unit_free_us(p, unit));
	if (rc < 0)
		post_failure(p, unit, 0, rc);
}

static struct line_job *
peek_job(struct poller *p)
{
	pthread_mutex_lock(&p->lock);
	struct line_job *job = p->jobs;
	pthread_mutex_unlock(&p->lock);
	return job;
}

static void
do_job(struct poller *p, struct line_job *job, int64_t start_us)
{
	int rc = job->step(job, p->link, p->set);
	int64_t end_us = clock_mono_us();
	schedule_job_ran(&p->schedule, start_us, end_us);
	if (rc == -EAGAIN)
		return;
	pthread_mutex_lock(&p->lock);
	p->jobs = job->next;
	pthread_mutex_unlock(&p->lock);
	job->rc = rc;
	job->mail.kind = MAIL_JOB;
	mailbox_post(p->inbox, &job->mail);
}

static void
take_over(struct poller *p, struct pollset *set)
{
	struct pollset *old = p->set;
	int64_t now_us = clock_mono_us();
	for (size_t i = 0; i < set->n_entries; i++)
		set->entries[i].due_us = now_us;
	if (old)
		pollset_inherit(set, old);
	p->set = set;
	schedule_init(
		&p->schedule, set->entries, set->n_entries, set->states, set->n_units, now_us);
	if (old) {
		old->mail.kind = MAIL_POLLSET;
		mailbox_post(p->inbox, &old->mail);
	}
}

/* A poller that ends leaves nobody waiting. */
static void
drop_jobs(struct poller *p)
{
	pthread_mutex_lock(&p->lock);
	struct line_job *job = p->jobs;
	p->jobs = NULL;
	pthread_mutex_unlock(&p->lock);
	while (job) {
		struct line_job *next = job->next;
		job->rc = -ECANCELED;
		job->mail.kind = MAIL_JOB;
		mailbox_post(p->inbox, &job->mail);
		job = next;
	}
}

static bool
has_news(struct poller *p, bool job_waits)
{
	pthread_mutex_lock(&p->lock);
	bool news = atomic_load(&p->stop) || atomic_load(&p->replugged) || p->given ||
		    (p->jobs && !job_waits);
	pthread_mutex_unlock(&p->lock);
	return news;
}

/* Sleeps until `until_us` or until there is something new. Not on a condition variable: glibc's,
 * when it times out, leaves its mutex such that unlocking it costs a system call, which with a
 * thousand threads is a fifth of all that a poll costs. */
static void
wait_until(struct poller *p, int64_t until_us, bool job_waits)
{
	struct timespec ts = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};
	link_promise(p->link, until_us - clock_mono_us());
	while (!has_news(p, job_waits)) {
		if (sem_clockwait(&p->wake, CLOCK_MONOTONIC, &ts) < 0 && errno == ETIMEDOUT)
			break;
	}
}

/* What a USB machine says between polls: its driver takes it, and may want a poll at once. */
static bool
hear(struct poller *p)
{
	if (!p->set || p->set->n_units == 0)
		return false;
	int rc = device_listen(p->set->units[0]->device);
	int64_t now_us = clock_mono_us();
	if (rc == -EAGAIN) { /* it does not stop talking */
		link_wait(p->link, FLOOD_PAUSE_US / 1000);
		return false;
	}
	if (rc <= 0 || now_us < p->next_news_us)
		return rc < 0;
	p->next_news_us = now_us + NEWS_EVERY_US;
	schedule_hurry(&p->schedule, 0, now_us);
	return true;
}

static void
listen_until(struct poller *p, int64_t until_us, bool job_waits)
{
	while (!has_news(p, job_waits) && clock_mono_us() < until_us) {
		int rc = link_await(p->link, until_us);
		if (rc < 0 || (rc > 0 && hear(p)))
			break;
	}
}

static bool
try_job(struct poller *p, int64_t now_us, bool *waits)
{
	struct line_job *job = peek_job(p);
	*waits = job != NULL;
	if (!job || !schedule_job_may_run(&p->schedule, now_us, job->cost_us))
		return false;
	do_job(p, job, now_us);
	return true;
}

static int64_t
min64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* One thing at a time: a poll or probe that is due, else a job, else sleep. */
static void
do_next(struct poller *p, int64_t now_us)
{
	bool job_waits = false;
	bool up = line_is_up(p, now_us);
	now_us = clock_mono_us();
	struct schedule_next next = {.what = SCHEDULE_WAIT, .until_us = p->next_open_us};
	if (up)
		next = schedule_next(&p->schedule, now_us, probe_cost_us, p);
	/* A job goes first when its share allows it: it has waited for four times its last step. */
	if (try_job(p, now_us, &job_waits))
		return;
	if (next.what == SCHEDULE_POLL) {
		do_poll(p, next.index, now_us);
	} else if (next.what == SCHEDULE_PROBE) {
		do_probe(p, next.index, now_us);
	} else {
		if (p->stats_due)
			publish_stats(p, now_us);
		int64_t until = min64(next.until_us, now_us + 10 * STATS_EVERY_US);
		if (job_waits)
			until = min64(until, p->schedule.job_free_us);
		if (up && is_plug(p->type))
			listen_until(p, until, job_waits);
		else
			wait_until(p, until, job_waits);
	}
}

static void *
run(void *arg)
{
	struct poller *p = arg;
	if (p->type == BUS_MODBUS_RTU) /* 50 us more per silence is 1 % of a fast line */
		prctl(PR_SET_TIMERSLACK, 1);
	while (!atomic_load(&p->stop)) {
		pthread_mutex_lock(&p->lock);
		struct pollset *given = p->given;
		p->given = NULL;
		pthread_mutex_unlock(&p->lock);
		if (given)
			take_over(p, given);
		int64_t now_us = clock_mono_us();
		if (atomic_exchange(&p->replugged, false)) {
			link_check(p->link);
			p->next_open_us = 0;
		}
		link_promise(p->link, BETWEEN_US);
		p->stats_due = now_us >= p->next_stats_us;
		if (p->stats_due && now_us >= p->next_stats_us + STATS_EVERY_US)
			publish_stats(p, now_us); /* never idle: once in two seconds all the same */
		do_next(p, now_us);
	}
	link_close(p->link);
	drop_jobs(p);
	return NULL;
}

/* ---- from the loop ------------------------------------------------------------------------- */

static int
start_thread(struct poller *p)
{
	pthread_attr_t attr;
	sigset_t all, before;
	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	p->stats.started_us = clock_mono_us();
	link_promise(p->link, BETWEEN_US);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the loop thread's */
	int rc = pthread_create(&p->thread, &attr, run, p);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (rc == 0) {
		char name[16];
		snprintf(name, sizeof(name), "bus:%.11s", p->bus->id);
		pthread_setname_np(p->thread, name);
		p->running = true;
	}
	return -rc;
}

static void
wake(struct poller *p)
{
	sem_post(&p->wake);
	link_wake(p->link);
}

void
poller_replug(struct poller *p)
{
	atomic_store(&p->replugged, true);
	wake(p);
}

void
poller_expect(struct poller *p, const char *plugged)
{
	pthread_mutex_lock(&p->lock);
	snprintf(p->expected, sizeof(p->expected), "%s", plugged);
	pthread_mutex_unlock(&p->lock);
}

int
poller_give(struct poller *p, struct pollset *set)
{
	p->latest = set;
	pthread_mutex_lock(&p->lock);
	p->given = set;
	pthread_mutex_unlock(&p->lock);
	wake(p);
	return p->running ? 0 : start_thread(p);
}

void
poller_run_job(struct poller *p, struct line_job *job)
{
	job->next = NULL;
	pthread_mutex_lock(&p->lock);
	struct line_job **last = &p->jobs;
	while (*last)
		last = &(*last)->next;
	*last = job;
	pthread_mutex_unlock(&p->lock);
	wake(p);
}

void
poller_identity(struct poller *p, const struct polled_unit *unit, char *buf, size_t size)
{
	pthread_mutex_lock(&p->lock);
	snprintf(buf, size, "%s", unit->identity);
	pthread_mutex_unlock(&p->lock);
}

struct link *
poller_link(struct poller *p)
{
	return p->link;
}

struct pollset *
poller_set(struct poller *p)
{
	return p->latest;
}

void
poller_rebase(struct poller *p, const struct bus_config *bus)
{
	p->bus = bus; /* read by the loop only, once the thread runs */
}

const struct bus_config *
poller_bus(const struct poller *p)
{
	return p->bus;
}

int64_t
poller_due_us(const struct poller *p)
{
	return link_due_us(p->link);
}

void
poller_cancel(struct poller *p)
{
	pthread_mutex_lock(&p->lock);
	atomic_store(&p->stop, true);
	pthread_mutex_unlock(&p->lock);
	wake(p);
	link_cancel(p->link);
}

bool
poller_join(struct poller *p, int64_t deadline_us)
{
	if (!p->running)
		return true;
	if (!join_until(p->thread, deadline_us))
		return false;
	p->running = false;
	return true;
}

void
poller_destroy(struct poller *p)
{
	if (!p)
		return;
	pollset_destroy(p->set);
	pollset_destroy(p->given);
	link_destroy(p->link);
	sem_destroy(&p->wake);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
