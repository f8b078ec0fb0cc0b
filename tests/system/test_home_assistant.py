# SPDX-License-Identifier: MIT
"""Home Assistant discovery: what it would accept and show (hass_rules.py), and that nothing of it stays behind."""
import json

import pytest

import hass_rules
from bench import Bench
from conftest import PROFILES, wait_until

PREFIX = "homeassistant"


def config_topic(machine, prefix=PREFIX, park="p1"):
    return f"{prefix}/device/{park}/{machine}/config"


# ---- every driver ----------------------------------------------------------------------------------


class Home:
    """The whole simulated lab, under a daemon that tells Home Assistant of it."""

    def __init__(self, folder, broker, subscribe, simulate, daemon):
        config = folder / "labpulse.yaml"
        self.sim = simulate("lab", "--write-config", config, "--broker", broker.url)
        config.write_text(f"home_assistant: {{prefix: {PREFIX}}}\n" + config.read_text())
        self.sim.control("unplug engraver-1")
        self.parks = subscribe(broker.port)
        self.configs = subscribe(broker.port, topics=(f"{PREFIX}/#",), validate=False)
        self.daemon = daemon(config, profiles=PROFILES)

    def devices(self):
        return {t.split("/")[3]: hass_rules.take_device(t, m.text) for t, m in self.configs.retained().items()}

    def model(self, machine):
        topic = config_topic(machine, park="demo-park")
        return json.loads(self.configs.retained()[topic].text)["device"]["model"]

    def retained(self):
        return {t: m.text for t, m in self.parks.retained().items()}

    def shown(self, machine, key):
        return hass_rules.shown(self.devices()[machine][key], self.retained())

    def is_read(self, machine):
        found = self.retained().get(f"parks/demo-park/machines/{machine}/state")
        return found and all(s["ok"] for s in json.loads(found)["sources"].values())


@pytest.fixture
def home(tmp_path, broker, subscribe, simulate, daemon):
    """The whole simulated lab under a daemon that tells Home Assistant of it."""

    return Home(tmp_path, broker, subscribe, simulate, daemon)


def as_text(value):
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


def same(text, value):
    return float(text) == value if isinstance(value, (int, float)) and not isinstance(value, bool) else text == as_text(value)


def compare(home):
    """Each device is one that Home Assistant takes, and each entity shows what the payloads say."""
    machines = json.loads(home.parks.wait_for(lambda m: True, topic="gateways/demo/info").text)["machines"]
    wait_until(lambda: set(home.devices()) == set(machines), what="each machine is announced")
    assert home.model("engraver-1") == "laser-cutter", "nobody knows more before it is plugged in"
    home.sim.control("plug engraver-1")
    wait_until(lambda: home.model("engraver-1") == "Grbl", what="it says what it is")
    wait_until(lambda: all(home.is_read(m) for m in machines), timeout=30, what="each machine is read")
    devices, retained = home.devices(), home.retained()
    hass_rules.check_together(devices.values())
    for machine, components in devices.items():
        state = json.loads(retained[f"parks/demo-park/machines/{machine}/state"])
        for key in ("state", "activity", "condition"):
            assert hass_rules.shown(components[f"S-{key}"], retained) == state[key]
        points = {f"P-{k.replace('.', '-')}" for k in json.loads(
            retained[f"parks/demo-park/machines/{machine}/info"])["points"]}
        assert points == {k for k in components if k[0] == "P"}
        for name, value in state["values"].items():
            text = hass_rules.shown(components[f"P-{name.replace('.', '-')}"], retained)
            assert same(text, value), f"{machine} {name}: {text} for {value}"
        for point in points - {f"P-{k.replace('.', '-')}" for k in state["values"]}:
            assert hass_rules.shown(components[point], retained) is hass_rules.UNKNOWN
        usage = json.loads(retained.get(f"parks/demo-park/machines/{machine}/usage", "{}"))
        for key in [k for k in components if k[0] == "U"]:
            text = hass_rules.shown(components[key], retained)
            assert same(text, usage[key[2:]]) if key[2:] in usage else text is hass_rules.UNKNOWN
    kinds = {c.get("device_class") for components in devices.values() for c in components.values()}
    assert {"power", "energy", "temperature", "voltage", "current", "duration", "enum", "problem", "power_factor"} <= kinds
    # of one source by its title, of several also whose it is; the language is the configuration's
    assert devices["laser-1"]["P-meter-power_w"]["name"] == "meter: Активная мощность"
    assert devices["laser-2"]["P-meter-power_w"]["name"] == "Активная мощность"


def raise_an_alarm(home):
    assert home.shown("laser-1", "A-chiller-hot") == "off", "before it was ever raised"
    home.sim.control("set laser-1-chiller water_temp_c 35")
    wait_until(lambda: home.shown("laser-1", "A-chiller-hot") == "on", timeout=30, what="the alarm is shown")
    told = hass_rules.attributes(home.devices()["laser-1"]["A-chiller-hot"], home.retained())
    assert told["severity"] == "critical" and told["limit"] == 30
    cleared = {**home.retained(), "parks/demo-park/machines/laser-1/alarm/chiller-hot": ""}
    assert hass_rules.attributes(home.devices()["laser-1"]["A-chiller-hot"], cleared) == {}


