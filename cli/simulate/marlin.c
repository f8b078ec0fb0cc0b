/* SPDX-License-Identifier: MIT */
/* marlin.c -- a simulated 3D printer with Marlin 2.0
 *
 * Prints from its card: heats (answers wait until that is done, "busy:" comes instead), prints,
 * cools. What is not a known question is counted and refused: a gateway that sends it may have
 * spoilt a print. Texts as in MarlinFirmware/Marlin, Marlin/src/core/language.h, gcode/sd/M27.cpp,
 * gcode/stats/M31.cpp and module/printcounter.cpp.
 */
#include "cli/simulate/plug.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum phase { IDLE, HEATING, PRINTING };

enum {
	PRINT_S = 120,
	PAUSE_S = 20, /* between the prints of a cycle */
	SECONDS_MAX = 86400,
	FILE_BYTES = 4963577,
	HOTEND_C = 210,
	BED_C = 60,
	ROOM_C = 22,
	HOTEND_RATE = 35, /* degrees a second */
	BED_RATE = 8,
	COOLING_MS = 60000,
	BUSY_MS = 2000, /* M113 */
	WAIT_MS = 1000, /* the line of M109 */
	WAITING = 4     /* BUFSIZE: commands behind the one at work */
};

struct machine {
	enum phase phase;
	bool paused, killed, silent;
	int64_t since_ms, tick_ms; /* in this phase; the last tick */
	int64_t print_ms, done_ms; /* of the print: how long it takes, how far it is */
	int64_t cycle_ms;          /* print after print; 0: no */
	int64_t busy_ms, wait_ms;  /* when these lines were said */
	double hotend, hotend_to, bed, bed_to;
	char line[97]; /* MAX_CMD_SIZE */
	char file[65]; /* that it prints; "": the usual one */
	size_t len;
	int waiting[WAITING]; /* questions */
	size_t n_waiting;
	unsigned prints, finished;
	int64_t printed_ms, longest_ms;
	uint64_t forbidden;
};

static void
enter(struct plug *p, enum phase phase)
{
	struct machine *m = plug_state(p);

	m->phase = phase;
	m->since_ms = plug_now_ms(p);
	m->hotend_to = phase == IDLE ? 0 : HOTEND_C;
	m->bed_to = phase == IDLE ? 0 : BED_C;
}

static void
marlin_start(struct plug *p)
{
	struct machine *m = plug_state(p);

	if (m->hotend == 0)
		m->hotend = m->bed = ROOM_C;
	m->paused = m->killed = m->silent = false;
	m->len = m->n_waiting = 0;
	m->tick_ms = plug_now_ms(p);
	enter(p, IDLE);
	plug_say(p, "start\necho: External Reset\nMarlin 2.0.9.2\n\n"
		    "echo: Last Updated: 2021-10-09 | Author: (labpulse, simulated)\n"
		    "echo:Compiled: Oct  9 2021\n"
		    "echo: Free Memory: 9679  PlannerBufferBytes: 1232\n"
		    "echo:Hardcoded Default Settings Loaded\necho:SD card ok\n");
}

/* ---- answers -------------------------------------------------------------------------------- */

/* As libs/duration_t.h prints it: without leading zero units. */
static const char *
duration(int64_t ms, char *buf, size_t size)
{
	long s = (long)(ms / 1000);

	if (s >= 3600)
		snprintf(buf, size, "%ldh %ldm %lds", s / 3600, s / 60 % 60, s % 60);
	else if (s >= 60)
		snprintf(buf, size, "%ldm %lds", s / 60, s % 60);
	else
		snprintf(buf, size, "%lds", s);
	return buf;
}

