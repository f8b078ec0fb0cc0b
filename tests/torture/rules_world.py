# SPDX-License-Identifier: MIT
"""Rules on jobs, alarms, retained topics, clocks and memory: is what was told what happened? (see checker.py)"""
import collections
import json

START_S = 3.0     # a daemon that just started may still learn what its machines do
LAG_S = 2.5       # rules look once a second, beside their delays
STAMP_MS = 1500   # a reading's time may differ so much from the ledger's
NOTICED_S = 7     # a daemon looks every 5 s whether its clock is right
FAR_MS = 1000     # a step of the clock may be told so inexactly


# ---- jobs ----------------------------------------------------------------------------------------


def jobs_of(e):
    """machine -> job id -> {"started": [records], "ended": [records]}"""
    found = collections.defaultdict(lambda: collections.defaultdict(lambda: {"started": [], "ended": []}))
    for r in e.of("job"):
        if r.body.get("type") in ("started", "ended"):
            found[r.key.topic.split("/")[1]][r.body.get("job")][r.body["type"]].append(r)
    return found


def rule_jobs(e):
    for machine, jobs in jobs_of(e).items():
        for job, told in jobs.items():
            times = [r.t for r in told["started"] + told["ended"]]
            at = min(times)
            if e.blind(at, max(times) if told["ended"] else e.end):
                continue
            for kind in ("started", "ended"):
                if len(told[kind]) != 1 and at < e.end:
                    yield f"job {kind}", f"{machine} {job}", at, f"{len(told[kind])} times: {[r.body for r in told[kind]]}; {e.story(at)}"
            first, last = told["started"], told["ended"]
            if first and last and first[0].clock == last[0].clock == "synced" and \
                    abs(first[0].body["started"] - last[0].body["started"]) > FAR_MS:
                yield "job start", f"{machine} {job}", last[0].t, \
                    f"told as {first[0].body['started']}, then as {last[0].body['started']}; {e.story(last[0].t)}"
            for r in told["ended"]:
                seconds = r.body.get("duration_s", 0)
                if not 0 <= seconds <= e.meta["seconds"] + 60 + r.body.get("accuracy_s", 0):  # a reboot with a wrong clock
                    yield "job duration", f"{machine} {job}", r.t, f"{seconds} s"


def _moments(e, wall_ms):
    """When a wall time of the daemon may have been, by each offset that its clock had."""
    return [(wall_ms - e.meta["wall_minus_mono_ms"] - offset) / 1000 for offset in {o for _, o in e.steps}]


def rule_jobs_happened(e):
    """Each long enough busy phase that a living daemon saw has a job, and each job a busy phase."""
    jobs = jobs_of(e)
    for machine in e.meta["machines"]:
        spans = []
        for told in jobs[machine].values():
            r = (told["ended"] + told["started"])[0]
            begin, slack = r.body["started"], r.body.get("accuracy_s", 0) + LAG_S
            length = r.body.get("duration_s", 5)
            spans.append((r, [(t - slack, t + length + slack) for t in _moments(e, begin)]))
        phases = e.phases[(machine, "busy")]
        for a, b in phases:
            if b - a < e.meta["job_min_s"] + LAG_S or b > e.calm or e.is_silent(machine, a - 2, b + 2):
                continue
            if e.blind(a, b + 2):
                continue
            if e.lived(a - START_S, b + LAG_S) and not any(x < b and a < y for _, s in spans for x, y in s):
                yield "job missing", f"{machine} busy for {b - a:.1f} s", a, e.story(a, 3, b - a + 3)
        for r, s in spans:
            if not any(x < b + LAG_S and a - LAG_S < y for x, y in s for a, b in phases):
                yield "job without work", f"{machine} {r.body['job']}", r.t, f"{r.body}"


# ---- alarms --------------------------------------------------------------------------------------


def alarm_events(e):
    """(machine, code) -> records of its transitions, in the order of arrival and number."""
    found = collections.defaultdict(list)
    for r in sorted(e.of("event"), key=lambda r: (r.n, r.key.seq)):
        if r.body.get("type") == "alarm" and r.key.topic.startswith("machines/"):
            found[(r.key.topic.split("/")[1], r.body.get("code"))].append(r)
    return found


