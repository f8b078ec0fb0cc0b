# SPDX-License-Identifier: MIT
"""labpulse-alertmanager: what Alertmanagers have is what the gateways say, whatever breaks."""
import base64
import json
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from alertbed import TEXTS, Bed, HttpNote, Mute, alarm, is_firing, ms, seconds
from conftest import BUILD, PROFILES, TOP, Broker, take_free_port, wait_until
from fakebroker import SUBACK, hang_up, hold, refuse, serve, serve_311
from test_service import Frozen, Manager

EXAMPLE = TOP / "config" / "alertmanager" / "alertmanager.yml"
BCRYPT = "$2b$05$Y2S9BRlDfq8lQhvNOHL0Tup9/ZVfDWXACHzyBBvhV4TJGnc0C0q.W"  # of "sesame", as `htpasswd -nbB` prints it


@pytest.fixture(name="bed")
def bed_fixture(spawn, tmp_path, broker):
    made = Bed(spawn, tmp_path, broker)
    yield made
    made.close()


def labels(**more):
    return {"alertname": "chiller-hot", "code": "chiller-hot", "park": "p1", "gateway": "gw1", "machine": "laser-1",
            "class": "laser-cutter", "severity": "critical", **more}


# ---- raise, refresh, resolve ---------------------------------------------------------------------


def test_an_alarm_comes_and_goes_at_two_alertmanagers(bed):
    both = [bed.alertmanager().start(), bed.alertmanager().start()]
    gw, raised = bed.gateway(), ms(100)
    gw.online()
    gw.machine("laser-1")
    bed.bridge(both)
    gw.alarm("laser-1", "chiller-hot", raised)
    for am in both:
        alert = am.wait_codes("chiller-hot")["chiller-hot"][0]
        assert alert["labels"] == labels()
        assert alert["annotations"] == {
            "summary": TEXTS["ru"], "text_ru": TEXTS["ru"], "text_en": TEXTS["en"], "hint": "Остановите резку",
            "value": "31.2", "limit": "30", "source": "chiller", "count": "1", "title_ru": "Лазер", "title_en": "Laser"}
        assert abs(seconds(alert["startsAt"]) - raised / 1000) < 0.01
        assert 230 < seconds(alert["endsAt"]) - time.time() < 241
    # seen by somebody, and worse: another annotation; another label is another alert, and the old one ends
    gw.alarm("laser-1", "chiller-hot", raised, acked=True, severity="error")
    for am in both:
        wait_until(lambda: [a["labels"]["severity"] for a in am.alerts()["chiller-hot"]] == ["error"], what="its severity changes")  # pylint: disable=cell-var-from-loop
        assert am.alerts()["chiller-hot"][0]["annotations"]["acked"] == "true"
    gw.alarm("laser-1", "chiller-hot", raised, ms())
    gw.publish("gateways/gw1/alarm/disk", alarm("disk", ms(5), severity="error", source=None, value=None, limit=None))
    for am in both:
        alert = am.wait_codes("disk")["disk"][0]
        assert alert["labels"] == {"alertname": "disk", "code": "disk", "park": "p1", "gateway": "gw1", "severity": "error"}


def test_what_is_told_again_is_the_same(bed):
    am, gw, raised = bed.noting(), bed.gateway(), ms(3600)
    gw.alarm("laser-1", "chiller-hot", raised)
    bed.bridge([am], "--refresh", "1s")
    wait_until(lambda: len(am.told("chiller-hot")) > 2, what="it is told three times")
    for at, alert in am.told("chiller-hot"):
        assert abs(seconds(alert["startsAt"]) - raised / 1000) < 0.01
        assert 3 < seconds(alert["endsAt"]) - at < 4.1
    gw.alarm("laser-1", "chiller-hot", raised, ms(2))
    am.wait_told("chiller-hot", fires=False)
    wait_until(lambda: len([1 for at, a in am.told("chiller-hot") if not is_firing(a, at)]) > 2, what="its end is told three times")
    ends = {(a["startsAt"], a["endsAt"]) for at, a in am.told("chiller-hot") if not is_firing(a, at)}
    assert len(ends) == 1 and abs(seconds(ends.pop()[1]) - (time.time() - 2)) < 6
    assert all(is_firing(a, at) for at, a in am.told("LabpulseBridgeAlive"))