def lose_machine_and_gateway(home):
    """How a machine is, its alarms and totals are known while it is off; its points are not."""
    off = {**home.retained(), "parks/demo-park/machines/laser-1/availability": "offline"}
    lost = {**home.retained(), "parks/demo-park/gateways/demo/availability": "offline"}
    laser = home.devices()["laser-1"]
    for key, stays in (("P-meter-power_w", False), ("S-state", True), ("A-chiller-hot", True), ("U-busy_s", True)):
        assert (hass_rules.shown(laser[key], off) != hass_rules.UNAVAILABLE) == stays, key
        assert hass_rules.shown(laser[key], lost) == hass_rules.UNAVAILABLE, key


def test_the_lab_is_accepted_and_shown_as_it_is(home):
    compare(home)
    raise_an_alarm(home)
    lose_machine_and_gateway(home)


# ---- coming and going ------------------------------------------------------------------------------


def announced(subscribe, port):
    """The discovery topics that the broker holds."""
    sub = subscribe(port, topics=("+/device/#", "probe/#"), validate=False)
    sub.client.publish("probe/end", b"end", qos=1)
    sub.wait_for(lambda m: True, topic="probe/end")
    return {m.topic for m in sub.find() if m.retain}


@pytest.fixture
def bench(tmp_path, broker, simulate):
    made = Bench(tmp_path, broker.url).add("m1", "line").add("m2", "line", unit=2)
    made.simulate(simulate)
    return made


def told(prefix):
    def change(config):
        config["home_assistant"] = {"prefix": prefix}
    return change


def without_m2(config):
    told(PREFIX)(config)
    config["machines"] = [m for m in config["machines"] if m["id"] != "m2"]


def test_it_comes_and_goes_with_the_configuration(bench, broker, subscribe, daemon):
    def reload(change, expected):
        bench.write(change)
        d.reload()
        wait_until(lambda: announced(subscribe, broker.port) == expected, what=f"{expected} and nothing else", interval=0.1)

    both = {config_topic("m1"), config_topic("m2")}
    d = daemon(bench.write())
    wait_until(lambda: "mqtt: connected" in d.err(), what="it is connected")
    assert not announced(subscribe, broker.port), "off unless it is asked for"
    reload(told(PREFIX), both)
    sub = subscribe(broker.port, topics=("#",), validate=False)
    reload(without_m2, {config_topic("m1")})
    sub.wait_for(lambda m: not m.payload, topic="machines/m2/state")
    cleared = [m.topic for m in sub.find() if not m.payload]
    assert cleared[0] == config_topic("m2"), "Home Assistant would complain of an empty state"
    reload(told(PREFIX), both)
    mark = sub.mark()
    sub.client.publish(f"{PREFIX}/status", b"offline", qos=1)
    sub.client.publish(f"{PREFIX}/status", b"online", qos=1)
    for topic in both:
        sub.wait_for(lambda m: m.payload and not m.retain, topic=topic, since=mark, timeout=8)
    reload(told("other"), {config_topic(m, "other") for m in ("m1", "m2")})
    sub = subscribe(broker.port, topics=("other/#",), validate=False)
    mark = sub.mark()
    sub.client.publish("other/status", b"online", qos=1)
    sub.wait_for(lambda m: m.payload and not m.retain, topic=config_topic("m1", "other"), since=mark, timeout=8)
    reload(None, set())


@pytest.mark.parametrize("change,left", [(without_m2, {config_topic("m1")}),
                                         (told("other"), {config_topic("m1", "other"), config_topic("m2", "other")})])
def test_a_crash_leaves_nothing_behind(bench, broker, subscribe, daemon, change, left):
    d = daemon(bench.write(told(PREFIX)))
    both = {config_topic("m1"), config_topic("m2")}
    wait_until(lambda: announced(subscribe, broker.port) == both, what="both are announced")
    d.kill()
    assert announced(subscribe, broker.port) == both
    daemon(bench.write(change))
    wait_until(lambda: announced(subscribe, broker.port) == left, what=f"{left} and nothing else", interval=0.1)


def test_a_broker_that_forgot_is_told_again(bench, broker, subscribe, daemon):
    daemon(bench.write(told(PREFIX)))
    both = {config_topic("m1"), config_topic("m2")}
    wait_until(lambda: announced(subscribe, broker.port) == both, what="both are announced")
    broker.kill()
    broker.start()
    wait_until(lambda: announced(subscribe, broker.port) == both, what="both are announced again")


def test_a_prefix_is_topic_levels(bench, labpulse):
    for prefix, good in (("homeassistant", True), ("lab/home", True), ("home/#", False), ("/home", False), ("", False)):
        result = labpulse("check", bench.write(told(prefix)), "--profiles", bench.profiles)
        assert (result.code == 0) == good, result
        assert good or "home_assistant.prefix" in result.out + result.err
