/* SPDX-License-Identifier: MIT */
/* grbl.c -- the driver of lasers and CNC machines with Grbl 1.1, grblHAL or FluidNC
 *
 * Only `?` is ever sent: it is taken out of the stream before the line buffer, so it disturbs no
 * job; every other command may. The rest is what the machine says unasked: alarms, errors, the
 * banner after a reset. Sources: gnea/grbl doc/markdown/interface.md; grblHAL/core report.c;
 * bdring/FluidNC FluidNC/src/Report.cpp and Protocol.cpp.
 *
 * The identity is "Grbl" for all three. Which firmware it is shows in a banner or in the shape of
 * a report, but not each time the port is opened; an identity that says more would change although
 * the device did not. The point `firmware` says what is known.
 *
 * Numbers are in millimetres; a machine that reports inches ($13=1) cannot be told apart.
 */
#include "drivers/driver.h"

#include "drivers/grbl_machine.h"

#include <errno.h>

enum {
	LINE_SIZE = 4096,
	LINES_AT_ONCE = 300, /* of what arrived between polls */
	BANNER_MS = 1000,    /* a boot loader may take longer: what is asked then is asked again */
	ASK_EVERY_MS = 200,  /* gnea/grbl advises 5 Hz at most */
	DEAF_MS = 250,       /* a report takes 20 ms; where none is expected, not to wait in vain */
	KEEP_MS = 60000      /* what comes with every n-th report only */
};

/* ---- points --------------------------------------------------------------------------------- */

enum { GROUP_STATUS, GROUP_BOOT };

enum {
	P_STATE,
	P_SUBSTATE,
	P_X,
	P_Y,
	P_Z,
	P_FEED,
	P_SPINDLE,
	P_LASER_ON,
	P_LASER_ON_S,
	P_PROGRESS,
	P_BUFFER,
	P_FEED_OVERRIDE,
	P_SPINDLE_OVERRIDE,
	P_LIMIT_X,
	P_LIMIT_Y,
	P_LIMIT_Z,
	P_PROBE,
	P_DOOR,
	P_LAST_ALARM,
	P_LAST_ERROR,
	P_LAST_ERROR_TEXT,
	P_ERRORS,
	P_JOB_RESULT,
	P_FIRMWARE,
	P_VERSION,
	POINTS
};

static const char *const firmwares[] = {"unknown", "grbl", "grblhal", "fluidnc", NULL};
static const char *const results[] = {"none", "finished", "stopped", "failed", NULL};

