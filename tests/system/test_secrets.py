# SPDX-License-Identifier: MIT
"""A password is in its file, in the CONNECT packet, and nowhere else: not in a log, not in what is
published or answered, not among a process's arguments, not in the message that says that it stands
in the wrong place."""
import subprocess
from pathlib import Path

import pytest

from bench import Bench
from conftest import BUILD, wait_until

SECRET = "hunter2-never-told"


def locked_broker(broker, folder, password=SECRET):
    """It wants user p1 and this password."""
    users = folder / "users"
    subprocess.run(["mosquitto_passwd", "-b", "-c", users, "p1", password], check=True)
    users.chmod(0o644)
    broker.stop()
    broker.start(f"password_file {users}\nlog_type all\n", anonymous="false")


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "mqtt-password"
    path.write_text(SECRET + "\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def bench(tmp_path, broker, simulate, secret):
    bench = Bench(tmp_path, broker.url).add("m1", "tcp1")
    bench.mqtt.update(password_file=str(secret))
    bench.simulate(simulate)
    bench.write()
    return bench


def answers(labpulse, bench):
    """What the daemon tells its tool."""
    told = [labpulse(*words, "--json", "--control", bench.folder / "control")
            for words in (("watch", "--once"), ("explain",), ("spool",), ("usage",))]
    assert all(answer.code == 0 for answer in told), told
    return str(told)


def arguments(process):
    return Path(f"/proc/{process.pid}/cmdline").read_text(errors="replace")


def test_a_broker_that_takes_it(tmp_path, broker, bench, daemon, subscribe, labpulse):
    locked_broker(broker, tmp_path)
    sub = subscribe(broker.port, username="p1", password=SECRET)
    d = daemon(bench.path, "--log-level", "debug")
    sub.wait_for(lambda m: True, topic="gateways/gw1/health")
    sub.wait_for(lambda m: m.json["sources"]["s1"]["ok"], topic="machines/m1/state")
    told = answers(labpulse, bench) + arguments(d) + d.err() + d.out()
    assert SECRET not in told
    assert not sub.find(predicate=lambda m: SECRET.encode() in m.payload)


def test_a_broker_that_refuses_it(tmp_path, broker, bench, daemon, labpulse):
    locked_broker(broker, tmp_path, "another one")
    d = daemon(bench.path, "--log-level", "debug")
    wait_until(lambda: "refused: " in d.err(), what="the log says so")
    assert SECRET not in answers(labpulse, bench) + arguments(d) + d.err()


def url_with_it(mqtt):
    mqtt["brokers"] = [f"mqtt://p1:{SECRET}@127.0.0.1"]
    return "use username and password_file"


def url_of_another_kind(mqtt):
    mqtt["brokers"] = [f"tcp://p1:{SECRET}@127.0.0.1"]
    return "use username and password_file"


def inline(mqtt):
    mqtt["password"] = SECRET
    return 'unknown key "password"'


def as_a_list(mqtt):
    mqtt["password_file"] = [SECRET]
    return "must be one value"


@pytest.mark.parametrize("mistake", [url_with_it, url_of_another_kind, inline, as_a_list])
def test_in_the_wrong_place(bench, daemon, labpulse, mistake):
    says = mistake(bench.mqtt)
    bench.write()
    checked = labpulse("check", bench.path, "--profiles", bench.profiles)
    asked = labpulse("check", bench.path, "--profiles", bench.profiles, "--json")
    d = daemon(bench.path, "--log-level", "debug")
    assert d.wait() == checked.code == asked.code == 78
    assert says in checked.err and says in d.err()
    assert SECRET not in str(checked) + str(asked) + d.err()


def test_instead_of_its_file(tmp_path, broker, bench, daemon, labpulse):
    """The daemon runs: a broker may take anybody."""
    bench.mqtt["password_file"] = SECRET
    bench.write()
    checked = labpulse("check", bench.path, "--profiles", bench.profiles)
    d = daemon(bench.path, "--log-level", "debug")
    wait_until(lambda: "cannot read password_file (no path)" in d.err(), what="the daemon tried")
    assert "mqtt.password_file: the path of a file is wanted" in checked.err
    assert SECRET not in str(checked) + d.err()


@pytest.mark.parametrize("mode, says", [(0o644, "can be read by everybody (mode 0644)"),
                                        (0o660, "can be changed by others (mode 0660)")])
def test_a_file_of_everybody(bench, secret, daemon, labpulse, mode, says):
    """Once at the start and once at each reload, with the cure."""
    secret.chmod(mode)
    checked = labpulse("check", bench.path, "--profiles", bench.profiles)
    warning = f"warning: mqtt.password_file: {secret} {says}; chmod 640"
    assert checked.code == 0 and checked.err.count(warning) == 1, checked
    d = daemon(bench.path)
    wait_until(lambda: "mqtt: connected" in d.err(), what="it works all the same")
    assert d.err().count(warning) == 1
    d.reload()
    wait_until(lambda: "configuration reloaded" in d.err(), what="the reload")
    assert d.err().count(warning) == 2
    secret.chmod(0o640)
    assert warning[:30] not in labpulse("check", bench.path, "--profiles", bench.profiles).err


def test_a_file_that_is_not_there(bench, secret, labpulse):
    secret.unlink()
    checked = labpulse("check", bench.path, "--profiles", bench.profiles)
    assert f"warning: mqtt.password_file: {secret}: No such file or directory" in checked.err


def test_the_tool(tmp_path, broker, bench, secret, spawn, labpulse):
    locked_broker(broker, tmp_path)
    secret.chmod(0o644)
    watch = spawn("watch", [BUILD / "labpulse", "watch", "--json", "--broker", broker.url, "--user", "p1",
                            "--password-file", secret])
    wait_until(lambda: watch.out(), what="the broker took it")
    assert f"{secret} can be read by everybody" in watch.err()
    assert SECRET not in arguments(watch) + watch.out() + watch.err()


@pytest.mark.parametrize("options", [("--broker", f"mqtt://p1:{SECRET}@127.0.0.1"), ("--password", SECRET),
                                     (f"--password={SECRET}",)])
def test_no_option_takes_it(labpulse, options):
    refused = labpulse("watch", *options)
    assert refused.code == 64 and SECRET not in str(refused), refused
