/* SPDX-License-Identifier: MIT */
/* icharger.c -- Junsi iCharger battery chargers: Modbus in HID reports
 *
 * iCharger MODBUS Protocol V2.1 (Junsi) and, where that is silent, what others saw: [E]
 * github.com/johncclayton/electric, [G] GNU DataExplorer, gde/device/junsi. A report is a length
 * that counts itself, 0x30, a function code, Modbus data; what follows the length is left over from
 * older reports. Frames with another second byte are the log that somebody switched on.
 *
 * An answer does not say which registers it brings, so each read asks for another number of them.
 * Orders and settings go by function 0x10, which stands in no query of this driver.
 *
 * A charger that is plugged in but never answers has its "ModBus mode" off: System Menu ->
 * Communication -> USB, choose HID.
 */
#include "drivers/driver.h"

#include "drivers/icharger_points.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { TIMEOUT_MS = 1000, TRIES = 2, BUSY_TRIES = 4, BUSY_PAUSE_MS = 100 };
/* REFUSED is Junsi's own exception: no such register. */
enum { REPORT = 64, MODBUS = 0x30, EXCEPTION = 0x80, REFUSED = 0x80 };
/* ABSENT is what some say of an input that they do not have [E]. */
enum { CELL_MIN_MV = 1000, CELL_ABSENT_MV = 1024 };
/* The current rests while resistances are measured; what was not watched is no energy. */
enum { HOLD_MS = 10000, STEP_MS = 10000 };
/* In 0.01 A (less is no charging) and 0.1 degrees of either kind. */
enum { CURRENT_MIN = 5, TEMP_MIN = -500, TEMP_MAX = 3000 };

/* ---- what may be sent ------------------------------------------------------------------------ */

/* The two halves of a channel's 58 registers. Channel 2 takes one register less each time, so that
 * no late answer for one channel passes for the other's. */
enum read { READ_INFO, READ_INFO_SHORT, READ_SYSTEM, READ_CHANNEL, READ_REST = READ_CHANNEL + 2 };

static const struct driver_query queries[] = {
	[READ_INFO] = QUERY("\x07\x30\x04\x00\x00\x00\x0D"),
	[READ_INFO_SHORT] = QUERY("\x07\x30\x04\x00\x00\x00\x0C"),
	[READ_SYSTEM] = QUERY("\x07\x30\x03\x84\x00\x00\x1E"),
	[READ_CHANNEL] = QUERY("\x07\x30\x04\x01\x00\x00\x1E"),
	[READ_CHANNEL + 1] = QUERY("\x07\x30\x04\x02\x00\x00\x1D"),
	[READ_REST] = QUERY("\x07\x30\x04\x01\x1E\x00\x1C"),
	[READ_REST + 1] = QUERY("\x07\x30\x04\x02\x1F\x00\x1B"),
};

/* Of the device information. The X and S series have one channel and end with INFO_STATUS. */
enum { INFO_ID = 0, INFO_SERIAL = 1, INFO_STATUS = 11, SERIAL_REGS = 6 };
enum { STATUS_RUN = 1 << 0, STATUS_ERROR = 1 << 1, STATUS_DIALOG = 1 << 4 };

/* clang-format off */
/* Of a channel. 32 bits: the low word first. The error's high byte is its index [G]. */
enum { REG_TIME_MS = 0, REG_CURRENT = 4, REG_INPUT = 5, REG_VOLTAGE = 6, REG_CHARGE = 7,
	REG_TEMP_INTERNAL = 9, REG_TEMP_EXTERNAL = 10, REG_CELL = 11, REG_RESISTANCE = 35,
	REG_LINE = 52, REG_CYCLE = 53, REG_RUN = 55, REG_ERROR = 56, REG_COUNT = 58 };
/* Run status, as seen on a 308 and a 4010 DUO [E]. Charging and discharging are told by the sign of
 * the current, which needs nobody's list. */
enum { RUN_IDLE = 0, RUN_STOPPED = 1, RUN_DONE = 40 };

