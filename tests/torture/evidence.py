# SPDX-License-Identifier: MIT
"""What a run left behind, read and put in order for the rules of checker.py.

A folder with ledger.jsonl (sim.py), deliveries.jsonl (proxy.py), subscriber.jsonl and
retained.json (collect.py), incidents.jsonl, memory.jsonl and meta.json (run.py). Every `t` is
CLOCK_MONOTONIC of the one machine that all of it ran on.
"""
import bisect
import collections
import json

MEMORY_S = 12  # a database that failed is tried again after 10 s
WALL = ("started", "ended", "raised", "cleared", "since", "from_ts", "to_ts")  # go with a clock that is set
ENVELOPE = ("v", "ts", "clock", "gw", "epoch", "seq")
Key = collections.namedtuple("Key", "topic gw epoch seq")


class Record:
    """A numbered message, or one of a history: first accepted at arrival n, time t."""

    def __init__(self, key, body, n, t, via):
        self.key, self.n, self.t, self.via = key, n, t, via
        self.ts, self.clock = body.get("ts"), body.get("clock")
        self.body = {k: v for k, v in body.items() if k not in ENVELOPE}

    def says_the_same(self, other):
        """Repeats may differ in `ts` and `clock`; mended times all move by one difference."""
        if self.clock == other.clock or self.ts is None or other.ts is None:
            return self.body == other.body
        moved = {k: v + other.ts - self.ts for k, v in self.body.items() if k in WALL and isinstance(v, (int, float))}
        return {**self.body, **moved} == other.body


