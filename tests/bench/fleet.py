# SPDX-License-Identifier: MIT
"""make bench-fleet: a fleet at one Mosquitto, the bridge behind it, a real Alertmanager behind that.

Everything is on one machine, so the generator, the probes and what is measured share its processors.
An alarm's latency is from the moment in which its gateway handed it to the connection
(`published`) to a plain subscriber ("seen"), to the arrival of the bridge's POST at a receiver that
notes it ("told"), and until the real Alertmanager's API shows it, looked at every 50 ms ("shown").
"""
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "bench"), str(TOP / "tests" / "system")]

import paho.mqtt.client as paho  # noqa: E402

import lab  # noqa: E402
import report  # noqa: E402
from alertbed import NotingAlertmanager  # noqa: E402
from fleetbed import Fleet  # noqa: E402

SIZES = os.environ.get("FLEET_SIZES", "600x50").split()
INTERVALS = os.environ.get("FLEET_INTERVALS", "10s").split()
SECONDS = float(os.environ.get("FLEET_SECONDS", 120))
OUTAGE = float(os.environ.get("FLEET_OUTAGE", 30))
TLS = os.environ.get("FLEET_TLS") == "1"
ARCHIVERS = int(os.environ.get("FLEET_ARCHIVERS", 0))
JSON = os.environ.get("FLEET_JSON", lab.BUILD / "fleet.json")
CALM = 5  # so many probes in a row as quick as before end a storm
KIT = TOP / "config" / "broker" / "mosquitto.conf"
# Of the kit: its limits and its log. Listeners, users and their files are the bench's own.
LEFT_OUT = re.compile(r"(listener|protocol|certfile|keyfile|cafile|crlfile|require_|use_identity|allow_anonymous|password_file"
                      r"|acl_file|log_type|log_timestamp|connection_messages|autosave)")


class Service:
    """A process, and what it used of the machine."""

    def __init__(self, name, argv):
        self.name = name
        self.process = lab.start(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def cpu_s(self):
        return cpu_s(self.process.pid)

    def rss_mb(self, key="VmRSS"):
        return rss_mb(self.process.pid, key)


def cpu_s(pid):
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid, key="VmRSS"):
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(re.search(rf"{key}:\s+(\d+)", status).group(1)) / 1000


