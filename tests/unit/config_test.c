/* SPDX-License-Identifier: MIT */
/* config_test.c -- loading the configuration: defaults, mistakes, rules, bus load */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"
#include "config/load.h"

#define HEAD "park: p\nmqtt: {brokers: [mqtt://h]}\n"
#define BUSES                                                                                      \
	"buses:\n"                                                                                 \
	"  - {id: line, type: modbus-rtu, device: /dev/ttyS0}\n"                                   \
	"  - {id: net, type: modbus-tcp, host: 10.0.0.1}\n"
#define MACHINE "machines:\n  - id: m\n    class: cnc\n    sources:\n"
#define METER "      - {id: meter, driver: modbus, bus: line, unit: 1, profile: eastron-sdm120}\n"
/* Lines 1 and 2, 3 to 5, 6 to 9, 10; what a case adds begins on line 11. */
#define GOOD HEAD BUSES MACHINE METER

static struct config *
load(const char *text, struct problems *problems)
{
	return config_load_text("t.yaml", text, strlen(text), "config/profiles", problems);
}

static struct config *
good(const char *text)
{
	struct problems problems = {0};
	struct config *c = load(text, &problems);

	problems_print(&problems, stdout);
	assert_non_null(c);
	problems_free(&problems);
	return c;
}

static void
defaults_are_filled_in(void **state)
{
	(void)state;
	unsetenv("STATE_DIRECTORY");
	unsetenv("RUNTIME_DIRECTORY");
	struct config *c = good(GOOD);
	assert_string_equal(c->mqtt.username, "p");
	assert_string_equal(c->mqtt.topic_root, "parks");
	assert_int_equal(c->mqtt.brokers[0].port, 1883);
	assert_int_equal(c->mqtt.window, 16);
	assert_int_equal(c->mqtt.reconnect_max_ms, 30000);
	assert_string_equal(c->spool_path, "/var/lib/labpulse");
	assert_int_equal(c->spool_max_bytes, INT64_C(2) << 30);
	assert_string_equal(c->control, "/run/labpulse/control");
	assert_null(c->metrics_host);
	assert_true(*c->gateway && !strpbrk(c->gateway, ". ABCDEFGHIJKLMNOPQRSTUVWXYZ"));
	assert_string_equal(c->machines[0].asset, "m");
	assert_int_equal(c->machines[0].job_end_after_ms, 120000);
	assert_int_equal(strlen(c->hash), 16);
	assert_int_equal(c->n_profiles, 1);
	config_free(c);
	setenv("STATE_DIRECTORY", "/a:/b", 1);
	setenv("RUNTIME_DIRECTORY", "/r", 1);
	c = good(GOOD);
	assert_string_equal(c->spool_path, "/a");
	assert_string_equal(c->control, "/r/control");
	config_free(c);
	unsetenv("STATE_DIRECTORY");
	unsetenv("RUNTIME_DIRECTORY");
}

static void
everything_is_taken_over(void **state)
{
	struct config *c = good(
		"park: ryazan\ngateway: gw1\nlanguage: ru\n"
		"mqtt:\n  brokers: [\"mqtts://[::1]\", mqtt://b.example.org:1900/]\n  username: u\n"
		"  protocol: 3.1.1\n  window: 65535\n  ack: archiver\n  client_id: x\n"
		"  reconnect: {min: 500ms, max: 1min}\n  topic_root: a/b\n"
		"metrics: {listen: \"[::]:9560\"}\nclock: {source: trust}\n" BUSES
		"machines:\n  - id: m\n    class: environment\n    always_on: true\n"
		"    publish: {job_names: true}\n    sources:\n"
		"      - {id: a, driver: modbus, bus: net, unit: 0, profile: eastron-sdm120,\n"
		"         interval: continuous, points: [power_w], deadband: {power_w: 2}, timeout: 2s}\n"
		"      - {id: b, driver: marlin, device: \"usb:1a86:7523:AB#if00\", on_open: safe}\n");

	(void)state;
	assert_true(c->mqtt.brokers[0].tls);
	assert_string_equal(c->mqtt.brokers[0].host, "::1");
	assert_int_equal(c->mqtt.brokers[0].port, 8883);
	assert_int_equal(c->mqtt.brokers[1].port, 1900);
	assert_int_equal(c->mqtt.protocol, PROTOCOL_311);
	assert_true(c->mqtt.ack_archiver);
	assert_string_equal(c->metrics_host, "::");
	assert_int_equal(c->clock, CLOCK_SOURCE_TRUST);
	assert_int_equal(c->language, LANGUAGE_RU);
	const struct machine_config *m = &c->machines[0];
	assert_true(m->always_on && m->job_names);
	const struct source_config *s = &m->sources[0];
	assert_true(s->continuous);
	assert_int_equal(s->timeout_ms, 2000);
	size_t wanted = 0;
	for (size_t i = 0; i < s->profile->regs.n_points; i++)
		wanted += s->wanted[i];
	assert_int_equal(wanted, 1);
	assert_true(s->n_deadbands == 1 && s->deadbands[0].value == 2);
	assert_true(m->sources[1].on_open_safe);
	assert_true(c->buses[s->bus].load_pct == 0);
	config_free(c);
}

