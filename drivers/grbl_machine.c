/* SPDX-License-Identifier: MIT */
/* grbl_machine.c -- what a Grbl machine said so far, and what that comes to */
#include "drivers/grbl_machine.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	HOMING_MS = 60000,    /* `?` is not answered during the homing cycle */
	JOB_GAP_MS = 3000,    /* senders leave gaps between two moves */
	LASER_STEP_MS = 2000, /* a longer time between two reports does not count whole */
	LIMIT_MS = 10000,
	EEPROM_MS = 10000, /* error:7 comes around its banner; a later one is another start */
	BURST_MS = 10000,
	BURST_HOLDS_MS = 60000,
	CODE_MAX = 999
};

/* ---- jobs ----------------------------------------------------------------------------------- */

static void
end_job(struct grbl *g, enum job_result result)
{
	if (g->job)
		g->result = result;
	g->job = false;
}

bool
grbl_card_runs(const struct grbl *g)
{
	return g->report.card_pct >= 0;
}

static void
follow_idle(struct grbl *g, int64_t now)
{
	if (!g->idle_ms)
		g->idle_ms = now;
	if (g->ended || now - g->idle_ms >= JOB_GAP_MS)
		end_job(g, JOB_FINISHED);
}

static void
follow_run(struct grbl *g)
{
	if (!g->job)
		g->result = JOB_NONE;
	g->job = true;
	g->ended = g->reset_in_job = false;
}

/* A job is what runs until nothing moves for a while. Jogging and homing are none. */
static void
follow_job(struct grbl *g, int64_t now)
{
	bool idle = g->state == GRBL_IDLE && !grbl_card_runs(g);

	if (!idle)
		g->idle_ms = 0;
	if (idle)
		follow_idle(g, now);
	else if (g->state == GRBL_RUN)
		follow_run(g);
	else if (g->state == GRBL_ALARM)
		end_job(g, JOB_FAULT);
	else if (g->state == GRBL_SLEEP)
		end_job(g, JOB_STOPPED);
	else if (g->state == GRBL_JOG || g->state == GRBL_CHECK) /* only an idle machine does */
		end_job(g, JOB_FINISHED);
	if (g->state == GRBL_JOG || g->state == GRBL_HOME)
		g->reset_in_job = false; /* someone looks after it */
}

/* The time since the last report counts as that report said. */
static void
follow_laser(struct grbl *g, int64_t now)
{
	int64_t step = now - g->laser_at_ms;

	if (g->laser_on)
		g->laser_ms += step < LASER_STEP_MS ? step : LASER_STEP_MS;
	g->laser_at_ms = now;
	g->laser_on = g->state == GRBL_RUN && g->report.spindle > 0;
}

/* ---- what it says --------------------------------------------------------------------------- */

static void
keep_rare(struct grbl *g, int64_t now)
{
	const struct grbl_report *r = &g->report;

	if (r->offsets) {
		memcpy(g->offset, r->offset, sizeof(g->offset));
		g->offsets = r->offsets;
		g->offset_ms = now;
	}
	if (r->has_overrides) {
		g->feed_override = r->feed_override;
		g->spindle_override = r->spindle_override;
		g->overrides_ms = now;
	}
	g->had_card |= grbl_card_runs(g);
}

static void
note_state(struct grbl *g, int64_t now)
{
	uint32_t limits = GRBL_PIN('X') | GRBL_PIN('Y') | GRBL_PIN('Z') | GRBL_PIN('A') |
			  GRBL_PIN('B') | GRBL_PIN('C');

	if (g->state == GRBL_HOME)
		g->homing_ms = now;
	if (g->state == GRBL_ALARM && g->report.substate > 0) /* grblHAL: Alarm:11 */
		g->last_alarm = g->alarm = g->report.substate;
	if (g->state != GRBL_ALARM) {
		g->alarm = 0;
		g->locked = g->config_alarm = false;
	}
	if (g->state != GRBL_IDLE || !(g->report.pins & limits))
		g->limit_ms = 0;
	else if (!g->limit_ms)
		g->limit_ms = now;
}

static const char *
hear_report(struct grbl *g, const char *at, int64_t now)
{
	struct grbl_report r;
	size_t len = grbl_report_parse(at, &r);

	if (!len)
		return NULL;
	g->report = r;
	g->report_ms = now;
	g->arrived = g->proved = true;
	g->news |= r.state != g->state;
	g->state = r.state;
	if (r.family != GRBL_UNKNOWN)
		g->family = r.family;
	keep_rare(g, now);
	note_state(g, now);
	follow_laser(g, now);
	follow_job(g, now);
	return at + len;
}

/* The number after ALARM: or error:, which must be all there is to it. */
static const char *
read_code(const char *at, int *code)
{
	char *end;
	long v;

	if (!isdigit((unsigned char)*at))
		return NULL;
	v = strtol(at, &end, 10);
	*code = (int)v;
	return v >= 1 && v <= CODE_MAX ? end : NULL;
}