class Bed:
    """Broker, Alertmanager, receiver, bridge and fleet."""

    def __init__(self, folder, size, interval):
        self.folder, self.parks, self.machines = folder, *map(int, size.split("x"))
        self.port, self.metrics_port, manager_port = lab.free_port(), lab.free_port(), lab.free_port()
        self.manager_url = f"http://127.0.0.1:{manager_port}"
        self.url = f"{'mqtts' if TLS else 'mqtt'}://localhost:{self.port}"
        secure = ["--ca-file", folder / "ca.pem"] if TLS else []
        self.conf = self.write_conf()
        self.broker = self.start_broker()
        (folder / "am.yml").write_text("route: {receiver: nobody, group_wait: 1s}\nreceivers: [{name: nobody}]\n")
        self.manager = Service("Alertmanager", [
            shutil.which("prometheus-alertmanager"), f"--config.file={folder}/am.yml", f"--storage.path={folder}/am",
            f"--web.listen-address=127.0.0.1:{manager_port}", "--cluster.listen-address="])
        lab.wait_for(lambda: answers(manager_port), 20, "Alertmanager listens")
        self.noting = NotingAlertmanager()
        self.bridge = Service("bridge", [
            lab.BUILD / "labpulse-alertmanager", "--broker", self.url, *secure, "--alertmanager", self.manager_url,
            self.noting.url, "--listen", f"127.0.0.1:{self.metrics_port}"])
        self.fleet = Fleet(size, self.url, "--interval", interval, *secure)
        self.listener = Listener(self)
        trust = ["--cafile", folder / "ca.pem"] if TLS else []
        self.archivers = [Service("archiver", [
            shutil.which("mosquitto_sub"), "-h", "localhost", "-p", str(self.port), *trust, "-V", "5", "-c", "-i", f"archiver{k}",
            "-q", "1", "-t", "parks/#", "-N", "-F", ""]) for k in range(ARCHIVERS)]

    def write_conf(self):
        kept = [line for line in KIT.read_text(encoding="utf-8").splitlines()
                if line and line[0] != "#" and not LEFT_OUT.match(line)]
        if TLS:
            subprocess.run([TOP / "tests" / "system" / "mkcerts.sh", self.folder], check=True)
            kept = [f"certfile {self.folder}/server.pem", f"keyfile {self.folder}/server.key", *kept]
        # As the kit says for more than 2,000 retained topics: saved each minute.
        conf = [f"listener {self.port} 127.0.0.1", "allow_anonymous true", *kept, "persistence true",
                f"persistence_location {self.folder}/", "autosave_on_changes false", "autosave_interval 60",
                *(["user root"] if os.geteuid() == 0 else [])]
        (self.folder / "mosquitto.conf").write_text("\n".join(conf) + "\n", encoding="utf-8")
        return conf

    def start_broker(self):
        broker = Service("broker", [shutil.which("mosquitto") or "/usr/sbin/mosquitto", "-c", self.folder / "mosquitto.conf"])
        lab.wait_for(lambda: answers(self.port), 60, "mosquitto listens")
        return broker

    def services(self):
        return {"broker": self.broker.process.pid, "bridge": self.bridge.process.pid,
                "Alertmanager": self.manager.process.pid, "fleet": self.fleet.pid,
                **{f"archiver {k + 1}": a.process.pid for k, a in enumerate(self.archivers)}}

    def metric(self, name):
        """Of the bridge; None: it does not say."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=5) as answer:
                found = re.search(rf"^labpulse_bridge_{name} (\S+)", answer.read().decode(), re.M)
        except OSError:
            return None
        return float(found.group(1)) if found else None

    def close(self):
        self.listener.close()
        self.fleet.kill()
        self.noting.close()
        for service in (*self.archivers, self.bridge, self.manager, self.broker):
            lab.stop(service.process)


def answers(port):
    try:
        lab.socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


class Listener:
    """When each change of a probe's alarm came to a subscriber that does nothing else."""

    def __init__(self, bed):
        self.at = {}
        self.client = paho.Client(protocol=paho.MQTTv5)
        if TLS:
            self.client.tls_set(bed.folder / "ca.pem")
        self.client.on_connect = lambda client, *_: client.subscribe("parks/+/machines/+/alarm/no-flow", 1)
        self.client.on_message = self.note
        self.client.reconnect_delay_set(1, 2)
        self.client.connect("localhost", bed.port)
        self.client.loop_start()

    def note(self, _client, _userdata, m):
        if m.payload and json.loads(m.payload)["active"]:
            self.at.setdefault(tuple(m.topic.split("/")[1:4:2]), []).append(time.time())

    def seen(self, park, machine, since):
        return next((at for at in self.at.get((park, machine), []) if at >= since), None)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


# ---- one alarm after the other -----------------------------------------------------------------


