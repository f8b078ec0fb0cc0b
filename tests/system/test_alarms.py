# SPDX-License-Identifier: MIT
"""Alarms, from the condition to what a newcomer reads at the broker, over crashes of either side."""
import contextlib
import json
import resource
import sqlite3

import pytest

import bench
from conftest import listen_before, wait_until
from lab import BUSY_W, IDLE_W, LASER, lab_fixture  # noqa: F401

HOT, WARM, COLD = 350, 250, 150


def alarm(code, above=300, **keys):
    return {"code": code, "point": "s1.power_w", "above": above, "clear_for": "400ms", "severity": "error",
            "text": {"ru": "Горячо", "en": "Too hot"}, "hint": {"ru": "Охладить", "en": "Cool it"}, **keys}


def one(lab, *alarms, power=COLD, **keys):
    return lab.add("m1", "line", power=power, alarms=list(alarms), **keys).start()


def heat(lab, watts, unit=1):
    """What the meter shows from now on; the index of the first message that may tell."""
    mark = lab.sub.mark()
    lab.power(unit, watts)
    return mark


# ---- the life of an alarm --------------------------------------------------------------------


def test_a_limit_with_hysteresis(lab):
    one(lab, alarm("hot", clear=200), alarm("slow", **{"for": "2s"}))
    mark = heat(lab, HOT)
    raised = lab.alarm("m1", "hot", active=True)
    assert (raised["value"], raised["limit"], raised["count"], raised["severity"]) == (HOT, 300, 1, "error")
    assert (raised["text"], raised["hint"], raised["source"]) == ("Too hot", "Cool it", "s1")
    assert raised["texts"] == {"ru": "Горячо", "en": "Too hot"} and raised["cleared"] is None
    state = lab.state("m1", mark, alarms=["hot"])
    assert (state["state"], state["condition"]) == ("fault", "fault") and "hot" in state["reason"]
    mark = heat(lab, WARM)
    lab.telemetry("m1", mark, 2500, power_w=WARM)
    assert lab.active("m1") == (["hot"], []), "between the limits it stays; the other one waits for 2 s"
    mark = heat(lab, COLD)
    cleared = lab.alarm("m1", "hot", mark, active=False)
    assert cleared["cleared"] >= cleared["raised"] == raised["raised"]
    assert lab.state("m1", mark, alarms=[])["condition"] == "normal"
    assert lab.active("m1") == ([], ["hot"])
    heat(lab, HOT)
    assert lab.alarm("m1", "slow", active=True)["raised"] >= lab.alarm("m1", "hot", count=2)["raised"] + 1500
    lab.tells("m1", "hot", "raised", "cleared", "raised")
    lab.tells("m1", "slow", "raised")
    assert lab.totals("m1")["alarms_raised"] == 3


def test_an_interlock_over_two_sources(lab):
    flow = {"code": "no-flow", "all": [{"activity": "busy"}, {"point": "chiller.level_pct", "below": 20}],
            "for": "300ms", "severity": "critical", "text": {"ru": "Нет потока", "en": "No flow"}}
    lab.add("m1", "line", 1, power=IDLE_W, usage=LASER, alarms=[flow]).add("m1", "line", 2, source="chiller").start()
    mark = lab.sub.mark()
    lab.sim.control("set line-2 level_pct 5")
    lab.telemetry("m1", mark, 1500, level_pct=5)
    assert lab.active("m1") == ([], []), "an idle laser needs no water"
    heat(lab, BUSY_W)
    lab.alarm("m1", "no-flow", active=True)
    assert lab.state("m1", mark, alarms=["no-flow"])["activity"] == "busy"
    lab.sim.control("set line-2 level_pct 60")
    lab.alarm("m1", "no-flow", active=False)
    lab.sim.control("set line-2 level_pct 5")
    lab.alarm("m1", "no-flow", count=2, active=True)
    heat(lab, IDLE_W)
    lab.alarm("m1", "no-flow", count=2, active=False)
    lab.tells("m1", "no-flow", "raised", "cleared", "raised", "cleared")


