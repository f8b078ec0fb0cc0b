# SPDX-License-Identifier: MIT
"""Subscribers of the real broker: a durable one that writes everything down, and a newcomer."""
import json
import threading
import time

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties


class Collector:
    """A durable session of QoS 1. A message is written before paho acknowledges it."""

    def __init__(self, port, path, topic="parks/#"):
        self.file = open(path, "a", encoding="utf-8")
        self.lock = threading.Lock()
        self.subscribed = threading.Event()
        self.topic = topic
        self.client = paho.Client("collector", protocol=paho.MQTTv5)
        self.client.reconnect_delay_set(1, 1)
        self.client.on_connect = self._on_connect
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        self.client.on_message = self._on_message
        session = Properties(PacketTypes.CONNECT)
        session.SessionExpiryInterval = 86400
        self.client.connect("127.0.0.1", port, clean_start=False, properties=session)
        self.client.loop_start()
        assert self.subscribed.wait(15), "the collector could not subscribe"

    def _on_connect(self, client, _userdata, flags, *_):
        if not flags["session present"]:
            client.subscribe([(self.topic, paho.SubscribeOptions(qos=1, retainAsPublished=False))])

    def _on_message(self, _client, _userdata, m):
        with self.lock:
            if not self.file.closed:
                self.file.write(json.dumps({"t": round(time.monotonic(), 4), "topic": m.topic, "retain": bool(m.retain),
                                            "payload": m.payload.decode(errors="replace")}, ensure_ascii=False) + "\n")

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()
        with self.lock:
            self.file.close()


def read_retained(port, topic="parks/#"):
    """What somebody gets who subscribes now: {"from", "to", "topics": {topic: payload}}."""
    topics, done, begin = {}, threading.Event(), time.monotonic()
    client = paho.Client("newcomer", protocol=paho.MQTTv5)

    def on_message(_client, _userdata, m):
        if m.topic == "torture/end":
            done.set()
        elif m.retain:
            topics[m.topic] = m.payload.decode(errors="replace")

    def on_subscribe(*_):
        client.publish("torture/end", b"end", qos=1)  # comes behind all that is retained

    client.on_connect = lambda *_: client.subscribe([(topic, 1), ("torture/end", 1)])
    client.on_subscribe, client.on_message = on_subscribe, on_message
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        assert done.wait(15), "the newcomer got no answer"
    finally:
        client.disconnect()
        client.loop_stop()
    return {"from": begin, "to": time.monotonic(), "topics": topics}
