# SPDX-License-Identifier: MIT
"""Retained topics that lost their owner are cleared; another gateway's are never touched."""
import json
import time

import pytest

from bench import Bench
from conftest import wait_until

GONE = {f"parks/p1/machines/m2/{leaf}" for leaf in ("availability", "info", "state", "usage")}


def start(tmp_path, broker, subscribe, simulate, daemon):
    bench = Bench(tmp_path, broker.url).add("m1", "line").add("m2", "line", unit=2)
    bench.simulate(simulate)
    d = daemon(bench.write())
    sub = subscribe(broker.port, validate=False)
    for machine in ("m1", "m2"):
        sub.wait_for(lambda m: m.json["sources"]["s1"]["ok"], topic=f"machines/{machine}/state")
        sub.wait_for(lambda m: m.payload, topic=f"machines/{machine}/usage")
    return bench, sub, d


def without_m2(config):
    config["machines"] = [m for m in config["machines"] if m["id"] != "m2"]


def kept(subscribe, port):
    """What a newcomer gets from the broker; the probe after it says that this was all."""
    sub = subscribe(port, validate=False)
    sub.client.publish("parks/probe", b"end", qos=1)
    sub.wait_for(lambda m: True, topic="parks/probe")
    return {m.topic for m in sub.find(predicate=lambda m: m.retain)}


def foreign(sub):
    """What another gateway of the park keeps at the broker: none of our business."""
    head = {"v": 1, "ts": 1, "clock": "synced", "gw": "gw2"}
    topics = {"parks/p1/machines/x9/info": json.dumps({**head, "class": "other"}).encode(),
              "parks/p1/machines/x9/state": json.dumps({**head, "state": "busy"}).encode(),
              "parks/p1/machines/x9/availability": b"online",
              "parks/p1/machines/x9/alarm/hot": json.dumps({**head, "code": "hot"}).encode(),
              "parks/p1/machines/broken/info": b"{not json",
              "parks/p1/machines/empty/info": b"{}",
              "parks/p1/gateways/gw2/availability": b"online",
              "parks/p1/gateways/gw2/info": json.dumps(head).encode(),
              "parks/p2/machines/m2/info": json.dumps({**head, "gw": "gw1"}).encode()}
    for topic, payload in topics.items():
        sub.client.publish(topic, payload, qos=1, retain=True).wait_for_publish()
    return set(topics)


def test_reload_clears_at_once(tmp_path, broker, subscribe, simulate, daemon):
    bench, sub, d = start(tmp_path, broker, subscribe, simulate, daemon)
    others = foreign(sub)
    bench.write(without_m2)
    d.reload()
    for topic in GONE:
        sub.wait_for(lambda m: not m.payload, topic=topic)
    now = kept(subscribe, broker.port)
    assert not GONE & now and others <= now
    mark = sub.mark()
    sub.wait_for(lambda m: m.json["seq"] > 0, topic="machines/m1/telemetry", since=mark)
    assert not sub.find("machines/m2/telemetry", since=mark)


@pytest.mark.parametrize("end", ["stopped", "killed"])
def test_restart_clears_what_is_left(tmp_path, broker, subscribe, simulate, daemon, end):
    bench, sub, d = start(tmp_path, broker, subscribe, simulate, daemon)
    others = foreign(sub)
    extra = "parks/p1/machines/m2/alarm/chiller-hot"  # of an older version of ourselves
    sub.client.publish(extra, b'{"gw":"gw1"}', qos=1, retain=True).wait_for_publish()
    alarm = "parks/p1/gateways/gw1/alarm/mqtt311"
    sub.client.publish(alarm, b'{"gw":"gw1"}', qos=1, retain=True).wait_for_publish()
    if end == "stopped":
        d.stop()
    else:
        d.kill()
    assert GONE <= kept(subscribe, broker.port), "a stop is no removal"
    bench.write(without_m2)
    second = daemon(bench.path)
    for topic in GONE | {extra, alarm}:
        sub.wait_for(lambda m: not m.payload, topic=topic)
    now = kept(subscribe, broker.port)
    assert not (GONE | {extra, alarm}) & now
    assert others <= now
    assert {t for t in now if "/m1/" in t} == {f"parks/p1/machines/m1/{leaf}" for leaf in ("availability", "info", "state", "usage")}
    assert second.running()


def test_removed_while_the_broker_was_away(tmp_path, broker, subscribe, simulate, daemon):
    """This daemon remembers it; a broker with persistence still holds it."""
    broker.stop()
    persistence = f"persistence_location {tmp_path}/\nautosave_interval 1\nautosave_on_changes true\n"
    conf = "persistence true\n" + persistence
    broker.start(conf)
    bench, sub, d = start(tmp_path, broker, subscribe, simulate, daemon)
    wait_until(lambda: GONE <= kept(subscribe, broker.port), what="all three are there")
    broker.stop()
    bench.write(without_m2)
    d.reload()
    wait_until(lambda: "configuration reloaded" in d.err(), what="the reload")
    broker.start(conf)
    wait_until(lambda: not GONE & kept(subscribe, broker.port), what="they are cleared", interval=0.3)
    assert "parks/p1/machines/m1/info" in kept(subscribe, broker.port)


