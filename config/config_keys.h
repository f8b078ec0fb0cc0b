/* SPDX-License-Identifier: MIT */
/* config_keys.h -- every key of the configuration file, and the drafts they are read into
 *
 * Private to config/ and to what writes schemas and documentation. A draft holds what a table can
 * say by itself; config.c and its neighbours make the configuration from it.
 */
#ifndef CONFIG_CONFIG_KEYS_H
#define CONFIG_CONFIG_KEYS_H

#include "config/config.h"
#include "config/keys.h"

struct config_draft {
	struct config c;
	enum { ACK_BROKER, ACK_ARCHIVER } ack;
	const struct node *brokers, *listen, *buses, *machines;
};

struct bus_draft {
	struct bus_config b;
	const char *format;
};

struct source_draft {
	struct source_config s;
	const char *driver, *bus, *profile;
	const struct node *interval, *points, *deadband;
	enum { ON_OPEN_RESETS, ON_OPEN_SAFE } on_open;
};

struct machine_draft {
	struct machine_config m;
	const struct node *sources, *usage, *alarms;
};

struct condition_draft {
	const char *point, *source;
	const struct node *above, *below, *equals, *is_not, *any_of, *bit, *ok, *all, *any;
	int activity; /* enum activity; -1: none */
	enum statistic stat;
	int64_t window_ms;
};

struct usage_draft {
	struct condition_draft when;
	struct usage_rule rule;
};

struct alarm_draft {
	struct condition_draft when;
	struct alarm_rule rule;
	const struct node *clear;
};

extern const struct key_table config_table, bus_table, machine_table, source_table;
extern const struct key_table condition_table, usage_table, alarm_table;
extern const char *const config_baud_words[], *const config_format_words[];

#endif
