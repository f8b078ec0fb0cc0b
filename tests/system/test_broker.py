# SPDX-License-Identifier: MIT
"""Brokers that die, lie, stall and refuse. Whatever they do: polling goes on, the CPU rests, and
the daemon is back when they are."""
import json
import os
import re
import signal
import socket
import struct
import subprocess
import time
from collections import Counter

import pytest

from bench import Bench
from conftest import TOP, is_complete, telemetry_seqs, wait_until
from fakebroker import hang_up, hold, mute, refuse, serve, serve_311

TELEMETRY = "machines/m1/telemetry"
STATE = "machines/m1/state"
RECEIVE_MAXIMUM, MAXIMUM_PACKET_SIZE = 0x21, 0x27


def start(tmp_path, simulate, daemon, *urls, env=None, **mqtt):
    bench = Bench(tmp_path, urls[0]).add("m1", "tcp1")
    bench.mqtt.update(brokers=list(urls), **mqtt)
    bench.simulate(simulate)
    return bench, daemon(bench.write(), env=env)


def assert_calm(bench, d, seconds=3.0, least_polls=4):
    """Polling goes on and the CPU rests while the broker is in its bad state."""
    began, asked, cpu = time.monotonic(), bench.requests(), d.cpu_s()
    time.sleep(seconds)
    took = time.monotonic() - began
    assert bench.requests() - asked >= least_polls * seconds, "polling stopped"
    assert (d.cpu_s() - cpu) / took < 0.06 * slow(), f"{d.cpu_s() - cpu} s of CPU in {took} s"
    assert d.running()


def slow():
    """Sanitizers cost CPU."""
    return 10 if "asan" in os.environ.get("BUILD", "") or "tsan" in os.environ.get("BUILD", "") else 1


def seqs(messages):
    return [json.loads(m.payload)["seq"] for m in messages]


def wait_all_there(*collected, first=None):
    """Every number of m1's telemetry from the first to the last, live or as history. `collected`: functions
    that return messages."""
    numbers = lambda: telemetry_seqs([m for messages in collected for m in messages()])
    wait_until(lambda: is_complete(numbers(), first), what=f"all there: {sorted(set(numbers()))}")
    return numbers()


def wait_published(fake, suffix, n=1, timeout=15.0):
    return wait_until(lambda: (p := fake.published(suffix)) if len(fake.published(suffix)) >= n else None,
                      what=f"{n} messages on {suffix}", timeout=timeout)


# ---- a broker that dies -----------------------------------------------------------------------


def tls_listener(certificates, name="server", more=""):
    return (f"certfile {certificates}/{name}.pem\nkeyfile {certificates}/{name}.key\n"
            f"cafile {certificates}/ca.pem\n{more}")


@pytest.mark.parametrize("kind", ["plain", "tls"])
def test_broker_is_killed_and_comes_back(tmp_path, broker, certificates, subscribe, simulate, daemon, kind):
    listener, url, options, client = "", broker.url, {}, {}
    if kind == "tls":
        broker.stop()
        listener = tls_listener(certificates)
        broker.start(listener)
        url, options = f"mqtts://localhost:{broker.port}", {"ca_file": f"{certificates}/ca.pem"}
        client = {"ca_file": f"{certificates}/ca.pem", "host": "localhost"}
    bench, d = start(tmp_path, simulate, daemon, url, reconnect={"min": "2s", "max": "2s"}, **options)
    first = subscribe(broker.port, **client)
    first.wait_for(lambda m: m.json["seq"] >= 3, topic=TELEMETRY)
    broker.kill()
    wait_until(lambda: d.err().count("; trying again") == 1, what="the log says so")
    assert_calm(bench, d)
    os.kill(d.pid, signal.SIGSTOP)  # the subscriber is to be there before the daemon is back
    broker.start(listener)
    second = subscribe(broker.port, **client)
    os.kill(d.pid, signal.SIGCONT)
    second.wait_for(lambda m: m.text == "online", topic="gateways/gw1/availability")
    last = seqs(first.find(TELEMETRY))[-1]
    second.wait_for(lambda m: m.json["seq"] >= last + 12, topic=TELEMETRY)
    wait_all_there(first.find, second.find)
    assert second.find(topic=STATE) and second.find(topic="machines/m1/info")
    assert d.err().count("; trying again") <= 2, "lost, and refused"


