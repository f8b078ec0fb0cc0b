#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A unit's system-call filter as a BPF program, for run.c: filter.py UNIT OUT

What systemd.exec(5) makes of SystemCallFilter=, RestrictAddressFamilies=,
MemoryDenyWriteExecute= and Restrict…= of UNIT, with two differences: what is forbidden kills the
process instead of failing with EPERM, so that no test can overlook it; and nobody has to be root.
"""
import subprocess
import sys
from pathlib import Path

import seccomp
from seccomp import ALLOW, EQ, ERRNO, KILL_PROCESS, MASKED_EQ, Arg

FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16, "AF_PACKET": 17}
PROT_WRITE, PROT_EXEC, SHM_EXEC = 2, 4, 0o100000
NAMESPACES = 0x7E020080  # every CLONE_NEW… (linux/sched.h)
SUID_SGID = 0o6000
EPERM, ENOSYS = 1, 38

# Allowed by the filter with these arguments only; each inner list is one way to be allowed.
SWITCHES = {
    "MemoryDenyWriteExecute": {
        "mmap": [[Arg(2, MASKED_EQ, PROT_WRITE | PROT_EXEC, how)] for how in (0, PROT_WRITE, PROT_EXEC)],
        "mprotect": [[Arg(2, MASKED_EQ, PROT_EXEC, 0)]],
        "pkey_mprotect": [[Arg(2, MASKED_EQ, PROT_EXEC, 0)]],
        "shmat": [[Arg(2, MASKED_EQ, SHM_EXEC, 0)]]},
    "RestrictRealtime": {
        "sched_setscheduler": [[Arg(1, EQ, policy)] for policy in (0, 3, 5)]},  # OTHER, BATCH, IDLE
    "RestrictSUIDSGID": {
        "chmod": [[Arg(1, MASKED_EQ, SUID_SGID, 0)]],
        "fchmod": [[Arg(1, MASKED_EQ, SUID_SGID, 0)]],
        "fchmodat": [[Arg(2, MASKED_EQ, SUID_SGID, 0)]]},
    "RestrictNamespaces": {
        "clone": [[Arg(0, MASKED_EQ, NAMESPACES, 0)]],
        "clone3": [], "unshare": [], "setns": []},
    "LockPersonality": {
        "personality": [[Arg(0, EQ, 0)], [Arg(0, EQ, 0xFFFFFFFF)]]},
}
# What else takes from the filter.
TAKEN = {"ProtectClock": "@clock", "ProtectKernelModules": "@module", "ProtectKernelLogs": "syslog",
         "ProtectHostname": "sethostname setdomainname"}
# Where a unit forbids one of these the program goes on, because it lives without it.
REFUSED = {
    "clone3": ENOSYS,         # its flags are in memory, so systemd makes libc use clone
    "fchown": EPERM,          # SQLite, and only as root, which the unit is not
    "clock_adjtime": EPERM,   # daemon/clock.c: does somebody keep the clock?
}


def settings(unit):
    """key -> its values in their order."""
    found = {}
    for line in Path(unit).read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith(("#", ";", "[")):
            found.setdefault(key.strip(), []).append(value.strip())
    return found


def expand(word):
    """A name, or the names of an @group."""
    if not word.startswith("@"):
        return {word.partition(":")[0]}
    names = set()
    listing = subprocess.run(["systemd-analyze", "syscall-filter", word], check=True, capture_output=True, text=True).stdout
    for line in listing.splitlines()[1:]:
        member = line.strip()
        if member and not member.startswith("#"):
            names |= expand(member)
    return names


def allowed(lines):
    """The first line says which kind of list it is; later ones add to it or take away."""
    if not lines or lines[0].startswith("~"):
        sys.exit("filter.py: SystemCallFilter= has to begin with what is allowed")
    names = expand("@default")  # implied
    for line in lines:
        for word in line.lstrip("~").split():
            names = names - expand(word) if line.startswith("~") else names | expand(word)
    return names


def is_known(name):
    """By this libseccomp, for this processor."""
    try:
        return seccomp.resolve_syscall(seccomp.Arch(), name) >= 0
    except RuntimeError:
        return False


def is_on(unit, switch):
    return unit.get(switch, ["no"])[-1] in ("yes", "true", "1", "on")


def ways(unit):
    """system call -> the ways in which it may be called; [[]]: any."""
    taken = ["~" + words for switch, words in TAKEN.items() if is_on(unit, switch)]
    calls = {name: [[]] for name in allowed(unit["SystemCallFilter"] + taken)}
    if "RestrictAddressFamilies" in unit:
        words = " ".join(unit["RestrictAddressFamilies"]).split()
        calls["socket"] = [[Arg(0, EQ, FAMILIES[word])] for word in words if word != "none"] if "socket" in calls else []
    for switch, restricted in SWITCHES.items():
        if is_on(unit, switch):
            calls.update({name: how for name, how in restricted.items() if name in calls})
    return {name: how for name, how in calls.items() if how}


def main(unit, out):
    program = seccomp.SyscallFilter(KILL_PROCESS)
    calls = ways(settings(unit))
    for name, error in REFUSED.items():
        if name not in calls:
            program.add_rule(ERRNO(error), name)
    for name, how in sorted(calls.items()):
        for conditions in how if is_known(name) else []:
            program.add_rule(ALLOW, name, *conditions)
    with open(out, "wb") as file:
        program.export_bpf(file)


if __name__ == "__main__":
    main(*sys.argv[1:])
