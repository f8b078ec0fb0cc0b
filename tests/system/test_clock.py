# SPDX-License-Identifier: MIT
"""A gateway whose clock is wrong when it starts, and is set while it runs."""
import json
import os
import signal
import struct
import subprocess
import time

import pytest

from conftest import TOP, wait_until
from lab import BUSY_W, IDLE_W, LASER, SECONDS, SHORT, lab_fixture  # noqa: F401

DAY_MS = 86400000
NEAR_MS = 30000  # of the true time: a test lasts less, and no clock here is wrong by so little


class Clock:
    """Of the computer that the daemon runs on."""

    def __init__(self, folder):
        self.folder = folder
        self.folder.mkdir()
        os.mkfifo(self.folder / "set")
        (self.folder / "clock").write_bytes(bytes(16))
        self.wall = self.all = 0
        options = ":".join(filter(None, [os.environ.get("ASAN_OPTIONS"), "verify_asan_link_order=0"]))
        self.env = {"SETCLOCK": str(folder), "ASAN_OPTIONS": options}

    def write(self):
        with open(self.folder / "clock", "r+b", buffering=0) as f:
            f.write(struct.pack("=qq", self.wall, self.all))

    def set(self, wall_ms, told=True):
        """The wall clock is ahead by so much from now on; `told`: the kernel says at once that it was set."""
        self.wall = wall_ms
        self.write()
        if told:
            fd = os.open(self.folder / "set", os.O_RDWR | os.O_NONBLOCK)
            os.write(fd, bytes(8))
            self.held = fd  # what nobody read would be gone with the last descriptor

    def hurry(self, ms):
        self.all += ms
        self.write()

    def synced(self):
        (self.folder / "synchronized").touch()

    def unsynced(self):
        (self.folder / "synchronized").unlink(missing_ok=True)


@pytest.fixture(scope="session")
def setclock(tmp_path_factory):
    library = tmp_path_factory.mktemp("setclock") / "setclock.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", library,
                    TOP / "tests" / "system" / "setclock.c", "-ldl"], check=True)
    return str(library)


@pytest.fixture
def clock(tmp_path, setclock, lab):
    clock = Clock(tmp_path / "setclock")
    clock.env["LD_PRELOAD"] = setclock
    make = lab.make_daemon
    lab.make_daemon = lambda path: make(path, env=clock.env)
    lab.config["clock"] = {"source": "file"}
    return clock


def is_now(ms):
    return abs(ms - time.time() * 1000) < NEAR_MS


def laser(lab, **keys):
    lab.add("laser", "line", power=IDLE_W, usage=LASER, job=SHORT, **keys)
    return lab


HOT = [{"code": "hot", "point": "s1.power_w", "above": 400, "severity": "error", "text": {"en": "Hot"}}]


def clock_event(lab, since=0, timeout=20):
    return lab.wait("gateways/gw1/event", lambda e: e["type"] == "clock", since, timeout)


def test_first_sync(lab, clock):
    """All that was stamped since the boot moves; and what is told from then on is right."""
    clock.set(-30 * DAY_MS, told=False)
    laser(lab, alarms=HOT).start()
    lab.power(1, BUSY_W)
    started = lab.job("laser", "started")
    raised = lab.alarm("laser", "hot", active=True)
    assert started["clock"] == raised["clock"] == lab.state("laser", state="fault")["clock"] == "unsynced"
    assert is_now(started["started"] + 30 * DAY_MS) and is_now(raised["raised"] + 30 * DAY_MS)
    mark = lab.sub.mark()
    clock.synced()
    clock.set(0)
    event = clock_event(lab, mark, timeout=4)
    assert abs(event["step_ms"] - 30 * DAY_MS) < 50 and event["clock"] == "synced" and is_now(event["ts"])
    state = lab.wait("machines/laser/state", lambda s: s["clock"] == "synced", mark)
    assert is_now(state["since"]) and is_now(state["sources"]["s1"]["at"])
    again = lab.wait("machines/laser/alarm/hot", lambda a: a["clock"] == "synced", mark)
    assert again["raised"] == raised["raised"] + event["step_ms"] and again["cleared"] is None
    usage = lab.wait("machines/laser/usage", lambda u: u["clock"] == "synced", mark)
    assert is_now(usage["since"])
    health = lab.wait("gateways/gw1/health", lambda h: h["clock"]["state"] == "synced", mark)
    assert is_now(health["mqtt"]["since"]) and is_now(health["config"]["loaded"])
    lab.power(1, IDLE_W)
    ended = lab.job("laser", "ended", mark)
    assert ended["started"] == started["started"] + event["step_ms"] and is_now(ended["ended"])
    assert abs(ended["ended"] - ended["started"] - 1000 * ended["duration_s"]) <= 1000
    lab.totals("laser")
    kept = lab.kept()
    assert {t: p["clock"] for t, p in kept.items() if isinstance(p, dict) and p.get("clock") == "unsynced"} == {}


