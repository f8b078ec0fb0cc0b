/* SPDX-License-Identifier: MIT */
/* builtin.c -- scenarios that need no file: the lab of `make demo`, and rows of equal devices */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/simulate/world.h"

/* A minute in a small laboratory: laser 1 is switched on and works; its cooling water stops to flow
 * and becomes too warm, so it is switched off again. Laser 2 cuts in peace, printers print, an
 * engraver engraves, chargers charge. */
static const char lab[] = "lines:\n"
			  "  - {id: rs485, baud: 9600, timing: true}\n"
			  "tcp:\n"
			  "  - {id: shelly}\n"
			  "usb:\n"
			  "  - {name: printer-1, kind: marlin, resets: false, do: cycle 45}\n"
			  "  - {name: printer-2, kind: marlin, resets: false, do: print 600}\n"
			  "  - {name: printer-3, kind: marlin, resets: false}\n"
			  "  - {name: engraver-1, kind: grbl, resets: false, do: cycle 30}\n"
			  "  - {name: charger-1, kind: icharger, do: cycle 60}\n"
			  "  - {name: charger-2, kind: skyrc, do: cycle 40}\n"
			  "units:\n"
			  "  - name: laser-1-meter\n"
			  "    on: rs485\n"
			  "    unit: 5\n"
			  "    profile: eastron-sdm120\n"
			  "    latency: 5ms\n"
			  "    points:\n"
			  "      voltage_v: sine 229.6 1.8 47\n"
			  "      power_w: steps 0:2.1 2:24 6:480 32:24 44:2.1 every 60 ~1.5\n"
			  "      current_a: steps 0:0.02 2:0.13 6:2.1 32:0.13 44:0.02 every 60\n"
			  "      power_factor: steps 0:0.4 2:0.78 6:0.97 32:0.78 44:0.4 every 60\n"
			  "      frequency_hz: sine 50 0.03 31\n"
			  "      energy_import_wh: counter 152400 0.07\n"
			  "  - name: laser-1-chiller\n"
			  "    on: rs485\n"
			  "    unit: 7\n"
			  "    profile: teyu-cwfl\n"
			  "    latency: 12ms\n"
			  "    points:\n"
			  "      room_temp_c: sine 23.4 0.4 300\n"
			  "      water_temp_c: path 0:24 6:25 20:31.5 32:33 44:24 every 60\n"
			  "      water_temp_high_c: path 0:25 6:26 20:33 32:34.5 44:25 every 60\n"
			  "      compressor_temp_c: path 0:41 20:55 50:41 every 60\n"
			  "      flow_lpm: steps 0:8.2 12:1.4 28:8.2 every 60 ~0.3\n"
			  "      pump_low: true\n"
			  "      compressor: steps 0:0 12:1 44:0 every 60\n"
			  "      fan: true\n"
			  "  - name: laser-2-meter\n"
			  "    on: rs485\n"
			  "    unit: 6\n"
			  "    profile: eastron-sdm120\n"
			  "    latency: 5ms\n"
			  "    points:\n"
			  "      voltage_v: sine 231.2 1.2 41\n"
			  "      power_w: steps 0:310 20:22 30:1.8 40:22 48:310 every 60 ~4\n"
			  "      current_a: steps 0:1.4 20:0.12 30:0.02 40:0.12 48:1.4 every 60\n"
			  "      energy_import_wh: counter 98100 0.05\n"
			  "  - name: mains-meter\n"
			  "    on: rs485\n"
			  "    unit: 10\n"
			  "    profile: eastron-sdm630\n"
			  "    latency: 5ms\n"
			  "    points:\n"
			  "      voltage_l1_v: sine 229.8 1.5 53\n"
			  "      voltage_l2_v: sine 231.0 1.1 61\n"
			  "      voltage_l3_v: sine 228.9 1.9 37\n"
			  "      power_w: noise 2350 160\n"
			  "      energy_import_wh: counter 8412000 0.65\n"
			  "  - name: climate-1-sensor\n"
			  "    on: rs485\n"
			  "    unit: 20\n"
			  "    profile: xy-md02\n"
			  "    points: {temp_c: sine 23.1 0.8 180, humidity_pct: sine 41 4 240}\n"
			  "  - name: cnc-1-inputs\n"
			  "    on: rs485\n"
			  "    unit: 24\n"
			  "    profile: wirenboard-mcm8\n"
			  "    latency: 3ms\n"
			  "    points: {di1: square 1 0 40, di2: false}\n"
			  "  - name: charger-1-meter\n"
			  "    on: shelly\n"
			  "    unit: 1\n"
			  "    profile: shelly-pro-3em\n"
			  "    points:\n"
			  "      voltage_l1_v: sine 230.4 1.3 43\n"
			  "      current_a: steps 0:0.1 10:3.6 50:0.1 every 60\n"
			  "      power_w: steps 0:14 10:820 50:14 every 60 ~6\n"
			  "      power_l1_w: steps 0:14 10:820 50:14 every 60 ~6\n"
			  "      energy_import_wh: counter 45210 0.14\n";

