#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Stops one thread of a process for good, as a driver that hangs would: hang.py PID THREAD-NAME

The others go on (ptrace(2): PTRACE_SEIZE, PTRACE_INTERRUPT). Says "held TID" and ends with the process.
"""
import ctypes
import os
import sys
from pathlib import Path

PTRACE_SEIZE, PTRACE_INTERRUPT = 0x4206, 0x4207
WALL = 0x40000000

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def ptrace(request, tid):
    if libc.ptrace(request, tid, None, None) < 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request:#x}")


def main():
    pid, name = sys.argv[1:]
    tasks = [t for t in Path(f"/proc/{pid}/task").iterdir() if (t / "comm").read_text().strip() == name]
    if len(tasks) != 1:
        names = [(t / "comm").read_text().strip() for t in Path(f"/proc/{pid}/task").iterdir()]
        sys.exit(f"{len(tasks)} threads are called {name}; there are {names}")
    tid = int(tasks[0].name)
    ptrace(PTRACE_SEIZE, tid)
    ptrace(PTRACE_INTERRUPT, tid)
    os.waitpid(tid, WALL)
    print(f"held {tid}", flush=True)
    while True:
        _, status = os.waitpid(tid, WALL)
        if os.WIFEXITED(status) or os.WIFSIGNALED(status):
            return


main()
