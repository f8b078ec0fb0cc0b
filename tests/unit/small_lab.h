/* SPDX-License-Identifier: MIT */
/* small_lab.h -- a machine with two sources of one profile, built by hand; for tests */
#ifndef TESTS_SMALL_LAB_H
#define TESTS_SMALL_LAB_H

#include <string.h>

#include "daemon/machine.h"

enum { LAB_POWER, LAB_COUNT, LAB_MODE, LAB_ENERGY, LAB_POINTS };

#define LAB_S 1000000LL

static struct enum_entry lab_modes[] = {{.raw = 0, .key = "heat"}, {.raw = 1, .key = "cool"}};

static struct reg_point lab_points[LAB_POINTS] = {
	[LAB_POWER] = {.point = {.id = "power_w",
			       .unit = "W",
			       .class = "power_active_w",
			       .title = {.ru = "Мощность", .en = "Power"}},
		.deadband = -1},
	[LAB_COUNT] = {.point = {.id = "count", .unit = ""}, .deadband = -1},
	[LAB_MODE] = {.point = {.id = "mode", .unit = ""},
		.enums = lab_modes,
		.n_enums = 2,
		.deadband = -1},
	[LAB_ENERGY] = {.point = {.id = "energy_import_wh", .unit = "Wh", .group = 1},
		.deadband = -1},
};

static struct group lab_groups[] = {{.id = "fast", .period_ms = 1000, .priority = 1},
	{.id = "slow", .period_ms = 60000, .priority = 2}};

static struct profile_file lab_profile = {.regs = {.id = "probe",
						  .groups = lab_groups,
						  .n_groups = 2,
						  .points = lab_points,
						  .n_points = LAB_POINTS}};

static const struct driver lab_driver = {.name = "modbus", .needs_profile = true};

static struct bus_config lab_buses[] = {
	{.id = "rs485",
		.type = BUS_MODBUS_RTU,
		.device = "/dev/ttyUSB0",
		.baud = 9600,
		.format = "8N1"},
	{.id = "plc", .type = BUS_MODBUS_TCP, .host = "192.0.2.7", .port = 502},
};

static struct source_config lab_sources[] = {
	{.id = "meter", .driver = &lab_driver, .bus = 0, .unit = 5, .profile = &lab_profile},
	{.id = "io", .driver = &lab_driver, .bus = 1, .unit = 1, .profile = &lab_profile},
};

static struct machine_config lab_machine = {.id = "laser-1",
	.class = "laser-cutter",
	.title = {.ru = "Лазер", .en = "Laser"},
	.asset = "INV-1",
	.sources = lab_sources,
	.n_sources = 2};

static struct config lab_config = {.park = "p1",
	.gateway = "gw1",
	.hash = "0123456789abcdef",
	.buses = lab_buses,
	.n_buses = 2,
	.machines = &lab_machine,
	.n_machines = 1,
	.mqtt = {.window = 16},
	.spool_max_bytes = 2147483648};

static const uint16_t lab_fast[] = {LAB_POWER, LAB_COUNT, LAB_MODE};
static const uint16_t lab_slow[] = {LAB_ENERGY};

struct lab_reading {
	struct reading r;
	struct value values[LAB_POINTS];
};

/* A good read of the fast group at second `s` (of both clocks). */
static inline struct reading *
lab_answer(struct lab_reading *l, double s, double power, int64_t count, const char *mode)
{
	*l = (struct lab_reading){
		.r = {.n = 3, .ts_ms = (int64_t)(s * 1000), .mono_us = (int64_t)(s * LAB_S)},
		.values = {{.kind = VALUE_FLOAT, .u.num = power}, {.kind = VALUE_INT, .u.i = count},
			{.kind = VALUE_ENUM, .u.s = mode}}};
	l->r.values = l->values;
	return &l->r;
}

static inline struct reading *
lab_failure(struct lab_reading *l, double s, enum fail fail)
{
	*l = (struct lab_reading){.r = {.rc = -1,
					  .fail = (uint8_t)fail,
					  .ts_ms = (int64_t)(s * 1000),
					  .mono_us = (int64_t)(s * LAB_S)}};
	l->r.values = l->values;
	return &l->r;
}

#endif
