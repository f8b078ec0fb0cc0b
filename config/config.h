/* SPDX-License-Identifier: MIT */
/* config.h -- the configuration as the daemon and the tools use it
 *
 * Loaded whole or not at all, immutable afterwards, owns all its strings. Loop thread or tool.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "config/problem.h"
#include "config/profile.h"
#include "config/rule.h"
#include "drivers/driver.h"

enum language { LANGUAGE_EN, LANGUAGE_RU };
enum mqtt_protocol { PROTOCOL_AUTO, PROTOCOL_5, PROTOCOL_311 };
enum clock_source { CLOCK_SOURCE_AUTO, CLOCK_SOURCE_FILE, CLOCK_SOURCE_KERNEL, CLOCK_SOURCE_TRUST };

struct broker {
	const char *host; /* without [ ] */
	int port;
	bool tls;
};

struct mqtt_config {
	struct broker *brokers;
	size_t n_brokers;
	const char *username;      /* default: the park */
	const char *password_file; /* NULL: $CREDENTIALS_DIRECTORY/mqtt-password where it exists */
	const char *ca_file;       /* NULL: /etc/ssl/certs */
	const char *cert_file, *key_file;
	const char *topic_root; /* "parks" */
	int64_t keepalive_ms;
	enum mqtt_protocol protocol;
	int window;
	const char *client_id; /* default <park>-<gateway> */
	int64_t reconnect_min_ms, reconnect_max_ms;
	bool ack_archiver;
};

enum bus_type {
	BUS_MODBUS_RTU,
	BUS_MODBUS_TCP,
	BUS_SERIAL, /* one USB machine that speaks in lines, */
	BUS_HID     /* or in HID reports: made from a source with `device` */
};

struct bus_config {
	const char *id; /* BUS_SERIAL, BUS_HID: "machine/source" */
	enum bus_type type;
	const char *device; /* all but TCP */
	int baud;
	char format[4];
	const char *host; /* TCP */
	int port;
	const struct driver *driver; /* BUS_SERIAL, BUS_HID */
	bool resets;                 /* BUS_SERIAL: opening the port restarts the board */
	double load_pct; /* computed by the loader: share of bus time that the polls need */
};

struct deadband {
	const char *point; /* NULL: every numeric point of the source */
	double value;      /* published unit */
};

struct source_config {
	const char *id;
	const struct driver *driver;
	size_t bus; /* index into config->buses */
	int unit;
	/* What it has: the profile's, or the driver's own points, groups and alarms. */
	const struct profile_file *profile;
	int64_t interval_ms; /* 0: the profile's; replaces the period of the fastest group */
	bool continuous; /* interval: continuous -- as often as the line allows, after the others */
	int timeout_ms, byte_timeout_ms, min_gap_ms, max_latency_ms; /* 0: the profile's */
	uint8_t *wanted; /* one byte per point of the profile: enabled and chosen by `points:` */
	struct deadband *deadbands;
	size_t n_deadbands;
	const char *device; /* of USB drivers */
	int baud;
	bool on_open_safe;
};

struct machine_config {
	const char *id;
	const char *class;
	struct text title;
	const char *asset; /* default: id */
	bool always_on, job_names;
	struct source_config *sources;
	size_t n_sources;
	struct usage_rule *usage;
	size_t n_usage;
	int64_t job_end_after_ms, job_min_ms;
	struct alarm_rule *alarms;
	size_t n_alarms;
};

struct config {
	const char *file;
	char hash[17]; /* hex, over the file and every profile in use */
	const char *park, *gateway;
	enum language language;
	struct mqtt_config mqtt;
	const char *hass_prefix; /* of Home Assistant's discovery; NULL: it is told nothing */
	const char *spool_path;
	int64_t spool_max_bytes;
	const char *metrics_host; /* NULL: off */
	int metrics_port;
	enum clock_source clock;
	const char *control;      /* path of the control socket */
	struct bus_config *buses; /* those under `buses:` first, then one for each USB device */
	size_t n_buses, n_lines;  /* of these: under `buses:` */
	struct machine_config *machines;
	size_t n_machines;
	struct profile_file **profiles; /* those in use */
	size_t n_profiles;
	void *memory;
};

/* Loads and checks everything. NULL if there is any error; problems are added in any case.
 * `profiles_dir`: --profiles DIR, NULL for none. */
struct config *config_load(const char *file, const char *profiles_dir, struct problems *problems);
/* The same from memory; `file` is a name for problems and for finding profiles beside it. */
struct config *config_load_text(const char *file, const char *text, size_t len,
	const char *profiles_dir, struct problems *problems);
void config_free(struct config *c); /* NULL is fine */
/* The language's text, the other one if it is missing, "" if there is none. */
const char *config_text(const struct text *t, enum language language);

#endif
