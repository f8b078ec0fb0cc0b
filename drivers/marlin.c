/* SPDX-License-Identifier: MIT */
/* marlin.c -- 3D printers that speak G-code on a serial port: Marlin, Prusa, RepRapFirmware,
 * Klipper
 *
 * Asks only what changes nothing. Answers end with `ok`, but a printer that heats or homes gives
 * it minutes later: then the question stays open, no other is sent, and what arrives meanwhile is
 * taken for what it is. A halted printer is mute: its silence is no time-out, and only `start`, or
 * an answer after the port was opened anew, ends it. marlin_lines.c knows the lines, and names the
 * sources.
 */
#include "drivers/driver.h"

#include "drivers/marlin_lines.h"

#include <errno.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
	TIMEOUT_MS = 5000,
	START_MS = 10000,      /* a bootloader, then the banner */
	START_QUIET_MS = 1000, /* not a sound: perhaps it was not reset; `start` asks anew */
	TRIES = 3,
	GIVE_UP_MS = 30000, /* silence after which a question counts as lost */
	OK_MS = 300,        /* for an `ok` behind an answer that may have none */
	HALTED_MS = 1000,   /* nobody expects an answer */
	BUSY_MS = 6000,     /* "busy:" comes every 2 s (M113) */
	JOB_TIME_EVERY = 6, /* polls */
	PWM_MAX = 127,
	LINE_SIZE = 640
};

static const struct {
	uint8_t round[3];  /* of each poll; 0: none. M408 last: it may come without an `ok` */
	bool time, totals; /* has M31, may have M78 */
} families[FAMILIES] = {
	[MARLIN] = {{M105, M27}, true, true},
	[PRUSA] = {{M105, M27_P}, false, true},
	[RRF] = {{M105, M27, M408}, false, false},
	[KLIPPER] = {{M105, M27}, false, false},
};

enum { STATUS, TOTALS, BOOT, GROUPS };

static const struct group groups[GROUPS] = {
	[STATUS] = {"status", 5000, 1},
	[TOTALS] = {"totals", 600000, 2},
	[BOOT] = {"boot", 0, 2},
};

enum state { IDLE, PRINTING, BUSY, PAUSED, STOPPED, HALTED };
static const char *const states[] = {
	"idle", "printing", "busy", "paused", "stopped", "halted", NULL};
static const char *const results[] = {"none", "finished", "stopped", "failed", NULL};
static const char *const causes[] = {
	"unknown", "power_up", "external", "brown_out", "watchdog", "software", NULL};

/* clang-format off: these tables are read by column */
enum {
	P_STATE,
	P_HOTEND,
	P_HOTEND_TO,
	P_HOTEND2,
	P_HOTEND2_TO,
	P_BED,
	P_BED_TO,
	P_CHAMBER,
	P_POWER,
	P_PROGRESS,
	P_TIME,
	P_RESULT,
	P_PRINTS,
	P_FINISHED,
	P_FAILED,
	P_TOTAL,
	P_LONGEST,
	P_FILAMENT,
	P_FIRMWARE,
	P_CAUSE,
	P_PROTECTION,
	POINTS
};