static void
say_name(struct plug *p)
{
	plug_say(p,
		"FIRMWARE_NAME:Marlin 2.0.9.2 (Oct  9 2021 12:00:00) "
		"SOURCE_CODE_URL:github.com/MarlinFirmware/Marlin PROTOCOL_VERSION:1.0 "
		"MACHINE_TYPE:%s EXTRUDER_COUNT:1 UUID:cede2a2f-41a2-4748-9b12-c55c62f367ff\n"
		"Cap:SERIAL_XON_XOFF:0\nCap:EEPROM:1\nCap:AUTOREPORT_TEMP:1\nCap:SDCARD:1\n"
		"Cap:AUTOREPORT_SD_STATUS:1\nCap:THERMAL_PROTECTION:1\nok\n",
		plug_name(p));
}

static void
say_temperatures(struct plug *p)
{
	const struct machine *m = plug_state(p);
	int power = m->hotend_to == 0 ? 0 : m->hotend < m->hotend_to - 1 ? 127 : 48;

	plug_say(p, "ok T:%.2f /%.2f B:%.2f /%.2f @:%d B@:%d\n", m->hotend, m->hotend_to, m->bed,
		m->bed_to, power, m->bed_to > 0 ? 40 : 0);
}

static void
say_card(struct plug *p)
{
	const struct machine *m = plug_state(p);

	if (m->phase == IDLE || m->paused)
		plug_say(p, "Not SD printing\nok\n");
	else
		plug_say(p, "SD printing byte %lld/%d\nok\n",
			(long long)(FILE_BYTES * m->done_ms / m->print_ms), FILE_BYTES);
}

static void
say_file(struct plug *p)
{
	const struct machine *m = plug_state(p);

	plug_say(p, "Current file: %s\nok\n",
		m->phase == IDLE ? "(no file)" : "BENCHY~1.GCO Benchy.gcode");
}

static void
say_time(struct plug *p)
{
	const struct machine *m = plug_state(p);
	char text[40];

	plug_say(p, "echo:Print time: %s\nok\n", duration(m->done_ms, text, sizeof text));
}

static void
say_totals(struct plug *p)
{
	const struct machine *m = plug_state(p);
	unsigned failed = m->prints - m->finished - (m->phase != IDLE);
	char total[40], longest[40];

	plug_say(p,
		"Stats: Prints: %u, Finished: %u, Failed: %u\n"
		"Stats: Total time: %s, Longest job: %s\nStats: Filament used: %.2fm\nok\n",
		m->prints, m->finished, failed, duration(m->printed_ms, total, sizeof total),
		duration(m->longest_ms, longest, sizeof longest), (double)m->printed_ms / 500000);
}

static void
say_unknown(struct plug *p)
{
	plug_say(p, "echo:Unknown command: \"M408 S0\"\nok\n");
}

static const struct {
	const char *line;
	void (*answer)(struct plug *p);
} questions[] = {
	{"M105", say_temperatures},
	{"M115", say_name},
	{"M27", say_card},
	{"M27 C", say_file},
	{"M27 P", say_card},
	{"M31", say_time},
	{"M78", say_totals},
	{"M408 S0", say_unknown},
};

/* -1: it is none. */
static int
question_of(const char *line)
{
	for (size_t i = 0; i < sizeof questions / sizeof *questions; i++)
		if (!strcmp(questions[i].line, line))
			return (int)i;
	return -1;
}

static void
answer_waiting(struct plug *p)
{
	struct machine *m = plug_state(p);

	for (size_t i = 0; i < m->n_waiting; i++)
		questions[m->waiting[i]].answer(p);
	m->n_waiting = 0;
}

/* A heater is waited for in the order of the commands, so what is asked meanwhile waits too. */
static void
take_line(struct plug *p, const char *line)
{
	struct machine *m = plug_state(p);
	int question = question_of(line);

	m->forbidden += question < 0;
	if (m->killed || m->silent)
		return;
	if (question < 0)
		plug_say(p, "Error:forbidden\n");
	else if (m->phase != HEATING)
		questions[question].answer(p);
	else if (m->n_waiting < WAITING)
		m->waiting[m->n_waiting++] = question;
}

