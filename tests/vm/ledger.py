# SPDX-License-Identifier: MIT
"""Was anything lost? The rules of tests/torture on what a subscriber outside the gateway received."""
import time

from gateway import PARK
from evidence import Evidence
from rules_records import rule_gaps, rule_holes, rule_one_content, rule_order, rule_payloads
from rules_world import rule_jobs

RULES = (rule_payloads, rule_one_content, rule_order, rule_holes, rule_gaps)
NUMBERED = ("telemetry", "history", "job", "event", "gap")


def evidence(messages, cuts=()):
    """`cuts`: when the gateway was ended without a word, as Message.at. It may tell gaps for that, and for nothing else."""
    deliveries = [{"n": n, "t": m.at, "a": m.at, "rc": 0, "topic": m.topic, "payload": m.text,
                   "retain": m.topic.rsplit("/", 1)[1] not in NUMBERED} for n, m in enumerate(messages)]
    seconds = messages[-1].at - messages[0].at if messages else 0
    meta = {"park": PARK, "gap_reasons": [], "seconds": seconds}
    return Evidence(meta, deliveries=deliveries, incidents=[{"t": t, "what": "daemon-kill"} for t in cuts])


def violations(messages, cuts=(), at_work=False):
    """What is wrong, one line each. `at_work`: a job may still be open."""
    e = evidence(messages, cuts)
    rules = RULES if at_work else (*RULES, rule_jobs)
    return [f"{rule}: {about}: {text}" for check in rules for rule, about, _, text in check(e)]


def assert_nothing_lost(gateway, at_work=False, timeout=90):
    """Waits until what is open has come, and fails with what never did."""
    end = time.monotonic() + timeout
    while (found := violations(gateway.sub.messages[:], gateway.cuts, at_work)) and time.monotonic() < end:
        time.sleep(0.5)
    assert not found, "\n".join(found[:8])


def assert_never_back(gateway, machine, fields):
    """What it published as its totals only grew."""
    told = [m.json for m in gateway.sub.find(f"machines/{machine}/usage") if m.payload]
    assert told, "no totals at all"
    for was, now in zip(told, told[1:]):
        assert all(now[k] >= was[k] for k in fields), (was, now)
