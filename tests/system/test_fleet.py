# SPDX-License-Identifier: MIT
"""labpulse simulate --fleet: what it publishes is what gateways publish, also after an outage."""
import json
import os
import re
import signal
import subprocess
import time

import pytest

from conftest import BUILD, is_complete, telemetry_seqs, wait_until
from fleetbed import Fleet, machine_ids

PARKS = [f"park-{k:03}" for k in range(1, 6)]
MACHINES = machine_ids(4)
NUMBERED = re.compile(r"machines/[^/]+/(event|job)$")


@pytest.fixture
def fleet(broker):
    """fleet("5x4", ...) -> Fleet at the broker, ended after the test."""
    started = []

    def start(size="5x4", *options, url=broker.url):
        started.append(Fleet(size, url, *options))
        return started[-1]

    yield start
    for one in started:
        if one.popen.poll() is None:
            one.popen.send_signal(signal.SIGCONT)
            assert one.stop() == 0


def pictures(parks, machines):
    """The retained topics of a fleet without alarms."""
    return {f"parks/{p}/gateways/gw1/{leaf}" for p in parks for leaf in ("availability", "info", "health")} | {
        f"parks/{p}/machines/{m}/{leaf}" for p in parks for m in machines
        for leaf in ("availability", "info", "state", "usage")}


def held(subscribe, port):
    """The topics that the broker keeps now."""
    subscriber = subscribe(port)
    subscriber.subscribed.clear()
    subscriber.client.subscribe("behind/what/is/retained", 1)  # its SUBACK comes behind that
    assert subscriber.subscribed.wait(15)
    return {m.topic for m in subscriber.find() if m.retain}


def numbers(messages, topic):
    """The numbers of a topic, and of what came of it as history, in order of arrival."""
    machine = topic.split("/")[3]
    if topic.endswith("/telemetry"):
        park = topic.split("/")[1]
        return telemetry_seqs([m for m in messages if m.topic.startswith(f"parks/{park}/")], machine)
    return [m.json["seq"] for m in messages if m.topic == topic]


def all_numbers(messages):
    """topic -> numbers, of each machine's telemetry, events and jobs."""
    topics = {m.topic for m in messages if NUMBERED.search(m.topic)} | {
        f"parks/{p}/machines/{m}/telemetry" for p in PARKS for m in MACHINES}
    return {topic: numbers(messages, topic) for topic in topics}


def test_everything_that_gateways_say(broker, fleet, subscribe):
    """Held against the schemas; nothing is missing, in numbers and in pictures; faults come on demand."""
    subscriber = subscribe(broker.port)
    running = fleet("5x4", "--interval", "1s", "--alarms", "0")
    running.wait_settled(5)
    said = running.control("alarm park-002 laser-01 chiller-hot on")
    raised = subscriber.wait_for(lambda m: True, topic="parks/park-002/machines/laser-01/alarm/chiller-hot")
    assert raised.json["active"] and said["active"]
    assert said["asked"] <= said["published"] <= raised.at * 1000 + 1
    subscriber.wait_for(lambda m: m.json["alarms"] == ["chiller-hot"] and m.json["state"] == "fault",
                        topic="parks/park-002/machines/laser-01/state")
    running.control("silent park-003 charger-01 on")
    subscriber.wait_for(lambda m: m.text == "offline", topic="parks/park-003/machines/charger-01/availability")
    silence = subscriber.wait_for(lambda m: m.json["errors"], topic="parks/park-003/machines/charger-01/telemetry")
    assert set(silence.json["errors"].values()) == {"timeout"} and not silence.json["values"]
    running.control("alarm park-002 laser-01 chiller-hot off")
    subscriber.wait_for(lambda m: m.json.get("transition") == "cleared", topic="park-002/machines/laser-01/event")

    assert held(subscribe, broker.port) == pictures(PARKS, MACHINES) | {
        "parks/park-002/machines/laser-01/alarm/chiller-hot"}
    wait_until(lambda: all(is_complete(n, 1) and (len(n) >= 2 or not topic.endswith("telemetry"))
                           for topic, n in all_numbers(subscriber.messages).items()), what="all numbers are there")
    assert running.ask("alarm park-002 laser-01 chiller-hot off")["error"] == "it is so already"
    assert "no such" in running.ask("silent park-009 laser-01 on")["error"]


