# SPDX-License-Identifier: MIT
"""SIGHUP: the difference is applied, and what did not change does not notice."""
import json
import threading
import time

import pytest

from bench import Bench
from conftest import is_complete, telemetry_seqs, wait_until

TELEMETRY = "machines/{}/telemetry"


class Stalls(threading.Thread):
    """When this computer stood still: a thread that only sleeps, and is woken too late."""

    def __init__(self):
        super().__init__(daemon=True)
        self.late_ms, self.over = [], threading.Event()
        self.start()

    def run(self):
        while not self.over.is_set():
            began = time.monotonic()
            self.over.wait(0.01)
            late = (time.monotonic() - began) * 1000 - 10
            if late > 30:
                self.late_ms.append(late)


@pytest.fixture(autouse=True)
def stalls():
    global STALLS
    STALLS = Stalls()
    yield STALLS
    STALLS.over.set()


def start(tmp_path, broker, subscribe, simulate, daemon, *more):
    bench = Bench(tmp_path, broker.url).add("m1", "line")
    for machine, bus, unit in more:
        bench.add(machine, bus, unit=unit)
    bench.simulate(simulate)
    sub = subscribe(broker.port)
    d = daemon(bench.write())
    sub.wait_for(lambda m: m.json["seq"] >= 3, topic=TELEMETRY.format("m1"))
    return bench, sub, d


def reload(bench, sub, d, change=None):
    """Writes the file, SIGHUP, and waits for the event that answers it: not for an older one that comes a second time
    (QoS 1) because the reload before it made a new connection."""
    known = {m.json["seq"] for m in sub.find("gateways/gw1/event")}
    mark = sub.mark()
    bench.write(change)
    d.reload()
    return sub.wait_for(lambda m: m.json["type"] == "config" and m.json["seq"] not in known, topic="gateways/gw1/event", since=mark).json


def assert_unbroken(sub, machine, period_ms=200):
    """seq counts on, and the reads lie on their grid: none is lost."""
    messages = [m.json for m in sub.find(TELEMETRY.format(machine))]
    numbers = [m["seq"] for m in messages]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert len({m["epoch"] for m in messages}) == 1
    gaps = [b["ts"] - a["ts"] for a, b in zip(messages[1:], messages[2:])]
    late = [g for g in gaps if g > 1.8 * period_ms]
    stood = STALLS.late_ms
    assert len(late) <= 2 + len(stood) and max(gaps) < 5 * period_ms + sum(stood), f"{gaps}; two may be this computer's own, which stood still for {stood}"
    return gaps


def go_on(sub, machine, n=8):
    last = sub.find(TELEMETRY.format(machine))[-1].json["seq"]
    sub.wait_for(lambda m: m.json["seq"] >= last + n, topic=TELEMETRY.format(machine))


def test_nothing_changed(tmp_path, broker, subscribe, simulate, daemon):
    bench, sub, d = start(tmp_path, broker, subscribe, simulate, daemon)
    event = reload(bench, sub, d)
    assert event["ok"] and event["error"] is None
    go_on(sub, "m1")
    assert_unbroken(sub, "m1")
    assert len(bench.sim.stats()["lines"]) == 1