def test_suppression_resolves_and_its_end_fires_again(bed):
    am, gw, raised = bed.noting(), bed.gateway(), ms(60)
    bed.bridge([am])
    gw.alarm("laser-1", "chiller-hot", raised)
    am.wait_told("chiller-hot", fires=True)
    gw.alarm("laser-1", "chiller-hot", raised, suppressed_by="maintenance")
    am.wait_told("chiller-hot", fires=False)
    now = time.time()
    gw.alarm("laser-1", "chiller-hot", raised)
    again = am.wait_told("chiller-hot", fires=True, since=now)
    assert abs(seconds(again["startsAt"]) - raised / 1000) < 0.01
    gw.forget("laser-1", "chiller-hot")  # gone from the configuration
    am.wait_told("chiller-hot", fires=False, since=now)


# ---- what breaks ---------------------------------------------------------------------------------


def test_a_dead_or_mute_alertmanager_delays_nobody(bed):
    mute, am, gw = Mute(), bed.noting(), bed.gateway()
    dead = bed.alertmanager()  # not started
    bridge = bed.bridge([mute, dead, am])
    am.wait_told("LabpulseBridgeAlive", fires=True)
    wait_until(lambda: "trying again" in bridge.err(), what="the dead one is named")
    start = time.time()
    gw.alarm("laser-1", "chiller-hot", ms())
    am.wait_told("chiller-hot", fires=True)
    assert am.told("chiller-hot")[0][0] - start < 2
    dead.start()
    dead.wait_codes("chiller-hot", timeout=20)
    wait_until(lambda: "takes alerts again" in bridge.err(), what="its return is told")
    bridge.signal(signal.SIGTERM)
    start = time.time()
    assert bridge.wait() == 0 and time.time() - start < 5
    mute.close()


def test_alertmanager_is_restarted(bed):
    am, gw = bed.alertmanager().start(), bed.gateway()
    gw.alarm("laser-1", "chiller-hot", ms(5))
    bed.bridge([am], "--refresh", "1s")
    am.wait_codes("chiller-hot")
    am.process.kill()
    am.start()
    am.wait_codes("chiller-hot")
    assert len(am.alerts()["chiller-hot"]) == 1


def test_broker_is_restarted_without_its_memory(bed):
    """Alerts stay while the gateways come back, and what does not come back ends after the hold."""
    am, gw = bed.noting(), bed.gateway()
    gw.online()
    gw.alarm("laser-1", "stays", ms(5))
    gw.alarm("laser-1", "goes", ms(5))
    bridge = bed.bridge([am], "--offline-hold", "3s", "--refresh", "1s")
    am.wait_told("stays", fires=True)
    bed.broker.kill()
    am.wait_told("LabpulseBrokerAway", fires=True)
    start = time.time()
    bed.broker.start()
    am.wait_told("LabpulseBrokerAway", fires=False)
    back = bed.gateway()
    back.online()
    back.alarm("laser-1", "stays", ms(5))
    am.wait_told("goes", fires=False)
    assert all(is_firing(a, at) for at, a in am.told("stays"))
    assert am.told("goes", since=start)[0][0] - start < 2  # told on while the broker was away
    assert not am.told("GatewayOffline")
    assert bridge.err().count("trying again") == 1


def test_bridge_is_restarted(bed):
    """What ended meanwhile is resolved at once if its topic is still there, else within four refreshes."""
    am, real, gw = bed.noting(), bed.alertmanager().start(), bed.gateway()
    for code in ("stays", "ends", "vanishes"):
        gw.alarm("laser-1", code, ms(5))
    bridge = bed.bridge([am, real], "--refresh", "1s")
    real.wait_codes("stays", "ends", "vanishes")
    bridge.kill()
    gw.alarm("laser-1", "ends", ms(5), ms())
    gw.forget("laser-1", "vanishes")
    start = time.time()
    bed.bridge([am, real], "--refresh", "1s")
    am.wait_told("ends", fires=False)
    real.wait_codes("stays", timeout=8)
    assert all(is_firing(a, at) for at, a in am.told("stays")) and not am.told("vanishes", since=start)


