# SPDX-License-Identifier: MIT
"""From the package to the first readings."""
import re

import pytest

from gateway import IDLE_W, SOURCES, wait_until

PORTS = {"laser": "/dev/serial/by-id/usb-QEMU_QEMU_USB_SERIAL_METER-1-if00-port0",
         "printer": "/dev/serial/by-id/usb-Prusa_Research_Original_Prusa_MK3_CZPX1234-if00"}


@pytest.fixture(scope="module")
def snapshot():
    return "bare"


@pytest.fixture(scope="module")
def installed(gateway):
    gateway.run("dpkg", "-i", "/root/labpulse.deb")
    gateway.allow_clock()
    return gateway


@pytest.fixture(scope="module")
def running(installed):
    installed.configure()
    installed.plug_all()
    installed.systemctl("start")
    installed.online()
    return installed


def test_it_says_that_it_needs_a_configuration(installed):
    assert installed.run("systemctl", "is-enabled", "labpulsed").out.strip() == "enabled"
    assert "/etc/labpulse/labpulse.yaml" in installed.status()
    assert installed.restarts() == 0, "nothing mends a missing configuration but a person"


def test_it_runs_as_soon_as_it_has_one(running, figures):
    assert running.show("ActiveState") == "active" and running.show("SubState") == "running"
    begin, ready = (int(running.show(f"{p}TimestampMonotonic")) for p in ("InactiveExit", "ActiveEnter"))
    figures.add("ready_s", (ready - begin) / 1e6)
    wait_until(lambda: "3 of 3 machines online; connected to 10.0.2.100:1883" in running.status(), 30,
               "a status that says how it is")
    memory = running.read(f"/proc/{running.main_pid()}/status")
    figures.add("rss_mb", int(re.search(r"VmRSS:\s+(\d+) kB", memory)[1]) / 1000)


def test_what_the_machines_say_arrives(running):
    values = running.telemetry("laser", lambda t: "voltage_v" in t["values"])["values"]
    assert values["voltage_v"] == 230.1 and values["power_w"] == IDLE_W
    values = running.telemetry("printer", lambda t: "hotend_temp_c" in t["values"])["values"]
    assert values["state"] == "idle" and 15 < values["hotend_temp_c"] < 40
    values = running.telemetry("charger", lambda t: "input_v" in t["values"])["values"]
    assert values["input_v"] == 24.1 and values["ch1_state"] == "idle"
    for machine in SOURCES:
        assert running.state(machine, state="idle")["clock"] == "synced"


def test_the_ports_belong_to_their_groups(running):
    for link in PORTS.values():
        assert running.run("stat", "-L", "-c", "%G %a", link).out == "dialout 660\n"
    assert running.sh("stat -c '%G %a' /dev/hidraw0").out == "labpulse 660\n"
    assert running.run("ps", "-o", "user=", "-p", running.main_pid()).out.strip() == "labpulse"


def test_modem_manager_leaves_them_alone(running):
    for link in PORTS.values():
        assert "ID_MM_DEVICE_IGNORE=1" in running.run("udevadm", "info", "-q", "property", link).out.split()


def test_the_tool_asks_the_daemon(running):
    assert "meter" in running.run("labpulse", "read", "laser").out
    listed = running.run("labpulse", "scan", "usb").out
    assert all(vidpid in listed for vidpid in ("0403:6001", "2c99:0002", "0483:5751")) or listed.count("device:") == 3, listed
