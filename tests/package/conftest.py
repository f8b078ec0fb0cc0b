# SPDX-License-Identifier: MIT
"""A gateway under a real systemd: a container booted from build/boot-root, gone when it ends.

    BOOT_ROOT=build/boot-root   what root.sh made
    DEB=…/labpulse_….deb        the package

Not enforced here are device policy and memory limits, and udev does not run: that is for the
virtual gateway (tests/vm).
"""
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
ROOT = Path(os.environ.get("BOOT_ROOT", TOP / "build" / "boot-root")).resolve()
DEB = Path(os.environ.get("DEB", "missing"))
DEADLINE = 30.0
UNIT = "labpulsed.service"
# Those of systemd, where version 2 has not all for itself.
HIERARCHIES = [p for p in map(Path, ("/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd")) if p.is_dir()]


def wait_until(check, timeout=DEADLINE, what="condition", interval=0.1):
    """Calls check() until it returns something true, and returns that."""
    end = time.monotonic() + timeout
    while True:
        result = check()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {timeout} s")
        time.sleep(interval)


class Container:
    """systemd as process 1, /var/volatile over the root, a network of its own."""

    def __init__(self, folder):
        self.console = folder / "console.log"
        self.name = f"labpulse{os.getpid()}"
        self.process = self.leader = None

    def boot(self):
        command = ["systemd-nspawn", "-q", "-D", ROOT, "--volatile=overlay", "--boot", "--private-network",
                   "--register=no", "-M", self.name]
        under_systemd = Path("/run/systemd/system").exists()
        with self.console.open("wb") as console:
            self.process = subprocess.Popen(
                command if under_systemd else command + ["--keep-unit"], stdin=subprocess.DEVNULL,
                stdout=console, stderr=console, start_new_session=True,
                preexec_fn=None if under_systemd else self.enter_cgroup)
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        self.leader = wait_until(lambda: self.is_alive() and children.read_text().split(), what="process 1")[0]
        wait_until(lambda: self.run("systemctl", "is-system-running", ok=None).stdout.strip() in ("running", "degraded"),
                   what="the container's systemd")
        return self

    def is_alive(self):
        assert self.process.poll() is None, self.console.read_text(errors="replace")
        return True

    def enter_cgroup(self):
        """Where systemd does not run, two containers would share one cgroup, and stop each other's units."""
        for hierarchy in HIERARCHIES:
            (hierarchy / self.name).mkdir(exist_ok=True)
            (hierarchy / self.name / "cgroup.procs").write_text(str(os.getpid()))

    def power_off(self):
        if self.process.poll() is None:
            os.kill(int(self.leader), signal.SIGRTMIN + 4)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for hierarchy in HIERARCHIES:
            for path, _, _ in os.walk(hierarchy / self.name, topdown=False):
                os.rmdir(path)

    def run(self, *command, ok=0, text=None):
        """A command inside, as root. `ok` is the exit code it has to have; None: any."""
        done = subprocess.run(["nsenter", "-t", self.leader, "-a", *map(str, command)], capture_output=True,
                              text=True, timeout=120, input=text or "", env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"})
        assert ok is None or done.returncode == ok, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def path(self, inside):
        """A file inside, seen from outside."""
        return Path(f"/proc/{self.leader}/root{inside}")

    def show(self, name, unit=UNIT):
        return self.run("systemctl", "show", "-P", name, unit).stdout.strip()

    def journal(self, unit=UNIT):
        return self.run("journalctl", "-o", "cat", "-u", unit).stdout


@pytest.fixture(scope="session")
def box(tmp_path_factory):
    if os.getuid() != 0:
        pytest.skip("a container with systemd needs root")
    container = Container(tmp_path_factory.mktemp("box"))
    try:
        container.boot()
        container.path("/root/labpulse.deb").write_bytes(DEB.read_bytes())
        yield container
    finally:
        container.power_off()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """A test that fails shows what the container's journal had to say."""
    report = (yield).get_result()
    box = item.funcargs.get("box")
    if report.failed and box:
        report.sections.append(("journal", box.run("journalctl", "-n", "60", ok=None).stdout))