def test_a_bad_file_changes_nothing(tmp_path, broker, subscribe, simulate, daemon):
    bench, sub, d = start(tmp_path, broker, subscribe, simulate, daemon)
    event = reload(bench, sub, d, lambda c: c.update(park="NOT AN ID", nonsense=1))
    assert not event["ok"] and "park" in event["error"]
    alarm = sub.wait_for(lambda m: m.json["active"], topic="gateways/gw1/alarm/config-refused").json
    assert alarm["severity"] == "warning" and alarm["count"] == 1
    sub.wait_for(lambda m: m.json["config"]["error"] and "park" in m.json["config"]["error"], topic="gateways/gw1/health")
    raised = [m.json for m in sub.find("gateways/gw1/event") if m.json["type"] == "alarm"]
    assert [(e["code"], e["transition"]) for e in raised] == [("config-refused", "raised")]
    assert "nonsense" in d.err(), "every problem is logged"
    go_on(sub, "m1")
    assert_unbroken(sub, "m1")
    late = subscribe(broker.port)
    assert late.wait_for(lambda m: m.retain, topic="alarm/config-refused").json["active"]
    mark = sub.mark()
    assert reload(bench, sub, d)["ok"]
    cleared = sub.wait_for(lambda m: not m.json["active"], topic="gateways/gw1/alarm/config-refused").json
    assert cleared["cleared"] >= cleared["raised"]
    sub.wait_for(lambda m: m.json["config"]["error"] is None, topic="gateways/gw1/health", since=mark)


@pytest.mark.parametrize("how", ["gone", "garbage"])
def test_no_file_at_all(tmp_path, broker, subscribe, simulate, daemon, how):
    bench, sub, d = start(tmp_path, broker, subscribe, simulate, daemon)
    if how == "gone":
        bench.path.unlink()
    else:
        bench.path.write_bytes(b"\0\xff" * 100)
    d.reload()
    event = sub.wait_for(lambda m: m.json["type"] == "config", topic="gateways/gw1/event").json
    assert not event["ok"] and event["error"]
    go_on(sub, "m1")
    assert_unbroken(sub, "m1")


@pytest.mark.parametrize("key,change", [
    ("park", lambda c: c.update(park="p2")),
    ("gateway", lambda c: c.update(gateway="gw2")),
    ("mqtt.topic_root", lambda c: c["mqtt"].update(topic_root="labs")),
    ("spool.path", lambda c: c["spool"].update(path="/tmp/elsewhere")),
])
def test_some_keys_need_a_restart(tmp_path, broker, subscribe, simulate, daemon, key, change):
    bench, sub, d = start(tmp_path, broker, subscribe, simulate, daemon)
    event = reload(bench, sub, d, change)
    assert not event["ok"] and key in event["error"] and "restart" in event["error"]
    go_on(sub, "m1", 3)
    assert sub.find("alarm/config-refused")[-1].json["active"]


def test_a_machine_more(tmp_path, broker, subscribe, simulate, daemon):
    bench, sub, d = start(tmp_path, broker, subscribe, simulate, daemon, ("m2", "line", 2), ("m3", "line", 3))
    go_on(sub, "m2", 3)
    assert reload(bench, sub, d, lambda c: c["machines"].pop(1))["ok"]
    sub.wait_for(lambda m: m.json["machines"] == ["m1", "m3"], topic="gateways/gw1/info")
    mark = sub.mark()
    assert reload(bench, sub, d)["ok"]
    sub.wait_for(lambda m: m.payload and m.json["gw"] == "gw1", topic="machines/m2/info", since=mark)
    sub.wait_for(lambda m: m.payload, topic=TELEMETRY.format("m2"), since=mark)
    sub.wait_for(lambda m: m.text == "online", topic="machines/m2/availability", since=mark)
    go_on(sub, "m1")
    for machine in ("m1", "m3"):
        assert_unbroken(sub, machine)
    keys = [(m.json["epoch"], m.json["seq"]) for m in sub.find(TELEMETRY.format("m2"))]
    assert len(keys) == len(set(keys)), "a number names a record for ever"


def test_a_machine_renumbers_never(tmp_path, broker, subscribe, simulate, daemon):
    """Removed and added again, and its source changed: no (epoch, seq) twice on any topic."""
    bench, sub, d = start(tmp_path, broker, subscribe, simulate, daemon, ("m2", "line", 2))
    go_on(sub, "m2", 3)
    for change in (lambda c: c["machines"].pop(0), None, lambda c: c["machines"][0]["sources"][0].update(interval="100ms")):
        assert reload(bench, sub, d, change)["ok"]
        go_on(sub, "m2", 3)
    go_on(sub, "m1", 3)
    for topic in (TELEMETRY.format("m1"), "machines/m1/event", "gateways/gw1/event"):
        keys = [(m.json["epoch"], m.json["seq"]) for m in sub.find(topic)]
        assert len(keys) == len(set(keys)), f"{topic}: {keys}"