@pytest.mark.parametrize("times", [8, pytest.param(100, marks=pytest.mark.long)])
def test_bridge_is_killed_between_post_and_resolve(bed, times):
    am, real, gw, rng = bed.noting(), bed.alertmanager().start(), bed.gateway(), random.Random(1)
    for i in range(times):
        code, raised = f"alarm-{i}", ms()
        bridge = bed.bridge([am, real], "--refresh", "1s")
        gw.alarm("laser-1", code, raised)
        am.wait_told(code, fires=True)
        time.sleep(rng.random() * 0.05)  # the kill falls anywhere: before, in or after the next POST
        if i % 2:
            gw.alarm("laser-1", code, raised, ms())
            bridge.kill()
        else:
            bridge.kill()
            gw.alarm("laser-1", code, raised, ms()) if i % 4 else gw.forget("laser-1", code)
    bed.bridge([am, real], "--refresh", "1s")
    real.wait_codes(timeout=10)
    assert all(am.told(f"alarm-{i}") for i in range(times))
    for i in range(times):
        if i % 4:
            am.wait_told(f"alarm-{i}", fires=False)


def test_two_bridges_do_no_harm(bed):
    am, gw = bed.alertmanager().start(), bed.gateway()
    gw.alarm("laser-1", "chiller-hot", ms(60))
    bridges = [bed.bridge([am], "--refresh", "1s") for _ in range(2)]
    am.wait_codes("chiller-hot")
    bridges[0].kill()
    gw.alarm("laser-1", "no-flow", ms())
    assert [len(found) for found in am.wait_codes("chiller-hot", "no-flow").values()] == [1, 1]
    gw.alarm("laser-1", "chiller-hot", ms(60), ms())
    am.wait_codes("no-flow")


# ---- gateways that are offline -------------------------------------------------------------------


def test_offline_gateway_is_told_after_the_hold_and_inhibits(bed):
    config = EXAMPLE.read_text().replace("/etc/alertmanager/smtp-password", "/dev/null")
    am, noting, gw = bed.alertmanager().start(config), bed.noting(), bed.gateway()
    other = bed.gateway("p1", "gw2")
    for g in (gw, other):
        g.online()
        g.alarm(f"laser-{g.gateway}", f"hot-{g.gateway}", ms(5))
    bed.bridge([am, noting], "--offline-hold", "2s")
    am.wait_codes("hot-gw1", "hot-gw2")
    other.online("offline")  # a short one is no news
    gw.online("offline")
    start = time.time()
    other.online("online")
    alert = am.wait_codes("GatewayOffline", "hot-gw1", "hot-gw2")["GatewayOffline"][0]
    assert alert["labels"] == {"alertname": "GatewayOffline", "code": "GatewayOffline", "park": "p1", "gateway": "gw1",
                               "severity": "error"}
    assert noting.told("GatewayOffline")[0][0] - start >= 1.9
    wait_until(lambda: am.alerts()["hot-gw1"][0]["status"]["state"] == "suppressed", what="it is inhibited")
    assert am.alerts()["hot-gw2"][0]["status"]["state"] == "active"
    gw.online()
    am.wait_codes("hot-gw1", "hot-gw2")
    assert {a["labels"]["gateway"] for _, a in noting.told("GatewayOffline")} == {"gw1"}


def test_a_gateway_that_was_offline_before_the_start_is_told_at_once(bed):
    am, gw, other = bed.noting(), bed.gateway(), bed.gateway("p1", "gw2")
    gw.publish("gateways/gw1/health", {"v": 1, "ts": ms(600)})
    gw.online("offline")
    other.publish("gateways/gw2/health", {"v": 1, "ts": ms(30)})
    other.online("offline")
    bed.bridge([am])  # the hold is 5 min
    alert = am.wait_told("GatewayOffline", fires=True)
    assert alert["labels"]["gateway"] == "gw1" and abs(seconds(alert["startsAt"]) - (time.time() - 540)) < 10
    assert len({a["labels"]["gateway"] for _, a in am.told("GatewayOffline")}) == 1


