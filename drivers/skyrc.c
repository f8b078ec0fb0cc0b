/* SPDX-License-Identifier: MIT */
/* skyrc.c -- SkyRC battery chargers: iMAX B6 mini, B6AC V2, D100 and what is built like them
 *
 * Facts: github.com/maciek134/libb6 [B], GNU DataExplorer gde/device/skyrc [G],
 * github.com/juri117/py-skyrc-charger (captures of a T1000) [T]. A report is 0F, a length, a
 * command, a channel, data, a checksum; numbers are 16 bits, the high byte first. The length counts
 * what follows it, the checksum included.
 *
 * Only the channel 0 that chargers of one channel have is read; Q200 and T1000 number theirs
 * otherwise. Starting, stopping and settings (05, FE, 11) stand in no query of this driver. There
 * is no serial number: two chargers of one model cannot be told apart.
 */
#include "drivers/driver.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { TIMEOUT_MS = 1000, TRIES = 2 };
enum { PACE_MS = 250 }; /* between questions; less confuses the charger [G] */
enum { REPORT = 64, HEAD = 0x0F, CELLS = 8, CELLS_USUAL = 6, MODEL_CHARS = 6 };
enum { CELL_MIN_MV = 1000 }; /* an open input floats at about 100 mV [T] */
/* A cycle rests between its phases; what was not watched is no energy. */
enum { HOLD_MS = 5000, STEP_MS = 10000 };

enum { ASK_DEVICE, ASK_SYSTEM, ASK_CHARGE, ASK_PROGRAM };

static const struct driver_query queries[] = {
	[ASK_DEVICE] = QUERY("\x0F\x03\x57\x00\x57\xFF\xFF"),
	[ASK_SYSTEM] = QUERY("\x0F\x03\x5A\x00\x5A\xFF\xFF"),
	[ASK_CHARGE] = QUERY("\x0F\x03\x55\x00\x55\xFF\xFF"),
	[ASK_PROGRAM] = QUERY("\x0F\x03\x5F\x00\x5F\xFF\xFF"),
};

/* Places in the answers; what the driver cannot do without ends at DEVICE_LAST and the like. Bytes
 * 15 to 17 of the system's answer are not sure: [B] takes 17 for the temperature limit. */
/* clang-format off */
enum { DEVICE_MODEL = 5, DEVICE_LAST = 10 };
enum { SYSTEM_TIME_ON = 5, SYSTEM_TIME = 6, SYSTEM_CAPACITY_ON = 8, SYSTEM_CAPACITY = 9,
	SYSTEM_TEMP = 17, SYSTEM_LAST = 17, SYSTEM_VOLTAGE = 18, SYSTEM_CELL = 20 };
enum { CHARGE_STATE = 4, CHARGE_MAH = 5, CHARGE_TIME = 7, CHARGE_VOLTAGE = 9, CHARGE_CURRENT = 11,
	CHARGE_EXTERNAL = 13, CHARGE_INTERNAL = 14, CHARGE_RESISTANCE = 15, CHARGE_LAST = 16,
	CHARGE_CELL = 17 };
enum { PROGRAM_CHEMISTRY = 5, PROGRAM_CELLS = 6, PROGRAM_MODE = 7, PROGRAM_LAST = 7 };

static const uint8_t lasts[] = {
	[ASK_DEVICE] = DEVICE_LAST, [ASK_SYSTEM] = SYSTEM_LAST,
	[ASK_CHARGE] = CHARGE_LAST, [ASK_PROGRAM] = PROGRAM_LAST};

/* Of the answer on charging. STANDBY with an error's code instead of mAh is an error, too [B]. */
enum { RAW_WORKING = 1, RAW_STANDBY = 2, RAW_FINISHED = 3, RAW_ERROR = 4 };

/* ---- points ---------------------------------------------------------------------------------- */

enum { GROUP_STATUS, GROUP_PROGRAM };