/* The machines that these units make. */
static const char lab_machines[] =
	"  - id: laser-1\n"
	"    class: laser-cutter\n"
	"    title: {ru: \"Лазерный станок 1\", en: \"Laser cutter 1\"}\n"
	"    sources:\n"
	"      - {id: meter, driver: modbus, bus: rs485, unit: 5, profile: eastron-sdm120}\n"
	"      - {id: chiller, driver: modbus, bus: rs485, unit: 7, profile: teyu-cwfl}\n"
	"    usage:\n"
	"      - {activity: busy, point: meter.power_w, above: 120, below: 80, for: 2s, hold: 2s}\n"
	"      - {activity: idle, point: meter.power_w, above: 8, for: 2s}\n"
	"      - {activity: \"off\"}\n"
	"    job: {min: 5s, end_after: 8s}\n"
	"    alarms:\n"
	"      - {code: chiller-hot, point: chiller.water_temp_c, above: 30, clear: 28, for: 2s, severity: critical,\n"
	"         text: {ru: \"Перегрев чиллера\", en: \"Chiller over-temperature\"},\n"
	"         hint: {ru: \"Остановите резку, проверьте фильтр и вентилятор чиллера\", en: \"Stop cutting, check the chiller's filter and fan\"}}\n"
	"      - {code: no-flow, all: [{activity: busy}, {point: chiller.flow_lpm, below: 2}], for: 2s, severity: error,\n"
	"         text: {ru: \"Резка без охлаждения\", en: \"Cutting without cooling\"},\n"
	"         hint: {ru: \"Проверьте насос, шланги и уровень воды\", en: \"Check pump, hoses and water level\"}}\n"
	"  - id: laser-2\n"
	"    class: laser-cutter\n"
	"    title: {ru: \"Лазерный станок 2\", en: \"Laser cutter 2\"}\n"
	"    sources:\n"
	"      - {id: meter, driver: modbus, bus: rs485, unit: 6, profile: eastron-sdm120}\n"
	"    usage:\n"
	"      - {activity: busy, point: meter.power_w, above: 120, below: 80, for: 2s, hold: 2s}\n"
	"      - {activity: idle, point: meter.power_w, above: 8, for: 2s}\n"
	"      - {activity: \"off\"}\n"
	"    job: {min: 5s, end_after: 8s}\n"
	"  - id: cnc-1\n"
	"    class: cnc\n"
	"    title: {ru: \"Фрезерный станок\", en: \"Milling machine\"}\n"
	"    sources:\n"
	"      - {id: inputs, driver: modbus, bus: rs485, unit: 24, profile: wirenboard-mcm8, points: [di1, di2]}\n"
	"    usage:\n"
	"      - {activity: busy, point: inputs.di1, equals: true, for: 1s}\n"
	"      - {activity: idle}\n"
	"    job: {min: 5s, end_after: 8s}\n"
	"  - id: charger-1\n"
	"    class: drone-charger\n"
	"    title: {ru: \"Зарядная станция\", en: \"Charging station\"}\n"
	"    sources:\n"
	"      - {id: usb, driver: icharger, device: \"@charger-1@\"}\n"
	"      - {id: meter, driver: modbus, bus: shelly, unit: 1, profile: shelly-pro-3em}\n"
	"    job: {min: 5s, end_after: 8s}\n"
	"  - id: charger-2\n"
	"    class: drone-charger\n"
	"    title: {ru: \"Зарядное устройство\", en: \"Battery charger\"}\n"
	"    sources: [{id: usb, driver: skyrc, device: \"@charger-2@\"}]\n"
	"    job: {min: 5s, end_after: 8s}\n"
	"  - id: printer-1\n"
	"    class: 3d-printer\n"
	"    title: {ru: \"Принтер 1\", en: \"Printer 1\"}\n"
	"    sources: [{id: board, driver: marlin, device: \"@printer-1@\", interval: 2s, on_open: safe}]\n"
	"    job: {min: 5s, end_after: 8s}\n"
	"  - id: printer-2\n"
	"    class: 3d-printer\n"
	"    title: {ru: \"Принтер 2\", en: \"Printer 2\"}\n"
	"    sources: [{id: board, driver: marlin, device: \"@printer-2@\", interval: 2s, on_open: safe}]\n"
	"    job: {min: 5s, end_after: 8s}\n"
	"  - id: printer-3\n"
	"    class: 3d-printer\n"
	"    title: {ru: \"Принтер 3\", en: \"Printer 3\"}\n"
	"    sources: [{id: board, driver: marlin, device: \"@printer-3@\", interval: 2s, on_open: safe}]\n"
	"    job: {min: 5s, end_after: 8s}\n"
	"  - id: engraver-1\n"
	"    class: laser-cutter\n"
	"    title: {ru: \"Гравёр\", en: \"Engraver\"}\n"
	"    sources: [{id: board, driver: grbl, device: \"@engraver-1@\", on_open: safe}]\n"
	"    job: {min: 5s, end_after: 8s}\n"
	"  - id: climate-1\n"
	"    class: environment\n"
	"    title: {ru: \"Климат в зале\", en: \"Room climate\"}\n"
	"    sources:\n"
	"      - {id: sensor, driver: modbus, bus: rs485, unit: 20, profile: xy-md02}\n"
	"  - id: mains\n"
	"    class: other\n"
	"    title: {ru: \"Ввод питания\", en: \"Mains supply\"}\n"
	"    sources:\n"
	"      - {id: meter, driver: modbus, bus: rs485, unit: 10, profile: eastron-sdm630, interval: 5s}\n";