/* The one warning about a password_file; NULL: there is none. */
static const char *
password_warning(const char *file)
{
	static char line[512];
	char text[512];
	struct problems problems = {0};
	int len = snprintf(text, sizeof text,
		"park: p\nmqtt: {brokers: [mqtt://h], password_file: \"%s\"}\n"
		"buses: []\nmachines: []\n",
		file);
	config_free(config_load_text("x.yaml", text, (size_t)len, "config/profiles", &problems));
	const char *found = NULL;
	for (size_t i = 0; i < problems.n; i++)
		if (!problems.list[i].is_error) {
			problem_format(&problems.list[i], line, sizeof line);
			found = line;
		}
	problems_free(&problems);
	return found;
}

static void
who_may_read_the_password(void **state)
{
	static const struct {
		mode_t mode;
		const char *says;
	} modes[] = {{0600, NULL}, {0640, NULL}, {0400, NULL}, {0440, NULL},
		{0644, "can be read by everybody (mode 0644)"}, {0604, "read by everybody"},
		{0660, "can be changed by others (mode 0660)"}, {0602, "changed by others"},
		{0641, "read by everybody"}};
	char file[] = "/tmp/config_test.XXXXXX";
	int fd = mkstemp(file);
	(void)state;
	assert_true(fd >= 0);
	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		assert_int_equal(fchmod(fd, modes[i].mode), 0);
		const char *says = password_warning(file);
		if (!modes[i].says) {
			assert_null(says);
			continue;
		}
		assert_non_null(says);
		assert_non_null(strstr(says, modes[i].says));
		assert_non_null(strstr(says, "x.yaml:2:44: warning: mqtt.password_file: /tmp/"));
		assert_non_null(strstr(
			says, "chmod 640 and a group of its readers only, such as root:labpulse"));
	}
	close(fd);
	unlink(file);
	assert_non_null(strstr(password_warning(file), "No such file"));
	assert_null(password_warning("/etc/labpulse-of-another-computer/mqtt-password"));
	assert_non_null(strstr(password_warning("/tmp"), "is not a file"));
	assert_non_null(strstr(password_warning("Hunter2"), "the path of a file"));
	assert_null(strstr(password_warning("Hunter2"), "Hunter2"));
}

struct mistake {
	int line, column;
	const char *says;
	const char *text;
};