def test_jobs_and_alarms_by_themselves(broker, fleet, subscribe):
    """Two thousand machines for a few seconds: jobs begin and end, alarms come and go; all fits the schemas."""
    topics = ["parks/+/machines/+/job", "parks/+/machines/+/alarm/+"]
    subscriber = subscribe(broker.port, topics)
    fleet("40x50", "--interval", "2s", "--alarms", "200")
    begun = subscriber.wait_for(lambda m: m.json["type"] == "started", topic="job").json
    over = subscriber.wait_for(lambda m: m.json["type"] == "ended", topic="job").json
    assert over["ended"] - over["started"] == pytest.approx(1000 * over["duration_s"], abs=1000)
    assert over["busy_s"] + over["paused_s"] == over["duration_s"] > 60
    assert begun["started"] < begun["ts"]
    alarm = subscriber.wait_for(lambda m: not m.retain and m.payload and m.json.get("active") is False)
    assert alarm.json["raised"] < alarm.json["cleared"]


def test_nothing_is_missing_after_an_outage(broker, fleet, subscribe):
    """kill -9 of the broker: all that happened meanwhile arrives, telemetry as history, events on their topic."""
    before = subscribe(broker.port)
    running = fleet("5x4", "--interval", "1s")
    running.wait_settled(5)
    broker.process.signal(signal.SIGSTOP)  # what is under way, and what waits behind it, is lost with the broker
    running.control("silent park-001 printer-01 on")
    running.wait_stats(lambda s: s["waiting_live"] > 0 and s["waiting_events"] > 0, what="the windows are full")
    broker.kill()
    running.wait_stats(lambda s: s["connected"] == 0 and s["backlog"] >= 60, what="a backlog")
    running.control("silent park-001 printer-01 off")  # another event, of the outage
    running.popen.send_signal(signal.SIGSTOP)
    broker.start()
    after = subscribe(broker.port)
    running.popen.send_signal(signal.SIGCONT)
    stats = running.wait_caught_up(5, timeout=40)
    assert stats["history"] > 0 and stats["refused"] == 0 and stats["dropped"] == 0
    assert stats["connects"] == 10 and stats["losses"] == 5

    def complete():
        found = all_numbers(before.messages + after.messages)
        return all(is_complete(n, 1) for n in found.values()) and found
    found = wait_until(complete, what="all numbers are there")
    told = sum(len(set(n)) for topic, n in found.items() if topic.endswith("telemetry"))
    assert told >= stats["records"]
    event = after.wait_for(lambda m: m.json.get("to") == "offline", topic="park-001/machines/printer-01/event")
    back = after.wait_for(lambda m: m.json.get("from") == "offline", topic="park-001/machines/printer-01/event")
    assert event.json["ts"] < back.json["ts"] < back.at * 1000
    assert held(subscribe, broker.port) >= pictures(PARKS, MACHINES)


@pytest.mark.parametrize("how", ["killed", "one of them", "clean"])
def test_who_is_gone_is_offline(broker, fleet, subscribe, how):
    subscriber = subscribe(broker.port, ["parks/+/gateways/gw1/availability"])
    running = fleet()
    running.wait_settled(5)
    mark = subscriber.mark()
    if how == "killed":
        running.kill()
    elif how == "clean":
        assert running.stop() == 0
    else:
        running.control("gateway park-004 off")
    gone = ["park-004"] if how == "one of them" else PARKS
    for park in gone:
        subscriber.wait_for(lambda m: m.text == "offline", topic=f"parks/{park}/gateways/gw1/availability", since=mark)
    assert len(subscriber.find(since=mark)) == len(gone)
    if how == "one of them":
        running.control("gateway park-004 on")
        subscriber.wait_for(lambda m: m.text == "online", topic="park-004/gateways/gw1/availability", since=mark)


def test_what_an_earlier_fleet_left_is_cleared(broker, fleet, subscribe):
    running = fleet("1x4", "--alarms", "0")
    running.wait_settled(1)
    running.control("alarm park-001 laser-01 no-flow on")
    running.kill()
    fleet("1x2", "--alarms", "0")
    wait_until(lambda: held(subscribe, broker.port) == pictures(PARKS[:1], MACHINES[:2]), what="only what is so is held")


def test_watch_sees_all_of_them(broker, fleet, labpulse):
    fleet("3x4").wait_settled(3)
    fleet("2x4", "--first", 4).wait_settled(2)  # as from another computer
    table = labpulse("watch", "--broker", broker.url, "--once", "--json").json
    assert {(m["park"], m["machine"]) for m in table["machines"]} == {(p, m) for p in PARKS for m in MACHINES}