def rule_alarms(e):
    """Raised, cleared, raised, cleared …, and cleared at last."""
    for (machine, code), records in alarm_events(e).items():
        told = [r for r in records if r.body["transition"] in ("raised", "cleared")]
        for i, r in enumerate(told):
            word = r.body["transition"]
            wrong = word != "raised" if i == 0 else word == told[i - 1].body["transition"]
            if wrong and not e.blind(told[i - 1].t if i else 0, r.t) and not came_late(e, told[max(0, i - 1):i + 1]):
                yield "alarm twice", f"{machine} {code}", r.t, f"{word} again; {e.story(r.t)}"
        if told and told[-1].body["transition"] == "raised" and told[-1].t < e.end and not e.blind(told[-1].t, e.end):
            yield "alarm not cleared", f"{machine} {code}", told[-1].t, e.story(told[-1].t)


def came_late(e, records):
    """Whether the broker refused one of them before, so that their order is no longer theirs."""
    return any(key == r.key for key, _ in e.refused for r in records)


def rule_alarms_happened(e):
    """Each hot phase that a living daemon saw is told once."""
    events = alarm_events(e)
    for machine in e.meta["machines"]:
        phases = e.phases[(machine, "hot")]
        sure = [(a, b) for a, b in phases if b - a > 2 and b < e.calm and e.lived(a - START_S, b + LAG_S)
                and not e.is_silent(machine, a - 2, b + 2) and not e.blind(a - 1, b + 2)]
        again = sum(e.blind(a - 1, b + 2) for a, b in phases)
        raised = sum(r.body["transition"] == "raised" for r in events[(machine, e.meta["alarm"])])
        if not len(sure) <= raised <= len(phases) + again:
            yield "alarm missing" if raised < len(sure) else "alarm too often", f"{machine} {e.meta['alarm']}", None, \
                f"raised {raised} times, hot {len(phases)} times, {len(sure)} of them before a living daemon"


# ---- retained topics -------------------------------------------------------------------------------


def rule_retained(e):
    """A newcomer reads what was published last, and it fits together."""
    if e.retained is None:
        return
    begin, end, kept = e.retained["from"], e.retained["to"], e.retained["topics"]
    last, possible = {}, collections.defaultdict(set)
    for d in e.tries:
        if not d["retain"] or d["t"] > end:
            continue
        if d["a"] is not None and d["rc"] < 0x80 and d["a"] < begin:
            last[d["topic"]] = d["payload"]
            possible[d["topic"]] = {d["payload"]}
        elif d["t"] > begin - 5:
            possible[d["topic"]].add(d["payload"])
    for topic, payload in kept.items():
        if topic not in possible:
            yield "retained stray", topic, end, f"never published: {payload[:160]}"
        elif payload not in possible[topic]:
            yield "retained stale", topic, end, f"{payload[:160]} instead of {last.get(topic, '')[:160]}"
    for topic, payload in last.items():
        if payload and topic not in kept and "" not in possible[topic]:
            yield "retained missing", topic, end, f"published last: {payload[:160]}"
    yield from _truth(e, {t[len(e.prefix):]: p for t, p in kept.items()}, end)


def _truth(e, kept, t):
    gateway = f"gateways/{e.meta['gateway']}"
    for topic in [f"{gateway}/availability"] + [f"machines/{m}/availability" for m in e.meta["machines"]]:
        if kept.get(topic) != "online":
            yield "retained untrue", topic, t, f"{kept.get(topic)} while all of it runs"
    alarms = collections.defaultdict(set)
    for topic, payload in kept.items():
        part = topic.split("/")
        if part[0] == "machines" and part[1] not in e.meta["machines"]:
            yield "retained stray", topic, t, "no such machine"
        if part[2:3] == ["alarm"]:
            body = json.loads(payload)
            if body["active"] and not body["suppressed_by"]:
                alarms[part[1]].add(body["code"])
            if body["active"] and not body.get("flapping") and body["code"] != "spool-full":
                yield "retained untrue", topic, t, f"active, though everything is calm and works: {payload[:200]}"
    started = {m: [told["started"][0] for told in jobs.values() if told["started"]] for m, jobs in jobs_of(e).items()}
    for machine in e.meta["machines"]:
        state = json.loads(kept.get(f"machines/{machine}/state", "{}"))
        if set(state.get("alarms", [])) != alarms[machine]:
            yield "retained untrue", f"machines/{machine}/state", t, f"alarms {state.get('alarms')}, topics {alarms[machine]}"
        if state.get("state") != "idle" or state.get("job") is not None:
            yield "retained untrue", f"machines/{machine}/state", t, f"not idle: {str(state)[:200]}"
        usage = json.loads(kept.get(f"machines/{machine}/usage", "{}"))
        told = started.get(machine, [])
        sure = [r for r in told if not e.blind(r.t - 2, r.t + 1)]
        if usage and not len(sure) <= usage["jobs_started"] <= len(told):
            yield "usage", f"machines/{machine}/usage", t, \
                f"{usage['jobs_started']} jobs started, {len(told)} events of it, {len(sure)} of them beyond doubt"


