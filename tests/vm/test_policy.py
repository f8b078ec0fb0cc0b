# SPDX-License-Identifier: MIT
"""What the unit may open, and as whom."""
import re

import pytest

from gateway import SOURCES


@pytest.fixture(scope="module")
def plugged(gateway):
    gateway.plug_all()
    gateway.systemctl("start")
    gateway.online()
    return gateway


def restart(gateway, *names, since=None):
    mark = gateway.mark()
    gateway.systemctl("restart")
    gateway.online(*names, since=mark)


def test_it_has_no_power(plugged):
    status = plugged.read(f"/proc/{plugged.main_pid()}/status")
    value = {k: v.strip() for k, v in re.findall(r"^(\w+):(.*)$", status, re.M)}
    assert all(int(value[k], 16) == 0 for k in ("CapEff", "CapPrm", "CapBnd", "CapAmb", "CapInh")), status
    assert value["NoNewPrivs"] == "1" and value["Seccomp"] == "2"


def point_printer_to(gateway, node):
    def change(config):
        printer = next(m for m in config["machines"] if m["id"] == "printer")
        printer["sources"][0]["device"] = node
    gateway.configure(change)
    mark = gateway.mark()
    gateway.systemctl("restart")
    return gateway.source("printer", False, mark)[0]


def test_a_node_of_another_class_is_refused(plugged):
    """A tty that anybody may open, but no USB adapter: only the unit's policy is against it."""
    _, node = plugged.plug("gauge")
    plugged.run("chmod", "666", node)
    plugged.run("runuser", "-u", "labpulse", "--", "sh", "-c", f": <> {node}")
    try:
        assert point_printer_to(plugged, node)["error"] == "permission"
        plugged.drop_in("DeviceAllow=char-ttyGS rw")
        assert point_printer_to(plugged, node)["error"] == "timeout", "with the class allowed it is opened, and mute"
    finally:
        plugged.drop_in()
        plugged.unplug("gauge")
        plugged.configure()
    restart(plugged)


@pytest.mark.parametrize("word", ["yes", "no"])
def test_devices_work_with_and_without_private_users(plugged, word):
    """Groups and nodes still fit when the unit has a user namespace of its own."""
    plugged.drop_in(f"PrivateUsers={word}")
    restart(plugged)
    spaces = plugged.sh('readlink /proc/1/ns/user "/proc/$1/ns/user"', plugged.main_pid()).out.split()
    assert len(set(spaces)) == (2 if word == "yes" else 1)
    mark = plugged.mark()
    for machine in SOURCES:
        assert plugged.telemetry(machine, lambda t: t["values"], mark)
    plugged.drop_in()