static const struct point points[POINTS] = {
	[P_STATE] = {"state", "", NULL, {"Состояние", "State"}, GROUP_STATUS, false,
		.kind = VALUE_ENUM, .words = grbl_states},
	[P_SUBSTATE] = {"substate", "", NULL, {"Подсостояние", "Sub-state"}, GROUP_STATUS, true,
		.kind = VALUE_INT},
	[P_X] = {"x_mm", "mm", NULL, {"Положение X", "Position X"}, GROUP_STATUS, true,
		.kind = VALUE_REAL},
	[P_Y] = {"y_mm", "mm", NULL, {"Положение Y", "Position Y"}, GROUP_STATUS, true,
		.kind = VALUE_REAL},
	[P_Z] = {"z_mm", "mm", NULL, {"Положение Z", "Position Z"}, GROUP_STATUS, true,
		.kind = VALUE_REAL},
	[P_FEED] = {"feed_rate", "mm/min", NULL, {"Подача", "Feed rate"}, GROUP_STATUS, true,
		.kind = VALUE_REAL},
	[P_SPINDLE] = {"spindle_speed", "", NULL,
		{"Обороты шпинделя или мощность лазера (S)", "Spindle speed or laser power (S)"},
		GROUP_STATUS, true, .kind = VALUE_REAL},
	[P_LASER_ON] = {"laser_on", "", NULL, {"Лазер включён", "Laser on"}, GROUP_STATUS, true,
		.kind = VALUE_BOOL},
	[P_LASER_ON_S] = {"laser_on_s", "s", "on_time_s",
		{"Наработка лазера, оценка", "Laser-on time, estimated"}, GROUP_STATUS, false,
		.kind = VALUE_REAL, .counter = true},
	[P_PROGRESS] = {"progress_pct", "pct", NULL, {"Выполнено", "Progress"}, GROUP_STATUS, true,
		.kind = VALUE_REAL},
	[P_BUFFER] = {"buffer_free", "", NULL,
		{"Свободно блоков планировщика", "Free planner blocks"}, GROUP_STATUS, true,
		.kind = VALUE_INT},
	[P_FEED_OVERRIDE] = {"feed_override_pct", "pct", NULL,
		{"Коррекция подачи", "Feed override"}, GROUP_STATUS, true, .kind = VALUE_INT},
	[P_SPINDLE_OVERRIDE] = {"spindle_override_pct", "pct", NULL,
		{"Коррекция шпинделя или лазера", "Spindle or laser override"}, GROUP_STATUS, true,
		.kind = VALUE_INT},
	[P_LIMIT_X] = {"limit_x", "", NULL, {"Концевик X", "Limit switch X"}, GROUP_STATUS, false,
		.kind = VALUE_BOOL},
	[P_LIMIT_Y] = {"limit_y", "", NULL, {"Концевик Y", "Limit switch Y"}, GROUP_STATUS, false,
		.kind = VALUE_BOOL},
	[P_LIMIT_Z] = {"limit_z", "", NULL, {"Концевик Z", "Limit switch Z"}, GROUP_STATUS, false,
		.kind = VALUE_BOOL},
	[P_PROBE] = {"probe", "", NULL, {"Щуп", "Probe"}, GROUP_STATUS, false, .kind = VALUE_BOOL},
	[P_DOOR] = {"door", "", NULL, {"Датчик дверцы", "Door switch"}, GROUP_STATUS, false,
		.kind = VALUE_BOOL},
	[P_LAST_ALARM] = {"last_alarm", "", "fault_code", {"Последняя авария", "Last alarm"},
		GROUP_STATUS, false, .kind = VALUE_INT},
	[P_LAST_ERROR] = {"last_error", "", "fault_code", {"Последняя ошибка", "Last error"},
		GROUP_STATUS, false, .kind = VALUE_INT},
	[P_LAST_ERROR_TEXT] = {"last_error_text", "", NULL,
		{"Что значит последняя ошибка", "Meaning of the last error"}, GROUP_STATUS, false,
		.kind = VALUE_STRING},
	[P_ERRORS] = {"errors", "", "count_total", {"Отвергнуто команд", "Commands rejected"},
		GROUP_STATUS, false, .kind = VALUE_INT, .counter = true},
	[P_JOB_RESULT] = {"job_result", "", NULL,
		{"Итог последнего задания", "Result of the last job"}, GROUP_STATUS, false,
		.kind = VALUE_ENUM, .words = results},
	[P_FIRMWARE] = {"firmware", "", NULL, {"Прошивка", "Firmware"}, GROUP_BOOT, false,
		.kind = VALUE_ENUM, .words = firmwares},
	[P_VERSION] = {"version", "", "device_fw", {"Версия прошивки", "Firmware version"},
		GROUP_BOOT, true, .kind = VALUE_STRING},
};

static const struct group groups[] = {
	[GROUP_STATUS] = {"status", 1000, 1},
	[GROUP_BOOT] = {"boot", 0, 2},
};

static const struct driver_query queries[] = {QUERY("?")};

/* ---- asking --------------------------------------------------------------------------------- */

static int
take_line(struct device *dev, struct grbl *g, int timeout_ms)
{
	char line[LINE_SIZE];
	int rc = device_receive(dev, line, sizeof(line), timeout_ms);

	if (rc > 0)
		grbl_hear(g, line, device_now_ms(dev));
	return rc;
}

static int
take_pending(struct device *dev, struct grbl *g)
{
	int rc = 0;

	for (int i = 0; i < LINES_AT_ONCE && rc >= 0; i++)
		rc = take_line(dev, g, 0);
	return rc == -ETIMEDOUT || rc > 0 ? 0 : rc;
}

static bool
is_enough(const struct grbl *g)
{
	return g->arrived || (g->opening && (g->proved || g->foreign));
}

