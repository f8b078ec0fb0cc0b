# SPDX-License-Identifier: MIT
"""Every error word of the contract: provoked, published as that word, explained in two languages.

One daemon polls one lab in which every unit has its own ailment, so that a test only has to ask.
What needs a daemon or a bus of its own stands behind.
"""
import json
import os
import shutil
import socketserver
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from conftest import BUILD, Broker, Process, Simulator, Subscriber, take_free_port, wait_until

PROFILE = """
schema: 1
id: {id}
revision: 1
kind: generic
vendor: test
models: [any]
title: {{ru: "Проба", en: "Test"}}
status: unverified
sources: [{{id: s1, origin: standard, title: "test", url: "https://example.org/", seen: "2026-01-01"}}]
link: {{transports: [rtu, tcp], baud: 115200, format: 8N1, unit: 1, response_timeout: 300ms}}
limits: {{max_regs: 16}}
{extra}
groups: [{{id: main, period: 1s}}]
points:
  - {{id: temp_c, table: input, address: 1, type: s16, scale: 0.1, unit: C, range: [-40, 125],
     raw_na: [0x7FFF], raw_error: [0x7FFE], sources: [s1]}}
  - {{id: count, table: holding, address: 40, type: u16, sources: [s1]}}
  - {{id: spare, table: holding, address: 900, type: u16, optional: true, sources: [s1]}}
"""
IDENTIFY = "identify: [{table: holding, address: 40, type: u16, any_of: [104]}]"


class Case:
    """A unit with an ailment, and what must be said about it.

    kind: "source" (it is not ok), "point" (temp_c has no value, the rest has), "all" (it answers,
    but without a value for anything)."""

    def __init__(self, word, kind, unit, fault=None, value="21.5", profile="probe", on="rs485",
                 english=(), russian=()):
        self.word, self.kind, self.unit, self.fault = word, kind, unit, fault
        self.value, self.profile, self.on = value, profile, on
        self.words = {"en": english, "ru": russian}

    @property
    def machine(self):
        return f"m-{self.unit}"


