# SPDX-License-Identifier: MIT
"""Ends: within 5 s whatever is broken, and with the exit code that says why."""
import os
import signal
import socket
import subprocess
import time

import pytest

from bench import Bench
from conftest import BUILD, wait_until
from fakebroker import mute, serve
from test_broker import black_hole, slow_dns  # noqa: F401 -- fixtures

STOP_S = 5


def stop_takes(d, number=signal.SIGTERM):
    began = time.monotonic()
    d.signal(number)
    code = d.wait(STOP_S + 3)
    assert time.monotonic() - began < STOP_S
    return code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_all_is_well(tmp_path, broker, simulate, daemon, number):
    bench = Bench(tmp_path, broker.url).add("m1", "line").add("m2", "tcp1")
    bench.simulate(simulate)
    d = daemon(bench.write())
    wait_until(lambda: "m2/s1: answers" in d.err() and "connected" in d.err(), what="it runs")
    assert stop_takes(d, number) == 0
    assert not (tmp_path / "control").exists()


def test_stop_during_start(tmp_path, broker, simulate, daemon):
    bench = Bench(tmp_path, broker.url).add("m1", "tcp1")
    bench.simulate(simulate)
    d = daemon(bench.write())
    wait_until(lambda: "polling" in d.err(), what="it starts", interval=0.001)
    assert stop_takes(d) == 0


@pytest.mark.parametrize("state", ["mute", "deaf", "away", "black hole", "dns"])
def test_broker_is_broken(tmp_path, request, fake_broker, free_port, simulate, daemon, state):
    """deaf: it accepts messages and never answers them."""
    env = None
    if state == "mute":
        url = fake_broker(mute).url
    elif state == "deaf":
        url = fake_broker(serve(lambda conn, p: None)).url
    elif state == "away":
        url = f"mqtt://127.0.0.1:{free_port()}"
    elif state == "black hole":
        url = f"mqtt://127.0.0.1:{request.getfixturevalue('black_hole')}"
    else:
        url, env = "mqtt://slow.example.org", request.getfixturevalue("slow_dns")
    bench = Bench(tmp_path, url).add("m1", "tcp1")
    bench.simulate(simulate)
    d = daemon(bench.write(), env=env)
    wait_until(lambda: bench.requests() > 5, what="it polls")
    assert stop_takes(d) == 0


def test_unacknowledged_goodbye_leaves_the_will(tmp_path, fake_broker, simulate, daemon):
    """A broker that did not take `offline` must publish the will: no DISCONNECT with reason 0."""
    fake = fake_broker(serve(lambda conn, p: 0 if p.payload != b"offline" else None))
    bench = Bench(tmp_path, fake.url).add("m1", "tcp1")
    bench.simulate(simulate)
    d = daemon(bench.write())
    wait_until(lambda: fake.published("telemetry"), what="messages")
    assert stop_takes(d) == 0
    wait_until(lambda: not fake.threads[0].is_alive(), what="the connection ends")
    assert fake.connections[0].disconnect in (None, 4), "4: disconnect with will message"


@pytest.mark.parametrize("state", ["silent", "unplugged", "no such host", "black hole", "dns", "flood"])
def test_device_is_broken(tmp_path, request, broker, simulate, daemon, state):
    env = None
    bench = Bench(tmp_path, broker.url)
    bench.add_profile("patient", {"count": {"table": "input", "address": 0, "type": "u16"}}, response_timeout="10s")
    bench.add("m1", "line" if state == "unplugged" else "tcp1", profile="patient", values={})
    sim = bench.simulate(simulate)
    tcp = bench.config["buses"][0]
    if state == "silent":
        sim.control("fault tcp1-1 silent")
    elif state == "unplugged":
        sim.control("unplug line")
    elif state == "flood":
        sim.control("fault tcp1-1 trickle 500")
    elif state == "black hole":
        tcp["port"] = request.getfixturevalue("black_hole")
    elif state == "dns":
        tcp["host"], env = "slow.example.org", request.getfixturevalue("slow_dns")
    else:
        tcp["host"] = "192.0.2.1"
    d = daemon(bench.write(), env=env)
    wait_until(lambda: "connected" in d.err(), what="it runs")
    assert stop_takes(d) == 0