def test_the_step_comes_before_the_word(lab, clock):
    """timesyncd sets the clock first and says so later; nobody is told of the step by the kernel."""
    clock.set(-DAY_MS, told=False)
    laser(lab, alarms=HOT).start()
    lab.power(1, BUSY_W)
    raised = lab.alarm("laser", "hot", active=True)
    mark = lab.sub.mark()
    clock.set(0, told=False)
    assert clock_event(lab, mark)["clock"] == "unsynced"
    clock.synced()
    again = lab.wait("machines/laser/alarm/hot", lambda a: a["clock"] == "synced", mark)
    assert abs(again["raised"] - raised["raised"] - DAY_MS) < 50
    assert is_now(lab.totals("laser")["since"])
    lab.kill()  # and so it is remembered
    clock.env.pop("LD_PRELOAD")
    mark = lab.sub.mark()
    lab.run()
    assert lab.alarm("laser", "hot", mark, active=True)["raised"] == again["raised"]


@pytest.mark.parametrize("wrong_ms", [-DAY_MS, -20000 * DAY_MS, DAY_MS])
def test_an_older_asset(lab, clock, wrong_ms):
    """What was counted before the boot was right; the pause becomes unknown."""
    clock.synced()
    laser(lab, alarms=HOT).start()
    lab.power(1, BUSY_W)
    raised = lab.alarm("laser", "hot", active=True)["raised"]
    was = lab.totals("laser")
    assert lab.daemon.stop() == 0
    clock.unsynced()
    clock.set(wrong_ms, told=False)
    mark = lab.sub.mark()
    lab.run()
    lab.state("laser", mark, state="fault")
    clock.synced()
    clock.set(0)
    clock_event(lab, mark)
    after = lab.totals("laser", was)
    if wrong_ms < 0:
        assert after["since"] == was["since"]
    again = lab.wait("machines/laser/alarm/hot", lambda a: a["clock"] == "synced", mark)
    assert again["raised"] == raised


def waiting(lab):
    """What waits on the disk: (topic's last level, the record or payload)."""
    lines = lab.tool("spool", "export").out.splitlines()
    return [(r["topic"].rsplit("/", 1)[1], r.get("record") or r["payload"]) for r in map(json.loads, lines)]


def waiting_is_right(lab):
    return all(r["clock"] == "synced" and is_now(r["ts"]) for _, r in waiting(lab))


def history(lab):
    return [r for m in lab.sub.find("machines/laser/history") for r in m.json["records"]]


