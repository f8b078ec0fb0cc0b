# SPDX-License-Identifier: MIT
"""The life of one installation, from the first minute to the purge. The tests go on from each other,
in this order, as the days of a gateway do (make runs them with -x)."""
import json
import subprocess

from conftest import DEB, UNIT, wait_until

CONFIG = "/etc/labpulse/labpulse.yaml"
BRIDGE = "labpulse-alertmanager.service"
STATE = "/var/lib/labpulse"
CREDENTIAL = "/etc/credstore/mqtt-password"
BRIDGE_CREDENTIAL = "/etc/credstore/labpulse-alertmanager.mqtt-password"
PASSWORD = "correct horse"
USER = "demo-park"
AVAILABILITY = "parks/demo-park/gateways/demo/availability"
BROKER = """listener 1883 127.0.0.1
allow_anonymous false
password_file /etc/mosquitto/passwd
"""


def modes(box, *paths):
    return box.run("stat", "-c", "%a %U %G", *paths).stdout.splitlines()


def wait_active(box, not_pid=None):
    """It is ready, and is not the process `not_pid`. Returns its own number."""
    wait_until(lambda: box.show("ActiveState") == "active" and box.show("MainPID") != not_pid, what=f"{UNIT} active")
    return box.show("MainPID")


def idle_seconds(box):
    return json.loads(box.run("labpulse", "usage", "dev-0001", "--json").stdout)["machines"][0]["idle_s"]


def waiting(box):
    spool = json.loads(box.run("labpulse", "spool", "--json").stdout)
    return spool["telemetry"]["on_disk"]


def read_topic(box, topic):
    """What the broker has on it, or will have within a few seconds."""
    return box.run("mosquitto_sub", "-h", "127.0.0.1", "-u", USER, "-P", PASSWORD, "-t", topic, "-C", "1",
                   "-W", "10", ok=None).stdout.strip()


def write_configuration(box):
    """What the simulated fleet writes, with the places of a gateway."""
    box.run("systemd-run", "--quiet", "--unit=fleet", "labpulse", "simulate", "fleet", "--devices", "3",
            "--port", "15020", "--write-config", CONFIG)
    wait_until(lambda: "15022" in box.journal("fleet"), what="the simulated fleet")
    path = box.path(CONFIG)
    path.write_text("".join(line + "\n" for line in path.read_text().splitlines()
                            if not line.startswith(("spool:", "control:"))))


def start_broker(box):
    box.path("/etc/mosquitto/conf.d/gateway.conf").write_text(BROKER)
    box.run("mosquitto_passwd", "-b", "-c", "/etc/mosquitto/passwd", USER, PASSWORD)
    box.run("chown", "mosquitto:", "/etc/mosquitto/passwd")
    box.run("systemctl", "start", "mosquitto")


def newer_package(folder):
    """The same package with a higher version."""
    tree, deb = folder / "tree", folder / "newer.deb"
    subprocess.run(["dpkg-deb", "-R", DEB, tree], check=True)
    control = tree / "DEBIAN" / "control"
    control.write_text(control.read_text().replace("\nVersion: ", "\nVersion: 1:"))
    subprocess.run(["dpkg-deb", "-Znone", "-b", tree, deb], check=True, stdout=subprocess.DEVNULL)
    return deb


def test_without_configuration_it_says_what_it_needs(box):
    box.run("dpkg", "-i", "/root/labpulse.deb")
    assert box.run("systemctl", "is-enabled", UNIT).stdout.strip() == "enabled"
    wait_until(lambda: box.show("ActiveState") == "failed", what="the end of a daemon without configuration")
    assert (box.show("ExecMainStatus"), box.show("NRestarts")) == ("78", "0")
    status = box.run("systemctl", "status", UNIT, ok=3).stdout
    said = [line for line in status.splitlines() if line.strip().startswith("Status:")]
    assert said and f"needs a configuration: write {CONFIG}" in said[0] and "systemctl restart labpulsed" in said[0], status


def test_the_directories_are_there_and_no_configuration(box):
    assert modes(box, "/etc/labpulse", "/etc/labpulse/profiles") == ["750 root labpulse"] * 2
    assert not box.path(CONFIG).exists()
    assert box.run("dpkg-query", "-W", "-f", "${Conffiles}", "labpulse").stdout.strip() == ""


def test_configured_it_polls_without_broker_and_credential(box):
    write_configuration(box)
    box.run("labpulse", "check")
    box.run("systemctl", "restart", UNIT)
    wait_active(box)
    wait_until(lambda: "3" in box.show("StatusText"), what="a status sentence with the number of machines")
    assert modes(box, STATE, "/run/labpulse", "/run/labpulse/control") == \
        ["750 labpulse labpulse", "750 labpulse labpulse", "660 labpulse labpulse"]
    assert box.show("WatchdogUSec") == "1min"


def test_the_control_socket_is_for_members_of_the_group(box):
    for user in ("member", "stranger"):
        box.run("useradd", user)
    box.run("usermod", "-aG", "labpulse", "member")
    box.run("runuser", "-u", "member", "--", "labpulse", "usage")
    box.run("runuser", "-u", "stranger", "--", "labpulse", "usage", ok=77)


