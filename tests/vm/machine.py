# SPDX-License-Identifier: MIT
"""A virtual gateway: QEMU without KVM, its disk, its USB port, and the agent that runs commands in it.

    machine = Machine(image, folder)
    machine.start(broker_port, cables)         # or load="snapshot", rtc="2026-01-01T00:00:00"
    machine.run("systemctl", "is-active", "labpulsed").out
    machine.cut()                              # the power goes; start() again

The disk is an overlay of the image in `folder`, with internal snapshots; cache=writeback, so that
what the guest has synced is in the file when QEMU is killed, and nothing else needs to be.
"""
import base64
import json
import shlex
import socket
import subprocess
import time
from pathlib import Path

BOOT_S = 240      # without KVM, on a computer that has other work
COMMAND_S = 120
BROKER = "10.0.2.100:1883"  # the broker outside, as the guest sees it
CABLES = ("printer", "charger")
KERNEL = "root=/dev/vda rootfstype=ext4 rw console=ttyS0,115200 quiet mitigations=off tsc=reliable " \
         "random.trust_cpu=on net.ifnames=0 module_blacklist=kvm_amd,kvm,cfg80211,psmouse,pcspkr"


class Result:
    """What a command in the guest did."""

    def __init__(self, argv, answer):
        self.argv, self.code, self.out, self.err = argv, answer["code"], answer["out"], answer["err"]

    def __repr__(self):
        return f"<{shlex.join(self.argv)} -> {self.code}\n{self.out}\n{self.err}>"


class Wire:
    """A UNIX socket of QEMU that talks in lines of JSON."""

    def __init__(self, path, timeout):
        end = time.monotonic() + timeout
        self.socket = socket.socket(socket.AF_UNIX)
        while True:
            try:
                self.socket.connect(str(path))
                break
            except OSError:
                assert time.monotonic() < end, f"{path}: QEMU does not listen"
                time.sleep(0.05)
        self.rest = b""

    def send(self, message):
        self.socket.sendall(json.dumps(message).encode() + b"\n")

    def receive(self, timeout):
        end = time.monotonic() + timeout
        while b"\n" not in self.rest:
            self.socket.settimeout(max(0.01, end - time.monotonic()))
            more = self.socket.recv(65536)
            assert more, "QEMU hung up"
            self.rest += more
        line, self.rest = self.rest.split(b"\n", 1)
        return json.loads(line)

    def close(self):
        self.socket.close()