static const struct group groups[] = {
	[GROUP_STATUS] = {"status", 2000, 1},
	[GROUP_PROGRAM] = {"program", 30000, 2},
};

enum state { STATE_IDLE, STATE_WORKING, STATE_FINISHED, STATE_ERROR, STATE_UNKNOWN };

static const char *const state_words[] = {"idle", "working", "finished", "error", NULL};
static const char *const chemistry_words[] = {
	"lipo", "liion", "life", "lihv", "nimh", "nicd", "pb", NULL};
static const char *const mode_words[] = {"charge", "discharge", "storage", "fast_charge", "balance",
	"auto_charge", "repeak", "cycle", NULL};

/* The numbers of [B]; newer chargers have others for lithium [G], so the number is given, too. */
static const char *const modes_li[] = {"charge", "discharge", "storage", "fast_charge", "balance",
	NULL};
static const char *const modes_ni[] = {"charge", "auto_charge", "discharge", "repeak", "cycle",
	NULL};
static const char *const modes_pb[] = {"charge", "discharge", NULL};
static const char *const *const modes[] = {
	modes_li, modes_li, modes_li, modes_li, modes_ni, modes_ni, modes_pb};

enum { CHEMISTRIES = sizeof(modes) / sizeof(modes[0]) };

enum { POINT_STATE, POINT_CHARGE, POINT_TIME, POINT_VOLTAGE, POINT_CURRENT, POINT_POWER,
	POINT_INTERNAL, POINT_EXTERNAL, POINT_RESISTANCE, POINT_ENERGY, POINT_ERROR, POINT_BATTERY,
	POINT_CELL, POINT_CHEMISTRY = POINT_CELL + CELLS, POINT_CELLS, POINT_MODE,
	POINT_MODE_NUMBER, POINT_TIME_LIMIT, POINT_CAPACITY_LIMIT, POINT_TEMP_LIMIT, POINTS };

#define POINT(name, of_unit, of_class, of_kind, ru, en, ...) {.id = name, .unit = of_unit, \
	.class = of_class, .kind = VALUE_##of_kind, .title = {ru, en}, __VA_ARGS__}
#define CELL(n) POINT("cell" n "_v", "V", "voltage_v", REAL, "Банка " n, "Cell " n, .optional = true)
#define PROGRAM .group = GROUP_PROGRAM

static const struct point points[] = {
	POINT("state", "", "charge_state", ENUM, "Состояние", "State", .words = state_words),
	POINT("charge_mah", "mAh", "charge_mah", INT, "Заряд за цикл", "Charge of this cycle",
		.counter = true),
	POINT("time_s", "s", "run_time_s", INT, "Время цикла", "Time of this cycle", .counter = true),
	POINT("voltage_v", "V", "battery_v", REAL, "Напряжение", "Voltage", ),
	POINT("current_a", "A", "battery_a", REAL, "Ток", "Current", ),
	POINT("power_w", "W", "power_active_w", REAL, "Мощность", "Power", ),
	POINT("internal_temp_c", "C", "temperature_c", INT, "Температура зарядника",
		"Charger temperature", ),
	POINT("external_temp_c", "C", "temperature_c", INT, "Температура датчика",
		"Sensor temperature", .optional = true),
	POINT("resistance_ohm", "ohm", "resistance_ohm", REAL, "Сопротивление батареи",
		"Battery resistance", .optional = true),
	POINT("energy_wh", "Wh", "energy_session_wh", REAL, "Энергия за цикл",
		"Energy of this cycle", .counter = true),
	POINT("error", "", "fault_code", INT, "Код ошибки", "Error code", ),
	POINT("battery_present", "", NULL, BOOL, "Батарея подключена", "Battery connected", ),
	CELL("1"), CELL("2"), CELL("3"), CELL("4"), CELL("5"), CELL("6"), CELL("7"), CELL("8"),
	POINT("chemistry", "", NULL, ENUM, "Тип батареи", "Battery type", PROGRAM,
		.words = chemistry_words),
	POINT("cells", "", NULL, INT, "Число банок", "Number of cells", PROGRAM),
	POINT("mode", "", "mode", ENUM, "Программа", "Program", PROGRAM, .words = mode_words),
	POINT("mode_number", "", NULL, INT, "Номер программы", "Program number", PROGRAM),
	POINT("time_limit_s", "s", NULL, INT, "Предел времени", "Time limit", PROGRAM,
		.optional = true),
	POINT("capacity_limit_mah", "mAh", NULL, INT, "Предел заряда", "Charge limit", PROGRAM,
		.optional = true),
	POINT("temp_limit_c", "C", NULL, INT, "Предел температуры", "Temperature limit", PROGRAM,
		.optional = true),
};
_Static_assert(sizeof(points) / sizeof(points[0]) == POINTS, "the points and their enum");