#define TEMPERATURE(ru, en) "C", "temperature_c", {ru, en}, STATUS
#define TARGET(ru, en) "C", "setpoint", {ru, en}, STATUS
#define COUNTER TOTALS, true, VALUE_INT, NULL, true
#define REAL VALUE_REAL, NULL, false
#define WHOLE VALUE_INT, NULL, false
static const struct point points[POINTS] = {
	[P_STATE] = {"state", "", NULL, {"Состояние", "State"}, STATUS, false, VALUE_ENUM, states,
		false},
	[P_HOTEND] = {"hotend_temp_c", TEMPERATURE("Сопло", "Hotend"), false, REAL},
	[P_HOTEND_TO] = {"hotend_target_c", TARGET("Сопло, задание", "Hotend target"), false, REAL},
	[P_HOTEND2] = {"hotend2_temp_c", TEMPERATURE("Сопло 2", "Hotend 2"), true, REAL},
	[P_HOTEND2_TO] = {"hotend2_target_c", TARGET("Сопло 2, задание", "Hotend 2 target"), true,
		REAL},
	[P_BED] = {"bed_temp_c", TEMPERATURE("Стол", "Bed"), true, REAL},
	[P_BED_TO] = {"bed_target_c", TARGET("Стол, задание", "Bed target"), true, REAL},
	[P_CHAMBER] = {"chamber_temp_c", TEMPERATURE("Камера", "Chamber"), true, REAL},
	[P_POWER] = {"heater_power_pct", "pct", "load_pct", {"Мощность нагрева", "Heater power"},
		STATUS, true, REAL},
	[P_PROGRESS] = {"progress_pct", "pct", NULL, {"Готово", "Progress"}, STATUS, true, REAL},
	[P_TIME] = {"print_time_s", "s", NULL, {"Время печати", "Print time"}, STATUS, true, WHOLE},
	[P_RESULT] = {"job_result", "", NULL, {"Итог печати", "Result"}, STATUS, false, VALUE_ENUM,
		results, false},
	[P_PRINTS] = {"prints_total", "", "count_total", {"Печатей начато", "Prints"}, COUNTER},
	[P_FINISHED] = {"prints_finished", "", "count_total",
		{"Печатей закончено", "Prints finished"}, COUNTER},
	[P_FAILED] = {"prints_failed", "", "count_total", {"Печатей прервано", "Prints failed"},
		COUNTER},
	[P_TOTAL] = {"print_time_total_s", "s", "run_time_s", {"Наработка", "Print time in total"},
		COUNTER},
	[P_LONGEST] = {"longest_print_s", "s", NULL, {"Самая долгая печать", "Longest print"},
		COUNTER},
	[P_FILAMENT] = {"filament_total_mm", "mm", NULL, {"Расход прутка", "Filament used"},
		COUNTER},
	[P_FIRMWARE] = {"firmware", "", "device_fw", {"Прошивка", "Firmware"}, BOOT, false,
		VALUE_STRING, NULL, false},
	[P_CAUSE] = {"reset_cause", "", NULL, {"Причина перезапуска", "Reset cause"}, BOOT, true,
		VALUE_ENUM, causes, false},
	[P_PROTECTION] = {"thermal_protection", "", NULL, {"Тепловая защита", "Thermal protection"},
		BOOT, true, VALUE_BOOL, NULL, false},
};

#define CRITICAL SEVERITY_CRITICAL
#define MAJOR SEVERITY_ERROR
#define MINOR SEVERITY_WARNING