def test_a_latch_waits_for_a_person(lab):
    one(lab, alarm("hot", latch=True), alarm("free", above=310))
    heat(lab, HOT)
    for code in ("hot", "free"):
        lab.alarm("m1", code, active=True)
    assert "still there" in lab.tool("ack", "m1", "free").out
    assert lab.alarm("m1", "free", acked=True)["active"]
    heat(lab, COLD)
    lab.alarm("m1", "free", active=False)
    mark = lab.sub.mark()
    lab.telemetry("m1", mark, 1500, power_w=COLD)
    assert lab.active("m1") == (["hot"], ["free"])
    lab.tool("ack", "m1", "hot")
    assert lab.alarm("m1", "hot", mark, active=False)["acked"]
    for wrong in (("m1", "hot"), ("m1", "cold"), ("nobody", "hot"), ("m1",)):
        lab.tool("ack", *wrong, code=64)
    lab.tells("m1", "hot", "raised", "acked", "cleared")
    lab.tells("m1", "free", "raised", "acked", "cleared")


def test_maintenance_lets_critical_ones_through(lab):
    one(lab, alarm("hot"), alarm("fire", severity="critical"))
    for wrong in (("m1", "5s"), ("m1", "soon", "why"), ("m1", "31d", "why"), ("nobody", "5s", "why")):
        lab.tool("maintenance", *wrong, code=64)
    mark = lab.sub.mark()
    assert "new belt" in lab.tool("maintenance", "m1", "6s", "new belt").out
    told = lab.wait("machines/m1/state", lambda s: s["maintenance"], mark)["maintenance"]
    assert told["reason"] == "new belt" and told["until"] - told["since"] == 6000
    heat(lab, HOT)
    assert lab.alarm("m1", "hot", active=True)["suppressed_by"] == "maintenance"
    assert lab.alarm("m1", "fire", active=True)["suppressed_by"] is None
    lab.state("m1", mark, alarms=["fire"])
    lab.kill()
    mark = lab.sub.mark()
    lab.run()
    again = lab.wait("machines/m1/state", lambda s: s["maintenance"], mark)["maintenance"]
    assert again == told, "it survives a crash"
    over = lab.wait("machines/m1/state", lambda s: s["maintenance"] is None and "hot" in s["alarms"], mark)
    assert told["until"] <= over["ts"] <= told["until"] + 3000
    assert lab.active("m1") == (["fire", "hot"], [])
    lab.tells("m1", "hot", "suppressed", "raised")
    lab.tells("m1", "fire", "raised")


def test_flapping_is_held_and_counted(lab):
    one(lab, alarm("hot", clear_for="0s"))
    for count in (1, 2, 3):
        heat(lab, HOT)
        lab.alarm("m1", "hot", count=count, active=True)
        mark = heat(lab, COLD)
        if count < 3:
            lab.alarm("m1", "hot", mark, active=False)
    held = lab.alarm("m1", "hot", count=3, flapping=True)
    assert held["active"]
    lab.telemetry("m1", mark, power_w=COLD)
    heat(lab, HOT)
    assert lab.alarm("m1", "hot", count=4)["flapping"]
    assert lab.active("m1") == (["hot"], [])
    wait_until(lambda: len(lab.alarm_events("m1", "hot")) >= 5, what="the events")
    events = lab.alarm_events("m1", "hot")
    assert events[:5] == ["raised", "cleared", "raised", "cleared", "raised"] and set(events[5:]) <= {"changed"}
    assert events.count("raised") == 3


def test_a_flood_is_told_in_portions(lab):
    """Thirty at once, then one in 10 s; a critical one never waits, and the gateway says that some wait."""
    codes = [f"hot-{i}" for i in range(32)]
    one(lab, *(alarm(code) for code in codes), alarm("fire", severity="critical"))
    flood = "gateways/gw1/alarm/alarm-flood"
    heat(lab, HOT)
    lab.alarm("m1", "fire", active=True, suppressed_by=None)
    first = {code: lab.alarm("m1", code, active=True) for code in codes}
    waiting = [code for code in codes if first[code]["suppressed_by"] == "flood"]
    assert len(waiting) == 2 and lab.wait(flood, lambda a: a["active"])
    for code in waiting:
        lab.alarm("m1", code, active=True, suppressed_by=None, timeout=30)
    lab.wait(flood, lambda a: not a["active"], timeout=30)
    lab.tells("m1", waiting[0], "suppressed", "raised")
    lab.tells("m1", "fire", "raised")


# ---- silence ---------------------------------------------------------------------------------


