# SPDX-License-Identifier: MIT
"""Printers, engravers and chargers on simulated ports, from the wire to the broker."""
import fcntl
import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from conftest import BUILD, wait_until

KINDS = {"printer": "marlin", "engraver": "grbl", "charger": "icharger", "balancer": "skyrc"}
SERIAL = ("printer", "engraver")


class Lab:
    """One machine of each kind, a subscriber and, after start(), the daemon."""

    def __init__(self, simulate, subscribe, broker, daemon, folder, on_open):
        scenario = folder / "usb-lab.yaml"
        scenario.write_text("usb:\n" + "".join(f"  - {{name: {name}, kind: {kind}}}\n"
                                               for name, kind in KINDS.items()))
        self.sim = simulate(str(scenario))
        self.folder, self.daemon = folder, daemon
        self.sub = subscribe(broker.port)
        self.config = folder / "lab.yaml"
        self.places = {name: f"unix:{self.sim.folder}/{name}" if name not in SERIAL else
                       str(self.sim.folder / name) for name in KINDS}
        self.config.write_text(f"""
park: p
gateway: g
mqtt: {{brokers: ["{broker.url}"]}}
control: {folder}/control
machines:
""" + "".join(f"""  - id: {name}
    class: other
    sources: [{{id: usb, driver: {kind}, device: "{self.places[name]}", interval: 500ms, timeout: 1s{f', on_open: {on_open}' if name in SERIAL else ''}}}]
""" for name, kind in KINDS.items()))
        self.child = None

    def start(self):
        self.child = self.daemon(self.config)
        return self

    def do(self, name, words):
        self.sim.control(f"do {name} {words}")

    def state(self, name, predicate, since=0, timeout=15):
        return self.sub.wait_for(lambda m: predicate(m.json), topic=f"machines/{name}/state", since=since,
                                 timeout=timeout).json

    def online(self, name, since=0, timeout=20):
        return self.state(name, lambda s: s["sources"]["usb"]["ok"], since, timeout)

    def telemetry(self, name, predicate, since=0, timeout=15):
        return self.sub.wait_for(lambda m: predicate(m.json["values"]), topic=f"machines/{name}/telemetry",
                                 since=since, timeout=timeout).json["values"]

    def nothing_forbidden_was_sent(self):
        for name in KINDS:
            self.do(name, "forbidden")


@pytest.fixture
def lab(simulate, subscribe, broker, daemon, tmp_path):
    """lab(on_open="safe") -> Lab; whatever the test did, only allowed queries were sent."""
    labs = []

    def make(on_open="safe"):
        labs.append(Lab(simulate, subscribe, broker, daemon, tmp_path, on_open))
        return labs[-1]

    yield make
    for one in labs:
        one.nothing_forbidden_was_sent()


@pytest.mark.parametrize("on_open", ["safe", "resets"])
def test_all_kinds_are_read(lab, on_open):
    here = lab(on_open).start()
    for name in KINDS:
        assert here.online(name)["activity"] in ("idle", "unknown")
    assert here.telemetry("printer", lambda v: "hotend_temp_c" in v)["state"] == "idle"
    assert here.telemetry("engraver", lambda v: "x_mm" in v)["state"] == "idle"
    assert here.telemetry("charger", lambda v: "input_v" in v)["ch1_state"] == "idle"
    assert here.telemetry("balancer", lambda v: "state" in v)["state"] == "idle"
    for name in KINDS:
        assert here.sim.stats()["usb"][name]["opened"] == 1, "a port is opened once and kept"


def test_a_print_from_start_to_end(lab):
    here = lab().start()
    here.online("printer")
    mark = here.sub.mark()
    here.do("printer", "print 4")
    busy = here.state("printer", lambda s: s["activity"] == "busy", mark)
    assert busy["state"] == "busy" and "usb says busy" in busy["reason"]
    here.telemetry("printer", lambda v: 0 < v.get("progress_pct", 0) < 100, mark)
    done = here.telemetry("printer", lambda v: v.get("job_result") == "finished", mark, timeout=30)
    assert done["state"] == "idle"
    here.state("printer", lambda s: s["activity"] == "idle", mark)


def test_a_thermal_runaway_stays_until_the_board_starts_again(lab):
    here = lab().start()
    here.online("printer")
    here.do("printer", "print 60")
    here.state("printer", lambda s: s["activity"] == "busy")
    mark = here.sub.mark()
    here.do("printer", "runaway")
    halted = here.telemetry("printer", lambda v: v.get("state") == "halted", mark)
    assert "hotend_temp_c" not in halted, "a printer that says nothing has no temperature"
    assert here.telemetry("printer", lambda v: "state" in v, here.sub.mark())["state"] == "halted"
    state = here.state("printer", lambda s: s["state"] == "fault", mark)
    assert state["condition"] == "fault" and state["alarms"] == ["usb-thermal-runaway"]
    assert "usb-thermal-runaway" in state["reason"]
    mark = here.sub.mark()
    here.do("printer", "reset")
    assert "hotend_temp_c" in here.telemetry("printer", lambda v: v.get("state") == "idle", mark)
    assert here.state("printer", lambda s: s["condition"] != "fault", mark)["state"] == "idle"