class Probes(threading.Thread):
    """Raises an alarm somewhere, waits until it is told and shown, clears it; again and again."""

    def __init__(self, bed):
        super().__init__(daemon=True)
        self.bed, self.found, self.missed, self.ended = bed, [], 0, threading.Event()
        self.random = random.Random(1)
        lasers = [k for k in range(bed.machines) if k % 10 in (1, 8)]
        self.places = [(f"park-{p + 1:03}", f"laser-{k + 1:02}") for p in range(bed.parks) for k in range(len(lasers))]
        self.random.shuffle(self.places)
        self.start()

    def run(self):
        for park, machine in self.places * 100:
            # Not in step with the bridge, which gathers what changes within 0.2 s.
            if self.ended.wait(self.random.uniform(0.05, 0.45)):
                return
            self.probe(park, machine)

    def probe(self, park, machine):
        asked_at = time.time()
        said = self.bed.fleet.ask(f"alarm {park} {machine} no-flow on", timeout=60)
        if not said["ok"]:
            return  # it was so by itself
        told = self.wait(lambda: self.told(park, machine, asked_at))
        shown = self.wait(lambda: self.shown(park, machine) and time.time())
        seen = self.wait(lambda: self.bed.listener.seen(park, machine, asked_at))
        if told and shown and seen:
            self.found.append({"published": said["published"] / 1000, "waited": (said["published"] - said["asked"]) / 1000,
                               "seen": seen - said["published"] / 1000, "told": told - said["published"] / 1000, "shown": shown - said["published"] / 1000})
        elif not self.ended.is_set():
            self.missed += 1
        self.bed.fleet.ask(f"alarm {park} {machine} no-flow off", timeout=60)

    def wait(self, check, timeout=60):
        end = time.monotonic() + timeout
        while time.monotonic() < end and not self.ended.is_set():
            found = check()
            if found:
                return found
            time.sleep(0.05)
        return None

    def told(self, park, machine, since):
        return next((at for at, a in self.bed.noting.told("no-flow", since)
                     if a["labels"]["park"] == park and a["labels"]["machine"] == machine), None)

    def shown(self, park, machine):
        query = urllib.parse.urlencode([("filter", f'park="{park}"'), ("filter", f'machine="{machine}"'),
                                        ("filter", 'alertname="no-flow"')])
        with urllib.request.urlopen(f"{self.bed.manager_url}/api/v2/alerts?{query}", timeout=30) as answer:
            return bool(json.load(answer))

    def stop(self):
        self.ended.set()
        self.join(90)


def percentiles(values):
    if not values:
        return {"n": 0}
    ordered = sorted(values)
    return {"n": len(ordered), "p50": statistics.median(ordered), "max": ordered[-1],
            "p99": ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]}


# ---- what is measured --------------------------------------------------------------------------


def measure_steady(bed):
    bed.fleet.wait_caught_up(bed.parks, 180)
    lab.wait_for(lambda: bed.metric("broker_connected") == 1 and bed.metric("gateways") == bed.parks, 60,
                 "the bridge has read all")
    before, used, begin = bed.fleet.stats, {n: cpu_s(p) for n, p in bed.services().items()}, time.monotonic()
    probes = Probes(bed)
    time.sleep(SECONDS)
    span, after = time.monotonic() - begin, bed.fleet.stats
    cpu = {name: 100 * (cpu_s(pid) - used[name]) / span for name, pid in bed.services().items()}
    between = (after["t"] - before["t"]) / 1000
    rates = {key: (after[key] - before[key]) / between for key in ("acked", "telemetry", "pictures", "events", "history", "records")}
    probes.stop()
    return {"seconds": span, "cpu_pct": cpu, "rates": rates, "backlog": after["backlog"], "refused": after["refused"],
            "rss_mb": {n: rss_mb(p) for n, p in bed.services().items()},
            **{word: percentiles([p[word] for p in probes.found]) for word in ("seen", "told", "shown")},
            "missed": probes.missed, "slow": [p for p in probes.found if p["told"] > 2],
            "retained_file_mb": file_mb(bed.folder / "mosquitto.db"), "load": os.getloadavg()[0]}


def file_mb(path):
    return path.stat().st_size / 1e6 if path.exists() else None


def peak(lines, key):
    """The most in one second of statistics."""
    steps = [(b[key] - a[key]) / ((b["t"] - a["t"]) / 1000) for a, b in zip(lines, lines[1:])]
    return max(steps, default=0)


