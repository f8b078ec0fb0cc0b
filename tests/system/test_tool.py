# SPDX-License-Identifier: MIT
"""The person's tool: against slaves that we did not write, against our simulator, exit codes."""
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import BUILD, PROFILES, is_listening, wait_until

SERVER = Path(__file__).with_name("pymodbus_server.py")

CONFIG = """
park: test-park
gateway: gw1
mqtt: {{brokers: ["mqtt://127.0.0.1:1"]}}
spool: {{path: "{folder}/spool"}}
control: "{folder}/control"
buses:
  - {bus}
machines:
  - id: m1
    class: other
    sources:
      - {{id: s1, driver: modbus, bus: line, unit: {unit}, profile: {profile}}}
"""

PROFILE = """
schema: 1
id: test-block
revision: 1
kind: generic
vendor: test
models: [any]
title: {ru: "Проба", en: "Test"}
status: unverified
sources: [{id: s1, origin: standard, title: "test", url: "https://example.org/", seen: "2026-01-01"}]
link: {transports: [rtu, tcp], baud: 115200, format: 8N1, unit: 1, response_timeout: 500ms}
limits: {max_regs: 16}
points:
  - {id: reg5, table: holding, address: 5, type: u16, sources: [s1]}
  - {id: power_w, table: input, address: 0, type: f32, unit: W, sources: [s1]}
  - {id: far, table: holding, address: 500, type: u16, optional: true, sources: [s1]}
"""


def write_config(folder, bus, unit=1, profile="test-block"):
    (folder / "profiles").mkdir(exist_ok=True)
    (folder / "profiles" / "test-block.yaml").write_text(PROFILE)
    path = folder / "labpulse.yaml"
    path.write_text(CONFIG.format(folder=folder, bus=bus, unit=unit, profile=profile))
    return path


def rtu_bus(device, baud=115200):
    return f'{{id: line, type: modbus-rtu, device: "{device}", baud: {baud}, format: 8N1}}'


def tcp_bus(port):
    return f"{{id: line, type: modbus-tcp, host: 127.0.0.1, port: {port}}}"


def qualities(result):
    return {p["id"]: p["quality"] for s in result.json["sources"] for p in s["points"]}


def values(result):
    return {p["id"]: p["value"] for s in result.json["sources"] for p in s["points"]}


@pytest.fixture
def pymodbus_tcp(spawn, free_port):
    port = free_port()
    spawn("pymodbus", [sys.executable, SERVER, "tcp", port])
    wait_until(lambda: is_listening(port), what="pymodbus listens")
    return port


@pytest.fixture
def pymodbus_rtu(spawn, tmp_path):
    near, far = tmp_path / "near", tmp_path / "far"
    spawn("socat", ["socat", f"pty,rawer,link={near}", f"pty,rawer,link={far}"])
    wait_until(lambda: near.exists() and far.exists(), what="socat makes its ptys")
    spawn("pymodbus", [sys.executable, SERVER, "rtu", far])

    def answers():
        done = subprocess.run([BUILD / "labpulse", "peek", f"rtu:{near}:115200", "1", "holding", "0", "1"],
                              capture_output=True, timeout=30, check=False)
        return done.returncode == 0

    wait_until(answers, what="pymodbus answers on the pty")
    return near


# ---- slaves that we did not write ------------------------------------------------------------


@pytest.mark.parametrize("wire", ["tcp", "rtu"])
def test_read_from_pymodbus(labpulse, request, tmp_path, wire):
    if wire == "tcp":
        bus = tcp_bus(request.getfixturevalue("pymodbus_tcp"))
    else:
        bus = rtu_bus(request.getfixturevalue("pymodbus_rtu"))
    result = labpulse("read", "m1", "--json", "-c", write_config(tmp_path, bus))
    assert result.code == 0, result
    assert values(result) == {"reg5": 1005, "power_w": 230.2, "far": None}
    assert qualities(result)["far"] == "unsupported"
    raw = {p["id"]: p["raw"] for p in result.json["sources"][0]["points"]}
    assert raw["power_w"] == "0x4366 0x3333"
    text = labpulse("read", "m1/s1", "-c", tmp_path / "labpulse.yaml")
    assert text.code == 0 and "230.2" in text.out and "0x4366" in text.out


