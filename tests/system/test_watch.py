# SPDX-License-Identifier: MIT
"""labpulse watch and explain: jobs, alarms, maintenance and what happened lately, in words."""
import json
import time

import paho.mqtt.client as paho
import pytest

from conftest import BUILD, PROFILES, wait_until

HEAD = {"v": 1, "clock": "synced", "gw": "gw1"}
JOB = "01JGF0000000000000000000JK"  # a ULID: began at 1735670104064
TEXTS = {"ru": "Перегрев чиллера", "en": "Chiller over-temperature"}


def ago(seconds):
    return int((time.time() - seconds) * 1000)


def alarm(code, raised, cleared=None, **more):
    return {**HEAD, "ts": cleared or raised, "code": code, "severity": "critical", "active": cleared is None,
            "raised": raised, "cleared": cleared, "count": 1, "source": None, "value": 31.2, "limit": 30,
            "text": TEXTS["ru"], "hint": "Остановите резку", "texts": TEXTS, "stale": False, "flapping": False,
            "acked": False, "suppressed_by": None, **more}


def state(**more):
    return {**HEAD, "ts": ago(5), "state": "busy", "availability": "online", "activity": "busy", "condition": "normal",
            "since": ago(60), "reason": "board says busy", "job": None, "progress": None, "alarms": [],
            "maintenance": None, "values": {"meter.power_w": 143.2}, "sources": {"meter": {"ok": True}}, **more}


class Gateway:
    """Publishes what a daemon would, and keeps what `labpulse watch` says about it."""

    def __init__(self, broker, spawn, labpulse):
        self.broker, self.spawn, self.labpulse, self.watching = broker, spawn, labpulse, None
        self.client = paho.Client()
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()

    def publish(self, topic, payload, retain=False):
        text = payload if isinstance(payload, str) else json.dumps(payload)
        self.client.publish(f"parks/p1/{topic}", text, qos=1, retain=retain).wait_for_publish(10)

    def machine(self, machine, **more):
        self.publish(f"machines/{machine}/info", {**HEAD, "ts": 1, "class": "other"}, retain=True)
        self.publish(f"machines/{machine}/availability", "online", retain=True)
        self.publish(f"machines/{machine}/state", state(**more), retain=True)

    def watch(self):
        """From now on, once it has read what is retained."""
        self.watching = self.spawn("watch", [BUILD / "labpulse", "watch", "--broker", self.broker.url, "--json",
                                             "--every", "200ms"])
        wait_until(lambda: self.watching.out().count("\n") > 0, what="the first table is printed")

    def events(self):
        lines = self.watching.out().split("\n")[:-1]
        return [(e.get("machine") or e["gateway"], e["text"]) for e in json.loads(lines[-1])["events"]]

    def ask(self, command, *argv):
        return self.labpulse(command, *argv, "--broker", self.broker.url)

    def close(self):
        self.client.loop_stop()
        self.client.disconnect()


@pytest.fixture
def gateway(broker, spawn, labpulse):
    made = Gateway(broker, spawn, labpulse)
    yield made
    made.close()


def numbered(seconds_ago, **more):
    return {**HEAD, "ts": ago(seconds_ago), "epoch": "7f3a91c2", "seq": 1, **more}


# ---- watch, from a broker ------------------------------------------------------------------------