def test_tls_and_a_user_for_each_park(broker, fleet, subscribe, certificates, tmp_path):
    """%p in user and password file; an ACL that lets a park write its own topics only refuses nothing."""
    (tmp_path / "passwords").write_text("".join(f"{p}:secret-of-{p}\n" for p in [*PARKS, "all"]))
    subprocess.run(["mosquitto_passwd", "-U", tmp_path / "passwords"], check=True)
    (tmp_path / "acl").write_text("user all\ntopic read parks/#\npattern readwrite parks/%u/#\n")
    for p in [*PARKS, "all"]:
        (tmp_path / p).write_text(f"secret-of-{p}\n")
        (tmp_path / p).chmod(0o600)
    broker.stop()
    broker.start(f"certfile {certificates}/server.pem\nkeyfile {certificates}/server.key\n"
                 f"acl_file {tmp_path}/acl\npassword_file {tmp_path}/passwords\n", "false")
    running = fleet("5x4", "--user", "%p", "--password-file", tmp_path / "%p", "--ca-file", certificates / "ca.pem",
                    url=f"mqtts://localhost:{broker.port}")
    stats = running.wait_settled(5)
    assert stats["refused"] == 0 and stats["losses"] == 0
    subscriber = subscribe(broker.port, username="all", password="secret-of-all", ca_file=certificates / "ca.pem",
                           host="localhost")
    wait_until(lambda: set(subscriber.retained()) >= pictures(PARKS, MACHINES), what="all is there")
    broker.kill()  # and again over TLS, after a refusal
    running.wait_stats(lambda s: s["connected"] == 0)
    broker.start(f"certfile {certificates}/server.pem\nkeyfile {certificates}/server.key\n"
                 f"acl_file {tmp_path}/acl\npassword_file {tmp_path}/passwords\n", "false")
    running.wait_settled(5, timeout=40)


def test_a_busy_network_is_read_at_once(broker, fleet, spawn, labpulse, free_port):
    """What is retained ends although messages never do: bridge and watch do not wait for silence."""
    fleet("5x50", "--interval", "1s").wait_settled(5)
    port = free_port()
    bridge = spawn("bridge", [BUILD / "labpulse-alertmanager", "--broker", broker.url, "--alertmanager", "http://127.0.0.1:1",
                              "--listen", f"127.0.0.1:{port}"])
    wait_until(lambda: "connected" in bridge.err(), timeout=8, what="the bridge has read all")
    begin = time.monotonic()
    table = labpulse("watch", "--broker", broker.url, "--once", "--json").json
    assert len(table["machines"]) == 250 and time.monotonic() - begin < 6


@pytest.mark.parametrize("arguments, says", [
    (["--fleet", "5"], "PARKSxMACHINES"), (["--fleet", "0x5"], "PARKSxMACHINES"), (["--fleet", "5x5y"], "PARKSxMACHINES"),
    (["--fleet", "5x5", "--broker", "http://x"], "mqtt://"), (["--fleet", "5x5", "--interval", "10ms"], "--interval"),
    (["--fleet", "5x5", "--password-file", "/dev/null"], "--user"), (["--fleet", "5x5", "--topic-root", "a/#"], "--topic-root")])
def test_wrong_options(labpulse, arguments, says):
    done = labpulse("simulate", *arguments)
    assert done.code == 64 and says in done.err


def test_memory_and_descriptors_are_bounded(broker, fleet):
    """Three descriptors a gateway (libmosquitto's pair among them), and less than 100 KB of each."""
    running = fleet("60x50")
    running.wait_settled(60)
    assert len(os.listdir(f"/proc/{running.pid}/fd")) < 60 * 3 + 20
    pages = int(open(f"/proc/{running.pid}/statm", encoding="ascii").read().split()[1])
    # Under the sanitizers memory is theirs.
    assert "asan" in str(os.environ.get("BUILD")) or "tsan" in str(os.environ.get("BUILD")) or pages * 4096 < 60 * 100e3 + 12e6


def test_the_same_seed_tells_the_same_story(broker, fleet, subscribe):
    """Another run: states, titles, activities are the same; another seed: they are not."""
    stories = []
    for seed in (1, 1, 2):
        running = fleet("5x20", "--seed", seed)
        running.wait_settled(5)
        subscriber = subscribe(broker.port, ["parks/+/machines/+/state"])
        wait_until(lambda: len(subscriber.retained()) == 100, what="all states")
        stories.append({t: json.loads(m.payload)["activity"] for t, m in subscriber.retained().items()})
        assert running.stop() == 0
    assert stories[0] == stories[1] != stories[2]
