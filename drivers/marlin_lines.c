/* SPDX-License-Identifier: MIT */
/* marlin_lines.c -- what the lines of a 3D printer mean
 *
 * Lines describe themselves, so each is matched by its shape, whoever asked for it. Two tables say
 * what is an event and what is a fault; a text that a person can put there (a file's name, a
 * message for the screen) is in neither.
 */
#include "drivers/marlin_lines.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
	BUSY_MS = 6000,    /* "busy:" comes every 2 s (M113) */
	FROZEN_MS = 60000, /* a counter that stands so long: paused, no slow move */
	SETTLE_MS = 10000, /* the counter may still move after a pause */
	BANNER_MS = 15000
};

const struct driver_query marlin_queries[QUERIES] = {
	[M115] = QUERY("M115\n"),
	[M105] = QUERY("M105\n"),
	[M27] = QUERY("M27\n"),
	[M31] = QUERY("M31\n"),
	[M78] = QUERY("M78\n"),
	[M27_P] = QUERY("M27 P\n"),
	[M408] = QUERY("M408 S0\n"),
};

static const char *const cause_texts[] = {
	"", "PowerUp", "External Reset", "Brown out Reset", "Watchdog Reset", "Software Reset"};

/* In FIRMWARE_NAME; looked for from the last. */
static const char *const family_names[FAMILIES] = {
	[MARLIN] = "*", [PRUSA] = "*prusa*", [RRF] = "*reprapfirmware*", [KLIPPER] = "*klipper*"};

/* What a line is by its beginning. */
enum { PLAIN = 1, ECHO = 2, ERROR = 4, ACTION = 8, INFO = 16, SAID = 1 | 2, TOLD = 1 | 2 | 4 };

/* clang-format off: these tables are read by column */
static const struct {
	const char *prefix;
	unsigned kind;
} kinds[] = {
	{"Error:", ERROR},
	{"!!", ERROR},
	{"fatal:", ERROR},
	{"echo:", ECHO},
	{"//action:", ACTION},
	{"// action:", ACTION},
	{"//", INFO},
	{"Warning:", PLAIN},
};

enum { CLEAR = LATCHES, IGNORE };

/* The first that fits counts. Patterns of fnmatch(), A is a. */
static const struct {
	const char *text;
	unsigned kinds, fault, latch;
} triggers[] = {
	{"*thermal runaway*", ERROR, F_RUNAWAY, HALT},
	{"*heating failed*", ERROR, F_HEATING, HALT},
	{"*thermal malfunction*", ERROR, F_MALFUNCTION, HALT},
	{"*maxtemp*", ERROR, F_MAXTEMP, HALT},
	{"*mintemp*", ERROR, F_MINTEMP, HALT},
	{"*heater/sensor error*", ERROR, F_HEATER, HALT},
	{"*watchdog*", ERROR, F_WATCHDOG, HALT},
	{"@(emergency shutdown*|emergency stop*)", TOLD, F_ESTOP, HALT},
	{"*kill caused by kill button*", ERROR, F_ESTOP, HALT},
	{"@(*kill caused by*|*printer halted*)", ERROR, F_HALTED, HALT},
	{"stop called because of bltouch*", TOLD, F_PROBING, STOP},
	{"heater switched off. temperature difference*", TOLD, F_MALFUNCTION, STOP},
	{"@(stop called*|printer stopped due to errors*)", TOLD, F_STOPPED, STOP},
	{"@(*shutdown*|*lost communication with mcu*|*adc out of range*)", ERROR, F_STOPPED, STOP},
	{"klipper state: shutdown*", INFO, F_STOPPED, STOP},
	{"tm: error triggered*", TOLD, F_MODEL, HOLD},
	{"tm: error cleared*", TOLD, F_MODEL, CLEAR},
	{"*fan speed is lower than expected*", TOLD, F_FAN, HOLD},
	{"int4", SAID, F_BROWN_OUT, HOLD},
	{"heater [0-9] fault*", TOLD, F_HEATER, HOLD},
	{"@(driver * error*|driver * stall*)", TOLD, F_MOTOR, HOLD},
	{"@(overvoltage*|undervoltage*)", TOLD, F_VOLTAGE, HOLD},
	{"expansion board * stopped*", TOLD, F_EXPANSION, HOLD},
	{"expansion board * reconnected*", TOLD, F_EXPANSION, CLEAR},
	{"filament error on extruder*", TOLD, F_RUNOUT, HOLD},
	{"@(out_of_filament*|notification *filament runout*)", ACTION, F_RUNOUT, HOLD},
	{"resume*", ACTION, F_RUNOUT, CLEAR},
	{"@(*probing failed*|bed leveling failed*|failed to reach target*)", TOLD, F_PROBING, HOLD},
	{"@(*volume.init*|*openroot*|*workdir*|sd read error*)", TOLD, F_SD, HOLD},
	{"@(error writing to file*|open failed*|cannot open*|cannot enter*)", TOLD, F_SD, HOLD},
	{"@(resend:*|rs [0-9]*|rs n*)", PLAIN, F_FOREIGN, HOLD}, /* we send no line numbers */
	{"@(*line number*|*linenumber*|*checksum*|*format error*|*expected line*)", ERROR, 0,
		IGNORE},
	{"@(unknown *|cold extrusion*|endstops hit*)", ERROR, 0, IGNORE},
	{"*", ERROR, F_ERROR, HOLD},
};
/* clang-format on */

