# SPDX-License-Identifier: MIT
"""What systemd is told (sd_notify(3)), as systemd would hear it."""
import ctypes
import os
import socket
import time
from pathlib import Path

import pytest

from bench import Bench
from conftest import wait_until

SEIZE, INTERRUPT, DETACH, WALL = 0x4206, 0x4207, 17, 0x40000000  # ptrace(2), waitpid(2)


class Manager:
    """The other end of $NOTIFY_SOCKET."""

    def __init__(self, folder, watchdog_ms=None):
        self.path = folder / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.socket.setblocking(False)
        self.lines, self.fed = [], []
        self.env = {"NOTIFY_SOCKET": str(self.path)}
        if watchdog_ms:
            self.env["WATCHDOG_USEC"] = str(watchdog_ms * 1000)

    def hear(self):
        """All lines so far."""
        try:
            while True:
                new = self.socket.recv(4096).decode().splitlines()
                self.lines += new
                self.fed += [time.monotonic() for line in new if line == "WATCHDOG=1"]
        except BlockingIOError:
            return self.lines

    def wait_for(self, check, timeout=20):
        return wait_until(lambda: next((line for line in self.hear() if check(line)), None), timeout, "a line of sd_notify")

    def wait_fed(self, timeout=20):
        before = len(self.fed)
        wait_until(lambda: self.hear() and len(self.fed) > before, timeout, "WATCHDOG=1")

    def hungry_s(self):
        self.hear()
        return time.monotonic() - self.fed[-1]


@pytest.fixture
def manager(tmp_path):
    made = []

    def make(**options):
        made.append(Manager(tmp_path, **options))
        return made[0]
    yield make
    for m in made:
        m.socket.close()


def test_a_life_is_told(tmp_path, broker, simulate, daemon, manager):
    """READY before any broker or device answered; then how we are, in a sentence; STOPPING."""
    m = manager()
    bench = Bench(tmp_path, broker.url).add("m1", "tcp1").add("m2", "tcp1", unit=2)
    bench.simulate(simulate)
    broker.stop()
    d = daemon(bench.write(), env=m.env)
    m.wait_for(lambda line: line == "READY=1")
    before = m.lines[:m.lines.index("READY=1")]
    assert any(line.startswith("EXTEND_TIMEOUT_USEC=") for line in before), "while the spool is opened"
    m.wait_for(lambda line: line.startswith("STATUS=2 of 2 machines online; no broker: ") and "records wait" in line)
    broker.start()
    m.wait_for(lambda line: line == f"STATUS=2 of 2 machines online; connected to 127.0.0.1:{broker.port}; nothing waits", timeout=40)
    bench.write(lambda c: c.update(park="Not An Id"))
    d.reload()
    m.wait_for(lambda line: line.endswith("the changed configuration was refused: see labpulse check"))
    told = m.lines[m.lines.index("RELOADING=1"):]
    assert "READY=1" in told, "a refused configuration is no reason to stay in reloading"
    d.stop()
    m.wait_for(lambda line: line == "STOPPING=1")


def test_status_says_what_is_missing(tmp_path, daemon, manager):
    m = manager()
    d = daemon(tmp_path / "labpulse.yaml", env=m.env)
    assert d.wait() == 78
    status = m.wait_for(lambda line: line.startswith("STATUS="))
    assert "needs a configuration" in status and str(tmp_path / "labpulse.yaml") in status
    (tmp_path / "labpulse.yaml").write_text("park: [")
    d = daemon(tmp_path / "labpulse.yaml", env=m.env)
    assert d.wait() == 78
    m.wait_for(lambda line: line == f"STATUS=the configuration has errors: see labpulse check {tmp_path / 'labpulse.yaml'}")
    assert "READY=1" not in m.lines


class Frozen:
    """One thread of the process stands still, as if it hung in a call that does not return."""

    def __init__(self, pid, name):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.tid = next(int(t.name) for t in Path(f"/proc/{pid}/task").iterdir() if (t / "comm").read_text().strip() == name)

    def ptrace(self, request):
        if self.libc.ptrace(request, self.tid, None, None) < 0:
            raise OSError(ctypes.get_errno(), "ptrace")

    def __enter__(self):
        self.ptrace(SEIZE)
        self.ptrace(INTERRUPT)
        os.waitpid(self.tid, WALL)
        return self

    def __exit__(self, *_):
        self.ptrace(DETACH)


@pytest.mark.parametrize("thread,told", [("bus:line", "line"), ("uplink", "uplink"), ("spool", "spool")])
def test_a_thread_that_hangs_starves_the_watchdog(tmp_path, broker, subscribe, simulate, daemon, manager, thread, told):
    m = manager(watchdog_ms=1000)
    bench = Bench(tmp_path, broker.url).add("m1", "line")
    bench.simulate(simulate)
    sub = subscribe(broker.port)
    d = daemon(bench.write(), env=m.env)
    sub.wait_for(lambda _: True, topic="machines/m1/telemetry")
    m.wait_fed()
    with Frozen(d.pid, thread):
        wait_until(lambda: m.hungry_s() > 1.5, 90, "systemd would have ended it")
        assert f"thread {told}: hangs" in d.err()
    m.wait_fed()
    assert f"thread {told}: moves again" in d.err()
    assert d.err().count(": hangs") == 1


def test_an_honest_wait_feeds_the_watchdog(tmp_path, broker, simulate, daemon, manager):
    """A unit that never answers, and a time-out of many times what the watchdog allows."""
    m = manager(watchdog_ms=1000)
    bench = Bench(tmp_path, broker.url).add("m1", "line", timeout="14s", fault="silent")
    bench.simulate(simulate)
    daemon(bench.write(), env=m.env)
    m.wait_fed()
    longest = 0

    def is_over():
        nonlocal longest
        longest = max(longest, m.hungry_s())
        return bench.sim.stats()["lines"]["line"]["requests"] >= 3
    wait_until(is_over, 90, "the second time-out")
    assert longest < 3, "it went hungry"
