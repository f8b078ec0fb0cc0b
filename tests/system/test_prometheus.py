# SPDX-License-Identifier: MIT
"""What Prometheus reads, and what the shipped rules make of it: Debian's Prometheus and promtool."""
import json
import re
import shutil
import signal
import subprocess
import urllib.parse
import urllib.request

import pytest
import yaml

from alertbed import Bed, ms
from bench import Bench
from conftest import TOP, take_free_port, wait_until

SHIPPED = TOP / "config" / "prometheus"
RULES = yaml.safe_load((SHIPPED / "labpulse.rules.yml").read_text())
RULE_TESTS = yaml.safe_load((SHIPPED / "labpulse.rules.test.yml").read_text())
PAGE = (TOP / "docs" / "prometheus.md").read_text()
ALERTMANAGER = TOP / "config" / "alertmanager" / "alertmanager.yml"
OPENMETRICS = "application/openmetrics-text"


@pytest.fixture(name="bed")
def bed_fixture(spawn, tmp_path, broker):
    made = Bed(spawn, tmp_path, broker)
    yield made
    made.close()


def rules(kind):
    """name -> rule; kind is `alert` or `record`."""
    return {rule[kind]: rule for group in RULES["groups"] for rule in group["rules"] if kind in rule}


def fetch(url, accept="*/*"):
    """Content type and text; None while nobody answers."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": accept}), timeout=5) as answer:
            return answer.headers["Content-Type"], answer.read().decode()
    except OSError:
        return None, ""


def promtool(*words, **options):
    done = subprocess.run(["promtool", *map(str, words)], capture_output=True, text=True, check=False, **options)
    return done.returncode, done.stdout + done.stderr


def families(text):
    return re.findall(r"^# TYPE (\S+)", text, re.M)


class Both:
    """A gateway with two machines on one bus, and a bridge; where their metrics are."""

    def __init__(self, bed, tmp_path, simulate, daemon):
        ports = take_free_port(), take_free_port()
        self.gateway, self.bridge = (f"127.0.0.1:{port}" for port in ports)
        bench = Bench(tmp_path, bed.broker.url).add("m1", "line").add("m2", "line", unit=2)
        bench.config["metrics"] = {"listen": self.gateway}
        bench.simulate(simulate)
        self.alertmanager = bed.alertmanager().start(ALERTMANAGER.read_text().replace("/etc/alertmanager/smtp-password", "/dev/null"))
        self.daemon = daemon(bench.write())
        bed.bridge([self.alertmanager], "--listen", self.bridge, "--offline-hold", "1s")
        self.wait_for(self.gateway, "labpulse_machines_online 2")
        self.wait_for(self.bridge, 'labpulse_fleet_machines{park="p1",state="unknown"} 2')

    @staticmethod
    def wait_for(address, line):
        wait_until(lambda: line in fetch(f"http://{address}/metrics")[1].split("\n"), what=line)


@pytest.fixture(name="both")
def both_fixture(bed, tmp_path, simulate, daemon):
    return Both(bed, tmp_path, simulate, daemon)


# ---- what is printed -----------------------------------------------------------------------------


def test_metrics_of_both_programs(both):
    """Both formats, to promtool's liking; each family is documented, and the rules use no other."""
    printed = []
    for address in (both.gateway, both.bridge):
        kind, text = fetch(f"http://{address}/metrics")
        assert kind == "text/plain; version=0.0.4; charset=utf-8"
        assert promtool("check", "metrics", input=text) == (0, "")
        printed += families(text)
        kind, other = fetch(f"http://{address}/metrics", f"{OPENMETRICS};version=1.0.0,text/plain;q=0.5")
        assert kind.startswith(f"{OPENMETRICS}; version=1.0.0") and other.endswith("# EOF\n")
        assert families(other) == [re.sub("_(total|info)$", "", name) for name in families(text)]
        bare = [line.split(" ")[0] for line in text.split("\n") if line and line[0] != "#"]
        assert bare == [line.split(" ")[0] for line in other.split("\n") if line and line[0] != "#"]
    assert len(printed) == len(set(printed))
    documented = re.findall(r"^\| `(labpulse_\w+)` \|", PAGE, re.M)
    assert sorted(documented) == sorted(printed)
    used = {name for kind in ("alert", "record") for rule in rules(kind).values()
            for name in re.findall(r"(?<![:\w])labpulse_\w+(?![:\w])", rule["expr"])}
    assert len(used) > 20 and used <= set(printed), used - set(printed)


