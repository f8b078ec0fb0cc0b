# SPDX-License-Identifier: MIT
"""What goes wrong, how often and for how long; each kind has a clock and a dice of its own."""
import collections
import random
import time

import shim as shims

Fault = collections.namedtuple("Fault", "every lasts begin end")


class Faults:
    """kinds: which of KINDS; each comes at least once in so many seconds. tick() lets happen what is
    due, mend() ends everything."""

    def __init__(self, bed, seed, kinds, seconds):
        self.bed = bed
        self.dice = {kind: random.Random(f"{seed}/{kind}") for kind in kinds}
        now = time.monotonic()
        self.due = {kind: now + self.dice[kind].uniform(0.1, 0.9) * min(KINDS[kind].every, seconds) for kind in kinds}
        self.until = {}  # kinds that are going on
        self.count = collections.Counter()

    def tick(self):
        now = time.monotonic()
        if self.bed.right_at is not None and now >= self.bed.right_at:
            set_clock(self.bed)
        for kind, fault in KINDS.items():
            if kind in self.until and now >= self.until[kind]:
                self._end(kind)
            elif kind in self.due and kind not in self.until and now >= self.due[kind]:
                dice = self.dice[kind]
                lasts = dice.uniform(*fault.lasts)
                if fault.begin(self.bed, dice) is False:  # not now
                    self.due[kind] = now + 1
                    continue
                self.count[kind] += 1
                self.until[kind] = now + lasts

    def _end(self, kind):
        del self.until[kind]
        dice = self.dice[kind]
        self.due[kind] = time.monotonic() + dice.uniform(0.4, 1.6) * KINDS[kind].every
        if KINDS[kind].end:
            KINDS[kind].end(self.bed, dice)

    def mend(self):
        """The daemon last: it finds a world that works."""
        for kind in [k for k in KINDS if k in self.until and k not in DAEMON]:
            self._end(kind)
        bed = self.bed
        for kind in [k for k in DAEMON if k in self.until]:
            self._end(kind)
        if not bed.daemon.running():
            bed.daemon.start()
        if bed.shim["offset_ms"] or bed.right_at is not None:
            set_clock(bed)
        bed.proxy.tell("cut")


def kill_daemon(bed, _dice):
    if not bed.daemon.running():
        return False
    bed.daemon.kill()
    return True


def cut_power(bed, dice):
    """And a computer without a battery clock starts: its time is wrong until `sync` comes."""
    if not bed.daemon.running():
        return False
    bed.daemon.kill(kept=dice.choice((0, 0, dice.random())))
    bed.shim.reboot(-dice.randint(10000, 7200000))
    bed.incident("clock", offset_ms=bed.shim["offset_ms"])
    bed.incident("sync", on=False)
    return True


def end_power(bed, dice):
    start_daemon(bed, dice)
    bed.right_at = time.monotonic() + dice.uniform(0, 20)


def set_clock(bed):
    """What a time service does first after a boot."""
    bed.right_at = None
    step(bed, -bed.shim["offset_ms"])
    get_sync(bed, None)


def stop_daemon(bed, _dice):
    if not bed.daemon.running() or bed.gauge("spool_records") is None:  # not yet, or it starts
        return False
    bed.daemon.stop()
    return True


def start_daemon(bed, _dice):
    if not bed.daemon.running():
        bed.daemon.start()


def kill_broker(bed, _dice):
    bed.incident("broker-kill")
    bed.broker.kill()
    bed.close_way("broker", True)


def start_broker(bed, _dice):
    bed.broker.start()
    bed.close_way("broker", False)
    bed.incident("broker-start")


def cut(bed, dice):
    bed.incident("cut")
    if dice.random() < 0.5:
        bed.proxy.tell("cut")
    else:
        bed.close_way("cut", True)


def open_again(bed, _dice):
    bed.close_way("cut", False)


def begin_outage(bed, _dice):
    bed.incident("outage", on=True)
    bed.close_way("outage", True)


def end_outage(bed, _dice):
    bed.close_way("outage", False)
    bed.incident("outage", on=False)


def stall(bed, _dice):
    bed.incident("stall", on=True)
    bed.proxy.tell("stall", "on")


def move(bed, _dice):
    bed.proxy.tell("stall", "off")
    bed.incident("stall", on=False)


def slow_down(bed, dice):
    delay, rate = dice.randint(20, 300), dice.choice((5000, 20000, 100000))
    bed.incident("slow", on=True, delay_ms=delay, rate=rate)
    bed.proxy.tell("slow", delay, rate)


