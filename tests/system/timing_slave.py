# SPDX-License-Identifier: MIT
"""Modbus slaves that note when they are asked: timing_slave.py OUT TCP-UNITS PTY-LINK

So many TCP units on 127.0.0.1, each on a port of its own, which are printed, and one RTU unit on a
pty. Their registers can be read as input
registers; the float32 at 2 is 480.0. At SIGUSR1, OUT gets JSON: {"asked": {"PORT or rtu": [seconds,
CLOCK_MONOTONIC, of the requests]}, "stood": [[from, to]]}; `stood` is when this computer did not let
this process run, though a timer had ended.
"""
import json
import os
import pty
import selectors
import signal
import socket
import struct
import sys
import time
import tty

REGISTERS = b"".join(struct.pack(">H", r) for r in (0x4366, 0x3333, 0x43F0, 0x0000)) + bytes(200)
TICK_S, LATE_S = 0.005, 0.01


def answer(pdu):
    function, address, count = struct.unpack(">BHH", pdu)
    return bytes((function, 2 * count)) + REGISTERS[2 * address:2 * (address + count)]


def crc(frame):
    """MODBUS over Serial Line V1.02, 6.2.2."""
    c = 0xFFFF
    for byte in frame:
        c ^= byte
        for _ in range(8):
            c = c >> 1 ^ (0xA001 if c & 1 else 0)
    return struct.pack("<H", c)


class Slaves:
    def __init__(self, units, link):
        self.selector = selectors.DefaultSelector()
        self.asked, self.stood, self.ports = {}, [], []
        for _ in range(units):
            listener = socket.create_server(("127.0.0.1", 0))
            port = listener.getsockname()[1]
            self.ports.append(port)
            self.selector.register(listener, selectors.EVENT_READ, lambda l=listener, p=port: self.accept(l, p))
        master, slave = pty.openpty()
        tty.setraw(slave)
        os.symlink(os.ttyname(slave), link)
        self.selector.register(master, selectors.EVENT_READ, lambda: self.ask_rtu(master))

    def accept(self, listener, port):
        client, _ = listener.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.selector.register(client, selectors.EVENT_READ, lambda: self.ask_tcp(client, port))

    def note(self, who):
        self.asked.setdefault(str(who), []).append(time.monotonic())

    def ask_tcp(self, client, port):
        try:
            frame = client.recv(260)
        except ConnectionResetError:
            frame = b""
        if not frame:
            self.selector.unregister(client)
            client.close()
            return
        self.note(port)
        pdu = answer(frame[7:12])
        client.sendall(frame[:4] + struct.pack(">H", len(pdu) + 1) + frame[6:7] + pdu)

    def ask_rtu(self, master):
        frame = os.read(master, 256)
        if len(frame) != 8:
            raise SystemExit(f"{frame.hex()}: not one request")
        self.note("rtu")
        reply = frame[:1] + answer(frame[1:6])
        os.write(master, reply + crc(reply))

    def run(self):
        while True:
            began = time.monotonic()
            ready = self.selector.select(TICK_S)
            now = time.monotonic()
            if now - began > TICK_S + LATE_S:
                self.stood.append((began, now))
            for key, _ in ready:
                key.data()


def main():
    out, units, link = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    slaves = Slaves(units, link)

    def tell(*_):
        with open(out + ".new", "w", encoding="ascii") as f:
            json.dump({"asked": slaves.asked, "stood": slaves.stood}, f)
        os.rename(out + ".new", out)
    signal.signal(signal.SIGUSR1, tell)
    print(json.dumps(slaves.ports), flush=True)
    slaves.run()


main()
