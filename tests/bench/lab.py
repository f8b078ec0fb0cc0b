# SPDX-License-Identifier: MIT
"""The benches' laboratory: a broker, simulated devices, a receiver, and what a process costs."""
import atexit
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("BUILD", TOP / "build"))
BUILD = BUILD if BUILD.is_absolute() else TOP / BUILD
PROFILES = TOP / "config" / "profiles"
children = []


def end_all():
    for child in children:
        if child.poll() is None:
            child.kill()
            child.wait()


atexit.register(end_all)


def start(argv, **options):
    child = subprocess.Popen([str(a) for a in argv], **options)
    children.append(child)
    return child


def stop(child, number=signal.SIGTERM, timeout=15):
    if child.poll() is None:
        child.send_signal(number)
    try:
        return child.wait(timeout)
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
        children.remove(child)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(check, timeout, what):
    end = time.monotonic() + timeout
    while not check():
        if time.monotonic() > end:
            raise SystemExit(f"{what}: not within {timeout} s")
        time.sleep(0.02)


def is_listening(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


# ---- what a process costs --------------------------------------------------------------------


def cpu_s(pid):
    """User and system time of all threads; /proc/PID/stat says the same in steps of 10 ms."""
    return time.clock_gettime(~pid << 3 | 2)  # as clock_getcpuclockid(3) makes it


def status(pid, key):
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    return int(re.search(rf"^{key}:\s+(\d+)", text, re.M).group(1))


def peak_mb(pid):
    return status(pid, "VmHWM") / 1024


def rss_mb(pid):
    return status(pid, "VmRSS") / 1024


def threads(pid):
    return status(pid, "Threads")


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


# ---- the parts -------------------------------------------------------------------------------


class Folder:
    def __init__(self):
        self.path = Path(tempfile.mkdtemp(prefix="labpulse-bench-"))
        atexit.register(shutil.rmtree, self.path, True)

    def file(self, name, text):
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path


class Broker:
    """Mosquitto as Debian ships it, with its queues opened for a burst of a thousand machines."""

    def __init__(self, folder, port=None):
        self.port = port or free_port()
        self.config = folder.file(f"mosquitto-{self.port}.conf", f"""\
listener {self.port} 127.0.0.1
allow_anonymous true
persistence false
max_queued_messages 0
set_tcp_nodelay true
log_dest none
""")
        self.child = None
        self.begin()

    def begin(self):
        self.child = start(["mosquitto", "-c", self.config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: is_listening(self.port), 10, "the broker listens")

    def stop(self, number=signal.SIGTERM):
        stop(self.child, number)


class Simulator:
    """`labpulse simulate`: its devices, its faults, a configuration that fits them."""

    def __init__(self, folder, name, broker, *options):
        self.dir = folder.path / name
        self.config = self.dir / "labpulse.yaml"
        self.dir.mkdir()
        self.child = start([BUILD / "labpulse", "simulate", *options, "--dir", self.dir / "sim",
                            "--write-config", self.config, "--profiles", PROFILES,
                            "--broker", f"mqtt://127.0.0.1:{broker.port}"],
                           stdout=subprocess.PIPE, text=True)
        ready = json.loads(self.child.stdout.readline())
        self.socket, self.ports, self.ptys = ready["control"], ready["ports"], ready["ptys"]

    def command(self, line):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(self.socket)
            s.sendall(line.encode() + b"\n")
            answer = json.loads(s.makefile().readline())
        if not answer["ok"]:
            raise SystemExit(f"simulator: {line}: {answer}")
        return answer

    def stop(self):
        stop(self.child)


class Receiver:
    """receiver.c; arrivals() ends it and gives {topic: [(arrived_s, stamped_s), …]}."""

    def __init__(self, broker, topics):
        self.child = start([BUILD / "tests/bench/receiver", broker.port, topics],
                           stdout=subprocess.PIPE, text=True)
        if self.child.stdout.readline().strip() != "ready":
            raise SystemExit("the receiver does not start")

    def forget(self):
        self.child.send_signal(signal.SIGUSR1)

    def arrivals(self):
        self.child.send_signal(signal.SIGTERM)
        text = self.child.communicate(timeout=60)[0]
        children.remove(self.child)
        names, result = [], {}
        for line in text.splitlines():
            words = line.split()
            if words[0] == "topic":
                names.append(words[1])
            else:
                at = result.setdefault(names[int(words[0])], [])
                at.append((int(words[1]) / 1e6, int(words[2]) / 1e6))
        return result


def start_daemon(config, folder, under=(), **options):
    log = open(folder.path / "labpulsed.log", "ab")  # pylint: disable=consider-using-with
    return start([*under, BUILD / "labpulsed", "-c", config, "--profiles", PROFILES],
                 stdin=subprocess.DEVNULL, stdout=log, stderr=log, **options)