def test_events_are_told_in_words_and_in_their_order(gateway):
    gateway.machine("laser-1")
    gateway.watch()
    job = {"job": JOB, "asset": "laser-1", "started": ago(50), "accuracy_s": 2, "evidence": "meter.power_w"}
    gateway.publish("machines/laser-1/job", numbered(
        9, type="ended", **job, ended=ago(9), duration_s=32, busy_s=32, paused_s=0, result="finished", energy_wh=4.2))
    gateway.publish("machines/laser-1/event", numbered(
        45, type="state", **{"from": "off", "to": "idle", "reason": "meter.power_w 25 above 8 for 2 s"}))
    gateway.publish("machines/laser-1/job", numbered(50, type="started", **job))
    hot, disk = ago(30), ago(20)
    gateway.publish("machines/laser-1/alarm/chiller-hot", alarm("chiller-hot", hot), retain=True)
    # the same edges as of the alarm's own topic, without its text: not told twice
    for transition in ("raised", "cleared"):
        gateway.publish("machines/laser-1/event", numbered(
            30, type="alarm", code="chiller-hot", transition=transition, severity="critical", value=31.2, limit=30))
    gateway.publish("machines/laser-1/event", numbered(
        25, type="alarm", code="chiller-hot", transition="acked", severity="critical", value=31.2, limit=30))
    gateway.publish("machines/laser-1/alarm/chiller-hot", alarm("chiller-hot", hot, acked=True), retain=True)
    for cleared in (None, ago(2)):
        gateway.publish("gateways/gw1/alarm/disk", alarm("disk", disk, cleared), retain=True)
    gateway.publish("gateways/gw1/event", numbered(1, type="config", hash="1", ok=False, error="x.yaml:3: error"))
    expected = [
        ("laser-1", "job started"),
        ("laser-1", "off -> idle: meter.power_w 25 above 8 for 2 s"),
        ("laser-1", "alarm chiller-hot raised: Chiller over-temperature"),
        ("laser-1", "alarm chiller-hot acknowledged"),
        ("gw1", "alarm disk raised: Chiller over-temperature"),
        ("laser-1", "job ended: finished after 32 s, 4.2 Wh"),
        ("gw1", "alarm disk cleared"),
        ("gw1", "configuration refused: x.yaml:3: error"),
    ]
    wait_until(lambda: expected[-1] in gateway.events(), what="all is told")
    assert gateway.events() == expected


def test_an_alarm_of_long_ago_is_no_news(gateway):
    gateway.machine("laser-1", state="fault", alarms=["chiller-hot"])
    gateway.publish("machines/laser-1/alarm/chiller-hot", alarm("chiller-hot", ago(3 * 3600)), retain=True)
    gateway.publish("machines/laser-1/alarm/no-flow", alarm("no-flow", ago(3 * 3600), ago(60)), retain=True)
    result = gateway.ask("watch", "--json")
    assert [e["text"] for e in result.json["events"]] == ["alarm no-flow cleared"]
    assert abs(result.json["events"][0]["at"] - ago(60)) < 30000
    assert [a["code"] for a in result.json["machines"][0]["alarms"]] == ["chiller-hot"]
    text = gateway.ask("watch", "--lang", "ru").out
    assert "! Перегрев чиллера" in text and "авария no-flow прошла" in text and "началась" not in text


def test_the_table_says_what_goes_on(gateway):
    maintenance = {"since": ago(60), "until": ago(-3600), "reason": 'a "new" tube'}
    gateway.machine("laser-1", alarms=[], maintenance=maintenance)
    gateway.publish("machines/laser-1/alarm/no-flow", alarm("no-flow", ago(60), suppressed_by="maintenance"), retain=True)
    gateway.machine("laser-2", alarms=["chiller-hot"], state="fault")
    gateway.publish("machines/laser-2/alarm/chiller-hot", alarm("chiller-hot", ago(60)), retain=True)
    gateway.machine("printer-1", job=JOB, progress=0.42)
    gateway.publish("gateways/gw1/alarm/disk", alarm("disk", ago(60)), retain=True)
    rows = {m["machine"]: m for m in gateway.ask("watch", "--json").json["machines"]}
    assert list(rows) == ["laser-2", "laser-1", "printer-1"]  # what is suppressed is no trouble
    assert rows["printer-1"]["job"] == {"id": JOB, "started": 1735670104064, "progress": 0.42}
    assert rows["laser-1"]["maintenance"] == maintenance and rows["laser-1"]["job"] is None
    assert [a["suppressed_by"] for a in rows["laser-1"]["alarms"]] == ["maintenance"]
    table = {line.split()[2]: line for line in gateway.ask("watch", "--lang", "en").out.split("\n\n")[0].split("\n")[1:]}
    assert table["gw1"].startswith("! ") and "Chiller over-temperature" in table["gw1"]
    assert "! Chiller over-temperature" in table["laser-2"]
    assert 'a "new" tube' in table["laser-1"] and "over-temperature" not in table["laser-1"]
    assert " min 42%" in table["printer-1"]