static const struct driver_fault faults[FAULTS] = {
	[F_RUNAWAY] = {"thermal-runaway", CRITICAL, {"Неуправляемый нагрев", "Thermal runaway"},
		{"Обесточьте принтер. Проверьте, не выпал ли термистор, и провода нагревателя",
			"Cut the power. Did the thermistor fall out? Check the heater's wires"}},
	[F_HEATING] = {"heating-failed", CRITICAL, {"Не нагревается", "Heating failed"},
		{"Проверьте нагреватель, его провода и термистор",
			"Check the heater, its wires and the thermistor"}},
	[F_MALFUNCTION] = {"thermal-malfunction", CRITICAL,
		{"Датчик температуры врёт", "Thermal malfunction"},
		{"Проверьте термистор и его разъём", "Check the thermistor and its plug"}},
	[F_MAXTEMP] = {"maxtemp", CRITICAL, {"Перегрев", "Temperature too high"},
		{"Обесточьте принтер. Проверьте термистор и силовой ключ нагревателя",
			"Cut the power. Check the thermistor and the heater's switch"}},
	[F_MINTEMP] = {"mintemp", CRITICAL, {"Температура ниже допустимой", "Temperature too low"},
		{"Обрыв термистора или холодное помещение", "A broken thermistor, or a cold room"}},
	[F_MODEL] = {"thermal-model", CRITICAL,
		{"Нагрев идёт не так, как должен", "Heating is not as expected"},
		{"Проверьте носок сопла, вентилятор, термистор и нагреватель",
			"Check the sock, the fan, the thermistor and the heater"}},
	[F_HALTED] = {"halted", CRITICAL, {"Принтер аварийно остановился", "The printer halted"},
		{"Причина — на экране принтера. Устраните её и перезапустите принтер",
			"The screen tells why. Remove the cause and restart the printer"}},
	[F_ESTOP] = {"emergency-stop", MAJOR, {"Аварийный останов", "Emergency stop"},
		{"Нажали аварийный стоп. Перезапустите принтер, когда станет безопасно",
			"Someone stopped it. Restart the printer when it is safe"}},
	[F_STOPPED] = {"stopped", CRITICAL,
		{"Принтер остановлен из-за ошибки", "Stopped due to an error"},
		{"Устраните причину и перезапустите принтер",
			"Remove the cause and restart the printer"}},
	[F_HEATER] = {"heater", CRITICAL, {"Отказ нагревателя", "Heater fault"},
		{"Проверьте нагреватель, термистор и их провода",
			"Check the heater, the thermistor and their wires"}},
	[F_WATCHDOG] = {"watchdog", MAJOR, {"Сработал сторожевой таймер", "Watchdog"},
		{"Прошивка зависла. Если повторится — обновите её",
			"The firmware hung. If it happens again, update it"}},
	[F_BROWN_OUT] = {"brown-out", MAJOR, {"Просадка питания", "Supply dropped"},
		{"Проверьте сеть, блок питания и клеммы",
			"Check the mains, the power supply and its terminals"}},
	[F_RESET_IN_JOB] = {"reset-in-job", MAJOR,
		{"Перезапуск во время печати", "Restarted during a print"},
		{"Печать пропала. Проверьте питание и кабель USB",
			"The print is lost. Check the supply and the USB cable"}},
	[F_SD] = {"sd", MINOR, {"Ошибка карты памяти", "SD card error"},
		{"Переставьте карту; если не помогло — замените",
			"Put the card in again; if that does not help, replace it"}},
	[F_PROBING] = {"probing", MAJOR, {"Не удалось измерить стол", "Probing the bed failed"},
		{"Очистите сопло и стол, проверьте датчик стола",
			"Clean the nozzle and the bed, check the probe"}},
	[F_RUNOUT] = {"filament-runout", MINOR, {"Кончился пруток", "Filament runout"},
		{"Заправьте пруток и продолжите печать на принтере",
			"Load filament and resume at the printer"}},
	[F_FAN] = {"fan", MAJOR, {"Вентилятор медленнее нормы", "A fan is too slow"},
		{"Проверьте, не мешает ли ему что-нибудь, или замените",
			"See whether something blocks it, or replace it"}},
	[F_NO_PROTECTION] = {"no-thermal-protection", MAJOR,
		{"В прошивке нет тепловой защиты", "No thermal protection"},
		{"Опасность пожара: обновите прошивку, не оставляйте без присмотра",
			"Risk of fire: update the firmware, do not leave it alone"}},
	[F_SENSOR] = {"sensor", MAJOR,
		{"Неисправен датчик температуры", "Temperature sensor fault"},
		{"Обрыв или замыкание термистора: проверьте разъём и провод",
			"Thermistor open or shorted: check its plug and wire"}},
	[F_SILENT] = {"silent", MAJOR, {"Замолчал за работой", "Went silent while busy"},
		{"Посмотрите на принтер, проверьте кабель USB",
			"Look at the printer, check the USB cable"}},
	[F_MOTOR] = {"motor-driver", MAJOR, {"Ошибка драйвера двигателя", "Motor driver error"},
		{"Проверьте двигатель, его провода и охлаждение платы",
			"Check the motor, its wires and the board's cooling"}},
	[F_VOLTAGE] = {"voltage", MAJOR,
		{"Напряжение питания вне нормы", "Supply voltage out of range"},
		{"Проверьте блок питания", "Check the power supply"}},
	[F_EXPANSION] = {"expansion-board", MAJOR,
		{"Пропала плата расширения", "An expansion board is missing"},
		{"Проверьте кабель CAN и питание платы",
			"Check the CAN cable and the board's supply"}},
	[F_FOREIGN] = {"foreign-writer", MINOR,
		{"В порт пишет другая программа", "Another program writes to the port"},
		{"Оставьте на этом порту одну программу", "Leave one program on this port"}},
	[F_ERROR] = {"error", MAJOR, {"Принтер сообщил об ошибке", "Printer error"},
		{"Подробности — на экране принтера", "The printer's screen tells more"}},
};

/* clang-format on */

/* ---- the conversation ----------------------------------------------------------------------- */

static int
lost(struct marlin *m, int rc)
{
	if (rc != -ECANCELED)
		m->asked = 0;
	return rc;
}

/* Takes what has arrived. */
static int
take_arrived(struct device *dev, struct marlin *m)
{
	char line[LINE_SIZE];
	int rc;

	while ((rc = device_receive(dev, line, sizeof(line), 0)) > 0)
		marlin_take(m, line, device_now_ms(dev));
	return rc == -ETIMEDOUT ? 0 : lost(m, rc);
}

/* Takes lines until the question is answered. 0, 1: not yet, but it speaks, -ETIMEDOUT: silence,
 * -errno. */