# ---- certificates and passwords -----------------------------------------------------------------


@pytest.mark.parametrize("ca,server,host,reason", [
    ("other-ca", "server", "localhost", "certificate|TLS|protocol"),
    ("ca", "elsewhere", "localhost", "certificate|TLS|protocol"),
    ("ca", "elsewhere", "127.0.0.1", "certificate|TLS|protocol"),
], ids=["wrong-ca", "other-host", "other-address"])
def test_untrusted_server(tmp_path, broker, certificates, subscribe, simulate, daemon, ca, server, host, reason):
    broker.stop()
    broker.start(tls_listener(certificates, server))
    bench, d = start(tmp_path, simulate, daemon, f"mqtts://{host}:{broker.port}", ca_file=f"{certificates}/{ca}.pem")
    wait_until(lambda: re.search(r"mqtt: .*(%s).*trying again" % reason, d.err()), what="the log says why")
    assert_calm(bench, d)
    assert "connected" not in d.err()
    assert d.err().count("trying again") == 1, d.err()
    broker.stop()
    broker.start(tls_listener(certificates))
    bench.mqtt["ca_file"] = f"{certificates}/ca.pem"
    bench.write()
    d.reload()
    wait_until(lambda: "mqtt: connected" in d.err(), what="the right certificate")


def test_client_certificate(tmp_path, broker, certificates, simulate, daemon):
    broker.stop()
    broker.start(tls_listener(certificates, more="require_certificate true\n"))
    bench, d = start(tmp_path, simulate, daemon, f"mqtts://localhost:{broker.port}", ca_file=f"{certificates}/ca.pem")
    wait_until(lambda: "trying again" in d.err(), what="it is refused")
    assert_calm(bench, d)
    assert "connected" not in d.err()
    bench.mqtt.update(cert_file=f"{certificates}/client.pem", key_file=f"{certificates}/client.key")
    bench.write()
    d.reload()
    wait_until(lambda: "mqtt: connected" in d.err(), what="the certificate is taken")
    assert "MQTT 5" in d.err()


def test_wrong_password_then_right(tmp_path, broker, simulate, daemon):
    broker.stop()
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "p1", "right"], check=True)
    passwords.chmod(0o644)
    broker.start(f"password_file {passwords}\n", anonymous="false")
    secret = tmp_path / "secret"
    secret.write_text("wrong-hunter2\n")
    bench, d = start(tmp_path, simulate, daemon, broker.url, password_file=str(secret))
    wait_until(lambda: "refused: " in d.err(), what="the log says so")
    assert_calm(bench, d)
    assert "hunter2" not in d.err()
    secret.write_text("right\n")
    wait_until(lambda: "mqtt: connected" in d.err(), what="the new password is read")


# ---- refusals -----------------------------------------------------------------------------------


def test_connack_server_unavailable(tmp_path, fake_broker, simulate, daemon):
    fake = fake_broker(refuse(0x88), refuse(0x88), refuse(0x88), serve())
    bench, d = start(tmp_path, simulate, daemon, fake.url, reconnect={"min": "100ms", "max": "2s"})
    wait_until(lambda: "server unavailable (0x88)" in d.err(), what="the log says so")
    assert_calm(bench, d, 2)
    wait_published(fake, TELEMETRY)
    times = [c.at for c in fake.connections]
    assert all(1.9 <= b - a <= 6 for a, b in zip(times, times[1:])), "a busy broker is left alone"
    assert d.err().count("trying again") == 1
    assert all(c.connect.level == 5 for c in fake.connections)


