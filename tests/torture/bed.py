# SPDX-License-Identifier: MIT
"""The test bed: simulator, proxy, broker, collector and the daemon, in one folder.

What is done to them is an incident, written with its time; so is how the daemon's lives end.
"""
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from pathlib import Path

import shim as shims
import sim as simulator
from collect import Collector, read_retained

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
BUILD = (TOP / os.environ.get("BUILD", "build")).resolve()
PARK, GATEWAY, ALARM = "torture", "gw1", "hot"
JOB_MIN_S = 1.0


def wait_until(check, timeout, what, interval=0.02):
    end = time.monotonic() + timeout
    while not (result := check()):
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {timeout} s")
        time.sleep(interval)
    return result


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def is_listening(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


class Helper:
    """One of our own programs: obeys lines on its stdin, ends with it, says first where it listens."""

    def __init__(self, name, *args, log):
        with open(log, "ab") as err:
            self.process = subprocess.Popen(["/usr/bin/python3", HERE / name, *map(str, args)], stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=err)
        self.ready = json.loads(self.process.stdout.readline())

    def tell(self, *words):
        self.process.stdin.write((" ".join(map(str, words)) + "\n").encode())
        self.process.stdin.flush()

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Broker:
    """Mosquitto that stores before long: each change within a second."""

    def __init__(self, folder, port):
        self.folder, self.port, self.process = folder, port, None
        self.conf = folder / "mosquitto.conf"
        store = folder / "broker"
        store.mkdir()
        user = "user root\n" if os.geteuid() == 0 else ""
        self.conf.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n{user}max_queued_messages 0\n"
                             f"max_inflight_messages 0\npersistence true\npersistence_location {store}/\n"
                             "autosave_on_changes true\nautosave_interval 1\nset_tcp_nodelay true\n")

    def start(self):
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        with open(self.folder / "mosquitto.log", "ab") as log:
            self.process = subprocess.Popen([program, "-c", self.conf], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(lambda: is_listening(self.port), 15, "mosquitto listens")

    def kill(self, number=signal.SIGKILL):
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait()


class Daemon:
    """labpulsed with the shim in front of it; its log gets the monotonic time."""

    def __init__(self, bed):
        self.bed, self.process, self.threads = bed, None, []
        self.log = open(bed.folder / "labpulsed.log", "a", encoding="utf-8")

    def running(self):
        return self.process is not None and self.process.poll() is None

    def start(self):
        env = self.bed.shim.env(BUILD / "torture" / "shim.so")
        self.process = subprocess.Popen([BUILD / "labpulsed", "-c", self.bed.config, "--log-level", "info"], env=env,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.bed.incident("daemon-start", pid=self.process.pid)
        thread = threading.Thread(target=self._copy_log, args=(self.process.stderr,), daemon=True)
        thread.start()
        self.threads.append(thread)

    def _copy_log(self, stream):
        for line in stream:
            self.log.write(f"{time.monotonic():.3f} {line.decode(errors='replace')}")
        self.log.flush()
        stream.close()

    def kill(self, kept=None):
        """kill -9; with `kept` the power goes, too, and so much of what was not synced is kept."""
        self.bed.sample()
        self.process.kill()
        self.bed.incident("daemon-kill", power=kept is not None)
        self.process.wait()
        if kept is not None:
            self.bed.incident("power", undone=self.bed.shim.cut_power(kept))

    def stop(self, timeout=10):
        self.bed.sample()
        begin = time.monotonic()
        self.process.terminate()
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.bed.incident("daemon-stop", code=self.process.returncode, seconds=round(time.monotonic() - begin, 2))

    def limit_files(self, size):
        """Files beyond this size cannot be written (RLIMIT_FSIZE); None: no bound."""
        _, hard = resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE)
        soft = resource.RLIM_INFINITY if size is None else size
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (soft, hard))

    def close(self):
        if self.running():
            self.process.kill()
            self.process.wait()
        for thread in self.threads:
            thread.join(5)
        self.log.close()


