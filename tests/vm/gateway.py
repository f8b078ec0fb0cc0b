# SPDX-License-Identifier: MIT
"""A virtual gateway and all that is around it: simulated machines, a broker, a subscriber.

All of that is outside, so that a power cut takes the gateway only:

    labpulse simulate:  laser's meter -- pty -- usb-serial of QEMU ------------ /dev/ttyUSB0
                        printer ------- pty -- virtio port -- gadget.py, ACM -- /dev/ttyACM0
                        charger ---- socket -- virtio port -- gadget.py, HID -- /dev/hidraw0
    mosquitto, subscriber ---------------- guestfwd of QEMU ------------------- the daemon
"""
import copy
import importlib.util
import json
import socket
import sys
import threading
import time
from pathlib import Path

import machine as machines

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
sys.path += [str(TOP / "tests" / "system"), str(TOP / "tests" / "torture")]


def _load(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# "conftest" is ours here; theirs has the broker, the simulator and the subscriber.
system = _load("system_conftest", TOP / "tests" / "system" / "conftest.py")
wait_until = system.wait_until

PARK, GATEWAY = "p1", "gw1"
OFF_W, IDLE_W, BUSY_W = 2, 40, 480
REPORT = 64
SOURCES = {"laser": "meter", "printer": "board", "charger": "usb"}
SCENARIO = {
    "lines": [{"id": "rs485", "baud": 9600, "format": "8N1"}],
    "units": [{"name": "meter", "on": "rs485", "unit": 1, "profile": "eastron-sdm120",
               "points": {"power_w": IDLE_W, "voltage_v": 230.1}}],
    "usb": [{"name": "printer", "kind": "marlin", "resets": False}, {"name": "charger", "kind": "icharger"}],
}
SHORT = {"min": "1s", "end_after": "3s"}
CONFIG = {
    "park": PARK, "gateway": GATEWAY,
    "mqtt": {"brokers": [f"mqtt://{machines.BROKER}"], "reconnect": {"min": "500ms", "max": "2s"}, "keepalive": "10s"},
    "buses": [{"id": "rs485", "type": "modbus-rtu", "baud": 9600, "format": "8N1",
               "device": "/dev/serial/by-id/usb-QEMU_QEMU_USB_SERIAL_METER-1-if00-port0"}],
    "machines": [
        {"id": "laser", "class": "laser-cutter", "job": SHORT,
         "sources": [{"id": "meter", "driver": "modbus", "bus": "rs485", "unit": 1, "profile": "eastron-sdm120",
                      "interval": "500ms", "timeout": "500ms"}],
         "usage": [{"activity": "busy", "point": "meter.power_w", "above": 120, "below": 80, "for": "1s"},
                   {"activity": "idle", "point": "meter.power_w", "above": 8}, {"activity": "off"}],
         "alarms": [{"code": "hot", "point": "meter.power_w", "above": 400, "severity": "warning", "text": {"en": "Hot"}}]},
        {"id": "printer", "class": "3d-printer", "job": SHORT,
         "sources": [{"id": "board", "driver": "marlin", "device": "usb:2c99:0002:CZPX1234", "baud": 115200,
                      "interval": "1s", "on_open": "safe"}]},
        {"id": "charger", "class": "drone-charger", "job": SHORT,
         "sources": [{"id": "usb", "driver": "icharger", "device": "usb:0483:5751", "interval": "1s"}]},
    ],
}
YAML = "/etc/labpulse/labpulse.yaml"
DROP_IN = "/run/systemd/system/labpulsed.service.d/test.conf"


class HidCable(threading.Thread):
    """Carries reports between the simulator's socket, a packet each, and QEMU's, 64 bytes each."""

    def __init__(self, packets, stream):
        super().__init__(daemon=True)
        self.packets, self.stream, self.ended = packets, stream, threading.Event()
        self.start()

    def run(self):
        while not self.ended.is_set():
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as a, socket.socket(socket.AF_UNIX) as b:
                try:
                    a.connect(self.packets)
                    b.connect(self.stream)
                    back = threading.Thread(target=self._reports_in, args=(a, b), daemon=True)
                    back.start()
                    self._reports_out(a, b)
                except OSError:
                    self.ended.wait(0.1)  # QEMU is not there, or not yet
                self._close(a, b)

    def _reports_out(self, a, b):
        """What the gateway asks. Ends with QEMU, or with the machine."""
        while report := self._take(b):
            a.sendall(report)

    @staticmethod
    def _take(b):
        report = b""
        while len(report) < REPORT:
            more = b.recv(REPORT - len(report))
            if not more:
                return None
            report += more
        return report

    def _reports_in(self, a, b):
        try:
            while packet := a.recv(REPORT):
                b.sendall(packet.ljust(REPORT, b"\0"))
        except OSError:
            pass
        self._close(a, b)

    @staticmethod
    def _close(*sockets):
        for s in sockets:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Gateway:
    """One virtual gateway from power to subscriber. Assertions are made through what a user sees."""

    def __init__(self, machine, folder):
        self.machine, self.folder = machine, Path(folder)
        self.children = []
        self.sub = self.cable = self.broker = None
        self.cuts = []  # when it was ended without a word, time.time()

    # ---- around it ----

    def set_up(self):
        """The world outside, new: nothing in it remembers what a snapshot does not know."""
        self.broker = system.Broker(self._spawn, self.folder, system.take_free_port()).start()
        self.sub = system.Subscriber(self.broker.port)
        scenario = self.folder / "scenario.yaml"
        scenario.write_text(json.dumps(SCENARIO))
        argv = [system.BUILD / "labpulse", "simulate", scenario, "--dir", self.folder / "sim", "--profiles", system.PROFILES]
        self.sim = system.Simulator(self._spawn("simulate", argv), self.folder / "sim")
        self.usb = json.loads(self.sim.process.out().split("\n")[0])["usb"]
        self.cable = HidCable(self.usb["charger"].removeprefix("unix:"), str(self.machine.folder / "charger.sock"))
        return self

    def _spawn(self, name, argv, env=None):
        self.children.append(system.Process(name, argv, self.folder, env))
        return self.children[-1]

    def boot(self, load=None, **options):
        cables = {"meter": self.sim.ptys["rs485"], "printer": self.usb["printer"], "charger": None}
        return self.machine.start(self.broker.port, cables, load, **options)

    def tear_down(self):
        """Returns what the subscriber held against the schemas."""
        self.machine.cut()
        if self.cable:
            self.cable.ended.set()
        if self.sub:
            self.sub.close()
        for child in reversed(self.children):
            child.stop()
        return self.sub.violations if self.sub else []

    # ---- the unit ----

    def run(self, *argv, **options):
        return self.machine.run(*argv, **options)

    def read(self, path):
        return self.machine.read(path)

    def sh(self, script, *args, **options):
        return self.machine.sh(script, *args, **options)

    def show(self, prop, unit="labpulsed"):
        return self.run("systemctl", "show", unit, "--value", "-p", prop).out.strip()

    def status(self):
        """What a technician reads."""
        return self.run("systemctl", "status", "--no-pager", "-l", "labpulsed", code=None).out

    def journal(self, unit="labpulsed"):
        return self.run("journalctl", "--no-pager", "-o", "cat", "-u", unit).out

    def configure(self, change=None):
        config = copy.deepcopy(CONFIG)
        if change:
            change(config)
        self.machine.put(YAML, json.dumps(config, indent=1))

    def drop_in(self, *lines):
        """Lines for the unit's [Service] until the next boot; none: as it was."""
        if lines:
            self.machine.put(DROP_IN, "\n".join(["[Service]", *lines, ""]))
        else:
            self.run("rm", "-f", DROP_IN)
        self.run("systemctl", "daemon-reload")

    def systemctl(self, verb, unit="labpulsed"):
        self.run("systemctl", verb, unit)

    def main_pid(self):
        return int(self.show("MainPID"))

    def restarts(self):
        return int(self.show("NRestarts"))

    def allow_clock(self):
        """What systemd-timesyncd does once it heard a server."""
        self.sh("mkdir -p /run/systemd/timesync; touch /run/systemd/timesync/synchronized")

    # ---- cables ----

    def plug(self, name):
        """Returns when that was, ms of the gateway's clock, and its node outside (gadgets)."""
        if name == "laser":
            now = time.time() + self.machine.clock_off_s()
            self.machine.plug_meter()
            return int(now * 1000), None
        note = self.sh('systemctl start "gadget@$1"; until [ -e "/run/gadget/$1" ]; do sleep 0.05; done; '
                       'cat "/run/gadget/$1"', name, timeout=30).out.split()
        return int(note[0]), note[1]

    def unplug(self, name):
        if name == "laser":
            self.machine.unplug_meter()
        else:
            self.systemctl("stop", f"gadget@{name}")

    def plug_all(self):
        for name in SOURCES:
            self.plug(name)

    # ---- what is published ----

    def mark(self):
        return self.sub.mark()

    def wait(self, topic, predicate, since=0, timeout=40):
        return self.sub.wait_for(lambda m: m.payload and predicate(m.json), topic=topic, since=since, timeout=timeout).json

    def state(self, machine, since=0, timeout=40, **keys):
        return self.wait(f"machines/{machine}/state", lambda s: keys.items() <= s.items(), since, timeout)

    def source(self, machine, ok, since=0, timeout=40):
        """Its first state since then in which its source is so; the source's entry and all."""
        def holds(state):
            return state["sources"][SOURCES.get(machine, "board")]["ok"] is ok
        state = self.wait(f"machines/{machine}/state", holds, since, timeout)
        return state["sources"][SOURCES.get(machine, "board")], state

    def online(self, *names, since=0, timeout=60):
        for name in names or SOURCES:
            self.source(name, True, since, timeout)

    def job(self, machine, kind, since=0, timeout=40):
        return self.wait(f"machines/{machine}/job", lambda j: j["type"] == kind, since, timeout)

    def jobs_told(self, machine):
        """Starts and ends of its jobs, without repeats."""
        found = (m.json for m in self.sub.find(f"machines/{machine}/job"))
        return list({(j["epoch"], j["seq"]): j for j in found}.values())

    def telemetry(self, machine, predicate, since=0, timeout=40):
        return self.wait(f"machines/{machine}/telemetry", predicate, since, timeout)

    def power(self, watts):
        """Of the laser, as its meter sees it."""
        self.sim.control(f"set meter power_w {watts}")

    def usage(self, machine):
        """Its counters now, from the daemon itself."""
        return json.loads(self.run("labpulse", "usage", machine, "--json").out)["machines"][0]
