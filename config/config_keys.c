/* SPDX-License-Identifier: MIT */
/* config_keys.c -- every key of the configuration file */
#include "config/config_keys.h"

#define SECOND INT64_C(1000)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)

static const char *const language_words[] = {"en", "ru", NULL};
static const char *const protocol_words[] = {"auto", "5", "3.1.1", NULL};
static const char *const ack_words[] = {"broker", "archiver", NULL};
static const char *const clock_words[] = {"auto", "file", "kernel", "trust", NULL};
static const char *const bus_words[] = {"modbus-rtu", "modbus-tcp", NULL};
static const char *const open_words[] = {"resets", "safe", NULL};
static const char *const class_words[] = {
	"3d-printer", "laser-cutter", "drone-charger", "cnc", "environment", "other", NULL};
const char *const config_baud_words[] = {"1200", "2400", "4800", "9600", "14400", "19200", "38400",
	"57600", "115200", "230400", "460800", "921600", NULL};
const char *const config_format_words[] = {
	"8N1", "8E1", "8O1", "8N2", "8E2", "8O2", "7N1", "7E1", "7O1", "7N2", "7E2", "7O2", NULL};

#define STRINGS "{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"minItems\":1}"
#define BROKERS                                                                                    \
	"{\"type\":\"array\",\"minItems\":1,\"items\":{\"type\":\"string\","                       \
	"\"pattern\":\"^mqtts?://[^@/ ]+/?$\"}}"
#define INTERVAL "{\"type\":\"string\",\"pattern\":\"^([0-9]+(ms|s|min|h|d)|continuous)$\"}"
#define DEADBAND                                                                                   \
	"{\"type\":[\"number\",\"object\"],\"minimum\":0,"                                         \
	"\"additionalProperties\":{\"type\":\"number\",\"minimum\":0}}"

/* ---- machines and their sources ---------------------------------------------------------- */

#define AT(field) offsetof(struct source_draft, field)
static const struct key source_keys[] = {
	{.name = "id",
		.type = KEY_ID,
		.flags = KEY_REQUIRED,
		.offset = AT(s.id),
		.doc = "unique in its machine"},
	{.name = "driver",
		.type = KEY_STRING,
		.flags = KEY_REQUIRED,
		.offset = AT(driver),
		.schema = "{\"enum\":[\"modbus\",\"marlin\",\"grbl\",\"icharger\",\"skyrc\"]}",
		.doc = "modbus, marlin, grbl, icharger, skyrc"},
	{.name = "interval",
		.type = KEY_NODE,
		.offset = AT(interval),
		.schema = INTERVAL,
		.shown = "the profile's or driver's",
		.doc = "period of the fastest group (100ms to 1d), or `continuous`: as often as the "
		       "line allows, after everything that has a period"},
	{.name = "timeout",
		.type = KEY_MS,
		.offset = AT(s.timeout_ms),
		.min = 20,
		.max = 60 * SECOND,
		.shown = "the profile's or driver's",
		.doc = "request sent to first byte of the answer"},
	{.name = "points",
		.type = KEY_NODE,
		.offset = AT(points),
		.schema = STRINGS,
		.shown = "all that the profile enables or the driver has",
		.doc = "the points to read"},
	{.name = "deadband",
		.type = KEY_NODE,
		.offset = AT(deadband),
		.schema = DEADBAND,
		.shown = "the profile's",
		.doc = "a number, or a map of point to number (published unit): a poll whose points "
		       "all stay inside is not published, but at least one a minute is"},
	{.name = "bus", .type = KEY_ID, .offset = AT(bus), .doc = "modbus, required: id of a bus"},
	{.name = "unit",
		.type = KEY_INT,
		.offset = AT(s.unit),
		.max = 255,
		.code = "P034",
		.shown = "the profile's",
		.doc = "modbus: 1 to 247, on TCP 0 to 255"},
	{.name = "profile",
		.type = KEY_STRING,
		.offset = AT(profile),
		.doc = "modbus, required: id of a profile"},
	{.name = "byte_timeout",
		.type = KEY_MS,
		.offset = AT(s.byte_timeout_ms),
		.max = 10 * SECOND,
		.shown = "the profile's",
		.doc = "modbus: between bytes of an answer"},
	{.name = "min_gap",
		.type = KEY_MS,
		.offset = AT(s.min_gap_ms),
		.max = 10 * SECOND,
		.shown = "the profile's",
		.doc = "modbus: silence before a request, beside the standard's 3.5 characters"},
	{.name = "max_latency",
		.type = KEY_MS,
		.offset = AT(s.max_latency_ms),
		.max = 60 * SECOND,
		.shown = "the profile's",
		.doc = "modbus: how late an answer can still come; after a time-out the unit is "
		       "left alone so long"},
	{.name = "device",
		.type = KEY_STRING,
		.offset = AT(s.device),
		.doc = "marlin, grbl, icharger, skyrc, required: path, `usb:VID:PID[:SERIAL]` or "
		       "`usb-port:BUS-PORT.PORT`, both with `#ifNN` if wanted; for tests `unix:/PATH`"},
	{.name = "baud",
		.type = KEY_INT,
		.offset = AT(s.baud),
		.min = 1200,
		.max = 4000000,
		.shown = "115200",
		.doc = "marlin, grbl"},
	{.name = "on_open",
		.type = KEY_WORD,
		.offset = AT(on_open),
		.words = open_words,
		.shown = "resets",
		.doc = "marlin, grbl: `safe` if opening the port is known not to restart the board"},
};
#undef AT
const struct key_table source_table = KEY_TABLE("source", source_keys);

