#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Stands between the daemon and the broker: cuts, stalls, slows down, refuses, and keeps the book.

    proxy.py LOG --port P --broker Q

A record is delivered when the broker's PUBACK below 0x80 went back to the daemon; that is what the
log says. Commands on stdin, one per line:
    cut                     every connection ends, without a word
    closed on|off           nobody listens
    stall on|off            nothing moves, in either direction
    slow MS BYTES_PER_S|off
    reason CODE TEXT|off    PUBLISHes whose topic has TEXT in it ("/" is in all) are not forwarded
                            but answered with CODE, in their turn
It ends with its stdin. Log, one JSON object per line; t, a: CLOCK_MONOTONIC:
    {"conn", "t", "what": "open"|"close"}
    {"n", "conn", "t", "a", "rc", "topic", "retain", "dup", "payload"}    n: order of arrival;
         rc null: the connection ended before the answer
"""
import argparse
import asyncio
import collections
import json
import struct
import sys
import time

CONNECT, PUBLISH, PUBACK = 1, 3, 4


def packets(buffer):
    """Whole MQTT packets at the front of a bytearray, taken out of it."""
    while len(buffer) >= 2:
        size, shift, n = 0, 0, 1
        while n < len(buffer):
            b = buffer[n]
            size |= (b & 0x7F) << shift
            shift += 7
            n += 1
            if not b & 0x80:
                break
        else:
            return
        if len(buffer) < n + size:
            return
        packet = bytes(buffer[:n + size])
        del buffer[:n + size]
        yield packet, n


def parse_publish(packet, at, level):
    """(topic, mid, payload); mid None: QoS 0."""
    size = struct.unpack_from(">H", packet, at)[0]
    topic = packet[at + 2:at + 2 + size].decode(errors="replace")
    at += 2 + size
    mid = None
    if packet[0] >> 1 & 3:
        mid = struct.unpack_from(">H", packet, at)[0]
        at += 2
    if level == 5:
        length, shift = 0, 0
        while True:
            b = packet[at]
            at += 1
            length |= (b & 0x7F) << shift
            shift += 7
            if not b & 0x80:
                break
        at += length
    return topic, mid, packet[at:]


class Weather:
    """What is wrong now."""

    def __init__(self):
        self.moving = asyncio.Event()
        self.moving.set()
        self.delay_s, self.rate = 0, 0
        self.reason, self.text = 0, ""


class Connection:
    def __init__(self, proxy, number, down):
        self.proxy, self.number, self.down = proxy, number, down  # down: to the daemon
        self.up = None
        self.level = 5
        self.waiting = collections.deque()  # PUBLISHes without PUBACK, in order

    async def run(self, reader):
        self.proxy.log(conn=self.number, t=time.monotonic(), what="open")
        try:
            theirs, self.up = await asyncio.open_connection("127.0.0.1", self.proxy.broker)
            pumps = [asyncio.create_task(self.pump(reader, self.from_daemon)),
                     asyncio.create_task(self.pump(theirs, self.from_broker))]
            _, pending = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for task in pending:
                task.cancel()
        except OSError:
            pass
        finally:
            self.close()

    def close(self):
        for writer in (self.down, self.up):
            if writer:
                writer.transport.abort()
        for p in self.waiting:
            self.proxy.log(**{k: v for k, v in p.items() if k not in ("mid", "ack")}, a=None, rc=None)
        self.waiting.clear()
        self.proxy.connections.discard(self)
        self.proxy.log(conn=self.number, t=time.monotonic(), what="close")

    async def pump(self, reader, handle):
        buffer = bytearray()
        weather = self.proxy.weather
        try:
            while data := await reader.read(16384):
                if weather.delay_s:
                    await asyncio.sleep(weather.delay_s + len(data) / weather.rate)
                await weather.moving.wait()
                buffer += data
                for packet, at in packets(buffer):
                    handle(packet, at)
                await asyncio.gather(self.down.drain(), self.up.drain())
        except OSError:
            pass

    def from_daemon(self, packet, at):
        kind = packet[0] >> 4
        if kind == CONNECT:
            self.level = packet[at + 2 + struct.unpack_from(">H", packet, at)[0]]
        elif kind == PUBLISH:
            topic, mid, payload = parse_publish(packet, at, self.level)
            if mid is not None and self.take(packet, topic, mid, payload):
                return
        self.up.write(packet)

    def take(self, packet, topic, mid, payload):
        """Enters a PUBLISH; True: it is answered here."""
        weather, proxy = self.proxy.weather, self.proxy
        proxy.arrivals += 1
        p = {"n": proxy.arrivals, "conn": self.number, "t": time.monotonic(), "topic": topic,
             "retain": bool(packet[0] & 1), "dup": bool(packet[0] & 8),
             "payload": payload.decode(errors="replace"), "mid": mid, "ack": None}
        refused = bool(weather.reason and weather.text in topic and self.level == 5)
        if refused:
            p["ack"] = bytes([PUBACK << 4, 4]) + struct.pack(">H", mid) + bytes([weather.reason, 0])
        self.waiting.append(p)
        self.answer()
        return refused

    def from_broker(self, packet, at):
        if packet[0] >> 4 == PUBACK:
            mid = struct.unpack_from(">H", packet, at)[0]
            for p in self.waiting:
                if p["mid"] == mid and p["ack"] is None:
                    p["ack"] = packet
                    break
            self.answer()
        else:
            self.down.write(packet)

    def answer(self):
        """PUBACKs go in the order of their PUBLISHes."""
        while self.waiting and self.waiting[0]["ack"] is not None:
            p = self.waiting.popleft()
            ack = p.pop("ack")
            p.pop("mid")
            self.down.write(ack)
            self.proxy.log(**p, a=time.monotonic(), rc=ack[4] if len(ack) > 4 else 0)


class Proxy:
    def __init__(self, args):
        self.port, self.broker = args.port, args.broker
        self.file = open(args.log, "a", encoding="utf-8")
        self.weather = Weather()
        self.connections, self.count, self.arrivals = set(), 0, 0
        self.server = None

    def log(self, **line):
        for key in ("t", "a"):
            if line.get(key):
                line[key] = round(line[key], 4)
        self.file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self.file.flush()

    async def accept(self, reader, writer):
        self.count += 1
        connection = Connection(self, self.count, writer)
        self.connections.add(connection)
        await connection.run(reader)

    async def listen(self):
        self.server = await asyncio.start_server(self.accept, "127.0.0.1", self.port, reuse_address=True)
        self.port = self.server.sockets[0].getsockname()[1]

    def cut(self):
        for connection in list(self.connections):
            for writer in (connection.down, connection.up):
                if writer:
                    writer.transport.abort()
        self.weather.moving.set()

    async def obey(self, word, *args):
        weather = self.weather
        on = bool(args) and args[0] != "off"
        if word == "cut":
            self.cut()
        elif word == "closed" and on == (self.server is not None):
            if on:
                self.server.close()
                self.server = None
                self.cut()
            else:
                await self.listen()
        elif word == "stall":
            weather.moving.clear() if on else weather.moving.set()
        elif word == "slow":
            weather.delay_s, weather.rate = (float(args[0]) / 1000, float(args[1])) if on else (0, 0)
        elif word == "reason":
            weather.reason, weather.text = (int(args[0], 0), args[1]) if on else (0, "")

    async def run(self):
        await self.listen()
        print(json.dumps({"port": self.port}), flush=True)
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            await self.obey(*line.decode().split())
        for connection in list(self.connections):
            connection.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("log")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--broker", type=int, required=True)
    asyncio.run(Proxy(parser.parse_args()).run())


if __name__ == "__main__":
    main()
