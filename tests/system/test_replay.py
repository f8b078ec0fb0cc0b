# SPDX-License-Identifier: MIT
"""The backlog goes out beside live telemetry and does not delay it; gateways that come back together
do not begin together; an archiver's word counts more than a PUBACK."""
import json
import subprocess
import time

import pytest

from bench import Bench
from conftest import BUILD, wait_until

MACHINES = [f"m{i}" for i in range(1, 9)]


def lab(tmp_path, url):
    bench = Bench(tmp_path, url)
    for i, machine in enumerate(MACHINES):
        bench.add(machine, f"tcp{i}", interval="100ms")
    return bench


def latencies(sub, since):
    """From the reading to the subscriber, ms, of live telemetry."""
    return sorted(m.at * 1000 - m.json["ts"] for m in sub.find("/telemetry", since=since))


def p99(values):
    return values[len(values) * 99 // 100]


def measure(sub, n):
    mark = sub.mark()
    wait_until(lambda: len(sub.find("/telemetry", since=mark)) >= n, timeout=60, what=f"{n} live messages")
    return latencies(sub, mark)


def test_live_beside_a_hundred_thousand(tmp_path, broker, subscribe, simulate, daemon):
    bench = lab(tmp_path, broker.url)
    bench.simulate(simulate)
    sub = subscribe(broker.port, topics=("parks/+/machines/+/telemetry",))
    d = daemon(bench.write())
    sub.wait_for(lambda m: m.json["seq"] >= 5, topic="machines/m8/telemetry")
    empty = measure(sub, 800)
    assert d.stop() == 0
    topics = [f"parks/p1/machines/{m}/telemetry" for m in MACHINES]
    subprocess.run([BUILD / "fill_backlog", tmp_path / "spool", "100000", *topics], check=True)
    history = subscribe(broker.port, topics=("parks/+/machines/+/history",), validate=False)
    mark = sub.mark()
    daemon(bench.path)
    history.wait_for(lambda m: True, timeout=20)
    busy = measure(sub, 1600)
    sent = sum(len(m.json["records"]) for m in history.find())
    assert sent > 1000, "the backlog goes meanwhile"
    assert p99(busy) < p99(empty) + 200, f"p99 {p99(busy):.0f} ms beside the backlog, {p99(empty):.0f} ms without; {sent} records"


def test_ten_gateways_do_not_begin_together(tmp_path, broker, subscribe, simulate, daemon):
    benches = []
    for i in range(10):
        folder = tmp_path / f"g{i}"
        folder.mkdir()
        bench = Bench(folder, broker.url, gateway=f"gw{i}").add(f"m{i}", "tcp1")
        bench.simulate(simulate)
        (folder / "spool").mkdir()
        subprocess.run([BUILD / "fill_backlog", folder / "spool", "50", f"parks/p1/machines/m{i}/telemetry"], check=True)
        benches.append(bench)
    sub = subscribe(broker.port, topics=("parks/+/machines/+/history", "parks/+/gateways/+/availability"), validate=False)
    for i, bench in enumerate(benches):
        daemon(bench.write(), name=f"labpulsed-{i}")
    waits = []
    for i in range(10):
        up = sub.wait_for(lambda m: m.text == "online", topic=f"gateways/gw{i}/availability").at
        waits.append(sub.wait_for(lambda m: True, topic=f"machines/m{i}/history", timeout=20).at - up)
    assert max(waits) < 8 and max(waits) - min(waits) > 1, waits


def test_an_archiver_confirms(tmp_path, broker, subscribe, simulate, daemon):
    """Events stay on the disk until the archiver has them, over a restart; then they go."""
    bench = Bench(tmp_path, broker.url).add("m1", "line")
    bench.mqtt["ack"] = "archiver"
    bench.simulate(simulate)
    sub = subscribe(broker.port, validate=False)
    d = daemon(bench.write())
    first = sub.wait_for(lambda m: m.json["seq"] == 1, topic="machines/m1/event").json
    sub.wait_for(lambda m: m.json["seq"] >= 5, topic="machines/m1/telemetry")
    assert d.stop() == 0
    mark = sub.mark()
    d = daemon(bench.path)
    again = sub.wait_for(lambda m: m.json["seq"] == 1, topic="machines/m1/event", since=mark).json
    assert again == first, "a PUBACK was not enough: it comes again, as it was"
    last = sub.find("machines/m1/event")[-1].json
    sub.client.publish("parks/p1/gateways/gw1/ack", "nonsense", qos=1)
    wait_until(lambda: "gateways/gw1/ack: not" in d.err(), what="the log says so")
    sub.client.publish("parks/p1/gateways/gw1/ack", qos=1, payload=json.dumps(
        {"epoch": first["epoch"], "upto": {"machines/m1/event": last["seq"], "gateways/gw1/event": 999}}))
    d.reload()  # makes a new health
    sub.wait_for(lambda m: m.json["spool"]["records"] <= 3, topic="gateways/gw1/health", timeout=80)
    assert d.stop() == 0
    mark = sub.mark()
    daemon(bench.path)
    sub.wait_for(lambda m: m.json["ts"] > time.time() * 1000 - 1000, topic="machines/m1/telemetry", since=mark)
    seen = [m.json["seq"] for m in sub.find("machines/m1/event", since=mark)]
    assert all(seq > last["seq"] for seq in seen), "what was confirmed does not come again"


@pytest.mark.long
def test_an_archiver_that_missed_one(tmp_path, broker, subscribe, simulate, daemon):
    """It goes on confirming another topic; what it never confirmed comes again after 5 min all the same."""
    bench = Bench(tmp_path, broker.url).add("m1", "line")
    bench.mqtt["ack"] = "archiver"
    bench.simulate(simulate)
    sub = subscribe(broker.port, validate=False)
    daemon(bench.write())
    first = sub.wait_for(lambda m: m.json["seq"] == 1, topic="machines/m1/event").json
    word = json.dumps({"epoch": first["epoch"], "upto": {"gateways/gw1/event": 999}})

    def came_again():
        sub.client.publish("parks/p1/gateways/gw1/ack", word, qos=1)
        return [m.json for m in sub.find("machines/m1/event") if m.json["seq"] == 1][1:]

    assert wait_until(came_again, timeout=330, what="the event comes again", interval=10)[0] == first
