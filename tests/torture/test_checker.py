# SPDX-License-Identifier: MIT
"""The checker against made-up runs: a good one passes, and each planted defect is found.

The made-up run: two machines, a reading a second for 100 s, one job and one hot phase each; the
broker is away from 20 to 40 (that telemetry comes as history), kill -9 at 60 takes the last
second and leaves a jump of the numbers that a gap of reason restart covers.
"""
import copy
import json

import pytest

import checker
from evidence import Evidence

META = {"park": "p", "gateway": "g", "alarm": "hot", "machines": {"m1": 0, "m2": 0}, "job_min_s": 1.0, "seconds": 100,
        "seed": 1, "rss_limit": 40e6, "gap_reasons": ["restart", "write-error"], "wall_minus_mono_ms": 1e12}
WALL = 1e12
KILL, BACK = 60.5, 62


class Run:
    """Everything the checker reads, easy to spoil."""

    def __init__(self):
        self.meta = copy.deepcopy(META)
        self.ledger, self.tries, self.received = [], [], []
        self.incidents = [{"t": 0, "what": "daemon-start"}, {"t": 0, "what": "sync", "on": True},
                          {"t": KILL, "what": "daemon-kill"}, {"t": KILL + 0.5, "what": "daemon-start"},
                          {"t": 99, "what": "drained"}, {"t": 100, "what": "daemon-stop", "code": 0, "seconds": 0.1}]
        self.memory = [{"t": t, "rss": 9e6} for t in range(100)]
        self.retained = {"from": 99.2, "to": 99.4, "topics": {}}
        self.seqs = {}
        for machine in self.meta["machines"]:
            self.live(machine)
        self.publish(65, "gateways/g/gap", topic="machines/m1/telemetry", of_epoch="e1", from_seq=60, to_seq=70,
                     count=None, reason="restart")
        self.publish(65, "gateways/g/gap", topic="machines/m2/telemetry", of_epoch="e1", from_seq=60, to_seq=70,
                     count=None, reason="restart")
        self.keep("gateways/g/availability", "online")

    def live(self, m):
        away, seq = [], 0
        for n in range(1, 100):
            if KILL < n < BACK:
                continue  # nobody asked
            self.ledger.append({"t": float(n), "m": m, "n": n})
            if KILL - 1 < n < KILL:
                continue  # handed out, and gone with the daemon
            seq = n if n < BACK else n + 9
            record = {"ts": WALL + n * 1000, "clock": "synced", "seq": seq, "source": "s1", "values": {"count": n}, "errors": {}}
            if 20 <= n < 40:
                away.append(record)
            else:
                self.post(n + 0.1, f"machines/{m}/telemetry", {"v": 1, "gw": "g", "epoch": "e1", **record})
        self.post(41, f"machines/{m}/history", {"v": 1, "gw": "g", "epoch": "e1", "topic": f"machines/{m}/telemetry",
                                               "records": away})
        self.ledger += [{"t": 5, "m": m, "phase": "busy", "on": True}, {"t": 15, "m": m, "phase": "busy", "on": False},
                        {"t": 44, "m": m, "phase": "hot", "on": True}, {"t": 50, "m": m, "phase": "hot", "on": False}]
        self.publish(7, f"machines/{m}/job", type="started", job=f"J{m}", started=WALL + 5000, accuracy_s=1)
        self.publish(17, f"machines/{m}/job", type="ended", job=f"J{m}", started=WALL + 5000, ended=WALL + 15000, duration_s=10,
                     accuracy_s=1)
        self.publish(45, f"machines/{m}/event", type="alarm", code="hot", transition="raised")
        self.publish(51, f"machines/{m}/event", type="alarm", code="hot", transition="cleared")
        self.keep(f"machines/{m}/availability", "online")
        self.keep(f"machines/{m}/state", json.dumps({"state": "idle", "job": None, "alarms": []}))
        self.keep(f"machines/{m}/alarm/hot", json.dumps({"code": "hot", "active": False, "suppressed_by": None}))
        self.keep(f"machines/{m}/usage", json.dumps({"jobs_started": 1}))

    def post(self, t, topic, body, retain=False, rc=0):
        payload = body if isinstance(body, str) else json.dumps(body)
        self.tries.append({"conn": 1, "t": t, "a": t + 0.01, "rc": rc, "topic": f"parks/p/{topic}", "retain": retain,
                           "dup": False, "payload": payload})
        if not retain and rc == 0:
            self.received.append({"t": t, "topic": f"parks/p/{topic}", "retain": False, "payload": payload})

    def publish(self, t, name, /, **body):
        """The next record of a topic."""
        self.seqs[name] = self.seqs.get(name, 0) + 1
        self.post(t, name, {"v": 1, "ts": WALL + t * 1000, "clock": "synced", "gw": "g", "epoch": "e1",
                             "seq": self.seqs[name], **body})

    def keep(self, topic, payload):
        """A retained topic, published and still there."""
        self.post(90, topic, payload, retain=True)
        self.retained["topics"][f"parks/p/{topic}"] = payload

    def find(self, leaf, /, **keys):
        """A try whose topic ends so and whose body has these values, and its body."""
        for d in self.tries:
            body = json.loads(d["payload"]) if d["payload"][:1] == "{" else {}
            if d["topic"].endswith(leaf) and keys.items() <= body.items():
                return d, body
        raise KeyError(leaf)

    def change(self, leaf, values, /, **keys):
        d, body = self.find(leaf, **keys)
        d["payload"] = json.dumps({**body, **values})
        self.received.append({**d, "t": 99})

    def drop(self, leaf, /, **keys):
        self.tries.remove(self.find(leaf, **keys)[0])

    def check(self):
        tries = sorted(self.tries, key=lambda d: d["t"])
        evidence = Evidence(self.meta, self.ledger, [{**d, "n": i} for i, d in enumerate(tries, 1)], self.incidents,
                            self.received, self.retained, self.memory)
        found = checker.check(evidence)
        json.dumps(checker.figures(evidence))
        return {v["rule"] for v in found}