@pytest.mark.parametrize("long", [False, pytest.param(True, marks=pytest.mark.long)], ids=["30s", "60s"])
def test_a_dead_bus_is_one_alarm(lab, long):
    for unit in (1, 2, 3):
        lab.add(f"m{unit}", "line", unit)
    lab.start()
    lab.sim.control("unplug line")
    down = lab.sub.wait_for(lambda m: m.json["active"], topic="gateways/gw1/alarm/bus-line-down", timeout=45).json
    assert down["severity"] in ("error", "critical") and down["texts"]["ru"] != down["texts"]["en"]
    if long:
        for unit in (1, 2, 3):
            silent = lab.alarm(f"m{unit}", "s1-silent", timeout=45)
            assert silent["active"] and silent["suppressed_by"] == "bus-line-down"
            assert lab.active(f"m{unit}") == (["s1-silent"], [])
    lab.sim.control("plug line")
    mark = lab.sub.mark()
    lab.sub.wait_for(lambda m: not m.json["active"], topic="gateways/gw1/alarm/bus-line-down")
    for unit in (1, 2, 3):
        lab.state(f"m{unit}", mark, availability="online")
        if long:
            lab.alarm(f"m{unit}", "s1-silent", mark, active=False)
        assert "raised" not in lab.alarm_events(f"m{unit}", "s1-silent")
    lab.tells("gateways/gw1", "bus-line-down", "raised", "cleared")


@pytest.mark.long
def test_a_silent_unit(lab):
    """After a minute; its neighbour on the line is well."""
    lab.add("m1", "line", 1).add("m2", "line", 2).start()
    lab.sim.control("fault line-1 silent")
    mark = lab.sub.mark()
    silent = lab.alarm("m1", "s1-silent", timeout=90, active=True)
    gone = lab.state("m1", mark, availability="offline")
    assert 55000 <= silent["raised"] - gone["sources"]["s1"]["since"] <= 70000
    assert silent["severity"] == "error" and silent["suppressed_by"] is None
    lab.sim.control("fault line-1 ok")
    lab.alarm("m1", "s1-silent", active=False)
    lab.tells("m1", "s1-silent", "raised", "cleared")
    assert not lab.sub.find("gateways/gw1/alarm/bus-line-down")


# ---- crashes ---------------------------------------------------------------------------------


def test_alarms_over_a_crash(lab):
    """What goes on is not told again; what ended while nobody looked is cleared; each only once."""
    for unit in (1, 2):
        lab.add(f"m{unit}", "line", unit, power=HOT, alarms=[alarm("hot")])
    lab.start()
    was = {m: lab.alarm(m, "hot", active=True) for m in ("m1", "m2")}
    lab.kill()
    lab.power(2, COLD)
    assert lab.active("m1") == (["hot"], []), "the broker keeps the picture"
    mark = lab.sub.mark()
    lab.run()
    lab.alarm("m2", "hot", mark, active=False)
    lab.telemetry("m1", mark, 1000, power_w=HOT)
    assert lab.active("m1") == (["hot"], []) and lab.active("m2") == ([], ["hot"])
    lab.kill()
    mark = lab.sub.mark()
    lab.run()
    lab.telemetry("m1", mark, 1000, power_w=HOT)
    for m in ("m1", "m2"):
        seen = [x.json for x in lab.sub.find(f"machines/{m}/alarm/hot", since=mark)]
        assert seen and all((a["raised"], a["count"]) == (was[m]["raised"], 1) for a in seen)
        assert all(a["active"] == (m == "m1") for a in seen)
    lab.tells("m1", "hot", "raised")
    heat(lab, COLD)
    lab.alarm("m1", "hot", mark, active=False)
    lab.tells("m1", "hot", "raised", "cleared")
    lab.tells("m2", "hot", "raised", "cleared")
    assert lab.totals("m1")["alarms_raised"] == 1


@pytest.mark.parametrize("how", ["reload", "stopped", "killed"])
def test_an_alarm_that_is_not_configured_any_more(lab, how):
    one(lab, alarm("hot"), alarm("hotter", above=310), power=HOT)
    for code in ("hot", "hotter"):
        lab.alarm("m1", code, active=True)

    def change(config):
        del config["machines"][0]["alarms"][0]

    mark = lab.sub.mark()
    if how == "reload":
        lab.reload(change)
    else:
        (lab.daemon.stop if how == "stopped" else lab.kill)()
        assert lab.active("m1") == (["hot", "hotter"], [])
        lab.write(change)
        lab.run()
    lab.sub.wait_for(lambda m: not m.payload, topic="machines/m1/alarm/hot", since=mark)
    lab.state("m1", mark, alarms=["hotter"])
    wait_until(lambda: lab.active("m1") == (["hotter"], []), what="only the other one is kept", interval=0.2)
    lab.tells("m1", "hot", "raised", "cleared")
    lab.tells("m1", "hotter", "raised")


