# SPDX-License-Identifier: MIT
"""labpulse watch and explain on a terminal: widths, sizes, colours, and that it is left as it was."""
import json
import signal

import jsonschema
import pytest

from conftest import BUILD, PROFILES, TOP, wait_until
from terminal import Terminal, width
from test_watch import HEAD, JOB, Gateway, ago, alarm

LABPULSE = BUILD / "labpulse"
TITLES = {"laser-1": "Лазерный станок с длинным названием", "laser-2": "激光切割机", "printer-1": "Принтер", "printer-2": "Café"}
HINT = "Остановите резку, проверьте фильтр и вентилятор чиллера, затем уровень воды"
RED = "\x1b[31m"


@pytest.fixture
def gateway(broker, spawn, labpulse):
    made = Gateway(broker, spawn, labpulse)
    for machine, title in TITLES.items():
        made.machine(machine, **({"state": "fault", "alarms": ["chiller-hot"]} if machine == "printer-2" else {}))
        made.publish(f"machines/{machine}/info", {**HEAD, "ts": 1, "class": "other", "title": {"ru": title}}, retain=True)
    made.machine("climate-1", state="idle", activity="idle", job=JOB, progress=0.42)
    made.publish("machines/printer-2/alarm/chiller-hot", alarm("chiller-hot", ago(60), hint=HINT), retain=True)
    yield made
    made.close()


def watch(gateway, columns, lines, *options, env=None):
    terminal = Terminal([LABPULSE, "watch", "--broker", gateway.broker.url, "--lang", "ru", *options], columns, lines, env)
    terminal.wait(lambda: "printer-2" in terminal.text())
    return terminal


def no_line_is_wider(lines, columns):
    wide = [line for line in lines if width(line) > columns]
    assert not wide, f"wider than {columns}: {wide}"


