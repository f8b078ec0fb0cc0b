# SPDX-License-Identifier: MIT
"""What the system tests stand on: the built programs, a broker, a simulated lab, a subscriber.

Programs come from the folder in the environment variable BUILD (default ./build). Nothing sleeps
for a fixed time: everything waits for what it expects, with a deadline. Every process started
here is ended at teardown, and its output is shown when the test failed.
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import paho.mqtt.client as paho
import pytest

import fakebroker
import schemas

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("BUILD", TOP / "build")).resolve()
PROFILES = TOP / "config" / "profiles"
DEADLINE = 15.0
# For BUILD=… of a build with SAN=thread; without one it means nothing.
os.environ.setdefault("TSAN_OPTIONS", f"suppressions={TOP}/tests/tsan.supp exitcode=66 atexit_sleep_ms=0")


def wait_until(check, timeout=DEADLINE, what="condition", interval=0.02):
    """Calls check() until it returns something true, and returns that."""
    end = time.monotonic() + timeout
    while True:
        result = check()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {timeout} s")
        time.sleep(interval)


def telemetry_seqs(messages, machine="m1"):
    """The numbers of its telemetry among these messages, live or as history, in order of arrival."""
    found = []
    for m in messages:
        if m.topic.endswith(f"machines/{machine}/telemetry"):
            found.append(json.loads(m.payload)["seq"])
        elif m.topic.endswith(f"machines/{machine}/history"):
            found += [r["seq"] for r in json.loads(m.payload)["records"]]
    return found


def is_complete(numbers, first=None):
    """Every number from the first to the last, repeats allowed (QoS 1)."""
    return bool(numbers) and sorted(set(numbers)) == list(range(first or min(numbers), max(numbers) + 1))


def take_free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def is_listening(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


class Process:
    """A child with its output kept in files."""

    def __init__(self, name, argv, folder, env=None):
        self.name = name
        self.argv = [str(a) for a in argv]
        self.out_path = folder / f"{name}.out"
        self.err_path = folder / f"{name}.err"
        with open(self.out_path, "ab") as out, open(self.err_path, "ab") as err:
            self.popen = subprocess.Popen(self.argv, stdout=out, stderr=err,
                                          stdin=subprocess.DEVNULL, env=env)

    @property
    def pid(self):
        return self.popen.pid

    def running(self):
        return self.popen.poll() is None

    def out(self):
        return self.out_path.read_text(errors="replace")

    def err(self):
        return self.err_path.read_text(errors="replace")

    def signal(self, number):
        self.popen.send_signal(number)

    def wait(self, timeout=DEADLINE):
        return self.popen.wait(timeout)

    def stop(self, timeout=6.0):
        """SIGTERM, and its exit code; SIGKILL if that does not do."""
        if self.running():
            self.popen.send_signal(signal.SIGCONT)
            self.popen.terminate()
            try:
                self.popen.wait(timeout)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
        return self.popen.returncode

    def kill(self):
        if self.running():
            self.popen.kill()
        return self.popen.wait()


@pytest.hookimpl(tryfirst=True, hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    setattr(item, "report_" + call.when, outcome.get_result())


@pytest.fixture
def spawn(request, tmp_path):
    """spawn(name, argv, env=None) -> Process, ended after the test."""
    children = []

    def start(name, argv, env=None):
        child = Process(name, argv, tmp_path, env)
        children.append(child)
        return child

    yield start
    for child in reversed(children):
        child.stop()
    report = getattr(request.node, "report_call", None)
    if report is not None and report.failed:
        for child in children:
            print(f"---- {child.name}: {' '.join(child.argv)} -> {child.popen.returncode}")
            print(child.out()[-4000:])
            print(child.err()[-8000:])


@pytest.fixture
def free_port():
    """free_port() -> a TCP port that nobody uses now."""
    return take_free_port


# ---- broker and subscriber -------------------------------------------------------------------


class Broker:
    def __init__(self, spawn, folder, port):
        self.spawn, self.folder, self.port = spawn, folder, port
        self.url = f"mqtt://127.0.0.1:{port}"
        self.process = None

    def start(self, extra="", anonymous="true"):
        conf = self.folder / f"mosquitto-{self.port}.conf"
        conf.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous {anonymous}\n"
                        f"{'user root' if os.geteuid() == 0 else ''}\npersistence false\nmax_queued_messages 0\nmax_inflight_messages 0\n"
                        f"{extra}\n")
        self.process = self.spawn(f"mosquitto-{self.port}", [find_mosquitto(), "-c", conf])
        wait_until(lambda: is_listening(self.port), what="mosquitto listens")
        return self

    def stop(self):
        self.process.stop()

    def kill(self):
        self.process.kill()


def find_mosquitto():
    return shutil.which("mosquitto") or "/usr/sbin/mosquitto"


@pytest.fixture
def broker(spawn, tmp_path):
    """A running mosquitto on a free port; .url, .port, .stop(), .kill(), .start()."""
    return Broker(spawn, tmp_path, take_free_port()).start()


@pytest.fixture
def fake_broker():
    """fake_broker(script, …) -> fakebroker.FakeBroker; what its scripts asserted counts."""
    opened = []

    def start(*scripts):
        opened.append(fakebroker.FakeBroker(*scripts))
        return opened[-1]

    yield start
    for broker in opened:
        broker.close()


def listen_before(daemon, broker, subscribe, *args):
    """Starts the broker again, and a subscriber that is there before the daemon is back."""
    daemon.signal(signal.SIGSTOP)
    broker.start(*args)
    subscriber = subscribe(broker.port)
    daemon.signal(signal.SIGCONT)
    return subscriber


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """A folder with what mkcerts.sh makes."""
    folder = tmp_path_factory.mktemp("certs")
    subprocess.run([TOP / "tests" / "system" / "mkcerts.sh", folder], check=True)
    folder.chmod(0o755)
    return folder


class Message:
    def __init__(self, topic, payload, retain, qos, at, properties=None):
        self.topic, self.payload, self.retain, self.qos, self.at = topic, payload, retain, qos, at
        self.properties = properties

    @property
    def text(self):
        return self.payload.decode()

    @property
    def json(self):
        return json.loads(self.payload)

    def __repr__(self):
        return f"<{self.topic} {'R ' if self.retain else ''}{self.payload[:200]!r}>"


class Subscriber:
    """Collects messages in the background, in order of arrival."""

    def __init__(self, port, topics=("parks/#",), protocol=paho.MQTTv5, **options):
        self.messages = []
        self.violations = []
        self.changed = threading.Condition()
        self.topics = topics
        self.validate = options.get("validate", True)
        self.subscribed = threading.Event()
        self.client = paho.Client(f"test-{id(self)}", protocol=protocol)
        if "username" in options:
            self.client.username_pw_set(options["username"], options.get("password"))
        if "ca_file" in options:
            self.client.tls_set(options["ca_file"], options.get("cert_file"),
                                options.get("key_file"))
        self.client.on_connect = self._on_connect
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        self.client.on_message = self._on_message
        self.client.connect(options.get("host", "127.0.0.1"), port)
        self.client.loop_start()
        assert self.subscribed.wait(DEADLINE), "the subscriber could not subscribe"

    def _on_connect(self, client, *_):
        client.subscribe([(t, paho.SubscribeOptions(qos=1)) for t in self.topics]
                         if client._protocol == paho.MQTTv5 else [(t, 1) for t in self.topics])

    def _on_message(self, _client, _userdata, m):
        message = Message(m.topic, m.payload, bool(m.retain), m.qos, time.time(),
                          getattr(m, "properties", None))
        wrong = self.validate and schemas.violation(m.topic, m.payload)
        with self.changed:
            self.messages.append(message)
            if wrong:
                self.violations.append(wrong)
            self.changed.notify_all()

    def find(self, topic=None, predicate=None, since=0):
        """Messages from index `since` on whose topic ends so and that the predicate likes."""
        with self.changed:
            found = self.messages[since:]
        return [m for m in found if (topic is None or m.topic == topic or m.topic.endswith(topic))
                and (predicate is None or predicate(m))]

    def mark(self):
        """The index of the next message, for since=."""
        with self.changed:
            return len(self.messages)

    def wait_for(self, predicate, timeout=DEADLINE, topic=None, since=0):
        """The first message that the predicate likes."""
        end = time.monotonic() + timeout
        while True:
            found = self.find(topic, predicate, since)
            if found:
                return found[0]
            with self.changed:
                left = end - time.monotonic()
                if left <= 0:
                    last = self.messages[-8:]
                    raise AssertionError(f"no such message within {timeout} s; last: {last}")
                self.changed.wait(min(left, 0.2))

    def retained(self):
        """topic -> last non-empty payload seen, as the broker would keep it."""
        state = {}
        with self.changed:
            for m in self.messages:
                if m.payload:
                    state[m.topic] = m
                else:
                    state.pop(m.topic, None)
        return state

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def subscribe():
    """subscribe(port, topics=("parks/#",), protocol=...) -> Subscriber, closed after the test.

    Every payload is held against docs/schemas; validate=False where a test publishes its own."""
    opened = []

    def start(port, *args, **options):
        subscriber = Subscriber(port, *args, **options)
        opened.append(subscriber)
        return subscriber

    yield start
    for subscriber in opened:
        subscriber.close()
    wrong = [w for subscriber in opened for w in subscriber.violations]
    assert not wrong, "against the schemas: " + "\n".join(wrong[:5])


# ---- the simulated lab -----------------------------------------------------------------------


class Simulator:
    """A running `labpulse simulate`: .ptys, .ports, .control("fault dev-0001 late 300")."""

    def __init__(self, process, folder):
        self.process, self.folder = process, folder
        ready = wait_until(self._ready, what="the simulator is ready")
        self.ptys, self.ports, self.socket = ready["ptys"], ready["ports"], ready["control"]

    def _ready(self):
        assert self.process.running(), f"the simulator ended: {self.process.err()}"
        line = self.process.out().split("\n")
        return json.loads(line[0]) if len(line) > 1 else None

    def ask(self, line):
        """Sends one command, returns its JSON."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(DEADLINE)
            s.connect(self.socket)
            s.sendall(line.encode() + b"\n")
            answer = b""
            while not answer.endswith(b"\n"):
                more = s.recv(65536)
                assert more, "the simulator hung up"
                answer += more
        return json.loads(answer)

    def control(self, line):
        answer = self.ask(line)
        assert answer["ok"], f"{line}: {answer}"
        return answer

    def stats(self):
        return self.control("stats")

    def stop(self):
        return self.process.stop()