# ---- much, and what is not meant well ------------------------------------------------------------


def test_flood(bed):
    n = 2000
    am, real, gw = bed.noting(), bed.alertmanager().start(), bed.gateway()
    bridge = bed.bridge([am, real])
    am.wait_told("LabpulseBridgeAlive", fires=True)
    last = [gw.alarm(f"m-{i % 50}", f"alarm-{i}", ms(), wait=False) for i in range(n)][-1]
    last.wait_for_publish(30)
    start = time.time()
    wait_until(lambda: len(real.alerts()) == n, 20, "all are there")
    assert time.time() - start < 10
    assert max(len(p.alerts) for p in am.posts) <= 500
    [gw.alarm(f"m-{i % 50}", f"alarm-{i}", ms(), ms(), wait=False) for i in range(n)][-1].wait_for_publish(30)
    real.wait_codes(timeout=20)
    assert bridge.running()


def test_more_retained_topics_than_the_broker_queues(bed):
    """Mosquitto drops what exceeds max_inflight_messages + max_queued_messages of a client, be it retained."""
    n = 1500
    bed.broker.stop()
    bed.broker.start("max_queued_messages 1000\nmax_inflight_messages 20")
    gw = bed.gateway()
    [gw.alarm(f"m-{i % 50}", f"alarm-{i}", ms(), wait=False) for i in range(n)][-1].wait_for_publish(30)
    am = bed.noting()
    bed.bridge([am])
    wait_until(lambda: len({a["labels"]["code"] for p in am.posts for a in p.alerts}) == n + 1, 15, "all are told")


HOSTILE = {
    "machines/m/alarm/no-json": b"\xff\xfe{",
    "machines/m/alarm/array": "[1,2]",
    "machines/m/alarm/deep": "[" * 100000,
    "machines/m/alarm/no-severity": '{"v":1,"active":true,"raised":1,"gw":"gw1","severity":"x"}',
    "machines/m/alarm/no-time": '{"v":1,"active":true,"raised":-5,"gw":"gw1","severity":"info"}',
    "machines/m/alarm/gw": '{"v":1,"active":true,"raised":1,"gw":"a\\"b","severity":"info"}',
    "machines/m/alarm/UPPER": '{"v":1,"active":true,"raised":1,"gw":"gw1","severity":"info"}',
    "machines/m~/alarm/x": '{"v":1,"active":true,"raised":1,"gw":"gw1","severity":"info"}',
    "machines/m/alarm/" + "a" * 200: '{"v":1,"active":true,"raised":1,"gw":"gw1","severity":"info"}',
    "machines/m/info": '{"class":"a\\"},"}',
    "machines/m/state": '{"state":"asleep","gw":"gw1"}',
    "machines/n/state": '{"state":"idle","gw":"a\\"b"}',
    "machines/m/usage": '{"asset":"a","jobs_started":1,"jobs_finished":-1,"jobs_failed":0}',
    "gateways/gw9/availability": "perhaps",
    "gateways/gw9/health": "{}",
}


def test_hostile_payloads(bed):
    am, gw, port = bed.alertmanager().start(), bed.gateway(), take_free_port()
    for topic, payload in HOSTILE.items():
        gw.publish(topic, payload)
    # what is odd, but can be told
    gw.publish("machines/m/alarm/odd", '{"v":1,"active":true,"raised":9007199254740993000,"gw":"gw1","severity":"info",'
               '"text":"\\u0001\\"}],' + "я" * 60000 + '","value":[{"a":1}],"limit":1e308,"texts":7}')
    bridge = bed.bridge([am], "--listen", f"127.0.0.1:{port}")
    alert = am.wait_codes("odd")["odd"][0]
    assert seconds(alert["startsAt"]) <= time.time() and alert["annotations"]["summary"].startswith(' "}],яя')
    assert len(alert["annotations"]["summary"].encode()) <= 512
    assert metric(scrape(port), "messages_invalid_total") == len(HOSTILE)
    assert bridge.err().count("not what labpulse publishes") == 1