def test_what_connect_says(tmp_path, fake_broker, simulate, daemon):
    fake = fake_broker(serve())
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    _, d = start(tmp_path, simulate, daemon, fake.url, password_file=str(secret), keepalive="20s")
    wait_published(fake, TELEMETRY)
    c = fake.connections[0].connect
    assert (c.protocol, c.level, c.client_id, c.keepalive) == ("MQTT", 5, "p1-gw1", 20)
    assert (c.username, c.password) == ("p1", b"s3cret")
    assert (c.will_topic, c.will, c.will_qos, c.will_retain) == ("parks/p1/gateways/gw1/availability", b"offline", 1, True)
    first = [p.topic for p in fake.published()][:3]
    assert first[0].endswith("gateways/gw1/availability") and first[1].endswith("gateways/gw1/info")
    assert all(p.qos == 1 and not p.dup for p in fake.published())
    assert d.stop() == 0
    assert fake.connections[0].disconnect == 0
    last = fake.published()[-1]
    assert last.topic.endswith("gw1/availability") and last.payload == b"offline" and last.retain


def test_disconnect_server_shutting_down(tmp_path, fake_broker, simulate, daemon):
    fake = fake_broker(serve(seconds=1.5, then=lambda c: c.say_disconnect(0x8B)), serve())
    _, d = start(tmp_path, simulate, daemon, fake.url)
    wait_until(lambda: "server shutting down (0x8B)" in d.err(), what="the log says so")
    wait_until(lambda: len(fake.connections) == 2 and len(fake.connections[1].published) > 12, what="it is back")
    wait_all_there(fake.published)
    assert all(c.connect.level == 5 for c in fake.connections)


def test_mute_broker(tmp_path, fake_broker, simulate, daemon):
    fake = fake_broker(mute, serve())
    bench, d = start(tmp_path, simulate, daemon, fake.url)
    assert_calm(bench, d)
    wait_published(fake, TELEMETRY, 20)
    assert "no CONNACK" in d.err()
    assert 9 <= fake.connections[1].at - fake.connections[0].at <= 14
    wait_all_there(fake.published)


def test_broker_that_falls_silent(tmp_path, fake_broker, simulate, daemon):
    """The connection stands, nothing is answered any more: two keepalives, then a new one."""
    def fall_silent(conn):
        hold(conn, 60)
    fake = fake_broker(serve(seconds=1, then=fall_silent), serve())
    bench, d = start(tmp_path, simulate, daemon, fake.url, keepalive="5s")
    wait_published(fake, TELEMETRY, 2)
    assert_calm(bench, d)
    wait_until(lambda: len(fake.connections) == 2, timeout=18, what="a new connection")
    wait_until(lambda: len(fake.connections[1].published) > 20, what="what waited")
    wait_all_there(fake.published)


def test_reconnecting_slows_down(tmp_path, fake_broker, simulate, daemon):
    """Also when the broker accepts and then hangs up: only a connection that holds resets it."""
    fake = fake_broker(serve(seconds=0.01))
    bench, d = start(tmp_path, simulate, daemon, fake.url, reconnect={"min": "100ms", "max": "30s"})
    wait_until(lambda: len(fake.connections) >= 4, what="attempts")
    assert_calm(bench, d, 5)
    assert len(fake.connections) <= 20, "full jitter from 100 ms on: about 8 in 8 s; without growth 100"


# ---- limits -------------------------------------------------------------------------------------


def test_receive_maximum_one(tmp_path, fake_broker, simulate, daemon):
    def slowly(conn, p):
        time.sleep(0.02)
        conn.sock.setblocking(False)
        try:
            more = conn.buffer + conn.sock.recv(4096)
        except BlockingIOError:
            more = conn.buffer
        assert not any(b >> 4 == 3 for b in more[:1]), "a second message before the PUBACK of the first"
        conn.buffer = more
        return 0
    fake = fake_broker(serve(slowly, properties=bytes([RECEIVE_MAXIMUM, 0, 1])))
    start(tmp_path, simulate, daemon, fake.url)
    wait_published(fake, TELEMETRY, 10)
    wait_all_there(fake.published)