/* ---- faults ---------------------------------------------------------------------------------- */

#define LEADS {"Проверьте силовой и балансировочный разъёмы", \
	"Check the main and the balance connectors"}
#define PACK {"Проверьте батарею и настройки программы", \
	"Check the battery and the program's settings"}
#define COUNT {"Сверьте число банок в программе и в батарее", \
	"Compare the number of cells in the program and in the battery"}
#define NOTHING {"Ничего делать не нужно", "Nothing has to be done"}
#define PLUG_IN {"Подключите батарею", "Connect the battery"}
#define HOT {"Подойдите к батарее, дайте остыть, проверьте обдув и ток", \
	"Go to the battery, let it cool, check airflow and current"}
#define DANGER {"Подойдите к батарее: она может быть перезаряжена или повреждена", \
	"Go to the battery: it may be overcharged or damaged"}
#define SUPPLY {"Проверьте блок питания и его провода", "Check the power supply and its leads"}
#define POLARITY {"Отключите батарею и проверьте полярность", \
	"Unplug the battery and check its polarity"}
#define REPAIR {"Отключите батарею и питание; если повторится, сдайте зарядник в ремонт", \
	"Unplug battery and supply; if it comes back, have the charger repaired"}
#define DISPLAY {"Посмотрите на экран зарядника", "Look at the charger's display"}

enum { FAULT_CONNECTION, FAULT_CELL, FAULT_BALANCE, FAULT_NO_BATTERY, FAULT_COUNT, FAULT_MAIN,
	FAULT_FULL, FAULT_NEEDLESS, FAULT_CELL_HIGH, FAULT_INTERNAL, FAULT_EXTERNAL, FAULT_LOW,
	FAULT_HIGH, FAULT_TIME, FAULT_CAPACITY, FAULT_POLARITY, FAULT_CONTROL, FAULT_BREAKDOWN,
	FAULT_INPUT, FAULT_UNKNOWN, FAULTS };

#define FAULT(id, severity, ru, en, hint) {id, SEVERITY_##severity, {ru, en}, hint}