# ---- clock and memory ----------------------------------------------------------------------------------


def _right_offsets(e):
    """(from, to, offsets): for each boot, what its clock was off when it was first synchronised, as
    the daemon may have noticed it."""
    begins = [float("-inf")] + e.times("power") + [float("inf")]
    for a, b in zip(begins, begins[1:]):
        syncs = [i["t"] for i in e.incidents if i["what"] == "sync" and i["on"] and a <= i["t"] < b]
        yield a, b, {e.offset(t) for s in syncs for t in [s] + [x for x, _ in e.steps if s < x < s + NOTICED_S]}


def rule_stamps(e):
    """A reading's time is that of the daemon's clock then, or, mended, of the clock that was right."""
    base, boots = e.meta["wall_minus_mono_ms"], list(_right_offsets(e))
    for r in e.of("telemetry"):
        machine, n = r.key.topic.split("/")[1], (r.body.get("values") or {}).get("count")
        t = e.readings[machine].get(n)
        if t is None or r.ts is None:
            continue
        offsets = {e.offset(t - 1), e.offset(t), e.offset(t + 1)}
        if r.clock == "synced":
            offsets |= next(right for a, b, right in boots if a <= t < b)
        if not any(abs(r.ts - (t * 1000 + base + o)) < STAMP_MS for o in offsets):
            yield "stamp", f"{machine} reading {n}", t, \
                f"{r.clock}, {(r.ts - t * 1000 - base) / 1000:.1f} s off, the clock was {e.offset(t) / 1000:.1f} s off; {e.story(t)}"


def rule_steps(e):
    """Each step of a synchronised clock that a living daemon saw is told once."""
    told = [r for r in e.of("event") if r.body.get("type") == "clock"]
    spans = e.spans("sync")
    offset = 0
    for i in e.incidents:
        if i["what"] != "clock":
            continue
        step, offset, t = i["offset_ms"] - offset, i["offset_ms"], i["t"]
        if not e.lived(t - 3, t + 3) or e.blind(t - 1, t + 3) or not any(a < t - 5 and t + 2 < b for a, b in spans):
            continue
        found = [r for r in told if abs(r.body.get("step_ms", 0) - step) < FAR_MS]
        if not found:
            yield "step", f"{step} ms", t, f"no event says it; told: {[r.body.get('step_ms') for r in told]}"


def rule_memory(e):
    for m in e.memory:
        if m["rss"] > e.meta["rss_limit"]:
            yield "memory", f"{m['rss'] / 1e6:.1f} MB", m["t"], f"more than {e.meta['rss_limit'] / 1e6:.0f} MB"
            return


def rule_daemon(e):
    for i in e.incidents:
        if i["what"] == "daemon-ended":
            yield "daemon", "ended by itself", i["t"], f"code {i['code']}; {e.story(i['t'])}"
        elif i["what"] == "daemon-stop" and (i["code"] != 0 or i["seconds"] > 5.5):
            yield "daemon", "clean stop", i["t"], f"code {i['code']} after {i['seconds']:.1f} s; {e.story(i['t'])}"
    if e.end == float("inf"):
        yield "drain", "health.spool.records", None, "never came to 0 after everything was mended"


def rule_something(e):
    """A run in which nothing happened proves nothing."""
    read = {r.key.topic.split("/")[1] for r in e.of("telemetry")}
    for machine in e.meta["machines"]:
        if machine not in read or not e.readings[machine]:
            yield "empty", machine, None, "no telemetry"
    if not e.of("job") or not e.of("event"):
        yield "empty", "events", None, "neither jobs nor alarms"


RULES = [rule_something, rule_jobs, rule_jobs_happened, rule_alarms, rule_alarms_happened, rule_retained, rule_stamps, rule_steps, rule_memory, rule_daemon]