def test_another_interval(tmp_path, broker, subscribe, simulate, daemon):
    bench, sub, d = start(tmp_path, broker, subscribe, simulate, daemon, ("m2", "line", 2))
    assert reload(bench, sub, d, lambda c: c["machines"][0]["sources"][0].update(interval="100ms"))["ok"]
    go_on(sub, "m1", 20)
    gaps = [b.json["ts"] - a.json["ts"] for a, b in zip(sub.find(TELEMETRY.format("m1"))[-10:], sub.find(TELEMETRY.format("m1"))[-9:])]
    assert (sum(gaps) - sum(STALLS.late_ms)) / len(gaps) < 130
    assert_unbroken(sub, "m2")
    numbers = [m.json["seq"] for m in sub.find(TELEMETRY.format("m1"))]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_changed_source_misses_nothing(tmp_path, broker, subscribe, simulate, daemon):
    """A new entry begins now, not at the start of the daemon: nothing was missed."""
    bench, sub, d = start(tmp_path, broker, subscribe, simulate, daemon)
    go_on(sub, "m1", 25)
    assert reload(bench, sub, d, lambda c: c["machines"][0]["sources"][0].update(interval="100ms"))["ok"]
    go_on(sub, "m1", 40)
    mark = sub.mark()
    d.reload()
    health = sub.wait_for(lambda m: True, topic="gateways/gw1/health", since=mark).json
    assert health["buses"][0]["missed"] <= 15, health["buses"]


def test_another_bus(tmp_path, broker, subscribe, simulate, daemon):
    """Buses before and after: the old one keeps its grid whatever its place in the list."""
    bench, sub, d = start(tmp_path, broker, subscribe, simulate, daemon, ("m2", "tcp1", 1), ("m3", "tcp2", 1))
    go_on(sub, "m3", 3)

    def only_second(c):
        c["buses"] = [b for b in c["buses"] if b["id"] == "tcp1"]
        c["machines"] = [m for m in c["machines"] if m["id"] == "m2"]
    assert reload(bench, sub, d, only_second)["ok"]
    go_on(sub, "m2")
    mark = sub.mark()
    assert reload(bench, sub, d)["ok"]
    sub.wait_for(lambda m: m.payload, topic=TELEMETRY.format("m1"), since=mark)
    sub.wait_for(lambda m: m.payload, topic=TELEMETRY.format("m3"), since=mark)
    go_on(sub, "m2")
    gaps = assert_unbroken(sub, "m2")
    assert sum(g < 100 for g in gaps) <= 2, f"no poll too many either: {gaps}"


def test_a_source_moves_to_another_machine(tmp_path, broker, subscribe, simulate, daemon):
    bench, sub, d = start(tmp_path, broker, subscribe, simulate, daemon, ("m2", "line", 2))

    def move(c):
        c["machines"][1]["sources"].append({**c["machines"][0]["sources"][0], "id": "more"})
        c["machines"].pop(0)
    assert reload(bench, sub, d, move)["ok"]
    sub.wait_for(lambda m: m.json["source"] == "more", topic=TELEMETRY.format("m2"))
    sub.wait_for(lambda m: "more" in m.json["sources"], topic="machines/m2/info")
    go_on(sub, "m2", 4)


def test_other_texts(tmp_path, broker, subscribe, simulate, daemon):
    bench, sub, d = start(tmp_path, broker, subscribe, simulate, daemon)
    assert reload(bench, sub, d, lambda c: c["machines"][0].update(title={"en": "New", "ru": "Новый"}))["ok"]
    sub.wait_for(lambda m: m.json["title"].get("en") == "New", topic="machines/m1/info")
    go_on(sub, "m1")
    assert_unbroken(sub, "m1")