static int
await(struct device *dev, struct grbl *g, int64_t until_ms)
{
	int64_t left;

	while (!is_enough(g) && (left = until_ms - device_now_ms(dev)) > 0) {
		int rc = take_line(dev, g, (int)left);
		if (rc < 0 && rc != -ETIMEDOUT)
			return rc;
	}
	return is_enough(g) ? 0 : -ETIMEDOUT;
}

/* Never more often than it is good for the machine: what comes too early waits. */
static int
ask(struct device *dev, struct grbl *g)
{
	int rc, timeout_ms = device_timeout_ms(dev);

	g->arrived = false;
	if (g->asked_ms) {
		rc = await(dev, g, g->asked_ms + ASK_EVERY_MS);
		if (rc != -ETIMEDOUT)
			return rc;
	}
	g->asked_ms = device_now_ms(dev);
	if (!g->opening && timeout_ms > DEAF_MS && grbl_may_be_silent(g, g->asked_ms))
		timeout_ms = DEAF_MS;
	rc = device_ask(dev, 0);
	return rc < 0 ? rc : await(dev, g, g->asked_ms + timeout_ms);
}

static int
refresh(struct device *dev, struct grbl *g)
{
	int rc = take_pending(dev, g);

	if (rc < 0 || (g->report_ms && device_now_ms(dev) - g->report_ms < ASK_EVERY_MS))
		return rc;
	return ask(dev, g);
}

static int
grbl_open(struct device *dev)
{
	struct grbl *g = device_state(dev);
	int rc = -ETIMEDOUT;

	g->opening = true;
	g->proved = g->foreign = g->arrived = false;
	g->report_ms = 0;
	if (device_was_reset(dev))
		rc = await(dev, g, device_now_ms(dev) + BANNER_MS);
	if (rc == -ETIMEDOUT)
		rc = ask(dev, g);
	g->opening = false;
	if (rc == 0 && !g->proved)
		rc = -ESTALE;
	if (rc == 0)
		device_set_identity(dev, "Grbl");
	return rc;
}

static int
grbl_listen(struct device *dev)
{
	struct grbl *g = device_state(dev);
	int rc;

	g->news = false;
	rc = take_pending(dev, g);
	return rc < 0 ? rc : g->news;
}

/* ---- reporting ------------------------------------------------------------------------------ */

/* What we know without the machine's answer. */
static void
report_known(struct device *dev, const struct grbl *g)
{
	if (g->state == GRBL_STATE_UNKNOWN)
		device_report_fail(dev, P_STATE, FAIL_OUT_OF_RANGE, 0);
	else
		device_report_word(dev, P_STATE, grbl_states[g->state]);
	device_report_real(dev, P_LASER_ON_S, (double)g->laser_ms / 1000, 1);
	device_report_int(dev, P_LAST_ALARM, g->last_alarm);
	device_report_int(dev, P_LAST_ERROR, g->last_error);
	device_report_text(dev, P_LAST_ERROR_TEXT,
		g->last_error ? grbl_error_text(g->family, g->last_error) : "");
	device_report_int(dev, P_ERRORS, g->errors);
	device_report_word(dev, P_JOB_RESULT, results[g->result]);
}

static void
report_real_if(struct device *dev, unsigned point, bool has, double v, unsigned decimals)
{
	if (has)
		device_report_real(dev, point, v, decimals);
	else
		device_report_fail(dev, point, FAIL_UNSUPPORTED, 0);
}

static void
report_int_if(struct device *dev, unsigned point, enum fail without, int64_t v)
{
	if (without == FAIL_NONE)
		device_report_int(dev, point, v);
	else
		device_report_fail(dev, point, without, 0);
}

/* Rare fields: why there is none, FAIL_NONE: it still counts. */
static enum fail
age_of(int64_t at_ms, int64_t now)
{
	return !at_ms ? FAIL_NOT_AVAILABLE : now - at_ms > KEEP_MS ? FAIL_STALE : FAIL_NONE;
}