def test_a_good_run_passes():
    assert Run().check() == set()


def spoil_event_lost(run):
    run.drop("m1/event", seq=1)
    run.drop("m1/event", seq=2)
    run.publish(70, "machines/m1/event", type="state")


def spoil_telemetry_hole(run):
    run.drop("m1/telemetry", seq=10)


def spoil_history_lost(run):
    run.drop("m2/history")


def spoil_reading_without_number(run):
    """It was never numbered, so only the ledger knows."""
    run.ledger.append({"t": 10.5, "m": "m1", "n": 200})


def spoil_more_than_the_second(run):
    """The kill took five seconds."""
    for seq in range(55, 60):
        run.drop("m1/telemetry", seq=seq)
    run.change("g/gap", {"from_seq": 55}, topic="machines/m1/telemetry")


def spoil_no_gap_after_restart(run):
    run.drop("g/gap", topic="machines/m2/telemetry")


def spoil_gap_over_delivered(run):
    run.publish(70, "gateways/g/gap", topic="machines/m1/telemetry", of_epoch="e1", from_seq=25, to_seq=26, count=2,
                reason="write-error")


def spoil_restart_gap_too_long(run):
    run.change("g/gap", {"to_seq": 71}, topic="machines/m1/telemetry")


def spoil_restart_gap_counts(run):
    run.change("g/gap", {"count": 11}, topic="machines/m1/telemetry")


def spoil_gap_count(run):
    run.drop("m1/telemetry", seq=10)
    run.publish(70, "gateways/g/gap", topic="machines/m1/telemetry", of_epoch="e1", from_seq=10, to_seq=10, count=2,
                reason="write-error")


def spoil_gap_reason(run):
    run.drop("m1/telemetry", seq=10)
    run.publish(70, "gateways/g/gap", topic="machines/m1/telemetry", of_epoch="e1", from_seq=10, to_seq=10, count=1,
                reason="refused")


def spoil_gap_twice(run):
    run.drop("m1/telemetry", seq=10)
    for t in (70, 71):
        run.publish(t, "gateways/g/gap", topic="machines/m1/telemetry", of_epoch="e1", from_seq=10, to_seq=10, count=1,
                    reason="write-error")


def spoil_restart_gap_twice(run):
    _, body = run.find("g/gap", topic="machines/m1/telemetry")
    run.publish(71, "gateways/g/gap", **{k: body[k] for k in ("topic", "of_epoch", "from_seq", "to_seq", "count", "reason")})


def spoil_lost_by_a_clean_stop(run):
    """It has time to write everything down."""
    run.incidents[2]["what"], run.incidents[2]["code"], run.incidents[2]["seconds"] = "daemon-stop", 0, 0.1


def spoil_event_given_up(run):
    """A gap does not excuse the loss of an event."""
    run.drop("m1/event", seq=1)
    run.publish(70, "gateways/g/gap", topic="machines/m1/event", of_epoch="e1", from_seq=1, to_seq=1, count=None,
                reason="restart")


def spoil_two_contents(run):
    d, body = run.find("m1/telemetry", seq=10)
    run.post(30, "machines/m1/telemetry", {**body, "values": {"count": 11}})