def speed_up(bed, _dice):
    bed.proxy.tell("slow", "off")
    bed.incident("slow", on=False)


def refuse(bed, dice):
    code, text = dice.choice(("0x87", "0x97")), dice.choice(("/", "/", "/event", "/job", "/telemetry", "/history", "/state"))
    bed.incident("reason", on=True, code=code, text=text)
    bed.proxy.tell("reason", code, text)


def accept(bed, _dice):
    """A connection after it, as who mended it would make: 0x87 pauses until then."""
    bed.proxy.tell("reason", "off")
    bed.proxy.tell("cut")
    bed.incident("reason", on=False)


def break_disk(bed, dice):
    error, percent = dice.choice(("ENOSPC", "EIO")), dice.choice((100, 100, 30))
    everything = shims.WRITE | shims.SYNC | shims.TRUNCATE | shims.CREATE
    ops = dice.choice((everything, everything, shims.SYNC, shims.WRITE))
    bed.break_disk("disk", True, error=error, ops=ops, percent=percent)
    bed.shim.disk(error, ops, percent)


def mend_disk(bed, _dice):
    bed.shim.disk("")
    bed.break_disk("disk", False)


def slow_disk(bed, dice):
    ms = dice.choice((5, 20, 60))
    bed.incident("slow-disk", on=True, ms=ms)
    bed.shim.slow(ms)


def fast_disk(bed, _dice):
    bed.shim.slow(0)
    bed.incident("slow-disk", on=False)


def limit_files(bed, dice):
    if not bed.daemon.running():
        return False
    bed.break_disk("fsize", True, fsize=(size := dice.randint(0, 200000)))
    bed.daemon.limit_files(size)
    return True


def unlimit_files(bed, _dice):
    if bed.daemon.running():
        bed.daemon.limit_files(None)
    bed.break_disk("fsize", False)


def step(bed, ms):
    bed.shim.step(ms)
    bed.incident("clock", offset_ms=bed.shim["offset_ms"])


def step_clock(bed, dice):
    """Somewhere within two hours of the truth, and not too near to where it was; the clock of a
    computer that runs by itself, or was just set, is left alone."""
    if bed.shim["sync"] != shims.SYNCED or time.monotonic() < bed.synced_at + NOTICED_S:
        return False
    now = bed.shim["offset_ms"]
    far = dice.choice((20000, 600000, 7200000))
    ms = dice.choice((-1, 1)) * dice.randint(3000, far)
    step(bed, ms if abs(now + ms) <= 7200000 else -ms)
    return True


def lose_sync(bed, _dice):
    if bed.shim["sync"] != shims.SYNCED:
        return False
    bed.shim.sync(shims.UNSYNCED)
    bed.incident("sync", on=False)
    return True


def get_sync(bed, _dice):
    if bed.right_at is None and bed.shim["sync"] != shims.SYNCED:
        bed.shim.sync(shims.SYNCED)
        bed.synced_at = time.monotonic()
        bed.incident("sync", on=True)


def annoy_devices(bed, dice):
    bus = dice.randrange(bed.options.buses)
    if dice.random() < 0.5:
        bed.sim.tell("cut", bus)
        bed.incident("device-cut", bus=bus)
    else:
        bed.sim.tell("silent", bus, round(dice.uniform(0.3, 3), 2))
        bed.incident("device-silent", bus=bus)


NOTICED_S = 6  # after so long the daemon knows that the clock is right
DAEMON = ("kill", "power", "stop", "fsize")
KINDS = {
    "kill": Fault(12, (0, 2), kill_daemon, start_daemon),
    "power": Fault(40, (0, 2), cut_power, end_power),
    "stop": Fault(45, (0, 2), stop_daemon, start_daemon),
    "broker": Fault(25, (0.2, 5), kill_broker, start_broker),
    "cut": Fault(12, (0, 4), cut, open_again),
    "outage": Fault(240, (30, 90), begin_outage, end_outage),
    "stall": Fault(18, (0.5, 12), stall, move),
    "slow": Fault(20, (2, 8), slow_down, speed_up),
    "reason": Fault(18, (0.3, 4), refuse, accept),
    "disk": Fault(60, (0.3, 6), break_disk, mend_disk),
    "slow-disk": Fault(25, (1, 5), slow_disk, fast_disk),
    "fsize": Fault(100, (0.5, 4), limit_files, unlimit_files),
    "clock": Fault(22, (0, 0), step_clock, None),
    "sync": Fault(50, (3, 20), lose_sync, get_sync),
    "device": Fault(9, (0, 0), annoy_devices, None),
}