/* Device numbers that are known [E]; others are read with all cells and named by the number. */
static const struct model {
	uint16_t id;
	const char *name;
	uint8_t channels, cells;
} models[] = {
	{64, "4010DUO", 2, 10},
	{66, "308DUO", 2, 8},
	{67, "406DUO", 2, 6},
};

/* ---- asking ---------------------------------------------------------------------------------- */

struct channel {
	enum state state;
	enum job_result result;
	bool ran; /* since `result` was last said */
	uint64_t faults;
	uint32_t time_ms;  /* of the program */
	int64_t polled_ms; /* 0: never */
	int64_t flowed_ms; /* when current flowed last; 0: never */
	double energy_wh;
};

struct icharger {
	enum read info;
	unsigned channels, cells;
	bool fahrenheit, scale_unknown, was_busy;
	struct channel ch[CHANNELS];
};

static unsigned
query_count(enum read read)
{
	return (unsigned char)queries[read].bytes[6];
}

/* What one report is to this question: 0 the answer, > 0 an exception, -EAGAIN not an answer at
 * all, -EPROTO an answer to something else. */
static int
examine(const uint8_t *r, int n, enum read read)
{
	unsigned function = (unsigned char)queries[read].bytes[2], bytes = 2 * query_count(read);

	if (n >= 2 && r[1] != MODBUS)
		return -EAGAIN;
	if (n < 4 || r[0] < 4 || r[0] > n)
		return -EPROTO;
	if (r[2] == (function | EXCEPTION) && r[3] > 0)
		return r[3];
	return r[2] == function && r[3] == bytes && r[0] == bytes + 4 ? 0 : -EPROTO;
}

/* Takes reports until one answers. -EPROTO: there were some, but none did. */
static int
await_answer(struct device *dev, enum read read, uint8_t report[REPORT])
{
	int64_t until_ms = device_now_ms(dev) + device_timeout_ms(dev), left_ms;
	int none = -ETIMEDOUT;

	while ((left_ms = until_ms - device_now_ms(dev)) > 0) {
		int n = device_receive(dev, report, REPORT, (int)left_ms);

		if (n < 0)
			return n == -ETIMEDOUT ? none : n;
		n = examine(report, n, read);
		if (n >= 0)
			return n;
		none = n == -EPROTO ? n : none;
	}
	return none;
}

static int
pause_for(struct device *dev, int ms)
{
	int64_t until_ms = device_now_ms(dev) + ms, left_ms;
	uint8_t report[REPORT];

	while ((left_ms = until_ms - device_now_ms(dev)) > 0) {
		int rc = device_receive(dev, report, sizeof(report), (int)left_ms);

		if (rc < 0 && rc != -ETIMEDOUT)
			return rc;
	}
	return 0;
}

static bool
is_busy_word(int exception)
{
	return exception == 5 || exception == 6;
}

static bool
is_refusal(int exception)
{
	return (exception >= 1 && exception <= 3) || exception == REFUSED;
}

static int
most_tries(int rc)
{
	return rc == -ETIMEDOUT || rc == -EPROTO ? TRIES : is_busy_word(rc) ? BUSY_TRIES : 1;
}

/* The registers of one read. 0, an exception's number, or -errno. */
static int
ask(struct device *dev, enum read read, uint16_t *words)
{
	uint8_t report[REPORT] = {0};
	int rc;

	for (int tries = 1;; tries++) {
		rc = device_drain(dev);
		if (rc == 0)
			rc = device_ask(dev, read);
		if (rc == 0)
			rc = await_answer(dev, read, report);
		if (tries >= most_tries(rc))
			break;
		int stop = is_busy_word(rc) ? pause_for(dev, BUSY_PAUSE_MS) : 0;
		if (stop < 0)
			return stop;
		device_retry(dev, 0); /* counts it */
	}
	for (unsigned i = 0; rc == 0 && i < query_count(read); i++)
		words[i] = (uint16_t)(report[4 + 2 * i] << 8 | report[5 + 2 * i]);
	return rc;
}

