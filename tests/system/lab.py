# SPDX-License-Identifier: MIT
"""A laboratory with jobs and alarms: a bench (bench.py) with USB machines, its daemon and its tool.

    from lab import lab_fixture  # the fixture `lab`
    lab.add("laser", "line", usage=LASER, job=SHORT)   # keys of the machine, not of the source
    lab.add_printer("printer")
    lab.start()
    lab.state("laser", activity="busy")
"""
import json
import signal
import time

import pytest

from bench import Bench
from conftest import wait_until

SHORT = {"min": "1s", "end_after": "2s"}
LASER = [{"activity": "busy", "point": "s1.power_w", "above": 120, "below": 80, "for": "400ms"},
         {"activity": "idle", "point": "s1.power_w", "above": 8},
         {"activity": "off"}]
OFF_W, IDLE_W, BUSY_W = 2, 40, 480
SECONDS = ("off_s", "idle_s", "busy_s", "paused_s", "unknown_s", "offline_s")
COUNTERS = SECONDS + ("fault_s", "jobs_started", "jobs_finished", "jobs_failed", "alarms_raised")


class Lab(Bench):
    def __init__(self, tmp_path, broker, simulator, subscribe, daemon, labpulse):
        super().__init__(tmp_path, broker.url)
        self.broker, self.simulator, self.subscribe = broker, simulator, subscribe
        self.make_daemon, self.labpulse = daemon, labpulse
        self.printers, self.daemon, self.sub = [], None, None

    def add(self, machine, bus, unit=1, source="s1", power=None, fault=None, profile="probe", **keys):
        """A machine with the profile "probe", or one more source of it."""
        values = None if power is None else {"power_w": power, "voltage_v": 230}
        super().add(machine, bus, unit, source=source, values=values, fault=fault, profile=profile)
        self.machine(machine).update(keys)
        return self

    def add_printer(self, machine, resets=True, **keys):
        """`resets`: opening its port restarts it."""
        place = str(self.folder / "sim1" / machine)
        self.printers.append({"name": machine, "kind": "marlin", "resets": resets})
        self.config["machines"].append({
            "id": machine, "class": "3d-printer", "job": SHORT,
            "sources": [{"id": "board", "driver": "marlin", "device": place, "interval": "250ms",
                         "timeout": "1s", "on_open": "safe"}], **keys})
        return self

    def start(self):
        """Simulator, subscriber and daemon; every machine is known."""
        self.simulate(self.simulator)
        self.sub = self.subscribe(self.broker.port)
        self.write()
        self.run()
        for machine in self.config["machines"]:
            self.wait(f"machines/{machine['id']}/state", lambda s: all(x["ok"] for x in s["sources"].values()))
        return self

    def simulate(self, simulate):
        super_scenario = {"lines": list(self.lines.values()), "tcp": list(self.tcps.values()),
                          "units": self.units, "usb": self.printers}
        path = self.folder / "scenario.yaml"
        path.write_text(json.dumps(super_scenario))
        self.sim = simulate(path, "--profiles", self.profiles)
        for bus, line in self.lines.items():
            self.config["buses"].append({"id": bus, "type": "modbus-rtu", "device": self.sim.ptys[bus],
                                         "baud": line["baud"], "format": "8N1"})
        return self.sim

    def run(self):
        """The daemon; it listens to its tool."""
        self.daemon = self.make_daemon(self.path)
        wait_until(lambda: self.labpulse("usage", "--control", self.folder / "control").code == 0, what="the daemon is there")
        return self.daemon

    def kill(self):
        self.daemon.signal(signal.SIGKILL)
        self.daemon.wait()

    def reload(self, change=None):
        """The configuration with what `change` does to it, in force."""
        times = self.daemon.err().count("configuration reloaded")
        self.write(change)
        self.daemon.reload()
        wait_until(lambda: self.daemon.err().count("configuration reloaded") > times, what="the reload")

    def power(self, unit, watts, bus="line"):
        self.sim.control(f"set {bus}-{unit} power_w {watts}")

    def do(self, printer, words):
        self.sim.control(f"do {printer} {words}")

    def tool(self, *words, code=0):
        result = self.labpulse(*words, "--control", self.folder / "control")
        assert result.code == code, result
        return result

    def telemetry(self, machine, since, ms=0, **values):
        """Waits for a reading with these values, and for one `ms` after it."""
        first = self.wait(f"machines/{machine}/telemetry", lambda t: values.items() <= t["values"].items(), since)
        return self.wait(f"machines/{machine}/telemetry", lambda t: t["ts"] >= first["ts"] + ms, since)

    def reason(self, machine):
        return self.tool("explain", machine, "--json").json["machines"][0]["reason"]

    # ---- what is published ----

    def wait(self, topic, predicate, since=0, timeout=20):
        return self.sub.wait_for(lambda m: m.payload and predicate(m.json), topic=topic, since=since,
                                 timeout=timeout).json

    def state(self, machine, since=0, timeout=20, **keys):
        """The machine's first state message since then with these values."""
        return self.wait(f"machines/{machine}/state", lambda s: keys.items() <= s.items(), since, timeout)

    def job(self, machine, kind, since=0, timeout=20, sub=None):
        """Its first message "started" or "ended" since then."""
        return (sub or self.sub).wait_for(lambda m: m.json["type"] == kind, topic=f"machines/{machine}/job",
                                          since=since, timeout=timeout).json

    def records(self, leaf, *subs):
        """Numbered messages without repeats; one name has only one content."""
        named = {}
        for sub in subs or (self.sub,):
            for m in sub.find(leaf):
                body = {k: v for k, v in m.json.items() if k not in ("ts", "clock")}
                name = (m.topic, body["gw"], body["epoch"], body["seq"])
                assert named.setdefault(name, body) == body, f"{name} names two records"
        return list(named.values())

    def jobs(self, machine, *subs):
        """Its jobs, [started, ended or None] in their order; none is told twice."""
        found = {}
        for r in self.records(f"machines/{machine}/job", *subs):
            pair = found.setdefault(r["job"], {})
            assert r["type"] not in pair, f"{r['type']} is told twice: {r}"
            pair[r["type"]] = r
        assert all("started" in pair for pair in found.values()), found
        return [(pair["started"], pair.get("ended")) for pair in found.values()]

    def alarm_events(self, machine, code, *subs):
        """The transitions of an alarm, in their order."""
        return [r["transition"] for r in self.records(f"{machine}/event", *subs)
                if r["type"] == "alarm" and r["code"] == code]

    def tells(self, machine, code, *transitions, subs=()):
        """Its transitions so far are these; events come after the pictures."""
        wait_until(lambda: len(self.alarm_events(machine, code, *subs)) >= len(transitions), what=f"events of {code}")
        told = self.alarm_events(machine, code, *subs)
        assert told == list(transitions), self.sub.find(machine + '/event')

    def alarm(self, machine, code, since=0, timeout=20, **keys):
        """The first picture of an alarm since then with these values."""
        return self.wait(f"machines/{machine}/alarm/{code}", lambda a: keys.items() <= a.items(), since, timeout)

    def kept(self):
        """What a newcomer gets: topic below the park -> JSON or text."""
        sub = self.subscribe(self.broker.port, topics=("parks/#", "probe/#"), validate=False)
        sub.client.publish("probe/end", b"end", qos=1)
        sub.wait_for(lambda m: True, topic="probe/end")
        return {m.topic.split("/", 2)[2]: m.json if m.payload[:1] == b"{" else m.text
                for m in sub.find(predicate=lambda m: m.retain)}

    def active(self, machine):
        """Its active alarms as a newcomer sees them; `state` says the same of those that count."""
        kept = self.kept()
        alarms = {t.rsplit("/", 1)[1]: a for t, a in kept.items() if t.startswith(f"machines/{machine}/alarm/")}
        assert all(a["code"] == code for code, a in alarms.items())
        counted = sorted(c for c, a in alarms.items() if a["active"] and not a["suppressed_by"])
        assert counted == sorted(kept[f"machines/{machine}/state"]["alarms"])
        return sorted(c for c, a in alarms.items() if a["active"]), sorted(c for c, a in alarms.items() if not a["active"])

    # ---- counters ----

    def totals(self, machine, was=None):
        """The counters now; they add up, and are not behind what they were."""
        usage = self.tool("usage", machine, "--json").json["machines"][0]
        elapsed = time.time() - usage["since"] / 1000
        assert abs(sum(usage[k] for k in SECONDS) - elapsed) < 5, (elapsed, usage)
        for key in COUNTERS if was else ():
            assert usage[key] >= was[key] - (1 if key in SECONDS else 0), f"{key} went back: {was} -> {usage}"
        return usage


@pytest.fixture(name="lab")
def lab_fixture(tmp_path, broker, simulate, subscribe, daemon, labpulse):
    """lab.add(…).start() -> Lab; nothing but questions was asked of its printers."""
    lab = Lab(tmp_path, broker, simulate, subscribe, daemon, labpulse)
    yield lab
    for printer in lab.printers if lab.sim else ():
        lab.do(printer["name"], "forbidden")
