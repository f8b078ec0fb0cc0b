#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes what a run of the virtual gateway measured into a table: figures.py figures.json docs/gateway.md

Only what was measured; a row whose test did not run is left out.
"""
import json
import statistics
import sys
from datetime import date
from pathlib import Path

BEGIN, END = "<!-- begin: figures -->", "<!-- end: figures -->"
# figure, what it is, its unit
ROWS = (
    ("boot_s", "from power to the first command in it", "s"),
    ("restore_s", "the same from a snapshot", "s"),
    ("ready_s", "start of the unit to READY", "s"),
    ("rss_mb", "resident memory of the daemon, three machines", "MB"),
    ("plug_laser_s", "USB adapter plugged in, to the source known as good", "s"),
    ("plug_printer_s", "printer plugged in, to the same", "s"),
    ("plug_charger_s", "charger plugged in, to the same", "s"),
    ("oom_back_s", "killed for its memory, to the job known again", "s"),
    ("watchdog_back_s", "a thread hangs, to the job known again (WatchdogSec=10)", "s"),
    ("first_step_s", "step of the first synchronisation as the event tells it (2 h behind)", "s"),
    ("lossy_live_p50_s", "age of live readings at 300 ms and 10 % loss each way, median", "s"),
    ("lossy_live_p95_s", "the same, 95 of 100", "s"),
    ("outage_told_s", "20 s without a network, from its return to the job's start and end at the subscriber", "s"),
    ("power_back_s", "power cut and boot, to the jobs known again", "s"),
    ("power_events", "events and jobs told over six power cuts", ""),
    ("power_repeats", "records told twice, with the same content", ""),
    ("power_lost", "events and jobs lost", ""),
)


def text(values, unit):
    number = "{:.0f}".format if not unit else "{:.1f}".format
    middle = number(statistics.median(values))
    spread = f" ({number(min(values))} to {number(max(values))}, {len(values)} times)" if len(values) > 1 else ""
    return f"{middle} {unit}".strip() + spread


def table(figures, measured):
    lines = [f"Measured on {measured}:", "", "| | |", "|---|---|"]
    return "\n".join(lines + [f"| {title} | {text(figures[name], unit)} |" for name, title, unit in ROWS if name in figures])


def main():
    source, page = Path(sys.argv[1]), Path(sys.argv[2])
    measured = date.fromtimestamp(source.stat().st_mtime)
    before, rest = page.read_text().split(BEGIN)
    after = rest.split(END)[1]
    page.write_text(f"{before}{BEGIN}\n{table(json.loads(source.read_text()), measured)}\n{END}{after}")


main()
