# SPDX-License-Identifier: MIT
"""What a broker may answer, code by code (MQTT 5.0, 2.4), and what the daemon does about it.

One row is one code. `reconnect` is 200 ms to 2 s here: "long" is 2 s to 4 s, "longer" 4 s to 6 s.
"""
import json
import struct
import time

import pytest

from bench import Bench
from conftest import wait_until
from fakebroker import CONNACK, hang_up, hold, refuse, serve

TELEMETRY, EVENT = "machines/m1/telemetry", "machines/m1/event"
MAXIMUM_PACKET_SIZE = 0x27
MIN_S, MAX_S = 0.2, 2.0


@pytest.fixture
def run(tmp_path, fake_broker, simulate, daemon, labpulse):
    """run(script, …) -> the fake broker, its daemon and its tool."""
    def start(*scripts, urls=(), **mqtt):
        fake = fake_broker(*scripts)
        bench = Bench(tmp_path, fake.url).add("m1", "tcp1")
        reconnect = {"min": f"{int(MIN_S * 1000)}ms", "max": f"{int(MAX_S)}s"}
        bench.mqtt.update({"brokers": [fake.url, *urls], "reconnect": reconnect, **mqtt})
        bench.simulate(simulate)
        fake.daemon = daemon(bench.write())
        fake.tool = lambda *words: labpulse(*words, "--control", tmp_path / "control")
        return fake
    return start


def seqs(messages):
    return [json.loads(m.payload)["seq"] for m in messages if m.payload]


def wait_published(fake, suffix, n, timeout=15.0):
    return wait_until(lambda: len(fake.published(suffix)) >= n and fake.published(suffix), timeout=timeout,
                      what=f"{n} messages on {suffix}")


def wait_readings(fake):
    """Every reading from the first to the last, live or as history, however often."""
    def all_there():
        numbers = set(seqs(fake.published(TELEMETRY)))
        for m in fake.published("machines/m1/history"):
            numbers |= {r["seq"] for r in json.loads(m.payload)["records"]}
        return numbers == set(range(1, max(numbers) + 1))
    wait_until(all_there, what="readings without a gap")


def spool(fake):
    return fake.tool("spool", "--json").json


def letters(fake):
    return [json.loads(line) for line in fake.tool("spool", "export", "--dead").out.splitlines()]


def answer(reason, leaf=EVENT, only=None, times=None):
    """on_publish: this reason for messages of a topic (number `only` of it), at most `times` for each."""
    told = {}

    def on_publish(_, p):
        if not p.topic.endswith(leaf) or (only and seqs([p]) != [only]):
            return 0
        told[p.payload] = told.get(p.payload, 0) + 1
        return reason if times is None or told[p.payload] <= times else 0
    return on_publish


# ---- PUBACK ---------------------------------------------------------------------------------------
# code, the word in the log, what becomes of the event: taken, again (in time), waits, dead

PUBACKS = [
    (0x00, None, "taken"),
    (0x10, None, "taken"),
    (0x80, "unspecified error", "again"),
    (0x83, "implementation specific error", "again"),
    (0x87, "not authorized", "waits"),
    (0x90, "topic name invalid", "dead"),
    (0x91, "packet identifier in use", "reconnect"),
    (0x95, "packet too large", "dead"),
    (0x97, "quota exceeded", "waits"),
    (0x99, "payload format invalid", "dead"),
]


@pytest.mark.parametrize("code,word,becomes", PUBACKS, ids=[f"0x{c:02X}" for c, _, _ in PUBACKS])
def test_puback(run, code, word, becomes):
    """The first event of the machine gets this answer; readings go on beside it."""
    times = {"again": 1, "reconnect": 1}.get(becomes)
    fake = run(serve(answer(code, only=1, times=times)))
    first = wait_published(fake, EVENT, 1)[0]
    wait_published(fake, TELEMETRY, len(fake.published(TELEMETRY)) + 8)
    same = lambda: [p for p in fake.published(EVENT) if p.payload == first.payload]  # noqa: E731
    if word:
        wait_until(lambda: f"{word} (0x{code:02X})" in fake.daemon.err(), what="the log says so")
    if becomes == "taken":
        wait_until(lambda: spool(fake)["events"]["records"] == 0, what="it leaves the spool")
        assert len(same()) == 1 and not letters(fake) and "refused" not in fake.daemon.err()
    elif becomes == "again":
        wait_until(lambda: len(same()) == 2, what="it is sent again")
        wait_until(lambda: spool(fake)["events"]["records"] == 0, what="it leaves the spool")
        assert not letters(fake)
    elif becomes == "waits":
        assert len(same()) == 1 and spool(fake)["events"]["records"] >= 1 and not letters(fake)
    elif becomes == "reconnect":
        wait_until(lambda: len(fake.connections) >= 2 and len(same()) >= 2, what="it is sent again on a new connection")
        assert not letters(fake)
    else:
        wait_until(lambda: letters(fake), what="a dead letter")
        assert [(l["topic"].split("/", 2)[2], l["reason"], l["payload"]) for l in letters(fake) if l["topic"].endswith(EVENT)] \
            == [(EVENT, code, json.loads(first.payload))]
        wait_until(lambda: spool(fake)["events"]["records"] == 0, what="it leaves the spool")
        assert len(same()) == 1, "it is not sent again"
    assert becomes == "reconnect" or len(fake.connections) == 1
    wait_readings(fake)


