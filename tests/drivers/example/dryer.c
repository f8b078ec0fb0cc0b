/* SPDX-License-Identifier: MIT */
/* dryer.c -- an example: the driver of a filament dryer that speaks in lines
 *
 * The dryer does not exist; docs/adding-a-driver.md walks through this file. It answers `ID` with
 * `DRYER model=FD-2 fw=1.3` and `STATUS` with `TEMP=41.5 SET=45 STATE=drying`. Unasked it says
 * `READY` after a reset, and `ALARM=fan` or `ALARM=overheat` when it stops by itself.
 */
#include "drivers/driver.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { TIMEOUT_MS = 1000, BOOT_MS = 3000, LINE_BYTES = 128, TEMP_MIN = -20, TEMP_MAX = 200 };

/* ---- what may be sent ------------------------------------------------------------------------ */

enum { ASK_ID, ASK_STATUS };

static const struct driver_query queries[] = {
	[ASK_ID] = QUERY("ID\n"),
	[ASK_STATUS] = QUERY("STATUS\n"),
};

/* ---- what there is to read ------------------------------------------------------------------- */

enum { GROUP_STATUS, GROUP_BOOT };

/* The second is read once after each plug-in. */
static const struct group groups[] = {
	[GROUP_STATUS] = {"status", 5000, 1},
	[GROUP_BOOT] = {"boot", 0, 2},
};

enum state { STATE_IDLE, STATE_DRYING, STATE_DONE, STATE_FAULT, STATE_UNKNOWN };
static const char *const state_words[] = {"idle", "drying", "done", "fault", NULL};

enum { POINT_STATE, POINT_TEMP, POINT_SET, POINT_FIRMWARE, POINTS };

static const struct point points[POINTS] = {
	[POINT_STATE] = {.id = "state",
		.unit = "",
		.title = {"Состояние", "State"},
		.kind = VALUE_ENUM,
		.words = state_words},
	[POINT_TEMP] = {.id = "chamber_temp_c",
		.unit = "C",
		.class = "temperature_c",
		.title = {"Камера", "Chamber"},
		.kind = VALUE_REAL},
	[POINT_SET] = {.id = "chamber_target_c",
		.unit = "C",
		.class = "setpoint",
		.title = {"Камера, задание", "Chamber target"},
		.kind = VALUE_REAL},
	[POINT_FIRMWARE] = {.id = "firmware",
		.unit = "",
		.class = "device_fw",
		.title = {"Прошивка", "Firmware"},
		.group = GROUP_BOOT,
		.kind = VALUE_STRING},
};

/* ---- what can be wrong ----------------------------------------------------------------------- */

enum { FAULT_FAN, FAULT_OVERHEAT, FAULTS };

static const struct driver_fault faults[FAULTS] = {
	[FAULT_FAN] = {"fan", SEVERITY_ERROR, {"Вентилятор не вращается", "The fan does not turn"},
		{"Посмотрите, не мешает ли ему что-нибудь", "See whether something blocks it"}},
	[FAULT_OVERHEAT] = {"overheat", SEVERITY_CRITICAL,
		{"Сушилка перегрелась", "The dryer is too hot"},
		{"Выключите её и дайте остыть", "Switch it off and let it cool"}},
};

/* ---- what it says ---------------------------------------------------------------------------- */

struct dryer {
	char model[16], firmware[16];
	double temp, set;
	enum state state;
	enum job_result result;
	uint64_t faults;
};

enum said { SAID_READY, SAID_ID, SAID_STATUS, SAID_ALARM, SAID_NOISE };

/* The index of a word, or of the NULL behind the last. */
static unsigned
find_word(const char *const *words, const char *word)
{
	unsigned i = 0;

	while (words[i] && strcmp(words[i], word) != 0)
		i++;
	return i;
}

static void
take_state(struct dryer *d, enum state state)
{
	if (state == STATE_DRYING)
		d->result = JOB_NONE;
	else if (d->state == STATE_DRYING)
		d->result = state == STATE_DONE    ? JOB_FINISHED
			    : state == STATE_FAULT ? JOB_FAULT
						   : JOB_STOPPED;
	if (state != STATE_FAULT)
		d->faults = 0;
	d->state = state;
}

static void
take_alarm(struct dryer *d, const char *word)
{
	for (size_t i = 0; i < FAULTS; i++)
		if (strcmp(faults[i].id, word) == 0)
			d->faults |= UINT64_C(1) << i;
	take_state(d, STATE_FAULT);
}