/* How bad each is, is our judgement. */
static const struct driver_fault faults[] = {
	[FAULT_CONNECTION] = FAULT("connection-broken", WARNING, "Батарея отключилась",
		"The battery was disconnected", LEADS),
	[FAULT_CELL] = FAULT("cell-voltage", ERROR, "Недопустимое напряжение банки",
		"Cell voltage not valid", PACK),
	[FAULT_BALANCE] = FAULT("balance-connection", WARNING, "Нет контакта балансировочного разъёма",
		"Balance lead not connected", LEADS),
	[FAULT_NO_BATTERY] = FAULT("no-battery", INFO, "Нет батареи", "No battery", PLUG_IN),
	[FAULT_COUNT] = FAULT("cell-count", WARNING, "Неверное число банок", "Wrong cell count", COUNT),
	[FAULT_MAIN] = FAULT("main-connection", WARNING, "Нет контакта силового разъёма",
		"Main lead not connected", LEADS),
	[FAULT_FULL] = FAULT("battery-full", INFO, "Батарея заряжена", "Battery full", NOTHING),
	[FAULT_NEEDLESS] = FAULT("charge-not-needed", INFO, "Заряд не нужен", "No charge needed",
		NOTHING),
	[FAULT_CELL_HIGH] = FAULT("cell-high", CRITICAL, "Высокое напряжение банки",
		"Cell voltage too high", DANGER),
	[FAULT_INTERNAL] = FAULT("temp-internal", CRITICAL, "Зарядник перегрелся",
		"The charger is too hot", HOT),
	[FAULT_EXTERNAL] = FAULT("temp-battery", CRITICAL, "Батарея перегрелась",
		"The battery is too hot", HOT),
	[FAULT_LOW] = FAULT("input-low", WARNING, "Низкое напряжение питания",
		"Input voltage too low", SUPPLY),
	[FAULT_HIGH] = FAULT("input-high", ERROR, "Высокое напряжение питания",
		"Input voltage too high", SUPPLY),
	[FAULT_TIME] = FAULT("time-limit", ERROR, "Превышено допустимое время",
		"The time limit was reached", PACK),
	[FAULT_CAPACITY] = FAULT("capacity-limit", CRITICAL, "Превышен допустимый заряд",
		"The capacity limit was reached", DANGER),
	[FAULT_POLARITY] = FAULT("polarity", ERROR, "Батарея подключена наоборот",
		"The battery is connected the wrong way round", POLARITY),
	[FAULT_CONTROL] = FAULT("control", CRITICAL, "Отказ управления зарядом",
		"The charge control failed", REPAIR),
	[FAULT_BREAKDOWN] = FAULT("breakdown", CRITICAL, "Пробой силовой части",
		"The power stage broke down", REPAIR),
	[FAULT_INPUT] = FAULT("input-failure", CRITICAL, "Отказ входной части", "The input failed",
		REPAIR),
	[FAULT_UNKNOWN] = FAULT("unknown-error", ERROR, "Неизвестная ошибка", "Unknown error",
		DISPLAY),
};
/* clang-format on */
_Static_assert(sizeof(faults) / sizeof(faults[0]) == FAULTS, "the faults and their enum");

/* Error codes [B]. */
static const struct code {
	uint16_t code;
	uint8_t fault;
} codes[] = {
	{0x000B, FAULT_CONNECTION},
	{0x0014, FAULT_CONNECTION},
	{0x0015, FAULT_CONNECTION},
	{0x0016, FAULT_CONNECTION},
	{0x000C, FAULT_CELL},
	{0x000D, FAULT_BALANCE},
	{0x000E, FAULT_NO_BATTERY},
	{0x000F, FAULT_COUNT},
	{0x0010, FAULT_MAIN},
	{0x0011, FAULT_FULL},
	{0x0012, FAULT_NEEDLESS},
	{0x0013, FAULT_CELL_HIGH},
	{0x0100, FAULT_INTERNAL},
	{0x0200, FAULT_EXTERNAL},
	{0x0300, FAULT_LOW},
	{0x0400, FAULT_HIGH},
	{0x0500, FAULT_TIME},
	{0x0600, FAULT_CAPACITY},
	{0x0700, FAULT_POLARITY},
	{0x0800, FAULT_CONTROL},
	{0x0900, FAULT_BREAKDOWN},
	{0x1000, FAULT_INPUT},
	{0xFFFF, FAULT_UNKNOWN},
};

/* ---- asking ---------------------------------------------------------------------------------- */

struct skyrc {
	unsigned cells;
	bool system_silent; /* it does not answer ASK_SYSTEM: do not wait for that at each poll */
	bool asked, seen, ran;
	enum state state;
	enum job_result result;
	unsigned mah, seconds;               /* when seen last */
	int64_t sent_ms, moved_ms, cycle_ms; /* moments */
	double energy_wh;
};

/* An answer that passed all checks. */
struct answer {
	uint8_t bytes[REPORT];
	unsigned end; /* of its data */
};