@pytest.mark.parametrize("code", [0x80, 0x83])
def test_puback_that_never_changes(run, code):
    """Three times more, then it is a dead letter."""
    fake = run(serve(answer(code, only=1)))
    wait_until(lambda: fake.daemon.running() and fake.tool("spool", "--json").code == 0 and letters(fake), timeout=60,
               what="a dead letter")
    tries = [p for p in fake.published(EVENT) if seqs([p]) == [1]]
    assert len(tries) == 4 and [l["reason"] for l in letters(fake)] == [code]


@pytest.mark.parametrize("code", [0x87, 0x97])
def test_puback_that_waits(run, code):
    """It comes with the next connection, before what was born later."""
    fake = run(serve(answer(code), seconds=2), serve())
    wait_until(lambda: len(fake.connections) == 2 and [p for p in fake.connections[1].published if p.topic.endswith(EVENT)],
               what="the event on the second connection")
    events = seqs(p for p in fake.connections[1].published if p.topic.endswith(EVENT))
    assert events == list(range(1, len(events) + 1)) and not letters(fake)


def test_publish_oversize(run):
    """Longer than the broker's Maximum Packet Size: the library does not take it, and it blocks nothing."""
    fake = run(serve(properties=bytes([MAXIMUM_PACKET_SIZE]) + struct.pack(">I", 200)))
    wait_until(lambda: [l for l in letters(fake) if l["topic"].endswith(EVENT)], what="a dead letter")
    assert all(l["reason"] == 0x95 and len(json.dumps(l["payload"], separators=(",", ":"))) > 100 for l in letters(fake))
    assert fake.published("gateways/gw1/availability") and len(fake.connections) == 1
    assert not [p for p in fake.published() if len(p.payload) > 200]


# ---- CONNACK ---------------------------------------------------------------------------------------


def pauses(fake, n):
    wait_until(lambda: len(fake.connections) > n, timeout=40, what=f"{n + 1} connections")
    at = [c.at for c in fake.connections]
    return [b - a for a, b in zip(at[:n], at[1:])]


SLACK_S = 1.0  # the refusal itself, and a busy computer

CONNACKS = [  # code, the word in the log, the least and the most pause before the next attempt
    (0x80, "unspecified error", MIN_S / 2, MIN_S),
    (0x86, "bad user name or password", MAX_S, 2 * MAX_S),
    (0x87, "not authorized", MAX_S, 2 * MAX_S),
    (0x88, "server unavailable", MAX_S, 2 * MAX_S),
    (0x89, "server busy", MAX_S, 2 * MAX_S),
    (0x97, "quota exceeded", MAX_S, 2 * MAX_S),
    (0x9F, "connection rate exceeded", MAX_S, 2 * MAX_S),
]


@pytest.mark.parametrize("code,word,least,most", CONNACKS, ids=[f"0x{c[0]:02X}" for c in CONNACKS])
def test_connack(run, code, word, least, most):
    fake = run(refuse(code), serve())
    took = pauses(fake, 1)[0]
    assert least - 0.05 <= took <= most + SLACK_S, took
    assert f"refused: {word} (0x{code:02X})" in fake.daemon.err()
    wait_published(fake, TELEMETRY, 3)
    assert fake.connections[1].connect.level == 5


def old_refusal(code):
    """A broker that refuses in the words of MQTT 3.1.1."""
    def script(conn):
        conn.read_connect()
        conn.send(CONNACK, bytes([0, code]))
        hold(conn, 0.2)
    return script


@pytest.mark.parametrize("code,word", [(2, "client identifier"), (3, "server unavailable"), (4, "bad user name"), (5, "not authorized")])
def test_connack_of_311(run, code, word):
    fake = run(old_refusal(code), serve(), protocol="3.1.1")
    assert MAX_S - 0.05 <= pauses(fake, 1)[0] <= 2 * MAX_S + SLACK_S
    assert f"refused: {word}" in fake.daemon.err()