def test_a_broker_that_forgot_everything(lab, subscribe):
    """Alarms came, went and stayed while it was dead: a newcomer sees them as they are."""
    comes = {k: v for k, v in alarm("comes").items() if k != "above"}
    one(lab, alarm("stays", above=100), alarm("goes", above=340), {**comes, "below": 200}, power=HOT)
    for code in ("stays", "goes"):
        lab.alarm("m1", code, active=True)
    before = lab.sub
    lab.broker.kill()
    lab.power(1, COLD)
    wait_until(lambda: "comes raised" in lab.daemon.err() and "goes cleared" in lab.daemon.err(), what="both changed")
    lab.sub = listen_before(lab.daemon, lab.broker, subscribe)
    assert lab.alarm("m1", "goes")["active"] is False
    lab.wait("machines/m1/state", lambda s: sorted(s["alarms"]) == ["comes", "stays"])
    assert lab.active("m1") == (["comes", "stays"], ["goes"])
    lab.tells("m1", "goes", "raised", "cleared", subs=(before, lab.sub))
    lab.tells("m1", "comes", "raised", subs=(before, lab.sub))
    lab.tells("m1", "stays", "raised", subs=(before, lab.sub))


# ---- whose alarms ----------------------------------------------------------------------------

MINE = {"ru": "Зовите Петра", "en": "Call Peter"}


def test_a_driver_says_what_is_wrong(lab):
    code = "board-thermal-runaway"
    lab.add_printer("plain").add_printer("quiet", alarms=[{"code": code, "severity": "none"}])
    lab.add_printer("mine", alarms=[{"code": code, "severity": "warning", "text": MINE}]).start()
    for name in ("plain", "quiet", "mine"):
        lab.do(name, "runaway")
    plain, mine = lab.alarm("plain", code, active=True), lab.alarm("mine", code, active=True)
    assert plain["severity"] == "critical" and plain["source"] == "board" and plain["hint"]
    assert plain["texts"]["ru"] != plain["texts"]["en"] and plain["text"] == plain["texts"]["en"]
    assert mine["severity"] == "warning" and mine["texts"] == MINE and mine["hint"] == plain["hint"]
    assert lab.state("plain", alarms=[code])["condition"] == "fault"
    assert lab.state("mine", alarms=[code])["condition"] == "warning"
    lab.wait("machines/quiet/telemetry", lambda t: t["values"].get("state") == "halted")
    for name in ("plain", "mine"):
        mark = lab.sub.mark()
        lab.do(name, "reset")
        lab.alarm(name, code, mark, active=False)
        lab.tells(name, code, "raised", "cleared")
    assert not lab.sub.find(f"machines/quiet/alarm/{code}") and lab.active("quiet") == ([], [])


def test_a_profile_says_what_is_wrong(lab):
    lab.add_profile("probe2", bench.POINTS)
    path = lab.profiles / "probe2.yaml"
    text = {"ru": "Перегрев", "en": "Overheated"}
    path.write_text(json.dumps({**json.loads(path.read_text()), "alarms": [
        {"code": "too-hot", "point": "power_w", "above": 300, "clear_for": "400ms", "severity": "error", "text": text}]}))
    lab.add("m1", "line", 1, profile="probe2", power=HOT)
    lab.add("m2", "line", 2, profile="probe2", power=HOT, alarms=[alarm("s1-too-hot", above=340, severity="info")]).start()
    assert lab.alarm("m1", "s1-too-hot", active=True)["texts"] == text
    own = lab.alarm("m2", "s1-too-hot", active=True)
    assert (own["limit"], own["severity"], own["text"]) == (340, "info", "Too hot"), "the machine's replaces it"
    for unit in (1, 2):
        lab.power(unit, COLD)
        lab.alarm(f"m{unit}", "s1-too-hot", active=False)


# ---- the gateway's own -----------------------------------------------------------------------