def test_window(tmp_path, fake_broker, simulate, daemon):
    fake = fake_broker(serve(lambda conn, p: None))
    bench, d = start(tmp_path, simulate, daemon, fake.url, window=4)
    wait_until(lambda: fake.connections and fake.connections[0].unacked == 4, what="a full window")
    assert_calm(bench, d, 2)
    assert fake.connections[0].most_unacked == 4


def test_maximum_packet_size(tmp_path, fake_broker, simulate, daemon):
    fake = fake_broker(serve(properties=bytes([MAXIMUM_PACKET_SIZE]) + struct.pack(">I", 400)))
    _, d = start(tmp_path, simulate, daemon, fake.url)
    wait_published(fake, TELEMETRY, 5)
    wait_until(lambda: "packet too large (0x95)" in d.err(), what="the log says so")
    assert not fake.published("machines/m1/info"), "longer than 400 bytes"
    assert fake.published("gateways/gw1/availability")
    assert len(fake.connections) == 1
    wait_all_there(fake.published)


# ---- PUBACK reason codes ------------------------------------------------------------------------


def test_not_authorized_pauses_that_lane_only(tmp_path, fake_broker, simulate, daemon):
    """0x87: it is kept and tried again after the next connect, in order; the rest goes on."""
    refused = lambda conn, p: 0x87 if p.topic.endswith(TELEMETRY) else 0
    fake = fake_broker(serve(refused, seconds=3), serve())
    bench, d = start(tmp_path, simulate, daemon, fake.url)
    wait_until(lambda: "not authorized (0x87)" in d.err(), what="the log says so")
    wait_until(lambda: len(fake.connections) == 2 and len([p for p in fake.connections[1].published if p.topic.endswith(TELEMETRY)]) > 12, what="the second connection")
    assert len([p for p in fake.connections[0].published if p.topic.endswith(TELEMETRY)]) <= 16
    assert fake.connections[0].published[-1].topic != TELEMETRY
    wait_all_there(lambda: list(fake.connections[1].published), first=1)  # nothing was accepted before
    assert d.err().count("not authorized") <= 2, "told once, not for each message"


def test_quota_exceeded_waits(tmp_path, fake_broker, simulate, daemon):
    refused = lambda conn, p: 0x97 if p.topic.endswith(TELEMETRY) else 0
    fake = fake_broker(serve(refused, seconds=4), serve())
    bench, d = start(tmp_path, simulate, daemon, fake.url)
    wait_until(lambda: "quota exceeded (0x97)" in d.err(), what="the log says so")
    wait_until(lambda: len(fake.connections) == 2 and len([p for p in fake.connections[1].published if p.topic.endswith(TELEMETRY)]) > 12, what="the second connection")
    assert len([p for p in fake.connections[0].published if p.topic.endswith(TELEMETRY)]) <= 16
    wait_all_there(lambda: list(fake.connections[1].published), first=1)


def test_unspecified_error_is_tried_again(tmp_path, fake_broker, simulate, daemon):
    times = Counter()

    def first_time(conn, p):
        times[p.payload] += 1
        return 0x80 if p.topic.endswith(TELEMETRY) and seqs([p]) == [2] and times[p.payload] == 1 else 0
    fake = fake_broker(serve(first_time))
    start(tmp_path, simulate, daemon, fake.url)
    wait_until(lambda: 2 in times.values(), what="the refused message again", timeout=10)
    wait_published(fake, TELEMETRY, 20)
    wait_all_there(fake.published)


def test_never_acceptable_blocks_nothing(tmp_path, fake_broker, simulate, daemon):
    refused = lambda conn, p: 0x99 if p.topic.endswith(TELEMETRY) and seqs([p])[0] % 2 else 0
    fake = fake_broker(serve(refused))
    start(tmp_path, simulate, daemon, fake.url)
    numbers = seqs(wait_published(fake, TELEMETRY, 12))
    assert numbers == list(range(1, len(numbers) + 1)), "none again, none left out"