def test_scan_and_peek_pymodbus_tcp(labpulse, pymodbus_tcp):
    where = f"tcp:127.0.0.1:{pymodbus_tcp}"
    result = labpulse("scan", where, "--from", 1, "--to", 3, "--timeout", "300ms", "--json")
    assert result.code == 0, result
    units = {u["unit"]: u for u in result.json["units"]}
    assert 1 in units and units[1]["answer"] == "registers"
    assert "ACME" in units[1]["identity"]
    result = labpulse("peek", where, 1, "input", 0, 4, "--expect", "230.2", "--json")
    best = result.json["readings"][0]
    assert (best["address"], best["type"], best["order"]) == (0, "f32", "ABCD")
    assert best["value"] == 230.2
    bits = labpulse("peek", where, 1, "coil", 0, 6, "--json").json["bits"]
    assert bits == [0, 1, 0, 1, 0, 1]
    refused = labpulse("peek", where, 1, "holding", 98, 10)
    assert refused.code == 1 and "exception 2" in refused.err


def test_scan_pymodbus_rtu(labpulse, pymodbus_rtu):
    result = labpulse("scan", f"rtu:{pymodbus_rtu}:115200:8N1", "--from", 8, "--to", 10, "--json")
    assert result.code == 0, result
    assert [u["unit"] for u in result.json["units"]] == [9]
    text = labpulse("scan", f"rtu:{pymodbus_rtu}:115200", "--from", 9, "--to", 9)
    assert re.search(r"- \{id: unit-9, driver: modbus, bus: bus-1, unit: 9, profile: \S+\}", text.out)


# ---- our simulator, seen by others -----------------------------------------------------------