def test_one_park_cannot_take_the_room_of_others(bed):
    am, evil, gw = bed.noting(), bed.gateway("evil"), bed.gateway()
    bridge = bed.bridge([am], "--offline-hold", "1s")
    am.wait_told("LabpulseBridgeAlive", fires=True)
    much = json.dumps({"class": "other", "title": {"ru": "x" * 500, "en": "x" * 500}})
    [evil.publish(f"machines/m-{i}/info", much, wait=False) for i in range(4000)][-1].wait_for_publish(30)
    am.wait_told("LabpulseBridgeFull", fires=True)
    gw.alarm("laser-1", "chiller-hot", ms())
    am.wait_told("chiller-hot", fires=True)
    assert bridge.running() and "no room for it" in bridge.err()
    # what was refused is not lost: when there is room again, it is read again
    codes = {f"late-{i}" for i in range(20)}
    for code in codes:
        evil.alarm("m-1", code, ms(), texts={"ru": "x" * 500, "en": "x" * 500})
    gw.alarm("laser-1", "last", ms())
    am.wait_told("last", fires=True)
    assert not all(am.told(code) for code in codes)
    [evil.publish(f"machines/m-{i}/info", "", wait=False) for i in range(4000)][-1].wait_for_publish(30)
    am.wait_told("LabpulseBridgeFull", fires=False)
    wait_until(lambda: all(am.told(code) for code in codes), what="all of them are told")
    assert bridge.err().count("there is room again") == 1


# ---- TLS and passwords ---------------------------------------------------------------------------


def test_tls_and_passwords(bed, spawn, tmp_path, certificates):
    secret, wrong = tmp_path / "secret", "not-this"
    secret.write_text(wrong + "\n")
    users = tmp_path / "users"
    subprocess.run(["mosquitto_passwd", "-b", "-c", users, "bridge", "sesame"], check=True)
    users.chmod(0o644)
    bed.broker.stop()
    bed.broker.start(f"certfile {certificates}/server.pem\nkeyfile {certificates}/server.key\ncafile {certificates}/ca.pem\n"
                     f"password_file {users}", anonymous="false")
    web = tmp_path / "web.yml"
    web.write_text(f"tls_server_config: {{cert_file: {certificates}/server.pem, key_file: {certificates}/server.key}}\n"
                   f"basic_auth_users: {{bridge: '{BCRYPT}'}}\n")
    am = bed.alertmanager().start("route: {receiver: n}\nreceivers: [{name: n}]\n", f"--web.config.file={web}")
    am.url = f"https://localhost:{am.port}"
    options = ["--broker", f"mqtts://localhost:{bed.broker.port}", "--ca-file", certificates / "ca.pem", "--user", "bridge",
               "--password-file", secret, "--alertmanager-user", "bridge", "--alertmanager-password-file", secret,
               "--alertmanager-ca-file", certificates / "ca.pem"]
    bridge = bed.bridge([am], *options)
    wait_until(lambda: bridge.err().count("trying again") == 2, what="both refuse")
    assert "401" in bridge.err() and "ot authori" in bridge.err()
    secret.write_text("sesame\n")
    subprocess.run(["mosquitto_pub", "-L", f"mqtts://bridge:sesame@localhost:{bed.broker.port}/parks/p1/machines/m/alarm/hot",
                    "--cafile", certificates / "ca.pem", "-r", "-q", "1", "-m",
                    '{"v":1,"active":true,"raised":1,"gw":"gw1","severity":"info"}'], check=True)
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(
        context=ssl.create_default_context(cafile=certificates / "ca.pem")))
    opener.addheaders = [("Authorization", "Basic " + base64.b64encode(b"bridge:sesame").decode())]
    wait_until(lambda: "hot" in am.alerts(opener.open), 30, "the alert comes through TLS")
    assert bridge.err().count(f"{secret} can be read by everybody") == 2
    everything = bridge.err() + Path(f"/proc/{bridge.pid}/cmdline").read_text()
    assert "sesame" not in everything and wrong not in everything