POINT_EN, POINT_RU = "temp_c (input 1)", "temp_c (input 1)"
LOOK = "labpulse peek rs485 {unit} input 1 1"
CASES = {c.word + ("" if c.on == "rs485" else "-" + c.on): c for c in [
    Case("timeout", "source", 10, "silent", english=["its power and address", "terminator"],
         russian=["питание и адрес", "терминатор"]),
    Case("timeout", "source", 11, "silent", on="tcp", english=["connection stands", "unit number"],
         russian=["соединение есть", "номер устройства"]),
    Case("crc", "source", 12, "crc", on="bad", english=["shield", "parity"], russian=["экран", "чётность"]),
    Case("crc", "source", 14, "wrong-function", on="tcp", english=["Broken answers", "line behind the gateway"],
         russian=["Испорченные ответы", "линию за шлюзом"]),
    Case("protocol", "source", 13, on="http", english=["Modbus TCP"], russian=["Modbus TCP"]),
    Case("identity", "source", 15, profile="probe-104", english=["(5)", "probe-104", "labpulse accept"],
         russian=["(5)", "probe-104", "labpulse accept"]),
    # what is refused (illegal function, address, length) is found out and called unsupported
    Case("unsupported", "all", 21, "exception 1", on="tcp", english=[POINT_EN, "of probe"], russian=[POINT_RU, "вместо probe"]),
    Case("unsupported", "all", 23, "exception 3", on="tcp2", english=[POINT_EN, "of probe"], russian=[POINT_RU, "вместо probe"]),
    Case("exception-4", "all", 24, "exception 4", english=["display"], russian=["дисплей"]),
    Case("exception-5", "all", 25, "exception 5", english=["interval"], russian=["interval"]),
    Case("exception-6", "all", 26, "busy", english=["somebody else polls it"], russian=["ещё кто-то"]),
    Case("exception-7", "all", 27, "exception 7", english=["settings"], russian=["настройки"]),
    Case("exception-8", "all", 28, "exception 8", english=["Memory error"], russian=["Ошибка памяти"]),
    Case("exception-9", "all", 29, "exception 9", english=["exception 9", "manual"], russian=["исключением 9", "документации"]),
    Case("exception-10", "source", 30, "exception 10", on="tcp", english=["Gateway", "serial port"],
         russian=["Шлюз", "последовательного порта"]),
    Case("exception-11", "source", 31, "exception 11", on="tcp", english=["Gateway", "behind the gateway"],
         russian=["Шлюз", "за шлюзом"]),
    Case("exception-96", "all", 32, "exception 96", english=["exception 96", "manual"],
         russian=["исключением 96", "документации"]),
    Case("unsupported", "point", 40, "exception 2 4 1 1", english=[POINT_EN, "`points`", "probe", LOOK],
         russian=[POINT_RU, "points", "probe", LOOK]),
    Case("exception-4", "point", 41, "exception 4 4 1 1", on="tcp", english=["display"], russian=["дисплей"]),
    Case("out-of-range", "point", 42, value="raw 2000", english=[POINT_EN, "-40…125", "probe", LOOK],
         russian=[POINT_RU, "-40…125", "probe", LOOK]),
    Case("not-available", "point", 43, value="na", english=[POINT_EN, "input is connected"],
         russian=[POINT_RU, "подключён ли вход"]),
    Case("sensor-error", "point", 44, value="error", english=[POINT_EN, "its wires"], russian=[POINT_RU, "его провода"]),
    Case("link-down", "source", 50, on="gone", english=["adapter", "/dev/serial/by-id"], russian=["адаптер", "/dev/serial/by-id"]),
    Case("link-down", "source", 51, on="refused", english=["network cable", "Modbus TCP"],
         russian=["сетевой кабель", "Modbus TCP"]),
    Case("in-use", "source", 52, on="held", english=["stop that program"], russian=["остановите её"]),
]}
SIMULATED = ("rs485", "bad", "tcp", "tcp2")
WELL = Case("", "well", 5)


class NotModbus(socketserver.StreamRequestHandler):
    """What a web server says to a Modbus request."""

    def handle(self):
        while self.request.recv(256):
            self.request.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")


