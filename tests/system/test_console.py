# SPDX-License-Identifier: MIT
"""The console in a browser, against a real Mosquitto that serves it, too."""
import json
import subprocess

import pytest

from alertbed import HEAD, Gateway
from conftest import TOP, wait_until
from consolebed import Console, WebBroker, build_page
from lab import BUSY_W, IDLE_W, LASER, SHORT, lab_fixture  # noqa: F401

HOT_W = 900


@pytest.fixture(scope="module")
def page():
    return build_page() or pytest.skip("make console failed: npm or its registry is not there")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    console = Console(tmp_path_factory.mktemp("chromium"))
    yield console
    console.close()


@pytest.fixture
def broker(spawn, tmp_path, page):
    return WebBroker(spawn, tmp_path, page).start()


@pytest.fixture
def console(broker, browser):
    """console(place) -> the page of this test's broker, all loaded; the browser complained of nothing."""
    def start(place=""):
        browser.open(broker.web + place)
        browser.wait_link("online")
        return browser

    browser.errors()
    yield start
    browser.open("about:blank")


class Park(Gateway):
    """A gateway with machines that say what they are told to."""

    def has(self, machine, state="idle", title=None, **more):
        self.machine(machine, title=title or {"ru": f"Лазер {machine}", "en": f"Laser {machine}"}, gw=self.gateway)
        self.publish(f"machines/{machine}/availability", "online")
        self.publish(f"machines/{machine}/state", {
            **HEAD, "gw": self.gateway, "ts": 1, "state": state, "availability": "online", "activity": "idle", "condition": "normal",
            "since": 1, "reason": "", "job": None, "progress": None, "alarms": [], "maintenance": None, "values": {}, "sources": {}, **more})

    def loses(self, machine):
        for leaf in ("availability", "info", "state"):
            self.publish(f"machines/{machine}/{leaf}", "")


@pytest.fixture
def park(broker):
    """park("p1", "gw1") -> Park, online."""
    opened = []

    def start(name="p1", gateway="gw1"):
        opened.append(Park(broker.port, name, gateway))
        opened[-1].online()
        return opened[-1]

    yield start
    for one in opened:
        one.close()


# ---- a real laboratory ---------------------------------------------------------------------------


def test_a_machine_from_its_registers_to_the_screen(lab, console):
    hot = {"code": "hot", "point": "s1.power_w", "above": 800, "clear": 700, "clear_for": "200ms", "severity": "critical",
           "text": {"ru": "Горячо", "en": "Too hot"}, "hint": {"ru": "Охладите", "en": "Cool it"}}
    lab.add("laser-1", "line", power=IDLE_W, usage=LASER, job=SHORT, alarms=[hot], title={"ru": "Лазер", "en": "Cutter"})
    lab.start()
    lab.state("laser-1", activity="idle")
    page = console()
    page.wait(lambda: page.row("p1") and page.row("p1")["counts"] == "1 idle", "the park with its idle machine")
    page.go("#/park/p1")
    page.wait(lambda: page.row("Cutter") and f"s1.power_w {IDLE_W}" in page.row("Cutter")["values"], "its line")
    assert (page.row("Cutter")["state"], page.row("Cutter")["trouble"]) == ("idle", "")
    page.go("#/park/p1/machine/laser-1")
    page.wait_text(".values tr", f"{IDLE_W} W", "230 V")
    page.wait_text(".sources li", "ok", "probe")

    lab.power(1, BUSY_W)
    page.wait_text(".values tr", f"{BUSY_W} W")
    page.wait_text(".machine-head", "Cutter", "busy", "running")
    page.wait_text(".jobs li", "running")
    page.wait(lambda: int(page.js("return document.querySelector('.plot').dataset.samples ?? 0")) > 5, "the plot has points")
    assert page.find(".plot canvas") and page.texts(".u-legend .u-series")[1].startswith("power_w")

    lab.power(1, HOT_W)
    page.wait_text(".alarms li", "critical", "Too hot", "Cool it", f"{HOT_W} / 800")
    page.wait_text(".machine-head .mark", "fault")
    page.js("document.querySelector('.language').click()")
    page.wait_text(".alarms li", "критично", "Горячо")
    page.wait_text(".machine-head", "Лазер", "авария")
    assert page.js("return [document.documentElement.lang, localStorage.getItem('labpulse-language')]") == ["ru", "ru"]

    lab.power(1, IDLE_W)
    page.wait_text(".alarms li", "прошла")
    page.wait_text(".jobs li", "авария" if lab.job("laser-1", "ended")["result"] == "fault" else "завершена")
    page.wait_text(".events li", "тревога hot поднята", "тревога hot прошла")
    page.driver.refresh()
    page.wait_text(".machine-head", "Лазер", "простаивает")
    lab.sim.control("fault line-1 silent")
    page.wait_text(".values [data-bad]", "не отвечает")
    page.wait_text(".sources li", "не отвечает")
    assert page.errors() == []


