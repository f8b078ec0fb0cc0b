# SPDX-License-Identifier: MIT
"""Publishes what the gateways of many parks would: everything retained once, then states at a rate.

    consolefleet.py PORT PARKS MACHINES RATE     says "ready" when all that is retained is there
"""
import itertools
import json
import random
import sys
import time

import paho.mqtt.client as paho

STATES = ("idle",) * 5 + ("busy",) * 4 + ("off",) * 2 + ("paused",)
POINTS = [("power_w", "W"), ("voltage_v", "V"), ("current_a", "A"), ("energy_import_wh", "Wh"), ("frequency_hz", "Hz"),
          ("power_factor", ""), ("water_temp_c", "C"), ("room_temp_c", "C"), ("flow_lpm", "l/min"), ("compressor", "")]


def now_ms():
    return int(time.time() * 1000)


def info(park, machine):
    return {"v": 1, "ts": 1, "clock": "synced", "gw": "gw1", "class": "laser-cutter", "asset": f"INV-{park}-{machine}",
            "title": {"ru": f"Лазерный станок {machine}", "en": f"Laser cutter {machine}"},
            "sources": {"meter": {"driver": "modbus", "profile": "eastron-sdm120", "bus": "rs485", "unit": 1, "identity": None}},
            "points": {f"meter.{p}": {"unit": u, "class": p, "title": {"ru": f"Величина {p}", "en": f"Point {p}"}} for p, u in POINTS}}


def state(now):
    word = random.choice(STATES)
    return {"v": 1, "ts": now, "clock": "synced", "gw": "gw1", "state": word, "availability": "online", "activity": word,
            "condition": "normal", "since": now - 60000, "reason": "meter.power_w 143.2 above 120 for 10 s",
            "job": "01JGFJJZ00000000000000000A" if word == "busy" else None, "progress": None, "alarms": [], "maintenance": None,
            "values": {f"meter.{p}": round(random.uniform(0, 500), 2) for p, _ in POINTS}, "sources": {"meter": {"ok": True, "at": now}}}


def alarm(now, active):
    return {"v": 1, "ts": now, "clock": "synced", "gw": "gw1", "code": "chiller-hot", "severity": random.choice(["critical", "error", "warning"]),
            "active": active, "raised": now, "cleared": None if active else now, "count": 1, "source": "meter", "value": 31.2, "limit": 30,
            "text": "hot", "hint": "stop", "texts": {"ru": "Перегрев чиллера", "en": "Chiller over-temperature"}, "stale": False,
            "flapping": False, "acked": False, "suppressed_by": None}


def retained(parks, machines):
    now = now_ms()
    for p in range(parks):
        yield f"parks/park-{p:03}/gateways/gw1/availability", "online" if p % 50 else "offline"
        for m in range(machines):
            top = f"parks/park-{p:03}/machines/m{m:02}"
            yield f"{top}/availability", "online"
            yield f"{top}/info", json.dumps(info(p, m), ensure_ascii=False)
            yield f"{top}/state", json.dumps(state(now))
            if (p * machines + m) % 100 == 0:
                yield f"{top}/alarm/chiller-hot", json.dumps(alarm(now, True), ensure_ascii=False)


def update(parks, machines):
    """A state; one in twenty is an alarm that comes or goes."""
    top = f"parks/park-{random.randrange(parks):03}/machines/m{random.randrange(machines):02}"
    if random.random() < 0.05:
        return f"{top}/alarm/chiller-hot", json.dumps(alarm(now_ms(), random.random() < 0.3), ensure_ascii=False)
    return f"{top}/state", json.dumps(state(now_ms()))


def main(port, parks, machines, rate):
    client = paho.Client()
    client.connect("127.0.0.1", port)
    client.loop_start()
    for i, (topic, payload) in enumerate(retained(parks, machines)):
        sent = client.publish(topic, payload, qos=1 if i % 500 == 0 else 0, retain=True)
        if i % 500 == 0:
            sent.wait_for_publish(60)
    client.publish("probe/end", "", qos=1).wait_for_publish(120)
    print("ready", flush=True)
    start = time.monotonic()
    for i in itertools.count():
        time.sleep(max(0.0, start + i / rate - time.monotonic()))
        client.publish(*update(parks, machines), qos=0, retain=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