/* ---- who it is ------------------------------------------------------------------------------- */

/* Twelve characters, the first in the low byte. False: that is no text. */
static bool
read_serial(const uint16_t *info, char serial[2 * SERIAL_REGS + 1])
{
	size_t n = 0;

	for (size_t i = 0; i < 2 * SERIAL_REGS; i++) {
		unsigned word = info[INFO_SERIAL + i / 2], c = i % 2 ? word >> 8 : word & 0xFF;

		if (c == 0 || c == 0xFF)
			break;
		if (c < ' ' || c > '~')
			return false;
		serial[n++] = (char)c;
	}
	serial[n] = '\0';
	return true;
}

static int
identify(struct device *dev, struct icharger *s, const uint16_t *info)
{
	const struct model *m = NULL;
	char serial[2 * SERIAL_REGS + 1], text[48], number[8];

	if (info[INFO_ID] == 0 || info[INFO_ID] == 0xFFFF || !read_serial(info, serial))
		return -ESTALE;
	for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++)
		m = models[i].id == info[INFO_ID] ? &models[i] : m;
	s->channels = m ? m->channels : s->info == READ_INFO ? 2 : 1;
	s->cells = m ? m->cells : CELLS;
	snprintf(number, sizeof(number), "%u", info[INFO_ID]);
	snprintf(text, sizeof(text), "iCharger %s%s%s", m ? m->name : number, *serial ? " " : "",
		serial);
	device_set_identity(dev, text);
	return 0;
}

/* Models of one channel have one status word less and refuse to be asked for it. */
static int
read_info(struct device *dev, struct icharger *s, uint16_t *info)
{
	int rc;

	s->info = READ_INFO;
	rc = ask(dev, s->info, info);
	if (is_refusal(rc)) {
		s->info = READ_INFO_SHORT;
		rc = ask(dev, s->info, info);
	}
	return is_refusal(rc) ? -ESTALE : rc > 0 ? -EPROTO : rc;
}

static int
icharger_open(struct device *dev)
{
	struct icharger *s = device_state(dev);
	uint16_t words[REG_COUNT] = {0};
	int rc = read_info(dev, s, words);

	if (rc == 0)
		rc = identify(dev, s, words);
	if (rc < 0)
		return rc;
	rc = ask(dev, READ_SYSTEM, words);
	if (rc < 0 && rc != -ETIMEDOUT)
		return rc;
	if (is_busy_word(rc))
		return -EPROTO;
	s->scale_unknown = rc == -ETIMEDOUT; /* one that has no such settings is in Celsius */
	s->fahrenheit = rc == 0 && words[0] == 1;
	return 0;
}

/* ---- what a channel does --------------------------------------------------------------------- */

static bool
is_busy(enum state state)
{
	return state >= STATE_CHECKING && state <= STATE_BALANCING;
}

/* Run states that say more than the direction of the current [E]. `still`: without current, too. */
static const struct phase {
	uint16_t run;
	uint8_t state;
	bool still;
} phases[] = {
	{5, STATE_CHECKING, true},
	{6, STATE_CHECKING, true},
	{11, STATE_STORAGE, false},
	{12, STATE_STORAGE, false},
	{14, STATE_STORAGE, false},
	{17, STATE_BALANCING, true},
};

static int
current_of(const uint16_t *w)
{
	return (int16_t)w[REG_CURRENT];
}

static enum state
running_state(struct channel *c, const uint16_t *w, int64_t now_ms)
{
	const struct phase *phase = NULL;
	int current = current_of(w);

	for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++)
		phase = phases[i].run == w[REG_RUN] ? &phases[i] : phase;
	if (current >= CURRENT_MIN || current <= -CURRENT_MIN) {
		c->flowed_ms = now_ms;
		if (phase)
			return phase->state;
		return current > 0 ? STATE_CHARGING : STATE_DISCHARGING;
	}
	if (phase && phase->still)
		return phase->state;
	if (is_busy(c->state) && w[REG_RUN] != RUN_IDLE && w[REG_RUN] != RUN_STOPPED &&
		now_ms - c->flowed_ms < HOLD_MS)
		return c->state;
	return STATE_IDLE;
}

