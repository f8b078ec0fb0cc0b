# SPDX-License-Identifier: MIT
"""The broker is away: polling goes on, what waits is bounded, and what is left arrives in order."""
import time

import pytest

from bench import Bench
from conftest import wait_until


def seqs(sub, machine):
    return [m.json["seq"] for m in sub.find(f"machines/{machine}/telemetry")]


@pytest.mark.parametrize("away_s", [6, pytest.param(30, marks=pytest.mark.long)])
def test_nothing_is_lost_in_a_short_outage(tmp_path, broker, subscribe, simulate, daemon, away_s):
    bench = Bench(tmp_path, broker.url).add("m1", "line").add("m2", "tcp1")
    bench.mqtt["reconnect"] = {"min": "2s", "max": "2s"}
    bench.simulate(simulate)
    before = subscribe(broker.port)
    d = daemon(bench.write())
    before.wait_for(lambda m: m.json["seq"] >= 5, topic="machines/m1/telemetry")
    asked = bench.requests("line-1")
    broker.kill()
    wait_until(lambda: bench.requests("line-1") >= asked + away_s * 5 - 3, timeout=away_s + 5, what="polls of the outage")
    assert bench.requests("line-1") - asked <= away_s * 5 + 10
    broker.start()
    after = subscribe(broker.port)
    for machine in ("m1", "m2"):
        last = seqs(before, machine)[-1]
        after.wait_for(lambda m: m.json["seq"] >= last + away_s * 5 + 5, topic=f"machines/{machine}/telemetry", timeout=20)
        numbers = seqs(after, machine)
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "in order, none twice"
        assert numbers[0] <= last + 1, "from the first that was not acknowledged on"
        times = [m.json["ts"] for m in after.find(f"machines/{machine}/telemetry")]
        assert times == sorted(times)
    health = after.wait_for(lambda m: m.json["mqtt"]["reconnects"] >= 1, topic="gateways/gw1/health").json
    assert health["spool"]["evicted"] == 0


def test_memory_is_bounded_and_the_loss_counted(tmp_path, broker, subscribe, simulate, daemon):
    """Thirty units with long messages fill what may wait within seconds."""
    broker.stop()
    bench = Bench(tmp_path, broker.url)
    points = {f"register_with_a_rather_long_name_{i:03d}": {"table": "input", "address": i, "type": "u16"} for i in range(120)}
    bench.add_profile("wide", points)
    profile = bench.profiles / "wide.yaml"
    profile.write_text(profile.read_text().replace('"max_regs": 16', '"max_regs": 120'))
    for i in range(1, 31):
        bench.add(f"m{i}", f"tcp{i}", profile="wide", interval="100ms", values={})
    bench.simulate(simulate)
    d = daemon(bench.write())
    # 300 messages of some 6 KB (8 KiB blocks) a second: 8 MiB are full after 3 to 4 s.
    wait_until(lambda: bench.requests() >= 1800, timeout=40, what="6 s of polls")
    rss = d.rss_bytes()
    limit = (600 if "san" in str(d.argv[0]) else 40) << 20
    assert rss < limit, rss
    asked = bench.requests()
    wait_until(lambda: bench.requests() >= asked + 1200, timeout=40, what="4 s more")
    assert d.rss_bytes() - rss < 2 << 20, "it does not grow any more"
    broker.start()
    sub = subscribe(broker.port)
    sub.wait_for(lambda m: m.json["spool"]["evicted"] > 0, topic="gateways/gw1/health")
    for i in range(1, 31):
        sub.wait_for(lambda m: True, topic=f"machines/m{i}/telemetry")
    assert sub.find("machines/m1/telemetry")[0].json["seq"] > 1, "the oldest went first"
    wait_until(lambda: time.time() * 1000 - sub.find("/telemetry")[-1].json["ts"] < 500, timeout=30, what="the backlog is sent")
    mark = sub.mark()
    d.reload()  # makes a new health
    health = sub.wait_for(lambda m: True, topic="gateways/gw1/health", since=mark).json
    missing = 0
    for i in range(1, 31):
        numbers = seqs(sub, f"m{i}")
        assert numbers == sorted(set(numbers)), "in order, none twice"
        missing += numbers[-1] - len(numbers)
    assert missing == health["spool"]["evicted"], "each loss is counted"
