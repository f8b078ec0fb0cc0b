# SPDX-License-Identifier: MIT
"""Recipes of config/storage: what gateways publish arrives in SQL, each record once and none missing."""
import importlib.util
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from importlib.machinery import SourceFileLoader
from pathlib import Path

import paho.mqtt.client as paho
import pytest

from bench import Bench
from conftest import TOP, wait_until
from lab import lab_fixture  # noqa: F401

SCRIPT = TOP / "config" / "storage" / "labpulse-archive"
POSTGRES = Path("/usr/lib/postgresql/15/bin")


def load_script():
    loader = SourceFileLoader("labpulse_archive", str(SCRIPT))
    sys.dont_write_bytecode = True  # none beside the shipped script
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


archive_module = load_script()


@pytest.fixture(scope="module")
def postgres(tmp_path_factory):
    """The connection string of a PostgreSQL on a socket of its own."""
    if not (POSTGRES / "initdb").exists() or importlib.util.find_spec("psycopg2") is None:
        pytest.skip("PostgreSQL is not here: tests/setup.sh storage")
    folder = Path(subprocess.run(["mktemp", "-d", "/tmp/labpulse-pg.XXXXXX"], capture_output=True, text=True, check=True).stdout.strip())
    account = []
    if os.geteuid() == 0:  # it refuses to run as root
        account = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        subprocess.run(["chown", "postgres:", folder], check=True)
    subprocess.run([*account, POSTGRES / "initdb", "--no-sync", "-A", "trust", "-U", "postgres", "-D", folder / "data"],
                   check=True, capture_output=True, cwd="/")
    server = subprocess.Popen([*account, POSTGRES / "postgres", "-D", folder / "data", "-k", folder, "-c", "listen_addresses="],
                              stderr=subprocess.DEVNULL, cwd="/")
    where = f"host={folder} user=postgres dbname=postgres"
    wait_until(lambda: subprocess.run([POSTGRES / "pg_isready", "-q", "-h", folder], check=False).returncode == 0, what="PostgreSQL answers")
    yield where
    server.send_signal(signal.SIGINT)
    server.wait(15)
    subprocess.run(["rm", "-rf", folder], check=True)


class Reader:
    """Questions to the archive: ask(sql) -> rows."""

    def __init__(self, url):
        self.url = url

    def ask(self, sql):
        kind, _, place = self.url.partition(":")
        if kind == "sqlite":
            connection = sqlite3.connect(place, timeout=10)
        else:
            import psycopg2
            connection = psycopg2.connect(place)
        try:
            cursor = connection.cursor()
            cursor.execute(sql)
            return cursor.fetchall()
        finally:
            connection.close()

    def one(self, sql):
        return self.ask(sql)[0][0]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.long)])
def database(request, tmp_path):
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:{tmp_path}/archive.db"
    where = request.getfixturevalue("postgres")
    import psycopg2
    connection = psycopg2.connect(where)
    connection.autocommit = True
    connection.cursor().execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    connection.close()
    return f"postgresql:{where}"


@pytest.fixture
def archiver(spawn, broker):
    """archiver(url, *options) -> the running script, its session there; started once more until the broker is."""
    count = 0

    def start(url, *options):
        nonlocal count
        count += 1
        child = spawn(f"archive{count}", ["/usr/bin/python3", SCRIPT, "--broker", broker.url, "--database", url, *options])
        wait_until(lambda: "connected" in child.err() or not child.running(), what="the archiver is connected")
        assert child.running(), child.err()
        return child

    return start


def keep_sessions(broker, tmp_path):
    """The broker comes back with what it had, as the one of the kit does."""
    broker.stop()
    broker.extra = f"persistence true\npersistence_location {tmp_path}/\n"
    broker.start(broker.extra)