def spoil_two_names(run):
    _, body = run.find("m1/telemetry", seq=10)
    run.post(88, "machines/m1/telemetry", {**body, "seq": 109})


def spoil_order(run):
    d, _ = run.find("m1/event", seq=1)
    d["t"], d["a"] = 80, 80.1


def spoil_job_without_end(run):
    run.drop("m1/job", type="ended")


def spoil_job_ends_twice(run):
    _, body = run.find("m1/job", type="ended")
    run.post(80, "machines/m1/job", {**body, "seq": 3})


def spoil_job_missing(run):
    run.ledger += [{"t": 70, "m": "m1", "phase": "busy", "on": True}, {"t": 85, "m": "m1", "phase": "busy", "on": False}]


def spoil_job_without_work(run):
    run.publish(80, "machines/m1/job", type="started", job="X", started=WALL + 80000, accuracy_s=1)
    run.publish(85, "machines/m1/job", type="ended", job="X", started=WALL + 80000, ended=WALL + 82000, duration_s=2, accuracy_s=1)


def spoil_job_duration(run):
    run.change("m1/job", {"duration_s": 7210}, type="ended")


def spoil_job_start_moves(run):
    run.change("m1/job", {"started": WALL + 8000}, type="ended")


def spoil_alarm_raised_twice(run):
    run.publish(47, "machines/m1/event", type="alarm", code="hot", transition="raised")


def spoil_alarm_not_cleared(run):
    run.drop("m1/event", transition="cleared")


def spoil_alarm_missing(run):
    run.ledger += [{"t": 70, "m": "m1", "phase": "hot", "on": True}, {"t": 85, "m": "m1", "phase": "hot", "on": False}]


def spoil_stale_alarm_topic(run):
    run.retained["topics"]["parks/p/machines/m1/alarm/hot"] = json.dumps({"code": "hot", "active": True, "suppressed_by": None})


def spoil_active_alarm(run):
    run.keep("machines/m1/alarm/odd", json.dumps({"code": "odd", "active": True, "suppressed_by": None}))


def spoil_stray_topic(run):
    run.retained["topics"]["parks/p/machines/m9/info"] = "{}"


def spoil_retained_missing(run):
    del run.retained["topics"]["parks/p/machines/m1/state"]


def spoil_offline(run):
    run.keep("machines/m1/availability", "offline")


def spoil_usage(run):
    run.keep("machines/m1/usage", json.dumps({"jobs_started": 2}))


def spoil_stamp(run):
    run.change("m1/telemetry", {"ts": WALL + 3600000}, seq=10)


def spoil_step_untold(run):
    run.incidents += [{"t": 80, "what": "clock", "offset_ms": 60000}]
    for d in run.tries:
        body = json.loads(d["payload"]) if d["payload"][:1] == "{" else {}
        if d["t"] > 80 and "ts" in body:
            run.change(d["topic"], {"ts": body["ts"] + 60000}, **{k: body[k] for k in ("seq", "epoch", "clock")})


def spoil_memory(run):
    run.memory.append({"t": 50, "rss": 80e6})


def spoil_daemon_ended(run):
    run.incidents.append({"t": 30, "what": "daemon-ended", "code": -11})


def spoil_slow_stop(run):
    run.incidents[-1]["seconds"] = 9


def spoil_never_drained(run):
    run.incidents = [i for i in run.incidents if i["what"] != "drained"]


def spoil_subscriber(run):
    run.received = [r for r in run.received if not r["topic"].endswith("m1/job")]


def spoil_everything(run):
    run.tries.clear()


def spoil_payload(run):
    run.post(50, "machines/m1/event", "{not json")


WANTED = {
    spoil_event_lost: "event lost", spoil_telemetry_hole: "hole", spoil_history_lost: "hole",
    spoil_reading_without_number: "telemetry lost", spoil_more_than_the_second: "telemetry lost",
    spoil_no_gap_after_restart: "hole", spoil_gap_over_delivered: "gap too wide", spoil_restart_gap_too_long: "gap too wide",
    spoil_restart_gap_counts: "gap count", spoil_gap_count: "gap count", spoil_gap_reason: "gap reason",
    spoil_gap_twice: "gap twice", spoil_restart_gap_twice: "gap twice", spoil_lost_by_a_clean_stop: "telemetry lost", spoil_event_given_up: "event lost", spoil_two_contents: "two contents",
    spoil_two_names: "two names", spoil_order: "order", spoil_job_without_end: "job ended", spoil_job_ends_twice: "job ended",
    spoil_job_missing: "job missing", spoil_job_without_work: "job without work", spoil_job_duration: "job duration", spoil_job_start_moves: "job start",
    spoil_alarm_raised_twice: "alarm twice", spoil_alarm_not_cleared: "alarm not cleared", spoil_alarm_missing: "alarm missing",
    spoil_stale_alarm_topic: "retained stale", spoil_active_alarm: "retained untrue", spoil_stray_topic: "retained stray",
    spoil_retained_missing: "retained missing", spoil_offline: "retained untrue", spoil_usage: "usage", spoil_stamp: "stamp",
    spoil_step_untold: "step", spoil_memory: "memory", spoil_daemon_ended: "daemon", spoil_slow_stop: "daemon",
    spoil_never_drained: "drain", spoil_subscriber: "subscriber", spoil_payload: "payload", spoil_everything: "empty",
}


