#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Everything goes wrong at once, then nothing does any more, and checker.py counts what came.

    run.py --seconds 60 --seed 7 [--only kill,cut] [--without clock,disk] [--keep]

The kinds of faults are those of faults.py. The same seed makes the same plan; what comes of it is
the computer's doing. The folder stays when something was lost. Exits 1 then.
"""
import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import bed as beds
from faults import KINDS, Faults

HERE = Path(__file__).resolve().parent
SAMPLE_S = 1.0


def parse(argv):
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--only", default="", help="kinds of faults: " + " ".join(KINDS))
    parser.add_argument("--without", default="")
    parser.add_argument("--machines", type=int, default=10)
    parser.add_argument("--buses", type=int, default=2)
    parser.add_argument("--interval", default="250ms")
    parser.add_argument("--spool-size", default="2GiB")
    parser.add_argument("--rss-limit", type=float, default=48, help="MB")
    parser.add_argument("--drain", type=float, default=120, help="seconds that the end may take")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args(argv)
    kinds = [k for k in options.only.split(",") if k] or [k for k in KINDS if options.seconds >= 300 or k != "outage"]
    options.kinds = [k for k in kinds if k not in options.without.split(",")]
    if unknown := set(options.kinds + [k for k in options.without.split(",") if k]) - set(KINDS):
        parser.error(f"no such fault: {', '.join(unknown)}; there are {', '.join(KINDS)}")
    return options


def gap_reasons(options):
    """What can be lost at all by what is done."""
    broken = {"disk", "fsize"} & set(options.kinds)
    return ["restart"] + ["write-error"] * bool(broken) + ["spool-full"] * (options.spool_size != "2GiB")


def live(bed, options):
    """Faults until the time is over."""
    faults = Faults(bed, options.seed, options.kinds, options.seconds)
    end, sampled = time.monotonic() + options.seconds, 0
    while (now := time.monotonic()) < end:
        faults.tick()
        if not bed.daemon.running() and not {"kill", "power", "stop"} & set(faults.until):
            bed.incident("daemon-ended", code=bed.daemon.process.returncode)
            bed.daemon.start()
        if now - sampled > SAMPLE_S:
            bed.sample()
            sampled = now
        time.sleep(0.02)
    return faults


def torture(folder, options):
    """The whole of it; what it did, by kind."""
    begin = time.monotonic()
    bed = beds.Bed(folder, options)
    try:
        bed.daemon.start()
        beds.wait_until(lambda: bed.gauge("spool_records") is not None, 20, "the daemon answers")
        faults = live(bed, options)
        faults.mend()
        bed.sim.tell("calm")
        bed.incident("calm")
        bed.settle(options.drain)
        bed.sample()
        bed.daemon.stop()
        return dict(faults.count)
    finally:
        bed.write_meta(round(time.monotonic() - begin, 1), gap_reasons(options))
        bed.close()


def main(argv=None):
    options = parse(argv)
    folder = Path(tempfile.mkdtemp(prefix="torture-"))
    print(f"seed {options.seed}, {options.seconds:g} s of {', '.join(options.kinds)}; {folder}", flush=True)
    code, keep = 1, True
    try:
        print("done:", torture(folder, options), flush=True)
        code = subprocess.run(["/usr/bin/python3", HERE / "checker.py", folder, "--json", folder / "result.json"], check=False).returncode
        keep = options.keep or code != 0
    finally:
        if keep:
            print(f"everything is in {folder}; the same plan: --seed {options.seed}")
        else:
            shutil.rmtree(folder)
    return code


if __name__ == "__main__":
    sys.exit(main())
