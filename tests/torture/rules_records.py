# SPDX-License-Identifier: MIT
"""Rules on names, holes, gaps and readings (see checker.py)."""
import bisect
import collections

from evidence import Key

EVENTS = ("event", "job", "gap")  # last levels of topics that must not lose anything
STATED_S = 3.0        # older than 1 s is committed once a second, and that takes its moment on a busy computer
SLOW_S = 5.0          # … more on a disk that is slow


def name(key):
    return f"{key[0]} {key[1]} {key[2]}" + (f" {key[3]}" if len(key) > 3 else "")


def rule_payloads(e):
    for d, error in e.bad:
        yield "payload", f"{d['topic']} #{d['n']}", d["t"], f"{error}: {d['payload'][:120]}"


def rule_one_content(e):
    for a, b in e.contradictions:
        yield "two contents", name(a.key), b.t, f"{a.via} {a.body} and {b.via} {b.body}"


def rule_one_name(e):
    """A reading has one name; a second one would be counted twice."""
    seen = {}
    for r in e.of("telemetry"):
        n = (r.body.get("values") or {}).get("count")
        if n is None:
            continue
        first = seen.setdefault((r.key.topic, n), r)
        if first is not r:
            yield "two names", f"{r.key.topic} count {n}", r.t, f"{name(first.key)} and {name(r.key)}"


def rule_order(e):
    """Events arrive in the order of their numbers; the broker's own refusals excuse what they touched."""
    refused = collections.defaultdict(list)
    for key, n in e.refused:
        refused[key].append(n)
    highest = {}
    for r in sorted(e.records.values(), key=lambda r: r.n):
        if r.key.topic.rsplit("/", 1)[1] not in EVENTS:
            continue
        last = highest.get(r.key[:3])
        if last and r.key.seq < last.key.seq and not any(n < r.n for n in refused[r.key]):
            yield "order", name(r.key), r.t, f"came after {last.key.seq}"
        if not last or r.key.seq > last.key.seq:
            highest[r.key[:3]] = r


# ---- holes and gaps --------------------------------------------------------------------------


def holes(numbers, upto):
    """Ranges (from, to) that are not there, from 1 on."""
    expected = 1
    for n in numbers:
        if n > upto:
            break
        if n > expected:
            yield expected, n - 1
        expected = n + 1


def subtract(ranges, cut):
    out = []
    for a, b in ranges:
        if cut[1] < a or cut[0] > b:
            out.append((a, b))
            continue
        if a < cut[0]:
            out.append((a, cut[0] - 1))
        if b > cut[1]:
            out.append((cut[1] + 1, b))
    return out


def gaps_of(e):
    """(topic, gw, epoch) -> gap records that name it."""
    found = collections.defaultdict(list)
    for r in e.of("gap"):
        found[(r.body.get("topic"), r.key.gw, r.body.get("of_epoch"))].append(r)
    return found


def runs(numbers):
    """Ranges (from, to) that are there."""
    found = []
    for n in numbers:
        if found and n == found[-1][1] + 1:
            found[-1][1] = n
        else:
            found.append([n, n])
    return found


def rule_holes(e):
    """Each number came or a gap tells of it. A later epoch may go on with the numbers of the one
    before; what is ahead of its first must then be in the others."""
    gaps, streams = gaps_of(e), e.streams()
    told = {s: [(g.body["from_seq"], g.body["to_seq"]) for g in gaps[s]] for s in set(streams) | set(gaps)}
    for stream, numbers in streams.items():
        open_ = list(holes(numbers, e.last_seq[stream]))
        covered = list(told[stream])
        if open_ and open_[0][0] == 1:
            for other, there in streams.items():
                if other != stream and other[:2] == stream[:2]:
                    first = [(a, min(b, open_[0][1])) for a, b in runs(there) + told[other] if a <= open_[0][1]]
                    covered += first
        for cut in covered:
            open_ = subtract(open_, cut)
        for a, b in open_:
            after = numbers[bisect.bisect(numbers, b)]
            near = e.records[Key(*stream, after)]
            yield ("event lost" if stream[0].rsplit("/", 1)[1] in EVENTS else "hole", f"{name(stream)} {a}..{b}", near.t,
                   f"no record, no gap ({b - a + 1}); {e.story(near.t)}")


def rule_gaps(e):
    streams = e.streams()
    for stream, gaps in gaps_of(e).items():
        numbers = streams.get(stream, [])
        taken, restarts = [], set()
        for gap in gaps:
            a, b, count, reason = (gap.body.get(k) for k in ("from_seq", "to_seq", "count", "reason"))
            about = f"{name(stream)} {a}..{b} {reason}"
            if not (isinstance(a, int) and isinstance(b, int) and a <= b):
                yield "gap", about, gap.t, "not a range"
                continue
            inside = numbers[bisect.bisect_left(numbers, a):bisect.bisect_right(numbers, b)]
            if reason == "restart":
                if b in restarts:
                    yield "gap twice", about, gap.t, "announced before"
                restarts.add(b)
                yield from _restart_gap(e, stream, gap, about, inside)
                continue
            if inside:
                yield "gap too wide", about, gap.t, f"{len(inside)} of it were delivered, {inside[0]} first"
            if count != b - a + 1:
                yield "gap count", about, gap.t, f"says {count}"
            if any(x <= b and a <= y for x, y in taken):
                yield "gap twice", about, gap.t, "announced before"
            taken.append((a, b))
            if reason not in e.meta["gap_reasons"]:
                yield "gap reason", about, gap.t, f"nothing was done for that: {e.story(gap.t)}"