def test_client_certificate(bed, certificates):
    bed.broker.stop()
    bed.broker.start(f"certfile {certificates}/server.pem\nkeyfile {certificates}/server.key\ncafile {certificates}/ca.pem\nrequire_certificate true")
    am, where = bed.noting(), ("--broker", f"mqtts://localhost:{bed.broker.port}", "--ca-file", certificates / "ca.pem")
    without = bed.bridge([am], *where)
    wait_until(lambda: "trying again" in without.err(), what="it is refused")
    bridge = bed.bridge([am], *where, "--cert-file", certificates / "client.pem", "--key-file", certificates / "client.key")
    wait_until(lambda: ": connected" in bridge.err(), what="the certificate is taken")
    assert ": connected" not in without.err()


def test_untrusted_servers_get_nothing(bed, certificates):
    am = bed.alertmanager()
    web = am.folder / "web.yml"
    web.write_text(f"tls_server_config: {{cert_file: {certificates}/server.pem, key_file: {certificates}/server.key}}\n")
    am.start("route: {receiver: n}\nreceivers: [{name: n}]\n", f"--web.config.file={web}")
    am.url = f"https://localhost:{am.port}"
    bridge = bed.bridge([am], "--alertmanager-ca-file", certificates / "other-ca.pem")
    wait_until(lambda: "certificate" in bridge.err(), what="the certificate is refused")


def test_next_broker_of_the_list(bed, spawn, tmp_path):
    second = Broker(spawn, tmp_path, take_free_port()).start()
    am, gw = bed.noting(), bed.gateway()
    bridge = bed.bridge([am], "--broker", bed.broker.url, second.url)
    am.wait_told("LabpulseBridgeAlive", fires=True)
    wait_until(lambda: f"{bed.broker.url}: connected" in bridge.err(), what="the first is taken")
    bed.broker.kill()
    wait_until(lambda: f"{second.url}: connected" in bridge.err(), what="the second is taken")
    gw.close()


def test_the_tools_take_the_next_broker_too(bed, labpulse):
    bed.gateway().online("offline")
    dead = f"mqtt://127.0.0.1:{take_free_port()}"
    result = labpulse("watch", "--json", "--broker", dead, "--broker", bed.broker.url)
    assert result.code == 0 and result.json["machines"] == [] and f"{dead}: Connection refused" in result.err
    assert labpulse("watch", "--json", "--broker", dead).code == 69


@pytest.mark.parametrize("scripts", [[refuse(0x84), serve()], [serve_311], [hang_up, serve()]], ids=["0x84", "code-1", "closed"])
def test_broker_that_speaks_only_311(bed, fake_broker, scripts):
    fake = fake_broker(*scripts)
    bed.bridge([bed.noting()], "--broker", fake.url)
    wait_until(lambda: [c.connect.level for c in fake.connections if c.connect][:2] == [5, 4], what="it is asked again")


def test_subscription_is_refused(bed, fake_broker):
    """Some brokers say so, and then the bridge would be blind."""
    def deny(conn):
        conn.read_connect()
        conn.connack()
        _, _, r = conn.packet()
        conn.send(SUBACK, r.take(2) + b"\0" + b"\1\1\x87\1\1")
        hold(conn, 3600)

    am, fake = bed.noting(), fake_broker(deny)
    bridge = bed.bridge([am], "--broker", fake.url, "--offline-hold", "1s")
    wait_until(lambda: "no subscription to parks/+/gateways/+/alarm/+; trying again" in bridge.err(), what="it says so")
    am.wait_told("LabpulseBrokerAway", fires=True)


# ---- how it is -----------------------------------------------------------------------------------


def scrape(port, accept="*/*"):
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers={"Accept": accept})
    with urllib.request.urlopen(request) as answer:
        return answer.read().decode()