def test_every_number_of_health_is_a_metric(both, bed, subscribe):
    sub = subscribe(bed.broker.port, ("parks/p1/gateways/gw1/health",))
    health = sub.wait_for(lambda m: m.json["buses"], topic="health").json
    text = fetch(f"http://{both.gateway}/metrics")[1]
    numbers = {"uptime_s": "uptime_seconds", "clock.offset_ms": "clock_offset_seconds", "mqtt.since": "mqtt_since_timestamp_seconds",
               "mqtt.reconnects": "mqtt_reconnects_total", "mqtt.in_flight": "mqtt_in_flight", "spool.records": "spool_records",
               "spool.bytes": "spool_bytes", "spool.oldest_ts": "spool_oldest_timestamp_seconds", "spool.evicted": "spool_evicted_total",
               "config.loaded": "config_loaded_timestamp_seconds", "process.rss_bytes": "process_resident_memory_bytes",
               "process.cpu_s": "process_cpu_seconds_total", "disk.free_bytes": "disk_free_bytes", "buses.requests": "bus_requests_total",
               "buses.errors": "bus_errors_total", "buses.timeouts": "bus_timeouts_total", "buses.crc_errors": "bus_crc_errors_total",
               "buses.stale_frames": "bus_stale_frames_total", "buses.noise_bytes": "bus_noise_bytes_total", "buses.reopens": "bus_reopens_total",
               "buses.echo": "bus_echo", "buses.missed": "bus_missed_polls_total", "buses.busy_pct": "bus_busy_seconds_total",
               "buses.latency_ms.p50": "bus_latency_p50_seconds", "buses.latency_ms.p95": "bus_latency_p95_seconds",
               "buses.latency_ms.max": "bus_latency_max_seconds"}

    def paths(value, path=""):
        if isinstance(value, dict):
            return [p for key, inner in value.items() for p in paths(inner, f"{path}.{key}" if path else key)]
        if isinstance(value, list):
            return paths(value[0], path)
        return [] if isinstance(value, str) else [path]

    envelope = {"v", "ts", "mqtt.last_error", "config.error"}  # the last two are texts or null
    assert set(paths(health)) - envelope == set(numbers)
    for name in numbers.values():
        assert f"\nlabpulse_{name}" in text, name
    since = float(re.search(r"^labpulse_mqtt_since_timestamp_seconds (\S+)", text, re.M).group(1))
    assert abs(since * 1000 - health["mqtt"]["since"]) < 1


# ---- the shipped rules ---------------------------------------------------------------------------


def test_promtool_likes_what_is_shipped():
    for words in (("config", SHIPPED / "prometheus.yml"), ("rules", SHIPPED / "labpulse.rules.yml")):
        code, said = promtool("check", *words)
        assert code == 0 and "SUCCESS" in said, said
    code, said = promtool("test", "rules", "labpulse.rules.test.yml", cwd=SHIPPED)
    assert code == 0 and "SUCCESS" in said, said


def test_every_rule_is_tested_both_ways():
    tested = [test for group in RULE_TESTS["tests"] for test in group.get("alert_rule_test", [])]
    fires = {test["alertname"] for test in tested if test["exp_alerts"]}
    silent = {test["alertname"] for test in tested if not test["exp_alerts"]}
    assert fires == silent == set(rules("alert"))
    valued = " ".join(test["expr"] for group in RULE_TESTS["tests"] for test in group.get("promql_expr_test", []))
    assert set(re.findall(r"\w+:labpulse_\w+:\w+", valued)) == set(rules("record"))


def test_every_alert_says_what_to_do():
    listed = dict(re.findall(r"^\| `(Labpulse\w+)` \| (\w+) \|", PAGE, re.M))
    assert {name: rule["labels"]["severity"] for name, rule in rules("alert").items()} == listed
    for name, rule in rules("alert").items():
        assert name.startswith("Labpulse") and set(rule["annotations"]) == {"summary", "text_ru", "hint"}, name
        assert rule["labels"]["severity"] in ("info", "warning", "error", "critical"), name
        minutes = re.fullmatch(r"(\d+)m", rule["for"])
        assert minutes and int(minutes.group(1)) >= 5, f"{name} pages on a reboot"


# ---- all of it together --------------------------------------------------------------------------


class Prometheus:
    """With the shipped configuration and rules, but at these addresses and without patience."""

    def __init__(self, spawn, folder, both):
        self.url = f"http://127.0.0.1:{take_free_port()}"
        (folder / "parks").mkdir()
        (folder / "parks" / "p1.yml").write_text(json.dumps([{"targets": [both.gateway], "labels": {"park": "p1", "gateway": "gw1"}}]))
        text = (SHIPPED / "prometheus.yml").read_text().replace("30s", "1s")
        text = text.replace("bridge1.example.org:9561", both.bridge)
        text = re.sub(r"\[am1.*\]", f"['127.0.0.1:{both.alertmanager.port}']", text)
        assert "example" not in re.sub("#.*", "", text)
        (folder / "prometheus.yml").write_text(text)
        (folder / "labpulse.rules.yml").write_text(re.sub(r"for: \d+m", "for: 2s", (SHIPPED / "labpulse.rules.yml").read_text()))
        spawn("prometheus", [shutil.which("prometheus"), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
                             f"--web.listen-address={self.url[7:]}"])

    def value(self, query):
        """Of the one series that it finds; None: none, or several."""
        text = fetch(f"{self.url}/api/v1/query?" + urllib.parse.urlencode({"query": query}))[1]
        found = json.loads(text)["data"]["result"] if text else []
        return float(found[0]["value"][1]) if len(found) == 1 else None

    def wait_value(self, query, value, timeout=30):
        wait_until(lambda: self.value(query) == value, timeout, f"{query} is {value}, not {self.value(query)}", interval=0.2)