#define AT(field) offsetof(struct machine_draft, field)
static const struct key publish_keys[] = {
	{.name = "job_names",
		.type = KEY_BOOL,
		.offset = AT(m.job_names),
		.def = "false",
		.doc = "adds `name`, as the machine or a file gives it, to job messages"},
};
static const struct key_table publish_table = KEY_TABLE("publish", publish_keys);

static const struct key job_keys[] = {
	{.name = "end_after",
		.type = KEY_DURATION,
		.offset = AT(m.job_end_after_ms),
		.def = "2min",
		.max = DAY,
		.doc = "idle for this long ends the job"},
	{.name = "min",
		.type = KEY_DURATION,
		.offset = AT(m.job_min_ms),
		.def = "30s",
		.max = DAY,
		.doc = "shorter runs count as seconds, not as jobs"},
};
static const struct key_table job_table = KEY_TABLE("job", job_keys);

static const struct key machine_keys[] = {
	{.name = "id",
		.type = KEY_ID,
		.flags = KEY_REQUIRED,
		.offset = AT(m.id),
		.doc = "unique in the park, a topic level"},
	{.name = "class",
		.type = KEY_NAME,
		.flags = KEY_REQUIRED,
		.offset = AT(m.class),
		.words = class_words,
		.doc = "what kind of machine it is"},
	{.name = "title",
		.type = KEY_TEXT,
		.offset = AT(m.title),
		.shown = "the id",
		.doc = "its name for people"},
	{.name = "asset",
		.type = KEY_STRING,
		.offset = AT(m.asset),
		.shown = "the id",
		.doc = "inventory number; counters follow it"},
	{.name = "always_on",
		.type = KEY_BOOL,
		.offset = AT(m.always_on),
		.def = "false",
		.doc = "silence of an USB device is an alarm too"},
	{.name = "publish", .type = KEY_MAP, .sub = &publish_table, .doc = "what else is told"},
	{.name = "sources",
		.type = KEY_LIST,
		.flags = KEY_REQUIRED,
		.offset = AT(sources),
		.sub = &source_table,
		.doc = "what is polled for it"},
	{.name = "usage",
		.type = KEY_LIST,
		.offset = AT(usage),
		.sub = &usage_table,
		.shown = "the first source's that has one",
		.doc = "what it does; the first rule that holds wins"},
	{.name = "job", .type = KEY_MAP, .sub = &job_table, .doc = "when a job begins and ends"},
	{.name = "alarms",
		.type = KEY_LIST,
		.offset = AT(alarms),
		.sub = &alarm_table,
		.doc = "its alarms, beside those of profiles and drivers; the same code replaces one"},
};
#undef AT
const struct key_table machine_table = KEY_TABLE("machine", machine_keys);

/* ---- buses ------------------------------------------------------------------------------- */

