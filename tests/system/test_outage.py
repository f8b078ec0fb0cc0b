# SPDX-License-Identifier: MIT
"""The broker is away, the daemon is killed, the room is full: what is there in the end, and what is
said of the rest."""
import signal
import time

import pytest

from bench import Bench
from conftest import is_complete, listen_before, telemetry_seqs, wait_until
from lab import lab_fixture  # noqa: F401

TELEMETRY = "machines/m1/telemetry"
GAP = "gateways/gw1/gap"


def live_seqs(sub, machine="m1"):
    return [m.json["seq"] for m in sub.find(f"machines/{machine}/telemetry")]


def seqs(machine, *subs):
    return telemetry_seqs([m for sub in subs for m in sub.find()], machine)


def start(tmp_path, broker, subscribe, simulate, daemon, **spool):
    bench = Bench(tmp_path, broker.url).add("m1", "line").add("m2", "tcp1")
    bench.mqtt["reconnect"] = {"min": "1s", "max": "1s"}
    bench.config["spool"].update(spool)
    bench.simulate(simulate)
    sub = subscribe(broker.port)
    d = daemon(bench.write())
    sub.wait_for(lambda m: m.json["seq"] >= 5, topic=TELEMETRY)
    return bench, sub, d


def polled(bench):
    """How often m1 was polled; that takes two requests."""
    return bench.requests("line-1") // 2


def polls(bench, n, timeout=40):
    """Waits for n more polls of m1, five a second."""
    asked = polled(bench)
    wait_until(lambda: polled(bench) >= asked + n, timeout=timeout, what=f"{n} polls")


def drained(sub, since=0, timeout=40):
    return sub.wait_for(lambda m: m.json["spool"]["records"] <= 2, topic="gateways/gw1/health", since=since,
                        timeout=timeout).json


def wait_complete(machine, *subs, first=1, timeout=40):
    wait_until(lambda: is_complete(seqs(machine, *subs), first), timeout=timeout,
               what=f"{machine} complete: {sorted(set(seqs(machine, *subs)))}")


def gaps(*subs):
    return [m.json for sub in subs for m in sub.find(GAP)]


@pytest.mark.parametrize("away_s", [6, pytest.param(60, marks=pytest.mark.long)])
def test_nothing_is_lost_in_an_outage(tmp_path, broker, subscribe, simulate, daemon, away_s):
    bench, before, d = start(tmp_path, broker, subscribe, simulate, daemon)
    broker.kill()
    polls(bench, away_s * 5, timeout=away_s + 20)
    back = time.monotonic()
    after = listen_before(d, broker, subscribe)
    first = after.wait_for(lambda m: not m.retain, topic=TELEMETRY)
    assert time.monotonic() - back < 5 and time.time() * 1000 - first.json["ts"] < 3000, "live at once, not the backlog first"
    for machine in ("m1", "m2"):
        wait_complete(machine, before, after)
        history = [r for m in after.find(f"machines/{machine}/history") for r in m.json["records"]]
        assert len(history) > away_s * 5 - 20
        assert [r["seq"] for r in history] == sorted(r["seq"] for r in history), "in order"
        assert [r["ts"] for r in history] == sorted(r["ts"] for r in history)
        assert len(live_seqs(after, machine)) == len(set(live_seqs(after, machine)))
        ten = [m.json for m in after.find(f"machines/{machine}/telemetry")[:10]]
        assert all(t["ts"] > history[-1]["ts"] - 2000 for t in ten)
    assert drained(after)["spool"]["evicted"] == 0
    assert not gaps(before, after)


def test_a_stop_in_an_outage_loses_nothing(tmp_path, broker, subscribe, simulate, daemon):
    bench, before, d = start(tmp_path, broker, subscribe, simulate, daemon)
    broker.kill()
    polls(bench, 15)
    assert d.stop() == 0
    d = daemon(bench.path)
    polls(bench, 10)
    after = listen_before(d, broker, subscribe)
    for machine in ("m1", "m2"):
        wait_complete(machine, before, after)
    assert len({m.json["epoch"] for m in before.find("telemetry") + after.find("/telemetry") + after.find("/history")}) == 1
    assert not gaps(before, after)


def test_killed_in_an_outage(tmp_path, broker, subscribe, simulate, daemon):
    """kill -9 costs the last second at most, and one gap says which numbers may be missing."""
    bench, before, d = start(tmp_path, broker, subscribe, simulate, daemon)
    broker.kill()
    polls(bench, 25)
    d.signal(signal.SIGKILL)
    d.wait()
    asked = polled(bench)
    d = daemon(bench.path)
    polls(bench, 15)
    after = listen_before(d, broker, subscribe)
    after.wait_for(lambda m: True, topic=TELEMETRY)
    told = lambda machine: [g for g in gaps(after) if g["topic"] == f"machines/{machine}/telemetry"]
    for machine in ("m1", "m2"):
        wait_until(lambda: told(machine), what="its gap")
        assert len(told(machine)) == 1
        gap = told(machine)[0]
        assert gap["reason"] == "restart" and gap["count"] is None
        covered = set(range(gap["from_seq"], gap["to_seq"] + 1))
        wait_until(lambda: is_complete(seqs(machine, before, after) + list(covered), 1), timeout=30, what="all of the rest")
        came = {s for s in seqs(machine, before, after) if s < gap["from_seq"]}
        assert asked - max(came) <= 5 * 2.5, "of five polls a second at most what was not written within a second"
    assert {g["topic"] for g in gaps(after)} == {"machines/m1/telemetry", "machines/m2/telemetry"}