# ---- the picture -----------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [40, 80, 120, 200])
def test_it_fits_and_trouble_stands_first(gateway, columns):
    with watch(gateway, columns, 24) as t:
        rows = t.rows()
        assert [r.split()[1] for r in rows[1:6]] == ["printer-2", "laser-1", "laser-2", "printer-1", "climate-1"]
        assert rows[0].startswith("labpulse  ") and "машин 5: 1 fault, 3" in rows[0]
        assert "! Перегрев" in rows[1], "an alarm is worth more than a title"
        assert any("Лазерный" in r for r in rows) == (columns >= 80)
        if columns >= 120:
            starts = {width(r[:r.index("power 143.2 W")]) for r in rows[2:6]}
            assert len(starts) == 1, "whatever alphabet a title has, the next column stands below the one above"
        no_line_is_wider(t.written(), columns)
        t.resize(columns // 2, 12)
        t.wait(lambda: "printer-2" in t.text(), timeout=3)
        no_line_is_wider(t.written(), columns // 2)


def test_another_size_is_drawn_at_once(gateway):
    with watch(gateway, 120, 24, "--every", "1h") as t:
        for columns, lines in ((60, 10), (150, 30)):
            t.resize(columns, lines)
            t.wait(lambda: "printer-2" in t.text(), timeout=3, what="the next picture is due in an hour")
            no_line_is_wider(t.written(), columns)
        assert t.raw.count(b"\x1b[2J") == 0, "a screen that is wiped flickers"


def test_more_machines_than_lines(gateway):
    for i in range(40):
        gateway.machine(f"m-{i:02}", state="off", activity="off")
    gateway.machine("z-9", state="offline", activity="unknown")
    with watch(gateway, 80, 12) as t:
        rows = [r for r in t.rows() if r]
        assert len(rows) <= 11 and [r.split()[1] for r in rows[1:3]] == ["printer-2", "z-9"]
        last = next(r for r in rows if r.startswith("… "))
        shown = [r.split()[0] for r in rows if r.split()[0] in ("fault", "offline", "busy", "idle", "off")]
        assert last == f"… {46 - len(shown)} more: {40 - shown.count('off')} off"


def test_only_what_was_asked_for(gateway):
    def machines(*options):
        return [m["machine"] for m in gateway.ask("watch", "--json", *options).json["machines"]]

    assert machines("--park", "p1", "--machine", "laser-2") == ["laser-2"]
    assert machines("--park", "p2") == []
    assert gateway.ask("watch", "--machine", "a/b").code == 64


# ---- colours ---------------------------------------------------------------------------------------


def test_colours_only_where_they_are_wanted(gateway):
    def has_colours(*options, **env):
        with watch(gateway, 80, 24, "--once", *options, env=env) as t:
            assert t.ended() == 0
            return RED in t.raw.decode()

    assert has_colours()
    assert not has_colours(NO_COLOR="1")
    assert not has_colours("--color", "never")
    assert not has_colours(TERM="dumb")
    assert has_colours("--color", "always", NO_COLOR="1")
    assert "\x1b" not in gateway.ask("watch").out and "\x1b" not in gateway.ask("explain").out
    assert RED in gateway.ask("watch", "--color", "always").out and RED in gateway.ask("explain", "--color", "always").out
    assert gateway.ask("watch", "--color", "red").code == 64


# ---- the end ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["q", signal.SIGINT, signal.SIGTERM, signal.SIGHUP, "broker"])
def test_the_terminal_is_left_as_it_was(gateway, end):
    with watch(gateway, 80, 24) as t:
        assert b"\x1b[?1049h\x1b[?25l" in t.raw and not t.is_restored()
        if end == "broker":  # which comes back, or not: nothing that ends it
            gateway.broker.stop()
            t.wait(lambda: "! нет связи с брокером: " in t.rows()[1], what="it says that nothing new comes")
            assert "printer-2" in t.rows()[2]
            gateway.broker.start()
            t.wait(lambda: "нет связи с" not in t.text(), what="it is back")
            end = "q"
        if end == "q":
            t.type(b"q")
            assert t.ended() == 0
        else:
            t.signal(end)
            assert t.ended() == -end, "as who started it expects"
        assert t.is_restored()


def test_it_gives_the_screen_back_while_it_is_stopped(gateway):
    """Ctrl-Z. (The kernel does not stop a session of one's own, so it goes on at once.)"""
    with watch(gateway, 80, 24, "--every", "1h") as t:
        t.signal(signal.SIGTSTP)
        t.wait(lambda: t.raw.count(b"\x1b[?1049h") == 2 and t.raw.endswith(b"\x1b[J"), what="it is drawn again")
        assert t.raw.count(b"\x1b[?25h\x1b[?1049l") == 1
        t.type(b"q")
        assert t.ended() == 0 and t.is_restored()


def test_a_daemon_that_is_gone_is_named_on_the_screen_that_was_there_before(tmp_path, simulate, broker, daemon):
    config = tmp_path / "labpulse.yaml"
    simulate("lab", "--write-config", config, "--broker", broker.url)
    gone = daemon(config, profiles=PROFILES)
    wait_until(lambda: (tmp_path / "control").exists(), what="the daemon is there")
    argv = [LABPULSE, "watch", "-c", config, "--profiles", PROFILES, "--every", "100ms"]
    with Terminal(argv, 80, 24) as t:
        t.wait(lambda: "printer-2" in t.text())
        gone.stop()
        assert t.ended() > 0
        left = t.raw.decode().split("\x1b[?1049l")
        assert len(left) == 2 and "does not answer any more" in left[1]


# ---- explain ---------------------------------------------------------------------------------------


def test_explain_is_about_trouble_unless_one_is_named(gateway):
    said = gateway.ask("explain", "--lang", "en").out
    assert "p1/printer-2: in fault" in said and "laser-1" not in said
    assert "the other machines (4): nothing is wrong" in said
    assert "p1/laser-1: busy" in gateway.ask("explain", "laser-1", "--lang", "en").out


@pytest.mark.parametrize("columns", [40, 100])
def test_explain_is_wrapped(gateway, columns):
    whole = gateway.ask("explain", "printer-2", "--lang", "ru").out
    argv = [LABPULSE, "explain", "printer-2", "--lang", "ru", "--broker", gateway.broker.url, "--color", "never"]
    with Terminal(argv, columns, 50) as t:
        assert t.ended() == 0
        lines = t.raw.decode().replace("\r", "").rstrip("\n").split("\n")
    no_line_is_wider(lines, columns)
    assert len(lines) > len(whole.rstrip("\n").split("\n"))
    assert " ".join(" ".join(lines).split()) == " ".join(whole.split()), "the same words"
    assert all(line.startswith("    ") or line.startswith(("p1/", "  авария")) for line in lines), "hanging indents"


# ---- JSON ------------------------------------------------------------------------------------------


def test_json_is_what_its_schema_says(gateway):
    schema = json.loads((TOP / "docs" / "schemas" / "watch.schema.json").read_text())
    gateway.publish("gateways/gw1/alarm/disk", alarm("disk", ago(60)), retain=True)
    gateway.publish("gateways/gw9/availability", "offline", retain=True)
    said = gateway.ask("watch", "--json").json
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.validate(said, schema)
    assert said["gateways_offline"] == [{"park": "p1", "gateway": "gw9"}]
    assert [(g["gateway"], g["alarm"]["code"]) for g in said["gateway_alarms"]] == [("gw1", "disk")]