#define AT(field) offsetof(struct bus_draft, field)
static const struct key bus_keys[] = {
	{.name = "id",
		.type = KEY_ID,
		.flags = KEY_REQUIRED,
		.offset = AT(b.id),
		.doc = "unique in the file"},
	{.name = "type",
		.type = KEY_WORD,
		.flags = KEY_REQUIRED,
		.offset = AT(b.type),
		.words = bus_words,
		.doc = "a serial line, or one host:port"},
	{.name = "device",
		.type = KEY_STRING,
		.offset = AT(b.device),
		.doc = "modbus-rtu, required: path, `usb:VID:PID[:SERIAL]` or "
		       "`usb-port:BUS-PORT.PORT`"},
	{.name = "baud",
		.type = KEY_INT,
		.offset = AT(b.baud),
		.min = 1200,
		.max = 921600,
		.code = "P035",
		.shown = "9600",
		.doc = "modbus-rtu: a standard speed"},
	{.name = "format",
		.type = KEY_NAME,
		.offset = AT(format),
		.words = config_format_words,
		.code = "P035",
		.shown = "8N1",
		.doc = "modbus-rtu: data bits, parity, stop bits"},
	{.name = "host",
		.type = KEY_STRING,
		.offset = AT(b.host),
		.doc = "modbus-tcp, required: name or address"},
	{.name = "port",
		.type = KEY_INT,
		.offset = AT(b.port),
		.min = 1,
		.max = 65535,
		.shown = "502",
		.doc = "modbus-tcp"},
};
#undef AT
const struct key_table bus_table = KEY_TABLE("bus", bus_keys);

/* ---- the file ---------------------------------------------------------------------------- */

#define AT(field) offsetof(struct config_draft, field)
static const struct key reconnect_keys[] = {
	{.name = "min",
		.type = KEY_DURATION,
		.offset = AT(c.mqtt.reconnect_min_ms),
		.def = "1s",
		.min = 100,
		.max = HOUR,
		.doc = "first wait after a lost connection"},
	{.name = "max",
		.type = KEY_DURATION,
		.offset = AT(c.mqtt.reconnect_max_ms),
		.def = "30s",
		.min = 100,
		.max = HOUR,
		.doc = "longest wait"},
};
static const struct key_table reconnect_table = KEY_TABLE("reconnect", reconnect_keys);

static const struct key mqtt_keys[] = {
	{.name = "brokers",
		.type = KEY_NODE,
		.flags = KEY_REQUIRED,
		.offset = AT(brokers),
		.schema = BROKERS,
		.doc = "URLs `mqtt://HOST[:1883]` or `mqtts://HOST[:8883]`: nodes of one broker or "
		       "cluster, tried in turn"},
	{.name = "username",
		.type = KEY_STRING,
		.offset = AT(c.mqtt.username),
		.shown = "the park id",
		.doc = "the shipped ACL needs it equal to the park id"},
	{.name = "password_file",
		.type = KEY_STRING,
		.offset = AT(c.mqtt.password_file),
		.shown = "`$CREDENTIALS_DIRECTORY/mqtt-password` where it exists",
		.doc = "file whose first line is the password"},
	{.name = "ca_file",
		.type = KEY_STRING,
		.offset = AT(c.mqtt.ca_file),
		.shown = "the system's CA directory",
		.doc = "whom to trust with mqtts"},
	{.name = "cert_file",
		.type = KEY_STRING,
		.offset = AT(c.mqtt.cert_file),
		.doc = "client certificate; with `key_file`"},
	{.name = "key_file",
		.type = KEY_STRING,
		.offset = AT(c.mqtt.key_file),
		.doc = "its private key"},
	{.name = "topic_root",
		.type = KEY_STRING,
		.flags = KEY_RESTART,
		.offset = AT(c.mqtt.topic_root),
		.def = "parks",
		.doc = "first level of all topics"},
	{.name = "keepalive",
		.type = KEY_DURATION,
		.offset = AT(c.mqtt.keepalive_ms),
		.def = "30s",
		.min = 5 * SECOND,
		.max = 65535 * SECOND,
		.doc = "MQTT keep-alive"},
	{.name = "protocol",
		.type = KEY_WORD,
		.offset = AT(c.mqtt.protocol),
		.words = protocol_words,
		.def = "auto",
		.doc = "`auto`: 5, and 3.1.1 for a broker that cannot"},
	{.name = "window",
		.type = KEY_INT,
		.offset = AT(c.mqtt.window),
		.def = "16",
		.min = 1,
		.max = 65535,
		.doc = "messages sent and not yet acknowledged"},
	{.name = "client_id",
		.type = KEY_STRING,
		.offset = AT(c.mqtt.client_id),
		.shown = "`<park>-<gateway>`",
		.doc = "MQTT client id"},
	{.name = "reconnect",
		.type = KEY_MAP,
		.sub = &reconnect_table,
		.doc = "waits between attempts"},
	{.name = "ack",
		.type = KEY_WORD,
		.offset = AT(ack),
		.words = ack_words,
		.def = "broker",
		.doc = "who confirms that a record is stored"},
};
static const struct key_table mqtt_table = KEY_TABLE("mqtt", mqtt_keys);