static const char *
hear_alarm(struct grbl *g, const char *at, int64_t now)
{
	int code;
	const char *end = read_code(at + strlen("ALARM:"), &code);

	(void)now;
	if (!end)
		return NULL;
	g->state = GRBL_ALARM;
	g->last_alarm = g->alarm = code;
	g->locked = grbl_alarm_locks(g->family, code);
	g->report_ms = 0;
	g->laser_on = false;
	g->news = true;
	end_job(g, JOB_FAULT);
	return end;
}

static const char *
hear_error(struct grbl *g, const char *at, int64_t now)
{
	int code;
	const char *end = read_code(at + strlen("error:"), &code);
	int64_t *oldest = &g->error_ms[g->errors % GRBL_BURST];

	/* FluidNC's "end of file" and "no data" are none */
	if (!end || (g->family == GRBL_FLUIDNC && (code == 112 || code == 114)))
		return end;
	g->last_error = code;
	g->errors++;
	*oldest = now;
	oldest = &g->error_ms[g->errors % GRBL_BURST];
	if (g->errors >= GRBL_BURST && now - *oldest <= BURST_MS) {
		g->news |= !g->burst_ms;
		g->burst_ms = now;
	}
	if (code == 7) {
		g->eeprom_ms = now;
		g->news = true;
	}
	return end;
}

static void
take_version(struct grbl *g, const char *text)
{
	size_t n = strcspn(text, " ]");

	snprintf(
		g->version, sizeof(g->version), "%.*s", (int)(n < GRBL_VERSION_SIZE ? n : 0), text);
}

/* grblHAL can be built to say the same as gnea's Grbl: what its reports told is not forgotten
 * as long as it is the same connection. */
static void
take_banner(struct grbl *g, const char *at, const char *version)
{
	const char *fluidnc = strstr(at, "FluidNC ");
	enum grbl_family family = fluidnc                          ? GRBL_FLUIDNC
				  : strncmp(at, "GrblHAL", 7) == 0 ? GRBL_HAL
				  : strncmp(version, "1.", 2) == 0 ? GRBL_GNEA
								   : GRBL_UNKNOWN;

	if (g->opening || g->family == GRBL_UNKNOWN || family > GRBL_GNEA)
		g->family = family;
	take_version(g, fluidnc ? fluidnc + strlen("FluidNC ") : version);
}

static void
forget_motion(struct grbl *g, int64_t now)
{
	g->state = GRBL_STATE_UNKNOWN;
	g->report_ms = g->homing_ms = g->offset_ms = g->overrides_ms = 0;
	g->limit_ms = g->idle_ms = 0;
	g->locked = g->laser_on = false;
	if (g->eeprom_ms && now - g->eeprom_ms > EEPROM_MS)
		g->eeprom_ms = 0;
}

/* "Grbl 1.1h ['$' for help]": it has just started. */
static const char *
hear_banner(struct grbl *g, const char *at, int64_t now)
{
	const char *version = at + (strncmp(at, "GrblHAL ", 8) == 0 ? 8 : 5);
	bool moving = g->state == GRBL_RUN || g->state == GRBL_TOOL;

	if (version[-1] != ' ' || !isdigit((unsigned char)*version))
		return NULL;
	take_banner(g, at, version);
	g->reset_in_job |= g->job && moving;
	/* held or between two moves: that is how a sender stops a job */
	end_job(g, moving ? JOB_FAULT : JOB_STOPPED);
	forget_motion(g, now);
	g->proved = g->news = true;
	return version;
}

static void
message_end(struct grbl *g)
{
	g->ended = g->news = true;
}

static void
message_news(struct grbl *g)
{
	g->news = true;
}

static void
message_fluidnc(struct grbl *g)
{
	g->family = GRBL_FLUIDNC;
}

static void
message_config(struct grbl *g)
{
	g->config_alarm = g->news = true;
	g->family = GRBL_FLUIDNC;
}

static void
message_file(struct grbl *g)
{
	end_job(g, JOB_FAULT);
	g->news = true;
}

static const struct {
	const char *part;
	void (*hear)(struct grbl *g);
} messages[] = {
	{"[MSG:INFO:", message_fluidnc},
	{"[MSG:WARN:", message_fluidnc},
	{"[MSG:ERR:", message_fluidnc},
	{"[MSG:DBG:", message_fluidnc},
	{"Pgm End", message_end},
	{"Program End", message_end},
	{"Check Door", message_news},
	{"Sleeping", message_news},
	{"Configuration is invalid", message_config},
	{"File job error", message_file},
};

/* What stands in brackets is text for people, with an "ALARM:" in it or whatever. */
static const char *
hear_message(struct grbl *g, const char *at, int64_t now)
{
	size_t n = strcspn(at, "]");

	(void)now;
	if (at[n] != ']')
		return NULL;
	for (size_t i = 0;
		strncmp(at, "[MSG:", 5) == 0 && i < sizeof(messages) / sizeof(messages[0]); i++) {
		const char *found = strstr(at, messages[i].part);
		if (found && found < at + n)
			messages[i].hear(g);
	}
	return at + n;
}