/* The numbers of a temperature report that are of use. */
enum slot { S_T, S_T0, S_T1, S_B, S_C, S_PWM, S_E, S_W, SLOTS };
static const char *const slot_names[SLOTS] = {"T", "T0", "T1", "B", "C", "@", "E", "W"};

static bool
matches(const char *pattern, const char *text)
{
	return fnmatch(pattern, text, FNM_CASEFOLD | FNM_EXTMATCH) == 0;
}

/* ---- temperatures --------------------------------------------------------------------------- */

/* Digits and one point only: what strtod() takes beyond that is no temperature. */
static bool
read_number(const char **s, double *to, unsigned *decimals)
{
	const char *from = *s + strspn(*s, " "), *at = from + (*from == '-');
	size_t whole = strspn(at, "0123456789"), part = 0;

	if (at[whole] == '.')
		part = strspn(at + whole + 1, "0123456789");
	if (whole == 0 || whole > 4)
		return false;
	*to = strtod(from, NULL);
	*decimals = part < 2 ? (unsigned)part : 2;
	*s = at + whole + (at[whole] == '.') + part;
	return true;
}

/* now[ ]/[ ]target; blanks vary, the target may be missing, and what others print in between must
 * not become a temperature. */
static void
read_slot(const char *s, struct number *n, unsigned line)
{
	unsigned decimals;

	if (!read_number(&s, &n->now, &n->decimals) || (*s && !strchr(" /(", *s)))
		return;
	n->at = line;
	s += strspn(s, " ");
	if (*s++ == '/' && read_number(&s, &n->target, &decimals))
		n->target_at = line;
}

/* A target that this line does not give stays as it was. */
static void
set_heater(struct number *to, const struct number *n)
{
	struct number old = *to;

	if (!n->at)
		return;
	*to = *n;
	if (!n->target_at) {
		to->target = old.target;
		to->target_at = old.target_at;
	}
}

/* What waits for a heater says T and E (which hotend) without an `ok`, once a second. */
static void
take_temperatures(struct marlin *m, const char *line)
{
	struct number n[SLOTS] = {{0}};
	bool waits = false;

	for (const char *s = line; *s; s += strspn(s, " ")) {
		size_t len = strcspn(s, " :");
		for (int i = 0; s[len] == ':' && i < SLOTS; i++) {
			if (strlen(slot_names[i]) != len || strncmp(s, slot_names[i], len) != 0)
				continue;
			waits |= i == S_E || i == S_W;
			if (!n[i].at)
				read_slot(s + len + 1, &n[i], m->lines);
		}
		s += strcspn(s, " ");
	}
	if ((!n[S_T].at && !n[S_T0].at && !n[S_B].at) || strstr(line, "Count"))
		return; /* a position (M114) has a B: too */
	if (waits)
		m->busy_ms = m->now_ms;
	set_heater(&m->heaters[waits && n[S_E].now == 1 ? HOTEND2 : HOTEND],
		n[S_T0].at ? &n[S_T0] : &n[S_T]);
	set_heater(&m->heaters[HOTEND2], &n[S_T1]);
	set_heater(&m->heaters[BED], &n[S_B]);
	set_heater(&m->heaters[CHAMBER], &n[S_C]);
	set_heater(&m->heaters[POWER], &n[S_PWM]);
}

