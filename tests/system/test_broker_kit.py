# SPDX-License-Identifier: MIT
"""The broker kit: a real Mosquitto with the files of config/broker, and each of their lines is tried."""
import json
import os
import re
import ssl
import subprocess
import tempfile
import time

import paho.mqtt.client as paho
import pytest

from bench import Bench
from conftest import wait_until
from kit import SCRIPT, SHIPPED, Kit, tool

ROLES = {"ops": ("operator",), "screen": ("console",), "alerts": ("bridge",), "store": ("archiver",), "ha1": ("homeassistant", "p1"),
         "ha2": ("homeassistant", "p2"), "ha-live": ("homeassistant", "live")}
# What two parks have at the broker.
TOPICS = [f"{park}/{leaf}" for park in ("parks/p1", "parks/p2") for leaf in (
    "gateways/gw1/availability", "gateways/gw1/info", "gateways/gw1/health", "gateways/gw1/alarm/disk", "gateways/gw1/event",
    "gateways/gw1/gap", "machines/m1/availability", "machines/m1/info", "machines/m1/state", "machines/m1/telemetry",
    "machines/m1/history", "machines/m1/usage", "machines/m1/job", "machines/m1/event", "machines/m1/alarm/hot")]
ACK = "parks/p1/gateways/gw1/ack"
DISCOVERY = ["homeassistant/device/p1/m1/config", "homeassistant/device/p2/m1/config"]
STATUS = "homeassistant/status"
ALL = TOPICS + DISCOVERY + [ACK, STATUS]


def below(*patterns):
    return {t for t in ALL for p in patterns if re.fullmatch(p, t)}


# Everybody may also read STATUS: `pattern` lines hold for all, and this one has no name in it.
READS = {
    "p1": below("parks/p1/gateways/.+/(availability|alarm/.+|ack)", "parks/p1/machines/.+"),
    "ops": below("parks/.+"),
    "screen": below("parks/.+"),
    "alerts": below("parks/.+/machines/.+/(info|availability|state|usage|alarm/.+)", "parks/.+/gateways/.+/(availability|health|alarm/.+)"),
    "store": below("parks/.+"),
    "ha1": below("parks/p1/.+", DISCOVERY[0]),
}
WRITES = {
    "p1": below("parks/p1/.+", DISCOVERY[0]),
    "ops": set(), "screen": set(), "alerts": set(), "store": {ACK}, "ha1": {STATUS},
}


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    """Two parks and a user of each role; nothing in it is broken by its tests."""
    kit = Kit(tmp_path_factory.mktemp("kit"))
    for park in ("p1", "p2", "live"):
        kit.park(park)
    for name, role in ROLES.items():
        kit.user(name, *role)
    tool(kit.files, "park", "p3", "--cert")
    kit.start()
    yield kit
    kit.process.stop()


@pytest.fixture
def own(tmp_path):
    """A kit of this test alone, with park p1 and the operator ops, not started yet."""
    kit = Kit(tmp_path / "kit") if not (tmp_path / "kit").mkdir() else None
    kit.park("p1")
    kit.user("ops", "operator")
    yield kit
    if kit.process:
        kit.process.stop()


@pytest.fixture
def connect(request):
    """connect(kit, who, …) -> Client, closed after the test."""
    opened = []

    def start(kit, who, **options):
        opened.append(kit.client(who, **options))
        return opened[-1]

    yield start
    for client in opened:
        client.close()


# ---- who may come in ------------------------------------------------------------------------------


@pytest.mark.parametrize("port, transport", [("8883", "tcp"), ("8083", "websockets")])
def test_only_with_name_and_password(kit, connect, port, transport):
    refused = [connect(kit, who, password=word, port=port, transport=transport).code
               for who, word in ((None, None), ("p1", "wrong"), ("p1", ""), ("p1", kit.users["p2"]), ("nobody", "x"))]
    assert all(code in (134, 135) for code in refused), refused
    assert connect(kit, "p1", port=port, transport=transport).code == 0


def test_only_tls(kit):
    for port in kit.ports.values():
        done = subprocess.run(["mosquitto_pub", "-h", "localhost", "-p", str(port), "-u", "p1", "-P", kit.users["p1"], "-t", "parks/p1/x", "-m", "x"],
                              capture_output=True, timeout=15)
        assert done.returncode, f"port {port} speaks without TLS"