static void
report_position(struct device *dev, const struct grbl *g, int64_t now)
{
	const struct grbl_report *r = &g->report;
	enum fail without = r->work ? age_of(g->offset_ms, now) : FAIL_NONE;

	for (unsigned i = 0; i < GRBL_AXES; i++) {
		double offset = r->work && i < g->offsets ? g->offset[i] : 0;
		if (i < r->axes && without != FAIL_NONE)
			device_report_fail(dev, P_X + i, without, 0);
		else
			report_real_if(dev, P_X + i, i < r->axes, r->position[i] + offset, 3);
	}
}

static void
report_motion(struct device *dev, const struct grbl *g, int64_t now)
{
	const struct grbl_report *r = &g->report;
	bool card = grbl_card_runs(g);

	report_int_if(
		dev, P_SUBSTATE, r->substate < 0 ? FAIL_NOT_AVAILABLE : FAIL_NONE, r->substate);
	report_position(dev, g, now);
	report_real_if(dev, P_FEED, r->has_feed, r->feed, 0);
	report_real_if(dev, P_SPINDLE, r->has_spindle, r->spindle, 0);
	if (r->has_spindle)
		device_report_bool(dev, P_LASER_ON, g->laser_on);
	else
		device_report_fail(dev, P_LASER_ON, FAIL_UNSUPPORTED, 0);
	if (!card && g->had_card)
		device_report_fail(dev, P_PROGRESS, FAIL_NOT_AVAILABLE, 0);
	else
		report_real_if(dev, P_PROGRESS, card, r->card_pct, 2);
}

static void
report_rest(struct device *dev, const struct grbl *g, int64_t now)
{
	static const struct {
		unsigned point;
		char letter;
	} pins[] = {{P_LIMIT_X, 'X'}, {P_LIMIT_Y, 'Y'}, {P_LIMIT_Z, 'Z'}, {P_PROBE, 'P'},
		{P_DOOR, 'D'}};
	enum fail overrides = age_of(g->overrides_ms, now);

	for (size_t i = 0; i < sizeof(pins) / sizeof(pins[0]); i++)
		device_report_bool(dev, pins[i].point, g->report.pins & GRBL_PIN(pins[i].letter));
	report_int_if(dev, P_BUFFER, g->report.buffer_free < 0 ? FAIL_UNSUPPORTED : FAIL_NONE,
		g->report.buffer_free);
	report_int_if(dev, P_FEED_OVERRIDE, overrides, g->feed_override);
	report_int_if(dev, P_SPINDLE_OVERRIDE, overrides, g->spindle_override);
}

static void
report_boot(struct device *dev, const struct grbl *g)
{
	device_report_word(dev, P_FIRMWARE, firmwares[g->family]);
	if (g->version[0])
		device_report_text(dev, P_VERSION, g->version);
	else
		device_report_fail(dev, P_VERSION, FAIL_NOT_AVAILABLE, 0);
}

static int
grbl_poll(struct device *dev, unsigned group)
{
	struct grbl *g = device_state(dev);
	int rc = refresh(dev, g);
	int64_t now = device_now_ms(dev);
	bool answered = rc == 0;
	struct status status;

	if (!answered && !(rc == -ETIMEDOUT && grbl_may_be_silent(g, now)))
		return rc;
	if (group == GROUP_BOOT)
		report_boot(dev, g);
	else
		report_known(dev, g);
	if (answered && group == GROUP_STATUS) { /* otherwise the core calls the rest stale */
		report_motion(dev, g, now);
		report_rest(dev, g, now);
	}
	status = grbl_status(g, now);
	device_set_status(dev, &status);
	return 0;
}

const struct driver driver_grbl = {
	.name = "grbl",
	.summary = "CNC machines and lasers with Grbl, grblHAL or FluidNC, on USB serial",
	.link = LINK_SERIAL,
	.points = points,
	.n_points = POINTS,
	.groups = groups,
	.n_groups = sizeof(groups) / sizeof(groups[0]),
	.faults = grbl_faults,
	.n_faults = GRBL_FAULTS,
	.queries = queries,
	.n_queries = sizeof(queries) / sizeof(queries[0]),
	.timeout_ms = 1000,
	.state_size = sizeof(struct grbl),
	.open = grbl_open,
	.poll = grbl_poll,
	.listen = grbl_listen,
};