/* A finished program also shows a dialog and keeps its run bit: it is done all the same. */
static enum state
find_state(struct channel *c, const uint16_t *w, unsigned bits, int64_t now_ms)
{
	if ((bits & STATUS_ERROR) || w[REG_ERROR] >> 8 >= FAULT_FIRST)
		return STATE_ERROR;
	if (w[REG_RUN] == RUN_DONE)
		return STATE_DONE;
	if (bits & STATUS_DIALOG)
		return STATE_WAITING;
	return bits & STATUS_RUN ? running_state(c, w, now_ms) : STATE_IDLE;
}

static uint64_t
find_faults(unsigned error)
{
	if (error < FAULT_FIRST || error - FAULT_FIRST > FAULT_UNKNOWN)
		error = FAULT_FIRST + FAULT_UNKNOWN;
	return UINT64_C(1) << (error - FAULT_FIRST);
}

static void
note_job(struct channel *c)
{
	if (is_busy(c->state)) {
		c->ran = true;
		c->result = JOB_NONE;
	} else if (c->state == STATE_DONE) {
		c->ran = false;
		c->result = JOB_FINISHED;
	} else if (c->ran && c->state != STATE_WAITING) {
		c->ran = false;
		c->result = c->state == STATE_ERROR ? JOB_FAULT : JOB_STOPPED;
	}
}

/* Voltage times current: the charger's own power register has no documented unit. */
static double
power_of(const uint16_t *w)
{
	return w[REG_VOLTAGE] * (double)current_of(w) * 1e-5;
}

static uint32_t
word32(const uint16_t *w)
{
	return (uint32_t)w[1] << 16 | w[0];
}

/* The program's clock begins anew with every cycle. */
static void
note_energy(struct channel *c, const uint16_t *w, int64_t now_ms)
{
	int64_t step_ms = c->polled_ms ? now_ms - c->polled_ms : 0;
	double power = power_of(w);

	if (step_ms > STEP_MS)
		step_ms = STEP_MS;
	if (word32(w + REG_TIME_MS) < c->time_ms) {
		c->energy_wh = 0;
		step_ms = 0;
	}
	c->time_ms = word32(w + REG_TIME_MS);
	c->polled_ms = now_ms;
	c->energy_wh += (power < 0 ? -power : power) * (double)step_ms / 3.6e6;
}

static void
conclude(struct device *dev, struct icharger *s)
{
	struct status status = {.activity = ACTIVITY_IDLE, .progress = -1};

	for (unsigned i = 0; i < s->channels; i++) {
		status.faults |= s->ch[i].faults;
		if (is_busy(s->ch[i].state))
			status.activity = ACTIVITY_BUSY;
		else if (s->ch[i].state == STATE_WAITING && status.activity != ACTIVITY_BUSY)
			status.activity = ACTIVITY_PAUSED;
	}
	bool busy = status.activity == ACTIVITY_BUSY;
	for (unsigned i = 0; i < s->channels; i++) {
		if (busy && !s->was_busy)
			s->ch[i].result = JOB_NONE; /* another job: the old word is over */
		if (!busy && s->ch[i].result > status.result)
			status.result = s->ch[i].result; /* the worst of both */
	}
	s->was_busy = busy;
	device_set_status(dev, &status);
}

/* ---- reporting ------------------------------------------------------------------------------- */

static unsigned
point_of(unsigned channel, unsigned place)
{
	return POINT_CHANNEL + channel * CH_COUNT + place;
}

/* Why a channel's points have no value: an exception's number or -errno. */
static void
refuse(struct device *dev, unsigned first, unsigned n, int rc)
{
	enum fail fail = rc == -ETIMEDOUT   ? FAIL_TIMEOUT
			 : rc < 0           ? FAIL_PROTOCOL
			 : is_busy_word(rc) ? FAIL_NOT_AVAILABLE
			 : is_refusal(rc)   ? FAIL_UNSUPPORTED
					    : FAIL_EXCEPTION;

	for (unsigned i = 0; i < n; i++)
		device_report_fail(dev, first + i, fail, fail == FAIL_EXCEPTION ? (unsigned)rc : 0);
}