/* Registers that show where they come from: a time stamp in the first two, then
 * 256 x device + address. */
static int
fill_block(struct world *w, struct unit *u, unsigned device)
{
	char name[32], value[32];
	int rc = unit_set(u, "holding:0:u32", "clock");

	for (int i = 2; i < w->options->registers && !rc; i++) {
		snprintf(name, sizeof name, "holding:%d", i);
		snprintf(value, sizeof value, "%u", (device * 256 + (unsigned)i) & 0xFFFF);
		rc = unit_set(u, name, value);
	}
	w->block_profile = true;
	return rc;
}

static int
add_device(struct world *w, struct port *port, unsigned device, uint8_t id)
{
	char name[40];

	snprintf(name, sizeof name, "dev-%04u", device);
	struct unit *u = world_add_unit(w, port, name, id);
	return u ? fill_block(w, u, device) : -ENOMEM;
}

/* --devices TCP servers with one unit each. */
static int
open_fleet(struct world *w)
{
	char id[40];

	for (int i = 1; i <= w->options->devices; i++) {
		int wanted = w->options->tcp_port ? w->options->tcp_port + i - 1 : 0;
		snprintf(id, sizeof id, "tcp-%04d", i);
		struct port *port = world_add_tcp(w, id, wanted);
		if (!port)
			return -errno;
		int rc = add_device(w, port, (unsigned)i, 1);
		if (rc)
			return rc;
	}
	return 0;
}

/* --devices units on one RS-485 line that takes its time. */
static int
open_line(struct world *w)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/rs485", w->options->dir);
	struct rtu_spec spec = {"rs485", path, w->options->baud, "8N1", true};
	struct port *port = world_add_line(w, &spec);
	if (!port)
		return -errno;
	for (int i = 1; i <= w->options->devices && i <= 247; i++) {
		int rc = add_device(w, port, (unsigned)i, (uint8_t)i);
		if (rc)
			return rc;
	}
	for (struct unit *u = port->units; u; u = u->next)
		u->latency_us = 1000;
	return 0;
}

/* --devices printers on serial ports of their own. */
static int
open_printers(struct world *w)
{
	char name[40];

	for (int i = 1; i <= w->options->devices; i++) {
		snprintf(name, sizeof name, "printer-%03d", i);
		const struct plug_spec spec = {.name = name, .kind = "marlin"};
		if (!world_add_plug(w, &spec))
			return -errno;
	}
	return 0;
}

static int
complain(struct world *w, struct problems *problems, int rc)
{
	if (rc)
		problem_add(
			problems, true, w->options->scenario, 0, 0, "", "", "%s", strerror(-rc));
	return rc;
}

int
builtin_open(struct world *w, struct problems *problems)
{
	const char *name = w->options->scenario;

	if (!strcmp(name, "lab")) {
		w->machines = strdup(lab_machines);
		return w->machines ? scenario_read(w, "lab", lab, problems) : -ENOMEM;
	}
	if (!strcmp(name, "fleet"))
		return complain(w, problems, open_fleet(w));
	if (!strcmp(name, "line"))
		return complain(w, problems, open_line(w));
	if (!strcmp(name, "printers"))
		return complain(w, problems, open_printers(w));
	return -ENOENT;
}
