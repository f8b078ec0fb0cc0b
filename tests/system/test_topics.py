# SPDX-License-Identifier: MIT
"""What the daemon publishes, topic by topic, as docs/topics.md says."""
import re
import time
import urllib.request

import pytest

from bench import VALUES, Bench
from conftest import wait_until

BASE = "parks/p1"
GATEWAY = f"{BASE}/gateways/gw1"


def start(tmp_path, broker, simulate, daemon, bench=None):
    bench = bench or Bench(tmp_path, broker.url).add("m1", "line")
    sim = bench.simulate(simulate)
    return bench, sim, daemon(bench.write())


def topic(machine, leaf):
    return f"{BASE}/machines/{machine}/{leaf}"


def test_one_machine(tmp_path, broker, subscribe, simulate, daemon):
    sub = subscribe(broker.port)
    before_ms = time.time() * 1000
    start(tmp_path, broker, simulate, daemon)
    third = sub.wait_for(lambda m: m.json["seq"] == 3, topic=topic("m1", "telemetry"))
    messages = [m.json for m in sub.find(topic("m1", "telemetry"))]
    assert [m["seq"] for m in messages] == list(range(1, len(messages) + 1))
    assert len({m["epoch"] for m in messages}) == 1
    for m in messages:
        assert m["source"] == "s1" and m["errors"] == {} and m["values"] == VALUES
        assert before_ms - 1 <= m["ts"] <= time.time() * 1000
        assert m["gw"] == "gw1" and m["v"] == 1
    assert b'"power_w":143.2,' in third.payload and b'"level_pct":41.5,' in third.payload
    assert not third.retain and third.qos == 1
    event = sub.wait_for(lambda m: m.json["type"] == "state", topic=topic("m1", "event")).json
    assert (event["from"], event["to"], event["seq"]) == (None, "unknown", 1)
    sub.wait_for(lambda m: m.text == "online", topic=f"{GATEWAY}/availability")
    sub.wait_for(lambda m: m.text == "online", topic=topic("m1", "availability"))


def test_retained_topics_and_their_properties(tmp_path, broker, subscribe, simulate, daemon):
    start(tmp_path, broker, simulate, daemon)
    first = subscribe(broker.port)
    first.wait_for(lambda m: m.json["sources"]["s1"]["ok"], topic=topic("m1", "state"))
    first.wait_for(lambda m: True, topic=f"{GATEWAY}/health")
    first.wait_for(lambda m: True, topic=topic("m1", "usage"))
    first.wait_for(lambda m: m.json["seq"] >= 2, topic=topic("m1", "telemetry"))
    late = subscribe(broker.port)
    late.wait_for(lambda m: m.json["seq"] >= 4 and not m.retain, topic=topic("m1", "telemetry"))
    kept = {m.topic for m in late.find(predicate=lambda m: m.retain)}
    assert kept == {f"{GATEWAY}/availability", f"{GATEWAY}/info", f"{GATEWAY}/health",
                    topic("m1", "availability"), topic("m1", "info"), topic("m1", "state"), topic("m1", "usage")}
    for m in late.find():
        if m.topic.endswith("/availability"):
            assert not hasattr(m.properties, "ContentType")
            continue
        assert m.properties.ContentType == "application/json"
        assert m.properties.PayloadFormatIndicator == 1


def test_what_info_and_state_say(tmp_path, broker, subscribe, simulate, daemon):
    bench = Bench(tmp_path, broker.url).add("m1", "line").add("m1", "tcp1", source="s2", points=["count"])
    bench.machine("m1").update(title={"en": "One", "ru": "Один"}, asset="INV-1", **{"class": "cnc"})
    _, _, d = start(tmp_path, broker, simulate, daemon, bench)
    sub = subscribe(broker.port)
    info = sub.wait_for(lambda m: True, topic=topic("m1", "info")).json
    assert info["class"] == "cnc" and info["asset"] == "INV-1" and info["title"] == {"ru": "Один", "en": "One"}
    assert info["sources"]["s1"] == {"driver": "modbus", "profile": "probe", "bus": "line", "unit": 1, "identity": None}
    assert info["points"]["s1.power_w"]["unit"] == "W"
    assert [p for p in info["points"] if p.startswith("s2.")] == ["s2.count"]
    state = sub.wait_for(lambda m: all(s["ok"] for s in m.json["sources"].values()), topic=topic("m1", "state")).json
    assert (state["state"], state["availability"]) == ("unknown", "online")
    assert state["values"]["s1.power_w"] == 143.2 and state["values"]["s2.count"] == 7
    assert (state["job"], state["alarms"], state["maintenance"]) == (None, [], None)
    gateway = sub.wait_for(lambda m: True, topic=f"{GATEWAY}/info").json
    assert gateway["machines"] == ["m1"]
    assert gateway["boot"] == open("/proc/sys/kernel/random/boot_id").read().strip()
    assert gateway["epoch"] == sub.wait_for(lambda m: True, topic=topic("m1", "telemetry")).json["epoch"]
    health = sub.wait_for(lambda m: m.json["mqtt"]["state"] == "connected", topic=f"{GATEWAY}/health").json
    assert health["mqtt"]["protocol"] == "5" and str(broker.port) in health["mqtt"]["broker"]
    assert {b["id"] for b in health["buses"]} == {"line", "tcp1"}
    assert health["config"]["hash"] == gateway["config_hash"] and health["config"]["error"] is None
    assert health["process"]["rss_bytes"] > 1e6 and health["disk"]["free_bytes"] > 0
    assert health["version"] == gateway["version"] and abs(health["ts"] - time.time() * 1000) < 60000
    d.stop()