@pytest.mark.parametrize("severity, condition", [("none", "normal"), ("warning", "warning")])
def test_a_fault_is_as_severe_as_the_configuration_says(lab, severity, condition):
    here = lab()
    here.config.write_text(here.config.read_text().replace(
        "  - id: printer\n", f"  - id: printer\n    alarms: [{{code: usb-thermal-runaway, severity: {severity}}}]\n"))
    here.start()
    here.online("printer")
    mark = here.sub.mark()
    here.do("printer", "runaway")
    here.telemetry("printer", lambda v: v.get("state") == "halted", mark)
    here.sub.wait_for(lambda m: m.json["values"].get("usb.state") == "halted", topic="machines/printer/state", since=mark)
    last = here.sub.find("machines/printer/state", since=mark)[-1].json
    assert last["condition"] == condition and last["state"] == "idle"
    assert last["alarms"] == ([] if severity == "none" else ["usb-thermal-runaway"])


def test_an_engraving_with_an_alarm(lab):
    here = lab().start()
    here.online("engraver")
    mark = here.sub.mark()
    here.do("engraver", "job 60")
    here.state("engraver", lambda s: s["activity"] == "busy", mark)
    on = here.telemetry("engraver", lambda v: v.get("laser_on_s", 0) > 0, mark)
    assert on["spindle_speed"] > 0
    mark = here.sub.mark()
    here.do("engraver", "alarm 1")
    alarm = here.telemetry("engraver", lambda v: v.get("state") == "alarm", mark)
    assert alarm["last_alarm"] == 1 and alarm["job_result"] == "failed"
    mark = here.sub.mark()
    here.do("engraver", "reset")
    here.telemetry("engraver", lambda v: v.get("state") in ("idle", "alarm") and "x_mm" in v, mark)


def test_a_charge_with_a_cell_error(lab):
    here = lab().start()
    here.online("charger")
    mark = here.sub.mark()
    here.do("charger", "charge 60")
    here.state("charger", lambda s: s["activity"] == "busy", mark)
    charging = here.telemetry("charger", lambda v: v.get("ch1_charge_mah", 0) > 0, mark)
    assert charging["ch1_state"] == "charging" and charging["ch1_power_w"] > 0
    mark = here.sub.mark()
    here.do("charger", "cell-error")
    here.telemetry("charger", lambda v: v.get("ch1_state") == "error" and v["ch1_error"] > 1, mark)


@pytest.mark.parametrize("on_open", ["safe", "resets"])
@pytest.mark.parametrize("name", ["printer", "engraver", "charger"])
def test_pulled_out_and_plugged_in(lab, name, on_open):
    here = lab(on_open).start()
    here.online(name)
    mark, before = here.sub.mark(), time.monotonic()
    here.sim.control(f"unplug {name}")
    gone = here.state(name, lambda s: not s["sources"]["usb"]["ok"], mark)
    assert time.monotonic() - before < 2
    assert gone["state"] == "offline" and gone["sources"]["usb"]["error"] == "link-down"
    mark, before = here.sub.mark(), time.monotonic()
    here.sim.control(f"plug {name}")
    here.online(name, mark)
    assert time.monotonic() - before < 2