static const struct mistake mistakes[] = {
	{1, 1, "\"park\" is missing", "mqtt: {brokers: [mqtt://h]}\nmachines: []\n"},
	{1, 7, "is not an id", "park: Ryazan\nmqtt: {brokers: [mqtt://h]}\nmachines: []\n"},
	{1, 1, "did you mean \"park\"", "parc: p\nmqtt: {brokers: [mqtt://h]}\nmachines: []\n"},
	{2, 18, "username and password_file", "park: p\nmqtt: {brokers: [\"mqtt://u:p@h\"]}\n"},
	{2, 18, "username and password_file", "park: p\nmqtt: {brokers: [\"tcp://u:p@h\"]}\n"},
	{2, 29, "unknown key \"password\"; known are brokers, username, password_file",
		"park: p\nmqtt: {brokers: [mqtt://h], password: p}\n"},
	{2, 18, "is not mqtt://", "park: p\nmqtt: {brokers: [http://h]}\n"},
	{2, 18, "is not mqtt://", "park: p\nmqtt: {brokers: [\"mqtt://h:99999\"]}\n"},
	{2, 37, "1 to 65535", "park: p\nmqtt: {brokers: [mqtt://h], window: 0}\n"},
	{2, 40, "not a duration", "park: p\nmqtt: {brokers: [mqtt://h], keepalive: 30}\n"},
	{2, 7, "need each other", "park: p\nmqtt: {brokers: [mqtt://h], cert_file: /x}\n"},
	{2, 41, "topic levels", "park: p\nmqtt: {brokers: [mqtt://h], topic_root: \"a/#\"}\n"},
	{3, 19, "ADDRESS:PORT", HEAD "metrics: {listen: localhost}\n"},
	{3, 19, "not a size", HEAD "spool: {max_size: 2}\n"},
	{4, 5, "\"device\" is missing", HEAD "buses:\n  - {id: a, type: modbus-rtu}\n"},
	{4, 46, "does not belong",
		HEAD "buses:\n  - {id: a, type: modbus-tcp, host: h, baud: 9600}\n"},
	{4, 39, "is not a path",
		HEAD "buses:\n  - {id: a, type: modbus-rtu, device: \"usb:12:34\"}\n"},
	{5, 10, "defined twice",
		HEAD "buses:\n  - {id: a, type: modbus-tcp, host: h}\n"
		     "  - {id: a, type: modbus-tcp, host: i}\n"},
	{5, 5, "already",
		HEAD "buses:\n  - {id: a, type: modbus-tcp, host: h}\n"
		     "  - {id: b, type: modbus-tcp, host: h}\n"},
	{10, 25, "is not known; did you mean \"modbus\"",
		HEAD BUSES MACHINE "      - {id: s, driver: modbis}\n"},
	{10, 38, "is not defined; did you mean \"line\"",
		HEAD BUSES MACHINE
		"      - {id: s, driver: modbus, bus: lime, profile: eastron-sdm120}\n"},
	{10, 53, "did you mean \"eastron-sdm120\"",
		HEAD BUSES MACHINE
		"      - {id: s, driver: modbus, bus: line, profile: eastron-sdm}\n"},
	{10, 78, "did you mean \"power_w\"",
		HEAD BUSES MACHINE
		"      - {id: s, driver: modbus, bus: line, profile: eastron-sdm120, "
		"points: [powr_w]}\n"},
	{10, 79, "100ms",
		HEAD BUSES MACHINE
		"      - {id: s, driver: modbus, bus: line, profile: eastron-sdm120, "
		"interval: 50ms}\n"},
	{10, 9, "\"device\" is missing", HEAD BUSES MACHINE "      - {id: s, driver: grbl}\n"},
	{11, 14, "defined twice", GOOD METER},
	{11, 14, "would have alarms of the same code",
		HEAD BUSES MACHINE
		"      - {id: a_b, driver: modbus, bus: line, profile: eastron-sdm120}\n"
		"      - {id: a-b, driver: modbus, bus: line, unit: 2, profile: eastron-sdm120}\n"},
	{14, 12, "asset \"INV-1\" is that of machine \"m\" already",
		GOOD "    asset: INV-1\n  - id: n\n    class: cnc\n    asset: INV-1\n    sources:\n"
		     "      - {id: a, driver: marlin, device: /dev/ttyUSB1}\n"},
	{12, 9, "asset \"n\" is that of machine \"a\" already", /* its own id */
		HEAD BUSES
		"machines:\n  - id: a\n    asset: n\n    class: cnc\n    sources:\n" METER
		"  - id: n\n    class: cnc\n    sources:\n" METER},
	{11, 9, "P040",
		GOOD
		"      - {id: two, driver: modbus, bus: line, unit: 1, profile: eastron-sdm120, "
		"timeout: 3s}\n"},
	{12, 33, "there is no point \"meter.powr_w\"; did you mean \"meter.power_w\"",
		GOOD "    usage:\n      - {activity: busy, point: meter.powr_w, above: 1}\n"
		     "      - {activity: idle}\n"},
	{12, 33, "source.point",
		GOOD "    usage:\n      - {activity: busy, point: power_w, above: 1}\n"
		     "      - {activity: idle}\n"},
	{12, 9, "no final rule",
		GOOD "    usage:\n      - {activity: busy, point: meter.power_w, above: 1}\n"},
	{12, 65, "must be less",
		GOOD
		"    usage:\n      - {activity: busy, point: meter.power_w, above: 1, below: 2}\n"
		"      - {activity: idle}\n"},
	{12, 9, "\"clear\"",
		GOOD "    alarms:\n      - {code: x, point: meter.power_w, above: 2, below: 1}\n"},
	{12, 9, "nothing here has an alarm",
		GOOD "    alarms:\n      - {code: x, severity: none}\n"},
	{12, 16, "is not an alarm code", GOOD "    alarms:\n      - {code: X, activity: busy}\n"},
	{12, 27, "no source", GOOD "    alarms:\n      - {code: x, source: zz, ok: false}\n"},
	{12, 28, "did you mean \"board.hotend_temp_c\"",
		HEAD BUSES MACHINE "      - {id: board, driver: marlin, device: /dev/ttyUSB1}\n"
				   "    alarms:\n"
				   "      - {code: hot, point: board.hotend_tmp_c, above: 260}\n"},
	{12, 9, "nothing here has an alarm",
		HEAD BUSES MACHINE "      - {id: board, driver: marlin, device: /dev/ttyUSB1}\n"
				   "    alarms:\n      - {code: board-melted, severity: none}\n"},
	{11, 41, "is source \"a\" of machine \"m\" already",
		HEAD BUSES MACHINE "      - {id: a, driver: marlin, device: \"usb:1a86:7523\"}\n"
				   "      - {id: b, driver: marlin, device: \"usb:1a86:7523\"}\n"},
	{4, 5, "P039",
		HEAD
		"buses:\n  - {id: line, type: modbus-rtu, device: /dev/ttyS0}\n" MACHINE
		"      - {id: s, driver: modbus, bus: line, profile: eastron-sdm120, interval: "
		"100ms}\n"},
};

