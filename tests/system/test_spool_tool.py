# SPDX-License-Identifier: MIT
"""labpulse spool: what waits for the broker, what no broker takes, and a copy of it."""
import json
import socket
import subprocess

import pytest

from bench import Bench
from conftest import BUILD, wait_until
from fakebroker import serve
from lab import BUSY_W, IDLE_W, LASER, SHORT, lab_fixture  # noqa: F401
from schemas import violation

JOB, TELEMETRY = "parks/p1/machines/laser/job", "parks/p1/machines/laser/telemetry"


@pytest.fixture
def outage(lab):
    """A laser that works while there is no broker: its job, and readings, are on the disk."""
    lab.add("laser", "line", power=IDLE_W, usage=LASER, job=SHORT)
    lab.start()
    lab.broker.kill()
    lab.power(1, BUSY_W)
    wait_until(lambda: spool(lab)["telemetry"]["on_disk"] > 0 and JOB in {r["topic"] for r in export(lab)},
               what="what happens waits on the disk")
    return lab


def spool(lab):
    return lab.tool("spool", "--json").json


def export(lab, *words):
    return [json.loads(line) for line in lab.tool("spool", "export", *words).out.splitlines()]


def test_nothing_waits(lab):
    lab.add("laser", "line", power=IDLE_W, usage=LASER, job=SHORT).start()
    wait_until(lambda: spool(lab)["events"]["records"] == 0, what="the broker has all")
    now = spool(lab)
    assert now["events"] == {"records": 0, "bytes": 0, "oldest_ts": None}
    assert now["telemetry"]["on_disk"] == now["telemetry"]["evicted"] == now["dead"]["letters"] == 0
    assert 0 < now["disk"]["bytes"] < now["disk"]["max_bytes"] == 2 << 30 and now["disk"]["free_bytes"] > 0
    assert now["errors"] == []
    assert export(lab) == [] and export(lab, "--dead") == []
    text = lab.tool("spool").out
    assert "events" in text and "telemetry" in text and "dead" not in text and "error" not in text


def test_an_outage(outage):
    """It tells what waits; the copy has every record as it will be published."""
    lab = outage
    before = spool(lab)
    started = min(before["events"]["oldest_ts"], before["telemetry"]["oldest_ts"])
    assert before["telemetry"]["records"] >= before["telemetry"]["on_disk"] and before["events"]["bytes"] > 0
    copy = export(lab)
    assert len(copy) >= before["events"]["records"] + before["telemetry"]["on_disk"]
    assert min(r["ts"] for r in copy) >= started
    for r in copy:
        if "payload" in r:
            assert violation(r["topic"], json.dumps(r["payload"]).encode()) is None
            assert (r["payload"]["epoch"], r["payload"]["seq"]) == (r["epoch"], r["seq"])
        else:
            assert r["topic"] == TELEMETRY and r["record"]["source"] == "s1" and r["record"]["seq"] == r["seq"]
            assert "v" not in r["record"] and r["record"]["values"]["voltage_v"] == 230
    assert {r["topic"] for r in copy} >= {JOB, TELEMETRY}
    assert [r["payload"]["type"] for r in copy if r["topic"] == JOB] == ["started"]
    readings = [r["seq"] for r in copy if r["topic"] == TELEMETRY]
    assert readings == list(range(readings[0], readings[0] + len(readings))), "each once, in order"
    file = lab.folder / "copy.jsonl"
    told = lab.tool("spool", "export", file).out
    written = file.read_text().splitlines()
    assert told == f"{len(written)} records in {file}\n" and len(written) >= len(copy)
    assert "oldest" in lab.tool("spool").out
    lab.broker.start()
    wait_until(lambda: spool(lab)["events"]["records"] == 0, what="the events have gone")


def test_numbers_stay_as_they_were_written(lab):
    lab.add("laser", "line", power=IDLE_W, usage=LASER, job=SHORT).start()
    lab.broker.kill()
    wait_until(lambda: spool(lab)["telemetry"]["on_disk"] > 0, what="readings on the disk")
    lines = lab.tool("spool", "export").out.splitlines()
    assert any('"level_pct":41.0' in line or '"level_pct":41.5' in line for line in lines), lines[-1]