static void
marlin_heard(struct plug *p, const uint8_t *bytes, size_t n)
{
	struct machine *m = plug_state(p);

	for (size_t i = 0; i < n; i++) {
		if (bytes[i] != '\n' && bytes[i] != '\r') {
			if (m->len + 1 < sizeof m->line)
				m->line[m->len++] = (char)bytes[i];
			continue;
		}
		m->line[m->len] = '\0';
		if (m->len > 0)
			take_line(p, m->line);
		m->len = 0;
	}
}

/* ---- time ----------------------------------------------------------------------------------- */

static double
approach(double now, double target, double rate, int64_t step_ms)
{
	double step = rate * (double)step_ms / 1000;

	if (target > now)
		return now + step < target ? now + step : target;
	target = target > ROOM_C ? target : ROOM_C;
	return now + (target - now) * fmin((double)step_ms / COOLING_MS, 1);
}

static void
tick_heating(struct plug *p, int64_t now_ms)
{
	struct machine *m = plug_state(p);

	if (m->hotend >= HOTEND_C && m->bed >= BED_C) {
		m->phase = PRINTING;
		answer_waiting(p);
		return;
	}
	if (now_ms - m->wait_ms >= WAIT_MS) {
		m->wait_ms = now_ms;
		plug_say(p, " T:%.2f E:0 B:%.2f W:?\n", m->hotend, m->bed);
	}
	if (now_ms - m->busy_ms >= BUSY_MS) {
		m->busy_ms = now_ms;
		plug_say(p, "echo:busy: processing\n");
	}
}

static void
begin_print(struct plug *p, int64_t ms)
{
	struct machine *m = plug_state(p);
	const char *file = *m->file ? m->file : "benchy~1.gco";

	m->print_ms = ms;
	m->done_ms = 0;
	m->paused = false;
	m->prints++;
	enter(p, HEATING);
	plug_say(p,
		"echo:enqueueing \"M23 %s\"\necho:enqueueing \"M24\"\n"
		"File opened: %s Size: %d\nFile selected\n",
		file, file, FILE_BYTES);
}

static void
tick_printing(struct plug *p, int64_t step_ms)
{
	struct machine *m = plug_state(p);

	if (m->paused)
		return;
	m->done_ms = m->done_ms + step_ms < m->print_ms ? m->done_ms + step_ms : m->print_ms;
	m->printed_ms += step_ms;
	m->longest_ms = m->done_ms > m->longest_ms ? m->done_ms : m->longest_ms;
	if (m->done_ms < m->print_ms)
		return;
	m->finished++;
	enter(p, IDLE);
	plug_say(p, "Done printing file\n");
}

static void
marlin_tick(struct plug *p)
{
	struct machine *m = plug_state(p);
	int64_t now_ms = plug_now_ms(p), step_ms = now_ms - m->tick_ms;

	m->tick_ms = now_ms;
	m->hotend = approach(m->hotend, m->killed ? 0 : m->hotend_to, HOTEND_RATE, step_ms);
	m->bed = approach(m->bed, m->killed ? 0 : m->bed_to, BED_RATE, step_ms);
	if (m->killed || m->silent)
		return;
	if (m->phase == HEATING)
		tick_heating(p, now_ms);
	else if (m->phase == PRINTING)
		tick_printing(p, step_ms);
	else if (m->cycle_ms && now_ms - m->since_ms >= PAUSE_S * 1000)
		begin_print(p, m->cycle_ms);
}

/* ---- what a person can make it do ----------------------------------------------------------- */

static int
do_print(struct plug *p, int64_t seconds)
{
	struct machine *m = plug_state(p);

	if (m->phase != IDLE || m->killed)
		return -EINVAL;
	begin_print(p, seconds * 1000);
	return 0;
}

/* 0 ends the cycle after the print at work. */
static int
do_cycle(struct plug *p, int64_t seconds)
{
	struct machine *m = plug_state(p);

	m->cycle_ms = seconds * 1000;
	return m->phase == IDLE && m->cycle_ms ? do_print(p, seconds) : 0;
}