def test_clean_stop_says_offline(tmp_path, broker, subscribe, simulate, daemon):
    _, _, d = start(tmp_path, broker, simulate, daemon)
    sub = subscribe(broker.port)
    sub.wait_for(lambda m: m.text == "online", topic=f"{GATEWAY}/availability")
    began = time.monotonic()
    assert d.stop() == 0
    assert time.monotonic() - began < 2
    sub.wait_for(lambda m: m.text == "offline", topic=f"{GATEWAY}/availability")
    late = subscribe(broker.port)
    assert late.wait_for(lambda m: m.retain, topic=f"{GATEWAY}/availability").text == "offline"


def test_will_after_a_kill(tmp_path, broker, subscribe, simulate, daemon):
    _, _, d = start(tmp_path, broker, simulate, daemon)
    sub = subscribe(broker.port)
    sub.wait_for(lambda m: m.text == "online", topic=f"{GATEWAY}/availability")
    d.kill()
    sub.wait_for(lambda m: m.text == "offline", topic=f"{GATEWAY}/availability")
    late = subscribe(broker.port)
    assert late.wait_for(lambda m: m.retain, topic=f"{GATEWAY}/availability").text == "offline"


def test_numbers_go_on_over_a_restart(tmp_path, broker, subscribe, simulate, daemon):
    bench, _, d = start(tmp_path, broker, simulate, daemon)
    sub = subscribe(broker.port)
    first = sub.wait_for(lambda m: m.json["seq"] == 2, topic=topic("m1", "telemetry")).json
    d.stop()
    last = sub.find(topic("m1", "telemetry"))[-1].json["seq"]
    daemon(bench.path)
    sub.wait_for(lambda m: m.json["seq"] == last + 3, topic=topic("m1", "telemetry"))
    numbers = [m.json["seq"] for m in sub.find(topic("m1", "telemetry"))]
    assert numbers == list(range(1, len(numbers) + 1))
    assert {m.json["epoch"] for m in sub.find(topic("m1", "telemetry"))} == {first["epoch"]}
    assert not sub.find("gateways/gw1/gap"), "nothing jumps after a clean stop"


# ---- silence ------------------------------------------------------------------------------------


@pytest.mark.parametrize("bus,least_s,most_s", [("line", 3, 5), ("tcp1", 10, 13)])
def test_a_source_goes_silent_and_comes_back(tmp_path, broker, subscribe, simulate, daemon, bus, least_s, most_s):
    bench = Bench(tmp_path, broker.url).add("m1", bus)
    _, sim, d = start(tmp_path, broker, simulate, daemon, bench)
    sub = subscribe(broker.port)
    sub.wait_for(lambda m: m.json["seq"] == 2, topic=topic("m1", "telemetry"))
    sim.control(f"fault {bus}-1 silent")
    gone = sub.wait_for(lambda m: m.json["errors"], topic=topic("m1", "telemetry"))
    last = sub.find(topic("m1", "telemetry"))[-2].json
    assert gone.json["values"] == {}
    assert gone.json["errors"] == dict.fromkeys(VALUES, "timeout")
    assert gone.json["seq"] == last["seq"] + 1
    mark = sub.mark()
    state = sub.wait_for(lambda m: m.json["state"] == "offline", topic=topic("m1", "state"), timeout=most_s + 2)
    assert least_s <= (state.json["ts"] - last["ts"]) / 1000 <= most_s
    sub.wait_for(lambda m: m.text == "offline", topic=topic("m1", "availability"))
    event = sub.wait_for(lambda m: m.json["to"] == "offline", topic=topic("m1", "event")).json
    assert "timeout" in event["reason"]
    said = state.json["sources"]["s1"]
    assert said["error"] == "timeout" and not said["ok"] and "unit 1" in said["hint"].lower()
    assert state.json["values"] == {}
    assert not sub.find(topic("m1", "telemetry"), since=mark), "one message says it, then none"
    assert d.err().count("m1/s1: timeout") == 1
    sim.control(f"fault {bus}-1 ok")
    back = sub.wait_for(lambda m: m.json["values"] == VALUES, topic=topic("m1", "telemetry"), since=mark)
    assert back.json["seq"] == gone.json["seq"] + 1
    sub.wait_for(lambda m: m.text == "online", topic=topic("m1", "availability"), since=mark)
    sub.wait_for(lambda m: m.json["from"] == "offline", topic=topic("m1", "event"))
    assert len(re.findall(r"m1/s1: answers again, \d+ polls lost", d.err())) == 1