def test_a_name_is_no_pattern(own, connect):
    """Whoever got a user `+` or `#` into the file would be every park, if mosquitto replaced %u blindly."""
    for name in ("+", "#"):
        assert tool(own.files, "park", name, check=False).returncode == 64
        subprocess.run(["mosquitto_passwd", "-b", own.files / "passwd", name, "x"], check=True)
        own.users[name] = "x"
    own.start()
    watch = connect(own, "ops").subscribe("parks/#")
    for name in ("+", "#"):
        assert own.publish(name, "parks/p1/machines/m1/state") != ""
    assert own.publish("p1", "parks/p1/machines/m1/job") == ""
    watch.wait_for("parks/p1/machines/m1/job")
    assert watch.topics() == {"parks/p1/machines/m1/job"}


def test_a_certificate_is_its_common_name(kit, connect):
    cert = [kit.files / "clients" / f"p3.{kind}" for kind in ("crt", "key")]
    watch = connect(kit, "ops").subscribe("parks/#")
    park = connect(kit, "p1", port="8884", cert=cert)  # says that it is p1
    assert park.code == 0
    for topic in ("parks/p1/machines/forged/state", "parks/p3/machines/m1/job"):
        park.publish(topic)
    watch.wait_for("parks/p3/machines/m1/job")
    assert "parks/p1/machines/forged/state" not in watch.topics()


def test_no_certificate_no_entry(kit, connect, certificates):
    for cert in (None, (certificates / "client.pem", certificates / "client.key"), (kit.files / "server.crt", kit.files / "server.key")):
        code = connect(kit, "p1", port="8884", cert=cert).code
        assert isinstance(code, OSError), f"{cert}: {code}"


# ---- who may read and write what ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def filled(kit):
    """Every topic is there, retained, written by whom it belongs to."""
    for topic in ALL:
        who = {ACK: "store", STATUS: "ha1"}.get(topic) or re.search("p[12]", topic).group()
        assert kit.publish(who, topic, "-r") == "", f"{who} may not write {topic}"
    return kit


@pytest.mark.parametrize("who", READS)
def test_reads(filled, connect, who):
    """Everybody subscribes to everything, and gets what is theirs."""
    client = connect(filled, who)
    end = f"parks/{who}/machines/end/info"
    client.subscribe("#", "$SYS/#")
    client.publish(end)
    client.wait_for(end)
    got = {t for t in client.topics() if not t.startswith("$SYS") and t != end}
    assert got & set(ALL) == READS[who] | {STATUS}
    assert any(t.startswith("$SYS/broker/clients") for t in client.topics()) == (who == "ops")


@pytest.mark.parametrize("who", WRITES)
def test_writes(filled, connect, who):
    store = connect(filled, "store").subscribe("parks/#")
    ha = [connect(filled, "ha1").subscribe("homeassistant/#"), connect(filled, "ha2").subscribe("homeassistant/#")]
    client = connect(filled, who)
    for topic in ALL:
        client.publish(topic, f"by {who}")
    fences = {"parks/p2/machines/end/info": [store], DISCOVERY[1]: ha[1:], DISCOVERY[0]: ha[:1]}
    for topic, readers in fences.items():
        filled.publish(re.search("p[12]", topic).group(), topic, payload="fence")
        for reader in readers:
            wait_until(lambda: any(m.payload == b"fence" for m in reader.messages), what=f"{topic} passed")
    written = {m.topic for reader in [store, *ha] for m in reader.messages if m.payload == f"by {who}".encode()}
    assert written & set(ALL) == WRITES[who]


def test_the_refusal_is_told(kit, connect):
    """MQTT 5 has a reason code for it, and it is no reason to end the connection (max_queued_messages 0 would be)."""
    assert "Not authorized" in kit.publish("p1", "parks/p2/machines/m1/state")
    client = connect(kit, "p1")
    for topic in ("parks/p2/machines/m1/state", "parks/p1/machines/m1/state"):
        client.publish(topic)
    assert not client.closed