/* ---- the job -------------------------------------------------------------------------------- */

void
marlin_set_fault(struct marlin *m, enum latch latch, unsigned fault, bool on)
{
	uint64_t old = m->faults[latch], bit = 1ULL << fault;

	m->faults[latch] = on ? old | bit : old & ~bit;
	m->news += m->faults[latch] != old;
}

static void
begin_job(struct marlin *m, const char *text)
{
	(void)text;
	if (m->job || m->faults[HALT])
		return;
	m->job = true;
	m->paused = m->told_paused = false;
	m->result = JOB_NONE;
	m->vanished = m->polls = 0;
	m->pos = m->total = 0;
	m->moved_ms = m->now_ms;
	m->print_s = -1;
	m->faults[HOLD] = 0;
	marlin_begin_print(m);
	m->news++;
}

static void
end_job(struct marlin *m, enum job_result result)
{
	m->job = m->paused = m->told_paused = false;
	m->polls = 0;
	m->result = result;
	m->news++;
}

static void
boot(struct marlin *m, const char *text)
{
	bool had = m->job;

	(void)text;
	memset(m->faults, 0, sizeof(m->faults));
	memset(m->heaters, 0, sizeof(m->heaters));
	marlin_set_fault(m, LEVEL, F_NO_PROTECTION, m->protection < 0);
	m->writing = m->join = m->told_busy = false;
	m->asked = 0;
	m->busy_ms = m->waits_ms = 0;
	m->boot_ms = m->now_ms;
	m->cause = 0;
	m->next_name[0] = '\0';
	if (had || m->paused)
		end_job(m, JOB_FAULT);
	marlin_set_fault(m, HOLD, F_RESET_IN_JOB, had);
	m->news++;
}

/* Stock Marlin says "not printing" of a paused print too. */
static void
take_no_print(struct marlin *m, const char *text)
{
	(void)text;
	m->told_paused = false;
	if (m->job && !m->paused && ++m->vanished >= VANISHED)
		end_job(m, JOB_STOPPED);
}

static void
take_position(struct marlin *m, const char *text)
{
	char *end;
	uint64_t pos = strtoull(text + strcspn(text, "0123456789"), &end, 10);
	uint64_t total = *end == '/' ? strtoull(end + 1, NULL, 10) : 0;

	if (total == 0 || pos > total) {
		take_no_print(m, text);
		return;
	}
	m->told_paused = false;
	if (pos > 0)
		begin_job(m, text);
	if (pos != m->pos) {
		m->moved_ms = m->now_ms;
		m->paused &= m->now_ms - m->paused_ms < SETTLE_MS;
	}
	m->vanished = 0;
	m->pos = pos;
	m->total = total;
}

bool
marlin_is_paused(const struct marlin *m, int64_t now_ms)
{
	bool frozen =
		m->job && m->pos > 0 && m->pos < m->total && m->now_ms - m->moved_ms >= FROZEN_MS;

	return m->paused || m->told_paused || frozen ||
	       (m->waits_ms && now_ms - m->waits_ms < BUSY_MS);
}

/* ---- answers -------------------------------------------------------------------------------- */

