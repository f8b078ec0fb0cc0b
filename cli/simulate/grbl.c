/* SPDX-License-Identifier: MIT */
/* grbl.c -- a simulated laser with Grbl 1.1h
 *
 * Engraves line by line, G0 back with the laser off. Answers `?` wherever it stands in the stream
 * and counts every other byte: a gateway that sends one may have spoilt a job. Order and pace of
 * the fields as in gnea/grbl grbl/report.c; what follows an alarm or a reset as in grbl/grbl-sim.
 */
#include "cli/simulate/plug.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum state { IDLE, RUN, HOLD, HOME, ALARM, DOOR };

enum {
	JOB_S = 60,
	HOME_S = 15,
	PAUSE_S = 15,     /* between the jobs of a cycle */
	SLOWING_MS = 400, /* into a hold, and out of the way of an open door */
	LINE_MS = 2400,   /* of the engraving: there and back */
	BURN_MS = 2000,
	SECONDS_MAX = 86400
};

struct machine {
	enum state state;
	int64_t since_ms; /* in this state */
	int64_t moved_ms; /* of the job, without its holds */
	int64_t tick_ms;
	int64_t job_ms, home_ms; /* how long they take; 0: none */
	int64_t cycle_ms;        /* job after job; 0: no */
	bool home_told;          /* the one report that gets through before the axes move */
	bool locked, silent;
	int wco_in, ov_in; /* reports until these fields come again */
	uint64_t forbidden;
};

static void
enter(struct plug *p, enum state state)
{
	struct machine *m = plug_state(p);

	m->state = state;
	m->since_ms = plug_now_ms(p);
}

static void
grbl_start(struct plug *p)
{
	struct machine *m = plug_state(p);

	m->job_ms = m->home_ms = m->moved_ms = 0;
	m->wco_in = m->ov_in = 0;
	m->locked = m->silent = false;
	m->tick_ms = plug_now_ms(p);
	enter(p, IDLE);
	plug_say(p, "\r\nGrbl 1.1h ['$' for help]\r\n");
}

/* ---- reports -------------------------------------------------------------------------------- */

static const char *
state_text(const struct machine *m, int64_t age_ms)
{
	static const char *const texts[] = {"Idle", "Run", "Hold:0", "Home", "Alarm", "Door:1"};
	bool slowing = age_ms < SLOWING_MS && m->job_ms > 0;

	if (slowing && m->state == HOLD)
		return "Hold:1";
	return slowing && m->state == DOOR ? "Door:2" : texts[m->state];
}

static bool
burns(const struct machine *m)
{
	return m->state == RUN && m->moved_ms % LINE_MS < BURN_MS;
}

/* 100 mm along X, then back; a line every 0.1 mm. */
static double
position_x(const struct machine *m)
{
	double at = (double)(m->moved_ms % LINE_MS);

	return at < BURN_MS ? at / BURN_MS * 100 : (LINE_MS - at) / (LINE_MS - BURN_MS) * 100;
}

/* What does not come with each report; never both in one. */
static void
rare_fields(struct machine *m, bool busy, char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	if (m->wco_in > 0) {
		m->wco_in--;
	} else {
		m->wco_in = (busy ? 30 : 10) - 1;
		m->ov_in = m->ov_in ? m->ov_in : 1;
		len = (size_t)snprintf(buf, size, "|WCO:10.000,10.000,0.000");
	}
	if (m->ov_in > 0) {
		m->ov_in--;
	} else {
		m->ov_in = (busy ? 20 : 10) - 1;
		snprintf(buf + len, size - len, "|Ov:100,100,100%s", burns(m) ? "|A:S" : "");
	}
}

static void
say_report(struct plug *p)
{
	struct machine *m = plug_state(p);
	bool moving = m->state == RUN, busy = m->state != IDLE && m->state != ALARM;
	double y = (double)(m->moved_ms / LINE_MS) * 0.1;
	char rare[80];

	rare_fields(m, busy, rare, sizeof rare);
	plug_say(p, "<%s|MPos:%.3f,%.3f,0.000|Bf:%d,%d|FS:%d,%d%s%s>\r\n",
		state_text(m, plug_now_ms(p) - m->since_ms), position_x(m), fmod(y, 200),
		moving ? 2 : 15, moving ? 23 : 128, moving ? 3000 : 0, burns(m) ? 300 : 0,
		m->state == DOOR ? "|Pn:D" : "", rare);
}

static void
grbl_heard(struct plug *p, const uint8_t *bytes, size_t n)
{
	struct machine *m = plug_state(p);

	for (size_t i = 0; i < n; i++) {
		if (bytes[i] != '?') {
			m->forbidden++;
			continue;
		}
		if (m->locked || m->silent || (m->state == HOME && m->home_told))
			continue;
		m->home_told = m->state == HOME;
		say_report(p);
	}
}

/* ---- time ----------------------------------------------------------------------------------- */

static void
start_job(struct plug *p, int64_t ms)
{
	struct machine *m = plug_state(p);

	m->job_ms = ms;
	m->moved_ms = 0;
	enter(p, RUN);
}

static void
tick_run(struct plug *p, int64_t step_ms)
{
	struct machine *m = plug_state(p);

	m->moved_ms += step_ms;
	if (m->moved_ms < m->job_ms)
		return;
	m->job_ms = 0;
	enter(p, IDLE);
	plug_say(p, "[MSG:Pgm End]\r\n");
}