static void
report_temp(struct device *dev, unsigned point, uint16_t word)
{
	const struct icharger *s = device_state(dev);
	int tenths = (int16_t)word;
	double t = tenths / 10.0;

	if (tenths < TEMP_MIN || tenths > TEMP_MAX)
		device_report_fail(dev, point, FAIL_SENSOR_ERROR, 0);
	else if (s->scale_unknown)
		device_report_fail(dev, point, FAIL_NOT_AVAILABLE, 0);
	else
		device_report_real(dev, point, s->fahrenheit ? (t - 32) / 1.8 : t, 1);
}

static bool
is_cell(unsigned mv)
{
	return mv >= CELL_MIN_MV && mv != CELL_ABSENT_MV;
}

static bool
has_battery(const struct icharger *s, const uint16_t *w)
{
	bool present = w[REG_VOLTAGE] >= CELL_MIN_MV;

	for (unsigned i = 0; i < s->cells; i++)
		present |= is_cell(w[REG_CELL + i]);
	return present;
}

static void
report_channel(struct device *dev, const struct icharger *s, unsigned i, const uint16_t *w)
{
	unsigned p = point_of(i, 0);
	const struct channel *c = &s->ch[i];

	device_report_word(dev, p + CH_STATE, icharger_states[c->state]);
	device_report_real(dev, p + CH_VOLTAGE, w[REG_VOLTAGE] / 1e3, 3);
	device_report_real(dev, p + CH_CURRENT, current_of(w) / 1e2, 2);
	device_report_real(dev, p + CH_POWER, power_of(w), 2);
	device_report_int(dev, p + CH_CHARGE, (int32_t)word32(w + REG_CHARGE));
	device_report_real(dev, p + CH_ENERGY, c->energy_wh, 3);
	device_report_int(dev, p + CH_TIME, c->time_ms / 1000);
	report_temp(dev, p + CH_TEMP_INTERNAL, w[REG_TEMP_INTERNAL]);
	report_temp(dev, p + CH_TEMP_EXTERNAL, w[REG_TEMP_EXTERNAL]);
	device_report_int(dev, p + CH_ERROR, w[REG_ERROR] >> 8);
	device_report_bool(dev, p + CH_BATTERY, has_battery(s, w));
	device_report_int(dev, p + CH_CYCLE, w[REG_CYCLE]);
}

/* What a group of one value per cell is made of. */
static const struct detail {
	enum read read;
	unsigned reg, place, decimals;
	double scale;
} details[] = {
	[GROUP_CELLS] = {READ_CHANNEL, REG_CELL, CH_CELL, 3, 1e-3},
	[GROUP_RESISTANCE] = {READ_REST, REG_RESISTANCE, CH_RESISTANCE, 4, 1e-4},
};

static void
report_one(struct device *dev, unsigned point, unsigned word, const struct detail *d)
{
	bool valid = d->reg == REG_CELL ? is_cell(word) : word != 0 && word != 0xFFFF;

	if (valid)
		device_report_real(dev, point, word * d->scale, d->decimals);
	else
		device_report_fail(dev, point, FAIL_NOT_AVAILABLE, 0);
}

static void
report_detail(struct device *dev, const struct icharger *s, unsigned i, const uint16_t *w,
	const struct detail *d)
{
	for (unsigned k = 0; k < s->cells; k++)
		report_one(dev, point_of(i, d->place + k), w[d->reg + k], d);
	if (d->reg == REG_RESISTANCE)
		report_one(dev, point_of(i, CH_LINE), w[REG_LINE], d);
}

/* ---- polling --------------------------------------------------------------------------------- */

/* The registers of a channel that `read` brings, at their places. */
static int
read_part(struct device *dev, enum read read, uint16_t *w)
{
	return ask(dev, read, w + (unsigned char)queries[read].bytes[4]);
}