@pytest.mark.parametrize("scripts", [[refuse(0x84)], [old_refusal(1)], [hang_up] * 3], ids=["0x84", "code-1", "closed-3-times"])
def test_another_protocol(run, scripts):
    """0x84, code 1 of version 3, or three closes without a CONNACK: version 3.1.1, and the alarm says so."""
    fake = run(*scripts, serve())
    wait_published(fake, "alarm/mqtt311", 1)
    assert [c.connect.level for c in fake.connections] == [5] * len(scripts) + [4]


@pytest.mark.parametrize("code", [0x9C, 0x9D])
@pytest.mark.parametrize("when", ["connack", "disconnect"])
def test_use_another_server(run, fake_broker, code, when):
    """The next broker of the list."""
    script = refuse(code) if when == "connack" else serve(seconds=0.3, then=lambda conn: conn.say_disconnect(code))
    other = fake_broker(serve())
    fake = run(script, urls=[other.url])
    wait_published(other, TELEMETRY, 3)
    assert len(fake.connections) == 1 and f"(0x{code:02X})" in fake.daemon.err()


# ---- DISCONNECT ------------------------------------------------------------------------------------

DISCONNECTS = [
    (0x8B, "server shutting down", MIN_S / 2, MAX_S),
    (0x8D, "keep alive time-out", MIN_S / 2, MIN_S),
    (0x8E, "session taken over", 2 * MAX_S, 3 * MAX_S),
    (0x93, "receive maximum exceeded", MIN_S / 2, MIN_S),
    (0x95, "packet too large", MIN_S / 2, MIN_S),
    (0x96, "message rate too high", MAX_S, 2 * MAX_S),
    (0x97, "quota exceeded", MAX_S, 2 * MAX_S),
    (0x98, "administrative action", MAX_S, 2 * MAX_S),
]


def end_with(code, seconds=0.3, on_publish=None):
    return serve(on_publish, seconds=seconds, then=lambda conn: conn.say_disconnect(code))


@pytest.mark.parametrize("code,word,least,most", DISCONNECTS, ids=[f"0x{c[0]:02X}" for c in DISCONNECTS])
def test_disconnect(run, code, word, least, most):
    fake = run(end_with(code), serve())
    took = pauses(fake, 1)[0] - 0.3
    assert least - 0.05 <= took <= most + SLACK_S, took
    assert f"ended by the broker: {word}" in fake.daemon.err() and f"(0x{code:02X})" in fake.daemon.err()
    wait_published(fake, TELEMETRY, 6)
    wait_readings(fake)


def test_shutting_down_spreads(run):
    """The clients of a broker that restarts do not come back together."""
    fake = run(end_with(0x8B, 0.1), reconnect={"min": "100ms", "max": "5s"})
    took = pauses(fake, 3)
    assert max(took) > 0.1 + 0.4 + 0.2, f"the normal pauses are up to 100, 200 and 400 ms: {took}"


def test_a_second_client_is_an_alarm(run):
    fake = run(end_with(0x8E), serve())
    alarm = json.loads(wait_published(fake, "gateways/gw1/alarm/duplicate-client", 1)[0].payload)
    assert alarm["active"] and alarm["severity"] == "error" and "name" in alarm["hint"]


@pytest.mark.parametrize("code", [0x93, 0x96])
def test_less_at_a_time(run, code):
    """The window is halved each time, down to one."""
    nothing = lambda conn, p: None  # noqa: E731
    fake = run(*[end_with(code, 1.5, nothing) for _ in range(3)], serve(nothing), window=4)
    for i, window in enumerate((4, 2, 1, 1)):
        wait_until(lambda: len(fake.connections) > i and fake.connections[i].unacked == window, timeout=20, what=f"{window} at a time")
    time_is_up = time.monotonic() + 1
    wait_until(lambda: time.monotonic() > time_is_up, what="no more come")
    assert [c.most_unacked for c in fake.connections] == [4, 2, 1, 1]


def test_disconnect_because_of_one_message(run):
    """The broker drops us for a message that is too large: none so long is sent to it again, the rest arrives."""
    def script(conn):
        conn.read_connect()
        conn.connack(0)
        while True:
            too_large = []
            conn.handle(on_publish=lambda c, p: too_large.append(p) if len(p.payload) > 400 else 0)
            if too_large:
                conn.say_disconnect(0x95)
                hold(conn, 0.2)
                return
    fake = run(script)
    wait_until(lambda: any(sum(p.topic.endswith(TELEMETRY) for p in c.published) > 15 for c in fake.connections), timeout=30,
               what="a connection that holds")
    wait_readings(fake)
