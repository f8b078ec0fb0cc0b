# SPDX-License-Identifier: MIT
"""Against npm's modbus-serial, a Modbus slave that we did not write, over TCP and over a pty.

It answers what the golden frames of a profile hold (tests/drivers/golden), so the values that must
come out are known beforehand. Its RTU server waits 30 ms of silence before it answers.
"""
import json
import os
import shutil
import subprocess

import pytest

from conftest import PROFILES, TOP, take_free_port, wait_until

GOLDEN = TOP / "tests" / "drivers" / "golden"
SERVER = TOP / "tests" / "system" / "modbus_serial_server.js"
ALL = [("eastron-sdm120", 1), ("pzem-016", 0), ("carlo-gavazzi-em111", 0), ("wirenboard-mcm8", 0), ("omron-mx2", 0), ("dps5005", 0),
       ("oven-mv110-8a", 0), ("riden-rd6006", 0)]


@pytest.fixture(scope="session")
def node_path():
    """build/npm/node_modules, filled if it can be."""
    folder = TOP / "build" / "npm"
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("node and npm are not installed")
    done = subprocess.run([TOP / "tests" / "npm-setup.sh", folder], capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        pytest.skip(f"modbus-serial cannot be installed: {done.stderr[-300:]}")
    return folder / "node_modules"


@pytest.fixture
def slave(spawn, node_path, tmp_path):
    """slave(profile, case, "tcp" | "rtu") -> the lines of a bus, and the golden case."""
    count = 0

    def start(profile, case, kind):
        nonlocal count
        count += 1
        golden = GOLDEN / f"{profile}.json"
        env = {**os.environ, "NODE_PATH": str(node_path)}
        if kind == "tcp":
            where = str(take_free_port())
            bus = f"type: modbus-tcp, host: 127.0.0.1, port: {where}"
        else:
            ours, where = tmp_path / f"ours{count}", str(tmp_path / f"theirs{count}")
            spawn(f"socat{count}", ["socat", f"pty,raw,echo=0,link={ours}", f"pty,raw,echo=0,link={where}"])
            wait_until(lambda: ours.exists() and os.path.exists(where), what="socat made the ptys")
            bus = f"type: modbus-rtu, device: {ours}, baud: 9600, format: 8N1"
        server = spawn(f"modbus-serial{count}", ["node", SERVER, golden, case, kind, where], env=env)
        wait_until(lambda: "ready" in server.out(), what="modbus-serial is ready")
        return bus, json.loads(golden.read_text())["cases"][case], server

    return start


def write_config(path, bus, profile, unit, port=None):
    broker = f"mqtt://127.0.0.1:{port}" if port else "mqtt://127.0.0.1:1"
    path.write_text(f"""park: test
gateway: gw1
mqtt: {{brokers: ["{broker}"]}}
buses:
  - {{id: line, {bus}}}
machines:
  - id: m1
    class: other
    title: {{ru: "Станок", en: "Machine"}}
    sources:
      - {{id: dev, driver: modbus, bus: line, unit: {unit}, profile: {profile}}}
""", encoding="utf-8")


def same(value, text):
    """A value of a payload against the text that a golden case expects."""
    wanted = json.loads(text)
    return value == wanted and isinstance(value, bool) == isinstance(wanted, bool)


def values_of(subscriber):
    values = {}
    for message in subscriber.find("machines/m1/telemetry"):
        values.update(message.json["values"])
    return values


@pytest.mark.parametrize("kind", ["tcp", "rtu"])
@pytest.mark.parametrize("profile,case", ALL)
def test_daemon_publishes_what_the_slave_holds(slave, broker, subscribe, daemon, tmp_path, profile, case, kind):
    bus, golden, _ = slave(profile, case, kind)
    subscriber = subscribe(broker.port)
    config = tmp_path / "labpulse.yaml"
    write_config(config, bus, profile, golden["unit"], broker.port)
    daemon(config)
    wait_until(lambda: set(golden["expect"]) <= set(values_of(subscriber)), timeout=30,
               what=f"all of {sorted(golden['expect'])}")
    values = values_of(subscriber)
    wrong = {p: (values[p], t) for p, t in golden["expect"].items() if not same(values[p], t)}
    assert not wrong


@pytest.mark.parametrize("kind", ["tcp", "rtu"])
def test_read_without_a_daemon(slave, labpulse, tmp_path, kind):
    bus, golden, _ = slave("pzem-016", 0, kind)
    config = tmp_path / "labpulse.yaml"
    write_config(config, bus, "pzem-016", golden["unit"])
    result = labpulse("read", "m1", "--config", config, "--profiles", PROFILES)
    assert result.code == 0, result
    shown = dict(line.split()[:2] for line in result.out.splitlines() if len(line.split()) > 2)
    for point, text in golden["expect"].items():
        assert shown[point] == text.strip('"') or float(shown[point]) == float(text), result


def test_a_slave_that_comes_back_is_read_again(slave, broker, subscribe, daemon, spawn, node_path, tmp_path):
    bus, golden, server = slave("pzem-016", 0, "tcp")
    port = bus.rsplit(" ", 1)[1]
    subscriber = subscribe(broker.port)
    config = tmp_path / "labpulse.yaml"
    write_config(config, bus, "pzem-016", golden["unit"], broker.port)
    daemon(config)
    subscriber.wait_for(lambda m: m.json["values"], topic="machines/m1/telemetry")
    server.kill()
    subscriber.wait_for(lambda m: m.json["errors"], topic="machines/m1/telemetry", timeout=40)
    mark = subscriber.mark()
    again = spawn("modbus-serial-again", ["node", SERVER, GOLDEN / "pzem-016.json", 0, "tcp", port],
                  env={**os.environ, "NODE_PATH": str(node_path)})
    wait_until(lambda: "ready" in again.out(), what="modbus-serial is ready")
    subscriber.wait_for(lambda m: m.json["values"].get("voltage_v") == 225.7, topic="machines/m1/telemetry", timeout=90, since=mark)
