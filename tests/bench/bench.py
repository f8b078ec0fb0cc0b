#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What labpulsed costs, as ratios to the least that the same work can cost (floor.c).

`make bench` runs it. BENCH_RUNS, BENCH_SECONDS and BENCH_PARTS shorten it; only a whole run
(all parts) rewrites docs/benchmarks.md.
"""
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time

import lab
import report
from report import Aim

RUNS = int(os.environ.get("BENCH_RUNS", "5"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "20"))
PARTS = os.environ.get("BENCH_PARTS", "abcdef")
REGISTERS = 20
PRINTERS = 20
SETTLE_S = 4
LINE_S = 30
LINE_BEST = {9600: 23.4, 115200: 136.0}
TELEMETRY = "parks/+/machines/+/telemetry"
FLOOR_TOPIC = "parks/floor/machines/dev-%04d/telemetry"


def note(text):
    print(text, file=sys.stderr, flush=True)


# ---- (a) fleets over TCP ---------------------------------------------------------------------


def start_labpulse(folder, broker, sim):
    del broker
    return lab.start_daemon(sim.config, folder), TELEMETRY, 1


def start_floor(folder, broker, sim):
    ports = folder.file("ports", "\n".join(str(p) for p in sim.ports.values()) + "\n")
    with open(ports, "rb") as stdin:
        child = lab.start([lab.BUILD / "tests/bench/floor", broker.port, FLOOR_TOPIC, REGISTERS], stdin=stdin)
    return child, TELEMETRY, 1


def start_collectd(folder, broker, sim):
    data = "".join(f'<Data "r{i}">\nRegisterBase {i}\nRegisterType Uint16\nRegisterCmd ReadHolding\n'
                   f'Type gauge\nInstance "r{i}"\n</Data>\n' for i in range(REGISTERS))
    collect = "".join(f'Collect "r{i}"\n' for i in range(REGISTERS))
    hosts = "".join(f'<Host "{name}">\nAddress "127.0.0.1"\nPort "{port}"\nInterval 1\n<Slave 1>\n'
                    f'Instance "u"\n{collect}</Slave>\n</Host>\n' for name, port in sim.ports.items())
    config = folder.file("collectd.conf", f"""\
BaseDir "{folder.path}"
PIDFile "{folder.path}/collectd.pid"
TypesDB "/usr/share/collectd/types.db"
Interval 1
LoadPlugin modbus
LoadPlugin mqtt
<Plugin modbus>
{data}{hosts}</Plugin>
<Plugin mqtt>
<Publish "bench">
Host "127.0.0.1"
Port "{broker.port}"
ClientId "collectd"
QoS 0
Prefix "collectd"
</Publish>
</Plugin>
""")
    child = lab.start(["collectd", "-f", "-C", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return child, "collectd/#", REGISTERS


CONTENDERS = {"labpulsed": start_labpulse, "floor": start_floor, "collectd": start_collectd}


def quantile(values, part):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else float("nan")


def timing(arrivals):
    """Intervals per topic against the second that they should be, and age at arrival; in ms."""
    off, late = [], []
    for messages in arrivals.values():
        off += [1000 * (b[0] - a[0]) for a, b in zip(messages, messages[1:])]
        late += [1000 * (at - ts) for at, ts in messages if ts]
    return {"sd_ms": statistics.pstdev(off) if off else float("nan"), "max_ms": max(off, default=float("nan")),
            "p50_ms": quantile(late, 0.5), "p99_ms": quantile(late, 0.99)}


def one_run(contender, folder, broker, sim):
    child, topics, per_poll = CONTENDERS[contender](folder, broker, sim)
    receiver = lab.Receiver(broker, topics)
    time.sleep(SETTLE_S)
    receiver.forget()
    cpu, begin = lab.cpu_s(child.pid), time.monotonic()
    time.sleep(SECONDS)
    cpu, length = lab.cpu_s(child.pid) - cpu, time.monotonic() - begin
    result = {"cpu_s": cpu, "rss_mb": lab.peak_mb(child.pid), "threads": lab.threads(child.pid)}
    arrivals = receiver.arrivals()
    lab.stop(child)
    due = len(sim.ports) * length
    result["us_per_poll"] = 1e6 * cpu / due
    result["received"] = sum(map(len, arrivals.values())) / per_poll / due
    return result | timing(arrivals)


def medians(results):
    return {key: statistics.median(r[key] for r in results) for key in results[0]}


def run_fleet(devices):
    folder = lab.Folder()
    broker = lab.Broker(folder)
    sim = lab.Simulator(folder, "fleet", broker, "fleet", "--devices", devices, "--registers", REGISTERS)
    names = [c for c in CONTENDERS if c != "collectd" or shutil.which("collectd")]
    results = {name: [] for name in names}
    for i in range(RUNS):
        for name in names:
            results[name].append(one_run(name, folder, broker, sim))
            last = results[name][-1]
            note(f"{devices} devices, run {i + 1}, {name}: {last['us_per_poll']:.1f} us/poll, "
                 f"{last['rss_mb']:.1f} MB, sd {last['sd_ms']:.2f}, max {last['max_ms']:.0f}, "
                 f"p99 {last['p99_ms']:.1f} ms, {100 * last['received']:.1f} %")
    sim.stop()
    broker.stop()
    return {name: medians(r) for name, r in results.items()}


def fleet_aims(devices, r):
    ours, floor = r["labpulsed"], r["floor"]
    which = f"{devices} devices"
    return [Aim(which, "CPU, ratio to the floor", ours["cpu_s"] / floor["cpu_s"], 2.0),
            Aim(which, "peak RSS, MB", ours["rss_mb"], 16.0 if devices <= 50 else 48.0),
            Aim(which, "deviation of intervals, ms", ours["sd_ms"], floor["sd_ms"] + 2),
            Aim(which, "longest interval, ms", ours["max_ms"], floor["max_ms"] + 10),
            Aim(which, "reading to receiver, p99, ms", ours["p99_ms"], floor["p99_ms"] + 10),
            Aim(which, "received of due", ours["received"], 0.998, least=True)]


def part_a(out):
    for devices in (50, 1000):
        out.fleets[devices] = run_fleet(devices)
        out.aims += fleet_aims(devices, out.fleets[devices])


# ---- (b) a serial line -----------------------------------------------------------------------

PROFILE = """\
schema: 1
id: bench
revision: 1
kind: generic
vendor: labpulse
models: [bench]
title: {{ru: "Замер", en: "Bench"}}
status: unverified
sources:
  - {{id: s1, origin: standard, title: "MODBUS Application Protocol Specification V1.1b3",
     url: "https://modbus.org/docs/Modbus_Application_Protocol_V1_1b3.pdf", seen: "2026-08-22"}}