static int
set_paused(struct plug *p, bool paused)
{
	struct machine *m = plug_state(p);

	if (m->phase != PRINTING || m->paused == paused || m->killed)
		return -EINVAL;
	m->paused = paused;
	plug_say(p, paused ? "//action:paused\n" : "//action:resumed\n");
	return 0;
}

static int
do_pause(struct plug *p, int64_t seconds)
{
	(void)seconds;
	return set_paused(p, true);
}

static int
do_resume(struct plug *p, int64_t seconds)
{
	(void)seconds;
	return set_paused(p, false);
}

static int
end_print(struct plug *p, const char *said)
{
	struct machine *m = plug_state(p);

	if (m->phase == IDLE || m->killed)
		return -EINVAL;
	m->paused = false;
	plug_say(p, "%s", said);
	enter(p, IDLE);
	answer_waiting(p);
	return 0;
}

static int
do_cancel(struct plug *p, int64_t seconds)
{
	(void)seconds;
	return end_print(p, "//action:cancel\n");
}

/* The card is gone in the middle: the print ends without a "Done". */
static int
do_fail_sd(struct plug *p, int64_t seconds)
{
	(void)seconds;
	return end_print(p, "echo:SD read error\n");
}

static int
do_runaway(struct plug *p, int64_t seconds)
{
	struct machine *m = plug_state(p);

	(void)seconds;
	m->killed = true;
	plug_say(p, "Error:Thermal Runaway, system stopped! Heater_ID: 0\n"
		    "Error:Printer halted. kill() called!\n");
	return 0;
}

static int
do_reset(struct plug *p, int64_t seconds)
{
	(void)seconds;
	marlin_start(p);
	return 0;
}

static int
do_silent(struct plug *p, int64_t seconds)
{
	struct machine *m = plug_state(p);

	(void)seconds;
	m->silent = true;
	return 0;
}

/* Fails if anything but a question was ever sent to it. */
static int
do_forbidden(struct plug *p, int64_t seconds)
{
	const struct machine *m = plug_state(p);

	(void)seconds;
	return m->forbidden > 0 ? -EINVAL : 0;
}

/* What it prints from now on has this name. */
static int
name_file(struct plug *p, const char *name)
{
	struct machine *m = plug_state(p);

	return (size_t)snprintf(m->file, sizeof m->file, "%s", name) < sizeof m->file ? 0 : -EINVAL;
}

static const struct {
	const char *word;
	int (*act)(struct plug *p, int64_t seconds);
	bool takes_seconds;
} acts[] = {
	{"print", do_print, true},
	{"cycle", do_cycle, true},
	{"pause", do_pause, false},
	{"resume", do_resume, false},
	{"cancel", do_cancel, false},
	{"fail-sd", do_fail_sd, false},
	{"runaway", do_runaway, false},
	{"reset", do_reset, false},
	{"silent", do_silent, false},
	{"forbidden", do_forbidden, false},
};

static int
marlin_act(struct plug *p, char *const *words, size_t n)
{
	if (n == 2 && strcmp(words[0], "file") == 0)
		return name_file(p, words[1]);
	for (size_t i = 0; n > 0 && i < sizeof acts / sizeof *acts; i++) {
		long seconds = PRINT_S;
		char *end = "";

		if (strcmp(words[0], acts[i].word) != 0)
			continue;
		if (n > (acts[i].takes_seconds ? 2u : 1u))
			return -EINVAL;
		if (n == 2)
			seconds = strtol(words[1], &end, 10);
		if (*end || seconds > SECONDS_MAX || seconds < (acts[i].act == do_cycle ? 0 : 1))
			return -EINVAL;
		return acts[i].act(p, seconds);
	}
	return -EINVAL;
}

const struct plug_kind plug_kind_marlin = {
	.name = "marlin",
	.baud = "115200",
	.state_size = sizeof(struct machine),
	.start = marlin_start,
	.heard = marlin_heard,
	.tick = marlin_tick,
	.act = marlin_act,
	.words = "print [SECONDS], cycle [SECONDS], file NAME, pause, resume, cancel, fail-sd, "
		 "runaway, reset, silent, forbidden",
};
