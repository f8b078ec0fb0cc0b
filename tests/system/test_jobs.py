# SPDX-License-Identifier: MIT
"""Jobs and running hours: from the machine to the ledger, over power cuts, crashes and reloads."""
import json

from conftest import wait_until
from lab import BUSY_W, IDLE_W, LASER, OFF_W, SHORT, lab_fixture  # noqa: F401


def lasers(lab, n=1, power=IDLE_W, **keys):
    for unit in range(1, n + 1):
        lab.add(f"laser-{unit}", "line", unit, power=power, usage=LASER, job=SHORT, asset=f"INV-{unit}", **keys)
    return lab


# ---- printers --------------------------------------------------------------------------------


def test_how_prints_end(lab):
    """Each as its printer says; one job each, told once at its start and once at its end."""
    ways = {"done": ("finished", None), "cancelled": ("stopped", "cancel"), "no-card": ("stopped", "fail-sd"),
            "hot": ("fault", "runaway"), "restarted": ("fault", "reset")}
    for name in ways:
        lab.add_printer(name)
    lab.start()
    for name in ways:
        lab.do(name, f"print {3 if name == 'done' else 60}")
    for name in ways:
        started = lab.job(name, "started")
        assert started["asset"] == name and started["evidence"] == "board"
        assert lab.state(name, job=started["job"])["state"] == "busy"
    for name, (_, action) in ways.items():
        lab.wait(f"machines/{name}/telemetry", lambda t: t["values"].get("progress_pct", 0) > 0)
        if action:
            lab.do(name, action)
    for name, (result, _) in ways.items():
        ended = lab.job(name, "ended")
        assert ended["result"] == result, (name, ended)
        assert 1 <= ended["busy_s"] <= ended["duration_s"] + 1 and ended["paused_s"] == 0
        assert ended["ended"] - ended["started"] >= 1000
        counts = (1, result == "finished", result == "fault")
        lab.wait(f"machines/{name}/usage", lambda u: (u["jobs_started"], u["jobs_finished"], u["jobs_failed"]) == counts)
        assert [(s["job"], e["job"]) for s, e in lab.jobs(name)] == [(ended["job"], ended["job"])]
        lab.totals(name)


def test_printers_that_lost_their_plug(lab):
    """Idle when it is back, and however it begins: it had no power. Printing: the same job."""
    names = {"restarts": True, "greets-nobody": False, "prints-on": False}
    for name, resets in names.items():
        lab.add_printer(name, resets)
    lab.start()
    for name in names:
        lab.do(name, "print 600")
    jobs = {name: lab.job(name, "started")["job"] for name in names}
    for name in names:
        lab.wait(f"machines/{name}/telemetry", lambda t: t["values"].get("progress_pct", 0) > 0)
        lab.sim.control(f"unplug {name}")
    for name in names:
        assert lab.state(name, state="offline")["job"] == jobs[name], "it waits for what it will be"
    wait_until(lambda: min(lab.totals(name)["offline_s"] for name in names) >= 2, what="two seconds away")
    mark = lab.sub.mark()
    for name in names:
        lab.sim.control(f"plug {name}")
    lab.do("prints-on", "print 3")  # it had power of its own, as far as anybody can see
    ended = {name: lab.job(name, "ended") for name in names}
    assert {name: e["result"] for name, e in ended.items()} == {
        "restarts": "power-loss", "greets-nobody": "power-loss", "prints-on": "finished"}
    assert {name: e["job"] for name, e in ended.items()} == jobs
    assert lab.state("prints-on", mark, activity="busy")["job"] == jobs["prints-on"]
    assert ended["prints-on"]["busy_s"] <= ended["prints-on"]["duration_s"] - 2, "what nobody saw is not busy"
    for name, failed in (("restarts", 1), ("greets-nobody", 1), ("prints-on", 0)):
        assert len(lab.jobs(name)) == 1
        usage = lab.totals(name)
        assert usage["jobs_failed"] == failed


# ---- a laser on a power meter ----------------------------------------------------------------