/* "1d 2h 3m 4s" in seconds, without the leading zero units; -1: there is none. */
static double
duration(const char *text)
{
	static const struct {
		char unit;
		int seconds;
	} units[] = {{'y', 31536000}, {'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};
	double sum = -1;

	for (char *end;; text = end + 1 + strspn(end + 1, " ")) {
		unsigned long n = strtoul(text, &end, 10);
		size_t i = 0;
		while (i < COUNT(units) && units[i].unit != *end)
			i++;
		if (end == text || i == COUNT(units) || n > 1000000)
			return sum;
		sum = (sum < 0 ? 0 : sum) + (double)n * units[i].seconds;
	}
}

static void
take_totals(struct marlin *m, const char *text)
{
	static const struct {
		const char *key;
		enum total total;
		double factor; /* 0: a duration */
	} keys[] = {{"Prints: ", PRINTS, 1}, {"Finished: ", FINISHED, 1}, {"Failed: ", FAILED, 1},
		{"Total time: ", TOTAL_TIME, 0}, {"Longest job: ", LONGEST, 0},
		{"Filament used: ", FILAMENT, 1000}};

	for (size_t i = 0; i < COUNT(keys); i++) {
		const char *at = strstr(text, keys[i].key);
		double v = -1;
		if (at && keys[i].factor == 0)
			v = duration(at + strlen(keys[i].key));
		else if (at && isdigit((unsigned char)at[strlen(keys[i].key)]))
			v = strtod(at + strlen(keys[i].key), NULL) * keys[i].factor;
		if (v >= 0 && v < 1e15)
			m->totals[keys[i].total] = v;
	}
}

/* The value of a key of M115: up to the next word that is a key. URLs hold a colon too, but lower
 * case before it. */
static bool
find_key(const char *text, const char *key, char *out, size_t size)
{
	const char *at = strstr(text, key), *end, *word;

	if (!at || (at > text && at[-1] != ' '))
		return false;
	at += strlen(key);
	at += strspn(at, " ");
	for (end = word = at; *word; word += strspn(word, " ")) {
		size_t n = strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
		if (isupper((unsigned char)*word) && word[n] == ':')
			break;
		word += strcspn(word, " ");
		end = word;
	}
	snprintf(out, size, "%.*s", (int)(end - at), at);
	return *out;
}

static void
take_name(struct marlin *m, const char *text)
{
	char name[64], version[32];

	if (!find_key(text, "FIRMWARE_NAME:", name, sizeof(name)) &&
		!find_key(text, "NAME:", name, sizeof(name)))
		return;
	if (!find_key(text, "FIRMWARE_VERSION:", version, sizeof(version)) &&
		!find_key(text, "VER:", version, sizeof(version)))
		version[0] = '\0';
	m->family = KLIPPER;
	while (m->family > MARLIN && !matches(family_names[m->family], name))
		m->family--;
	snprintf(m->firmware, sizeof(m->firmware), "%.40s%s%.20s", name, *version ? " " : "",
		version);
	name[strcspn(name, " ;")] = '\0'; /* what follows is a version */
	if (!find_key(text, "MACHINE_TYPE:", m->identity, sizeof(m->identity)) &&
		!find_key(text, "ELECTRONICS:", m->identity, sizeof(m->identity)) &&
		!find_key(text, "MODEL:", m->identity, sizeof(m->identity)))
		snprintf(m->identity, sizeof(m->identity), "%.47s", name);
	m->known = true;
}

/* RepRapFirmware's letters: S, A (so in version 2) and D are a pause, H is halted; hstat 3 is a
 * heater's fault. */
static void
take_m408(struct marlin *m, const char *text)
{
	const char *at = strstr(text, "\"status\":\""), *heat = strstr(text, "\"hstat\":[");
	char letter = at ? at[10] : 0;

	if (!letter)
		return;
	m->answered = m->asked == M408 + 1;
	if (strchr("PMRSAD", letter))
		begin_job(m, text);
	m->told_paused = m->job && strchr("SAD", letter);
	if (m->told_paused)
		m->vanished = 0;
	m->told_busy = strchr("BTC", letter) != NULL;
	marlin_set_fault(m, LEVEL, F_HALTED, letter == 'H');
	if (heat)
		marlin_set_fault(m, LEVEL, F_HEATER, memchr(heat, '3', strcspn(heat, "]")) != NULL);
}

/* Only if it names the question as it was sent: noise on the line makes others. */
static void
take_refusal(struct marlin *m, const char *text)
{
	const struct driver_query *q = m->asked ? &marlin_queries[m->asked - 1] : NULL;
	const char *at = strpbrk(text, "\"M");

	if (q && at && !strncmp(at + (*at == '"'), q->bytes, q->len - 1))
		m->refused |= 1U << (m->asked - 1);
}

/* ---- lines ---------------------------------------------------------------------------------- */

/* In the order of enum cause. The `start` before it may have been lost. */
static void
take_cause(struct marlin *m, const char *text)
{
	if (!m->boot_ms || m->now_ms - m->boot_ms > BANNER_MS)
		boot(m, text);
	for (size_t i = 1; i < COUNT(cause_texts); i++)
		if (matches(cause_texts[i], text))
			m->cause = (enum cause)i;
	marlin_set_fault(m, HOLD, F_BROWN_OUT, m->cause == BROWN_OUT);
	marlin_set_fault(m, HOLD, F_WATCHDOG, m->cause == WATCHDOG);
}

static void
take_end(struct marlin *m, const char *text)
{
	bool done = matches("done*", text);

	if (done || m->job || m->paused)
		end_job(m, done ? JOB_FINISHED : JOB_STOPPED);
}

static void
take_pause(struct marlin *m, const char *text)
{
	bool pauses = matches("pause*", text);

	m->news += m->paused != pauses;
	m->paused = pauses;
	m->paused_ms = m->moved_ms = m->now_ms;
}

static void
take_told_pause(struct marlin *m, const char *text)
{
	(void)text;
	begin_job(m, text);
	m->told_paused = true;
	m->vanished = 0;
}

static void
take_busy(struct marlin *m, const char *text)
{
	bool waits = matches("busy: paused*", text);

	m->busy_ms = waits ? 0 : m->now_ms;
	m->waits_ms = waits ? m->now_ms : 0;
}

static void
take_time(struct marlin *m, const char *text)
{
	m->print_s = duration(text + strlen("print time: "));
}

static void
take_hours(struct marlin *m, const char *text)
{
	m->print_s = 3600.0 * atoi(text) + 60.0 * atoi(strchr(text, ':') + 1);
}

static void
take_writing(struct marlin *m, const char *text)
{
	m->writing = matches("writing*", text);
}

static void
take_protection(struct marlin *m, const char *text)
{
	m->protection = matches("*:1", text) ? 1 : -1;
	marlin_set_fault(m, LEVEL, F_NO_PROTECTION, m->protection < 0);
}

static void
take_ready(struct marlin *m, const char *text)
{
	(void)text;
	m->news += m->faults[STOP] != 0;
	m->faults[STOP] = 0;
}

static void
take_stranger(struct marlin *m, const char *text)
{
	(void)text;
	m->stranger = true;
}

/* ---- lines ---------------------------------------------------------------------------------- */

static const struct {
	const char *text;
	unsigned kinds;
	void (*take)(struct marlin *m, const char *text);
} rules[] = {
	{"sd printing byte *", PLAIN, take_position},
	{"not sd printing*", PLAIN, take_no_print},
	{"@(sd print paused|print saved)*", PLAIN, take_told_pause},
	{"done printing file*", SAID, take_end},
	{"@(enqueing|enqueueing) \"M24*", ECHO, begin_job},
	{"cancel*", ACTION, take_end},
	{"@(pause|resume)*", ACTION, take_pause},
	{"busy: *", ECHO, take_busy},
	{"start", PLAIN, boot},
	{"* is up and running.", PLAIN, boot},
	{"@(powerup|* reset)", SAID, take_cause},
	{"@(writing to file:|done saving file)*", SAID, take_writing},
	{"print time: *", ECHO, take_time},
	{"@([0-9]|[0-9][0-9]|[0-9][0-9][0-9]):[0-9][0-9]", PLAIN, take_hours},
	{"stats: *", PLAIN, take_totals},
	{"@(firmware_name|name):*", PLAIN, take_name},
	{"cap:thermal_protection:[01]", PLAIN, take_protection},
	{"{*", PLAIN, take_m408},
	{"unknown @(command|m code)*", ECHO | ERROR | INFO, take_refusal},
	{"klipper state: ready*", INFO, take_ready},
	{"@(grbl *|grblhal *|?ver:*|<idle*|error:[0-9]*)", PLAIN, take_stranger},
};

/* Begins with a name that a person gave. */
static bool
is_private(const char *text)
{
	return matches("@(/|file |current file|now |enqueing|enqueueing|writing |m117)*", text);
}

static void
take_fault(struct marlin *m, unsigned kind, const char *text)
{
	size_t i = 0;

	if (kind != ERROR && is_private(text))
		return;
	while (i < COUNT(triggers) &&
		(!(triggers[i].kinds & kind) || !matches(triggers[i].text, text)))
		i++;
	if (i == COUNT(triggers) || triggers[i].latch == IGNORE)
		return;
	if (triggers[i].latch == CLEAR) {
		marlin_set_fault(m, HOLD, triggers[i].fault, false);
		return;
	}
	if (triggers[i].fault == F_HALTED && m->faults[HALT])
		return; /* the line before said why */
	marlin_set_fault(m, (enum latch)triggers[i].latch, triggers[i].fault, true);
	if (triggers[i].latch == HALT)
		memset(m->heaters, 0, sizeof(m->heaters)); /* what they were is past */
	if (triggers[i].latch == HALT && m->job)
		end_job(m, JOB_FAULT);
}

/* Old firmware breaks its errors in two: "Error:0", then ": Extruder switched off. MAXTEMP …". */
static unsigned
kind_of(struct marlin *m, const char **text)
{
	unsigned kind = m->join && **text == ':' ? ERROR : PLAIN;

	m->join = false;
	for (size_t i = 0; i < COUNT(kinds) && kind == PLAIN; i++) {
		size_t n = strlen(kinds[i].prefix);
		if (strncmp(*text, kinds[i].prefix, n) != 0)
			continue;
		*text += n;
		kind = kinds[i].kind;
		break;
	}
	*text += strspn(*text, " ");
	if (kind == ERROR && strspn(*text, "0123456789 ") == strlen(*text)) {
		m->join = true;
		return 0;
	}
	return kind;
}

static void
take_text(struct marlin *m, const char *text)
{
	unsigned kind = kind_of(m, &text);

	if (kind == PLAIN)
		take_temperatures(m, text);
	for (size_t i = 0; i < COUNT(rules); i++) {
		if ((rules[i].kinds & kind) && matches(rules[i].text, text)) {
			rules[i].take(m, text);
			break;
		}
	}
	take_fault(m, kind, text);
}

/* The end of a question; some boards glue it to what comes next, or say it twice. */
static bool
skip_ok(char **text)
{
	bool ok = false;

	while (!strncmp(*text, "ok", 2) &&
		(!islower((unsigned char)(*text)[2]) || !strncmp(*text + 2, "ok", 2))) {
		*text += 2;
		*text += strspn(*text, " ");
		ok = true;
	}
	return ok;
}

/* Where another line begins within this one, because a line end was lost or someone talked into
 * it; only in lines that hold no free text. */
static char *
find_seam(char *text)
{
	static const char *const seams[] = {"Error:", "//action:", "// action:", "echo:", "start"};
	char *first = NULL;

	if (!matches("@(ok|T|B|SD print|Not SD|start|@)*", text))
		return NULL;
	for (size_t i = 0; i < COUNT(seams); i++) {
		char *at = strstr(text + 1, seams[i]);
		if (at && i == COUNT(seams) - 1 && at[strlen(seams[i])])
			at = NULL; /* a word that begins like it */
		if (at && (!first || at < first))
			first = at;
	}
	return first;
}

static void
take_part(struct marlin *m, char *line)
{
	bool ok = skip_ok(&line);
	size_t len = strlen(line);

	if (len > 2 && !strcmp(line + len - 2, "ok") && line[len - 3] != ' ') {
		line[len - 2] = '\0'; /* was a line of its own */
		ok = true;
	}
	if (*line)
		take_text(m, line);
	if (!ok)
		return;
	m->asked = 0;
	m->busy_ms = m->waits_ms = 0;
}

void
marlin_take(struct marlin *m, char *line, int64_t now_ms)
{
	m->now_ms = now_ms;
	m->lines++;
	marlin_set_fault(m, LEVEL, F_SILENT, false);
	marlin_take_print(m, line);
	for (char *c = line; *c; c++)
		*c = (unsigned char)*c < 0x80 ? *c : ' '; /* noise; nothing that matters has it */
	line += strspn(line, " ");
	for (char *seam; (seam = find_seam(line)); line = seam) {
		char kept = *seam;

		*seam = '\0';
		take_part(m, line);
		*seam = kept;
	}
	take_part(m, line);
}