def test_a_blip_does_not_make_a_machine_offline(tmp_path, broker, subscribe, simulate, daemon):
    _, sim, _ = start(tmp_path, broker, simulate, daemon)
    sub = subscribe(broker.port)
    sub.wait_for(lambda m: m.json["seq"] == 2, topic=topic("m1", "telemetry"))
    sim.control("fault line-1 silent x1")
    gone = sub.wait_for(lambda m: m.json["errors"], topic=topic("m1", "telemetry")).json
    back = sub.wait_for(lambda m: m.json["seq"] == gone["seq"] + 1, topic=topic("m1", "telemetry")).json
    assert back["values"] == VALUES and back["ts"] - gone["ts"] < 2500
    assert not sub.find(topic("m1", "availability"), lambda m: m.text == "offline")
    assert len(sub.find(topic("m1", "event"), lambda m: not m.retain and m.json["to"] == "offline")) == 0


def test_unplugged_is_offline_at_once(tmp_path, broker, subscribe, simulate, daemon):
    bench = Bench(tmp_path, broker.url).add("m1", "line").add("m2", "line", unit=2)
    _, sim, _ = start(tmp_path, broker, simulate, daemon, bench)
    sub = subscribe(broker.port)
    for m in ("m1", "m2"):
        sub.wait_for(lambda m: m.json["seq"] >= 2, topic=topic(m, "telemetry"))
    sim.control("unplug line")
    began = time.monotonic()
    for m in ("m1", "m2"):
        sub.wait_for(lambda m: m.json["state"] == "offline" and m.json["sources"]["s1"]["error"] == "link-down",
                     topic=topic(m, "state"), timeout=2)
    assert time.monotonic() - began < 2
    mark = sub.mark()
    sim.control("plug line")
    for m in ("m1", "m2"):
        sub.wait_for(lambda m: m.json["values"], topic=topic(m, "telemetry"), timeout=3, since=mark)
        sub.wait_for(lambda m: m.text == "online", topic=topic(m, "availability"), since=mark)


def test_never_there(tmp_path, broker, subscribe, simulate, daemon):
    bench = Bench(tmp_path, broker.url).add("m1", "line", fault="silent")
    start(tmp_path, broker, simulate, daemon, bench)
    sub = subscribe(broker.port)
    sub.wait_for(lambda m: m.json["state"] == "offline", topic=topic("m1", "state"), timeout=6)
    sub.wait_for(lambda m: m.text == "offline", topic=topic("m1", "availability"))


# ---- points that cannot be read -------------------------------------------------------------------


def test_refused_points_are_errors_of_their_own(tmp_path, broker, subscribe, simulate, daemon):
    bench = Bench(tmp_path, broker.url).add("m1", "tcp1", fault="exception 2 4 90 1")
    bench.add("m2", "tcp2", fault="exception 4 4 90 1")
    start(tmp_path, broker, simulate, daemon, bench)
    sub = subscribe(broker.port)
    m = sub.wait_for(lambda m: m.json["errors"] == {"far": "unsupported"}, topic=topic("m1", "telemetry")).json
    assert m["values"] == {k: v for k, v in VALUES.items() if k != "far"}
    m = sub.wait_for(lambda m: m.json["errors"] == {"far": "exception-4"}, topic=topic("m2", "telemetry")).json
    assert m["values"] == {k: v for k, v in VALUES.items() if k != "far"}
    for machine in ("m1", "m2"):
        state = sub.wait_for(lambda m: True, topic=topic(machine, "state")).json
        assert state["sources"]["s1"]["ok"] and "s1.far" not in state["values"]