static bool
fits(struct answer *a, int n, unsigned query)
{
	const uint8_t *r = a->bytes;
	unsigned sum = 0;

	a->end = n > 2 ? r[1] + 1u : 0;
	if (a->end <= lasts[query] || a->end >= (unsigned)n)
		return false;
	for (unsigned i = 2; i < a->end; i++)
		sum += r[i];
	return r[0] == HEAD && r[2] == (uint8_t)queries[query].bytes[2] &&
	       r[a->end] == (sum & 0xFF);
}

/* Lets PACE_MS pass since the last question, and throws away what arrives meanwhile. */
static int
keep_pace(struct device *dev, const struct skyrc *s)
{
	uint8_t report[REPORT];
	int64_t left_ms;

	while (s->asked && (left_ms = s->sent_ms + PACE_MS - device_now_ms(dev)) > 0) {
		int rc = device_receive(dev, report, sizeof(report), (int)left_ms);

		if (rc < 0 && rc != -ETIMEDOUT)
			return rc;
	}
	return device_drain(dev);
}

/* -EPROTO: there were reports, but none that fits. */
static int
await_answer(struct device *dev, unsigned query, struct answer *a)
{
	int64_t until_ms = device_now_ms(dev) + device_timeout_ms(dev), left_ms;
	int none = -ETIMEDOUT;

	while ((left_ms = until_ms - device_now_ms(dev)) > 0) {
		int n = device_receive(dev, a->bytes, REPORT, (int)left_ms);

		if (n < 0)
			return n == -ETIMEDOUT ? none : n;
		if (fits(a, n, query))
			return 0;
		none = -EPROTO;
	}
	return none;
}

static bool
is_broken(int rc)
{
	return rc < 0 && rc != -ETIMEDOUT && rc != -EPROTO;
}

static int
ask_once(struct device *dev, unsigned query, struct answer *a)
{
	struct skyrc *s = device_state(dev);
	int rc = keep_pace(dev, s);

	if (rc == 0)
		rc = device_ask(dev, query);
	if (rc < 0)
		return rc;
	s->asked = true;
	s->sent_ms = device_now_ms(dev);
	return await_answer(dev, query, a);
}

static int
ask(struct device *dev, unsigned query, struct answer *a)
{
	int rc = ask_once(dev, query, a);

	for (int tries = 1; tries < TRIES && (rc == -ETIMEDOUT || rc == -EPROTO); tries++) {
		device_retry(dev, 0); /* counts it */
		rc = ask_once(dev, query, a);
	}
	return rc;
}

/* 0 where the answer has ended. */
static unsigned
word(const struct answer *a, unsigned at)
{
	return at + 1 < a->end ? (unsigned)(a->bytes[at] << 8 | a->bytes[at + 1]) : 0;
}

static int
skyrc_open(struct device *dev)
{
	struct skyrc *s = device_state(dev);
	char model[MODEL_CHARS + 1] = "", text[32];
	struct answer a;
	int rc = ask(dev, ASK_DEVICE, &a);

	s->cells = CELLS_USUAL;
	s->system_silent = false;
	if (rc == -ETIMEDOUT) /* perhaps it does not say who it is; does it say what it does? */
		return ask(dev, ASK_CHARGE, &a);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < MODEL_CHARS; i++) {
		model[i] = (char)a.bytes[DEVICE_MODEL + i];
		if (model[i] <= ' ' || model[i] > '~')
			return -ESTALE;
	}
	s->cells = strcmp(model, "100069") == 0 ? CELLS : CELLS_USUAL;
	snprintf(text, sizeof(text), "SkyRC %s", model);
	device_set_identity(dev, text);
	return 0;
}

/* ---- what it does ---------------------------------------------------------------------------- */

static int
fault_of(unsigned code)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (codes[i].code == code)
			return codes[i].fault;
	}
	return -1;
}

