# SPDX-License-Identifier: MIT
"""Machines are unplugged and plugged in, at any time and under any name."""
import statistics

import pytest

from gateway import BUSY_W, SOURCES, wait_until

CYCLES = 10
SOON_S = 10    # without KVM, on a computer that has other work; on a gateway it is a second
MODULES = ("cdc_acm", "ftdi_sio", "usbserial", "usbhid")


@pytest.fixture(scope="module")
def started(gateway):
    """Long since, with nothing plugged in and without the drivers of what may be."""
    gateway.sh("for m; do modprobe -r $m 2>/dev/null || :; done", *MODULES)
    classes = gateway.read("/proc/devices")
    assert "ttyACM" not in classes and "ttyUSB" not in classes, classes
    gateway.systemctl("start")
    for machine in SOURCES:
        source, _ = gateway.source(machine, False)
        assert source["error"] == "link-down"
    return gateway


@pytest.fixture(scope="module")
def plugged(started):
    """All are plugged in. That their first time comes after the start is a test in itself."""
    started.plug_all()
    started.online(timeout=30)
    return started


def test_the_first_plug_comes_long_after_the_start(plugged):
    for machine in SOURCES:
        assert plugged.state(machine, availability="online")


def unplug_and_plug(gateway):
    """All of them; how long each took to be read again, by the gateway's clock."""
    mark = gateway.mark()
    for machine in SOURCES:
        gateway.unplug(machine)
    for machine in SOURCES:
        source, state = gateway.source(machine, False, mark)
        assert source["error"] == "link-down" and state["availability"] == "offline"
    mark = gateway.mark()
    plugged_ms = {machine: gateway.plug(machine)[0] for machine in SOURCES}
    return {machine: (gateway.source(machine, True, mark)[1]["ts"] - plugged_ms[machine]) / 1000 for machine in SOURCES}


def test_ten_cycles_in_a_job(plugged, figures):
    """Each is back soon, and what it was doing goes on."""
    plugged.power(BUSY_W)
    plugged.sim.control("do printer print 3600")
    plugged.sim.control("do charger charge 3600")
    jobs = {machine: plugged.job(machine, "started")["job"] for machine in SOURCES}
    took = [unplug_and_plug(plugged) for _ in range(CYCLES)]
    for machine, job in jobs.items():
        for one in took:
            figures.add(f"plug_{machine}_s", one[machine])
        assert statistics.median(one[machine] for one in took) < SOON_S, took
        assert plugged.wait(f"machines/{machine}/state", lambda s: s["activity"] == "busy", plugged.mark())["job"] == job
        assert len(plugged.jobs_told(machine)) == 1
    assert plugged.restarts() == 0
    identity = [m.json for m in plugged.sub.find(predicate=lambda m: m.topic.endswith("/event")) if m.json["type"] == "identity"]
    assert identity == [], "they are what they were"


def port_of(gateway, serial):
    return gateway.sh('readlink -f /dev/serial/by-id/*"$1"*', serial).out.strip()


def test_its_name_is_taken_by_another(plugged):
    """The printer comes back as ttyACM1, because something else was plugged in meanwhile."""
    assert port_of(plugged, "CZPX1234") == "/dev/ttyACM0"
    mark = plugged.mark()
    plugged.unplug("printer")
    plugged.source("printer", False, mark)
    plugged.plug("decoy")
    wait_until(lambda: plugged.sh("ls /dev/ttyACM0", code=None).code == 0, 20, "the other has the name")
    mark = plugged.mark()
    plugged.plug("printer")
    _, state = plugged.source("printer", True, mark)
    assert port_of(plugged, "CZPX1234") == "/dev/ttyACM1"
    assert state["values"]["board.state"] == "printing"
    plugged.unplug("decoy")