static bool
is_broken(int rc)
{
	return rc < 0 && rc != -ETIMEDOUT && rc != -EPROTO;
}

static int
poll_channel(struct device *dev, struct icharger *s, unsigned i, unsigned bits)
{
	struct channel *c = &s->ch[i];
	uint16_t w[REG_COUNT] = {0};
	int64_t now_ms = device_now_ms(dev);
	int rc = read_part(dev, READ_CHANNEL + i, w);

	if (rc == 0)
		rc = read_part(dev, READ_REST + i, w);
	if (rc != 0)
		return rc;
	c->state = find_state(c, w, bits, now_ms);
	c->faults = c->state == STATE_ERROR ? find_faults(w[REG_ERROR] >> 8) : 0;
	note_job(c);
	note_energy(c, w, now_ms);
	report_channel(dev, s, i, w);
	if (i == 0)
		device_report_real(dev, POINT_INPUT, w[REG_INPUT] / 1e3, 3);
	return 0;
}

/* A charger that says busy is alive: its points have no value this time, that is all. */
static int
poll_status(struct device *dev, struct icharger *s)
{
	uint16_t info[REG_COUNT] = {0};
	int rc = ask(dev, s->info, info);

	if (rc < 0)
		return rc;
	for (unsigned i = 0; rc == 0 && i < s->channels; i++) {
		int failed = poll_channel(dev, s, i, info[INFO_STATUS + i]);

		if (is_broken(failed))
			return failed;
		if (failed != 0)
			refuse(dev, i ? point_of(i, 0) : POINT_INPUT, CH_CELL + 1, failed);
		if (i > 0 && is_refusal(failed))
			s->channels = i; /* an unknown model that has no second one after all */
	}
	if (rc > 0)
		refuse(dev, POINT_INPUT, POINTS, rc);
	conclude(dev, s);
	return 0;
}

/* One half of each channel. */
static int
poll_detail(struct device *dev, struct icharger *s, const struct detail *d)
{
	bool answered = false;
	int rc = 0;

	for (unsigned i = 0; i < s->channels; i++) {
		uint16_t w[REG_COUNT] = {0};

		rc = read_part(dev, d->read + i, w);
		if (is_broken(rc))
			return rc;
		if (rc == 0)
			report_detail(dev, s, i, w, d);
		else
			refuse(dev, point_of(i, d->place), CELLS + 1, rc);
		answered |= rc >= 0;
	}
	return answered ? 0 : rc;
}

/* What this model does not have. */
static void
report_missing(struct device *dev, const struct icharger *s)
{
	for (unsigned p = 0; p < CHANNELS * CH_COUNT; p++) {
		unsigned place = p % CH_COUNT;
		bool of_cell = place >= CH_CELL && place < CH_LINE;

		if (p / CH_COUNT >= s->channels ||
			(of_cell && (place - CH_CELL) % CELLS >= s->cells))
			device_report_fail(dev, POINT_CHANNEL + p, FAIL_UNSUPPORTED, 0);
	}
}

static int
icharger_poll(struct device *dev, unsigned group)
{
	struct icharger *s = device_state(dev);
	int rc = group == GROUP_STATUS ? poll_status(dev, s) : poll_detail(dev, s, &details[group]);

	if (rc == 0)
		report_missing(dev, s);
	return rc;
}

const struct driver driver_icharger = {
	.name = "icharger",
	.summary = "iCharger battery chargers, on USB HID",
	.link = LINK_HID,
	.points = icharger_points,
	.n_points = POINTS,
	.groups = icharger_groups,
	.n_groups = GROUPS,
	.faults = icharger_faults,
	.n_faults = FAULTS,
	.queries = queries,
	.n_queries = sizeof(queries) / sizeof(queries[0]),
	.timeout_ms = TIMEOUT_MS,
	.state_size = sizeof(struct icharger),
	.open = icharger_open,
	.poll = icharger_poll,
};
