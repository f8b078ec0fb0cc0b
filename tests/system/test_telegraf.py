# SPDX-License-Identifier: MIT
"""The Telegraf recipe as far as Debian goes, which has no Telegraf: its files are TOML with known options, its paths find in
real payloads what they should, and the points that follow are written to a real InfluxDB and PostgreSQL twice and counted once."""
import fnmatch
import json
import re
import shutil
import tomllib
import urllib.parse
import urllib.request

import pytest

from conftest import TOP, take_free_port, wait_until
from lab import lab_fixture  # noqa: F401
from test_storage import postgres  # noqa: F401

FOLDER = TOP / "config" / "storage" / "telegraf"
# https://github.com/influxdata/telegraf: plugins/inputs/mqtt_consumer, plugins/parsers/json_v2, plugins/outputs/*, README.md of each
OPTIONS = {
    "": {"servers", "topics", "username", "password", "tls_ca", "qos", "persistent_session", "client_id", "max_undelivered_messages", "topic_tag",
         "data_format", "topic_parsing", "json_v2"},
    "topic_parsing": {"topic", "tags"},
    "json_v2": {"measurement_name", "timestamp_path", "timestamp_format", "tag", "object"},
    "tag": {"path"},
    "object": {"path", "timestamp_key", "timestamp_format", "tags", "disable_prepend_keys"},
}
OUTPUTS = {"influxdb": {"urls", "database", "skip_database_creation"}, "influxdb_v2": {"urls", "token", "organization", "bucket"},
           "postgresql": {"connection", "tags_as_jsonb", "fields_as_jsonb", "create_templates"}}


def read(name):
    return tomllib.loads((FOLDER / name).read_text())


CONSUMERS = read("labpulse.conf")["inputs"]["mqtt_consumer"]


# ---- what Telegraf would make of a message ----------------------------------------------------------


def find(value, path):
    """The part of GJSON's path syntax that the recipe uses: keys, `#` for all elements, {a,b} for an object of these."""
    for i, step in enumerate(path):
        if step == "#":
            return [found for element in value if (found := find(element, path[i + 1:])) is not None]
        if step.startswith("{"):
            return {key: value[key] for key in step[1:-1].split(",") if key in value}
        if step not in value:
            return None
        value = value[step]
    return value


def steps(path):
    return re.findall(r"\{[^}]*\}|[^.]+", path)


def flatten(value, prefix="", bare=False):
    for key, inner in value.items():
        name = key if bare else prefix + key
        if isinstance(inner, dict):
            yield from flatten(inner, name + "_", bare)
        elif inner is not None and not isinstance(inner, list):
            yield name, inner


def points(topic, payload):
    """(measurement, tags, fields, ms) of each point; [] if no consumer takes the topic."""
    made = []
    for consumer in CONSUMERS:
        if not any(fnmatch.fnmatch(topic, t.replace("+", "*")) and topic.count("/") == t.count("/") for t in consumer["topics"]):
            continue
        body, rule = json.loads(payload), consumer["json_v2"][0]
        tags = {name: part for name, part in zip(consumer["topic_parsing"][0]["tags"].split("/"), topic.split("/")) if name != "_"}
        tags |= {tag["path"]: find(body, steps(tag["path"])) for tag in rule.get("tag", [])}
        chosen = rule["object"][0]
        found = find(body, steps(chosen["path"]))
        for one in found if isinstance(found, list) else [found]:
            fields = dict(flatten(one, bare=chosen.get("disable_prepend_keys", False)))
            inside = "timestamp_key" in chosen
            at = fields.pop(chosen["timestamp_key"]) if inside else find(body, steps(rule["timestamp_path"]))
            at *= {"unix": 1000, "unix_ms": 1}[(chosen if inside else rule)["timestamp_format"]]
            own = {name: fields.pop(name) for name in chosen.get("tags", [])}
            made.append((rule["measurement_name"], {**tags, **own}, fields, at))
    return [p for p in made if p[2]]


def line(point):
    """InfluxDB's line protocol; numbers without a type are floats."""
    name, tags, fields, at = point
    text = lambda v: ("true" if v else "false") if isinstance(v, bool) else str(v) if isinstance(v, (int, float)) else json.dumps(v, ensure_ascii=False)
    escape = lambda v: str(v).replace(" ", "\\ ").replace(",", "\\,").replace("=", "\\=")
    return f"{name},{','.join(f'{k}={escape(v)}' for k, v in sorted(tags.items()))} {','.join(f'{k}={text(v)}' for k, v in fields.items())} {at}"


# ---- tests ----------------------------------------------------------------------------------------------


def check_options(table, name=""):
    assert set(table) <= OPTIONS[name], set(table) - OPTIONS[name]
    for key, value in table.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            for inner in value:
                check_options(inner, key)


def test_options():
    assert len({c["client_id"] for c in CONSUMERS}) == len(CONSUMERS) == 6
    for consumer in CONSUMERS:
        check_options(consumer)
        assert consumer["qos"] == 1 and consumer["persistent_session"] and consumer["topic_tag"] == ""
    for name in ("influxdb.conf", "influxdb2.conf", "postgresql.conf"):
        [(kind, [table])] = read(name)["outputs"].items()
        assert set(table) <= OUTPUTS[kind]