def test_explain_from_a_broker(gateway):
    gateway.machine("laser-1", state="fault", alarms=["chiller-hot"], job=JOB)
    gateway.publish("machines/laser-1/alarm/chiller-hot", alarm("chiller-hot", 1735670104064, acked=True), retain=True)
    gateway.publish("machines/laser-1/alarm/no-flow", alarm("no-flow", ago(60), suppressed_by="maintenance"), retain=True)
    gateway.publish("gateways/gw1/alarm/disk", alarm("disk", ago(60)), retain=True)
    said = gateway.ask("explain", "laser-1", "--lang", "en").out
    assert "alarm chiller-hot since 20" in said and ": Chiller over-temperature (31.2, limit 30); acknowledged. " in said
    assert "suppressed by maintenance" in said and "Остановите резку" in said and "job since" in said
    assert "p1/gw1:\n  alarm disk" in said
    said = gateway.ask("explain", "laser-1", "--lang", "ru").out
    assert "авария chiller-hot с 20" in said and "Перегрев чиллера (31.2, предел 30); принята к сведению" in said


# ---- explain and watch, from the daemon ----------------------------------------------------------

LAB = """
  - id: laser-9
    class: laser-cutter
    sources: [{id: meter, driver: modbus, bus: rs485, unit: 5, profile: eastron-sdm120, interval: 1s}]
    usage: [{activity: busy, point: meter.power_w, above: 120}, {activity: idle}]
    job: {min: 1s, end_after: 1min}
    alarms:
      - {code: too-much, point: meter.power_w, above: 1000, latch: true, severity: error,
         text: {ru: "Слишком много", en: "Too much"}, hint: {ru: "Выключите", en: "Switch it off"}}
"""


@pytest.fixture
def laser(simulate, daemon, broker, labpulse, tmp_path):
    """A laser under a daemon of its own; laser("explain", …) asks the daemon."""
    config = tmp_path / "labpulse.yaml"
    sim = simulate("lab", "--write-config", config, "--broker", broker.url)
    sim.control("set laser-1-meter power_w 500")
    head = config.read_text()
    config.write_text(head[:head.index("machines:")] + "machines:" + LAB)
    daemon(config)

    def ask(command, *argv):
        return labpulse(command, *argv, "-c", config, "--profiles", PROFILES)

    ask.sim = sim
    return ask


def test_an_alarm_is_explained_by_the_daemon(laser, labpulse, broker):
    def explain(language="en"):
        return laser("explain", "laser-9", "--lang", language).out

    wait_until(lambda: "job since" in explain(), timeout=30, what="a job is open")
    assert "nothing is wrong" in explain() and "busy (meter.power_w 500 above 120)" in explain()
    laser.sim.control("set laser-1-meter power_w 1500")
    wait_until(lambda: "alarm too-much since 20" in explain(), timeout=30, what="the alarm is explained")
    assert "in fault" in explain() and ": Too much (1500, limit 1000). Switch it off\n" in explain()
    assert "Слишком много (1500, предел 1000). Выключите\n" in explain("ru")
    assert laser("maintenance", "laser-9", "1h", "new tube").code == 0
    wait_until(lambda: "; suppressed by maintenance. Switch" in explain(), what="it is suppressed")
    assert "maintenance since 20" in explain() and ": new tube\n" in explain()
    assert laser("ack", "laser-9", "too-much").code == 0
    wait_until(lambda: "; acknowledged; suppressed by maintenance" in explain(), what="it is acknowledged")
    wait_until(lambda: "; acknowledged; suppressed by maintenance" in labpulse(
        "explain", "laser-9", "--broker", broker.url, "--lang", "en").out, what="the broker says the same")


def test_watch_of_the_daemon_tells_alarms(laser):
    def watch(*argv):
        return laser("watch", "--lang", "en", *argv)

    laser.sim.control("set laser-1-meter power_w 1500")
    wait_until(lambda: "alarm too-much raised: Too much" in watch().out, timeout=30, what="the alarm is told")
    assert "! Too much" in watch().out and "авария too-much началась: Слишком много" in laser("watch", "--lang", "ru").out
    laser.sim.control("set laser-1-meter power_w 500")
    assert laser("ack", "laser-9", "too-much").code == 0
    wait_until(lambda: "alarm too-much cleared" in watch().out, timeout=30, what="its end is told")
    result = watch("--json").json
    assert [e["text"] for e in result["events"]] == ["alarm too-much raised: Too much", "alarm too-much cleared"]
    assert result["machines"][0]["alarms"] == []