class Evidence:
    def __init__(self, meta, ledger=(), deliveries=(), incidents=(), subscriber=(), retained=None, memory=()):
        self.meta = meta
        self.prefix = f"parks/{meta['park']}/"
        self.incidents = sorted(incidents, key=lambda i: i["t"])
        self.memory, self.retained = list(memory), retained
        self.end = max((i["t"] for i in self.incidents if i["what"] == "drained"), default=float("inf"))
        self.steps = [(float("-inf"), 0)] + [(i["t"], i["offset_ms"]) for i in self.incidents if i["what"] == "clock"]
        deaths = [(d, self.was_broken(d)) for d in self.kills() + self.times("daemon-stop")]
        self._blind = [(since - 2, d + 2) for d, since in deaths if since is not None]
        self._read_ledger(ledger)
        self._read_deliveries(deliveries)
        self.received = {(m["topic"], m["payload"]) for m in subscriber if not m["retain"]}

    # ---- the simulator's ledger ----

    def _read_ledger(self, lines):
        self.readings = collections.defaultdict(dict)  # machine -> n -> t
        self.unsure = set()
        self.phases = collections.defaultdict(list)    # (machine, "busy"|"hot") -> [from, to]
        self.silences = collections.defaultdict(list)  # bus -> [from, to]
        self.calm = float("inf")
        for line in lines:
            if "n" in line:
                self.readings[line["m"]][line["n"]] = line["t"]
            elif "unsure" in line:
                self.unsure.add((line["m"], line["unsure"]))
            elif "phase" in line:
                key = (line["m"], line["phase"]) if "m" in line else line["bus"]
                spans = self.phases[key] if "m" in line else self.silences[key]
                if line["on"]:
                    spans.append([line["t"], float("inf")])
                elif spans:
                    spans[-1][1] = line["t"]
            elif "calm" in line:
                self.calm = line["t"]

    # ---- what went through the proxy ----

    def _read_deliveries(self, lines):
        self.tries = [d for d in lines if "topic" in d]
        self.tries.sort(key=lambda d: d["n"])
        self.records, self.contradictions, self.repeats, self.bytes = {}, [], 0, 0
        self.refused, self.bad, self.accepted = set(), [], []
        self.last_seq = collections.defaultdict(int)  # of a stream, accepted before the end
        for d in self.tries:
            if d["rc"] is not None and d["rc"] < 0x80:
                self.bytes += len(d["payload"].encode())
                if not d["retain"]:
                    self.accepted.append(d)
            if d["retain"] or not d["topic"].startswith(self.prefix):
                continue
            for key, body, via in self._records_of(d):
                if d["rc"] is None:
                    continue
                if d["rc"] >= 0x80:
                    self.refused.add((key, d["n"]))
                else:
                    self._enter(key, body, d, via)

    def _records_of(self, d):
        try:
            body = json.loads(d["payload"])
            if not d["topic"].endswith("/history"):
                return [(Key(d["topic"][len(self.prefix):], body["gw"], body["epoch"], body["seq"]), body, "live")]
            return [(Key(body["topic"], body["gw"], body["epoch"], r["seq"]), r, "history") for r in body["records"]]
        except (ValueError, KeyError, TypeError) as error:
            self.bad.append((d, f"{type(error).__name__} {error}"))
            return []

    def _enter(self, key, body, d, via):
        if d["a"] <= self.end:
            self.last_seq[key[:3]] = max(self.last_seq[key[:3]], key.seq)
        known = self.records.get(key)
        if known is None:
            self.records[key] = Record(key, body, d["n"], d["t"], via)
            return
        self.repeats += 1
        other = Record(key, body, d["n"], d["t"], via)
        if not known.says_the_same(other):
            self.contradictions.append((known, other))
        if other.clock == "synced":
            known.ts, known.clock = other.ts, other.clock

    def of(self, *leaves):
        """Records whose topic ends so, by their numbers."""
        return [r for k, r in sorted(self.records.items()) if k.topic.rsplit("/", 1)[1] in leaves]

    def streams(self):
        """(topic, gw, epoch) -> sorted numbers."""
        found = collections.defaultdict(list)
        for key in self.records:
            found[key[:3]].append(key.seq)
        return {k: sorted(v) for k, v in found.items()}

    # ---- what was done to the daemon ----

    def times(self, *what):
        return [i["t"] for i in self.incidents if i["what"] in what]

    def spans(self, what, on="on"):
        """[from, to] of incidents that say on: true, then on: false."""
        found = []
        for i in self.incidents:
            if i["what"] != what:
                continue
            if i[on] and (not found or found[-1][1] != float("inf")):
                found.append([i["t"], float("inf")])
            elif not i[on] and found and found[-1][1] == float("inf"):
                found[-1][1] = i["t"]
        return found

    def lives(self):
        """[start, end] of each life of the daemon."""
        found = []
        for i in self.incidents:
            if i["what"] == "daemon-start":
                found.append([i["t"], float("inf")])
            elif i["what"] in ("daemon-kill", "daemon-stop", "daemon-ended") and found:
                found[-1][1] = min(found[-1][1], i["t"])
        return found

    def lived(self, begin, end):
        return any(a <= begin and end <= b for a, b in self.lives())

    def kills(self):
        """When the daemon ended without a word."""
        return self.times("daemon-kill", "daemon-ended")

    def was_broken(self, death):
        """Since when the disk was, or could still be taken for, broken at that end of the daemon, or
        None. A clean stop tries the disk once more."""
        patience = MEMORY_S if death in self.kills() else 0
        for a, b in self.spans("disk"):
            if a <= death <= b + patience:
                return a
        return None

    def blind(self, begin, end):
        """Whether a life ended within that time while the disk was broken: what happened since it
        broke was in memory only, told or not, and the daemon that followed knows nothing of it."""
        return any(a < end and begin < b for a, b in self._blind)

    def is_silent(self, machine, begin, end):
        bus = self.meta["machines"][machine]
        return any(a < end and begin < b for a, b in self.silences[bus])

    def offset(self, t):
        """How far the daemon's clock was off then, ms."""
        return self.steps[bisect.bisect_right(self.steps, (t, float("inf"))) - 1][1]

    def story(self, t, before=6, after=2):
        """What happened around then, in words."""
        near = [i for i in self.incidents if t - before <= i["t"] <= t + after]
        return ", ".join(f"{i['t'] - t:+.2f} s {i['what']}" + "".join(
            f" {k}={v}" for k, v in i.items() if k not in ("t", "what")) for i in near) or "nothing near"


def read_folder(folder):
    def lines(name):
        path = folder / name
        if not path.exists():
            return []
        with open(path, encoding="utf-8") as f:
            return [json.loads(line) for line in f if line.endswith("\n")]

    def whole(name):
        path = folder / name
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    return Evidence(whole("meta.json"), lines("ledger.jsonl"), lines("deliveries.jsonl"), lines("incidents.jsonl"),
                    lines("subscriber.jsonl"), whole("retained.json"), lines("memory.jsonl"))
