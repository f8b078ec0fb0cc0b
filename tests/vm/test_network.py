# SPDX-License-Identifier: MIT
"""The network between gateway and broker delays, loses, and ends for a while (tc-netem(8), both ways)."""
import json
import statistics
import time

import pytest

from gateway import BUSY_W, IDLE_W, wait_until
from ledger import assert_nothing_lost

LIVE_S = 5        # 300 ms each way, a tenth lost, TCP's own patience
OUTAGE_S = 20


@pytest.fixture(scope="module")
def online(gateway):
    """Both directions of its network can be spoilt: what comes in passes ifb0."""
    gateway.sh("modprobe ifb numifbs=1; ip link set ifb0 up; tc qdisc add dev eth0 handle ffff: ingress; "
               "tc filter add dev eth0 parent ffff: matchall action mirred egress redirect dev ifb0")
    gateway.plug_all()
    gateway.systemctl("start")
    gateway.online()
    return gateway


def spoil(gateway, *how):
    """`how` of tc-netem(8); nothing: as it should be."""
    for device in ("eth0", "ifb0"):
        if how:
            gateway.run("tc", "qdisc", "replace", "dev", device, "root", "netem", *how)
        else:
            gateway.run("tc", "qdisc", "del", "dev", device, "root")


def ages(gateway, since):
    """How old live readings were when they arrived, seconds."""
    off = gateway.machine.clock_off_s()
    return [m.at + off - m.json["ts"] / 1000 for m in gateway.sub.find("/telemetry", since=since)]


def complete(gateway):
    """Nothing is missing, and nothing was told as lost."""
    assert_nothing_lost(gateway)
    assert not gateway.sub.find("/gap")


def seqs(gateway, machine):
    last = gateway.sub.find(f"machines/{machine}/telemetry")
    return last[-1].json["seq"] if last else 0


def test_slow_and_lossy(online, figures):
    spoil(online, "delay", "300ms", "50ms", "loss", "10%")
    mark = online.mark()
    online.power(BUSY_W)
    online.job("laser", "started", mark)
    until = seqs(online, "laser") + 60
    wait_until(lambda: seqs(online, "laser") >= until, 90, "half a minute of readings")
    took = sorted(ages(online, mark))
    spoil(online)
    figures.add("lossy_live_p50_s", statistics.median(took))
    figures.add("lossy_live_p95_s", took[int(len(took) * 0.95)])
    assert statistics.median(took) < LIVE_S, took
    online.power(IDLE_W)
    online.job("laser", "ended", mark)
    complete(online)


def test_gone_for_a_while(online, figures):
    """A job begins and ends meanwhile: it is told afterwards, each reading, too."""
    mark = online.mark()
    spoil(online, "loss", "100%")
    began = time.monotonic()
    seen = len(online.sub.messages)
    online.power(BUSY_W)
    wait_until(lambda: json.loads(online.run("labpulse", "explain", "laser", "--json").out)["machines"][0]["state"] != "idle",
               30, "busy, as the gateway itself sees it")
    wait_until(lambda: time.monotonic() > began + OUTAGE_S, OUTAGE_S + 1, "the outage lasts")
    online.power(IDLE_W)
    wait_until(lambda: online.usage("laser")["jobs_finished"] == 2, 30, "the job is over")
    assert not [m for m in online.sub.messages[seen:] if m.topic.endswith("/job")], "nothing gets through"
    spoil(online)
    healed = time.monotonic()
    started = online.job("laser", "started", mark, timeout=60)
    ended = online.job("laser", "ended", mark, timeout=60)
    assert started["job"] == ended["job"] and ended["result"] == "finished"
    figures.add("outage_told_s", time.monotonic() - healed)
    complete(online)
    assert online.sub.find("machines/laser/history", since=mark), "what could not be sent live came as history"
