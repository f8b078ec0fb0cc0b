# SPDX-License-Identifier: MIT
"""What systemd/70-labpulse.rules make of a device: Debian 12's udevadm(8), from the root of the other
tests, looks at devices that umockdev-run(1) plays. On a real kernel: tests/vm."""
import os
import subprocess

import pytest

from conftest import ROOT, TOP

if os.getuid() != 0:
    pytest.skip("a mount namespace needs root", allow_module_level=True)

PORT = "/devices/pci0000:00/0000:00:14.0/usb1/1-4"
USB_DEVICE = """P: {path}
E: DEVTYPE=usb_device
E: SUBSYSTEM=usb
E: DRIVER=usb
A: idVendor={vendor}
A: idProduct={product}
L: driver=../../../../bus/usb/drivers/usb

"""
INTERFACE = """P: {path}
E: DEVTYPE=usb_interface
E: SUBSYSTEM=usb
E: DRIVER={driver}
A: bInterfaceNumber={number}
A: bInterfaceClass=ff
L: driver=../../../../../../bus/usb/drivers/{driver}

"""
NODE = """P: {path}
N: {name}
E: DEVNAME=/dev/{name}
E: MAJOR=188
E: MINOR=0
E: SUBSYSTEM={subsystem}
"""
# The rules and the group come to where udevadm looks, for its eyes only.
SHOW = """mount -t tmpfs none /run && mkdir -p /run/udev/rules.d &&
cp {root}/lib/udev/rules.d/60-serial.rules {top}/systemd/70-labpulse.rules /run/udev/rules.d/ &&
(cat /etc/group; echo labpulse:x:4242:) >/run/group && mount --bind /run/group /etc/group &&
exec umockdev-run -d {devices} -- env LD_LIBRARY_PATH={root}/usr/lib/systemd:{root}/usr/lib/{lib} \\
  {root}/bin/udevadm test --action=add /sys{path}"""


def plugged(folder, vidpid, subsystem, name, number="00"):
    """What udev says of a node behind interface `number` of the USB device at port 1-4."""
    vendor, product = vidpid.split(":")
    interface = f"{PORT}/1-4:1.{int(number)}"
    path = f"{interface}/{subsystem}/{name}"
    devices = folder / "usb.umockdev"
    devices.write_text(USB_DEVICE.format(path=os.path.dirname(PORT), vendor="1d6b", product="0002")
                       + USB_DEVICE.format(path=PORT, vendor=vendor, product=product)
                       + INTERFACE.format(path=interface, driver="some", number=number)
                       + NODE.format(path=path, name=name, subsystem=subsystem))
    lib = next(p.name for p in (ROOT / "usr/lib").glob("*-linux-gnu*"))
    said = subprocess.run(["unshare", "-m", "sh", "-c", SHOW.format(root=ROOT, top=TOP, devices=devices, path=path, lib=lib)],
                          capture_output=True, text=True, timeout=30)
    assert "DEVPATH=" in said.stdout, said.stdout + said.stderr
    return said.stdout + said.stderr


def links(said):
    return next((line[len("DEVLINKS="):].split() for line in said.splitlines() if line.startswith("DEVLINKS=")), [])


@pytest.mark.parametrize("vidpid,name,number", [("1a86:7523", "ttyUSB0", "00"), ("0403:6011", "ttyUSB3", "03"), ("2c99:0002", "ttyACM0", "00")])
def test_a_port_has_a_link_that_stays_and_no_modem_probing(tmp_path, vidpid, name, number):
    said = plugged(tmp_path, vidpid, "tty", name, number)
    assert f"/dev/labpulse/by-port/1-4-if{number}" in links(said)
    assert "\nID_MM_DEVICE_IGNORE=1\n" in said


def test_a_modem_stays_one(tmp_path):
    assert "ID_MM_DEVICE_IGNORE" not in plugged(tmp_path, "12d1:1506", "tty", "ttyUSB0")


@pytest.mark.parametrize("vidpid", ["0483:5751", "0483:575f", "0000:0001"])
def test_a_charger_belongs_to_the_group(tmp_path, vidpid):
    said = plugged(tmp_path, vidpid, "hidraw", "hidraw0")
    assert "GROUP 4242" in said and "MODE 0660" in said, said
    assert "/dev/labpulse/by-port/1-4-if00" in links(said)


def test_a_keyboard_stays_roots(tmp_path):
    said = plugged(tmp_path, "046d:c31c", "hidraw", "hidraw0")
    assert "GROUP 4242" not in said and "MODE 0660" not in said