def test_packet_id_in_use_is_no_reason_to_race(tmp_path, fake_broker, simulate, daemon):
    """0x91 asks for a new connection, but not for a hundred a second."""
    fake = fake_broker(serve(lambda conn, p: 0x91 if p.topic.endswith(TELEMETRY) else 0))
    bench, d = start(tmp_path, simulate, daemon, fake.url, reconnect={"min": "200ms", "max": "2s"})
    wait_until(lambda: len(fake.connections) >= 2, what="a new connection")
    assert_calm(bench, d)
    assert len(fake.connections) <= 15, len(fake.connections)


def test_new_settings_are_tried_at_once(tmp_path, fake_broker, simulate, daemon):
    bad, good = fake_broker(refuse(0x86)), fake_broker(serve())
    bench, d = start(tmp_path, simulate, daemon, bad.url, reconnect={"min": "1s", "max": "60s"})
    wait_until(lambda: "bad user name" in d.err(), what="the log says so")
    bench.mqtt["brokers"] = [good.url]
    bench.write()
    d.reload()
    wait_published(good, TELEMETRY, timeout=4)


# ---- MQTT 3.1.1 ---------------------------------------------------------------------------------


def assert_311(fake, d):
    wait_published(fake, TELEMETRY, 3)
    alarm = json.loads(wait_published(fake, "gateways/gw1/alarm/mqtt311")[0].payload)
    assert alarm["active"] and alarm["severity"] == "warning"
    health = wait_until(lambda: [p for p in fake.published("gateways/gw1/health") if json.loads(p.payload)["mqtt"]["protocol"] == "3.1.1"],
                        what="health says so")
    assert json.loads(health[-1].payload)["mqtt"]["state"] == "connected"
    assert "MQTT 3.1.1" in d.err()


@pytest.mark.parametrize("scripts", [[refuse(0x84), serve_311], [serve_311], [hang_up, hang_up, hang_up, serve_311]],
                         ids=["connack-0x84", "connack-1", "three-closes"])
def test_falls_back_to_311(tmp_path, fake_broker, simulate, daemon, scripts):
    fake = fake_broker(*scripts)
    _, d = start(tmp_path, simulate, daemon, fake.url)
    assert_311(fake, d)
    assert [c.connect.level for c in fake.connections] == [5] * max(1, len(scripts) - 1) + [4]


def test_no_311_for_a_broker_that_knows_5(tmp_path, fake_broker, simulate, daemon):
    fake = fake_broker(serve(seconds=0.5), hang_up, hang_up, hang_up, hang_up, serve())
    start(tmp_path, simulate, daemon, fake.url)
    wait_until(lambda: len(fake.connections) == 6 and len(fake.connections[5].published) > 3, timeout=20, what="it is back")
    assert {c.connect.level for c in fake.connections} == {5}


def test_protocol_can_be_fixed(tmp_path, fake_broker, simulate, daemon):
    fake = fake_broker(serve())
    start(tmp_path, simulate, daemon, fake.url, protocol="3.1.1")
    wait_published(fake, TELEMETRY)
    assert fake.connections[0].connect.level == 4


# ---- several brokers ----------------------------------------------------------------------------


def test_fail_over_and_back(tmp_path, broker, subscribe, simulate, daemon, spawn, free_port):
    from conftest import Broker
    second = Broker(spawn, tmp_path, free_port()).start()
    bench, d = start(tmp_path, simulate, daemon, broker.url, second.url)
    sub = subscribe(broker.port)
    sub.wait_for(lambda m: m.json["seq"] >= 2, topic=TELEMETRY)
    other = subscribe(second.port)
    broker.kill()
    other.wait_for(lambda m: m.text == "online", topic="gateways/gw1/availability")
    other.wait_for(lambda m: m.json["seq"] > seqs(sub.find(TELEMETRY))[-1] + 3, topic=TELEMETRY)
    wait_all_there(sub.find, other.find)
    broker.start()
    back = subscribe(broker.port)
    second.kill()
    back.wait_for(lambda m: m.text == "online", topic="gateways/gw1/availability")
    back.wait_for(lambda m: True, topic="machines/m1/info")