def mbpoll(*argv):
    done = subprocess.run(["mbpoll", "-0", "-1", *map(str, argv)], capture_output=True, text=True,
                          timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return {int(a): v for a, v in re.findall(r"^\[(\d+)\]:\s+(\S+)", done.stdout, re.M)}


@pytest.mark.skipif(not shutil.which("mbpoll"), reason="mbpoll is not installed")
def test_mbpoll_agrees_with_read(labpulse, simulate, tmp_path):
    config = tmp_path / "labpulse.yaml"
    sim = simulate("lab", "--write-config", config)
    sim.control("set laser-1-meter power_w 480.25")
    sim.control("set laser-1-meter voltage_v 229.5")
    sim.control("set laser-1-chiller water_temp_c 31.2")
    result = labpulse("read", "laser-1", "--json", "-c", config, "--profiles", PROFILES)
    assert result.code == 0, result
    mine = values(result)
    assert (mine["power_w"], mine["voltage_v"], mine["water_temp_c"]) == (480.25, 229.5, 31.2)
    rtu = ["-m", "rtu", "-b", 9600, "-P", "none", sim.ptys["rs485"]]
    theirs = mbpoll("-t", "3:hex", "-r", 0x0C, "-c", 2, "-a", 5, *rtu)
    words = [int(theirs[a], 16) for a in (0x0C, 0x0D)]
    assert struct.unpack(">f", struct.pack(">HH", *words))[0] == mine["power_w"]
    theirs = mbpoll("-t", 4, "-r", 0x101, "-c", 1, "-a", 7, *rtu)
    assert int(theirs[0x101]) == 312
    tcp = ["-m", "tcp", "-p", sim.ports["shelly"], "-a", 1, "127.0.0.1"]
    sim.control("set charger-1-meter power_w 820")
    assert len(mbpoll("-t", "3:hex", "-r", 1013, "-c", 2, *tcp)) == 2


def test_configuration_of_the_lab_is_good(labpulse, simulate, tmp_path):
    for scenario, options in (("lab", []), ("fleet", ["--devices", 5]), ("line", ["--baud", 19200])):
        config = tmp_path / f"{scenario}.yaml"
        sim = simulate(scenario, "--write-config", config, *options)
        result = labpulse("check", config, "--profiles", PROFILES)
        assert result.code == 0 and "0 errors, 0 warnings" in result.out + result.err, result
        sim.stop()


def test_configuration_may_be_used_from_anywhere(labpulse, simulate, tmp_path):
    config = tmp_path / "lab.yaml"
    folder = os.path.relpath(tmp_path / "relative")
    simulate("lab", "--dir", folder, "--write-config", os.path.relpath(config))
    result = labpulse("check", config, "--profiles", PROFILES)
    assert result.code == 0, result
    assert f'device: "{tmp_path}/relative/rs485"' in config.read_text()


def test_scan_finds_the_lab(labpulse, simulate):
    sim = simulate("lab")
    result = labpulse("scan", f"rtu:{sim.ptys['rs485']}", "--to", 25, "--profiles", PROFILES, "--json")
    assert [u["unit"] for u in result.json["units"]] == [5, 6, 7, 10, 20, 24]


def test_scenario_file(labpulse, simulate, tmp_path):
    scenario = tmp_path / "s.yaml"
    scenario.write_text("""
lines: [{id: a, baud: 19200, format: 8E1, timing: true}]
tcp: [{id: b}]
units:
  - {name: one, on: a, unit: 3, vendor: ACME, product: X1, revision: "2", latency: 5ms,
     registers: {holding: {0: 17, "4:f32:CDAB": 1.5}, coil: {2: true}}}
  - {name: two, on: b, unit: 1, profile: xy-md02, points: {temp_c: -12.5, humidity_pct: "ramp 0 100 60"}}
""")
    sim = simulate(scenario)
    where = f"rtu:{sim.ptys['a']}:19200:8E1"
    assert labpulse("peek", where, 3, "holding", 0, 1, "--json").json["words"] == [17]
    assert labpulse("peek", where, 3, "holding", 4, 2, "--json").json["words"] == [0, 0x3FC0]
    units = labpulse("scan", where, "--to", 4, "--json").json["units"]
    assert [(u["unit"], u["identity"]) for u in units] == [(3, "ACME X1 2")]
    words = labpulse("peek", f"tcp:127.0.0.1:{sim.ports['b']}", 1, "input", 1, 1, "--json").json["words"]
    assert words == [0x10000 - 125]
    bad = tmp_path / "bad.yaml"
    bad.write_text("units:\n  - {name: x, on: nowhere}\n")
    result = labpulse("simulate", bad, "--dir", tmp_path / "d")
    assert result.code == 78 and "bad.yaml:2:" in result.err


def test_simulator_leaves_nothing_behind(simulate, labpulse, tmp_path):
    sim = simulate("lab")
    assert Path(sim.ptys["rs485"]).is_symlink()
    second = labpulse("simulate", "line", "--dir", sim.folder)
    assert second.code == 75, second
    assert Path(sim.ptys["rs485"]).is_symlink()
    assert sim.stop() == 0
    assert not sim.folder.exists()


def test_a_thousand_servers(simulate):
    sim = simulate("fleet", "--devices", "1100", "--registers", "5")
    assert len(sim.ports) == 1100
    held = []
    request = struct.pack(">HHHBBHH", 7, 0, 6, 1, 3, 2, 1)
    for i, port in enumerate(sim.ports.values(), 1):
        s = socket.create_connection(("127.0.0.1", port), timeout=5)
        s.sendall(request)
        answer = s.recv(64)
        assert struct.unpack(">H", answer[9:11])[0] == (i * 256 + 2) & 0xFFFF
        held.append(s)
        if len(held) > 900:
            held.pop(0).close()
    for s in held:
        s.close()


# ---- each failure, in words and exit codes -----------------------------------------------------


FAULTS = [
    # fault, quality, words in English, words in Russian
    ("silent", "timeout", "terminator", "терминатор"),
    ("crc", "crc", "parity", "чётность"),
    ("exception 4", "exception-4", None, None),  # it answers: nothing is offline
    ("exception 2", "unsupported", None, None),
]


@pytest.mark.parametrize("fault,quality,english,russian", FAULTS, ids=[f[0] for f in FAULTS])
def test_explain_names_the_thing_to_touch(labpulse, simulate, tmp_path, fault, quality, english, russian):
    config = tmp_path / "labpulse.yaml"
    sim = simulate("lab", "--write-config", config)
    sim.control(f"fault climate-1-sensor {fault}")
    common = ["-c", config, "--profiles", PROFILES]
    result = labpulse("read", "climate-1", "--json", *common)
    assert set(qualities(result).values()) == {quality}, result
    assert result.code == 69
    for language, word in (("en", english), ("ru", russian)):
        if not word:
            continue
        said = labpulse("explain", "climate-1", "--lang", language, *common)
        assert said.code == 0 and word in said.out and "20" in said.out, said
        assert sim.ptys["rs485"] in said.out


def test_line_that_is_not_there(labpulse, tmp_path):
    config = write_config(tmp_path, rtu_bus(tmp_path / "nowhere"))
    assert labpulse("read", "m1", "-c", config).code == 69
    said = labpulse("explain", "-c", config, "--lang", "en")
    assert "adapter" in said.out and str(tmp_path / "nowhere") in said.out
    assert labpulse("peek", "line", 1, "holding", 0, "-c", config).code == 69


def test_nobody_listens(labpulse, free_port, tmp_path):
    config = write_config(tmp_path, tcp_bus(free_port()))
    result = labpulse("read", "m1", "-c", config, "--json")
    assert result.code == 69 and set(qualities(result).values()) == {"link-down"}
    said = labpulse("explain", "-c", config, "--lang", "ru")
    assert "сетевой кабель" in said.out
    assert labpulse("scan", f"tcp:127.0.0.1:{free_port()}", "--to", 2).code == 69


def test_port_in_use_names_the_holder(labpulse, simulate, spawn, tmp_path):
    config = tmp_path / "labpulse.yaml"
    sim = simulate("lab", "--write-config", config)
    holder = "import fcntl,sys,time; f=open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); time.sleep(60)"
    child = spawn("holder", [sys.executable, "-c", holder, sim.ptys["rs485"]])
    wait_until(lambda: "held" in child.out(), what="the port is held")
    result = labpulse("peek", f"rtu:{sim.ptys['rs485']}", 5, "input", 0)
    assert result.code == 75 and str(child.pid) in result.err, result
    result = labpulse("read", "laser-1", "-c", config, "--profiles", PROFILES)
    assert result.code == 75 and str(child.pid) in result.out, result


def test_scan_refuses_a_port_of_something_else(labpulse, simulate, tmp_path):
    sim = simulate("line")
    config = tmp_path / "labpulse.yaml"
    config.write_text(f"""
park: p
gateway: g
mqtt: {{brokers: ["mqtt://127.0.0.1:1"]}}
spool: {{path: "{tmp_path}/spool"}}
control: "{tmp_path}/control"
machines:
  - id: printer-1
    class: 3d-printer
    sources: [{{id: board, driver: marlin, device: "{sim.ptys['rs485']}", baud: 115200}}]
""")
    result = labpulse("scan", f"rtu:{sim.ptys['rs485']}", "-c", config)
    assert result.code == 75 and "printer-1/board" in result.err, result
    assert sim.stats()["lines"]["rs485"]["requests"] == 0


# ---- the command line itself --------------------------------------------------------------------


@pytest.mark.parametrize("argv", [
    [], ["dance"], ["read"], ["read", "a", "b"], ["peek", "rtu:/dev/x", "1"], ["accept"], ["accept", "m"],
    ["scan", "udp:x"], ["peek", "rtu:/dev/x", "1", "hold", "0"], ["peek", "rtu:/dev/x", "300", "coil", "0"],
    ["peek", "rtu:/dev/x", "1", "holding", "0", "126"], ["watch", "--nonsense"],
    ["watch", "--broker", "mqtt://user:secret@host"], ["maintenance", "m", "1h"],
    ["maintenance", "m", "soon", "why"], ["ack", "m"], ["test-alarm"], ["watch", "--every", "soon"],
    ["simulate", "--devices", "0"],
])
def test_bad_command_lines(labpulse, argv):
    result = labpulse(*argv)
    assert result.code == 64 and result.err, result
    assert "secret" not in result.err


@pytest.mark.parametrize("argv", [["maintenance", "m", "1h", "why"], ["ack", "m", "c"], ["test-alarm", "m"], ["usage"]])
def test_what_needs_the_daemon_says_so(labpulse, tmp_path, argv):
    result = labpulse(*argv, "--control", tmp_path / "nobody")
    assert result.code == 69 and "daemon" in result.err, result


def test_help_and_version(labpulse):
    assert re.match(r"labpulse \d+\.\d+\.\d+\n$", labpulse("--version").out)
    result = labpulse("--help")
    assert result.code == 0
    for command in re.findall(r"^  (\w+) ", result.out, re.M):
        said = labpulse(command, "--help")
        assert said.code == 0 and f"labpulse {command}" in said.out


def test_configuration_errors(labpulse, tmp_path):
    missing = tmp_path / "none.yaml"
    result = labpulse("read", "m1", "-c", missing)
    assert result.code == 78 and str(missing) in result.err and "-c FILE" in result.err
    assert labpulse("check", missing).code == 78
    config = write_config(tmp_path, tcp_bus(1))
    assert labpulse("read", "m2", "-c", config).code == 64
    assert labpulse("read", "m1/s2", "-c", config).code == 64


def test_check_of_the_readme(labpulse, tmp_path):
    readme = (PROFILES.parents[1] / "README.md").read_text()
    config = tmp_path / "labpulse.yaml"
    config.write_text(re.search(r"```yaml\n(.*?)```", readme, re.S).group(1))
    text = labpulse("check", config, "--profiles", PROFILES)
    assert text.code == 0 and "0 errors, 0 warnings" in text.out + text.err, text
    assert "laser-1" in text.out and "unit 5" in text.out and "load" in text.out
    assert labpulse("check", config, "--profiles", PROFILES, "--json").json
    config.write_text(config.read_text().replace("interval: 2s", "interval: 50ms"))
    busy = labpulse("check", config, "--profiles", PROFILES)
    assert busy.code == 78 and "[P039]" in busy.out + busy.err, busy


# ---- from a broker ------------------------------------------------------------------------------


def publish(port, topic, payload):
    subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(port), "-r", "-q", "1", "-t", topic, "-m",
                    payload if isinstance(payload, str) else json.dumps(payload)], check=True, timeout=10)


