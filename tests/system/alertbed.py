# SPDX-License-Identifier: MIT
"""Alertmanagers, real ones and one that only notes what it is told, and gateways that publish."""
import http.server
import json
import shutil
import signal
import socket
import threading
import time
import urllib.request
from collections import namedtuple
from datetime import datetime

import paho.mqtt.client as paho

from conftest import BUILD, Process, is_listening, take_free_port, wait_until

HEAD = {"v": 1, "clock": "synced", "gw": "gw1"}
TEXTS = {"ru": "Перегрев чиллера", "en": "Chiller over-temperature"}
Post = namedtuple("Post", "at alerts")
QUIET = "route: {receiver: nobody, group_wait: 1s}\nreceivers: [{name: nobody}]\n"


def ms(seconds_ago=0):
    return int((time.time() - seconds_ago) * 1000)


def seconds(text):
    """RFC 3339 -> seconds since 1970."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def alarm(code, raised, cleared=None, **more):
    return {**HEAD, "ts": cleared or raised, "code": code, "severity": "critical", "active": cleared is None,
            "raised": raised, "cleared": cleared, "count": 1, "source": "chiller", "value": 31.2, "limit": 30,
            "text": TEXTS["ru"], "hint": "Остановите резку", "texts": TEXTS, "stale": False, "flapping": False,
            "acked": False, "suppressed_by": None, **more}


class Gateway:
    """Publishes what a gateway would."""

    def __init__(self, port, park="p1", gateway="gw1"):
        self.park, self.gateway = park, gateway
        self.client = paho.Client()
        self.client.max_inflight_messages_set(1000)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def publish(self, topic, payload, wait=True):
        text = payload if isinstance(payload, (str, bytes)) else json.dumps(payload)
        sent = self.client.publish(f"parks/{self.park}/{topic}", text, qos=1, retain=True)
        if wait:
            sent.wait_for_publish(10)
        return sent

    def online(self, word="online"):
        self.publish(f"gateways/{self.gateway}/availability", word)

    def machine(self, machine, **more):
        self.publish(f"machines/{machine}/info", {
            **HEAD, "gw": self.gateway, "ts": 1, "class": "laser-cutter", "title": {"ru": "Лазер", "en": "Laser"}, **more})

    def alarm(self, machine, code, *times, wait=True, **more):
        return self.publish(f"machines/{machine}/alarm/{code}", alarm(code, *times, **{"gw": self.gateway, **more}), wait)

    def forget(self, machine, code):
        self.publish(f"machines/{machine}/alarm/{code}", "")

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


class NotingAlertmanager:
    """Notes every POST. `answer(alerts)` gives the status; hold it back by waiting in there."""

    def __init__(self, answer=lambda alerts: 200):
        self.posts, self.changed = [], threading.Condition()
        noting = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):  # pylint: disable=invalid-name
                alerts = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                assert self.path == "/api/v2/alerts", self.path
                status = answer(alerts)
                if status < 300:
                    with noting.changed:
                        noting.posts.append(Post(time.time(), alerts))
                        noting.changed.notify_all()
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def told(self, code, since=0.0):
        """(when, alert) of each telling of this alert, in order."""
        with self.changed:
            return [(p.at, a) for p in self.posts for a in p.alerts
                    if a["labels"]["alertname"] == code and p.at >= since]

    def wait_told(self, code, fires, timeout=15, since=0.0):
        """The first telling of it that fires, or that says it ended."""
        def find():
            return next((a for at, a in self.told(code, since) if is_firing(a, at) == fires), None)
        return wait_until(find, timeout, f"{code} is told as {'firing' if fires else 'resolved'}")

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def is_firing(alert, at):
    return seconds(alert["endsAt"]) > at


class Alertmanager:
    """Debian's, on a free port."""

    def __init__(self, spawn, folder, name):
        self.spawn, self.folder, self.name, self.port = spawn, folder, name, take_free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None

    def start(self, config=QUIET, *options):
        path = self.folder / f"{self.name}.yml"
        path.write_text(config)
        self.process = self.spawn(self.name, [
            shutil.which("prometheus-alertmanager"), f"--config.file={path}", f"--storage.path={self.folder / self.name}",
            f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address=", *options])
        wait_until(lambda: is_listening(self.port), what="Alertmanager listens")
        return self

    def alerts(self, opener=urllib.request.urlopen):
        """code -> [alert], as it has them now; those of the bridge itself are left out."""
        found = {}
        with opener(f"{self.url}/api/v2/alerts") as answer:
            for a in json.load(answer):
                if not a["labels"]["alertname"].startswith("Labpulse"):
                    found.setdefault(a["labels"]["alertname"], []).append(a)
        return found

    def wait_codes(self, *codes, timeout=15):
        wait_until(lambda: sorted(self.alerts()) == sorted(codes), timeout, f"{self.name} has {codes}, not {list(self.alerts())}")
        return self.alerts()


class Bed:
    """bed.gateway(), bed.noting(), bed.alertmanager(), bed.bridge(*alertmanagers, *options)."""

    def __init__(self, spawn, folder, broker):
        self.spawn, self.folder, self.broker = spawn, folder, broker
        self.opened, self.bridges, self.managers = [], [], 0

    def gateway(self, *names):
        self.opened.append(Gateway(self.broker.port, *names))
        return self.opened[-1]

    def noting(self, *answer):
        self.opened.append(NotingAlertmanager(*answer))
        return self.opened[-1]

    def alertmanager(self):
        self.managers += 1
        return Alertmanager(self.spawn, self.folder, f"alertmanager{self.managers}")

    def argv(self, managers, *options):
        broker = () if "--broker" in options else ("--broker", self.broker.url)
        return [BUILD / "labpulse-alertmanager", *broker, "--alertmanager", *[m.url for m in managers], *options]

    def bridge(self, managers, *options, env=None) -> Process:
        self.bridges.append(self.spawn(f"bridge{len(self.bridges) + 1}", self.argv(managers, *options), env))
        return self.bridges[-1]

    def close(self):
        codes = [bridge.stop() for bridge in self.bridges]
        for thing in self.opened:
            thing.close()
        assert set(codes) <= {0, -signal.SIGKILL}, codes


class HttpNote:
    """Hands each POST, path and body, to `answer`, which gives the JSON of a 200."""

    def __init__(self, answer):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):  # pylint: disable=invalid-name
                reply = answer(self.path, self.rfile.read(int(self.headers["Content-Length"])).decode())
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Mute:
    """Takes connections and says nothing."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def close(self):
        self.socket.close()