def test_stopped_twice(tmp_path, fake_broker, simulate, daemon):
    """A second SIGTERM while it is stopping changes nothing."""
    bench = Bench(tmp_path, fake_broker(mute).url).add("m1", "tcp1")
    bench.simulate(simulate)
    d = daemon(bench.write())
    wait_until(lambda: bench.requests() > 2, what="it polls")
    d.signal(signal.SIGTERM)
    d.signal(signal.SIGTERM)
    assert stop_takes(d) == 0


# ---- exit codes ---------------------------------------------------------------------------------


def run(*argv, timeout=10, env=None):
    return subprocess.run([BUILD / "labpulsed", *map(str, argv)], capture_output=True, text=True,
                          timeout=timeout, stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})})


@pytest.mark.parametrize("argv", [["--nonsense"], ["extra"], ["--log-level", "loud"], ["-c"]])
def test_bad_command_line(argv):
    done = run(*argv)
    assert done.returncode == 64 and done.stderr


def test_help_and_version():
    assert run("--help").returncode == 0 and "usage:" in run("--help").stdout
    done = run("--version")
    assert done.returncode == 0 and done.stdout.startswith("labpulsed ")


def test_second_daemon_on_one_control_socket(tmp_path, broker, simulate, daemon):
    bench = Bench(tmp_path, broker.url).add("m1", "tcp1")
    bench.simulate(simulate)
    d = daemon(bench.write())
    wait_until(lambda: (tmp_path / "control").exists(), what="it listens")
    bench.config["spool"]["path"] = str(tmp_path / "other")
    done = run("-c", bench.write(), "--profiles", bench.profiles)
    assert done.returncode == 75 and f"pid {d.pid}" in done.stderr
    assert d.running() and (tmp_path / "control").exists()


def test_second_daemon_on_one_spool(tmp_path, broker, subscribe, simulate, daemon):
    bench = Bench(tmp_path, broker.url).add("m1", "tcp1")
    bench.simulate(simulate)
    d = daemon(bench.write())
    sub = subscribe(broker.port)
    sub.wait_for(lambda m: True, topic="machines/m1/telemetry")
    bench.config["control"] = str(tmp_path / "other")
    done = run("-c", bench.write(), "--profiles", bench.profiles)
    assert done.returncode == 1 and f"pid {d.pid}" in done.stderr
    mark = sub.mark()
    sub.wait_for(lambda m: True, topic="machines/m1/telemetry", since=mark)


def test_stale_control_socket_is_no_obstacle(tmp_path, broker, simulate, daemon):
    bench = Bench(tmp_path, broker.url).add("m1", "tcp1")
    bench.simulate(simulate)
    d = daemon(bench.write())
    wait_until(lambda: (tmp_path / "control").exists(), what="it listens")
    d.kill()
    assert (tmp_path / "control").exists()
    d = daemon(bench.path)
    wait_until(lambda: "m1/s1: answers" in d.err(), what="it runs")
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(tmp_path / "control"))


def huge(path):
    with open(path, "wb") as f:
        f.truncate(1 << 30)


@pytest.mark.parametrize("make", [
    lambda p: None, lambda p: p.mkdir(), os.mkfifo, huge, lambda p: p.write_text("park: [\n"),
    lambda p: p.write_text(""), lambda p: p.write_bytes(b"park: a\0b\n"), lambda p: p.symlink_to("/dev/zero"),
    lambda p: p.write_text("a: &a [1]\nb: *a\n"), lambda p: p.write_text("[" * 100000),
], ids=["missing", "directory", "fifo", "1 GB", "broken", "empty", "nul", "device", "alias", "deep"])
def test_bad_configuration(tmp_path, make):
    path = tmp_path / "labpulse.yaml"
    make(path)
    slow = 5 if "san" in str(BUILD) else 1
    began = time.monotonic()
    done = run("-c", path)
    assert done.returncode == 78, done
    assert time.monotonic() - began < slow
    assert str(path) in done.stderr and "error" in done.stderr


def test_every_problem_is_said(tmp_path):
    path = tmp_path / "labpulse.yaml"
    path.write_text("park: Ryazan!\nlanguage: de\nmqtt: {brokers: []}\nmachinez: []\n")
    done = run("-c", path)
    assert done.returncode == 78
    for line, word in ((1, "park"), (2, "language"), (3, "brokers"), (4, "machines")):
        assert any(f":{line}:" in l and word in l for l in done.stderr.splitlines()), done.stderr