PROFILE = {
    "schema": 1, "id": "torture-meter", "revision": 1, "kind": "generic", "vendor": "test", "models": ["meter"],
    "title": {"ru": "Счётчик", "en": "Meter"}, "status": "unverified",
    "sources": [{"id": "s1", "origin": "standard", "title": "MODBUS Application Protocol",
                 "url": "https://modbus.org/docs/Modbus_Application_Protocol_V1_1b3.pdf", "seen": "2026-08-22"}],
    "link": {"transports": ["tcp"], "unit": 1, "response_timeout": "2s"}, "limits": {"max_regs": 16, "holes": "forbid"},
    "points": [{"id": i, "sources": ["s1"], "title": {"ru": i, "en": i}, "table": "input", "address": a, "type": t, **more}
               for i, a, t, more in (("count", 0, "u32", {}), ("power_w", 2, "f32", {"class": "power_active_w"}),
                                     ("temp_c", 4, "u16", {"scale": 0.1, "unit": "°C"}))],
}


class Bed:
    def __init__(self, folder, options):
        self.folder, self.options = folder, options
        self.lock = threading.Lock()
        self.incidents = open(folder / "incidents.jsonl", "a", encoding="utf-8")
        self.memory = open(folder / "memory.jsonl", "a", encoding="utf-8")
        self.io_bytes, self.io_now = 0, 0  # of ended lives; of this one
        self.closed_by, self.broken_by = set(), set()
        self.parts = []
        self.shim = shims.Shim(folder, folder / "spool")
        self.shim.sync(shims.SYNCED)
        self.incident("sync", on=True)
        self.synced_at, self.right_at = time.monotonic(), None  # right_at: when a wrong clock will be set
        if "power" in options.kinds:
            self.shim.remember_writes(folder / "undo")
        self.sim = self._add(Helper("sim.py", folder / "ledger.jsonl", "--machines", options.machines, "--buses",
                                    options.buses, "--seed", options.seed, log=folder / "sim.log"))
        self.broker = Broker(folder, free_port())
        self.broker.start()
        self.proxy = self._add(Helper("proxy.py", folder / "deliveries.jsonl", "--broker", self.broker.port,
                                      log=folder / "proxy.log"))
        self.collector = Collector(self.broker.port, folder / "subscriber.jsonl", f"parks/{PARK}/#")
        self.metrics = free_port()
        self.config = self._configure()
        self.daemon = Daemon(self)

    def _add(self, part):
        self.parts.append(part)
        return part

    def machines(self):
        return {name: i % self.options.buses for i, name in enumerate(simulator.names(self.options.machines))}

    def _configure(self):
        (self.folder / "profiles").mkdir()
        profile = {**PROFILE, "groups": [{"id": "main", "period": self.options.interval}]}
        (self.folder / "profiles" / "torture-meter.yaml").write_text(json.dumps(profile, ensure_ascii=False))
        machines = []
        for i, (name, bus) in enumerate(self.machines().items()):
            machines.append({
                "id": name, "class": "other",
                "sources": [{"id": "s1", "driver": "modbus", "bus": f"b{bus}", "unit": i // self.options.buses + 1,
                             "profile": "torture-meter"}],
                "usage": [{"activity": "busy", "point": "s1.power_w", "above": 120, "below": 80, "for": "300ms", "hold": "500ms"},
                          {"activity": "idle"}],
                "job": {"min": f"{int(JOB_MIN_S)}s", "end_after": "1s"},
                "alarms": [{"code": ALARM, "point": "s1.temp_c", "above": 30, "clear": 28, "for": "300ms", "clear_for": "500ms",
                            "severity": "critical", "text": {"ru": "Горячо", "en": "Hot"}}]})
        config = {
            "park": PARK, "gateway": GATEWAY, "control": str(self.folder / "control"),
            "mqtt": {"brokers": [f"mqtt://127.0.0.1:{self.proxy.ready['port']}"], "keepalive": "5s",
                     "reconnect": {"min": "100ms", "max": "1s"}},
            "spool": {"path": str(self.shim.spool), "max_size": self.options.spool_size},
            "metrics": {"listen": f"127.0.0.1:{self.metrics}"},
            "buses": [{"id": f"b{b}", "type": "modbus-tcp", "host": "127.0.0.1", "port": port}
                      for b, port in enumerate(self.sim.ready["ports"])],
            "machines": machines}
        path = self.folder / "labpulse.yaml"
        path.write_text(json.dumps(config, ensure_ascii=False, indent=1))
        return path

    # ---- the book ----

    def incident(self, what, **more):
        with self.lock:
            self.incidents.write(json.dumps({"t": round(time.monotonic(), 4), "what": what, **more}) + "\n")
            self.incidents.flush()

    def sample(self):
        """Memory of the daemon now, and what it has written."""
        try:
            pid = self.daemon.process.pid
            pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
            text = Path(f"/proc/{pid}/io").read_text(encoding="ascii")
        except (OSError, ValueError, IndexError):
            return
        now = int(re.search(r"^write_bytes: (\d+)", text, re.M).group(1))
        if now < self.io_now:
            self.io_bytes += self.io_now
        self.io_now = now
        self.memory.write(json.dumps({"t": round(time.monotonic(), 2), "rss": pages * os.sysconf("SC_PAGE_SIZE"),
                                      "io": self.io_bytes + now}) + "\n")

    def write_meta(self, seconds, gap_reasons):
        now = time.clock_gettime(time.CLOCK_REALTIME), time.monotonic()
        disk = {k: self.shim[k] for k in ("written", "writes", "syncs", "failed")}
        (self.folder / "meta.json").write_text(json.dumps({
            "park": PARK, "gateway": GATEWAY, "alarm": ALARM, "machines": self.machines(), "job_min_s": JOB_MIN_S,
            "seconds": seconds, "seed": self.options.seed, "rss_limit": self.options.rss_limit * 1000000,
            "gap_reasons": gap_reasons, "wall_minus_mono_ms": (now[0] - now[1]) * 1000,
            "disk": {**disk, "proc_io_bytes": self.io_bytes + self.io_now}}))

    # ---- things that several faults want ----

    def close_way(self, who, closed):
        """Nobody listens where the broker should be, while anybody wants it so."""
        (self.closed_by.add if closed else self.closed_by.discard)(who)
        self.proxy.tell("closed", "on" if self.closed_by else "off")

    def break_disk(self, who, broken, **more):
        before = bool(self.broken_by)
        (self.broken_by.add if broken else self.broken_by.discard)(who)
        if broken or before != bool(self.broken_by):
            self.incident("disk", on=bool(self.broken_by), **more)

    # ---- the end ----

    def gauge(self, name):
        """A value of the daemon's OpenMetrics; None: it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics}/metrics", timeout=2) as answer:
                found = re.search(rf"^labpulse_{name}(?:{{[^}}]*}})? ([-0-9.e+]+)", answer.read().decode(), re.M)
        except OSError:
            return None
        return float(found.group(1)) if found else None

    def is_settled(self):
        """Everything idle, no alarm active (but what is meant to last for 5 minutes): as a newcomer reads it."""
        kept = {t.split("/", 2)[2]: p for t, p in read_retained(self.broker.port)["topics"].items()}
        alarms = [json.loads(p) for t, p in kept.items() if "/alarm/" in t]
        states = [json.loads(kept.get(f"machines/{m}/state", "{}")) for m in self.machines()]
        return (all(s.get("state") == "idle" and s.get("job") is None and not s.get("alarms") for s in states)
                and not any(a["active"] and not a["flapping"] and a["code"] != "spool-full" for a in alarms))

    def is_drained(self):
        return self.gauge("spool_records") == 0 and self.gauge("mqtt_in_flight") == 0

    def settle(self, timeout):
        """Waits until nothing waits any more; what is not so by then, the checker says."""
        end = time.monotonic() + timeout
        try:
            wait_until(self.is_settled, timeout, "idle and without alarm", 1)
            wait_until(self.is_drained, max(5.0, end - time.monotonic()), "nothing waits for the broker", 0.1)
            self.incident("drained")
        except TimeoutError as error:
            self.incident("not-drained", why=str(error), records=self.gauge("spool_records"))
        kept = read_retained(self.broker.port, f"parks/{PARK}/#")
        (self.folder / "retained.json").write_text(json.dumps(kept, ensure_ascii=False))

    def close(self):
        self.daemon.close()
        for part in self.parts:
            part.stop()
        self.collector.close()
        self.broker.kill()
        self.incidents.close()
        self.memory.close()
