#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What the daemon writes to its disk while nothing goes wrong: bytes per day, by extrapolation.

    rest.py [--seconds 180] [--machines 10] [--interval 1s]

Four times `seconds`: machines idle or working, the broker there or not. `written` is what the
program handed to the kernel for files of its spool (shim.c counts), `device` what the kernel
counted as written for it (/proc/PID/io). Each phase starts when the one before has settled.
"""
import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path

import bed as beds

DAY_S = 86400
WARM_S = 20


def look(bed):
    bed.sample()
    return {"t": time.monotonic(), "written": bed.shim["written"], "device": bed.io_bytes + bed.io_now,
            "syncs": bed.shim["syncs"], "disk": sum(f.stat().st_size for f in bed.shim.spool.iterdir())}


def delivered_bytes(bed):
    with open(bed.folder / "deliveries.jsonl", encoding="utf-8") as f:
        return sum(len(d["payload"]) for d in map(json.loads, f) if d.get("rc") == 0)


def watch(bed, name, seconds):
    """One phase; what it cost."""
    first, sent = look(bed), delivered_bytes(bed)
    end = time.monotonic() + seconds
    while time.monotonic() < end:  # the measured time itself
        time.sleep(min(1, max(0, end - time.monotonic())))
        bed.sample()
    last, sent = look(bed), delivered_bytes(bed) - sent
    span = last["t"] - first["t"]
    per_day = {k: (last[k] - first[k]) / span * DAY_S / 1e6 for k in ("written", "device")}
    print(f"{name:24} {span:6.0f} s  written {per_day['written']:9.1f} MB/day  device {per_day['device']:9.1f} MB/day  "
          f"{(last['syncs'] - first['syncs']) / span:5.2f} syncs/s  spool {last['disk'] / 1e6:6.2f} MB  "
          f"sent {sent / span * DAY_S / 1e6:8.1f} MB/day", flush=True)


def measure(bed, seconds):
    bed.daemon.start()
    beds.wait_until(lambda: bed.gauge("spool_records") is not None, 20, "the daemon answers")
    watch(bed, "(warming up)", WARM_S)
    watch(bed, "online, working", seconds)
    bed.close_way("rest", True)
    watch(bed, "offline, working", seconds)
    bed.sim.tell("calm")
    watch(bed, "offline, idle", seconds)
    bed.close_way("rest", False)
    begin = time.monotonic()
    bed.settle(120)
    print(f"drained {time.monotonic() - begin:.1f} s after the broker was back")
    watch(bed, "online, idle", seconds)
    bed.daemon.stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--machines", type=int, default=10)
    parser.add_argument("--interval", default="1s")
    parser.set_defaults(kinds=[], buses=2, seed=1, spool_size="2GiB", rss_limit=48)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="torture-rest-"))
    bed = beds.Bed(folder, options)
    try:
        measure(bed, options.seconds)
    finally:
        bed.close()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