@pytest.mark.parametrize("spoil", WANTED, ids=lambda f: f.__name__[6:])
def test_a_planted_defect_is_found(spoil):
    run = Run()
    spoil(run)
    assert WANTED[spoil] in run.check()


def test_every_defect_is_planted():
    assert {f for name, f in globals().items() if name.startswith("spoil_")} == set(WANTED)


def begin_epoch(run, at, shift=0):
    """Events of m1 from `at` on are told under another epoch, with numbers that go on."""
    for d in run.tries:
        if d["t"] >= at and d["topic"].endswith("m1/event"):
            body = json.loads(d["payload"])
            run.change("m1/event", {"epoch": "e2", "seq": body["seq"] + shift}, seq=body["seq"], epoch="e1")


def test_a_record_lost_between_two_epochs_is_found():
    run = Run()
    begin_epoch(run, 50, shift=1)
    assert run.check() == {"event lost"}


# ---- what is no loss ---------------------------------------------------------------------------


def test_an_epoch_may_go_on_with_the_numbers():
    run = Run()
    begin_epoch(run, 50)
    assert run.check() == set()


def test_a_told_loss_is_none():
    run = Run()
    run.drop("m1/telemetry", seq=10)
    run.publish(70, "gateways/g/gap", topic="machines/m1/telemetry", of_epoch="e1", from_seq=10, to_seq=10, count=1,
                reason="write-error")
    assert run.check() == set()


def test_a_kill_on_a_broken_disk_may_take_more():
    run = Run()
    run.incidents += [{"t": 52, "what": "disk", "on": True}, {"t": 56, "what": "disk", "on": False}]
    for seq in range(53, 60):
        run.drop("m1/telemetry", seq=seq)
    run.change("g/gap", {"from_seq": 53}, topic="machines/m1/telemetry")
    assert run.check() == set()


def test_a_repeat_and_an_unacknowledged_try_are_no_loss():
    run = Run()
    d, body = run.find("m1/telemetry", seq=10)
    d["rc"], d["a"] = None, None
    run.post(90, "machines/m1/telemetry", body)
    run.post(91, "machines/m1/telemetry", {**body, "ts": body["ts"] + 1})
    assert run.check() == set()


def test_what_the_broker_refused_may_come_late():
    run = Run()
    d, body = run.find("m1/event", seq=1)
    d["rc"] = 0x97
    run.post(80, "machines/m1/event", body)
    assert "order" not in run.check()


def test_an_answer_of_a_broken_connection_may_be_lost():
    run = Run()
    run.ledger += [{"t": 10.5, "m": "m1", "n": 200}, {"t": 10.6, "m": "m1", "unsure": 200}]
    assert run.check() == set()


def test_a_mended_time_is_that_of_the_right_clock():
    """Stamped while the clock was two hours off and not synchronised; mended when it was set."""
    run = Run()
    run.incidents = [i for i in run.incidents if i["what"] != "sync"]
    run.incidents += [{"t": 0, "what": "clock", "offset_ms": -7200000}, {"t": 0, "what": "sync", "on": False},
                      {"t": 41, "what": "clock", "offset_ms": 0}, {"t": 41.2, "what": "sync", "on": True}]
    for d in run.tries:
        body = json.loads(d["payload"]) if d["payload"][:1] == "{" else {}
        if d["topic"].endswith("telemetry") and d["t"] < 20:
            run.change(d["topic"], {"ts": body["ts"] - 7200000, "clock": "unsynced"}, seq=body["seq"], clock="synced")
    assert run.check() == set()


def test_a_mended_repeat_says_the_same():
    run = Run()
    for delta, is_same in ((500, True), (700, False)):
        _, body = run.find("m1/job", type="ended")
        run.post(80, "machines/m1/job", {**body, "ts": body["ts"] + 500, "clock": "unsynced", "started": body["started"] + 500,
                                         "ended": body["ended"] + delta})
        assert ("two contents" not in run.check()) == is_same
