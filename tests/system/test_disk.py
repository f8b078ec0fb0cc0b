# SPDX-License-Identifier: MIT
"""Bad disks: polling and publishing go on in every case, an alarm says so, and the other database stays."""
import contextlib
import json
import signal
import sqlite3

import pytest

from bench import Bench
from conftest import is_complete, telemetry_seqs, wait_until

TELEMETRY = "machines/m1/telemetry"


def run(tmp_path, broker, subscribe, simulate, daemon):
    """A laboratory whose daemon was killed in an outage: both databases hold what waits."""
    bench = Bench(tmp_path, broker.url).add("m1", "line")
    bench.mqtt["reconnect"] = {"min": "500ms", "max": "500ms"}
    bench.simulate(simulate)
    before = subscribe(broker.port)
    d = daemon(bench.write())
    before.wait_for(lambda m: m.json["seq"] >= 3, topic=TELEMETRY)
    broker.kill()
    asked = bench.requests("line-1")
    wait_until(lambda: bench.requests("line-1") >= asked + 40, timeout=60, what="4 s of polls")
    d.signal(signal.SIGKILL)
    d.wait()
    return bench, before


def spoil(path, how):
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    if how == "garbage":
        path.write_bytes(b"\0\xff" * 20000)
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:5000])
    elif how == "newer":
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA user_version = 99")
    elif how == "directory":
        path.unlink()
        (path / "inside").mkdir(parents=True)


@pytest.mark.parametrize("how", ["garbage", "cut", "newer", "directory"])
@pytest.mark.parametrize("name", ["state.db", "spool.db"])
def test_one_database_is_bad(tmp_path, broker, subscribe, simulate, daemon, name, how):
    bench, before = run(tmp_path, broker, subscribe, simulate, daemon)
    spoil(tmp_path / "spool" / name, how)
    broker.start()
    sub = subscribe(broker.port)
    d = daemon(bench.path)
    sub.wait_for(lambda m: True, topic=TELEMETRY)
    code = "disk" if how == "directory" else "spool-corrupt"
    sub.wait_for(lambda m: m.payload and m.json["active"], topic=f"gateways/gw1/alarm/{code}")
    if how == "directory":  # nobody's data are moved out of the way; it works in memory
        return
    if name == "state.db":  # what waited in the other one comes under its old epoch
        sub.wait_for(lambda m: True, topic="machines/m1/history")
        old = before.find(TELEMETRY)[0].json["epoch"]
        assert sub.find(TELEMETRY)[0].json["epoch"] != old
        assert {m.json["epoch"] for m in sub.find("machines/m1/history")} == {old}
        return
    gaps = lambda: {n for m in sub.find("gateways/gw1/gap") for n in range(m.json["from_seq"], m.json["to_seq"] + 1)}
    seqs = lambda: telemetry_seqs(before.find() + sub.find())
    wait_until(lambda: is_complete(seqs() + list(gaps()), 1), what=f"all is there or given up: {sorted(set(seqs()))} {[m.json for m in sub.find('gateways/gw1/gap')]}")
    assert [m.json for m in sub.find("gateways/gw1/gap") if m.json["reason"] == "corrupt"]
    aside = list((tmp_path / "spool").glob(f"{name}.*-*"))
    assert len(aside) == 1
    assert d.running()
    if how != "garbage":  # what follows is the same, and takes the daemon a minute to notice
        return
    aside[0].rename(tmp_path / "looked-at")  # by the technician
    sub.wait_for(lambda m: m.payload and not m.json["active"], topic="gateways/gw1/alarm/spool-corrupt", timeout=80)


def test_a_database_that_is_locked_at_first(tmp_path, broker, subscribe, simulate, daemon):
    """Somebody looks at the databases while the daemon starts: what waits there comes later, and in order."""
    bench, before = run(tmp_path, broker, subscribe, simulate, daemon)
    locks = [sqlite3.connect(tmp_path / "spool" / name, isolation_level=None) for name in ("state.db", "spool.db")]
    for db in locks:
        db.execute("BEGIN IMMEDIATE")
    broker.start()
    sub = subscribe(broker.port)
    daemon(bench.path)
    sub.wait_for(lambda m: m.json["active"], topic="gateways/gw1/alarm/disk")
    sub.wait_for(lambda m: True, topic=TELEMETRY)
    for db in locks:
        db.execute("ROLLBACK")
        db.close()
    sub.wait_for(lambda m: not m.json["active"], topic="gateways/gw1/alarm/disk", timeout=40)
    old = before.find(TELEMETRY)[0].json["epoch"]
    sub.wait_for(lambda m: m.json["epoch"] == old, topic="machines/m1/history", timeout=30)
    d = sub.wait_for(lambda m: m.json["spool"]["records"] <= 2, topic="gateways/gw1/health", timeout=80).json
    assert d["spool"]["evicted"] == 0