static bool
has(const struct problems *problems, const struct mistake *m)
{
	for (size_t i = 0; i < problems->n; i++) {
		const struct problem *p = &problems->list[i];
		bool says = strstr(p->text, m->says) || strcmp(p->code, m->says) == 0;
		if (says && p->line == m->line && p->column == m->column)
			return true;
	}
	return false;
}

static void
mistakes_are_told_at_their_place(void **state)
{
	int missed = 0;

	(void)state;
	for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
		struct problems problems = {0};
		struct config *c = load(mistakes[i].text, &problems);
		if (c || !has(&problems, &mistakes[i])) {
			missed++;
			printf("case %zu: not \"%s\" at %d:%d\n", i, mistakes[i].says,
				mistakes[i].line, mistakes[i].column);
			problems_print(&problems, stdout);
		}
		config_free(c);
		problems_free(&problems);
	}
	assert_int_equal(missed, 0);
}

/* Each USB device is a bus; the driver's points, words and faults are as a profile's. */
static void
usb_machines_have_their_drivers_points(void **state)
{
	struct config *c = good(HEAD BUSES MACHINE
		"      - {id: board, driver: marlin, device: \"usb:1a86:7523\", baud: 250000,\n"
		"         points: [state, hotend_temp_c], deadband: 0.5, interval: 2s}\n"
		"      - {id: aux, driver: grbl, device: /dev/ttyUSB1, on_open: safe}\n"
		"      - {id: usb, driver: icharger, device: \"unix:/tmp/c\"}\n"
		"    usage:\n"
		"      - {activity: busy, point: board.state, equals: printing}\n"
		"      - {activity: idle}\n"
		"    alarms:\n"
		"      - {code: board-thermal-runaway, severity: warning}\n"
		"      - {code: hot, point: board.hotend_temp_c, above: 260}\n");
	const struct source_config *s = c->machines[0].sources;

	(void)state;
	assert_int_equal(c->n_buses, c->n_lines + 3);
	const struct bus_config *bus = &c->buses[s[0].bus];
	assert_string_equal(strrchr(bus->id, '/'), "/board");
	assert_true(bus->type == BUS_SERIAL && bus->baud == 250000 && bus->resets);
	assert_false(c->buses[s[1].bus].resets);
	assert_int_equal(c->buses[s[2].bus].type, BUS_HID);
	size_t wanted = 0;
	for (size_t i = 0; i < s[0].profile->regs.n_points; i++)
		wanted += s[0].wanted[i];
	assert_int_equal(wanted, 2);
	assert_string_equal(s[0].profile->regs.id, "marlin");
	assert_int_equal(c->machines[0].alarms[0].severity, SEVERITY_WARNING);
	assert_non_null(c->machines[0].alarms[0].text.ru); /* the driver's */
	config_free(c);
}