class Lab:
    """The daemon, what it polls, and the tool beside it."""

    def __init__(self, folder):
        self.folder, self.children = folder, []
        self.config = folder / "labpulse.yaml"
        self.broker = Broker(self.spawn, folder, take_free_port()).start()
        self.messages = Subscriber(self.broker.port)
        self.write_profiles()
        scenario = folder / "scenario.yaml"
        scenario.write_text(self.scenario())
        self.sim = Simulator(self.spawn("simulate", [
            BUILD / "labpulse", "simulate", scenario, "--dir", folder / "sim", "--profiles", folder / "profiles"]),
            folder / "sim")
        self.web = socketserver.ThreadingTCPServer(("127.0.0.1", 0), NotModbus)
        self.web.daemon_threads = True
        threading.Thread(target=self.web.serve_forever, daemon=True).start()
        self.places = {**self.sim.ptys, **{k: f"127.0.0.1:{v}" for k, v in self.sim.ports.items()},
                       "http": f"127.0.0.1:{self.web.server_address[1]}", "gone": str(folder / "nowhere"), "refused": f"127.0.0.1:{take_free_port()}"}
        self.holder = self.hold(self.places["held"])
        self.config.write_text(self.configuration())
        self.daemon = self.spawn("labpulsed", [
            BUILD / "labpulsed", "-c", self.config, "--profiles", folder / "profiles"])
        wait_until(self.is_up, what="the daemon answers on its control socket")

    def is_up(self):
        assert self.daemon.running(), self.daemon.err()
        return (self.folder / "control").exists()

    def spawn(self, name, argv, env=None):
        self.children.append(Process(name, argv, self.folder, env))
        return self.children[-1]

    def hold(self, path):
        holder = ("import fcntl,sys,time; f=open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX);"
                  "print('held', flush=True); time.sleep(600)")
        child = self.spawn("holder", [sys.executable, "-c", holder, path])
        wait_until(lambda: "held" in child.out(), what="the port is held")
        return child

    def write_profiles(self):
        (self.folder / "profiles").mkdir()
        for name, extra in (("probe", ""), ("probe-104", IDENTIFY)):
            (self.folder / "profiles" / f"{name}.yaml").write_text(PROFILE.format(id=name, extra=extra))

    def scenario(self):
        lines = ["lines: [{id: rs485, baud: 115200}, {id: bad, baud: 115200}, {id: held, baud: 115200}]",
                 "tcp: [{id: tcp}, {id: tcp2}]", "units:"]
        for case in [WELL, *CASES.values()]:
            if case.on in SIMULATED:
                fault = f", fault: {case.fault}" if case.fault else ""
                lines.append(f'  - {{name: u{case.unit}, on: {case.on}, unit: {case.unit}, profile: probe, '
                             f'points: {{temp_c: "{case.value}", count: 5}}{fault}}}')
        return "\n".join(lines) + "\n"

    def configuration(self):
        lines = ["park: p", "gateway: g", f'mqtt: {{brokers: ["{self.broker.url}"]}}',
                 f'spool: {{path: "{self.folder}/spool"}}', f'control: "{self.folder}/control"', "buses:"]
        for bus, place in self.places.items():
            lines.append(f'  - {{id: {bus}, type: modbus-rtu, device: "{place}", baud: 115200, format: 8N1}}'
                         if place[0] == "/" else
                         f"  - {{id: {bus}, type: modbus-tcp, host: {place.split(':')[0]}, port: {place.split(':')[1]}}}")
        lines.append("machines:")
        for case in [WELL, *CASES.values()]:
            lines.append(f"  - id: {case.machine}\n    class: other\n    sources: [{{id: s, driver: modbus, "
                         f"bus: {case.on}, unit: {case.unit}, profile: {case.profile}}}]")
        return "\n".join(lines) + "\n"

    def tool(self, *argv):
        return subprocess.run([BUILD / "labpulse", *argv, "-c", self.config, "--profiles",
                               self.folder / "profiles"], capture_output=True, text=True, timeout=30, check=False)

    def explain(self, case, language):
        return json.loads(self.tool("explain", case.machine, "--json", "--lang", language).stdout)

    def source(self, case, language="en"):
        return self.explain(case, language)["machines"][0]["sources"][0]

    def close(self):
        self.messages.close()
        self.web.shutdown()
        self.web.server_close()
        for child in reversed(self.children):
            child.stop()


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    lab = Lab(tmp_path_factory.mktemp("explain"))
    yield lab
    lab.close()
    assert not lab.messages.violations
    assert lab.daemon.popen.returncode == 0


def said(lab, case, language="en"):
    """(error, hint) of the source, or of its point temp_c."""
    source = lab.source(case, language)
    if case.kind == "source":
        return source["error"], source["hint"]
    point = source["points"].get("temp_c", {})
    return point.get("error"), point.get("hint")


def settled(lab, case):
    wait_until(lambda: said(lab, case)[0] == case.word, timeout=40, what=f"{case.machine} has {case.word}")


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("name", CASES)
def test_the_thing_to_touch_is_named(lab, name, language):
    case = CASES[name]
    settled(lab, case)
    hint = said(lab, case, language)[1]
    facts = [lab.places[case.on], *case.words[language]]
    if case.on in SIMULATED:
        facts.append(("unit {unit}" if language == "en" else "{unit}"))
    if case.word == "in-use":
        facts.append(f"(pid {lab.holder.pid})")
    for fact in facts:
        assert fact.format(unit=case.unit).lower() in hint.lower(), hint
    assert not any(sign in hint for sign in "{}?")
    text = lab.tool("explain", case.machine, "--lang", language)
    assert text.returncode == 0 and hint in text.stdout and case.word in text.stdout, text
    assert text.stdout.count(hint) == 1, "said once"


