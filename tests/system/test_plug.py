# SPDX-License-Identifier: MIT
"""USB devices come, go, change their names and are mistaken for each other (umockdev).

umockdev's preload blocks all signals while it looks at a path, and keeps the mask to go back to in
one place for all threads: now and then the main thread is left with its signals blocked. So nothing
here depends on a signal."""
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from conftest import BUILD, TOP, wait_until

PRELOAD = "libumockdev-preload.so.0"
CH340 = {"vendor": "1a86", "product": "7523"}


def is_sanitized():
    return any(name in (BUILD / "labpulsed").read_bytes() for name in (b"__asan_init", b"__tsan_init"))


pytestmark = pytest.mark.skipif(is_sanitized(), reason="umockdev's preload clashes with sanitizers")


class Bed:
    """A USB bus without hardware; see usbbed.py."""

    def __init__(self, folder):
        self.process = subprocess.Popen(
            ["/usr/bin/python3", TOP / "tests" / "system" / "usbbed.py"], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(folder / "bed.err", "w"),
            env={**os.environ, "LD_PRELOAD": PRELOAD})
        self.folder = self.process.stdout.readline().strip()
        assert self.folder, (folder / "bed.err").read_text()
        self.env = {"LD_PRELOAD": PRELOAD, "UMOCKDEV_DIR": self.folder}
        self.numbers = iter(range(50))

    def tell(self, **command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the test bed ended"
        return json.loads(line)

    def plug(self, node, port, **facts):
        self.tell(do="plug", node=node, port=port, number=next(self.numbers), **{**CH340, **facts})

    def unplug(self, node):
        self.tell(do="unplug", node=node)

    def sent_to(self, node):
        return self.tell(do="log").get(node, [])

    def close(self):
        self.process.stdin.close()
        self.process.wait(5)
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture
def bed(tmp_path):
    bed = Bed(tmp_path)
    yield bed
    bed.close()


@pytest.fixture
def park(broker, daemon, subscribe, bed, tmp_path):
    """park(device) -> (subscriber, daemon, config): one printer at that device, polled each second."""

    def start(device, on_open="safe"):
        config = Path(tmp_path / "usb.yaml")
        config.write_text(f"""
park: p
gateway: g
mqtt: {{brokers: ["{broker.url}"]}}
control: {tmp_path}/control
machines:
  - id: printer
    class: 3d-printer
    sources: [{{id: board, driver: marlin, device: "{device}", interval: 500ms, timeout: 1s, on_open: {on_open}}}]
""")
        sub = subscribe(broker.port)
        return sub, daemon(config, env=bed.env), config

    return start


def tool(bed, *words):
    return subprocess.run([BUILD / "labpulse", *words], capture_output=True, text=True, timeout=20,
                          env={**os.environ, **bed.env})


def state_with(sub, since=0, timeout=15, **wanted):
    """The first state snapshot whose source `board` looks so."""
    return sub.wait_for(lambda m: all(m.json["sources"]["board"].get(k) == v for k, v in wanted.items()),
                        topic="machines/printer/state", since=since, timeout=timeout)


def test_what_is_plugged_in_is_found_and_named(bed, park):
    bed.plug("ttyUSB0", "1-1")
    sub, _, _ = park("usb:1a86:7523")
    state_with(sub, ok=True)
    info = sub.wait_for(lambda m: m.json["sources"]["board"]["identity"], topic="machines/printer/info")
    assert info.json["sources"]["board"]["identity"] == "1a86:7523 Ender-3"
    telemetry = sub.wait_for(lambda m: "hotend_temp_c" in m.json["values"], topic="machines/printer/telemetry")
    assert telemetry.json["values"]["hotend_temp_c"] == 21.5


def test_pulled_out_and_back_under_another_name(bed, park):
    bed.plug("ttyUSB0", "1-1", serial="A1")
    sub, child, _ = park("usb:1a86:7523:A1")
    state_with(sub, ok=True)
    mark, before = sub.mark(), time.monotonic()
    bed.unplug("ttyUSB0")
    gone = state_with(sub, since=mark, ok=False)
    assert time.monotonic() - before < 2
    assert gone.json["state"] == "offline"
    assert gone.json["sources"]["board"]["error"] == "link-down"
    assert "usb:1a86:7523:A1" in gone.json["sources"]["board"]["hint"]
    mark, before = sub.mark(), time.monotonic()
    bed.plug("ttyUSB1", "1-2", serial="A1")
    state_with(sub, since=mark, ok=True)
    assert time.monotonic() - before < 2
    assert "M105" in bed.sent_to("ttyUSB1")
    assert child.running()


def test_two_alike_are_ambiguous_until_told_apart(bed, park, daemon):
    bed.plug("ttyUSB0", "1-1.3")
    bed.plug("ttyUSB1", "1-1.4")
    sub, child, config = park("usb:1a86:7523")
    state = state_with(sub, ok=False)
    assert state.json["sources"]["board"]["error"] == "ambiguous"
    hint = state.json["sources"]["board"]["hint"]
    assert "usb-port:1-1.3" in hint and "usb-port:1-1.4" in hint
    config.write_text(config.read_text().replace("usb:1a86:7523", "usb-port:1-1.4"))
    child.kill()  # not a reload: see above
    daemon(config, env=bed.env)
    state_with(sub, ok=True)
    assert bed.sent_to("ttyUSB0") == [], "a port that may be another machine's was opened"
    assert "M105" in bed.sent_to("ttyUSB1")


def test_one_of_two_alike_goes(bed, park):
    bed.plug("ttyUSB0", "1-1")
    bed.plug("ttyUSB1", "1-2")
    sub, _, _ = park("usb:1a86:7523")
    state_with(sub, ok=False)
    bed.unplug("ttyUSB0")
    state_with(sub, ok=True)


def test_another_device_on_the_port_waits_for_a_person(bed, park, daemon, tmp_path):
    bed.plug("ttyUSB0", "1-2", serial="OLD")
    sub, child, config = park("usb-port:1-2")
    state_with(sub, ok=True)
    bed.unplug("ttyUSB0")
    state_with(sub, ok=False)
    mark = sub.mark()
    bed.plug("ttyUSB1", "1-2", serial="NEW")
    state = state_with(sub, since=mark, error="identity")
    assert "1a86:7523:NEW" in state.json["sources"]["board"]["hint"]
    assert "labpulse accept printer/board" in state.json["sources"]["board"]["hint"]
    event = sub.wait_for(lambda m: m.json["type"] == "identity", topic="machines/printer/event", since=mark)
    assert event.json["was"].startswith("1a86:7523:OLD") and event.json["now"] == "1a86:7523:NEW"
    child.kill()  # that it is another one is not forgotten
    mark = sub.mark()
    daemon(config, env=bed.env)
    state_with(sub, since=mark, error="identity")
    assert bed.sent_to("ttyUSB1") == []
    mark = sub.mark()
    done = tool(bed, "accept", "printer/board", "--control", tmp_path / "control")
    assert done.returncode == 0, done.stderr
    state_with(sub, since=mark, ok=True)
    again = tool(bed, "accept", "printer/board", "--control", tmp_path / "control")
    assert again.returncode == 64 and "had before" in again.stderr


def test_another_printer_behind_the_same_adapter(bed, park, tmp_path):
    """A converter chip without serial number says nothing; what the printer says does."""
    bed.plug("ttyUSB0", "1-1", machine="Ender-3")
    sub, _, _ = park("usb:1a86:7523")
    state_with(sub, ok=True)
    bed.unplug("ttyUSB0")
    state_with(sub, ok=False)
    mark = sub.mark()
    bed.plug("ttyUSB1", "1-1", machine="Anet A8")
    state = state_with(sub, since=mark, error="identity")
    assert "Anet A8" in state.json["sources"]["board"]["hint"]
    assert not sub.find("machines/printer/telemetry", lambda m: m.json["values"], since=mark)
    mark = sub.mark()
    assert tool(bed, "accept", "printer/board", "--control", tmp_path / "control").returncode == 0
    state_with(sub, since=mark, ok=True)


def test_scan_lists_and_opens_nothing(bed):
    bed.plug("ttyUSB0", "1-1")
    bed.plug("ttyUSB1", "1-2")
    bed.plug("ttyACM0", "1-3", vendor="2c99", product="0002", serial="CZPX1", name="MK3")
    bed.plug("hidraw0", "1-4", vendor="0483", product="5751", serial="J1")
    text = tool(bed, "scan", "usb")
    assert text.returncode == 0, text.stderr
    for line in ('driver: CHOOSE, device: "usb-port:1-1"', 'driver: CHOOSE, device: "usb-port:1-2"',
                 'driver: marlin, device: "usb:2c99:0002:CZPX1"',
                 'driver: icharger, device: "usb:0483:5751:J1"'):
        assert line in text.stdout, text.stdout
    found = json.loads(tool(bed, "scan", "usb", "--json").stdout)["ports"]
    assert sorted(p["node"] for p in found) == ["/dev/hidraw0", "/dev/ttyACM0", "/dev/ttyUSB0", "/dev/ttyUSB1"]
    assert bed.sent_to("ttyUSB0") == bed.sent_to("ttyACM0") == []


def test_a_port_of_a_machine_is_not_scanned_for_units(bed, park):
    bed.plug("ttyUSB0", "1-1")
    sub, _, config = park("usb-port:1-1")
    state_with(sub, ok=True)
    before = bed.sent_to("ttyUSB0").count("M115")
    refused = tool(bed, "scan", "rtu:/dev/ttyUSB0", "-c", config)
    assert refused.returncode == 75 and "printer/board" in refused.stderr
    assert bed.sent_to("ttyUSB0").count("M115") == before


def test_a_modbus_adapter_by_its_ids(bed, broker, daemon, subscribe, tmp_path):
    """A line may be named as a USB machine is; what answers there is no meter, but the port is found."""
    bed.plug("ttyUSB0", "1-1", vendor="0403", product="6001", serial="A10K")
    config = Path(tmp_path / "rtu.yaml")
    config.write_text(f"""
park: p
gateway: g
mqtt: {{brokers: ["{broker.url}"]}}
control: {tmp_path}/control
buses:
  - {{id: rs485, type: modbus-rtu, device: "usb:0403:6001:A10K"}}
machines:
  - id: m
    class: other
    sources: [{{id: meter, driver: modbus, bus: rs485, unit: 5, profile: eastron-sdm120}}]
""")
    sub = subscribe(broker.port)
    daemon(config, env=bed.env)
    state = sub.wait_for(lambda m: m.json["state"] == "offline", topic="machines/m/state")
    assert state.json["sources"]["meter"]["error"] in ("timeout", "crc"), "a port that is there does not answer"
