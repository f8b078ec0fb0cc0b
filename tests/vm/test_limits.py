# SPDX-License-Identifier: MIT
"""The unit is ended by force, and goes on where it was."""
import time

import pytest

from gateway import BUSY_W, IDLE_W, wait_until
from ledger import assert_never_back, assert_nothing_lost

COUNTERS = ("jobs_started", "jobs_finished", "jobs_failed", "alarms_raised")
CHECKPOINT_S = 10  # what the tool says is of now; a kill takes the seconds since the last checkpoint, which are unknown then
TIMES = ("off_s", "idle_s", "busy_s", "paused_s", "unknown_s", "offline_s")
WATCHDOG_S = 10
NOTICED_S = 150  # a bus may honestly wait half a minute; then the watchdog's period, and a slow computer


@pytest.fixture(scope="module")
def busy(gateway):
    """In a job."""
    gateway.plug_all()
    gateway.drop_in(f"WatchdogSec={WATCHDOG_S}")
    gateway.systemctl("start")
    gateway.online()
    gateway.power(BUSY_W)
    gateway.job("laser", "started")
    gateway.sim.control("do printer print 3600")
    gateway.job("printer", "started")
    return gateway


def ended_by(gateway, harm, figures, name):
    """Does harm, and waits until the unit is back. All goes on; how it was ended, in systemd's word."""
    job, was, restarts = gateway.state("laser", activity="busy")["job"], gateway.usage("laser"), gateway.restarts()
    began = time.monotonic()
    gateway.cuts.append(time.time())
    harm()
    wait_until(lambda: gateway.restarts() > restarts, NOTICED_S, "restarted")
    mark = gateway.mark()
    again = gateway.wait("machines/laser/state", lambda s: s["job"] == job and s["sources"]["meter"]["ok"], mark, 60)
    figures.add(name, time.monotonic() - began)
    gateway.online("printer", since=mark)
    assert again["activity"] == "busy"
    now = gateway.usage("laser")
    assert all(now[k] >= was[k] for k in COUNTERS), (was, now)
    assert now["busy_s"] >= was["busy_s"] - CHECKPOINT_S, (was, now)
    assert_never_back(gateway, "laser", (*COUNTERS, *TIMES))
    assert abs(sum(now[k] for k in TIMES) - (time.time() - now["since"] / 1000)) < 5, now
    assert len(gateway.jobs_told("laser")) == 1, "the job is told once"


def test_too_much_memory(busy, figures):
    def harm():
        busy.run("systemctl", "set-property", "--runtime", "labpulsed", "MemoryMax=1M")
        wait_until(lambda: "oom-kill" in busy.journal(), 30, "killed for its memory")
        busy.run("systemctl", "set-property", "--runtime", "labpulsed", "MemoryMax=256M")
    ended_by(busy, harm, figures, "oom_back_s")


@pytest.mark.parametrize("thread", ["bus:rs485", "uplink", "spool"])
def test_a_thread_that_hangs(busy, figures, thread):
    """The loop is fine, and so are the other threads: only the watchdog can tell."""
    def harm():
        busy.run("systemd-run", "--collect", f"--unit=hang-{thread.split(':')[0]}", "/usr/local/sbin/vm-hang",
                 busy.main_pid(), thread)
    before = busy.journal().count("Watchdog timeout")
    ended_by(busy, harm, figures, "watchdog_back_s")
    said = busy.journal()
    assert said.count("Watchdog timeout") == before + 1
    assert f"thread {thread.removeprefix('bus:')}: hangs" in said


def test_nothing_was_lost(busy):
    busy.power(IDLE_W)
    busy.sim.control("do printer cancel")
    for machine in ("laser", "printer"):
        busy.job(machine, "ended")
    assert_nothing_lost(busy)
