# SPDX-License-Identifier: MIT
"""The tool beside a running daemon: it asks the daemon, and never opens the daemon's line."""
import pytest

from conftest import PROFILES, wait_until


@pytest.fixture
def lab(simulate, daemon, broker, subscribe, tmp_path, labpulse):
    """The simulated lab, polled by a daemon; .sim, .daemon, .tool("read", ...)."""

    class Lab:
        config = tmp_path / "labpulse.yaml"
        sim = simulate("lab", "--write-config", config, "--broker", broker.url)
        messages = subscribe(broker.port)
        daemon = None

        def tool(self, command, *argv):
            return labpulse(command, *argv, "-c", self.config, "--profiles", PROFILES)

    lab = Lab()
    lab.daemon = daemon(lab.config)
    lab.messages.wait_for(lambda m: m.json["values"], topic="machines/laser-1/telemetry")
    return lab


def test_read_through_the_daemon(lab):
    lab.sim.control("set laser-1-meter power_w 333.5")
    result = lab.tool("read", "laser-1/meter", "--json")
    assert result.code == 0, result
    points = {p["id"]: p for s in result.json["sources"] for p in s["points"]}
    assert points["power_w"]["value"] == 333.5
    assert points["power_w"]["raw"] == "0x43A6 0xC000"
    assert points["power_w"]["unit"] == "W" and points["power_w"]["quality"] == "ok"
    assert lab.tool("read", "nobody").code == 64
    text = lab.tool("read", "laser-1")
    assert text.code == 0 and "333.5" in text.out and "water_temp_c" in text.out


def test_peek_and_scan_through_the_daemon(lab):
    lab.sim.control("set laser-1-meter voltage_v 230.25")
    result = lab.tool("peek", "rs485", 5, "input", 0, 2, "--expect", 230, "--json")
    assert result.code == 0, result
    assert result.json["words"] == [0x4366, 0x4000]
    assert result.json["readings"][0]["type"] == "f32"
    by_device = lab.tool("peek", f"rtu:{lab.sim.ptys['rs485']}", 5, "input", 0, 2, "--json")
    assert by_device.code == 0 and by_device.json["words"] == [0x4366, 0x4000]
    result = lab.tool("scan", f"rtu:{lab.sim.ptys['rs485']}", "--from", 4, "--to", 8, "--json")
    assert result.code == 0, result
    assert [u["unit"] for u in result.json["units"]] == [5, 6, 7]
    assert result.json["bus"] == "rs485"


def test_scan_through_the_daemon_guesses_profiles(lab, tmp_path):
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "mine.yaml").write_text("""
schema: 1
id: mine
revision: 1
kind: generic
vendor: test
models: [any]
title: {ru: "Проба", en: "Test"}
status: unverified
sources: [{id: s1, origin: standard, title: "test", url: "https://example.org/", seen: "2026-01-01"}]
link: {transports: [rtu], baud: 9600, format: 8N1, unit: 1}
identify: [{table: input, address: 0, type: u32, any_of: [0x43664000]}]
points: [{id: count, table: input, address: 0, type: u16, sources: [s1]}]
""")
    lab.sim.control("set laser-1-meter voltage_v 230.25")
    lab.sim.control("set laser-2-meter voltage_v 1.0")
    result = lab.tool("scan", f"rtu:{lab.sim.ptys['rs485']}", "--from", 5, "--to", 6, "--json")
    assert result.code == 0, result
    assert [u["profile"] for u in result.json["units"]] == ["mine", None]


def test_watch_and_explain_through_the_daemon(lab, broker, labpulse):
    result = lab.tool("watch", "--json")
    assert result.code == 0, result
    assert {m["machine"] for m in result.json["machines"]} == {
        "laser-1", "laser-2", "cnc-1", "charger-1", "charger-2", "climate-1", "mains", "printer-1",
        "printer-2", "printer-3", "engraver-1"}
    table = lab.tool("watch")
    assert "laser-1" in table.out and "\033" not in table.out
    lab.messages.wait_for(lambda m: m.json["values"], topic="machines/laser-2/telemetry")
    lab.sim.control("fault laser-2-meter silent")
    lab.messages.wait_for(lambda m: m.text == "offline", topic="machines/laser-2/availability", timeout=30)
    for language, word in (("en", "terminator"), ("ru", "терминатор")):
        said = lab.tool("explain", "laser-2", "--lang", language)
        assert said.code == 0 and word in said.out and "6" in said.out, said
    said = labpulse("explain", "laser-2", "--broker", broker.url, "--lang", "ru")
    assert said.code == 0 and "терминатор" in said.out, said
    assert lab.tool("explain", "laser-1", "--lang", "en").code == 0
    lab.sim.control("fault laser-2-meter ok")

    def is_well():
        return "nothing is wrong" in lab.tool("explain", "laser-2", "--lang", "en").out

    wait_until(is_well, timeout=30, what="laser-2 is explained as well")


def test_second_user_of_the_line_is_told_who_holds_it(lab, labpulse, tmp_path):
    other = tmp_path / "other.yaml"
    result = labpulse("peek", f"rtu:{lab.sim.ptys['rs485']}", 5, "input", 0, "-c", other)
    assert result.code == 75 and str(lab.daemon.pid) in result.err, result


def test_tool_opens_the_line_when_the_daemon_is_gone(lab):
    assert lab.daemon.stop() == 0
    assert lab.tool("read", "laser-1").code == 0
    result = lab.tool("watch", "--json")
    assert result.code == 69 and "--broker" in result.err