def test_added_again_while_it_is_cleared(tmp_path, broker, subscribe, simulate, daemon):
    bench, sub, d = start(tmp_path, broker, subscribe, simulate, daemon)
    for _ in range(3):
        mark = sub.mark()
        bench.write(without_m2)
        d.reload()
        sub.wait_for(lambda m: "m2" not in m.json["machines"], topic="gateways/gw1/info", since=mark)
        bench.write()
        d.reload()
        sub.wait_for(lambda m: m.payload and m.text == "online", topic="machines/m2/availability", since=mark)
        sub.wait_for(lambda m: m.payload and m.json["sources"]["s1"]["ok"], topic="machines/m2/state", since=mark)
    assert GONE <= kept(subscribe, broker.port)


def test_all_topics_are_fresh_after_each_connect(tmp_path, broker, subscribe, simulate, daemon):
    """A broker that forgot everything knows everything again."""
    bench, sub, d = start(tmp_path, broker, subscribe, simulate, daemon)
    broker.kill()
    broker.start()
    wait_until(lambda: d.err().count("mqtt: connected") == 2, what="it is back")
    expected = GONE | {t.replace("m2", "m1") for t in GONE} | {f"parks/p1/gateways/gw1/{leaf}" for leaf in ("availability", "info", "health")}
    wait_until(lambda: expected <= kept(subscribe, broker.port), what="everything", interval=0.2)


@pytest.mark.parametrize("gw", ["gw1", "gw2"])
def test_counters_outlive_the_disk(tmp_path, broker, subscribe, simulate, daemon, gw):
    """state.db is new, and the broker holds what we published before; another's is not ours."""
    bench = Bench(tmp_path, broker.url).add("m1", "line")
    bench.simulate(simulate)
    sub = subscribe(broker.port)
    now = int(time.time() * 1000)
    old = {"v": 1, "ts": now - 60000, "clock": "synced", "gw": gw, "asset": "m1", "since": now - 5060000,
           "off_s": 1000, "idle_s": 500, "busy_s": 3000, "paused_s": 0, "unknown_s": 400, "offline_s": 100,
           "fault_s": 7, "jobs_started": 9, "jobs_finished": 8, "jobs_failed": 1, "alarms_raised": 3, "energy_wh": 512.5}
    topic = "parks/p1/machines/m1/usage"
    sub.client.publish(topic, json.dumps(old).encode(), qos=1, retain=True).wait_for_publish()
    mark = sub.mark()
    daemon(bench.write())
    first = sub.wait_for(lambda m: m.payload and m.json["gw"] == "gw1" and m.json["ts"] > now, topic=topic, since=mark).json
    if gw == "gw2":
        assert first["busy_s"] < 60 and first["jobs_started"] == 0
        return
    for key in ("off_s", "idle_s", "busy_s", "offline_s", "fault_s", "jobs_started", "jobs_finished", "jobs_failed", "alarms_raised"):
        assert old[key] <= first[key] <= old[key] + 20, key
    assert 460 <= first["unknown_s"] <= 490, "the minute without a gateway, too"
    assert abs(first["since"] - old["since"]) < 2000


def test_counters_of_a_first_start_without_a_broker(tmp_path, broker, subscribe, simulate, daemon):
    """They are kept, and still wait for what a broker may know, over a restart."""
    bench = Bench(tmp_path, broker.url).add("m1", "line")
    bench.simulate(simulate)
    now = int(time.time() * 1000)
    old = {"gw": "gw1", "asset": "m1", "ts": now - 1000, "since": now - 101000, "busy_s": 100, "jobs_started": 9}
    sub = subscribe(broker.port, validate=False)
    topic = "parks/p1/machines/m1/usage"
    sub.client.publish(topic, json.dumps(old).encode(), qos=1, retain=True).wait_for_publish()
    away = bench.write(lambda c: c["mqtt"].update(brokers=["mqtt://127.0.0.1:1"]))
    first = daemon(away)
    wait_until(lambda: "m1/s1: answers" in first.err(), what="the first reading")
    first.stop()
    mark = sub.mark()
    daemon(bench.write())
    after = sub.wait_for(lambda m: m.payload and m.json["ts"] > now, topic=topic, since=mark).json
    assert after["jobs_started"] == 9 and 100 <= after["busy_s"] < 110
    assert after["since"] <= old["since"] + 2000