def test_the_password_comes_from_the_credential_store(box):
    start_broker(box)
    box.run("install", "-D", "-m", "600", "/dev/stdin", CREDENTIAL, text=PASSWORD)
    box.run("systemctl", "restart", UNIT)
    pid = wait_active(box)
    wait_until(lambda: read_topic(box, AVAILABILITY) == "online", what="the gateway at a broker that wants a password")
    assert PASSWORD not in box.path(f"/proc/{pid}/environ").read_text() + box.path(f"/proc/{pid}/cmdline").read_text()
    assert PASSWORD not in box.run("journalctl", "-o", "cat").stdout


def test_the_bridge_waits_to_be_told(box):
    assert box.run("systemctl", "is-enabled", BRIDGE, ok=1).stdout.strip() == "disabled"
    assert box.show("ActiveState", BRIDGE) == "inactive"
    box.run("systemctl", "start", BRIDGE, ok=1)
    assert (box.show("ExecMainStatus", BRIDGE), box.show("NRestarts", BRIDGE)) == ("64", "0")


def test_the_bridge_has_a_password_of_its_own(box):
    box.run("mosquitto_passwd", "-b", "/etc/mosquitto/passwd", "alerts", PASSWORD)
    box.run("systemctl", "reload", "mosquitto")
    box.path("/etc/default/labpulse-alertmanager").write_text(
        'ARGS="--broker mqtt://127.0.0.1 --user alerts --alertmanager http://127.0.0.1:9093"\n')
    box.run("install", "-D", "-m", "600", "/dev/stdin", BRIDGE_CREDENTIAL, text=PASSWORD)
    # It is ready when an Alertmanager was told, or after 20 s; there is none here.
    box.run("systemctl", "start", "--no-block", BRIDGE)
    assert box.show("WatchdogUSec", BRIDGE) == "1min"
    wait_until(lambda: "u'alerts'" in box.path("/var/log/mosquitto/mosquitto.log").read_text(), what="the bridge at the broker")
    box.run("systemctl", "stop", BRIDGE)
    assert box.show("Result", BRIDGE) == "success"


def test_reload(box):
    pid, path = box.show("MainPID"), box.path(CONFIG)
    path.write_text(path.read_text().replace("interval: 1000ms", "interval: 900ms"))
    box.run("systemctl", "reload", UNIT)
    wait_until(lambda: "configuration reloaded" in box.journal(), what="the reload")
    assert wait_active(box) == pid


def test_the_filter_of_system_calls_stops_nothing(box):
    """With a filter that kills instead of refusing: start, polling, reload, tool and stop. The one call
    that may be refused, as ProtectClock= does, is the look whether somebody keeps the clock (see daemon/clock.c)."""
    drop_in = box.path(f"/run/systemd/system/{UNIT}.d")
    drop_in.mkdir(parents=True)
    (drop_in / "kill.conf").write_text("[Service]\nSystemCallErrorNumber=kill\n"
                                       "SystemCallFilter=clock_adjtime\nRestart=no\n")
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "restart", UNIT)
    wait_active(box)
    assert read_topic(box, "parks/demo-park/machines/dev-0001/telemetry")
    box.run("systemctl", "reload", UNIT)
    box.run("labpulse", "read", "dev-0001")
    box.run("systemctl", "stop", UNIT)
    assert (box.show("Result"), box.show("ExecMainStatus")) == ("success", "0")
    (drop_in / "kill.conf").unlink()
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "start", UNIT)


def test_killed_it_comes_back(box):
    pid = wait_active(box)
    box.run("kill", "-KILL", pid)
    wait_active(box, not_pid=pid)
    assert box.show("NRestarts") == "1"


def test_update_keeps_configuration_counters_and_what_waits(box, tmp_path):
    box.run("labpulse", "usage", "set", "dev-0001", "idle_s", "3600", "the old book")
    box.run("systemctl", "stop", "mosquitto")
    wait_until(lambda: waiting(box) > 5, what="telemetry on the disk")
    before, config, pid = waiting(box), box.path(CONFIG).read_bytes(), box.show("MainPID")
    box.path("/root/newer.deb").write_bytes(newer_package(tmp_path).read_bytes())
    box.run("dpkg", "-i", "/root/newer.deb")
    wait_active(box, not_pid=pid)
    assert box.path(CONFIG).read_bytes() == config
    assert idle_seconds(box) >= 3600
    assert waiting(box) >= before
    box.run("systemctl", "start", "mosquitto")
    wait_until(lambda: waiting(box) == 0, what="what waited to be sent")


def test_removed_it_stops_cleanly_and_leaves_what_it_knows(box):
    pid = box.show("MainPID")
    box.run("dpkg", "-r", "labpulse")
    assert not box.path(f"/proc/{pid}").exists()
    assert read_topic(box, AVAILABILITY) == "offline"
    last = box.journal().splitlines()[-1]
    assert last.startswith(f"Stopped {UNIT}"), last
    assert box.show("LoadState") == "not-found"
    assert box.path(CONFIG).exists() and box.path(f"{STATE}/state.db").exists()


def test_installed_again_it_goes_on(box):
    box.run("dpkg", "-i", "/root/labpulse.deb")
    wait_active(box)
    assert idle_seconds(box) >= 3600


def test_purged_nothing_is_left(box):
    box.run("dpkg", "-P", "labpulse")
    left = box.run("find", "/etc", "/var/lib", "/var/cache", "/usr", "/lib", "/run", "-xdev", "-name", "*labpulse*",
                   "-not", "-path", "/etc/labpulse-root", "-not", "-path", "/run/systemd/*", ok=None).stdout.split()
    assert left == []
    # As in Debian: its number is not given to somebody else.
    box.run("id", "labpulse")
