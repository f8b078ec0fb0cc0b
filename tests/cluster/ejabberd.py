# SPDX-License-Identifier: MIT
"""Two ejabberd of Debian as one MQTT broker, on 127.0.0.1, each with a folder of its own.

ejabberdctl insists on root or the user ejabberd, so the Erlang nodes are started as it would start
them. Their name service (epmd) has a port of its own, beside one that may run already.
"""
import os
import signal
import subprocess
from pathlib import Path

from conftest import is_listening, take_free_port, wait_until

LOCAL = ["-setcookie", "labpulse", "-kernel", "inet_dist_use_interface", "{127,0,0,1}"]
# The rights of config/broker/acl: %u is the user, that is the park. ejabberd has no `+` in the
# middle of a rule for subscriptions to lean on, so who reads all reads parks/#.
CONFIGURATION = """
hosts: [localhost]
loglevel: info
listen:
  - {{port: {port}, ip: "127.0.0.1", module: mod_mqtt, backlog: 1000}}
auth_method: [internal]
auth_password_format: scram
acl:
  readers: {{user: ["ops@localhost", "store@localhost"]}}
  archivers: {{user: ["store@localhost"]}}
access_rules:
  anybody: {{allow: all}}
  readers: {{allow: readers}}
  archivers: {{allow: archivers}}
modules:
  mod_mqtt:
    access_publish:
      "parks/%u/#": anybody
      "homeassistant/device/%u/#": anybody
      "parks/+/gateways/+/ack": archivers
      "#": none
    access_subscribe:
      "parks/%u/#": anybody
      "homeassistant/device/%u/#": anybody
      "parks/#": readers
      "#": none
    match_retained_limit: infinity
    max_queue: 100000
    session_expiry: 1 hour
"""


class Node:
    def __init__(self, cluster, number):
        self.cluster, self.name = cluster, f"lab{number}@127.0.0.1"
        self.folder, self.port = cluster.folder / f"node{number}", take_free_port()
        self.folder.mkdir()
        (self.folder / "ejabberd.yml").write_text(CONFIGURATION.format(port=self.port))
        self.process = None

    @property
    def url(self):
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self):
        env = {**self.cluster.env, "EJABBERD_CONFIG_PATH": str(self.folder / "ejabberd.yml"), "EJABBERD_PID_PATH": str(self.folder / "pid"),
               "EJABBERD_LOG_PATH": str(self.folder / "ejabberd.log"), "ERL_CRASH_DUMP_BYTES": "0"}
        with open(self.folder / "out", "ab") as out:
            self.process = subprocess.Popen(["erl", "-name", self.name, *LOCAL, "-mnesia", "dir", f'"{self.folder}"', "-s", "ejabberd", "-noinput"],
                                            env=env, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        self.listening()

    def listening(self):
        wait_until(lambda: is_listening(self.port), timeout=60, what=f"{self.name} listens")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def ctl(self, *words, check=True):
        """ejabberdctl, which is an Erlang node, too."""
        self.cluster.asked += 1
        done = subprocess.run(["erl", "-name", f"ctl{os.getpid()}x{self.cluster.asked}@127.0.0.1", *LOCAL, "-hidden", "-noinput", "-s", "ejabberd_ctl",
                               "-extra", self.name, *words], env=self.cluster.env, capture_output=True, text=True, timeout=60)
        assert not check or done.returncode == 0, f"{words}: {done.stdout} {done.stderr}"
        return done.stdout


class Cluster:
    """Two nodes that have joined, with these users; every password is "secret"."""

    def __init__(self, folder, users):
        self.folder, self.asked = folder, 0
        libraries = next(Path("/usr/lib").glob("*/ejabberd-*")).parent
        self.env = {**os.environ, "ERL_EPMD_PORT": str(take_free_port()), "ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_LIBS": str(libraries), "HOME": str(folder)}
        self.users = users
        self.nodes = [Node(self, 1), Node(self, 2)]

    def start(self):
        for node in self.nodes:
            node.start()
        first, second = self.nodes
        for node in self.nodes:  # it listens before it has started, and does not join then
            wait_until(lambda: "is running" in node.ctl("status", check=False), timeout=60, what=f"{node.name} has started")
        second.ctl("join_cluster", first.name)
        wait_until(lambda: len(first.ctl("list_cluster").split()) == 2, timeout=60, what="two nodes")
        second.listening()
        for user in self.users:
            first.ctl("register", user, "localhost", "secret")

    def stop(self):
        for node in self.nodes:
            if node.process and node.process.poll() is None:
                node.kill()
        subprocess.run(["epmd", "-port", self.env["ERL_EPMD_PORT"], "-kill"], env=self.env, capture_output=True, check=False)
