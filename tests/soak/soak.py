#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Ten minutes of a bad day: half the devices dead or flapping, the broker killed and restarted,
reloads, requests on the control socket. Memory, threads and descriptors end where they began.

`make soak`; SOAK_SECONDS and SOAK_SEED change the length and the day.
"""
import json
import os
import random
import signal
import socket
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))
import lab  # pylint: disable=wrong-import-position

SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
FLEET, LINE = 40, 10
WARM_S = 45  # until every buffer has been as large as it gets
CALM_S = 25  # at the end everything works again
FAULTS = ("silent", "silent", "silent", "crc", "late 700", "cut", "noise", "busy", "refuse", "ok", "ok")
REQUESTS = (
    {"cmd": "watch"},
    {"cmd": "explain", "machine": None, "lang": "ru"},
    {"cmd": "read", "machine": "dev-0030", "source": "unit"},
    {"cmd": "read", "machine": "line-0003", "source": "unit"},
    {"cmd": "peek", "bus": "rs485", "unit": 8, "table": "holding", "address": 0, "count": 10},
    {"cmd": "scan", "bus": "rs485", "from": 9, "to": 12},
    {"cmd": "nonsense"},
)


def note(text):
    print(time.strftime("%H:%M:%S"), text, flush=True)


def merge(folder, fleet, line):
    """One configuration out of the two that the simulators wrote."""
    texts = [s.config.read_text(encoding="utf-8") for s in (fleet, line)]
    buses = [t.split("buses:\n")[1].split("\nmachines:\n")[0].rstrip() for t in texts]
    machines = [t.split("\nmachines:\n")[1].rstrip() for t in texts]
    machines[1] = machines[1].replace("id: dev-", "id: line-")
    head = texts[0].split("buses:\n")[0]
    profile = next((fleet.dir / "profiles").iterdir())
    folder.file(f"profiles/{profile.name}", profile.read_text(encoding="utf-8"))
    return folder.file("labpulse.yaml", head.replace(str(fleet.dir), str(folder.path)) + "buses:\n" +
                       "\n".join(buses) + "\n\nmachines:\n" + "\n".join(machines) + "\n")


def ask(path, request):
    """One request; a daemon that is busy may refuse, but it answers in JSON."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(20)
        s.connect(str(path))
        s.sendall(json.dumps(request).encode() + b"\n")
        return json.loads(s.makefile().readline())


class Measure:
    def __init__(self, pid):
        self.rss_mb, self.threads, self.descriptors = lab.rss_mb(pid), lab.threads(pid), lab.descriptors(pid)

    def __str__(self):
        return f"{self.rss_mb:.1f} MB, {self.threads} threads, {self.descriptors} descriptors"


class Day:
    def __init__(self):
        self.random = random.Random(SEED)
        self.folder = lab.Folder()
        self.broker = lab.Broker(self.folder)
        self.fleet = lab.Simulator(self.folder, "fleet", self.broker, "fleet", "--devices", FLEET)
        self.line = lab.Simulator(self.folder, "line", self.broker, "line", "--devices", LINE, "--registers", 10,
                                  "--baud", 115200)
        self.config = merge(self.folder, self.fleet, self.line)
        self.daemon = lab.start_daemon(self.config, self.folder)
        self.broker_up, self.done = True, {}

    def count(self, what):
        self.done[what] = self.done.get(what, 0) + 1

    def fault(self):
        sim, n = self.random.choice(((self.fleet, FLEET // 2), (self.line, LINE // 2)))
        sim.command(f"fault dev-{self.random.randint(1, n):04d} {self.random.choice(FAULTS)}")
        self.count("faults")

    def bounce(self):
        if self.broker_up:
            self.broker.stop(signal.SIGKILL)
        else:
            self.broker.begin()
        self.broker_up = not self.broker_up
        self.count("broker")

    def reload(self):
        text = self.config.read_text(encoding="utf-8")
        turns = ("interval: 1000ms", "interval: 700ms")
        old, new = turns if turns[0] in text else turns[::-1]
        lines = text.splitlines()
        at = [i for i, words in enumerate(lines) if old in words or new in words]
        i = self.random.choice(at)  # one source asks at another period
        lines[i] = lines[i].replace(old, new) if old in lines[i] else lines[i].replace(new, old)
        self.config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self.daemon.send_signal(signal.SIGHUP)
        self.count("reloads")

    def request(self):
        answer = ask(self.folder.path / "control", self.random.choice(REQUESTS))
        self.count("requests" if answer.get("ok") else "refused requests")

    def live(self, seconds):
        """Things happen, each at its own pace, until the time is over."""
        paces = [(1.0, self.fault), (10.0, self.bounce), (17.0, self.reload), (0.5, self.request)]
        due = [time.monotonic() + pace for pace, _ in paces]
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for i, (pace, act) in enumerate(paces):
                if time.monotonic() >= due[i]:
                    act()
                    due[i] += pace * self.random.uniform(0.5, 1.5)
            if self.daemon.poll() is not None:
                raise SystemExit(f"the daemon ended: {self.daemon.returncode}\n{self.log()[-3000:]}")
            time.sleep(0.1)

    def calm(self):
        for sim, n in ((self.fleet, FLEET), (self.line, LINE)):
            for i in range(1, n + 1):
                sim.command(f"fault dev-{i:04d} ok")
        if not self.broker_up:
            self.bounce()
        time.sleep(CALM_S)

    def log(self):
        return (self.folder.path / "labpulsed.log").read_text(encoding="utf-8", errors="replace")

    def everyone_publishes(self):
        receiver = lab.Receiver(self.broker, "parks/+/machines/+/telemetry")
        time.sleep(12)
        return len(receiver.arrivals())


def main():
    day = Day()
    time.sleep(5)
    day.live(min(WARM_S, SECONDS / 3))
    day.calm()
    before = Measure(day.daemon.pid)
    note(f"after warming up: {before}")
    day.live(SECONDS - min(WARM_S, SECONDS / 3))
    day.calm()
    after = Measure(day.daemon.pid)
    note(f"at the end: {after}; happened: {day.done}")
    machines = day.everyone_publishes()
    code = lab.stop(day.daemon)
    limit = before.rss_mb + max(2.0, before.rss_mb / 10)
    checks = [(after.rss_mb <= limit, f"resident memory is at most {limit:.1f} MB"),
              (after.threads == before.threads, "as many threads as before"),
              (after.descriptors == before.descriptors, "as many descriptors as before"),
              (machines == FLEET + LINE, f"{machines} of {FLEET + LINE} machines publish at the end"),
              (code == 0, f"the daemon ends by itself with 0 (was {code})")]
    for good, what in checks:
        note(("ok   " if good else "FAIL ") + what)
    if not all(good for good, _ in checks):
        print(day.log()[-4000:])
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
