# SPDX-License-Identifier: MIT
"""A USB bus that is not there: devices in a umockdev test bed, plugged in and out on command.

Run with libumockdev-preload.so.0 preloaded. Prints the bed's folder, then does one JSON command a
line from standard input and answers each with a line: {"do": "plug", "node": "ttyUSB0", "port":
"1-1", "vendor": …, "product": …, "serial": …, "number": 0, "machine": "Ender-3"}, {"do": "unplug",
"node": …}, {"do": "log"}: what each node's printer was sent so far. A node that was unplugged cannot
come back under its own name (umockdev aborts), which is what renumbering looks like anyway.
"""
import json
import os
import select
import sys
import threading
import time

import gi

gi.require_version("UMockdev", "1.0")
from gi.repository import UMockdev  # noqa: E402

BED = UMockdev.Testbed.new()
PLUGGED = {}
LOG = {}


def describe(c):
    where = f"/devices/pci0000:00/0000:00:14.0/usb1/{c['port']}"
    interface = f"{where}/{c['port']}:1.0"
    node = c["node"]
    path = f"{interface}/0003:0483:5751.0001/hidraw/{node}" if node.startswith("hidraw") else \
        f"{interface}/{node}/tty/{node}"
    subsystem = "hidraw" if node.startswith("hidraw") else "tty"
    text = f"""P: {where}
E: SUBSYSTEM=usb
E: DEVTYPE=usb_device
A: idVendor={c['vendor']}
A: idProduct={c['product']}
A: manufacturer=ACME
A: product={c.get('name', 'USB Serial')}
"""
    if c.get("serial"):
        text += f"A: serial={c['serial']}\n"
    text += f"""
P: {interface}
E: SUBSYSTEM=usb
E: DEVTYPE=usb_interface
A: bInterfaceNumber=00

P: {path}
N: {node}
E: DEVNAME=/dev/{node}
E: SUBSYSTEM={subsystem}
E: MAJOR=188
E: MINOR={c['number']}
A: dev=188:{c['number']}
"""
    return "/sys" + path, where, text


def be_printer(fd, node, machine):
    answers = {"M115": f"FIRMWARE_NAME:Marlin 2.0.9 SOURCE_CODE_URL:x PROTOCOL_VERSION:1.0 "
                       f"MACHINE_TYPE:{machine} EXTRUDER_COUNT:1\nok\n",
               "M105": "ok T:21.5 /0.0 B:22.0 /0.0 @:0 B@:0\n",
               "M27": "Not SD printing\nok\n"}
    rest = b""
    while node in PLUGGED:
        try:
            if not select.select([fd], [], [], 0.1)[0]:
                continue
            rest += os.read(fd, 500)
        except OSError:  # nobody has it open
            select.select([], [], [], 0.05)
            continue
        *lines, rest = rest.split(b"\n")
        for line in lines:
            word = line.decode(errors="replace").strip()
            LOG.setdefault(node, []).append(word)
            os.write(fd, answers.get(word, f'echo:Unknown command: "{word}"\nok\n').encode())


def plug(c):
    path, where, text = describe(c)
    BED.add_from_string(text)
    PLUGGED[c["node"]] = (path, where)
    LOG.setdefault(c["node"], [])
    if c["node"].startswith("tty"):
        fd = BED.get_dev_fd("/dev/" + c["node"])
        threading.Thread(target=be_printer, args=(fd, c["node"], c.get("machine", "Ender-3")),
                         daemon=True).start()


def unplug(c):
    path, where = PLUGGED.pop(c["node"])
    root = BED.get_root_dir()
    node, aside = f"{root}/dev/{c['node']}", f"{root}/gone"
    os.rename(node, aside)  # the kernel's devtmpfs is quicker than udev
    BED.uevent(path, "remove")
    time.sleep(0.3)  # for whoever looks for the node now
    os.rename(aside, node)  # umockdev insists on removing it itself
    for gone in (path, f"/sys{where}/{os.path.basename(where)}:1.0", "/sys" + where):
        BED.remove_device(gone)


def main():
    print(BED.get_root_dir(), flush=True)
    for line in sys.stdin:
        c = json.loads(line)
        if c["do"] == "plug":
            plug(c)
        elif c["do"] == "unplug":
            unplug(c)
        print(json.dumps(LOG), flush=True)


main()