@pytest.mark.long
def test_many_pages(lab):
    """Far more than a page; nothing is left out or told twice, and polling goes on meanwhile."""
    for unit in range(1, 9):
        lab.add(f"m{unit}", f"line{unit}", power=IDLE_W)
    lab.start()
    lab.broker.kill()
    wait_until(lambda: spool(lab)["telemetry"]["on_disk"] >= 2500, timeout=240, what="more than one page")
    copy = [r for r in export(lab) if "record" in r]
    assert sum(len(json.dumps(r)) for r in copy) > 512 * 1024
    names = [(r["topic"], r["epoch"], r["seq"]) for r in copy]
    assert len(set(names)) == len(names)
    for unit in range(1, 9):
        seqs = sorted(r["seq"] for r in copy if f"/m{unit}/" in r["topic"])
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))


def test_dead_letters(tmp_path, fake_broker, simulate, daemon, labpulse):
    """What the broker will never take is shown with the reason in words, and can be had."""
    fake = fake_broker(serve(lambda conn, p: 0x99 if p.topic.endswith("/event") else 0))
    bench = Bench(tmp_path, fake.url).add("m1", "tcp1")
    bench.simulate(simulate)
    daemon(bench.write())
    tool = lambda *words: labpulse("spool", *words, "--control", tmp_path / "control")  # noqa: E731
    wait_until(lambda: tool("--json").code == 0 and tool("--json").json["dead"]["letters"] > 0, what="a dead letter")
    text = tool().out
    assert "dead letters, which no broker takes" in text
    assert "parks/p1/machines/m1/event, seq 1: the broker does not believe that it is JSON" in text
    letters = [json.loads(line) for line in tool("export", "--dead").out.splitlines()]
    first = next(l for l in letters if l["topic"] == "parks/p1/machines/m1/event")
    assert first["reason"] == 0x99 and first["seq"] == 1 and first["payload"]["type"] == "state"
    assert all("reason" not in json.loads(line) for line in tool("export").out.splitlines())


def test_a_client_that_leaves(outage):
    """Its answer is thrown away; the next one gets its own."""
    lab = outage
    for _ in range(20):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(lab.folder / "control"))
            s.sendall(b'{"cmd":"spool"}\n{"cmd":"spool-export","what":"telemetry","after":0}\n')
    assert spool(lab)["events"]["records"] >= 2
    assert lab.daemon.running()


@pytest.mark.parametrize("request_line,word", [
    ('{"cmd":"spool-export"}', "usage"), ('{"cmd":"spool-export","what":"all"}', "usage"),
    ('{"cmd":"spool-export","what":"dead","after":"x"}', None), ('{"cmd":"spool-export","what":"events","after":-5}', None),
    ('{"cmd":"spool-export","what":"telemetry","after":9223372036854775807}', None)])
def test_odd_requests(lab, request_line, word):
    lab.add("laser", "line", power=IDLE_W).start()
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(str(lab.folder / "control"))
        s.sendall(request_line.encode() + b"\n")
        answer = json.loads(s.makefile().readline())
    assert answer.get("error") == word and answer["ok"] == (word is None)


def test_no_daemon(lab):
    lab.write()
    for words in ((), ("--json",), ("export",), ("export", "--dead")):
        done = lab.labpulse("spool", *words, "--control", lab.folder / "control")
        assert done.code == 69 and done.err == "labpulse: the daemon does not run here\n" and done.out == ""


def test_wrong_words(labpulse):
    for words in (("copy",), ("--dead",), ("export", "a", "b")):
        assert labpulse("spool", *words).code == 64


def test_a_full_disk_for_the_copy(outage):
    done = outage.labpulse("spool", "export", "/dev/full", "--control", outage.folder / "control")
    assert done.code == 1 and "/dev/full: cannot be written" in done.err
    done = outage.labpulse("spool", "export", "/nowhere/copy", "--control", outage.folder / "control")
    assert done.code == 1 and "/nowhere/copy: No such file or directory" in done.err


def test_the_copy_can_be_piped(outage):
    """`labpulse spool export | head -1` ends quietly."""
    done = subprocess.run(["bash", "-c", f"{BUILD}/labpulse spool export --control {outage.folder}/control | head -1"],
                          capture_output=True, text=True, timeout=30)
    assert len(done.stdout.splitlines()) == 1 and done.stderr == ""