@pytest.mark.parametrize("restarted", [False, True], ids=["in-one-run", "over-a-restart"])
def test_what_waits_is_stamped_right(lab, clock, restarted):
    """Recorded without a broker and without a time, sent after the clock was set: with the right time."""
    clock.set(1000000 - int(time.time() * 1000), told=False)  # 1970: numbers of fewer digits
    laser(lab, alarms=HOT).start()
    lab.broker.stop()
    lab.power(1, BUSY_W)
    wait_until(lambda: {"job", "event", "telemetry"} <= {leaf for leaf, _ in waiting(lab)}, what="records on the disk")
    assert all(r["clock"] == "unsynced" and not is_now(r["ts"]) for _, r in waiting(lab))
    if restarted:
        lab.kill()
    clock.synced()
    clock.set(0)
    if restarted:
        lab.run()
    wait_until(lambda: waiting_is_right(lab), what="they are mended")
    jobs = [r for leaf, r in waiting(lab) if leaf == "job"]
    assert is_now(jobs[0]["started"])
    lab.daemon.signal(signal.SIGSTOP)  # the subscriber is to be there before the daemon is back
    lab.broker.start()
    lab.sub = lab.subscribe(lab.broker.port)
    lab.daemon.signal(signal.SIGCONT)
    started = lab.job("laser", "started")
    assert started["clock"] == "synced" and is_now(started["ts"]) and is_now(started["started"])
    wait_until(lambda: history(lab), what="history")
    last = max(r["seq"] for r in history(lab))
    lab.wait("machines/laser/telemetry", lambda t: t["seq"] > last)
    assert all(r["clock"] == "synced" and is_now(r["ts"]) for r in history(lab))
    told = [m.json for leaf in ("machines/laser/event", "gw1/event", "laser/telemetry") for m in lab.sub.find(leaf)]
    assert all(r["clock"] == "synced" and is_now(r["ts"]) for r in told)


def test_a_right_clock_is_set(lab, clock):
    """What was told stays; what lasts lasts as long as before."""
    clock.synced()
    laser(lab, alarms=HOT).start()
    lab.power(1, BUSY_W)
    raised = lab.alarm("laser", "hot", active=True)
    was = lab.totals("laser")
    lab.tool("maintenance", "laser", "10min", "belt")
    until = lab.wait("machines/laser/state", lambda s: s["maintenance"])["maintenance"]["until"]
    mark = lab.sub.mark()
    clock.set(DAY_MS)
    assert abs(clock_event(lab, mark, timeout=4)["step_ms"] - DAY_MS) < 50
    state = lab.wait("machines/laser/state", lambda s: s["ts"] > until, mark)
    assert abs(state["maintenance"]["until"] - until - DAY_MS) < 50, "it lasts its ten minutes"
    usage = lab.tool("usage", "laser", "--json").json["machines"][0]
    assert abs(usage["since"] - was["since"] - DAY_MS) < 50
    assert abs(sum(usage[k] for k in SECONDS) - (time.time() - was["since"] / 1000)) < 5
    clock.set(0)
    lab.wait("gateways/gw1/event", lambda e: e["type"] == "clock" and e["step_ms"] < 0, mark)
    lab.totals("laser", was)
    lab.power(1, IDLE_W)
    cleared = lab.alarm("laser", "hot", mark, active=False)
    assert cleared["raised"] == raised["raised"]


def test_alarm(lab, clock):
    """After ten minutes without a time somebody should look; before, booting gateways do that."""
    code = "gateways/gw1/alarm/clock"
    laser(lab).start()
    clock.hurry(590000)
    lab.wait("gateways/gw1/health", lambda h: h["uptime_s"] >= 590)
    assert not lab.sub.find(code)
    clock.hurry(20000)
    assert lab.wait(code, lambda a: a["active"])["severity"] == "warning"
    clock.synced()
    assert lab.wait(code, lambda a: not a["active"])["clock"] == "synced"


@pytest.mark.parametrize("source", ["kernel", "file"])
def test_a_kernel_that_may_not_be_asked(lab, clock, source):
    """ProtectClock= refuses even the question; without timesyncd nothing else would know."""
    (clock.folder / "refused").touch()
    laser(lab)
    lab.config["clock"]["source"] = source
    lab.start()
    assert lab.wait("gateways/gw1/health", lambda h: True)["clock"]["state"] == "unsynced"
    assert ("clock: the kernel may not be asked" in lab.daemon.err()) == (source == "kernel")