@pytest.mark.parametrize("language", ["en", "ru"])
def test_a_port_that_another_program_holds(lab, language):
    here = lab()
    here.config.write_text(here.config.read_text().replace("park: p", f"park: p\nlanguage: {language}"))
    holder = os.open(here.places["printer"], os.O_RDWR | os.O_NOCTTY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    here.start()
    held = here.state("printer", lambda s: not s["sources"]["usb"]["ok"])
    assert held["sources"]["usb"]["error"] == "in-use"
    name = Path(f"/proc/{os.getpid()}/comm").read_text().strip()
    assert f"{name} (pid {os.getpid()})" in held["sources"]["usb"]["hint"]
    mark = here.sub.mark()
    os.close(holder)
    here.online("printer", mark)


@pytest.mark.parametrize("name", list(KINDS))
def test_silence_is_offline_and_comes_back(lab, name):
    here = lab().start()
    here.online(name)
    mark = here.sub.mark()
    here.sim.control(f"fault {name} silent")
    gone = here.state(name, lambda s: s["state"] == "offline", mark, timeout=25)
    assert gone["sources"]["usb"]["error"] == "timeout"
    mark = here.sub.mark()
    here.sim.control(f"fault {name} ok")
    here.online(name, mark, timeout=45)  # a printer's lost question is given up after 30 s


@pytest.mark.parametrize("fault", ["stall", "garbage", "flood", "late 700"])
@pytest.mark.parametrize("name", list(KINDS))
def test_a_wire_that_goes_wrong_hurts_nobody_else(lab, name, fault):
    here = lab().start()
    for each in KINDS:
        here.online(each)
    rss = here.child.rss_bytes()
    other = "engraver" if name != "engraver" else "printer"
    here.sim.control(f"fault {name} {fault}")
    mark = here.sub.mark()
    for _ in range(8):  # the neighbour goes on: eight more polls
        here.telemetry(other, lambda v: "state" in v, mark, timeout=3)
        mark = here.sub.mark()
    assert here.child.rss_bytes() < rss + 4 * 1024 * 1024
    here.sim.control(f"fault {name} ok")
    mark = here.sub.mark()
    here.telemetry(name, lambda v: v.get("state", v.get("ch1_state")) == "idle", mark, timeout=40)
    before = time.monotonic()
    assert here.child.stop() == 0
    assert time.monotonic() - before < 5


def test_stopping_in_the_middle_of_it(lab):
    """A flood, a stall and a silence at once, and SIGTERM."""
    here = lab().start()
    for each in KINDS:
        here.online(each)
    for name, fault in zip(KINDS, ("flood", "stall", "silent", "flood")):
        here.sim.control(f"fault {name} {fault}")
    flood = here.sim.stats()["usb"]["printer"]["said"] + 100000  # so that all are in the middle of it
    wait_until(lambda: here.sim.stats()["usb"]["printer"]["said"] > flood, what="the flood")
    before = time.monotonic()
    assert here.child.stop() == 0
    assert time.monotonic() - before < 5


def tool(*words):
    return subprocess.run([BUILD / "labpulse", *map(str, words)], capture_output=True, text=True, timeout=30)


def test_read_without_the_daemon_opens_no_port_that_resets(lab):
    here = lab("resets")
    refused = tool("read", "printer", "-c", here.config, "--control", here.folder / "control")
    assert refused.returncode == 64 and "on_open: safe" in refused.stderr
    assert here.sim.stats()["usb"]["printer"]["opened"] == 0
    charger = tool("read", "charger", "-c", here.config, "--control", here.folder / "control", "--json")
    assert charger.returncode == 0, charger.stderr
    points = {p["id"]: p for p in json.loads(charger.stdout)["sources"][0]["points"]}
    assert points["input_v"]["quality"] == "ok"


@pytest.mark.parametrize("lang, words", [("en", "may restart the board"), ("ru", "может перезапустить плату")])
def test_explain_without_the_daemon_opens_none_either(lab, lang, words):
    here = lab("resets")
    told = tool("explain", "printer", "-c", here.config, "--control", here.folder / "control", "--lang", lang)
    assert told.returncode == 0 and words in told.stdout
    assert here.sim.stats()["usb"]["printer"]["opened"] == 0


def test_explain_finds_nothing_wrong_with_what_is_optional(lab):
    here = lab("safe")
    told = tool("explain", "printer", "-c", here.config, "--control", here.folder / "control", "--lang", "en")
    assert told.returncode == 0
    assert "progress_pct" not in told.stdout and "chamber_temp_c" not in told.stdout, told.stdout


def test_read_through_the_daemon_opens_nothing_anew(lab):
    here = lab("resets").start()
    here.online("printer")
    done = tool("read", "printer", "-c", here.config, "--control", here.folder / "control", "--json")
    assert done.returncode == 0, done.stderr
    points = {p["id"]: p for p in json.loads(done.stdout)["sources"][0]["points"]}
    assert points["hotend_temp_c"]["quality"] == "ok"
    assert here.sim.stats()["usb"]["printer"]["opened"] == 1


def test_a_reload_keeps_the_ports(lab):
    here = lab("resets").start()
    for name in KINDS:
        here.online(name)
    here.config.write_text(here.config.read_text().replace("park: p", "park: p\nlanguage: ru"))
    mark = here.sub.mark()
    here.child.reload()
    here.sub.wait_for(lambda m: m.json.get("type") == "config" and m.json["ok"], topic="gateways/g/event", since=mark)
    for name in KINDS:
        here.telemetry(name, lambda v: True, here.sub.mark())
        assert here.sim.stats()["usb"][name]["opened"] == 1


def test_an_unusual_speed(lab):
    here = lab()
    here.config.write_text(here.config.read_text().replace("driver: marlin,", "driver: marlin, baud: 250000,"))
    here.start()
    here.online("printer")