@pytest.mark.parametrize("name", CASES)
def test_the_word_is_published(lab, name):
    case = CASES[name]

    def errors_of(message):
        return set(message.json["errors"].values()) if "s" == message.json["source"] else set()

    settled(lab, case)
    lab.messages.wait_for(lambda m: case.word in errors_of(m), timeout=30,
                          topic=f"machines/{case.machine}/telemetry")
    state = lab.messages.wait_for(lambda m: m.payload and m.json["sources"]["s"]["ok"] == (case.kind != "source"),
                                  timeout=30, topic=f"machines/{case.machine}/state")
    source = state.json["sources"]["s"]
    if case.kind == "source":
        assert source["error"] == case.word and state.json["state"] == "offline"
        assert state.json["sources"]["s"]["hint"] == said(lab, case)[1]
    else:
        assert "s.temp_c" not in state.json["values"]


def test_what_is_well_is_called_so(lab):
    wait_until(lambda: lab.source(WELL)["ok"], what="the healthy unit is read")
    text = lab.tool("explain", WELL.machine, "--lang", "en").stdout
    assert "nothing is wrong" in text and "spare" not in text  # optional: no fault
    assert "всё в порядке" in lab.tool("explain", WELL.machine, "--lang", "ru").stdout


# ---- what needs a daemon of its own, or none ------------------------------------------------------


SCENARIO = """
lines: [{{id: rs485, baud: 115200}}]
tcp: [{{id: tcp}}]
units:
  - {{name: one, on: rs485, unit: 1, profile: probe, points: {{temp_c: "{value}", count: 5}}}}
  - {{name: two, on: tcp, unit: 2, profile: probe, points: {{temp_c: 21.5, count: 5}}, fault: silent}}
"""
CONFIG = """
park: p
gateway: g
{mqtt}
spool: {{path: "{folder}/state"}}
control: "{folder}/control"
buses:
  - {{id: rs485, type: modbus-rtu, device: "{pty}", baud: 115200, format: 8N1}}
  - {{id: tcp, type: modbus-tcp, host: 127.0.0.1, port: {port}}}
machines:
  - id: m1
    class: other
    sources:
      - {{id: one, driver: modbus, bus: rs485, unit: 1, profile: probe}}
      - {{id: two, driver: modbus, bus: tcp, unit: 2, profile: probe}}
"""
TEXTS = {"link-down": {"en": "adapter", "ru": "адаптер"}, "permission": {"en": "dialout", "ru": "dialout"},
         "stale": {"en": "polling has just begun", "ru": "опрос только что начат"}}


class Small:
    """Two units, nothing polls them yet."""

    def __init__(self, folder, simulate, labpulse, url, value):
        profiles = folder / "profiles"
        profiles.mkdir()
        (profiles / "probe.yaml").write_text(PROFILE.format(id="probe", extra=""))
        (folder / "s.yaml").write_text(SCENARIO.format(value=value))
        self.sim = simulate(folder / "s.yaml", "--profiles", profiles)
        self.pty, self.labpulse = self.sim.ptys["rs485"], labpulse
        self.config = folder / "labpulse.yaml"
        self.config.write_text(CONFIG.format(folder=folder, pty=self.pty, port=self.sim.ports["tcp"],
                                             mqtt=f'mqtt: {{brokers: ["{url}"]}}'))
        self.common = ["-c", self.config, "--profiles", profiles]

    def explain(self, *argv):
        return self.labpulse("explain", *argv, *self.common)

    def sources(self, language):
        result = self.explain("--json", "--lang", language)
        return {s["source"]: s for s in result.json["machines"][0]["sources"]} if result.code == 0 else {}

    def wait_error(self, source, word):
        wait_until(lambda: self.sources("en").get(source, {}).get("error") == word, timeout=30,
                   what=f"{source} has {word}")

    def check(self, source, word, *facts):
        for language in ("en", "ru"):
            hint = self.sources(language)[source]["hint"]
            assert all(fact in hint for fact in (TEXTS[word][language], *facts)), hint
            text = self.explain("m1", "--lang", language).out
            assert hint in text and f"{source}: {word}" in text


