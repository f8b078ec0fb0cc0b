/* SPDX-License-Identifier: MIT */
/* fleet_kinds.c -- the kinds of machines that a simulated park has */
#include "cli/simulate/fleet_world.h"

#define TEMPERATURE "C", "temperature_c"
#define SILENT(source)                                                                             \
	{                                                                                          \
		source "-silent", "error", "Источник не отвечает", "Source does not answer",       \
			"Check the device's power and its line", -1, 60, 60                        \
	}
#define METER                                                                                      \
	{"power_w", "W", "power_active_w", "Мощность", "Power", 1, {0, 45, 1450}, 12, 0, false},   \
		{"voltage_v", "V", "voltage_v", "Напряжение", "Voltage", 1, {230, 230, 227}, 1.5,  \
			0, false},                                                                 \
	{                                                                                          \
		"energy_import_wh", "Wh", "energy_import_wh", "Энергия", "Energy", 0, {4000000},   \
			620, 0, true                                                               \
	}

static const struct fleet_kind kinds[] = {
	{.name = "printer",
		.class = "3d-printer",
		.ru = "3D-принтер",
		.en = "3D printer",
		.source = "board",
		.driver = "marlin",
		.works = true,
		.cycle_s = 1500,
		.points = {{"hotend_temp_c", TEMPERATURE, "Сопло", "Hotend", 1, {22, 26, 215}, 0.6,
				   60, false},
			{"bed_temp_c", TEMPERATURE, "Стол", "Bed", 1, {21, 24, 60}, 0.3, 180,
				false},
			{"heater_power_pct", "pct", "load_pct", "Мощность нагрева", "Heater power",
				0, {0, 0, 38}, 6, 0, false}},
		.alarms = {{"hotend-hot", "critical", "Перегрев сопла", "Hotend over-temperature",
			"Switch the printer off and look at its thermistor", 0, 275, 281.5}}},
	{.name = "laser",
		.class = "laser-cutter",
		.ru = "Лазерный станок",
		.en = "Laser cutter",
		.source = "plc",
		.driver = "modbus",
		.profile = "generic-registers",
		.works = true,
		.cycle_s = 700,
		.points = {{"power_w", "W", "power_active_w", "Мощность", "Power", 1, {0, 95, 780},
				   20, 0, false},
			{"water_temp_c", TEMPERATURE, "Вода", "Water", 1, {20, 21, 24.5}, 0.2, 240,
				false},
			{"flow_lpm", "lpm", "flow_lpm", "Поток", "Flow", 1, {0, 5.2, 5.1}, 0.2, 0,
				false}},
		.alarms = {{"chiller-hot", "critical", "Перегрев чиллера",
				   "Chiller over-temperature", "Stop cutting", 1, 30, 31.2},
			{"no-flow", "critical", "Нет потока воды", "No water flow",
				"Stop cutting and look at pump and hoses", 2, 2, 0.4},
			SILENT("plc")}},
	{.name = "charger",
		.class = "drone-charger",
		.ru = "Зарядная станция",
		.en = "Charging station",
		.source = "usb",
		.driver = "icharger",
		.works = true,
		.cycle_s = 2400,
		.points = {{"current_a", "A", "current_a", "Ток", "Current", 2, {0, 0, 9.8}, 0.15,
				   45, false},
			{"battery_v", "V", "voltage_v", "Аккумулятор", "Battery", 2, {0, 0, 24.6},
				0.05, 0, false},
			{"internal_temp_c", TEMPERATURE, "Внутри", "Inside", 1, {22, 27, 41}, 0.4,
				200, false}},
		.alarms = {{"over-temp", "error", "Перегрев зарядки", "Charger over-temperature",
			"Let it cool; look at the fan", 2, 65, 68.4}}},
	{.name = "cnc",
		.class = "cnc",
		.ru = "Фрезерный станок",
		.en = "CNC mill",
		.source = "meter",
		.driver = "modbus",
		.profile = "eastron-sdm120",
		.works = true,
		.cycle_s = 1200,
		.points = {METER},
		.alarms = {{"overload", "error", "Перегрузка шпинделя", "Spindle overload",
				   "Reduce the feed; look at the tool", 0, 2200, 2380},
			SILENT("meter")}},
	{.name = "climate",
		.class = "environment",
		.ru = "Климат",
		.en = "Climate",
		.source = "sensor",
		.driver = "modbus",
		.profile = "xy-md02",
		.cycle_s = 3600,
		.points = {{"temp_c", TEMPERATURE, "Температура", "Temperature", 1, {22, 22.6, 23},
				   0.2, 0, false},
			{"humidity_pct", "pct", "humidity_pct", "Влажность", "Humidity", 1,
				{44, 44, 44}, 0.8, 0, false}},
		.alarms =
			{{"too-warm", "warning", "В лаборатории жарко",
				 "The laboratory is too warm",
				 "Open a window or look at the air conditioner", 0, 30, 30.8},
				SILENT("sensor")}},
};

enum { PRINTER, LASER, CHARGER, CNC, CLIMATE };

const struct fleet_kind *
fleet_kind_of(size_t k)
{
	static const unsigned char park[] = {
		PRINTER, LASER, CHARGER, PRINTER, CNC, PRINTER, CLIMATE, PRINTER, LASER, PRINTER};

	return &kinds[park[k % sizeof park]];
}

size_t
fleet_alarms(const struct fleet_kind *kind)
{
	size_t n = 0;

	while (n < FLEET_ALARMS && kind->alarms[n].code)
		n++;
	return n;
}