# ---- lists ---------------------------------------------------------------------------------------


def test_trouble_comes_first_and_what_is_gone_goes(park, console):
    quiet, hot, dark = park("a-quiet"), park("b-hot"), park("c-dark")
    for one in (quiet, hot, dark):
        for machine in ("m1", "m2", "m3"):
            one.has(machine, "busy" if machine == "m1" else "idle")
    dark.online("offline")
    hot.alarm("m3", "wet", 5000, severity="warning")
    page = console()
    assert page.names() == ["b-hot", "c-dark", "a-quiet"]
    assert [page.row(name)["counts"] for name in ("b-hot", "c-dark")] == ["1 busy2 idle", "3 offline"]
    assert "Chiller over-temperature · m3" in page.row("b-hot")["trouble"] and "1" in page.row("c-dark")["trouble"]
    quiet.alarm("m2", "hot", 6000, severity="critical")
    page.wait(lambda: page.names() == ["a-quiet", "b-hot", "c-dark"], "the critical alarm is first")
    quiet.alarm("m2", "hot", 6000, severity="critical", suppressed_by="maintenance")
    page.wait(lambda: page.names() == ["b-hot", "c-dark", "a-quiet"], "a suppressed alarm does not count")

    page.go("#/park/b-hot")
    page.wait(lambda: page.names() == ["Laser m3", "Laser m1", "Laser m2"], "warning, busy, idle")
    hot.online("offline")
    page.wait(lambda: {row["state"] for row in page.rows()} == {"offline"}, "without its gateway no machine is reachable")
    hot.online()
    page.wait(lambda: [row["state"] for row in page.rows()] == ["idle", "busy", "idle"], "the gateway is back")
    hot.forget("m3", "wet")
    hot.loses("m2")
    page.wait(lambda: page.names() == ["Laser m1", "Laser m3"], "alarm and machine are gone")

    page.go("#/machines")
    page.wait(lambda: len(page.names()) == 8, "the machines of all parks")
    page.js("const s = document.querySelector('.search'); s.value = 'LASER M3'; s.dispatchEvent(new Event('input'))")
    page.wait(lambda: page.names() == ["Laser m3"] * 3, "the search")
    assert page.errors() == []


def test_without_a_mouse_and_on_a_phone(park, console):
    one = park()
    for i in range(200):
        one.publish(f"machines/m{i:03}/availability", "online", wait=False)
    one.has("m000", "busy")
    page = console("#/park/p1")
    page.wait(lambda: page.js("return document.querySelector('.list').getAttribute('aria-rowcount')") == "201", "all are there")
    assert 10 < len(page.rows()) < 60, "only what can be seen exists"
    keys = "const e = document.activeElement; e.dispatchEvent(new KeyboardEvent('keydown', {key: arguments[0], bubbles: true, cancelable: true}))"
    page.js("document.querySelector('.space a').focus()")
    page.js(keys, "End")
    focused = "return document.activeElement.textContent"
    page.wait(lambda: page.js(focused) in ("m199", "Laser m000"), "the last row has the focus")
    page.js(keys, "Home")
    page.wait(lambda: page.js("return document.activeElement.closest('.row')?.index") == 0, "the first row has the focus")
    page.js(keys, "/")
    assert page.js("return document.activeElement.className") == "search"
    page.driver.set_window_size(390, 800)
    try:
        page.wait(lambda: page.js("return getComputedStyle(document.querySelector('.row.head')).display") == "none", "the narrow form")
        assert page.js("return document.documentElement.scrollWidth <= innerWidth")
        page.go("#/park/p1/machine/m000")
        page.wait_text(".machine-head h1", "Laser m000")
        assert page.js("return document.documentElement.scrollWidth <= innerWidth")
    finally:
        page.driver.set_window_size(1280, 800)


# ---- what comes from outside ---------------------------------------------------------------------


def test_a_payload_is_never_html_and_nonsense_does_no_harm(park, console):
    evil = "<img src=x onerror=\"window.pwned=1\">"
    one = park()
    one.has("m1", "busy", title={"ru": evil, "en": evil}, reason=evil)
    one.has("m2")
    page = console("#/park/p1")
    for leaf in ("state", "info", "alarm/x"):
        for payload in ("{", "[1]", "null", b"\xff\xfe", json.dumps({"v": 1, "state": {}, "title": 7, "texts": []}), "x" * 300_000):
            one.publish(f"machines/m3/{leaf}", payload)
    one.publish("machines/__proto__/state", "{}")
    one.publish("machines/m1/telemetry", {**HEAD, "ts": 1, "source": "__proto__", "values": {"__proto__": 1, "x": "y"}, "epoch": "e", "seq": 1})
    one.alarm("m1", "hot", 5000, texts={"ru": evil, "en": evil}, hint=evil)
    page.wait(lambda: page.row(evil) and page.row(evil)["trouble"] == evil, f"the text as it is: {page.rows()}")
    page.go("#/park/p1/machine/m1")
    page.wait_text(".alarms li", evil)
    page.wait_text(".machine-head", evil)
    assert page.js("return [document.images.length, typeof window.pwned, ({}).x]") == [0, "undefined", None]
    one.has("m2", "paused")
    page.go("#/park/p1")
    page.wait(lambda: page.row("Laser m2")["state"] == "paused", "it lives")
    assert page.errors() == []


