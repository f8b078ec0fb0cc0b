# SPDX-License-Identifier: MIT
"""The broker kit of config/broker, as shipped: only its paths and ports are other ones here."""
import os
import signal
import subprocess
import threading

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from conftest import DEADLINE, TOP, Process, find_mosquitto, is_listening, take_free_port, wait_until

SCRIPT = TOP / "config" / "broker" / "labpulse-broker"
SHIPPED = TOP / "config" / "broker" / "mosquitto.conf"
# /etc/mosquitto/mosquitto.conf of Debian 12, which includes ours.
DEBIAN = """pid_file {0}/mosquitto.pid
persistence true
persistence_location {0}/db/
log_dest file {0}/mosquitto.log
include_dir {0}/conf.d
"""


def tool(folder, *words, check=True):
    """Runs labpulse-broker; the finished process."""
    done = subprocess.run([SCRIPT, "-d", folder, *map(str, words)], capture_output=True, text=True, timeout=30)
    assert not check or done.returncode == 0, f"{words}: {done.returncode} {done.stderr}"
    return done


class Kit:
    """A mosquitto with the kit's files: .ports by what the listener is for, .users with their passwords."""

    def __init__(self, folder):
        self.folder, self.files = folder, folder / "labpulse"
        self.users = {}
        self.process = None
        tool(self.files, "ca")
        tool(self.files, "server", "localhost", "127.0.0.1")

    def park(self, name):
        self.users[name] = tool(self.files, "park", name).stdout.strip()

    def user(self, name, role, *park):
        self.users[name] = tool(self.files, "user", name, role, *park).stdout.strip()

    def start(self, change=lambda text: text):
        """`change` may alter the shipped text."""
        (self.folder / "db").mkdir(exist_ok=True)
        (self.folder / "conf.d").mkdir(exist_ok=True)
        self.ports = {"8883": take_free_port(), "8884": take_free_port(), "8083": take_free_port()}
        self.write(change)
        (self.folder / "mosquitto.conf").write_text(DEBIAN.format(self.folder) + ("user root\n" if os.geteuid() == 0 else ""))
        self.run()
        return self

    def write(self, change):
        text = SHIPPED.read_text().replace("/etc/mosquitto/labpulse", str(self.files))
        for port, free in self.ports.items():
            text = text.replace(f"listener {port}\n", f"listener {free} 127.0.0.1\n")
        (self.folder / "conf.d" / "labpulse.conf").write_text(change(text))

    def run(self):
        self.process = Process("mosquitto", [find_mosquitto(), "-c", self.folder / "mosquitto.conf"], self.folder)
        wait_until(lambda: all(map(is_listening, self.ports.values())) or not self.process.running(), what="mosquitto listens")
        assert self.process.running(), self.process.err() + self.log()

    def reload(self):
        self.process.signal(signal.SIGHUP)

    def log(self):
        path = self.folder / "mosquitto.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def database(self):
        path = self.folder / "db" / "mosquitto.db"
        return path.read_bytes() if path.exists() else b""

    def client(self, who, **options):
        """A connected Client; with password=…, port=…, as Client has them."""
        return Client(self, who, **options)

    def login(self, who):
        """Options of mosquitto_pub and mosquitto_sub: to the listener with passwords."""
        account = [] if who is None else ["-u", who, "-P", self.users.get(who, "wrong")]
        return ["-h", "localhost", "-p", self.ports["8883"], "--cafile", self.files / "ca.crt", "-V", "5", "-q", "1", *account]

    def publish(self, who, topic, *options, payload="x"):
        """What mosquitto_pub says to that: "" if the broker took it."""
        argv = ["mosquitto_pub", *self.login(who), "-t", topic, "-s", *options]
        done = subprocess.run([str(a) for a in argv], input=payload, capture_output=True, text=True, timeout=DEADLINE)
        return done.stderr.strip() or ("failed" if done.returncode else "")


class OneConnection(paho.Client):
    """paho whose thread neither connects again nor dies of the alerts of TLS 1.3, which come late."""

    def loop_forever(self, *_, **_options):
        try:
            while not self.ended.is_set() and self.loop(0.2) == paho.MQTT_ERR_SUCCESS:
                pass
        except OSError as error:  # ssl.SSLError is one
            self.failed(error)
        else:
            self.failed(ConnectionError("closed"))


class Client:
    """A client with MQTT 5, connected once: .code of the CONNACK, or the error that ended the connection before it; .messages,
    .properties, and .closed, not empty when the connection is over."""

    def __init__(self, kit, who, password=None, port="8883", session=None, cert=None, name=None, transport="tcp"):
        self.messages, self.closed, self.code, self.properties = [], [], None, None
        self.answered, self.subscribed = threading.Event(), threading.Event()
        c = self.paho = OneConnection(name or f"{who}-{id(self)}", protocol=paho.MQTTv5, transport=transport)
        c.ended, c.failed = threading.Event(), self._failed
        if who is not None:
            c.username_pw_set(who, kit.users.get(who) if password is None else password)
        c.tls_set(kit.files / "ca.crt", *(cert or ()))
        c.on_connect = self._on_connect
        c.on_disconnect = lambda _c, _u, code, *_: self.closed.append(getattr(code, "value", code))
        c.on_subscribe = lambda *_: self.subscribed.set()
        c.on_message = lambda _c, _u, m: self.messages.append(m)
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = session or 0
        try:
            c.connect("localhost", kit.ports[port], clean_start=session is None, properties=properties)
        except OSError as error:
            self._failed(error)
            return
        c.loop_start()
        assert self.answered.wait(DEADLINE), "no CONNACK"

    def _failed(self, error):
        if self.code is None:
            self.code = error
        self.closed.append(error)
        self.answered.set()

    def _on_connect(self, _client, _userdata, _flags, code, properties):
        self.code, self.properties = code.value, properties
        self.answered.set()

    def subscribe(self, *topics):
        self.subscribed.clear()
        self.paho.subscribe([(t, paho.SubscribeOptions(qos=1)) for t in topics])
        assert self.subscribed.wait(DEADLINE), "no SUBACK"
        return self

    def publish(self, topic, payload="x", retain=False):
        """Waits for the PUBACK, whatever it says."""
        info = self.paho.publish(topic, payload, 1, retain)
        info.wait_for_publish(DEADLINE)
        assert info.is_published(), f"{topic}: no PUBACK"

    def topics(self):
        return {m.topic for m in self.messages}

    def wait_for(self, topic):
        return wait_until(lambda: next((m for m in self.messages if m.topic == topic), None), what=topic)

    def close(self):
        if self.code == 0 and not self.closed:
            self.paho.disconnect()
        self.paho.ended.set()
        self.paho.loop_stop()