static int
await(struct device *dev, struct marlin *m, int64_t until_ms)
{
	unsigned before = m->lines;
	char line[LINE_SIZE];

	while (m->asked) {
		int64_t left_ms = until_ms - device_now_ms(dev);
		int rc = -ETIMEDOUT;
		if (m->answered && left_ms > OK_MS)
			left_ms = OK_MS;
		if (left_ms > 0)
			rc = device_receive(dev, line, sizeof(line), (int)left_ms);
		if (rc == -ETIMEDOUT)
			break;
		if (rc < 0)
			return lost(m, rc);
		marlin_take(m, line, device_now_ms(dev));
	}
	if (m->answered)
		m->asked = 0;
	if (!m->asked)
		return 0;
	int64_t quiet_since_ms = m->now_ms > m->asked_ms ? m->now_ms : m->asked_ms;
	if (device_now_ms(dev) - quiet_since_ms >= GIVE_UP_MS) {
		marlin_set_fault(m, LEVEL, F_SILENT, m->busy_ms || m->waits_ms);
		m->asked = 0;
	}
	return m->lines != before ? 1 : -ETIMEDOUT;
}

/* As await(); the printer gets one question at a time, and none while it writes what arrives to a
 * file (then 1). */
static int
ask(struct device *dev, struct marlin *m, enum query query, int64_t until_ms)
{
	int rc = await(dev, m, until_ms);

	if (rc == 0)
		rc = take_arrived(dev, m); /* an `ok` too many must not end this question */
	if (rc != 0 || m->writing)
		return rc ? rc : 1;
	rc = device_ask(dev, query);
	if (rc < 0)
		return lost(m, rc);
	m->asked = query + 1;
	m->answered = false;
	m->asked_ms = device_now_ms(dev);
	return await(dev, m, until_ms);
}

static bool
is_unknown(const struct marlin *m, enum query query)
{
	return m->refused >> query & 1;
}

/* ---- what it makes of it -------------------------------------------------------------------- */

static enum state
state_of(const struct marlin *m, int64_t now_ms)
{
	if (m->faults[HALT] || m->faults[LEVEL] >> F_HALTED & 1)
		return HALTED;
	if (m->faults[STOP])
		return STOPPED;
	if (marlin_is_paused(m, now_ms))
		return PAUSED;
	if (m->job)
		return PRINTING;
	if (m->told_busy || (m->busy_ms && now_ms - m->busy_ms < BUSY_MS))
		return BUSY;
	return IDLE;
}

static double
progress(const struct marlin *m)
{
	return m->job && m->total > 0 ? (double)m->pos / (double)m->total : -1;
}

static void
conclude(struct device *dev, struct marlin *m)
{
	static const enum activity activities[] = {ACTIVITY_IDLE, ACTIVITY_BUSY, ACTIVITY_BUSY,
		ACTIVITY_PAUSED, ACTIVITY_IDLE, ACTIVITY_IDLE};
	enum state state = state_of(m, device_now_ms(dev));
	struct status s = {.activity = m->lines ? activities[state] : ACTIVITY_UNKNOWN,
		.result = m->result,
		.progress = progress(m)};

	for (size_t i = 0; i < LATCHES; i++)
		s.faults |= m->faults[i];
	device_set_status(dev, &s);
	device_set_job_name(dev, m->job_name);
	if (m->known)
		device_set_identity(dev, m->identity);
}

/* -10 and less: open; 400 and more: shorted, or the 1000 of a MAX6675. */
static bool
is_broken(const struct number *n)
{
	return n->at && (n->now <= -10 || n->now >= 400);
}

static void
check_sensors(struct marlin *m)
{
	bool broken = false;

	for (size_t i = 0; i < POWER; i++)
		broken |= is_broken(&m->heaters[i]);
	marlin_set_fault(m, LEVEL, F_SENSOR, broken);
}

/* ---- reports -------------------------------------------------------------------------------- */

static void
report_heater(struct device *dev, struct marlin *m, unsigned i, unsigned point)
{
	const struct number *n = &m->heaters[i];
	bool fresh = n->at > m->reported;

	if (fresh)
		m->had |= 1U << i;
	if (fresh && i < POWER && is_broken(n))
		device_report_fail(dev, point, FAIL_SENSOR_ERROR, 0);
	else if (fresh)
		device_report_real(
			dev, point, i == POWER ? n->now * 100 / PWM_MAX : n->now, n->decimals);
	else if (m->had && !(m->had >> i & 1))
		device_report_fail(dev, point, i ? FAIL_UNSUPPORTED : FAIL_NOT_AVAILABLE, 0);
	else
		device_report_fail(dev, point, FAIL_TIMEOUT, 0);
}