def test_the_browser_runs_nothing_that_is_not_ours(console):
    page = console()
    page.js("const s = document.createElement('script'); s.textContent = 'window.pwned = 1'; document.body.append(s)")
    assert page.js("return typeof window.pwned") == "undefined"
    assert any("Content Security Policy" in message or "violates" in message for message in page.errors())


# ---- the connection ------------------------------------------------------------------------------


def test_the_broker_goes_and_comes_back(park, broker, console):
    one = park()
    one.has("m1", "busy")
    one.has("m2", "busy")
    page = console("#/park/p1")
    page.wait(lambda: len(page.rows()) == 2, "both machines")
    broker.kill()
    page.wait_link("lost")
    page.wait_text(".banner", "No connection to the broker")
    assert [row["state"] for row in page.rows()] == ["busy", "busy"], "what was known is still shown"
    assert float(page.js("return getComputedStyle(document.querySelector('main')).opacity")) < 0.7, "but greyed out"
    broker.start()
    back = park("p1")
    back.has("m1", "idle")
    page.wait_link("online", 20)
    page.wait(lambda: [(row["name"], row["state"]) for row in page.rows()] == [("Laser m1", "idle")], "as it is now")
    assert page.text(".banner") == ""


def test_a_password_and_what_it_lets_see(spawn, tmp_path, page, browser):
    for i, (user, password) in enumerate({"anna": "right", "gateway": "g"}.items()):
        subprocess.run(["mosquitto_passwd", "-b", *(["-c"] if i == 0 else []), tmp_path / "passwords", user, password], check=True)
    (tmp_path / "acl").write_text("user anna\ntopic read parks/p1/#\nuser gateway\ntopic write parks/#\n")
    broker = WebBroker(spawn, tmp_path, page).start(f"password_file {tmp_path}/passwords\nacl_file {tmp_path}/acl", anonymous="false")
    for park in ("p1", "p2"):
        subprocess.run(["mosquitto_pub", "-p", str(broker.port), "-u", "gateway", "-P", "g", "-r", "-q", "1",
                        "-t", f"parks/{park}/gateways/gw1/availability", "-m", "online"], check=True)
    fill = """const form = document.querySelector('.login form');
        for (const [name, value] of Object.entries(arguments[0])) form.elements[name].value = value;
        form.requestSubmit()"""
    browser.open(broker.web)
    browser.wait_text(".login .error", "wants a user name")
    browser.js(fill, {"username": "anna", "password": "wrong"})
    browser.wait_text(".login .error", "wrong user name or password")
    browser.js(fill, {"url": "http://x", "username": "anna", "password": "right"})
    browser.wait_text(".login .error", "ws://")
    browser.js(fill, {"url": broker.web.replace("http", "ws"), "username": "anna", "password": "right"})
    browser.wait_link("online")
    assert browser.names() == ["p1"], "the other park is not for her"
    assert browser.js("return location.href") == broker.web
    assert browser.js("return localStorage.length") == 0 and "right" in browser.js("return sessionStorage.getItem('labpulse-broker')")
    browser.driver.refresh()
    browser.wait_link("online")
    browser.open(f"{broker.web}?broker=ws://127.0.0.1:{broker.web_port}/other")
    browser.wait_text(".login .error", "wants a user name")  # to another address the password is not sent
    browser.open("about:blank")


def test_telemetry_is_asked_for_only_of_what_is_looked_at(park, broker, console):
    one = park()
    one.has("m1")
    page = console()
    assert broker.subscriptions() == [("+", f"parks/{f}") for f in (
        "+/gateways/+/availability", "+/gateways/+/health", "+/gateways/+/alarm/+",
        "p1/machines/+/availability", "p1/machines/+/info", "p1/machines/+/state", "p1/machines/+/alarm/+")]
    page.go("#/park/p1/machine/m1")
    wait_until(lambda: ("+", "parks/p1/machines/m1/telemetry") in broker.subscriptions(), what="telemetry of the machine")
    page.go("#/")
    wait_until(lambda: ("-", "parks/p1/machines/m1/telemetry") in broker.subscriptions(), what="no more telemetry")


# ---- the parts without a browser -----------------------------------------------------------------


def test_the_model_in_node():
    done = subprocess.run(["node", "--test", *sorted((TOP / "console" / "test").glob("*.test.js"))],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
