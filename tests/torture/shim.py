# SPDX-License-Identifier: MIT
"""The harness's side of shim.c: what is to go wrong, and what was seen.

    with Shim(folder, spool) as shim: start(…, env=shim.env(library)); shim.disk("ENOSPC")
"""
import errno
import mmap
import os
import struct
import time
import uuid

WORDS = ["errno", "ops", "percent", "delay_ms", "offset_ms", "sync", "boot_ms", "", "written", "writes", "syncs", "failed"]
SIZE = 64 * 8
WRITE, SYNC, TRUNCATE, CREATE, READ = 1, 2, 4, 8, 16
REAL, SYNCED, UNSYNCED = 0, 1, 2


class Shim:
    def __init__(self, folder, spool):
        self.spool, self.path, self.fifo = spool, folder / "control.words", folder / "steps.fifo"
        self.undo = None  # see remember_writes()
        self.boot = folder / "boot_id"
        self.boot.write_text(f"{uuid.uuid4()}\n")
        self.path.write_bytes(bytes(SIZE))
        os.mkfifo(self.fifo)
        with open(self.path, "r+b") as f:
            self.words = mmap.mmap(f.fileno(), SIZE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.words.close()

    def env(self, library):
        """The environment of a program with this disk and clock."""
        asan = os.environ.get("ASAN_OPTIONS", "")
        undo = {"TORTURE_UNDO": str(self.undo)} if self.undo else {}
        return {**os.environ, **undo, "LD_PRELOAD": str(library), "TORTURE_CONTROL": str(self.path),
                "TORTURE_SPOOL": str(self.spool), "TORTURE_STEPS": str(self.fifo), "TORTURE_BOOT": str(self.boot),
                "ASAN_OPTIONS": f"{asan}:verify_asan_link_order=0"}

    def __getitem__(self, name):
        return struct.unpack_from("q", self.words, WORDS.index(name) * 8)[0]

    def __setitem__(self, name, value):
        struct.pack_into("q", self.words, WORDS.index(name) * 8, value)

    def disk(self, name, ops=WRITE | SYNC | TRUNCATE | CREATE, percent=100):
        """Its calls fail with this error; "" heals it."""
        self["ops"], self["percent"] = ops, percent
        self["errno"] = getattr(errno, name) if name else 0

    def slow(self, ms):
        self["delay_ms"] = ms

    def remember_writes(self, folder):
        """For cut_power(), of programs that start from now on."""
        self.undo = folder
        folder.mkdir()

    def cut_power(self, kept):
        """The program has just been killed: of the writes since each file's last sync only this
        part, the first ones, had reached the disk. The number of writes undone."""
        files, undone = {f.stat().st_ino: f for f in self.spool.iterdir()}, 0
        for journal in self.undo.iterdir():
            data, entries = journal.read_bytes(), []
            while len(data) >= 24:
                at, n, size = struct.unpack_from("qqq", data)
                entries.append((at, data[24:24 + n], size, len(data) >= 24 + n))
                data = data[24 + n:]
            journal.unlink()
            file = files.get(int(journal.name))
            if file is None:
                continue
            with open(file, "r+b") as f:
                for at, old, size, whole in reversed(entries[int(len(entries) * kept):]):
                    if whole:  # else it was killed before it wrote
                        os.pwrite(f.fileno(), old, at)
                        os.ftruncate(f.fileno(), size)
                        undone += 1
        return undone

    def reboot(self, offset_ms):
        """The computer starts anew, with a clock that is so far off and not synchronised."""
        self.boot.write_text(f"{uuid.uuid4()}\n")
        self["boot_ms"] = int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000)
        self["offset_ms"] = offset_ms
        self.sync(UNSYNCED)

    def step(self, ms):
        """The clock jumps by so much; who has a timer on it is told."""
        self["offset_ms"] += ms
        try:
            fd = os.open(self.fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return  # nobody listens
        os.write(fd, b"!")
        os.close(fd)

    def sync(self, how):
        self["sync"] = how