def metric(text, name):
    found = [line for line in text.split("\n") if line.split("{")[0].split(" ")[0] == f"labpulse_bridge_{name}"]
    return sum(float(line.rsplit(" ", 1)[1]) for line in found) if found else None


def test_metrics(bed):
    am, dead, gw, port = bed.noting(), bed.alertmanager(), bed.gateway(), take_free_port()
    gw.online("offline")
    gw.alarm("laser-1", "chiller-hot", ms(5))
    gw.alarm("laser-1", "no-flow", ms(5), ms())
    bed.bridge([am, dead], "--listen", f"127.0.0.1:{port}", "--offline-hold", "5min")
    am.wait_told("chiller-hot", fires=True)
    text = scrape(port)
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True, check=False)
    assert checked.returncode == 0 and not checked.stderr, checked
    expected = {"broker_connected": 1, "gateways": 1, "gateways_offline": 1, "alarms": 2, "alerts_firing": 2,
                "alerts_ended": 1, "alertmanager_up": 1, "broker_connects_total": 1, "messages_invalid_total": 0}
    wait_until(lambda: {k: metric(scrape(port), k) for k in expected} == expected, what=f"{expected}, not {scrape(port)}")
    assert metric(text, "posts_total") >= 1 and metric(scrape(port), "posts_failed_total") >= 1
    assert metric(text, "broker_silent_seconds") < 5
    assert scrape(port, "application/openmetrics-text").endswith("# EOF\n")