/* While it waits for a heater the printer leaves the target out. */
static void
report_target(struct device *dev, const struct marlin *m, unsigned i, unsigned point)
{
	const struct number *n = &m->heaters[i];

	if (n->target_at > m->reported)
		device_report_real(dev, point, n->target, n->decimals);
	else if (m->had && !(m->had >> i & 1))
		device_report_fail(dev, point, i ? FAIL_UNSUPPORTED : FAIL_NOT_AVAILABLE, 0);
	else if (n->at > m->reported)
		device_report_fail(dev, point, n->target_at ? FAIL_STALE : FAIL_NOT_AVAILABLE, 0);
	else
		device_report_fail(dev, point, FAIL_TIMEOUT, 0);
}

static void
report_status(struct device *dev, struct marlin *m)
{
	double done = progress(m);

	device_report_word(dev, P_STATE, states[state_of(m, device_now_ms(dev))]);
	device_report_word(dev, P_RESULT, results[m->result]);
	report_heater(dev, m, HOTEND, P_HOTEND);
	report_heater(dev, m, HOTEND2, P_HOTEND2);
	report_heater(dev, m, BED, P_BED);
	report_heater(dev, m, CHAMBER, P_CHAMBER);
	report_heater(dev, m, POWER, P_POWER);
	report_target(dev, m, HOTEND, P_HOTEND_TO);
	report_target(dev, m, HOTEND2, P_HOTEND2_TO);
	report_target(dev, m, BED, P_BED_TO);
	if (done >= 0)
		device_report_real(dev, P_PROGRESS, done * 100, 1);
	else
		device_report_fail(dev, P_PROGRESS, FAIL_NOT_AVAILABLE, 0);
	if (m->print_s > 0)
		device_report_int(dev, P_TIME, (int64_t)m->print_s);
	else
		device_report_fail(dev, P_TIME, FAIL_NOT_AVAILABLE, 0);
	m->reported = m->lines;
}

/* ---- hooks ---------------------------------------------------------------------------------- */

/* The time of the print now and then, and once more when it is over. */
static bool
is_time_due(const struct marlin *m)
{
	bool due = m->job ? m->polls % JOB_TIME_EVERY == 0 : m->result && m->polls == 0;

	return due && families[m->family].time && !is_unknown(m, M31);
}

static int
ask_round(struct device *dev, struct marlin *m, int64_t until_ms)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < COUNT(families[0].round); i++) {
		enum query q = families[m->family].round[i];
		if (q && !is_unknown(m, q))
			rc = ask(dev, m, q, until_ms);
	}
	if (rc == 0 && is_time_due(m))
		rc = ask(dev, m, M31, until_ms);
	m->polls += rc == 0;
	return rc;
}

static int
poll_status(struct device *dev, struct marlin *m)
{
	int64_t start_ms = device_now_ms(dev);
	bool halted = state_of(m, start_ms) == HALTED;
	unsigned before = m->lines;
	int rc;

	rc = ask_round(dev, m, start_ms + (halted ? HALTED_MS : device_timeout_ms(dev)));
	check_sensors(m);
	if (rc == -ETIMEDOUT && (m->faults[HALT] || m->lines != before))
		rc = 0;
	if (rc >= 0)
		report_status(dev, m);
	return rc;
}

static int
poll_totals(struct device *dev, struct marlin *m)
{
	bool asks = families[m->family].totals && !is_unknown(m, M78);
	int rc = 0;

	for (size_t i = 0; i < TOTAL_COUNT; i++)
		m->totals[i] = -1;
	if (asks)
		rc = ask(dev, m, M78, device_now_ms(dev) + device_timeout_ms(dev));
	if (rc == -ETIMEDOUT && m->faults[HALT])
		rc = 1;
	for (unsigned i = 0; rc >= 0 && i < TOTAL_COUNT; i++) {
		if (m->totals[i] >= 0)
			device_report_int(dev, P_PRINTS + i, (int64_t)m->totals[i]);
		else if (!asks || is_unknown(m, M78))
			device_report_fail(dev, P_PRINTS + i, FAIL_UNSUPPORTED, 0);
		else
			device_report_fail(
				dev, P_PRINTS + i, rc ? FAIL_TIMEOUT : FAIL_NOT_AVAILABLE, 0);
	}
	return rc;
}