@pytest.fixture
def messages(lab):
    """What a gateway with a job and an alarm published, and its telemetry once more as history."""
    from lab import BUSY_W, IDLE_W, LASER, SHORT
    lab.add("m1", "line", usage=LASER, job=SHORT, power=IDLE_W,
            alarms=[{"code": "hot", "point": "s1.power_w", "above": 300, "severity": "warning", "text": {"en": "hot, very hot"}}])
    lab.start()
    lab.power(1, BUSY_W)
    lab.sub.wait_for(lambda m: m.json["type"] == "started", topic="machines/m1/job")
    lab.power(1, IDLE_W)
    lab.sub.wait_for(lambda m: m.json["type"] == "ended", topic="machines/m1/job")
    lab.sub.wait_for(lambda m: m.json["jobs_finished"] == 1, topic="machines/m1/usage")
    seen = [(m.topic, m.payload) for m in lab.sub.find() if m.payload]
    told = [json.loads(payload) for topic, payload in seen if topic.endswith("/telemetry")]
    history = {"v": 1, "gw": "gw1", "epoch": told[0]["epoch"], "topic": "machines/m1/telemetry",
               "records": [{k: t[k] for k in ("ts", "clock", "seq", "source", "values", "errors") if k in t} for t in told]}
    history["records"][0]["errors"] = {"power_w": "timeout"}
    return seen + [("parks/p1/machines/m1/history", json.dumps(history).encode())], told


def test_points(messages):
    """Each record is a point, and history brings no new ones."""
    seen, told = messages
    made = {}
    for topic, payload in seen:
        for name, tags, fields, at in points(topic, payload):
            made.setdefault((name, *sorted(tags.items()), at), {}).update(fields)
    of = lambda name: {key: fields for key, fields in made.items() if key[0] == name}
    base = (("machine", "m1"), ("park", "p1"))
    assert of("telemetry") == {("telemetry", *base, ("source", "s1"), t["ts"]): t["values"] for t in told if t["values"]}
    (job,) = of("job").values()
    assert job["result"] == "finished" and job["busy_s"] >= 1 and len(job["job"]) == 26
    assert {key[1:4] for key in of("alarm")} == {(("code", "hot"), *base)} and {f["active"] for f in of("alarm").values()} == {True, False}
    assert max(f["jobs_finished"] for f in of("usage").values()) == 1 and all(f["energy_wh"] >= 0 for f in of("usage").values() if "energy_wh" in f)
    assert all(f["spool_records"] >= 0 and f["process_rss_bytes"] > 0 and f["mqtt_reconnects"] == 0 for f in of("health").values()) and of("health")


@pytest.fixture
def influxdb(spawn, tmp_path):
    """ask(query) and write(lines) of a real one."""
    if not shutil.which("influxd"):
        pytest.skip("InfluxDB is not here: tests/setup.sh storage")
    port = take_free_port()
    conf = tmp_path / "influxdb.conf"
    conf.write_text(f"""bind-address = "127.0.0.1:{take_free_port()}"\nreporting-disabled = true
[meta]\ndir = "{tmp_path}/meta"\n[data]\ndir = "{tmp_path}/data"\nwal-dir = "{tmp_path}/wal"\n[monitor]\nstore-enabled = false
[http]\nbind-address = "127.0.0.1:{port}"\n""")
    spawn("influxd", ["influxd", "run", "-config", conf])

    def post(path, data, **query):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}?{urllib.parse.urlencode(query)}", data.encode(), timeout=15) as answer:
            return json.loads(answer.read() or b"{}")

    def ready():
        try:
            return post("query", "", q="CREATE DATABASE labpulse") is not None
        except OSError:
            return False

    wait_until(ready, timeout=30, what="InfluxDB answers")
    write = lambda lines: post("write", "\n".join(lines), db="labpulse", precision="ms")
    ask = lambda query: post("query", "", db="labpulse", q=query)["results"][0]["series"][0]["values"][0][1]
    return write, ask


@pytest.mark.long
def test_influxdb_counts_once(messages, influxdb):
    write, ask = influxdb
    seen, told = messages
    lines = [line(p) for topic, payload in seen for p in points(topic, payload)]
    for _ in range(2):
        write(lines)
    assert ask("SELECT count(power_w) FROM telemetry") == len([t for t in told if "power_w" in t["values"]])
    assert ask("SELECT count(result) FROM job") == 1


@pytest.mark.long
def test_postgresql_shows_once(postgres):  # noqa: F811
    """The statements of the template, with a table in place of its words; then every row twice."""
    import psycopg2
    connection = psycopg2.connect(postgres)
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    for template in read("postgresql.conf")["outputs"]["postgresql"][0]["create_templates"]:
        statement = re.sub(r"\{\{ \.table\.WithSuffix \"(\w+)\" \}\}", r"telemetry\1", template).replace("{{ .table }}", "telemetry")
        cursor.execute(statement.replace("{{ .columns }}", "time timestamp, tags jsonb, fields jsonb"))
    for _ in range(2):
        for machine in ("m1", "m2"):
            cursor.execute("INSERT INTO telemetry VALUES (to_timestamp(1), %s, %s)", (json.dumps({"machine": machine}), '{"power_w": 1}'))
    cursor.execute("SELECT (SELECT count(*) FROM telemetry), (SELECT count(*) FROM telemetry_once)")
    assert cursor.fetchone() == (4, 2)
    connection.close()