/* A charger also says "working" before it starts: then nothing flows and nothing counts. */
static bool
is_moving(struct skyrc *s, const struct answer *a, int64_t now_ms)
{
	bool counts =
		s->seen && (word(a, CHARGE_MAH) > s->mah || word(a, CHARGE_TIME) > s->seconds);

	if (word(a, CHARGE_CURRENT) > 0 || counts)
		s->moved_ms = now_ms;
	else if (s->state != STATE_WORKING)
		return false;
	return now_ms - s->moved_ms < HOLD_MS;
}

static enum state
find_state(struct skyrc *s, const struct answer *a, int64_t now_ms)
{
	switch (a->bytes[CHARGE_STATE]) {
	case RAW_WORKING:
		return is_moving(s, a, now_ms) ? STATE_WORKING : STATE_IDLE;
	case RAW_STANDBY:
		return fault_of(word(a, CHARGE_MAH)) >= 0 ? STATE_ERROR : STATE_IDLE;
	case RAW_FINISHED:
		return STATE_FINISHED;
	case RAW_ERROR:
		return STATE_ERROR;
	default:
		return STATE_UNKNOWN;
	}
}

static double
power_of(const struct answer *a)
{
	return word(a, CHARGE_VOLTAGE) * (double)word(a, CHARGE_CURRENT) * 1e-6;
}

/* The seconds begin anew with each program. */
static void
note_cycle(struct skyrc *s, const struct answer *a, int64_t now_ms)
{
	int64_t step_ms = now_ms - s->cycle_ms;

	if (!s->seen || word(a, CHARGE_TIME) < s->seconds) {
		s->energy_wh = 0;
		step_ms = 0;
	}
	if (step_ms > STEP_MS)
		step_ms = STEP_MS;
	s->energy_wh += power_of(a) * (double)step_ms / 3.6e6;
	s->mah = word(a, CHARGE_MAH);
	s->seconds = word(a, CHARGE_TIME);
	s->cycle_ms = now_ms;
	s->seen = true;
}

static bool
is_counting(const struct answer *a)
{
	return a->bytes[CHARGE_STATE] == RAW_WORKING || a->bytes[CHARGE_STATE] == RAW_FINISHED;
}

static void
note_job(struct skyrc *s, unsigned code)
{
	bool full = fault_of(code) == FAULT_FULL; /* told as an error, but the job is done */

	switch (s->state) {
	case STATE_WORKING:
		s->ran = true;
		s->result = JOB_NONE;
		return;
	case STATE_FINISHED:
		s->result = JOB_FINISHED;
		break;
	case STATE_IDLE:
		s->result = s->ran ? JOB_STOPPED : s->result;
		break;
	case STATE_ERROR:
		if (s->ran)
			s->result = full ? JOB_FINISHED : JOB_FAULT;
		break;
	case STATE_UNKNOWN:
		return;
	}
	s->ran = false;
}

static void
conclude(struct device *dev, const struct skyrc *s, unsigned code)
{
	static const enum activity activities[] = {
		ACTIVITY_IDLE, ACTIVITY_BUSY, ACTIVITY_IDLE, ACTIVITY_IDLE, ACTIVITY_UNKNOWN};
	struct status status = {
		.activity = activities[s->state], .result = s->result, .progress = -1};
	int fault = fault_of(code);

	if (s->state == STATE_ERROR)
		status.faults = UINT64_C(1) << (fault >= 0 ? fault : FAULT_UNKNOWN);
	device_set_status(dev, &status);
}

/* ---- reporting ------------------------------------------------------------------------------- */

static void
refuse(struct device *dev, unsigned first, unsigned last, enum fail fail)
{
	for (unsigned p = first; p <= last; p++)
		device_report_fail(dev, p, fail, 0);
}

/* 0: the charger has no such value now. */
static void
report_count(struct device *dev, unsigned point, unsigned n)
{
	if (n > 0)
		device_report_int(dev, point, n);
	else
		device_report_fail(dev, point, FAIL_NOT_AVAILABLE, 0);
}

