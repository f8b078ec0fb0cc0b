# SPDX-License-Identifier: MIT
"""A program on a terminal of a given size, and what stands on that terminal (python3-pyte).

    with Terminal([BUILD / "labpulse", "watch", …], 80, 24) as t:
        t.wait(lambda: "laser-1" in t.text())
        t.resize(40, 24)
"""
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

import pyte
from wcwidth import wcswidth

DEADLINE = 15.0
SEQUENCE = re.compile(r"\x1b\[[?0-9;]*[a-zA-Z]")


def width(line):
    """Columns of a line without its escape sequences."""
    return max(wcswidth(SEQUENCE.sub("", line)), 0)


class Terminal:
    def __init__(self, argv, columns, lines, env=None):
        self.master, slave = pty.openpty()
        self.name = os.ttyname(slave)
        self.raw = b""
        self._set_size(columns, lines)
        self.modes = termios.tcgetattr(slave)
        self.slave = slave  # open, so that what was written last can be read when the program has ended
        self.popen = subprocess.Popen([str(a) for a in argv], stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                                      env={**os.environ, "TERM": "xterm", **(env or {})},
                                      preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def _set_size(self, columns, lines):
        self.columns, self.lines = columns, lines
        self.screen = pyte.Screen(columns, lines)
        self.stream = pyte.ByteStream(self.screen)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def resize(self, columns, lines):
        """Another size; what is drawn from now on counts."""
        self.read()
        self.raw = b""
        self._set_size(columns, lines)

    def read(self, timeout=0.0):
        while select.select([self.master], [], [], timeout)[0]:
            data = os.read(self.master, 1 << 16)
            self.raw += data
            self.stream.feed(data)
            timeout = 0.0

    def wait(self, check, timeout=DEADLINE, what="what should stand there"):
        end = time.monotonic() + timeout
        while not check():
            assert time.monotonic() < end, f"{what}: not within {timeout} s\n{self.text()}"
            self.read(0.05)

    def text(self):
        return "\n".join(self.rows())

    def rows(self):
        return [line.rstrip() for line in self.screen.display]

    def written(self):
        """Everything since the start or the last resize, line by line, escape sequences and all."""
        return self.raw.decode().split("\n")

    def type(self, keys):
        os.write(self.master, keys)

    def signal(self, number):
        self.popen.send_signal(number)

    def ended(self):
        """The exit code, or the negative number of a signal, when it has ended; all that it wrote is read."""
        end = time.monotonic() + DEADLINE
        while self.popen.poll() is None:
            assert time.monotonic() < end, "it does not end"
            self.read(0.02)
        self.read()
        return self.popen.returncode

    def is_restored(self):
        """Cursor, screen and keys are as they were before."""
        return (self.raw.rstrip().endswith(b"\x1b[?25h\x1b[?1049l") and self.raw.count(b"\x1b[?1049h") == self.raw.count(b"\x1b[?1049l")
                and termios.tcgetattr(self.slave) == self.modes)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.popen.kill()
        self.popen.wait()
        os.close(self.master)
        os.close(self.slave)
