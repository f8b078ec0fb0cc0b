/* SPDX-License-Identifier: MIT */
/* icharger_points.c -- the points of iCharger battery chargers, for icharger.c */
#include "drivers/icharger_points.h"

const struct group icharger_groups[GROUPS] = {
	[GROUP_STATUS] = {"status", 2000, 1},
	[GROUP_CELLS] = {"cells", 10000, 2},
	[GROUP_RESISTANCE] = {"resistance", 60000, 2},
};

/* clang-format off */
const char *const icharger_states[] = {"idle", "checking", "charging", "discharging", "storage",
	"balancing", "done", "error", "waiting", NULL};

/* A point of channel c; what channel 2 has is optional, and so are cells. */
#define POINT(c, of_group, name, of_unit, of_class, of_kind, ru, en, ...) { \
	.id = "ch" #c "_" name, .unit = of_unit, .class = of_class, .kind = VALUE_##of_kind, \
	.title = {"Канал " #c ": " ru, "Channel " #c ": " en}, \
	.group = of_group, .optional = c == 2 || of_group != GROUP_STATUS, __VA_ARGS__}
#define STATUS(c, ...) POINT(c, GROUP_STATUS, __VA_ARGS__)
#define CELL(c, n) POINT(c, GROUP_CELLS, "cell" #n "_v", "V", "voltage_v", REAL, "банка " #n, \
	"cell " #n, )
#define OHM(c, name, ru, en) POINT(c, GROUP_RESISTANCE, name "_ohm", "ohm", "resistance_ohm", \
	REAL, "сопротивление " ru, "resistance of " en, )
#define CELL_OHM(c, n) OHM(c, "cell" #n, "банки " #n, "cell " #n)
#define TWELVE(m, c) m(c, 1), m(c, 2), m(c, 3), m(c, 4), m(c, 5), m(c, 6), m(c, 7), m(c, 8), \
	m(c, 9), m(c, 10), m(c, 11), m(c, 12)
#define CHANNEL(c) \
	STATUS(c, "state", "", "charge_state", ENUM, "состояние", "state", .words = icharger_states), \
	STATUS(c, "voltage_v", "V", "battery_v", REAL, "напряжение", "voltage", ), \
	STATUS(c, "current_a", "A", "battery_a", REAL, "ток", "current", ), \
	STATUS(c, "power_w", "W", "power_active_w", REAL, "мощность", "power", ), \
	STATUS(c, "charge_mah", "mAh", "charge_mah", INT, "заряд за цикл", \
		"charge of this cycle", .counter = true), \
	STATUS(c, "energy_wh", "Wh", "energy_session_wh", REAL, "энергия за цикл", \
		"energy of this cycle", .counter = true), \
	STATUS(c, "time_s", "s", "run_time_s", INT, "время цикла", "time of this cycle", \
		.counter = true), \
	STATUS(c, "internal_temp_c", "C", "temperature_c", REAL, "температура зарядника", \
		"charger temperature", ), \
	STATUS(c, "external_temp_c", "C", "temperature_c", REAL, "температура датчика", \
		"sensor temperature", ), \
	STATUS(c, "error", "", "fault_code", INT, "номер ошибки", "error number", ), \
	STATUS(c, "battery_present", "", NULL, BOOL, "батарея подключена", "battery connected", ), \
	STATUS(c, "cycle", "", NULL, INT, "номер цикла программы", "cycle of the program", ), \
	TWELVE(CELL, c), TWELVE(CELL_OHM, c), OHM(c, "line", "проводов", "the leads")
/* clang-format on */

const struct point icharger_points[POINTS] = {
	{"input_v", "V", "input_v", {"Напряжение питания", "Input voltage"}, .kind = VALUE_REAL},
	CHANNEL(1),
	CHANNEL(2),
};
