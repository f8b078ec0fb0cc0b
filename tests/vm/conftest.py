# SPDX-License-Identifier: MIT
"""The virtual gateway of the tests: made once, gone back to before each file of tests.

    VM=build/vm       the folder with image/ and runs/
    DEB=…/labpulse_….deb
    VM_KEEP=1         the snapshots of the last run, for whoever writes a test

Two snapshots: `bare`, a gateway that has just booted; `installed`, one with the package and a
configuration, the unit stopped, nothing plugged in. Whatever happens is measured into
figures.json, and all of it is kept in runs/ (see docs/gateway.md).
"""
import json
import os
import shutil
from pathlib import Path

import pytest

import gateway as gateways
from machine import Machine

VM = Path(os.environ.get("VM", gateways.TOP / "build" / "vm")).resolve()
DEB = Path(os.environ["DEB"]).resolve()
KEEP = os.environ.get("VM_KEEP")
PROGRAMS = {"gadget.py": "/usr/local/sbin/vm-gadget", "hang.py": "/usr/local/sbin/vm-hang"}


class Figures:
    """What was measured, name -> numbers; figures.py makes a table of it. With VM_KEEP what this
    run does not measure stays as it was."""

    def __init__(self, path):
        self.path, self.fresh = path, set()
        self.values = json.loads(path.read_text()) if KEEP and path.exists() else {}

    def add(self, name, value):
        if name not in self.fresh:
            self.values[name] = []
            self.fresh.add(name)
        self.values[name].append(round(value, 3))
        self.path.write_text(json.dumps(self.values, indent=1))


@pytest.fixture(scope="session")
def figures():
    VM.mkdir(parents=True, exist_ok=True)
    return Figures(VM / "figures.json")


@pytest.fixture(scope="session")
def machine():
    """The disk, without power."""
    folder = VM / "runs"
    machine = Machine(VM / "image", folder)
    if not (KEEP and machine.fits_its_image() and machine.has_snapshots("bare", "installed")):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        machine.create_disk()
    yield machine
    machine.cut()


def install_programs(machine):
    for name, path in PROGRAMS.items():
        machine.put_file(gateways.HERE / "guest" / name, path, "755")
    machine.put_file(gateways.HERE / "guest" / "gadget@.service", "/etc/systemd/system/gadget@.service")
    machine.put_file(DEB, "/root/labpulse.deb")
    machine.run("systemctl", "daemon-reload")


@pytest.fixture(scope="session")
def snapshots(machine, figures, tmp_path_factory):
    """Both are there."""
    if machine.has_snapshots("bare", "installed"):
        return
    gateway = gateways.Gateway(machine, tmp_path_factory.mktemp("prepare")).set_up()
    try:
        figures.add("boot_s", gateway.boot())
        gateway.run("systemctl", "is-system-running", "--wait")
        install_programs(machine)
        machine.save("bare")
        gateway.run("dpkg", "-i", "/root/labpulse.deb")
        gateway.systemctl("stop")
        gateway.configure()
        gateway.allow_clock()
        gateway.run("sync")  # a boot from the disk alone finds all of it
        machine.save("installed")
    finally:
        gateway.tear_down()


@pytest.fixture(scope="module")
def snapshot():
    """Overridden in files of tests that begin with another one."""
    return "installed"


@pytest.fixture(scope="module")
def gateway(machine, snapshots, snapshot, figures, tmp_path_factory):
    """A gateway as it was in the snapshot, in a world that is new; what it published fits the schemas."""
    gateway = gateways.Gateway(machine, tmp_path_factory.mktemp("gateway")).set_up()
    figures.add("restore_s", gateway.boot(load=snapshot))
    yield gateway
    violations = gateway.tear_down()
    assert not violations, "against the schemas: " + "\n".join(violations[:5])


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A test that failed shows what the gateway said."""
    outcome = yield
    report = outcome.get_result()
    gateway = getattr(item, "funcargs", {}).get("gateway")
    if report.when != "call" or not report.failed or gateway is None:
        return
    for title, command in (("status", ("systemctl", "status", "--no-pager", "-l", "labpulsed")),
                           ("journal", ("journalctl", "--no-pager", "-n", "150", "-o", "short-monotonic"))):
        try:
            report.sections.append((f"gateway: {title}", gateway.run(*command, code=None, timeout=20).out))
        except (OSError, AssertionError, AttributeError) as error:
            report.sections.append((f"gateway: {title}", f"cannot be asked: {error}"))