/* The echo of a homing command, as a startup line has it too; silence follows. */
static void
hear_homing(struct grbl *g, const char *line, int64_t now)
{
	if (g->locked || strncmp(line + (line[0] == '>'), "$H", 2) != 0)
		return;
	g->state = GRBL_HOME;
	g->homing_ms = now;
	g->report_ms = 0;
}

static const struct {
	const char *prefix;
	const char *(*hear)(struct grbl *g, const char *at, int64_t now);
} sayings[] = {
	{"<", hear_report},
	{"[", hear_message},
	{"ALARM:", hear_alarm},
	{"error:", hear_error},
	{"Grbl", hear_banner},
};

static const char *
hear_at(struct grbl *g, const char *at, int64_t now)
{
	for (size_t i = 0; i < sizeof(sayings) / sizeof(sayings[0]); i++) {
		const char *end;
		if (strncmp(at, sayings[i].prefix, strlen(sayings[i].prefix)) != 0)
			continue;
		end = sayings[i].hear(g, at, now);
		if (end)
			return end;
	}
	return at + 1;
}

/* What a printer with Marlin says, and Grbl does not. */
static bool
is_foreign(const char *line)
{
	static const char *const starts[] = {"echo:", "ok T:", " T:", "T:"};

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		if (strncmp(line, starts[i], strlen(starts[i])) == 0)
			return true;
	}
	return line[0] != '[' && line[0] != '<' && strstr(line, "Marlin");
}

/* Line ends get lost: everything that is in the line is looked for, not only at its beginning. */
void
grbl_hear(struct grbl *g, const char *line, int64_t now_ms)
{
	g->foreign |= is_foreign(line);
	hear_homing(g, line, now_ms);
	while (*line)
		line = hear_at(g, line, now_ms);
}

/* ---- what it comes to ----------------------------------------------------------------------- */

static uint64_t
faults_of(struct grbl *g, int64_t now)
{
	bool door = (g->state == GRBL_DOOR && g->report.substate != 0) ||
		    (g->report.pins & GRBL_PIN('D'));
	bool alarm = g->alarm || g->state == GRBL_ALARM;
	bool config = g->config_alarm && g->state == GRBL_ALARM;
	uint64_t faults = 0;

	if (now - g->burst_ms >= BURST_HOLDS_MS)
		g->burst_ms = 0;
	if (alarm && !(config && !g->alarm))
		faults |= grbl_alarm_fault(g->family, g->alarm);
	if (config)
		faults |= grbl_fault("config-alarm");
	if (g->reset_in_job)
		faults |= grbl_fault("reset-in-job");
	if (door)
		faults |= grbl_fault("door-open");
	if (g->eeprom_ms)
		faults |= grbl_fault("eeprom");
	if (g->limit_ms && now - g->limit_ms > LIMIT_MS)
		faults |= grbl_fault("limit-pin");
	if (g->burst_ms)
		faults |= grbl_fault("errors-burst");
	return faults;
}

/* A job goes on in the gap between two moves, and while the card is being read. */
static enum activity
activity_of(const struct grbl *g)
{
	static const enum activity activities[] = {
		[GRBL_IDLE] = ACTIVITY_IDLE,
		[GRBL_RUN] = ACTIVITY_BUSY,
		[GRBL_HOLD] = ACTIVITY_PAUSED,
		[GRBL_JOG] = ACTIVITY_BUSY,
		[GRBL_HOME] = ACTIVITY_BUSY,
		[GRBL_ALARM] = ACTIVITY_IDLE,
		[GRBL_CHECK] = ACTIVITY_IDLE,
		[GRBL_DOOR] = ACTIVITY_PAUSED,
		[GRBL_SLEEP] = ACTIVITY_IDLE,
		[GRBL_TOOL] = ACTIVITY_BUSY,
		[GRBL_STARTING] = ACTIVITY_UNKNOWN,
		[GRBL_STATE_UNKNOWN] = ACTIVITY_UNKNOWN,
	};

	if (g->state == GRBL_IDLE && (g->job || grbl_card_runs(g)))
		return ACTIVITY_BUSY;
	return activities[g->state];
}

bool
grbl_may_be_silent(const struct grbl *g, int64_t now)
{
	return g->locked || (g->state == GRBL_HOME && now - g->homing_ms < HOMING_MS);
}

struct status
grbl_status(struct grbl *g, int64_t now_ms)
{
	bool runs = g->state != GRBL_ALARM && grbl_card_runs(g);

	return (struct status){.activity = activity_of(g),
		.result = g->result,
		.progress = runs ? g->report.card_pct / 100 : -1,
		.faults = faults_of(g, now_ms)};
}