def test_from_a_gateway_that_dies_to_alertmanager(both, spawn, tmp_path):
    prometheus = Prometheus(spawn, tmp_path, both)
    prometheus.wait_value('up{job="labpulse-gateway",park="p1",gateway="gw1"}', 1)
    prometheus.wait_value('up{job="labpulse-bridge"}', 1)
    prometheus.wait_value("labpulse_machines_online", 2)
    prometheus.wait_value('sum(labpulse_fleet_machines{park="p1"})', 2)
    prometheus.wait_value("park:labpulse_fleet_machines:online_ratio", 1)
    assert prometheus.value("labpulse_bus_requests_total") > 0
    both.daemon.signal(signal.SIGKILL)
    prometheus.wait_value('up{job="labpulse-gateway"}', 0)
    prometheus.wait_value('labpulse_fleet_machines{park="p1",state="offline"}', 2)
    prometheus.wait_value("park:labpulse_fleet_machines:online_ratio", 0)
    prometheus.wait_value('labpulse_fleet_gateways{state="offline"}', 1)

    def told():
        with urllib.request.urlopen(f"{both.alertmanager.url}/api/v2/alerts") as answer:
            return {a["labels"]["alertname"]: a for a in json.load(answer)}

    alert = wait_until(lambda: told().get("LabpulseGatewayNotScraped"), 30, "it reaches Alertmanager", interval=0.2)
    assert (alert["labels"]["park"], alert["labels"]["gateway"], alert["labels"]["severity"]) == ("p1", "gw1", "warning")
    assert alert["annotations"]["summary"] == "gw1 of p1 does not answer Prometheus"
    # the labels are those of the bridge, so the shipped Alertmanager configuration knows that it is the same
    wait_until(lambda: "GatewayOffline" in told() and told()["LabpulseGatewayNotScraped"]["status"]["state"] == "suppressed", 30,
               "GatewayOffline inhibits it", interval=0.2)


def test_parks_as_figures(bed):
    """What the broker holds of parks, and what comes later; a park that is gone is gone."""
    address = f"127.0.0.1:{take_free_port()}"
    gw, other = bed.gateway("p1", "gw1"), bed.gateway("p2", "gw1")
    state = {"v": 1, "ts": ms(), "gw": "gw1", "state": "busy", "job": "01JGFJJZ00000000000000000A"}
    usage = {"v": 1, "asset": "INV-1", "jobs_started": 100, "jobs_finished": 90, "jobs_failed": 10}
    for g in (gw, other):
        g.online()
        g.publish("gateways/gw1/health", {"v": 1, "ts": ms(600)})
    gw.publish("machines/m1/state", state)
    gw.publish("machines/m1/usage", usage)
    gw.alarm("m1", "hot", ms(5))
    bed.bridge([bed.noting()], "--listen", address)

    def value(name, *labels):
        text = fetch(f"http://{address}/metrics")[1]
        found = [line for line in text.split("\n") if line.startswith(f"labpulse_fleet_{name}{{") and all(label in line for label in labels)]
        return sum(float(line.rsplit(" ", 1)[1]) for line in found) if found else None

    Both.wait_for(address, "labpulse_bridge_broker_connected 1")
    assert value("machines", "busy") == 1
    assert value("jobs_running", "p1") == 1 and value("alarms", "p1", "critical") == 1 and value("gateways", "online") == 2
    assert value("jobs_started_total", "p1") == 0
    assert abs(value("last_message_timestamp_seconds", "p2") * 1000 - ms(600)) < 60000, "not when the bridge read it"
    gw.publish("machines/m1/usage", {**usage, "jobs_started": 103, "jobs_finished": 92, "jobs_failed": 11})
    wait_until(lambda: value("jobs_started_total", "p1") == 3, what="jobs are counted")
    assert (value("jobs_finished_total", "p1"), value("jobs_failed_total", "p1")) == (2, 1)
    other.publish("gateways/gw1/health", {"v": 1, "ts": ms(600)})  # it lives; only its clock is wrong
    wait_until(lambda: abs(value("last_message_timestamp_seconds", "p2") * 1000 - ms()) < 60000, what="it is heard now")
    gw.online("offline")
    wait_until(lambda: value("machines", "p1", "offline") == 1, what="it cannot be reached")
    assert value("jobs_running", "p1") == 0
    for topic in ("machines/m1/state", "machines/m1/usage", "machines/m1/alarm/hot", "gateways/gw1/availability"):
        gw.publish(topic, "")
    wait_until(lambda: value("machines", "p1") is None, what="the park is gone")
    assert value("machines", "p2") == 0
