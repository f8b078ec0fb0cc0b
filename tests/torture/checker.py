#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Was anything lost? Counts every record by (park, topic, gw, epoch, seq) and every reading by its number.

    checker.py FOLDER [--json FILE]

Knows the topics and payloads of docs/topics.md and the simulator's ledger, and nothing of the
daemon. Each rule is a function that yields violations (name, what it is about, when, in words).
Exits 1 if there are any.
"""
import argparse
import collections
import json
import sys
from pathlib import Path

import rules_records
import rules_world
from evidence import read_folder

RULES = rules_records.RULES + rules_world.RULES


def check(evidence):
    """All violations, in the order of the rules."""
    return [dict(zip(("rule", "about", "t", "text"), v)) for rule in RULES for v in rule(evidence)]


def figures(e):
    """What was counted, for people and for docs/delivery.md."""
    leaves = collections.Counter(k.topic.rsplit("/", 1)[1] for k in e.records)
    readings = sum(len(r) for r in e.readings.values())
    delivered = {(r.key.topic.split("/")[1], r.body["values"].get("count")) for r in e.of("telemetry")
                 if r.body.get("values")}
    lost = sum(1 for m, ns in e.readings.items() for n, t in ns.items() if t < e.end - 2 and (m, n) not in delivered)
    ages = rules_records.lost_ages(e)
    done = e.meta.get("disk", {})
    return {
        "seconds": e.meta.get("seconds"), "seed": e.meta.get("seed"),
        "faults": dict(collections.Counter(i["what"] for i in e.incidents if i.get("on", True))),
        "readings": readings, "readings_not_delivered": lost,
        "records": dict(leaves), "epochs": len({k.epoch for k in e.records}),
        "through_history": sum(1 for r in e.records.values() if r.via == "history"),
        "repeats": e.repeats, "refused": len(e.refused),
        "gaps": dict(collections.Counter(r.body.get("reason") for r in e.of("gap"))),
        "jobs": len({r.body.get("job") for r in e.of("job")}),
        "alarms_raised": sum(1 for r in e.of("event") if r.body.get("transition") == "raised"),
        "oldest_lost_before_kill_s": round(max(ages, default=0), 2), "lost_before_kills": len(ages),
        "payload_bytes": e.bytes, **done,
        "written_per_payload_byte": round(done["written"] / e.bytes, 3) if e.bytes and "written" in done else None,
        "rss_max_mb": round(max((m["rss"] for m in e.memory), default=0) / 1e6, 1),
    }


def report(violations, numbers, out=sys.stdout, most=8):
    for name, value in numbers.items():
        print(f"  {name}: {value}", file=out)
    by_rule = collections.defaultdict(list)
    for v in violations:
        by_rule[v["rule"]].append(v)
    for rule, found in by_rule.items():
        print(f"VIOLATED {rule}: {len(found)}", file=out)
        for v in found[:most]:
            when = "" if v["t"] is None else f" at {v['t']:.3f}"
            print(f"    {v['about']}{when}: {v['text']}", file=out)
        if len(found) > most:
            print(f"    … and {len(found) - most} more", file=out)
    print("nothing was lost" if not violations else f"{len(violations)} violations", file=out)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    evidence = read_folder(args.folder)
    violations, numbers = check(evidence), figures(evidence)
    report(violations, numbers)
    if args.json:
        args.json.write_text(json.dumps({"figures": numbers, "violations": violations}, indent=1, default=str))
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
