#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Meters on Modbus TCP that keep a ledger: what each of them handed out, and what it did.

    sim.py LEDGER --machines 10 --buses 2 --seed 7

Units 1, 2, … of a bus are machines m01, m02, …; five input registers from 0: `count` (u32, one
more with each answer, so no two readings are equal), `power_w` (f32), `temp_c` (u16, tenths).
Prints {"ports": [...]} when it listens. Commands on stdin: `calm` (everything idle and cool from
now on), `silent BUS SECONDS`, `cut BUS`; it ends with its stdin.

Ledger, one JSON object per line; t is CLOCK_MONOTONIC:
    {"t", "m", "n", "p", "c"}          the reading n was answered with this power and temperature
    {"t", "m", "unsure": n}            nobody knows whether n arrived: its connection ended
    {"t", "m", "phase": "busy"|"hot", "on"}     {"t", "bus", "phase": "silent", "on"}     {"t", "calm": true}
"""
import argparse
import asyncio
import json
import random
import struct
import sys
import time

BLOCK = (4, 0, 5)  # function, first register, how many
TICK_S = 0.05
BUSY_S, IDLE_S, HOT_S, COOL_S = (2.5, 15), (4, 12), (3, 9), (33, 70)


class Ledger:
    def __init__(self, path):
        self.file = open(path, "a", encoding="utf-8", buffering=1 << 16)

    def write(self, **line):
        self.file.write(json.dumps({"t": round(time.monotonic(), 4), **line}) + "\n")


class Machine:
    """What it does changes by chance; `busy` and `hot` each have a clock of their own."""

    def __init__(self, name, ledger, rng):
        self.name, self.ledger, self.random = name, ledger, rng
        self.count = 0
        self.on = {"busy": False, "hot": False}
        now = time.monotonic()
        self.next = {"busy": now + rng.uniform(1, 8), "hot": now + rng.uniform(3, 40)}

    def set(self, phase, on):
        self.on[phase] = on
        self.ledger.write(m=self.name, phase=phase, on=on)

    def tick(self, now, calm):
        for phase, lengths in (("busy", (IDLE_S, BUSY_S)), ("hot", (COOL_S, HOT_S))):
            if (now >= self.next[phase] and not calm) or (calm and self.on[phase]):
                self.set(phase, not self.on[phase])
                self.next[phase] = now + self.random.uniform(*lengths[self.on[phase]])

    def read(self):
        """A reading, as it stands in the registers."""
        self.count += 1
        power = round(self.random.uniform(300, 500) if self.on["busy"] else self.random.uniform(20, 40), 1)
        temp = self.random.randint(350, 450) if self.on["hot"] else self.random.randint(200, 250)
        self.ledger.write(m=self.name, n=self.count, p=power, c=temp / 10)
        return struct.pack(">IfH", self.count, power, temp)


class Bus:
    def __init__(self, number, machines, ledger):
        self.number, self.machines, self.ledger = number, machines, ledger
        self.silent_until = 0
        self.writers = set()

    async def serve(self, reader, writer):
        last = None  # the reading that was answered last, until more is asked
        self.writers.add(writer)
        try:
            while True:
                head = await reader.readexactly(7)
                tid, _, size, unit = struct.unpack(">HHHB", head)
                pdu = await reader.readexactly(size - 1)
                last = None
                if time.monotonic() < self.silent_until:
                    continue
                machine = self.machines.get(unit)
                if machine is None or (pdu[0], *struct.unpack(">HH", pdu[1:5])) != BLOCK:
                    answer = bytes([pdu[0] | 0x80, 2])
                else:
                    last = (machine.name, machine.count + 1)
                    answer = bytes([4, 10]) + machine.read()
                writer.write(struct.pack(">HHHB", tid, 0, len(answer) + 1, unit) + answer)
        except (asyncio.IncompleteReadError, ConnectionError, struct.error):
            pass
        finally:
            if last:
                self.ledger.write(m=last[0], unsure=last[1])
            self.writers.discard(writer)
            writer.close()

    def cut(self):
        for writer in list(self.writers):
            writer.transport.abort()

    def silence(self, seconds):
        self.silent_until = time.monotonic() + seconds
        self.ledger.write(bus=self.number, phase="silent", on=True)
        asyncio.get_running_loop().call_later(
            seconds, lambda: self.ledger.write(bus=self.number, phase="silent", on=False))


def names(machines):
    return [f"m{i + 1:02d}" for i in range(machines)]


async def read_commands(buses, calm):
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        word, *args = line.decode().split()
        if word == "calm":
            calm.set()
        elif word == "cut":
            buses[int(args[0])].cut()
        elif word == "silent":
            buses[int(args[0])].silence(float(args[1]))


async def run(args):
    ledger = Ledger(args.ledger)
    machines = [Machine(name, ledger, random.Random(f"{args.seed}/{name}")) for name in names(args.machines)]
    buses = [Bus(b, {i // args.buses + 1: m for i, m in enumerate(machines) if i % args.buses == b}, ledger)
             for b in range(args.buses)]
    servers = [await asyncio.start_server(bus.serve, "127.0.0.1", 0) for bus in buses]
    print(json.dumps({"ports": [s.sockets[0].getsockname()[1] for s in servers]}), flush=True)
    calm = asyncio.Event()

    async def tick():
        told = False
        while True:
            for machine in machines:
                machine.tick(time.monotonic(), calm.is_set())
            if calm.is_set() and not told:
                told = True
                ledger.write(calm=True)
            ledger.file.flush()
            await asyncio.sleep(TICK_S)

    ticker = asyncio.create_task(tick())
    await read_commands(buses, calm)
    ticker.cancel()
    for bus in buses:
        bus.cut()
    await asyncio.sleep(0)  # their last words
    ledger.file.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("ledger")
    parser.add_argument("--machines", type=int, default=10)
    parser.add_argument("--buses", type=int, default=2)
    parser.add_argument("--seed", default="1")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