def test_a_laser_by_its_power(lab):
    """Busy, idle, off: finished. Busy and off at once: no power. Shorter than job.min: seconds only."""
    lasers(lab, 3).start()
    for unit in (1, 2, 3):
        lab.state(f"laser-{unit}", activity="idle")
    lab.power(3, BUSY_W)
    assert "above 120 for" in lab.state("laser-3", activity="busy")["reason"]
    lab.power(3, IDLE_W)
    for unit in (1, 2):
        lab.power(unit, BUSY_W)
    started = {unit: lab.job(f"laser-{unit}", "started") for unit in (1, 2)}
    assert started[1]["evidence"] == "s1.power_w" and started[1]["asset"] == "INV-1"
    assert lab.state("laser-1", job=started[1]["job"])["activity"] == "busy"
    mark = lab.sub.mark()
    lab.power(1, IDLE_W)
    lab.power(2, OFF_W)
    lab.state("laser-1", mark, activity="idle")
    lab.power(1, OFF_W)
    for unit, result in ((1, "finished"), (2, "power-loss")):
        ended = lab.job(f"laser-{unit}", "ended")
        assert (ended["result"], ended["job"]) == (result, started[unit]["job"])
        assert ended["started"] == started[unit]["started"]
        assert abs(ended["ended"] - ended["started"] - 1000 * ended["duration_s"]) <= 1000
        assert ended["ended"] < ended["ts"] + 1 and ended["busy_s"] >= 1
        assert len(lab.jobs(f"laser-{unit}")) == 1
        lab.state(f"laser-{unit}", mark, job=None)
    assert lab.jobs("laser-3") == [], "too short to be a job"
    short = lab.totals("laser-3")
    assert short["busy_s"] + short["idle_s"] + short["off_s"] > 0 and short["jobs_started"] == 0


def test_a_stop_forgets_no_second(lab):
    """Totals are written down every five minutes, and when the daemon ends."""
    lasers(lab, 1).start()
    wait_until(lambda: lab.totals("laser-1")["idle_s"] >= 8, what="some seconds of idleness")
    was = lab.totals("laser-1")
    lab.daemon.stop()
    lab.run()
    lab.totals("laser-1", was)


# ---- kill -9 ---------------------------------------------------------------------------------


def test_killed_in_mid_job(lab):
    """Still busy when the daemon is back: the same job. Idle by then: it ended with the daemon."""
    lasers(lab, 2, BUSY_W).start()
    first = {m: lab.job(m, "started") for m in ("laser-1", "laser-2")}
    before = {m: lab.totals(m) for m in first}
    lab.kill()
    lab.power(2, IDLE_W)
    mark = lab.sub.mark()
    lab.run()
    ended = lab.job("laser-2", "ended")
    assert (ended["job"], ended["result"]) == (first["laser-2"]["job"], "gateway-restart")
    wait_until(lambda: "above 120 for" in lab.reason("laser-1"), what="it is seen to be busy")
    assert lab.state("laser-1", mark, activity="busy", job=first["laser-1"]["job"])
    lab.state("laser-2", mark, activity="idle", job=None)
    middle = {m: lab.totals(m, before[m]) for m in first}
    assert middle["laser-1"]["unknown_s"] >= before["laser-1"]["unknown_s"]
    lab.kill()
    mark = lab.sub.mark()
    lab.run()
    lab.state("laser-1", mark, activity="busy", job=first["laser-1"]["job"])
    lab.state("laser-2", mark, activity="idle", job=None)
    wait_until(lambda: "above 120 for" in lab.reason("laser-1"), what="it is seen to be busy")
    lab.power(1, IDLE_W)
    ended = lab.job("laser-1", "ended")
    assert ended["job"] == first["laser-1"]["job"] and ended["result"] == "finished"
    assert ended["started"] == first["laser-1"]["started"]
    assert ended["accuracy_s"] >= first["laser-1"]["accuracy_s"] + 2, "two holes"
    for m in first:
        assert len(lab.jobs(m)) == 1
        after = lab.totals(m, middle[m])
        assert after["jobs_started"] == 1, "a restart starts no job"


