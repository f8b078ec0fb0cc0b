# SPDX-License-Identifier: MIT
"""labpulse learn: a technician at the prompt, a control socket that tells what the machine draws."""
import json
import socket
import subprocess
import threading
import time

import pytest
import yaml

from conftest import BUILD, PROFILES

LEVELS = {"off": 1.5, "idle": 34, "busy": 300}


class Daemon(threading.Thread):
    """Answers `values` as docs/control.md says; self.level is what the meter shows, anew ten times a second."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.level, self.asked = LEVELS["off"], []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.start()

    def answer(self, request):
        self.asked.append(request)
        if request["machine"] != "laser-1":
            return {"ok": False, "error": "usage", "text": "no machine " + request["machine"], "exit": 64}
        at = int(time.time() * 10) * 100
        wave = self.level * (1 + 0.1 * (at // 100 % 3 - 1))
        return {"ok": True, "result": {"machine": "laser-1", "values": {
            "chiller.water_temp_c": {"value": 21.5, "at": at, "class": "temperature_c"},
            "meter.power_w": {"value": wave, "at": at, "class": "power_active_w"}}}}

    def run(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return  # the test is over
            with peer, peer.makefile("rw") as lines:
                for line in lines:
                    lines.write(json.dumps(self.answer(json.loads(line))) + "\n")
                    lines.flush()


@pytest.fixture
def fake(tmp_path):
    fake = Daemon(tmp_path / "control")
    yield fake
    fake.listener.close()


def learn(tmp_path, *argv, levels=(), fake=None):
    """Presses Enter for each level after it was set; `levels` shorter than the phases: goes away."""
    return press_enter([*argv, "--control", tmp_path / "control"], levels,
                       lambda level: setattr(fake, "level", level))


def press_enter(argv, levels, set_level):
    p = subprocess.Popen([BUILD / "labpulse", "learn", *map(str, argv)],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    prompts = ""
    for i, level in enumerate(levels, 1):
        while f"{i}/" not in prompts or not prompts.endswith(" s. "):
            char = p.stderr.read(1)
            assert char, prompts
            prompts += char
        set_level(level)
        p.stdin.write("\n")
        p.stdin.flush()
    out, err = p.communicate(timeout=60)
    return p.returncode, out, prompts + err


def test_a_laser(tmp_path, fake):
    code, out, err = learn(tmp_path, "laser-1", "--for", "6s", "--json", levels=LEVELS.values(), fake=fake)
    assert code == 0, err
    told = json.loads(out)
    assert told["machine"] == "laser-1" and told["point"] == "meter.power_w" and told["separable"]
    assert [p["phase"] for p in told["phases"]] == ["off", "idle", "busy"]
    for phase in told["phases"]:
        assert 5 <= phase["count"] <= 8
        assert 0.89 * LEVELS[phase["phase"]] <= phase["min"] <= phase["max"] <= 1.11 * LEVELS[phase["phase"]]
    busy, idle = told["rules"]
    assert busy["activity"] == "busy" and 37.4 < busy["below"] < busy["above"] < 270
    assert idle["activity"] == "idle" and 1.65 < idle["above"] < 30.6
    assert "Switch laser-1 off" in err and "Let laser-1 work" in err
    assert all(a == {"cmd": "values", "machine": "laser-1"} for a in fake.asked)


def test_what_is_printed_can_be_pasted(tmp_path, fake):
    code, out, err = learn(tmp_path, "laser-1", "--for", "6s", "--phases", "idle,busy", levels=(34, 300), fake=fake)
    assert code == 0, err
    table, rules = out.split("\nusage:")
    assert "meter.power_w" in table and "idle" in table
    rules = yaml.safe_load("usage:" + rules)["usage"]
    assert [r["activity"] for r in rules] == ["busy", "idle"]
    assert rules[0]["point"] == "meter.power_w" and set(rules[1]) == {"activity"}
    assert "wide margin" in out


def test_what_cannot_be_told_apart(tmp_path, fake):
    code, out, err = learn(tmp_path, "laser-1", "--for", "6s", "--phases", "idle,busy", "--point",
                           "chiller.water_temp_c", levels=(34, 300), fake=fake)
    assert code == 1
    assert "chiller.water_temp_c cannot tell idle from busy" in err
    assert "21.5" in out and "usage:" not in out


def test_nobody_there(tmp_path, fake):
    assert learn(tmp_path, "laser-1", "--for", "6s")[0] == 1  # no Enter
    assert learn(tmp_path, "laser-9")[0] == 64
    code, _, err = learn(tmp_path, "laser-1", "--point", "meter.power")
    assert code == 64 and "no point meter.power" in err
    assert learn(tmp_path, "laser-1", "--phases", "busy,idle")[0] == 64
    assert learn(tmp_path, "laser-1", "--phases", "idle")[0] == 64
    assert learn(tmp_path, "laser-1", "--for", "1s")[0] == 64
    fake.listener.close()
    (tmp_path / "control").unlink()
    assert learn(tmp_path, "laser-1")[0] == 69


def test_through_the_daemon(simulate, daemon, broker, subscribe, tmp_path):
    config = tmp_path / "labpulse.yaml"
    sim = simulate("lab", "--write-config", config, "--broker", broker.url)
    messages = subscribe(broker.port)
    daemon(config)
    messages.wait_for(lambda m: m.json["values"], topic="machines/laser-1/telemetry")
    code, out, err = press_enter(
        ["laser-1", "--for", "15s", "--phases", "idle,busy", "--json", "-c", config, "--profiles", PROFILES],
        (34, 300), lambda watt: sim.control(f"set laser-1-meter power_w {watt}"))
    assert code == 0, err
    told = json.loads(out)
    assert told["point"] == "meter.power_w"
    assert [p["p50"] for p in told["phases"]] == [34, 300]
    assert 34 < told["rules"][0]["below"] < told["rules"][0]["above"] < 300