def publish(broker, *messages):
    """(topic below parks/p1/, payload) -> PUBACKs of all."""
    client = paho.Client(f"gateway-{time.monotonic_ns()}", protocol=paho.MQTTv5)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    for topic, payload in messages:
        text = payload if isinstance(payload, (str, bytes)) else json.dumps(payload)
        client.publish("parks/p1/" + topic, text, 1).wait_for_publish(15)
    client.disconnect()
    client.loop_stop()


def record(seq, clock="synced", ts=None, **more):
    return {"v": 1, "ts": 1767225600000 + seq if ts is None else ts, "clock": clock, "gw": "gw1", "epoch": "7f3a91c2", "seq": seq, **more}


# ---- the whole way -------------------------------------------------------------------------------------


def test_each_record_once(tmp_path, broker, simulate, daemon, database, archiver):
    """Killed again and again, through an outage of the broker that fills `history`."""
    keep_sessions(broker, tmp_path)
    bench = Bench(tmp_path, broker.url).add("m1", "line").add("m2", "tcp1")
    bench.mqtt["reconnect"] = {"min": "1s", "max": "1s"}
    bench.simulate(simulate)
    archive, reader = archiver(database), Reader(database)
    d = daemon(bench.write())
    rows = lambda: reader.one("SELECT count(*) FROM telemetry")
    wait_until(lambda: rows() > 10, what="rows")
    archive.kill()
    broker.stop()
    asked = bench.requests()
    wait_until(lambda: bench.requests() > asked + 40, timeout=30, what="an outage")
    broker.start(broker.extra)
    for _ in range(3):
        before = rows()
        archive = archiver(database)
        wait_until(lambda: rows() > before, what="more rows")
        archive.kill()
    archive = archiver(database)
    polled = reader.one("SELECT max(seq) FROM telemetry WHERE machine = 'm1'")
    wait_until(lambda: reader.one("SELECT max(seq) FROM telemetry WHERE machine = 'm1'") > polled + 3 and not reader.ask("SELECT * FROM missing"),
               timeout=30, what="nothing missing")
    assert d.stop() == 0
    wait_until(lambda: reader.ask("SELECT body FROM latest WHERE topic = 'gateways/gw1/availability'")[0][0] in ('"offline"', "offline"), what="the last word")
    assert archive.stop() == 0
    for machine in ("m1", "m2"):
        first, last, n = reader.ask(f"SELECT min(seq), max(seq), count(*) FROM telemetry WHERE machine = '{machine}'")[0]
        assert first == 1 and n == last > 20
    assert reader.one("SELECT count(*) FROM message") == reader.one("SELECT count(*) FROM (SELECT DISTINCT park, topic, gw, epoch, seq FROM message) s")
    assert {t for (t,) in reader.ask("SELECT topic FROM latest")} >= {"gateways/gw1/health", "machines/m1/state", "machines/m1/info"}
    assert reader.one("SELECT count(*) FROM event") >= 2


def test_a_gateway_forgets_what_is_confirmed(lab, tmp_path, archiver):
    """mqtt.ack: archiver: events wait in state.db until they are in the archive and it says so."""
    from lab import BUSY_W, IDLE_W, LASER, SHORT
    url = f"sqlite:{tmp_path}/archive.db"
    reader, silent = Reader(url), archiver(url)
    lab.add("m1", "line", usage=LASER, job=SHORT, power=IDLE_W)
    lab.mqtt["ack"] = "archiver"
    lab.start()
    lab.sub.validate = False  # an ack is no gateway's message
    lab.power(1, BUSY_W)
    wait_until(lambda: reader.ask("SELECT * FROM job"), what="the job in the archive")
    kept = lambda: lab.tool("spool", "--json").json["events"]["records"]
    assert kept() >= 3, "a state, a job, and a state again"
    silent.stop()
    archiver(url, "--confirm")
    lab.power(1, IDLE_W)
    wait_until(lambda: reader.ask("SELECT * FROM job WHERE result = 'finished'"), what="the job's end")
    wait_until(lambda: kept() == 0, what="the gateway forgets")


