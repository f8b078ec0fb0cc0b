# SPDX-License-Identifier: MIT
"""A hundred reloads while twenty buses are polled: who did not change does not notice.

Looks at single intervals as the slaves see them, so nothing may run beside it.
"""
import json
import signal
import time
from pathlib import Path

import pytest

from bench import Bench
from conftest import is_complete, telemetry_seqs, wait_until

PERIOD_S = 0.5
BUSES = 20
SLAVE = Path(__file__).with_name("timing_slave.py")
RULES = [{"activity": "busy", "point": "s1.power_w", "above": 120, "for": "200ms"}, {"activity": "off"}]


class Fleet(Bench):
    """Machines m0 … m19 with a bus each; the one of m0 is a serial line."""

    def __init__(self, folder, broker_url, spawn):
        super().__init__(folder, broker_url)
        self.times, link = folder / "times.json", folder / "line"
        self.slave = spawn("slave", ["/usr/bin/python3", SLAVE, self.times, BUSES, link])
        wait_until(lambda: self.slave.out().endswith("\n"), what="the slaves")
        self.ports = json.loads(self.slave.out())  # the last one is for the bus that comes
        self.add_bus(0, {"type": "modbus-rtu", "device": str(link), "baud": 115200, "format": "8N1"})
        for i in range(1, BUSES):
            self.add_bus(i, {"type": "modbus-tcp", "host": "127.0.0.1", "port": self.ports[i - 1]})

    def add_bus(self, i, bus):
        self.config["buses"].append({"id": f"bus{i}", **bus})
        self.config["machines"].append({
            "id": f"m{i}", "class": "other", "usage": RULES, "job": {"end_after": "1s", "min": "1s"},
            "sources": [{"id": "s1", "driver": "modbus", "bus": f"bus{i}", "unit": 1, "profile": "probe",
                         "interval": f"{int(PERIOD_S * 1000)}ms", "points": ["voltage_v", "power_w"]}]})

    def asked(self):
        """When each slave that stays was asked, and when the computer stood still."""
        self.times.unlink(missing_ok=True)
        self.slave.signal(signal.SIGUSR1)
        wait_until(self.times.exists, what="the slaves' notes")
        told = json.loads(self.times.read_text())
        told["asked"].pop(str(self.ports[-1]), None)
        assert len(told["asked"]) == BUSES
        return told["asked"], told["stood"]


def one_bus_more(fleet):
    def change(c):
        c["buses"].append({"id": "new", "type": "modbus-tcp", "host": "127.0.0.1", "port": fleet.ports[-1]})
        c["machines"].append({**c["machines"][1], "id": "m-new",
                              "sources": [{**c["machines"][1]["sources"][0], "bus": "new"}]})
    return change


def late_gaps(times, stood):
    """Intervals above 1.1 periods, less what the computer stood still in them."""
    found = []
    for a, b in zip(times, times[1:]):
        still = sum(min(b, to) - max(a, since) for since, to in stood if since < b and to > a)
        if b - a - still > 1.1 * PERIOD_S:
            found.append(round(b - a, 3))
    return found


@pytest.fixture
def fleet(tmp_path, broker, spawn):
    return Fleet(tmp_path, broker.url, spawn)


def reload_a_hundred_times(fleet, sub, d):
    changes = (one_bus_more(fleet), None, lambda c: c["machines"][5].update(title={"en": "New"}), None)
    for n in range(100):
        mark = sub.mark()
        fleet.write(changes[n % 4])
        d.reload()
        event = sub.wait_for(lambda m: m.json["type"] == "config", topic="gateways/gw1/event", since=mark)
        assert event.json["ok"]
        if n % 4 == 0:  # it is really polled before it goes
            sub.wait_for(lambda m: m.payload, topic="machines/m-new/telemetry", since=mark)


def measure(fleet, sub, d):
    """What is wrong with the intervals, by slave; "": nothing."""
    began = time.monotonic()
    reload_a_hundred_times(fleet, sub, d)
    ended = time.monotonic()
    asked, stood = fleet.asked()
    stood = [(since, to) for since, to in stood if to > began]
    if sum(to - since for since, to in stood) > 0.3 * (ended - began):
        return "this computer stood still too much to tell"
    window = {who: [t for t in times if began - PERIOD_S < t < ended] for who, times in asked.items()}
    late = {who: late_gaps(times, stood) for who, times in window.items()}
    early = {who: sum(b - a < PERIOD_S / 2 for a, b in zip(times, times[1:])) - len(stood) for who, times in window.items()}
    if any(late.values()):
        return f"too late: {late}"
    return f"polls too many: {early}" if max(early.values()) > 1 else ""


def test_a_hundred_reloads(fleet, broker, subscribe, daemon):
    sub = subscribe(broker.port)
    d = daemon(fleet.write())
    for i in range(BUSES):
        sub.wait_for(lambda m: m.json["type"] == "started", topic=f"machines/m{i}/job")
    # What a reload does, it does each time; a computer that does not let the daemon run does not.
    wrong = []
    while not wrong or wrong[-1]:
        assert len(wrong) < 5, wrong
        wrong.append(measure(fleet, sub, d))
    for i in range(BUSES):
        mark = sub.mark()
        sub.wait_for(lambda m: True, topic=f"machines/m{i}/telemetry", since=mark)
        wait_until(lambda: is_complete(telemetry_seqs(sub.find(), f"m{i}"), 1), what="every reading")
        jobs = [m.json["type"] for m in sub.find(topic=f"machines/m{i}/job")]
        assert jobs == ["started"], f"m{i}: {jobs}"
    for m in sub.find(topic="/usage", predicate=lambda m: m.payload):
        assert m.json["jobs_started"] <= 1 and m.json["unknown_s"] < 5, m