def test_a_will_stays_in_its_park(kit, connect, spawn):
    watch = connect(kit, "ops").subscribe("parks/#")
    for i, topic in enumerate(("parks/p2/gateways/gw1/willed", "parks/p1/gateways/gw1/willed")):
        ready = f"parks/p1/machines/ready{i}/info"
        kit.publish("p1", ready, "-r")
        dying = spawn(f"dying{i}", ["mosquitto_sub", *kit.login("p1"), "-t", ready, "-v", "--will-topic", topic, "--will-payload", "x"])
        wait_until(lambda: ready in dying.out(), what="it is connected")
        gone = lambda: len(re.findall(r"Client \S+ closed its connection", kit.log()))
        before = gone()
        dying.kill()
        wait_until(lambda: gone() > before, what="mosquitto noticed")
    watch.wait_for("parks/p1/gateways/gw1/willed")
    assert "parks/p2/gateways/gw1/willed" not in watch.topics()


# ---- what is kept ------------------------------------------------------------------------------------


def test_retained_and_queued_outlive_the_broker(own, connect):
    """What an absent subscriber is to get, and what is retained, is on the disk soon after its PUBACK."""
    own.user("store", "archiver")
    own.start()
    connect(own, "store", session=86400, name="store").subscribe("parks/#").close()
    for kind, leaf, options in (("kept", "alarm/hot", ["-r"]), ("queued", "job", [])):
        assert own.publish("p1", f"parks/p1/machines/m1/{leaf}", *options, payload=kind) == ""
        wait_until(lambda: kind.encode() in own.database(), timeout=5, what=f"{kind} is on the disk")
    began = time.monotonic()
    for i in range(4):
        assert own.publish("p1", f"parks/p1/machines/m1/alarm/a{i}", "-r", payload=f"number {i}") == ""
        wait_until(lambda: b"number %d" % i in own.database(), timeout=5, what="it is on the disk")
    assert time.monotonic() - began < 4, "at once, not every other second"
    own.process.kill()
    own.run()
    back = connect(own, "store", session=86400, name="store")
    assert back.wait_for("parks/p1/machines/m1/job").payload == b"queued"
    assert connect(own, "ops").subscribe("parks/#").wait_for("parks/p1/machines/m1/alarm/hot").payload == b"kept"


def fill_queue(own, connect, n, size):
    """How many of n messages were taken for the absent subscriber `store`."""
    own.user("store", "archiver")
    own.start()
    connect(own, "store", session=86400, name="store").subscribe("parks/#").close()
    client = connect(own, "p1")
    taken, is_taken = 0, lambda info: info.rc == paho.MQTT_ERR_SUCCESS and info.is_published()
    for start in range(0, n, 100):
        infos = [client.paho.publish("parks/p1/machines/m1/job", f"{i:06d}" + "x" * size, 1) for i in range(start, min(start + 100, n))]
        for info in infos:
            wait_until(lambda: is_taken(info) or client.closed, what="a PUBACK")
        taken += sum(map(is_taken, infos))
        if client.closed:
            break
    return taken


def drain_queue(own, connect, least):
    back = connect(own, "store", session=86400, name="store")
    numbers = lambda: [int(m.payload[:6]) for m in list(back.messages)]
    wait_until(lambda: len(set(numbers())) >= least, what=f"{least} of what waited")
    return numbers()


def test_a_long_queue_loses_nothing(own, connect):
    """Mosquitto's own limit is 1,000 messages; what is beyond, it drops and acknowledges."""
    assert fill_queue(own, connect, 1500, 200) == 1500
    assert sorted(set(drain_queue(own, connect, 1500))) == list(range(1500))


def test_full_memory_refuses_and_loses_nothing(own, connect):
    """At memory_limit publishers are sent away; with a higher limit all that was taken comes out."""
    limit = re.search(r"^memory_limit \d+$", SHIPPED.read_text(), re.M).group()
    start = own.start
    own.start = lambda: start(lambda text: text.replace(limit, "memory_limit 4000000"))
    taken = fill_queue(own, connect, 200, 50000)
    assert 20 < taken < 100
    own.write(lambda text: text.replace(limit, "memory_limit 40000000"))
    own.reload()
    assert set(drain_queue(own, connect, taken)) >= set(range(taken))


# ---- limits --------------------------------------------------------------------------------------------