@pytest.fixture
def simulate(spawn, tmp_path):
    """simulate("lab", "--write-config", path, ...) -> Simulator."""
    count = 0

    def start(scenario="lab", *options, name=None):
        nonlocal count
        count += 1
        folder = tmp_path / f"sim{count}"
        argv = [BUILD / "labpulse", "simulate", scenario, "--dir", folder]
        if "--profiles" not in options:
            argv += ["--profiles", PROFILES]
        return Simulator(spawn(name or f"simulate{count}", argv + list(options)), folder)

    return start


# ---- labpulse --------------------------------------------------------------------------------


def pytest_collection_modifyitems(items):
    """Tests marked `long` run with LONG=1 only."""
    if not os.environ.get("LONG"):
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason="long: set LONG=1"))


def pytest_configure(config):
    config.addinivalue_line("markers", "long: takes longer than a newcomer waits; needs LONG=1")


class Daemon(Process):
    def reload(self):
        self.signal(signal.SIGHUP)

    def cpu_s(self):
        """CPU time used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_bytes(self):
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def threads(self):
        return len(os.listdir(f"/proc/{self.pid}/task"))

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))


@pytest.fixture
def daemon(request, tmp_path):
    """daemon(config_path, *options, env=None) -> Process of labpulsed, ended after the test."""
    started = []

    def start(config, *options, env=None, profiles=None, name=None):
        own = Path(config).parent / "profiles"
        profiles = profiles or (own if own.is_dir() else PROFILES)
        argv = [BUILD / "labpulsed", "-c", config, "--profiles", profiles, *options]
        child = Daemon(name or f"labpulsed{len(started) + 1}", argv, tmp_path,
                       {**os.environ, "STATE_DIRECTORY": str(tmp_path / "state"), **(env or {})})
        started.append(child)
        return child

    (tmp_path / "state").mkdir(exist_ok=True)
    yield start
    codes = [(child, child.stop()) for child in reversed(started)]
    report = getattr(request.node, "report_call", None)
    if report is not None and report.failed:
        for child in started:
            print(f"---- {child.name}: {' '.join(child.argv)} -> {child.popen.returncode}")
            print(child.err()[-12000:])
    for child, code in codes:
        assert code in (0, 78, -signal.SIGKILL), f"{child.name} ended with {code}"


class Result:
    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"<exit {self.code}\n{self.out}\n{self.err}>"


@pytest.fixture
def labpulse():
    """labpulse("read", "laser-1", "--json") -> Result with .code, .out, .err, .json."""

    def run(*argv, timeout=30, env=None):
        done = subprocess.run([str(BUILD / "labpulse"), *map(str, argv)], capture_output=True,
                              text=True, timeout=timeout, stdin=subprocess.DEVNULL,
                              env={**os.environ, **(env or {})})
        return Result(done)

    return run