static int
poll_boot(struct device *dev, struct marlin *m)
{
	int rc = m->known ? 0 : await(dev, m, device_now_ms(dev) + device_timeout_ms(dev));

	if (rc < 0 || !m->known)
		return rc < 0 ? rc : -ETIMEDOUT;
	device_report_text(dev, P_FIRMWARE, m->firmware);
	if (m->boot_ms)
		device_report_word(dev, P_CAUSE, causes[m->cause]);
	else
		device_report_fail(dev, P_CAUSE, FAIL_NOT_AVAILABLE, 0);
	if (m->protection)
		device_report_bool(dev, P_PROTECTION, m->protection > 0);
	else
		device_report_fail(dev, P_PROTECTION, FAIL_NOT_AVAILABLE, 0);
	return 0;
}

static int
marlin_poll(struct device *dev, unsigned group)
{
	static int (*const polls[GROUPS])(struct device *, struct marlin *) = {
		[STATUS] = poll_status, [TOTALS] = poll_totals, [BOOT] = poll_boot};
	struct marlin *m = device_state(dev);
	int rc = polls[group](dev, m);

	conclude(dev, m);
	return rc < 0 ? rc : 0;
}

static int
marlin_listen(struct device *dev)
{
	struct marlin *m = device_state(dev);
	unsigned before = m->news;
	int rc = take_arrived(dev, m);

	check_sensors(m);
	conclude(dev, m);
	if (rc < 0)
		return rc;
	return m->news != before;
}

/* What is sent to a bootloader is lost, so wait for the firmware's first word. */
static int
await_start(struct device *dev, struct marlin *m)
{
	int64_t until_ms = device_now_ms(dev) + START_MS, booted_ms = m->boot_ms;
	unsigned before = m->lines;
	char line[LINE_SIZE];

	while (m->boot_ms == booted_ms && !m->stranger) {
		int64_t left_ms = until_ms - device_now_ms(dev);
		if (m->lines == before && left_ms > START_QUIET_MS)
			left_ms = START_QUIET_MS;
		int rc = left_ms > 0 ? device_receive(dev, line, sizeof(line), (int)left_ms)
				     : -ETIMEDOUT;
		if (rc < 0)
			return rc == -ETIMEDOUT ? 0 : lost(m, rc);
		marlin_take(m, line, device_now_ms(dev));
	}
	return 0;
}

/* Who are you; a board that was reset may lose the first question. */
static int
ask_name(struct device *dev, struct marlin *m)
{
	int rc = 0;

	for (int i = 0; i < TRIES && !m->known && !m->stranger; i++) {
		rc = ask(dev, m, M115, device_now_ms(dev) + device_timeout_ms(dev));
		if (rc > 0 || (rc < 0 && rc != -ETIMEDOUT))
			break;
		if (rc == -ETIMEDOUT && (m->faults[HALT] || !device_was_reset(dev)))
			break; /* mute, or busy without a word: do not fill its queue */
		m->asked = 0;
	}
	return rc;
}

static int
marlin_open(struct device *dev)
{
	struct marlin *m = device_state(dev);
	int rc = 0;

	m->known = m->stranger = false;
	m->refused = 0;
	m->vanished = VANISHED - 1; /* whether it still prints is only a guess */
	if (device_was_reset(dev))
		rc = await_start(dev, m);
	if (rc == 0)
		rc = ask_name(dev, m);
	if (m->stranger)
		rc = -ESTALE;
	else if (m->known)
		m->faults[HALT] = 0; /* what is halted does not answer */
	else if (rc == -ETIMEDOUT && m->faults[HALT])
		rc = 0;
	else if (rc == 0)
		rc = -EPROTO; /* an `ok`, but no name */
	conclude(dev, m);
	return rc < 0 ? rc : 0;
}

const struct driver driver_marlin = {
	.name = "marlin",
	.summary = "3D printers with Marlin, Prusa, RepRapFirmware or Klipper, on USB serial",
	.link = LINK_SERIAL,
	.points = points,
	.n_points = POINTS,
	.groups = groups,
	.n_groups = GROUPS,
	.faults = faults,
	.n_faults = FAULTS,
	.queries = marlin_queries,
	.n_queries = QUERIES,
	.timeout_ms = TIMEOUT_MS,
	.state_size = sizeof(struct marlin),
	.open = marlin_open,
	.poll = marlin_poll,
	.listen = marlin_listen,
};