def test_too_long_is_told(kit, connect):
    client = connect(kit, "p1")
    assert client.properties.MaximumPacketSize == 262144 and client.properties.ReceiveMaximum == 200
    history = 64 * 1024
    assert kit.publish("p1", "parks/p1/machines/m1/history", payload="x" * history) == ""
    said = kit.publish("p1", "parks/p1/machines/m1/history", payload="x" * 140000)
    assert "Packet too large" in said or "mplementation specific" in said, said
    client.paho.publish("parks/p1/machines/m1/history", "x" * 300000, 1)  # paho does not look at MaximumPacketSize
    wait_until(lambda: client.closed and "oversize packet" in kit.log(), what="the connection ends")


def test_who_came_and_went_is_in_the_log(kit, connect):
    connect(kit, "p1", name="someone")
    wait_until(lambda: re.search(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0000: New client connected from \S+ as someone", kit.log(), re.M), what="the line")
    assert kit.users["p1"] not in kit.log()


# ---- the whole -----------------------------------------------------------------------------------------


def test_a_gateway(kit, tmp_path, simulate, daemon, connect):
    """A daemon with its lab, TLS and the password that the script made: all it publishes is taken."""
    password = tmp_path / "password"
    password.write_text(kit.users["live"])
    password.chmod(0o600)
    bench = Bench(tmp_path, f"mqtts://localhost:{kit.ports['8883']}", park="live").add("m1", "tcp1")
    bench.mqtt.update(password_file=str(password), ca_file=str(kit.files / "ca.crt"), ack="archiver")
    bench.machine("m1")["alarms"] = [{"code": "warm", "point": "s1.voltage_v", "above": 100, "for": "1s", "severity": "error", "text": {"en": "warm"}}]
    bench.config["home_assistant"] = {"prefix": "homeassistant"}
    bench.simulate(simulate)
    store, ha = connect(kit, "store").subscribe("parks/live/#"), connect(kit, "ha-live").subscribe("homeassistant/#")
    d = daemon(bench.write())
    for leaf in ("gateways/gw1/availability", "gateways/gw1/info", "gateways/gw1/health", "machines/m1/availability", "machines/m1/info",
                 "machines/m1/state", "machines/m1/telemetry", "machines/m1/event", "machines/m1/alarm/warm"):
        store.wait_for(f"parks/live/{leaf}")
    ha.wait_for("homeassistant/device/live/m1/config")
    ha.publish("homeassistant/status", "online")
    wait_until(lambda: len([m for m in ha.messages if m.topic.endswith("m1/config")]) > 1, what="the gateway heard that Home Assistant started")
    tell = {"epoch": json.loads(store.wait_for("parks/live/gateways/gw1/info").payload)["epoch"], "upto": {"machines/m1/event": 99}}
    store.publish("parks/live/gateways/gw1/ack", json.dumps(tell))
    bench.sim.control("set tcp1-1 voltage_v 50")
    wait_until(lambda: any(m.topic.endswith("alarm/warm") and b'"active":false' in m.payload for m in list(store.messages)), what="the alarm's end")
    assert d.stop() == 0
    assert not re.search("refused|not authori[sz]ed|dead", d.err(), re.I), d.err()
    wait_until(lambda: any(m.topic.endswith("gw1/availability") and m.payload == b"offline" for m in store.messages), what="its last word")


# ---- the script ----------------------------------------------------------------------------------------


def mode(path):
    return oct(path.stat().st_mode & 0o777)


def test_secrets_are_nobody_elses(own):
    tool(own.files, "park", "p2", "--cert")
    tool(own.files, "park", "p3", "-o", own.folder / "p3.password")
    for path in ("ca/ca.key", "server.key", "passwd", "acl", "clients/p2.key", "../p3.password"):
        assert mode(own.files / path) == "0o600", path
    for path in ("ca", "clients"):
        assert mode(own.files / path) == "0o700", path
    password = (own.folder / "p3.password").read_text().strip()
    assert len(password) == 32 and password not in (own.files / "passwd").read_text()
    assert own.users["p1"] != own.users["ops"]


def test_nothing_is_overwritten(own):
    tool(own.files, "park", "p2", "--cert")
    (own.folder / "there").write_text("mine")
    before = {p: p.read_bytes() for p in own.files.rglob("*") if p.is_file()}
    for words in (("ca",), ("server", "localhost"), ("park", "p1"), ("park", "p2", "--cert"), ("user", "ops", "console"),
                  ("park", "p9", "-o", own.folder / "there"),                            # a file that is there
                  ("park", "ops"), ("park", "ops", "--cert"), ("user", "p1", "console"), ("user", "p2", "console"),  # one name, two meanings
                  ("revoke", "nobody")):
        assert tool(own.files, *words, check=False).returncode == 1, words
    assert before == {p: p.read_bytes() for p in own.files.rglob("*") if p.is_file()}
    assert (own.folder / "there").read_text() == "mine"


@pytest.mark.parametrize("words", [(), ("nonsense",), ("park",), ("park", "P1"), ("park", "a.b"), ("park", "x" * 33), ("park", "a", "b"), ("park", "a", "--bad"),
                                   ("server",), ("server", "a b"), ("user", "u", "root"), ("user", "u", "homeassistant"), ("user", "u", "console", "p1"),
                                   ("list", "x"), ("park", "a", "-o"), ("park", "a", "--cert", "-o", "f")])
def test_bad_command_lines(tmp_path, words):
    done = tool(tmp_path / "kit", *words, check=False)
    assert done.returncode == 64 and done.stderr and not (tmp_path / "kit").exists()


def test_no_authority_no_permission(tmp_path):
    assert tool(tmp_path / "empty", "park", "p1", check=False).returncode == 1
    (tmp_path / "file").write_text("")
    assert tool(tmp_path / "file" / "kit", "ca", check=False).returncode == 77
    assert subprocess.run([SCRIPT, "--help"], capture_output=True, check=True).stdout.startswith(b"usage")


def test_without_root():
    """Any user in any directory, with spaces too."""
    with tempfile.TemporaryDirectory(prefix="labpulse kit ") as folder:
        as_nobody = []
        if os.geteuid() == 0:
            as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
            os.chown(folder, 65534, 65534)
        for words in (("ca",), ("server", "mqtt1.example.org", "192.0.2.1", "2001:db8::1"), ("park", "p1")):
            done = subprocess.run([*as_nobody, SCRIPT, "-d", f"{folder}/kit", *words], capture_output=True, text=True, cwd="/")
            assert done.returncode == 0, done.stderr
        text = subprocess.run(["openssl", "x509", "-in", f"{folder}/kit/server.crt", "-noout", "-ext", "subjectAltName"], capture_output=True, text=True).stdout
    assert "DNS:mqtt1.example.org, IP Address:192.0.2.1, IP Address:2001:DB8:0:0:0:0:0:1" in text


def test_revoked_and_renewed(own, connect):
    """After a reload: without a restart, and those who are connected with what is gone are put out."""
    tool(own.files, "park", "p2", "--cert")
    cert = [own.folder / f"p2.{kind}" for kind in ("crt", "key")]
    for kind, copy in zip(("crt", "key"), cert):
        copy.write_bytes((own.files / "clients" / f"p2.{kind}").read_bytes())
    own.park("p4")
    own.start()
    assert connect(own, "p2", port="8884", cert=cert).code == 0 and connect(own, "p1").code == 0
    connected = connect(own, "p4")
    old = own.users["p1"]
    serial = lambda: ssl.get_server_certificate(("localhost", own.ports["8883"]))
    first = serial()
    for name in ("p2", "p4", "ops"):
        tool(own.files, "revoke", name)
    own.users["p1"] = tool(own.files, "park", "p1", "--renew").stdout.strip()
    tool(own.files, "server", "localhost", "--renew")
    own.reload()
    wait_until(lambda: connected.closed, what="p4 is put out")
    wait_until(lambda: serial() != first, what="the new certificate is shown")
    assert isinstance(connect(own, "p2", port="8884", cert=cert).code, OSError)
    assert connect(own, "ops").code in (134, 135) and connect(own, "p1", password=old).code in (134, 135)
    assert connect(own, "p1").code == 0
    assert "user ops" not in (own.files / "acl").read_text() and "p2" not in tool(own.files, "list").stdout
    tool(own.files, "park", "p2", "--cert")
    again = [own.files / "clients" / f"p2.{kind}" for kind in ("crt", "key")]
    assert connect(own, "p2", port="8884", cert=again).code == 0


def test_what_ends_soon(own):
    assert tool(own.files, "list").returncode == 0
    soon = tool(own.files, "list", 900, check=False)
    assert soon.returncode == 1 and re.search(r"^server .* SOON$", soon.stdout, re.M) and not re.search(r"^authority .* SOON$", soon.stdout, re.M)