def _restart_gap(e, stream, gap, about, inside):
    if gap.body["count"] is not None:
        yield "gap count", about, gap.t, "a restart cannot know how many"
    if inside and inside[-1] == gap.body["to_seq"]:
        yield "gap too wide", about, gap.t, f"its last, {inside[-1]}, was delivered"
    if not any(k < gap.t for k in e.kills()):
        yield "gap reason", about, gap.t, "there was no unclean stop"
    if stream[0].rsplit("/", 1)[1] in EVENTS and not any(e.was_broken(k) is not None for k in e.kills()):
        yield "event lost", about, gap.t, f"given up, and no kill came while the disk was broken: {e.story(gap.t)}"


# ---- readings ----------------------------------------------------------------------------------


def delivered_readings(e):
    """machine -> n -> record; and machine -> seqs of records that tell an error of it."""
    found, errors = collections.defaultdict(dict), collections.defaultdict(set)
    for r in e.of("telemetry"):
        machine = r.key.topic.split("/")[1]
        n = (r.body.get("values") or {}).get("count")
        if n is not None:
            found[machine].setdefault(n, r)
        if r.body.get("errors"):
            errors[machine].add(r.key[2:])
    return found, errors


def excused_by_kill(e, t):
    """The seconds between a reading and the end of the daemon that may have taken it, or None."""
    slow, kills = e.spans("slow-disk"), e.kills()
    for death in sorted(kills + e.times("daemon-stop")):
        if t > death:
            continue
        window = (STATED_S if death in kills else 0) + (SLOW_S if any(a <= death and t <= b for a, b in slow) else 0)
        broken = e.was_broken(death)
        if death in kills and t >= death - window or broken is not None and t >= broken - STATED_S - window:
            return death - t
        return None
    return None


def missing(e):
    """(machine, n, t) of readings that were handed out and never came; the last moments do not count."""
    found, _ = delivered_readings(e)
    for machine, readings in e.readings.items():
        for n, t in sorted(readings.items()):
            if t < e.end - 2 and n not in found[machine] and (machine, n) not in e.unsure:
                yield machine, n, t


def lost_ages(e):
    """How old each lost reading was at the kill that took it, healthy disks only."""
    ages = []
    for _, _, t in missing(e):
        age = excused_by_kill(e, t)
        if age is not None and age <= STATED_S:
            ages.append(age)
    return ages


def told_missing(e, gaps, before, after):
    """How many numbers between two records gaps (but those of restarts) tell as lost; all, if errors were."""
    told = 0
    for gap in gaps[before.key[:3]]:
        if gap.body["reason"] != "restart":
            told += max(0, min(after.key.seq - 1, gap.body["to_seq"]) - max(before.key.seq + 1, gap.body["from_seq"]) + 1)
    return told


def rule_readings(e):
    """Each reading arrives, or a kill excuses it, or a gap tells of it, or the daemon said it failed."""
    found, errors = delivered_readings(e)
    gaps = gaps_of(e)
    ordered = {machine: sorted(ns) for machine, ns in found.items()}
    groups = collections.defaultdict(list)  # lost ones between the same neighbours
    for machine, n, t in missing(e):
        if excused_by_kill(e, t) is None:
            i = bisect.bisect(ordered.get(machine, []), n)
            around = [None] + [found[machine][k] for k in ordered.get(machine, [])[max(0, i - 1):i + 1]] + [None]
            before, after = (around[1], around[2]) if i else (None, around[1])
            groups[(machine, before, after)].append((n, t))
    for (machine, before, after), lost in groups.items():
        if before and after and before.key[:3] == after.key[:3]:
            if told_missing(e, gaps, before, after) >= len(lost):
                continue
            if any(ep == before.key.epoch and before.key.seq < seq < after.key.seq for ep, seq in errors[machine]):
                continue  # it came too late for the daemon, which said so
        between = f"between {name(before.key) if before else 'the start'} and {name(after.key) if after else 'the end'}"
        yield "telemetry lost", f"{machine} readings {lost[0][0]}..{lost[-1][0]}, {len(lost)} of them", lost[0][1], \
            f"{between}; {e.story(lost[0][1], after=lost[-1][1] - lost[0][1] + 2)}"


def rule_second_opinion(e):
    """What the broker acknowledged through the proxy, a durable subscriber has; but what a killed broker forgot."""
    kills = e.times("broker-kill")
    for d in e.accepted:
        if (d["topic"], d["payload"]) in e.received or not e.received:
            continue
        if any(k - 2 <= d["a"] <= k + 1 for k in kills):
            continue
        yield "subscriber", f"{d['topic']} #{d['n']}", d["a"], f"acknowledged, but never received: {d['payload'][:120]}"


RULES = [rule_payloads, rule_one_content, rule_one_name, rule_order, rule_holes, rule_gaps, rule_readings,
         rule_second_opinion]