def test_a_changed_profile(tmp_path, broker, subscribe, simulate, daemon):
    from bench import POINTS
    bench, sub, d = start(tmp_path, broker, subscribe, simulate, daemon)
    bench.add_profile("probe", {k: v for k, v in POINTS.items() if k != "far"})
    assert reload(bench, sub, d)["ok"]
    sub.wait_for(lambda m: "far" not in m.json["values"], topic=TELEMETRY.format("m1"))
    sub.wait_for(lambda m: "s1.far" not in m.json["points"], topic="machines/m1/info")


def test_another_broker(tmp_path, broker, subscribe, simulate, daemon, spawn, free_port):
    from conftest import Broker
    bench, sub, d = start(tmp_path, broker, subscribe, simulate, daemon)
    second = Broker(spawn, tmp_path, free_port()).start()
    other = subscribe(second.port)
    bench.mqtt["brokers"] = [second.url]
    bench.write()
    d.reload()
    other.wait_for(lambda m: m.json["ok"], topic="gateways/gw1/event")
    other.wait_for(lambda m: True, topic="machines/m1/info")
    other.wait_for(lambda m: m.json["seq"] > 3, topic=TELEMETRY.format("m1"))
    seen = {m.json["seq"] for m in sub.find(TELEMETRY.format("m1")) + other.find(TELEMETRY.format("m1"))}
    assert seen == set(range(1, max(seen) + 1))


def test_thirty_reloads_leak_nothing(tmp_path, broker, subscribe, simulate, daemon):
    bench, sub, d = start(tmp_path, broker, subscribe, simulate, daemon,
                          ("m2", "line", 2), ("m3", "tcp1", 1), ("m4", "tcp2", 1))
    go_on(sub, "m4", 3)

    def fewer(c):
        c["machines"] = c["machines"][:1] + c["machines"][2:3]
        c["buses"] = [b for b in c["buses"] if b["id"] != "tcp2"]
        c["machines"][1]["sources"][0]["interval"] = "100ms"
    changes = (fewer, None, lambda c: c["mqtt"].update(window=8), lambda c: c.update(park="Bad Id"), None)
    for _ in range(2):
        for change in changes:
            reload(bench, sub, d, change)
    own = 1 if "tsan" in str(d.argv[0]) else 0  # ThreadSanitizer's
    wait_until(lambda: d.threads() == 6 + own, what="loop, uplink, spool and three buses")
    descriptors, rss = d.descriptors(), d.rss_bytes()
    for _ in range(6):
        for change in changes:
            reload(bench, sub, d, change)
    wait_until(lambda: d.threads() == 6 + own, what="no thread too many")
    wait_until(lambda: abs(d.descriptors() - descriptors) <= 1, what=f"{descriptors} descriptors")
    if "san" not in str(d.argv[0]):  # a sanitizer keeps freed memory for a while
        assert d.rss_bytes() - rss < 1 << 20
    go_on(sub, "m1")
    wait_until(lambda: is_complete(telemetry_seqs(sub.find())), what="every number, live or as history")


def test_signals_in_a_row(tmp_path, broker, subscribe, simulate, daemon):
    bench, sub, d = start(tmp_path, broker, subscribe, simulate, daemon, ("m2", "tcp1", 1))
    for i in range(20):
        bench.write(lambda c: c["machines"][1]["sources"][0].update(interval=f"{100 + i}ms"))
        d.reload()
    go_on(sub, "m1")
    last = json.loads(bench.path.read_text())
    assert last["machines"][1]["sources"][0]["interval"] == "119ms"
    wait_until(lambda: d.err().count("configuration reloaded") >= 2, what="reloads")
    assert_unbroken(sub, "m1")
    assert d.running()