def test_out_of_range_is_no_value(tmp_path, broker, subscribe, simulate, daemon):
    bench = Bench(tmp_path, broker.url)
    bench.add_profile("ranged", {"temp_c": {"table": "input", "address": 0, "type": "s16", "scale": 0.1, "unit": "°C", "range": [-40, 80]}})
    bench.add("m1", "tcp1", profile="ranged", values={"temp_c": 21.5})
    _, sim, _ = start(tmp_path, broker, simulate, daemon, bench)
    sub = subscribe(broker.port)
    sub.wait_for(lambda m: m.json["values"] == {"temp_c": 21.5}, topic=topic("m1", "telemetry"))
    sim.control("set tcp1-1 temp_c 300")
    m = sub.wait_for(lambda m: m.json["errors"], topic=topic("m1", "telemetry")).json
    assert m["values"] == {} and m["errors"] == {"temp_c": "out-of-range"}
    state = sub.find(topic("m1", "state"))[-1].json
    assert state["sources"]["s1"]["ok"]


# ---- planned together -----------------------------------------------------------------------------


def test_one_unit_feeds_two_machines(tmp_path, broker, subscribe, simulate, daemon):
    bench = Bench(tmp_path, broker.url)
    bench.add("m1", "line", points=["voltage_v", "power_w"]).add("m2", "line", points=["level_pct", "count"])
    bench.add("m3", "line", points=["power_w"], interval="1s")
    _, _, d = start(tmp_path, broker, simulate, daemon, bench)
    sub = subscribe(broker.port)
    sub.wait_for(lambda m: m.json["seq"] == 10, topic=topic("m1", "telemetry"))
    asked, told = bench.requests(), len(sub.find(topic("m1", "telemetry")))
    last = sub.find(topic("m1", "telemetry"))[-1].json
    sub.wait_for(lambda m: m.json["seq"] == last["seq"] + 10, topic=topic("m1", "telemetry"))
    more = bench.requests() - asked
    assert 8 <= more <= 13, f"one request per cycle, not one per machine: {more} (told {told})"
    assert sub.find(topic("m2", "telemetry"))[-1].json["values"] == {"level_pct": 41.5, "count": 7}
    assert sub.find(topic("m1", "telemetry"))[-1].json["values"] == {"voltage_v": 229.8, "power_w": 143.2}
    slow = sub.find(topic("m3", "telemetry"))
    assert len(slow) <= len(sub.find(topic("m1", "telemetry"))) / 3, "m3 wants one a second"


def test_deadband(tmp_path, broker, subscribe, simulate, daemon):
    bench = Bench(tmp_path, broker.url).add("m1", "line", points=["power_w"], deadband=5)
    _, sim, _ = start(tmp_path, broker, simulate, daemon, bench)
    sub = subscribe(broker.port)
    sub.wait_for(lambda m: m.json["values"] == {"power_w": 143.2}, topic=topic("m1", "telemetry"))
    asked = bench.requests()
    sim.control("set line-1 power_w 147")
    wait_until(lambda: bench.requests() >= asked + 8, what="polls")
    sim.control("set line-1 power_w 149")
    sub.wait_for(lambda m: m.json["values"] == {"power_w": 149}, topic=topic("m1", "telemetry"))
    values = [m.json["values"]["power_w"] for m in sub.find(topic("m1", "telemetry"))]
    assert values == [143.2, 149]
    assert [m.json["seq"] for m in sub.find(topic("m1", "telemetry"))] == [1, 2]


def test_state_follows_values_slowly(tmp_path, broker, subscribe, simulate, daemon):
    _, sim, _ = start(tmp_path, broker, simulate, daemon)
    sub = subscribe(broker.port)
    sub.wait_for(lambda m: m.json["seq"] == 2, topic=topic("m1", "telemetry"))
    sim.control("set line-1 power_w 500")
    sub.wait_for(lambda m: m.json["values"]["s1.power_w"] == 500, topic=topic("m1", "state"), timeout=12)
    times = [m.json["ts"] for m in sub.find(topic("m1", "state"), lambda m: m.json["values"])]
    assert all(b - a > 8500 for a, b in zip(times, times[1:])), times


# ---- metrics ------------------------------------------------------------------------------------


def fetch(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.read().decode()
    except OSError:
        return ""


def test_metrics(tmp_path, broker, simulate, daemon, free_port):
    port = free_port()
    bench = Bench(tmp_path, broker.url).add("m1", "line")
    bench.config["metrics"] = {"listen": f"127.0.0.1:{port}"}
    start(tmp_path, broker, simulate, daemon, bench)
    url = f"http://127.0.0.1:{port}/metrics"
    wait_until(lambda: "labpulse_machines_online 1" in fetch(url), what="metrics")
    text = fetch(url)
    assert 'labpulse_bus_requests_total{bus="line"}' in text
    names = re.findall(r"^# TYPE (\S+)", text, re.M)
    assert len(names) == len(set(names)) > 20
