# SPDX-License-Identifier: MIT
"""Figures and aims as a table for people, and as docs/benchmarks.md."""
import platform
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Aim:
    which: str
    what: str
    value: float
    limit: float
    least: bool = False  # the limit is the least, not the most

    def holds(self):
        return self.value >= self.limit if self.least else self.value <= self.limit

    def row(self):
        sign = "≥" if self.least else "≤"
        return [self.which, self.what, number(self.value), f"{sign} {number(self.limit)}", "yes" if self.holds() else "**no**"]


def number(x):
    return f"{x:.0f}" if abs(x) >= 100 else f"{x:.1f}" if abs(x) >= 10 else f"{x:.3g}"


def markdown_table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def text_table(head, rows):
    width = [max(len(r[i]) for r in [head, *rows]) for i in range(len(head))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(r, width)).rstrip() for r in [head, *rows])


def version(package):
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True, check=False)
    return done.stdout or "not installed"


def machine():
    cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = re.search(r"model name\s*:\s*(.*)", cpuinfo)
    memory = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text(encoding="utf-8")).group(1))
    os_name = re.search(r'PRETTY_NAME="(.*)"', Path("/etc/os-release").read_text(encoding="utf-8"))
    libraries = ", ".join(f"{p} {version(p)}" for p in
                          ("libmodbus5", "libmosquitto1", "libuv1", "mosquitto", "collectd-core", "libc6"))
    return (f"{model.group(1) if model else platform.machine()}, {cpuinfo.count('processor')} cores, "
            f"{memory / 2**20:.1f} GB; {os_name.group(1)}, kernel {platform.release()}; {libraries}")


AIM_HEAD = ["where", "what", "value", "aim", "holds"]


@dataclass
class Report:
    runs: int
    seconds: float
    aims: list = field(default_factory=list)
    fleets: dict = field(default_factory=dict)
    lines: list = field(default_factory=list)
    costs: dict = field(default_factory=dict)
    printers: tuple = (0, 0)  # CPU s/s: ours, idle threads

    def table(self):
        return text_table(AIM_HEAD, [a.row() for a in self.aims])

    def fleet_table(self, devices):
        head = ["program", "CPU, ratio", "µs CPU per poll", "peak RSS, MB", "threads", "sd, ms", "longest, ms",
                "latency p50 / p99, ms", "received of due"]
        floor = self.fleets[devices]["floor"]
        rows = [[name, f"{r['cpu_s'] / floor['cpu_s']:.2f}", number(r["us_per_poll"]), number(r["rss_mb"]),
                 f"{r['threads']:.0f}", f"{r['sd_ms']:.2f}", f"{r['max_ms']:.0f}",
                 f"{r['p50_ms']:.1f} / {r['p99_ms']:.1f}", f"{100 * r['received']:.1f} %"]
                for name, r in self.fleets[devices].items()]
        return markdown_table(head, rows)

    def line_table(self):
        rows = [[which, f"{r['live_per_s']:.1f}", f"{best:.1f}", f"{100 * r['live_per_s'] / best:.1f} %",
                 f"{r['longest_gap_s']:.3f}", str(r["early"])] for which, r, best in self.lines]
        return markdown_table(["line", "live answers/s", "most possible", "share", "longest gap, s",
                               "requests inside t3.5"], rows)

    def cost_table(self):
        rows = [[name, f"{calls:.1f}", f"{count:.0f}"] for name, (calls, count) in self.costs.items()]
        return markdown_table(["program", "system calls per poll", "user instructions per poll"], rows)

    def markdown(self):
        return f"""# Benchmarks

Made by `make bench`; do not edit. Everything is on one machine and its loopback: {machine()}.

Seconds belong to that machine, ratios carry over. Figures are medians of {self.runs} runs of {self.seconds:.0f} s;
the programs take turns, so that what else the machine does hurts all of them alike. Virtual machines with noisy
neighbours move the ratios by some 20 %.

**The floor** (`tests/bench/floor.c`) is the least that the same work costs with the same libraries: one blocking
thread that reads all devices in one burst per second with libmodbus and publishes each answer with libmosquitto,
QoS 1. It knows no profiles, no faults and no reconnecting; one silent device stops it. collectd is Debian's, with
its modbus and mqtt plugins (QoS 0: with QoS 1 it falls behind); it sends one message per register.

## Aims

{markdown_table(AIM_HEAD, [a.row() for a in self.aims])}
## 50 devices, 20 registers, once a second (Modbus TCP, Mosquitto)

{self.fleet_table(50)}
## 1000 devices, 20 registers, once a second

{self.fleet_table(1000)}
CPU is user and system time of the program alone. Deviation (sd) and longest interval are of arrivals at a
subscriber, per topic; latency is from the time stamp of the reading (whole milliseconds) to its arrival there.

## One serial line, 10 units with 10 registers each, polled without a pause

{self.line_table()}
The line (`tests/bench/rtu_line.c`) takes the time that characters take, answers after t3.5 and 1 ms, and counts
requests that begin before the line was silent for t3.5. "Most possible" keeps that silence before every request.

## Costs that do not depend on the machine: 10 devices, 20 registers, once a second

{self.cost_table()}
System calls by `strace -f -c` on the running program, instructions by callgrind as the difference of two runs.

## 20 printers on serial ports, polled once a second

Marlin printers on ptys, two questions a poll and one message: {self.printers[0] * 50000:.0f} µs CPU per poll, all of it
{self.printers[0] * 100:.2f} % of a core. Twenty threads that only wake once a second (`tests/bench/idle_threads.c`) use
{self.printers[1] * 100:.2f} %: {self.printers[0] / self.printers[1] if self.printers[1] else float("nan"):.1f} times less.

## How to repeat

`make bench` on an idle machine (about {self.minutes()} minutes). `BENCH_RUNS=1 BENCH_SECONDS=10 BENCH_PARTS=b make bench`
runs a part: `a` fleets, `b` the line, `c` scattered registers, `d` system calls and instructions, `e` start,
return and silent neighbours, `f` printers. It needs mosquitto, strace and valgrind; collectd-core if it is to be compared.
"""

    def minutes(self):
        return round((2 * 3 * self.runs * (self.seconds + 6) + 4 * 42 + 6 * self.seconds + 150) / 60)