def test_events_outlive_everything(lab, subscribe):
    """Jobs of an outage with a crash in it: each comes, in order, though the broker sees them late."""
    from lab import BUSY_W, IDLE_W, LASER, SHORT
    lab.add("m1", "line", usage=LASER, job=SHORT, power=IDLE_W).start()
    before = lab.sub
    lab.broker.kill()
    for i in range(3):
        lab.power(1, BUSY_W)
        wait_until(lambda: lab.tool("usage", "m1", "--json").json["machines"][0]["job"], what="a job")
        if i == 1:
            lab.kill()
            lab.run()
        time_is_up = time.monotonic() + 1.5  # longer than job.min
        wait_until(lambda: time.monotonic() > time_is_up, what="the job is long enough")
        lab.power(1, IDLE_W)
        wait_until(lambda: not lab.tool("usage", "m1", "--json").json["machines"][0]["job"], what="its end")
    lab.sub = listen_before(lab.daemon, lab.broker, subscribe)
    wait_until(lambda: len(lab.sub.find("machines/m1/job")) >= 6, what="six records")
    numbers = [m.json["seq"] for m in lab.sub.find("machines/m1/job")]
    assert sorted(set(numbers)) == list(range(1, 7)) and [n for i, n in enumerate(numbers) if n not in numbers[:i]] == sorted(set(numbers))
    assert all(ended for _, ended in lab.jobs("m1", before, lab.sub))


# ---- too much --------------------------------------------------------------------------------


def test_a_full_spool_says_what_is_lost(tmp_path, broker, subscribe, simulate, daemon):
    """Twelve units with long messages fill 4 MiB within seconds: the oldest goes, told exactly."""
    broker.stop()
    bench = Bench(tmp_path, broker.url)
    points = {f"register_with_a_rather_long_name_{i:03d}": {"table": "input", "address": i, "type": "u16"} for i in range(120)}
    bench.add_profile("wide", points)
    profile = bench.profiles / "wide.yaml"
    profile.write_text(profile.read_text().replace('"max_regs": 16', '"max_regs": 120'))
    bench.config["spool"]["max_size"] = "4MiB"
    bench.mqtt["reconnect"] = {"min": "1s", "max": "1s"}
    for i in range(1, 13):
        bench.add(f"m{i}", f"tcp{i}", profile="wide", interval="200ms", values={name: "noise 30000 20000" for name in points})
    bench.simulate(simulate)
    d = daemon(bench.write())
    wait_until(lambda: "alarm spool-full" in d.err(), timeout=60, what="it is full")
    rss, sanitized = d.rss_bytes(), "san" in str(d.argv[0])  # that keeps what was freed for a while
    assert rss < ((700 if sanitized else 50) << 20), rss
    asked = bench.requests()
    wait_until(lambda: bench.requests() >= asked + 600, timeout=60, what="10 s more")
    assert d.rss_bytes() - rss < (300 if sanitized else 6) << 20, "it does not grow any more"
    used = sum(f.stat().st_size for f in (tmp_path / "spool").iterdir())
    assert used <= 4 << 20, f"databases and their logs: {[(f.name, f.stat().st_size) for f in (tmp_path / 'spool').iterdir()]}"
    d.signal(signal.SIGSTOP)  # the subscriber is to be there first
    sub = subscribe(broker.start().port, validate=False)
    d.signal(signal.SIGCONT)
    sub.wait_for(lambda m: m.json["active"], topic="gateways/gw1/alarm/spool-full")
    for i in range(1, 13):
        sub.wait_for(lambda m: True, topic=f"machines/m{i}/telemetry")
    lost = lambda machine: {n for g in gaps(sub) if g["topic"] == f"machines/{machine}/telemetry"
                            for n in range(g["from_seq"], g["to_seq"] + 1)}
    for i in range(1, 13):
        machine = f"m{i}"
        numbers = lambda: set(seqs(machine, sub)) | lost(machine)
        wait_until(lambda: is_complete(numbers(), 1), timeout=90, interval=1, what=f"{machine}: {sorted(set(range(1, max(numbers()))) - numbers())} of {max(numbers())}")
        assert not lost(machine) & set(seqs(machine, sub)), "what is said to be lost did not come"
    assert {g["reason"] for g in gaps(sub)} <= {"spool-full", "write-error"}
    assert all(g["count"] == g["to_seq"] - g["from_seq"] + 1 for g in gaps(sub))
    evicted = sum(g["count"] for g in gaps(sub))
    assert evicted > 0
    mark = sub.mark()
    d.reload()  # makes a new health
    assert sub.wait_for(lambda m: True, topic="gateways/gw1/health", since=mark).json["spool"]["evicted"] == evicted