def measure_storm(bed, usual_s):
    """kill -9, a pause, a restart; each time is from the moment in which the broker listens again."""
    begin = len(bed.fleet.lines)
    lab.stop(bed.broker.process, lab.signal.SIGKILL)
    bed.fleet.wait_stats(lambda s: s["connected"] == 0, 30, "all have noticed")
    time.sleep(OUTAGE)
    backlog = bed.fleet.stats["backlog"]
    bed.broker = bed.start_broker()
    back_ms, used = time.time() * 1000, bed.broker.cpu_s()
    probes = Probes(bed)
    at = {}
    goals = {
        "all connected": lambda: bed.fleet.stats["connected"] == bed.parks,
        "all pictures published": lambda: bed.fleet.stats["settled"] == bed.parks,
        "events of the outage published": lambda: "all pictures published" in at and not bed.fleet.stats["waiting_events"],
        "bridge knows all as online": lambda: bed.metric("broker_connected") == 1 and bed.metric("gateways_offline") == 0
        and bed.metric("gateways") == bed.parks,
        "history of the outage published": lambda: "all pictures published" in at and not bed.fleet.stats["backlog"],
        "alarms as quick as before": lambda: calm(probes.found, usual_s)}
    end = time.monotonic() + 240
    while len(at) < len(goals) and time.monotonic() < end:
        for goal, reached in goals.items():
            if goal not in at and reached():
                at[goal] = calm(probes.found, usual_s) - back_ms / 1000 if goal.startswith("alarms") else time.time() - back_ms / 1000
        time.sleep(0.1)
    probes.stop()
    lines = [line for line in bed.fleet.lines[begin:] if "connected" in line]
    return {"outage_s": OUTAGE, "backlog": backlog, "reached_s": at, "peak_connects_per_s": peak(lines, "connects"),
            "peak_messages_per_s": peak(lines, "acked"), "told": percentiles([p["told"] for p in probes.found]),
            "waited": percentiles([p["waited"] for p in probes.found]), "missed": probes.missed,
            "broker_cpu_s": bed.broker.cpu_s() - used,
            "peak_rss_mb": {n: rss_mb(p, "VmHWM") for n, p in bed.services().items()}, "refused": bed.fleet.stats["refused"]}


def calm(found, usual_s):
    """When the first of CALM quick probes in a row was published; None: not yet."""
    row = []
    for probe in found:
        row = [*row, probe["published"]] if probe["told"] <= usual_s else []
        if len(row) == CALM:
            return row[0]
    return None


# ---- the report --------------------------------------------------------------------------------


def show(size, interval, steady, storm):
    print(f"\n{size}, every {interval}, {'TLS' if TLS else 'no TLS'}, {ARCHIVERS} archivers; load average {steady['load']:.1f}")
    rates = steady["rates"]
    print(report.text_table(["messages a second", "all", "telemetry", "pictures", "events", "history"],
                            [["", *(f"{rates[k]:.0f}" for k in ("acked", "telemetry", "pictures", "events", "history"))]]))
    print(report.text_table(["", "CPU, % of one", "RSS, MB", "peak RSS, MB"], [
        [name, f"{steady['cpu_pct'][name]:.1f}", f"{steady['rss_mb'][name]:.1f}",
         f"{storm['peak_rss_mb'][name]:.1f}" if storm else ""] for name in steady["cpu_pct"]]))
    rows = [[f"alarm {word}", *(f"{steady[word].get(k, float('nan')):.3f}" for k in ("p50", "p99", "max")), str(steady[word]["n"])]
            for word in ("seen", "told", "shown")]
    print(report.text_table(["seconds", "p50", "p99", "max", "of"], rows))
    if storm:
        print(f"storm after {storm['outage_s']:.0f} s: at most {storm['peak_connects_per_s']:.0f} connects/s, "
              f"{storm['peak_messages_per_s']:.0f} messages/s")
        print(report.text_table(["s after the broker is back", ""], [[k, f"{v:.1f}"] for k, v in storm["reached_s"].items()]))


def main():
    results = []
    for size in SIZES:
        for interval in INTERVALS:
            with tempfile.TemporaryDirectory(prefix="labpulse-fleet.") as folder:
                bed = Bed(Path(folder), size, interval)
                try:
                    steady = measure_steady(bed)
                    storm = measure_storm(bed, max(1.0, steady["told"].get("p99", 1.0))) if OUTAGE else None
                finally:
                    bed.close()
            results.append({"size": size, "interval": interval, "tls": TLS, "archivers": ARCHIVERS, "steady": steady, "storm": storm})
            show(size, interval, steady, storm)
            Path(JSON).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(f"\n{JSON}")


if __name__ == "__main__":
    main()
