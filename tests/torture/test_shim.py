# SPDX-License-Identifier: MIT
"""The shim under SQLite and libc, as they are under the daemon."""
import os
import sqlite3
import subprocess
from pathlib import Path

import pytest

import shim as shims

BUILD = Path(os.environ.get("BUILD", Path(__file__).resolve().parents[2] / "build")).resolve()
INSERT = """
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1] + "/t.db", isolation_level=None)
try:
    db.execute("PRAGMA locking_mode=EXCLUSIVE")  # as the daemon: no shared memory
    db.execute("PRAGMA journal_mode=WAL"); db.execute("PRAGMA synchronous=FULL")
    db.execute("CREATE TABLE IF NOT EXISTS t(x)")
    db.execute("INSERT INTO t VALUES(1)"); print("stored")
except sqlite3.OperationalError as e:
    print(e)
"""
TIMER = """
import ctypes, os, select
libc = ctypes.CDLL(None, use_errno=True)
fd = libc.timerfd_create(0, os.O_NONBLOCK)  # CLOCK_REALTIME
libc.timerfd_settime(fd, 3, None, None)
print("ready", flush=True)
print(select.select([fd], [], [], 10)[0] == [fd], libc.read(fd, ctypes.create_string_buffer(8), 8),
      os.strerror(ctypes.get_errno()))
print(select.select([fd], [], [], 0)[0] == [])
"""


@pytest.fixture(name="shim")
def shim_fixture(tmp_path):
    (tmp_path / "spool").mkdir()
    with shims.Shim(tmp_path, tmp_path / "spool") as shim:
        yield shim


def start(shim, program, *args):
    return subprocess.Popen(["/usr/bin/python3", "-c", program, *map(str, args)], stdout=subprocess.PIPE, text=True,
                            env=shim.env(BUILD / "torture" / "shim.so"))


def run(shim, program, *args):
    return start(shim, program, *args).communicate(timeout=20)[0].strip()


def test_the_disk_works_and_is_counted(shim):
    assert run(shim, INSERT, shim.spool) == "stored"
    assert shim["written"] > 4096 and shim["syncs"] >= 1 and shim["failed"] == 0


@pytest.mark.parametrize("error, ops, words", [
    ("ENOSPC", shims.WRITE, "database or disk is full"), ("EIO", shims.WRITE, "disk I/O error"),
    ("EIO", shims.SYNC, "disk I/O error")])
def test_the_disk_fails_below_the_folder_only(shim, tmp_path, error, ops, words):
    assert run(shim, INSERT, shim.spool) == "stored"
    shim.disk(error, ops)
    assert run(shim, INSERT, shim.spool) == words
    assert shim["failed"] >= 1
    (tmp_path / "spool2").mkdir()
    assert run(shim, INSERT, tmp_path / "spool2") == "stored"
    shim.disk("")
    assert run(shim, INSERT, shim.spool) == "stored"


def test_the_clock_is_another(shim):
    program = "import time; print(time.time() - time.clock_gettime(time.CLOCK_BOOTTIME))"
    before = float(run(shim, program))
    shim.step(-3600500)
    assert abs(float(run(shim, program)) - before + 3600.5) < 0.2


def test_a_step_is_told_once(shim):
    child = start(shim, TIMER)
    try:
        assert child.stdout.readline() == "ready\n"
        shim.step(1000)
        assert child.stdout.readline() == "True -1 Operation canceled\n"
        assert child.stdout.readline() == "True\n"
    finally:
        child.kill()
        child.communicate()


def test_synchronised_or_not(shim):
    program = ("import ctypes, os; libc = ctypes.CDLL(None);"
               "print(os.access('/run/systemd/timesync/synchronized', 0), libc.adjtimex(ctypes.create_string_buffer(512)))")
    shim.sync(shims.SYNCED)
    assert run(shim, program) == "True 0"
    shim.sync(shims.UNSYNCED)
    assert run(shim, program) == "False 5"




def test_the_power_takes_what_was_not_synced(shim, tmp_path):
    """SQLite comes back from it with all that it committed with a sync, and nothing of the rest."""
    shim.remember_writes(tmp_path / "undo")
    program = """
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1] + "/t.db", isolation_level=None)
db.execute("PRAGMA locking_mode=EXCLUSIVE"); db.execute("PRAGMA journal_mode=WAL"); db.execute("PRAGMA synchronous=FULL")
db.execute("CREATE TABLE t(x)"); db.execute("INSERT INTO t VALUES('synced')")
db.execute("PRAGMA synchronous=NORMAL"); db.execute("INSERT INTO t VALUES('not')")
os.kill(os.getpid(), 9)
"""
    run(shim, program, shim.spool)
    assert shim.cut_power(0) >= 1
    assert sqlite3.connect(shim.spool / "t.db").execute("SELECT x FROM t").fetchall() == [("synced",)]