/* The same in thousandths. */
static void
report_milli(struct device *dev, unsigned point, unsigned n)
{
	if (n > 0)
		device_report_real(dev, point, n / 1e3, 3);
	else
		device_report_fail(dev, point, FAIL_NOT_AVAILABLE, 0);
}

static void
report_charge(struct device *dev, const struct skyrc *s, const struct answer *a)
{
	bool is_code = s->state == STATE_ERROR || !is_counting(a);

	if (s->state == STATE_UNKNOWN)
		device_report_fail(dev, POINT_STATE, FAIL_OUT_OF_RANGE, 0);
	else
		device_report_word(dev, POINT_STATE, state_words[s->state]);
	if (is_code)
		device_report_fail(dev, POINT_CHARGE, FAIL_NOT_AVAILABLE, 0);
	else
		device_report_int(dev, POINT_CHARGE, word(a, CHARGE_MAH));
	device_report_int(dev, POINT_ERROR, s->state == STATE_ERROR ? word(a, CHARGE_MAH) : 0);
	device_report_int(dev, POINT_TIME, word(a, CHARGE_TIME));
	device_report_real(dev, POINT_CURRENT, word(a, CHARGE_CURRENT) / 1e3, 3);
	device_report_real(dev, POINT_POWER, power_of(a), 2);
	device_report_real(dev, POINT_ENERGY, s->energy_wh, 3);
	device_report_int(dev, POINT_INTERNAL, a->bytes[CHARGE_INTERNAL]);
	report_count(dev, POINT_EXTERNAL, a->bytes[CHARGE_EXTERNAL]);
	report_milli(dev, POINT_RESISTANCE, word(a, CHARGE_RESISTANCE));
}

static bool
has_cells(const struct skyrc *s, const struct answer *a, unsigned cell)
{
	bool has = false;

	for (unsigned i = 0; i < s->cells; i++)
		has |= word(a, cell + 2 * i) >= CELL_MIN_MV;
	return has;
}

/* From the answer on charging or on the system. In a NiMH cycle the former has phase and number of
 * the cycle in place of the first cell; both are below CELL_MIN_MV. */
static void
report_voltages(struct device *dev, const struct skyrc *s, const struct answer *a, unsigned pack,
	unsigned cell)
{
	bool present = word(a, pack) >= CELL_MIN_MV || has_cells(s, a, cell);

	device_report_real(dev, POINT_VOLTAGE, word(a, pack) / 1e3, 3);
	for (unsigned i = 0; i < s->cells; i++) {
		unsigned mv = word(a, cell + 2 * i);

		report_milli(dev, POINT_CELL + i, mv >= CELL_MIN_MV ? mv : 0);
	}
	if (s->cells < CELLS)
		refuse(dev, POINT_CELL + s->cells, POINT_CELL + CELLS - 1, FAIL_UNSUPPORTED);
	device_report_bool(dev, POINT_BATTERY, present);
}

/* ---- polling --------------------------------------------------------------------------------- */

/* While nothing is charged, only the system's answer shows that a battery is connected. */
static int
look_for_battery(struct device *dev, struct skyrc *s)
{
	struct answer a;
	int rc;

	if (s->system_silent)
		return 0;
	rc = ask(dev, ASK_SYSTEM, &a);
	if (rc == 0 && (word(&a, SYSTEM_VOLTAGE) >= CELL_MIN_MV || has_cells(s, &a, SYSTEM_CELL)))
		report_voltages(dev, s, &a, SYSTEM_VOLTAGE, SYSTEM_CELL);
	s->system_silent = rc < 0;
	return is_broken(rc) ? rc : 0;
}

