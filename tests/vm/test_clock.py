# SPDX-License-Identifier: MIT
"""A gateway without a battery clock: it boots hours behind, is set while it runs, and set again."""
import re
import time

import pytest

from gateway import BUSY_W, IDLE_W, wait_until
from ledger import assert_nothing_lost

BEHIND_S = 7200
HOUR_S = 3600
NEAR_S = 3
TIMES = ("off_s", "idle_s", "busy_s", "paused_s", "unknown_s", "offline_s")


def is_now(ms, t, near_s=NEAR_S):
    return abs(ms / 1000 - t) < near_s


@pytest.fixture(scope="module")
def behind(gateway):
    """Booted from the disk of the snapshot, two hours behind, and nobody told it the time."""
    gateway.machine.cut()
    gateway.machine.revert("installed")
    gateway.boot(off_s=-BEHIND_S, meter=True)
    gateway.online("laser")
    return gateway


def set_clock(gateway, off_s=0):
    """Returns the event that tells it."""
    mark = gateway.mark()
    gateway.machine.set_clock(off_s)
    gateway.allow_clock()
    return gateway.wait("gateways/gw1/event", lambda e: e["type"] == "clock", mark)


def waiting(gateway):
    """How many records wait for the broker, as the status says it."""
    says = re.search(r"(\d+) records? waits?", gateway.show("StatusText"))
    return int(says[1]) if says else 0


def test_the_first_time(behind, figures):
    """What was told as unsynced is told right afterwards, and what waited goes out right."""
    began = time.time()
    behind.power(BUSY_W)
    started = behind.job("laser", "started")
    assert started["clock"] == "unsynced" and is_now(started["started"] + BEHIND_S * 1000, began, 6), started
    behind.run("tc", "qdisc", "add", "dev", "eth0", "root", "netem", "loss", "100%")
    waits = time.time()
    wait_until(lambda: waiting(behind) > 10, 60, "readings wait")
    mark = behind.mark()
    behind.machine.set_clock()
    behind.allow_clock()
    before = waiting(behind)
    wait_until(lambda: waiting(behind) > before + 10, 60, "readings on both sides of the step")
    behind.run("tc", "qdisc", "del", "dev", "eth0", "root")
    event = behind.wait("gateways/gw1/event", lambda e: e["type"] == "clock", mark, 60)
    assert abs(event["step_ms"] - BEHIND_S * 1000) < NEAR_S * 1000, event
    figures.add("first_step_s", event["step_ms"] / 1000)
    behind.wait("machines/laser/history", lambda h: h["records"], mark, 60)
    assert_nothing_lost(behind, at_work=True)
    records = [r for m in behind.sub.find("machines/laser/history", since=mark) for r in m.json["records"]]
    healed = time.time()
    assert all(waits - 5 < r["ts"] / 1000 < healed for r in records), [r["ts"] for r in records]
    assert {r["clock"] for r in records} == {"synced"}
    state = behind.wait("machines/laser/state", lambda s: s["clock"] == "synced", mark)
    assert is_now(state["since"], began, 6)


@pytest.mark.parametrize("hours", [1, -1])
def test_an_hour_on_and_back(behind, hours):
    """A step of a synchronised clock: the running job does not notice."""
    off = HOUR_S if hours == 1 else 0
    event = set_clock(behind, off)
    assert abs(event["step_ms"] - hours * HOUR_S * 1000) < NEAR_S * 1000, event
    assert behind.state("laser", behind.mark(), activity="busy")["job"] is not None


def test_the_job_lasted_as_long_as_it_did(behind):
    started = behind.sub.find("machines/laser/job")[0]
    mark = behind.mark()
    behind.power(IDLE_W)
    ended = behind.job("laser", "ended", mark)
    lasted = time.time() - started.at
    assert ended["job"] == started.json["job"] and ended["result"] == "finished"
    assert abs(ended["duration_s"] - lasted) < 8, (ended, lasted)
    assert is_now(ended["started"], started.at, 8) and is_now(ended["ended"], time.time(), 8), ended
    usage = behind.usage("laser")
    assert abs(sum(usage[k] for k in TIMES) - (time.time() - usage["since"] / 1000)) < 5, usage
    assert_nothing_lost(behind)
