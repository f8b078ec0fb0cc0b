# SPDX-License-Identifier: MIT
"""The power goes in the middle of jobs, five times. The judge is a subscriber outside."""
import time

import pytest

from gateway import BUSY_W, IDLE_W
from ledger import assert_nothing_lost, evidence, violations

CUTS = 5
BACK_S = 240
COUNTERS = ("busy_s", "jobs_started", "jobs_finished", "jobs_failed", "alarms_raised")
TIMES = ("off_s", "idle_s", "busy_s", "paused_s", "unknown_s", "offline_s")


@pytest.fixture(scope="module")
def working(gateway):
    """Laser and charger work; what is plugged in stays so, and is there again after a boot."""
    gateway.run("systemctl", "enable", "gadget@printer", "gadget@charger")
    gateway.plug_all()
    gateway.systemctl("start")
    gateway.online()
    gateway.power(BUSY_W)
    gateway.sim.control("do charger charge 3600")
    gateway.job("laser", "started")
    gateway.job("charger", "started")
    gateway.run("sync")
    return gateway


def cut_and_boot(gateway, figures, meanwhile=lambda: None):
    """Returns the mark before which nothing comes from the new life."""
    gateway.machine.cut()
    gateway.cuts.append(time.time())
    meanwhile()
    mark = gateway.mark()
    figures.add("boot_s", gateway.boot(meter=True))
    gateway.allow_clock()
    return mark


def back_at_work(gateway, machine, mark):
    source = {"laser": "meter", "charger": "usb"}[machine]
    return gateway.wait(f"machines/{machine}/state", lambda s: s["sources"][source]["ok"] and s["activity"] == "busy", mark, BACK_S)


@pytest.mark.parametrize("number", range(1, CUTS + 1))
def test_the_job_goes_on_under_its_id(working, figures, number):
    jobs = {m: working.sub.find(f"machines/{m}/job")[0].json["job"] for m in ("laser", "charger")}
    was = {m: working.usage(m) for m in jobs}
    began = time.monotonic()
    mark = cut_and_boot(working, figures)
    for machine, job in jobs.items():
        assert back_at_work(working, machine, mark)["job"] == job
    figures.add("power_back_s", time.monotonic() - began)
    for machine in jobs:
        now = working.usage(machine)
        assert all(now[k] >= was[machine][k] for k in COUNTERS[1:]), (was[machine], now)
        assert now["busy_s"] >= was[machine]["busy_s"] - 10, "since the last checkpoint"
        assert abs(sum(now[k] for k in TIMES) - (time.time() - now["since"] / 1000)) < 5, now
        assert len(working.jobs_told(machine)) == 1, "no new start"


def test_what_ended_meanwhile_ended_once(working, figures):
    """The charger stops while the gateway has no power; the laser goes on."""
    job = working.sub.find("machines/charger/job")[0].json["job"]
    mark = cut_and_boot(working, figures, lambda: working.sim.control("do charger stop"))
    ended = working.job("charger", "ended", mark, timeout=BACK_S)
    assert ended["job"] == job and ended["result"] == "gateway-restart"
    assert abs(ended["ended"] / 1000 - working.cuts[-1]) < 15, "its last checkpoint"
    assert back_at_work(working, "laser", mark)["job"] is not None


def test_nothing_was_lost(working, figures):
    mark = working.mark()
    working.power(IDLE_W)
    ended = working.job("laser", "ended", mark)
    started = working.sub.find("machines/laser/job")[0]
    assert ended["job"] == started.json["job"] and ended["result"] == "finished"
    assert abs(ended["duration_s"] - (time.time() - started.at)) < 10 + ended["accuracy_s"]
    assert_nothing_lost(working)
    e = evidence(working.sub.messages[:], working.cuts)
    figures.add("power_events", len(e.of("job", "event")))
    figures.add("power_repeats", e.repeats)
    figures.add("power_lost", sum(v.startswith("event lost") for v in violations(working.sub.messages[:], working.cuts)))
    jobs = [r.body["type"] for r in e.of("job") if r.key.topic == "machines/laser/job"]
    assert jobs == ["started", "ended"]
    raised = [r.body["transition"] for r in e.of("event") if r.body.get("code") == "hot"]
    assert raised == ["raised", "cleared"], "one alarm, however often the power went"