def test_fall_back_beside_a_dead_broker(tmp_path, fake_broker, simulate, daemon, free_port):
    """What one broker said must not be forgotten, nor held against the next one."""
    fake = fake_broker(serve_311)
    _, d = start(tmp_path, simulate, daemon, fake.url, f"mqtt://127.0.0.1:{free_port()}")
    assert_311(fake, d)
    assert [c.connect.level for c in fake.connections] == [5, 4]


def test_old_broker_does_not_spoil_the_next(tmp_path, fake_broker, simulate, daemon):
    old, good = fake_broker(refuse(0x84)), fake_broker(hang_up, serve())
    start(tmp_path, simulate, daemon, old.url, good.url)
    wait_published(good, TELEMETRY)
    assert {c.connect.level for c in good.connections} == {5}


def test_failures_are_told_once(tmp_path, fake_broker, simulate, daemon, free_port):
    """Two brokers that fail in two ways, by turns."""
    fake = fake_broker(refuse(0x89))
    bench, d = start(tmp_path, simulate, daemon, fake.url, f"mqtt://127.0.0.1:{free_port()}", reconnect={"min": "100ms", "max": "200ms"})
    wait_until(lambda: len(fake.connections) >= 5, what="five rounds")
    assert d.err().count("trying again") == 2, d.err()
    fake.scripts = [serve()]
    wait_until(lambda: "connected to" in d.err(), what="a connection")


def test_late_will(tmp_path, broker, subscribe, simulate, daemon):
    start(tmp_path, simulate, daemon, broker.url)
    sub = subscribe(broker.port)
    name = "parks/p1/gateways/gw1/availability"
    sub.wait_for(lambda m: m.text == "online", topic=name)
    for text in (b"offline", b""):
        mark = sub.mark()
        sub.client.publish(name, text, qos=1, retain=True)
        sub.wait_for(lambda m: m.payload == text, topic=name, since=mark)
        sub.wait_for(lambda m: m.text == "online", topic=name, since=mark)
        assert subscribe(broker.port).wait_for(lambda m: m.retain, topic=name).text == "online"


# ---- names and addresses that lead nowhere --------------------------------------------------------


@pytest.fixture(scope="session")
def slow_dns(tmp_path_factory):
    """Environment in which "slow.example.org" takes a minute to fail."""
    library = tmp_path_factory.mktemp("slowdns") / "slowdns.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", library,
                    TOP / "tests" / "system" / "slowdns.c", "-ldl"], check=True)
    options = ":".join(filter(None, [os.environ.get("ASAN_OPTIONS"), "verify_asan_link_order=0"]))
    return {"LD_PRELOAD": str(library), "SLOWDNS_NAME": "slow.example.org", "SLOWDNS_S": "60", "ASAN_OPTIONS": options}


def test_slow_dns(tmp_path, slow_dns, simulate, daemon):
    bench, d = start(tmp_path, simulate, daemon, "mqtt://slow.example.org:1883", env=slow_dns)
    assert_calm(bench, d)
    began = time.monotonic()
    assert d.stop() == 0
    assert time.monotonic() - began < 5


@pytest.fixture
def black_hole():
    """A port whose SYNs nobody answers: the queue of a listener that never accepts is full."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    held = []
    for _ in range(8):
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex(listener.getsockname())
        held.append(s)
    yield listener.getsockname()[1]
    for s in held + [listener]:
        s.close()


def test_black_hole(tmp_path, black_hole, fake_broker, simulate, daemon):
    fake = fake_broker(serve())
    bench, d = start(tmp_path, simulate, daemon, f"mqtt://127.0.0.1:{black_hole}", fake.url)
    assert_calm(bench, d)
    wait_published(fake, TELEMETRY, 30, timeout=20)
    wait_all_there(fake.published)


def test_stop_while_connecting(tmp_path, black_hole, simulate, daemon):
    bench, d = start(tmp_path, simulate, daemon, f"mqtt://127.0.0.1:{black_hole}")
    wait_until(lambda: bench.requests() > 3, what="polls")
    began = time.monotonic()
    assert d.stop() == 0
    assert time.monotonic() - began < 5