@pytest.fixture
def small(tmp_path, simulate, labpulse, broker):
    def start(value="21.5", folder=tmp_path):
        return Small(folder, simulate, labpulse, broker.url, value)

    return start


def test_adapter_pulled_out(small, daemon, subscribe, broker):
    lab, messages = small(), subscribe(broker.port)
    daemon(lab.config)
    messages.wait_for(lambda m: m.json["source"] == "one" and m.json["values"], topic="m1/telemetry")
    lab.sim.control("unplug rs485")
    messages.wait_for(lambda m: m.json["sources"]["one"].get("error") == "link-down", topic="m1/state")
    lab.wait_error("one", "link-down")
    lab.check("one", "link-down", lab.pty)
    lab.sim.control("plug rs485")
    wait_until(lambda: lab.sources("en")["one"]["ok"], timeout=30, what="the line is back")


def test_what_was_never_read_is_stale(small, daemon, subscribe, broker):
    """A TCP unit gets 10 s before it is called dead; until then nothing is known of it."""
    lab, messages = small(), subscribe(broker.port)
    daemon(lab.config)
    state = messages.wait_for(lambda m: m.json["sources"]["one"]["ok"], topic="m1/state")
    assert state.json["sources"]["two"]["error"] == "stale"
    assert lab.sources("en")["two"]["error"] == "stale"
    lab.check("two", "stale", str(lab.sim.ports["tcp"]))


def as_nobody():
    """The prefix that takes root's rights away."""
    if os.geteuid() != 0:
        return []
    if not shutil.which("setpriv"):
        pytest.skip("setpriv is not installed")
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


@pytest.fixture
def open_folder():
    """One that everybody may use; pytest's own are private."""
    folder = Path(tempfile.mkdtemp(prefix="labpulse-"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


def test_port_that_one_may_not_open(small, spawn, subscribe, broker, open_folder):
    lab, messages = small(folder=open_folder), subscribe(broker.port)
    pty = os.path.realpath(lab.pty)
    os.chmod(pty, 0)
    lab.config.write_text(lab.config.read_text().replace(lab.pty, pty))
    daemon = spawn("labpulsed", [*as_nobody(), BUILD / "labpulsed", *lab.common])
    messages.wait_for(lambda m: m.json["sources"]["one"].get("error") == "permission", topic="m1/state")
    lab.wait_error("one", "permission")
    lab.check("one", "permission", pty)
    assert daemon.stop() == 0


def test_points_are_explained_without_a_daemon(small):
    lab = small("raw 2000")
    for language, word in (("en", "out of range -40…125"), ("ru", "вне пределов -40…125")):
        text = lab.explain("m1", "--lang", language).out
        assert "one: out-of-range: temp_c." in text and word in text and "spare" not in text
        assert "labpulse peek rs485 1 input 1 1" in text


def test_points_without_a_value_from_a_broker(small, daemon, labpulse, subscribe, broker):
    """Retained topics do not say why a point is missing, but that it is, and where to ask."""
    lab, messages = small("error"), subscribe(broker.port)
    daemon(lab.config)
    messages.wait_for(lambda m: "one.count" in m.json["values"], topic="m1/state")
    for language, word in (("en", "no value"), ("ru", "нет значения")):
        text = labpulse("explain", "m1", "--broker", broker.url, "--lang", language).out
        assert f"one: {word}: temp_c" in text and "count" not in text and "labpulse explain m1" in text


def test_broker_that_is_away_is_named(small, daemon, broker):
    lab = small()
    broker.stop()
    daemon(lab.config)
    for language, word in (("en", "no connection to the broker"), ("ru", "нет связи с брокером")):
        wait_until(lambda: word in lab.explain("--lang", language).out, what="the broker is explained")
    assert "127.0.0.1: Connection refused" in lab.explain().out
