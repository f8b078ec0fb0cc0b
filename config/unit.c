/* SPDX-License-Identifier: MIT */
/* unit.c -- units, and the classes that fix them */
#include "config/unit.h"

#include <stddef.h>
#include <string.h>

static const struct unit units[] = {
	{"W", "W", "_w", 1},
	{"mW", "W", "_w", 1e-3},
	{"kW", "W", "_w", 1e3},
	{"MW", "W", "_w", 1e6},
	{"VA", "VA", "_va", 1},
	{"kVA", "VA", "_va", 1e3},
	{"MVA", "VA", "_va", 1e6},
	{"var", "var", "_var", 1},
	{"kvar", "var", "_var", 1e3},
	{"Mvar", "var", "_var", 1e6},
	{"Wh", "Wh", "_wh", 1},
	{"kWh", "Wh", "_wh", 1e3},
	{"MWh", "Wh", "_wh", 1e6},
	{"varh", "varh", "_varh", 1},
	{"kvarh", "varh", "_varh", 1e3},
	{"Mvarh", "varh", "_varh", 1e6},
	{"V", "V", "_v", 1},
	{"uV", "V", "_v", 1e-6},
	{"mV", "V", "_v", 1e-3},
	{"kV", "V", "_v", 1e3},
	{"A", "A", "_a", 1},
	{"uA", "A", "_a", 1e-6},
	{"mA", "A", "_a", 1e-3},
	{"kA", "A", "_a", 1e3},
	{"Hz", "Hz", "_hz", 1},
	{"mHz", "Hz", "_hz", 1e-3},
	{"kHz", "Hz", "_hz", 1e3},
	{"C", "C", "_c", 1},
	{"°C", "C", "_c", 1},
	{"pct", "pct", "_pct", 1},
	{"%", "pct", "_pct", 1},
	{"ppm", "ppm", "_ppm", 1},
	{"ppb", "ppb", "_ppb", 1},
	{"lx", "lx", "_lx", 1},
	{"klx", "lx", "_lx", 1e3},
	{"dB", "dB", "_db", 1},
	{"dBA", "dB", "_db", 1},
	{"lpm", "lpm", "_lpm", 1},
	{"L/min", "lpm", "_lpm", 1},
	{"l/min", "lpm", "_lpm", 1},
	{"L/h", "lpm", "_lpm", 1 / 60.0},
	{"l/h", "lpm", "_lpm", 1 / 60.0},
	{"L/s", "lpm", "_lpm", 60},
	{"l/s", "lpm", "_lpm", 60},
	{"m3/h", "lpm", "_lpm", 1e3 / 60},
	{"bar", "bar", "_bar", 1},
	{"mbar", "bar", "_bar", 1e-3},
	{"Pa", "bar", "_bar", 1e-5},
	{"hPa", "bar", "_bar", 1e-3},
	{"kPa", "bar", "_bar", 1e-2},
	{"MPa", "bar", "_bar", 10},
	{"psi", "bar", "_bar", 0.0689475729},
	{"rpm", "rpm", "_rpm", 1},
	{"1/min", "rpm", "_rpm", 1},
	{"s", "s", "_s", 1},
	{"ms", "s", "_s", 1e-3},
	{"min", "s", "_s", 60},
	{"h", "s", "_s", 3600},
	{"d", "s", "_s", 86400},
	{"mAh", "mAh", "_mah", 1},
	{"Ah", "mAh", "_mah", 1e3},
	{"mm", "mm", "_mm", 1},
	{"um", "mm", "_mm", 1e-3},
	{"cm", "mm", "_mm", 10},
	{"m", "mm", "_mm", 1e3},
	{"ohm", "ohm", "_ohm", 1},
	{"mohm", "ohm", "_ohm", 1e-3},
	{"kohm", "ohm", "_ohm", 1e3},
	{"Mohm", "ohm", "_ohm", 1e6},
};

static const struct point_class classes[] = {
	{"power_active_w", "W", false},
	{"power_reactive_var", "var", false},
	{"power_apparent_va", "VA", false},
	{"voltage_v", "V", false},
	{"voltage_ll_v", "V", false},
	{"current_a", "A", false},
	{"frequency_hz", "Hz", false},
	{"power_factor", "", false},
	{"energy_import_wh", "Wh", true},
	{"energy_export_wh", "Wh", true},
	{"energy_total_wh", "Wh", true},
	{"energy_session_wh", "Wh", true},
	{"energy_reactive_import_varh", "varh", true},
	{"energy_reactive_export_varh", "varh", true},
	{"energy_reactive_total_varh", "varh", true},
	{"temperature_c", "C", false},
	{"humidity_pct", "pct", false},
	{"co2_ppm", "ppm", false},
	{"voc_ppb", "ppb", false},
	{"illuminance_lx", "lx", false},
	{"sound_db", "dB", false},
	{"flow_lpm", "lpm", false},
	{"pressure_bar", "bar", false},
	{"speed_rpm", "rpm", false},
	{"output_hz", "Hz", false},
	{"output_v", "V", false},
	{"output_a", "A", false},
	{"input_v", "V", false},
	{"load_pct", "pct", false},
	{"level_pct", "pct", false},
	{"thd_pct", "pct", false},
	{"battery_v", "V", false},
	{"battery_a", "A", false},
	{"charge_mah", "mAh", true},
	{"run_time_s", "s", true},
	{"on_time_s", "s", true},
	{"length_mm", "mm", false},
	{"resistance_ohm", "ohm", false},
	{"count_total", "", true},
	{"di_busy", "", false},
	{"di_fault", "", false},
	{"di_generic", "", false},
	{"do_state", "", false},
	{"level_ok", "", false},
	{"status_word", "", false},
	{"fault_code", "", false},
	{"mode", "", false},
	{"charge_state", "", false},
	{"device_serial", "", false},
	{"device_model", "", false},
	{"device_fw", "", false},
	{"setpoint", UNIT_ANY, false},
};

enum { UNITS = sizeof units / sizeof *units, CLASSES = sizeof classes / sizeof *classes };

const struct unit *
unit_at(unsigned i)
{
	return i < UNITS ? &units[i] : NULL;
}

const struct unit *
unit_find(const char *name)
{
	for (size_t i = 0; i < UNITS; i++)
		if (strcmp(units[i].name, name) == 0)
			return &units[i];
	return NULL;
}

const struct point_class *
class_at(unsigned i)
{
	return i < CLASSES ? &classes[i] : NULL;
}

const struct point_class *
class_find(const char *name)
{
	for (size_t i = 0; i < CLASSES; i++)
		if (strcmp(classes[i].name, name) == 0)
			return &classes[i];
	return NULL;
}

const struct unit *
unit_of_id(const char *id)
{
	size_t len = strlen(id);

	for (size_t i = 0; i < UNITS; i++) {
		size_t suffix = strlen(units[i].suffix);
		if (len > suffix && strcmp(id + len - suffix, units[i].suffix) == 0)
			return &units[i];
	}
	return NULL;
}