@pytest.mark.skipif(not shutil.which("mosquitto_pub"), reason="mosquitto-clients is not installed")
def test_watch_and_explain_from_a_broker(labpulse, broker):
    head = {"v": 1, "ts": 1, "clock": "synced", "gw": "gw1"}
    base = "parks/p1"
    publish(broker.port, f"{base}/gateways/gw1/availability", "online")
    publish(broker.port, f"{base}/gateways/gw2/availability", "offline")
    for machine, gateway, state in (("laser-1", "gw1", "busy"), ("laser-2", "gw1", "offline"), ("cnc-1", "gw2", "idle")):
        publish(broker.port, f"{base}/machines/{machine}/info", {**head, "gw": gateway, "class": "other"})
        publish(broker.port, f"{base}/machines/{machine}/availability", "offline" if state == "offline" else "online")
        publish(broker.port, f"{base}/machines/{machine}/state", {
            **head, "gw": gateway, "state": state, "activity": "busy", "alarms": [], "values": {"meter.power_w": 143.2},
            "sources": {"meter": {"ok": state != "offline", "error": "timeout", "since": 1, "hint": "check the wires"}}})
    result = labpulse("watch", "--broker", broker.url, "--json")
    assert result.code == 0, result
    states = {m["machine"]: m["state"] for m in result.json["machines"]}
    assert states == {"laser-1": "busy", "laser-2": "offline", "cnc-1": "offline"}
    assert result.json["machines"][-1]["machine"] == "laser-1"  # trouble first
    table = labpulse("watch", "--broker", broker.url)
    assert table.code == 0 and "143.2" in table.out and "\033" not in table.out
    said = labpulse("explain", "--broker", broker.url, "--lang", "en")
    assert "check the wires" in said.out and "gw2" in said.out and "systemctl status labpulsed" in said.out
    one = labpulse("explain", "laser-1", "--broker", broker.url, "--lang", "ru")
    assert "всё в порядке" in one.out and "laser-2" not in one.out
    broker.kill()
    assert labpulse("watch", "--broker", broker.url).code == 69


@pytest.mark.skipif(not shutil.which("mosquitto_pub"), reason="mosquitto-clients is not installed")
def test_another_topic_root(labpulse, broker):
    head = {"v": 1, "ts": 1, "clock": "synced", "gw": "gw1"}
    for root, machine in (("site/a", "laser-1"), ("parks", "laser-2")):
        publish(broker.port, f"{root}/p1/machines/{machine}/info", {**head, "class": "other"})
        publish(broker.port, f"{root}/p1/machines/{machine}/state", {**head, "state": "busy", "sources": {}})
    for options, machine in (((), "laser-2"), (("--topic-root", "site/a"), "laser-1")):
        result = labpulse("watch", "--broker", broker.url, "--json", *options)
        assert [m["machine"] for m in result.json["machines"]] == [machine]
        said = labpulse("explain", machine, "--broker", broker.url, *options)
        assert f"p1/{machine}" in said.out
    assert labpulse("watch", "--broker", broker.url, "--topic-root", "a/#").code == 64