static void
grbl_tick(struct plug *p)
{
	struct machine *m = plug_state(p);
	int64_t now = plug_now_ms(p), step_ms = now - m->tick_ms;

	m->tick_ms = now;
	if (m->state == RUN)
		tick_run(p, step_ms);
	else if (m->state == IDLE && m->cycle_ms && now - m->since_ms >= PAUSE_S * 1000)
		start_job(p, m->cycle_ms);
	if (m->state == HOME && now - m->since_ms >= m->home_ms) {
		m->moved_ms = 0;
		enter(p, IDLE);
	}
}

/* ---- what a person can make it do ----------------------------------------------------------- */

static int
do_job(struct plug *p, int64_t seconds)
{
	struct machine *m = plug_state(p);

	if (m->state != IDLE || seconds == 0)
		return -EINVAL;
	start_job(p, (seconds < 0 ? JOB_S : seconds) * 1000);
	return 0;
}

static int
do_cycle(struct plug *p, int64_t seconds)
{
	struct machine *m = plug_state(p);

	m->cycle_ms = (seconds < 0 ? JOB_S : seconds) * 1000;
	return m->state == IDLE && m->cycle_ms ? do_job(p, seconds) : 0;
}

static int
do_home(struct plug *p, int64_t seconds)
{
	struct machine *m = plug_state(p);

	if ((m->state != IDLE && m->state != ALARM) || m->locked)
		return -EINVAL;
	m->home_ms = (seconds < 0 ? HOME_S : seconds) * 1000;
	m->home_told = false;
	enter(p, HOME);
	return 0;
}

static int
do_hold(struct plug *p, int64_t number)
{
	struct machine *m = plug_state(p);

	(void)number;
	if (m->state != RUN)
		return -EINVAL;
	enter(p, HOLD);
	return 0;
}

static int
do_resume(struct plug *p, int64_t number)
{
	struct machine *m = plug_state(p);

	(void)number;
	if (m->state != HOLD && m->state != DOOR)
		return -EINVAL;
	enter(p, m->job_ms ? RUN : IDLE);
	return 0;
}

static int
do_door(struct plug *p, int64_t number)
{
	struct machine *m = plug_state(p);

	(void)number;
	if (m->state == ALARM || m->state == HOME)
		return -EINVAL;
	enter(p, DOOR);
	plug_say(p, "[MSG:Check Door]\r\n");
	return 0;
}

static int
do_alarm(struct plug *p, int64_t number)
{
	struct machine *m = plug_state(p);

	if (number < 1 || number > 10)
		return -EINVAL;
	m->job_ms = 0;
	enter(p, ALARM);
	plug_say(p, "ALARM:%d\r\n", (int)number);
	m->locked = number <= 2;
	plug_say(p, m->locked ? "[MSG:Reset to continue]\r\n" : "[MSG:'$H'|'$X' to unlock]\r\n");
	return 0;
}

static int
do_error(struct plug *p, int64_t number)
{
	if (number < 1 || number > 255)
		return -EINVAL;
	plug_say(p, "error:%d\r\n", (int)number);
	return 0;
}

/* The reset button: an alarm outlives it, and a reset while moving is one. */
static int
do_reset(struct plug *p, int64_t number)
{
	struct machine *m = plug_state(p);
	bool moving = m->state == RUN || m->state == HOME, alarm = moving || m->state == ALARM;

	(void)number;
	if (moving)
		plug_say(p, "ALARM:%d\r\n", m->state == RUN ? 3 : 6);
	grbl_start(p);
	if (alarm) {
		enter(p, ALARM);
		plug_say(p, "[MSG:'$H'|'$X' to unlock]\r\n");
	}
	return 0;
}

static int
do_unlock(struct plug *p, int64_t number)
{
	struct machine *m = plug_state(p);

	(void)number;
	if (m->state != ALARM || m->locked)
		return -EINVAL;
	enter(p, IDLE);
	plug_say(p, "[MSG:Caution: Unlocked]\r\n");
	return 0;
}

static int
do_silent(struct plug *p, int64_t number)
{
	struct machine *m = plug_state(p);

	(void)number;
	m->silent = true;
	return 0;
}

/* Fails if anything but `?` was ever sent to it. */
static int
do_forbidden(struct plug *p, int64_t number)
{
	const struct machine *m = plug_state(p);

	(void)number;
	return m->forbidden ? -EINVAL : 0;
}

static const struct {
	const char *word;
	int (*run)(struct plug *p, int64_t number); /* -1: none was given */
} acts[] = {
	{"job", do_job},
	{"hold", do_hold},
	{"resume", do_resume},
	{"alarm", do_alarm},
	{"home", do_home},
	{"door", do_door},
	{"error", do_error},
	{"reset", do_reset},
	{"unlock", do_unlock},
	{"cycle", do_cycle},
	{"silent", do_silent},
	{"forbidden", do_forbidden},
};

static int
grbl_act(struct plug *p, char *const *words, size_t n)
{
	int64_t number = -1;
	char *end;

	if (n == 0 || n > 2)
		return -EINVAL;
	if (n == 2) {
		number = strtol(words[1], &end, 10);
		if (end == words[1] || *end || number < 0 || number > SECONDS_MAX)
			return -EINVAL;
	}
	for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++)
		if (!strcmp(acts[i].word, words[0]))
			return acts[i].run(p, number);
	return -EINVAL;
}

const struct plug_kind plug_kind_grbl = {
	.name = "grbl",
	.baud = "115200",
	.state_size = sizeof(struct machine),
	.start = grbl_start,
	.heard = grbl_heard,
	.tick = grbl_tick,
	.act = grbl_act,
	.words = "job [SECONDS], cycle [SECONDS], hold, resume, door, home [SECONDS], alarm N, "
		 "error N, reset, unlock, silent, forbidden",
};