def test_a_refused_configuration(lab):
    lab.add("m1", "line").start()
    good = lab.path.read_text()
    lab.path.write_text(good.replace('"class": "other"', '"class": "others"'))
    lab.daemon.reload()
    raised = lab.wait("gateways/gw1/alarm/config-refused", lambda a: a["active"])
    assert raised["severity"] == "warning" and raised["texts"]["ru"] != raised["texts"]["en"]
    assert lab.kept()["gateways/gw1/alarm/config-refused"]["active"]
    lab.kill()
    lab.path.write_text(good)
    lab.run()
    cleared = lab.wait("gateways/gw1/alarm/config-refused", lambda a: not a["active"])
    assert cleared["raised"] == raised["raised"]
    lab.tells("gateways/gw1", "config-refused", "raised", "cleared")
    assert not lab.kept()["gateways/gw1/alarm/config-refused"]["active"]


def kept_alarms(path):
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return [key for key, in db.execute("SELECT key FROM kept WHERE kind = 'alarm'")]


def test_no_place_to_remember(lab):
    """state.db cannot be opened: an alarm; polling, jobs and alarms go on."""
    (lab.folder / "file").write_text("no directory")
    lab.config["spool"]["path"] = str(lab.folder / "file" / "spool")
    one(lab, alarm("hot"))
    assert lab.wait("gateways/gw1/alarm/disk", lambda a: a["active"])["texts"]["ru"]
    heat(lab, HOT)
    lab.alarm("m1", "hot", active=True)
    heat(lab, COLD)
    lab.alarm("m1", "hot", active=False)
    lab.tells("m1", "hot", "raised", "cleared")
    lab.tells("gateways/gw1", "disk", "raised")
    assert lab.daemon.running()


def test_the_disk_refuses_for_a_while(lab):
    """The file size limit of the daemon stands in for a full disk: an alarm until it can be written
    again; what happened meanwhile is told at once, under a new epoch, and is on the disk after all."""
    one(lab, alarm("hot"))
    before = lab.telemetry("m1", 0)["epoch"]
    resource.prlimit(lab.daemon.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    heat(lab, HOT)
    lab.alarm("m1", "hot", active=True)
    lab.wait("gateways/gw1/alarm/disk", lambda a: a["active"])
    mark = lab.sub.mark()
    lab.telemetry("m1", mark, 1000, power_w=HOT)
    raised = lab.wait("machines/m1/event", lambda e: e["type"] == "alarm" and e["code"] == "hot")
    assert raised["epoch"] != before
    resource.prlimit(lab.daemon.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    lab.wait("gateways/gw1/alarm/disk", lambda a: not a["active"])
    lab.tells("gateways/gw1", "disk", "raised", "cleared")
    lab.tells("m1", "hot", "raised")
    lab.kill()
    assert "m1/hot" in kept_alarms(lab.folder / "spool" / "state.db"), "the alarm is on the disk after all"
    mark = lab.sub.mark()
    lab.run()
    lab.telemetry("m1", mark, 1000, power_w=HOT)
    assert lab.active("m1") == (["hot"], [])
    lab.tells("m1", "hot", "raised")


# ---- labpulse test-alarm ---------------------------------------------------------------------


def test_a_test_alarm(lab):
    one(lab, alarm("hot"))
    was = lab.totals("m1")
    before = lab.kept()["machines/m1/state"]
    mark = lab.sub.mark()
    result = lab.tool("test-alarm", "m1", "--for", "3s", "--severity", "critical")
    assert f"127.0.0.1:{lab.broker.port} has acknowledged" in result.out
    picture = lab.kept()["machines/m1/alarm/test"]
    assert picture["active"] and picture["severity"] == "critical" and picture["texts"]["ru"]
    lab.alarm("m1", "test", mark, active=False)
    for m in lab.sub.find("machines/m1/state", since=mark):
        assert [m.json[k] for k in ("state", "condition", "activity", "since")] == \
            [before[k] for k in ("state", "condition", "activity", "since")]
    lab.tells("m1", "test", "raised", "cleared")
    assert lab.totals("m1", was)["alarms_raised"] == was["alarms_raised"], "a test is not counted"
    for wrong in (("nobody",), ("m1", "--severity", "none"), ("m1", "--severity", "loud"), ("m1", "--for", "2h"), ()):
        lab.tool("test-alarm", *wrong, code=64)
    lab.broker.kill()
    wait_until(lambda: lab.tool("explain", "--json").json["gateway"]["broker"]["connected"] is False, what="it is away")
    assert "no broker" in lab.tool("test-alarm", "m1", "--for", "1s", code=69).err