def test_killed_while_the_broker_is_away(lab, subscribe):
    """What was committed is told when both are back: with its old epoch, in order, once by name."""
    lasers(lab, 1).start()
    lab.state("laser-1", activity="idle")
    epoch = lab.wait("gateways/gw1/info", lambda i: True)["epoch"]
    lab.broker.kill()
    for jobs in (1, 2):
        lab.power(1, BUSY_W)
        wait_until(lambda: lab.totals("laser-1")["jobs_started"] == jobs, what="it starts")
        lab.power(1, IDLE_W)
        wait_until(lambda: lab.totals("laser-1")["jobs_finished"] == jobs, what="it ends")
    before = lab.totals("laser-1")  # a later pass of the loop: the one before it was committed
    lab.kill()
    lab.run()  # the broker is still away: this one has them now
    lab.kill()
    lab.broker.start()
    sub = subscribe(lab.broker.port)
    lab.run()
    sub.wait_for(lambda m: len(lab.records("machines/laser-1/job", sub)) == 4, topic="machines/laser-1/job")
    told = lab.records("machines/laser-1/job", sub)
    assert [r["type"] for r in told] == ["started", "ended"] * 2
    assert {r["epoch"] for r in told} == {epoch}
    assert [r["seq"] for r in told] == list(range(told[0]["seq"], told[0]["seq"] + 4))
    assert all(e["result"] == "finished" for _, e in lab.jobs("laser-1", sub))
    events = [r["seq"] for r in lab.records("machines/laser-1/event", sub) if r["epoch"] == epoch]
    assert len(events) >= 4 and events == list(range(events[0], events[0] + len(events)))
    lab.totals("laser-1", before)


# ---- the asset -------------------------------------------------------------------------------


def rename(name):
    def change(config):
        config["machines"][0]["id"] = name
    return change


def test_counters_follow_the_asset(lab):
    """To another machine id, over a restart and over a reload; an open job ends once."""
    lasers(lab, 1, BUSY_W).start()
    jobs = [lab.job("laser-1", "started")]
    lab.tool("usage", "set", "laser-1", "idle_s", 1000, "the old book")
    was = lab.totals("laser-1")
    assert was["idle_s"] >= 1000
    lab.daemon.stop()
    lab.write(rename("laser-7"))
    lab.run()
    ended = lab.job("laser-1", "ended")
    assert (ended["job"], ended["result"]) == (jobs[0]["job"], "gateway-restart")
    jobs.append(lab.job("laser-7", "started"))
    assert jobs[1]["asset"] == "INV-1"
    was = lab.totals("laser-7", was)
    assert was["jobs_started"] == 2
    lab.tool("usage", "set", "laser-7", "off_s", 2000)
    was = lab.totals("laser-7", was)
    lab.reload(rename("laser-9"))
    assert lab.job("laser-7", "ended")["job"] == jobs[1]["job"]
    jobs.append(lab.job("laser-9", "started"))
    was = lab.totals("laser-9", was)
    assert was["jobs_started"] == 3 and was["idle_s"] >= 1000 and was["off_s"] >= 2000
    assert len({j["job"] for j in jobs}) == 3
    assert [len(lab.jobs(m)) for m in ("laser-1", "laser-7", "laser-9")] == [1, 1, 1]
    wait_until(lambda: {t for t in lab.kept() if t.endswith("/usage")} == {"machines/laser-9/usage"},
               what="the totals of the old names are cleared")


def test_two_machines_change_places(lab):
    """The reload gives each the other's asset: counters change places, too."""
    lasers(lab, 2, BUSY_W).start()
    for unit in (1, 2):
        lab.job(f"laser-{unit}", "started")
        lab.tool("usage", "set", f"laser-{unit}", "busy_s", unit * 1000)

    def swap(config):
        for machine, asset in zip(config["machines"], ("INV-2", "INV-1")):
            machine["asset"] = asset

    was = {a: lab.totals(m) for a, m in (("INV-1", "laser-1"), ("INV-2", "laser-2"))}
    mark = lab.sub.mark()
    lab.reload(swap)
    for machine, asset in (("laser-1", "INV-2"), ("laser-2", "INV-1")):
        assert lab.job(machine, "started", mark)["asset"] == asset
        now = lab.totals(machine, was[asset])
        assert now["asset"] == asset and now["jobs_started"] == 2
        (_, first), (_, second) = lab.jobs(machine)
        assert first["asset"] != asset and second is None, "one ended, one at work"