def test_systemd_is_told(bed, tmp_path):
    path = tmp_path / "notify"
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.bind(str(path))
    heard.settimeout(0.1)
    am, gw = bed.noting(), bed.gateway()
    gw.alarm("laser-1", "chiller-hot", ms(5))
    bridge = bed.bridge([am], env={**os.environ, "NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "400000"})
    lines = []

    def hear_once():
        try:
            lines.extend(heard.recv(4096).decode().splitlines())
        except socket.timeout:
            return False
        return True

    def hear(wanted):
        wait_until(lambda: hear_once() and any(line.startswith(wanted) for line in lines), 30, wanted)

    hear("READY=1")
    assert am.told("chiller-hot"), "READY before the first table was told"
    hear("STATUS=2 alerts fire, 0 of 0 gateways are offline; broker connected, 1 of 1 Alertmanagers take alerts")
    lines.clear()
    hear("WATCHDOG=1")
    bridge.signal(signal.SIGTERM)
    hear("STOPPING=1")
    assert bridge.wait() == 0


def test_a_thread_that_hangs_starves_the_watchdog(bed, tmp_path):
    manager, am = Manager(tmp_path, watchdog_ms=400), bed.noting()
    bridge = bed.bridge([am], env={**os.environ, **manager.env})
    wait_until(lambda: ": connected" in bridge.err(), what="it is connected")
    manager.wait_fed()
    with Frozen(bridge.pid, "feed"):
        wait_until(lambda: "the broker's thread hangs" in bridge.err(), 20, "it is seen")
        manager.hear()
        wait_until(lambda: manager.hungry_s() > 3, 5, "systemd would have ended it")
    manager.wait_fed()
    assert "the broker's thread moves again" in bridge.err()
    assert bridge.err().count("hangs") == 1
    manager.socket.close()


def test_it_stops_in_time_while_the_broker_is_mute(bed):
    mute, am = Mute(), bed.noting()
    bridge = bed.bridge([am], "--broker", mute.url.replace("http", "mqtt"))
    am.wait_told("LabpulseBridgeAlive", fires=True)
    start = time.time()
    assert bridge.stop() == 0 and time.time() - start < 5
    assert "leaving without it" not in bridge.err()
    mute.close()


@pytest.mark.parametrize("options, code, words", [
    ([], 64, "--alertmanager URL is needed"),
    (["--alertmanager", "http://x"], 64, "--broker URL is needed"),
    (["--alertmanager", "ftp://x", "--broker", "mqtt://x"], 64, "http://HOST"),
    (["--alertmanager", "http://u:p@x", "--broker", "mqtt://x"], 64, "no user or password in the URL"),
    (["--alertmanager", "http://x", "--broker", "mqtt://u:p@x"], 64, "no user or password in the URL"),
    (["--alertmanager", "http://x", "--broker", "mqtt://x", "--refresh", "10min"], 64, "--refresh: 1s to 5min"),
    (["--alertmanager", "http://x", "--broker", "mqtt://x", "--log-level", "loud"], 64, "--log-level"),
    (["--nonsense"], 64, "unknown option --nonsense"),
    (["--version"], 0, "labpulse-alertmanager 0."),
    (["--help"], 0, "--offline-hold"),
])
def test_command_line(options, code, words):
    done = subprocess.run([BUILD / "labpulse-alertmanager", *options], capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode == code and words in done.stdout + done.stderr, done


def test_the_example_is_good():
    done = subprocess.run([shutil.which("amtool"), "check-config", EXAMPLE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done


@pytest.mark.parametrize("found, receivers", [
    ({"alertname": "LabpulseBridgeAlive", "severity": "info"}, "dead-man"),
    ({"alertname": "GatewayOffline", "park": "ryazan", "gateway": "gw1", "severity": "error"}, "ryazan-urgent"),
    ({"alertname": "chiller-hot", "park": "ryazan", "severity": "critical"}, "ryazan-urgent,operators"),
    ({"alertname": "filter", "park": "ryazan", "severity": "warning"}, "ryazan,nobody"),
    ({"alertname": "chiller-hot", "park": "tula", "severity": "error"}, "operators"),
    ({"alertname": "filter", "park": "tula", "severity": "warning"}, "nobody"),
    ({"alertname": "LabpulseGatewayNotScraped", "park": "ryazan", "severity": "warning"}, "operators"),
])
def test_the_example_routes_by_park(found, receivers):
    done = subprocess.run([shutil.which("amtool"), "config", "routes", "test", f"--config.file={EXAMPLE}",
                           *[f"{k}={v}" for k, v in found.items()]], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == receivers, done


def test_the_example_speaks_in_words(bed):
    """What a person reads in Telegram: the park, the machine's title, the text in Russian, what to do."""
    sent, config = [], EXAMPLE.read_text().replace("/etc/alertmanager/smtp-password", "/dev/null").replace("group_wait: 15s", "group_wait: 1s")
    telegram = HttpNote(lambda path, body: sent.append((path, body)) or b'{"ok":true,"result":{"message_id":1,"date":1,"chat":{"id":-1,"type":"group"}}}')
    am = bed.alertmanager().start(config.replace("      - bot_token:", f"      - api_url: {telegram.url}\n        bot_token:"))
    gw = bed.gateway("ryazan")
    gw.online()
    gw.machine("laser-1")
    gw.alarm("laser-1", "chiller-hot", ms(5), severity="error")
    bed.bridge([am])
    path, body = wait_until(lambda: sent and sent[0], 20, "Telegram is asked")
    telegram.close()
    assert path.endswith("/sendMessage")
    assert json.loads(body)["text"].splitlines()[:2] == ["[error] ryazan Лазер: Перегрев чиллера", "Остановите резку"]


# ---- a real gateway ------------------------------------------------------------------------------


def test_alarm_of_a_real_gateway(bed, simulate, daemon, labpulse, tmp_path):
    config = tmp_path / "labpulse.yaml"
    simulate("lab", "--write-config", config, "--broker", bed.broker.url)
    am = bed.alertmanager().start()
    bed.bridge([am], "--offline-hold", "1s")
    gateway = daemon(config)
    wait_until(lambda: labpulse("test-alarm", "laser-1", "-c", config, "--profiles", PROFILES).code == 0, 30,
               "a test alarm is raised", interval=0.5)
    alert = wait_until(lambda: am.alerts().get("test"), 30, "it reaches Alertmanager")[0]
    assert alert["labels"]["machine"] == "laser-1" and alert["labels"]["class"] == "laser-cutter"
    gateway.kill()
    wait_until(lambda: am.alerts().get("GatewayOffline"), 30, "its end is told by its will")