/* Each line describes itself, whoever asked for it. */
static enum said
take_line(struct dryer *d, const char *line)
{
	char word[16];

	if (strcmp(line, "READY") == 0)
		return SAID_READY;
	if (sscanf(line, "DRYER model=%15s fw=%15s", d->model, d->firmware) == 2)
		return SAID_ID;
	if (sscanf(line, "ALARM=%15s", word) == 1) {
		take_alarm(d, word);
		return SAID_ALARM;
	}
	if (sscanf(line, "TEMP=%lf SET=%lf STATE=%15s", &d->temp, &d->set, word) != 3)
		return SAID_NOISE;
	take_state(d, (enum state)find_word(state_words, word));
	return SAID_STATUS;
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* Takes lines until this one has come. 0, -ETIMEDOUT, or what became of the port. */
static int
await(struct device *dev, enum said wanted, int timeout_ms)
{
	int64_t until_ms = device_now_ms(dev) + timeout_ms, left_ms;
	char line[LINE_BYTES];

	while ((left_ms = until_ms - device_now_ms(dev)) > 0) {
		int rc = device_receive(dev, line, sizeof(line), (int)left_ms);
		if (rc < 0)
			return rc;
		if (take_line(device_state(dev), line) == wanted)
			return 0;
	}
	return -ETIMEDOUT;
}

static int
ask(struct device *dev, unsigned query, enum said wanted)
{
	int rc = device_ask(dev, query);

	return rc < 0 ? rc : await(dev, wanted, device_timeout_ms(dev));
}

/* ---- hooks ----------------------------------------------------------------------------------- */

static int
dryer_open(struct device *dev)
{
	struct dryer *d = device_state(dev);
	char identity[32];
	int rc = 0;

	if (device_was_reset(dev)) /* what is sent to a boot loader is lost */
		rc = await(dev, SAID_READY, BOOT_MS);
	if (rc == 0 || rc == -ETIMEDOUT) /* not a word: it was not reset after all */
		rc = ask(dev, ASK_ID, SAID_ID);
	if (rc < 0)
		return rc;
	if (strncmp(d->model, "FD-", 3) != 0) /* of another make */
		return -ESTALE;
	snprintf(identity, sizeof(identity), "Dryer %s", d->model);
	device_set_identity(dev, identity);
	return 0;
}

static void
report_temp(struct device *dev, unsigned point, double c)
{
	if (c > TEMP_MIN && c < TEMP_MAX)
		device_report_real(dev, point, c, 1);
	else
		device_report_fail(dev, point, FAIL_SENSOR_ERROR, 0);
}

static void
report_status(struct device *dev, const struct dryer *d)
{
	if (d->state == STATE_UNKNOWN)
		device_report_fail(dev, POINT_STATE, FAIL_OUT_OF_RANGE, 0);
	else
		device_report_word(dev, POINT_STATE, state_words[d->state]);
	report_temp(dev, POINT_TEMP, d->temp);
	report_temp(dev, POINT_SET, d->set);
}

static void
conclude(struct device *dev, const struct dryer *d)
{
	static const enum activity activities[] = {[STATE_IDLE] = ACTIVITY_IDLE,
		[STATE_DRYING] = ACTIVITY_BUSY,
		[STATE_DONE] = ACTIVITY_IDLE,
		[STATE_FAULT] = ACTIVITY_IDLE,
		[STATE_UNKNOWN] = ACTIVITY_UNKNOWN};
	const struct status status = {.activity = activities[d->state],
		.result = d->result,
		.progress = -1, /* it does not tell */
		.faults = d->faults};

	device_set_status(dev, &status);
}

static int
dryer_poll(struct device *dev, unsigned group)
{
	struct dryer *d = device_state(dev);
	int rc;

	if (group == GROUP_BOOT) { /* known since open */
		device_report_text(dev, POINT_FIRMWARE, d->firmware);
		return 0;
	}
	rc = ask(dev, ASK_STATUS, SAID_STATUS);
	if (rc < 0)
		return rc;
	report_status(dev, d);
	conclude(dev, d);
	return 0;
}

static int
dryer_listen(struct device *dev)
{
	char line[LINE_BYTES];
	int rc, news = 0;

	while ((rc = device_receive(dev, line, sizeof(line), 0)) > 0)
		news |= take_line(device_state(dev), line) == SAID_ALARM;
	return rc == -ETIMEDOUT ? news : rc;
}

const struct driver driver_dryer = {
	.name = "dryer",
	.summary = "filament dryers FD, on USB serial",
	.link = LINK_SERIAL,
	.points = points,
	.n_points = POINTS,
	.groups = groups,
	.n_groups = sizeof(groups) / sizeof(groups[0]),
	.faults = faults,
	.n_faults = FAULTS,
	.queries = queries,
	.n_queries = sizeof(queries) / sizeof(queries[0]),
	.timeout_ms = TIMEOUT_MS,
	.state_size = sizeof(struct dryer),
	.open = dryer_open,
	.poll = dryer_poll,
	.listen = dryer_listen,
};
