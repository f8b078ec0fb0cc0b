#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A USB machine at a cable of the virtual gateway: plugged in while this runs.

    gadget.py printer|charger|decoy|gauge

The kernel's dummy_hcd is a USB host and a USB device at once; configfs says what the device is
(Documentation/usb/gadget_configfs.rst), and this program carries its bytes to and from the virtio
port of the same name, behind which the simulated machine is, outside, where no power cut reaches
it. SIGTERM unplugs. /run/gadget/NAME holds when it was plugged in, ms, and its device node.
"""
import errno
import os
import select
import signal
import subprocess
import sys
import time
import tty
from pathlib import Path

CONFIGFS = Path("/sys/kernel/config/usb_gadget")
REPORT = 64
# Vendor-defined, 64 bytes in, 64 bytes out, without report ids: what chargers have.
DESCRIPTOR = bytes.fromhex("0600ff 0901 a101 1500 26ff00 7508 9540 0902 8102 9540 0903 9102 c0")

# name: controller, kind, vendor, product, serial number, manufacturer, name of the product
GADGETS = {
    "printer": (0, "acm", 0x2C99, 0x0002, "CZPX1234", "Prusa Research", "Original Prusa MK3"),
    "charger": (1, "hid", 0x0483, 0x5751, "IC-308", "Junsi", "iCharger 308DUO"),
    "decoy": (2, "acm", 0x2341, 0x0042, "85736323838351F0", "Arduino", "Mega 2560"),
    "gauge": (3, "acm", 0x1D50, 0x6029, "GAUGE-7", "ACME", "Gauge"),
}


def write(path, data):
    (path.write_bytes if isinstance(data, bytes) else path.write_text)(data)


def create(name):
    """The gadget in configfs, not plugged in. Returns its folder and that of its function."""
    _, kind, vendor, product, serial, maker, title = GADGETS[name]
    subprocess.run(["modprobe", "libcomposite"], check=True)
    subprocess.run(["modprobe", "dummy_hcd", f"num={len(GADGETS)}"], check=True)
    top = CONFIGFS / name
    function = top / "functions" / f"{kind}.{name}"
    link = top / "configs/c.1" / function.name
    if link.is_symlink():
        return top, function  # plugged in before
    for folder in (top / "strings/0x409", top / "configs/c.1", function):
        folder.mkdir(parents=True, exist_ok=True)
    values = {"idVendor": f"{vendor:#06x}", "idProduct": f"{product:#06x}", "strings/0x409/serialnumber": serial,
              "strings/0x409/manufacturer": maker, "strings/0x409/product": title}
    for key, value in values.items():
        write(top / key, value)
    if kind == "hid":
        for key, value in {"protocol": "0", "subclass": "0", "report_length": str(REPORT), "report_desc": DESCRIPTOR}.items():
            write(function / key, value)
    link.symlink_to(function)
    return top, function


def open_node(function):
    """This side of the cable: /dev/ttyGSn or /dev/hidgn."""
    if function.name.startswith("hid"):
        number = (function / "dev").read_text().strip()
        uevent = Path(f"/sys/dev/char/{number}/uevent").read_text()
        node = "/dev/" + uevent.split("DEVNAME=")[1].split()[0]
    else:
        node = "/dev/ttyGS" + (function / "port_num").read_text().strip()
    fd = os.open(node, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    if node.startswith("/dev/tty"):
        tty.setraw(fd)
    return fd, node


def open_port(name):
    path = f"/dev/virtio-ports/{name}"
    return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC) if os.path.exists(path) else -1


def give(fd, data, size):
    """What nobody takes is lost, as on a cable. `size`: of one report, else 0."""
    try:
        for at in range(0, len(data), size or len(data)):
            os.write(fd, data[at:at + (size or len(data))])
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EIO, errno.ESHUTDOWN, errno.ENODEV):
            raise


def take(fd):
    try:
        return os.read(fd, REPORT)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EIO, errno.ESHUTDOWN):
            return b""
        raise


def carry(node, port, size):
    """Bytes, or reports of `size` bytes, both ways, for ever."""
    rest = b""
    while True:
        ready, _, _ = select.select([node, port] if port >= 0 else [node], [], [])
        if node in ready and (data := take(node)):
            if port >= 0:
                give(port, data, 0)
        elif node in ready:
            time.sleep(0.05)  # the other side hung up
        if port in ready:
            more = take(port)
            if not more:
                time.sleep(0.05)  # nobody outside
            rest += more
            whole = len(rest) - len(rest) % size if size else len(rest)
            give(node, rest[:whole], size)
            rest = rest[whole:]


def main():
    name = sys.argv[1]
    controller, kind = GADGETS[name][:2]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    top, function = create(name)
    udc, note = top / "UDC", Path("/run/gadget") / name
    try:
        plugged = time.time()
        write(udc, f"dummy_udc.{controller}\n")
        node, path = open_node(function)
        note.parent.mkdir(exist_ok=True)
        write(note.with_suffix(".new"), f"{plugged * 1000:.0f} {path}\n")
        note.with_suffix(".new").rename(note)
        carry(node, open_port(name), REPORT if kind == "hid" else 0)
    finally:
        note.unlink(missing_ok=True)
        write(udc, "\n")


main()