static void
rules_are_kept_as_written(void **state)
{
	struct config *c = good(GOOD
		"    usage:\n"
		"      - {activity: busy, point: meter.power_w, above: 120, below: 80, for: 10s}\n"
		"      - {activity: \"off\"}\n"
		"    alarms:\n"
		"      - {code: hot, point: meter.power_w, above: 30, clear: 28, severity: critical}\n"
		"      - {code: both, all: [{activity: busy}, {source: meter, ok: false}], hits: 3}\n"
		"      - {code: meter-silent, severity: none}\n");
	const struct machine_config *m = &c->machines[0];

	(void)state;
	assert_int_equal(m->n_usage, 2);
	assert_true(m->usage[0].when.has_exit && m->usage[0].when.exit == 80);
	assert_int_equal(m->usage[0].for_ms, 10000);
	assert_true(m->usage[1].always && m->usage[1].activity == ACTIVITY_OFF);
	assert_int_equal(m->n_alarms, 3);
	assert_true(m->alarms[0].has_clear && m->alarms[0].clear == 28);
	assert_int_equal(m->alarms[1].when.kind, CONDITION_ALL);
	assert_int_equal(m->alarms[1].when.parts[1].kind, CONDITION_SOURCE);
	assert_true(m->alarms[2].silent && m->alarms[2].severity == SEVERITY_NONE);
	config_free(c);
}

/* The alarms of my_board are called my-board-…: they are found by that name. */
static void
an_alarm_of_a_source_with_an_underscore_can_be_changed(void **state)
{
	struct problems problems = {0};

	(void)state;
	struct config *c =
		load(HEAD MACHINE "      - {id: my_board, driver: marlin, device: /dev/ttyUSB0}\n"
				  "    alarms:\n"
				  "      - {code: my-board-thermal-runaway, latch: true}\n"
				  "      - {code: my-board-silent, severity: none}\n",
			&problems);
	assert_non_null(c);
	assert_int_equal(problems.n, 0);
	assert_int_equal(c->machines[0].alarms[0].severity, SEVERITY_CRITICAL); /* the driver's */
	assert_non_null(c->machines[0].alarms[0].text.ru);
	assert_int_equal(c->machines[0].alarms[1].severity, SEVERITY_NONE);
	config_free(c);
	problems_free(&problems);
}

static void
equal_sources_may_share_a_unit(void **state)
{
	struct config *one = good(GOOD);
	struct config *two = good(GOOD "  - id: n\n    class: cnc\n    sources:\n" METER);

	(void)state;
	assert_true(one->buses[0].load_pct > 0 && one->buses[0].load_pct < 70);
	/* Planned together: the second costs nothing. */
	assert_true(one->buses[0].load_pct == two->buses[0].load_pct);
	config_free(one);
	config_free(two);
}

static void
a_full_bus_is_warned_about(void **state)
{
	struct problems problems = {0};
	struct config *c = load(HEAD BUSES MACHINE
		"      - {id: meter, driver: modbus, bus: line, unit: 1, profile: eastron-sdm120, "
		"interval: 180ms}\n",
		&problems);

	(void)state;
	problems_print(&problems, stdout);
	assert_non_null(c);
	assert_int_equal(problems.warnings, 1);
	assert_string_equal(problems.list[0].code, "P039");
	size_t n;
	struct group_load *g = load_of_source(c, &c->machines[0].sources[0], &n);
	assert_int_equal(n, 2);
	assert_int_equal(g[0].period_ms, 180);
	assert_int_equal(g[1].period_ms, 60000);
	free(g);
	config_free(c);
	problems_free(&problems);
}

static void
the_hash_follows_the_text(void **state)
{
	struct config *a = good(GOOD), *b = good(GOOD), *c = good(GOOD "# more\n");

	(void)state;
	assert_string_equal(a->hash, b->hash);
	assert_string_not_equal(a->hash, c->hash);
	config_free(a);
	config_free(b);
	config_free(c);
}

static void
what_ships_loads(void **state)
{
	struct problems problems = {0};
	struct config *c = config_load("config/labpulse.yaml", NULL, &problems);

	(void)state;
	problems_print(&problems, stdout);
	assert_non_null(c);
	assert_int_equal(problems.n, 0);
	config_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_filled_in),
		cmocka_unit_test(everything_is_taken_over),
		cmocka_unit_test(mistakes_are_told_at_their_place),
		cmocka_unit_test(who_may_read_the_password),
		cmocka_unit_test(usb_machines_have_their_drivers_points),
		cmocka_unit_test(rules_are_kept_as_written),
		cmocka_unit_test(an_alarm_of_a_source_with_an_underscore_can_be_changed),
		cmocka_unit_test(equal_sources_may_share_a_unit),
		cmocka_unit_test(a_full_bus_is_warned_about),
		cmocka_unit_test(the_hash_follows_the_text),
		cmocka_unit_test(what_ships_loads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