def test_removed_in_mid_job(lab):
    lasers(lab, 2, BUSY_W).start()
    job = lab.job("laser-2", "started")["job"]
    lab.wait("machines/laser-2/usage", lambda u: True)
    was = lab.totals("laser-2")

    def without(config):
        del config["machines"][1]

    lab.reload(without)
    ended = lab.job("laser-2", "ended")
    assert ended["job"] == job and ended["result"] == "unknown"
    lab.sub.wait_for(lambda m: not m.payload, topic="machines/laser-2/usage")
    wait_until(lambda: not [t for t in lab.kept() if "/laser-2/" in t], what="nothing of it is kept")
    assert lab.tool("usage", "laser-2", code=64)
    mark = lab.sub.mark()
    lab.reload()
    assert lab.job("laser-2", "started", mark)["job"] != job
    assert lab.totals("laser-2", was)["jobs_started"] == 2
    assert len(lab.jobs("laser-2")) == 2 and len(lab.jobs("laser-1")) == 1


# ---- labpulse usage --------------------------------------------------------------------------


def test_counters_are_shown_and_set(lab):
    lasers(lab, 2).start()
    text = lab.tool("usage")
    assert "INV-1" in text.out and "INV-2" in text.out
    assert len(lab.tool("usage", "--json").json["machines"]) == 2
    was = lab.totals("laser-1")
    mark = lab.sub.mark()
    lab.tool("usage", "set", "laser-1", "busy_s", 3600, "from the old book")
    event = lab.wait("machines/laser-1/event", lambda e: e["type"] == "counters", mark)
    assert (event["field"], event["now"], event["note"]) == ("busy_s", 3600, "from the old book")
    assert abs(event["was"] - was["busy_s"]) <= 1
    lab.tool("usage", "set", "laser-1", "jobs_finished", 12)
    assert lab.wait("machines/laser-1/usage", lambda u: u["jobs_finished"] == 12, mark)["busy_s"] == 3600
    now = lab.totals("laser-1", was)
    assert now["busy_s"] == 3600 and now["jobs_finished"] == 12
    assert now["since"] <= was["since"] - 3599000
    for wrong in (("busy_s", "-1"), ("hours", "1"), ("busy_s", "many"), ("since", "0"), ("busy_s",), ("busy_s", "1e300")):
        lab.tool("usage", "set", "laser-1", *wrong, code=64)
    lab.tool("usage", "set", "nobody", "busy_s", 1, code=64)
    lab.tool("usage", "nobody", code=64)
    lab.wait("machines/laser-1/event", lambda e: e.get("field") == "jobs_finished", mark)
    assert [e["field"] for e in lab.records("laser-1/event") if e["type"] == "counters"] == ["busy_s", "jobs_finished"]
    lab.kill()
    mark = lab.sub.mark()
    lab.run()
    lab.wait("machines/laser-1/usage", lambda u: u["jobs_finished"] == 12, mark)
    lab.totals("laser-1", now)


# ---- privacy ---------------------------------------------------------------------------------

FILE = "ivanov-gun.gcode"


def test_a_file_name_stays_where_it_is(lab):
    """It is in nothing published and nothing logged; with job_names in `job`, and nowhere else."""
    lab.add_printer("secret").add_printer("open", publish={"job_names": True}).start()
    for name in ("secret", "open"):
        lab.do(name, f"file {FILE}")
        lab.do(name, "print 2")
    for name in ("secret", "open"):
        lab.job(name, "ended")
        lab.wait(f"machines/{name}/usage", lambda u: u["jobs_finished"] == 1)
    assert [r.get("name") for pair in lab.jobs("open") for r in pair] == [FILE] * 2
    assert not [r for pair in lab.jobs("secret") for r in pair if "name" in r]
    telling = {m.topic for m in lab.sub.find() if FILE.encode() in m.payload}
    assert telling == {"parks/p1/machines/open/job"}
    assert FILE not in json.dumps(lab.kept())
    for command in (("usage", "--json"), ("explain", "--json")):
        assert FILE not in lab.tool(*command).out
    lab.daemon.stop()
    assert "job" in lab.daemon.err() and FILE not in lab.daemon.err()
