# SPDX-License-Identifier: MIT
"""The console's pictures in docs/pictures, taken anew by `make console-pictures` (CONSOLE_PICTURES names the folder)."""
import os
import sys
from pathlib import Path

import pytest

from conftest import wait_until
from consolebed import Console, WebBroker, build_page

FOLDER = os.environ.get("CONSOLE_PICTURES")
pytestmark = pytest.mark.skipif(not FOLDER, reason="set CONSOLE_PICTURES to a folder")
MAX_BYTES = 150_000


@pytest.fixture
def shoot(tmp_path):
    console = Console(tmp_path / "chromium", size=(1280, 840))

    def take(name):
        path = Path(FOLDER) / f"console-{name}.png"
        console.driver.save_screenshot(str(path))
        assert path.stat().st_size < MAX_BYTES, f"{path} is too big for a README"

    console.take = take
    yield console
    console.close()


@pytest.fixture
def broker(spawn, tmp_path):
    return WebBroker(spawn, tmp_path, build_page()).start()


def test_parks(broker, spawn, shoot):
    fleet = spawn("fleet", [sys.executable, Path(__file__).with_name("consolefleet.py"), broker.port, 60, 12, 20])
    wait_until(lambda: "ready" in fleet.out(), timeout=60, what="everything is retained")
    shoot.open(broker.web).wait_link("online")
    shoot.wait(lambda: len(shoot.rows()) > 15, "the parks")
    shoot.take("parks")


def test_a_machine_of_the_simulated_lab(broker, tmp_path, simulate, daemon, shoot):
    config = tmp_path / "labpulse.yaml"
    simulate("lab", "--write-config", config, "--broker", broker.url)
    wait_until(lambda: config.exists() and config.read_text(), what="the configuration")
    daemon(config)
    shoot.open(broker.web + "#/park/demo-park").wait_link("online")
    shoot.wait(lambda: len(shoot.rows()) == 11, "the lab")
    shoot.go("#/park/demo-park/machine/laser-1")
    shoot.wait(lambda: int(shoot.js("return document.querySelector('.plot')?.dataset.samples ?? 0")) > 40, "some history", 120)
    shoot.js("for (const key of ['chiller.water_temp_c', 'chiller.flow_lpm']) "
             "document.querySelector(`[aria-label='Plot ${key}']:not(:checked)`)?.click()")
    shoot.wait(lambda: "critical" in "".join(shoot.texts(".alarms li:first-child .mark")), "the alarm of every minute", 120)
    shoot.take("machine")
    shoot.go("#/park/demo-park")
    shoot.wait(lambda: len(shoot.rows()) == 11, "the lab")
    shoot.take("park")