link: {{transports: [rtu, tcp], baud: 9600, format: 8N1, unit: 1, response_timeout: 500ms}}
groups:
  - {{id: main, period: 1s}}
points:
{points}
"""
CONFIG = """\
park: bench
gateway: bench
mqtt: {{brokers: ["mqtt://127.0.0.1:{broker}"]}}
spool: {{path: "{folder}/spool"}}
control: "{folder}/control"
buses:
  - {bus}
machines:
{machines}
"""


def write_config(folder, broker, bus, units, registers, interval):
    points = "\n".join(f"  - {{id: r{a}, table: holding, address: {a}, type: u16, sources: [s1]}}" for a in registers)
    folder.file("profiles/bench.yaml", PROFILE.format(points=points))
    machines = "\n".join(f"  - {{id: unit-{u}, class: other, sources: [{{id: s, driver: modbus, bus: bus, "
                         f"unit: {u}, profile: bench, interval: {interval}}}]}}" for u in units)
    return folder.file("labpulse.yaml", CONFIG.format(broker=broker.port, folder=folder.path, bus=bus,
                                                      machines=machines))


def run_line(baud, dead):
    folder = lab.Folder()
    broker = lab.Broker(folder)
    line = lab.start([lab.BUILD / "tests/bench/rtu_line", baud, LINE_S, *([dead] if dead else [])],
                     stdout=subprocess.PIPE, text=True)
    device = line.stdout.readline().strip()
    bus = f'{{id: bus, type: modbus-rtu, device: "{device}", baud: {baud}, format: 8N1}}'
    config = write_config(folder, broker, bus, range(1, 11), range(10), "continuous")
    daemon = lab.start_daemon(config, folder)
    result = json.loads(line.communicate(timeout=LINE_S + 60)[0])
    lab.stop(daemon)
    broker.stop()
    return result


def part_b(out):
    for baud in (9600, 115200):
        for dead in ("", "3,6,9"):
            r = run_line(baud, dead)
            note(f"line at {baud}, dead {dead or 'none'}: {r}")
            which = f"line {baud}, " + ("3 of 10 dead" if dead else "all alive")
            out.lines.append((which, r, LINE_BEST[baud]))
            out.aims += [Aim(which, "share of the line", r["live_per_s"] / LINE_BEST[baud], 0.95, least=True),
                         Aim(which, "longest gap of a live unit, s", r["longest_gap_s"], 1.0),
                         Aim(which, "requests inside t3.5", r["early"], 0)]


# ---- (c) scattered registers -----------------------------------------------------------------


def scattered():
    """20 registers over 0..97 with 1 to 8 between them that nobody asked for."""
    at, registers = 0, []
    for hole in (1, 8, 2, 7, 3, 6, 4, 5, 1, 8, 2, 7, 3, 6, 4, 5, 1, 4, 1, 0):
        registers.append(at)
        at += 1 + hole
    return registers


def part_c(out):
    folder = lab.Folder()
    broker = lab.Broker(folder)
    sim = lab.Simulator(folder, "one", broker, "fleet", "--devices", 1, "--registers", 100)
    bus = f"{{id: bus, type: modbus-tcp, host: 127.0.0.1, port: {list(sim.ports.values())[0]}}}"
    daemon = lab.start_daemon(write_config(folder, broker, bus, [1], scattered(), "200ms"), folder)
    time.sleep(2)
    receiver = lab.Receiver(broker, TELEMETRY)
    before = sum(u["requests"] for u in sim.command("stats")["units"].values())
    time.sleep(5)
    after = sum(u["requests"] for u in sim.command("stats")["units"].values())
    cycles = sum(map(len, receiver.arrivals().values()))
    lab.stop(daemon)
    sim.stop()
    broker.stop()
    out.aims.append(Aim("scattered registers", "requests per cycle", round((after - before) / max(cycles, 1), 1), 1.0))


# ---- (d) system calls and instructions -------------------------------------------------------


def syscalls(argv_of, polls_per_s):
    """Calls per poll between two moments of a running process."""
    child = argv_of(())
    time.sleep(SETTLE_S)
    tracer = lab.start(["strace", "-f", "-c", "-p", child.pid], stderr=subprocess.PIPE, text=True)
    time.sleep(1)
    begin = time.monotonic()
    time.sleep(SECONDS)
    length = time.monotonic() - begin + 1
    tracer.send_signal(2)
    table = tracer.communicate(timeout=30)[1]
    lab.children.remove(tracer)
    lab.stop(child)
    table = "\n".join(line for line in table.splitlines() if not line.startswith("strace:"))
    total = next(line.split()[3] for line in table.splitlines() if line.endswith("total"))
    return int(total) / (polls_per_s * length), table


def instructions(argv_of, polls_per_s, folder):
    """User instructions per poll: the difference of two runs of different length."""
    counts = []
    for seconds in (6, 6 + SECONDS):
        out = folder.path / f"callgrind.{seconds}"
        child = argv_of(("valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "-q"))
        time.sleep(seconds)
        lab.stop(child, timeout=60)
        text = out.read_text(encoding="ascii", errors="replace")
        counts.append(int(re.search(r"^(?:summary|totals): (\d+)", text, re.M).group(1)))
    return (counts[1] - counts[0]) / (polls_per_s * SECONDS)


def part_d(out):
    folder = lab.Folder()
    broker = lab.Broker(folder)
    sim = lab.Simulator(folder, "fleet", broker, "fleet", "--devices", 10, "--registers", REGISTERS)
    ports = folder.file("ports", "\n".join(str(p) for p in sim.ports.values()) + "\n")

    def ours(under):
        return lab.start_daemon(sim.config, folder, under=under)

    def floor(under):
        with open(ports, "rb") as stdin:
            return lab.start([*under, lab.BUILD / "tests/bench/floor", broker.port, FLOOR_TOPIC, REGISTERS],
                             stdin=stdin, stderr=subprocess.DEVNULL)

    receiver = lab.Receiver(broker, TELEMETRY)
    results = {}
    for name, argv_of in (("labpulsed", ours), ("floor", floor)):
        calls, table = syscalls(argv_of, 10)
        results[name] = (calls, instructions(argv_of, 10, folder))
        note(f"{name}: {results[name][0]:.1f} system calls, {results[name][1]:.0f} instructions per poll\n{table}")
    receiver.arrivals()
    sim.stop()
    broker.stop()
    out.costs = results
    out.aims += [Aim("10 devices", "system calls, ratio to the floor", results["labpulsed"][0] / results["floor"][0], 2.0),
                 Aim("10 devices", "instructions, ratio to the floor", results["labpulsed"][1] / results["floor"][1], 4.0)]


# ---- (e) the start, devices that come back, silent neighbours --------------------------------


def start_time(folder, broker, sim):
    receiver = lab.Receiver(broker, TELEMETRY)
    begin = time.time()
    daemon = lab.start_daemon(sim.config, folder)
    time.sleep(3)
    arrivals = receiver.arrivals()
    lab.stop(daemon)
    firsts = [messages[0][0] - begin for messages in arrivals.values()]
    return min(firsts), max(firsts), len(firsts)


def return_time(folder, broker, sim):
    daemon = lab.start_daemon(sim.config, folder)
    time.sleep(2)
    sim.command("fault dev-0003 silent")
    time.sleep(30)
    receiver = lab.Receiver(broker, "parks/+/machines/dev-0003/telemetry")
    begin = time.time()
    sim.command("fault dev-0003 ok")
    time.sleep(12)
    messages = [m for a in receiver.arrivals().values() for m in a]
    lab.stop(daemon)
    return messages[0][0] - begin if messages else float("inf")


def neighbours(folder, broker, sim):
    daemon = lab.start_daemon(sim.config, folder)
    time.sleep(2)
    for i in range(1, 9):
        sim.command(f"fault dev-{i:04d} silent")
    receiver = lab.Receiver(broker, TELEMETRY)
    time.sleep(30)
    arrivals = receiver.arrivals()
    for i in range(1, 9):
        sim.command(f"fault dev-{i:04d} ok")
    lab.stop(daemon)
    gaps = [b[0] - a[0] for topic in arrivals if re.search("dev-00(09|10)/", topic)
            for a, b in zip(arrivals[topic], arrivals[topic][1:])]
    return max(gaps)


def part_e(out):
    folder = lab.Folder()
    broker = lab.Broker(folder)
    sim = lab.Simulator(folder, "fleet", broker, "fleet", "--devices", 10, "--registers", REGISTERS)
    starts = [start_time(folder, broker, sim) for _ in range(RUNS)]
    note(f"starts (first, last, how many): {starts}")
    back = return_time(folder, broker, sim)
    gap = neighbours(folder, broker, sim)
    note(f"back after {back:.3f} s; neighbours' longest gap {gap:.3f} s")
    sim.stop()
    broker.stop()
    out.aims += [Aim("10 devices", "start to first value, s", statistics.median(s[0] for s in starts), 0.1),
                 Aim("10 devices", "start to the first values of all, s", statistics.median(s[1] for s in starts), 1.1),
                 Aim("10 devices", "a device silent for 30 s is back, s", back, 10.0),
                 Aim("10 devices", "8 silent: longest gap of the others, s", gap, 1.05)]


# ---- (f) printers on serial ports ------------------------------------------------------------


def cpu_over(child, seconds):
    cpu, begin = lab.cpu_s(child.pid), time.monotonic()
    time.sleep(seconds)
    return (lab.cpu_s(child.pid) - cpu) / (time.monotonic() - begin)


def run_printers(folder, broker, sim):
    daemon = lab.start_daemon(sim.config, folder)
    receiver = lab.Receiver(broker, TELEMETRY)
    time.sleep(SETTLE_S + 4)  # a board that was just opened starts again first
    receiver.forget()
    used = cpu_over(daemon, SECONDS)
    messages = sum(map(len, receiver.arrivals().values()))
    lab.stop(daemon)
    idle = lab.start([lab.BUILD / "tests/bench/idle_threads", PRINTERS])
    time.sleep(2)
    waiting = cpu_over(idle, SECONDS)
    lab.stop(idle)
    return used, waiting, messages / SECONDS / PRINTERS


def part_f(out):
    folder = lab.Folder()
    broker = lab.Broker(folder)
    sim = lab.Simulator(folder, "printers", broker, "printers", "--devices", PRINTERS, "--period", "1s")
    runs = [run_printers(folder, broker, sim) for _ in range(RUNS)]
    note(f"printers (CPU s/s, idle threads' CPU s/s, messages per printer and second): {runs}")
    sim.stop()
    broker.stop()
    used, waiting, rate = (statistics.median(r[i] for r in runs) for i in range(3))
    out.printers = (used, waiting)
    which = f"{PRINTERS} printers"
    out.aims += [Aim(which, "CPU, % of a core", 100 * used, 2.0),
                 Aim(which, "polls published of due", rate, 0.95, least=True)]


# ---- all of it -------------------------------------------------------------------------------


def main():
    out = report.Report(runs=RUNS, seconds=SECONDS)
    for name, part in (("a", part_a), ("b", part_b), ("c", part_c), ("d", part_d), ("e", part_e), ("f", part_f)):
        if name in PARTS:
            part(out)
    print(out.table())
    if set("abcdef") <= set(PARTS):
        (lab.TOP / "docs" / "benchmarks.md").write_text(out.markdown(), encoding="utf-8")
    return 0 if all(aim.holds() for aim in out.aims) else 1


if __name__ == "__main__":
    sys.exit(main())
