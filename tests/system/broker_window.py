#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What does a mosquitto lose that is killed right behind a PUBACK? The figures of docs/broker.md.

    broker_window.py ROUNDS DELAY_MS [RETAINED] [--by-time]

In each round a message for a subscriber that is away is published, the broker is killed (kill -9) that
long after its PUBACK and started again, and the subscriber looks. RETAINED topics of 500 bytes are filled
before, and how fast that went is told. --by-time saves once a second instead of on every change.
"""
import argparse
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Broker:
    def __init__(self, folder, on_changes):
        self.port, self.conf = free_port(), Path(folder) / "mosquitto.conf"
        self.conf.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\npersistence_location {folder}/\n"
                             f"autosave_on_changes {on_changes}\nautosave_interval 1\nmax_queued_messages 100000000\nmax_inflight_messages 0\n")

    def start(self):
        self.process = subprocess.Popen(["mosquitto", "-c", self.conf], stderr=subprocess.DEVNULL)
        while True:
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)) == 0:
                    return

    def kill(self):
        self.process.kill()
        self.process.wait()

    def client(self, name, session=0):
        """Connected, its thread running."""
        up, properties = threading.Event(), Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = session
        client = paho.Client(name, protocol=paho.MQTTv5)
        client.on_connect = lambda *_: up.set()
        client.received = []
        client.on_message = lambda c, _u, m: c.received.append(m.topic)
        client.connect("127.0.0.1", self.port, clean_start=not session, properties=properties)
        client.loop_start()
        assert up.wait(10), "no CONNACK"
        return client


def close(client):
    client.disconnect()
    client.loop_stop()


def fill(broker, n):
    client, began = broker.client("fill"), time.monotonic()
    client.max_inflight_messages_set(1000)
    infos = [client.publish(f"retained/{i}", b"x" * 500, 1, True) for i in range(n)]
    for info in infos:
        info.wait_for_publish(600)
    print(f"{n} retained topics at {n / (time.monotonic() - began):.0f} a second")
    close(client)


def lost(broker, number, delay_s):
    publisher, killed = broker.client("publisher"), threading.Event()

    def acknowledged(*_):
        if delay_s:
            time.sleep(delay_s)
        broker.kill()
        killed.set()

    publisher.on_publish = acknowledged
    publisher.publish(f"queue/{number}", b"x", 1)
    assert killed.wait(30), "no PUBACK"
    publisher.loop_stop()
    broker.start()
    away = broker.client("away", 86400)
    away.publish("queue/end", b"x", 1)  # comes behind what waited
    end = time.monotonic() + 3  # by time, its session may be lost, too
    while "queue/end" not in away.received and time.monotonic() < end:
        time.sleep(0.01)
    close(away)
    return f"queue/{number}" not in away.received


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("rounds", type=int)
    parser.add_argument("delay_ms", type=float)
    parser.add_argument("retained", type=int, nargs="?", default=0)
    parser.add_argument("--by-time", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        broker = Broker(folder, str(not options.by_time).lower())
        broker.start()
        away = broker.client("away", 86400)
        away.subscribe("queue/#", 1)
        if options.retained:
            fill(broker, options.retained)
        close(away)
        n = sum(lost(broker, i, options.delay_ms / 1000) for i in range(options.rounds))
        print(f"{n} of {options.rounds} lost, killed {options.delay_ms:g} ms after the PUBACK")
        broker.kill()


if __name__ == "__main__":
    main()