class Machine:
    def __init__(self, image, folder):
        self.image, self.folder = Path(image), Path(folder)
        self.disk = self.folder / "disk.qcow2"
        self.process = self.qmp = self.agent = None
        self.count = 0

    # ---- power ----

    def create_disk(self):
        self.disk.unlink(missing_ok=True)
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", self.image / "base.qcow2",
                        self.disk], check=True)

    def start(self, broker_port, cables, load=None, off_s=0, meter=False, timeout=BOOT_S):
        """Boots, or goes on from a snapshot; returns the seconds until the agent answered.
        `cables`: what hangs on them outside, name -> pty, or None for a socket NAME.sock of ours;
        `off_s`: how far its hardware clock is off; `meter`: its adapter is plugged in already."""
        began = time.monotonic()
        rtc = "base=" + time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + off_s))
        for name in ("qmp", "agent", *CABLES):
            (self.folder / f"{name}.sock").unlink(missing_ok=True)
        argv = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35,sata=off",
                "-accel", "tcg,thread=multi,tb-size=256", "-cpu", "max", "-smp", "2", "-m", "512", "-rtc", rtc,
                "-kernel", self.image / "vmlinuz", "-initrd", self.image / "initrd.img", "-append", KERNEL,
                "-drive", f"if=none,id=d0,file={self.disk},format=qcow2,cache=writeback",
                "-device", "virtio-blk-pci,drive=d0", "-device", "virtio-rng-pci",
                "-device", "qemu-xhci,id=xhci", "-device", "virtio-serial-pci",
                *self._port("agent", None), *(a for name in CABLES for a in self._port(name, cables[name])),
                "-chardev", f"serial,id=meter,path={cables['meter']}",
                "-netdev", f"user,id=n0,restrict=on,guestfwd=tcp:{BROKER}-cmd:socat - TCP:127.0.0.1:{broker_port}",
                "-device", "virtio-net-pci,netdev=n0,romfile=",
                "-chardev", f"file,id=console,path={self.folder / 'console.log'},append=on", "-serial", "chardev:console",
                "-qmp", f"unix:{self.folder / 'qmp.sock'},server=on,wait=off", *(["-loadvm", load] if load else [])]
        with open(self.folder / "qemu.log", "ab") as log:
            self.process = subprocess.Popen(list(map(str, argv)), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)
        try:
            self.qmp = Wire(self.folder / "qmp.sock", 30)
            self.qmp.receive(30)
            self._ask({"execute": "qmp_capabilities"})
            if meter:
                self.plug_meter()
            self._wait_for_agent(began + timeout)
        except OSError as error:
            raise AssertionError(f"QEMU ended: {(self.folder / 'qemu.log').read_text()[-2000:]}") from error
        if load:
            self.set_clock()
        return time.monotonic() - began

    def _port(self, name, pty):
        where = f"serial,id={name},path={pty}" if pty else \
            f"socket,id={name},path={self.folder / name}.sock,server=on,wait=off"
        return ["-chardev", where, "-device", f"virtserialport,chardev={name},name={name}"]

    def _wait_for_agent(self, end):
        """What is asked before the agent is there waits in its port, unless the guest was still without."""
        self.agent = Wire(self.folder / "agent.sock", 30)
        while True:
            try:
                self.run("true", timeout=2)
                return
            except TimeoutError:
                assert time.monotonic() < end, f"no answer; {(self.folder / 'console.log').read_text()[-3000:]}"

    def cut(self):
        """The power goes."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for wire in (self.qmp, self.agent):
            if wire:
                wire.close()
        self.qmp = self.agent = None

    def save(self, name):
        """A snapshot to start(load=…) from, of memory and disk."""
        self._hmp(f"savevm {name}")

    def fits_its_image(self):
        """Whether the disk is there, and an overlay of this image."""
        return self.disk.exists() and self.disk.stat().st_mtime > (self.image / "stamp").stat().st_mtime

    def has_snapshots(self, *names):
        listed = subprocess.run(["qemu-img", "snapshot", "-l", self.disk], capture_output=True, text=True, check=True).stdout
        return {line.split()[1] for line in listed.splitlines()[2:]} >= set(names)

    def revert(self, name):
        """The disk as it was in the snapshot; the memory is lost: the next start() boots."""
        subprocess.run(["qemu-img", "snapshot", "-a", name, self.disk], check=True)

    # ---- QEMU's monitor ----

    def _ask(self, command, timeout=120):
        self.qmp.send(command)
        while True:
            answer = self.qmp.receive(timeout)
            if "event" not in answer:
                assert "error" not in answer, f"{command}: {answer}"
                return answer["return"]

    def _hmp(self, line):
        said = self._ask({"execute": "human-monitor-command", "arguments": {"command-line": line}}, 300)
        assert "rror" not in said, f"{line}: {said}"

    def plug_meter(self, serial="METER-1", port="1"):
        """The USB adapter of the RS-485 line, in one of the gateway's own ports."""
        self._ask({"execute": "device_add", "arguments": {
            "driver": "usb-serial", "id": "meter-plug", "bus": "xhci.0", "port": port, "chardev": "meter",
            "serial": serial, "always-plugged": True}})

    def unplug_meter(self):
        self._ask({"execute": "device_del", "arguments": {"id": "meter-plug"}})

    # ---- commands in the guest ----

    def run(self, *argv, stdin="", timeout=COMMAND_S, code=0):
        """Result of a command; `code` is what it must exit with, None: anything."""
        self.count += 1
        self.agent.send({"id": self.count, "argv": list(map(str, argv)), "input": stdin, "timeout": timeout})
        while True:
            answer = self.agent.receive(timeout + 5)
            if answer["id"] == self.count:
                break
        result = Result(list(map(str, argv)), answer)
        assert code is None or result.code == code, result
        return result

    def sh(self, script, *args, **options):
        return self.run("sh", "-eu", "-c", script, "sh", *args, **options)

    def put(self, path, text, mode="644"):
        self.sh('mkdir -p "$(dirname "$1")"; cat > "$1.new"; chmod "$2" "$1.new"; mv "$1.new" "$1"', path, mode, stdin=text)

    def put_file(self, source, path, mode="644"):
        text = base64.b64encode(Path(source).read_bytes()).decode()
        self.sh('base64 -d > "$1"; chmod "$2" "$1"', path, mode, stdin=text)

    def read(self, path):
        return self.run("cat", path).out

    def set_clock(self, off_s=0.0):
        """To ours, or this far off."""
        self.run("date", "-s", f"@{time.time() + off_s:.3f}")

    def clock_off_s(self):
        """How far its clock is from ours, as far as the way there allows to tell."""
        return float(self.run("date", "+%s.%N").out) - time.time()