static const struct key spool_keys[] = {
	{.name = "path",
		.type = KEY_STRING,
		.flags = KEY_RESTART,
		.offset = AT(c.spool_path),
		.shown = "`$STATE_DIRECTORY`, else /var/lib/labpulse",
		.doc = "a directory"},
	{.name = "max_size",
		.type = KEY_SIZE,
		.offset = AT(c.spool_max_bytes),
		.def = "2GiB",
		.min = 1 << 20,
		.max = INT64_C(1) << 42,
		.doc = "the oldest telemetry goes beyond it"},
};
static const struct key_table spool_table = KEY_TABLE("spool", spool_keys);

static const struct key metrics_keys[] = {
	{.name = "listen",
		.type = KEY_NODE,
		.offset = AT(listen),
		.schema = "{\"type\":\"string\",\"pattern\":\":[0-9]+$\"}",
		.shown = "off",
		.doc = "`ADDRESS:PORT` for metrics over HTTP, in either format of Prometheus"},
};
static const struct key_table metrics_table = KEY_TABLE("metrics", metrics_keys);

static const struct key clock_keys[] = {
	{.name = "source",
		.type = KEY_WORD,
		.offset = AT(c.clock),
		.words = clock_words,
		.def = "auto",
		.doc = "what says that the clock is right"},
};
static const struct key_table clock_table = KEY_TABLE("clock", clock_keys);

static const struct key hass_keys[] = {
	{.name = "prefix",
		.type = KEY_STRING,
		.offset = AT(c.hass_prefix),
		.shown = "off",
		.doc = "Home Assistant's discovery prefix, there `homeassistant` unless it was changed: "
		       "each machine is announced below it ([home-assistant.md](home-assistant.md))"},
};
static const struct key_table hass_table = KEY_TABLE("home_assistant", hass_keys);

static const struct key config_keys[] = {
	{.name = "park",
		.type = KEY_ID,
		.flags = KEY_REQUIRED | KEY_RESTART,
		.offset = AT(c.park),
		.doc = "id of the park (laboratory, site)"},
	{.name = "gateway",
		.type = KEY_ID,
		.flags = KEY_RESTART,
		.offset = AT(c.gateway),
		.shown = "the host name up to the first dot",
		.doc = "id of this gateway, unique in the park"},
	{.name = "language",
		.type = KEY_WORD,
		.offset = AT(c.language),
		.words = language_words,
		.def = "en",
		.doc = "language of alarm texts and hints"},
	{.name = "mqtt",
		.type = KEY_MAP,
		.flags = KEY_REQUIRED,
		.sub = &mqtt_table,
		.doc = "where to publish"},
	{.name = "home_assistant",
		.type = KEY_MAP,
		.sub = &hass_table,
		.doc = "machines as devices of Home Assistant"},
	{.name = "spool",
		.type = KEY_MAP,
		.sub = &spool_table,
		.doc = "what waits for the broker on disk"},
	{.name = "metrics", .type = KEY_MAP, .sub = &metrics_table, .doc = "health for Prometheus"},
	{.name = "clock", .type = KEY_MAP, .sub = &clock_table, .doc = "trust in the clock"},
	{.name = "control",
		.type = KEY_STRING,
		.offset = AT(c.control),
		.shown = "`$RUNTIME_DIRECTORY/control`, else /run/labpulse/control",
		.doc = "path of the socket that `labpulse` talks to"},
	{.name = "buses",
		.type = KEY_LIST,
		.offset = AT(buses),
		.sub = &bus_table,
		.doc = "Modbus lines and hosts"},
	{.name = "machines",
		.type = KEY_LIST,
		.flags = KEY_REQUIRED,
		.offset = AT(machines),
		.sub = &machine_table,
		.doc = "what people use and count"},
};
#undef AT
const struct key_table config_table = KEY_TABLE("config", config_keys);