static int
poll_status(struct device *dev, struct skyrc *s)
{
	struct answer a;
	int rc = ask(dev, ASK_CHARGE, &a);
	int64_t now_ms = device_now_ms(dev);

	if (rc < 0)
		return rc;
	s->state = find_state(s, &a, now_ms);
	if (is_counting(&a))
		note_cycle(s, &a, now_ms);
	note_job(s, word(&a, CHARGE_MAH));
	conclude(dev, s, word(&a, CHARGE_MAH));
	report_charge(dev, s, &a);
	report_voltages(dev, s, &a, CHARGE_VOLTAGE, CHARGE_CELL);
	if (s->state == STATE_WORKING || has_cells(s, &a, CHARGE_CELL))
		return 0;
	return look_for_battery(dev, s);
}

static void
report_program(struct device *dev, const struct answer *a)
{
	unsigned chemistry = a->bytes[PROGRAM_CHEMISTRY], mode = a->bytes[PROGRAM_MODE], i = 0;

	device_report_int(dev, POINT_CELLS, a->bytes[PROGRAM_CELLS]);
	device_report_int(dev, POINT_MODE_NUMBER, mode);
	if (chemistry >= CHEMISTRIES) {
		refuse(dev, POINT_CHEMISTRY, POINT_CHEMISTRY, FAIL_OUT_OF_RANGE);
		refuse(dev, POINT_MODE, POINT_MODE, FAIL_OUT_OF_RANGE);
		return;
	}
	device_report_word(dev, POINT_CHEMISTRY, chemistry_words[chemistry]);
	while (i < mode && modes[chemistry][i])
		i++;
	if (modes[chemistry][i])
		device_report_word(dev, POINT_MODE, modes[chemistry][i]);
	else
		device_report_fail(dev, POINT_MODE, FAIL_OUT_OF_RANGE, 0);
}

/* A limit that is switched off is not there. */
static void
report_limits(struct device *dev, const struct answer *a)
{
	const uint8_t *r = a->bytes;

	report_count(dev, POINT_TIME_LIMIT, r[SYSTEM_TIME_ON] ? word(a, SYSTEM_TIME) * 60 : 0);
	report_count(
		dev, POINT_CAPACITY_LIMIT, r[SYSTEM_CAPACITY_ON] ? word(a, SYSTEM_CAPACITY) : 0);
	report_count(dev, POINT_TEMP_LIMIT, r[SYSTEM_TEMP]);
}

static enum fail
fail_of(int rc)
{
	return rc == -EPROTO ? FAIL_PROTOCOL : FAIL_TIMEOUT;
}

static int
poll_program(struct device *dev, struct skyrc *s)
{
	struct answer a;
	int program = ask(dev, ASK_PROGRAM, &a), system;

	if (is_broken(program))
		return program;
	if (program == 0)
		report_program(dev, &a);
	else
		refuse(dev, POINT_CHEMISTRY, POINT_MODE_NUMBER, fail_of(program));
	system = ask(dev, ASK_SYSTEM, &a);
	s->system_silent = system < 0;
	if (is_broken(system))
		return system;
	if (system == 0)
		report_limits(dev, &a);
	else
		refuse(dev, POINT_TIME_LIMIT, POINT_TEMP_LIMIT, fail_of(system));
	return program == 0 || system == 0 ? 0 : program;
}

static int
skyrc_poll(struct device *dev, unsigned group)
{
	struct skyrc *s = device_state(dev);

	return group == GROUP_PROGRAM ? poll_program(dev, s) : poll_status(dev, s);
}

const struct driver driver_skyrc = {
	.name = "skyrc",
	.summary = "SkyRC battery chargers, on USB HID",
	.link = LINK_HID,
	.points = points,
	.n_points = POINTS,
	.groups = groups,
	.n_groups = sizeof(groups) / sizeof(groups[0]),
	.faults = faults,
	.n_faults = FAULTS,
	.queries = queries,
	.n_queries = sizeof(queries) / sizeof(queries[0]),
	.timeout_ms = TIMEOUT_MS,
	.state_size = sizeof(struct skyrc),
	.open = skyrc_open,
	.poll = skyrc_poll,
};