# ---- what is acknowledged, and when ----------------------------------------------------------------------


def test_acknowledged_only_when_committed(tmp_path, broker, archiver):
    """A commit that fails leaves the message at the broker."""
    url = f"sqlite:{tmp_path}/archive.db"
    archiver(url).stop()
    publish(broker, ("machines/m1/job", record(1, type="started", job="J1")))
    options = archive_module.argparse.Namespace(broker=[broker.url], database=url, user=None, ca_file=None, client_id="labpulse-archive",
                                                topic_root="parks", confirm=False)
    service = archive_module.Service(options)

    def fails():
        raise sqlite3.OperationalError("database or disk is full")

    service.archive.database.commit = fails
    service.connect()
    threading.Timer(10, setattr, (service, "stopping", True)).start()
    with pytest.raises(sqlite3.OperationalError):
        service.run()
    service.archive.database.connection.close()
    service.client._sock_close()  # as the end of the process would
    archiver(url)
    wait_until(lambda: Reader(url).ask("SELECT * FROM job"), what="it comes again")


def test_what_is_no_record_is_ignored(tmp_path, broker, archiver):
    """One park's rubbish does not stop the others' archive."""
    url = f"sqlite:{tmp_path}/archive.db"
    archive = archiver(url)
    good = record(1, type="started", job="J1")
    rubbish = [("machines/m1/job", text) for text in (
        b"\xff\xfe", "[1]", "{", "{}", '{"a":NaN}', json.dumps(good).replace("J1", "\\u0000"), json.dumps(good).replace("J1", "\\ud800"), "[" * 100000,
        json.dumps({**good, "seq": "1"}), json.dumps({**good, "seq": -1}), json.dumps({**good, "seq": 2**63}), json.dumps({**good, "gw": 1}))]
    publish(broker, *rubbish, ("nonsense", "{}"), ("machines/m1/history", {"topic": "machines/m1/job", "records": [good]}),
            ("machines/m1/usage", {"asset": "A"}), ("machines/m1/job", record(2, type="started", job="J2")))
    wait_until(lambda: Reader(url).ask("SELECT * FROM job"), what="the good one")
    assert Reader(url).ask("SELECT seq FROM message") == [(2,)] and archive.running()


# ---- tables ------------------------------------------------------------------------------------------------


class Told:
    """A message as paho hands it over."""

    def __init__(self, topic, body, dup=False):
        self.topic, self.dup = "parks/p1/" + topic, dup
        self.payload = body if isinstance(body, bytes) else json.dumps(body).encode()


@pytest.fixture
def tables(database):
    """take(topic, body) and the archive's own ask(sql), within one transaction."""
    archive = archive_module.Archive(archive_module.Database(database), "parks")
    archive.put = lambda topic, body, dup=False: archive.take(Told(topic, body, dup))
    archive.ask = archive.database.execute
    yield archive
    archive.database.connection.close()


def test_the_synced_one_counts(tables):
    topic = "machines/m1/telemetry"
    for clock, ts in (("unsynced", 5), ("synced", 1000), ("unsynced", 6), ("synced", 2000)):
        tables.put(topic, record(1, clock, ts, source="s", values={"power_w": 1}))
    assert tables.ask("SELECT ts, clock FROM telemetry") == [(1000, "synced")]
    tables.put("machines/m1/history", {"v": 1, "gw": "gw1", "epoch": "7f3a91c2", "topic": topic,
                                       "records": [{"ts": 7, "clock": "unsynced", "seq": n, "source": "s", "values": {"power_w": n}} for n in (1, 2)]})
    assert tables.ask("SELECT seq, ts FROM telemetry ORDER BY seq") == [(1, 1000), (2, 7)]


def test_missing_is_what_no_gap_covers(tables):
    for n in (3, 4, 8, 20):
        tables.put("machines/m1/telemetry", record(n, source="s", values={}))
    tables.put("gateways/gw1/health", {"spool": {"records": 7}})
    assert tables.ask("SELECT from_seq, to_seq, waiting FROM missing ORDER BY 1") == [(5, 7, 7), (9, 19, 7)]
    for i, (a, b) in enumerate(((5, 7), (9, 12), (11, 15))):
        tables.put("gateways/gw1/gap", record(i + 1, topic="machines/m1/telemetry", of_epoch="7f3a91c2", from_seq=a, to_seq=b, count=None, reason="spool-full"))
    assert tables.ask("SELECT from_seq, to_seq FROM missing") == [(16, 19)]
    assert len(tables.ask("SELECT * FROM gap WHERE reason = 'spool-full' AND count IS NULL")) == 3


def test_jobs_and_totals(tables):
    tables.put("machines/m1/job", record(1, type="started", job="J1", asset="A", started=10))
    assert tables.ask("SELECT machine, job, started, ended, result FROM job") == [("m1", "J1", 10, None, None)]
    tables.put("machines/m1/job", record(2, type="ended", job="J1", asset="A", started=9, ended=99, busy_s=80, result="finished"))
    assert tables.ask("SELECT machine, job, started, ended, busy_s, result FROM job") == [("m1", "J1", 9, 99, 80, "finished")]
    for ts in (1, 1, 2):  # retained: it comes again with each new session
        tables.put("machines/m1/usage", {"v": 1, "ts": ts, "gw": "gw1", "asset": "A", "busy_s": ts})
    assert tables.ask("SELECT count(*) FROM usage") == [(2,)]
    tables.put("machines/m1/usage", b"")
    assert not tables.ask("SELECT * FROM latest") and tables.ask("SELECT count(*) FROM usage") == [(2,)]


def test_the_statements_of_the_manual(tables):
    """Those that are for both databases; PostgreSQL understands all."""
    blocks = re.findall(r"```sql\n(.*?)```", (TOP / "docs" / "storage.md").read_text(), re.S)
    statements = [s for s in ";".join(blocks).split(";") if s.strip()]
    assert len(statements) >= 4
    for n in (1, 2):
        tables.put("machines/m1/telemetry", record(n, ts=n, source="meter", values={"power_w": 1.5}))
        tables.put("machines/m1/usage", {"v": 1, "ts": 1765000000000 + n, "gw": "gw1", "busy_s": n})
    for statement in statements:
        if "::" not in statement or not tables.database.sqlite:
            tables.ask(statement)
    assert tables.ask("SELECT seq FROM telemetry") == [(2,)], "old telemetry goes, but for the last"


def told(tables, topic="machines/m1/job"):
    return tables.confirm().get(("p1", "gw1", "7f3a91c2"), {}).get(topic)


def test_confirmed_without_holes(tables):
    """A gateway forgets what is confirmed, so a number behind a hole must not be."""
    put = lambda n, dup=False: tables.put("machines/m1/job", record(n, type="started", job=f"J{n}"), dup)
    for n, expected in ((1, 1), (2, 2), (5, 2), (4, 2), (3, 5)):
        put(n)
        assert told(tables) == expected
    put(2)
    assert told(tables) == 5, "a repeat: it did not hear us"
    put(9)
    tables.put("gateways/gw1/gap", record(1, topic="machines/m1/job", of_epoch="7f3a91c2", from_seq=6, to_seq=8, count=3, reason="refused"))
    assert told(tables) == 9


def test_confirmed_by_an_archive_that_came_late(tables):
    put = lambda n, dup=False: tables.put("machines/m1/job", record(n, type="started", job=f"J{n}"), dup)
    put(41)
    put(42)
    assert told(tables) is None
    put(41, dup=True)
    assert told(tables) is None, "the broker repeated it, not the gateway"
    put(41)
    assert told(tables) == 42
